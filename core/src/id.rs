//! The names of what clinicians exchange: messages and conversations.
//!
//! The names of people, devices and envelopes are `wardline-org`'s.

use std::{fmt, str::FromStr};

use wardline_org::{DeviceId, Hash, OrgId, RoleId, TeamId, Timestamp, UserId};

/// A message, everywhere the same: a UUIDv7, so that ids sort by the time of writing.
///
/// `Display` is the usual 36 characters.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// A new id for a message written at `now`.
    pub fn generate(now: Timestamp) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let (seconds, rest) = (millis / 1000, millis % 1000);
        let nanos = u32::try_from(rest * 1_000_000).unwrap_or(0);
        let time = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
        Self(uuid::Uuid::new_v7(time).into_bytes())
    }

    /// An id off the wire: 16 bytes of a UUIDv7.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
        let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| IdError)?;
        if uuid.get_version() == Some(uuid::Version::SortRand) {
            Ok(Self(uuid.into_bytes()))
        } else {
            Err(IdError)
        }
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// When it was made, by its author's clock.
    pub(crate) fn written_at(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = self.0;
        Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

impl FromStr for MessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let uuid = uuid::Uuid::try_parse(text).map_err(|_| IdError)?;
        Self::from_slice(uuid.as_bytes())
    }
}

/// One message as this device knows it: who wrote it and what its author calls it.
///
/// An id alone names a message only among those of its author's device. Whoever received a message
/// knows its id and may put it on one of their own, so whatever is done to a message says which of the
/// two is meant.
///
/// `Display` is the device, a slash and the id.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct MessageRef {
    /// The device it was written on.
    pub device: DeviceId,
    /// What its author calls it.
    pub id: MessageId,
}

impl fmt::Display for MessageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.device, self.id)
    }
}

impl FromStr for MessageRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (device, id) = text.split_once('/').ok_or(IdError)?;
        Ok(Self {
            device: device.parse().map_err(|_| IdError)?,
            id: id.parse()?,
        })
    }
}

/// A conversation: derived from who takes part, so that every device finds the same id by itself.
///
/// `Display` is 32 hexadecimal digits.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct ConversationId([u8; 16]);

impl ConversationId {
    /// The conversation of two people of one organization, in either order.
    pub fn direct(organization: &OrgId, one: &UserId, other: &UserId) -> Self {
        let (first, second) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        Self::derive(
            "conversation/direct",
            &[organization.as_str(), first.as_str(), second.as_str()],
        )
    }

    /// The conversation of a care team.
    pub fn team(organization: &OrgId, team: &TeamId) -> Self {
        Self::derive("conversation/team", &[organization.as_str(), team.as_str()])
    }

    /// The conversation of one person with whoever holds a role.
    pub fn role(organization: &OrgId, role: &RoleId, caller: &UserId) -> Self {
        Self::derive(
            "conversation/role",
            &[organization.as_str(), role.as_str(), caller.as_str()],
        )
    }

    /// An id off the wire or out of the store: 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
        bytes.try_into().map(Self).map_err(|_| IdError)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn derive(purpose: &'static str, names: &[&str]) -> Self {
        // Names hold no zero byte, so the separator makes the list unambiguous.
        let joined = names.join("\0");
        let hash = Hash::tagged(purpose, &[joined.as_bytes()]);
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        Self(id)
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Derived from people's names: a log shows enough to follow, too little to guess them.
        write!(
            f,
            "ConversationId({}…)",
            hex::encode(self.0).get(..4).unwrap_or_default()
        )
    }
}

impl FromStr for ConversationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = hex::decode(text).map_err(|_| IdError)?;
        Self::from_slice(&bytes)
    }
}

/// Not an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind: pass it exactly as Wardline gave it")]
pub struct IdError;
