//! Role lines: what people hold in turn, such as being on call for cardiology.

use wardline_org::{RoleId, Timestamp, entry::EntryBody, team};

use super::Authority;
use crate::{error::WardlineError, ids::parse};

/// A line that people hold in turn, such as `cardiology-on-call`.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoleLine {
    /// The role's id.
    pub role: String,
    /// What others see.
    pub display_name: String,
    /// Who holds it when.
    pub assignments: Vec<RoleAssignment>,
    /// Who is reached when nobody holds it, and hands open items over.
    #[uniffi(default = None)]
    pub custodian: Option<String>,
}

/// One turn of one person.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoleAssignment {
    /// The person.
    pub user: String,
    /// From when, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub until_ms: i64,
}

#[uniffi::export]
impl Authority {
    /// Adds or replaces a role line. `false` when nothing changed.
    pub async fn upsert_role(&self, role: RoleLine) -> Result<bool, WardlineError> {
        let role = team::RoleLine::try_from(role)?;
        self.with(move |authority, _| Ok(authority.upsert_role(role)?))
            .await
    }

    /// Removes a role line. `false` when there was none.
    pub async fn remove_role(&self, role: String) -> Result<bool, WardlineError> {
        let role: RoleId = parse("role", &role)?;
        self.with(move |authority, _| Ok(authority.remove_role(&role)))
            .await
    }

    /// The role lines, sorted by id.
    pub async fn roles(&self) -> Result<Vec<RoleLine>, WardlineError> {
        self.with(|authority, _| {
            let roles = authority.entries().filter_map(|(_, body)| match body {
                EntryBody::RoleLine(role) => Some(RoleLine::from(role)),
                _ => None,
            });
            Ok(roles.collect())
        })
        .await
    }
}

impl TryFrom<RoleLine> for team::RoleLine {
    type Error = WardlineError;

    fn try_from(role: RoleLine) -> Result<Self, WardlineError> {
        let assignment = |turn: RoleAssignment| {
            Ok(team::Assignment {
                user: parse("assignments", &turn.user)?,
                from: Timestamp::from_millis(turn.from_ms),
                until: Timestamp::from_millis(turn.until_ms),
            })
        };
        let custodian = role.custodian.as_deref();
        Ok(Self {
            role: parse("role", &role.role)?,
            display_name: role.display_name,
            assignments: role
                .assignments
                .into_iter()
                .map(assignment)
                .collect::<Result<_, WardlineError>>()?,
            custodian: custodian.map(|user| parse("custodian", user)).transpose()?,
        })
    }
}

impl From<&team::RoleLine> for RoleLine {
    fn from(role: &team::RoleLine) -> Self {
        let assignments = role.assignments.iter();
        Self {
            role: role.role.to_string(),
            display_name: role.display_name.clone(),
            assignments: assignments
                .map(|turn| RoleAssignment {
                    user: turn.user.to_string(),
                    from_ms: turn.from.as_millis(),
                    until_ms: turn.until.as_millis(),
                })
                .collect(),
            custodian: role.custodian.as_ref().map(ToString::to_string),
        }
    }
}

/// Shows no name.
impl std::fmt::Debug for RoleLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleLine").finish_non_exhaustive()
    }
}
