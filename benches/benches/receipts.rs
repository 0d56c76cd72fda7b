//! Taking receipts in: what comes back when 10,000 messages were delivered.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

use std::time::Duration;

use criterion::SamplingMode;
use wardline::{DeliveryState, Recipient};
use wardline_benches::{
    measure::Measure,
    ratio::{Goal, WARDLINE},
    scene, seam,
};

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    let runtime = &measure.runtime;
    let (ward, sender, receiver) = runtime.block_on(scene::pair());
    let relay = ward.relay().local();
    let to = Recipient::Person(receiver.user.clone());
    let run = || {
        runtime.block_on(async {
            scene::flood(&sender.client, &to, RECEIPTS).await;
            seam::receive(&receiver.client, &relay, RECEIPTS).await;
            receiver.client.sync_once().await.unwrap();
            let last = sender.client.send(scene::draft(to.clone())).await.unwrap();
            let spent = seam::receive(&sender.client, &relay, RECEIPTS.div_ceil(IN_ONE)).await;
            // All of them counted, but for the one that has not left.
            let deliveries = sender.client.deliveries(last).await.unwrap();
            assert_eq!(deliveries[0].state, DeliveryState::Queued);
            let page = sender
                .client
                .timeline(sender.with(receiver.user.as_str()), None, 100);
            for message in page.await.unwrap().messages.iter().rev().skip(1) {
                let deliveries = sender.client.deliveries(message.id).await.unwrap();
                assert_eq!(deliveries[0].state, DeliveryState::Delivered);
            }
            sender.client.sync_once().await.unwrap();
            receiver.client.sync_once().await.unwrap();
            sender.client.sync_once().await.unwrap();
            spent
        })
    };
    let mut group = measure.criterion.benchmark_group(APPLY.group);
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(1));
    group.bench_function(WARDLINE, |bench| {
        bench.iter_custom(|runs| (0..runs).map(|_| run()).sum());
    });
    group.finish();
    measure.report(&[APPLY]);
}

/// 5,000 a second.
const APPLY: Goal = Goal::within("take 10,000 receipts in", Duration::from_secs(2));
const RECEIPTS: usize = 10_000;
/// A device signs and seals so many together.
const IN_ONE: usize = 500;
