//! Leaving prekeys and claiming them.

use wardline_org::{RelayCode, prekey::PrekeyKind};
use wardline_proto::v1;

use crate::{
    hospital::Device,
    world::{World, cast, code},
};

#[tokio::test]
async fn claimed_keys_are_signed_by_their_device_and_given_once() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let uploaded = world.upload(&cast.ben, &[1, 2], Some(50)).await.unwrap();
    assert_eq!(uploaded.unclaimed_one_time_keys, 2);

    let one_time = |seed| cast.ben.prekey(PrekeyKind::OneTime, seed);
    let first = claim(&world, &cast.ada, &[&cast.ben]).await;
    assert_eq!(first, [(one_time(1), false)]);
    world.cut_power().await;
    let second = claim(&world, &cast.ada_tablet, &[&cast.ben]).await;
    assert_eq!(second, [(one_time(2), false)]);
    let fallback = cast.ben.prekey(PrekeyKind::Fallback, 50);
    let third = claim(&world, &cast.ada, &[&cast.ben]).await;
    assert_eq!(third, [(fallback, true)]);

    // Uploading a claimed key again, as a client does whose answer was lost, brings it back to nobody.
    let again = world.upload(&cast.ben, &[1, 2], None).await.unwrap();
    assert_eq!(again.unclaimed_one_time_keys, 0);
    let answer = world.receive(&cast.ben).await.unwrap();
    assert_eq!(answer.unclaimed_one_time_keys, 0);
}

#[tokio::test]
async fn claim_leaves_out_whoever_has_no_key_or_may_not_call() {
    let cast = cast();
    let stranger = Device::new("mercy", "eve", 9);
    let mut world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    world.upload(&cast.ben, &[1], None).await.unwrap();
    world.upload(&cast.ada_tablet, &[2], None).await.unwrap();
    let revocation = world.hospital.revoke(&cast.ada_tablet);
    world.publish(&[revocation]).await.unwrap();

    let targets = [&cast.ada, &cast.ada_tablet, &cast.ben, &stranger];
    let request = v1::ClaimKeysRequest {
        device_ids: targets.map(|device| device.id().to_vec()).to_vec(),
        hold_device_ids: Vec::new(),
    };
    let answer = world.ask(&cast.ada, &request).await.unwrap();
    let devices: Vec<_> = answer
        .keys
        .iter()
        .map(|key| key.device_id.clone())
        .collect();
    assert_eq!(devices, [cast.ben.id().to_vec()]);
}

#[tokio::test]
async fn one_device_cannot_drain_anothers_keys() {
    let cast = cast();
    let world = World::with_devices(&[&cast.ada, &cast.ada_tablet, &cast.ben], |config| {
        config.quotas.claims_per_day = 2;
    })
    .await;
    world
        .upload(&cast.ben, &[1, 2, 3, 4, 5], Some(50))
        .await
        .unwrap();
    let mut fallbacks = Vec::new();
    for _ in 0..3 {
        fallbacks.push(claim(&world, &cast.ada, &[&cast.ben]).await[0].1);
    }
    assert_eq!(fallbacks, [false, false, true]);
    assert!(!claim(&world, &cast.ada_tablet, &[&cast.ben]).await[0].1);
    // The next day it has its share again.
    world.advance(std::time::Duration::from_secs(24 * 3600));
    assert!(!claim(&world, &cast.ada, &[&cast.ben]).await[0].1);
}

#[tokio::test]
async fn keys_that_the_device_did_not_sign_for_this_use_are_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let good = cast.ben.prekey(PrekeyKind::OneTime, 1);
    let mut dated = good.clone();
    dated.created_at_ms = 1;
    let mut short = good.clone();
    short.key.truncate(31);
    let mut weak = good.clone();
    weak.key = vec![0; 32];
    let cases = [
        (
            cast.ada.prekey(PrekeyKind::OneTime, 1),
            RelayCode::BadSignature,
        ),
        (
            cast.ben.prekey(PrekeyKind::Fallback, 1),
            RelayCode::BadSignature,
        ),
        (dated, RelayCode::BadSignature),
        (short, RelayCode::Malformed),
        (weak, RelayCode::Malformed),
    ];
    for (bad, expected) in cases {
        let request = v1::UploadKeysRequest {
            one_time_keys: vec![cast.ben.prekey(PrekeyKind::OneTime, 2), bad],
            ..Default::default()
        };
        assert_eq!(code(world.ask(&cast.ben, &request).await), expected);
    }
    let twice = v1::UploadKeysRequest {
        one_time_keys: vec![good.clone(), good],
        ..Default::default()
    };
    let answer = world.ask(&cast.ben, &twice).await;
    assert_eq!(code(answer), RelayCode::Malformed);
    assert!(claim(&world, &cast.ada, &[&cast.ben]).await.is_empty());
}

#[tokio::test]
async fn replacing_drops_the_keys_of_a_restored_store() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    world.upload(&cast.ben, &[1, 2], None).await.unwrap();
    let request = v1::UploadKeysRequest {
        one_time_keys: vec![cast.ben.prekey(PrekeyKind::OneTime, 3)],
        hold_key: Some(cast.ben.prekey(PrekeyKind::Hold, 4)),
        replace: true,
        ..Default::default()
    };
    let answer = world.ask(&cast.ben, &request).await.unwrap();
    assert_eq!(answer.unclaimed_one_time_keys, 1);
    let claimed = claim(&world, &cast.ada, &[&cast.ben]).await;
    assert_eq!(claimed, [(cast.ben.prekey(PrekeyKind::OneTime, 3), false)]);
}

#[tokio::test]
async fn claiming_the_same_device_twice_in_one_call_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let request = v1::ClaimKeysRequest {
        device_ids: vec![cast.ben.id().to_vec(); 2],
        hold_device_ids: Vec::new(),
    };
    let answer = world.ask(&cast.ada, &request).await;
    assert_eq!(code(answer), RelayCode::Malformed);
}

async fn claim(world: &World, claimer: &Device, targets: &[&Device]) -> Vec<(v1::SignedKey, bool)> {
    let request = v1::ClaimKeysRequest {
        device_ids: targets.iter().map(|device| device.id().to_vec()).collect(),
        hold_device_ids: Vec::new(),
    };
    let answer = world.ask(claimer, &request).await.unwrap();
    answer
        .keys
        .into_iter()
        .map(|claimed| (claimed.key.unwrap(), claimed.fallback))
        .collect()
}
