//! Prekeys and rollback counters.

use futures_util::future::join_all;

use super::*;
use crate::storage::{ClaimedPrekey, KeyClaim, KeyUpload, StoredKey, UploadOutcome};

pub async fn one_time_key_is_handed_out_once(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let kept = storage.upload_keys(org, device(2), upload(&[1, 2])).await;
    assert_eq!(kept.unwrap(), UploadOutcome::Kept(2));

    assert_eq!(claim(&*storage, org, device(1)).await, [(1, false)]);
    let page = receive(&*storage, org, device(2)).await;
    assert_eq!(page.one_time_keys, 1);
    assert_eq!(claim(&*storage, org, device(3)).await, [(2, false)]);
    // No key is left, and no fallback key was ever uploaded: the device is left out.
    assert_eq!(claim(&*storage, org, device(4)).await, []);
}

pub async fn one_time_key_is_handed_out_once_to_many_at_the_same_time(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let numbers: Vec<u8> = (1..=20).collect();
    storage
        .upload_keys(org, device(200), upload(&numbers))
        .await
        .unwrap();
    let claims = join_all((0..40).map(|claimer| {
        let storage = &storage;
        async move {
            storage
                .claim_keys(org, question(device(claimer), &[device(200)]))
                .await
                .unwrap()
        }
    }))
    .await;
    let mut given: Vec<u8> = claims.iter().flatten().map(|c| c.key.key[0]).collect();
    given.sort_unstable();
    assert_eq!(given, numbers);
}

pub async fn claimed_key_stays_claimed_after_a_power_cut(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage
        .upload_keys(org, device(2), upload(&[1, 2]))
        .await
        .unwrap();
    assert_eq!(claim(&*storage, org, device(1)).await, [(1, false)]);
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    assert_eq!(claim(&*storage, org, device(1)).await, [(2, false)]);
}

pub async fn claimed_key_uploaded_again_is_not_handed_out_again(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage
        .upload_keys(org, device(2), upload(&[1, 2]))
        .await
        .unwrap();
    assert_eq!(claim(&*storage, org, device(1)).await, [(1, false)]);
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for replace in [false, true] {
        let again = KeyUpload {
            replace,
            ..upload(&[1, 2])
        };
        let kept = storage.upload_keys(org, device(2), again).await.unwrap();
        assert_eq!(kept, UploadOutcome::Kept(1), "replace: {replace}");
    }
    assert_eq!(claim(&*storage, org, device(3)).await, [(2, false)]);
    assert_eq!(claim(&*storage, org, device(4)).await, []);
}

pub async fn fallback_key_answers_when_no_other_is_left(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let with_fallback = KeyUpload {
        fallback: Some(key(50)),
        hold: Some(key(60)),
        ..upload(&[1])
    };
    storage
        .upload_keys(org, device(2), with_fallback)
        .await
        .unwrap();
    assert_eq!(claim(&*storage, org, device(1)).await, [(1, false)]);
    assert_eq!(claim(&*storage, org, device(3)).await, [(50, true)]);
    assert_eq!(claim(&*storage, org, device(4)).await, [(50, true)]);

    // A new fallback key takes its place.
    let rotated = KeyUpload {
        fallback: Some(key(51)),
        ..upload(&[])
    };
    storage.upload_keys(org, device(2), rotated).await.unwrap();
    assert_eq!(claim(&*storage, org, device(5)).await, [(51, true)]);
}

pub async fn one_claimer_gets_its_share_and_no_more(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let keys = KeyUpload {
        fallback: Some(key(50)),
        ..upload(&[1, 2, 3, 4, 5])
    };
    storage.upload_keys(org, device(2), keys).await.unwrap();
    let greedy = |window| KeyClaim {
        share: 2,
        window,
        ..question(device(1), &[device(2)])
    };
    let mut given = Vec::new();
    for window in [7, 7, 7, 8] {
        given.extend(brief(
            storage.claim_keys(org, greedy(window)).await.unwrap(),
        ));
    }
    assert_eq!(given, [(1, false), (2, false), (50, true), (3, false)]);
    // Others are not affected.
    assert_eq!(claim(&*storage, org, device(3)).await, [(4, false)]);
}

pub async fn replacing_drops_the_keys_that_wait(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage
        .upload_keys(org, device(2), upload(&[1, 2]))
        .await
        .unwrap();
    let replacement = KeyUpload {
        replace: true,
        ..upload(&[3])
    };
    let kept = storage.upload_keys(org, device(2), replacement).await;
    assert_eq!(kept.unwrap(), UploadOutcome::Kept(1));
    assert_eq!(claim(&*storage, org, device(1)).await, [(3, false)]);
}

pub async fn too_many_keys_change_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let few = |numbers: &[u8]| KeyUpload {
        max_waiting: 2,
        fallback: Some(key(numbers[0] + 50)),
        ..upload(numbers)
    };
    storage
        .upload_keys(org, device(2), few(&[1, 2]))
        .await
        .unwrap();
    // The same keys once more are no more keys.
    let again = storage.upload_keys(org, device(2), few(&[1, 2])).await;
    assert_eq!(again.unwrap(), UploadOutcome::Kept(2));
    let more = storage.upload_keys(org, device(2), few(&[3])).await;
    assert_eq!(more.unwrap(), UploadOutcome::TooMany);
    for expected in [(1, false), (2, false), (51, true)] {
        assert_eq!(claim(&*storage, org, device(1)).await, [expected]);
    }
}

pub async fn highest_counter_is_remembered(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for (shown, highest) in [(0, 0), (5, 5), (3, 5)] {
        let answer = storage.checkpoint(org, device(1), shown).await.unwrap();
        assert_eq!(answer, highest);
    }
    // Sending and acknowledging carry the counter too.
    let mut message = batch(device(1), vec![submission(1, b"x", &[device(2)])]);
    message.checkpoint = 8;
    storage.send(org, message).await.unwrap();
    let epoch = receive(&*storage, org, device(1)).await.epoch;
    for checkpoint in [9, 2] {
        let receipt = Acknowledgement {
            device: device(1),
            up_to: 0,
            epoch,
            checkpoint,
        };
        storage.acknowledge(org, receipt).await.unwrap();
    }
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    assert_eq!(storage.checkpoint(org, device(1), 0).await.unwrap(), 9);
}

fn key(number: u8) -> StoredKey {
    StoredKey {
        key: [number; 32],
        signature: [number; 64],
        created_at: Timestamp::default(),
    }
}

fn upload(numbers: &[u8]) -> KeyUpload {
    KeyUpload {
        one_time: numbers.iter().copied().map(key).collect(),
        max_waiting: 100,
        ..KeyUpload::default()
    }
}

fn question(claimer: DeviceId, targets: &[DeviceId]) -> KeyClaim {
    KeyClaim {
        claimer,
        targets: targets.to_vec(),
        share: 10,
        window: 1,
    }
}

/// Claims a key of device 2 and answers its number and whether it is the fallback key.
async fn claim(storage: &dyn Storage, org: OrgKey, claimer: DeviceId) -> Vec<(u8, bool)> {
    let answer = storage
        .claim_keys(org, question(claimer, &[device(2)]))
        .await;
    brief(answer.unwrap())
}

fn brief(keys: Vec<ClaimedPrekey>) -> Vec<(u8, bool)> {
    keys.into_iter()
        .map(|claimed| {
            assert_eq!(claimed.device, device(2));
            assert_eq!(claimed.key, key(claimed.key.key[0]));
            (claimed.key.key[0], claimed.fallback)
        })
        .collect()
}
