//! Who may stop what is held, or have it come at once, and with what.

use wardline_org::RelayCode;
use wardline_proto::v1::envelope::Notice;

use super::*;
use crate::world::code;

// Attacks -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn nobody_silences_an_alarm_without_its_secret_or_without_an_answer_to_its_sender() {
    let mut scene = Scene::new().await;
    scene.holds(&[&scene.dan.clone()]).await;
    scene
        .raise(vec![
            tier(MINUTE, &[&scene.cara]),
            role_tier(MINUTE, &[&scene.dan]),
        ])
        .await;
    let good = || scene.cancel_call(answer(&[&scene.ada]));
    let wrong_secret = v1::CancelRequest {
        stop_secret: vec![9; 32],
        ..good()
    };
    // What the relay itself knows is no proof.
    let hash_as_secret = v1::CancelRequest {
        stop_secret: wardline_org::Hash::of(&SECRET).as_bytes().to_vec(),
        ..good()
    };
    let no_answer = v1::CancelRequest {
        acknowledgement: None,
        ..good()
    };
    let answer_to_another = scene.cancel_call(answer(&[&scene.cara]));
    let with_deposit = {
        let mut answer = answer(&[&scene.ada]);
        let mut nested = deposit(vec![tier(MINUTE, &[&scene.dan])]);
        nested.deposit_id = vec![3; 16];
        answer.deposit = Some(nested);
        scene.cancel_call(answer)
    };
    let short_secret = v1::CancelRequest {
        stop_secret: vec![8; 31],
        ..good()
    };
    let attempts = [
        (&scene.ben, wrong_secret.clone(), RelayCode::HeldProof),
        (&scene.ada, wrong_secret, RelayCode::HeldProof),
        (&scene.ben, hash_as_secret, RelayCode::HeldProof),
        // A stranger who has learned the secret, and one whose tier has not been released.
        (&scene.zoe, good(), RelayCode::HeldProof),
        (&scene.cara, good(), RelayCode::HeldProof),
        (&scene.ben, no_answer, RelayCode::HeldUnanswered),
        (
            &scene.ben,
            answer_to_another.clone(),
            RelayCode::HeldUnanswered,
        ),
        // Its author says so to somebody it is for.
        (
            &scene.ada,
            scene.cancel_call(answer(&[&scene.zoe])),
            RelayCode::HeldUnanswered,
        ),
        (&scene.ben, with_deposit, RelayCode::Malformed),
        (&scene.ben, short_secret, RelayCode::Malformed),
    ];
    for (number, (device, call, expected)) in attempts.into_iter().enumerate() {
        let refused = scene.world.ask(device, &call).await;
        assert_eq!(code(refused), expected, "{number}");
        let advance = v1::AdvanceRequest {
            deposit_id: call.deposit_id,
            sender_device: call.sender_device,
            stop_secret: call.stop_secret,
            tier: 0,
            acknowledgement: call.acknowledgement,
            checkpoint: 0,
        };
        let refused = scene.world.ask(device, &advance).await;
        assert_eq!(code(refused), expected, "{number}");
    }
    for device in [&scene.ada, &scene.cara, &scene.dan] {
        assert!(
            scene
                .world
                .receive(device)
                .await
                .unwrap()
                .envelopes
                .is_empty()
        );
    }
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
}

#[tokio::test]
async fn alarm_goes_on_while_its_sender_has_no_room_for_the_answer() {
    let scene = Scene::with(|config| {
        config.limits.mailbox.envelopes = 1;
        config.limits.mailbox.sender_percent = 100;
    })
    .await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let fills = submission("x", &[&scene.ada]);
    scene.world.send(&scene.zoe, fills).await.unwrap();
    let answer = answer(&[&scene.ada]);
    let refusal = scene.cancel(&scene.ben, answer.clone()).await.unwrap_err();
    assert_eq!(refusal.code, RelayCode::Quota);
    assert!(refusal.retryable());
    let page = scene.world.receive(&scene.ada).await.unwrap();
    let acknowledge = v1::AcknowledgeRequest {
        up_to: page.last_sequence,
        epoch: page.epoch,
        checkpoint: 0,
    };
    scene.world.ask(&scene.ada, &acknowledge).await.unwrap();
    // The same answer again: nothing was kept of the first try.
    let taken = scene.cancel(&scene.ben, answer).await.unwrap();
    assert!(taken.stopped && taken.outcome.unwrap().refused.is_empty());
}

// Stopping ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn answer_in_time_disturbs_nobody_else() {
    let scene = Scene::new().await;
    scene
        .raise(vec![
            tier(MINUTE, &[&scene.cara]),
            tier(MINUTE, &[&scene.dan]),
        ])
        .await;
    scene.pass(MINUTE - SECOND).await;
    let answer = answer(&[&scene.ada]);
    let stopped = scene.cancel(&scene.ben, answer.clone()).await.unwrap();
    assert!(stopped.stopped);
    let outcome = stopped.outcome.clone().unwrap();
    assert_eq!(outcome.envelope_id, answer.envelope_id);
    assert_eq!(outcome.accepted_at_ms, scene.world.now().as_millis());
    scene.pass(DAY).await;
    for device in [&scene.cara, &scene.dan] {
        assert!(
            scene
                .world
                .receive(device)
                .await
                .unwrap()
                .envelopes
                .is_empty()
        );
    }
    assert_eq!(scene.given(&scene.ada).await, ["answer"]);
    let told = v1::Stopped {
        deposit_id: DEPOSIT.to_vec(),
        by_device: scene.ben.id().to_vec(),
        at_ms: outcome.accepted_at_ms,
    };
    assert_eq!(scene.notices(&scene.ada).await, [Notice::Stopped(told)]);
    let checkpoint = v1::CheckpointRequest { counter: 0 };
    let highest = scene.world.ask(&scene.ben, &checkpoint).await.unwrap();
    assert_eq!(highest.highest, 3);
    // What nobody will be given is not kept.
    scene.world.relay.sweep().await.unwrap();
    let metrics = scene.world.relay.metrics();
    assert!(metrics.contains("wardline_relay_stored_deposits 0\n"));
    assert!(
        metrics.contains("wardline_relay_stored_contents 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn answer_given_again_has_its_first_outcome_again() {
    let mut scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let answer = answer(&[&scene.ada]);
    let first = scene.cancel(&scene.ben, answer.clone()).await.unwrap();
    scene.world.advance(SECOND);
    scene.world.restart().await;
    let again = scene.cancel(&scene.ben, answer.clone()).await.unwrap();
    assert_eq!(again, first);
    assert!(again.stopped);
    assert_eq!(
        scene
            .world
            .receive(&scene.ada)
            .await
            .unwrap()
            .envelopes
            .len(),
        2
    );
    let mut other = answer;
    other.content = Bytes::from_static(b"other");
    assert_eq!(
        code(scene.cancel(&scene.ben, other).await),
        RelayCode::Conflict
    );
}

#[tokio::test]
async fn answer_that_was_sent_before_stops_when_it_is_shown_with_the_secret() {
    let scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let answer = answer(&[&scene.ada]);
    scene.world.send(&scene.ben, answer.clone()).await.unwrap();
    assert!(scene.cancel(&scene.ben, answer).await.unwrap().stopped);
    assert_eq!(scene.given(&scene.ada).await, ["answer"]);
    scene.pass(MINUTE).await;
    assert!(scene.given(&scene.cara).await.is_empty());
}

#[tokio::test]
async fn answer_that_comes_too_late_is_taken_and_stops_nothing() {
    let scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    scene.pass(MINUTE).await;
    for device in [&scene.ben, &scene.cara] {
        let late = scene.cancel(device, answer(&[&scene.ada])).await.unwrap();
        assert!(!late.stopped);
    }
    // Nobody knows of this one (any more).
    let mut unknown = scene.cancel_call(answer(&[&scene.ada]));
    unknown.deposit_id = vec![0; 16];
    let late = scene.world.ask(&scene.zoe, &unknown).await.unwrap();
    assert!(!late.stopped);
    assert_eq!(scene.given(&scene.ada).await.len(), 3);
    assert_eq!(scene.notices(&scene.ada).await.len(), 1);
    // The second of two who stop it has not stopped it.
    let mut again = submission("", &[&scene.ben]);
    let mut other = deposit(vec![tier(MINUTE, &[&scene.cara])]);
    other.deposit_id = vec![2; 16];
    again.deposit = Some(other);
    scene.world.send(&scene.ada, again).await.unwrap();
    for stopped in [true, false] {
        let mut call = scene.cancel_call(answer(&[&scene.ada]));
        call.deposit_id = vec![2; 16];
        let answer = scene.world.ask(&scene.ben, &call).await.unwrap();
        assert_eq!(answer.stopped, stopped);
    }
}

#[tokio::test]
async fn author_takes_it_back_and_is_told_nothing_about_it() {
    let scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let stopped = scene.cancel(&scene.ada, answer(&[&scene.ben])).await;
    assert!(stopped.unwrap().stopped);
    scene.pass(HOUR).await;
    assert!(scene.given(&scene.cara).await.is_empty());
    assert!(scene.notices(&scene.ada).await.is_empty());
    assert_eq!(scene.given(&scene.ben).await, ["stat", "answer"]);
}

#[tokio::test]
async fn whoever_was_given_a_tier_or_has_to_do_with_its_role_may_answer() {
    for who in ["tier", "holder", "former holder", "custodian"] {
        let mut scene = Scene::new().await;
        scene.holds(&[&scene.dan.clone()]).await;
        scene
            .raise(vec![
                tier(MINUTE, &[&scene.cara]),
                role_tier(HOUR, &[&scene.zoe]),
            ])
            .await;
        scene.pass(MINUTE).await;
        if who == "former holder" {
            scene.pass(10 * MINUTE).await;
            scene.holds(&[&scene.zoe.clone()]).await;
        }
        let device = match who {
            "tier" => &scene.cara,
            "custodian" => &scene.eve,
            _ => &scene.dan,
        };
        let answered = scene.cancel(device, answer(&[&scene.ada])).await;
        // The roster keeps no turn that was struck from it: who has left is known by nothing else.
        if who == "former holder" {
            assert_eq!(code(answered), RelayCode::HeldProof);
        } else {
            assert!(answered.unwrap().stopped, "{who}");
        }
    }
}

#[tokio::test]
async fn whose_turn_is_over_may_still_answer_for_it() {
    let mut scene = Scene::new().await;
    scene.holds(&[&scene.dan.clone()]).await;
    scene.raise(vec![role_tier(DAY, &[&scene.zoe])]).await;
    scene.pass(2 * HOUR).await;
    let answered = scene.cancel(&scene.dan, answer(&[&scene.ada])).await;
    assert!(answered.unwrap().stopped);
}

#[tokio::test]
async fn sender_that_was_revoked_cannot_be_told_and_stops_nobody_from_answering() {
    let mut scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let revocation = scene.world.hospital.revoke(&scene.ada);
    scene.world.publish(&[revocation]).await.unwrap();
    let answered = scene.cancel(&scene.ben, answer(&[&scene.ada])).await;
    let answered = answered.unwrap();
    assert!(answered.stopped);
    assert_eq!(answered.outcome.unwrap().refused.len(), 1);
    scene.pass(MINUTE).await;
    assert!(scene.given(&scene.cara).await.is_empty());
}

// Advancing ---------------------------------------------------------------------------------------------

#[tokio::test]
async fn decline_brings_the_next_tier_at_once_and_the_one_after_it_counts_from_then() {
    let scene = Scene::new().await;
    scene
        .raise(vec![
            tier(HOUR, &[&scene.cara]),
            tier(MINUTE, &[&scene.dan]),
        ])
        .await;
    scene.world.advance(SECOND);
    let declined = answer(&[&scene.ada]);
    let first = scene
        .advance(&scene.ben, 0, declined.clone())
        .await
        .unwrap();
    assert!(first.advanced);
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
    // Asked again by who had no answer, it is not the tier after it.
    let again = scene.advance(&scene.ben, 0, declined).await.unwrap();
    assert_eq!(again, first);
    scene.pass(MINUTE - SECOND).await;
    assert!(scene.given(&scene.dan).await.is_empty());
    let told = v1::Released {
        advanced: true,
        ..released(0, scene.world.now() - (MINUTE - SECOND), &[&scene.cara])
    };
    assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
    scene.pass(SECOND).await;
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
    assert_eq!(scene.given(&scene.ada).await, ["answer"]);
}

#[tokio::test]
async fn two_who_decline_the_same_message_advance_it_once() {
    let scene = Scene::new().await;
    scene
        .raise(vec![
            tier(MINUTE, &[&scene.cara, &scene.zoe]),
            tier(HOUR, &[&scene.dan]),
            tier(HOUR, &[&scene.eve]),
        ])
        .await;
    scene.pass(MINUTE).await;
    let (one, two) = tokio::join!(
        scene.advance(&scene.cara, 1, answer(&[&scene.ada])),
        scene.advance(&scene.zoe, 1, answer(&[&scene.ada])),
    );
    assert!(one.unwrap().advanced != two.unwrap().advanced);
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
    assert!(scene.given(&scene.eve).await.is_empty());
    assert_eq!(scene.given(&scene.ada).await.len(), 2);
}

#[tokio::test]
async fn decline_of_what_was_released_or_stopped_or_does_not_exist_advances_nothing() {
    let scene = Scene::new().await;
    scene
        .raise(vec![
            tier(MINUTE, &[&scene.cara]),
            tier(HOUR, &[&scene.dan]),
        ])
        .await;
    scene.pass(MINUTE).await;
    // Ben was given the message before any tier; the timer was faster than he.
    for tier in [0, 2, u32::MAX] {
        let late = scene.advance(&scene.ben, tier, answer(&[&scene.ada])).await;
        assert!(!late.unwrap().advanced);
    }
    assert!(
        scene
            .cancel(&scene.cara, answer(&[&scene.ada]))
            .await
            .unwrap()
            .stopped
    );
    let late = scene.advance(&scene.cara, 1, answer(&[&scene.ada])).await;
    assert!(!late.unwrap().advanced);
    scene.pass(HOUR).await;
    assert!(scene.given(&scene.dan).await.is_empty());
    assert_eq!(scene.given(&scene.ada).await.len(), 5);
}

// Races -------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_and_time_that_meet_come_to_one_end() {
    for round in 0..20 {
        let scene = Scene::new().await;
        scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
        // The relay's own timer takes part as well.
        scene.world.advance(MINUTE);
        let answer = answer(&[&scene.ada]);
        let cancel = scene.cancel(&scene.ben, answer);
        let release = scene.world.relay.release_due();
        let stopped = if round % 2 == 0 {
            let (stopped, released) = tokio::join!(cancel, release);
            released.unwrap();
            stopped
        } else {
            let (released, stopped) = tokio::join!(release, cancel);
            released.unwrap();
            stopped
        };
        let stopped = stopped.unwrap().stopped;
        let given = scene.given(&scene.cara).await.len();
        assert_eq!(given, usize::from(!stopped), "round {round}");
        assert_eq!(scene.given(&scene.ada).await, ["answer"]);
        let notices = scene.notices(&scene.ada).await;
        assert!(
            matches!(
                (&notices[..], stopped),
                ([Notice::Stopped(_)], true) | ([Notice::Released(_)], false)
            ),
            "{notices:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decline_and_time_that_meet_release_the_tier_once_and_no_other() {
    for round in 0..20 {
        let scene = Scene::new().await;
        scene
            .raise(vec![
                tier(MINUTE, &[&scene.cara]),
                tier(MINUTE, &[&scene.dan]),
            ])
            .await;
        scene.world.advance(MINUTE);
        let (advanced, released) = tokio::join!(
            scene.advance(&scene.ben, 0, answer(&[&scene.ada])),
            scene.world.relay.release_due(),
        );
        released.unwrap();
        let advanced = advanced.unwrap().advanced;
        assert_eq!(scene.given(&scene.cara).await.len(), 1, "round {round}");
        assert!(scene.given(&scene.dan).await.is_empty(), "round {round}");
        let told = v1::Released {
            advanced,
            ..released_now(&scene)
        };
        assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
    }
}

fn released_now(scene: &Scene) -> v1::Released {
    released(0, scene.world.now(), &[&scene.cara])
}
