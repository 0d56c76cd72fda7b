//! How a bench runs: criterion beside the other build outputs, ratios at its end.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use criterion::{Criterion, SamplingMode};
use tokio::runtime::Runtime;

use crate::ratio::{self, Goal};

/// One bench binary.
pub struct Measure {
    /// Runs the groups.
    pub criterion: Criterion,
    /// For the async half.
    pub runtime: Runtime,
    folder: PathBuf,
}

impl Measure {
    /// Results go to `folder`, the target folder's `CARGO_TARGET_TMPDIR`.
    pub fn into(folder: &str) -> Self {
        let folder = Path::new(folder).join("criterion");
        let criterion = Criterion::default()
            .output_directory(&folder)
            .sample_size(30)
            .measurement_time(Duration::from_secs(6))
            .configure_from_args();
        Self {
            criterion,
            runtime: Runtime::new().unwrap(),
            folder,
        }
    }

    /// Runs `ours` and `bare` under the name of a goal, a few long runs of each. Both answer how long one
    /// run took.
    pub fn long_runs(
        &mut self,
        goal: Goal,
        mut ours: impl FnMut(&Runtime) -> Duration,
        mut bare: impl FnMut(&Runtime) -> Duration,
    ) {
        let runtime = &self.runtime;
        let mut group = self.criterion.benchmark_group(goal.group);
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group
            .warm_up_time(Duration::from_millis(1))
            .measurement_time(Duration::from_millis(1));
        group.bench_function(ratio::WARDLINE, |bench| {
            bench.iter_custom(|runs| (0..runs).map(|_| ours(runtime)).sum());
        });
        group.bench_function(ratio::BARE, |bench| {
            bench.iter_custom(|runs| (0..runs).map(|_| bare(runtime)).sum());
        });
        group.finish();
    }

    /// Prints what was measured of these goals.
    pub fn report(self, goals: &[Goal]) {
        self.criterion.final_summary();
        ratio::print(&self.folder, goals);
    }
}
