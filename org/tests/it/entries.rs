use wardline_org::credential::CredentialError;
use wardline_org::entry::{Entry, EntryBody, EntryError};
use wardline_org::person::{ChangeKind, DeviceChange, Person, PersonStatus, StaffRole, Vouch};
use wardline_org::signer::BadSignature;
use wardline_org::team::{Assignment, CareTeam, RoleLine, TeamMember};
use wardline_org::{OrgId, UserId};
use wardline_proto::{Message, v1};

use crate::hospital::{org, person};
use crate::support::{Device, start};

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn make(body: EntryBody) -> Result<Entry, EntryError> {
    Entry::new(&org(), 1, body)
}

fn two_devices() -> (Device, Device, Person) {
    let (phone, desk) = (Device::new("DR-CA-001", 1), Device::new("DR-CA-001", 2));
    let both = person("DR-CA-001", &[&phone, &desk]);
    (phone, desk, both)
}

fn team(members: &[&str]) -> CareTeam {
    CareTeam {
        team: "stroke".parse().unwrap(),
        display_name: "Stroke team".into(),
        fhir_references: vec!["CareTeam/stroke".into()],
        members: members
            .iter()
            .map(|id| TeamMember {
                user: user(id),
                role: "Physician".into(),
            })
            .collect(),
        active: true,
    }
}

fn line() -> RoleLine {
    RoleLine {
        role: "cardiology-on-call".parse().unwrap(),
        display_name: "Cardiology on call".into(),
        assignments: vec![Assignment {
            user: user("DR-CA-001"),
            from: start(),
            until: start() + std::time::Duration::from_secs(60),
        }],
        custodian: Some(user("DR-CA-002")),
    }
}

#[test]
fn every_kind_of_entry_reads_back() {
    let (.., mut both) = two_devices();
    both.staff_roles.push(StaffRole {
        code: "doctor".into(),
        display: "Doctor".into(),
        department: "Cardiology".into(),
    });
    both.fhir_references.push("Practitioner/DR-CA-001".into());
    for body in [
        EntryBody::Person(both),
        EntryBody::CareTeam(team(&["DR-CA-001", "DR-CA-002"])),
        EntryBody::RoleLine(line()),
        EntryBody::RoleLine(RoleLine {
            custodian: None,
            ..line()
        }),
    ] {
        let entry = make(body.clone()).unwrap();
        let read = Entry::parse(&org(), entry.bytes()).unwrap();
        assert_eq!(read, entry);
        assert_eq!(read.body(), &body);
        assert_eq!(Entry::parse_stored(&org(), entry.bytes()).unwrap(), entry);
        assert!(!format!("{read:?} {body:?}").contains("Name of"));
    }
}

#[test]
fn fields_of_a_later_version_stay_in_the_hash() {
    let entry = make(EntryBody::Person(person("DR-CA-001", &[]))).unwrap();
    let mut later = entry.bytes().to_vec();
    later.extend([0xfa, 0x06, 0x01, 0x2a]); // field 111, one byte
    let read = Entry::parse(&org(), &later).unwrap();
    assert_eq!(read.bytes(), later);
    assert_ne!(read.hash(), entry.hash());
}

#[test]
fn the_holder_of_a_line_changes_at_the_end_of_the_turn() {
    let line = line();
    let turn = line.assignments[0].clone();
    let just_before = turn.until - std::time::Duration::from_millis(1);
    assert_eq!(line.holders(turn.from).collect::<Vec<_>>(), [&turn.user]);
    assert_eq!(line.holders(just_before).collect::<Vec<_>>(), [&turn.user]);
    assert_eq!(line.holders(turn.until).count(), 0);
}

#[test]
fn a_patient_or_encounter_is_refused_however_it_is_written() {
    for reference in [
        "Patient/pt-1",
        "https://ehr.example/fhir/Patient/pt-1",
        "patient/pt-1",
        "Encounter/enc-1",
        "RelatedPerson/1",
    ] {
        let mut with_patient = team(&[]);
        with_patient.fhir_references.push(reference.into());
        assert_eq!(
            make(EntryBody::CareTeam(with_patient)),
            Err(EntryError::NamesPatient)
        );
    }
}

#[test]
fn a_device_under_another_person_or_organization_is_refused() {
    let stolen = Device::new("DR-CA-002", 2);
    let refused = make(EntryBody::Person(person("DR-CA-001", &[&stolen])));
    assert_eq!(refused, Err(EntryError::OtherOwner));

    let own = make(EntryBody::Person(person("DR-CA-002", &[&stolen]))).unwrap();
    let elsewhere: OrgId = "general".parse().unwrap();
    assert_eq!(
        Entry::parse(&elsewhere, own.bytes()),
        Err(EntryError::OtherOwner)
    );
}

#[test]
fn a_forged_credential_in_an_entry_is_refused() {
    let (.., both) = two_devices();
    let entry = make(EntryBody::Person(both)).unwrap();
    let mut message = v1::Entry::decode(entry.bytes()).unwrap();
    let Some(v1::entry::Body::Person(person)) = &mut message.body else {
        panic!()
    };
    person.devices[0].signature[0] ^= 1;
    let refused = Entry::parse(&org(), &message.encode_to_vec());
    assert_eq!(
        refused,
        Err(EntryError::Credential(CredentialError::BadSignature(
            BadSignature
        )))
    );
}

#[test]
fn device_changes_that_do_not_lead_to_the_devices_are_refused() {
    let refused = |change: &dyn Fn(&mut Person)| {
        let (.., mut both) = two_devices();
        change(&mut both);
        assert_eq!(
            make(EntryBody::Person(both)),
            Err(EntryError::DeviceChanges)
        );
    };
    refused(&|p| p.device_changes.truncate(1));
    refused(&|p| p.devices.truncate(1));
    refused(&|p| p.device_changes.swap(0, 1));
    refused(&|p| p.devices[0].revoked_at = Some(start()));
    refused(&|p| p.devices[0].enrolled_at = start() + std::time::Duration::from_secs(1));
    refused(&|p| p.status = PersonStatus::Ended);
    refused(&|p| {
        let again = DeviceChange::next(
            p.device_changes.last(),
            p.devices[0].id(),
            ChangeKind::Added,
            start(),
        );
        p.device_changes.push(again);
    });
}

#[test]
fn a_revoked_device_stays_listed_and_is_no_longer_active() {
    let (phone, desk, mut both) = two_devices();
    revoke(&mut both, 0);
    let entry = make(EntryBody::Person(both)).unwrap();
    let person = entry.person().unwrap();
    assert!(!person.device(phone.id()).unwrap().is_active());
    let active: Vec<_> = person.active_devices().map(|device| device.id()).collect();
    assert_eq!(active, [desk.id()]);
}

fn revoke(person: &mut Person, index: usize) {
    let at = start() + std::time::Duration::from_secs(60);
    let device = person.devices[index].id();
    let last = person.device_changes.last();
    let change = DeviceChange::next(last, device, ChangeKind::Revoked, at);
    person.device_changes.push(change);
    person.devices[index].revoked_at = Some(at);
}

#[test]
fn a_second_device_is_unvouched_until_the_first_vouches() {
    let (phone, desk, mut both) = two_devices();
    assert!(both.is_vouched(phone.id()));
    assert!(!both.is_vouched(desk.id()));

    both.devices[1]
        .vouches
        .push(Vouch::create(&phone.signer, phone.id(), desk.id()));
    let entry = make(EntryBody::Person(both)).unwrap();
    assert!(entry.person().unwrap().is_vouched(desk.id()));
}

#[test]
fn a_vouch_that_the_other_device_did_not_give_is_refused() {
    let (phone, desk, both) = two_devices();
    let stranger = Device::new("DR-CA-002", 3);
    for forged in [
        Vouch::create(&desk.signer, phone.id(), desk.id()),
        Vouch::create(&desk.signer, desk.id(), desk.id()),
        Vouch::create(&stranger.signer, stranger.id(), desk.id()),
        Vouch::create(&phone.signer, phone.id(), stranger.id()),
    ] {
        let mut person = both.clone();
        person.devices[1].vouches.push(forged);
        assert_eq!(make(EntryBody::Person(person)), Err(EntryError::Vouch));
    }
}

#[test]
fn a_persons_own_device_notices_a_rewritten_history() {
    let (phone, desk, both) = two_devices();
    let mut revoked = both.clone();
    revoke(&mut revoked, 1);
    assert!(revoked.extends(&both));
    assert_eq!(revoked.changes_since(&both).len(), 1);
    assert!(!both.extends(&revoked));

    let rewritten = person("DR-CA-001", &[&desk, &phone]);
    assert!(!rewritten.extends(&both));
}

#[test]
fn malformed_entries_are_refused() {
    let entry = make(EntryBody::CareTeam(team(&["DR-CA-001"]))).unwrap();
    let altered = |change: &dyn Fn(&mut v1::Entry)| {
        let mut message = v1::Entry::decode(entry.bytes()).unwrap();
        change(&mut message);
        Entry::parse(&org(), &message.encode_to_vec()).unwrap_err()
    };
    assert_eq!(
        altered(&|e| e.key = "team/other".into()),
        EntryError::Malformed
    );
    assert_eq!(
        altered(&|e| e.key = "person/stroke".into()),
        EntryError::Malformed
    );
    assert_eq!(altered(&|e| e.body = None), EntryError::Malformed);
    assert_eq!(altered(&|e| e.version = 2), EntryError::Version(2));

    let twice = team(&["DR-CA-001", "DR-CA-001"]);
    assert_eq!(make(EntryBody::CareTeam(twice)), Err(EntryError::Malformed));
    let unnamed = CareTeam {
        display_name: String::new(),
        ..team(&[])
    };
    assert_eq!(
        make(EntryBody::CareTeam(unnamed)),
        Err(EntryError::Malformed)
    );
    let mut backwards = line();
    backwards.assignments[0].until = start();
    assert_eq!(
        make(EntryBody::RoleLine(backwards)),
        Err(EntryError::Malformed)
    );
    let huge = vec![0; wardline_org::entry::MAX_ENTRY + 1];
    assert_eq!(Entry::parse(&org(), &huge), Err(EntryError::TooLarge));
}
