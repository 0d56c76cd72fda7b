//! The chores of the workspace: `cargo xtask --help`.
//!
//! One program instead of a folder of scripts, so that every check runs the same on a laptop and on a
//! build server. What a chore *means* stands in the module it calls; this file is the command line only.

mod bindings;
mod command;
mod connect;
mod glossary;
mod house;
mod kotlin;
mod package;
mod python;
mod report;
mod size;
mod steps;
mod swift;
mod tools;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{report::Report, steps::Step};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The chores of the Wardline workspace",
    after_help = EXAMPLES,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every check: what has to pass before a change lands
    Test(Test),
    /// Format the whole workspace
    Fmt,
    /// Clippy on every target; warnings are failures
    Lint,
    /// Build the API documentation; warnings are failures
    Docs,
    /// Check licenses, sources and duplicates of the dependencies
    Deny,
    /// Check the dependencies against the public advisory database (needs the network)
    Advisories,
    /// Check the repository's own rules: words, links, rooms, file lengths
    House,
    /// Build what phones and backends link, with only the features they get
    Features,
    /// Call a relay with a stock Connect client (needs Python)
    Connect,
    /// Generate the Python, Kotlin and Swift sources, and check what a shipped library must not hold
    Bindings,
    /// Write docs/src/errors.md: every code of every error
    Glossary,
    /// Build the Python packages, check their types, run their tests and the example (needs Python)
    Python,
    /// Build the library for phones and compare its size with docs/size.json (takes some minutes)
    Size,
    /// Build the Kotlin packages, run their tests and the example (needs a JDK and Maven)
    Kotlin,
    /// Build the Swift package, run its tests and the example (needs root; makes a folder of 2.6 GB)
    Swift,
    /// Build what vendors take: wheels, jars and Swift archives with their papers (takes a quarter of an hour)
    Package(Package),
    /// Make the notices and lists of parts of the packages, without building them
    Papers,
    /// Run the fuzz targets, each for a while (needs a nightly toolchain and cargo-fuzz)
    Fuzz(Fuzz),
    /// Run the benchmarks
    Bench(Bench),
    /// Measure what the Python, Kotlin and Swift packages add to a call, and whether memory grows
    BenchBindings(BenchBindings),
}

#[derive(Args)]
struct Test {
    /// Nothing may be skipped: a missing tool or an ignored test is a failure
    #[arg(long)]
    all: bool,
    /// Only tests whose name contains this, and no other step
    filter: Option<String>,
}

#[derive(Args)]
struct Package {
    /// Names, sizes and sums as JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Fuzz {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only these targets (default: every one)
    targets: Vec<String>,
}

#[derive(Args)]
struct Bench {
    /// Handed on to the benchmarks, for example a filter
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Args)]
struct BenchBindings {
    /// Only this language (default: every one)
    language: Option<Language>,
    /// Handed on to the benchmark: --turns and --messages, each with a number
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    Python,
    Kotlin,
    Swift,
}

fn main() -> ExitCode {
    let mut report = Report::new();
    match Cli::parse().chore {
        Chore::Test(Test { all, filter: None }) => {
            for step in Step::TEST {
                report.run(step.name(), || step.run(all));
            }
            report.forbid_skips(all);
        }
        Chore::Test(Test {
            all,
            filter: Some(filter),
        }) => {
            report.run("tests", || steps::tests(Some(&filter), all));
        }
        Chore::Fmt => report.run("fmt", steps::fmt),
        Chore::Lint => report.run("lint", steps::lint),
        Chore::Docs => report.run("docs", steps::docs),
        Chore::Deny => report.run("deny", steps::deny),
        Chore::Advisories => report.run("advisories", steps::advisories),
        Chore::House => report.run("house", house::check),
        Chore::Features => report.run("features", steps::features),
        Chore::Connect => report.run("connect", connect::check),
        Chore::Bindings => report.run("bindings", bindings::check),
        Chore::Glossary => report.run("glossary", glossary::write),
        Chore::Python => report.run("python", python::check),
        Chore::Size => report.run("size", size::check),
        Chore::Kotlin => report.run("kotlin", || kotlin::check(false)),
        Chore::Swift => report.run("swift", swift::check),
        Chore::Package(Package { json }) => report.run("package", || package::run_all(json)),
        Chore::Papers => report.run("papers", package::check),
        Chore::Fuzz(Fuzz { seconds, targets }) => {
            report.run("fuzz", || steps::fuzz(seconds, &targets));
        }
        Chore::Bench(Bench { arguments }) => report.run("bench", || steps::bench(&arguments)),
        Chore::BenchBindings(BenchBindings {
            language,
            arguments,
        }) => {
            let wanted = |one| language.is_none_or(|language| language == one);
            if wanted(Language::Python) {
                report.run("bench-python", || python::bench(&arguments));
            }
            if wanted(Language::Kotlin) {
                report.run("bench-kotlin", || kotlin::bench(&arguments));
            }
            if wanted(Language::Swift) {
                report.run("bench-swift", || swift::bench(&arguments));
            }
        }
    }
    report.finish()
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                     everything, as before a change lands
  cargo xtask test --all               the same, and nothing may be skipped (the build server)
  cargo xtask test ticket              only the tests with \"ticket\" in their name
  cargo xtask lint                     one step alone
  cargo xtask fuzz --seconds 300 note  one fuzz target for five minutes
  cargo xtask bench -- --quick         hand an argument on to the benchmarks
  cargo xtask bench-bindings kotlin    what the Kotlin package adds to a call";
