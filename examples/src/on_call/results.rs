//! Critical laboratory results out of a folder of FHIR R4 bulk NDJSON, each with its patient and department.
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
use wardline::{CriticalResult, Patient, PatientIdentifier};

/// One observation that somebody has to hear of now.
#[derive(Clone)]
pub struct Finding {
    /// The observation's id.
    pub id: String,
    /// The department that has its patient, by name.
    pub department: String,
    /// Whom it is about: name, record number and date of birth.
    pub patient: Patient,
    /// What was measured.
    pub result: CriticalResult,
    /// The same in words, for whoever does not know the type.
    pub text: String,
    /// When the specimen was taken, as written in the export; results are sent in this order.
    taken: String,
}

/// Shows nothing of the patient.
impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finding")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a folder has to send, and what it has that cannot be sent.
#[derive(Debug, Default)]
pub struct Findings {
    /// What can be sent, oldest first.
    pub results: Vec<Finding>,
    /// How often something was passed over, by reason.
    pub passed_over: BTreeMap<String, usize>,
}

impl Findings {
    /// Reads the files of `Patient`, `Organization`, `Encounter` and `Observation` in a folder. Blocks on the disk.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut found = Self::default();
        let mut patients = HashMap::new();
        found.each(folder, "Patient", |_, resource| {
            if let Some((id, patient)) = text(resource, "/id").zip(patient_of(resource)) {
                patients.insert(id, patient);
            }
        })?;
        let mut names = HashMap::new();
        found.each(folder, "Organization", |_, resource| {
            names.extend(text(resource, "/id").zip(text(resource, "/name")));
        })?;
        let mut departments = HashMap::new();
        found.each(folder, "Encounter", |_, resource| {
            let provider = reference(resource, "/serviceProvider/reference", "Organization");
            let name = provider.and_then(|provider| names.get(&provider));
            if let Some((encounter, name)) = text(resource, "/id").zip(name) {
                departments.insert(encounter, name.clone());
            }
        })?;
        let mut ids = HashSet::new();
        found.each(folder, "Observation", |found, resource| {
            if !is_critical(resource) {
                return;
            }
            match finding_of(resource, &patients, &departments) {
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
                "Organization" => "no file Organization*.ndjson",
                "Encounter" => "no file Encounter*.ndjson",
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

fn finding_of(
    observation: &Value,
    patients: &HashMap<String, Patient>,
    departments: &HashMap<String, String>,
) -> Result<Finding, &'static str> {
    let id = text(observation, "/id").ok_or("a critical result without an id")?;
    let encounter = reference(observation, "/encounter/reference", "Encounter");
    let department = encounter
        .as_ref()
        .and_then(|encounter| departments.get(encounter))
        .ok_or("a critical result without a department")?;
    let patient = reference(observation, "/subject/reference", "Patient")
        .and_then(|patient| patients.get(&patient))
        .ok_or("a critical result without a patient of name, record number and birth date")?;
    let result = result_of(observation)?;
    let taken = text(observation, "/effectiveDateTime").unwrap_or_default();
    let mut patient = patient.clone();
    patient.encounter = encounter.unwrap_or_default();
    Ok(Finding {
        text: in_words(&id, &result, &taken, &patient),
        id,
        department: department.clone(),
        patient,
        result,
        taken,
    })
}

fn result_of(observation: &Value) -> Result<CriticalResult, &'static str> {
    let test_name = text(observation, "/code/text")
        .or_else(|| text(observation, "/code/coding/0/display"))
        .ok_or("a critical result without a name")?;
    let quantity = &observation["valueQuantity"];
    let value = number(&quantity["value"])
        .or_else(|| text(observation, "/valueString"))
        .or_else(|| text(observation, "/valueCodeableConcept/text"))
        .ok_or("a critical result without a value")?;
    Ok(CriticalResult {
        test_name,
        test_code: text(observation, "/code/coding/0/code").unwrap_or_default(),
        value,
        unit: text(quantity, "/unit").unwrap_or_default(),
        reference_range: range_of(&observation["referenceRange"][0]).unwrap_or_default(),
        abnormal_flag: flags(observation).next().unwrap_or_default().to_owned(),
        specimen_at: None,
    })
}

fn in_words(id: &str, result: &CriticalResult, taken: &str, patient: &Patient) -> String {
    let mut said = format!(
        "Critical result: {} {} {}",
        result.test_name, result.value, result.unit
    );
    said.truncate(said.trim_end().len());
    if !result.reference_range.is_empty() {
        said.push_str(&format!(" (reference {})", result.reference_range));
    }
    if !taken.is_empty() {
        said.push_str(&format!(", taken {taken}"));
    }
    let numbers: Vec<&str> = patient
        .identifiers
        .iter()
        .map(|identifier| identifier.value.as_str())
        .collect();
    said.push_str(&format!(
        ". Patient {}, {}. Result {id}. Read it back to accept it.",
        patient.name,
        numbers.join(", born "),
    ));
    said
}

fn is_critical(observation: &Value) -> bool {
    flags(observation).any(|flag| matches!(flag, "HH" | "LL" | "AA"))
}

/// How abnormal a result is, in the letters of HL7 table 0078.
fn flags(observation: &Value) -> impl Iterator<Item = &str> {
    let concepts = observation["interpretation"].as_array();
    let codings = concepts
        .into_iter()
        .flatten()
        .filter_map(|concept| concept["coding"].as_array());
    codings
        .flatten()
        .filter_map(|coding| coding["code"].as_str())
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

fn number(value: &Value) -> Option<String> {
    value.is_number().then(|| value.to_string())
}

fn range_of(range: &Value) -> Option<String> {
    let unit = |end: &str| text(&range[end], "/unit").unwrap_or_default();
    let (low, high) = (
        number(&range["low"]["value"]),
        number(&range["high"]["value"]),
    );
    let said = match (low, high) {
        (Some(low), Some(high)) => format!("{low} to {high} {}", unit("high")),
        (Some(low), None) => format!("from {low} {}", unit("low")),
        (None, Some(high)) => format!("up to {high} {}", unit("high")),
        (None, None) => text(range, "/text")?,
    };
    Some(said.trim_end().to_owned())
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
