//! Escalation: whoever is next gets a message that nobody accepts, whatever has become of its author's phone; and
//! nobody else is disturbed when somebody does.

mod attacks;
mod roles;
mod scheduled;

use std::{sync::Arc, time::Duration};

use wardline::{
    Armed, Direction, Draft, EscalationStatus, EscalationTier, Event, MessageRef, OpenItems,
    Priority, Verdict,
};
use wardline_org::{Clock as _, ManualClock, RelayCode, Timestamp};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, settle, team, text, to};

/// A nurse, and doctors who may be asked one after the other, at a time that stands still.
struct Scene {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
    second: Phone,
    third: Phone,
}

impl Scene {
    async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    async fn open_with(configure: impl FnOnce(&mut wardline_relay::Config)) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-1", "DR-2", "DR-3", "CU-1"];
        let mut ward = Ward::open_with(&people, Arc::clone(&clock) as _, configure).await;
        let scene = Self {
            nurse: ward.phone("NS-1").await,
            doctor: ward.phone("DR-1").await,
            second: ward.phone("DR-2").await,
            third: ward.phone("DR-3").await,
            ward,
            clock,
        };
        scene.settle().await;
        scene
    }

    async fn settle(&self) {
        settle(&[&self.nurse, &self.doctor, &self.second, &self.third], 2).await;
    }

    /// The nurse tells the doctor, and names who is next.
    async fn raise(&self, tiers: Vec<EscalationTier>) -> MessageRef {
        let draft = Draft::new(to(&self.doctor), text(1)).priority(Priority::Stat);
        let draft = tiers.into_iter().fold(draft, Draft::escalate);
        let message = self.nurse.client.send(draft).await.unwrap();
        settle(&[&self.nurse, &self.doctor], 1).await;
        self.nurse.reference(message)
    }

    /// Time passes, and the relay gives out what is due.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.ward.release().await;
    }

    async fn status(&self, phone: &Phone, message: MessageRef) -> EscalationStatus {
        phone.client.escalation(message).await.unwrap().unwrap()
    }
}

fn after(time: Duration, phones: &[&Phone]) -> EscalationTier {
    let tier = EscalationTier::after(time);
    phones
        .iter()
        .fold(tier, |tier, phone| tier.person(phone.user.clone()))
}

/// The tiers by which a phone was told of a message, and its author.
async fn escalated(phone: &Phone) -> Vec<u32> {
    let events = phone.events().await.into_iter();
    let tiers = events.filter_map(|event| match event {
        Event::Escalated { tier, .. } => Some(tier),
        _ => None,
    });
    tiers.collect()
}

/// What a phone has of the nurse's.
async fn given(phone: &Phone) -> Vec<String> {
    phone.client.sync_once().await.unwrap();
    incoming(phone).await
}

async fn incoming(phone: &Phone) -> Vec<String> {
    let messages = phone.messages(phone.with("NS-1")).await.into_iter();
    let incoming = messages.filter(|message| message.direction == Direction::Incoming);
    incoming.map(|message| message.text).collect()
}

async fn accept(phone: &Phone, message: MessageRef) {
    let answered = phone
        .client
        .answer(message, Verdict::Accepted, "K 6.6, going");
    answered.await.unwrap();
    phone.client.sync_once().await.unwrap();
}

async fn decline(phone: &Phone, message: MessageRef) {
    let answered = phone
        .client
        .answer(message, Verdict::Declined, "in theatre");
    answered.await.unwrap();
    phone.client.sync_once().await.unwrap();
}

async fn is_open(phone: &Phone, message: MessageRef) -> bool {
    let shown = phone.client.messages(vec![message]).await.unwrap();
    shown[0].asked.unwrap().open
}

// The tiers ----------------------------------------------------------------------------------------------

// scenario: escalation
#[tokio::test(flavor = "multi_thread")]
async fn sender_gone_and_relay_restarted_the_next_still_get_it_once_at_their_time() {
    let mut scene = Scene::open().await;
    let message = scene
        .raise(vec![
            after(MINUTE, &[&scene.second]),
            after(MINUTE, &[&scene.third]),
        ])
        .await;
    let status = scene.status(&scene.nurse, message).await;
    assert_eq!(status.armed, Armed::Yes);
    assert_eq!(status.tiers[0].due_at, scene.clock.now() + MINUTE);
    assert_eq!(status.tiers[1].due_at, scene.clock.now() + 2 * MINUTE);
    scene.nurse.client.close().await.unwrap();
    scene.ward.restart_relay().await;
    let second = scene.ward.reconnect(scene.second).await;
    let third = scene.ward.reconnect(scene.third).await;
    second.unlock().await;
    third.unlock().await;

    scene.clock.advance(MINUTE - SECOND);
    scene.ward.release().await;
    assert!(given(&second).await.is_empty());
    scene.clock.advance(SECOND);
    scene.ward.release().await;
    scene.ward.release().await;
    assert_eq!(given(&second).await, [text(1)]);
    assert_eq!(given(&second).await, [text(1)]);
    assert!(given(&third).await.is_empty());
    assert_eq!(escalated(&second).await, [0]);
    assert!(is_open(&second, message).await);
    let status = second.client.escalation(message).await.unwrap().unwrap();
    assert_eq!(status.given_here, Some(0));

    scene.clock.advance(MINUTE);
    scene.ward.release().await;
    assert_eq!(given(&third).await, [text(1)]);
    assert_eq!(escalated(&third).await, [1]);
    assert!(third.refusals().await.is_empty());
}

// scenario: escalation
#[tokio::test(flavor = "multi_thread")]
async fn whoever_accepts_in_time_leaves_everybody_else_in_peace() {
    let scene = Scene::open().await;
    let message = scene
        .raise(vec![
            after(MINUTE, &[&scene.second]),
            after(MINUTE, &[&scene.third]),
        ])
        .await;
    scene.pass(MINUTE - SECOND).await;
    accept(&scene.doctor, message).await;
    scene.pass(60 * MINUTE).await;
    scene.settle().await;
    for phone in [&scene.second, &scene.third] {
        assert!(given(phone).await.is_empty());
        assert!(escalated(phone).await.is_empty());
        assert!(phone.refusals().await.is_empty());
    }
    let status = scene.status(&scene.nurse, message).await;
    let stopped = status.stopped.unwrap();
    assert_eq!(stopped.user, Some(scene.doctor.user.clone()));
    assert_eq!(stopped.device, scene.doctor.client.device());
    assert!(!is_open(&scene.nurse, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_brings_the_next_at_once_and_the_one_after_it_counts_from_then() {
    let scene = Scene::open().await;
    let message = scene
        .raise(vec![
            after(60 * MINUTE, &[&scene.second]),
            after(MINUTE, &[&scene.third]),
        ])
        .await;
    scene.pass(SECOND).await;
    decline(&scene.doctor, message).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
    // The second has it by a tier: their decline brings the one after it.
    decline(&scene.second, message).await;
    assert_eq!(given(&scene.third).await, [text(1)]);
    scene.settle().await;
    let status = scene.status(&scene.nurse, message).await;
    assert!(status.tiers.iter().all(|tier| tier.advanced && !tier.early));
    let given_to = &status.tiers[0].given_to;
    assert_eq!(
        given_to.as_slice(),
        std::slice::from_ref(&scene.second.user)
    );
    assert_eq!(escalated(&scene.nurse).await, [0, 1]);
    assert!(is_open(&scene.nurse, message).await);
    accept(&scene.third, message).await;
    scene.settle().await;
    assert!(!is_open(&scene.nurse, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_was_asked_learns_who_has_it() {
    let scene = Scene::open().await;
    let message = scene
        .raise(vec![
            after(MINUTE, &[&scene.second]),
            after(MINUTE, &[&scene.third]),
        ])
        .await;
    scene.pass(MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
    scene.pass(MINUTE).await;
    assert_eq!(given(&scene.third).await, [text(1)]);
    scene.settle().await;
    accept(&scene.third, message).await;
    scene.settle().await;
    for phone in [&scene.nurse, &scene.doctor, &scene.second, &scene.third] {
        assert!(!is_open(phone, message).await, "{:?}", phone.user);
        let answers = phone.client.answers(message).await.unwrap();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].user, scene.third.user);
        assert_eq!(answers[0].read_back, "K 6.6, going");
        assert!(phone.refusals().await.is_empty(), "{:?}", phone.user);
    }
    let open = scene
        .second
        .client
        .open_items(OpenItems::ToAnswer, 10)
        .await;
    assert!(open.unwrap().is_empty());
    // And the one it was written to first, when they take it after all.
    accept(&scene.doctor, message).await;
    scene.settle().await;
    for phone in [&scene.nurse, &scene.second, &scene.third] {
        assert_eq!(phone.client.answers(message).await.unwrap().len(), 2);
    }
    let deliveries = scene.nurse.client.deliveries(message.id).await.unwrap();
    let reached: Vec<_> = deliveries.iter().map(|one| one.user.as_str()).collect();
    assert_eq!(reached, ["DR-1", "DR-2", "DR-3"]);
    let signed = |one: &wardline::PersonDelivery| one.state >= wardline::DeliveryState::Delivered;
    assert!(deliveries.iter().all(signed));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_on_the_team_is_asked_again_and_has_it_once() {
    let scene = Scene::open().await;
    let draft = Draft::new(team(), text(1))
        .priority(Priority::Stat)
        .escalate(after(MINUTE, &[&scene.second]));
    let message = scene.nurse.client.send(draft).await.unwrap();
    let message = scene.nurse.reference(message);
    scene.settle().await;
    scene.pass(MINUTE).await;
    scene.settle().await;
    assert_eq!(scene.second.texts(scene.second.team()).await, [text(1)]);
    assert_eq!(
        scene
            .second
            .client
            .unread(scene.second.team())
            .await
            .unwrap(),
        1
    );
    assert_eq!(escalated(&scene.second).await, [0]);
    assert!(escalated(&scene.third).await.is_empty());
    accept(&scene.second, message).await;
    scene.settle().await;
    for phone in [&scene.nurse, &scene.doctor, &scene.third] {
        assert!(!is_open(phone, message).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_phone_is_given_it_and_told() {
    let mut scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    scene.second = scene.ward.reopen(scene.second).await;
    scene.pass(MINUTE).await;
    scene.second.client.sync_once().await.unwrap();
    assert_eq!(escalated(&scene.second).await, [0]);
    let status = scene.status(&scene.second, message).await;
    assert_eq!(status.tiers[0].people, [scene.second.user.clone()]);
    scene.second.unlock().await;
    assert_eq!(given(&scene.second).await, [text(1)]);
}

// Taking it back -----------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_is_given_to_nobody_else() {
    let scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    scene
        .nurse
        .client
        .recall(message, "wrong patient")
        .await
        .unwrap();
    scene.settle().await;
    scene.pass(MINUTE).await;
    scene.settle().await;
    assert!(given(&scene.second).await.is_empty());
    assert!(escalated(&scene.second).await.is_empty());
    assert!(scene.second.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_later_is_gone_from_whoever_was_given_it() {
    let scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    scene.pass(MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
    scene.settle().await;
    scene
        .nurse
        .client
        .recall(message, "wrong patient")
        .await
        .unwrap();
    scene.settle().await;
    let shown = scene.second.client.messages(vec![message]).await.unwrap();
    assert!(shown[0].recalled.is_some() && shown[0].text.is_empty());
    let deliveries = scene.nurse.client.deliveries(message.id).await.unwrap();
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().all(|one| one.devices[0].recall.is_some()));
}

// Arming -------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn author_sees_that_it_is_not_armed_until_the_relay_has_it() {
    let scene = Scene::open().await;
    scene.nurse.faults.cut();
    let draft = Draft::new(to(&scene.doctor), text(1)).escalate(after(MINUTE, &[&scene.second]));
    let message = scene.nurse.client.send(draft).await.unwrap();
    let message = scene.nurse.reference(message);
    assert!(scene.nurse.client.sync_once().await.is_err());
    let status = scene.status(&scene.nurse, message).await;
    assert_eq!(status.armed, Armed::Waiting);
    scene.nurse.faults.mend();
    scene.settle().await;
    let status = scene.status(&scene.nurse, message).await;
    assert_eq!(status.armed, Armed::Yes);
    assert!(!scene.nurse.events().await.iter().any(is_not_armed));
    // Whoever wants it escalated wants an answer.
    assert!(is_open(&scene.doctor, message).await);
}

fn is_not_armed(event: &Event) -> bool {
    matches!(event, Event::EscalationNotArmed { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_that_holds_too_much_takes_the_message_and_its_author_is_told() {
    let scene = Scene::open_with(|config| config.limits.deposits = 1).await;
    scene
        .raise(vec![after(60 * MINUTE, &[&scene.second])])
        .await;
    for number in 2..4 {
        let draft = Draft::new(to(&scene.doctor), text(number));
        let draft = draft.escalate(after(MINUTE, &[&scene.second]));
        scene.nurse.client.send(draft).await.unwrap();
    }
    scene.nurse.say(to(&scene.third), &text(4)).await;
    scene.settle().await;
    assert_eq!(given(&scene.doctor).await, [text(1), text(2), text(3)]);
    assert_eq!(given(&scene.third).await, [text(4)]);
    let told = scene.nurse.events().await.into_iter().filter(is_not_armed);
    assert_eq!(told.count(), 2);
    scene.pass(MINUTE).await;
    assert!(given(&scene.second).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_that_took_the_message_and_not_what_is_held_is_found_out() {
    let scene = Scene::open().await;
    scene.nurse.faults.meddle::<v1::SendRequest>(|answer| {
        for outcome in &mut answer.outcomes {
            outcome.armed = false;
        }
    });
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    assert_eq!(scene.status(&scene.nurse, message).await.armed, Armed::No);
    assert!(scene.nurse.events().await.iter().any(is_not_armed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_without_a_device_is_left_out_and_its_author_told() {
    let scene = Scene::open().await;
    // CU-1 has no device.
    let nobody = EscalationTier::after(MINUTE).person("CU-1".parse().unwrap());
    let message = scene
        .raise(vec![nobody.clone(), after(MINUTE, &[&scene.second])])
        .await;
    let status = scene.status(&scene.nurse, message).await;
    assert_eq!(status.armed, Armed::Partly);
    assert_eq!(status.tiers.len(), 1);
    assert_eq!(status.tiers[0].due_at, scene.clock.now() + 2 * MINUTE);
    assert!(scene.nurse.events().await.iter().any(is_not_armed));
    scene.pass(2 * MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);

    let message = scene.raise(vec![nobody]).await;
    assert_eq!(scene.status(&scene.nurse, message).await.armed, Armed::No);
    assert_eq!(given(&scene.doctor).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tiers_that_cannot_be_held_are_refused_and_nothing_is_sent() {
    let scene = Scene::open().await;
    let one = || after(MINUTE, &[&scene.second]);
    let nine = std::iter::repeat_with(one).take(9).collect();
    let own = EscalationTier::after(MINUTE).person(scene.nurse.user.clone());
    let week = after(7 * 24 * 60 * MINUTE, &[&scene.second]);
    for (tiers, code) in [
        (nine, "WL-SEND-TOO-MANY-TIERS"),
        (vec![EscalationTier::after(MINUTE)], "WL-SEND-EMPTY-TIER"),
        (vec![own], "WL-SEND-EMPTY-TIER"),
        (vec![week, one()], "WL-SEND-HELD-TOO-LONG"),
    ] {
        let draft = Draft::new(to(&scene.doctor), text(1));
        let draft = tiers.into_iter().fold(draft, Draft::escalate);
        let refused = scene.nurse.client.send(draft).await.unwrap_err();
        assert_eq!(refused.code(), code);
        assert!(!refused.retryable());
    }
    scene.settle().await;
    assert!(given(&scene.doctor).await.is_empty());
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
