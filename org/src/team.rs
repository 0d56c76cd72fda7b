//! Care teams and role lines: groups and functions that people are messaged by.
//!
//! Both are fed by the organization's systems and name people by id; whether those people exist and
//! have devices is read from their own entries. No patient is named: the relay reads the directory.

use std::{collections::HashSet, fmt};

use wardline_proto::v1;

use crate::{
    entry::{self, EntryError},
    id::{RoleId, TeamId, UserId},
    time::Timestamp,
};

/// Most members of a care team.
pub const MAX_MEMBERS: usize = 1000;
/// Most assignments of a role line.
pub const MAX_ASSIGNMENTS: usize = 1000;

/// A care team. `Debug` shows no name.
#[derive(Clone, PartialEq, Eq)]
pub struct CareTeam {
    /// The team's id.
    pub team: TeamId,
    /// What its members see; it must not tell which patient it is about.
    pub display_name: String,
    /// For example `CareTeam/careteam-00712328386f`.
    pub fhir_references: Vec<String>,
    /// Its members, each once.
    pub members: Vec<TeamMember>,
    /// Whether it works together now.
    pub active: bool,
}

/// One person in a care team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamMember {
    /// The person.
    pub user: UserId,
    /// Their function in the team; empty when unknown.
    pub role: String,
}

impl CareTeam {
    fn check(&self) -> Result<(), EntryError> {
        let distinct: HashSet<&UserId> = self.members.iter().map(|m| &m.user).collect();
        if !entry::is_label(&self.display_name)
            || self.members.len() > MAX_MEMBERS
            || distinct.len() != self.members.len()
            || !self
                .members
                .iter()
                .all(|m| entry::is_optional_label(&m.role))
        {
            return Err(EntryError::Malformed);
        }
        entry::check_references(&self.fhir_references)
    }

    pub(crate) fn from_proto(team: v1::CareTeam) -> Result<Self, EntryError> {
        let member = |member: v1::TeamMember| {
            Ok(TeamMember {
                user: UserId::new(member.user_id).map_err(|_| EntryError::Malformed)?,
                role: member.role,
            })
        };
        let team = Self {
            team: TeamId::new(team.team_id).map_err(|_| EntryError::Malformed)?,
            display_name: team.display_name,
            fhir_references: team.fhir_references,
            members: team
                .members
                .into_iter()
                .map(member)
                .collect::<Result<_, EntryError>>()?,
            active: team.active,
        };
        team.check()?;
        Ok(team)
    }

    pub(crate) fn to_proto(&self) -> v1::CareTeam {
        v1::CareTeam {
            team_id: self.team.to_string(),
            display_name: self.display_name.clone(),
            fhir_references: self.fhir_references.clone(),
            members: self
                .members
                .iter()
                .map(|member| v1::TeamMember {
                    user_id: member.user.to_string(),
                    role: member.role.clone(),
                })
                .collect(),
            active: self.active,
        }
    }
}

impl fmt::Debug for CareTeam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CareTeam")
            .field("team", &self.team)
            .field("members", &self.members)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// A line that people hold in turn, such as `cardiology-on-call`. `Debug` shows no name.
#[derive(Clone, PartialEq, Eq)]
pub struct RoleLine {
    /// The role's id.
    pub role: RoleId,
    /// What others see.
    pub display_name: String,
    /// Who holds it when. Leave a turn in for the policy's reseal window after it is over: what its holder wrote in time may
    /// come that late, and devices hold authors against these turns.
    pub assignments: Vec<Assignment>,
    /// Who gets everything that is written to it, keeps it while nobody holds it, and hands open items over.
    pub custodian: Option<UserId>,
}

/// One turn of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The person.
    pub user: UserId,
    /// From when.
    pub from: Timestamp,
    /// Until when; the turn is over at this moment.
    pub until: Timestamp,
}

impl RoleLine {
    /// Who holds the line at `now`: nobody, somebody, or several when turns overlap.
    pub fn holders(&self, now: Timestamp) -> impl Iterator<Item = &UserId> {
        self.assignments
            .iter()
            .filter(move |turn| turn.from <= now && now < turn.until)
            .map(|turn| &turn.user)
    }

    fn check(&self) -> Result<(), EntryError> {
        if !entry::is_label(&self.display_name)
            || self.assignments.len() > MAX_ASSIGNMENTS
            || !self.assignments.iter().all(|turn| turn.from < turn.until)
        {
            return Err(EntryError::Malformed);
        }
        Ok(())
    }

    pub(crate) fn from_proto(role: v1::RoleLine) -> Result<Self, EntryError> {
        let user = |id: String| UserId::new(id).map_err(|_| EntryError::Malformed);
        let assignment = |turn: v1::RoleAssignment| {
            Ok(Assignment {
                user: user(turn.user_id)?,
                from: Timestamp::from_millis(turn.from_ms),
                until: Timestamp::from_millis(turn.until_ms),
            })
        };
        let custodian = Some(role.custodian_user_id).filter(|id| !id.is_empty());
        let role = Self {
            role: RoleId::new(role.role_id).map_err(|_| EntryError::Malformed)?,
            display_name: role.display_name,
            assignments: role
                .assignments
                .into_iter()
                .map(assignment)
                .collect::<Result<_, EntryError>>()?,
            custodian: custodian.map(user).transpose()?,
        };
        role.check()?;
        Ok(role)
    }

    pub(crate) fn to_proto(&self) -> v1::RoleLine {
        v1::RoleLine {
            role_id: self.role.to_string(),
            display_name: self.display_name.clone(),
            assignments: self
                .assignments
                .iter()
                .map(|turn| v1::RoleAssignment {
                    user_id: turn.user.to_string(),
                    from_ms: turn.from.as_millis(),
                    until_ms: turn.until.as_millis(),
                })
                .collect(),
            custodian_user_id: self
                .custodian
                .as_ref()
                .map(UserId::to_string)
                .unwrap_or_default(),
        }
    }
}

impl fmt::Debug for RoleLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleLine")
            .field("role", &self.role)
            .field("assignments", &self.assignments)
            .field("custodian", &self.custodian)
            .finish_non_exhaustive()
    }
}
