//! The few fields of FHIR R4 resources that the directory takes. Everything else is not even read, so
//! that nothing about a patient can slip in.

use serde::{Deserialize, de::DeserializeOwned};

use super::{ProblemKind, label};

/// A resource in one line of NDJSON.
pub(super) trait Resource: DeserializeOwned {
    fn parse(line: &[u8], resource_type: &str) -> Result<Self, ProblemKind> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            resource_type: String,
        }
        let kind: Kind = serde_json::from_slice(line).map_err(|_| ProblemKind::Json)?;
        if kind.resource_type != resource_type {
            return Err(ProblemKind::OtherType);
        }
        serde_json::from_slice(line).map_err(|_| ProblemKind::Json)
    }
}

#[derive(Deserialize)]
pub(super) struct Organization {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Practitioner {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default)]
    name: Vec<HumanName>,
}

impl Practitioner {
    /// "Dr. Priscilla Gupta": the official or usual name before others.
    pub(super) fn display_name(&self) -> Option<String> {
        let rank = |name: &&HumanName| match name.usage.as_deref() {
            Some("official") => 0,
            Some("usual") | None => 1,
            Some("old" | "maiden" | "nickname") => 3,
            Some(_) => 2,
        };
        let mut names: Vec<&HumanName> = self.name.iter().collect();
        names.sort_by_key(rank);
        names
            .into_iter()
            .map(HumanName::text)
            .find(|name| !name.is_empty())
    }
}

#[derive(Deserialize)]
struct HumanName {
    #[serde(rename = "use")]
    usage: Option<String>,
    text: Option<String>,
    family: Option<String>,
    #[serde(default)]
    given: Vec<String>,
    #[serde(default)]
    prefix: Vec<String>,
    #[serde(default)]
    suffix: Vec<String>,
}

impl HumanName {
    fn text(&self) -> String {
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            return label(text);
        }
        let parts = self
            .prefix
            .iter()
            .chain(&self.given)
            .chain(&self.family)
            .chain(&self.suffix);
        let parts: Vec<&str> = parts
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        label(&parts.join(" "))
    }
}

#[derive(Deserialize)]
pub(super) struct PractitionerRole {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default = "yes")]
    pub(super) active: bool,
    pub(super) practitioner: Option<Reference>,
    pub(super) organization: Option<Reference>,
    #[serde(default)]
    pub(super) code: Vec<Concept>,
    #[serde(default)]
    pub(super) specialty: Vec<Concept>,
}

#[derive(Deserialize)]
pub(super) struct CareTeam {
    #[serde(default)]
    pub(super) id: String,
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) category: Vec<Concept>,
    #[serde(default)]
    pub(super) participant: Vec<Participant>,
}

#[derive(Deserialize)]
pub(super) struct Participant {
    #[serde(default)]
    pub(super) role: Vec<Concept>,
    pub(super) member: Option<Reference>,
}

#[derive(Deserialize)]
pub(super) struct Reference {
    #[serde(default)]
    reference: String,
}

impl Reference {
    /// The id in `Type/id`, also at the end of an absolute URL or before a version.
    pub(super) fn id_of(&self, resource_type: &str) -> Option<&str> {
        let mut parts = self.reference.split('/');
        parts.find(|part| *part == resource_type)?;
        parts.next()
    }
}

#[derive(Deserialize)]
pub(super) struct Concept {
    #[serde(default)]
    coding: Vec<Coding>,
    text: Option<String>,
}

impl Concept {
    /// What a person reads; fit for a label of the directory.
    pub(super) fn text(&self) -> Option<String> {
        let coded = self.coding.iter().find_map(|coding| coding.display.clone());
        self.text
            .clone()
            .or(coded)
            .filter(|text| !text.trim().is_empty())
    }

    /// The first code, or the text where there is none; fit for a label of the directory.
    pub(super) fn code(&self) -> Option<String> {
        let coded = self.coding.iter().find_map(|coding| coding.code.clone());
        let codes = [coded, self.text.clone()].into_iter().flatten();
        codes.map(|code| label(&code)).find(|code| !code.is_empty())
    }
}

#[derive(Deserialize)]
struct Coding {
    code: Option<String>,
    display: Option<String>,
}

impl Resource for Organization {}
impl Resource for Practitioner {}
impl Resource for PractitionerRole {}
impl Resource for CareTeam {}

fn yes() -> bool {
    true
}
