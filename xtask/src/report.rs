//! What ran, how it went and how long it took: headings while steps run, a table at the end.
//!
//! The last line is always `N passed, N failed`, with `, N skipped` behind it when something was.

use std::{
    env, fmt,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

/// How a step went.
pub(crate) enum Outcome {
    /// One check that holds.
    Passed,
    /// A test run, by its own count.
    Counted(Counts),
    /// Could not run here: why, and what to do.
    Skipped(String),
}

/// Single tests of a test run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

pub(crate) struct Report {
    rows: Vec<Row>,
    forbid_skips: bool,
    color: bool,
}

struct Row {
    name: &'static str,
    counts: Counts,
    note: String,
    time: Duration,
}

impl Report {
    pub(crate) fn new() -> Self {
        let color = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
        Self {
            rows: Vec::new(),
            forbid_skips: false,
            color,
        }
    }

    /// Runs one step. A failed step does not keep the next one from running: one run shows everything.
    #[allow(
        clippy::disallowed_methods,
        reason = "a stopwatch for people, nothing is decided by it"
    )]
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> anyhow::Result<Outcome>,
    ) {
        say(format_args!(
            "\n{}",
            self.paint(BOLD, &format!("== {name}"))
        ));
        let started = Instant::now();
        let outcome = step();
        let time = started.elapsed();
        let (counts, note) = match outcome {
            Ok(Outcome::Passed) => (
                Counts {
                    passed: 1,
                    ..Counts::default()
                },
                String::new(),
            ),
            Ok(Outcome::Counted(counts)) => {
                (counts, format!("{} tests", counts.passed + counts.failed))
            }
            Ok(Outcome::Skipped(why)) => {
                say(format_args!("{} {why}", self.paint(YELLOW, "skipped:")));
                let ignored = 1;
                (
                    Counts {
                        ignored,
                        ..Counts::default()
                    },
                    why,
                )
            }
            Err(error) => {
                let why = format!("{error:#}");
                say(format_args!("{} {why}", self.paint(RED, "failed:")));
                (
                    Counts {
                        failed: 1,
                        ..Counts::default()
                    },
                    why,
                )
            }
        };
        self.rows.push(Row {
            name,
            counts,
            note,
            time,
        });
    }

    /// Counts what was skipped as failed.
    pub(crate) fn forbid_skips(&mut self, forbid: bool) {
        self.forbid_skips = forbid;
    }

    /// Prints the table and the last line.
    pub(crate) fn finish(self) -> ExitCode {
        let mut total = Counts::default();
        say(format_args!(
            "\n{}",
            self.paint(
                BOLD,
                &format!("{:<14}{:<10}{:>9}", "step", "result", "time")
            )
        ));
        for row in &self.rows {
            let Counts {
                passed,
                mut failed,
                mut ignored,
            } = row.counts;
            if self.forbid_skips {
                (failed, ignored) = (failed + ignored, 0);
            }
            let (color, word) = match (passed, failed, ignored) {
                (_, 1.., _) => (RED, "failed"),
                (0, 0, 1..) => (YELLOW, "skipped"),
                _ => (GREEN, "passed"),
            };
            let word = self.paint(color, &format!("{word:<10}"));
            let time = format!("{:.1} s", row.time.as_secs_f64());
            let line = format!("{:<14}{word}{time:>9}  {}", row.name, first_line(&row.note));
            say(format_args!("{}", line.trim_end()));
            total.passed += passed;
            total.failed += failed;
            total.ignored += ignored;
        }
        let skipped = match total.ignored {
            0 => String::new(),
            n => format!(", {n} skipped"),
        };
        say(format_args!(
            "\n{} passed, {} failed{skipped}",
            total.passed, total.failed
        ));
        if total.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Counts {
    /// Adds what a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …` says; other lines say nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        if !line.starts_with("test result:") {
            return;
        }
        let number = |word: &str| {
            let before = line.split(word).next().unwrap_or_default();
            before
                .split_whitespace()
                .next_back()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0)
        };
        self.passed += number(" passed");
        self.failed += number(" failed");
        self.ignored += number(" ignored");
    }
}

/// Prints a line. Nobody reading it is no reason to stop: `cargo xtask test | head` must not end a run.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn test_results_of_several_binaries_add_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out; finished in 0.1s",
        ] {
            counts.add_line(line);
        }
        assert_eq!(
            counts,
            Counts {
                passed: 13,
                failed: 2,
                ignored: 1
            }
        );
    }
}
