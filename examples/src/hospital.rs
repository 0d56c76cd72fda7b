//! Critical laboratory results out of a folder of FHIR R4 bulk NDJSON, each with its patient and team.
//!
//! People and care teams go into the directory by `wardline_org::fhir`, which leaves out everything about
//! patients. This is the other half: what a laboratory system knows and sends. What cannot be sent is
//! counted with its reason, never fatal: real exports have gaps.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::Value;
use wardline::{Patient, PatientIdentifier};

/// One observation that somebody has to hear of now.
#[derive(Clone)]
pub struct CriticalResult {
    /// The observation's id.
    pub id: String,
    /// The care team of its encounter, as FHIR calls it.
    pub team: String,
    /// Whom it is about: name, record number and date of birth.
    pub patient: Patient,
    /// What the team reads.
    pub text: String,
    /// When the specimen was taken, as written in the export; results are sent in this order.
    taken: String,
}

/// Shows nothing of the patient.
impl fmt::Debug for CriticalResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CriticalResult")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a folder has to send, and what it has that cannot be sent.
#[derive(Debug, Default)]
pub struct CriticalResults {
    /// What can be sent, oldest first.
    pub results: Vec<CriticalResult>,
    /// How often something was passed over, by reason.
    pub passed_over: BTreeMap<String, usize>,
}

impl CriticalResults {
    /// Reads the files of `Patient`, `CareTeam` and `Observation` in a folder. Blocks on the disk.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut found = Self::default();
        let mut patients = HashMap::new();
        found.each(folder, "Patient", |_, resource| {
            if let Some((id, patient)) = text(resource, "/id").zip(patient_of(resource)) {
                patients.insert(id, patient);
            }
        })?;
        let mut teams = HashMap::new();
        found.each(folder, "CareTeam", |_, resource| {
            let encounter = reference(resource, "/encounter/reference", "Encounter");
            if let Some((encounter, team)) = encounter.zip(text(resource, "/id")) {
                teams.insert(encounter, team);
            }
        })?;
        let mut ids = HashSet::new();
        found.each(folder, "Observation", |found, resource| {
            if !is_critical(resource) {
                return;
            }
            match result_of(resource, &patients, &teams) {
                Ok(result) if ids.insert(result.id.clone()) => found.results.push(result),
                Ok(_) => found.pass_over("a critical result that came before"),
                Err(reason) => found.pass_over(reason),
            }
        })?;
        found.results.sort_by(|a, b| a.taken.cmp(&b.taken));
        Ok(found)
    }

    /// Counts something that cannot be sent.
    pub fn pass_over(&mut self, reason: impl ToString) {
        *self.passed_over.entry(reason.to_string()).or_default() += 1;
    }

    fn each(
        &mut self,
        folder: &Path,
        resource_type: &'static str,
        mut take: impl FnMut(&mut Self, &Value),
    ) -> Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("the folder {} cannot be read", folder.display()))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            // `Patient.ndjson`, `Patient.000.ndjson`: the names bulk exports give.
            let is_named = name
                .split(['.', '_', '-'])
                .any(|part| part == resource_type);
            if is_named
                && path
                    .extension()
                    .is_some_and(|extension| extension == "ndjson")
            {
                files.push(path);
            }
        }
        files.sort();
        if files.is_empty() {
            self.pass_over(match resource_type {
                "Patient" => "no file Patient*.ndjson",
                "CareTeam" => "no file CareTeam*.ndjson",
                _ => "no file Observation*.ndjson",
            });
        }
        for file in files {
            let reader = BufReader::new(File::open(&file)?);
            for line in reader.split(b'\n') {
                let line = line?;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                match serde_json::from_slice::<Value>(&line) {
                    Ok(resource) if resource["resourceType"] == resource_type => {
                        take(self, &resource);
                    }
                    _ => self.pass_over("a line that is no such FHIR resource"),
                }
            }
        }
        Ok(())
    }
}

fn result_of(
    observation: &Value,
    patients: &HashMap<String, Patient>,
    teams: &HashMap<String, String>,
) -> Result<CriticalResult, &'static str> {
    let id = text(observation, "/id").ok_or("a critical result without an id")?;
    let encounter = reference(observation, "/encounter/reference", "Encounter");
    let team = encounter
        .as_ref()
        .and_then(|encounter| teams.get(encounter))
        .ok_or("a critical result without a care team")?;
    let patient = reference(observation, "/subject/reference", "Patient")
        .and_then(|patient| patients.get(&patient))
        .ok_or("a critical result without a patient of name, record number and birth date")?;
    let name = text(observation, "/code/text")
        .or_else(|| text(observation, "/code/coding/0/display"))
        .ok_or("a critical result without a name")?;
    let value = quantity(&observation["valueQuantity"])
        .or_else(|| text(observation, "/valueString"))
        .or_else(|| text(observation, "/valueCodeableConcept/text"))
        .ok_or("a critical result without a value")?;
    let mut said = format!("Critical result: {name} {value}");
    if let Some(range) = range_of(&observation["referenceRange"][0]) {
        said.push_str(&format!(" (reference {range})"));
    }
    let taken = text(observation, "/effectiveDateTime").unwrap_or_default();
    if !taken.is_empty() {
        said.push_str(&format!(", taken {taken}"));
    }
    let numbers: Vec<&str> = patient
        .identifiers
        .iter()
        .map(|identifier| identifier.value.as_str())
        .collect();
    said.push_str(&format!(
        ". Patient {}, {}. Result {id}. Call the laboratory to read back.",
        patient.name,
        numbers.join(", born "),
    ));
    let mut patient = patient.clone();
    patient.encounter = encounter.unwrap_or_default();
    Ok(CriticalResult {
        id,
        team: team.clone(),
        patient,
        text: said,
        taken,
    })
}

fn is_critical(observation: &Value) -> bool {
    let interpretations = observation["interpretation"].as_array();
    interpretations.into_iter().flatten().any(|concept| {
        let codings = concept["coding"].as_array();
        codings
            .into_iter()
            .flatten()
            .any(|coding| matches!(coding["code"].as_str(), Some("HH" | "LL" | "AA")))
    })
}

/// A patient by name, record number and date of birth, or nobody: two identifiers tell patients apart.
fn patient_of(resource: &Value) -> Option<Patient> {
    let name = resource["name"].as_array()?.first()?;
    let name = text(name, "/text").unwrap_or_else(|| {
        let given = name["given"].as_array();
        let parts = given.into_iter().flatten().chain([&name["family"]]);
        parts
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    });
    let identifiers = resource["identifier"].as_array()?;
    let is_record_number = |identifier: &&Value| {
        let codings = identifier["type"]["coding"].as_array();
        codings
            .into_iter()
            .flatten()
            .any(|coding| coding["code"] == "MR")
    };
    let record = identifiers
        .iter()
        .find(is_record_number)
        .or(identifiers.first())?;
    let born = text(resource, "/birthDate")?;
    let identifier = |system: String, value: String| PatientIdentifier { system, value };
    (!name.trim().is_empty()).then_some(Patient {
        identifiers: vec![
            identifier(
                text(record, "/system").unwrap_or_default(),
                text(record, "/value")?,
            ),
            identifier(BIRTH_DATE.to_owned(), born),
        ],
        name,
        encounter: String::new(),
    })
}

fn quantity(quantity: &Value) -> Option<String> {
    let value = &quantity["value"];
    let unit = quantity["unit"].as_str().unwrap_or_default();
    value
        .is_number()
        .then(|| format!("{value} {unit}").trim_end().to_owned())
}

fn range_of(range: &Value) -> Option<String> {
    match (quantity(&range["low"]), quantity(&range["high"])) {
        (Some(_), Some(high)) => Some(format!("{} to {high}", range["low"]["value"])),
        (Some(low), None) => Some(format!("from {low}")),
        (None, Some(high)) => Some(format!("up to {high}")),
        (None, None) => text(range, "/text"),
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    let text = value.pointer(pointer)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The id in `Type/id`, also at the end of an absolute URL.
fn reference(value: &Value, pointer: &str, resource_type: &str) -> Option<String> {
    let reference = text(value, pointer)?;
    let mut parts = reference.split('/');
    parts.find(|part| *part == resource_type)?;
    parts.next().map(str::to_owned)
}

const BIRTH_DATE: &str = "http://hl7.org/fhir/StructureDefinition/Patient#Patient.birthDate";
