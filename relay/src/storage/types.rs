//! The values that go into and come out of a [`Storage`](super::Storage).

use wardline_org::{DeviceId, EnvelopeId, Hash, Timestamp, UserId, push::PushRegistration};
use wardline_proto::{Bytes, v1};

use super::NewDeposit;

/// An organization, as one storage numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgKey(i64);

impl OrgKey {
    /// For implementations of a storage: the row that [`Storage::organization`] found or made.
    ///
    /// [`Storage::organization`]: super::Storage::organization
    pub const fn from_row(row: i64) -> Self {
        Self(row)
    }

    /// The row.
    pub const fn row(self) -> i64 {
        self.0
    }
}

/// What an organization's directory looked like when it was last published.
#[derive(Debug, Clone, Default)]
pub struct StoredDirectory {
    /// Root documents, by ascending version.
    pub roots: Vec<String>,
    /// Every head, by ascending version.
    pub heads: Vec<String>,
    /// The policy in force.
    pub policy: Option<String>,
    /// Encoded entries, by ascending key.
    pub entries: Vec<Bytes>,
    /// Enrollments that no head has answered yet, by ascending sequence.
    pub enrollments: Vec<PendingEnrollment>,
}

/// A verified head with everything that makes it true.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The version that must still be the newest; 0 when there is no head yet.
    pub expected_version: u64,
    /// The head's own version.
    pub version: u64,
    /// The head's signed note.
    pub head: String,
    /// New and changed entries: key and encoded bytes.
    pub changed: Vec<(String, Bytes)>,
    /// Keys of entries that are no more.
    pub removed: Vec<String>,
    /// The policy, if it changed.
    pub policy: Option<String>,
    /// New root documents with their versions.
    pub roots: Vec<(u64, String)>,
    /// Devices that this head revokes.
    pub revoked: Vec<DeviceId>,
    /// Devices whose pending enrollment this head answers.
    pub settled: Vec<DeviceId>,
}

/// A device that asks to be put into the directory, with the ticket it spends.
#[derive(Debug, Clone)]
pub struct NewEnrollment {
    /// The hash of the ticket's id.
    pub ticket: Hash,
    /// When the ticket ends by itself and need no longer be remembered.
    pub ticket_expires: Timestamp,
    /// The device.
    pub device: DeviceId,
    /// The encoded `EnrollRequest`.
    pub request: Bytes,
    /// When it arrived.
    pub at: Timestamp,
}

/// What became of an enrollment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrollOutcome {
    /// It waits for the authority.
    Queued,
    /// The same request spent this ticket before: nothing changed.
    Repeated,
    /// Another request spent this ticket.
    TicketUsed,
}

/// An enrollment that waits for the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEnrollment {
    /// Ascending, never given twice.
    pub sequence: u64,
    /// The device.
    pub device: DeviceId,
    /// The encoded `EnrollRequest`.
    pub request: Bytes,
    /// When it arrived.
    pub at: Timestamp,
}

/// An order to a device to erase itself.
#[derive(Debug, Clone)]
pub struct NewWipe {
    /// The device.
    pub device: DeviceId,
    /// The hash of the order's text: its name.
    pub order: Hash,
    /// The order's signed note.
    pub note: String,
}

/// What a device said when it obeyed.
#[derive(Debug, Clone)]
pub struct WipeConfirmation {
    /// The device.
    pub device: DeviceId,
    /// The order that it obeyed.
    pub order: Hash,
    /// The encoded `ConfirmWipeRequest`.
    pub receipt: Bytes,
}

/// An order to a device to erase itself, with its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWipe {
    /// Ascending, never given twice.
    pub sequence: u64,
    /// The device.
    pub device: DeviceId,
    /// The hash of the order's text.
    pub order: Hash,
    /// The order's signed note.
    pub note: String,
    /// The encoded `ConfirmWipeRequest`, once the device has obeyed.
    pub receipt: Option<Bytes>,
}

/// A public key with its device's signature.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key.
    pub key: [u8; 32],
    /// The device's signature.
    pub signature: [u8; 64],
    /// When a hold key was made, by its device's clock.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey").finish_non_exhaustive()
    }
}

/// Prekeys that a device leaves for others.
#[derive(Debug, Clone, Default)]
pub struct KeyUpload {
    /// One-time keys, oldest first.
    pub one_time: Vec<StoredKey>,
    /// Takes the place of the earlier fallback key.
    pub fallback: Option<StoredKey>,
    /// Takes the place of the earlier hold key.
    pub hold: Option<StoredKey>,
    /// Forget every one-time key that was not handed out.
    pub replace: bool,
    /// Most one-time keys that may wait.
    pub max_waiting: u32,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadOutcome {
    /// Kept. So many one-time keys wait now.
    Kept(u32),
    /// More keys would wait than may: nothing was kept.
    TooMany,
}

/// A claim of one key for each of several devices.
#[derive(Debug, Clone)]
pub struct KeyClaim {
    /// Who asks.
    pub claimer: DeviceId,
    /// For whom; no device twice.
    pub targets: Vec<DeviceId>,
    /// Most one-time keys of one target that one claimer is given within one window.
    pub share: u32,
    /// The number of the window that the claim falls into (time divided by the window's length).
    pub window: u64,
}

/// A key that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedPrekey {
    /// Whose key it is.
    pub device: DeviceId,
    /// The key.
    pub key: StoredKey,
    /// It is the fallback key, which others may have been given as well.
    pub fallback: bool,
}

/// All submissions of one `Send`.
#[derive(Debug, Clone)]
pub struct SendBatch {
    /// Who sends.
    pub sender: DeviceId,
    /// The sender's ratchet counter.
    pub checkpoint: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// What is sent; no envelope id twice.
    pub submissions: Vec<NewSubmission>,
    /// How much a mailbox holds.
    pub mailbox: MailboxLimits,
    /// Most deposits of one sender that wait.
    pub deposits: u32,
}

/// One content for many devices.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// The sender's name for it.
    pub envelope: EnvelopeId,
    /// The hash of everything that was submitted under this name.
    pub digest: Hash,
    /// The shared content; may be empty.
    pub content: Bytes,
    /// For whom; no device twice.
    pub deliveries: Vec<Delivery>,
    /// Devices that were refused already.
    pub refused: Vec<Refused>,
    /// What is given to others later.
    pub deposit: Option<NewDeposit>,
}

/// What one device needs to open the content.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The device.
    pub device: DeviceId,
    /// The cipher suite, as on the wire.
    pub suite: v1::Suite,
    /// Olm's own message type.
    pub olm_type: u32,
    /// The sealed key.
    pub ciphertext: Bytes,
}

/// How much a mailbox holds before it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxLimits {
    /// Most envelopes.
    pub envelopes: u64,
    /// Most bytes, counted as if no content were shared.
    pub bytes: u64,
    /// How many hundredths of either one sender may fill, at least one envelope.
    pub sender_percent: u8,
}

impl MailboxLimits {
    /// The most envelopes of one sender.
    pub fn sender_envelopes(&self) -> u64 {
        self.share(self.envelopes).max(1)
    }

    /// The most bytes of one sender. An envelope that comes alone may be larger.
    pub fn sender_bytes(&self) -> u64 {
        self.share(self.bytes)
    }

    fn share(&self, whole: u64) -> u64 {
        let percent = u128::from(self.sender_percent.min(100));
        u64::try_from(u128::from(whole) * percent / 100).unwrap_or(whole)
    }
}

/// A device that does not get an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The device.
    pub device: DeviceId,
    /// Why.
    pub reason: v1::RefusalReason,
}

/// What became of a `Send`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// In the order of the submissions.
    Accepted(Vec<SendOutcome>),
    /// The sender used this envelope id, or the id of this one's deposit, for other bytes: nothing was stored.
    Conflict(EnvelopeId),
    /// More deposits of the sender would wait than may: nothing was stored.
    TooManyDeposits,
}

/// What became of one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOutcome {
    /// The sender's name for it.
    pub envelope: EnvelopeId,
    /// Who does not get it.
    pub refused: Vec<Refused>,
    /// When it was first accepted.
    pub accepted_at: Timestamp,
    /// It was accepted by this call, not by an earlier one.
    pub fresh: bool,
}

/// Names one life of a mailbox; sequences count from 1 in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(pub [u8; 16]);

/// A question for one mailbox.
#[derive(Debug, Clone)]
pub struct ReceiveQuery {
    /// Whose mailbox.
    pub device: DeviceId,
    /// Only what came after this sequence, if `epoch` is the mailbox's.
    pub after: u64,
    /// The epoch that `after` counts in.
    pub epoch: Option<Epoch>,
    /// Most envelopes in the answer.
    pub max: u32,
    /// Most bytes in the answer; one envelope is always answered.
    pub max_bytes: u64,
    /// Leave out what was accepted before this time.
    pub not_before: Timestamp,
}

/// What waits in a mailbox.
#[derive(Debug, Clone)]
pub struct MailboxPage {
    /// The epoch that the sequences count in.
    pub epoch: Epoch,
    /// In order of their sequence.
    pub envelopes: Vec<StoredEnvelope>,
    /// More waits than is answered.
    pub more: bool,
    /// One-time keys of this device that were not handed out.
    pub one_time_keys: u32,
}

/// An envelope in a mailbox.
#[derive(Debug, Clone)]
pub struct StoredEnvelope {
    /// Its place in the mailbox.
    pub sequence: u64,
    /// The sender's name for it.
    pub envelope: EnvelopeId,
    /// Who sent it.
    pub sender: DeviceId,
    /// When.
    pub accepted_at: Timestamp,
    /// The sealed key and how it is sealed; nothing in a notice.
    pub delivery: Delivery,
    /// The shared content; may be empty.
    pub content: Bytes,
    /// The relay's own word of a deposit of the sender.
    pub notice: Option<v1::envelope::Notice>,
}

/// A device has these envelopes on its own disk.
#[derive(Debug, Clone)]
pub struct Acknowledgement {
    /// Whose mailbox.
    pub device: DeviceId,
    /// Up to and including this sequence.
    pub up_to: u64,
    /// The epoch that `up_to` counts in.
    pub epoch: Epoch,
    /// The device's ratchet counter.
    pub checkpoint: u64,
}

/// A device that can be woken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTarget {
    /// How.
    pub registration: PushRegistration,
    /// Envelopes in its mailbox that it has not acknowledged.
    pub waiting: u64,
    /// It is to erase itself, and there is no receipt yet.
    pub wiping: bool,
}

/// What a person says of whether they can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAvailability {
    /// The person.
    pub user: UserId,
    /// The device that signed it.
    pub device: DeviceId,
    /// From then on it need not be kept.
    pub ends_at: Timestamp,
    /// The encoded statement with its signature.
    pub statement: Bytes,
}

/// A call that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallMark {
    /// The hash of its caller and nonce.
    pub digest: Hash,
    /// After this time it would be refused for its age.
    pub until: Timestamp,
}

/// What is too old.
#[derive(Debug, Clone, Copy)]
pub struct Cutoffs {
    /// Now: remembered calls and tickets that ended before are forgotten.
    pub now: Timestamp,
    /// Submissions accepted before this time are deleted from every mailbox, and deposits that ended before it.
    pub submissions: Timestamp,
    /// Enrollments that wait since before this time are dropped.
    pub enrollments: Timestamp,
    /// Claims in windows below this number are forgotten.
    pub window: u64,
    /// Most rows of one kind to delete at once.
    pub max: u32,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Envelopes that nobody fetched in time.
    pub envelopes: u64,
    /// There is more to delete.
    pub more: bool,
}

/// How much is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Envelopes in all mailboxes.
    pub envelopes: u64,
    /// Contents that somebody waits for; a content shared by many counts once.
    pub contents: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Enrollments that wait for an authority.
    pub enrollments: u64,
    /// Deposits that wait.
    pub deposits: u64,
}
