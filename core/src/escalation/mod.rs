//! Escalation: who is given a message when nobody accepts it in time.
//!
//! The author names tiers of people and roles; what they would be given lies sealed at the relay from the moment the
//! message is sent, so that it needs nobody's phone. Here are the words for that, and [`rows`], what this device
//! knows of it. Tiers are counted from 0.
//!
//! Not its concern: sealing it (`engine::holding`), and what comes of it (`engine::escalating`).

pub(crate) mod rows;

use std::time::Duration;

use wardline_org::{DeviceId, RoleId, Timestamp, UserId};
use wardline_proto::v1;

use crate::{error::SendError, message::Draft};

/// Who is given a message next, and when: see [`Draft::escalate`](crate::Draft::escalate).
///
/// ```
/// use std::time::Duration;
/// use wardline::EscalationTier;
///
/// let tier = EscalationTier::after(Duration::from_secs(300))
///     .person("DR-2".parse()?)
///     .role("cardiology-on-call".parse()?);
/// # let _ = tier;
/// # Ok::<(), wardline_org::id::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationTier {
    pub(crate) after: Duration,
    pub(crate) people: Vec<UserId>,
    pub(crate) roles: Vec<RoleId>,
}

impl EscalationTier {
    /// A tier that comes so long after the one before it, the first one after the message was sent.
    pub fn after(wait: Duration) -> Self {
        Self {
            after: wait,
            people: Vec::new(),
            roles: Vec::new(),
        }
    }

    /// Adds a person, on all devices they have when the message is sealed.
    #[must_use]
    pub fn person(mut self, person: UserId) -> Self {
        if !self.people.contains(&person) {
            self.people.push(person);
        }
        self
    }

    /// Adds a role: whoever holds it when the tier's time has come.
    #[must_use]
    pub fn role(mut self, role: RoleId) -> Self {
        if !self.roles.contains(&role) {
            self.roles.push(role);
        }
        self
    }
}

impl Draft {
    /// Adds a tier (at most 8): who is given the message when nobody has accepted it in time. It needs no phone
    /// for that: the relay holds what they are given, sealed, from when it has the message. A decline brings the
    /// next tier at once, an acceptance stops all later ones. Asks for an answer by the first tier's time, unless
    /// the draft says otherwise.
    ///
    /// ```
    /// # use wardline::{Draft, Priority, Recipient};
    /// use std::time::Duration;
    /// use wardline::EscalationTier;
    ///
    /// let draft = Draft::new(Recipient::Person("DR-1".parse()?), "K 6.6 mmol/L")
    ///     .escalate(EscalationTier::after(Duration::from_secs(300)).person("DR-2".parse()?))
    ///     .escalate(EscalationTier::after(Duration::from_secs(600)).role("nephrology".parse()?));
    /// # let _ = draft;
    /// # Ok::<(), wardline_org::id::IdError>(())
    /// ```
    #[must_use]
    pub fn escalate(mut self, tier: EscalationTier) -> Self {
        self.escalation.push(tier);
        self
    }

    /// Sends it at a time, at most 7 days from now, instead of at once: the relay holds it until then, sealed for whoever
    /// it is for, and this phone may be off. Taking it back before is cancelling it. A time that has come sends it at
    /// once; so does this device when the time comes and the relay could not take it before. Its times count from then,
    /// also those of [`Draft::escalate`] and [`Draft::answer_within`].
    ///
    /// ```
    /// # fn round_at() -> wardline_org::Timestamp { wardline_org::Timestamp::from_millis(0) }
    /// use wardline::{Draft, Recipient};
    ///
    /// let draft = Draft::new(Recipient::Team("careteam-17".parse()?), "Bed 4: repeat potassium")
    ///     .send_at(round_at());
    /// # let _ = draft;
    /// # Ok::<(), wardline_org::id::IdError>(())
    /// ```
    #[must_use]
    pub fn send_at(mut self, at: Timestamp) -> Self {
        self.send_at = Some(at);
        self
    }
}

/// How the escalation of a message stands, as far as this device knows: its author's own device is told everything,
/// others know what the author has signed and what they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationStatus {
    /// Whether the relay has it. On others' devices: what its author has signed.
    pub armed: Armed,
    /// The tiers, in the order of their release.
    pub tiers: Vec<TierStatus>,
    /// By which tier this device was given the message; `None`: it is among those it was sent to first.
    pub given_here: Option<u32>,
    /// When the message was to be sent, if its author has said so: the first tier is those it is for, and its release
    /// is the sending.
    pub scheduled_for: Option<Timestamp>,
    /// Set when no further tier will be released.
    pub stopped: Option<Stopped>,
}

/// Whether a message's escalation is at the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// How one tier stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierStatus {
    /// The people it names.
    pub people: Vec<UserId>,
    /// The roles it names.
    pub roles: Vec<RoleId>,
    /// When it is due if nobody answers and nobody declines; counted from when the relay took the message, on others'
    /// devices from when it was written. After a release this counts from there.
    pub due_at: Timestamp,
    /// When it was released, by the relay's clock.
    pub released_at: Option<Timestamp>,
    /// It came before its time because somebody declined.
    pub advanced: bool,
    /// It came before its time, and no decline is known to this device: the relay may be lying.
    pub early: bool,
    /// Whose devices it was given to.
    pub given_to: Vec<UserId>,
}

/// Who has stopped an escalation, as the relay says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The person, if this device knows whose device it was.
    pub user: Option<UserId>,
    /// The device.
    pub device: DeviceId,
    /// When, by the relay's clock.
    pub at: Timestamp,
}

/// Whether tiers can be held at all, counted from so long from now; one that is sent later needs one tier more.
pub(crate) fn check(
    tiers: &[EscalationTier],
    scheduled_in: Option<Duration>,
    us: &UserId,
) -> Result<(), SendError> {
    let most = MOST_TIERS.saturating_sub(usize::from(scheduled_in.is_some()));
    if tiers.len() > most {
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        return Err(SendError::TooManyTiers { limit });
    }
    let for_nobody = |tier: &EscalationTier| {
        tier.roles.is_empty() && tier.people.iter().all(|person| person == us)
    };
    if tiers.iter().any(for_nobody) {
        return Err(SendError::EmptyTier);
    }
    let start = scheduled_in.unwrap_or_default();
    let total = tiers
        .iter()
        .fold(start, |total, tier| total.saturating_add(tier.after));
    if total > LONGEST {
        return Err(SendError::HeldTooLong {
            limit: LONGEST.as_secs(),
        });
    }
    Ok(())
}

/// The tiers as a content says them, before they are sealed for anybody.
pub(crate) fn plan(tiers: &[EscalationTier]) -> Option<v1::Escalation> {
    let names = |names: &[RoleId]| names.iter().map(ToString::to_string).collect();
    (!tiers.is_empty()).then(|| v1::Escalation {
        tiers: tiers
            .iter()
            .map(|tier| v1::EscalationTier {
                wait_ms: u64::try_from(tier.after.as_millis()).unwrap_or(u64::MAX),
                user_ids: tier.people.iter().map(ToString::to_string).collect(),
                role_ids: names(&tier.roles),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    })
}

/// The tiers of a message that is sent later: first those it is for, whoever they are when it is sealed.
pub(crate) fn scheduled(at: Timestamp, tiers: &[EscalationTier]) -> v1::Escalation {
    let mut plan = plan(tiers).unwrap_or_default();
    let first = v1::EscalationTier {
        not_before_ms: at.as_millis(),
        ..Default::default()
    };
    plan.tiers.insert(0, first);
    plan.scheduled = true;
    plan
}

/// When a message is to be sent that is not sent at once.
pub(crate) fn scheduled_for(plan: &v1::Escalation) -> Option<Timestamp> {
    let first = plan.tiers.first().filter(|_| plan.scheduled)?;
    Some(Timestamp::from_millis(first.not_before_ms))
}

/// When each tier is due that follows something at `from`, if nothing happens.
pub(crate) fn due(plan: &v1::Escalation, from: Timestamp) -> Vec<Timestamp> {
    let mut at = from;
    plan.tiers
        .iter()
        .map(|tier| {
            let not_before = Timestamp::from_millis(tier.not_before_ms);
            at = (at + Duration::from_millis(tier.wait_ms)).max(not_before);
            at
        })
        .collect()
}

/// What a relay takes.
const MOST_TIERS: usize = 8;
/// From the submission to the last tier.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
