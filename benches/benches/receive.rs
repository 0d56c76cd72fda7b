//! Opening a backlog: every message on disk, its receipt queued, and searchable.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

use std::time::{Duration, Instant};

use wardline::Recipient;
use wardline_benches::{
    bare,
    measure::Measure,
    ratio::Goal,
    scene::{self, TEXT},
    seam,
};

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    let (ward, sender, receiver) = measure.runtime.block_on(scene::pair());
    let relay = ward.relay().local();
    let to = Recipient::Person(receiver.user.clone());
    let ours = |runtime: &tokio::runtime::Runtime| {
        runtime.block_on(async {
            scene::flood(&sender.client, &to, BACKLOG).await;
            let spent = seam::receive(&receiver.client, &relay, BACKLOG).await;
            // Receipts leave between the runs.
            receiver.client.sync_once().await.unwrap();
            sender.client.sync_once().await.unwrap();
            spent
        })
    };
    let disk = tempfile::tempdir().unwrap();
    let mut bare = bare::Receiver::with_live_session(disk.path(), TEXT);
    let bare = |_: &tokio::runtime::Runtime| {
        let backlog = bare.backlog(BACKLOG);
        let mut spent = Duration::ZERO;
        for batch in backlog.chunks(BATCH) {
            let started = Instant::now();
            bare.take(batch);
            spent += started.elapsed();
        }
        spent
    };
    measure.long_runs(OPEN, ours, bare);
    measure.report(&[OPEN]);
}

const OPEN: Goal = Goal::at_most("open a backlog of 10,000", 1.5);
const BACKLOG: usize = 10_000;
/// What a client fetches at once.
const BATCH: usize = 250;
