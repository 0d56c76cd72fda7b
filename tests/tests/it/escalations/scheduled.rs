//! Sending later: at its time whether or not the author's phone is on, and never if it was taken back before.

use super::*;

impl Scene {
    /// The nurse writes something to the doctor that is sent so long from now.
    async fn later(&self, time: Duration, number: usize) -> MessageRef {
        let at = self.clock.now() + time;
        let draft = Draft::new(to(&self.doctor), text(number)).send_at(at);
        let message = self.nurse.client.send(draft).await.unwrap();
        settle(&[&self.nurse, &self.doctor], 2).await;
        self.nurse.reference(message)
    }

    async fn written(&self, message: MessageRef) -> wardline::Message {
        let client = &self.nurse.client;
        client.messages(vec![message]).await.unwrap().remove(0)
    }
}

fn sent(event: &Event) -> bool {
    matches!(event, Event::MessageSent { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_later_comes_at_its_time_though_its_authors_phone_is_off() {
    let mut scene = Scene::open().await;
    let message = scene.later(60 * MINUTE, 1).await;
    let at = scene.clock.now() + 60 * MINUTE;
    assert_eq!(scene.written(message).await.scheduled_for, Some(at));
    let status = scene.status(&scene.nurse, message).await;
    assert_eq!((status.armed, status.scheduled_for), (Armed::Yes, Some(at)));
    assert!(!scene.nurse.events().await.iter().any(sent));
    scene.nurse.client.close().await.unwrap();
    scene.pass(60 * MINUTE - SECOND).await;
    assert!(given(&scene.doctor).await.is_empty());
    scene.pass(SECOND).await;
    assert_eq!(given(&scene.doctor).await, [text(1)]);
    assert_eq!(given(&scene.doctor).await, [text(1)]);
    assert!(escalated(&scene.doctor).await.is_empty());
    let shown = scene
        .doctor
        .messages(scene.doctor.with("NS-1"))
        .await
        .remove(0);
    assert_eq!((shown.created_at, shown.scheduled_for), (at, None));
    scene.nurse = scene.ward.reopen(scene.nurse).await;
    scene.nurse.unlock().await;
    scene.settle().await;
    assert_eq!(scene.written(message).await.scheduled_for, None);
    assert!(scene.nurse.events().await.iter().any(sent));
    let deliveries = scene.nurse.client.deliveries(message.id).await.unwrap();
    assert_eq!(deliveries[0].state, wardline::DeliveryState::Delivered);
    scene.doctor.client.mark_read(vec![message]).await.unwrap();
    scene.settle().await;
    let deliveries = scene.nurse.client.deliveries(message.id).await.unwrap();
    assert_eq!(deliveries[0].state, wardline::DeliveryState::Read);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_before_its_time_is_never_sent() {
    let mut scene = Scene::open().await;
    // Longer than a message may be taken back after it was sent.
    let days = 3 * 24 * 60 * MINUTE;
    let message = scene.later(days, 1).await;
    for _ in 0..3 {
        scene.clock.advance(24 * 60 * MINUTE - MINUTE);
        // The organization signs its directory anew every day.
        scene.ward.publish().await;
        scene.settle().await;
    }
    scene
        .nurse
        .client
        .recall(message, "patient has left")
        .await
        .unwrap();
    scene.settle().await;
    scene.pass(60 * MINUTE).await;
    scene.settle().await;
    assert!(given(&scene.doctor).await.is_empty());
    assert!(scene.doctor.refusals().await.is_empty());
    let stopped = scene.status(&scene.nurse, message).await.stopped.unwrap();
    assert_eq!(stopped.device, scene.nurse.client.device());
    assert_eq!(scene.written(message).await.scheduled_for, None);
    let it = |event: &Event| matches!(event, Event::MessageSent { message: id, .. } if *id == message.id);
    assert!(!scene.nurse.events().await.iter().any(it));
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_that_was_offline_until_the_time_sends_it_itself_and_a_time_in_the_past_is_now() {
    let scene = Scene::open().await;
    scene.nurse.faults.cut();
    let at = scene.clock.now() + 10 * MINUTE;
    let draft = Draft::new(to(&scene.doctor), text(1)).send_at(at);
    let draft = draft.escalate(after(5 * MINUTE, &[&scene.second]));
    let message = scene.nurse.client.send(draft).await.unwrap();
    let message = scene.nurse.reference(message);
    assert!(scene.nurse.client.sync_once().await.is_err());
    assert_eq!(scene.written(message).await.scheduled_for, Some(at));
    scene.clock.advance(20 * MINUTE);
    scene.nurse.faults.mend();
    scene.settle().await;
    assert_eq!(given(&scene.doctor).await, [text(1)]);
    assert_eq!(scene.written(message).await.scheduled_for, None);
    scene.pass(5 * MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
    assert_eq!(escalated(&scene.second).await, [0]);

    let past = Draft::new(to(&scene.doctor), text(2)).send_at(START);
    scene.nurse.client.send(past).await.unwrap();
    scene.settle().await;
    assert_eq!(given(&scene.doctor).await, [text(1), text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_later_is_escalated_from_then_on() {
    let scene = Scene::open().await;
    let at = scene.clock.now() + 60 * MINUTE;
    let draft = Draft::new(to(&scene.doctor), text(1)).send_at(at);
    let draft = draft
        .escalate(after(5 * MINUTE, &[&scene.second]))
        .escalate(after(5 * MINUTE, &[&scene.third]));
    let message = scene.nurse.client.send(draft).await.unwrap();
    let message = scene.nurse.reference(message);
    scene.settle().await;
    scene.pass(60 * MINUTE).await;
    assert_eq!(given(&scene.doctor).await, [text(1)]);
    scene.pass(5 * MINUTE - SECOND).await;
    assert!(given(&scene.second).await.is_empty());
    decline(&scene.doctor, message).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
    assert_eq!(escalated(&scene.second).await, [1]);
    accept(&scene.second, message).await;
    scene.pass(60 * MINUTE).await;
    scene.settle().await;
    assert!(given(&scene.third).await.is_empty());
    assert!(!is_open(&scene.nurse, message).await);
    assert_eq!(scene.nurse.client.answers(message).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_on_the_team_and_the_authors_tablet_get_it_at_its_time() {
    let mut scene = Scene::open().await;
    let tablet = scene.ward.phone("NS-1").await;
    scene.clock.advance(MINUTE + SECOND);
    settle(&[&tablet, &scene.nurse], 2).await;
    // Somebody on the team without a device would keep it here until its time.
    let at = scene.clock.now() + 60 * MINUTE;
    let spare = scene.ward.phone("CU-1").await;
    scene.clock.advance(MINUTE + SECOND);
    settle(&[&spare, &tablet], 1).await;
    scene.settle().await;
    let draft = Draft::new(team(), text(1)).send_at(at);
    let message = scene.nurse.client.send(draft).await.unwrap();
    let message = scene.nurse.reference(message);
    scene.settle().await;
    assert_eq!(scene.status(&scene.nurse, message).await.armed, Armed::Yes);
    scene.pass(60 * MINUTE).await;
    settle(&[&tablet, &spare], 1).await;
    scene.settle().await;
    for phone in [&scene.doctor, &scene.second, &scene.third, &tablet, &spare] {
        assert_eq!(phone.texts(phone.team()).await, [text(1)]);
    }
    let copy = tablet.messages(tablet.team()).await.remove(0);
    assert_eq!(copy.direction, Direction::OwnOtherDevice);
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_without_room_is_asked_again_and_what_is_too_far_away_is_refused() {
    let scene = Scene::open_with(|config| config.limits.deposits = 1).await;
    let first = scene.later(30 * MINUTE, 1).await;
    let second = scene.later(60 * MINUTE, 2).await;
    assert_eq!(scene.status(&scene.nurse, first).await.armed, Armed::Yes);
    assert_eq!(scene.status(&scene.nurse, second).await.armed, Armed::No);
    assert_eq!(
        scene
            .nurse
            .events()
            .await
            .into_iter()
            .filter(is_not_armed)
            .count(),
        1
    );
    scene.nurse.say(to(&scene.doctor), &text(3)).await;
    scene.pass(30 * MINUTE).await;
    scene.settle().await;
    assert_eq!(scene.status(&scene.nurse, second).await.armed, Armed::Yes);
    scene.pass(30 * MINUTE).await;
    let mut texts = given(&scene.doctor).await;
    texts.sort();
    assert_eq!(texts, [text(1), text(2), text(3)]);

    let far = scene.clock.now() + 7 * 24 * 60 * MINUTE + SECOND;
    let draft = Draft::new(to(&scene.doctor), text(4)).send_at(far);
    let refused = scene.nurse.client.send(draft).await.unwrap_err();
    assert_eq!(refused.code(), "WL-SEND-HELD-TOO-LONG");
}
