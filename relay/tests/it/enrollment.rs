//! How a device gets into the directory: ticket, queue, admission.

use std::{sync::Arc, time::Duration};

use wardline_org::{
    Refusal, RelayCode, Request, Response,
    ticket::{DEFAULT_VALIDITY, TicketIssuer},
};
use wardline_proto::v1;

use crate::{
    hospital::{Device, HEAD, TICKET, key},
    world::{RELAY, World, cast, code},
};

#[tokio::test]
async fn device_with_a_ticket_gets_in() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let request = enrollment(&world, &cast.ben);
    assert_eq!(enroll(&world, &request).await.status, 200);

    // Until the authority answers it may only look whether it has come.
    world
        .ask(&cast.ben, &v1::HeadRequest::default())
        .await
        .unwrap();
    world
        .ask(&cast.ben, &v1::EntriesRequest::default())
        .await
        .unwrap();
    assert_eq!(
        code(world.receive(&cast.ben).await),
        RelayCode::UnknownDevice
    );

    world.restart().await;
    let pending = enrollments(&world, 0).await;
    let [waiting] = pending.as_slice() else {
        panic!("{} wait", pending.len());
    };
    assert!(waiting.request.as_ref() == Some(&request));
    assert!(enrollments(&world, waiting.sequence).await.is_empty());
    world
        .ask(&cast.ben, &v1::HeadRequest::default())
        .await
        .unwrap();

    let admitted = world.hospital.admit(&cast.ben);
    world.publish(&[admitted]).await.unwrap();
    world.receive(&cast.ben).await.unwrap();
    assert!(enrollments(&world, 0).await.is_empty());
}

#[tokio::test]
async fn ticket_used_twice_is_refused() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let request = enrollment(&world, &cast.ben);
    assert_eq!(enroll(&world, &request).await.status, 200);
    world.cut_power().await;
    // The same request is a lost answer; another device with the same ticket is a theft.
    assert_eq!(enroll(&world, &request).await.status, 200);
    assert_eq!(enrollments(&world, 0).await.len(), 1);
    let thief = Device::new("mercy", "ben", 66);
    let stolen = v1::EnrollRequest {
        ticket: request.ticket.clone(),
        ..enrollment(&world, &thief)
    };
    assert_eq!(
        refusal(&enroll(&world, &stolen).await),
        RelayCode::TicketUsed
    );
}

#[tokio::test]
async fn ticket_that_does_not_hold_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let good = enrollment(&world, &cast.ben);
    let by = |org: &str, seed: u8, user: &str| v1::EnrollRequest {
        ticket: TicketIssuer::new(org.parse().unwrap(), Arc::new(key(seed)))
            .mint(&user.parse().unwrap(), DEFAULT_VALIDITY, world.now())
            .unwrap(),
        ..good.clone()
    };
    let mut garbage = good.clone();
    garbage.ticket = "x.y.z".into();
    let mut empty = good.clone();
    empty.ticket.clear();
    for (request, expected) in [
        (by("mercy", TICKET, "ada"), RelayCode::TicketMismatch),
        (by("mercy", HEAD, "ben"), RelayCode::TicketInvalid),
        (by("grace", TICKET, "ben"), RelayCode::TicketInvalid),
        (garbage, RelayCode::TicketInvalid),
        (empty, RelayCode::TicketInvalid),
    ] {
        assert_eq!(refusal(&enroll(&world, &request).await), expected);
    }
    world.advance(DEFAULT_VALIDITY + Duration::from_secs(1));
    assert_eq!(
        refusal(&enroll(&world, &good).await),
        RelayCode::TicketExpired
    );
}

#[tokio::test]
async fn credential_that_does_not_hold_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let good = enrollment(&world, &cast.ben);
    let mut unsigned = good.clone();
    unsigned.signature = cast.ada.credential.signature().to_vec();
    let mut garbage = good.clone();
    garbage.credential = vec![7; 40];
    let elsewhere = enrollment(&world, &Device::new("grace", "ben", 3));
    for (request, expected) in [
        (unsigned, RelayCode::BadSignature),
        (garbage, RelayCode::Malformed),
        (elsewhere, RelayCode::WrongOrg),
    ] {
        assert_eq!(refusal(&enroll(&world, &request).await), expected);
    }
    // None of these spent the ticket.
    assert_eq!(enroll(&world, &good).await.status, 200);
}

#[tokio::test]
async fn enrollment_may_be_signed_as_a_call_and_then_must_hold() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let enroll = enrollment(&world, &cast.ben);

    let wrong = world.call(&cast.ada.calls(RELAY), &enroll).await;
    assert_eq!(code(wrong), RelayCode::BadSignature);

    let mut signed = Request::new(&enroll);
    cast.ben
        .calls(RELAY)
        .sign(&mut signed, world.now())
        .unwrap();
    assert_eq!(world.relay.handle(signed.clone()).await.status, 200);
    let again = world.relay.handle(signed).await;
    assert_eq!(refusal(&again), RelayCode::Replay);
}

#[tokio::test]
async fn revoked_device_cannot_enroll_again() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    let revocation = world.hospital.revoke(&cast.ben);
    world.publish(&[revocation]).await.unwrap();
    let request = enrollment(&world, &cast.ben);
    assert_eq!(refusal(&enroll(&world, &request).await), RelayCode::Revoked);
}

#[tokio::test]
async fn strangers_cannot_flood_the_queue() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada], |config| {
        config.quotas.enrollments = wardline_relay::Rate::new(1, 2);
    })
    .await;
    let garbage = v1::EnrollRequest {
        ticket: "x".into(),
        ..enrollment(&world, &cast.ben)
    };
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(refusal(&enroll(&world, &garbage).await));
    }
    assert_eq!(codes[1..], [RelayCode::TicketInvalid, RelayCode::Quota]);
    // Known devices are not affected.
    world.receive(&cast.ada).await.unwrap();
}

#[tokio::test]
async fn enrollment_that_nobody_answers_ends() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada], |config| {
        config.enrollment_retention = Duration::from_secs(60);
    })
    .await;
    let request = enrollment(&world, &cast.ben);
    assert_eq!(enroll(&world, &request).await.status, 200);
    world.advance(Duration::from_secs(61));
    world.relay.sweep().await.unwrap();
    assert!(enrollments(&world, 0).await.is_empty());
    let head = world.ask(&cast.ben, &v1::HeadRequest::default()).await;
    assert_eq!(code(head), RelayCode::UnknownDevice);
}

/// A good request of a device with a fresh ticket.
fn enrollment(world: &World, device: &Device) -> v1::EnrollRequest {
    let org = device.credential.credential().org.clone();
    let issuer = TicketIssuer::new(org, Arc::new(key(TICKET)));
    v1::EnrollRequest {
        ticket: issuer
            .mint(device.user(), DEFAULT_VALIDITY, world.now())
            .unwrap(),
        credential: device.credential.bytes().to_vec(),
        signature: device.credential.signature().to_vec(),
    }
}

/// An unsigned call: ticket and credential speak for it.
async fn enroll(world: &World, request: &v1::EnrollRequest) -> Response {
    world.relay.handle(Request::new(request)).await
}

async fn enrollments(world: &World, after: u64) -> Vec<v1::PendingEnrollment> {
    let request = v1::EnrollmentsRequest { after, max: 0 };
    world.command(&request).await.unwrap().enrollments
}

fn refusal(answer: &Response) -> RelayCode {
    Refusal::from_response(answer).code
}
