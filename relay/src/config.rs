//! What an operator decides: the relay's name, whom it serves, and how much it takes.

use std::{num::NonZeroU32, time::Duration};

use wardline_org::{RelayId, call::Window, root::SignedRoot};

use crate::{push::PushOptions, storage::MailboxLimits};

/// How a [`Relay`](crate::Relay) behaves.
///
/// ```
/// use std::time::Duration;
/// use wardline_relay::Config;
///
/// let mut config = Config::new("relay.mercy.example".parse()?);
/// config.limits.content_bytes = 256 * 1024;
/// config.retention = Duration::from_secs(14 * 24 * 60 * 60);
/// # Ok::<(), wardline_org::id::IdError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The name that callers sign into every call. A call for another relay is refused.
    pub name: RelayId,
    /// The organizations that are served, each by a root document that its operator trusts. Newer ones
    /// of the same organization follow from what its authority publishes.
    pub roots: Vec<SignedRoot>,
    /// How large things may be.
    pub limits: Limits,
    /// How much may be asked in a time.
    pub quotas: Quotas,
    /// How long a message waits for a device before it is deleted. Default: 30 days.
    pub retention: Duration,
    /// How long an enrollment waits for its authority. Default: 7 days.
    pub enrollment_retention: Duration,
    /// Who is posted wake-ups for devices that sleep. Default: nobody; registrations are kept all the same.
    pub push: Option<PushOptions>,
    /// How far a call's time may be from the relay's. Default: 5 minutes each way.
    pub window: Window,
}

impl Config {
    /// A relay of this name with every default, which serves nobody yet.
    pub fn new(name: RelayId) -> Self {
        Self {
            name,
            roots: Vec::new(),
            limits: Limits::default(),
            quotas: Quotas::default(),
            retention: 30 * DAY,
            enrollment_retention: 7 * DAY,
            push: None,
            window: Window::default(),
        }
    }

    /// Serves one more organization.
    #[must_use]
    pub fn serving(mut self, root: SignedRoot) -> Self {
        self.roots.push(root);
        self
    }
}

/// How large things may be. What is larger is refused with `WL-RELAY-TOO-LARGE` and the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One call, in bytes. Default: 8 MiB.
    pub body_bytes: usize,
    /// One `PublishHead`, in bytes: the first one carries every entry. Default: 64 MiB.
    pub publish_bytes: usize,
    /// The content of one submission, in bytes. Default: 1 MiB.
    pub content_bytes: usize,
    /// One sealed key, in bytes. Default: 64 KiB, since small control messages ride in it.
    pub sealed_key_bytes: usize,
    /// Recipients of one submission. Default: 10,000.
    pub recipients: usize,
    /// Submissions of one `Send`. Default: 1,000.
    pub submissions: usize,
    /// Tiers of one deposit. Default: 8.
    pub tiers: usize,
    /// Devices that one tier is sealed for, and people and roles that it names. Default: 1,000.
    pub tier_devices: usize,
    /// How long after its submission the last tier of a deposit may be due. Default: 7 days, for which devices keep
    /// what opens it.
    pub hold: Duration,
    /// Deposits of one device that wait. What is above is refused with `WL-RELAY-QUOTA`. Default: 1,000.
    pub deposits: u32,
    /// Devices of one `ClaimKeys`. Default: 10,000.
    pub claims: usize,
    /// Entries of one `Entries`. Default: 1,000.
    pub entries: usize,
    /// People of one `Reachability`. Default: 1,000.
    pub people: usize,
    /// One-time keys that may wait for one device. Default: 500.
    pub one_time_keys: u32,
    /// How much one mailbox holds. What does not fit is refused for that device alone, as
    /// `MAILBOX_FULL`. Default: 10,000 envelopes, 256 MiB, a tenth of it for one sender.
    pub mailbox: MailboxLimits,
    /// Envelopes in one answer of `Receive`. Default: 1,000.
    pub page_envelopes: u32,
    /// Bytes of envelopes in one answer of `Receive`; a larger envelope comes alone. Default: 4 MiB.
    pub page_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 * MIB,
            publish_bytes: 64 * MIB,
            content_bytes: MIB,
            sealed_key_bytes: MIB / 16,
            recipients: 10_000,
            submissions: 1_000,
            tiers: 8,
            tier_devices: 1_000,
            hold: 7 * DAY,
            deposits: 1_000,
            claims: 10_000,
            entries: 1_000,
            people: 1_000,
            one_time_keys: 500,
            mailbox: MailboxLimits {
                envelopes: 10_000,
                bytes: 256 * MIB as u64,
                sender_percent: 10,
            },
            page_envelopes: 1_000,
            page_bytes: 4 * MIB as u64,
        }
    }
}

/// How much may be asked in a time, in *units*: a call costs one, or one for each submission and each held tier it carries,
/// one more for every 64 KiB of its body, and one more for every 50 devices or people it names. What is above is refused with `WL-RELAY-QUOTA` and the
/// time after which it would be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Each device. Default: 50 a second, 2,000 at once.
    pub device: Rate,
    /// Each organization, all its devices and its authority together. Default: 5,000 a second, 50,000 at
    /// once.
    pub organization: Rate,
    /// Enrollments of each organization, which nobody has authenticated yet, and, counted by themselves,
    /// receipts of wiped devices. Default: 10 a second, 200 at once.
    pub enrollments: Rate,
    /// One-time keys of one device that one other device is given in a day; above it is given the
    /// fallback key. Default: 10.
    pub claims_per_day: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            device: Rate::new(50, 2_000),
            organization: Rate::new(5_000, 50_000),
            enrollments: Rate::new(10, 200),
            claims_per_day: 10,
        }
    }
}

/// A steady rate and what may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Units a second.
    pub per_second: NonZeroU32,
    /// Units at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// Units a second, and at once; at least one each.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN),
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
        }
    }
}

const MIB: usize = 1024 * 1024;
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
