//! Closing the loop: who accepts or declines what asks for it, and who knows.

use std::{sync::Arc, time::Duration};

use wardline::{Draft, Event, MessageId, OpenItems, Priority, Recipient, Verdict};
use wardline_org::{Clock, ManualClock, SystemClock, Timestamp, authority::PersonDetails};
use wardline_tests::{Phone, Ward, settle, team, text};

/// A nurse, a doctor with two devices and a pharmacist on one care team, at a time that stands still.
struct Team {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
    tablet: Phone,
    pharmacist: Phone,
}

impl Team {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-1", "PH-1", "DR-9"];
        let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let tablet = ward.phone("DR-1").await;
        let pharmacist = ward.phone("PH-1").await;
        let team = Self {
            ward,
            clock,
            nurse,
            doctor,
            tablet,
            pharmacist,
        };
        team.settle().await;
        team
    }

    /// Everybody sends and fetches until everybody knows.
    async fn settle(&self) {
        let Self {
            nurse,
            doctor,
            tablet,
            pharmacist,
            ..
        } = self;
        settle(&[nurse, doctor, tablet, pharmacist], 3).await;
    }

    /// The nurse tells the team of a result, and everybody has it.
    async fn critical(&self, number: usize) -> MessageId {
        let draft = Draft::new(team(), text(number))
            .priority(Priority::Stat)
            .occurred_at(RESULT_AT)
            .answer_within(Duration::from_secs(300));
        let message = self.nurse.client.send(draft).await.unwrap();
        self.settle().await;
        message
    }
}

async fn open(phone: &Phone, which: OpenItems) -> Vec<MessageId> {
    let open = phone.client.open_items(which, 100).await.unwrap();
    open.into_iter().map(|message| message.id).collect()
}

async fn answered(phone: &Phone) -> Vec<(String, Verdict)> {
    let events = phone.events().await.into_iter();
    events
        .filter_map(|event| match event {
            Event::MessageAnswered { user, verdict, .. } => Some((user.to_string(), verdict)),
            _ => None,
        })
        .collect()
}

// scenario: answer
#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_it_closes_the_loop_for_everybody() {
    let ward = Team::open().await;
    let message = ward.critical(1).await;
    let reference = ward.nurse.reference(message);
    for phone in [&ward.doctor, &ward.tablet, &ward.pharmacist] {
        assert_eq!(open(phone, OpenItems::ToAnswer).await, [message]);
    }
    assert_eq!(open(&ward.nurse, OpenItems::Awaited).await, [message]);

    ward.clock.advance(Duration::from_secs(60));
    let verdict = Verdict::Accepted;
    ward.doctor
        .client
        .answer(reference, verdict, "K 6.6, going")
        .await
        .unwrap();
    assert!(open(&ward.doctor, OpenItems::ToAnswer).await.is_empty());
    assert!(answered(&ward.doctor).await.is_empty(), "its own doing");
    ward.settle().await;

    for phone in [&ward.nurse, &ward.tablet, &ward.pharmacist] {
        assert_eq!(
            answered(phone).await,
            [("DR-1".to_owned(), Verdict::Accepted)]
        );
        assert!(open(phone, OpenItems::ToAnswer).await.is_empty());
        let answers = phone.client.answers(reference).await.unwrap();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].user, ward.doctor.user);
        assert_eq!(answers[0].device, ward.doctor.client.device());
        assert_eq!(answers[0].read_back, "K 6.6, going");
        assert!(answers[0].stands);
        // It is no message of its own.
        assert_eq!(phone.texts(phone.team()).await, [text(1)]);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
    assert!(open(&ward.nurse, OpenItems::Awaited).await.is_empty());
    assert_eq!(
        ward.pharmacist
            .client
            .unread(ward.pharmacist.team())
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        ward.doctor.client.unread(ward.doctor.team()).await.unwrap(),
        0
    );
    assert_eq!(
        ward.tablet.client.unread(ward.tablet.team()).await.unwrap(),
        0
    );

    // The five times of the loop, t0 to t4.
    let shown = ward.nurse.messages(ward.nurse.team()).await.remove(0);
    assert_eq!(shown.occurred_at, Some(RESULT_AT));
    let deliveries = ward.nurse.client.deliveries(message).await.unwrap();
    let doctor = deliveries.iter().find(|one| one.user == ward.doctor.user);
    let doctor = doctor.unwrap();
    let device = doctor.devices.iter();
    let device = device
        .clone()
        .find(|one| one.device == Some(ward.doctor.client.device()));
    let device = device.unwrap();
    assert_eq!(device.sent_at, Some(START));
    assert_eq!(device.delivered_at, Some(START));
    assert_eq!(device.read_at, Some(ward.clock.now()));
    let answer = doctor.answer.unwrap();
    assert_eq!((answer.verdict, answer.at), (verdict, ward.clock.now()));
    let pharmacist = deliveries
        .iter()
        .find(|one| one.user == ward.pharmacist.user);
    assert_eq!(pharmacist.unwrap().answer, None);
}

// scenario: answer
#[tokio::test(flavor = "multi_thread")]
async fn a_decline_leaves_it_open_and_a_person_may_change_their_mind() {
    let ward = Team::open().await;
    let message = ward.critical(1).await;
    let reference = ward.nurse.reference(message);
    let (declined, accepted) = (Verdict::Declined, Verdict::Accepted);
    ward.doctor
        .client
        .answer(reference, declined, "in theatre")
        .await
        .unwrap();
    ward.settle().await;
    assert_eq!(open(&ward.nurse, OpenItems::Awaited).await, [message]);

    // On the other device, a minute later.
    ward.clock.advance(Duration::from_secs(60));
    ward.tablet
        .client
        .answer(reference, accepted, "")
        .await
        .unwrap();
    ward.settle().await;
    for phone in [&ward.nurse, &ward.doctor, &ward.pharmacist] {
        assert!(open(phone, OpenItems::Awaited).await.is_empty());
        assert!(open(phone, OpenItems::ToAnswer).await.is_empty());
        let answers = phone.client.answers(reference).await.unwrap();
        let said: Vec<_> = answers
            .iter()
            .map(|one| (one.verdict, one.stands))
            .collect();
        assert_eq!(said, [(declined, false), (accepted, true)]);
    }

    // And hands it back.
    ward.clock.advance(Duration::from_secs(60));
    ward.doctor
        .client
        .answer(reference, declined, "called away")
        .await
        .unwrap();
    ward.settle().await;
    assert_eq!(open(&ward.nurse, OpenItems::Awaited).await, [message]);
    assert_eq!(open(&ward.pharmacist, OpenItems::ToAnswer).await, [message]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_known_without_the_network() {
    let ward = Team::open().await;
    let first = ward.critical(1).await;
    ward.clock.advance(Duration::from_secs(100));
    let second = ward.critical(2).await;
    // Asks, without a time: it is never overdue, and comes last.
    let draft = Draft::new(team(), text(3)).priority(Priority::Stat);
    let third = ward.nurse.client.send(draft).await.unwrap();
    let urgent = Draft::new(team(), text(4))
        .priority(Priority::Urgent)
        .answer_within(Duration::from_secs(10));
    let fourth = ward.nurse.client.send(urgent).await.unwrap();
    assert_eq!(
        open(&ward.nurse, OpenItems::Awaited).await,
        [first, second, third, fourth]
    );
    assert!(open(&ward.nurse, OpenItems::Overdue).await.is_empty());
    ward.clock.advance(Duration::from_secs(200));
    assert_eq!(open(&ward.nurse, OpenItems::Overdue).await, [first, fourth]);
    assert!(open(&ward.doctor, OpenItems::Overdue).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_time_left_asks_all_the_same() {
    let ward = Team::open().await;
    let draft = Draft::new(team(), text(1)).answer_within(Duration::ZERO);
    let message = ward.nurse.client.send(draft).await.unwrap();
    assert_eq!(open(&ward.nurse, OpenItems::Awaited).await, [message]);
    ward.clock.advance(Duration::from_millis(2));
    assert_eq!(open(&ward.nurse, OpenItems::Overdue).await, [message]);
    ward.settle().await;
    assert_eq!(open(&ward.doctor, OpenItems::ToAnswer).await, [message]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_network_is_durable_and_arrives_at_a_locked_author() {
    let ward = Team::open().await;
    let message = ward.critical(1).await;
    let reference = ward.nurse.reference(message);
    ward.doctor.faults.cut();
    let answer = ward
        .doctor
        .client
        .answer(reference, Verdict::Accepted, "K 6.6")
        .await
        .unwrap();
    assert!(ward.doctor.client.sync_once().await.is_err());
    let Team {
        ward: hospital,
        nurse,
        doctor,
        ..
    } = ward;
    let doctor = hospital.reopen(doctor).await;
    doctor.faults.mend();
    doctor.unlock().await;
    assert!(open(&doctor, OpenItems::ToAnswer).await.is_empty());

    nurse.client.lock();
    settle(&[&doctor, &nurse, &doctor], 2).await;
    assert_eq!(
        answered(&nurse).await,
        [("DR-1".to_owned(), Verdict::Accepted)]
    );
    assert_eq!(
        nurse.client.answers(reference).await.unwrap_err().code(),
        "WL-LOCKED"
    );
    nurse.unlock().await;
    let answers = nurse.client.answers(reference).await.unwrap();
    assert_eq!(answers[0].read_back, "K 6.6");
    let found = nurse.client.search("6.6", None, None, 10).await.unwrap();
    assert!(found.is_empty(), "an answer is no message");
    // The answerer knows that it arrived.
    let deliveries = doctor.client.deliveries(answer).await.unwrap();
    let nurse = deliveries
        .iter()
        .find(|one| one.user == nurse.user)
        .unwrap();
    assert_eq!(nurse.state, wardline::DeliveryState::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_asks_is_answered_and_only_by_those_it_was_for() {
    let ward = Team::open().await;
    let message = ward.critical(1).await;
    let accept = Verdict::Accepted;
    let own = ward.nurse.reference(message);
    let refused = ward.nurse.client.answer(own, accept, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-OWN-MESSAGE");
    let routine = ward.nurse.say(team(), &text(2)).await;
    ward.settle().await;
    let routine = ward.nurse.reference(routine);
    let refused = ward.doctor.client.answer(routine, accept, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-NOT-ASKED");
    let long = "x".repeat(70_000);
    let refused = ward.doctor.client.answer(own, accept, &long).await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-TOO-LONG");
    ward.doctor.client.lock();
    let refused = ward.doctor.client.answer(own, accept, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-LOCKED");
    ward.doctor.unlock().await;
    assert_eq!(open(&ward.doctor, OpenItems::ToAnswer).await, [message]);

    // A device that was enrolled after it was sent has no such message.
    let mut hospital = ward.ward;
    let late = hospital.phone("DR-9").await;
    late.client.sync_once().await.unwrap();
    let refused = late.client.answer(own, accept, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_device_asked_is_no_order() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    let to = Recipient::Person(doctor.user.clone());
    let draft = Draft::new(to, text(1)).priority(Priority::Stat);
    let message = nurse.client.send(draft).await.unwrap();
    nurse.client.sync_once().await.unwrap();
    ward.authority()
        .revoke_device(&nurse.user, nurse.client.device(), SystemClock.now())
        .unwrap();
    ward.publish().await;
    doctor.client.sync_once().await.unwrap();
    let reference = nurse.reference(message);
    let refused = doctor.client.answer(reference, Verdict::Accepted, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-SENDER-REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_reaches_an_author_who_is_not_on_the_team() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let lab = PersonDetails::new("LAB-1".parse().unwrap(), "Laboratory");
    ward.authority().upsert_person(lab).unwrap();
    let lab = ward.phone("LAB-1").await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&lab, &nurse, &doctor], 1).await;
    let draft = Draft::new(team(), text(1)).priority(Priority::Stat);
    let message = lab.client.send(draft).await.unwrap();
    settle(&[&lab, &nurse, &doctor], 2).await;
    let reference = lab.reference(message);
    let accept = Verdict::Accepted;
    doctor.client.answer(reference, accept, "").await.unwrap();
    settle(&[&doctor, &lab, &nurse], 2).await;
    assert_eq!(answered(&lab).await, [("DR-1".to_owned(), accept)]);
    assert!(open(&lab, OpenItems::Awaited).await.is_empty());
    assert!(open(&nurse, OpenItems::ToAnswer).await.is_empty());
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const RESULT_AT: Timestamp = Timestamp::from_millis(1_794_999_940_000);
