//! How long a relay takes to release 10,000 held envelopes that are due in the same second.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use wardline_benches::{
    measure::Measure,
    ratio::{Goal, WARDLINE},
    scene,
    stranger::{self, NOW, Stranger},
};
use wardline_org::{Clock as _, EnvelopeId, Hash, ManualClock, transport};
use wardline_proto::v1;
use wardline_tests::Ward;

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    let clock = Arc::new(ManualClock::new(NOW));
    let (ward, devices) = measure.runtime.block_on(site(&clock));
    let runtime = &measure.runtime;
    let runs = Cell::new(0);
    let mut group = measure.criterion.benchmark_group(RELEASE.group);
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(1));
    group.bench_function(WARDLINE, |bench| {
        bench.iter_custom(|count| {
            (0..count)
                .map(|_| {
                    runs.set(runs.get() + 1);
                    runtime.block_on(release(&ward, &devices, &clock, runs.get()))
                })
                .sum()
        });
    });
    group.finish();
    measure.report(&[RELEASE]);
}

async fn site(clock: &Arc<ManualClock>) -> (Ward, Vec<Stranger>) {
    let people = scene::people(DEVICES);
    let names: Vec<_> = people.iter().map(String::as_str).collect();
    let clock = Arc::clone(clock);
    let mut ward = Ward::open_with(&names, clock, scene::without_quotas).await;
    let devices = stranger::enroll(&ward, &people, 1).await;
    ward.publish().await;
    (ward, devices)
}

/// Leaves them, and answers how long it takes from the moment they are due until all of them are in their mailboxes.
async fn release(ward: &Ward, devices: &[Stranger], clock: &ManualClock, run: usize) -> Duration {
    let line = ward.relay().local();
    for sender in 0..devices.len() {
        let held = 0..HELD / DEVICES;
        let call = v1::SendRequest {
            submissions: held
                .map(|n| submission(devices, sender, n, clock))
                .collect(),
            checkpoint: 0,
        };
        transport::call(&line, &devices[sender].signer(), &call, clock.now())
            .await
            .unwrap();
    }
    clock.advance(WAIT);
    let started = Instant::now();
    ward.relay().release_due().await.unwrap();
    let spent = started.elapsed();
    let line = format!("wardline_relay_held_released_total {}\n", run * HELD);
    assert!(
        ward.relay().metrics().contains(&line),
        "some are not released"
    );
    spent
}

/// A message for nobody yet, and for one other device later, as large as a critical result is.
fn submission(
    devices: &[Stranger],
    sender: usize,
    number: usize,
    clock: &ManualClock,
) -> v1::Submission {
    let name = || EnvelopeId::generate(clock.now()).unwrap().to_vec();
    let other = (sender + number + 1) % devices.len();
    let key = v1::SealedKey {
        device_id: devices[other].device(),
        suite: v1::Suite::HpkeHold.into(),
        ciphertext: vec![7; 350].into(),
        ..Default::default()
    };
    let tier = v1::HeldTier {
        envelope_id: name(),
        wait_ms: WAIT.as_millis().try_into().unwrap(),
        user_ids: vec![format!("DR-{other:04}")],
        keys: vec![key],
        wake: v1::WakeClass::Critical.into(),
        ..Default::default()
    };
    v1::Submission {
        envelope_id: name(),
        deposit: Some(v1::Deposit {
            deposit_id: name(),
            stop_hash: Hash::of(b"secret").as_bytes().to_vec(),
            content: vec![9; 1024],
            tiers: vec![tier],
        }),
        ..Default::default()
    }
}

const RELEASE: Goal = Goal::within("release 10,000 held envelopes", Duration::from_secs(2));
const HELD: usize = 10_000;
const DEVICES: usize = 100;
const WAIT: Duration = Duration::from_secs(60);
