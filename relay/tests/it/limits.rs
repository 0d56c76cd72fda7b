//! Quotas and limits: each refusal names what was exceeded, and nothing is half done.

use std::time::Duration;

use wardline_org::{Refusal, RelayCode};
use wardline_proto::{Bytes, v1};
use wardline_relay::Rate;

use crate::{
    hospital::Device,
    world::{World, cast, sealed_key, submission},
};

#[tokio::test]
async fn device_above_its_quota_is_told_when_to_come_back() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ben], |config| {
        config.quotas.device = Rate::new(1, 3);
    })
    .await;
    for _ in 0..3 {
        world.receive(&cast.ada).await.unwrap();
    }
    let refusal = world.receive(&cast.ada).await.unwrap_err();
    assert_eq!(refusal.code, RelayCode::Quota);
    assert!(refusal.retryable());
    world.receive(&cast.ben).await.unwrap();

    world.advance(refusal.retry_after.unwrap());
    world.receive(&cast.ada).await.unwrap();
}

#[tokio::test]
async fn organization_has_a_quota_of_its_own() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ben], |config| {
        // Publishing the first head takes one.
        config.quotas.organization = Rate::new(1, 2);
    })
    .await;
    world.receive(&cast.ada).await.unwrap();
    let refusal = world.receive(&cast.ben).await.unwrap_err();
    assert_eq!(refusal.code, RelayCode::Quota);
    assert!(refusal.retry_after.unwrap() > Duration::ZERO);
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_limit() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ben], |config| {
        config.limits.body_bytes = 4096;
        config.limits.content_bytes = 1000;
        config.limits.sealed_key_bytes = 100;
        config.limits.recipients = 2;
        config.limits.submissions = 2;
        config.limits.claims = 2;
        config.limits.entries = 2;
        config.limits.one_time_keys = 2;
    })
    .await;
    let (ada, ben) = (&cast.ada, &cast.ben);

    let mut content = submission("", &[ben]);
    content.content = Bytes::from(vec![0; 1001]);
    assert_limit(world.send(ada, content).await, 1000);

    let mut body = submission("", &[ben]);
    body.content = Bytes::from(vec![0; 5000]);
    assert_limit(world.send(ada, body).await, 4096);

    let mut key = submission("x", &[ben]);
    key.keys[0].ciphertext = Bytes::from(vec![0; 101]);
    assert_limit(world.send(ada, key).await, 100);

    let strangers: Vec<Device> = (10..13)
        .map(|seed| Device::new("mercy", "eve", seed))
        .collect();
    let mut many = submission("x", &[]);
    many.keys = strangers.iter().map(sealed_key).collect();
    assert_limit(world.send(ada, many).await, 2);

    let submissions = (0..3).map(|_| submission("x", &[ben])).collect();
    let send = v1::SendRequest {
        submissions,
        checkpoint: 0,
    };
    assert_limit(world.ask(ada, &send).await, 2);

    let device_ids = strangers
        .iter()
        .map(|device| device.id().to_vec())
        .collect();
    assert_limit(
        world
            .ask(
                ada,
                &v1::ClaimKeysRequest {
                    device_ids,
                    hold_device_ids: Vec::new(),
                },
            )
            .await,
        2,
    );

    let queries = vec![v1::EntryQuery::default(); 3];
    let entries = v1::EntriesRequest {
        head_version: 1,
        queries,
    };
    assert_limit(world.ask(ada, &entries).await, 2);

    assert_limit(world.upload(ada, &[1, 2, 3], None).await, 2);
    world.upload(ada, &[1, 2], None).await.unwrap();
    assert_limit(world.upload(ada, &[3], None).await, 2);

    // Everything within the limits still works.
    world.send(ada, submission("x", &[ben])).await.unwrap();
    assert_eq!(world.receive(ben).await.unwrap().envelopes.len(), 1);
}

#[tokio::test]
async fn full_mailbox_refuses_its_device_only() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ada_tablet, &cast.ben], |config| {
        config.limits.mailbox.envelopes = 1;
    })
    .await;
    let to_ben = submission("x", &[&cast.ben]);
    world.send(&cast.ada, to_ben).await.unwrap();
    let to_both = submission("x", &[&cast.ben, &cast.ada_tablet]);
    let outcome = world.send(&cast.ada, to_both).await.unwrap();
    let [refused] = outcome.refused.as_slice() else {
        panic!("{:?}", outcome.refused);
    };
    assert_eq!(refused.device_id, cast.ben.id().to_vec());
    assert_eq!(refused.reason(), v1::RefusalReason::MailboxFull);
    let tablet = world.receive(&cast.ada_tablet).await.unwrap();
    assert_eq!(tablet.envelopes.len(), 1);
}

#[tokio::test]
async fn answers_come_in_pages() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ben], |config| {
        config.limits.page_envelopes = 2;
    })
    .await;
    for _ in 0..3 {
        world
            .send(&cast.ada, submission("x", &[&cast.ben]))
            .await
            .unwrap();
    }
    let everything = v1::ReceiveRequest {
        max: u32::MAX,
        ..Default::default()
    };
    let first = world.ask(&cast.ben, &everything).await.unwrap();
    assert_eq!((first.envelopes.len(), first.more), (2, true));
    let rest = v1::ReceiveRequest {
        after: 2,
        epoch: first.epoch,
        max: 1,
        ..Default::default()
    };
    let rest = world.ask(&cast.ben, &rest).await.unwrap();
    assert_eq!((rest.envelopes.len(), rest.more), (1, false));
}

#[tokio::test]
async fn a_caller_with_little_memory_gets_small_answers_and_never_an_empty_one() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ben], |_| {}).await;
    for _ in 0..3 {
        let mut long = submission("x", &[&cast.ben]);
        long.content = vec![b'x'; 10_000].into();
        world.send(&cast.ada, long).await.unwrap();
    }
    let ask = |max_bytes| v1::ReceiveRequest {
        max_bytes,
        ..Default::default()
    };
    for (max_bytes, expected) in [(1, 1), (25_000, 2), (u32::MAX, 3), (0, 3)] {
        let page = world.ask(&cast.ben, &ask(max_bytes)).await.unwrap();
        let got = (page.envelopes.len(), page.more);
        assert_eq!(got, (expected, expected < 3), "{max_bytes} bytes");
    }
}

fn assert_limit<T: std::fmt::Debug>(answer: Result<T, Refusal>, limit: u64) {
    let refusal = answer.unwrap_err();
    assert_eq!(refusal.code, RelayCode::TooLarge);
    assert_eq!(refusal.limit, Some(limit));
}
