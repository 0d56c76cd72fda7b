//! The host's key store: what a platform does for the vault.
//!
//! Whoever embeds the SDK implements [`KeyStore`] once per platform, or takes
//! [`FileKeyStore`](super::FileKeyStore) on a server. It wraps small random secrets under keys that
//! the platform guards, opens them again, and counts failed passphrases. It never sees what the
//! secrets open, and no key of the platform is ever a database's key: erasing the platform's key
//! therefore erases the stores, wherever copies of their files may be.

use std::fmt;

use zeroize::Zeroizing;

/// What the host implements: wrapping by keys that the platform guards, and the attempt counter.
///
/// Calls are synchronous and may take long (the platform may show a prompt): the SDK makes them on
/// threads that may block, never inside a transaction, and from several threads at once.
///
/// # One key store per vault
///
/// Two vaults on one device (two accounts, two organizations) get two key stores whose platform keys
/// have different names: [`KeyStore::erase`] of one must leave the other alone.
///
/// # What to do on each platform
///
/// | | Apple | Android | server, desktop |
/// |---|---|---|---|
/// | [`Inbox`](KeyPurpose::Inbox) key | Secure Enclave P-256 key (or a Keychain AES key), `kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly`, in the access group shared with the notification extension | AES-GCM key in AndroidKeyStore, no user authentication, StrongBox where there is one | [`FileKeyStore`](super::FileKeyStore), or a KMS, TPM or PKCS#11 |
/// | [`Reading`](KeyPurpose::Reading) key | the same with `kSecAttrAccessibleWhenUnlockedThisDeviceOnly`, app only | the same with `setUnlockedDeviceRequired(true)` | the same |
/// | [`Presence`](KeyPurpose::Presence) key | Secure Enclave key with `.biometryCurrentSet` | `setUserAuthenticationRequired(true)`, `setInvalidatedByBiometricEnrollment(true)` | the same, or always [`KeyStoreError::Refused`] |
/// | [`wrap`](KeyStore::wrap) | create the key if there is none, ECIES-encrypt (`SecKeyCreateEncryptedData`) or AES-GCM-seal; return the ciphertext | create the key if there is none; return IV and ciphertext | |
/// | [`open`](KeyStore::open) | `SecKeyCreateDecryptedData`; `errSecInteractionNotAllowed` is [`Unavailable`](KeyStoreError::Unavailable), `errSecUserCanceled` is [`Cancelled`](KeyStoreError::Cancelled), a lockout is [`Refused`](KeyStoreError::Refused), a missing key or a bad ciphertext is [`NotMine`](KeyStoreError::NotMine) | `Cipher.doFinal`; `UserNotAuthenticatedException` is `Unavailable`, `KeyPermanentlyInvalidatedException` and `AEADBadTagException` are `NotMine`, `BiometricPrompt` errors are `Cancelled` or `Refused` | |
/// | [`erase`](KeyStore::erase) | `SecItemDelete` of that key | `KeyStore.deleteEntry` | remove the key |
/// | attempts | a Keychain item, so that deleting the app's files does not reset it | a file sealed by the Inbox key, or `EncryptedSharedPreferences` | a file |
///
/// A Keychain survives deleting the app: keys and counter of an earlier life may be there at the first
/// call, and that is fine.
///
/// `wardline::vault::testing::check_key_store` (feature `testing`) runs against every implementation.
pub trait KeyStore: Send + Sync {
    /// Wraps `secret` (32 random bytes) under the key for `purpose`, creating that key when there is
    /// none. The result is opaque to the caller, at most 4096 bytes long, and holds or names the
    /// secret in a form that only this key store opens.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`]; never [`KeyStoreError::NotMine`].
    fn wrap(&self, purpose: KeyPurpose, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError>;

    /// The secret that [`wrap`](Self::wrap) was given for the same purpose.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::NotMine`] for anything that this key store did not wrap for this purpose, or
    /// wrapped before [`erase`](Self::erase), or whose bytes changed: never another secret.
    fn open(
        &self,
        purpose: KeyPurpose,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError>;

    /// Destroys the key for `purpose`, so that nothing wrapped under it opens ever again. Fine when
    /// there is none. A later [`wrap`](Self::wrap) makes a new key.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`]; never [`KeyStoreError::NotMine`].
    fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError>;

    /// How many passphrases were tried since the last success.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`]: a counter that cannot be read is never taken for zero.
    fn attempts(&self) -> Result<u32, KeyStoreError>;

    /// Adds one to the counter, durably and before returning, and tells the new count. Calls from
    /// several threads and processes are all counted.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`]: the passphrase is then not tried.
    fn count_attempt(&self) -> Result<u32, KeyStoreError>;

    /// Sets the counter to zero.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError`].
    fn reset_attempts(&self) -> Result<(), KeyStoreError>;
}

/// When the platform lets a wrapped secret be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// From the first unlock of the device after it started, with nobody present: a notification
    /// extension and a background worker open it. Never prompts.
    Inbox,
    /// While the device is unlocked. Opened together with a passphrase, so it need not prompt; a
    /// device without the person's passphrase gets nothing from it.
    Reading,
    /// Only when the platform has recognized the person (biometrics, or the device's own code where
    /// the organization allows it): what it opens needs no passphrase. Its own key, because platforms
    /// destroy such a key when somebody enrolls another finger, and the passphrase must then still work.
    Presence,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Inbox, Self::Reading, Self::Presence];
}

impl fmt::Display for KeyPurpose {
    /// A lower-case word, fit for a key alias: `inbox`, `reading`, `presence`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inbox => "inbox",
            Self::Reading => "reading",
            Self::Presence => "presence",
        })
    }
}

/// Why a key store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyStoreError {
    /// `WL-VAULT-HOST-REFUSED`: the platform said no: biometrics locked out, or forbidden by device
    /// management. Ask for the passphrase, or the administrator.
    #[error("the platform's key store refused; use the passphrase or ask the administrator")]
    Refused,
    /// `WL-VAULT-HOST-CANCELLED`: the person dismissed the prompt. Ask again when they want to.
    #[error("the person dismissed the platform's prompt; ask again when they want to")]
    Cancelled,
    /// `WL-VAULT-HOST-UNAVAILABLE`: not now: the device was not unlocked since it started, or is
    /// locked. Try again after the unlock.
    #[error("the platform's key store is not available before the device is unlocked; try then")]
    Unavailable,
    /// `WL-VAULT-HOST-NOT-MINE`: the platform's key does not open this: the files came from another
    /// device or a backup, or the key was erased or invalidated. Enroll this device; for presence
    /// alone, ask for the passphrase and set presence up again.
    #[error("the platform's key does not open this vault; enroll this device")]
    NotMine,
    /// `WL-VAULT-HOST-FAILED`: anything else, with the platform's own number for support.
    #[error("the platform's key store failed (platform status {status}); report the number")]
    Failed {
        /// The platform's status: an `OSStatus`, an `errno`, an exception's number; 0 if it has none.
        status: i32,
    },
}

impl KeyStoreError {
    /// The stable code that hosts show, translate and report.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused => "WL-VAULT-HOST-REFUSED",
            Self::Cancelled => "WL-VAULT-HOST-CANCELLED",
            Self::Unavailable => "WL-VAULT-HOST-UNAVAILABLE",
            Self::NotMine => "WL-VAULT-HOST-NOT-MINE",
            Self::Failed { .. } => "WL-VAULT-HOST-FAILED",
        }
    }

    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Unavailable)
    }
}

/// The longest wrapped secret that the vault keeps.
pub(super) const MAX_WRAPPED: usize = 4096;
