//! What does not arrive has a cause, and its author is told.

use std::{sync::Arc, time::Duration};

use wardline::{
    DeliveryState, Draft, Event, FailureCause, MessageId, Patient, PatientIdentifier, Recipient,
};
use wardline_org::{
    Clock, ManualClock, RelayCode, TeamId, Timestamp,
    team::{CareTeam, TeamMember},
};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, settle, team, text};

fn team_of(people: &[&str], active: bool) -> CareTeam {
    let members = people.iter().map(|person| TeamMember {
        user: person.parse().unwrap(),
        role: String::new(),
    });
    CareTeam {
        team: TeamId::new("team-1").unwrap(),
        display_name: "Care team".into(),
        fhir_references: Vec::new(),
        members: members.collect(),
        active,
    }
}

/// Every person of a message who failed, with the causes.
async fn failed(author: &Phone, message: MessageId) -> Vec<(String, Vec<Option<FailureCause>>)> {
    let deliveries = author.client.deliveries(message).await.unwrap();
    deliveries
        .into_iter()
        .filter(|person| person.state == DeliveryState::Failed)
        .map(|person| {
            let causes = person.devices.iter().map(|device| device.cause).collect();
            (person.user.to_string(), causes)
        })
        .collect()
}

/// Of whom the author was told that a message of theirs changed, each as often as it was told.
async fn told(author: &Phone, of: MessageId) -> Vec<String> {
    let events = author.events().await;
    let told = events.into_iter().filter_map(|event| match event {
        Event::DeliveryChanged { message, user } if message == of => Some(user.to_string()),
        _ => None,
    });
    told.collect()
}

async fn announced(author: &Phone, of: MessageId) -> bool {
    let events = author.events().await;
    events
        .iter()
        .any(|event| matches!(event, Event::MessageSent { message, .. } if *message == of))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_team_that_is_gone_fails_with_its_cause() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let tablet = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &tablet, &doctor], 1).await;
    let unknown = Recipient::Team(TeamId::new("team-404").unwrap());
    let mut messages = vec![nurse.say(unknown, &text(0)).await];
    settle(&[&nurse], 1).await;
    for (number, gone) in [
        team_of(&["NS-1", "DR-1"], false),
        team_of(&["NS-1"], true),
        team_of(&[], true),
    ]
    .into_iter()
    .enumerate()
    {
        let back = team_of(&["NS-1", "DR-1"], true);
        ward.authority().upsert_team(back).unwrap();
        ward.publish().await;
        settle(&[&nurse], 1).await;
        ward.authority().upsert_team(gone).unwrap();
        ward.publish().await;
        messages.push(nurse.say(team(), &text(number + 1)).await);
        settle(&[&nurse], 2).await;
    }
    settle(&[&nurse, &tablet, &doctor], 2).await;
    for message in messages {
        assert_eq!(
            failed(&nurse, message).await,
            [("NS-1".into(), vec![Some(FailureCause::NoSuchTeam)])]
        );
        assert_eq!(told(&nurse, message).await, ["NS-1"]);
        assert!(!announced(&nurse, message).await);
    }
    assert!(doctor.texts(doctor.team()).await.is_empty());
    assert!(tablet.texts(tablet.team()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_and_nothing_that_reaches_nobody_is_announced_as_sent() {
    let mut ward = Ward::open(&["NS-1", "DR-1", "PH-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let tablet = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let pharmacist = ward.phone("PH-1").await;
    settle(&[&nurse, &tablet, &doctor, &pharmacist], 1).await;
    let doctors_device = doctor.client.device();
    nurse.faults.meddle::<v1::SendRequest>(move |answer| {
        for outcome in &mut answer.outcomes {
            outcome.refused.push(v1::RefusedDevice {
                device_id: doctors_device.to_vec(),
                reason: v1::RefusalReason::MailboxFull.into(),
            });
        }
    });
    let alone = nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    let all = nurse.say(team(), &text(2)).await;
    settle(&[&nurse], 1).await;
    let full = || [("DR-1".into(), vec![Some(FailureCause::MailboxFull)])];
    for message in [alone, all] {
        assert_eq!(failed(&nurse, message).await, full());
        assert_eq!(told(&nurse, message).await, ["DR-1"]);
    }
    assert!(!announced(&nurse, alone).await);
    assert!(announced(&nurse, all).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_on_a_device_without_keys_is_told() {
    let clock = Arc::new(ManualClock::new(START));
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as Arc<dyn Clock>).await;
    let nurse = ward.phone("NS-1").await;
    let _in_a_drawer = ward.phone("DR-1").await;
    settle(&[&nurse], 1).await;
    let message = nurse
        .say(Recipient::Person("DR-1".parse().unwrap()), &text(1))
        .await;
    settle(&[&nurse], 1).await;
    assert!(told(&nurse, message).await.is_empty());
    for _ in 0..10 {
        clock.advance(Duration::from_secs(24 * 3600));
        ward.publish().await;
        settle(&[&nurse], 1).await;
    }
    assert_eq!(
        failed(&nurse, message).await,
        [("DR-1".into(), vec![Some(FailureCause::NoKeys)])]
    );
    assert_eq!(told(&nurse, message).await, ["DR-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_that_the_relay_never_takes_does_not_hold_up_the_others() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    let to = || Recipient::Person(doctor.user.clone());
    nurse.say(to(), &text(0)).await;
    settle(&[&nurse, &doctor], 2).await;
    for code in [
        RelayCode::TooLarge,
        RelayCode::Malformed,
        RelayCode::Conflict,
        RelayCode::Unsupported,
    ] {
        let before = doctor.texts(doctor.with("NS-1")).await.len();
        let mut messages = Vec::new();
        for number in 0..5 {
            messages.push(nurse.say(to(), &text(10 + number)).await);
        }
        let mut calls = 0;
        let mut spoilt = None;
        nurse.faults.refuse(code, move |call: v1::SendRequest| {
            calls += 1;
            let third = call.submissions.get(2).map(|s| s.envelope_id.clone());
            let spoilt = spoilt.get_or_insert(third.unwrap_or_default());
            assert!(calls < 20, "the same is posted without end");
            call.submissions.iter().any(|s| s.envelope_id == *spoilt)
        });
        settle(&[&nurse], 1).await;
        nurse.faults.relent();
        settle(&[&nurse, &doctor], 2).await;
        let arrived = doctor.texts(doctor.with("NS-1")).await;
        assert_eq!(arrived[before..], [text(10), text(11), text(13), text(14)]);
        let cause = Some(FailureCause::RefusedByRelay);
        assert_eq!(
            failed(&nurse, messages[2]).await,
            [("DR-1".into(), vec![cause])]
        );
        assert_eq!(told(&nurse, messages[2]).await, ["DR-1"]);
        assert!(!announced(&nurse, messages[2]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_relay_takes_is_refused_before_anything_is_kept() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    let send = |identifiers: Vec<PatientIdentifier>| {
        let patient = Patient {
            identifiers,
            ..Patient::default()
        };
        let to = Recipient::Person(doctor.user.clone());
        nurse.client.send(Draft::new(to, text(1)).patient(patient))
    };
    let identifier = |length: usize| PatientIdentifier {
        system: "urn:oid:1.2.3".into(),
        value: "7".repeat(length),
    };
    let refused = send(vec![identifier(1 << 20)]).await.unwrap_err();
    assert_eq!(refused.code(), "WL-SEND-TOO-LARGE");
    let refused = send(vec![identifier(10); 65]).await.unwrap_err();
    assert_eq!(refused.code(), "WL-SEND-TOO-MANY-IDENTIFIERS");
    assert!(nurse.messages(nurse.with("DR-1")).await.is_empty());

    send(vec![identifier(700 * 1024)]).await.unwrap();
    settle(&[&nurse, &doctor], 2).await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
}

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
