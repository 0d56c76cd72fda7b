//! Legal hold: what it names is hidden like anything else that is over or taken back, and destroyed by nobody.

use std::{sync::Arc, time::Duration};

use wardline::{Client, Draft, Message, MessageRef, RecallOutcome, testing};
use wardline_org::{ManualClock, Timestamp, policy::LegalHold};
use wardline_tests::{Phone, Ward, settle, team, text, to};

/// A nurse, a doctor and a pharmacist on one care team, at a time that stands still.
struct Held {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
    pharmacist: Phone,
}

impl Held {
    async fn open(hold: LegalHold) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-1", "PH-1"];
        let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let pharmacist = ward.phone("PH-1").await;
        let mut held = Self {
            ward,
            clock,
            nurse,
            doctor,
            pharmacist,
        };
        held.settle().await;
        held.hold(hold).await;
        held
    }

    /// The organization holds this from now on, and everybody's device knows.
    async fn hold(&mut self, hold: LegalHold) {
        let mut policy = self.ward.authority().policy().clone();
        policy.version += 1;
        policy.legal_hold = hold;
        self.ward.authority().set_policy(&policy).unwrap();
        self.ward.publish().await;
        self.clock.advance(Duration::from_secs(61));
        self.settle().await;
    }

    async fn settle(&self) {
        let everybody = [&self.nurse, &self.doctor, &self.pharmacist];
        settle(&everybody, 3).await;
    }

    /// The nurse says something to the doctor, and both have it.
    async fn say(&self, draft: Draft) -> MessageRef {
        let message = self.nurse.client.send(draft).await.unwrap();
        self.settle().await;
        self.nurse.reference(message)
    }

    async fn outcome(&self, message: MessageRef) -> Option<RecallOutcome> {
        let deliveries = self.nurse.client.deliveries(message.id).await.unwrap();
        deliveries[0].devices[0].recall
    }
}

fn everybody() -> LegalHold {
    LegalHold {
        everybody: true,
        ..LegalHold::default()
    }
}

async fn shown(phone: &Phone, message: MessageRef) -> Message {
    let mut shown = phone.client.messages(vec![message]).await.unwrap();
    shown.pop().unwrap()
}

/// Whether anything that was written is still on the device.
async fn is_kept(client: &Client, message: MessageRef) -> bool {
    let rows = testing::rows(client, "message", "hex(message_id), length(body)").await;
    let id = message.id.to_string().replace('-', "").to_uppercase();
    let rows = rows.unwrap();
    !rows.contains(&format!("{id} 0"))
}

async fn assert_hidden(phone: &Phone, message: MessageRef) {
    assert_eq!(shown(phone, message).await.text, "");
    let found = phone.client.search("canary-00001", None, None, 10).await;
    assert!(found.unwrap().is_empty());
    let code = phone.client.history(message).await.unwrap_err().code();
    assert_eq!(code, "WL-UNKNOWN");
    let code = phone.client.export_proof(message).await.unwrap_err().code();
    assert_eq!(code, "WL-UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_hidden_and_kept_until_the_hold_is_lifted() {
    let mut held = Held::open(everybody()).await;
    let draft = Draft::new(to(&held.doctor), text(1)).expire_after_sent(HOUR);
    let message = held.say(draft).await;
    held.clock.advance(HOUR);
    held.settle().await;
    for phone in [&held.nurse, &held.doctor] {
        assert_hidden(phone, message).await;
        let one = shown(phone, message).await;
        assert!(one.held && one.expired.is_some());
        assert!(is_kept(&phone.client, message).await);
    }
    // Another policy that holds it keeps it, also through a restart.
    let doctor = LegalHold {
        people: vec!["DR-1".parse().unwrap()],
        ..LegalHold::default()
    };
    held.hold(doctor).await;
    held.doctor = held.ward.reopen(held.doctor).await;
    held.doctor.unlock().await;
    held.settle().await;
    for phone in [&held.nurse, &held.doctor] {
        assert_hidden(phone, message).await;
        assert!(is_kept(&phone.client, message).await);
    }
    held.hold(LegalHold::default()).await;
    held.settle().await;
    for phone in [&held.nurse, &held.doctor] {
        assert_hidden(phone, message).await;
        assert!(!shown(phone, message).await.held);
        assert!(!is_kept(&phone.client, message).await);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
    assert_eq!(held.doctor.client.unread_total().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_hides_what_is_held_and_its_author_learns_that_it_is_kept() {
    let mut held = Held::open(everybody()).await;
    let message = held.say(Draft::new(to(&held.doctor), text(1))).await;
    held.nurse
        .client
        .recall(message, "wrong patient")
        .await
        .unwrap();
    held.settle().await;
    for phone in [&held.nurse, &held.doctor] {
        assert_hidden(phone, message).await;
        let one = shown(phone, message).await;
        assert_eq!(one.recalled.unwrap().reason, "wrong patient");
        assert!(one.held && one.expired.is_none());
        assert!(is_kept(&phone.client, message).await);
    }
    assert_eq!(held.outcome(message).await, Some(RecallOutcome::Kept));
    assert_eq!(held.doctor.client.unread_total().await.unwrap(), 0);
    let again = held.nurse.client.recall(message, "").await;
    assert_eq!(again.unwrap_err().code(), "WL-SEND-TOO-LATE-TO-RECALL");
    // Whoever asks for it again gets nothing.
    testing::want_resealed(&held.nurse.client).await.unwrap();
    held.settle().await;
    let resealed = testing::rows(&held.nurse.client, "recipient", "message, resealed_at").await;
    assert!(
        resealed.unwrap().contains(&"1 -".to_owned()),
        "only its recall is"
    );

    held.hold(LegalHold::default()).await;
    held.settle().await;
    for phone in [&held.nurse, &held.doctor] {
        assert!(shown(phone, message).await.recalled.is_some());
        assert!(!is_kept(&phone.client, message).await);
    }
    let outcome = held.outcome(message).await;
    assert_eq!(outcome, Some(RecallOutcome::PurgedUnread));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_names_people_and_teams_and_holds_nothing_else() {
    let doctor = LegalHold {
        people: vec!["DR-1".parse().unwrap()],
        ..LegalHold::default()
    };
    let the_team = LegalHold {
        teams: vec!["team-1".parse().unwrap()],
        ..LegalHold::default()
    };
    for (hold, to_doctor, to_team, at_pharmacist) in
        [(doctor, true, false, false), (the_team, false, true, true)]
    {
        let held = Held::open(hold).await;
        let hour = |to| Draft::new(to, text(1)).expire_after_sent(HOUR);
        let direct = held.say(hour(to(&held.doctor))).await;
        let together = held.say(hour(team())).await;
        held.clock.advance(HOUR);
        held.settle().await;
        let nurse = &held.nurse.client;
        assert_eq!(is_kept(nurse, direct).await, to_doctor);
        assert_eq!(is_kept(nurse, together).await, to_team);
        let pharmacist = &held.pharmacist.client;
        assert_eq!(is_kept(pharmacist, together).await, at_pharmacist);
        // On the device of who is held, everything is.
        let doctor = &held.doctor.client;
        assert_eq!(is_kept(doctor, direct).await, to_doctor);
        assert!(is_kept(doctor, together).await);
    }
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
