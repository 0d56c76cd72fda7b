//! The quickstart, as a newcomer runs it, on a hospital of three teams and with the gaps of a real export.

use std::{fs, path::Path};

use serde_json::Value;
use wardline_examples::quickstart::{self, Options, Progress};

#[tokio::test(flavor = "multi_thread")]
async fn quickstart_keeps_its_word_on_a_small_hospital_with_gaps() {
    let folder = small_hospital();
    let report = quickstart::run(Options {
        data: folder.path().to_owned(),
        progress: Progress::Silent,
    })
    .await
    .unwrap();
    assert_eq!(report.failures(), Vec::<String>::new());
    assert_eq!(report.messages, TEAMS * RESULTS);
    assert_eq!(report.devices, report.recipients * 2);
    assert_eq!((report.restarted, report.revoked), (1, 1));
    assert!(report.offline > 0 && report.locked > 0);
    assert_eq!(report.relay_refuses_revoked, Some(true));
    assert!(report.scan.needles > 0 && report.scan.bytes > 0);

    let count = |reason: &str| report.passed_over.get(reason).copied();
    assert_eq!(count("a critical result without a care team"), Some(1));
    assert_eq!(
        count("a critical result whose care team has no staff"),
        Some(1)
    );
    assert_eq!(count("a critical result that came before"), Some(1));
    assert_eq!(count("a line that is no such FHIR resource"), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn quickstart_says_what_is_missing_where_nothing_can_be_sent() {
    let folder = tempfile::tempdir().unwrap();
    let people = quickstart::hospital().join("Practitioner.ndjson");
    fs::copy(people, folder.path().join("Practitioner.ndjson")).unwrap();
    let error = quickstart::run(Options {
        data: folder.path().to_owned(),
        progress: Progress::Silent,
    })
    .await
    .unwrap_err();
    assert!(error.to_string().contains("no file Observation*.ndjson"));
}

/// The smallest teams of the simulated hospital that have enough results, and lines that cannot be sent.
fn small_hospital() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Patient",
    ] {
        let file = format!("{file}.ndjson");
        fs::copy(
            quickstart::hospital().join(&file),
            folder.path().join(&file),
        )
        .unwrap();
    }
    let observations = lines("Observation");
    let encounter = |resource: &Value| resource["encounter"]["reference"].clone();
    let of = |team: &Value| {
        let encounter_of_team = encounter(team);
        let found = observations
            .iter()
            .filter(move |observation| encounter(observation) == encounter_of_team);
        found.take(RESULTS).cloned().collect::<Vec<Value>>()
    };
    let mut teams = lines("CareTeam");
    teams.retain(|team| of(team).len() == RESULTS);
    teams.sort_by_key(|team| team["participant"].as_array().map(Vec::len));
    teams.truncate(TEAMS);

    let mut results: Vec<Value> = teams.iter().flat_map(&of).collect();
    let (again, mut nowhere, mut nobody) =
        (results[0].clone(), results[0].clone(), results[0].clone());
    nowhere["id"] = "nowhere".into();
    nowhere["encounter"]["reference"] = "Encounter/unknown".into();
    nobody["id"] = "nobody".into();
    nobody["encounter"]["reference"] = "Encounter/empty".into();
    results.extend([again, nowhere, nobody]);
    let mut empty = teams[0].clone();
    empty["id"] = "empty".into();
    empty["encounter"]["reference"] = "Encounter/empty".into();
    empty["participant"] = Value::Array(Vec::new());
    teams.push(empty);

    let write = |file: &str, lines: String| {
        fs::write(folder.path().join(file), lines).unwrap();
    };
    write("CareTeam.ndjson", text(&teams));
    write(
        "Observation.ndjson",
        text(&results) + "{\"resourceType\":\n",
    );
    folder
}

fn lines(resource: &str) -> Vec<Value> {
    let path = quickstart::hospital().join(Path::new(resource).with_extension("ndjson"));
    let file = fs::read_to_string(path).unwrap();
    let lines = file.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text(resources: &[Value]) -> String {
    resources
        .iter()
        .map(|resource| format!("{resource}\n"))
        .collect()
}

const TEAMS: usize = 3;
const RESULTS: usize = 3;
