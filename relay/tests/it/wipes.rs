//! Orders to erase a device: who may give one, what its device is answered, and whose receipt counts.

use wardline_org::{
    Hash, Refusal, RelayCode, Signer, Transport,
    transport::RelayCall,
    wipe::{SignedWipeOrder, SignedWipeReceipt, WipeOrder, WipeReceipt},
};
use wardline_proto::v1;
use wardline_relay::Rate;

use crate::{
    hospital::{AUTHORITY, Device, HEAD, POLICY, WIPE, key, start},
    polls::{long_poll, waiting},
    world::{RELAY, World, call_over, cast, code, submission},
};

fn order_by(signer: u8, org: &str, device: &Device) -> SignedWipeOrder {
    let order = WipeOrder {
        org: org.parse().unwrap(),
        device: device.id(),
        issued_at: start(),
        reason: "lost".parse().unwrap(),
    };
    SignedWipeOrder::sign(&order, &key(signer)).unwrap()
}

fn order_call(order: &SignedWipeOrder) -> v1::OrderWipeRequest {
    v1::OrderWipeRequest {
        order: order.to_string(),
    }
}

pub(crate) async fn order(world: &World, device: &Device) -> SignedWipeOrder {
    let order = order_by(WIPE, "mercy", device);
    world.command(&order_call(&order)).await.unwrap();
    order
}

fn receipt_by(signer: &dyn Signer, device: &Device, order: Hash) -> v1::ConfirmWipeRequest {
    let receipt = WipeReceipt {
        org: "mercy".parse().unwrap(),
        device: device.id(),
        order,
        wiped_at: start(),
        unsent_messages: 2,
    };
    SignedWipeReceipt::sign(receipt, signer).to_call()
}

pub(crate) fn receipt(device: &Device, order: &SignedWipeOrder) -> v1::ConfirmWipeRequest {
    receipt_by(&*device.signer, device, order.hash())
}

/// A call that nobody signed, as a device makes it whose keys are gone.
pub(crate) async fn unsigned<C: RelayCall>(world: &World, call: &C) -> Result<C::Answer, Refusal> {
    let request = wardline_org::Request::new(call);
    let answer = world.relay.local().call(request).await.unwrap();
    match answer.decode::<C>() {
        Ok(answer) => Ok(answer),
        Err(error) => Err(error.refusal().unwrap().clone()),
    }
}

async fn listed(world: &World) -> Vec<v1::Wipe> {
    let all = v1::WipesRequest::default();
    world.command(&all).await.unwrap().wipes
}

#[track_caller]
fn shows(refusal: Refusal, order: &SignedWipeOrder) {
    assert_eq!(refusal.code, RelayCode::Wipe);
    let notice = refusal.wipe.unwrap();
    assert_eq!(notice.order, order.to_string());
    assert_eq!(notice.roots.len(), 1);
}

#[tokio::test]
async fn order_that_no_wipe_key_signed_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    for signer in [HEAD, POLICY, AUTHORITY, 77] {
        let forged = order_call(&order_by(signer, "mercy", &cast.ada));
        let refused = world.command(&forged).await;
        assert_eq!(code(refused), RelayCode::WipeInvalid);
    }
    let other = order_call(&order_by(WIPE, "general", &cast.ada));
    assert_eq!(code(world.command(&other).await), RelayCode::WipeInvalid);
    let stranger = order_call(&order_by(WIPE, "mercy", &cast.ben));
    assert_eq!(code(world.command(&stranger).await), RelayCode::WipeInvalid);
    let garbage = v1::OrderWipeRequest {
        order: "wipe everything".into(),
    };
    assert_eq!(code(world.command(&garbage).await), RelayCode::WipeInvalid);
    world.receive(&cast.ada).await.unwrap();
    assert!(listed(&world).await.is_empty());
}

#[tokio::test]
async fn only_the_authority_orders_and_lists() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let order = order_call(&order_by(WIPE, "mercy", &cast.ada));
    let refused = world.ask(&cast.ben, &order).await;
    assert_eq!(code(refused), RelayCode::NotAuthority);
    let refused = world.ask(&cast.ben, &v1::WipesRequest::default()).await;
    assert_eq!(code(refused), RelayCode::NotAuthority);
    assert_eq!(code(unsigned(&world, &order).await), RelayCode::Unsigned);
}

#[tokio::test]
async fn device_to_be_wiped_is_answered_with_the_order_and_nothing_else() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ben]).await;
    world.upload(&cast.ben, &[1], Some(2)).await.unwrap();
    let sent = world.send(&cast.ada, submission("x", &[&cast.ben])).await;
    sent.unwrap();
    let order = order(&world, &cast.ben).await;
    for revoked in [false, true] {
        if revoked {
            let revocation = world.hospital.revoke(&cast.ben);
            world.publish(&[revocation]).await.unwrap();
        }
        let ben = &cast.ben;
        let heads = v1::HeadRequest::default();
        shows(world.ask(ben, &heads).await.unwrap_err(), &order);
        let entries = v1::EntriesRequest::default();
        shows(world.ask(ben, &entries).await.unwrap_err(), &order);
        shows(world.receive(ben).await.unwrap_err(), &order);
        shows(world.ask(ben, &long_poll()).await.unwrap_err(), &order);
        shows(world.upload(ben, &[3], None).await.unwrap_err(), &order);
        let claim = v1::ClaimKeysRequest::default();
        shows(world.ask(ben, &claim).await.unwrap_err(), &order);
        let send = submission("y", &[&cast.ada]);
        shows(world.send(ben, send).await.unwrap_err(), &order);
        let acknowledge = v1::AcknowledgeRequest::default();
        shows(world.ask(ben, &acknowledge).await.unwrap_err(), &order);
        let withdraw = v1::WithdrawRequest::default();
        shows(world.ask(ben, &withdraw).await.unwrap_err(), &order);
        let checkpoint = v1::CheckpointRequest::default();
        shows(world.ask(ben, &checkpoint).await.unwrap_err(), &order);
        let enroll = v1::EnrollRequest {
            ticket: "none".into(),
            credential: ben.credential.bytes().to_vec(),
            signature: ben.credential.signature().to_vec(),
        };
        shows(unsigned(&world, &enroll).await.unwrap_err(), &order);
    }
    // Nothing of it, and nobody else is troubled: nothing was delivered, no key is handed out.
    assert!(world.receive(&cast.ada).await.unwrap().envelopes.is_empty());
    let claim = v1::ClaimKeysRequest {
        device_ids: vec![cast.ben.id().to_vec()],
        hold_device_ids: Vec::new(),
    };
    let claimed = world.ask(&cast.ada, &claim).await.unwrap();
    assert!(claimed.keys.is_empty());
}

#[tokio::test]
async fn order_is_shown_to_nobody_but_its_device() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ada_tablet]).await;
    order(&world, &cast.ada).await;
    world.receive(&cast.ada_tablet).await.unwrap();
    // In its name, with another key.
    let impostor = Device {
        signer: cast.ben.signer.clone(),
        credential: cast.ada.credential.clone(),
    };
    let refused = world.receive(&impostor).await.unwrap_err();
    assert_eq!(refused.code, RelayCode::BadSignature);
    assert_eq!(refused.wipe, None);
}

#[tokio::test]
async fn order_ends_the_wait_of_its_device() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let (relay, now, ben) = (world.relay.clone(), world.now(), cast.ben.clone());
    let waits = tokio::spawn(async move {
        call_over(&relay.local(), &ben.calls(RELAY), &long_poll(), now).await
    });
    waiting(&world, 1).await;
    let order = order(&world, &cast.ben).await;
    shows(waits.await.unwrap().unwrap_err(), &order);
}

#[tokio::test]
async fn order_and_receipt_outlive_the_relay() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let order = order(&world, &cast.ada).await;
    world.cut_power().await;
    shows(world.receive(&cast.ada).await.unwrap_err(), &order);
    let call = receipt(&cast.ada, &order);
    unsigned(&world, &call).await.unwrap();
    world.cut_power().await;
    let wipes = listed(&world).await;
    assert_eq!(wipes.len(), 1);
    assert_eq!(wipes[0].order, order.to_string());
    assert_eq!(wipes[0].receipt.as_ref(), Some(&call));
    // A copy of the device that turns up later is to go as well.
    shows(world.receive(&cast.ada).await.unwrap_err(), &order);
}

#[tokio::test]
async fn receipt_of_the_revoked_device_is_taken_once_and_again() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada]).await;
    let order = order(&world, &cast.ada).await;
    let revocation = world.hospital.revoke(&cast.ada);
    world.publish(&[revocation]).await.unwrap();
    let call = receipt(&cast.ada, &order);
    for _ in 0..2 {
        unsigned(&world, &call).await.unwrap();
    }
    assert_eq!(listed(&world).await[0].receipt.as_ref(), Some(&call));
}

#[tokio::test]
async fn receipt_that_its_device_did_not_sign_for_this_order_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let early = receipt(&cast.ben, &order_by(WIPE, "mercy", &cast.ben));
    let order = order(&world, &cast.ada).await;
    assert_eq!(code(unsigned(&world, &early).await), RelayCode::WipeInvalid);
    let forged = receipt_by(&*cast.ben.signer, &cast.ada, order.hash());
    assert_eq!(
        code(unsigned(&world, &forged).await),
        RelayCode::BadSignature
    );
    let other = receipt_by(&*cast.ada.signer, &cast.ada, Hash::of(b"another"));
    assert_eq!(code(unsigned(&world, &other).await), RelayCode::WipeInvalid);
    let garbage = v1::ConfirmWipeRequest::default();
    assert_eq!(code(unsigned(&world, &garbage).await), RelayCode::Malformed);
    assert_eq!(listed(&world).await[0].receipt, None);
}

#[tokio::test]
async fn strangers_cannot_flood_the_relay_with_receipts() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada], |config| {
        config.quotas.enrollments = Rate::new(1, 3);
    })
    .await;
    let order = order(&world, &cast.ada).await;
    let forged = receipt_by(&*cast.ben.signer, &cast.ada, order.hash());
    for _ in 0..3 {
        assert_eq!(
            code(unsigned(&world, &forged).await),
            RelayCode::BadSignature
        );
    }
    let refused = unsigned(&world, &forged).await.unwrap_err();
    assert_eq!(refused.code, RelayCode::Quota);
    // The device tries again when it is told to.
    world.advance(refused.retry_after.unwrap());
    unsigned(&world, &receipt(&cast.ada, &order)).await.unwrap();
}
