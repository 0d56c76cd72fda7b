//! Messages: what is written, what becomes of it, how it is read back.
//!
//! [`content`] is what one says; [`lifecycle`] is the one table of what can happen on the way to a device, and [`answer`] what people say to
//! a message that asks for it; [`rows`] writes messages and their recipients; [`timeline`] reads them, page by page, and [`list`] the conversations they are
//! in; [`recall`] takes messages back; [`expiry`] ends them, by what [`clocks`] say, unless a [`hold`] keeps them; [`amend`] corrects them; [`forward`] is what is handed on; [`delegation`] is to whom else one was given, and why;
//! [`structured`] is what is typed, [`offers`] what is answered with one tap; [`receipts`] queues what this device owes to authors; [`notice`] keeps
//! what nobody was told of yet, and [`reminders`] says of what somebody is told again. [`filter`] is what one looks for,
//! [`caution`] what to think of before sending, [`loop_times`] how long answers took.

pub(crate) mod amend;
pub(crate) mod answer;
pub(crate) mod caution;
pub(crate) mod clocks;
pub(crate) mod content;
pub(crate) mod delegation;
pub(crate) mod expiry;
pub(crate) mod filter;
pub(crate) mod forward;
pub(crate) mod hold;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod loop_times;
pub(crate) mod notice;
pub(crate) mod offers;
pub(crate) mod passing;
pub(crate) mod recall;
pub(crate) mod receipts;
pub(crate) mod reminders;
pub(crate) mod rows;
pub(crate) mod structured;
pub(crate) mod timeline;
pub(crate) mod word;

pub use amend::{Amended, Version};
pub use answer::{Answer, OpenItems, StandingAnswer, Verdict};
pub use caution::Caution;
pub use delegation::StandIn;
pub use expiry::{Expired, Lifetime};
pub use filter::Filter;
pub use forward::Forwarded;
pub use lifecycle::{DeliveryState, FailureCause};
pub use list::{Conversation, ConversationPage, NewestMessage};
pub use loop_times::{LoopGroup, LoopGrouping, LoopTimes, Quantiles, Span};
pub use notice::{Notice, NoticeSender};
pub use offers::Choice;
pub use recall::{RecallOutcome, Recalled};
pub use structured::{CriticalResult, Order, Sbar, Structured, VendorContent};
pub use timeline::{Asked, Cursor, DeviceDelivery, Message, Page, PersonDelivery};

use std::time::Duration;

use wardline_org::Timestamp;

use crate::{conversation::Recipient, escalation::EscalationTier, id::MessageRef};

/// A message to be sent.
///
/// ```
/// use wardline::{Draft, Priority, Recipient};
///
/// let draft = Draft::new(Recipient::Team("careteam-17".parse()?), "K 6.6 mmol/L (3.5 to 5.0)")
///     .priority(Priority::Urgent)
///     .idempotency_key("lab-7ebff0a606e1");
/// # let _ = draft;
/// # Ok::<(), wardline_org::id::IdError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    pub(crate) recipient: Recipient,
    pub(crate) text: String,
    pub(crate) priority: Priority,
    pub(crate) patient: Option<Patient>,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) answer_within: Option<Duration>,
    pub(crate) reply_to: Option<MessageRef>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) structured: Option<Structured>,
    pub(crate) offers: Vec<String>,
    pub(crate) lifetime: Lifetime,
    pub(crate) escalation: Vec<EscalationTier>,
    pub(crate) forward: Option<MessageRef>,
    pub(crate) send_at: Option<Timestamp>,
}

impl Draft {
    /// A routine text message.
    pub fn new(recipient: Recipient, text: impl Into<String>) -> Self {
        Self {
            recipient,
            text: text.into(),
            priority: Priority::Routine,
            patient: None,
            occurred_at: None,
            answer_within: None,
            reply_to: None,
            idempotency_key: None,
            structured: None,
            offers: Vec::new(),
            lifetime: Lifetime::default(),
            escalation: Vec::new(),
            forward: None,
            send_at: None,
        }
    }

    /// How urgent it is; routine unless said otherwise.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Whom it is about.
    #[must_use]
    pub fn patient(mut self, patient: Patient) -> Self {
        self.patient = Some(patient);
        self
    }

    /// When what it tells of happened, such as a laboratory result: the first of the closed loop's times.
    #[must_use]
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.occurred_at = Some(at);
        self
    }

    /// Asks for an answer ([`crate::Client::answer`]) within a time from now. A stat message asks for
    /// one by itself, without a time.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.answer_within = Some(time);
        self
    }

    /// Says which message of the same conversation this is a reply to. Sending answers
    /// [`crate::Error::Unknown`] when that is not on this device.
    #[must_use]
    pub fn reply_to(mut self, message: MessageRef) -> Self {
        self.reply_to = Some(message);
        self
    }

    /// Sending twice with the same key (at most 128 bytes) sends once and answers the same id, also
    /// after a restart.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// It is over so long after it was sent: nobody is shown it any more, on any device, and it is erased. Whatever is
    /// said here is said before [`Client::set_lifetime`](crate::Client::set_lifetime) and the policy; the policy's limit
    /// holds.
    #[must_use]
    pub fn expire_after_sent(mut self, time: Duration) -> Self {
        self.lifetime.after_sent = Some(time);
        self
    }

    /// It is over so long after a person has opened it, on each of their devices; on this person's, after everybody has.
    #[must_use]
    pub fn expire_after_read(mut self, time: Duration) -> Self {
        self.lifetime.after_read = Some(time);
        self
    }

    /// Makes it a structured message. The draft's text is what devices show that do not know its type; when that is
    /// empty, it is made of the fields. A vendor's type needs a text.
    #[must_use]
    pub fn structured(mut self, structured: Structured) -> Self {
        self.structured = Some(structured);
        self
    }

    /// Offers short texts that a recipient may answer with as they are ([`crate::Client::reply_with`]): at most 8, each
    /// one line of at most 160 bytes and none twice. Software that does not know offers shows the message without them.
    ///
    /// ```
    /// use wardline::{Draft, Recipient};
    ///
    /// let draft = Draft::new(Recipient::Person("DR-1".parse()?), "Bed 4 has 8 of 10 pain. Repeat the dose?")
    ///     .offer(["Yes, once", "No, I am on my way"]);
    /// # let _ = draft;
    /// # Ok::<(), wardline_org::id::IdError>(())
    /// ```
    #[must_use]
    pub fn offer<T: Into<String>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        self.offers = texts.into_iter().map(Into::into).collect();
        self
    }
}

/// Shows nothing of what was written.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft")
            .field("recipient", &self.recipient)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum Priority {
    /// Does not interrupt.
    Routine = 1,
    /// Interrupts once.
    Urgent = 2,
    /// Interrupts until somebody acknowledges.
    Stat = 3,
}

impl Priority {
    /// Off the wire or out of the store; what is unknown does not interrupt.
    pub(crate) fn from_wire(value: i32) -> Self {
        match value {
            2 => Self::Urgent,
            3 => Self::Stat,
            _ => Self::Routine,
        }
    }
}

/// The patient a message is about, by identifiers.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Patient {
    /// Identifiers, for example a record number and a date of birth; two tell patients apart.
    pub identifiers: Vec<PatientIdentifier>,
    /// The patient's name as people say it.
    pub name: String,
    /// The encounter, as the EHR names it; may be empty.
    pub encounter: String,
}

/// One identifier of a patient.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientIdentifier {
    /// Whose identifier it is, as a URI.
    pub system: String,
    /// The identifier.
    pub value: String,
}

/// Off the wire.
impl From<wardline_proto::v1::PatientContext> for Patient {
    fn from(patient: wardline_proto::v1::PatientContext) -> Self {
        let identifiers = patient.identifiers.into_iter();
        Self {
            identifiers: identifiers
                .map(|id| PatientIdentifier {
                    system: id.system,
                    value: id.value,
                })
                .collect(),
            name: patient.display_name,
            encounter: patient.encounter,
        }
    }
}

/// Shows nothing of the patient.
impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patient").finish_non_exhaustive()
    }
}

/// Shows nothing of the patient.
impl std::fmt::Debug for PatientIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatientIdentifier").finish_non_exhaustive()
    }
}

/// Which way a message went. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum Direction {
    /// Written on this device.
    Outgoing = 1,
    /// Written by somebody else.
    Incoming = 2,
    /// Written by the same person on another device.
    OwnOtherDevice = 3,
}

impl Direction {
    /// Out of the store.
    pub(crate) fn from_stored(value: i64) -> Option<Self> {
        [Self::Outgoing, Self::Incoming, Self::OwnOtherDevice]
            .into_iter()
            .find(|direction| *direction as i64 == value)
    }
}

/// What stands behind a sender. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum Proof {
    /// The directory listed the sending device as active when the message was opened.
    Proven = 1,
    /// The device had been revoked, or its person had left: never an order, never an answer.
    Revoked = 2,
}

/// The content type of a text message.
pub(crate) const TEXT: &str = wardline_org::proof::TEXT;
/// The content type of what takes a message back.
pub(crate) const RECALL: &str = "wardline.recall/1";
/// The content type of what says that a message is accepted or declined.
pub(crate) const ANSWER: &str = "wardline.answer/1";
/// The content type of what passes a message to a role on to whoever holds it now.
pub(crate) const PASS: &str = "wardline.pass/1";
/// The content type of what hands a message on.
pub(crate) const FORWARD: &str = "wardline.forward/1";
/// The content type of what corrects a message.
pub(crate) const AMEND: &str = wardline_org::proof::AMEND;
