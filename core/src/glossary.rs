//! Every code that exists, as values: what the glossary of the documentation and the tests of hosts are made from.
//!
//! An app that renders codes in the reader's language asks [`errors`] whether it has words for each of them. What
//! a code is, whether it is retryable and what helps stays where the error is; this module only lists. A list that
//! misses a code fails `cargo xtask house`, which looks for every code in the sources.

use wardline_org::{
    CallError, Hash, RandomUnavailable, Refusal, RelayCode, SoftwareSigner, Timestamp,
    TransportError,
    credential::CredentialError,
    head::{Head, SignedHead},
    trust::{EntriesError, Fork, TrustError},
};
use wardline_sqlite::Error as SqliteError;

use crate::{
    client::NOT_BELIEVED,
    error::{Error, ReachError, SendError},
    session::OpenFailure,
    store::{StoreError, search::SearchError},
    vault::{BodyError, KeyStoreError, VaultError},
};

/// At least one error for each code that a call can end with. Codes with several causes come with more than one.
///
/// ```
/// let codes: Vec<String> = wardline::glossary::errors().iter().map(|error| error.code()).collect();
/// assert!(codes.iter().any(|code| code == "WL-SEND-TOO-LONG"));
/// ```
pub fn errors() -> Vec<Error> {
    let mut errors: Vec<Error> = vec![
        Error::Locked,
        Error::NotEnrolled,
        Error::AlreadyEnrolled,
        Error::Credential(CredentialError::Malformed),
        Error::Unknown,
        Error::NoSuchDevice,
        Error::Wiped,
        Error::Search,
        Error::NoRuntime,
        Error::NoRandomness,
        Error::Proof(wardline_org::proof::ProofError::NoSuchDevice),
    ];
    errors.extend(sends().map(Error::from));
    let reach = [
        ReachError::Time,
        ReachError::OwnDelegate,
        ReachError::NoSuchDelegate,
        ReachError::DelegateAway,
        ReachError::DelegationLoop,
    ];
    errors.extend(reach.map(Error::from));
    errors.extend(vaults().map(Error::from));
    errors.extend(KEY_STORES.map(|error| VaultError::from(error).into()));
    errors.extend([BodyError::NotHere, BodyError::UnknownForm { form: 9 }].map(Error::from));
    errors.extend(stores().map(Error::from));
    errors.extend(calls().map(Error::from));
    errors.extend(RelayCode::ALL.iter().cloned().map(refused));
    errors.push(refused(RelayCode::Other(String::new())));
    errors.extend(directories());
    errors
}

/// The codes that only events carry ([`Event::EnvelopeRefused`](crate::Event::EnvelopeRefused),
/// [`Event::DirectoryRefused`](crate::Event::DirectoryRefused)), each with what it means.
pub fn events() -> impl Iterator<Item = (&'static str, String)> {
    let orders = (
        NOT_BELIEVED,
        "an order to wipe this device is not believed: report the relay".to_owned(),
    );
    OpenFailure::ALL
        .into_iter()
        .map(|failure| (failure.code(), failure.to_string()))
        .chain([orders])
}

/// The codes that stand in the log only, each with what it means: no call ends with one.
pub fn logged() -> impl Iterator<Item = (&'static str, String)> {
    let sqlite = [
        SqliteError::DiskFull,
        SqliteError::ReadOnly,
        SqliteError::Busy,
    ];
    let errors = [SearchError::Damaged, SearchError::NotEncrypting]
        .into_iter()
        .chain(sqlite.map(SearchError::Sqlite));
    errors.map(|error| (error.code(), error.to_string()))
}

fn sends() -> impl Iterator<Item = SendError> {
    let (length, limit) = (9, 8);
    [
        SendError::Empty,
        SendError::TooLong { length, limit },
        SendError::TooLarge { length, limit },
        SendError::TooManyIdentifiers { length, limit },
        SendError::NoSuchRecipient,
        SendError::OnlySelf,
        SendError::PatientNotIdentified { needed: 2 },
        SendError::StatNotAllowed,
        SendError::NotYours,
        SendError::TooLateToRecall,
        SendError::NotAsked,
        SendError::OwnMessage,
        SendError::SenderRevoked,
        SendError::IdempotencyKeyTooLong,
        SendError::TooLateToAmend,
        SendError::Incomplete { field: "value" },
        SendError::NotAVendorType,
        SendError::ReadBackNeeded,
        SendError::TooManyOffers { length, limit },
        SendError::BadOffer { index: 0, limit },
        SendError::NotOffered,
        SendError::NoHolder,
        SendError::NoCustodian,
        SendError::NotYourRole,
        SendError::Lifetime { least: 1, most: 9 },
        SendError::TooManyTiers { limit },
        SendError::EmptyTier,
        SendError::HeldTooLong { limit },
        SendError::OtherType,
        SendError::NotForwardable,
        SendError::ForwardingNotAllowed,
    ]
    .into_iter()
}

fn vaults() -> impl Iterator<Item = VaultError> {
    [
        VaultError::EmptyPassphrase,
        VaultError::WrongPassphrase { attempts: 1 },
        VaultError::Missing,
        VaultError::Exists,
        VaultError::Foreign,
        VaultError::Damaged,
        VaultError::Tampered,
        VaultError::Newer { found: 9 },
        VaultError::WeakParameters,
        VaultError::PresenceOff,
        VaultError::RekeyPending,
        VaultError::NoRekey,
        VaultError::Changed,
        VaultError::ReadOnly,
        VaultError::DiskFull,
        VaultError::Io(std::io::ErrorKind::Other),
        VaultError::OutOfMemory,
        VaultError::NoRandomness,
        VaultError::Internal,
    ]
    .into_iter()
}

fn stores() -> impl Iterator<Item = StoreError> {
    let sqlite = [
        SqliteError::DiskFull,
        SqliteError::ReadOnly,
        SqliteError::Busy,
        SqliteError::Suspended,
        SqliteError::Closed,
        SqliteError::Panicked,
        SqliteError::System(std::io::ErrorKind::Other),
    ];
    let newer = StoreError::Newer { found: 9, known: 8 };
    let damaged = StoreError::Damaged { what: "a row" };
    [
        StoreError::NotAStore,
        StoreError::WrongKey,
        StoreError::NotEncrypting,
        newer,
        damaged,
    ]
    .into_iter()
    .chain(sqlite.map(StoreError::Sqlite))
}

fn calls() -> impl Iterator<Item = CallError> {
    let transports = [
        TransportError::Unreachable,
        TransportError::Interrupted,
        TransportError::TooLarge,
        TransportError::Refused,
    ];
    let own = [CallError::BadAnswer, CallError::Random(RandomUnavailable)];
    transports.map(CallError::from).into_iter().chain(own)
}

fn refused(code: RelayCode) -> Error {
    CallError::from(Refusal::new(code)).into()
}

fn directories() -> impl Iterator<Item = Error> {
    let (held, offered) = (9, 8);
    let refused = [
        TrustError::OlderHead { held, offered },
        TrustError::TimeWentBack,
        TrustError::History,
        TrustError::OtherPolicy,
        TrustError::OlderPolicy,
    ];
    let moved = EntriesError::HeadMoved {
        held: 8,
        answered: 9,
    };
    let fork = fork().map(|fork| TrustError::Fork(Box::new(fork)));
    refused
        .into_iter()
        .chain(fork)
        .map(Error::from)
        .chain([moved, EntriesError::OtherQuestion].map(Error::from))
}

/// Two heads that nobody signed who counts. `None` without randomness.
fn fork() -> Option<Fork> {
    let head = Head {
        org: "example".parse().ok()?,
        version: 1,
        issued_at: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(1),
        entries_count: 0,
        entries_root: Hash::of(b""),
        policy_hash: Hash::of(b""),
        heads_root: Hash::of(b""),
    };
    let signer = SoftwareSigner::generate().ok()?;
    let signed = SignedHead::sign(&head, &signer).ok()?;
    Some(Fork {
        ours: signed.clone(),
        theirs: signed,
    })
}

const KEY_STORES: [KeyStoreError; 5] = [
    KeyStoreError::Refused,
    KeyStoreError::Cancelled,
    KeyStoreError::Unavailable,
    KeyStoreError::NotMine,
    KeyStoreError::Failed { status: 0 },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_code_always_means_the_same_to_a_program() {
        let mut known = BTreeMap::new();
        for error in errors() {
            let says = (error.retryable(), error.recovery());
            let first = *known.entry(error.code()).or_insert(says);
            assert_eq!(first, says, "{}", error.code());
        }
    }

    #[test]
    fn every_code_has_its_shape_and_its_words() {
        let errors = errors().into_iter();
        let errors = errors.map(|error| (error.code(), error.to_string()));
        let others = events().chain(logged());
        for (code, words) in errors.chain(others.map(|(code, words)| (code.to_owned(), words))) {
            let shaped = code
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
            assert!(code.starts_with("WL-") && shaped, "{code}");
            assert!(!words.is_empty(), "{code}");
        }
    }

    #[test]
    fn two_signed_heads_of_one_version_are_listed() {
        let fork = |error: &Error| matches!(error, Error::Directory(TrustError::Fork(_)));
        assert!(errors().iter().any(fork));
    }
}
