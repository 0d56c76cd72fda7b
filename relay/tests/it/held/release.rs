//! What is released when, and to whom.

use std::sync::Arc;

use wardline_proto::v1::{self, WakeClass, envelope::Notice};
use wardline_relay::push::{HttpPushGateway, PushOptions, PushRegistration};

use super::*;
use crate::gateway::Gateway;

#[tokio::test]
async fn next_tier_is_given_at_its_time_and_not_before_and_the_sender_is_told() {
    let scene = Scene::new().await;
    let message = scene
        .raise(vec![
            tier(MINUTE, &[&scene.cara]),
            tier(5 * MINUTE, &[&scene.dan]),
        ])
        .await;
    let accepted = scene.world.now();
    scene
        .pass(MINUTE - std::time::Duration::from_millis(1))
        .await;
    assert!(scene.given(&scene.cara).await.is_empty());
    scene.pass(std::time::Duration::from_millis(1)).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
    assert!(scene.given(&scene.dan).await.is_empty());
    let page = scene.world.receive(&scene.cara).await.unwrap();
    let first = &message.deposit.as_ref().unwrap().tiers[0];
    assert_eq!(page.envelopes[0].envelope_id, first.envelope_id);
    assert_eq!(page.envelopes[0].key.as_ref(), Some(&first.keys[0]));
    assert_eq!(
        page.envelopes[0].accepted_at_ms,
        (accepted + MINUTE).as_millis()
    );
    assert_eq!(page.envelopes[0].sender_user_id, "ada");

    scene.pass(5 * MINUTE).await;
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
    assert_eq!(scene.given(&scene.cara).await.len(), 1);
    let told = [
        released(0, accepted + MINUTE, &[&scene.cara]),
        released(1, accepted + 6 * MINUTE, &[&scene.dan]),
    ];
    assert_eq!(scene.notices(&scene.ada).await, told.map(Notice::Released));
    assert!(scene.notices(&scene.cara).await.is_empty());
    // Nothing is left to release.
    scene.pass(DAY).await;
    assert_eq!(scene.notices(&scene.ada).await.len(), 2);
}

#[tokio::test]
async fn relay_releases_by_itself_and_ends_the_wait_of_who_is_given_it() {
    let scene = Scene::new().await;
    // The nearer one comes second: it must not wait for the later one.
    let mut later = submission("", &[&scene.ben]);
    let mut of_later = deposit(vec![tier(HOUR, &[&scene.dan])]);
    of_later.deposit_id = vec![1; 16];
    later.deposit = Some(of_later);
    scene.world.send(&scene.ada, later).await.unwrap();
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let poll = v1::ReceiveRequest {
        wait_ms: 50_000,
        ..Default::default()
    };
    let (answer, ()) = tokio::join!(scene.world.ask(&scene.cara, &poll), async {
        while !scene.world.relay.metrics().contains("relay_polls 1\n") {
            tokio::task::yield_now().await;
        }
        scene.world.advance(MINUTE);
    });
    assert_eq!(answer.unwrap().envelopes.len(), 1);
}

#[tokio::test]
async fn what_was_due_while_the_relay_was_down_is_released_when_it_starts() {
    for power_cut in [false, true] {
        let mut scene = Scene::new().await;
        scene
            .raise(vec![
                tier(MINUTE, &[&scene.cara]),
                tier(MINUTE, &[&scene.dan]),
            ])
            .await;
        if power_cut {
            scene.world.cut_power().await;
        }
        scene.world.relay.close().await;
        scene.world.advance(HOUR);
        scene.world.restart().await;
        let poll = v1::ReceiveRequest {
            wait_ms: 50_000,
            ..Default::default()
        };
        let page = scene.world.ask(&scene.cara, &poll).await.unwrap();
        assert_eq!(page.envelopes.len(), 1);
        assert!(scene.given(&scene.dan).await.is_empty());
        scene.world.restart().await;
        scene.pass(MINUTE).await;
        assert_eq!(scene.given(&scene.cara).await.len(), 1);
        assert_eq!(scene.given(&scene.dan).await, ["held content"]);
    }
}

#[tokio::test]
async fn after_a_week_of_sleep_the_tiers_still_follow_one_another() {
    let scene = Scene::new().await;
    let tiers = [&scene.cara, &scene.dan, &scene.eve].map(|device| tier(MINUTE, &[device]));
    scene.raise(tiers.to_vec()).await;
    scene.pass(7 * DAY).await;
    for (passed, given) in [(0, [1, 0, 0]), (1, [1, 1, 0]), (2, [1, 1, 1])] {
        for (device, given) in [&scene.cara, &scene.dan, &scene.eve].into_iter().zip(given) {
            assert_eq!(scene.given(device).await.len(), given, "{passed}");
        }
        scene.pass(MINUTE).await;
    }
}

#[tokio::test]
async fn scheduled_message_is_given_when_its_time_has_come() {
    let scene = Scene::new().await;
    let mut message = submission("", &[]);
    let mut later = tier(Duration::ZERO, &[&scene.cara, &scene.dan]);
    later.not_before_ms = (scene.world.now() + HOUR).as_millis();
    message.deposit = Some(deposit(vec![later]));
    scene.world.send(&scene.ada, message).await.unwrap();
    scene.pass(HOUR - SECOND).await;
    assert!(scene.given(&scene.cara).await.is_empty());
    scene.pass(SECOND).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
}

#[tokio::test]
async fn whoever_holds_the_role_at_that_moment_is_given_it() {
    let mut scene = Scene::new().await;
    scene.holds(&[&scene.cara.clone()]).await;
    scene
        .raise(vec![role_tier(
            MINUTE,
            &[&scene.cara, &scene.dan, &scene.eve],
        )])
        .await;
    scene.holds(&[&scene.dan.clone()]).await;
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
    for device in [&scene.cara, &scene.eve] {
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
    let told = released(0, scene.world.now(), &[&scene.dan]);
    assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
}

#[tokio::test]
async fn role_that_nobody_holds_goes_to_its_custodian() {
    let mut scene = Scene::new().await;
    scene.holds(&[&scene.cara.clone()]).await;
    let hour = role_tier(HOUR, &[&scene.cara, &scene.eve]);
    scene.raise(vec![hour]).await;
    // The turn ends at this moment.
    scene.pass(HOUR).await;
    assert!(scene.given(&scene.cara).await.is_empty());
    assert_eq!(scene.given(&scene.eve).await, ["held content"]);
    assert_eq!(scene.notices(&scene.eve).await, [due(0)]);
    let told = v1::Released {
        due_role_ids: vec![ROLE.into()],
        ..released(0, scene.world.now(), &[&scene.eve])
    };
    assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
}

#[tokio::test]
async fn holder_for_whom_nothing_was_sealed_and_the_custodian_are_told() {
    let mut scene = Scene::new().await;
    scene.holds(&[&scene.cara.clone()]).await;
    scene
        .raise(vec![
            tier(SECOND, &[&scene.ben]),
            role_tier(MINUTE, &[&scene.cara, &scene.eve]),
        ])
        .await;
    scene.holds(&[&scene.dan.clone()]).await;
    scene.pass(SECOND).await;
    scene.pass(MINUTE).await;
    assert!(scene.given(&scene.dan).await.is_empty());
    assert_eq!(scene.notices(&scene.dan).await, [due(1)]);
    assert_eq!(scene.given(&scene.eve).await, ["held content"]);
    assert_eq!(scene.notices(&scene.eve).await, [due(1)]);
    assert!(
        scene
            .world
            .receive(&scene.cara)
            .await
            .unwrap()
            .envelopes
            .is_empty()
    );
}

#[tokio::test]
async fn role_that_the_directory_does_not_know_is_reported_and_the_next_tier_follows() {
    let scene = Scene::new().await;
    scene
        .raise(vec![
            role_tier(MINUTE, &[&scene.cara]),
            tier(MINUTE, &[&scene.dan]),
        ])
        .await;
    scene.pass(MINUTE).await;
    assert!(scene.given(&scene.cara).await.is_empty());
    let told = v1::Released {
        due_role_ids: vec![ROLE.into()],
        ..released(0, scene.world.now(), &[])
    };
    assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
}

#[tokio::test]
async fn revoked_device_is_given_nothing_and_the_others_are() {
    let mut scene = Scene::new().await;
    let stranger = Device::new("mercy", "nobody", 99);
    let mut both = tier(MINUTE, &[&scene.cara, &scene.dan]);
    both.keys.push(hold_key(&stranger));
    scene.raise(vec![both]).await;
    let revocation = scene.world.hospital.revoke(&scene.cara);
    scene.world.publish(&[revocation]).await.unwrap();
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
    let told = released(0, scene.world.now(), &[&scene.dan]);
    assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
}

#[tokio::test]
async fn alarm_of_a_device_that_was_revoked_meanwhile_still_comes() {
    let mut scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    let revocation = scene.world.hospital.revoke(&scene.ada);
    scene.world.publish(&[revocation]).await.unwrap();
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
}

#[tokio::test]
async fn full_mailbox_is_not_among_those_that_have_it() {
    let scene = Scene::with(|config| {
        config.limits.mailbox.envelopes = 2;
        config.limits.mailbox.sender_percent = 100;
    })
    .await;
    for _ in 0..2 {
        let fills = submission("x", &[&scene.cara]);
        scene.world.send(&scene.zoe, fills).await.unwrap();
    }
    scene
        .raise(vec![tier(MINUTE, &[&scene.cara, &scene.dan])])
        .await;
    scene.pass(MINUTE).await;
    let told = released(0, scene.world.now(), &[&scene.dan]);
    assert_eq!(scene.notices(&scene.ada).await, [Notice::Released(told)]);
}

#[tokio::test]
async fn notices_are_acknowledged_like_envelopes() {
    let scene = Scene::new().await;
    scene.raise(vec![tier(MINUTE, &[&scene.cara])]).await;
    scene.pass(MINUTE).await;
    let page = scene.world.receive(&scene.ada).await.unwrap();
    let acknowledge = v1::AcknowledgeRequest {
        up_to: page.last_sequence,
        epoch: page.epoch,
        checkpoint: 0,
    };
    scene.world.ask(&scene.ada, &acknowledge).await.unwrap();
    assert!(scene.notices(&scene.ada).await.is_empty());
    assert_eq!(scene.given(&scene.cara).await, ["held content"]);
}

#[tokio::test]
async fn sleepers_are_woken_as_loudly_as_the_tier_says_and_the_sender_silently() {
    let mut gateway = Gateway::open().await;
    let url = format!("http://{}/wake", gateway.address);
    let push = PushOptions::new(Arc::new(HttpPushGateway::new(&url, None).unwrap()));
    let mut scene = Scene::with(move |config| config.push = Some(push)).await;
    scene.holds(&[&scene.dan.clone()]).await;
    let sleepers = [&scene.ada, &scene.cara, &scene.dan, &scene.eve];
    for device in sleepers {
        let call = PushRegistration::new(device.user().as_str(), "topic");
        scene
            .world
            .ask(device, &call.unwrap().to_call())
            .await
            .unwrap();
    }
    let mut loud = tier(MINUTE, &[&scene.cara]);
    loud.wake = WakeClass::Critical.into();
    loud.role_ids = vec![ROLE.into()];
    scene.raise(vec![loud]).await;
    scene.pass(MINUTE).await;
    let mut found = Vec::new();
    for _ in sleepers {
        let posted = gateway.next().await;
        found.push(posted.body.clone());
        posted.answer("200 OK").await;
    }
    found.sort();
    let expected = [
        ("ada", "silent"),
        ("cara", "critical"),
        ("dan", "alert"),
        ("eve", "alert"),
    ];
    let body =
        |(token, class)| format!(r#"{{"token":"{token}","topic":"topic","class":"{class}"}}"#);
    assert_eq!(found, expected.map(body));
}

#[tokio::test]
async fn of_many_that_are_due_together_none_is_lost_and_none_comes_twice() {
    const MANY: u16 = 600;
    let mut scene = Scene::with(|config| {
        config.quotas.device = wardline_relay::Rate::new(100_000, 100_000);
        config.limits.page_envelopes = 10_000;
    })
    .await;
    let now = scene.world.now();
    let mut names = Vec::new();
    let submissions = (0..MANY).map(|number| {
        let mut message = submission("", &[]);
        let mut later = tier(MINUTE, &[&scene.cara]);
        later.envelope_id = envelope(number, now);
        names.push(later.envelope_id.clone());
        let mut deposit = deposit(vec![later]);
        deposit.deposit_id = [&[0; 14][..], &number.to_be_bytes()].concat();
        message.deposit = Some(deposit);
        message
    });
    let send = v1::SendRequest {
        submissions: submissions.collect(),
        checkpoint: 0,
    };
    scene.world.ask(&scene.ada, &send).await.unwrap();
    // The relay ends while it is at it, wherever that is.
    scene.world.advance(MINUTE);
    let relay = scene.world.relay.clone();
    let (released, ()) = tokio::join!(relay.release_due(), async {
        while relay.metrics().contains("held_released_total 0\n") {
            tokio::task::yield_now().await;
        }
        relay.close().await;
    });
    drop(released);
    scene.world.restart().await;
    let both = tokio::join!(
        scene.world.relay.release_due(),
        scene.world.relay.release_due()
    );
    both.0.unwrap();
    both.1.unwrap();
    let all = v1::ReceiveRequest {
        max: 10_000,
        ..Default::default()
    };
    let page = scene.world.ask(&scene.cara, &all).await.unwrap();
    let mut found: Vec<_> = page.envelopes.into_iter().map(|e| e.envelope_id).collect();
    found.sort();
    names.sort();
    assert!(found == names, "{} of {MANY}", found.len());
    let notices = scene.world.ask(&scene.ada, &all).await.unwrap().envelopes;
    assert_eq!(notices.len(), usize::from(MANY));
}

fn due(tier: u32) -> Notice {
    Notice::Due(v1::Due {
        deposit_id: DEPOSIT.to_vec(),
        tier,
        role_id: ROLE.into(),
    })
}
