//! An envelope whose opening ends the process is set aside, and nothing else is.

use wardline::Recipient;
use wardline_tests::{
    Phone,
    crash::orders::{Order, To},
};

use crate::{
    puppet::{Outcome, Puppet},
    stage::Stage,
};

/// A doctor in a process of their own, and three colleagues who have written to them before.
struct Ward {
    stage: Stage,
    colleagues: Vec<Phone>,
}

impl Ward {
    async fn open() -> Self {
        let people = ["DR-1", COLLEAGUES[0], COLLEAGUES[1], COLLEAGUES[2]];
        let mut stage = Stage::open(&people).await;
        let mut doctor = stage.hospital.device("doctor", "DR-1").await;
        let mut colleagues = Vec::new();
        for person in COLLEAGUES {
            let phone = stage.hospital.phone(person, person).await;
            say(&phone, "Good morning").await;
            colleagues.push(phone);
        }
        doctor.must(Order::Sync).await;
        doctor.must(Order::Events).await;
        drop(doctor);
        for phone in &colleagues {
            phone.client.sync_once().await.unwrap();
        }
        Self { stage, colleagues }
    }

    /// A new process for the doctor, with the device open.
    async fn doctor(&self) -> Puppet {
        let mut doctor = Puppet::device(&self.stage.hospital.site, "doctor");
        doctor.open().await;
        doctor
    }

    /// The failpoint in the middle of opening what the first colleague sends.
    fn poison(&self) -> String {
        format!("wardline::opening::{}", self.colleagues[0].client.device())
    }

    /// Something of everybody waits for the doctor, the poison in the middle.
    async fn write_all(&self, text: &str) {
        for place in [1, 2, 0, 1, 2] {
            say(&self.colleagues[place], text).await;
        }
    }

    /// What the doctor has of each colleague, besides the greeting.
    async fn arrived(&self, doctor: &mut Puppet) -> Vec<Vec<String>> {
        let seen = doctor
            .look(&COLLEAGUES.map(|person| To::Person(person.into())))
            .await;
        assert_eq!(seen.broken_audit, None);
        let texts = seen.texts.into_iter();
        texts
            .map(|texts| texts.into_iter().skip(1).map(|(_, text)| text).collect())
            .collect()
    }
}

async fn say(phone: &Phone, text: &str) {
    let doctor = Recipient::Person("DR-1".parse().unwrap());
    phone.say(doctor, text).await;
    phone.client.sync_once().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_ends_the_process_is_set_aside_and_its_neighbours_arrive() {
    let ward = Ward::open().await;
    ward.write_all("K 6.6").await;
    let mut deaths = 0;
    let mut doctor = loop {
        let mut doctor = ward.doctor().await;
        doctor.must(Order::StopAt(ward.poison())).await;
        match doctor.obey(&Order::Sync).await {
            Outcome::Reached(_) => doctor.kill().await,
            done => {
                assert_eq!(done, Outcome::Done);
                break doctor;
            }
        };
        deaths += 1;
        assert!(deaths < 10, "a poison message loops");
    };
    // Twice with the others, and twice more alone before it is condemned.
    assert_eq!(deaths, 4);
    doctor.must(Order::Events).await;
    assert_eq!(doctor.warnings(), ["WL-OPEN-POISON"]);
    let neighbours = vec!["K 6.6".to_owned(); 2];
    let arrived = ward.arrived(&mut doctor).await;
    assert_eq!(arrived, [vec![], neighbours.clone(), neighbours.clone()]);
    drop(doctor);

    // What the same colleague writes later arrives, when it does no harm.
    ward.write_all("K 4.1").await;
    let mut doctor = ward.doctor().await;
    doctor.must(Order::Sync).await;
    doctor.must(Order::Events).await;
    assert!(doctor.warnings().is_empty());
    let arrived = ward.arrived(&mut doctor).await;
    assert_eq!(arrived[0], ["K 4.1"]);
    assert_eq!(arrived[1].len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_panics_is_set_aside_and_the_process_lives() {
    let ward = Ward::open().await;
    ward.write_all("K 6.6").await;
    let mut doctor = ward.doctor().await;
    doctor.must(Order::PanicAt(ward.poison())).await;
    let mut failures = 0;
    while doctor.obey(&Order::Sync).await != Outcome::Done {
        failures += 1;
        assert!(failures < 10, "a poison message loops");
    }
    assert_eq!(failures, 4);
    doctor.must(Order::Events).await;
    assert_eq!(doctor.warnings(), ["WL-OPEN-POISON"]);
    let neighbours = vec!["K 6.6".to_owned(); 2];
    let arrived = ward.arrived(&mut doctor).await;
    assert_eq!(arrived, [vec![], neighbours.clone(), neighbours]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_for_other_reasons_sets_nothing_aside() {
    let ward = Ward::open().await;
    ward.write_all("K 6.6").await;
    // Just before or after the opening, and in the middle of it, but never twice for the same envelope
    // alone: a system that ends processes says nothing about what they were doing.
    for point in [
        "wardline::opening::after",
        "wardline::receive::before_commit",
        "wardline::opening::before",
        "wardline::receive::before_commit",
        "wardline::opening::before",
        "wardline::receive::before_commit",
        "wardline::opening::before",
        "wardline::receive::before_commit",
        "wardline::opening::after",
        "wardline::receive::before_commit",
    ] {
        let mut doctor = ward.doctor().await;
        doctor.must(Order::StopAt(point.to_owned())).await;
        let stopped = doctor.obey(&Order::Sync).await;
        assert_eq!(stopped, Outcome::Reached(point.to_owned()));
        doctor.kill().await;
    }
    let mut doctor = ward.doctor().await;
    doctor.must(Order::Sync).await;
    doctor.must(Order::Events).await;
    assert!(doctor.warnings().is_empty());
    let arrived = ward.arrived(&mut doctor).await;
    let counts: Vec<usize> = arrived.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 2, 2]);
}

const COLLEAGUES: [&str; 3] = ["NS-1", "NS-2", "PH-1"];
