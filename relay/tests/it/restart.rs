//! A relay that was closed, or lost its power, goes on where it was.

use wardline_proto::v1;

use crate::world::{World, cast, submission};

#[tokio::test]
async fn restart_keeps_everything() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    world.upload(&cast.ben, &[1, 2], Some(50)).await.unwrap();
    world
        .send(&cast.ada, submission("first", &[&cast.ben]))
        .await
        .unwrap();
    let before = world.receive(&cast.ben).await.unwrap();
    for power_cut in [false, true] {
        if power_cut {
            world.cut_power().await;
        } else {
            world.restart().await;
        }
        let after = world.receive(&cast.ben).await.unwrap();
        assert_eq!(after, before);
    }
    world
        .send(&cast.ada, submission("second", &[&cast.ben]))
        .await
        .unwrap();
    let next = v1::ReceiveRequest {
        after: 1,
        epoch: before.epoch,
        ..Default::default()
    };
    let answer = world.ask(&cast.ben, &next).await.unwrap();
    assert_eq!(answer.envelopes[0].sequence, 2);
    assert_eq!(answer.envelopes[0].content.as_ref(), b"second");
}

#[tokio::test]
async fn whatever_was_answered_is_there_after_a_power_cut() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        let message = submission("x", &[&cast.ben]);
        sent.push(message.envelope_id.clone());
        world.send(&cast.ada, message).await.unwrap();
        world.cut_power().await;
    }
    let answer = world.receive(&cast.ben).await.unwrap();
    let found: Vec<_> = answer
        .envelopes
        .iter()
        .map(|envelope| envelope.envelope_id.clone())
        .collect();
    assert_eq!(found, sent);
}

#[tokio::test]
async fn relay_restored_from_a_backup_skips_no_message() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    world
        .send(&cast.ada, submission("old", &[&cast.ben]))
        .await
        .unwrap();
    let backup = tempfile::tempdir().unwrap();
    world.relay.close().await;
    std::fs::copy(
        world.path().join("relay.db"),
        backup.path().join("relay.db"),
    )
    .unwrap();
    world.restart().await;
    world
        .send(&cast.ada, submission("lost with the disk", &[&cast.ben]))
        .await
        .unwrap();
    let seen = world.receive(&cast.ben).await.unwrap();

    world.relay.close().await;
    std::fs::copy(
        backup.path().join("relay.db"),
        world.path().join("relay.db"),
    )
    .unwrap();
    world.restart().await;
    // The device asks for what comes after sequence 2, which this file has never given.
    let next = v1::ReceiveRequest {
        after: 2,
        epoch: seen.epoch.clone(),
        ..Default::default()
    };
    let answer = world.ask(&cast.ben, &next).await.unwrap();
    assert_ne!(answer.epoch, seen.epoch);
    assert_eq!(answer.envelopes[0].content.as_ref(), b"old");
}
