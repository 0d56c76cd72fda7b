//! The values of what is held: given to others later, unless somebody answers first.

use std::time::Duration;

use wardline_org::{DeviceId, EnvelopeId, Hash, RoleId, Timestamp, UserId};
use wardline_proto::{Bytes, v1::WakeClass};

use super::{Delivery, MailboxLimits, SendBatch, SendOutcome};

/// Names a deposit among those of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DepositId(pub [u8; 16]);

/// A deposit, with whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeldRef {
    /// The device that left it.
    pub sender: DeviceId,
    /// Its name for it.
    pub deposit: DepositId,
}

/// What is given to others later, tier after tier.
#[derive(Debug, Clone)]
pub struct NewDeposit {
    /// The sender's name for it.
    pub deposit: DepositId,
    /// The hash of the secret that stops it.
    pub stop_hash: Hash,
    /// The content of every tier; may be empty.
    pub content: Bytes,
    /// In the order of their release, at least one.
    pub tiers: Vec<NewTier>,
}

/// One tier of a deposit.
#[derive(Debug, Clone)]
pub struct NewTier {
    /// Names the envelope that is released.
    pub envelope: EnvelopeId,
    /// How long after the tier before it, or after the submission.
    pub wait: Duration,
    /// Not before this time either.
    pub not_before: Timestamp,
    /// The people it is for.
    pub users: Vec<UserId>,
    /// The roles it is for.
    pub roles: Vec<RoleId>,
    /// One for each device that may be given it; no device twice.
    pub keys: Vec<Delivery>,
    /// How a device is woken for it.
    pub wake: WakeClass,
}

/// The next tier of a deposit that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTier {
    /// Of which deposit.
    pub held: HeldRef,
    /// Its number; the first is 0.
    pub tier: u32,
    /// When it is due.
    pub due_at: Timestamp,
    /// The people it is for.
    pub users: Vec<UserId>,
    /// The roles it is for.
    pub roles: Vec<RoleId>,
    /// The devices that it is sealed for.
    pub devices: Vec<DeviceId>,
    /// How a device is woken for it.
    pub wake: WakeClass,
}

/// Who is given a tier, as the directory says at that moment.
#[derive(Debug, Clone)]
pub struct Release {
    /// Of which deposit.
    pub held: HeldRef,
    /// The tier; it is released only while it is the next one.
    pub tier: u32,
    /// The devices, of those that it is sealed for.
    pub give: Vec<DeviceId>,
    /// Devices that are told that a role's tier is due.
    pub tell: Vec<(DeviceId, RoleId)>,
    /// Roles that nobody holds who was sealed for.
    pub due_roles: Vec<RoleId>,
}

/// Releases of one moment.
#[derive(Debug, Clone)]
pub struct ReleaseBatch {
    /// When.
    pub at: Timestamp,
    /// How much a mailbox holds.
    pub mailbox: MailboxLimits,
    /// What is released; no deposit twice.
    pub releases: Vec<Release>,
}

/// What came of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Devices that have it in their mailbox.
    pub given: Vec<DeviceId>,
    /// Devices whose mailbox was full.
    pub full: Vec<DeviceId>,
    /// When it was due.
    pub due_at: Timestamp,
    /// When the tier after it is due; `None` when there is none.
    pub next_due: Option<Timestamp>,
}

/// What is known of a deposit.
#[derive(Debug, Clone)]
pub struct StoredDeposit {
    /// The hash of the secret that stops it.
    pub stop_hash: Hash,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The devices of the message that it came with.
    pub recipients: Vec<DeviceId>,
    /// The devices of all tiers that have been released.
    pub reached: Vec<DeviceId>,
    /// The devices of the other tiers.
    pub held_for: Vec<DeviceId>,
    /// The roles of all tiers.
    pub roles: Vec<RoleId>,
    /// The tier that waits; `None` when it was stopped, or all are released.
    pub next: Option<HeldTier>,
}

/// Somebody answers, and thereby stops or advances what is held.
#[derive(Debug, Clone)]
pub struct HeldAnswer {
    /// Which deposit.
    pub held: HeldRef,
    /// One submission: the answer. Its sender is who stops or advances.
    pub answer: SendBatch,
    /// A device that must have room for the answer: otherwise nothing is done.
    pub reaches: Option<DeviceId>,
    /// What is done.
    pub act: HeldAct,
}

/// What an answer does to a deposit.
#[derive(Debug, Clone)]
pub enum HeldAct {
    /// No further tier is released.
    Stop,
    /// This tier is released at once, if it is the next one. Without a release it is not.
    Advance(u32, Option<Release>),
}

/// What came of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldOutcome {
    /// The answer is taken.
    Taken {
        /// What became of it.
        outcome: SendOutcome,
        /// It has stopped or advanced the deposit, in this call or an earlier one.
        done: bool,
        /// What this call released.
        released: Option<Released>,
    },
    /// Its envelope id has been used for other bytes: nothing was changed.
    Conflict(EnvelopeId),
    /// The mailbox that it must reach is full: nothing was changed.
    Full,
}
