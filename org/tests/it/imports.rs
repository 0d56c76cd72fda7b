use std::path::{Path, PathBuf};

use wardline_org::authority::{Authority, Secrets};
use wardline_org::entry::{Entry, EntryBody};
use wardline_org::fhir::{Counts, Export, ExportError, ImportReport, ProblemKind};
use wardline_org::person::PersonStatus;

use crate::support::{Device, start};

fn hospital() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/hospital")
}

fn authority() -> Authority {
    Authority::found("mercy".parse().unwrap(), 1, &Secrets::generate(1).unwrap()).unwrap()
}

fn import(folder: &Path, authority: &mut Authority) -> ImportReport {
    Export::read(folder)
        .unwrap()
        .apply(authority, start())
        .unwrap()
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, lines) in files {
        std::fs::write(folder.path().join(name), lines).unwrap();
    }
    folder
}

const ADA: &str = r#"{"resourceType":"Practitioner","id":"ada","name":[{"family":"Stone","given":["Ada","M."],"prefix":["Dr."]}]}"#;
const BEN: &str = r#"{"resourceType":"Practitioner","id":"ben","name":[{"use":"old","text":"Old"},{"text":"Ben Hill"}]}"#;

#[test]
fn the_simulated_hospital_is_imported() {
    let mut authority = authority();
    let report = import(&hospital(), &mut authority);
    let added = |added| Counts {
        added,
        ..Default::default()
    };
    assert_eq!(report.people, added(111));
    assert_eq!(report.teams, added(58));
    assert_eq!(report.problems, []);

    let doctor = authority.person(&"DR-CA-001".parse().unwrap()).unwrap();
    assert_eq!(doctor.display_name, "Dr. Priscilla Gupta");
    assert_eq!(doctor.fhir_references, ["Practitioner/DR-CA-001"]);
    assert_eq!(doctor.staff_roles[0].code, "doctor");
    assert_eq!(doctor.staff_roles[0].department, "Cardiology");

    let key = "team/careteam-00712328386f".parse().unwrap();
    let Some(EntryBody::CareTeam(team)) = authority.entry(&key) else {
        panic!("no such team")
    };
    assert_eq!(team.display_name, "Multidisciplinary care team");
    assert_eq!(team.members.len(), 9);
    assert_eq!(team.members[0].role, "Physician");
    assert!(!team.active);
}

#[test]
fn nothing_that_tells_of_a_patient_reaches_the_relay() {
    let mut authority = authority();
    import(&hospital(), &mut authority);
    for (key, body) in authority.entries() {
        let entry = Entry::new(authority.org(), 1, body.clone()).unwrap();
        let text = String::from_utf8_lossy(entry.bytes()).into_owned();
        for telling in [
            "ENC-",
            "enc-",
            "Patient",
            "pt-",
            "encounter",
            "POP-",
            "delivery",
        ] {
            assert!(!text.contains(telling), "{key} tells {telling:?}");
        }
    }
}

#[test]
fn a_second_import_changes_only_what_changed() {
    let mut authority = authority();
    let first = folder(&[("Practitioner.ndjson", &format!("{ADA}\n{BEN}\n"))]);
    import(first.path(), &mut authority);
    let ben = "ben".parse().unwrap();
    let issuer = authority.ticket_issuer().unwrap();
    let ticket = issuer
        .mint(&ben, std::time::Duration::from_secs(60), start())
        .unwrap();
    let device = Device::new("ben", 1);
    authority
        .admit(&crate::relay::enroll_request(&ticket, &device), start())
        .unwrap();

    let renamed = BEN.replace("Ben Hill", "Ben Hill-Stone");
    let second = folder(&[("Practitioner.ndjson", &format!("{ADA}\n{renamed}\n"))]);
    let report = import(second.path(), &mut authority);
    assert_eq!(
        report.people,
        Counts {
            added: 0,
            changed: 1,
            unchanged: 1
        }
    );
    let person = authority.person(&ben).unwrap();
    assert_eq!(person.display_name, "Ben Hill-Stone");
    assert!(person.device(device.id()).unwrap().is_active());

    let left = BEN.replace(r#""id":"ben""#, r#""id":"ben","active":false"#);
    let third = folder(&[("Practitioner.ndjson", &left)]);
    let report = import(third.path(), &mut authority);
    assert_eq!((report.people, report.people_ended), (Counts::default(), 1));
    let person = authority.person(&ben).unwrap();
    assert_eq!(person.status, PersonStatus::Ended);
    assert_eq!(person.active_devices().count(), 0);
    // Who is missing from an export stays.
    assert!(authority.person(&"ada".parse().unwrap()).is_some());
}

#[test]
fn bad_lines_are_named_and_the_others_are_imported() {
    let practitioners = [
        ADA,
        "not json",
        "",
        r#"{"resourceType":"Patient","id":"pt-1"}"#,
        r#"{"resourceType":"Practitioner","id":"no spaces please","name":[{"text":"X"}]}"#,
        r#"{"resourceType":"Practitioner","id":"nameless"}"#,
        r#"{"resourceType":"Practitioner","id":"typed","active":"yes","name":[{"text":"X"}]}"#,
        BEN,
        ADA,
    ]
    .join("\n");
    let roles = r#"{"resourceType":"PractitionerRole","id":"r","practitioner":{"reference":"Practitioner/nobody"}}"#;
    let team = r#"{"resourceType":"CareTeam","name":"x"}"#;
    let folder = folder(&[
        ("Practitioner.000.ndjson", &practitioners),
        ("PractitionerRole.ndjson", roles),
        ("CareTeam.ndjson", team),
        ("Observation.ndjson", "not even read"),
    ]);
    let mut authority = authority();
    let report = import(folder.path(), &mut authority);
    assert_eq!(report.people.added, 2);
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|p| (p.file.as_str(), p.line, p.kind))
        .collect();
    assert_eq!(
        problems,
        [
            ("Practitioner.000.ndjson", 2, ProblemKind::Json),
            ("Practitioner.000.ndjson", 4, ProblemKind::OtherType),
            ("Practitioner.000.ndjson", 5, ProblemKind::Id),
            ("Practitioner.000.ndjson", 6, ProblemKind::NoName),
            ("Practitioner.000.ndjson", 7, ProblemKind::Json),
            ("Practitioner.000.ndjson", 9, ProblemKind::Twice),
            ("PractitionerRole.ndjson", 1, ProblemKind::Reference),
            ("CareTeam.ndjson", 1, ProblemKind::Id),
        ]
    );
    assert_eq!(
        report.problems[0].to_string(),
        "Practitioner.000.ndjson:2: not a FHIR R4 resource in one line of JSON: export it again"
    );
}

#[test]
fn members_who_are_not_staff_are_left_out_and_counted() {
    let role = r#"{"resourceType":"PractitionerRole","id":"ben-role","practitioner":{"reference":"https://ehr.example/fhir/Practitioner/ben/_history/2"}}"#;
    let team = r#"{"resourceType":"CareTeam","id":"t","name":"Team of patient Smith","participant":[
        {"member":{"reference":"Practitioner/ada"},"role":[{"text":"Surgeon"}]},
        {"member":{"reference":"Practitioner/ada"},"role":[{"coding":[{"code":"1","display":"Lead"}]}]},
        {"member":{"reference":"PractitionerRole/ben-role"}},
        {"member":{"reference":"Patient/pt-1","display":"Smith"}},
        {"member":{"reference":"RelatedPerson/rp-1"}},
        {"member":{"reference":"Practitioner/stranger"}},
        {}]}"#
        .replace('\n', " ");
    let folder = folder(&[
        ("Practitioner.ndjson", &format!("{ADA}\n{BEN}")),
        ("PractitionerRole.ndjson", role),
        ("CareTeam.ndjson", &team),
    ]);
    let mut authority = authority();
    let report = import(folder.path(), &mut authority);
    assert_eq!(report.skipped_members, 4);
    assert_eq!(report.problems, []);
    let Some(EntryBody::CareTeam(team)) = authority.entry(&"team/t".parse().unwrap()) else {
        panic!("no such team")
    };
    assert_eq!(team.display_name, "Care team");
    let members: Vec<_> = team
        .members
        .iter()
        .map(|m| (m.user.as_str(), m.role.as_str()))
        .collect();
    assert_eq!(members, [("ada", "Surgeon / Lead"), ("ben", "")]);
    assert!(team.active);
}

#[test]
fn an_entry_that_the_directory_cannot_take_is_the_problem_of_its_line() {
    let members: Vec<String> = (0..1001)
        .map(|i| format!(r#"{{"member":{{"reference":"Practitioner/p{i}"}}}}"#))
        .collect();
    let people: Vec<String> = (0..1001)
        .map(|i| {
            format!(r#"{{"resourceType":"Practitioner","id":"p{i}","name":[{{"text":"P"}}]}}"#)
        })
        .collect();
    let team = format!(
        r#"{{"resourceType":"CareTeam","id":"t","participant":[{}]}}"#,
        members.join(",")
    );
    let folder = folder(&[
        ("Practitioner.ndjson", &people.join("\n")),
        ("CareTeam.ndjson", &team),
    ]);
    let report = import(folder.path(), &mut authority());
    assert_eq!(report.people.added, 1001);
    assert_eq!(report.problems.len(), 1);
    assert!(matches!(report.problems[0].kind, ProblemKind::Entry(_)));
    assert_eq!(
        (report.problems[0].file.as_str(), report.problems[0].line),
        ("CareTeam.ndjson", 1)
    );
}

#[test]
fn a_folder_without_an_export_is_told_apart() {
    let empty = folder(&[("Patient.ndjson", "")]);
    assert!(matches!(
        Export::read(empty.path()),
        Err(ExportError::NoPractitioners)
    ));
    let missing = empty.path().join("nowhere");
    assert!(matches!(Export::read(&missing), Err(ExportError::Io(_))));
}
