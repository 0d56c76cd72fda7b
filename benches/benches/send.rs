//! Sealing and durably queueing a message, for devices with live sessions.

use criterion::Throughput;
use wardline_benches::{
    bare,
    measure::Measure,
    ratio::{BARE, Goal, WARDLINE},
    scene::{self, SENDERS, TEXT, draft},
};
use wardline_tests::team;

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    for (goal, devices) in [(TO_2, 2), (TO_18, 18), (TO_500, 500)] {
        let (_ward, sender) = measure.runtime.block_on(scene::live(devices));
        let disk = tempfile::tempdir().unwrap();
        let mut bare = bare::Sender::with_live_sessions(disk.path(), devices, TEXT);
        let runtime = &measure.runtime;
        let mut group = measure.criterion.benchmark_group(goal.group);
        group.bench_function(WARDLINE, |bench| {
            bench.iter(|| runtime.block_on(sender.client.send(draft(team()))).unwrap());
        });
        group.bench_function(BARE, |bench| bench.iter(|| bare.seal_and_commit(1)));
        group.finish();
        if devices == 18 {
            let mut group = measure.criterion.benchmark_group(TOGETHER.group);
            group.throughput(Throughput::Elements(SENDERS as u64 * EACH));
            group.bench_function(WARDLINE, |bench| {
                bench.iter(|| {
                    runtime.block_on(async {
                        let mut tasks = tokio::task::JoinSet::new();
                        for _ in 0..SENDERS {
                            let client = sender.client.clone();
                            tasks.spawn(async move {
                                for _ in 0..EACH {
                                    client.send(draft(team())).await.unwrap();
                                }
                            });
                        }
                        tasks.join_all().await;
                    });
                });
            });
            group.bench_function(BARE, |bench| {
                bench.iter(|| (0..EACH).for_each(|_| bare.seal_and_commit(SENDERS)));
            });
            group.finish();
        }
    }
    measure.report(&[TO_2, TO_18, TO_500, TOGETHER]);
}

const TO_2: Goal = Goal::at_most("send to 2 devices", 1.3);
const TO_18: Goal = Goal::at_most("send to 18 devices", 1.3);
const TO_500: Goal = Goal::at_most("send to 500 devices", 1.3);
const TOGETHER: Goal = Goal::at_most("64 senders to 18 devices", 1.3);
const EACH: u64 = 8;
