//! Who is reached through a role, and in whose name a message was written.

use wardline_org::Timestamp;

/// Who is reached through a role, and until when that is so.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoleStatus {
    /// The role.
    pub role: String,
    /// What the organization calls it.
    pub display_name: String,
    /// Who holds it now, each once; nobody, one, or several when turns overlap.
    pub holders: Vec<RoleHolder>,
    /// When somebody else holds it, as far as is planned, in milliseconds since 1970.
    pub next_change_ms: Option<i64>,
    /// Who gets its messages as well, keeps them while nobody holds it, and hands open ones on.
    pub custodian: Option<String>,
    /// Whether the directory confirmed it within the policy's refresh time; otherwise it is what was last known.
    pub current: bool,
}

/// Somebody who holds a role now.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoleHolder {
    /// The person.
    pub user: String,
    /// Their name; empty when the directory does not know them.
    pub display_name: String,
    /// Whether they have a device that could receive.
    pub reachable: bool,
    /// When their turn ends, in milliseconds since 1970.
    pub until_ms: i64,
}

/// A message in a conversation with a role.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct InRole {
    /// The role it was sent to, or in whose name it was written.
    pub role: String,
    /// As what its sender speaks for the role; nothing: they are the caller, who writes to it.
    pub speaks: Option<RoleSpeaker>,
    /// Who has passed it on to this person, who holds the role since: its sender is its author all the same.
    pub passed_by: Option<String>,
    /// It was handed over to whoever came next: it is no more to be answered here.
    pub handed_over: bool,
}

/// What was handed over.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HandedOver {
    /// The id of the note.
    pub note: String,
    /// How many messages were open, and are whoever comes next's to answer.
    pub items: u32,
}

/// What lets somebody speak for a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum RoleSpeaker {
    /// They held it.
    Holder,
    /// They are its custodian.
    Custodian,
    /// They say that they wrote when they held it; when it came, they held it no more.
    FormerHolder,
}

/// Shows no name.
impl std::fmt::Debug for RoleStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleStatus")
            .field("role", &self.role)
            .field("holders", &self.holders.len())
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// Shows no name.
impl std::fmt::Debug for RoleHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleHolder").finish_non_exhaustive()
    }
}

impl From<wardline::RoleStatus> for RoleStatus {
    fn from(status: wardline::RoleStatus) -> Self {
        Self {
            role: status.role.to_string(),
            display_name: status.display_name,
            holders: status.holders.into_iter().map(RoleHolder::from).collect(),
            next_change_ms: status.next_change.map(Timestamp::as_millis),
            custodian: status.custodian.map(|user| user.to_string()),
            current: status.current,
        }
    }
}

impl From<wardline::RoleHolder> for RoleHolder {
    fn from(holder: wardline::RoleHolder) -> Self {
        Self {
            user: holder.user.to_string(),
            display_name: holder.display_name,
            reachable: holder.reachable,
            until_ms: holder.until.as_millis(),
        }
    }
}

impl From<wardline::InRole> for InRole {
    fn from(place: wardline::InRole) -> Self {
        Self {
            role: place.role.to_string(),
            speaks: place.speaks.map(RoleSpeaker::from),
            passed_by: place.passed_by.map(|user| user.to_string()),
            handed_over: place.handed_over,
        }
    }
}

impl From<wardline::RoleSpeaker> for RoleSpeaker {
    fn from(speaker: wardline::RoleSpeaker) -> Self {
        use wardline::RoleSpeaker as Core;
        match speaker {
            Core::Holder => Self::Holder,
            Core::Custodian => Self::Custodian,
            Core::FormerHolder => Self::FormerHolder,
        }
    }
}

impl From<wardline::HandedOver> for HandedOver {
    fn from(handed: wardline::HandedOver) -> Self {
        Self {
            note: handed.note.to_string(),
            items: handed.items,
        }
    }
}
