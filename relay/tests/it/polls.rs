//! Long polls: what ends a wait, and what does not lose a message.

use std::{collections::HashSet, time::Duration};

use wardline_org::RelayCode;
use wardline_proto::v1;

use crate::{
    hospital::Device,
    world::{RELAY, World, call_over, cast, code, submission},
};

#[tokio::test]
async fn waiting_device_is_woken_by_its_message() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let poll = long_poll();
    let (answer, sent) = tokio::join!(world.ask(&cast.ben, &poll), async {
        waiting(&world, 1).await;
        world.send(&cast.ada, submission("x", &[&cast.ben])).await
    });
    sent.unwrap();
    assert_eq!(answer.unwrap().envelopes.len(), 1);
    waiting(&world, 0).await;
}

#[tokio::test]
async fn message_for_somebody_else_does_not_end_a_wait() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let short = v1::ReceiveRequest {
        wait_ms: 200,
        ..Default::default()
    };
    let (answer, sent) = tokio::join!(world.ask(&cast.ben, &short), async {
        waiting(&world, 1).await;
        world
            .send(&cast.ada, submission("x", &[&cast.ada_tablet]))
            .await
    });
    sent.unwrap();
    assert!(answer.unwrap().envelopes.is_empty());
}

#[tokio::test]
async fn new_head_ends_the_wait_of_who_has_not_seen_it() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let revocation = world.hospital.revoke(&cast.ada);
    let publish = world.hospital.request(&[revocation], &[], world.now());
    let (relay, now) = (world.relay.clone(), world.now());
    let poll = v1::ReceiveRequest {
        seen_head_version: 1,
        ..long_poll()
    };
    let ben = cast.ben.clone();
    let waits =
        tokio::spawn(async move { call_over(&relay.local(), &ben.calls(RELAY), &poll, now).await });
    waiting(&world, 1).await;
    world.publish_request(&publish).await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap().head_version, 2);

    // Whoever asks with an old version is told at once.
    let late = v1::ReceiveRequest {
        seen_head_version: 1,
        ..long_poll()
    };
    let answer = world.ask(&cast.ben, &late).await.unwrap();
    assert_eq!(answer.head_version, 2);
}

#[tokio::test]
async fn revocation_ends_the_wait_of_the_revoked() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let revocation = world.hospital.revoke(&cast.ben);
    let publish = world.hospital.request(&[revocation], &[], world.now());
    let (relay, now, ben) = (world.relay.clone(), world.now(), cast.ben.clone());
    let waits = tokio::spawn(async move {
        call_over(&relay.local(), &ben.calls(RELAY), &long_poll(), now).await
    });
    waiting(&world, 1).await;
    world.publish_request(&publish).await.unwrap();
    assert_eq!(code(waits.await.unwrap()), RelayCode::Revoked);
}

#[tokio::test]
async fn closing_answers_every_wait() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let poll = long_poll();
    let (answer, ()) = tokio::join!(world.ask(&cast.ben, &poll), async {
        waiting(&world, 1).await;
        world.relay.close().await;
    });
    assert!(answer.unwrap().envelopes.is_empty());
    let later = world.ask(&cast.ada, &v1::HeadRequest::default()).await;
    let refusal = later.unwrap_err();
    assert_eq!(refusal.code, RelayCode::Unavailable);
    assert!(refusal.retry_after.is_some() && refusal.retryable());
}

#[tokio::test]
async fn caller_who_hangs_up_waits_no_more() {
    let cast = cast();
    let world = World::of(&[&cast.ben]).await;
    let poll = long_poll();
    {
        let mut call = std::pin::pin!(world.ask(&cast.ben, &poll));
        tokio::select! {
            answer = &mut call => panic!("{answer:?}"),
            () = waiting(&world, 1) => {}
        }
    }
    waiting(&world, 0).await;
}

#[tokio::test]
async fn callers_own_time_limit_ends_the_wait_in_time() {
    let cast = cast();
    let world = World::of(&[&cast.ben]).await;
    let mut request = wardline_org::Request::new(&long_poll());
    request
        .headers
        .push(("connect-timeout-ms".into(), "400".into()));
    cast.ben
        .calls(RELAY)
        .sign(&mut request, world.now())
        .unwrap();
    // An answer, not an error: the relay answers before the caller gives up.
    assert_eq!(world.relay.handle(request).await.status, 200);

    let mut request = wardline_org::Request::new(&v1::ReceiveRequest {
        wait_ms: 10_000,
        ..Default::default()
    });
    let no_time = ("connect-timeout-ms".into(), "0".into());
    request.headers.push(no_time);
    cast.ben
        .calls(RELAY)
        .sign(&mut request, world.now())
        .unwrap();
    let answer = world.relay.handle(request).await;
    assert!([200, 504].contains(&answer.status), "{}", answer.status);
}

/// A wake-up that is lost would let somebody wait for its whole time: the test would not end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_all_talk_everybody_gets_every_message_once() {
    const EACH: usize = 15;
    let devices: Vec<Device> = (1..=8)
        .map(|seed| Device::new("mercy", &format!("user-{seed}"), seed))
        .collect();
    let everybody: Vec<&Device> = devices.iter().collect();
    let world = World::of(&everybody).await;

    let talk = devices.iter().map(async |device| {
        let others: Vec<&Device> = devices.iter().filter(|d| d.id() != device.id()).collect();
        for _ in 0..EACH {
            let sent = world.send(device, submission("x", &others)).await.unwrap();
            assert!(sent.refused.is_empty());
        }
    });
    let listen = devices.iter().map(async |device| {
        let (mut after, mut epoch, mut seen) = (0, Vec::new(), HashSet::new());
        while seen.len() < EACH * (devices.len() - 1) {
            let poll = v1::ReceiveRequest {
                after,
                epoch: epoch.clone(),
                max: 10,
                ..long_poll()
            };
            let answer = world.ask(device, &poll).await.unwrap();
            for envelope in answer.envelopes {
                assert_eq!(envelope.sequence, after + 1);
                assert!(seen.insert(envelope.envelope_id), "twice");
                after = envelope.sequence;
            }
            epoch = answer.epoch;
            let acknowledge = v1::AcknowledgeRequest {
                up_to: after,
                epoch: epoch.clone(),
                checkpoint: 0,
            };
            world.ask(device, &acknowledge).await.unwrap();
        }
    });
    futures_util::future::join(
        futures_util::future::join_all(talk),
        futures_util::future::join_all(listen),
    )
    .await;
    world.relay.sweep().await.unwrap();
    let metrics = world.relay.metrics();
    assert!(metrics.contains("wardline_relay_stored_envelopes 0\n"));
    assert!(metrics.contains("wardline_relay_stored_contents 0\n"));
}

pub(crate) fn long_poll() -> v1::ReceiveRequest {
    v1::ReceiveRequest {
        wait_ms: u32::MAX,
        ..Default::default()
    }
}

/// Resolves when so many polls wait.
pub(crate) async fn waiting(world: &World, polls: usize) {
    let line = format!("wardline_relay_polls {polls}\n");
    while !world.relay.metrics().contains(&line) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
