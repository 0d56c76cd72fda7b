//! Sending, fetching, acknowledging, withdrawing.

use wardline_org::RelayCode;
use wardline_proto::{Bytes, v1};

use crate::world::{World, cast, code, sealed_key, submission};

#[tokio::test]
async fn message_reaches_every_device_with_what_it_needs() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let message = submission("sealed content", &[&cast.ada_tablet, &cast.ben]);
    let outcome = world.send(&cast.ada, message.clone()).await.unwrap();
    assert_eq!(outcome.envelope_id, message.envelope_id);
    assert_eq!(outcome.accepted_at_ms, world.now().as_millis());
    assert!(outcome.refused.is_empty());

    for recipient in [&cast.ada_tablet, &cast.ben] {
        let answer = world.receive(recipient).await.unwrap();
        assert_eq!((answer.more, answer.head_version), (false, 1));
        let [envelope] = answer.envelopes.as_slice() else {
            panic!("{} envelopes", answer.envelopes.len());
        };
        assert_eq!(envelope.sequence, 1);
        assert_eq!(envelope.envelope_id, message.envelope_id);
        assert_eq!(envelope.sender_device, cast.ada.id().to_vec());
        assert_eq!(envelope.sender_user_id, "ada");
        assert_eq!(envelope.accepted_at_ms, outcome.accepted_at_ms);
        assert_eq!(envelope.content.as_ref(), b"sealed content");
        assert_eq!(envelope.key.as_ref(), Some(&sealed_key(recipient)));
    }
    assert!(world.receive(&cast.ada).await.unwrap().envelopes.is_empty());
}

#[tokio::test]
async fn unknown_and_revoked_devices_are_named_and_the_others_served() {
    let cast = cast();
    let stranger = crate::hospital::Device::new("mercy", "eve", 9);
    let mut world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let revocation = world.hospital.revoke(&cast.ada_tablet);
    world.publish(&[revocation]).await.unwrap();

    let message = submission("x", &[&cast.ada_tablet, &cast.ben, &stranger]);
    let outcome = world.send(&cast.ada, message).await.unwrap();
    let refused: Vec<_> = outcome
        .refused
        .iter()
        .map(|r| (r.device_id.clone(), r.reason()))
        .collect();
    assert_eq!(
        refused,
        [
            (cast.ada_tablet.id().to_vec(), v1::RefusalReason::Revoked),
            (stranger.id().to_vec(), v1::RefusalReason::UnknownDevice),
        ]
    );
    assert_eq!(world.receive(&cast.ben).await.unwrap().envelopes.len(), 1);
}

#[tokio::test]
async fn sending_again_is_answered_as_the_first_time() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let message = submission("x", &[&cast.ben]);
    let first = world.send(&cast.ada, message.clone()).await.unwrap();
    world.advance(std::time::Duration::from_secs(60));
    world.restart().await;
    let again = world.send(&cast.ada, message.clone()).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(world.receive(&cast.ben).await.unwrap().envelopes.len(), 1);

    for change in [
        |m: &mut v1::Submission| m.content = Bytes::from_static(b"y"),
        |m: &mut v1::Submission| m.wake = 1,
        |m: &mut v1::Submission| m.keys[0].olm_type = 0,
        |m: &mut v1::Submission| m.keys[0].ciphertext = Bytes::from_static(b"other"),
    ] {
        let mut other = message.clone();
        change(&mut other);
        assert_eq!(
            code(world.send(&cast.ada, other).await),
            RelayCode::Conflict
        );
    }
}

#[tokio::test]
async fn acknowledged_messages_are_gone_and_their_content_with_them() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    for _ in 0..3 {
        world
            .send(&cast.ada, submission("x", &[&cast.ben]))
            .await
            .unwrap();
    }
    let answer = world.receive(&cast.ben).await.unwrap();
    let acknowledge = v1::AcknowledgeRequest {
        up_to: 2,
        epoch: answer.epoch.clone(),
        checkpoint: 5,
    };
    world.ask(&cast.ben, &acknowledge).await.unwrap();
    let left = world.receive(&cast.ben).await.unwrap();
    assert_eq!(left.envelopes.len(), 1);
    assert_eq!(left.envelopes[0].sequence, 3);

    let checkpoint = v1::CheckpointRequest { counter: 1 };
    let answer = world.ask(&cast.ben, &checkpoint).await.unwrap();
    assert_eq!(answer.highest, 5);
    world.relay.sweep().await.unwrap();
    let metrics = world.relay.metrics();
    assert!(metrics.contains("wardline_relay_stored_contents 1\n"));
}

#[tokio::test]
async fn cursor_of_this_epoch_skips_and_any_other_does_not() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    for _ in 0..2 {
        world
            .send(&cast.ada, submission("x", &[&cast.ben]))
            .await
            .unwrap();
    }
    let epoch = world.receive(&cast.ben).await.unwrap().epoch;
    let after_one = |epoch: Vec<u8>| v1::ReceiveRequest {
        after: 1,
        epoch,
        ..Default::default()
    };
    let skipped = world.ask(&cast.ben, &after_one(epoch)).await.unwrap();
    assert_eq!(skipped.envelopes.len(), 1);
    let fresh = world.ask(&cast.ben, &after_one(vec![9; 16])).await.unwrap();
    assert_eq!(fresh.envelopes.len(), 2);
    let malformed = world.ask(&cast.ben, &after_one(vec![9; 3])).await;
    assert_eq!(code(malformed), RelayCode::Malformed);
}

#[tokio::test]
async fn withdrawn_message_is_never_fetched() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let message = submission("x", &[&cast.ada_tablet, &cast.ben]);
    let withdraw = v1::WithdrawRequest {
        envelope_id: message.envelope_id.clone(),
    };
    world.send(&cast.ada, message).await.unwrap();
    world.receive(&cast.ben).await.unwrap();

    // Not by somebody else; by its sender from whom has not fetched it.
    let other = world.ask(&cast.ben, &withdraw).await.unwrap();
    assert!(other.withdrawn_devices.is_empty());
    let answer = world.ask(&cast.ada, &withdraw).await.unwrap();
    assert_eq!(answer.withdrawn_devices, [cast.ada_tablet.id().to_vec()]);
    let tablet = world.receive(&cast.ada_tablet).await.unwrap();
    assert!(tablet.envelopes.is_empty());
    assert_eq!(world.receive(&cast.ben).await.unwrap().envelopes.len(), 1);
}

#[tokio::test]
async fn message_that_nobody_fetches_is_deleted_after_its_time() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ben], |config| {
        config.retention = std::time::Duration::from_secs(60);
    })
    .await;
    world
        .send(&cast.ada, submission("x", &[&cast.ben]))
        .await
        .unwrap();
    world.advance(std::time::Duration::from_secs(61));
    // Not handed out from then on, swept or not.
    assert!(world.receive(&cast.ben).await.unwrap().envelopes.is_empty());
    world.relay.sweep().await.unwrap();
    let metrics = world.relay.metrics();
    assert!(metrics.contains("wardline_relay_envelopes_expired_total 1\n"));
    assert!(metrics.contains("wardline_relay_stored_envelopes 0\n"));
}

#[tokio::test]
async fn highest_counter_is_told() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let send = v1::SendRequest {
        submissions: vec![submission("x", &[&cast.ben])],
        checkpoint: 41,
    };
    world.ask(&cast.ada, &send).await.unwrap();
    for (counter, highest) in [(0, 41), (42, 42), (3, 42)] {
        let request = v1::CheckpointRequest { counter };
        let answer = world.ask(&cast.ada, &request).await.unwrap();
        assert_eq!(answer.highest, highest);
    }
}

#[tokio::test]
async fn malformed_submissions_are_refused_and_nothing_is_stored() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    type Change = fn(&mut v1::Submission);
    let cases: [(Change, RelayCode); 11] = [
        (|m| m.envelope_id.clear(), RelayCode::Malformed),
        (|m| m.envelope_id = vec![7; 16], RelayCode::Malformed),
        (|m| m.keys.clear(), RelayCode::Malformed),
        (|m| m.keys.push(m.keys[0].clone()), RelayCode::Malformed),
        (|m| m.keys[0].device_id.truncate(15), RelayCode::Malformed),
        (|m| m.keys[0].olm_type = 2, RelayCode::Malformed),
        (
            |m| m.keys[0].ciphertext = Bytes::new(),
            RelayCode::Malformed,
        ),
        (|m| m.keys[0].suite = 0, RelayCode::Unsupported),
        (|m| m.keys[0].suite = 2, RelayCode::Unsupported),
        (|m| m.keys[0].suite = -7, RelayCode::Unsupported),
        (|m| m.keys[0].kem = vec![1], RelayCode::Unsupported),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut bad = submission("bad", &[&cast.ben]);
        change(&mut bad);
        let request = v1::SendRequest {
            submissions: vec![submission("good", &[&cast.ben]), bad],
            checkpoint: 0,
        };
        assert_eq!(
            code(world.ask(&cast.ada, &request).await),
            expected,
            "case {number}"
        );
    }
    let twice = submission("x", &[&cast.ben]);
    let request = v1::SendRequest {
        submissions: vec![twice.clone(), twice],
        checkpoint: 0,
    };
    let answer = world.ask(&cast.ada, &request).await;
    assert_eq!(code(answer), RelayCode::Malformed);
    assert!(world.receive(&cast.ben).await.unwrap().envelopes.is_empty());
}

#[tokio::test]
async fn control_traffic_needs_no_content() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let outcome = world.send(&cast.ada, submission("", &[&cast.ben])).await;
    assert!(outcome.unwrap().refused.is_empty());
    let answer = world.receive(&cast.ben).await.unwrap();
    assert!(answer.envelopes[0].content.is_empty());
}
