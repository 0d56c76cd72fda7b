//! What the relay keeps, behind one trait.
//!
//! [`Storage`] is the whole of the relay's durable state: mailboxes, prekeys, the directory and its log,
//! held envelopes, push registrations, who can be reached, pending enrollments, used tickets and calls. Every method is one transaction: when it answers, all of
//! it is on disk; when it fails, none of it is. [`SqliteStorage`](crate::SqliteStorage) is the embedded
//! implementation; the suite in `conformance` (a feature) is what any other one has to pass.
//!
//! Not its concern: who may ask. Signatures, quotas, the directory's proofs and the clock are checked by
//! the [`Relay`](crate::Relay), which hands in values that are valid already.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod held;
pub(crate) mod sqlite;
mod types;

use std::fmt;

use async_trait::async_trait;
use wardline_org::{DeviceId, EnvelopeId, OrgId, Timestamp, push::PushRegistration};
use wardline_proto::Bytes;

pub use self::{held::*, types::*};

/// The relay's durable state. All ids are scoped by the organization ([`OrgKey`]).
#[async_trait]
pub trait Storage: Send + Sync + fmt::Debug + 'static {
    /// The key of an organization, made on first use.
    async fn organization(&self, org: &OrgId) -> Result<OrgKey, StorageError>;

    /// Everything the relay holds in memory about an organization.
    async fn directory(&self, org: OrgKey) -> Result<StoredDirectory, StorageError>;

    /// Keeps root documents (version and text); a version that is there already stays as it is.
    async fn add_roots(&self, org: OrgKey, roots: Vec<(u64, String)>) -> Result<(), StorageError>;

    /// Puts a head and everything that came with it in place, if `expected_version` is still the newest
    /// version. Answers whether it was.
    ///
    /// The devices in [`Publication::revoked`] lose their mailbox, keys and push registration, what they said of their
    /// person's availability is forgotten, and the enrollments in
    /// [`Publication::settled`] end.
    async fn publish(&self, org: OrgKey, publication: Publication) -> Result<bool, StorageError>;

    /// Uses a ticket and queues the enrollment for the authority. A later enrollment of the same device
    /// takes the place of its earlier one, under a new sequence.
    async fn enroll(
        &self,
        org: OrgKey,
        enrollment: NewEnrollment,
    ) -> Result<EnrollOutcome, StorageError>;

    /// Pending enrollments with a sequence above `after`, in order, at most `max`.
    async fn enrollments(
        &self,
        org: OrgKey,
        after: u64,
        max: u32,
    ) -> Result<Vec<PendingEnrollment>, StorageError>;

    /// Keeps an order to a device to erase itself, once, and takes its mailbox and keys away.
    async fn order_wipe(&self, org: OrgKey, wipe: NewWipe) -> Result<(), StorageError>;

    /// Keeps the receipt of an order, unless it has one or there is no such order of this device. How to
    /// wake the device is forgotten with it.
    async fn confirm_wipe(
        &self,
        org: OrgKey,
        confirmation: WipeConfirmation,
    ) -> Result<(), StorageError>;

    /// Wipe orders with a sequence above `after`, in the order in which they were given, at most `max`.
    async fn wipes(
        &self,
        org: OrgKey,
        after: u64,
        max: u32,
    ) -> Result<Vec<StoredWipe>, StorageError>;

    /// Adds prekeys of a device. A key that was handed out before is never taken again, a key that waits
    /// already is kept once.
    async fn upload_keys(
        &self,
        org: OrgKey,
        device: DeviceId,
        upload: KeyUpload,
    ) -> Result<UploadOutcome, StorageError>;

    /// Hands out one key per target, oldest first; each one-time key at most once, ever. A target whose
    /// one-time keys are used up, or from which this claimer had its share, is answered with its fallback
    /// key, and left out when it has none.
    async fn claim_keys(
        &self,
        org: OrgKey,
        claim: KeyClaim,
    ) -> Result<Vec<ClaimedPrekey>, StorageError>;

    /// The hold keys of these devices; those without one are left out. None is used up.
    async fn hold_keys(
        &self,
        org: OrgKey,
        devices: Vec<DeviceId>,
    ) -> Result<Vec<(DeviceId, StoredKey)>, StorageError>;

    /// Puts every submission into every mailbox and keeps its deposit, or, on a conflict, none of anything.
    ///
    /// A submission the sender made before (same envelope id, same digest) changes nothing and has its
    /// first outcome again, whatever became of the mailboxes meanwhile.
    async fn send(&self, org: OrgKey, batch: SendBatch) -> Result<SendAnswer, StorageError>;

    /// Tiers that are due at `now`, the longest due first, at most `max`.
    async fn held_due(
        &self,
        org: OrgKey,
        now: Timestamp,
        max: u32,
    ) -> Result<Vec<HeldTier>, StorageError>;

    /// When the next tier is due.
    async fn next_due(&self, org: OrgKey) -> Result<Option<Timestamp>, StorageError>;

    /// Releases tiers, each once: puts its envelopes into mailboxes, tells whom it is to tell and the sender, and counts
    /// the time of the next tier from now. `None` for a tier that is not the next one of its deposit (any more).
    async fn release(
        &self,
        org: OrgKey,
        batch: ReleaseBatch,
    ) -> Result<Vec<Option<Released>>, StorageError>;

    /// What is known of a deposit.
    async fn deposit(
        &self,
        org: OrgKey,
        held: HeldRef,
    ) -> Result<Option<StoredDeposit>, StorageError>;

    /// Takes an answer, and stops or advances with it what is held; both or nothing. One that was taken before
    /// has its first outcome again. An answer that comes too late is taken, and does nothing else.
    async fn answer_held(
        &self,
        org: OrgKey,
        answer: HeldAnswer,
    ) -> Result<HeldOutcome, StorageError>;

    /// What waits in a mailbox, in order of arrival. What it answers counts as handed out from then on.
    async fn receive(&self, org: OrgKey, query: ReceiveQuery) -> Result<MailboxPage, StorageError>;

    /// Deletes what was handed out up to a sequence. In another epoch, or beyond what was handed out,
    /// nothing is deleted.
    async fn acknowledge(&self, org: OrgKey, receipt: Acknowledgement) -> Result<(), StorageError>;

    /// Takes a sender's envelope out of every mailbox that has not handed it out. Answers the devices it
    /// was taken from, by this call or an earlier one.
    async fn withdraw(
        &self,
        org: OrgKey,
        sender: DeviceId,
        envelope: EnvelopeId,
    ) -> Result<Vec<DeviceId>, StorageError>;

    /// Raises a device's ratchet counter to `counter` and answers the highest one ever shown.
    async fn checkpoint(
        &self,
        org: OrgKey,
        device: DeviceId,
        counter: u64,
    ) -> Result<u64, StorageError>;

    /// Keeps how a device is to be woken, in the place of what it said before; `None` forgets it.
    async fn register_push(
        &self,
        org: OrgKey,
        device: DeviceId,
        registration: Option<PushRegistration>,
    ) -> Result<(), StorageError>;

    /// How a device is to be woken and how much waits for it; `None` when it did not register.
    async fn push_target(
        &self,
        org: OrgKey,
        device: DeviceId,
    ) -> Result<Option<PushTarget>, StorageError>;

    /// Forgets a registration that the push service knows no more, unless the device has made another
    /// one meanwhile. Answers whether it was there.
    async fn forget_push(
        &self,
        org: OrgKey,
        device: DeviceId,
        gone: PushRegistration,
    ) -> Result<bool, StorageError>;

    /// Keeps what a person says of whether they can be reached, in the place of what they said before.
    async fn set_availability(
        &self,
        org: OrgKey,
        availability: NewAvailability,
    ) -> Result<(), StorageError>;

    /// The statement of everybody who made one that could still matter.
    async fn availabilities(&self, org: OrgKey) -> Result<Vec<Bytes>, StorageError>;

    /// Notes that a device called; an earlier time than a noted one changes nothing.
    async fn saw(&self, org: OrgKey, device: DeviceId, at: Timestamp) -> Result<(), StorageError>;

    /// When each device that ever called did so last.
    async fn last_seen(&self, org: OrgKey) -> Result<Vec<(DeviceId, Timestamp)>, StorageError>;

    /// Remembers a call, so that it is carried out once. Answers whether it was new.
    async fn remember_call(&self, org: OrgKey, call: CallMark) -> Result<bool, StorageError>;

    /// The calls that are still remembered.
    async fn remembered_calls(&self, org: OrgKey) -> Result<Vec<CallMark>, StorageError>;

    /// Deletes what is too old, of all organizations, a bounded amount at a time. The caller asks again
    /// while [`Expired::more`] says so.
    async fn expire(&self, cutoffs: Cutoffs) -> Result<Expired, StorageError>;

    /// Makes every mailbox of every organization start a new epoch. Called once after a backup was put
    /// back: its sequences would otherwise be given to other envelopes a second time.
    async fn renew_epochs(&self) -> Result<(), StorageError>;

    /// How much is stored, of all organizations.
    async fn usage(&self) -> Result<Usage, StorageError>;

    /// Whether reading and writing work now.
    async fn probe(&self) -> Result<(), StorageError>;

    /// Finishes what was begun and closes. Every later call fails with [`StorageError::Closed`].
    async fn close(&self) -> Result<(), StorageError>;
}

/// Why the storage could not do what was asked. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// No space is left for it.
    #[error("the storage is full: free some space")]
    Full,
    /// It may not be written.
    #[error("the storage cannot be written: check the permissions of its folder")]
    ReadOnly,
    /// Somebody else is using it.
    #[error("the storage is busy: try again")]
    Busy,
    /// It was closed.
    #[error("the storage is closed: open it again")]
    Closed,
    /// It was written by a newer version.
    #[error("the storage has schema {found}, this build knows {known}: start a newer build")]
    Newer {
        /// The version of the data.
        found: i64,
        /// The newest version this build knows.
        known: i64,
    },
    /// A row does not have the shape it was written in.
    #[error("the storage is damaged in `{0}`: put a backup back")]
    Damaged(&'static str),
    /// The database refused.
    #[error("the database failed: {0}")]
    Database(wardline_sqlite::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: restart it")]
    Random,
}
