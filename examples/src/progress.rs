//! Tells on standard error how far the run is: bars on a terminal, one plain line for each step elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use wardline_org::{Clock, SystemClock};

/// Whether anybody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Bars and lines on standard error.
    Shown,
    /// Nothing, for tests.
    Silent,
}

impl Progress {
    /// Begins a step of so many parts.
    pub(crate) fn step(self, what: &'static str, parts: usize) -> Step {
        let bar = match self {
            // It hides itself where standard error is no terminal.
            Self::Shown => ProgressBar::new(parts as u64),
            Self::Silent => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{msg:<28} {bar:32} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Step {
            progress: self,
            bar,
            begun: SystemClock.monotonic(),
        }
    }
}

/// A step under way.
pub(crate) struct Step {
    progress: Progress,
    bar: ProgressBar,
    begun: Duration,
}

impl Step {
    pub(crate) fn at(&self, part: usize) {
        self.bar.set_position(part as u64);
    }

    pub(crate) fn one_more(&self) {
        self.bar.inc(1);
    }

    /// Ends the step with what was done.
    pub(crate) fn done(self, what: &str) {
        self.bar.finish_and_clear();
        if self.progress == Progress::Shown {
            eprintln!(
                "{:6.1} s  {what}",
                SystemClock
                    .monotonic()
                    .saturating_sub(self.begun)
                    .as_secs_f64()
            );
        }
    }
}
