//! Sender, receivers and relay are killed at random moments while more than ten thousand messages go
//! through them: none is lost, none is shown twice, no session breaks.
//!
//! Who is killed and after how long follows from a printed seed; `WARDLINE_SEED` gives another one. What
//! the process was doing at that moment does not follow from it: that is the point.

use std::{collections::BTreeMap, time::Duration};

use wardline_tests::crash::{
    Site,
    orders::{Order, Report, To},
};

use crate::{puppet::Puppet, stage::Stage};

const SENDER: &str = "NS-1";
const RECEIVERS: [&str; 4] = ["DR-1", "DR-2", "DR-3", "DR-4"];
/// In each slice one process is killed.
const SLICES: usize = 150;
/// Messages of the sender to the team in a slice: each goes to every receiver.
const TO_TEAM: usize = 15;
/// Messages of each receiver to the sender in a slice.
const ANSWERS: usize = 2;
const LONGEST_DELAY_MS: u64 = 120;
const SEED: u64 = 5_152_025;

// scenario: kill-and-reopen
#[tokio::test(flavor = "multi_thread")]
async fn killed_senders_receivers_and_relays_lose_and_double_nothing() {
    let seed = std::env::var("WARDLINE_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let messages = SLICES * (TO_TEAM + ANSWERS) * RECEIVERS.len();
    assert!(messages >= 10_000, "only {messages} messages");
    let people = [&[SENDER], RECEIVERS.as_slice()].concat();
    let mut stage = Stage::open(&people).await;
    let mut parts = Vec::new();
    for person in people {
        let puppet = stage.hospital.device(person, person).await;
        parts.push(Part::new(person, puppet));
    }
    for part in &mut parts {
        part.puppet.must(Order::Start).await;
    }

    let mut dice = Dice(2 * seed + 1);
    let mut kills: BTreeMap<&str, usize> = BTreeMap::new();
    for slice in 0..SLICES {
        for part in &mut parts {
            part.send(slice);
        }
        dice.pause(LONGEST_DELAY_MS).await;
        let victim = dice.victim(parts.len());
        // Some die again while they come back.
        for _ in 0..=usize::from(dice.below(4) == 0) {
            let name = match parts.get_mut(victim) {
                Some(part) => {
                    part.kill_and_restart(&stage.hospital.site).await;
                    part.person
                }
                None => {
                    stage.restart_relay().await;
                    "relay"
                }
            };
            *kills.entry(name).or_default() += 1;
            dice.pause(LONGEST_DELAY_MS / 2).await;
        }
        for part in &mut parts {
            part.all_taken().await;
        }
    }
    println!("killed {kills:?}");
    assert_eq!(kills.len(), parts.len() + 1, "somebody was spared");

    for part in &mut parts {
        part.all_arrived().await;
        part.check().await;
    }
    // And everybody still talks to everybody, through the sessions there are.
    for part in &mut parts {
        part.send(SLICES);
    }
    for part in &mut parts {
        part.all_taken().await;
    }
    for part in &mut parts {
        part.slices = SLICES + 1;
        part.all_arrived().await;
        part.check().await;
    }
}

/// One device, whichever process it lives in.
struct Part {
    person: &'static str,
    puppet: Puppet,
    /// Texts told to be sent and not answered yet.
    outstanding: Vec<String>,
    /// Texts that were answered, with their ids.
    sent: BTreeMap<String, String>,
    /// Messages the app was told of, with the event's place.
    arrived: BTreeMap<String, u64>,
    slices: usize,
}

impl Part {
    fn new(person: &'static str, puppet: Puppet) -> Self {
        Self {
            person,
            puppet,
            outstanding: Vec::new(),
            sent: BTreeMap::new(),
            arrived: BTreeMap::new(),
            slices: SLICES,
        }
    }

    /// Begins to send what this part has to say in a slice.
    fn send(&mut self, slice: usize) {
        self.outstanding = texts(self.person, slice);
        self.tell_to_send();
    }

    fn tell_to_send(&mut self) {
        // Some that were answered long ago are sent again too, as an app does that has not noted it.
        let again = self.sent.keys().rev().take(3).cloned();
        let texts: Vec<String> = self.outstanding.iter().cloned().chain(again).collect();
        let to = recipient(self.person);
        self.puppet.tell(&Order::Send { to, texts });
    }

    async fn kill_and_restart(&mut self, site: &Site) {
        for report in self.puppet.kill().await {
            self.take_in(report);
        }
        self.puppet = Puppet::device(site, self.person);
        for order in [Order::Open, Order::Unlock, Order::Start] {
            self.puppet.tell(&order);
        }
        self.tell_to_send();
    }

    /// Waits until everything that was to be sent is on this device's disk.
    async fn all_taken(&mut self) {
        while !self.outstanding.is_empty() {
            self.listen().await;
        }
    }

    /// Waits until the app was told of everything that the others sent.
    async fn all_arrived(&mut self) {
        while self.arrived.len() < self.expected().len() {
            self.listen().await;
        }
    }

    async fn listen(&mut self) {
        let person = self.person;
        let said = self.puppet.hear().await;
        self.take_in(said.unwrap_or_else(|| panic!("{person} has ended by itself")));
    }

    fn take_in(&mut self, report: Report) {
        match report {
            Report::Sent { text, message } => {
                self.outstanding.retain(|waiting| *waiting != text);
                let before = self.sent.insert(text, message.clone());
                assert!(
                    before.is_none_or(|id| id == message),
                    "a key has two messages"
                );
            }
            Report::Arrived { cursor, message } => {
                // An event that was not confirmed comes again, as the same event.
                let before = self.arrived.insert(message, cursor);
                let same = before.is_none_or(|known| known == cursor);
                assert!(same, "{} was told twice of a message", self.person);
            }
            Report::Warned { what, .. } => panic!("{} was told: {what}", self.person),
            Report::Failed(code) => panic!("{}: {code}", self.person),
            Report::Done => {}
            Report::Seen(_) | Report::Reached(_) => unreachable!(),
            Report::Noticed { .. } | Report::Memory(_) => unreachable!(),
        }
    }

    /// The store shows everything once, its audit holds, and everybody is known to have everything.
    async fn check(&mut self) {
        let conversations: Vec<To> = if self.person == SENDER {
            let people = RECEIVERS.iter().map(|person| To::Person((*person).into()));
            people.chain([To::Team]).collect()
        } else {
            vec![To::Person(SENDER.into()), To::Team]
        };
        let mut expected = self.expected();
        let own = (0..self.slices).flat_map(|slice| texts(self.person, slice));
        expected.extend(own);
        expected.sort_unstable();
        // The last receipts may still be under way.
        for _ in 0..MOST_LOOKS {
            let seen = self.look(&conversations).await;
            assert_eq!(seen.broken_audit, None);
            let mut shown: Vec<String> = seen
                .texts
                .into_iter()
                .flatten()
                .map(|(_, text)| text)
                .collect();
            shown.sort_unstable();
            assert!(shown == expected, "{}: lost or doubled", self.person);
            if seen.undelivered == 0 {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        panic!("{}: receipts were lost", self.person);
    }

    async fn look(&mut self, at: &[To]) -> wardline_tests::crash::orders::Seen {
        self.puppet.tell(&Order::Look(at.to_vec()));
        loop {
            match self.puppet.hear().await.unwrap() {
                Report::Seen(seen) => return seen,
                other => self.take_in(other),
            }
        }
    }

    /// What the others send to this device.
    fn expected(&self) -> Vec<String> {
        let authors: &[&str] = if self.person == SENDER {
            &RECEIVERS
        } else {
            &[SENDER]
        };
        (0..self.slices)
            .flat_map(|slice| authors.iter().flat_map(move |author| texts(author, slice)))
            .collect()
    }
}

/// What a person says in a slice.
fn texts(person: &str, slice: usize) -> Vec<String> {
    let count = if person == SENDER { TO_TEAM } else { ANSWERS };
    (0..count)
        .map(|number| format!("{person} {slice:03} {number:02}"))
        .collect()
}

fn recipient(person: &str) -> To {
    if person == SENDER {
        To::Team
    } else {
        To::Person(SENDER.into())
    }
}

/// xorshift64: the same plan from the same seed.
struct Dice(u64);

impl Dice {
    /// The place of a device, or one behind them: the relay. It and the sender come up more often, since
    /// they have most to lose.
    fn victim(&mut self, devices: usize) -> usize {
        match usize::try_from(self.below(8)).unwrap() {
            place if place < devices => place,
            place if place == devices => 0,
            _ => devices,
        }
    }

    async fn pause(&mut self, most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(most_ms))).await;
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

const MOST_LOOKS: usize = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
