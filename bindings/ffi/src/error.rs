//! Everything that can go wrong, as the three languages see it.
//!
//! Variants are domains, so that a host can catch "the relay" or "the keys at rest"; the `code` says
//! exactly what happened and never changes its meaning. Facades make a class of each domain. No text
//! here is for end users: hosts render codes and parameters in the reader's language.
//!
//! The field is called `detail` because a field called `message` does not compile in Kotlin.

use wardline::{
    Error, SendError, StoreError,
    vault::{KeyStoreError, VaultError},
};
use wardline_org::{CallError, trust::TrustError};

/// What a variant of [`WardlineError`] is about, for the glossary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain {
    /// The name of the variant.
    pub name: &'static str,
    /// What such errors have in common.
    pub words: &'static str,
    /// What errors of this domain say besides code and recovery: the name, and what it is.
    pub parameters: &'static [(&'static str, &'static str)],
}

macro_rules! errors {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident { $( $(#[doc = $field_doc:literal])+ $field:ident: $type:ty, )* }
    )+) => {
        /// An error of Wardline: what happened (`code`), for a developer's log (`detail`, without
        /// names, texts or secrets), whether the same call may succeed later by itself (`retryable`),
        /// and what helps (`recovery`).
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
        pub enum WardlineError {
            $(
                $(#[doc = $doc])+
                #[error("{code}: {detail}")]
                $variant {
                    /// The stable code, such as `WL-SEND-TOO-LONG`.
                    code: String,
                    /// For a developer's log.
                    detail: String,
                    /// Whether the same call may succeed later without anybody doing anything.
                    retryable: bool,
                    /// What a person or the app can do about it.
                    recovery: Recovery,
                    $( $(#[doc = $field_doc])+ $field: $type, )*
                },
            )+
        }

        impl WardlineError {
            /// Every domain, in the order of the documentation.
            pub const DOMAINS: &'static [Domain] = &[$(
                Domain {
                    name: stringify!($variant),
                    words: concat!($($doc),+),
                    parameters: &[$( (stringify!($field), concat!($($field_doc),+)) ),*],
                },
            )+];

            /// The domain that it belongs to: the name of its variant.
            pub fn domain(&self) -> &'static str {
                match self { $(Self::$variant { .. } => stringify!($variant),)+ }
            }

            /// The stable code.
            pub fn code(&self) -> &str {
                match self { $(Self::$variant { code, .. })|+ => code }
            }

            /// Whether the same call may succeed later without anybody doing anything.
            pub fn retryable(&self) -> bool {
                match self { $(Self::$variant { retryable, .. })|+ => *retryable }
            }

            /// What a person or the app can do about it.
            pub fn recovery(&self) -> Recovery {
                match self { $(Self::$variant { recovery, .. })|+ => *recovery }
            }
        }
    };
}

errors! {
    /// A message was not taken; nothing was kept of it.
    Send {
        /// Bytes of the text, when it is too long.
        length: Option<u64>,
        /// What the policy allows, when it is too long.
        limit: Option<u64>,
    }
    /// Nobody may read: unlock first.
    Locked {}
    /// There is no device in this folder, or there is one already.
    Enrollment {}
    /// The organization had this device erased: nothing is left of it.
    Wiped {}
    /// The passphrase is wrong or empty.
    PassphraseRefused {
        /// Wrong ones since the last right one, as the key store counts them.
        attempts: Option<u32>,
    }
    /// The platform's key store did not do its part.
    KeyStore {
        /// The platform's own number, for support.
        status: Option<i32>,
    }
    /// The keys at rest refused: the file is missing, damaged, or of another version.
    Vault {
        /// The format found, when a newer version wrote it.
        found: Option<u32>,
    }
    /// The database refused.
    Store {
        /// The schema found, when a newer version wrote it.
        found: Option<u32>,
        /// The newest schema that this version knows, when a newer version wrote it.
        known: Option<u32>,
    }
    /// The relay did not answer, or not in a way that makes sense.
    Network {}
    /// The relay refused.
    Relay {
        /// Try again after this long, when the relay says so.
        retry_after_ms: Option<u64>,
        /// The limit that was exceeded, when there is one.
        limit: Option<u64>,
    }
    /// The relay showed a directory that is not believed.
    Directory {
        /// The head that is believed, when an older one was offered.
        held: Option<u64>,
        /// The head that was offered.
        offered: Option<u64>,
    }
    /// A message proves nothing to whoever verifies it.
    Proof {
        /// What does not hold, in a stable word such as `revoked`.
        reason: String,
    }
    /// There is no such message, conversation or device here.
    NotFound {}
    /// An argument does not have the form it must have.
    Argument {
        /// Which one.
        name: String,
    }
    /// The client, or the whole library, was shut down, or the process was forked.
    Closed {}
    /// The wait was given up by the host.
    Cancelled {}
    /// The organization's signing side refused.
    Authority {}
    /// A fault of Wardline, or something the operating system should not do. Report it.
    Defect {}
}

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
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

/// Builds a variant out of what every error has, and its own parameters.
macro_rules! variant {
    ($variant:ident, $facts:expr $(, $field:ident: $value:expr)* $(,)?) => {{
        let facts = $facts;
        WardlineError::$variant {
            code: facts.code,
            detail: facts.detail,
            retryable: facts.retryable,
            recovery: facts.recovery,
            $($field: $value,)*
        }
    }};
}
#[cfg(feature = "authority")]
pub(crate) use variant;

/// What every error has.
pub(crate) struct Facts {
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) retryable: bool,
    pub(crate) recovery: Recovery,
}

impl Facts {
    fn of(error: &Error) -> Self {
        Self {
            code: error.code(),
            detail: error.to_string(),
            retryable: error.retryable(),
            recovery: error.recovery().into(),
        }
    }

    pub(crate) fn own(code: &str, detail: impl Into<String>, recovery: Recovery) -> Self {
        Self {
            code: code.to_owned(),
            detail: detail.into(),
            retryable: recovery == Recovery::Retry,
            recovery,
        }
    }
}

/// Errors of this surface, which the core does not have.
impl WardlineError {
    pub(crate) fn argument(name: &'static str) -> Self {
        let detail = format!("{name} does not have the form it must have; pass it as it was given");
        let facts = Facts::own("WL-ARGUMENT", detail, Recovery::AskTheDeveloper);
        variant!(Argument, facts, name: name.to_owned())
    }

    /// An argument whose form is right and whose value is not.
    pub(crate) fn unfit(name: &'static str, detail: &str) -> Self {
        let facts = Facts::own("WL-ARGUMENT", detail, Recovery::AskTheDeveloper);
        variant!(Argument, facts, name: name.to_owned())
    }

    pub(crate) fn closed() -> Self {
        let detail = "it was shut down; open it again";
        variant!(
            Closed,
            Facts::own("WL-CLOSED", detail, Recovery::AskTheDeveloper)
        )
    }

    pub(crate) fn forked() -> Self {
        let detail = "the process was forked after Wardline was used; start a fresh one (spawn)";
        variant!(
            Closed,
            Facts::own("WL-FORKED", detail, Recovery::AskTheDeveloper)
        )
    }

    pub(crate) fn cancelled() -> Self {
        let detail = "the wait was given up; call again when it matters";
        let mut facts = Facts::own("WL-CANCELLED", detail, Recovery::Retry);
        facts.retryable = false;
        variant!(Cancelled, facts)
    }

    pub(crate) fn defect(detail: &str) -> Self {
        variant!(
            Defect,
            Facts::own("WL-DEFECT", detail, Recovery::AskTheDeveloper)
        )
    }
}

impl From<Error> for WardlineError {
    fn from(error: Error) -> Self {
        let facts = Facts::of(&error);
        match error {
            Error::Send(
                SendError::TooLong { length, limit }
                | SendError::TooLarge { length, limit }
                | SendError::TooManyIdentifiers { length, limit }
                | SendError::TooManyOffers { length, limit },
            ) => {
                variant!(Send, facts, length: Some(length), limit: Some(limit))
            }
            Error::Send(SendError::TooManyTiers { limit } | SendError::HeldTooLong { limit }) => {
                variant!(Send, facts, length: None, limit: Some(limit))
            }
            Error::Send(_) => variant!(Send, facts, length: None, limit: None),
            Error::Reach(_) => variant!(Argument, facts, name: "availability".to_owned()),
            Error::Locked => variant!(Locked, facts),
            Error::Wiped => variant!(Wiped, facts),
            Error::NotEnrolled | Error::AlreadyEnrolled | Error::Credential(_) => {
                variant!(Enrollment, facts)
            }
            Error::Vault(VaultError::WrongPassphrase { attempts }) => {
                variant!(PassphraseRefused, facts, attempts: Some(attempts))
            }
            Error::Vault(VaultError::EmptyPassphrase) => {
                variant!(PassphraseRefused, facts, attempts: None)
            }
            Error::Vault(VaultError::KeyStore(KeyStoreError::Failed { status })) => {
                variant!(KeyStore, facts, status: Some(status))
            }
            Error::Vault(VaultError::KeyStore(_)) => variant!(KeyStore, facts, status: None),
            Error::Vault(VaultError::Newer { found }) => variant!(Vault, facts, found: Some(found)),
            Error::Vault(_) | Error::Body(_) => variant!(Vault, facts, found: None),
            Error::Store(StoreError::Newer { found, known }) => {
                variant!(Store, facts, found: Some(found), known: Some(known))
            }
            Error::Store(_) if facts.code == STORE_CLOSED => variant!(Closed, facts),
            Error::Store(_) | Error::Search => variant!(Store, facts, found: None, known: None),
            Error::Call(CallError::Refused(refusal)) => variant!(
                Relay,
                facts,
                retry_after_ms: refusal
                    .retry_after
                    .and_then(|after| u64::try_from(after.as_millis()).ok()),
                limit: refusal.limit,
            ),
            Error::Call(CallError::Random(_)) => variant!(Defect, facts),
            Error::Call(_) => variant!(Network, facts),
            Error::Directory(TrustError::OlderHead { held, offered }) => {
                variant!(Directory, facts, held: Some(held), offered: Some(offered))
            }
            Error::Directory(_) | Error::Entries(_) => {
                variant!(Directory, facts, held: None, offered: None)
            }
            Error::Proof(error) => variant!(Proof, facts, reason: error.cause().to_owned()),
            Error::Unknown | Error::NoSuchDevice => variant!(NotFound, facts),
            // What a newer core adds keeps its code; its domain comes with the next version of this.
            _ => variant!(Defect, facts),
        }
    }
}

impl From<wardline::Recovery> for Recovery {
    fn from(recovery: wardline::Recovery) -> Self {
        use wardline::Recovery as Core;
        match recovery {
            Core::Retry => Self::Retry,
            Core::Unlock => Self::Unlock,
            Core::ChangeTheMessage => Self::ChangeTheMessage,
            Core::ChooseAnotherRecipient => Self::ChooseAnotherRecipient,
            Core::FreeSpace => Self::FreeSpace,
            Core::Enroll => Self::Enroll,
            Core::UpdateTheApp => Self::UpdateTheApp,
            Core::AskTheAdministrator => Self::AskTheAdministrator,
            _ => Self::AskTheDeveloper,
        }
    }
}

const STORE_CLOSED: &str = "WL-STORE-CLOSED";

#[cfg(test)]
mod tests {
    use wardline::vault::VaultError;
    use wardline_org::{Refusal, RelayCode, TransportError};

    use super::*;

    #[test]
    fn an_error_keeps_its_code_its_parameters_and_what_helps() {
        let too_long = SendError::TooLong {
            length: 9,
            limit: 8,
        };
        let error = WardlineError::from(Error::from(too_long));
        assert_eq!(error.code(), "WL-SEND-TOO-LONG");
        assert_eq!(error.recovery(), Recovery::ChangeTheMessage);
        assert!(matches!(
            error,
            WardlineError::Send {
                length: Some(9),
                limit: Some(8),
                ..
            }
        ));

        let refusal =
            Refusal::new(RelayCode::Quota).with_retry_after(std::time::Duration::from_millis(1500));
        let error = WardlineError::from(Error::from(CallError::from(refusal)));
        assert!(error.retryable());
        assert!(matches!(
            error,
            WardlineError::Relay {
                retry_after_ms: Some(1500),
                ..
            }
        ));

        let wrong = VaultError::WrongPassphrase { attempts: 3 };
        let error = WardlineError::from(Error::from(wrong));
        assert!(matches!(
            error,
            WardlineError::PassphraseRefused {
                attempts: Some(3),
                ..
            }
        ));

        let revoked = wardline::ProofError::Revoked {
            at: wardline_org::Timestamp::from_millis(0),
        };
        let error = WardlineError::from(Error::from(revoked));
        assert!(matches!(error, WardlineError::Proof { reason, .. } if reason == "revoked"));

        let cut = CallError::from(TransportError::Unreachable);
        let error = WardlineError::from(Error::from(cut));
        assert_eq!(error.code(), "WL-NET-UNREACHABLE");
        assert!(matches!(error, WardlineError::Network { .. }));
    }
}
