//! A message reaches the people it is for, and its author knows.

use wardline::{
    DeliveryState, Direction, Draft, Event, EventCursor, Priority, Proof, Recipient,
    vault::Passphrase,
};
use wardline_tests::{Phone, Ward, team, text};

async fn states(author: &Phone, message: wardline::MessageId) -> Vec<(String, DeliveryState)> {
    let deliveries = author.client.deliveries(message).await.unwrap();
    deliveries
        .into_iter()
        .map(|person| (person.user.to_string(), person.state))
        .collect()
}

// scenario: delivery
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_delivered_and_read() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();

    let message = nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    assert_eq!(
        nurse.texts(nurse.with("DR-1")).await,
        [text(1)],
        "durable at once"
    );
    assert!(states(&nurse, message).await.is_empty(), "not sealed yet");

    nurse.client.sync_once().await.unwrap();
    assert_eq!(
        states(&nurse, message).await,
        [("DR-1".into(), DeliveryState::Sent)]
    );

    doctor.client.sync_once().await.unwrap();
    let received = doctor.messages(doctor.with("NS-1")).await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].text, text(1));
    assert_eq!(received[0].id, message);
    assert_eq!(received[0].sender, nurse.user);
    assert_eq!(received[0].direction, Direction::Incoming);
    assert_eq!(received[0].proof, Proof::Proven);
    assert_eq!(doctor.client.unread(doctor.with("NS-1")).await.unwrap(), 1);

    nurse.client.sync_once().await.unwrap();
    assert_eq!(
        states(&nurse, message).await,
        [("DR-1".into(), DeliveryState::Delivered)]
    );

    doctor
        .client
        .mark_read(vec![nurse.reference(message)])
        .await
        .unwrap();
    assert_eq!(doctor.client.unread(doctor.with("NS-1")).await.unwrap(), 0);
    doctor.client.sync_once().await.unwrap();
    nurse.client.sync_once().await.unwrap();
    assert_eq!(
        states(&nurse, message).await,
        [("DR-1".into(), DeliveryState::Read)]
    );
    assert_eq!(nurse.client.check_audit().await.unwrap(), None);
}

// scenario: delivery
#[tokio::test(flavor = "multi_thread")]
async fn a_care_team_gets_it_on_every_device_once() {
    let mut ward = Ward::open(&["NS-1", "DR-1", "PH-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let nurse_tablet = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let doctor_tablet = ward.phone("DR-1").await;
    let pharmacist = ward.phone("PH-1").await;
    let everybody = [&nurse_tablet, &doctor, &doctor_tablet, &pharmacist];
    for phone in everybody {
        phone.client.sync_once().await.unwrap();
    }
    for number in 0..5 {
        nurse.say(team(), &text(number)).await;
    }
    nurse.client.sync_once().await.unwrap();
    let expected: Vec<String> = (0..5).map(text).collect();
    for phone in everybody {
        phone.client.sync_once().await.unwrap();
        phone.client.sync_once().await.unwrap();
        assert_eq!(phone.texts(phone.team()).await, expected);
    }
    let own = nurse_tablet.messages(nurse_tablet.team()).await;
    assert!(
        own.iter()
            .all(|message| message.direction == Direction::OwnOtherDevice)
    );
    assert_eq!(
        nurse_tablet
            .client
            .unread(nurse_tablet.team())
            .await
            .unwrap(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_on_one_device_is_known_on_the_other() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let tablet = ward.phone("DR-1").await;
    for phone in [&nurse, &doctor, &tablet] {
        phone.client.sync_once().await.unwrap();
    }
    let message = nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    tablet.client.sync_once().await.unwrap();
    assert_eq!(tablet.client.unread(tablet.with("NS-1")).await.unwrap(), 1);
    doctor
        .client
        .mark_read(vec![nurse.reference(message)])
        .await
        .unwrap();
    doctor.client.sync_once().await.unwrap();
    tablet.client.sync_once().await.unwrap();
    assert_eq!(tablet.client.unread(tablet.with("NS-1")).await.unwrap(), 0);
}

// scenario: locked-phone
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_phone_receives_confirms_and_shows_nothing_until_unlocked() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    doctor.client.lock();
    let message = nurse
        .client
        .send(Draft::new(Recipient::Person(doctor.user.clone()), text(7)).priority(Priority::Stat))
        .await
        .unwrap();
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    nurse.client.sync_once().await.unwrap();
    assert_eq!(
        states(&nurse, message).await,
        [("DR-1".into(), DeliveryState::Delivered)]
    );

    let events = doctor
        .client
        .events_from(EventCursor::default(), 100)
        .await
        .unwrap();
    assert!(
        events.iter().any(|event| matches!(
            event.event,
            Event::MessageArrived {
                tier: wardline::Tier::Stat,
                ..
            }
        )),
        "the tier is known while locked"
    );
    let refused = doctor
        .client
        .timeline(doctor.with("NS-1"), None, 10)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "WL-LOCKED");
    assert_eq!(
        doctor
            .client
            .mark_read(vec![nurse.reference(message)])
            .await
            .unwrap_err()
            .code(),
        "WL-LOCKED"
    );

    doctor.unlock().await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(7)]);
    let found = doctor
        .client
        .search("canary-00007", None, None, 10)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_platform_recognizes_reads_without_the_passphrase_while_that_is_allowed() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.say(team(), &text(1)).await;
    nurse.client.lock();
    let refused = nurse.client.unlock_by_presence().await.unwrap_err();
    assert_eq!(refused.code(), "WL-VAULT-PRESENCE-OFF");
    let passphrase = |text: &str| Passphrase::new(text).unwrap();
    let wrong = nurse.client.allow_presence(passphrase("wrong")).await;
    assert_eq!(wrong.unwrap_err().code(), "WL-VAULT-WRONG-PASSPHRASE");
    let right = passphrase("correct horse battery staple");
    nurse.client.allow_presence(right).await.unwrap();
    assert!(nurse.client.is_locked());
    let nurse = ward.reopen(nurse).await;
    nurse.client.unlock_by_presence().await.unwrap();
    assert_eq!(nurse.texts(nurse.team()).await, [text(1)]);
    nurse.client.forbid_presence().await.unwrap();
    nurse.client.lock();
    assert!(nurse.client.unlock_by_presence().await.is_err());
    assert!(nurse.client.is_locked());
    assert_eq!(nurse.client.check_audit().await.unwrap(), None);
}

// scenario: offline-phone
#[tokio::test(flavor = "multi_thread")]
async fn an_offline_phone_gets_everything_when_it_is_back() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    doctor.faults.cut();
    for number in 0..20 {
        nurse
            .say(Recipient::Person(doctor.user.clone()), &text(number))
            .await;
        nurse.client.sync_once().await.unwrap();
    }
    assert_eq!(
        doctor.client.sync_once().await.unwrap_err().code(),
        "WL-NET-UNREACHABLE"
    );
    doctor.faults.mend();
    doctor.client.sync_once().await.unwrap();
    let expected: Vec<String> = (0..20).map(text).collect();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, expected);
}

// scenario: offline-phone
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_offline_leaves_after_reopening() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    nurse.faults.cut();
    nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    let nurse = ward.reopen(nurse).await;
    nurse.faults.mend();
    nurse.client.sync_once().await.unwrap();
    let doctor = ward.reopen(doctor).await;
    doctor.client.sync_once().await.unwrap();
    doctor.unlock().await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_twice_with_one_key_sends_once() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    let draft =
        Draft::new(Recipient::Person(doctor.user.clone()), text(1)).idempotency_key("lab-1");
    let first = nurse.client.send(draft.clone()).await.unwrap();
    nurse.client.sync_once().await.unwrap();
    let nurse = ward.reopen(nurse).await;
    assert_eq!(nurse.client.send(draft).await.unwrap(), first);
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_delivers_while_nobody_calls() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    nurse.client.start().unwrap();
    doctor.client.start().unwrap();
    let mut view = doctor.client.follow(doctor.with("NS-1"), 50).await.unwrap();
    nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    let waiting = std::time::Duration::from_secs(60);
    let change = tokio::time::timeout(waiting, view.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(change.added.len(), 1);
    assert_eq!(change.unread, 1);
    nurse.client.close().await.unwrap();
    doctor.client.close().await.unwrap();
}

// scenario: events
#[tokio::test(flavor = "multi_thread")]
async fn an_app_waits_for_events_until_they_come_or_the_client_closes() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    let cursor = last_event(&doctor).await;
    let waiting = {
        let client = doctor.client.clone();
        tokio::spawn(async move { client.next_events(cursor, 100).await })
    };
    nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    let events = waiting.await.unwrap().unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event.event, Event::MessageArrived { .. }))
    );

    let cursor = last_event(&doctor).await;
    let client = doctor.client.clone();
    let waiting = tokio::spawn(async move { client.next_events(cursor, 100).await });
    tokio::task::yield_now().await;
    doctor.client.close().await.unwrap();
    waiting.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_client_again_from_any_clone_changes_nothing() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let clone = nurse.client.clone();
    let (one, other) = tokio::join!(nurse.client.close(), clone.close());
    one.unwrap();
    other.unwrap();
    nurse.client.close().await.unwrap();
    let refused = nurse.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-STORE-CLOSED");
}

async fn last_event(phone: &Phone) -> EventCursor {
    let events = phone.client.events_from(EventCursor::default(), 10_000);
    let last = events.await.unwrap().last().map(|event| event.cursor);
    last.unwrap_or_default()
}

// scenario: errors-by-cause
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_says_why_and_leaves_nothing() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.client.sync_once().await.unwrap();
    let to = || Recipient::Person("DR-1".parse().unwrap());
    let refusal = |draft: Draft| {
        let client = nurse.client.clone();
        async move { client.send(draft).await.unwrap_err().code() }
    };
    assert_eq!(refusal(Draft::new(to(), "  ")).await, "WL-SEND-EMPTY");
    let long = "x".repeat(10 * 1024 * 1024);
    assert_eq!(refusal(Draft::new(to(), long)).await, "WL-SEND-TOO-LONG");
    let own = Recipient::Person(nurse.user.clone());
    assert_eq!(refusal(Draft::new(own, "note")).await, "WL-SEND-ONLY-SELF");
    assert!(nurse.messages(nurse.with("DR-1")).await.is_empty());
}

// scenario: errors-by-cause
#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_nobody_fails_with_its_cause() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.client.sync_once().await.unwrap();
    let unknown = Recipient::Person("DR-404".parse().unwrap());
    let message = nurse.say(unknown.clone(), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    assert_eq!(deliveries[0].state, DeliveryState::Failed);
    assert_eq!(
        deliveries[0].devices[0].cause,
        Some(wardline::FailureCause::NoSuchPerson)
    );
    let again = nurse
        .client
        .send(Draft::new(unknown, text(2)))
        .await
        .unwrap_err();
    assert_eq!(again.code(), "WL-SEND-NO-SUCH-RECIPIENT", "now it is known");
    let nobody_home = nurse
        .say(Recipient::Person("DR-1".parse().unwrap()), &text(3))
        .await;
    nurse.client.sync_once().await.unwrap();
    let deliveries = nurse.client.deliveries(nobody_home).await.unwrap();
    assert_eq!(
        deliveries[0].devices[0].cause,
        Some(wardline::FailureCause::NoDevice)
    );
}

// scenario: cancellation
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_given_up_loses_no_change() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let everything = 40;
    let conversation = nurse.with("DR-1");
    let mut view = nurse.client.follow(conversation, 100).await.unwrap();
    for number in 0..everything {
        let doctor = Recipient::Person(wardline_org::UserId::new("DR-1").unwrap());
        nurse.say(doctor, &text(number)).await;
        let patience = async {
            for _ in 0..number {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            change = view.changed() => drop(change.unwrap()),
            () = patience => {}
        }
    }
    while view.messages().len() < everything {
        let change = tokio::time::timeout(std::time::Duration::from_secs(20), view.changed());
        change.await.expect("the news was lost").unwrap();
    }
}
