//! People, teams and devices in the directory.

use std::path::PathBuf;

use wardline_org::{
    DeviceId, TeamId, UserId, authority,
    fhir::{self, Export},
    person::{self, PersonStatus},
    team,
};

use super::Authority;
use crate::{error::WardlineError, ids::parse, runtime::run_blocking};

/// What is known of a person besides their devices.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct PersonDetails {
    /// The person's id.
    pub user: String,
    /// What others see.
    pub display_name: String,
    /// For example `Practitioner/DR-CA-001`.
    #[uniffi(default = [])]
    pub fhir_references: Vec<String>,
    /// Their standing functions.
    #[uniffi(default = [])]
    pub staff_roles: Vec<StaffRole>,
}

/// A person's standing function, as the EHR names it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StaffRole {
    /// A code, such as `doctor`.
    pub code: String,
    /// What others see.
    pub display: String,
    /// The department; empty when there is none.
    #[uniffi(default = "")]
    pub department: String,
}

/// A person in the directory, with changes that are not published yet.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct PersonInfo {
    /// What is known of them.
    pub details: PersonDetails,
    /// Whether they belong to the organization.
    pub active: bool,
    /// Their devices, revoked ones included.
    pub devices: Vec<DeviceInfo>,
}

/// A device in the directory.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceInfo {
    /// Its id.
    pub device: String,
    /// When it was admitted, in milliseconds since 1970.
    pub enrolled_at_ms: i64,
    /// When it was revoked, if it was.
    pub revoked_at_ms: Option<i64>,
    /// Whether it is the person's first one, or a chain of vouches leads to it from there.
    pub vouched: bool,
}

/// A care team.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Team {
    /// The team's id.
    pub team: String,
    /// What its members see; it must not tell which patient it is about.
    pub display_name: String,
    /// Its members, each once.
    pub members: Vec<TeamMember>,
    /// For example `CareTeam/careteam-00712328386f`.
    #[uniffi(default = [])]
    pub fhir_references: Vec<String>,
    /// Whether it works together now.
    #[uniffi(default = true)]
    pub active: bool,
}

/// One person in a care team.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TeamMember {
    /// The person.
    pub user: String,
    /// Their function in the team; empty when unknown.
    #[uniffi(default = "")]
    pub role: String,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ImportReport {
    /// People who are new in the directory.
    pub people_added: u64,
    /// People who were there before, and are different now.
    pub people_changed: u64,
    /// People who were off-boarded, because the export calls them inactive.
    pub people_ended: u64,
    /// Care teams that are new in the directory.
    pub teams_added: u64,
    /// Care teams that were there before, and are different now.
    pub teams_changed: u64,
    /// Members of care teams who are no staff of the directory.
    pub skipped_members: u64,
    /// Lines that were passed over.
    pub problems: Vec<ImportProblem>,
}

/// A line that was passed over. It quotes nothing of the line.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ImportProblem {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
}

#[uniffi::export]
impl Authority {
    /// Adds a person, or changes what is known of them. `false` when nothing changed.
    pub async fn upsert_person(&self, details: PersonDetails) -> Result<bool, WardlineError> {
        let details = authority::PersonDetails::try_from(details)?;
        self.with(move |authority, _| Ok(authority.upsert_person(details)?))
            .await
    }

    /// Off-boards a person: every device of theirs is revoked. `false` when they had left before.
    pub async fn end_person(&self, user: String) -> Result<bool, WardlineError> {
        let user: UserId = parse("user", &user)?;
        self.with(move |authority, now| Ok(authority.end_person(&user, now)?))
            .await
    }

    /// Revokes one device for good. `false` when it was revoked before.
    pub async fn revoke_device(&self, user: String, device: String) -> Result<bool, WardlineError> {
        let user: UserId = parse("user", &user)?;
        let device: DeviceId = parse("device", &device)?;
        self.with(move |authority, now| Ok(authority.revoke_device(&user, device, now)?))
            .await
    }

    /// Takes in what `Client::vouch` answered on one device of a person about another one of theirs; it may
    /// come over any way. `false` when it is recorded already.
    pub async fn admit_vouch(&self, statement: Vec<u8>) -> Result<bool, WardlineError> {
        self.with(move |authority, _| Ok(authority.admit_vouch(&statement)?))
            .await
    }

    /// Adds or replaces a care team. `false` when nothing changed.
    pub async fn upsert_team(&self, team: Team) -> Result<bool, WardlineError> {
        let team = team::CareTeam::try_from(team)?;
        self.with(move |authority, _| Ok(authority.upsert_team(team)?))
            .await
    }

    /// Removes a care team. `false` when there was none.
    pub async fn remove_team(&self, team: String) -> Result<bool, WardlineError> {
        let team: TeamId = parse("team", &team)?;
        self.with(move |authority, _| Ok(authority.remove_team(&team)))
            .await
    }

    /// A person, with changes that are not published yet.
    pub async fn person(&self, user: String) -> Result<Option<PersonInfo>, WardlineError> {
        let user: UserId = parse("user", &user)?;
        self.with(move |authority, _| Ok(authority.person(&user).map(PersonInfo::from)))
            .await
    }

    /// The ids of everybody who belongs to the organization, sorted.
    pub async fn people(&self) -> Result<Vec<String>, WardlineError> {
        self.with(|authority, _| {
            let people = authority.entries().filter_map(|(_, body)| match body {
                wardline_org::entry::EntryBody::Person(person)
                    if person.status == PersonStatus::Active =>
                {
                    Some(person.user.to_string())
                }
                _ => None,
            });
            Ok(people.collect())
        })
        .await
    }

    /// The care teams, sorted by id.
    pub async fn teams(&self) -> Result<Vec<Team>, WardlineError> {
        self.with(|authority, _| {
            let teams = authority.entries().filter_map(|(_, body)| match body {
                wardline_org::entry::EntryBody::CareTeam(team) => Some(Team::from(team)),
                _ => None,
            });
            Ok(teams.collect())
        })
        .await
    }

    /// Takes people and care teams over from a folder of FHIR R4 bulk NDJSON. Nothing that tells of a
    /// patient is taken.
    pub async fn import_fhir(&self, folder: String) -> Result<ImportReport, WardlineError> {
        let export = run_blocking(move || Ok(Export::read(&PathBuf::from(folder))?)).await?;
        self.with(move |authority, now| Ok(export.apply(authority, now)?.into()))
            .await
    }
}

impl TryFrom<PersonDetails> for authority::PersonDetails {
    type Error = WardlineError;

    fn try_from(details: PersonDetails) -> Result<Self, WardlineError> {
        Ok(Self {
            user: parse("user", &details.user)?,
            display_name: details.display_name,
            fhir_references: details.fhir_references,
            staff_roles: details
                .staff_roles
                .into_iter()
                .map(|role| person::StaffRole {
                    code: role.code,
                    display: role.display,
                    department: role.department,
                })
                .collect(),
        })
    }
}

impl TryFrom<Team> for team::CareTeam {
    type Error = WardlineError;

    fn try_from(team: Team) -> Result<Self, WardlineError> {
        let member = |member: TeamMember| {
            Ok(team::TeamMember {
                user: parse("members", &member.user)?,
                role: member.role,
            })
        };
        Ok(Self {
            team: parse("team", &team.team)?,
            display_name: team.display_name,
            fhir_references: team.fhir_references,
            members: team
                .members
                .into_iter()
                .map(member)
                .collect::<Result<_, WardlineError>>()?,
            active: team.active,
        })
    }
}

impl From<&team::CareTeam> for Team {
    fn from(team: &team::CareTeam) -> Self {
        let members = team.members.iter();
        Self {
            team: team.team.to_string(),
            display_name: team.display_name.clone(),
            members: members
                .map(|member| TeamMember {
                    user: member.user.to_string(),
                    role: member.role.clone(),
                })
                .collect(),
            fhir_references: team.fhir_references.clone(),
            active: team.active,
        }
    }
}

impl From<&person::Person> for PersonInfo {
    fn from(person: &person::Person) -> Self {
        let roles = person.staff_roles.iter();
        let devices = person.devices.iter();
        Self {
            details: PersonDetails {
                user: person.user.to_string(),
                display_name: person.display_name.clone(),
                fhir_references: person.fhir_references.clone(),
                staff_roles: roles
                    .map(|role| StaffRole {
                        code: role.code.clone(),
                        display: role.display.clone(),
                        department: role.department.clone(),
                    })
                    .collect(),
            },
            active: person.status == PersonStatus::Active,
            devices: devices
                .map(|device| DeviceInfo {
                    device: device.id().to_string(),
                    enrolled_at_ms: device.enrolled_at.as_millis(),
                    revoked_at_ms: device.revoked_at.map(wardline_org::Timestamp::as_millis),
                    vouched: person.is_vouched(device.id()),
                })
                .collect(),
        }
    }
}

impl From<fhir::ImportReport> for ImportReport {
    fn from(report: fhir::ImportReport) -> Self {
        let problems = report.problems.into_iter();
        Self {
            people_added: report.people.added as u64,
            people_changed: report.people.changed as u64,
            people_ended: report.people_ended as u64,
            teams_added: report.teams.added as u64,
            teams_changed: report.teams.changed as u64,
            skipped_members: report.skipped_members as u64,
            problems: problems
                .map(|problem| ImportProblem {
                    file: problem.file,
                    line: problem.line as u64,
                    problem: problem.kind.to_string(),
                })
                .collect(),
        }
    }
}

macro_rules! silent {
    ($($name:ident),+) => {$(
        /// Shows no name.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

silent!(PersonDetails, PersonInfo, Team);
