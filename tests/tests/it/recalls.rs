//! Taking back: what a message said is gone wherever a device says so, and its author knows where.

use std::{fs, sync::Arc, time::Duration};

use wardline::{
    DeliveryState, Draft, Event, MessageId, MessageRef, Priority, RecallOutcome, Verdict, testing,
};
use wardline_org::{
    ManualClock, Timestamp,
    team::{CareTeam, TeamMember},
};
use wardline_tests::{Phone, Ward, passphrase, settle, team, text, to};

/// A nurse and a doctor who have met, at a time that stands still.
async fn pair() -> (Ward, Arc<ManualClock>, Phone, Phone) {
    let clock = Arc::new(ManualClock::new(START));
    let (ward, nurse, doctor) = Ward::pair(Arc::clone(&clock) as _).await;
    (ward, clock, nurse, doctor)
}

async fn outcome(author: &Phone, message: MessageId) -> Option<RecallOutcome> {
    let deliveries = author.client.deliveries(message).await.unwrap();
    deliveries.first().and_then(|one| one.devices[0].recall)
}

/// What the doctor has of the nurse's last message.
async fn last(phone: &Phone, with: &Phone) -> wardline::Message {
    let conversation = phone.client.conversation(&to(with));
    phone.messages(conversation).await.pop().unwrap()
}

/// No store and no log holds a body of this message, and no search finds it.
pub(crate) async fn assert_gone(phone: &Phone, message: MessageRef, words: &str) {
    let shown = phone.client.messages(vec![message]).await.unwrap();
    assert_eq!(shown[0].text, "");
    assert!(shown[0].recalled.is_some());
    let found = phone.client.search(words, None, None, 10).await.unwrap();
    assert!(found.is_empty(), "the index still knows it");
    let columns = "hex(message_id), hex(body), hex(content_key)";
    let rows = testing::rows(&phone.client, "message", columns)
        .await
        .unwrap();
    let id = message.id.to_string().replace('-', "").to_uppercase();
    let row = rows.iter().find(|row| row.contains(&id)).unwrap();
    assert!(row.len() < 80, "a body is left: {row}");
    let left = testing::rows(&phone.client, "purge", "*").await.unwrap();
    assert!(left.is_empty());
}

// scenario: recall
#[tokio::test(flavor = "multi_thread")]
async fn a_recall_purges_what_nobody_has_opened() {
    let (_ward, _clock, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor, &nurse], 1).await;
    let reference = nurse.reference(message);
    let found = doctor.client.search("canary-00001", None, None, 10).await;
    assert_eq!(found.unwrap().len(), 1);

    nurse
        .client
        .recall(reference, "wrong patient")
        .await
        .unwrap();
    assert_gone(&nurse, reference, "canary-00001").await;
    assert_eq!(outcome(&nurse, message).await, Some(RecallOutcome::Pending));
    settle(&[&nurse, &doctor, &nurse], 1).await;
    assert_gone(&doctor, reference, "canary-00001").await;
    assert_eq!(
        outcome(&nurse, message).await,
        Some(RecallOutcome::PurgedUnread)
    );
    let tombstone = last(&doctor, &nurse).await;
    let recalled = tombstone.recalled.unwrap();
    assert_eq!(recalled.by, nurse.user);
    assert_eq!(recalled.at, START);
    assert_eq!(recalled.reason, "wrong patient");
    assert_eq!(doctor.client.unread(doctor.with("NS-1")).await.unwrap(), 1);
    let told = doctor.events().await;
    let told = told.iter().filter(
        |event| matches!(event, Event::MessageRecalled { message, .. } if *message == reference),
    );
    assert_eq!(told.count(), 1);
    // A tombstone is not read.
    doctor.client.mark_read(vec![reference]).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    assert_eq!(deliveries[0].state, DeliveryState::Delivered);
    for phone in [&nurse, &doctor] {
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_and_answered_is_gone_with_its_read_back() {
    let (_ward, _clock, nurse, doctor) = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).priority(Priority::Stat);
    let message = nurse.client.send(draft).await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    let words = "canary-00001 going";
    doctor
        .client
        .answer(reference, Verdict::Accepted, words)
        .await
        .unwrap();
    settle(&[&doctor, &nurse], 1).await;
    nurse.client.recall(reference, "").await.unwrap();
    settle(&[&nurse, &doctor, &nurse], 1).await;
    assert_eq!(
        outcome(&nurse, message).await,
        Some(RecallOutcome::PurgedRead)
    );
    for phone in [&nurse, &doctor] {
        assert_gone(phone, reference, "canary-00001").await;
        let answers = phone.client.answers(reference).await.unwrap();
        assert_eq!(answers[0].verdict, Verdict::Accepted, "the fact stays");
        assert_eq!(answers[0].read_back, "");
        let log = phone.folder.join("store.db-wal");
        let log = fs::metadata(log).map_or(0, |log| log.len());
        // Only what was committed after the log was emptied.
        assert!(log < 200_000, "{log}");
    }
    let again = doctor.client.answer(reference, Verdict::Accepted, "").await;
    assert_eq!(again.unwrap_err().code(), "WL-SEND-NOT-ASKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_fetched_is_withdrawn_and_never_shown() {
    let (_ward, _clock, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    let reference = nurse.reference(message);
    nurse
        .client
        .recall(reference, "wrong patient")
        .await
        .unwrap();
    settle(&[&nurse, &doctor, &nurse], 2).await;
    assert_eq!(
        outcome(&nurse, message).await,
        Some(RecallOutcome::Withdrawn)
    );
    assert!(
        doctor
            .client
            .messages(vec![reference])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, ["Good morning"]);
    assert!(doctor.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_left_never_leaves() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    // Nothing is known of the doctor's devices: it waits.
    let message = nurse.say(to(&doctor), &text(1)).await;
    let reference = nurse.reference(message);
    nurse
        .client
        .recall(reference, "wrong patient")
        .await
        .unwrap();
    assert_gone(&nurse, reference, "canary-00001").await;
    settle(&[&doctor, &nurse, &doctor], 2).await;
    assert!(doctor.messages(doctor.with("NS-1")).await.is_empty());
    let tombstone = last(&nurse, &doctor).await;
    assert_eq!(tombstone.recalled.unwrap().reason, "wrong patient");
    // The conversation goes on.
    nurse.say(to(&doctor), &text(2)).await;
    settle(&[&nurse, &doctor], 2).await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_device_says_so_only_when_its_index_is_clean() {
    let (_ward, _clock, nurse, doctor) = pair().await;
    let opened = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor, &nurse], 1).await;
    doctor.client.lock();
    let unopened = nurse.say(to(&doctor), &text(2)).await;
    settle(&[&nurse, &doctor, &nurse], 1).await;
    for message in [opened, unopened] {
        let reference = nurse.reference(message);
        nurse.client.recall(reference, "").await.unwrap();
    }
    settle(&[&nurse, &doctor, &nurse], 2).await;
    assert_eq!(outcome(&nurse, opened).await, Some(RecallOutcome::Pending));
    assert_eq!(
        outcome(&nurse, unopened).await,
        Some(RecallOutcome::PurgedUnread),
        "it has never been in the index"
    );
    doctor.unlock().await;
    for message in [opened, unopened] {
        assert_gone(&doctor, nurse.reference(message), "canary").await;
    }
    settle(&[&doctor, &nurse], 1).await;
    assert_eq!(
        outcome(&nurse, opened).await,
        Some(RecallOutcome::PurgedUnread)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_inbox_says_is_gone_does_not_come_back_through_an_index_that_was_being_made() {
    let (ward, _clock, nurse, doctor) = pair().await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    let message = nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    inbox.collect(LONG).await.unwrap();
    let recalled = async {
        nurse
            .client
            .recall(nurse.reference(message), "")
            .await
            .unwrap();
        nurse.client.sync_once().await.unwrap();
        assert!(inbox.collect(LONG).await.unwrap().complete);
    };
    testing::index_while(&doctor.client, recalled)
        .await
        .unwrap();
    nurse.client.sync_once().await.unwrap();
    let said = outcome(&nurse, message).await;
    assert_eq!(said, Some(RecallOutcome::PurgedUnread));
    assert_gone(&doctor, nurse.reference(message), "canary").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_unlocked_process_has_purged_does_not_come_back_through_the_index() {
    let (ward, _clock, nurse, doctor) = pair().await;
    let line = Arc::clone(&doctor.faults) as _;
    let config = ward.config(&doctor.folder, line);
    let other = wardline::Client::open(config).await.unwrap();
    other.unlock(passphrase()).await.unwrap();
    // In the form that opens fast, and not indexed yet.
    let message = doctor.say(to(&nurse), &text(1)).await;
    let recalled = async {
        other.recall(doctor.reference(message), "").await.unwrap();
        other.sync_once().await.unwrap();
        let left = testing::rows(&other, "purge", "*").await.unwrap();
        assert!(left.is_empty());
    };
    testing::index_while(&doctor.client, recalled)
        .await
        .unwrap();
    assert_gone(&doctor, doctor.reference(message), "canary").await;
}

// scenario: recall
#[tokio::test(flavor = "multi_thread")]
async fn only_the_author_takes_back_and_only_in_time() {
    let (_ward, clock, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    let refused = doctor.client.recall(reference, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-NOT-YOURS");
    let unknown = doctor.reference(message);
    let refused = doctor.client.recall(unknown, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-UNKNOWN");
    nurse.client.lock();
    let refused = nurse.client.recall(reference, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-LOCKED");
    nurse.unlock().await;
    clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    let refused = nurse.client.recall(reference, "").await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-TOO-LATE-TO-RECALL");
    assert_eq!(last(&doctor, &nurse).await.text, text(1));
    let later = nurse.say(to(&doctor), &text(2)).await;
    let later = nurse.reference(later);
    nurse.client.recall(later, "").await.unwrap();
    let again = nurse.client.recall(later, "").await;
    assert_eq!(again.unwrap_err().code(), "WL-SEND-TOO-LATE-TO-RECALL");
}

/// A nurse with two devices, a doctor, and a pharmacist whose device has offered no keys yet, on one care team.
struct Keyless {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    tablet: Phone,
    doctor: Phone,
    pharmacist: Phone,
}

impl Keyless {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-1", "PH-1"];
        let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
        let nurse = ward.phone("NS-1").await;
        let tablet = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let pharmacist = ward.phone("PH-1").await;
        settle(&[&nurse, &tablet, &doctor], 1).await;
        nurse.say(team(), "Good morning").await;
        settle(&[&nurse, &tablet, &doctor, &nurse], 2).await;
        Self {
            ward,
            clock,
            nurse,
            tablet,
            doctor,
            pharmacist,
        }
    }

    /// The pharmacist's device offers its keys, and everybody who has something for it sends.
    async fn keys_come(&self) {
        self.pharmacist.client.sync_once().await.unwrap();
        self.clock.advance(Duration::from_secs(301));
        let everybody = [&self.nurse, &self.tablet, &self.doctor, &self.pharmacist];
        settle(&everybody, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_keys_is_stopped_by_a_recall_on_another_device() {
    let team_of = Keyless::open().await;
    let Keyless {
        nurse,
        tablet,
        doctor,
        pharmacist,
        ..
    } = &team_of;
    let message = nurse.say(team(), &text(1)).await;
    settle(&[nurse, tablet, doctor], 2).await;
    let reference = nurse.reference(message);
    let waiting = testing::rows(&nurse.client, "outbox", "message").await;
    assert!(!waiting.unwrap().is_empty(), "it waits for the pharmacist");
    tablet
        .client
        .recall(reference, "wrong patient")
        .await
        .unwrap();
    settle(&[tablet, nurse, doctor, nurse], 2).await;
    assert_gone(nurse, reference, "canary-00001").await;
    assert_gone(doctor, reference, "canary-00001").await;
    team_of.keys_come().await;
    let shown = pharmacist.client.messages(vec![reference]).await.unwrap();
    assert!(shown.is_empty(), "it has never left for there");
    let waiting = testing::rows(&nurse.client, "outbox", "message").await;
    assert!(waiting.unwrap().is_empty());
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    let outcomes: Vec<_> = deliveries
        .iter()
        .filter(|one| one.user != nurse.user)
        .map(|one| one.devices[0].recall)
        .collect();
    let (purged, withdrawn) = (RecallOutcome::PurgedUnread, RecallOutcome::Withdrawn);
    assert_eq!(outcomes, [Some(purged), Some(withdrawn)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waits_is_taken_back_with_its_message() {
    let team_of = Keyless::open().await;
    let Keyless {
        nurse,
        doctor,
        pharmacist,
        tablet,
        ..
    } = &team_of;
    let draft = Draft::new(team(), text(1)).priority(Priority::Stat);
    let message = nurse.client.send(draft).await.unwrap();
    settle(&[nurse, tablet, doctor], 2).await;
    let reference = nurse.reference(message);
    let words = "canary-00001 understood";
    doctor
        .client
        .answer(reference, Verdict::Accepted, words)
        .await
        .unwrap();
    doctor.client.sync_once().await.unwrap();
    let waiting = testing::rows(&doctor.client, "outbox", "message").await;
    assert!(!waiting.unwrap().is_empty(), "it waits for the pharmacist");
    nurse.client.recall(reference, "").await.unwrap();
    settle(&[nurse, doctor, nurse], 2).await;
    assert_gone(doctor, reference, "canary-00001").await;
    let waiting = testing::rows(&doctor.client, "outbox", "message").await;
    assert!(waiting.unwrap().is_empty(), "the read-back is still there");
    team_of.keys_come().await;
    assert!(
        pharmacist
            .client
            .answers(reference)
            .await
            .unwrap()
            .is_empty()
    );
    // Whoever asks for the answer again gets nothing, and holds up nothing.
    testing::want_resealed(&doctor.client).await.unwrap();
    doctor.say(team(), &text(2)).await;
    settle(&[doctor, nurse, pharmacist], 2).await;
    team_of.keys_come().await;
    assert!(pharmacist.texts(pharmacist.team()).await.contains(&text(2)));
}

fn without_doctor(active: bool) -> CareTeam {
    let member = |person: &str| TeamMember {
        user: person.parse().unwrap(),
        role: String::new(),
    };
    CareTeam {
        team: "team-1".parse().unwrap(),
        display_name: "Care team".into(),
        fhir_references: Vec::new(),
        members: vec![member("NS-1"), member("PH-1")],
        active,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_reaches_who_has_left_the_team_since() {
    for active in [true, false] {
        let mut team_of = Keyless::open().await;
        let message = team_of.nurse.say(team(), &text(1)).await;
        settle(&[&team_of.nurse, &team_of.doctor, &team_of.nurse], 1).await;
        let authority = team_of.ward.authority();
        authority.upsert_team(without_doctor(active)).unwrap();
        team_of.ward.publish().await;
        team_of.clock.advance(Duration::from_secs(61));
        settle(&[&team_of.nurse, &team_of.doctor], 1).await;
        let reference = team_of.nurse.reference(message);
        let nurse = &team_of.nurse;
        nurse
            .client
            .recall(reference, "wrong patient")
            .await
            .unwrap();
        settle(&[nurse, &team_of.doctor, nurse], 3).await;
        assert_gone(&team_of.doctor, reference, "canary-00001").await;
        let deliveries = nurse.client.deliveries(message).await.unwrap();
        let doctor = deliveries
            .iter()
            .find(|one| one.user == team_of.doctor.user);
        let outcome = doctor.unwrap().devices[0].recall;
        assert_eq!(outcome, Some(RecallOutcome::PurgedUnread), "{active}");
    }
}

/// Never reached: the network is in this process.
const LONG: Duration = Duration::from_secs(120);
const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
