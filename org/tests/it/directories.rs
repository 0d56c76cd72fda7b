use std::time::Duration;

use wardline_org::directory::{Directory, PublishError, StoredDirectory};
use wardline_org::entry::{Entry, EntryBody};
use wardline_org::head::{Head, HeadError, SignedHead};
use wardline_org::note::NoteError;
use wardline_org::policy::{Policy, PolicyError, SignedPolicy};
use wardline_org::root::{Root, RootError};
use wardline_org::{Hash, Signer};
use wardline_proto::v1;

use crate::hospital::{
    HEAD_SEED, Hospital, POLICY_SEED, first_root, key, org, person, query, sign_head, sign_root,
};

fn hospital() -> Hospital {
    Hospital::with_people(&["DR-CA-001", "DR-CA-002"])
}

fn refused(hospital: &Hospital, request: &v1::PublishHeadRequest) -> PublishError {
    hospital.directory.check(request).unwrap_err()
}

/// A good request whose head says something else.
fn altered(hospital: &Hospital, change: impl FnOnce(&mut Head)) -> v1::PublishHeadRequest {
    let mut head = hospital.next_head(hospital.directory.entries());
    change(&mut head);
    let request = hospital.request(Vec::new());
    v1::PublishHeadRequest {
        head: sign_head(&head).to_string(),
        ..request
    }
}

#[test]
fn what_is_published_is_served_and_survives_a_restart() {
    let mut hospital = hospital();
    hospital.publish(vec![person("NS-CA-001", &[])]);
    hospital.refresh();

    hospital.directory = Directory::load(org(), hospital.root.hash(), hospital.on_disk()).unwrap();
    let trust = hospital.friend();
    let asked = query("person/NS-CA-001");
    assert!(trust.verify_entry(&asked, &hospital.entry(&asked)).is_ok());
    hospital.refresh();
    assert_eq!(hospital.directory.version(), 4);
}

#[test]
fn an_empty_store_is_a_new_directory() {
    let hospital = Hospital::new();
    let loaded = Directory::load(org(), hospital.root.hash(), StoredDirectory::default()).unwrap();
    assert_eq!(loaded.version(), 0);
    assert!(loaded.head_answer(&v1::HeadRequest::default()).is_none());
    assert!(
        loaded
            .check(&hospital.request(vec![person("DR-CA-001", &[])]))
            .is_ok()
    );
}

#[test]
fn a_keeper_with_the_root_document_knows_the_authority_before_the_first_head() {
    let hospital = Hospital::new();
    let stored = StoredDirectory {
        roots: vec![hospital.root.to_string()],
        ..StoredDirectory::default()
    };
    let loaded = Directory::load(org(), hospital.root.hash(), stored).unwrap();
    assert_eq!(loaded.root(), Some(hospital.root.root()));
    assert_eq!(loaded.version(), 0);
    let request = v1::PublishHeadRequest {
        roots: Vec::new(),
        ..hospital.request(vec![person("DR-CA-001", &[])])
    };
    assert!(loaded.check(&request).is_ok());
}

#[test]
fn a_store_whose_parts_do_not_fit_is_noticed() {
    let mut hospital = hospital();
    hospital.refresh();
    let load = |change: &dyn Fn(&mut StoredDirectory)| {
        let mut stored = hospital.on_disk();
        change(&mut stored);
        Directory::load(org(), hospital.root.hash(), stored)
            .map(|_| ())
            .unwrap_err()
    };
    assert_eq!(load(&|s| drop(s.entries.pop())), PublishError::Entries);
    assert_eq!(load(&|s| s.earlier_heads.clear()), PublishError::History);
    assert_eq!(
        load(&|s| s.earlier_heads[0] = Hash::of(b"x")),
        PublishError::History
    );
    assert_eq!(
        load(&|s| s.roots.clear()),
        PublishError::Root(RootError::NotPinned)
    );
    assert!(matches!(
        load(&|s| s.policy = None),
        PublishError::Policy(_)
    ));
    assert_eq!(
        load(&|s| {
            s.head = None;
            s.policy = None;
        }),
        PublishError::History
    );
}

#[test]
fn publishing_on_an_older_head_conflicts_and_changes_nothing() {
    let mut hospital = hospital();
    let late = hospital.request(vec![person("LATE", &[])]);
    let judged = hospital.directory.check(&late).unwrap();
    hospital.refresh();
    assert_eq!(
        refused(&hospital, &late),
        PublishError::Conflict { held: 2 }
    );
    // Also when it was judged before the other one was applied.
    let conflict = hospital.directory.apply(judged);
    assert_eq!(conflict, Err(PublishError::Conflict { held: 2 }));
    assert_eq!(hospital.directory.entries().root().count, 2);
}

#[test]
fn a_head_by_another_key_or_without_its_place_is_refused() {
    let hospital = hospital();
    let head = hospital.next_head(hospital.directory.entries());
    let by_policy_key = SignedHead::sign(&head, &key(POLICY_SEED))
        .unwrap()
        .to_string();
    let request = v1::PublishHeadRequest {
        head: by_policy_key,
        ..hospital.request(Vec::new())
    };
    let expected = PublishError::Head(HeadError::Note(NoteError::NotSigned));
    assert_eq!(refused(&hospital, &request), expected);

    let back = hospital.now - Duration::from_secs(1);
    for request in [
        altered(&hospital, |head| head.version = 3),
        altered(&hospital, |head| head.heads_root = Hash::of(b"")),
        altered(&hospital, |head| head.issued_at = back),
    ] {
        assert_eq!(refused(&hospital, &request), PublishError::History);
    }
}

#[test]
fn entries_that_do_not_make_the_heads_tree_are_refused() {
    let hospital = hospital();
    let good = hospital.request(vec![person("NS-CA-001", &[])]);
    assert!(hospital.directory.check(&good).is_ok());

    let mut missing = good.clone();
    missing.changed_entries.clear();
    let mut twice = good.clone();
    twice.changed_entries.push(good.changed_entries[0].clone());
    let mut removed_too = good.clone();
    removed_too.removed_keys.push("person/NS-CA-001".into());
    let mut removed_unknown = good.clone();
    removed_unknown.removed_keys.push("person/nobody".into());
    let mut other_version = good.clone();
    other_version.changed_entries[0] =
        Entry::new(&org(), 1, EntryBody::Person(person("NS-CA-001", &[])))
            .unwrap()
            .bytes()
            .to_vec();
    let fewer = altered(&hospital, |head| head.entries_count = 1);
    for request in [
        missing,
        twice,
        removed_too,
        removed_unknown,
        other_version,
        fewer,
    ] {
        assert_eq!(refused(&hospital, &request), PublishError::Entries);
    }

    let mut garbage = good;
    garbage.changed_entries[0] = vec![0xff];
    assert!(matches!(
        refused(&hospital, &garbage),
        PublishError::Entry(_)
    ));
}

#[test]
fn an_entry_can_be_removed() {
    let mut hospital = hospital();
    let gone = "person/DR-CA-002".parse().unwrap();
    let tree = hospital
        .directory
        .entries()
        .with([], std::slice::from_ref(&gone));
    let request = v1::PublishHeadRequest {
        expected_version: 1,
        head: sign_head(&hospital.next_head(&tree)).to_string(),
        removed_keys: vec![gone.to_string()],
        ..Default::default()
    };
    hospital.accept(&request).unwrap();
    let trust = hospital.friend();
    let asked = query("person/DR-CA-002");
    let standing = trust.verify_entry(&asked, &hospital.entry(&asked));
    assert_eq!(standing, Ok(wardline_org::trust::Standing::Absent));
}

#[test]
fn a_policy_is_published_with_the_head_that_names_it() {
    let mut hospital = hospital();
    let strict = Policy {
        version: 2,
        max_text_bytes: 1000,
        ..Policy::new(org())
    };
    let first = std::mem::replace(
        &mut hospital.policy,
        SignedPolicy::sign(&strict, &key(POLICY_SEED)).unwrap(),
    );
    let by_head_key = SignedPolicy::sign(&strict, &key(HEAD_SEED)).unwrap();
    let signed = std::mem::replace(&mut hospital.policy, by_head_key.clone());
    let mut request = hospital.request(Vec::new());
    request.policy = by_head_key.to_string();
    assert!(matches!(
        refused(&hospital, &request),
        PublishError::Policy(PolicyError::Note(NoteError::NotSigned))
    ));
    hospital.policy = signed;

    let without = hospital.request(Vec::new());
    assert_eq!(refused(&hospital, &without), PublishError::OtherPolicy);
    let with = v1::PublishHeadRequest {
        policy: hospital.policy.to_string(),
        ..without
    };
    hospital.accept(&with).unwrap();
    assert_eq!(hospital.friend().policy().unwrap().max_text_bytes, 1000);

    hospital.policy = first;
    let mut back = hospital.request(Vec::new());
    back.policy = hospital.policy.to_string();
    assert_eq!(refused(&hospital, &back), PublishError::OtherPolicy);
}

#[test]
fn a_rotation_is_published_with_a_head_of_the_new_key() {
    let mut hospital = hospital();
    let mut trust = hospital.friend();
    let mut rotated = Root {
        version: 2,
        ..first_root()
    };
    rotated.keys[0].1 = key(120).public_key();
    let rotated = sign_root(&rotated, &[101, 102]);
    let head = hospital.next_head(hospital.directory.entries());
    let old_key = v1::PublishHeadRequest {
        roots: vec![rotated.to_string()],
        ..hospital.request(Vec::new())
    };
    assert!(matches!(
        refused(&hospital, &old_key),
        PublishError::Head(_)
    ));

    let head = SignedHead::sign(&head, &key(120)).unwrap().to_string();
    hospital
        .accept(&v1::PublishHeadRequest { head, ..old_key })
        .unwrap();
    assert_eq!(hospital.directory.root().unwrap().version, 2);
    assert!(trust.accept(&hospital.answer(&trust)).unwrap().root_changed);
    assert!(hospital.friend().root().is_some());
}

#[test]
fn a_relay_serves_the_organization_it_is_configured_for() {
    let hospital = Hospital::new();
    let other = Directory::new("general".parse().unwrap(), hospital.root.hash());
    let refused = other.check(&hospital.request(Vec::new())).unwrap_err();
    assert_eq!(refused, PublishError::Root(RootError::OtherOrg));

    let elsewhere = Directory::new(org(), Hash::of(b"another root"));
    let refused = elsewhere.check(&hospital.request(Vec::new())).unwrap_err();
    assert_eq!(refused, PublishError::Root(RootError::NotPinned));
}
