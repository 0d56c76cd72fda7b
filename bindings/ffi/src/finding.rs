//! What somebody looks for, what to think of before sending, and how long answers took.

use std::time::Duration;

use wardline_org::Timestamp;

use crate::{
    draft::{Patient, PatientIdentifier, Priority},
    error::WardlineError,
    ids::parse,
};

/// Which messages to find; everything that is said must hold, and what is not said does not matter.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Filter {
    /// Those about a patient with all of these identifiers. One that only tells the patient apart together with
    /// another, such as a date of birth, finds others' messages when it stands alone.
    #[uniffi(default = [])]
    pub patient: Vec<PatientIdentifier>,
    /// Those this person has written, also those of oneself.
    #[uniffi(default = None)]
    pub person: Option<String>,
    /// Those at least so urgent, as they count on this device.
    #[uniffi(default = None)]
    pub at_least: Option<Priority>,
    /// Those that ask for an answer and that nobody has accepted.
    #[uniffi(default = false)]
    pub open: bool,
    /// Those of this conversation.
    #[uniffi(default = None)]
    pub conversation: Option<String>,
    /// Those written at this time or later, by their authors' clocks, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub since_ms: Option<i64>,
    /// Those written before this time, by their authors' clocks.
    #[uniffi(default = None)]
    pub until_ms: Option<i64>,
    /// Those with these words, as `search` finds them. A text without any word finds nothing.
    #[uniffi(default = None)]
    pub text: Option<String>,
}

/// Something to think of before a message leaves.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Caution {
    /// The message interrupts whoever gets it. Ask whether it has to.
    Interrupts {
        /// How much: urgent or stat.
        priority: Priority,
        /// So many messages of this person to the same recipient still wait for an answer.
        open: u32,
    },
    /// The message interrupts, and does not say which patient it is about.
    NoPatient,
    /// The patient is named by fewer than two identifiers, which do not tell patients apart.
    OneIdentifier {
        /// How many there are.
        given: u32,
    },
    /// Another patient is known here by the same name or one that is easily confused with it. Show both.
    SimilarPatient {
        /// The other one: identifiers in the order of their systems, no encounter.
        known: Patient,
        /// The names are the same but for case, accents and order.
        same_name: bool,
    },
    /// A patient with the same identifiers is known here by another name.
    OtherName {
        /// Name and identifiers they are known by, in the order of their systems; no encounter.
        known: Patient,
    },
    /// Something that this version of the package has no word for. Update it.
    Unknown,
}

/// What to count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum LoopGrouping {
    /// Each person by themselves.
    Person,
    /// The staff roles of the person; who has several counts in each.
    StaffRole,
    /// The departments of the person's staff roles; who is in several counts in each.
    Department,
    /// How urgent the message was.
    Priority,
}

/// How long it took in one group.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LoopTimes {
    /// The person's id, the code of the staff role, or the department. Nothing when grouped by priority, and for
    /// whoever has no role or department or is not known on this device.
    pub group: Option<String>,
    /// When grouped by priority: which.
    pub priority: Option<Priority>,
    /// So many messages, counted for each person they went to.
    pub messages: u64,
    /// From when the relay had it to when the first device of the person did (t1 to t2).
    pub sent_to_delivered: Quantiles,
    /// From when the relay had it to when the person opened it (t1 to t3).
    pub sent_to_read: Quantiles,
    /// From when the relay had it to the acceptance that stands (t1 to t4).
    pub sent_to_acknowledged: Quantiles,
    /// From what the message tells of to the acceptance that stands (t0 to t4), where its author gave that time.
    pub event_to_acknowledged: Quantiles,
    /// So many declined.
    pub declined: u64,
    /// So many asked for an answer, did not get one of this person, and were accepted by nobody else either.
    pub unanswered: u64,
    /// So many asked for an answer within a time that is over, and nobody had accepted by then.
    pub overdue: u64,
}

/// Exact quantiles by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Quantiles {
    /// Of so many values.
    pub count: u64,
    /// The median, in milliseconds; nothing when there is no value.
    pub p50_ms: Option<u64>,
    /// At least 95 of 100 values are not longer, in milliseconds; nothing when there is no value.
    pub p95_ms: Option<u64>,
}

/// A device of a person.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PersonDevice {
    /// The person.
    pub user: String,
    /// The device.
    pub device: String,
}

/// Shows nobody's name, no words and no patient.
impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter")
            .field("at_least", &self.at_least)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl TryFrom<Filter> for wardline::Filter {
    type Error = WardlineError;

    fn try_from(filter: Filter) -> Result<Self, WardlineError> {
        let patient = filter.patient.into_iter();
        let mut core =
            Self::all().patient(patient.map(wardline::PatientIdentifier::from).collect());
        if let Some(person) = filter.person {
            core = core.person(parse("person", &person)?);
        }
        if let Some(priority) = filter.at_least {
            core = core.at_least(priority.into());
        }
        if filter.open {
            core = core.open();
        }
        if let Some(conversation) = filter.conversation {
            core = core.conversation(parse("conversation", &conversation)?);
        }
        if let Some(since) = filter.since_ms {
            core = core.since(Timestamp::from_millis(since));
        }
        if let Some(until) = filter.until_ms {
            core = core.until(Timestamp::from_millis(until));
        }
        if let Some(text) = filter.text {
            core = core.text(text);
        }
        Ok(core)
    }
}

impl From<wardline::Caution> for Caution {
    fn from(caution: wardline::Caution) -> Self {
        use wardline::Caution as Core;
        match caution {
            Core::Interrupts { priority, open } => Self::Interrupts {
                priority: priority.into(),
                open,
            },
            Core::NoPatient => Self::NoPatient,
            Core::OneIdentifier { given } => Self::OneIdentifier { given },
            Core::SimilarPatient { known, same_name } => Self::SimilarPatient {
                known: known.into(),
                same_name,
            },
            Core::OtherName { known } => Self::OtherName {
                known: known.into(),
            },
            _ => Self::Unknown,
        }
    }
}

impl From<LoopGrouping> for wardline::LoopGrouping {
    fn from(grouping: LoopGrouping) -> Self {
        match grouping {
            LoopGrouping::Person => Self::Person,
            LoopGrouping::StaffRole => Self::StaffRole,
            LoopGrouping::Department => Self::Department,
            LoopGrouping::Priority => Self::Priority,
        }
    }
}

impl From<wardline::LoopTimes> for LoopTimes {
    fn from(times: wardline::LoopTimes) -> Self {
        use wardline::LoopGroup;
        let (group, priority) = match times.group {
            LoopGroup::Person(user) => (Some(user.to_string()), None),
            LoopGroup::StaffRole(name) | LoopGroup::Department(name) => (name, None),
            LoopGroup::Priority(priority) => (None, Some(priority.into())),
        };
        Self {
            group,
            priority,
            messages: times.messages,
            sent_to_delivered: times.sent_to_delivered.into(),
            sent_to_read: times.sent_to_read.into(),
            sent_to_acknowledged: times.sent_to_acknowledged.into(),
            event_to_acknowledged: times.event_to_acknowledged.into(),
            declined: times.declined,
            unanswered: times.unanswered,
            overdue: times.overdue,
        }
    }
}

impl From<wardline::Quantiles> for Quantiles {
    fn from(quantiles: wardline::Quantiles) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            count: quantiles.count,
            p50_ms: quantiles.p50.map(millis),
            p95_ms: quantiles.p95.map(millis),
        }
    }
}
