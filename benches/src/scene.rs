//! Wards as the benches need them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;
use wardline::{Client, Draft, Patient, PatientIdentifier, Recipient};
use wardline_org::{Clock, Timestamp};
use wardline_relay::{Config, Rate};
use wardline_tests::{Phone, Ward, team};

use crate::stranger::NOW;

/// A ward of one sender and so many other people, all in one care team.
pub async fn ward(people: &[String]) -> (Ward, Phone) {
    let mut everybody = vec![SENDER];
    everybody.extend(people.iter().map(String::as_str));
    let mut ward = Ward::open_with(&everybody, Arc::new(Ticks::default()), without_quotas).await;
    let sender = ward.phone(SENDER).await;
    (ward, sender)
}

/// So many people.
pub fn people(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("DR-{number:04}")).collect()
}

/// A sender whose sessions with `devices` other devices, two for each person, are live: both sides have
/// spoken.
pub async fn live(devices: usize) -> (Ward, Phone) {
    let people = people(devices.div_ceil(2));
    let (mut ward, sender) = ward(&people).await;
    let mut others = Vec::new();
    for number in 0..devices {
        let phone = ward.phone(&people[number / 2]).await;
        // Its keys are at the relay from now on.
        phone.client.sync_once().await.unwrap();
        phone.client.suspend().await.unwrap();
        others.push(phone);
    }
    sender.client.sync_once().await.unwrap();
    sender.client.send(draft(team())).await.unwrap();
    sender.client.sync_once().await.unwrap();
    for other in others {
        other.client.resume().await.unwrap();
        other.client.sync_once().await.unwrap();
        other.client.close().await.unwrap();
    }
    sender.client.sync_once().await.unwrap();
    // With everything at hand a message is sealed when `send` answers.
    let message = sender.client.send(draft(team())).await.unwrap();
    let people = sender.client.deliveries(message).await.unwrap();
    let sealed: usize = people.iter().map(|person| person.devices.len()).sum();
    assert_eq!(sealed, devices);
    (ward, sender)
}

/// A sender and a receiver who have written to each other.
pub async fn pair() -> (Ward, Phone, Phone) {
    let people = people(1);
    let (mut ward, sender) = ward(&people).await;
    let receiver = ward.phone(&people[0]).await;
    for phone in [&receiver, &sender] {
        phone.client.sync_once().await.unwrap();
    }
    let to = |phone: &Phone| Recipient::Person(phone.user.clone());
    for (from, other) in [(&sender, &receiver), (&receiver, &sender)] {
        from.client.send(draft(to(other))).await.unwrap();
        from.client.sync_once().await.unwrap();
        other.client.sync_once().await.unwrap();
    }
    sender.client.sync_once().await.unwrap();
    (ward, sender, receiver)
}

/// Sends so many messages, many at a time, and posts them.
pub async fn flood(client: &Client, to: &Recipient, messages: usize) {
    let mut tasks = JoinSet::new();
    for task in 0..SENDERS {
        let (client, to) = (client.clone(), to.clone());
        let share = messages / SENDERS + usize::from(task < messages % SENDERS);
        tasks.spawn(async move {
            for _ in 0..share {
                client.send(draft(to.clone())).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    client.sync_once().await.unwrap();
}

/// A critical result as the quickstart sends it.
pub fn draft(to: Recipient) -> Draft {
    Draft::new(to, TEXT).patient(patient())
}

/// Whom the critical results are about.
pub fn patient() -> Patient {
    Patient {
        identifiers: vec![PatientIdentifier {
            system: "urn:oid:2.16.840.1.113883.4.1".into(),
            value: "MRN-00471142".into(),
        }],
        name: "Tomasz Brandt".into(),
        encounter: String::new(),
    }
}

/// Moves on by a millisecond with every look, so that ids sort as they do in real life; and no head grows
/// old while something is measured.
#[derive(Debug, Default)]
struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        NOW + Duration::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A relay that takes whatever a bench asks for.
pub fn without_quotas(config: &mut Config) {
    let all = Rate::new(u32::MAX, u32::MAX);
    config.quotas.device = all;
    config.quotas.organization = all;
    config.quotas.enrollments = all;
    config.quotas.claims_per_day = u32::MAX;
    config.window.past = Duration::from_secs(3600);
    config.limits.mailbox.envelopes = 10_000_000;
    config.limits.mailbox.bytes = u64::MAX / 4;
    config.limits.mailbox.sender_percent = 100;
}

const SENDER: &str = "LAB-1";
/// Who sends at the same time.
pub const SENDERS: usize = 64;
/// A text of usual length.
pub const TEXT: &str = "CRITICAL Potassium 6.8 mmol/L (3.5-5.1). Tomasz Brandt, born 1961-04-12, \
    MRN-00471142, 7 West bed 12. Specimen 08:14, not haemolysed. Please acknowledge.";
