//! What does not arrive has a cause, and its author is told.

use std::{sync::Arc, time::Duration};

use wardline::{DeliveryState, Event, FailureCause, MessageId, Recipient};
use wardline_org::{
    Clock, ManualClock, TeamId, Timestamp,
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

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
