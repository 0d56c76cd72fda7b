//! What can go wrong with the vault, each with its stable code.
//!
//! No text here is meant for end users: hosts render [`VaultError::code`] in the reader's language.

use std::io;

use super::key_store::KeyStoreError;

/// Why the vault did not do what was asked. Nothing on disk changed, unless the variant says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// `WL-VAULT-EMPTY-PASSPHRASE`: a passphrase needs at least one character. Ask for another.
    #[error("the passphrase is empty; ask for one that is not")]
    EmptyPassphrase,
    /// `WL-VAULT-WRONG-PASSPHRASE`: the passphrase does not open the reading key. Ask again; what
    /// happens after too many attempts is the organization's policy.
    #[error("the passphrase is wrong (failed attempt {attempts}); ask for it again")]
    WrongPassphrase {
        /// Attempts since the last success, this one included, as counted by the key store.
        attempts: u32,
    },
    /// The host's key store did not do its part; see the inner error.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// `WL-VAULT-MISSING`: there is no vault in the folder. Enroll this device, or fix the path.
    #[error("there is no vault in this folder; create one or correct the path")]
    Missing,
    /// `WL-VAULT-EXISTS`: there is a vault in the folder already, and creating another would make its
    /// stores unreadable. Open it, or erase it first.
    #[error("there is a vault in this folder already; open it or erase it first")]
    Exists,
    /// `WL-VAULT-FOREIGN`: the file named `vault` was not written by this SDK. Correct the path.
    #[error("the file named vault is not one; correct the path")]
    Foreign,
    /// `WL-VAULT-DAMAGED`: the file is cut short or its bytes have changed. Put back an intact copy,
    /// or enroll the device again.
    #[error("the vault file is damaged; put back an intact copy or enroll again")]
    Damaged,
    /// `WL-VAULT-TAMPERED`: the file is whole but was not written under this vault's keys: parts of
    /// another vault were copied in, or somebody edited it. Treat the device as attacked: enroll again.
    #[error("the vault file was edited by somebody without its keys; enroll again")]
    Tampered,
    /// `WL-VAULT-NEWER`: the file was written by a newer version of the SDK. Update the app.
    #[error("the vault file has format {found}, which this version cannot read; update the app")]
    Newer {
        /// The format version in the file.
        found: u32,
    },
    /// `WL-VAULT-WEAK-PARAMETERS`: the Argon2id parameters are weaker than
    /// [`Argon2Params::FLOOR`](super::Argon2Params::FLOOR) or more than a device can serve. When they
    /// were passed in, choose others; when they come from the file, somebody edited it: enroll again.
    #[error("the Argon2id parameters are outside of what is accepted; choose others")]
    WeakParameters,
    /// `WL-VAULT-PRESENCE-OFF`: reading by presence (biometrics) is not set up, or was switched off.
    /// Ask for the passphrase.
    #[error("unlocking by presence is not set up; ask for the passphrase")]
    PresenceOff,
    /// `WL-VAULT-REKEY-PENDING`: an earlier change of the inbox key was not settled. Open the store
    /// with the key that fits, settle that one, then start again.
    #[error("a change of the inbox key is not settled; settle it first")]
    RekeyPending,
    /// `WL-VAULT-NO-REKEY`: no inbox key is staged, so that there is nothing to settle.
    #[error("no inbox key is staged; stage one first")]
    NoRekey,
    /// `WL-VAULT-CHANGED`: somebody else rewrote the vault meanwhile (another process, another
    /// thread). Try again.
    #[error("the vault was changed by somebody else meanwhile; try again")]
    Changed,
    /// `WL-VAULT-READ-ONLY`: the folder or file may not be written (or read) by this process. Correct
    /// the permissions.
    #[error("the vault's folder may not be written; correct its permissions")]
    ReadOnly,
    /// `WL-VAULT-DISK-FULL`: the disk or quota has no room for a file of about a kilobyte. Free some.
    #[error("the disk is full; free some space and try again")]
    DiskFull,
    /// `WL-VAULT-IO`: the file system failed in another way.
    #[error("the file system failed ({0:?}); try again or look at the disk")]
    Io(io::ErrorKind),
    /// `WL-VAULT-OUT-OF-MEMORY`: no room for Argon2id. Not to be done in a notification extension;
    /// elsewhere close something and try again.
    #[error("there is not enough memory for Argon2id; free some and try again")]
    OutOfMemory,
    /// `WL-VAULT-NO-RANDOMNESS`: the operating system gave no random bytes. Try again.
    #[error("the operating system gave no random bytes; try again")]
    NoRandomness,
    /// `WL-VAULT-INTERNAL`: a cryptographic primitive refused sizes that are always right: a defect of
    /// the SDK. Report it.
    #[error("a primitive refused its input, which is a defect of the SDK; report it")]
    Internal,
}

impl VaultError {
    /// The stable code that hosts show, translate and report.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptyPassphrase => "WL-VAULT-EMPTY-PASSPHRASE",
            Self::WrongPassphrase { .. } => "WL-VAULT-WRONG-PASSPHRASE",
            Self::KeyStore(error) => error.code(),
            Self::Missing => "WL-VAULT-MISSING",
            Self::Exists => "WL-VAULT-EXISTS",
            Self::Foreign => "WL-VAULT-FOREIGN",
            Self::Damaged => "WL-VAULT-DAMAGED",
            Self::Tampered => "WL-VAULT-TAMPERED",
            Self::Newer { .. } => "WL-VAULT-NEWER",
            Self::WeakParameters => "WL-VAULT-WEAK-PARAMETERS",
            Self::PresenceOff => "WL-VAULT-PRESENCE-OFF",
            Self::RekeyPending => "WL-VAULT-REKEY-PENDING",
            Self::NoRekey => "WL-VAULT-NO-REKEY",
            Self::Changed => "WL-VAULT-CHANGED",
            Self::ReadOnly => "WL-VAULT-READ-ONLY",
            Self::DiskFull => "WL-VAULT-DISK-FULL",
            Self::Io(_) => "WL-VAULT-IO",
            Self::OutOfMemory => "WL-VAULT-OUT-OF-MEMORY",
            Self::NoRandomness => "WL-VAULT-NO-RANDOMNESS",
            Self::Internal => "WL-VAULT-INTERNAL",
        }
    }

    /// Whether the same call may succeed later without anybody correcting its input.
    pub fn retryable(&self) -> bool {
        match self {
            Self::KeyStore(error) => error.retryable(),
            Self::Changed
            | Self::DiskFull
            | Self::Io(_)
            | Self::OutOfMemory
            | Self::NoRandomness => true,
            _ => false,
        }
    }
}

impl From<io::Error> for VaultError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull,
            kind => Self::Io(kind),
        }
    }
}
