//! Who is given a message when nobody accepts it in time, and how that stands.

use std::time::Duration;

use wardline_org::Timestamp;

use crate::{error::WardlineError, ids::parse};

/// Who is given a message next, and when.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EscalationTier {
    /// So many milliseconds after the tier before it, the first one after the message was sent.
    pub after_ms: u64,
    /// These people, on all devices they have when the message is sealed.
    #[uniffi(default = [])]
    pub people: Vec<String>,
    /// Whoever holds these roles when the tier's time has come.
    #[uniffi(default = [])]
    pub roles: Vec<String>,
}

/// How the escalation of a message stands, as far as this device knows: its author's own device is told everything,
/// others know what the author has signed and what they were given.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EscalationStatus {
    /// Whether the relay has it. On others' devices: what its author has signed.
    pub armed: Armed,
    /// The tiers, in the order of their release.
    pub tiers: Vec<TierStatus>,
    /// By which tier, from 0, this device was given the message; nothing: it is among those it was sent to first.
    pub given_here: Option<u32>,
    /// Set when no further tier will be released.
    pub stopped: Option<EscalationStopped>,
}

/// Whether a message's escalation is at the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Armed {
    /// Not yet: message or escalation wait on this device.
    Waiting,
    /// The relay has both, and needs nobody's phone.
    Yes,
    /// The relay has both; a tier for which nobody has a device that can be sealed for is left out.
    Partly,
    /// It is not: nobody else will be given the message.
    No,
}

/// How one tier stands. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TierStatus {
    /// The people it names.
    pub people: Vec<String>,
    /// The roles it names.
    pub roles: Vec<String>,
    /// When it is due if nobody answers and nobody declines; counted from when the relay took the message, on others'
    /// devices from when it was written. After a release this counts from there.
    pub due_at_ms: i64,
    /// When it was released, by the relay's clock.
    pub released_at_ms: Option<i64>,
    /// It came before its time because somebody declined.
    pub advanced: bool,
    /// It came before its time, and no decline is known to this device: the relay may be lying.
    pub early: bool,
    /// Whose devices it was given to.
    pub given_to: Vec<String>,
}

/// Who has stopped an escalation, as the relay says.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EscalationStopped {
    /// The person, if this device knows whose device it was.
    pub user: Option<String>,
    /// The device.
    pub device: String,
    /// When, by the relay's clock, in milliseconds since 1970.
    pub at_ms: i64,
}

impl TryFrom<EscalationTier> for wardline::EscalationTier {
    type Error = WardlineError;

    fn try_from(tier: EscalationTier) -> Result<Self, WardlineError> {
        let mut core = Self::after(Duration::from_millis(tier.after_ms));
        for person in &tier.people {
            core = core.person(parse("people", person)?);
        }
        for role in &tier.roles {
            core = core.role(parse("roles", role)?);
        }
        Ok(core)
    }
}

impl From<wardline::EscalationStatus> for EscalationStatus {
    fn from(status: wardline::EscalationStatus) -> Self {
        use wardline::Armed as Core;
        Self {
            armed: match status.armed {
                Core::Waiting => Armed::Waiting,
                Core::Yes => Armed::Yes,
                Core::Partly => Armed::Partly,
                Core::No => Armed::No,
            },
            tiers: status.tiers.into_iter().map(TierStatus::from).collect(),
            given_here: status.given_here,
            stopped: status.stopped.map(|stopped| EscalationStopped {
                user: stopped.user.map(|user| user.to_string()),
                device: stopped.device.to_string(),
                at_ms: stopped.at.as_millis(),
            }),
        }
    }
}

impl From<wardline::TierStatus> for TierStatus {
    fn from(tier: wardline::TierStatus) -> Self {
        Self {
            people: tier.people.iter().map(ToString::to_string).collect(),
            roles: tier.roles.iter().map(ToString::to_string).collect(),
            due_at_ms: tier.due_at.as_millis(),
            released_at_ms: tier.released_at.map(Timestamp::as_millis),
            advanced: tier.advanced,
            early: tier.early,
            given_to: tier.given_to.iter().map(ToString::to_string).collect(),
        }
    }
}
