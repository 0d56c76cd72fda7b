//! A storage that fails when something is due, and colleagues who borrow the names of another one's alarm.

use wardline_proto::v1::envelope::Notice;

use super::*;
use crate::world::code;

/// Opens the relay's file beside the relay, as nobody does, to make its disk fail.
fn meddle(scene: &Scene, sql: &str) {
    let file = rusqlite::Connection::open(scene.world.path().join("relay.db")).unwrap();
    file.busy_timeout(10 * SECOND).unwrap();
    file.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn storage_that_fails_when_something_is_due_delays_it_and_neither_loses_nor_doubles_it() {
    // Before anything is written; and in the middle, when some of it is.
    let faults = [
        (
            "ALTER TABLE held_tiers RENAME TO lost",
            "ALTER TABLE lost RENAME TO held_tiers",
        ),
        (
            "CREATE TRIGGER broken BEFORE INSERT ON envelopes
             WHEN EXISTS (SELECT 1 FROM envelopes e JOIN submissions s ON s.id = e.submission
                          WHERE s.deposit IS NOT NULL)
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
            "DROP TRIGGER broken",
        ),
    ];
    for (broken, mended) in faults {
        let scene = Scene::new().await;
        scene
            .raise(vec![
                tier(MINUTE, &[&scene.cara, &scene.dan]),
                tier(MINUTE, &[&scene.eve]),
            ])
            .await;
        meddle(&scene, broken);
        scene.world.advance(MINUTE);
        for _ in 0..3 {
            scene.world.relay.release_due().await.unwrap_err();
        }
        for device in [&scene.cara, &scene.dan, &scene.eve] {
            assert!(scene.given(device).await.is_empty(), "half a release");
        }
        assert!(scene.notices(&scene.ada).await.is_empty());
        meddle(&scene, mended);
        // The relay tries again by itself, and whoever waits is given it.
        let poll = v1::ReceiveRequest {
            wait_ms: 50_000,
            ..Default::default()
        };
        let page = scene.world.ask(&scene.dan, &poll).await.unwrap();
        assert_eq!(page.envelopes.len(), 1);
        scene.world.relay.release_due().await.unwrap();
        assert_eq!(scene.given(&scene.cara).await, ["held content"]);
        assert_eq!(scene.given(&scene.dan).await, ["held content"]);
        assert!(
            scene.given(&scene.eve).await.is_empty(),
            "its time is later"
        );
        let mut told = released(0, scene.world.now(), &[&scene.cara, &scene.dan]);
        told.device_ids.sort();
        assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
        scene.pass(MINUTE).await;
        assert_eq!(scene.given(&scene.eve).await, ["held content"]);
    }
}

#[tokio::test]
async fn relay_that_stops_while_its_storage_fails_releases_when_it_starts_again() {
    let mut scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    meddle(&scene, "ALTER TABLE held_tiers RENAME TO lost");
    scene.world.advance(MINUTE);
    scene.world.relay.release_due().await.unwrap_err();
    scene.world.relay.close().await;
    meddle(&scene, "ALTER TABLE lost RENAME TO held_tiers");
    scene.world.restart().await;
    scene.world.relay.release_due().await.unwrap();
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
    assert_eq!(scene.notices(&scene.ada).await.len(), 1);
}

/// Every name in a deposit is its sender's own: an enrolled colleague who has learned them all names an alarm of their own.
#[tokio::test]
async fn colleague_who_uses_the_names_of_another_ones_alarm_changes_nothing_of_it() {
    let scene = Scene::new().await;
    let alarm = scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let own_secret = [5; 32];
    let mut forged = alarm.clone();
    let deposit = forged.deposit.as_mut().unwrap();
    deposit.content = b"all clear".to_vec();
    deposit.stop_hash = Hash::of(&own_secret).as_bytes().to_vec();
    deposit.tiers[0].user_ids = vec!["dan".into()];
    deposit.tiers[0].keys = vec![hold_key(&scene.dan)];
    let outcome = scene.world.send(&scene.zoe, forged).await.unwrap();
    assert!(outcome.refused.is_empty(), "a deposit of zoe's own");

    // Their secret stops theirs, and says nothing of the other one.
    let stop = |sender: &Device| v1::CancelRequest {
        sender_device: sender.id().to_vec(),
        stop_secret: own_secret.to_vec(),
        ..scene.cancel_call(answer(&[sender]))
    };
    let refused = scene.world.ask(&scene.ben, &stop(&scene.ada)).await;
    assert_eq!(code(refused), wardline_org::RelayCode::HeldProof);
    scene
        .world
        .ask(&scene.ben, &stop(&scene.zoe))
        .await
        .unwrap();

    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
    assert!(scene.given(&scene.dan).await.is_empty(), "it was stopped");
    assert_eq!(scene.notices(&scene.ada).await.len(), 1);

    // Nor does somebody stop it for its sender by naming a device that is not theirs in the answer.
    let mut late = answer(&[&scene.ada]);
    late.envelope_id.clone_from(&alarm.envelope_id);
    let stopped = scene.cancel(&scene.zoe, late).await;
    assert_eq!(code(stopped), wardline_org::RelayCode::HeldProof);
}
