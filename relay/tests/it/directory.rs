//! Publishing heads and reading the directory with its proofs.

use std::time::Duration;

use wardline_org::{
    EntryKey, Hash, RelayCode,
    policy::{Policy, SignedPolicy},
    root::{Root, SignedRoot},
    trust::{Standing, Trust},
};
use wardline_proto::v1;

use crate::{
    hospital::{HEAD, POLICY, ROOT, key, sign_head},
    world::{World, cast, code},
};

#[tokio::test]
async fn device_comes_to_trust_the_head_and_its_entries() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let mut trust = stranger(&world);
    follow(&world, &mut trust).await;
    assert_eq!(trust.head().unwrap().head().version, 1);
    let answers = standings(&world, &trust, &["person/ada", "person/zoe"]).await;
    let Standing::Present(ada) = &answers[0] else {
        panic!("{answers:?}");
    };
    assert_eq!(ada.person().unwrap().devices[0].id(), cast.ada.id());
    assert_eq!(answers[1], Standing::Absent);

    // Later heads prove that they continue this one, after a restart too.
    for _ in 0..3 {
        world.advance(Duration::from_secs(60));
        world.publish(&[]).await.unwrap();
    }
    world.restart().await;
    follow(&world, &mut trust).await;
    assert_eq!(trust.head().unwrap().head().version, 4);
    follow(&world, &mut trust).await;
    let answers = standings(&world, &trust, &["person/ada"]).await;
    assert!(matches!(answers[0], Standing::Present(_)));
}

#[tokio::test]
async fn entry_that_the_asker_holds_is_not_sent_again() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let mut trust = stranger(&world);
    follow(&world, &mut trust).await;
    let first = standings(&world, &trust, &["person/ada"]).await;
    let Standing::Present(entry) = &first[0] else {
        panic!("{first:?}");
    };
    let query = v1::EntryQuery {
        key: "person/ada".into(),
        known_hash: entry.hash().as_bytes().to_vec(),
    };
    let request = v1::EntriesRequest {
        head_version: 1,
        queries: vec![query.clone()],
    };
    let answer = world.ask(&cast.ada, &request).await.unwrap();
    let standing = trust.verify_entry(&query, &answer.answers[0]).unwrap();
    assert_eq!(standing, Standing::Unchanged);
}

#[tokio::test]
async fn relay_without_a_head_says_so() {
    let world = World::empty().await;
    let head = world.command(&v1::HeadRequest::default()).await;
    assert_eq!(code(head), RelayCode::NoHead);
    let entries = world.command(&v1::EntriesRequest::default()).await;
    assert_eq!(code(entries), RelayCode::NoHead);
}

#[tokio::test]
async fn of_two_publishers_one_wins() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let next = world.hospital.request(&[], &[], world.now());
    let rival = world
        .hospital
        .request(&[], &[], world.now() + Duration::from_secs(1));
    world.command(&next).await.unwrap();
    assert_eq!(code(world.command(&rival).await), RelayCode::HeadConflict);
    // Also at the same time.
    world.hospital.accepted(&next);
    let requests: Vec<_> = (0..5)
        .map(|second| {
            let at = world.now() + Duration::from_secs(second);
            world.hospital.request(&[], &[], at)
        })
        .collect();
    let answers =
        futures_util::future::join_all(requests.iter().map(|request| world.command(request))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 4));
    for answer in lost {
        assert_eq!(code(answer), RelayCode::HeadConflict);
    }
}

#[tokio::test]
async fn head_that_does_not_hold_is_refused_and_nothing_changes() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let person = world.hospital.admit(&cast.ben);
    let entries = world.hospital.entries(std::slice::from_ref(&person));
    let leaves = entries.iter().map(|e| (e.key().clone(), e.hash()));
    let tree = world.hospital.directory.entries().with(leaves, &[]);
    let good = world.hospital.request(&[person], &[], world.now());
    let head = world.hospital.next_head(&tree, world.now());
    let resigned = |change: fn(&mut wardline_org::head::Head)| {
        let mut head = head.clone();
        change(&mut head);
        v1::PublishHeadRequest {
            head: sign_head(&head).to_string(),
            ..good.clone()
        }
    };
    let other_key = wardline_org::head::SignedHead::sign(&head, &key(POLICY));
    let mut altered_entry = good.clone();
    altered_entry.changed_entries[0].push(0);

    let cases = [
        resigned(|head| head.version = 3),
        resigned(|head| head.org = "grace".parse().unwrap()),
        resigned(|head| head.entries_count = 5),
        resigned(|head| head.entries_root = Hash::of(b"other")),
        resigned(|head| head.heads_root = Hash::of(b"other")),
        resigned(|head| head.policy_hash = Hash::of(b"other")),
        resigned(|head| head.issued_at = head.issued_at - Duration::from_secs(60)),
        resigned(|head| head.issued_at = head.issued_at + Duration::from_secs(301)),
        v1::PublishHeadRequest {
            head: other_key.unwrap().to_string(),
            ..good.clone()
        },
        v1::PublishHeadRequest {
            head: "not a note".into(),
            ..good.clone()
        },
        v1::PublishHeadRequest {
            changed_entries: Vec::new(),
            ..good.clone()
        },
        v1::PublishHeadRequest {
            removed_keys: vec!["person/ada".into()],
            ..good.clone()
        },
        v1::PublishHeadRequest {
            removed_keys: vec!["patient/4711".into()],
            ..good.clone()
        },
        v1::PublishHeadRequest {
            roots: vec!["not a note".into()],
            ..good.clone()
        },
        altered_entry,
    ];
    for (number, case) in cases.iter().enumerate() {
        let answer = world.command(case).await;
        assert_eq!(code(answer), RelayCode::HeadInvalid, "case {number}");
    }
    assert_eq!(
        code(world.receive(&cast.ben).await),
        RelayCode::UnknownDevice
    );
    world.publish_request(&good).await.unwrap();
    world.receive(&cast.ben).await.unwrap();
}

#[tokio::test]
async fn removed_person_is_proven_absent_and_may_not_call() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let key: EntryKey = "person/ben".parse().unwrap();
    let request = world.hospital.request(&[], &[key], world.now());
    world.publish_request(&request).await.unwrap();
    assert_eq!(
        code(world.receive(&cast.ben).await),
        RelayCode::UnknownDevice
    );
    world.restart().await;
    let mut trust = stranger(&world);
    follow(&world, &mut trust).await;
    let answers = standings(&world, &trust, &["person/ben"]).await;
    assert_eq!(answers, [Standing::Absent]);
}

#[tokio::test]
async fn new_policy_is_served_to_who_does_not_hold_it() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let mut trust = stranger(&world);
    follow(&world, &mut trust).await;
    let stricter = Policy {
        version: 2,
        max_text_bytes: 100,
        ..Policy::new("mercy".parse().unwrap())
    };
    world.hospital.policy = SignedPolicy::sign(&stricter, &key(POLICY)).unwrap();
    let mut request = world.hospital.request(&[], &[], world.now());
    // Naming it without sending it is refused.
    assert_eq!(code(world.command(&request).await), RelayCode::HeadInvalid);
    request.policy = world.hospital.policy.to_string();
    world.publish_request(&request).await.unwrap();
    world.restart().await;
    follow(&world, &mut trust).await;
    assert_eq!(trust.policy().unwrap().max_text_bytes, 100);
}

#[tokio::test]
async fn new_root_document_changes_who_may_sign() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let mut trust = stranger(&world);
    follow(&world, &mut trust).await;
    let old = world.hospital.root.root().clone();
    let without_policy_key = Root {
        version: 2,
        keys: old
            .keys
            .iter()
            .copied()
            .map(|(purpose, public)| match purpose {
                wardline_org::root::Purpose::Policy => {
                    use wardline_org::Signer as _;
                    (purpose, key(99).public_key())
                }
                _ => (purpose, public),
            })
            .collect(),
        ..old
    };
    let next = SignedRoot::sign(&without_policy_key, &[&key(ROOT)]).unwrap();
    let forged = SignedRoot::sign(&without_policy_key, &[&key(HEAD)]);
    assert!(forged.is_err());
    let mut request = world.hospital.request(&[], &[], world.now());
    request.roots = vec![next.to_string()];
    world.publish_request(&request).await.unwrap();
    world.restart().await;
    follow(&world, &mut trust).await;
    assert_eq!(trust.root().unwrap().version, 2);
}

#[tokio::test]
async fn operator_who_names_other_keys_by_mistake_is_stopped() {
    let mut world = World::empty().await;
    world.relay.close().await;
    let root = world.config.roots[0].root().clone();
    let other = Root {
        root_keys: vec![{
            use wardline_org::Signer as _;
            key(98).public_key()
        }],
        ..root
    };
    world.config.roots = vec![SignedRoot::sign(&other, &[&key(98)]).unwrap()];
    let storage = wardline_relay::SqliteStorage::open(world.path()).unwrap();
    let opened = wardline_relay::Relay::open(
        world.config.clone(),
        std::sync::Arc::new(storage),
        world.clock.clone(),
    )
    .await;
    assert!(matches!(
        opened,
        Err(wardline_relay::OpenError::OtherRoot { version: 1 })
    ));
}

fn stranger(world: &World) -> Trust {
    Trust::new("mercy".parse().unwrap(), world.hospital.root.hash())
}

async fn follow(world: &World, trust: &mut Trust) {
    let answer = world.command(&trust.request()).await.unwrap();
    trust.accept(&answer).unwrap();
}

async fn standings(world: &World, trust: &Trust, keys: &[&str]) -> Vec<Standing> {
    let queries: Vec<_> = keys
        .iter()
        .map(|key| v1::EntryQuery {
            key: (*key).to_owned(),
            known_hash: Vec::new(),
        })
        .collect();
    let request = v1::EntriesRequest {
        head_version: trust.head().unwrap().head().version,
        queries: queries.clone(),
    };
    let answer = world.command(&request).await.unwrap();
    trust.verify_entries(&queries, &answer).unwrap()
}
