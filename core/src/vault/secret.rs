//! Secrets as types: wiped when dropped, silent when printed.
//!
//! Every secret lives in one heap allocation that never moves, so that handing it around leaves no
//! copies on the stack. What a secret opens is not this file's concern.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::error::VaultError;

/// What a person types to read: a PIN, a password or a passphrase.
///
/// Taken as the UTF-8 bytes the host passes. A host whose keyboards write the same letter in two ways
/// brings the text into one Unicode normalization form (NFC) first, on every entry alike.
#[derive(ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Takes over `text`, which is wiped when the passphrase is dropped.
    ///
    /// How long a passphrase must be is the organization's policy, not decided here.
    ///
    /// # Errors
    ///
    /// [`VaultError::EmptyPassphrase`] when there is nothing in it.
    pub fn new(text: impl Into<String>) -> Result<Self, VaultError> {
        let text = Self(text.into());
        if text.0.is_empty() {
            return Err(VaultError::EmptyPassphrase);
        }
        Ok(text)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

opaque!(Passphrase);

/// Key and salt of one SQLCipher file.
///
/// The key is used as it is (SQLCipher's *raw key*): it is already uniformly random, so nothing is
/// stretched when a database opens. The salt is given and not kept in the file, because the file's
/// first 32 bytes stay readable (an iOS container needs to see that this is a database).
pub struct DatabaseKey {
    key: Secret,
    salt: [u8; SALT_LENGTH],
}

impl DatabaseKey {
    pub(super) fn new(key: Secret, salt: [u8; SALT_LENGTH]) -> Self {
        Self { key, salt }
    }

    /// A key of 32 times the same byte.
    #[cfg(test)]
    pub(crate) fn for_tests(byte: u8) -> Self {
        let mut key = Secret::zero();
        key.expose_mut().fill(byte);
        Self::new(key, [byte; SALT_LENGTH])
    }

    /// The value for `PRAGMA key` and `PRAGMA rekey`: `x'…'` around 64 hexadecimal digits of key and
    /// 32 of salt. It goes into the pragma as a quoted string: `PRAGMA key = "x'…'"`.
    pub fn pragma_value(&self) -> Zeroizing<String> {
        // Sized before writing: a string that grows leaves its first half behind in freed memory.
        let mut value = Zeroizing::new(String::with_capacity(3 + 2 * (KEY_LENGTH + SALT_LENGTH)));
        value.push_str("x'");
        for byte in self.key.expose().iter().chain(&self.salt) {
            for digit in [byte >> 4, byte & 0x0f] {
                value.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        value.push('\'');
        value
    }
}

opaque!(DatabaseKey);

/// 32 secret bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Secret(Box<[u8; KEY_LENGTH]>);

impl Secret {
    /// Fresh from the operating system.
    pub(super) fn random() -> Result<Self, VaultError> {
        let mut secret = Self::zero();
        getrandom::fill(secret.expose_mut()).map_err(|_| VaultError::NoRandomness)?;
        Ok(secret)
    }

    /// `None` unless `bytes` is exactly as long as a secret.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self::zero();
        if bytes.len() != KEY_LENGTH {
            return None;
        }
        secret.expose_mut().copy_from_slice(bytes);
        Some(secret)
    }

    /// To be written into at once by whoever makes a secret.
    pub(super) fn zero() -> Self {
        Self(Box::new([0; KEY_LENGTH]))
    }

    /// Another secret for the purpose `info`, from which this one cannot be found (HKDF-SHA256).
    pub(super) fn derive(&self, info: &[u8]) -> Result<Self, VaultError> {
        hkdf(&[], self.expose(), &[info])
    }

    pub(super) fn expose(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    pub(super) fn expose_mut(&mut self) -> &mut [u8; KEY_LENGTH] {
        &mut self.0
    }
}

opaque!(Secret);

/// What opens `store.db` and proves that the vault's file is ours. Available while the device is locked.
pub(super) struct InboxKey(pub(super) Secret);

opaque!(InboxKey);

/// What everything readable is sealed under. Known only while a person reads.
pub(super) struct ReadingKey(pub(super) Secret);

opaque!(ReadingKey);

/// HKDF-SHA256 to one secret; `info` is the concatenation of its parts.
pub(super) fn hkdf(salt: &[u8], ikm: &[u8], info: &[&[u8]]) -> Result<Secret, VaultError> {
    let mut okm = Secret::zero();
    Hkdf::<Sha256>::new(Some(salt), ikm)
        .expand_multi_info(info, okm.expose_mut())
        .map_err(|_| VaultError::Internal)?;
    Ok(okm)
}

/// Bytes of every key here.
pub(super) const KEY_LENGTH: usize = 32;
/// Bytes of SQLCipher's salt.
pub(super) const SALT_LENGTH: usize = 16;
