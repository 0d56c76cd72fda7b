//! Who may call: signatures, clocks, replays, revocation.

use std::time::Duration;

use wardline_org::{
    CallSigner, Caller, RelayCode, Request, Response, Signer as _, SoftwareSigner,
    connect::Refusal, transport::RelayCall,
};
use wardline_proto::{Bytes, v1};
use wardline_relay::Rate;

use crate::{
    hospital::{Device, Hospital, key},
    world::{RELAY, World, cast, code, submission},
};

#[tokio::test]
async fn unsigned_call_is_refused() {
    let world = World::empty().await;
    let answer = world
        .relay
        .handle(Request::new(&v1::HeadRequest::default()))
        .await;
    assert_eq!(refusal(&answer), RelayCode::Unsigned);
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn altered_call_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let signed = signed(&world, &cast.ada, &v1::CheckpointRequest { counter: 7 });

    let mut body = signed.clone();
    body.body = Bytes::from_static(&[8, 9]);
    let mut path = signed.clone();
    path.path = "/wardline.v1.Relay/Withdraw".into();
    let mut organization = signed.clone();
    set(&mut organization, "wardline-organization", "grace");
    let mut relay = signed.clone();
    set(&mut relay, "wardline-relay", "another.example");
    let mut signature = signed.clone();
    signature.headers.retain(|(name, _)| name != "signature");

    for (altered, expected) in [
        (body, RelayCode::BadSignature),
        (path, RelayCode::BadSignature),
        (organization, RelayCode::WrongOrg),
        (relay, RelayCode::BadSignature),
        (signature, RelayCode::Unsigned),
    ] {
        let answer = world.relay.handle(altered).await;
        assert_eq!(refusal(&answer), expected);
    }
    // None of these spent the call's one use.
    assert_eq!(world.relay.handle(signed).await.status, 200);
}

#[tokio::test]
async fn call_for_another_relay_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let elsewhere = cast.ada.calls("another.example");
    let answer = world.call(&elsewhere, &v1::HeadRequest::default()).await;
    assert_eq!(code(answer), RelayCode::BadSignature);
}

#[tokio::test]
async fn organization_that_is_not_served_is_refused() {
    let world = World::empty().await;
    let stranger = Device::new("grace", "eve", 9);
    let answer = world.ask(&stranger, &v1::HeadRequest::default()).await;
    assert_eq!(code(answer), RelayCode::WrongOrg);
}

#[tokio::test]
async fn device_of_one_organization_is_unknown_in_another() {
    let cast = cast();
    let grace = Hospital::new("grace");
    let world = World::with_devices(&[&cast.ada], |config| {
        config.roots.push(grace.root.clone());
    })
    .await;
    let elsewhere = CallSigner::new(
        Caller::Device(cast.ada.id()),
        "grace".parse().unwrap(),
        RELAY.parse().unwrap(),
        cast.ada.signer.clone(),
    );
    let answer = world.call(&elsewhere, &v1::HeadRequest::default()).await;
    assert_eq!(code(answer), RelayCode::UnknownDevice);
}

#[tokio::test]
async fn unknown_device_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let answer = world.ask(&cast.ben, &v1::HeadRequest::default()).await;
    assert_eq!(code(answer), RelayCode::UnknownDevice);
}

#[tokio::test]
async fn known_device_id_with_another_key_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let thief = CallSigner::new(
        Caller::Device(cast.ada.id()),
        "mercy".parse().unwrap(),
        RELAY.parse().unwrap(),
        cast.ben.signer.clone(),
    );
    let answer = world.call(&thief, &v1::HeadRequest::default()).await;
    assert_eq!(code(answer), RelayCode::BadSignature);
}

#[tokio::test]
async fn whoever_repeats_a_call_spends_nothing_of_its_callers_quota() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada], |config| {
        config.quotas.device = Rate::new(1, 3);
    })
    .await;
    let heard = signed(&world, &cast.ada, &v1::CheckpointRequest { counter: 1 });
    assert_eq!(world.relay.handle(heard.clone()).await.status, 200);
    for _ in 0..10 {
        let again = world.relay.handle(heard.clone()).await;
        assert_eq!(refusal(&again), RelayCode::Replay);
    }
    world.receive(&cast.ada).await.unwrap();
}

#[tokio::test]
async fn repeated_call_is_refused_also_after_a_restart() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let heard = signed(&world, &cast.ada, &v1::CheckpointRequest { counter: 1 });
    let read = signed(&world, &cast.ada, &v1::HeadRequest::default());
    for call in [&heard, &read] {
        assert_eq!(world.relay.handle(call.clone()).await.status, 200);
        let again = world.relay.handle(call.clone()).await;
        assert_eq!(refusal(&again), RelayCode::Replay);
    }
    world.restart().await;
    world.cut_power().await;
    for call in [&heard, &read] {
        let again = world.relay.handle(call.clone()).await;
        assert_eq!(refusal(&again), RelayCode::Replay);
    }
    // After its window its age refuses it, and the relay forgets it.
    world.advance(Duration::from_secs(301));
    world.relay.sweep().await.unwrap();
    let late = world.relay.handle(heard).await;
    assert_eq!(refusal(&late), RelayCode::Clock);
}

#[tokio::test]
async fn many_copies_of_one_call_are_carried_out_once() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let call = signed(&world, &cast.ada, &v1::CheckpointRequest { counter: 1 });
    let copies = (0..20).map(|_| world.relay.handle(call.clone()));
    let answers = futures_util::future::join_all(copies).await;
    let carried_out = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(carried_out.count(), 1);
}

#[tokio::test]
async fn call_outside_of_the_window_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let head = v1::HeadRequest::default();
    for (ahead, accepted) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let mut request = Request::new(&head);
        let seconds = Duration::from_secs(i64::unsigned_abs(ahead));
        let at = if ahead < 0 {
            world.now() - seconds
        } else {
            world.now() + seconds
        };
        cast.ada.calls(RELAY).sign(&mut request, at).unwrap();
        let answer = world.relay.handle(request).await;
        if accepted {
            assert_eq!(answer.status, 200, "{ahead}");
        } else {
            assert_eq!(refusal(&answer), RelayCode::Clock, "{ahead}");
        }
    }
}

#[tokio::test]
async fn revoked_device_is_told_so_on_every_call() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let revocation = world.hospital.revoke(&cast.ben);
    world.publish(&[revocation]).await.unwrap();

    let (ada, ben) = (&cast.ada, &cast.ben);
    let revoked = [
        code(world.ask(ben, &v1::HeadRequest::default()).await),
        code(world.ask(ben, &v1::EntriesRequest::default()).await),
        code(world.upload(ben, &[1], None).await),
        code(world.ask(ben, &v1::ClaimKeysRequest::default()).await),
        code(world.send(ben, submission("x", &[ada])).await),
        code(world.receive(ben).await),
        code(world.ask(ben, &v1::AcknowledgeRequest::default()).await),
        code(world.ask(ben, &v1::WithdrawRequest::default()).await),
        code(world.ask(ben, &v1::CheckpointRequest::default()).await),
        code(world.ask(ben, &v1::RegisterPushRequest::default()).await),
        code(world.ask(ben, &v1::SetAvailabilityRequest::default()).await),
        code(world.ask(ben, &v1::ReachabilityRequest::default()).await),
        code(world.ask(ben, &v1::EnrollmentsRequest::default()).await),
        code(world.ask(ben, &v1::PublishHeadRequest::default()).await),
    ];
    assert!(revoked.iter().all(|code| *code == RelayCode::Revoked));
    world.ask(ada, &v1::HeadRequest::default()).await.unwrap();
}

#[tokio::test]
async fn devices_of_somebody_who_left_are_revoked() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let farewell = world.hospital.offboard("ada");
    world.publish(&[farewell]).await.unwrap();
    for device in [&cast.ada, &cast.ada_tablet] {
        assert_eq!(code(world.receive(device).await), RelayCode::Revoked);
    }
    world.receive(&cast.ben).await.unwrap();
}

#[tokio::test]
async fn only_the_authority_publishes_and_reads_enrollments() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let publish = v1::PublishHeadRequest::default();
    let read = v1::EnrollmentsRequest::default();
    assert_eq!(
        code(world.ask(&cast.ada, &publish).await),
        RelayCode::NotAuthority
    );
    assert_eq!(
        code(world.ask(&cast.ada, &read).await),
        RelayCode::NotAuthority
    );
    // Nor does whoever claims to be the authority with a key that is not.
    let impostor = CallSigner::new(
        Caller::Authority,
        "mercy".parse().unwrap(),
        RELAY.parse().unwrap(),
        std::sync::Arc::new(key(250)),
    );
    assert_eq!(
        code(world.call(&impostor, &read).await),
        RelayCode::BadSignature
    );
    world.command(&read).await.unwrap();
}

#[tokio::test]
async fn authority_has_no_mailbox() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let answer = world.command(&v1::ReceiveRequest::default()).await;
    assert_eq!(code(answer), RelayCode::UnknownDevice);
}

#[tokio::test]
async fn any_of_the_authoritys_keys_will_do() {
    let world = World::with(|config| {
        let root = config.roots[0].root().clone();
        let second = SoftwareSigner::from_seed(&[77; 32]);
        let mut keys = root.keys.clone();
        keys.push((wardline_org::root::Purpose::Authority, second.public_key()));
        let next = wardline_org::root::Root {
            version: 2,
            keys,
            ..root
        };
        let next = wardline_org::root::SignedRoot::sign(&next, &[&key(crate::hospital::ROOT)]);
        config.roots.push(next.unwrap());
    })
    .await;
    let second = CallSigner::new(
        Caller::Authority,
        "mercy".parse().unwrap(),
        RELAY.parse().unwrap(),
        std::sync::Arc::new(key(77)),
    );
    let read = v1::EnrollmentsRequest::default();
    world.call(&second, &read).await.unwrap();
    world.command(&read).await.unwrap();
}

fn signed<C: RelayCall>(world: &World, device: &Device, call: &C) -> Request {
    let mut request = Request::new(call);
    device.calls(RELAY).sign(&mut request, world.now()).unwrap();
    request
}

fn set(request: &mut Request, name: &str, value: &str) {
    for header in &mut request.headers {
        if header.0 == name {
            header.1 = value.to_owned();
        }
    }
}

fn refusal(answer: &Response) -> RelayCode {
    Refusal::from_response(answer).code
}
