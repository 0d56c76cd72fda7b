//! How long it takes until 10,000 messages whose time is up are erased, their words out of the search index and the
//! log, and how long a page of the same conversation takes to read meanwhile.
//!
//! The device is real, with its store and index on disk; nothing of it needs the network.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use wardline::{Draft, testing};
use wardline_org::{ManualClock, Timestamp};
use wardline_tests::{Phone, Ward, settle, text, to};

fn main() {
    // `cargo test --benches` passes nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(ManualClock::new(START));
        let (_ward, nurse, doctor) = Ward::pair(Arc::clone(&clock) as _).await;
        fill(&nurse, &doctor).await;
        let quiet = pages(&doctor, &AtomicBool::new(false)).await;
        report("a page while nothing else happens", quiet);
        doctor.faults.cut();
        clock.advance(HOUR);
        let busy = Arc::new(AtomicBool::new(true));
        let reading = pages(&doctor, &busy);
        let erasing = async {
            let started = Instant::now();
            // The round ends at the line that is cut, after everything is erased.
            let _ = doctor.client.sync_once().await;
            let took = started.elapsed();
            busy.store(false, Ordering::SeqCst);
            took
        };
        let (meanwhile, took) = tokio::join!(reading, erasing);
        report("a page while they are erased", meanwhile);
        println!(
            "{MESSAGES} messages erased, log and index clean: {:.2} s (goal: < 2)",
            took.as_secs_f64()
        );
        let left = testing::rows(&doctor.client, "purge", "*").await.unwrap();
        assert!(left.is_empty());
        let lengths = testing::rows(&doctor.client, "message", "length(body)").await;
        let erased = lengths
            .unwrap()
            .iter()
            .filter(|length| *length == "0")
            .count();
        assert_eq!(erased, MESSAGES);
    });
}

/// The doctor's phone has so many messages for an hour, all of them in the index.
async fn fill(nurse: &Phone, doctor: &Phone) {
    for batch in 0..MESSAGES / BATCH {
        for number in 0..BATCH {
            let draft = Draft::new(to(doctor), text(batch * BATCH + number));
            nurse
                .client
                .send(draft.expire_after_sent(HOUR))
                .await
                .unwrap();
        }
        settle(&[nurse, doctor], 1).await;
    }
    settle(&[doctor, nurse, doctor], 1).await;
}

/// How long pages take, one after the other, at least a hundred and until `busy` is over.
async fn pages(doctor: &Phone, busy: &AtomicBool) -> Vec<Duration> {
    let conversation = doctor.with("NS-1");
    let mut times = Vec::new();
    while times.len() < 100 || (busy.load(Ordering::SeqCst) && times.len() < MOST_PAGES) {
        let started = Instant::now();
        doctor
            .client
            .timeline(conversation, None, 50)
            .await
            .unwrap();
        times.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    times
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len() - 1);
        times[index].as_secs_f64() * 1e3
    };
    println!(
        "{what}: p50 {:.2} ms, p99 {:.2} ms (goal: < 5), {} pages",
        at(50),
        at(99),
        times.len()
    );
}

const MESSAGES: usize = 10_000;
const BATCH: usize = 500;
const MOST_PAGES: usize = 5_000;
const HOUR: Duration = Duration::from_secs(3600);
const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
