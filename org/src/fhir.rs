//! Reads people and care teams out of an EHR's export: a folder of FHIR R4 bulk NDJSON.
//!
//! `Practitioner` becomes a person, `PractitionerRole` their staff roles (departments by the names in
//! `Organization`, if it is there), `CareTeam` a care team. The relay reads the directory, so nothing
//! that tells of a patient is taken over: a team is called by its *category*, never by its `name`
//! (which may hold an encounter number), and members who are patients or relatives are left out. Devices
//! are not in an EHR; people who are missing from an export stay as they are.

mod resources;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use self::resources::{CareTeam, Organization, Practitioner, PractitionerRole};
use crate::{
    authority::{Authority, AuthorityError, PersonDetails},
    entry::EntryError,
    id::{TeamId, UserId},
    person::StaffRole,
    team,
    time::Timestamp,
};

/// What an export says, before it is applied.
#[derive(Debug, Default)]
pub struct Export {
    people: BTreeMap<UserId, Staged<Staff>>,
    teams: BTreeMap<TeamId, Staged<team::CareTeam>>,
    skipped_members: usize,
    problems: Vec<Problem>,
}

/// Something to be put into the directory, with the line it stands in.
#[derive(Debug)]
struct Staged<T> {
    what: T,
    from: Line,
}

#[derive(Debug)]
struct Staff {
    details: PersonDetails,
    active: bool,
}

/// One line of one file.
#[derive(Debug, Clone)]
struct Line {
    file: String,
    number: usize,
}

impl Line {
    fn problem(self, kind: ProblemKind) -> Problem {
        Problem {
            file: self.file,
            line: self.number,
            kind,
        }
    }
}

impl Export {
    /// Reads every `*.ndjson` file of the folder whose name has one of the resource types in it, such as
    /// `Practitioner.ndjson` or `Practitioner.000.ndjson`. Lines that cannot be used are reported in
    /// [`ImportReport::problems`] and passed over.
    ///
    /// Blocks on the file system: call it on a thread that may wait.
    pub fn read(folder: &Path) -> Result<Self, ExportError> {
        let files = Files::list(folder)?;
        let mut export = Self::default();
        let mut departments: HashMap<String, String> = HashMap::new();
        export.each_line(
            &files,
            "Organization",
            |_, organization: Organization, _| {
                departments.insert(organization.id, organization.name);
                Ok(())
            },
        )?;
        export.each_line(&files, "Practitioner", Self::practitioner)?;
        let mut users_by_role: HashMap<String, UserId> = HashMap::new();
        export.each_line(
            &files,
            "PractitionerRole",
            |export, role: PractitionerRole, _| {
                export.practitioner_role(role, &departments, &mut users_by_role)
            },
        )?;
        export.each_line(&files, "CareTeam", |export, team, from| {
            export.care_team(team, &users_by_role, from)
        })?;
        Ok(export)
    }

    /// Puts everything into the directory: to be published with the next head. People whom the export
    /// calls inactive are off-boarded.
    pub fn apply(
        self,
        authority: &mut Authority,
        now: Timestamp,
    ) -> Result<ImportReport, AuthorityError> {
        let mut report = ImportReport {
            skipped_members: self.skipped_members,
            problems: self.problems,
            ..Default::default()
        };
        for (user, Staged { what, from }) in self.people {
            let known = authority.person(&user).is_some();
            if what.active {
                let changed = authority.upsert_person(what.details);
                if let Some(changed) = report.note(changed, from)? {
                    report.people.count(known, changed);
                }
            } else if known {
                report.people_ended += usize::from(authority.end_person(&user, now)?);
            }
        }
        for (
            id,
            Staged {
                what: mut team,
                from,
            },
        ) in self.teams
        {
            let members = team.members.len();
            team.members
                .retain(|member| authority.person(&member.user).is_some());
            report.skipped_members += members - team.members.len();
            let known = authority.entry(&id.into()).is_some();
            let changed = authority.upsert_team(team);
            if let Some(changed) = report.note(changed, from)? {
                report.teams.count(known, changed);
            }
        }
        Ok(report)
    }

    fn practitioner(&mut self, practitioner: Practitioner, from: Line) -> Result<(), ProblemKind> {
        let user: UserId = practitioner.id.parse().map_err(|_| ProblemKind::Id)?;
        let display_name = practitioner.display_name().ok_or(ProblemKind::NoName)?;
        let details = PersonDetails {
            fhir_references: vec![format!("Practitioner/{user}")],
            ..PersonDetails::new(user.clone(), display_name)
        };
        let what = Staff {
            details,
            active: practitioner.active,
        };
        match self.people.insert(user, Staged { what, from }) {
            None => Ok(()),
            Some(_) => Err(ProblemKind::Twice),
        }
    }

    fn practitioner_role(
        &mut self,
        role: PractitionerRole,
        departments: &HashMap<String, String>,
        users_by_role: &mut HashMap<String, UserId>,
    ) -> Result<(), ProblemKind> {
        let user = role
            .practitioner
            .as_ref()
            .and_then(|r| r.id_of("Practitioner"));
        let user: UserId = user
            .and_then(|id| id.parse().ok())
            .ok_or(ProblemKind::Reference)?;
        let person = self.people.get_mut(&user).ok_or(ProblemKind::Reference)?;
        let staff_roles = &mut person.what.details.staff_roles;
        users_by_role.insert(role.id.clone(), user);
        if !role.active {
            return Ok(());
        }
        let department = role
            .organization
            .as_ref()
            .and_then(|reference| departments.get(reference.id_of("Organization")?))
            .cloned()
            .or_else(|| role.specialty.first()?.text())
            .unwrap_or_default();
        for concept in &role.code {
            let (Some(code), Some(display)) = (concept.code(), concept.text()) else {
                continue;
            };
            let staff_role = StaffRole {
                code,
                display,
                department: label(&department),
            };
            if !staff_roles.contains(&staff_role) {
                staff_roles.push(staff_role);
            }
        }
        Ok(())
    }

    fn care_team(
        &mut self,
        resource: CareTeam,
        users_by_role: &HashMap<String, UserId>,
        from: Line,
    ) -> Result<(), ProblemKind> {
        let id: TeamId = resource.id.parse().map_err(|_| ProblemKind::Id)?;
        let category = resource
            .category
            .iter()
            .find_map(|category| category.text());
        let mut members: Vec<team::TeamMember> = Vec::new();
        for participant in resource.participant {
            let reference = participant.member.as_ref();
            let user = reference
                .and_then(|r| r.id_of("Practitioner"))
                .and_then(|id| id.parse::<UserId>().ok())
                .or_else(|| {
                    users_by_role
                        .get(reference?.id_of("PractitionerRole")?)
                        .cloned()
                });
            let Some(user) = user else {
                self.skipped_members += 1;
                continue;
            };
            let role = participant
                .role
                .iter()
                .find_map(|role| role.text())
                .unwrap_or_default();
            match members.iter_mut().find(|member| member.user == user) {
                // One person with two functions is one member.
                Some(member) if member.role.is_empty() => member.role = role,
                Some(member) if role.is_empty() || member.role == role => {}
                Some(member) => member.role = label(&format!("{} / {role}", member.role)),
                None => members.push(team::TeamMember { user, role }),
            }
        }
        let team = team::CareTeam {
            display_name: category.unwrap_or_else(|| DEFAULT_CATEGORY.to_owned()),
            fhir_references: vec![format!("CareTeam/{id}")],
            members,
            active: resource
                .status
                .as_deref()
                .is_none_or(|status| status == "active"),
            team: id.clone(),
        };
        match self.teams.insert(id, Staged { what: team, from }) {
            None => Ok(()),
            Some(_) => Err(ProblemKind::Twice),
        }
    }

    fn each_line<T: resources::Resource>(
        &mut self,
        files: &Files,
        resource_type: &'static str,
        mut take: impl FnMut(&mut Self, T, Line) -> Result<(), ProblemKind>,
    ) -> Result<(), ExportError> {
        for path in files.of(resource_type) {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let reader = BufReader::new(fs::File::open(path)?);
            for (index, line) in reader.split(b'\n').enumerate() {
                let line = line?;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let from = Line {
                    file: file.clone().into_owned(),
                    number: index + 1,
                };
                let taken = T::parse(&line, resource_type);
                if let Err(kind) = taken.and_then(|found| take(self, found, from.clone())) {
                    self.problems.push(from.problem(kind));
                }
            }
        }
        Ok(())
    }
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// People who are active in the export.
    pub people: Counts,
    /// People who were off-boarded, because the export calls them inactive.
    pub people_ended: usize,
    /// Care teams.
    pub teams: Counts,
    /// Members of care teams who are no staff of the directory: patients, relatives, strangers.
    pub skipped_members: usize,
    /// Lines that were passed over.
    pub problems: Vec<Problem>,
}

/// How many entries an import touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New in the directory.
    pub added: usize,
    /// There before, and different now.
    pub changed: usize,
    /// There before, and the same.
    pub unchanged: usize,
}

impl Counts {
    fn count(&mut self, known: bool, changed: bool) {
        *match (known, changed) {
            (false, _) => &mut self.added,
            (true, true) => &mut self.changed,
            (true, false) => &mut self.unchanged,
        } += 1;
    }
}

impl ImportReport {
    /// An entry that the directory cannot take is the problem of its line, not of the import.
    fn note(
        &mut self,
        changed: Result<bool, AuthorityError>,
        from: Line,
    ) -> Result<Option<bool>, AuthorityError> {
        match changed {
            Ok(changed) => Ok(Some(changed)),
            Err(AuthorityError::Entry(error)) => {
                self.problems.push(from.problem(ProblemKind::Entry(error)));
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}

/// A line that was passed over. It quotes nothing of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {kind}")]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// Not JSON, or a field is of another kind than FHIR says.
    #[error("not a FHIR R4 resource in one line of JSON: export it again")]
    Json,
    /// Another resource than the file's name says.
    #[error("another resource type than the file's name says: move it to its own file")]
    OtherType,
    /// The id is missing or not usable.
    #[error("the resource has no usable id: 1 to 64 letters, digits, '-' or '.'")]
    Id,
    /// A practitioner without a name.
    #[error("the practitioner has no name: complete it in the EHR")]
    NoName,
    /// A role of nobody who is in the export.
    #[error("the role's practitioner is not in the export: export both")]
    Reference,
    /// What the line says does not fit into a directory entry.
    #[error(transparent)]
    Entry(EntryError),
    /// A second resource of the same id; the last one counts.
    #[error("a resource of this id came before: export each once")]
    Twice,
}

/// Why an export cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder or a file cannot be read.
    #[error("the export cannot be read: {0}")]
    Io(#[from] io::Error),
    /// No file of practitioners.
    #[error("the folder has no Practitioner*.ndjson: point at a FHIR bulk export")]
    NoPractitioners,
}

/// The NDJSON files of a folder, sorted by name.
struct Files(Vec<PathBuf>);

impl Files {
    fn list(folder: &Path) -> Result<Self, ExportError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "ndjson")
            {
                files.push(path);
            }
        }
        files.sort();
        let files = Self(files);
        if files.of("Practitioner").next().is_some() {
            Ok(files)
        } else {
            Err(ExportError::NoPractitioners)
        }
    }

    fn of(&self, resource_type: &str) -> impl Iterator<Item = &Path> {
        let named = move |path: &&PathBuf| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            name.split(['.', '_', '-'])
                .any(|part| part == resource_type)
        };
        self.0.iter().filter(named).map(PathBuf::as_path)
    }
}

/// A text of the EHR as a label of the directory: no control characters, not too long.
fn label(text: &str) -> String {
    let mut label = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if label.len() + c.len_utf8() > MAX_LABEL {
            break;
        }
        label.push(c);
    }
    label
}

const MAX_LABEL: usize = 256;
const DEFAULT_CATEGORY: &str = "Care team";
