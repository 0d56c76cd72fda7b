use std::{sync::Arc, time::Duration};

use wardline_org::Signer;
use wardline_org::authority::{
    Authority, AuthorityError, HeadPlan, PersonDetails, Secrets, SnapshotError,
};
use wardline_org::entry::EntryError;
use wardline_org::policy::Policy;
use wardline_org::root::{Purpose, RootError};
use wardline_org::team::{CareTeam, TeamMember};

use crate::desk::{Desk, details, user};
use crate::support::{Device, start};

#[test]
fn only_what_changed_is_published() {
    let mut desk = Desk::new();
    assert_eq!(desk.authority.version(), 1);
    assert_eq!(desk.authority.prepare(desk.now), Ok(None));

    assert!(!desk.authority.upsert_person(details("DR-CA-001")).unwrap());
    assert_eq!(desk.authority.prepare(desk.now), Ok(None));

    desk.authority
        .upsert_person(PersonDetails::new(user("DR-CA-001"), "Another name"))
        .unwrap();
    let request = desk.publish();
    assert_eq!(request.changed_entries.len(), 1);
    assert!(request.policy.is_empty() && request.roots.is_empty());
}

#[test]
fn a_head_is_renewed_when_half_of_its_time_is_over() {
    let mut desk = Desk::new();
    desk.now = start() + Duration::from_secs(12 * 3600);
    assert_eq!(desk.authority.prepare(desk.now), Ok(None));
    desk.now = desk.now + Duration::from_secs(1);
    let request = desk.publish();
    assert!(request.changed_entries.is_empty());
    assert_eq!(desk.authority.version(), 2);
    let expiry = desk.authority.head().unwrap().head().expires_at;
    assert_eq!(expiry, desk.now + Duration::from_secs(24 * 3600));
}

#[test]
fn a_backend_clock_that_goes_back_does_not_stop_publication() {
    let mut desk = Desk::new();
    desk.now = start() - Duration::from_secs(3600);
    desk.authority.upsert_person(details("NEW")).unwrap();
    desk.publish();
    assert_eq!(desk.authority.head().unwrap().head().issued_at, start());
}

#[test]
fn a_revoked_device_is_revoked_with_the_next_head_and_for_good() {
    let mut desk = Desk::new();
    let device = Device::new("DR-CA-001", 1);
    desk.admit("DR-CA-001", &device).unwrap();
    desk.publish();
    desk.now = desk.now + Duration::from_secs(60);
    let person = user("DR-CA-001");
    assert!(
        desk.authority
            .revoke_device(&person, device.id(), desk.now)
            .unwrap()
    );
    assert!(
        !desk
            .authority
            .revoke_device(&person, device.id(), desk.now)
            .unwrap()
    );
    desk.publish();
    let entry = desk.authority.person(&person).unwrap();
    assert_eq!(
        entry.device(device.id()).unwrap().revoked_at,
        Some(desk.now)
    );

    let unknown = Device::new("DR-CA-001", 7).id();
    let refused = desk.authority.revoke_device(&person, unknown, desk.now);
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
    let refused = desk
        .authority
        .revoke_device(&user("NOBODY"), device.id(), desk.now);
    assert_eq!(refused, Err(AuthorityError::UnknownPerson));
}

#[test]
fn somebody_who_left_and_came_back_starts_without_devices() {
    let mut desk = Desk::new();
    let device = Device::new("DR-CA-001", 1);
    desk.admit("DR-CA-001", &device).unwrap();
    let person = user("DR-CA-001");
    assert!(desk.authority.end_person(&person, desk.now).unwrap());
    assert!(!desk.authority.end_person(&person, desk.now).unwrap());
    desk.publish();
    assert!(desk.authority.upsert_person(details("DR-CA-001")).unwrap());
    desk.publish();
    assert_eq!(
        desk.authority
            .person(&person)
            .unwrap()
            .active_devices()
            .count(),
        0
    );
    assert!(
        desk.admit("DR-CA-001", &Device::new("DR-CA-001", 2))
            .is_ok()
    );
}

fn team() -> CareTeam {
    CareTeam {
        team: "stroke".parse().unwrap(),
        display_name: "Stroke team".into(),
        fhir_references: Vec::new(),
        members: vec![TeamMember {
            user: user("DR-CA-001"),
            role: "Physician".into(),
        }],
        active: true,
    }
}

#[test]
fn a_team_comes_changes_and_goes() {
    let mut desk = Desk::new();
    assert!(desk.authority.upsert_team(team()).unwrap());
    assert!(!desk.authority.upsert_team(team()).unwrap());
    desk.publish();
    assert!(desk.authority.remove_team(&team().team));
    assert!(!desk.authority.remove_team(&team().team));
    let request = desk.publish();
    assert_eq!(request.removed_keys, ["team/stroke"]);

    // One that came and went between two heads was never there.
    desk.authority.upsert_team(team()).unwrap();
    desk.authority.remove_team(&team().team);
    let request = desk.publish();
    assert!(request.removed_keys.is_empty() && request.changed_entries.is_empty());
}

#[test]
fn a_refused_change_leaves_the_directory_as_it_was() {
    let mut desk = Desk::new();
    let unnamed = PersonDetails::new(user("DR-CA-001"), "");
    let refused = desk.authority.upsert_person(unnamed);
    assert_eq!(refused, Err(AuthorityError::Entry(EntryError::Malformed)));
    let person = desk.authority.person(&user("DR-CA-001")).unwrap();
    assert_eq!(person.display_name, "Name of DR-CA-001");
    assert_eq!(desk.authority.prepare(desk.now), Ok(None));
}

#[test]
fn a_policy_goes_forward_only() {
    let mut desk = Desk::new();
    let same = Policy::new("mercy".parse().unwrap());
    assert_eq!(
        desk.authority.set_policy(&same),
        Err(AuthorityError::PolicyVersion)
    );
    let foreign = Policy {
        version: 2,
        ..Policy::new("general".parse().unwrap())
    };
    assert_eq!(
        desk.authority.set_policy(&foreign),
        Err(AuthorityError::PolicyVersion)
    );

    desk.authority
        .set_policy(&Policy {
            version: 2,
            max_text_bytes: 1000,
            ..same
        })
        .unwrap();
    let request = desk.publish();
    assert!(request.policy.contains("\"max_text_bytes\": 1000"));
    assert_eq!(desk.authority.prepare(desk.now), Ok(None));
}

#[test]
fn every_key_can_be_replaced_and_devices_follow() {
    let mut desk = Desk::new();
    let mut trust = wardline_org::trust::Trust::new("mercy".parse().unwrap(), desk.authority.pin());
    trust
        .accept(&desk.directory.head_answer(&trust.request()).unwrap())
        .unwrap();

    let fresh = Secrets::generate(3).unwrap();
    let both: Vec<Arc<dyn Signer>> = desk
        .secrets
        .root_signers()
        .into_iter()
        .chain(fresh.root_signers())
        .collect();
    let new_keys: Vec<_> = fresh
        .root_signers()
        .iter()
        .map(|key| key.public_key())
        .collect();

    let old_only = desk.secrets.root_signers();
    let refused = desk
        .authority
        .rotate(new_keys.clone(), 2, fresh.signers(), &old_only);
    assert!(matches!(
        refused,
        Err(AuthorityError::Root(RootError::Note(_)))
    ));
    let new_only = fresh.root_signers();
    let refused = desk
        .authority
        .rotate(new_keys.clone(), 2, fresh.signers(), &new_only);
    assert!(matches!(
        refused,
        Err(AuthorityError::Root(RootError::Note(_)))
    ));
    assert_eq!(desk.authority.prepare(desk.now), Ok(None));

    desk.authority
        .rotate(new_keys, 2, fresh.signers(), &both)
        .unwrap();
    desk.secrets = fresh;
    let request = desk.publish();
    assert_eq!(request.roots.len(), 1);
    assert!(!request.policy.is_empty());
    let accepted = trust
        .accept(&desk.directory.head_answer(&trust.request()).unwrap())
        .unwrap();
    assert!(accepted.root_changed && accepted.head_changed && accepted.policy_changed);
    desk.restart();
    desk.authority.upsert_team(team()).unwrap();
    desk.publish();
}

#[test]
fn keys_are_not_replaced_while_a_head_is_on_its_way() {
    let mut desk = Desk::new();
    desk.authority.upsert_team(team()).unwrap();
    desk.authority.prepare(desk.now).unwrap().unwrap();
    let fresh = Secrets::generate(2).unwrap();
    let both = [desk.secrets.root_signers(), fresh.root_signers()].concat();
    let keys: Vec<_> = fresh
        .root_signers()
        .iter()
        .map(|signer| signer.public_key())
        .collect();
    let early = desk
        .authority
        .rotate(keys.clone(), 2, fresh.signers(), &both);
    assert_eq!(early, Err(AuthorityError::Unsettled));

    desk.authority.abandon();
    desk.authority
        .rotate(keys, 2, fresh.signers(), &both)
        .unwrap();
    desk.secrets = fresh;
    // The keys first and alone, then what waited.
    let request = desk.publish();
    assert_eq!((request.roots.len(), request.changed_entries.len()), (1, 0));
    let request = desk.publish();
    assert_eq!((request.roots.len(), request.changed_entries.len()), (0, 1));
}

#[test]
fn an_authority_without_a_needed_key_says_which() {
    let secrets = Secrets::generate(1).unwrap();
    let org = || "mercy".parse().unwrap();
    let found = |purposes: &[Purpose]| {
        let all = secrets.signers();
        let some = purposes.iter().fold(
            Default::default(),
            |s: wardline_org::authority::Signers, p| s.with(*p, all.get(*p).unwrap().clone()),
        );
        Authority::found_with(Policy::new(org()), 1, &secrets.root_signers(), some)
    };
    let missing = |found: Result<Authority, AuthorityError>| found.map(|_| ()).unwrap_err();
    assert_eq!(
        missing(found(&[])),
        AuthorityError::MissingKey(Purpose::Policy)
    );
    let no_head = missing(found(&[Purpose::Policy, Purpose::Authority]));
    assert_eq!(no_head, AuthorityError::Root(RootError::Malformed));

    let minimal = found(&[Purpose::Policy, Purpose::Authority, Purpose::Head]).unwrap();
    let no_tickets = minimal.ticket_issuer().map(|_| ()).unwrap_err();
    assert_eq!(no_tickets, AuthorityError::MissingKey(Purpose::Ticket));
}

#[test]
fn a_snapshot_brings_everything_back_but_the_keys() {
    let mut desk = Desk::new();
    desk.admit("DR-CA-001", &Device::new("DR-CA-001", 1))
        .unwrap();
    desk.publish();
    desk.authority.upsert_team(team()).unwrap();
    desk.authority.set_enrollments_seen(7);

    let before = desk.authority.snapshot();
    desk.restart();
    assert_eq!(desk.authority.snapshot(), before);
    assert_eq!(desk.authority.enrollments_seen(), 7);
    assert_eq!(desk.publish().changed_entries.len(), 1);
    let seed = desk.secrets.root_signers().len();
    assert_eq!(seed, 3);
}

#[test]
fn a_prepared_head_is_offered_again_after_a_restart_and_abandoned_changes_are_not_lost() {
    let mut desk = Desk::new();
    desk.authority.upsert_team(team()).unwrap();
    let prepared = desk.authority.prepare(desk.now).unwrap().unwrap();
    // Changes meanwhile wait for the head after it.
    desk.authority.upsert_person(details("NEW")).unwrap();
    desk.restart();
    assert_eq!(desk.authority.prepare(desk.now), Ok(Some(prepared.clone())));

    desk.authority.abandon();
    let again = desk.publish();
    assert_eq!(again.changed_entries.len(), 2);
    assert_eq!(again.expected_version, prepared.expected_version);
}

#[test]
fn a_snapshot_with_other_keys_or_damage_is_refused() {
    let mut desk = Desk::new();
    desk.authority.upsert_team(team()).unwrap();
    desk.authority.prepare(desk.now).unwrap();
    let snapshot = desk.authority.snapshot();
    let restore = |bytes: &[u8]| {
        Authority::restore(bytes, desk.secrets.signers())
            .map(|_| ())
            .unwrap_err()
    };
    let other = Secrets::generate(1).unwrap().signers();
    let refused = Authority::restore(&snapshot, other)
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(refused, SnapshotError::OtherKey(_)));

    let text = String::from_utf8(snapshot).unwrap();
    let later = text.replacen("\"format\":1", "\"format\":2", 1);
    assert_eq!(restore(later.as_bytes()), SnapshotError::Format(2));
    assert_eq!(restore(b""), SnapshotError::Malformed);
    let tree = text.replacen("person/DR-CA-002", "person/DR-CA-003", 1);
    assert_eq!(restore(tree.as_bytes()), SnapshotError::Malformed);
}

#[test]
fn secrets_survive_their_bytes_and_show_nothing() {
    let secrets = Secrets::generate(2).unwrap();
    let bytes = secrets.to_bytes();
    let loaded = Secrets::from_bytes(&bytes).unwrap();
    for purpose in Purpose::ALL {
        let key = |secrets: &Secrets| secrets.signers().get(purpose).unwrap().public_key();
        assert_eq!(key(&loaded), key(&secrets));
    }
    assert_eq!(loaded.root_signers().len(), 2);
    assert_eq!(format!("{secrets:?}"), "Secrets { .. }");
    assert!(Secrets::from_bytes(b"{}").is_err());
    assert!(Secrets::from_bytes(&bytes[1..]).is_err());
}

#[test]
fn a_large_hospital_is_published_in_parts_and_then_one_change_is_one_entry() {
    let mut desk = Desk::new();
    desk.authority.set_plan(HeadPlan {
        max_changed_bytes: 50_000,
        ..HeadPlan::default()
    });
    for i in 0..2_000 {
        desk.authority
            .upsert_person(details(&format!("user-{i:05}")))
            .unwrap();
    }
    let mut published = 0;
    while desk.authority.is_due(desk.now) {
        let part = desk.publish();
        assert!(part.changed_entries.iter().map(Vec::len).sum::<usize>() < 51_000);
        published += part.changed_entries.len();
    }
    assert_eq!(published, 2_000);
    assert!(desk.authority.version() > 2);

    desk.admit("user-01000", &Device::new("user-01000", 1))
        .unwrap();
    assert_eq!(desk.publish().changed_entries.len(), 1);
}

#[test]
fn a_plan_that_would_renew_at_once_does_not() {
    let mut desk = Desk::new();
    let hour = Duration::from_secs(3600);
    desk.authority.set_plan(HeadPlan {
        validity: hour,
        renew_before: hour,
        ..HeadPlan::default()
    });
    desk.now = desk.now + 24 * hour;
    desk.publish();
    assert!(!desk.authority.is_due(desk.now + hour / 2));
    assert!(
        desk.authority
            .is_due(desk.now + hour / 2 + Duration::from_secs(1))
    );
}
