//! A legal hold: whose messages are kept, whatever is over or taken back.
//!
//! Not its concern: keeping them, which is each device's.

use serde::{Deserialize, Serialize};

use crate::id::{TeamId, UserId};

/// Whose messages no device destroys while the policy says so. They are hidden all the same when they are over or taken
/// back. The relay and every device of the organization can read who is named here; an organization that must not say
/// so names everybody.
///
/// ```
/// use wardline_org::policy::LegalHold;
///
/// let hold = LegalHold { people: vec!["DR-1".parse()?], ..LegalHold::default() };
/// assert!(!hold.is_empty());
/// # Ok::<(), wardline_org::id::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LegalHold {
    /// Everybody's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everybody: bool,
    /// What these people wrote, and everything on their devices and in direct conversations with them. At most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<UserId>,
    /// What was written to these care teams. At most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamId>,
}

impl LegalHold {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        !self.everybody && self.people.is_empty() && self.teams.is_empty()
    }

    /// How many names it has, of the kind that has more.
    pub(super) fn names(&self) -> usize {
        self.people.len().max(self.teams.len())
    }
}
