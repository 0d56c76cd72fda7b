//! What somebody looks for among the messages of a device, besides words.

use wardline_org::{Timestamp, UserId};

use super::{PatientIdentifier, Priority};
use crate::id::ConversationId;

/// Which messages to find; everything that is said must hold, and what is not said does not matter.
///
/// ```
/// use wardline::{Filter, PatientIdentifier, Priority};
///
/// let mrn = PatientIdentifier {
///     system: "urn:mercy:mrn".into(),
///     value: "00712328".into(),
/// };
/// let filter = Filter::all().patient(vec![mrn]).at_least(Priority::Urgent).open();
/// # let _ = filter;
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Filter {
    pub(crate) patient: Vec<PatientIdentifier>,
    pub(crate) person: Option<UserId>,
    pub(crate) priority: Option<Priority>,
    pub(crate) open: bool,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) text: Option<String>,
}

impl Filter {
    /// Every message.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those about a patient with all of these identifiers. One that only tells the patient apart together with
    /// another, such as a date of birth, finds others' messages when it stands alone.
    #[must_use]
    pub fn patient(mut self, identifiers: Vec<PatientIdentifier>) -> Self {
        self.patient = identifiers;
        self
    }

    /// Those this person has written, also those of oneself.
    #[must_use]
    pub fn person(mut self, person: UserId) -> Self {
        self.person = Some(person);
        self
    }

    /// Those at least so urgent, as they count on this device.
    #[must_use]
    pub fn at_least(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Those that ask for an answer and that nobody has accepted.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Those of this conversation.
    #[must_use]
    pub fn conversation(mut self, conversation: ConversationId) -> Self {
        self.conversation = Some(conversation);
        self
    }

    /// Those written at this time or later, by their authors' clocks.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Those written before this time, by their authors' clocks.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    /// Those with these words, as [`Client::search`](crate::Client::search) finds them. A text without any word finds
    /// nothing.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }
}

/// Shows nobody's name, no words and no patient.
impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter")
            .field("priority", &self.priority)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
