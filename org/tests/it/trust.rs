use std::{convert::Infallible, time::Duration};

use wardline_org::entry::{Entry, EntryBody, EntryError};
use wardline_org::head::{Head, HeadError, SignedHead};
use wardline_org::note::NoteError;
use wardline_org::policy::{Policy, PolicyError, SignedPolicy};
use wardline_org::root::{Root, RootError};
use wardline_org::tree::BadProof;
use wardline_org::trust::{Accepted, EntriesError, Freshness, Standing, Trust, TrustError};
use wardline_org::{EntryKey, Signer};
use wardline_proto::v1;

use crate::hospital::{
    HEAD_SEED, Hospital, POLICY_SEED, first_root, key, org, person, query, sign_head, sign_root,
};

const PEOPLE: [&str; 4] = ["DR-CA-001", "DR-CA-002", "NS-CA-001", "PH-001"];

fn hospital() -> Hospital {
    Hospital::with_people(&PEOPLE)
}

/// The newest head's answer, with the head replaced by one that says something else.
fn forged(
    hospital: &Hospital,
    trust: &Trust,
    seed: u8,
    change: impl FnOnce(&mut Head),
) -> v1::HeadResponse {
    let mut head = hospital.directory.head().unwrap().head().clone();
    change(&mut head);
    let head = SignedHead::sign(&head, &key(seed)).unwrap();
    v1::HeadResponse {
        head: head.to_string(),
        ..hospital.answer(trust)
    }
}

/// Refused, and what was believed before is still believed.
fn refused(trust: &Trust, answer: &v1::HeadResponse) -> TrustError {
    let mut after = trust.clone();
    let error = after.accept(answer).unwrap_err();
    assert_eq!(&after, trust);
    error
}

#[test]
fn the_first_head_is_believed_from_the_pin_alone() {
    let hospital = hospital();
    let mut trust = hospital.stranger();
    assert_eq!(trust.freshness(hospital.now), Freshness::BeyondOfflineLimit);
    let accepted = trust.accept(&hospital.answer(&trust)).unwrap();
    let all = Accepted {
        root_changed: true,
        head_changed: true,
        policy_changed: true,
    };
    assert_eq!(accepted, all);
    assert_eq!(trust.head(), hospital.directory.head());
    assert_eq!(trust.policy().unwrap().max_text_bytes, 65_536);
    assert_eq!(trust.root(), Some(hospital.root.root()));

    let again = trust.accept(&hospital.answer(&trust)).unwrap();
    let nothing = Accepted {
        root_changed: false,
        head_changed: false,
        policy_changed: false,
    };
    assert_eq!(again, nothing);
}

#[test]
fn later_heads_are_followed_however_many_were_missed() {
    let mut hospital = hospital();
    for missed in [1, 2, 5, 9] {
        let mut trust = hospital.friend();
        for _ in 0..missed {
            hospital.refresh();
        }
        let answer = hospital.answer(&trust);
        assert!(answer.policy.is_empty() && answer.roots.is_empty());
        assert!(trust.accept(&answer).unwrap().head_changed);
    }
    assert_eq!(hospital.directory.version(), 18);
}

#[test]
fn trust_survives_its_store() {
    let mut hospital = hospital();
    let trust = hospital.friend();
    let stored = serde_json::to_vec(&trust).unwrap();
    let mut loaded: Trust = serde_json::from_slice(&stored).unwrap();
    assert_eq!(loaded, trust);
    hospital.refresh();
    assert!(loaded.accept(&hospital.answer(&loaded)).is_ok());

    let nothing = serde_json::to_vec(&hospital.stranger()).unwrap();
    assert_eq!(
        serde_json::from_slice::<Trust>(&nothing).unwrap(),
        hospital.stranger()
    );
}

#[test]
fn a_head_signed_by_another_key_is_refused() {
    let mut hospital = hospital();
    let trust = hospital.friend();
    hospital.refresh();
    for seed in [POLICY_SEED, 1] {
        let answer = forged(&hospital, &trust, seed, |_| {});
        let expected = TrustError::Head(HeadError::Note(NoteError::NotSigned));
        assert_eq!(refused(&trust, &answer), expected);
    }
    let unsigned = forged(&hospital, &trust, 1, |_| {});
    assert!(matches!(
        refused(&hospital.stranger(), &with_roots(&hospital, unsigned)),
        TrustError::Head(_)
    ));
}

fn with_roots(hospital: &Hospital, answer: v1::HeadResponse) -> v1::HeadResponse {
    v1::HeadResponse {
        roots: vec![hospital.root.to_string()],
        ..answer
    }
}

#[test]
fn an_altered_head_is_refused() {
    let mut hospital = hospital();
    let trust = hospital.friend();
    hospital.refresh();
    let mut answer = hospital.answer(&trust);
    answer.head = answer.head.replace("count 4", "count 3");
    let expected = TrustError::Head(HeadError::Note(NoteError::BadSignature));
    assert_eq!(refused(&trust, &answer), expected);
    answer.head = answer.head.replace("org mercy", "org general");
    assert_eq!(
        refused(&trust, &answer),
        TrustError::Head(HeadError::OtherOrg)
    );
}

#[test]
fn a_rolled_back_head_is_refused() {
    let mut hospital = hospital();
    let old = hospital.answer(&hospital.stranger());
    hospital.refresh();
    let trust = hospital.friend();
    assert_eq!(
        refused(&trust, &old),
        TrustError::OlderHead {
            held: 2,
            offered: 1
        }
    );
}

#[test]
fn two_heads_of_one_version_are_evidence_that_convinces_a_third_party() {
    let hospital = hospital();
    let trust = hospital.friend();
    let later = hospital.now + Duration::from_secs(1);
    let answer = forged(&hospital, &trust, HEAD_SEED, |head| head.issued_at = later);
    let TrustError::Fork(fork) = refused(&trust, &answer) else {
        panic!("not told as a fork")
    };
    assert_eq!(Some(&fork.ours), hospital.directory.head());
    assert_eq!(fork.theirs.to_string(), answer.head);
    fork.verify(&first_root()).unwrap();

    // What a colleague saw is compared the same way; a claim without a signature is not evidence.
    assert_eq!(trust.check_fork(&answer.head).unwrap().unwrap(), *fork);
    assert_eq!(trust.check_fork(&fork.ours.to_string()), Ok(None));
    let claim = forged(&hospital, &trust, 1, |head| head.issued_at = later);
    assert!(trust.check_fork(&claim.head).is_err());
    assert!(matches!(refused(&trust, &claim), TrustError::Head(_)));

    let same = wardline_org::trust::Fork {
        theirs: fork.ours.clone(),
        ..*fork.clone()
    };
    assert!(same.verify(&first_root()).is_err());
}

#[test]
fn a_head_that_forgets_the_known_one_is_refused() {
    let mut hospital = hospital();
    let trust = hospital.friend();
    // Another history from the beginning, with the same keys.
    let mut other = Hospital::with_people(&PEOPLE[..2]);
    for _ in 0..3 {
        other.refresh();
    }
    assert_eq!(refused(&trust, &other.answer(&trust)), TrustError::History);

    hospital.refresh();
    hospital.refresh();
    let answer = hospital.answer(&trust);
    let unproven = v1::HeadResponse {
        known_head: None,
        ..answer.clone()
    };
    assert_eq!(refused(&trust, &unproven), TrustError::History);
    let garbled = v1::HeadResponse {
        consistency: vec![0; 32],
        ..answer
    };
    assert_eq!(refused(&trust, &garbled), TrustError::History);
}

#[test]
fn a_newer_head_from_an_earlier_time_is_refused() {
    let mut hospital = hospital();
    hospital.now = hospital.now + Duration::from_secs(60);
    hospital.publish(Vec::new());
    let trust = hospital.friend();
    hospital.refresh();
    let earlier = hospital.now - Duration::from_secs(3600);
    let answer = forged(&hospital, &trust, HEAD_SEED, |head| {
        head.issued_at = earlier
    });
    assert_eq!(refused(&trust, &answer), TrustError::TimeWentBack);
}

#[test]
fn an_expired_head_is_a_state_and_not_a_refusal() {
    let hospital = hospital();
    let trust = hospital.friend();
    let expiry = trust.head().unwrap().head().expires_at;
    let limit = trust.policy().unwrap().offline_limit();
    let moment = Duration::from_millis(1);
    assert_eq!(trust.freshness(expiry - moment), Freshness::Fresh);
    assert_eq!(trust.freshness(expiry), Freshness::Stale);
    assert_eq!(trust.freshness(expiry + limit - moment), Freshness::Stale);
    assert_eq!(
        trust.freshness(expiry + limit),
        Freshness::BeyondOfflineLimit
    );
}

#[test]
fn a_policy_other_than_the_named_one_is_refused() {
    let hospital = hospital();
    let stranger = hospital.stranger();
    let missing = v1::HeadResponse {
        policy: String::new(),
        ..hospital.answer(&stranger)
    };
    assert_eq!(refused(&stranger, &missing), TrustError::OtherPolicy);

    let generous = Policy {
        max_text_bytes: 1_000_000,
        ..Policy::new(org())
    };
    let by_head_key = SignedPolicy::sign(&generous, &key(HEAD_SEED)).unwrap();
    let mut named = forged(&hospital, &stranger, HEAD_SEED, |head| {
        head.policy_hash = by_head_key.hash();
    });
    named.policy = by_head_key.to_string();
    assert!(matches!(
        refused(&stranger, &named),
        TrustError::Policy(PolicyError::Note(NoteError::NotSigned))
    ));

    let generous = SignedPolicy::sign(&generous, &key(POLICY_SEED)).unwrap();
    let other = v1::HeadResponse {
        policy: generous.to_string(),
        ..hospital.answer(&stranger)
    };
    assert_eq!(refused(&stranger, &other), TrustError::OtherPolicy);
}

#[test]
fn the_head_key_alone_cannot_bring_an_old_policy_back() {
    let mut hospital = hospital();
    let old = hospital.policy.clone();
    let strict = Policy {
        version: 2,
        max_text_bytes: 1000,
        ..Policy::new(org())
    };
    hospital.policy = SignedPolicy::sign(&strict, &key(POLICY_SEED)).unwrap();
    let mut request = hospital.request(Vec::new());
    request.policy = hospital.policy.to_string();
    hospital.accept(&request).unwrap();
    let trust = hospital.friend();
    assert_eq!(trust.policy().unwrap().max_text_bytes, 1000);

    hospital.refresh();
    let mut answer = forged(&hospital, &trust, HEAD_SEED, |head| {
        head.policy_hash = old.hash()
    });
    answer.policy = old.to_string();
    assert_eq!(refused(&trust, &answer), TrustError::OlderPolicy);
}

#[test]
fn replaced_keys_are_believed_after_the_rotation_and_old_ones_no_longer() {
    let mut hospital = hospital();
    let mut trust = hospital.friend();
    let mut rotated = Root {
        version: 2,
        ..first_root()
    };
    rotated.keys[0].1 = key(120).public_key();
    let rotated = sign_root(&rotated, &[101, 102]);

    hospital.refresh();
    let still_old_key = v1::HeadResponse {
        roots: vec![rotated.to_string()],
        ..hospital.answer(&trust)
    };
    let expected = TrustError::Head(HeadError::Note(NoteError::NotSigned));
    assert_eq!(refused(&trust, &still_old_key), expected);

    let mut answer = forged(&hospital, &trust, 120, |_| {});
    assert_eq!(refused(&trust, &answer), expected); // the new key without its root document
    answer.roots = vec![rotated.to_string()];
    let accepted = trust.accept(&answer).unwrap();
    assert!(accepted.root_changed && accepted.head_changed);
    assert_eq!(trust.request().known_root_version, 2);
}

#[test]
fn the_held_head_stays_believed_while_only_the_root_changes() {
    let hospital = hospital();
    let mut trust = hospital.friend();
    let mut rotated = Root {
        version: 2,
        ..first_root()
    };
    rotated.keys[0].1 = key(120).public_key();
    let rotated = sign_root(&rotated, &[101, 102]);
    let answer = v1::HeadResponse {
        roots: vec![rotated.to_string()],
        ..hospital.answer(&trust)
    };
    let accepted = trust.accept(&answer).unwrap();
    assert!(accepted.root_changed && !accepted.head_changed);
}

#[test]
fn a_document_that_is_not_pinned_is_refused() {
    let hospital = hospital();
    let elsewhere = Trust::new(org(), wardline_org::Hash::of(b"another root"));
    let answer = hospital.answer(&elsewhere);
    assert_eq!(
        refused(&elsewhere, &answer),
        TrustError::Root(RootError::NotPinned)
    );

    let other_org = Trust::new("general".parse().unwrap(), hospital.root.hash());
    let answer = hospital.answer(&other_org);
    assert_eq!(
        refused(&other_org, &answer),
        TrustError::Root(RootError::OtherOrg)
    );
}

#[test]
fn entries_are_proven_present_unchanged_or_absent() {
    let hospital = hospital();
    let trust = hospital.friend();
    let asked = query("person/DR-CA-001");
    let Standing::Present(entry) = trust.verify_entry(&asked, &hospital.entry(&asked)).unwrap()
    else {
        panic!("not present");
    };
    assert_eq!(entry.person().unwrap().display_name, "Name of DR-CA-001");

    let known = v1::EntryQuery {
        known_hash: entry.hash().as_bytes().to_vec(),
        ..asked
    };
    let answer = hospital.entry(&known);
    assert!(matches!(
        answer.answer,
        Some(v1::entry_answer::Answer::Unchanged(_))
    ));
    assert_eq!(trust.verify_entry(&known, &answer), Ok(Standing::Unchanged));

    for absent in ["person/AA", "person/DR-CA-0015", "team/zz"] {
        let asked = query(absent);
        let answer = hospital.entry(&asked);
        assert_eq!(trust.verify_entry(&asked, &answer), Ok(Standing::Absent));
    }
}

#[test]
fn an_entry_that_the_head_does_not_name_is_refused() {
    let hospital = hospital();
    let trust = hospital.friend();
    let asked = query("person/DR-CA-001");
    let mut answer = hospital.entry(&asked);
    let Some(v1::entry_answer::Answer::Present(present)) = &mut answer.answer else {
        panic!()
    };
    let mut renamed = person("DR-CA-001", &[]);
    renamed.display_name = "Somebody else".into();
    let forged = Entry::new(&org(), 1, EntryBody::Person(renamed)).unwrap();
    present.entry = forged.bytes().to_vec();
    assert_eq!(
        trust.verify_entry(&asked, &answer),
        Err(EntriesError::Proof(BadProof))
    );
}

#[test]
fn an_answer_about_somebody_else_is_refused() {
    let hospital = hospital();
    let trust = hospital.friend();
    let (asked, other) = (query("person/DR-CA-001"), query("person/DR-CA-002"));
    let answer = hospital.entry(&other);
    assert_eq!(
        trust.verify_entry(&asked, &answer),
        Err(EntriesError::OtherQuestion)
    );
    let relabeled = v1::EntryAnswer {
        key: asked.key.clone(),
        ..answer
    };
    assert_eq!(
        trust.verify_entry(&asked, &relabeled),
        Err(EntriesError::Proof(BadProof))
    );

    let absent = hospital.entry(&query("person/DR-CA-0015"));
    let relabeled = v1::EntryAnswer {
        key: asked.key.clone(),
        ..absent
    };
    assert_eq!(
        trust.verify_entry(&asked, &relabeled),
        Err(EntriesError::Proof(BadProof))
    );
}

#[test]
fn unchanged_is_refused_when_the_entry_did_change() {
    let mut hospital = hospital();
    let old = Entry::hash_of(&hospital.stored[&"person/PH-001".parse().unwrap()]);
    let mut renamed = person("PH-001", &[]);
    renamed.display_name = "Another name".into();
    hospital.publish(vec![renamed]);
    let trust = hospital.friend();

    let asked = query("person/PH-001");
    let mut answer = hospital.entry(&asked);
    let Some(v1::entry_answer::Answer::Present(present)) = answer.answer else {
        panic!()
    };
    answer.answer = present.proof.map(v1::entry_answer::Answer::Unchanged);
    let known = v1::EntryQuery {
        known_hash: old.as_bytes().to_vec(),
        ..asked.clone()
    };
    assert_eq!(
        trust.verify_entry(&known, &answer),
        Err(EntriesError::Proof(BadProof))
    );
    assert_eq!(
        trust.verify_entry(&asked, &answer),
        Err(EntriesError::Proof(BadProof))
    );
}

#[test]
fn answers_for_another_head_say_which_one_to_fetch() {
    let mut hospital = hospital();
    let trust = hospital.friend();
    hospital.refresh();
    let queries = [query("person/DR-CA-001"), query("person/AA")];
    let response = |hospital: &Hospital| v1::EntriesResponse {
        head_version: hospital.directory.version(),
        answers: queries.iter().map(|query| hospital.entry(query)).collect(),
    };
    let moved = trust.verify_entries(&queries, &response(&hospital));
    assert_eq!(
        moved,
        Err(EntriesError::HeadMoved {
            held: 1,
            answered: 2
        })
    );

    let trust = hospital.friend();
    let standings = trust
        .verify_entries(&queries, &response(&hospital))
        .unwrap();
    assert!(matches!(
        standings[..],
        [Standing::Present(_), Standing::Absent]
    ));

    let mut short = response(&hospital);
    short.answers.pop();
    assert_eq!(
        trust.verify_entries(&queries, &short),
        Err(EntriesError::OtherQuestion)
    );
}

/// Trust in a head under which `entry` stands as `key`, and the answer that shows it: what the relay
/// would refuse to publish, and nobody believes.
fn misplaced(entry: &Entry, key: &str) -> (Trust, v1::EntryAnswer) {
    let mut hospital = hospital();
    let key: EntryKey = key.parse().unwrap();
    let tree = hospital
        .directory
        .entries()
        .with([(key.clone(), entry.hash())], &[]);
    let head = sign_head(&hospital.next_head(&tree));
    let mut trust = hospital.friend();
    hospital.refresh();
    let answer = v1::HeadResponse {
        head: head.to_string(),
        ..hospital.answer(&trust)
    };
    trust.accept(&answer).unwrap();
    let load = |_: &EntryKey| Ok::<_, Infallible>(entry.bytes().to_vec());
    (trust, tree.answer(&key, &[], load).unwrap())
}

#[test]
fn an_entry_from_the_future_is_refused() {
    let entry = Entry::new(&org(), 9, EntryBody::Person(person("ZZ", &[]))).unwrap();
    let (trust, answer) = misplaced(&entry, "person/ZZ");
    let refused = trust.verify_entry(&query("person/ZZ"), &answer);
    assert_eq!(refused, Err(EntriesError::Entry(EntryError::Malformed)));
}

#[test]
fn an_entry_under_somebody_elses_key_is_refused() {
    let entry = Entry::new(&org(), 1, EntryBody::Person(person("MALLORY", &[]))).unwrap();
    let (trust, answer) = misplaced(&entry, "person/DR-CA-001");
    let refused = trust.verify_entry(&query("person/DR-CA-001"), &answer);
    assert_eq!(refused, Err(EntriesError::Entry(EntryError::Malformed)));
}
