//! Whoever stands in for somebody who is away is given their messages, everybody sees that, and nobody can have
//! another's messages handed to themselves.

use std::{sync::Arc, time::Duration};

use wardline::testing;
use wardline::{Availability, Away, Draft, Message, OpenItems, Priority, Recipient, Verdict};
use wardline_org::{
    Clock as _, ManualClock, RelayCode, SoftwareSigner, TeamId, Timestamp,
    availability::{SignedAvailability, Statement},
    team::{CareTeam, TeamMember},
};
use wardline_proto::v1::{self, conversation_ref::Kind};
use wardline_tests::{Phone, Ward, settle, text, to};

/// A nurse, a doctor, a second one who may stand in, and a third.
struct Scene {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
    second: Phone,
}

async fn scene() -> Scene {
    let clock = Arc::new(ManualClock::new(START));
    let people = ["NS-1", "DR-1", "DR-2", "DR-3"];
    let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let second = ward.phone("DR-2").await;
    settle(&[&nurse, &doctor, &second], 2).await;
    Scene {
        ward,
        clock,
        nurse,
        doctor,
        second,
    }
}

impl Scene {
    /// Everybody's client asks the relay anew from now on.
    fn a_minute_later(&self) {
        self.clock.advance(Duration::from_secs(61));
    }

    async fn away(&self, phone: &Phone, delegate: Option<&str>) {
        away_until(phone, self.clock.now() + HOUR, delegate).await;
        self.a_minute_later();
    }

    async fn ask(&self, text: &str) -> Message {
        let draft = Draft::new(to(&self.doctor), text)
            .priority(Priority::Urgent)
            .answer_within(HOUR);
        self.nurse.client.send(draft).await.unwrap();
        settle(&[&self.nurse, &self.doctor, &self.second, &self.nurse], 2).await;
        self.nurse
            .messages(self.nurse.with("DR-1"))
            .await
            .pop()
            .unwrap()
    }
}

async fn away_until(phone: &Phone, until: Timestamp, delegate: Option<&str>) {
    let away = Away {
        until,
        delegate: delegate.map(|delegate| delegate.parse().unwrap()),
    };
    let availability = Availability {
        do_not_disturb_until: None,
        away: Some(away),
    };
    phone.client.set_availability(availability).await.unwrap();
    phone.client.sync_once().await.unwrap();
}

async fn back(phone: &Phone) {
    let nothing = Availability::default();
    phone.client.set_availability(nothing).await.unwrap();
    phone.client.sync_once().await.unwrap();
}

async fn texts(phone: &Phone, with: &str) -> Vec<String> {
    phone.texts(phone.with(with)).await
}

async fn last(phone: &Phone, with: &str) -> Message {
    phone.messages(phone.with(with)).await.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_in_is_given_a_copy_and_all_three_see_it() {
    let scene = scene().await;
    scene.away(&scene.doctor, Some("DR-2")).await;
    let sent = scene.ask(&text(1)).await;

    let copy = last(&scene.second, "NS-1").await;
    assert_eq!(
        (copy.text.clone(), copy.priority),
        (text(1), Priority::Urgent)
    );
    assert_eq!(copy.on_behalf_of.as_ref(), Some(&scene.doctor.user));
    let original = last(&scene.doctor, "NS-1").await;
    assert_eq!(original.text, text(1));
    for message in [&sent, &original, &copy] {
        assert_eq!(message.reference(), sent.reference());
        let [stand_in] = message.stand_ins.as_slice() else {
            panic!("{:?}", message.stand_ins)
        };
        assert_eq!(stand_in.on_behalf_of, scene.doctor.user);
        assert_eq!(stand_in.delegate, scene.second.user);
    }
    assert_eq!((sent.on_behalf_of, original.on_behalf_of), (None, None));
    let deliveries = scene.nurse.client.deliveries(sent.id).await.unwrap();
    let people: Vec<_> = deliveries
        .iter()
        .map(|person| person.user.as_str())
        .collect();
    assert_eq!(people, ["DR-1", "DR-2"]);
    assert!(
        deliveries
            .iter()
            .all(|person| person.devices[0].delivered_at.is_some())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_of_who_stands_in_counts_for_everybody() {
    let scene = scene().await;
    scene.away(&scene.doctor, Some("DR-2")).await;
    let sent = scene.ask(&text(1)).await;
    let (nurse, doctor, second) = (&scene.nurse, &scene.doctor, &scene.second);
    for phone in [doctor, second] {
        let open = phone
            .client
            .open_items(OpenItems::ToAnswer, 10)
            .await
            .unwrap();
        assert_eq!(open.len(), 1);
    }
    let done = second
        .client
        .answer(sent.reference(), Verdict::Accepted, "I go");
    done.await.unwrap();
    settle(&[second, nurse, doctor], 2).await;
    for phone in [nurse, doctor, second] {
        let answers = phone.client.answers(sent.reference()).await.unwrap();
        assert_eq!(answers.len(), 1, "{:?}", phone.user);
        assert_eq!(answers[0].user, second.user);
        assert_eq!(answers[0].read_back, "I go");
        assert!(phone.refusals().await.is_empty());
    }
    let waiting = nurse
        .client
        .open_items(OpenItems::Awaited, 10)
        .await
        .unwrap();
    assert!(waiting.is_empty());
    let waiting = doctor
        .client
        .open_items(OpenItems::ToAnswer, 10)
        .await
        .unwrap();
    assert!(waiting.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_may_answer_too_and_who_stands_in_learns_it() {
    let scene = scene().await;
    scene.away(&scene.doctor, Some("DR-2")).await;
    let sent = scene.ask(&text(1)).await;
    let (nurse, doctor, second) = (&scene.nurse, &scene.doctor, &scene.second);
    let done = doctor
        .client
        .answer(sent.reference(), Verdict::Accepted, "");
    done.await.unwrap();
    settle(&[doctor, nurse, second], 2).await;
    let waiting = second
        .client
        .open_items(OpenItems::ToAnswer, 10)
        .await
        .unwrap();
    assert!(waiting.is_empty());
    assert!(second.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_devices_of_who_stands_in_have_message_and_answer() {
    let mut scene = scene().await;
    let tablet = scene.ward.phone("DR-2").await;
    settle(&[&tablet, &scene.second, &tablet], 1).await;
    scene.away(&scene.doctor, Some("DR-2")).await;
    let sent = scene.ask(&text(1)).await;
    let done = scene
        .second
        .client
        .answer(sent.reference(), Verdict::Accepted, "I go");
    done.await.unwrap();
    settle(&[&tablet], 2).await;
    let copy = last(&tablet, "NS-1").await;
    assert_eq!(copy.on_behalf_of.as_ref(), Some(&scene.doctor.user));
}

#[tokio::test(flavor = "multi_thread")]
async fn correction_and_recall_reach_who_stands_in() {
    let scene = scene().await;
    scene.away(&scene.doctor, Some("DR-2")).await;
    let sent = scene.ask(&text(1)).await;
    let (nurse, second) = (&scene.nurse, &scene.second);
    let corrected = text(2);
    let done = nurse.client.amend(sent.reference(), &corrected, "a slip");
    done.await.unwrap();
    // Also after the absence, when nobody stands in any more.
    scene.clock.advance(2 * HOUR);
    settle(&[nurse, second], 2).await;
    assert_eq!(texts(second, "NS-1").await, [text(2)]);
    let done = nurse.client.recall(sent.reference(), "wrong patient");
    done.await.unwrap();
    settle(&[nurse, second], 2).await;
    assert!(last(second, "NS-1").await.recalled.is_some());
    assert!(second.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn message_to_a_team_reaches_who_stands_in_for_a_member() {
    let mut scene = scene().await;
    let third = scene.ward.phone("DR-3").await;
    let members = ["NS-1", "DR-1", "DR-2"].map(|person| TeamMember {
        user: person.parse().unwrap(),
        role: String::new(),
    });
    let team = CareTeam {
        team: TeamId::new("team-2").unwrap(),
        display_name: "Without the third".into(),
        fhir_references: Vec::new(),
        members: members.into(),
        active: true,
    };
    let recipient = Recipient::Team(team.team.clone());
    scene.ward.authority().upsert_team(team).unwrap();
    scene.ward.publish().await;
    settle(&[&third], 2).await;
    scene.away(&scene.doctor, Some("DR-3")).await;
    scene.nurse.say(recipient.clone(), &text(1)).await;
    settle(&[&scene.nurse, &scene.doctor, &third], 2).await;
    let conversation = third.client.conversation(&recipient);
    let copy = third.messages(conversation).await.pop().unwrap();
    assert_eq!(copy.text, text(1));
    assert_eq!(copy.on_behalf_of.as_ref(), Some(&scene.doctor.user));
    assert_eq!(scene.doctor.texts(conversation).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forwarded_before_after_or_to_who_is_away_too() {
    let scene = scene().await;
    scene.ask(&text(0)).await;
    scene.away(&scene.doctor, Some("DR-2")).await;
    // Who stands in goes away as well.
    scene.away(&scene.second, None).await;
    scene.ask(&text(1)).await;
    back(&scene.second).await;
    scene.a_minute_later();
    scene.ask(&text(2)).await;
    back(&scene.doctor).await;
    scene.a_minute_later();
    scene.ask(&text(3)).await;
    away_until(&scene.doctor, scene.clock.now() + HOUR, Some("DR-2")).await;
    scene.clock.advance(HOUR);
    scene.ask(&text(4)).await;
    assert_eq!(texts(&scene.second, "NS-1").await, [text(2)]);
    let all: Vec<String> = (0..5).map(text).collect();
    assert_eq!(texts(&scene.doctor, "NS-1").await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_anothers_messages_handed_to_themselves() {
    let scene = scene().await;
    let now = scene.clock.now();
    // The second doctor wants the first one's messages, and the relay helps.
    let statement = |user: &str, device| Statement {
        org: "mercy".parse().unwrap(),
        user: user.parse().unwrap(),
        device,
        set_at: now,
        availability: Availability {
            do_not_disturb_until: None,
            away: Some(Away {
                until: now + 9 * HOUR,
                delegate: Some("DR-2".parse().unwrap()),
            }),
        },
    };
    let key = SoftwareSigner::generate().unwrap();
    let lies = [
        statement("DR-1", scene.doctor.client.device()),
        statement("DR-1", scene.second.client.device()),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let lie = SignedAvailability::sign(&lie, &key).unwrap().to_message();
        scene
            .nurse
            .faults
            .meddle::<v1::ReachabilityRequest>(move |answer| {
                for person in &mut answer.people {
                    person.availability = Some(lie.clone());
                }
            });
        scene.a_minute_later();
        let sent = scene.ask(&text(number)).await;
        assert!(sent.stand_ins.is_empty());
    }
    assert!(
        scene
            .second
            .messages(scene.second.with("NS-1"))
            .await
            .is_empty()
    );
    assert_eq!(texts(&scene.doctor, "NS-1").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_word_that_was_taken_back_forwards_nothing_to_whom_has_heard_it() {
    let scene = scene().await;
    scene.away(&scene.doctor, Some("DR-2")).await;
    scene.ask(&text(1)).await;
    let old = Arc::new(std::sync::Mutex::new(None));
    let kept = Arc::clone(&old);
    scene
        .nurse
        .faults
        .meddle::<v1::ReachabilityRequest>(move |answer| {
            if let Some(said) = answer.people.iter().find(|p| p.user_id == "DR-1") {
                kept.lock().unwrap().clone_from(&said.availability);
            }
        });
    scene.a_minute_later();
    scene.ask(&text(2)).await;
    back(&scene.doctor).await;
    scene.nurse.faults.relent();
    scene.a_minute_later();
    scene.ask(&text(3)).await;
    let old = old.lock().unwrap().clone();
    assert!(old.is_some());
    for lie in [old, None] {
        scene
            .nurse
            .faults
            .meddle::<v1::ReachabilityRequest>(move |answer| {
                for person in &mut answer.people {
                    person.availability.clone_from(&lie);
                }
            });
        scene.a_minute_later();
        scene.ask(&text(4)).await;
    }
    assert_eq!(texts(&scene.second, "NS-1").await, [text(1), text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_that_does_not_say_who_can_be_reached_holds_up_no_message() {
    let scene = scene().await;
    for code in [
        RelayCode::Unsupported,
        RelayCode::Quota,
        RelayCode::Malformed,
    ] {
        scene
            .nurse
            .faults
            .refuse::<v1::ReachabilityRequest>(code, |_| true);
        scene.a_minute_later();
        scene.ask(&text(1)).await;
    }
    scene.nurse.faults.relent();
    scene
        .nurse
        .faults
        .meddle::<v1::ReachabilityRequest>(|answer| answer.people.clear());
    scene.a_minute_later();
    scene.ask(&text(1)).await;
    assert_eq!(texts(&scene.doctor, "NS-1").await.len(), 4);
}

/// What a changed client of the nurse seals for the second doctor in her conversation with the first.
async fn forged(scene: &Scene, said: Option<v1::SignedAvailability>, type_uri: &'static str) {
    let recipient = to(&scene.doctor);
    let reference = v1::ConversationRef {
        kind: Some(Kind::Direct(v1::DirectConversation {
            first_user_id: "DR-1".into(),
            second_user_id: "NS-1".into(),
        })),
    };
    let conversation = (scene.nurse.client.conversation(&recipient), reference);
    let devices = vec![(scene.second.client.device(), scene.second.user.clone())];
    let change = move |content: &mut v1::Content| {
        content.type_uri = type_uri.to_owned();
        content.fallback_text = text(9);
        content.delegations = said.map(|said| v1::Delegations {
            statements: vec![said],
        });
    };
    let sealed = testing::forge(&scene.nurse.client, conversation, devices, change);
    sealed.await.unwrap();
    settle(&[&scene.nurse, &scene.second], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn colleague_who_makes_a_delegation_up_is_an_author_like_any_other() {
    let scene = scene().await;
    // They have met: there is a session.
    scene.nurse.say(to(&scene.second), &text(1)).await;
    settle(&[&scene.nurse, &scene.second, &scene.nurse], 2).await;
    let key = SoftwareSigner::generate().unwrap();
    let now = scene.clock.now();
    let lie = Statement {
        org: "mercy".parse().unwrap(),
        user: "DR-1".parse().unwrap(),
        device: scene.doctor.client.device(),
        set_at: now,
        availability: Availability {
            do_not_disturb_until: None,
            away: Some(Away {
                until: now + HOUR,
                delegate: Some("DR-2".parse().unwrap()),
            }),
        },
    };
    let lie = SignedAvailability::sign(&lie, &key).unwrap().to_message();
    // In a conversation of two others nothing is taken without a word, and with one it is the author's own.
    forged(&scene, None, "x.example.com/1").await;
    assert_eq!(scene.second.refusals().await.len(), 1);
    forged(&scene, Some(lie), "x.example.com/1").await;
    let forged = last(&scene.second, "NS-1").await;
    assert_eq!(
        (forged.text.clone(), &forged.on_behalf_of),
        (text(9), &None)
    );
    assert!(forged.stand_ins.is_empty());
    let conversations = scene.second.client.conversations(None, 10).await.unwrap();
    assert_eq!(conversations.conversations.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stolen_phone_forwards_nothing_once_it_is_revoked() {
    let mut scene = scene().await;
    let stolen = scene.ward.phone("DR-1").await;
    settle(&[&stolen], 2).await;
    scene.away(&stolen, Some("DR-2")).await;
    scene.ask(&text(1)).await;
    let (user, device) = (stolen.user.clone(), stolen.client.device());
    let now = scene.clock.now();
    scene
        .ward
        .authority()
        .revoke_device(&user, device, now)
        .unwrap();
    scene.ward.publish().await;
    scene.a_minute_later();
    scene.ask(&text(2)).await;
    assert_eq!(texts(&scene.second, "NS-1").await, [text(1)]);
    assert_eq!(texts(&scene.doctor, "NS-1").await, [text(1), text(2)]);
    let copy = last(&scene.second, "NS-1").await;
    assert_eq!(copy.on_behalf_of, Some(user), "what was done stays visible");
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
