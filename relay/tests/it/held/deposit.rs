//! What is taken as a deposit, how long it is kept, and the keys that it is sealed with.

use wardline_org::{RelayCode, prekey::PrekeyKind};
use wardline_proto::v1;

use super::*;
use crate::world::code;

#[tokio::test]
async fn message_sent_again_is_held_once_and_other_bytes_are_a_conflict() {
    let mut scene = Scene::new().await;
    let message = scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    scene.world.restart().await;
    let again = scene.world.send(&scene.ada, message.clone()).await;
    let again = again.unwrap();
    assert_eq!(again.accepted_at_ms, scene.world.now().as_millis());
    assert!(again.armed, "its sender may have missed the first answer");
    for change in [
        |m: &mut v1::Submission| m.deposit = None,
        |m: &mut v1::Submission| tiers(m)[0].wait_ms += 1,
        |m: &mut v1::Submission| tiers(m)[0].not_before_ms = 1,
        |m: &mut v1::Submission| tiers(m)[0].wake = 2,
        |m: &mut v1::Submission| tiers(m)[0].user_ids.push("zoe".into()),
        |m: &mut v1::Submission| tiers(m)[0].role_ids.push(ROLE.into()),
        |m: &mut v1::Submission| tiers(m)[0].keys[0].ciphertext = vec![1; 50].into(),
        |m: &mut v1::Submission| m.deposit.as_mut().unwrap().content = b"other".to_vec(),
        |m: &mut v1::Submission| m.deposit.as_mut().unwrap().stop_hash = vec![1; 32],
    ] {
        let mut other = message.clone();
        change(&mut other);
        let refused = scene.world.send(&scene.ada, other).await;
        assert_eq!(code(refused), RelayCode::Conflict);
    }
    // The names of the deposit and of its tiers are taken from now on.
    let mut same_deposit = submission("", &[&scene.ben]);
    same_deposit.deposit = Some(deposit(vec![tier(MINUTE, &[&scene.cara])]));
    let mut same_tier = same_deposit.clone();
    let other = same_tier.deposit.as_mut().unwrap();
    other.deposit_id = vec![1; 16];
    other.tiers[0].envelope_id = tiers(&mut message.clone())[0].envelope_id.clone();
    let mut plain = submission("", &[&scene.ben]);
    plain.envelope_id = other.tiers[0].envelope_id.clone();
    for taken in [same_deposit, same_tier, plain] {
        let refused = scene.world.send(&scene.ada, taken).await;
        assert_eq!(code(refused), RelayCode::Conflict);
    }
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
    assert_eq!(scene.given(&scene.ben).await, ["stat"]);
}

#[tokio::test]
async fn what_could_not_be_released_is_not_taken() {
    let scene = Scene::new().await;
    let week = 7 * DAY;
    let good = || {
        let mut message = submission("", &[]);
        message.deposit = Some(deposit(vec![
            tier(week - HOUR, &[&scene.cara]),
            tier(HOUR, &[&scene.dan]),
        ]));
        message
    };
    let cases: [(RelayCode, Change<'_>); 20] = [
        (RelayCode::Malformed, &|m| {
            m.content = Bytes::from_static(b"for nobody")
        }),
        (RelayCode::Malformed, &|m| m.deposit = None),
        (RelayCode::Malformed, &|m| tiers(m).clear()),
        (RelayCode::Malformed, &|m| {
            m.deposit.as_mut().unwrap().deposit_id.truncate(15)
        }),
        (RelayCode::Malformed, &|m| {
            m.deposit.as_mut().unwrap().stop_hash.truncate(31)
        }),
        (RelayCode::Malformed, &|m| {
            tiers(m)[0].envelope_id.truncate(15)
        }),
        (RelayCode::Malformed, &|m| {
            tiers(m)[0].envelope_id = m.envelope_id.clone();
        }),
        (RelayCode::Malformed, &|m| {
            tiers(m)[0].envelope_id = tiers(m)[1].envelope_id.clone();
        }),
        (RelayCode::Malformed, &|m| tiers(m)[0].user_ids.clear()),
        (RelayCode::Malformed, &|m| {
            tiers(m)[0].user_ids[0] = "no name".into()
        }),
        (RelayCode::Malformed, &|m| {
            tiers(m)[0].user_ids.push("cara".into())
        }),
        (RelayCode::Malformed, &|m| {
            tiers(m)[0].role_ids.push("role/x".into())
        }),
        (RelayCode::Malformed, &|m| tiers(m)[0].keys.clear()),
        (RelayCode::Malformed, &|m| {
            let key = tiers(m)[0].keys[0].clone();
            tiers(m)[0].keys.push(key);
        }),
        (RelayCode::Malformed, &|m| {
            tiers(m)[0].keys[0].ciphertext.truncate(32)
        }),
        (RelayCode::Malformed, &|m| tiers(m)[0].keys[0].olm_type = 1),
        // Each way of sealing has its place.
        (RelayCode::Unsupported, &|m| {
            tiers(m)[0].keys[0].suite = v1::Suite::OlmV2.into()
        }),
        (RelayCode::Unsupported, &|m| {
            m.keys.push(hold_key(&scene.ben))
        }),
        // A second too late.
        (RelayCode::TooLarge, &|m| tiers(m)[1].wait_ms += 1_000),
        (RelayCode::TooLarge, &|m| {
            tiers(m)[1].not_before_ms = (scene.world.now() + week + SECOND).as_millis();
        }),
    ];
    for (number, (expected, change)) in cases.into_iter().enumerate() {
        let mut message = good();
        change(&mut message);
        let refused = scene.world.send(&scene.ada, message).await;
        assert_eq!(code(refused), expected, "{number}");
    }
    let overflow = |m: &mut v1::Submission| {
        tiers(m)[0].wait_ms = u64::MAX;
        tiers(m)[1].not_before_ms = i64::MAX;
    };
    let mut message = good();
    overflow(&mut message);
    let refused = scene.world.send(&scene.ada, message).await.unwrap_err();
    assert_eq!(refused.limit, Some(week.as_millis().try_into().unwrap()));
    // The whole week is taken.
    scene.world.send(&scene.ada, good()).await.unwrap();
}

#[tokio::test]
async fn deposit_above_a_limit_is_refused_with_it() {
    let scene = Scene::with(|config| {
        config.limits.tiers = 1;
        config.limits.tier_devices = 1;
        config.limits.content_bytes = 100;
        config.limits.sealed_key_bytes = 100;
        config.limits.deposits = 2;
    })
    .await;
    let number = std::cell::Cell::new(0_u8);
    let good = || {
        number.set(number.get() + 1);
        let mut message = submission("", &[]);
        message.deposit = Some(deposit(vec![tier(MINUTE, &[&scene.cara])]));
        message.deposit.as_mut().unwrap().deposit_id = vec![number.get(); 16];
        message
    };
    let cases: [(u64, Change<'_>); 5] = [
        (1, &|m| {
            let second = tier(MINUTE, &[&scene.dan]);
            tiers(m).push(second);
        }),
        (1, &|m| {
            tiers(m)[0] = tier(MINUTE, &[&scene.cara, &scene.dan])
        }),
        (1, &|m| tiers(m)[0].role_ids.push(ROLE.into())),
        (100, &|m| m.deposit.as_mut().unwrap().content = vec![0; 101]),
        (100, &|m| {
            tiers(m)[0].keys[0].ciphertext = vec![0; 101].into()
        }),
    ];
    for (number, (limit, change)) in cases.into_iter().enumerate() {
        let mut message = good();
        change(&mut message);
        let refused = scene.world.send(&scene.ada, message).await.unwrap_err();
        assert_eq!(refused.code, RelayCode::TooLarge, "{number}");
        assert_eq!(refused.limit, Some(limit), "{number}");
    }
    for _ in 0..2 {
        scene.world.send(&scene.ada, good()).await.unwrap();
    }
    let above = good();
    let refused = scene
        .world
        .send(&scene.ada, above.clone())
        .await
        .unwrap_err();
    assert_eq!(refused.code, RelayCode::Quota);
    assert_eq!(refused.limit, Some(2));
    scene.world.send(&scene.ben, good()).await.unwrap();
    // What is released makes room.
    scene.pass(MINUTE).await;
    scene.world.send(&scene.ada, above).await.unwrap();
}

#[tokio::test]
async fn hold_key_is_given_to_everybody_who_asks_and_is_not_used_up() {
    let scene = Scene::new().await;
    let upload = v1::UploadKeysRequest {
        hold_key: Some(scene.cara.prekey(PrekeyKind::Hold, 9)),
        ..Default::default()
    };
    scene.world.ask(&scene.cara, &upload).await.unwrap();
    let claim = v1::ClaimKeysRequest {
        device_ids: Vec::new(),
        hold_device_ids: vec![scene.cara.id().to_vec(), scene.dan.id().to_vec()],
    };
    for _ in 0..20 {
        let answer = scene.world.ask(&scene.ada, &claim).await.unwrap();
        assert!(answer.keys.is_empty());
        let [found] = answer.hold_keys.as_slice() else {
            panic!("{} keys", answer.hold_keys.len());
        };
        assert_eq!(found.device_id, scene.cara.id().to_vec());
        assert_eq!(found.key, upload.hold_key);
    }
    let twice = v1::ClaimKeysRequest {
        device_ids: Vec::new(),
        hold_device_ids: vec![scene.cara.id().to_vec(), scene.cara.id().to_vec()],
    };
    let refused = scene.world.ask(&scene.ada, &twice).await;
    assert_eq!(code(refused), RelayCode::Malformed);
}

#[tokio::test]
async fn hold_key_of_a_revoked_device_is_given_to_nobody() {
    let mut scene = Scene::new().await;
    let upload = v1::UploadKeysRequest {
        hold_key: Some(scene.cara.prekey(PrekeyKind::Hold, 9)),
        ..Default::default()
    };
    scene.world.ask(&scene.cara, &upload).await.unwrap();
    let revocation = scene.world.hospital.revoke(&scene.cara);
    scene.world.publish(&[revocation]).await.unwrap();
    let claim = v1::ClaimKeysRequest {
        device_ids: Vec::new(),
        hold_device_ids: vec![scene.cara.id().to_vec()],
    };
    let answer = scene.world.ask(&scene.ada, &claim).await.unwrap();
    assert!(answer.hold_keys.is_empty());
}

#[tokio::test]
async fn content_of_all_tiers_is_stored_once_and_goes_with_the_last_envelope() {
    let scene = Scene::new().await;
    let tiers = vec![tier(MINUTE, &[&scene.cara]), tier(MINUTE, &[&scene.dan])];
    let mut message = submission("", &[]);
    message.deposit = Some(deposit(tiers));
    scene.world.send(&scene.ada, message).await.unwrap();
    for (device, stored) in [(&scene.cara, 1), (&scene.dan, 0)] {
        scene.pass(MINUTE).await;
        stored_contents(&scene, 1).await;
        let page = scene.world.receive(device).await.unwrap();
        let acknowledge = v1::AcknowledgeRequest {
            up_to: page.last_sequence,
            epoch: page.epoch,
            checkpoint: 0,
        };
        scene.world.ask(device, &acknowledge).await.unwrap();
        stored_contents(&scene, stored).await;
    }
}

#[tokio::test]
async fn what_is_over_is_deleted_after_a_while_and_what_waits_is_not() {
    let scene = Scene::with(|config| config.retention = DAY).await;
    let wait = [MINUTE, 6 * DAY].map(|wait| tier(wait, &[&scene.cara]));
    scene.raise(wait.to_vec()).await;
    scene.pass(MINUTE).await;
    scene.world.advance(2 * DAY);
    scene.world.relay.sweep().await.unwrap();
    assert!(scene.given(&scene.cara).await.is_empty());
    scene.pass(4 * DAY).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);

    scene.world.advance(2 * DAY);
    scene.world.relay.sweep().await.unwrap();
    let metrics = scene.world.relay.metrics();
    for none in [
        "stored_envelopes 0\n",
        "stored_contents 0\n",
        "stored_deposits 0\n",
    ] {
        assert!(metrics.contains(none), "{none}");
    }
    // Nothing of it is left: even its names are free.
    scene.raise(vec![tier(MINUTE, &[&scene.dan])]).await;
}

#[tokio::test]
async fn withdrawing_the_message_leaves_what_is_held() {
    let scene = Scene::new().await;
    let message = scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let withdraw = v1::WithdrawRequest {
        envelope_id: message.envelope_id,
    };
    let answer = scene.world.ask(&scene.ada, &withdraw).await.unwrap();
    assert_eq!(answer.withdrawn_devices, [scene.ben.id().to_vec()]);
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
}

#[tokio::test]
async fn what_was_released_is_withdrawn_like_any_message_and_its_notice_stays() {
    let scene = Scene::new().await;
    let mut message = scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    scene.pass(MINUTE).await;
    let withdraw = v1::WithdrawRequest {
        envelope_id: tiers(&mut message)[0].envelope_id.clone(),
    };
    let answer = scene.world.ask(&scene.ada, &withdraw).await.unwrap();
    assert_eq!(answer.withdrawn_devices, [scene.cara.id().to_vec()]);
    assert!(scene.given(&scene.cara).await.is_empty());
    assert_eq!(scene.notices(&scene.ada).await.len(), 1);
}

async fn stored_contents(scene: &Scene, expected: usize) {
    scene.world.relay.sweep().await.unwrap();
    let line = format!("wardline_relay_stored_contents {expected}\n");
    assert!(scene.world.relay.metrics().contains(&line), "{expected}");
}

fn tiers(message: &mut v1::Submission) -> &mut Vec<v1::HeldTier> {
    &mut message.deposit.as_mut().unwrap().tiers
}

type Change<'a> = &'a dyn Fn(&mut v1::Submission);
