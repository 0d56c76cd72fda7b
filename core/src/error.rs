//! Everything that can go wrong at the API, under one roof.
//!
//! Every error has a stable [`Error::code`], says whether trying again may help
//! ([`Error::retryable`]) and what a person can do ([`Error::recovery`]). The core writes no text for
//! people: hosts render codes and parameters in the reader's language. The `Display` texts are for
//! developers and logs, and never hold a name, a text or a secret.

use wardline_org::{
    availability::AvailabilityError,
    connect::RelayCode,
    transport::{CallError, TransportError},
    trust::{EntriesError, TrustError},
};

use crate::{
    store::{StoreError, search::SearchError},
    vault::{BodyError, KeyStoreError, VaultError},
};

/// Any error of Wardline.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message was refused before anything was kept of it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The store refused.
    #[error(transparent)]
    Store(StoreError),
    /// The keys at rest refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A sealed body did not open.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The search index refused. It is derived: it rebuilds itself.
    #[error("the search index refused; it is rebuilt at the next unlock")]
    Search,
    /// A call to the relay failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The relay showed a directory that is not believed.
    #[error(transparent)]
    Directory(#[from] TrustError),
    /// The relay showed an entry that is not believed.
    #[error(transparent)]
    Entries(#[from] EntriesError),
    /// What a person says of their availability was not taken; nothing was changed.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// A message proves nothing to an outsider.
    #[error(transparent)]
    Proof(#[from] wardline_org::proof::ProofError),
    /// A person's key is needed: unlock first.
    #[error("the client is locked; unlock it first")]
    Locked,
    /// The organization had this device erased: nothing is left of it, here or in any copy of its files. The
    /// folder is free for another device, see [`Client::enroll`](crate::Client::enroll).
    #[error("the organization had this device erased; ask the administrator")]
    Wiped,
    /// The folder holds no enrolled device, or another one.
    #[error("no device is enrolled in this folder; enroll first")]
    NotEnrolled,
    /// There is a device in this folder already.
    #[error("a device is enrolled in this folder already; open it, or choose another folder")]
    AlreadyEnrolled,
    /// There is no such message or conversation here.
    #[error("there is no such message or conversation on this device")]
    Unknown,
    /// The person has no other active device of this id.
    #[error("the person has no other active device of this id; look at the list of devices")]
    NoSuchDevice,
    /// No background loop is possible: there is no async runtime.
    #[error("no async runtime; call this from one, or give the client a handle of one")]
    NoRuntime,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness; try again")]
    NoRandomness,
    /// The device's own request could not be made.
    #[error("the credential of this device is not acceptable: {0}")]
    Credential(#[from] wardline_org::credential::CredentialError),
}

/// Why a message was not taken. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no text.
    #[error("the message is empty; write something")]
    Empty,
    /// The text is longer than policy allows.
    #[error("the text has {length} bytes, the policy allows {limit}; shorten it")]
    TooLong {
        /// Bytes of UTF-8.
        length: u64,
        /// What the policy allows.
        limit: u64,
    },
    /// Text and patient together are larger than any relay takes.
    #[error("text and patient have {length} bytes together, at most {limit} fit; shorten them")]
    TooLarge {
        /// Bytes of UTF-8.
        length: u64,
        /// How many fit.
        limit: u64,
    },
    /// The patient has more identifiers than a message carries.
    #[error("the patient has {length} identifiers, a message carries {limit}; leave some out")]
    TooManyIdentifiers {
        /// How many there are.
        length: u64,
        /// How many a message carries.
        limit: u64,
    },
    /// The directory proves that there is no such person or team, or that they have left.
    #[error("the directory has no such recipient; choose another")]
    NoSuchRecipient,
    /// A message to oneself.
    #[error("a message needs somebody else to go to; choose another recipient")]
    OnlySelf,
    /// A stat message must say by more identifiers which patient it is about.
    #[error(
        "a stat message needs {needed} identifiers of its patient; add them, or lower the priority"
    )]
    PatientNotIdentified {
        /// How many the policy asks for.
        needed: u32,
    },
    /// The policy lets only others send stat messages.
    #[error("the policy does not let this person send stat messages; lower the priority")]
    StatNotAllowed,
    /// Somebody else wrote the message to be taken back or corrected.
    #[error("a message is taken back or corrected by its author only; tell them")]
    NotYours,
    /// The policy's time for taking the message back is over, or it was taken back before.
    #[error("the message can no longer be taken back; correct it with a new one")]
    TooLateToRecall,
    /// The message to answer asks for no answer.
    #[error("the message asks for no answer; write a message instead")]
    NotAsked,
    /// The message to answer was written by this person.
    #[error("a message is answered by somebody else than its author; write a message instead")]
    OwnMessage,
    /// The message to answer came from a device that the directory no longer stands behind.
    #[error("the sender was revoked when the message came, so it is no order; ask somebody else")]
    SenderRevoked,
    /// The idempotency key is longer than 128 bytes.
    #[error("the idempotency key is longer than 128 bytes; use a shorter one")]
    IdempotencyKeyTooLong,
    /// The policy's time for correcting the message is over, or it was taken back.
    #[error("the message can no longer be corrected; write a new one")]
    TooLateToAmend,
    /// A structured message lacks what it is about.
    #[error("the structured message has no {field}; fill it in")]
    Incomplete {
        /// The field.
        field: &'static str,
    },
    /// The type of a vendor's content is not named by the vendor's domain.
    #[error("not a vendor's type; name it like vendor.example.com/form/1")]
    NotAVendorType,
    /// The message is accepted by reading it back only.
    #[error("the message is accepted by reading it back; say what was understood")]
    ReadBackNeeded,
    /// More texts are offered than a message carries.
    #[error("the message offers {length} replies, it carries {limit}; leave some out")]
    TooManyOffers {
        /// How many there are.
        length: u64,
        /// How many a message carries.
        limit: u64,
    },
    /// An offered text is empty, too long, has more than one line or is there twice.
    #[error(
        "offered reply {index} is empty, there twice, or more than a line of {limit} bytes; change it"
    )]
    BadOffer {
        /// Its place, from 0.
        index: u32,
        /// How many bytes of UTF-8 fit.
        limit: u64,
    },
    /// The message offers no such reply, or was taken back.
    #[error("the message offers no such reply, or no more; write a message instead")]
    NotOffered,
    /// Nobody holds the role now, and it has no custodian who would keep the message.
    #[error("nobody holds the role and it has no custodian; choose another recipient")]
    NoHolder,
    /// A stat message to a role needs a custodian, so that it is with somebody when the holder changes.
    #[error(
        "the role has no custodian, so it takes no stat message; write to a person, and tell the administrator"
    )]
    NoCustodian,
    /// The person does not hold the role now and is not its custodian.
    #[error("only whoever holds the role, or its custodian, writes for it; write as yourself")]
    NotYourRole,
    /// The message would be over too soon to be read, or live longer than the policy allows.
    #[error("a message may live from {least} to {most} seconds here; choose another lifetime")]
    Lifetime {
        /// The shortest time, in seconds.
        least: u64,
        /// The longest time, in seconds.
        most: u64,
    },
    /// An escalation has more tiers than a relay holds.
    #[error("an escalation has at most {limit} tiers; leave some out")]
    TooManyTiers {
        /// How many there may be.
        limit: u64,
    },
    /// A tier of an escalation is for nobody else.
    #[error("a tier of the escalation is for nobody else; name a person or a role")]
    EmptyTier,
    /// The last tier of an escalation, or the time to send at, is later than a relay holds anything.
    #[error("nothing is held longer than {limit} seconds; choose an earlier time")]
    HeldTooLong {
        /// How long at most, in seconds from now.
        limit: u64,
    },
    /// The fields of a correction are of another type than the message.
    #[error(
        "the message is of another type than its correction; correct its text, or write a new one"
    )]
    OtherType,
    /// The message cannot be forwarded: it was taken back, is not sealed yet, is of a type that this version does not
    /// know or is itself a forward that nobody proves; or the draft has fields or a patient of its own.
    #[error(
        "the message cannot be forwarded as it is; write what it says in a message of your own"
    )]
    NotForwardable,
    /// The policy lets nobody forward that message to that recipient.
    #[error("the policy does not let this message be forwarded to this recipient; ask its author")]
    ForwardingNotAllowed,
}

/// Why it was not taken what a person says of whether they can be reached. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// A time in it has passed, or is more than 31 days away.
    #[error("a time has passed or is more than 31 days away; choose another")]
    Time,
    /// A person stands in for themselves.
    #[error("nobody stands in for themselves; choose somebody else")]
    OwnDelegate,
    /// The directory proves that there is nobody of this id with a device, or that they have left.
    #[error("the directory has no such person with a device; choose somebody else")]
    NoSuchDelegate,
    /// Who would stand in is away, by their own word.
    #[error("who would stand in is away; choose somebody else")]
    DelegateAway,
    /// For whoever would stand in this person stands in.
    #[error("this person stands in for that one already; choose somebody else")]
    DelegationLoop,
}

impl ReachError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Time => "WL-REACH-TIME",
            Self::OwnDelegate => "WL-REACH-OWN-DELEGATE",
            Self::NoSuchDelegate => "WL-REACH-NO-SUCH-DELEGATE",
            Self::DelegateAway => "WL-REACH-DELEGATE-AWAY",
            Self::DelegationLoop => "WL-REACH-LOOP",
        }
    }
}

impl From<AvailabilityError> for ReachError {
    fn from(error: AvailabilityError) -> Self {
        match error {
            AvailabilityError::OwnDelegate => Self::OwnDelegate,
            // What this device signs is well formed and its own.
            _ => Self::Time,
        }
    }
}

impl Error {
    /// The stable code, for example `WL-SEND-TOO-LONG`.
    pub fn code(&self) -> String {
        let code = match self {
            Self::Send(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::Body(error) => error.code(),
            Self::Search => "WL-SEARCH-INTERNAL",
            // A proxy's answer, say. A code is never empty.
            Self::Call(CallError::Refused(refusal)) if refusal.code.as_str().is_empty() => {
                "WL-RELAY-NO-CODE"
            }
            Self::Call(CallError::Refused(refusal)) => {
                return refusal.code.as_str().to_owned();
            }
            Self::Call(CallError::Transport(TransportError::Unreachable)) => "WL-NET-UNREACHABLE",
            Self::Call(CallError::Transport(TransportError::Interrupted)) => "WL-NET-INTERRUPTED",
            Self::Call(CallError::Transport(TransportError::TooLarge)) => "WL-NET-TOO-LARGE",
            Self::Call(CallError::Transport(TransportError::Refused)) => "WL-NET-REFUSED",
            Self::Call(CallError::BadAnswer) => "WL-NET-BAD-ANSWER",
            Self::Call(CallError::Random(_)) | Self::NoRandomness => "WL-NO-RANDOMNESS",
            Self::Directory(TrustError::OlderHead { .. }) => "WL-DIRECTORY-OLDER-HEAD",
            Self::Directory(TrustError::Fork(_)) => "WL-DIRECTORY-FORK",
            Self::Directory(_) => "WL-DIRECTORY-REFUSED",
            Self::Entries(EntriesError::HeadMoved { .. }) => "WL-DIRECTORY-HEAD-MOVED",
            Self::Entries(_) => "WL-DIRECTORY-BAD-PROOF",
            Self::Reach(error) => error.code(),
            Self::Proof(_) => "WL-PROOF-REFUSED",
            Self::Locked => "WL-LOCKED",
            Self::Wiped => "WL-WIPED",
            Self::NotEnrolled => "WL-NOT-ENROLLED",
            Self::AlreadyEnrolled => "WL-ALREADY-ENROLLED",
            Self::Unknown => "WL-UNKNOWN",
            Self::NoSuchDevice => "WL-NO-SUCH-DEVICE",
            Self::NoRuntime => "WL-NO-RUNTIME",
            Self::Credential(_) => "WL-CREDENTIAL",
        };
        code.to_owned()
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.retryable(),
            Self::Vault(error) => error.retryable(),
            Self::Body(error) => error.retryable(),
            Self::Call(error) => error.retryable(),
            Self::Entries(EntriesError::HeadMoved { .. }) | Self::Search | Self::NoRandomness => {
                true
            }
            _ => false,
        }
    }

    /// What a person or the app can do about it.
    pub fn recovery(&self) -> Recovery {
        match self {
            // Somebody has to do something before trying again makes sense.
            Self::Vault(VaultError::DiskFull) => Recovery::FreeSpace,
            _ if self.retryable() => Recovery::Retry,
            Self::Send(
                SendError::NoSuchRecipient
                | SendError::OnlySelf
                | SendError::NoHolder
                | SendError::NoCustodian
                | SendError::NotYourRole,
            ) => Recovery::ChooseAnotherRecipient,
            Self::Reach(ReachError::Time) => Recovery::ChangeTheMessage,
            Self::Reach(_) => Recovery::ChooseAnotherRecipient,
            Self::Send(_) => Recovery::ChangeTheMessage,
            Self::Locked => Recovery::Unlock,
            Self::NotEnrolled => Recovery::Enroll,
            Self::Vault(error) => at_rest(error),
            Self::Body(BodyError::UnknownForm { .. }) | Self::Store(StoreError::Newer { .. }) => {
                Recovery::UpdateTheApp
            }
            Self::Body(BodyError::Vault(error)) => at_rest(error),
            Self::Store(StoreError::WrongKey | StoreError::Damaged { .. }) => Recovery::Enroll,
            Self::Store(StoreError::Sqlite(wardline_sqlite::Error::DiskFull)) => {
                Recovery::FreeSpace
            }
            Self::Call(CallError::Refused(refusal)) if refusal.code == RelayCode::Revoked => {
                Recovery::Enroll
            }
            Self::Directory(_)
            | Self::Entries(_)
            | Self::Proof(_)
            | Self::Call(_)
            | Self::Wiped => Recovery::AskTheAdministrator,
            _ => Recovery::AskTheDeveloper,
        }
    }
}

/// What helps when the keys at rest refuse for good.
fn at_rest(error: &VaultError) -> Recovery {
    match error {
        VaultError::EmptyPassphrase
        | VaultError::WrongPassphrase { .. }
        | VaultError::PresenceOff
        | VaultError::KeyStore(KeyStoreError::Refused) => Recovery::Unlock,
        VaultError::Damaged
        | VaultError::Tampered
        | VaultError::KeyStore(KeyStoreError::NotMine) => Recovery::Enroll,
        VaultError::Newer { .. } => Recovery::UpdateTheApp,
        _ => Recovery::AskTheDeveloper,
    }
}

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recovery {
    /// Try again; nobody needs to do anything.
    Retry,
    /// Unlock the client.
    Unlock,
    /// Write something else.
    ChangeTheMessage,
    /// Choose another recipient.
    ChooseAnotherRecipient,
    /// Free some space on the device.
    FreeSpace,
    /// Enroll this device (again).
    Enroll,
    /// Update the app.
    UpdateTheApp,
    /// Ask whoever runs the organization's directory and relay.
    AskTheAdministrator,
    /// A fault of the app or of Wardline.
    AskTheDeveloper,
}

impl SendError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "WL-SEND-EMPTY",
            Self::TooLong { .. } => "WL-SEND-TOO-LONG",
            Self::TooLarge { .. } => "WL-SEND-TOO-LARGE",
            Self::TooManyIdentifiers { .. } => "WL-SEND-TOO-MANY-IDENTIFIERS",
            Self::NoSuchRecipient => "WL-SEND-NO-SUCH-RECIPIENT",
            Self::OnlySelf => "WL-SEND-ONLY-SELF",
            Self::PatientNotIdentified { .. } => "WL-SEND-PATIENT-NOT-IDENTIFIED",
            Self::StatNotAllowed => "WL-SEND-STAT-NOT-ALLOWED",
            Self::NotYours => "WL-SEND-NOT-YOURS",
            Self::TooLateToRecall => "WL-SEND-TOO-LATE-TO-RECALL",
            Self::NotAsked => "WL-SEND-NOT-ASKED",
            Self::OwnMessage => "WL-SEND-OWN-MESSAGE",
            Self::SenderRevoked => "WL-SEND-SENDER-REVOKED",
            Self::IdempotencyKeyTooLong => "WL-SEND-IDEMPOTENCY-KEY",
            Self::TooLateToAmend => "WL-SEND-TOO-LATE-TO-AMEND",
            Self::Incomplete { .. } => "WL-SEND-INCOMPLETE",
            Self::NotAVendorType => "WL-SEND-NOT-A-VENDOR-TYPE",
            Self::ReadBackNeeded => "WL-SEND-READ-BACK",
            Self::TooManyOffers { .. } => "WL-SEND-TOO-MANY-OFFERS",
            Self::BadOffer { .. } => "WL-SEND-BAD-OFFER",
            Self::NotOffered => "WL-SEND-NOT-OFFERED",
            Self::NoHolder => "WL-SEND-NO-HOLDER",
            Self::NoCustodian => "WL-SEND-NO-CUSTODIAN",
            Self::NotYourRole => "WL-SEND-NOT-YOUR-ROLE",
            Self::Lifetime { .. } => "WL-SEND-LIFETIME",
            Self::TooManyTiers { .. } => "WL-SEND-TOO-MANY-TIERS",
            Self::EmptyTier => "WL-SEND-EMPTY-TIER",
            Self::HeldTooLong { .. } => "WL-SEND-HELD-TOO-LONG",
            Self::OtherType => "WL-SEND-OTHER-TYPE",
            Self::NotForwardable => "WL-SEND-NOT-FORWARDABLE",
            Self::ForwardingNotAllowed => "WL-SEND-FORWARDING",
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            // Not a fault of the store: the device is gone.
            StoreError::Wiped => Self::Wiped,
            error => Self::Store(error),
        }
    }
}

impl From<wardline_sqlite::Error> for Error {
    fn from(error: wardline_sqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<SearchError> for Error {
    fn from(error: SearchError) -> Self {
        use wardline_sqlite::Error::{Busy, DiskFull, ReadOnly, Suspended};
        match error {
            // The disk says the same of either file, and the same helps.
            SearchError::Sqlite(error @ (Busy | DiskFull | ReadOnly | Suspended)) => error.into(),
            _ => Self::Search,
        }
    }
}

impl From<wardline_org::RandomUnavailable> for Error {
    fn from(_: wardline_org::RandomUnavailable) -> Self {
        Self::NoRandomness
    }
}

impl From<getrandom::Error> for Error {
    fn from(_: getrandom::Error) -> Self {
        Self::NoRandomness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_mistyped_is_asked_again_and_who_lost_the_keys_enrolls() {
        for (error, helps) in [
            (
                VaultError::WrongPassphrase { attempts: 2 },
                Recovery::Unlock,
            ),
            (VaultError::PresenceOff, Recovery::Unlock),
            (KeyStoreError::NotMine.into(), Recovery::Enroll),
            (VaultError::Tampered, Recovery::Enroll),
            (VaultError::Newer { found: 9 }, Recovery::UpdateTheApp),
            (VaultError::DiskFull, Recovery::FreeSpace),
            (VaultError::Changed, Recovery::Retry),
        ] {
            assert_eq!(Error::from(error).recovery(), helps, "{error:?}");
        }
        let newer = BodyError::UnknownForm { form: 9 };
        assert_eq!(Error::from(newer).recovery(), Recovery::UpdateTheApp);
        let damaged = StoreError::Damaged { what: "a row" };
        assert_eq!(Error::from(damaged).recovery(), Recovery::Enroll);
    }

    #[test]
    fn a_refusal_without_a_code_still_has_one() {
        let refusal = wardline_org::Refusal::new(RelayCode::Other(String::new()));
        let error = Error::from(CallError::from(refusal));
        assert_eq!(error.code(), "WL-RELAY-NO-CODE");
    }
}
