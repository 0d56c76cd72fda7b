//! A store of 100,000 messages: how long it takes to open, to show a page and to find something.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

use std::time::{Duration, Instant};

use wardline::{Filter, Recipient};
use wardline_benches::{
    measure::Measure,
    ratio::{Goal, WARDLINE},
    scene, seam,
};

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    let (ward, sender, receiver) = measure.runtime.block_on(scene::pair());
    let relay = ward.relay().local();
    let to = Recipient::Person(receiver.user.clone());
    measure.runtime.block_on(async {
        for _ in 0..MESSAGES / AT_ONCE {
            scene::flood(&sender.client, &to, AT_ONCE).await;
            seam::receive(&receiver.client, &relay, AT_ONCE).await;
            receiver.client.sync_once().await.unwrap();
        }
    });
    let conversation = receiver.with(sender.user.as_str());
    let client = receiver.client.clone();
    let runtime = &measure.runtime;
    let mut one = |goal: Goal, run: &dyn Fn() -> Duration| {
        let mut group = measure.criterion.benchmark_group(goal.group);
        group.bench_function(WARDLINE, |bench| {
            bench.iter_custom(|runs| (0..runs).map(|_| run()).sum());
        });
        group.finish();
    };
    let timed = |work: &dyn Fn()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    one(PAGE, &|| {
        timed(&|| {
            let page = runtime.block_on(client.timeline(conversation, None, 50));
            assert_eq!(page.unwrap().messages.len(), 50);
        })
    });
    for (goal, words) in [(WORD, "potassium brandt"), (PREFIX, "pot")] {
        one(goal, &|| {
            timed(&|| {
                let found = runtime.block_on(client.search(words, None, None, 50));
                assert_eq!(found.unwrap().len(), 50);
            })
        });
    }
    let about = Filter::all().patient(scene::patient().identifiers);
    let both = about.clone().person(sender.user.clone());
    for (goal, filter, wanted) in [(FILTER, both, 50), (OPEN_ITEMS, about.open(), 0)] {
        one(goal, &|| {
            timed(&|| {
                let found = runtime.block_on(client.find(filter.clone(), None, 50));
                assert_eq!(found.unwrap().len(), wanted);
            })
        });
    }
    runtime.block_on(client.close()).unwrap();
    let folder = receiver.folder.clone();
    one(OPEN, &|| {
        let config = ward.config(&folder, std::sync::Arc::new(ward.relay().local()));
        runtime.block_on(async {
            let started = Instant::now();
            let client = wardline::Client::open(config).await.unwrap();
            let spent = started.elapsed();
            client.close().await.unwrap();
            spent
        })
    });
    measure.report(&[OPEN, PAGE, WORD, PREFIX, FILTER, OPEN_ITEMS]);
}

const OPEN: Goal = Goal::within(
    "open a store of 100,000 messages",
    Duration::from_millis(20),
);
const PAGE: Goal = Goal::within("first page of 50", Duration::from_millis(1));
const WORD: Goal = Goal::within("search for two words", Duration::from_millis(10));
const PREFIX: Goal = Goal::within("search for a beginning", Duration::from_millis(10));
const FILTER: Goal = Goal::within("50 by patient and author", Duration::from_millis(1));
const OPEN_ITEMS: Goal = Goal::within("open ones about a patient", Duration::from_millis(1));
const MESSAGES: usize = 100_000;
const AT_ONCE: usize = 10_000;
