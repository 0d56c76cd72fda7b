//! SHA-256 values, each computed for one stated purpose.
//!
//! A hash that is signed, compared or sent is [`Hash::tagged`] with what it stands for, so that a
//! value made for one purpose never passes for another. [`Hash::of`] is the bare digest, for the
//! places where a standard prescribes it (`content-digest`) or where the bytes are random already.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What every tag of this protocol version starts with; the purpose and a zero byte follow.
pub(crate) const DOMAIN: &str = "wardline/v1/";

/// A SHA-256 value. `Display` is 64 lower-case hexadecimal digits.
///
/// ```
/// use wardline_org::Hash;
///
/// let head = Hash::tagged("head", &[b"text"]);
/// assert_ne!(head, Hash::tagged("root", &[b"text"]));
/// assert_eq!(head.to_string().parse::<Hash>()?, head);
/// # Ok::<(), wardline_org::hash::HashError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

// The derive above names the trait `Hash` of the standard library; inside this file the type wins.
impl Hash {
    /// The bare SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 over `wardline/v1/<purpose>`, a zero byte, and the parts one after the other.
    ///
    /// Nothing separates the parts: all but the last must have a fixed length, or carry it.
    pub fn tagged(purpose: &'static str, parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(DOMAIN);
        hasher.update(purpose);
        hasher.update([0]);
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// A value computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A value off the wire: exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        // One spelling only: texts that carry hashes are signed and compared byte for byte.
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(HashError);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| HashError)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Hash {
    type Error = HashError;

    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// Not a SHA-256 value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 value: 32 bytes, or 64 lower-case hexadecimal digits")]
pub struct HashError;
