//! Correcting: a message says something else now, everybody sees that it did not always, and nobody but its author
//! makes it so.

use std::{sync::Arc, time::Duration};

use wardline::{
    Draft, Event, Message, MessageRef, OpenItems, Priority, SendError, Verdict, testing,
};
use wardline_org::{ManualClock, Timestamp};
use wardline_tests::{Phone, Ward, settle, team, text, to};

/// A nurse and a doctor who have met, at a time that stands still.
async fn pair() -> (Ward, Arc<ManualClock>, Phone, Phone) {
    let clock = Arc::new(ManualClock::new(START));
    let (ward, nurse, doctor) = Ward::pair(Arc::clone(&clock) as _).await;
    (ward, clock, nurse, doctor)
}

async fn shown(phone: &Phone, message: MessageRef) -> Message {
    let shown = phone.client.messages(vec![message]).await.unwrap();
    shown.into_iter().next().unwrap()
}

async fn texts(phone: &Phone, message: MessageRef) -> Vec<(String, bool)> {
    let history = phone.client.history(message).await.unwrap();
    let texts = history.into_iter().map(|one| (one.text, one.stands));
    texts.collect()
}

async fn found(phone: &Phone, words: &str) -> usize {
    let found = phone.client.search(words, None, None, 10).await;
    found.unwrap().len()
}

async fn amended_events(phone: &Phone, message: MessageRef) -> usize {
    let events = phone.events().await;
    let told = events.iter().filter(
        |event| matches!(event, Event::MessageAmended { message: of, .. } if *of == message),
    );
    told.count()
}

// scenario: amend
#[tokio::test(flavor = "multi_thread")]
async fn a_correction_shows_the_new_text_and_keeps_the_old_one_readable() {
    let (_ward, clock, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), "Potassium sixfold 6.6").await;
    settle(&[&nurse, &doctor, &nurse], 1).await;
    let reference = nurse.reference(message);
    assert_eq!(found(&doctor, "sixfold").await, 1);
    assert_eq!(shown(&doctor, reference).await.amended, None);
    clock.advance(Duration::from_secs(60));
    let correction = nurse
        .client
        .amend(reference, "Potassium fivefold 5.6", "typing error")
        .await
        .unwrap();
    settle(&[&nurse, &doctor, &nurse], 1).await;
    for phone in [&nurse, &doctor] {
        let message = shown(phone, reference).await;
        assert_eq!(message.text, "Potassium fivefold 5.6");
        let amended = message.amended.unwrap();
        assert_eq!(amended.by, nurse.user);
        assert_eq!(amended.at, START + Duration::from_secs(60));
        assert_eq!(amended.reason, "typing error");
        assert_eq!(amended.versions, 2);
        let history = phone.client.history(reference).await.unwrap();
        let [first, second] = &history[..] else {
            panic!("{history:?}")
        };
        assert_eq!(first.reference, reference);
        assert_eq!((first.at, first.stands), (START, false));
        assert_eq!(first.text, "Potassium sixfold 6.6");
        assert_eq!(second.reference, nurse.reference(correction));
        assert_eq!(second.reason, "typing error");
        assert!(second.stands);
        // It is found by what it says, and is no message of its own.
        assert_eq!(found(phone, "fivefold").await, 1);
        assert_eq!(found(phone, "sixfold").await, 0);
        let list = phone.client.conversations(None, 10).await.unwrap();
        let preview = list.conversations[0].newest.preview.clone();
        assert_eq!(preview.as_deref(), Some("Potassium fivefold 5.6"));
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
    let all = doctor.texts(doctor.with("NS-1")).await;
    assert_eq!(all, ["Good morning", "Potassium fivefold 5.6"]);
    assert_eq!(amended_events(&doctor, reference).await, 1);
    assert_eq!(amended_events(&nurse, reference).await, 0, "its own doing");
    let deliveries = nurse.client.deliveries(correction).await.unwrap();
    assert_eq!(deliveries[0].state, wardline::DeliveryState::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_correction_stands_and_a_locked_device_takes_it_in() {
    let (ward, clock, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    doctor.client.lock();
    for number in [2, 3] {
        clock.advance(Duration::from_secs(1));
        let text = text(number);
        nurse.client.amend(reference, &text, "").await.unwrap();
        settle(&[&nurse, &doctor], 1).await;
    }
    doctor.unlock().await;
    assert_eq!(found(&doctor, "canary-00003").await, 1);
    assert_eq!(found(&doctor, "canary-00001").await, 0);
    let doctor = ward.reopen(doctor).await;
    doctor.unlock().await;
    let history = [(text(1), false), (text(2), false), (text(3), true)];
    assert_eq!(texts(&doctor, reference).await, history);
    assert_eq!(shown(&doctor, reference).await.amended.unwrap().versions, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_sealed_is_corrected_too() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    // Nothing is known of the doctor's devices: both wait.
    let message = nurse.say(to(&doctor), &text(1)).await;
    let reference = nurse.reference(message);
    nurse.client.amend(reference, &text(2), "").await.unwrap();
    assert_eq!(shown(&nurse, reference).await.text, text(2));
    settle(&[&doctor, &nurse, &doctor], 2).await;
    assert_eq!(
        texts(&doctor, reference).await,
        [(text(1), false), (text(2), true)]
    );
}

// scenario: amend
#[tokio::test(flavor = "multi_thread")]
async fn only_the_author_corrects_and_only_in_time() {
    let (_ward, clock, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    let code = |refused: Result<_, wardline::Error>| refused.map(drop).unwrap_err().code();
    let refused = doctor.client.amend(reference, &text(2), "").await;
    assert_eq!(code(refused), SendError::NotYours.code());
    let refused = nurse.client.amend(doctor.reference(message), "x", "").await;
    assert_eq!(code(refused), "WL-UNKNOWN");
    assert_eq!(
        code(nurse.client.amend(reference, " ", "").await),
        "WL-SEND-EMPTY"
    );
    let long = "x".repeat(70_000);
    let refused = nurse.client.amend(reference, "x", &long).await;
    assert_eq!(code(refused), "WL-SEND-TOO-LONG");
    nurse.client.lock();
    let refused = nurse.client.amend(reference, &text(2), "").await;
    assert_eq!(code(refused), "WL-LOCKED");
    nurse.unlock().await;
    clock.advance(Duration::from_secs(7 * 24 * 60 * 60 + 1));
    let refused = nurse.client.amend(reference, &text(2), "").await;
    assert_eq!(code(refused), SendError::TooLateToAmend.code());
    assert_eq!(texts(&nurse, reference).await, [(text(1), true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_purges_every_text_and_nothing_is_corrected_after_it() {
    let (_ward, _clock, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    nurse.client.amend(reference, &text(2), "").await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(found(&doctor, "canary-00002").await, 1);
    nurse.client.recall(reference, "").await.unwrap();
    settle(&[&nurse, &doctor, &nurse], 2).await;
    for phone in [&nurse, &doctor] {
        let tombstone = shown(phone, reference).await;
        assert!(tombstone.recalled.is_some());
        assert_eq!((tombstone.text.as_str(), tombstone.amended), ("", None));
        let refused = phone.client.history(reference).await.unwrap_err();
        assert_eq!(refused.code(), "WL-UNKNOWN");
        for words in ["canary-00001", "canary-00002"] {
            assert_eq!(found(phone, words).await, 0);
        }
        let about = "message WHERE sequence IN (SELECT message FROM amendment)";
        let bodies = testing::rows(&phone.client, about, "hex(body), hex(content_key)").await;
        assert_eq!(bodies.unwrap(), [" "], "a text is left");
        let left = testing::rows(&phone.client, "purge", "*").await.unwrap();
        assert!(left.is_empty());
    }
    let refused = nurse.client.amend(reference, &text(3), "").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), SendError::TooLateToAmend.code());
}

// scenario: amend
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_which_text_was_answered() {
    let (_ward, clock, nurse, doctor) = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).priority(Priority::Stat);
    let message = nurse.client.send(draft).await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    let accept = Verdict::Accepted;
    doctor
        .client
        .answer(reference, accept, "going")
        .await
        .unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let answers = nurse.client.answers(reference).await.unwrap();
    assert_eq!((answers[0].version, answers[0].outdated), (None, false));

    clock.advance(Duration::from_secs(1));
    let correction = nurse.client.amend(reference, &text(2), "").await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    for phone in [&nurse, &doctor] {
        let answers = phone.client.answers(reference).await.unwrap();
        assert!(answers[0].stands);
        assert_eq!((answers[0].version, answers[0].outdated), (None, true));
    }
    // Nothing is asked again by itself.
    let open = nurse.client.open_items(OpenItems::Awaited, 10).await;
    assert!(open.unwrap().is_empty());

    clock.advance(Duration::from_secs(1));
    doctor
        .client
        .answer(reference, accept, "still going")
        .await
        .unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let answers = nurse.client.answers(reference).await.unwrap();
    let last = answers.last().unwrap();
    assert_eq!(last.version, Some(nurse.reference(correction)));
    assert!(last.stands && !last.outdated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_on_another_device_reaches_who_has_left_the_team_and_is_counted_once() {
    let clock = Arc::new(ManualClock::new(START));
    let people = ["NS-1", "DR-1", "PH-1"];
    let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let tablet = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let pharmacist = ward.phone("PH-1").await;
    let everybody = [&nurse, &tablet, &doctor, &pharmacist];
    settle(&everybody, 2).await;
    let message = nurse.say(team(), &text(1)).await;
    settle(&everybody, 2).await;
    let reference = nurse.reference(message);
    let mut care_team = wardline_org::team::CareTeam {
        team: "team-1".parse().unwrap(),
        display_name: "Care team".into(),
        fhir_references: Vec::new(),
        members: Vec::new(),
        active: true,
    };
    care_team.members = ["NS-1", "PH-1"]
        .map(|person| wardline_org::team::TeamMember {
            user: person.parse().unwrap(),
            role: String::new(),
        })
        .to_vec();
    ward.authority().upsert_team(care_team).unwrap();
    ward.publish().await;
    clock.advance(Duration::from_secs(61));
    settle(&everybody, 1).await;
    let first = tablet.client.amend(reference, &text(2), "").await.unwrap();
    settle(&everybody, 3).await;
    for phone in everybody {
        let history = phone.client.history(reference).await.unwrap();
        let said: Vec<_> = history.iter().map(|one| one.text.clone()).collect();
        assert_eq!(said, [text(1), text(2)], "{}", phone.user);
        assert_eq!(history[1].reference, tablet.reference(first));
        assert_eq!(shown(phone, reference).await.amended.unwrap().versions, 2);
    }
    // And every copy goes with the message.
    nurse.client.recall(reference, "").await.unwrap();
    settle(&everybody, 3).await;
    for phone in everybody {
        let about = "message WHERE length(body) > 0 AND sequence IN
            (SELECT message FROM amendment)";
        let bodies = testing::rows(&phone.client, about, "sequence").await;
        assert!(bodies.unwrap().is_empty(), "{}", phone.user);
    }
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
