//! A hospital's critical laboratory results, sent end to end encrypted: one relay, every clinician's devices.
//!
//! `cargo run --example quickstart` from the root of the repository. What it does is in
//! `examples/src/quickstart/`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use wardline_examples::quickstart::{self, Options, Progress};

/// Sends every critical laboratory result of a hospital to the patient's care team, end to end encrypted.
///
/// Starts a relay on a socket of this machine, imports people and care teams from a folder of FHIR R4 bulk
/// NDJSON, gives every clinician of the teams concerned two devices, and sends. Some devices are offline
/// first, some are locked, one ends and is opened again, one is revoked. At the end every byte on the
/// disks of relay and devices is searched for every text, patient name and identifier.
#[derive(Parser)]
#[command(name = "quickstart", after_help = EXAMPLES)]
struct Arguments {
    /// A folder with Practitioner, CareTeam, Patient and Observation as *.ndjson
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
    let report = quickstart::run(Options {
        data: arguments.data.unwrap_or_else(quickstart::hospital),
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
  cargo run --example quickstart
  cargo run --example quickstart -- --data /path/to/fhir-export
  cargo run --example quickstart -- --json > quickstart.json

Ends with 0 when everything arrived once, was read and receipted, nothing sent after the revocation
reached the revoked device, and no secret was found on disk; otherwise with 1.";
