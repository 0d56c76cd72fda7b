//! Two processes on one store, as an app and its notification extension are.

use wardline_tests::crash::orders::{Order, Report, To};

use crate::{
    puppet::{Outcome, Puppet},
    stage::Stage,
};

/// In each of them both processes send and the doctor answers.
const ROUNDS: usize = 15;
const EACH: usize = 10;
/// The rounds in which the second process is killed, and the point it has reached then.
const DEATHS: [(usize, Option<&str>); 3] = [
    (4, None),
    (7, Some("wardline::send::before_commit")),
    (10, Some("wardline::seal::before_commit")),
];

// scenario: second-process
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_store_lose_and_double_nothing_even_when_one_is_killed() {
    let mut stage = Stage::open(&["NS-1", "DR-1"]).await;
    let mut doctor = stage.hospital.device("doctor", "DR-1").await;
    let mut app = stage.hospital.device("nurse", "NS-1").await;
    let mut extension = Puppet::device(&stage.hospital.site, "nurse");
    extension.open().await;
    for puppet in [&mut doctor, &mut app, &mut extension] {
        puppet.must(Order::Start).await;
    }

    let mut told = Vec::new();
    for round in 0..ROUNDS {
        send(&mut app, "DR-1", texts("app", round));
        send(&mut extension, "DR-1", texts("extension", round));
        send(&mut doctor, "NS-1", texts("doctor", round));
        if let Some((_, point)) = DEATHS.iter().find(|(at, _)| *at == round) {
            if let Some(point) = point {
                // In the middle of a transaction, with the lock that both need.
                extension.tell(&Order::StopAt((*point).to_owned()));
                send(&mut extension, "DR-1", texts("extension", round));
                while !matches!(extension.outcome().await, Outcome::Reached(_)) {}
            }
            told.extend(extension.kill().await);
            extension = Puppet::device(&stage.hospital.site, "nurse");
            for order in [Order::Open, Order::Unlock, Order::Start] {
                extension.must(order).await;
            }
            // What it had begun it begins again.
            send(&mut extension, "DR-1", texts("extension", round));
        }
        for puppet in [&mut app, &mut extension, &mut doctor] {
            puppet.outcome().await;
        }
    }

    let all = |who: &str| (0..ROUNDS).flat_map(|round| texts(who, round)).collect();
    let mut to_doctor: Vec<String> = [all("app"), all("extension")].concat();
    let mut expected = [to_doctor.clone(), all("doctor")].concat();
    to_doctor.sort_unstable();
    expected.sort_unstable();
    wait_for_arrivals(&mut doctor, to_doctor.len()).await;
    for (puppet, other) in [
        (&mut doctor, "NS-1"),
        (&mut app, "DR-1"),
        (&mut extension, "DR-1"),
    ] {
        let seen = settled(puppet, other, expected.len()).await;
        let mut shown: Vec<String> = seen.into_iter().map(|(_, text)| text).collect();
        shown.sort_unstable();
        assert_eq!(shown, expected);
        // A ratchet used twice would have been refused by whoever receives.
        assert!(puppet.warnings().is_empty(), "{:?}", puppet.warnings());
    }
    let refused = told
        .iter()
        .any(|said| matches!(said, Report::Warned { .. }));
    assert!(!refused);
}

/// Begins to send.
fn send(puppet: &mut Puppet, person: &str, texts: Vec<String>) {
    let to = To::Person(person.to_owned());
    puppet.tell(&Order::Send { to, texts });
}

fn texts(who: &str, round: usize) -> Vec<String> {
    (0..EACH)
        .map(|number| format!("{who} {round:02} {number:02}"))
        .collect()
}

async fn wait_for_arrivals(puppet: &mut Puppet, count: usize) {
    let arrived = |heard: &[Report]| {
        let arrivals = heard
            .iter()
            .filter(|said| matches!(said, Report::Arrived { .. }));
        arrivals.count()
    };
    while arrived(&puppet.heard) < count {
        let said = puppet.hear().await.unwrap();
        puppet.heard.push(said);
    }
}

/// What a conversation shows once everything is there and everybody is known to have everything.
async fn settled(puppet: &mut Puppet, other: &str, count: usize) -> Vec<(String, String)> {
    for _ in 0..MOST_LOOKS {
        let seen = puppet.look(&[To::Person(other.to_owned())]).await;
        assert_eq!(seen.broken_audit, None);
        if seen.undelivered == 0 && seen.texts[0].len() >= count {
            return seen.texts.into_iter().next().unwrap();
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    panic!("something was lost, or its receipt");
}

const MOST_LOOKS: usize = 100;
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(300);
