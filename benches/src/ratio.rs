//! From criterion's estimates to figures that one can read beside what is promised.

use std::{fs, path::Path, time::Duration};

/// What is promised of one group of a bench.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// The group's name; it holds the functions [`WARDLINE`] and, for a ratio, [`BARE`].
    pub group: &'static str,
    limit: Limit,
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    /// Wardline may take so many times the bare work.
    Ratio(f64),
    /// Wardline does at least this part of what the bare work does in the same time.
    Rate(f64),
    /// Wardline may take so long.
    Time(Duration),
}

impl Goal {
    /// Wardline may take so many times the bare work.
    pub const fn at_most(group: &'static str, times: f64) -> Self {
        Self {
            group,
            limit: Limit::Ratio(times),
        }
    }

    /// Wardline does at least this part of what the bare work does in the same time.
    pub const fn at_least(group: &'static str, part: f64) -> Self {
        Self {
            group,
            limit: Limit::Rate(part),
        }
    }

    /// Wardline may take so long.
    pub const fn within(group: &'static str, time: Duration) -> Self {
        Self {
            group,
            limit: Limit::Time(time),
        }
    }
}

/// The function that measures Wardline.
pub const WARDLINE: &str = "wardline";
/// The function that measures the bare work.
pub const BARE: &str = "bare";

/// Prints what has been measured into `folder`: the medians, their ratio, the goal.
pub fn print(folder: &Path, goals: &[Goal]) {
    println!(
        "\n{:34} {WARDLINE:>12} {BARE:>12} {:>7} {:>9}",
        "", "ratio", "goal"
    );
    for goal in goals {
        let Some(ours) = median(folder, goal.group, WARDLINE) else {
            continue;
        };
        let bare = median(folder, goal.group, BARE);
        let (ratio, limit, met) = match (goal.limit, bare) {
            (Limit::Ratio(most), Some(bare)) => {
                (ours / bare, format!("≤ {most}"), ours <= bare * most)
            }
            (Limit::Rate(least), Some(bare)) => {
                (bare / ours, format!("≥ {least}"), bare >= ours * least)
            }
            (Limit::Time(most), _) => {
                let most = most.as_nanos() as f64;
                (f64::NAN, format!("≤ {}", duration(most)), ours <= most)
            }
            _ => continue,
        };
        println!(
            "{:34} {:>12} {:>12} {:>7} {limit:>9} {}",
            goal.group,
            duration(ours),
            bare.map(duration).unwrap_or_default(),
            if ratio.is_nan() {
                String::new()
            } else {
                format!("{ratio:.2}")
            },
            if met { "met" } else { "missed" }
        );
    }
}

/// Nanoseconds.
fn median(folder: &Path, group: &str, function: &str) -> Option<f64> {
    // Criterion keeps the name but for what a file system may not take; goals have no such character.
    let file = folder.join(group).join(function).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e6 => format!("{:.1} µs", nanoseconds / 1e3),
        ..1e9 => format!("{:.2} ms", nanoseconds / 1e6),
        _ => format!("{:.2} s", nanoseconds / 1e9),
    }
}
