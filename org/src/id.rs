//! The names of things: organizations, people, teams, roles, devices, envelopes, directory entries.
//!
//! A value that exists is valid. `Display` is the exact text of the wire; `Debug` of everything that
//! points at a person or a device shows a short hash, salted anew in every process, so that a log
//! can be followed but not joined with anything else.

use std::{cmp::Ordering, fmt, str::FromStr, sync::OnceLock};

use serde::{Deserialize, Serialize};

use crate::{hash::Hash, random, random::RandomUnavailable, time::Timestamp};

/// Longest name, in bytes.
pub const MAX_NAME: usize = 64;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 64 characters of `A-Z a-z 0-9 . _ -`, compared byte for byte.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Parses a name.
            pub fn new(name: impl Into<String>) -> Result<Self, IdError> {
                let name = name.into();
                if is_name(&name) { Ok(Self(name)) } else { Err(IdError::Name) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), LogTag(self.0.as_bytes()))
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(name: &str) -> Result<Self, IdError> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;

            fn try_from(name: String) -> Result<Self, IdError> {
                Self::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// An organization: one root document, one directory, one policy.
    OrgId
);
name!(
    /// A person, as the organization's backend names them.
    UserId
);
name!(
    /// A care team.
    TeamId
);
name!(
    /// A role line, such as `cardiology-on-call`.
    RoleId
);
name!(
    /// A relay, as its operator named it in the relay's configuration and in the hosts' settings. It
    /// is signed into every call, so that a call made to one relay means nothing to another.
    RelayId
);

/// The sort key of a directory entry: `person/<id>`, `role/<id>` or `team/<id>`.
///
/// Ordered as its text is, byte for byte: the tree's order.
///
/// ```
/// use wardline_org::EntryKey;
///
/// let key: EntryKey = "team/cardiology".parse()?;
/// assert_eq!(key.to_string(), "team/cardiology");
/// assert!("patient/4711".parse::<EntryKey>().is_err());
/// # Ok::<(), wardline_org::id::IdError>(())
/// ```
// The variants stand in the order of their prefixes, so that the derived order is the text's order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EntryKey {
    /// One person with their devices.
    Person(UserId),
    /// One role line.
    Role(RoleId),
    /// One care team.
    Team(TeamId),
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Role(id) => write!(f, "role/{id}"),
            Self::Team(id) => write!(f, "team/{id}"),
        }
    }
}

impl FromStr for EntryKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('/').ok_or(IdError::EntryKey)? {
            ("person", id) => Ok(Self::Person(id.parse()?)),
            ("role", id) => Ok(Self::Role(id.parse()?)),
            ("team", id) => Ok(Self::Team(id.parse()?)),
            _ => Err(IdError::EntryKey),
        }
    }
}

impl TryFrom<String> for EntryKey {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<EntryKey> for String {
    fn from(key: EntryKey) -> Self {
        key.to_string()
    }
}

impl From<UserId> for EntryKey {
    fn from(id: UserId) -> Self {
        Self::Person(id)
    }
}

impl From<RoleId> for EntryKey {
    fn from(id: RoleId) -> Self {
        Self::Role(id)
    }
}

impl From<TeamId> for EntryKey {
    fn from(id: TeamId) -> Self {
        Self::Team(id)
    }
}

/// A device, named by its own keys: the first 16 bytes of the tagged hash of both.
///
/// Nobody can choose another device's id, and a device that changes a key is another device.
/// `Display` is 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// The id of the device that owns these two public keys.
    pub fn from_keys(ed25519: &[u8; 32], curve25519: &[u8; 32]) -> Self {
        let hash = Hash::tagged("device-id", &[ed25519, curve25519]);
        let mut id = [0; 16];
        id.copy_from_slice(hash.as_bytes().split_at(16).0);
        Self(id)
    }

    /// An id that was stored.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// An id off the wire: exactly 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
        bytes.try_into().map(Self).map_err(|_| IdError::Device)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16 bytes, for a wire message.
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({})", LogTag(&self.0))
    }
}

impl FromStr for DeviceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(IdError::Device);
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError::Device)?;
        Ok(Self(bytes))
    }
}

/// One envelope, named by its sender: a UUIDv7, so ids of one sender ascend with time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnvelopeId([u8; 16]);

impl EnvelopeId {
    /// A new id, made at `now`.
    pub fn generate(now: Timestamp) -> Result<Self, RandomUnavailable> {
        let random = random::bytes::<10>()?;
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Ok(Self(uuid.into_bytes()))
    }

    /// An id off the wire or out of a store: 16 bytes that are a UUIDv7.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
        let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| IdError::Envelope)?;
        let valid = uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122;
        if valid {
            Ok(Self(uuid.into_bytes()))
        } else {
            Err(IdError::Envelope)
        }
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16 bytes, for a wire message.
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl PartialOrd for EnvelopeId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EnvelopeId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&uuid::Uuid::from_bytes(self.0), f)
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeId({self})")
    }
}

/// A text or a byte string that names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// An organization, user, team, role or relay name with a wrong length or character.
    #[error("not a name: use 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    Name,
    /// A directory key without a known prefix.
    #[error("not a directory key: write person/<id>, role/<id> or team/<id>")]
    EntryKey,
    /// A device id that is not 16 bytes.
    #[error("not a device id: 16 bytes, or 32 lower-case hexadecimal digits")]
    Device,
    /// An envelope id that is no UUIDv7.
    #[error("not an envelope id: make it as a UUID of version 7")]
    Envelope,
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Eight hexadecimal digits that stand for an id within this process only.
struct LogTag<'a>(&'a [u8]);

impl fmt::Display for LogTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        static SALT: OnceLock<Option<[u8; 16]>> = OnceLock::new();
        // Without randomness the tag would be a plain hash that a list of names undoes: show none.
        let Some(salt) = SALT.get_or_init(|| random::bytes().ok()) else {
            return f.write_str("#");
        };
        let hash = Hash::tagged("log-tag", &[salt, self.0]);
        write!(f, "#{}", hex::encode(hash.as_bytes().split_at(4).0))
    }
}
