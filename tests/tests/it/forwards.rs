//! Forwarding: what somebody else has written is handed on as they signed it, and nobody is made its author who is not.

use std::{sync::Arc, time::Duration};

use wardline::{
    Draft, Filter, Forwarded, MessageId, MessageRef, Patient, PatientIdentifier, Priority,
    Recipient, Sbar, Structured, VendorContent, Verdict, testing,
};
use wardline_org::{
    ManualClock, Timestamp,
    policy::Forwarding,
    team::{CareTeam, TeamMember},
};
use wardline_proto::{Message as _, v1};
use wardline_tests::{Phone, Ward, settle, team, text, to};

use crate::recalls::assert_gone;

/// A nurse who writes, a doctor who hands on, and a consultant who gets it and has met the doctor only.
struct Floor {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
    consultant: Phone,
}

impl Floor {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-1", "DR-2", "PH-1"];
        let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let consultant = ward.phone("DR-2").await;
        settle(&[&nurse, &doctor, &consultant], 1).await;
        Self {
            ward,
            clock,
            nurse,
            doctor,
            consultant,
        }
    }

    async fn settle(&self) {
        settle(&[&self.nurse, &self.doctor, &self.consultant], 3).await;
    }

    async fn nurse_says(&self, draft: Draft) -> MessageRef {
        let sent = self.nurse.client.send(draft).await.unwrap();
        self.settle().await;
        self.nurse.reference(sent)
    }

    /// The doctor hands it on to the consultant.
    async fn handed_on(&self, message: MessageRef, comment: &str) -> MessageRef {
        let draft = Draft::new(to(&self.consultant), comment);
        let forward = self.doctor.client.forward(message, draft).await.unwrap();
        self.settle().await;
        self.doctor.reference(forward)
    }

    /// What the consultant is shown of a content that a changed client of the doctor's has made.
    async fn forged(&self, body: v1::ForwardBody) -> wardline::Message {
        let content = v1::Content {
            type_uri: FORWARD.into(),
            body: body.encode_to_vec(),
            fallback_text: "said to be forwarded".into(),
            patient: Some(context("MRN-WRONG")),
            ..Default::default()
        };
        let sent = testing::send_anything(&self.doctor.client, to(&self.consultant), content);
        let sent = self.doctor.reference(sent.await.unwrap());
        self.settle().await;
        shown(&self.consultant, sent).await
    }

    async fn rule(&mut self, forwarding: Forwarding) {
        let mut policy = self.ward.authority().policy().clone();
        policy.version += 1;
        policy.forwarding = forwarding;
        self.ward.authority().set_policy(&policy).unwrap();
        self.ward.publish().await;
        self.clock.advance(Duration::from_secs(120));
        self.settle().await;
    }
}

async fn shown(phone: &Phone, message: MessageRef) -> wardline::Message {
    let shown = phone.client.messages(vec![message]).await;
    shown.unwrap().remove(0)
}

async fn forwarded(phone: &Phone, message: MessageRef) -> Forwarded {
    shown(phone, message).await.forwarded.unwrap()
}

async fn found(phone: &Phone, words: &str) -> usize {
    let found = phone.client.search(words, None, None, 10).await;
    found.unwrap().len()
}

fn code<T: std::fmt::Debug>(refused: Result<T, wardline::Error>) -> String {
    refused.unwrap_err().code()
}

fn patient() -> Patient {
    Patient {
        identifiers: vec![PatientIdentifier {
            system: MRN.into(),
            value: "MRN-0042".into(),
        }],
        name: "Ada Lovelace".into(),
        encounter: String::new(),
    }
}

fn context(number: &str) -> v1::PatientContext {
    v1::PatientContext {
        identifiers: vec![v1::PatientIdentifier {
            system: MRN.into(),
            value: number.into(),
        }],
        ..Default::default()
    }
}

// scenario: forward
#[tokio::test(flavor = "multi_thread")]
async fn a_forward_proves_its_author_to_who_has_never_met_them() {
    let floor = Floor::open().await;
    let draft = Draft::new(to(&floor.doctor), text(1))
        .patient(patient())
        .priority(Priority::Urgent)
        .answer_within(Duration::from_secs(600))
        .offer(["Yes", "No"]);
    let message = floor.nurse_says(draft).await;
    let client = &floor.doctor.client;
    let accepted = client.answer(message, Verdict::Accepted, "canary-read-back");
    accepted.await.unwrap();
    floor.clock.advance(Duration::from_secs(60));
    let forward = floor.handed_on(message, "Your opinion?").await;
    for phone in [&floor.doctor, &floor.consultant] {
        let shown = shown(phone, forward).await;
        assert_eq!(shown.sender, floor.doctor.user);
        assert_eq!(shown.text, format!("Your opinion?\n\n{}", text(1)));
        assert!(shown.supported && shown.asked.is_none() && shown.offers.is_empty());
        assert_eq!(shown.priority, Priority::Routine, "the forwarder's choice");
        assert_eq!(shown.patient, Some(patient()));
        let forwarded = shown.forwarded.unwrap();
        assert!(forwarded.proven);
        assert_eq!(forwarded.author, Some(floor.nurse.user.clone()));
        assert_eq!(forwarded.author_device, Some(floor.nurse.client.device()));
        assert_eq!(forwarded.written_at, Some(START));
        assert_eq!(forwarded.text, text(1));
        assert_eq!(forwarded.comment, "Your opinion?");
        assert_eq!(forwarded.patient, Some(patient()));
        assert_eq!(forwarded.corrected_at, None);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
    let consultant = &floor.consultant;
    assert_eq!(found(consultant, "canary-00001").await, 1);
    assert_eq!(found(consultant, "opinion").await, 1);
    assert_eq!(found(consultant, "canary-read-back").await, 0);
    let hers = Filter::all().patient(vec![patient().identifiers.remove(0)]);
    let hers = consultant.client.find(hers, None, 10).await.unwrap();
    assert_eq!(hers.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn handed_on_again_it_is_the_first_authors_and_does_not_grow() {
    let mut floor = Floor::open().await;
    let pharmacist = floor.ward.phone("PH-1").await;
    settle(&[&pharmacist], 1).await;
    let message = floor
        .nurse_says(Draft::new(to(&floor.doctor), text(1)))
        .await;
    let forward = floor.handed_on(message, "first-comment").await;
    let draft = Draft::new(to(&pharmacist), "second-comment").priority(Priority::Urgent);
    let again = floor.consultant.client.forward(forward, draft).await;
    let again = floor.consultant.reference(again.unwrap());
    floor.settle().await;
    settle(&[&pharmacist], 3).await;
    let shown = shown(&pharmacist, again).await;
    assert_eq!(shown.sender, floor.consultant.user);
    assert_eq!(shown.text, format!("second-comment\n\n{}", text(1)));
    let inside = shown.forwarded.unwrap();
    assert_eq!(inside.author, Some(floor.nurse.user.clone()));
    let whole = testing::signed(&pharmacist.client, again).await.unwrap();
    let once = testing::signed(&floor.doctor.client, forward)
        .await
        .unwrap();
    assert!(whole.content.len() < once.content.len() + 64);
    let bytes = String::from_utf8_lossy(&whole.content).into_owned();
    assert!(!bytes.contains("first-comment"), "it is the doctor's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_forwarded_with_its_fields_and_says_that_it_was_corrected() {
    let floor = Floor::open().await;
    let sbar = Structured::Sbar(Sbar {
        situation: "Chest pain".into(),
        ..Sbar::default()
    });
    let draft = Draft::new(to(&floor.doctor), "").structured(sbar.clone());
    let handoff = floor.nurse_says(draft).await;
    let forward = floor.handed_on(handoff, "").await;
    let shown = shown(&floor.consultant, forward).await;
    assert_eq!(shown.text, "S: Chest pain");
    assert_eq!(shown.structured, None, "the message itself is a forward");
    assert_eq!(shown.forwarded.unwrap().structured, Some(sbar));

    let message = floor
        .nurse_says(Draft::new(to(&floor.doctor), text(1)))
        .await;
    floor.clock.advance(Duration::from_secs(60));
    let nurse = &floor.nurse.client;
    nurse
        .amend(message, &text(2), "typing error")
        .await
        .unwrap();
    floor.settle().await;
    let forward = floor.handed_on(message, "").await;
    let inside = forwarded(&floor.consultant, forward).await;
    assert!(inside.proven);
    assert_eq!(inside.text, text(2));
    let corrected = START + Duration::from_secs(60);
    assert_eq!(inside.corrected_at, Some(corrected));
    assert_eq!(found(&floor.consultant, "canary-00001").await, 0);
}

// scenario: forward
#[tokio::test(flavor = "multi_thread")]
async fn taken_back_it_is_gone_wherever_it_was_handed_on() {
    let mut floor = Floor::open().await;
    let pharmacist = floor.ward.phone("PH-1").await;
    settle(&[&pharmacist], 1).await;
    let message = floor
        .nurse_says(Draft::new(to(&floor.doctor), text(1)))
        .await;
    let forward = floor.handed_on(message, "see below").await;
    let draft = Draft::new(to(&pharmacist), "");
    let again = floor.consultant.client.forward(forward, draft).await;
    let again = floor.consultant.reference(again.unwrap());
    floor.settle().await;
    settle(&[&pharmacist], 2).await;
    let words = "canary-00001";
    assert_eq!(found(&pharmacist, words).await, 1);

    floor
        .nurse
        .client
        .recall(message, "wrong patient")
        .await
        .unwrap();
    floor.settle().await;
    settle(&[&pharmacist, &floor.consultant, &pharmacist], 2).await;
    assert_gone(&floor.nurse, message, words).await;
    assert_gone(&floor.doctor, message, words).await;
    for phone in [&floor.doctor, &floor.consultant] {
        assert_gone(phone, forward, words).await;
    }
    assert_gone(&floor.consultant, again, words).await;
    assert_gone(&pharmacist, again, words).await;
    let gone = shown(&pharmacist, again).await;
    assert_eq!(gone.forwarded, None);
    assert_eq!(gone.recalled.unwrap().by, floor.consultant.user);
    let refused = floor
        .doctor
        .client
        .forward(message, Draft::new(to(&floor.consultant), ""));
    assert_eq!(code(refused.await), "WL-SEND-NOT-FORWARDABLE");
    for phone in [&floor.doctor, &floor.consultant, &pharmacist] {
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_handed_on_is_refused_and_changes_nothing() {
    let floor = Floor::open().await;
    let client = &floor.doctor.client;
    let plain = || Draft::new(to(&floor.consultant), "");
    let message = floor
        .nurse_says(Draft::new(to(&floor.doctor), text(1)))
        .await;
    let forward = async |message: MessageRef, draft: Draft| -> String {
        code(client.forward(message, draft).await)
    };
    let unknown = floor.doctor.reference(message.id);
    assert_eq!(forward(unknown, plain()).await, "WL-UNKNOWN");
    let other = plain().patient(patient());
    assert_eq!(forward(message, other).await, "WL-SEND-NOT-FORWARDABLE");
    let fields = plain().structured(Structured::Sbar(Sbar::default()));
    assert!(forward(message, fields).await.starts_with("WL-SEND-"));
    let long = Draft::new(to(&floor.consultant), "x".repeat(65_537));
    assert_eq!(forward(message, long).await, "WL-SEND-TOO-LONG");
    let vendors = VendorContent {
        type_uri: "vendor.example.com/wound/2".into(),
        body: vec![1],
    };
    let vendors = Draft::new(to(&floor.doctor), "Wound").structured(Structured::Vendor(vendors));
    let vendors = floor.nurse_says(vendors).await;
    assert_eq!(forward(vendors, plain()).await, "WL-SEND-NOT-FORWARDABLE");
    floor.doctor.faults.cut();
    let stranger = Recipient::Person("PH-1".parse().unwrap());
    let unsealed = floor.doctor.say(stranger, &text(2)).await;
    let unsealed = floor.doctor.reference(unsealed);
    assert_eq!(forward(unsealed, plain()).await, "WL-SEND-NOT-FORWARDABLE");
    floor.doctor.faults.mend();
    client.lock();
    assert_eq!(forward(message, plain()).await, "WL-LOCKED");
    floor.doctor.unlock().await;
    let with = floor.doctor.with("DR-2");
    assert!(floor.doctor.messages(with).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_says_to_whom() {
    let mut floor = Floor::open().await;
    let members = ["NS-1", "DR-1", "DR-2"].map(|person| TeamMember {
        user: person.parse().unwrap(),
        role: String::new(),
    });
    floor
        .ward
        .authority()
        .upsert_team(CareTeam {
            team: "team-1".parse().unwrap(),
            display_name: "Care team".into(),
            fhir_references: Vec::new(),
            members: members.to_vec(),
            active: true,
        })
        .unwrap();
    floor.rule(Forwarding::SameTeam).await;
    floor.doctor.say(team(), "Good morning").await;
    floor.settle().await;
    let direct = floor
        .nurse_says(Draft::new(to(&floor.doctor), text(1)))
        .await;
    let on_team = floor.nurse_says(Draft::new(team(), text(2))).await;
    let client = &floor.doctor.client;
    let forward = async |message: MessageRef, to: Recipient| -> Result<MessageId, String> {
        let forwarded = client.forward(message, Draft::new(to, "")).await;
        forwarded.map_err(|error| error.code())
    };
    let refused = Err("WL-SEND-FORWARDING".to_owned());
    let outside = Recipient::Person("PH-1".parse().unwrap());
    assert_eq!(forward(direct, to(&floor.consultant)).await, refused);
    assert_eq!(forward(direct, team()).await, refused);
    assert_eq!(forward(on_team, outside.clone()).await, refused);
    let inside = forward(on_team, to(&floor.consultant)).await.unwrap();
    floor.settle().await;
    // Nor does it leave by a second hand.
    let again = floor.doctor.reference(inside);
    let again = floor
        .consultant
        .client
        .forward(again, Draft::new(outside, ""));
    assert_eq!(code(again.await), "WL-SEND-FORWARDING");

    floor.rule(Forwarding::Never).await;
    let client = &floor.doctor.client;
    let never = client.forward(on_team, Draft::new(team(), "")).await;
    assert_eq!(code(never), "WL-SEND-FORWARDING");
}

/// A changed client of the doctor's puts words into other people's mouths.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_original_is_nobodys() {
    let floor = Floor::open().await;
    let message = floor
        .nurse_says(Draft::new(to(&floor.doctor), text(1)))
        .await;
    let genuine = testing::signed(&floor.doctor.client, message)
        .await
        .unwrap();
    let said = v1::Content::decode(genuine.content.as_slice()).unwrap();
    let altered = |change: &dyn Fn(&mut v1::Content)| {
        let mut said = said.clone();
        change(&mut said);
        said
    };
    let order = |said: &mut v1::Content| {
        let text = "Give 10 mg".to_owned();
        said.body = v1::TextBody { text }.encode_to_vec();
    };
    let forged = altered(&order);
    // The nurse's signature under other words; the doctor's under the nurse's name; somebody whom nobody knows; another
    // organization's person; the doctor's device under the name of somebody else's.
    let kept = v1::SignedContent {
        content: forged.encode_to_vec(),
        signature: genuine.signature.clone(),
    };
    let by = |content: &v1::Content| testing::sign(&floor.doctor.client, content);
    let nobody = altered(&|said| said.sender_user_id = "XX-9".into());
    let elsewhere = altered(&|said| {
        said.organization = "other".into();
        said.sender_user_id = "DR-1".into();
        said.sender_device = floor.doctor.client.device().to_vec();
    });
    let device = altered(&|said| said.sender_device = floor.doctor.client.device().to_vec());
    for (what, original) in [
        ("altered", kept),
        ("signed by another", by(&forged)),
        ("nobody", by(&nobody)),
        ("other organization", by(&elsewhere)),
        ("another's device", by(&device)),
        (
            "no name",
            by(&altered(&|said| said.sender_user_id = String::new())),
        ),
    ] {
        let body = v1::ForwardBody {
            original: Some(original),
            ..Default::default()
        };
        let message = floor.forged(body).await;
        let inside = message.forwarded.unwrap();
        assert!(!inside.proven, "{what}");
        assert_eq!(inside.author, None, "{what}");
        assert_eq!((inside.author_device, inside.written_at), (None, None));
        assert!(!message.text.contains("NS-1"), "{what}: {}", message.text);
        // And nobody hands it on as if it were.
        let on = floor.consultant.client.forward(
            floor.doctor.reference(message.id),
            Draft::new(to(&floor.nurse), ""),
        );
        assert_eq!(code(on.await), "WL-SEND-NOT-FORWARDABLE", "{what}");
    }
    // The genuine one is shown under its author's name and patient, whatever the doctor says of that.
    let honest = v1::ForwardBody {
        original: Some(genuine.clone()),
        ..Default::default()
    };
    let honest_message = floor.forged(honest.clone()).await;
    assert_eq!(honest_message.patient, None, "not the forwarder's patient");
    assert!(honest_message.forwarded.unwrap().proven);
    let wrong = PatientIdentifier {
        system: MRN.into(),
        value: "MRN-WRONG".into(),
    };
    let filed = Filter::all().patient(vec![wrong]);
    let filed = floor.consultant.client.find(filed, None, 10).await.unwrap();
    assert!(filed.is_empty());

    // A correction that its author has not written takes the name away, too.
    let correction = v1::Content {
        type_uri: "wardline.amend/1".into(),
        body: v1::AmendBody {
            text: "Give 10 mg".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        subject: Some(v1::MessageReference {
            sender_device: message.device.to_vec(),
            message_id: message.id.as_bytes().to_vec(),
            content_hash: Vec::new(),
        }),
        ..said.clone()
    };
    let corrected = v1::ForwardBody {
        correction: Some(by(&correction)),
        ..honest.clone()
    };
    let corrected = floor.forged(corrected).await.forwarded.unwrap();
    assert_eq!((corrected.proven, corrected.author), (false, None));

    // A forward in a forward, a recall, and nothing at all are no forwards: the fallback text is the doctor's own.
    let nested = v1::Content {
        type_uri: FORWARD.into(),
        body: honest.encode_to_vec(),
        ..said.clone()
    };
    let recall = altered(&|said| said.type_uri = "wardline.recall/1".into());
    for original in [Some(by(&nested)), Some(by(&recall)), None] {
        let body = v1::ForwardBody {
            original,
            ..Default::default()
        };
        let message = floor.forged(body).await;
        assert_eq!(message.forwarded, None);
        assert!(!message.supported);
        assert_eq!(message.text, "said to be forwarded");
    }
    assert!(floor.consultant.refusals().await.is_empty());
    assert_eq!(floor.consultant.client.check_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_is_read_for_no_longer_than_its_source() {
    let floor = Floor::open().await;
    let hour = Duration::from_secs(3600);
    let draft = Draft::new(to(&floor.doctor), text(1)).expire_after_sent(hour);
    let message = floor.nurse_says(draft).await;
    floor.clock.advance(hour / 2);
    let draft = Draft::new(to(&floor.consultant), "").expire_after_sent(hour * 2);
    let forward = floor.doctor.client.forward(message, draft).await.unwrap();
    let forward = floor.doctor.reference(forward);
    floor.settle().await;
    let shown_now = shown(&floor.consultant, forward).await;
    assert_eq!(shown_now.expires_at, Some(START + hour));
    floor.clock.advance(hour / 2);
    for phone in [&floor.doctor, &floor.consultant] {
        let over = shown(phone, forward).await;
        assert!(over.expired.is_some());
        assert_eq!((over.text.as_str(), over.forwarded), ("", None));
    }
    let draft = Draft::new(to(&floor.consultant), "");
    let late = floor.doctor.client.forward(message, draft).await;
    assert_eq!(code(late), "WL-SEND-NOT-FORWARDABLE");
}

/// Whoever has a revoked device could date what it signs back.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_device_signed_is_proven_no_more() {
    let mut floor = Floor::open().await;
    let message = floor
        .nurse_says(Draft::new(to(&floor.doctor), text(1)))
        .await;
    let before = floor.handed_on(message, "").await;
    let (user, device) = (floor.nurse.user.clone(), floor.nurse.client.device());
    let authority = floor.ward.authority();
    authority.revoke_device(&user, device, START).unwrap();
    floor.ward.publish().await;
    floor.clock.advance(Duration::from_secs(120));
    settle(&[&floor.doctor, &floor.consultant], 3).await;
    let draft = Draft::new(to(&floor.consultant), "");
    let after = floor.doctor.client.forward(message, draft).await.unwrap();
    settle(&[&floor.doctor, &floor.consultant], 3).await;
    let after = forwarded(&floor.consultant, floor.doctor.reference(after)).await;
    assert_eq!((after.proven, after.author), (false, None));
    let before = forwarded(&floor.consultant, before).await;
    assert!(before.proven, "it was looked up while it was listed");
}

const FORWARD: &str = "wardline.forward/1";
const MRN: &str = "urn:mrn";
const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
