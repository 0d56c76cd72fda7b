//! A hospital's critical laboratory results, sent end to end encrypted: one relay, and whoever is on call.
//!
//! `cargo run --example on_call` from the root of the repository. What it does is in
//! `examples/src/on_call/`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use wardline_examples::on_call::{self, Options, Progress};

/// Sends every critical laboratory result of a hospital to whoever is on call, end to end encrypted.
///
/// Starts a relay on a socket of this machine, imports people and care teams from a folder of FHIR R4 bulk
/// NDJSON, puts four people of each department concerned on call with two devices each, and sends. Results are
/// read back, declined, escalated, taken back, handed over at the change of shift, or expire. Some devices are
/// offline first, some are locked, one ends and is opened again, one is revoked. At the end every byte on the
/// disks of relay and devices is searched for every text, patient name and identifier.
#[derive(Parser)]
#[command(name = "on_call", after_help = EXAMPLES)]
struct Arguments {
    /// A folder with Practitioner, PractitionerRole, Organization, Patient, Encounter and Observation as *.ndjson
    /// [default: examples/data/hospital of this repository]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the result as JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let report = on_call::run(Options {
        data: arguments.data.unwrap_or_else(on_call::hospital),
        progress: Progress::Shown,
    })
    .await?;
    if arguments.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    let failures = report.failures();
    for failure in &failures {
        eprintln!("FAILED: {failure}");
    }
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

const EXAMPLES: &str = "Examples:
  cargo run --example on_call
  cargo run --example on_call -- --data /path/to/fhir-export
  cargo run --example on_call -- --json > on_call.json

Ends with 0 when everything arrived once, was read, answered and receipted as planned, nothing is left of what
was taken back or is over, nothing sent after the revocation reached the revoked device, and no secret was found
on disk; otherwise with 1.";
