//! What is written: a draft, whom it is for, whom it is about.

use std::time::Duration;

use wardline_org::Timestamp;

use crate::{
    error::WardlineError, escalation::EscalationTier, ids::parse, lifetime::Lifetime,
    structured::Structured,
};

/// A message to be sent.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Draft {
    /// Whom it is for.
    pub recipient: Recipient,
    /// What it says.
    pub text: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Whom it is about.
    #[uniffi(default = None)]
    pub patient: Option<Patient>,
    /// When what it tells of happened, such as a laboratory result, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub occurred_at_ms: Option<i64>,
    /// Asks for an answer within so many milliseconds from now. A stat message asks for one by itself,
    /// without a time.
    #[uniffi(default = None)]
    pub answer_within_ms: Option<u64>,
    /// The reference of the message of the same conversation that this is a reply to.
    #[uniffi(default = None)]
    pub reply_to: Option<String>,
    /// Sending twice with the same key (at most 128 bytes) sends once, also after a restart.
    #[uniffi(default = None)]
    pub idempotency_key: Option<String>,
    /// Makes it a structured message. The text is what devices show that do not know its type; when that is empty,
    /// it is made of the fields. A vendor's type needs a text.
    #[uniffi(default = None)]
    pub structured: Option<Structured>,
    /// Offers short texts that a recipient may answer with as they are: at most 8, each one line of at most 160 bytes
    /// and none twice. Software that does not know offers shows the message without them.
    #[uniffi(default = [])]
    pub offers: Vec<String>,
    /// Who is given it when nobody has accepted it in time, tier after tier (at most 8). It needs no phone for that: the
    /// relay holds what they are given, sealed, from when it has the message. A decline brings the next tier at once, an
    /// acceptance stops all later ones. Asks for an answer by the first tier's time, unless `answer_within_ms` says
    /// otherwise.
    #[uniffi(default = [])]
    pub escalate: Vec<EscalationTier>,
    /// Sends it at a time, in milliseconds since 1970, at most 7 days from now, instead of at once: the relay holds it
    /// until then, sealed for whoever it is for, and this phone may be off. Taking it back before is cancelling it. A
    /// time that has come sends it at once. Its other times count from then.
    #[uniffi(default = None)]
    pub send_at_ms: Option<i64>,
    /// For how long it may be read, on every device; it is erased then. What is said here is said before
    /// `set_lifetime` and the policy; the policy's limit holds.
    #[uniffi(default = None)]
    pub lifetime: Option<Lifetime>,
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Recipient {
    /// One person, on all of their devices.
    Person {
        /// The person's id.
        user: String,
    },
    /// Everybody on a care team, on all of their devices.
    Team {
        /// The team's id.
        team: String,
    },
    /// Whoever holds a role when the message is sealed, and the role's custodian.
    Role {
        /// The role's id.
        role: String,
    },
    /// As whoever holds a role, or its custodian: the person who has written to it, and everybody else who holds it.
    Caller {
        /// The role's id.
        role: String,
        /// Who has written to it.
        person: String,
    },
}

/// How urgent a message is, and so how loudly it asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, uniffi::Enum)]
pub enum Priority {
    /// Does not interrupt.
    Routine,
    /// Interrupts once.
    Urgent,
    /// Interrupts until somebody acknowledges.
    Stat,
}

/// The patient a message is about.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Patient {
    /// For example a record number and a date of birth; two tell patients apart.
    pub identifiers: Vec<PatientIdentifier>,
    /// The patient's name as people say it.
    #[uniffi(default = "")]
    pub name: String,
    /// The encounter, as the EHR names it; may be empty.
    #[uniffi(default = "")]
    pub encounter: String,
}

/// One identifier of a patient.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct PatientIdentifier {
    /// Whose identifier it is, as a URI.
    pub system: String,
    /// The identifier.
    pub value: String,
}

impl TryFrom<Draft> for wardline::Draft {
    type Error = WardlineError;

    fn try_from(draft: Draft) -> Result<Self, WardlineError> {
        let recipient = wardline::Recipient::try_from(draft.recipient)?;
        let mut core = Self::new(recipient, draft.text).priority(draft.priority.into());
        if let Some(patient) = draft.patient {
            core = core.patient(patient.into());
        }
        if let Some(at) = draft.occurred_at_ms {
            core = core.occurred_at(Timestamp::from_millis(at));
        }
        if let Some(time) = draft.answer_within_ms {
            core = core.answer_within(Duration::from_millis(time));
        }
        if let Some(subject) = draft.reply_to {
            core = core.reply_to(parse("reply_to", &subject)?);
        }
        if let Some(key) = draft.idempotency_key {
            core = core.idempotency_key(key);
        }
        if let Some(structured) = draft.structured {
            core = core.structured(structured.try_into()?);
        }
        if let Some(at) = draft.send_at_ms {
            core = core.send_at(Timestamp::from_millis(at));
        }
        for tier in draft.escalate {
            core = core.escalate(tier.try_into()?);
        }
        if let Some(lifetime) = draft.lifetime {
            if let Some(time) = lifetime.after_sent_ms {
                core = core.expire_after_sent(Duration::from_millis(time));
            }
            if let Some(time) = lifetime.after_read_ms {
                core = core.expire_after_read(Duration::from_millis(time));
            }
        }
        Ok(core.offer(draft.offers))
    }
}

impl TryFrom<Recipient> for wardline::Recipient {
    type Error = WardlineError;

    fn try_from(recipient: Recipient) -> Result<Self, WardlineError> {
        Ok(match recipient {
            Recipient::Person { user } => Self::Person(parse("user", &user)?),
            Recipient::Team { team } => Self::Team(parse("team", &team)?),
            Recipient::Role { role } => Self::Role(parse("role", &role)?),
            Recipient::Caller { role, person } => Self::Caller {
                role: parse("role", &role)?,
                person: parse("person", &person)?,
            },
        })
    }
}

impl From<wardline::Recipient> for Recipient {
    fn from(recipient: wardline::Recipient) -> Self {
        match recipient {
            wardline::Recipient::Person(user) => Self::Person {
                user: user.to_string(),
            },
            wardline::Recipient::Team(team) => Self::Team {
                team: team.to_string(),
            },
            wardline::Recipient::Role(role) => Self::Role {
                role: role.to_string(),
            },
            wardline::Recipient::Caller { role, person } => Self::Caller {
                role: role.to_string(),
                person: person.to_string(),
            },
        }
    }
}

impl From<Priority> for wardline::Priority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Routine => Self::Routine,
            Priority::Urgent => Self::Urgent,
            Priority::Stat => Self::Stat,
        }
    }
}

impl From<wardline::Priority> for Priority {
    fn from(priority: wardline::Priority) -> Self {
        match priority {
            wardline::Priority::Routine => Self::Routine,
            wardline::Priority::Urgent => Self::Urgent,
            wardline::Priority::Stat => Self::Stat,
        }
    }
}

impl From<wardline::Tier> for Priority {
    fn from(tier: wardline::Tier) -> Self {
        match tier {
            wardline::Tier::Routine => Self::Routine,
            wardline::Tier::Urgent => Self::Urgent,
            wardline::Tier::Stat => Self::Stat,
        }
    }
}

impl From<Patient> for wardline::Patient {
    fn from(patient: Patient) -> Self {
        Self {
            identifiers: patient.identifiers.into_iter().map(Into::into).collect(),
            name: patient.name,
            encounter: patient.encounter,
        }
    }
}

impl From<wardline::Patient> for Patient {
    fn from(patient: wardline::Patient) -> Self {
        Self {
            identifiers: patient.identifiers.into_iter().map(Into::into).collect(),
            name: patient.name,
            encounter: patient.encounter,
        }
    }
}

impl From<PatientIdentifier> for wardline::PatientIdentifier {
    fn from(id: PatientIdentifier) -> Self {
        Self {
            system: id.system,
            value: id.value,
        }
    }
}

impl From<wardline::PatientIdentifier> for PatientIdentifier {
    fn from(id: wardline::PatientIdentifier) -> Self {
        Self {
            system: id.system,
            value: id.value,
        }
    }
}

macro_rules! silent {
    ($($name:ident),+) => {$(
        /// Shows nothing of what was written, or about whom.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

silent!(Draft, Patient, PatientIdentifier);
