//! Sealing and durably queueing a message to one person with three tiers of ten people, two devices each.

use std::time::Duration;

use wardline::{Draft, EscalationTier, Recipient};
use wardline_benches::{
    bare,
    measure::Measure,
    ratio::{BARE, Goal, WARDLINE},
    scene::{self, TEXT},
};
use wardline_tests::Phone;

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    let (_ward, sender, people) = measure.runtime.block_on(scene());
    let disk = tempfile::tempdir().unwrap();
    let mut bare = bare::Sender::with_live_sessions(disk.path(), 2, TEXT);
    let held = bare::Held::by(TIERS * EACH * 2);
    let runtime = &measure.runtime;
    let mut group = measure.criterion.benchmark_group(ESCALATE.group);
    group.bench_function(WARDLINE, |bench| {
        bench.iter(|| {
            runtime
                .block_on(sender.client.send(draft(&people)))
                .unwrap()
        });
    });
    group.bench_function(BARE, |bench| bench.iter(|| bare.hold_and_commit(&held)));
    group.finish();
    measure.report(&[ESCALATE]);
}

/// A sender who has written to the first of these people, and whom everybody's keys are known to.
async fn scene() -> (wardline_tests::Ward, Phone, Vec<String>) {
    let people = scene::people(1 + TIERS * EACH);
    let (mut ward, sender) = scene::ward(&people).await;
    let mut first = Vec::new();
    for (number, person) in people.iter().enumerate() {
        for _ in 0..2 {
            let phone = ward.phone(person).await;
            phone.client.sync_once().await.unwrap();
            if number == 0 {
                first.push(phone);
            } else {
                phone.client.close().await.unwrap();
            }
        }
    }
    for _ in 0..2 {
        sender.client.sync_once().await.unwrap();
        sender.client.send(draft(&people)).await.unwrap();
        sender.client.sync_once().await.unwrap();
        for phone in &first {
            phone.client.sync_once().await.unwrap();
        }
    }
    sender.client.sync_once().await.unwrap();
    // With everything at hand a message is sealed when `send` answers.
    let message = sender.client.send(draft(&people)).await.unwrap();
    let deliveries = sender.client.deliveries(message).await.unwrap();
    let devices: usize = deliveries.iter().map(|one| one.devices.len()).sum();
    assert_eq!(devices, 2);
    (ward, sender, people)
}

fn draft(people: &[String]) -> Draft {
    let person = |person: &String| person.parse().unwrap();
    let draft = scene::draft(Recipient::Person(person(&people[0])));
    let tiers = people[1..].chunks(EACH).map(|people| {
        let tier = EscalationTier::after(Duration::from_secs(300));
        people.iter().map(person).fold(tier, EscalationTier::person)
    });
    tiers.fold(draft, Draft::escalate)
}

const ESCALATE: Goal = Goal::at_most("escalate to 3 tiers of 20 devices", 1.5);
const TIERS: usize = 3;
const EACH: usize = 10;
