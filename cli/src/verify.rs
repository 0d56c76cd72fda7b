//! `wardline verify`: whether a message was written by whom it says, with public keys only and without a network.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};
use wardline_org::{
    proof::{MessageProof, ProofError, ProvenMessage},
    root::SignedRoot,
};

use crate::exit::{self, Failure};

/// Verify who wrote a message.
///
/// FILE is a proof as `Client::export_proof` makes it. It is verified offline: against the root document of the
/// organization, with nothing else than public keys. What is printed is the message itself.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The proof.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The organization's root document: the one that its apps pin, or a later one that the proof leads over.
    #[arg(long, value_name = "FILE")]
    root: PathBuf,

    /// Print JSON, for scripts; also when the proof does not hold.
    #[arg(long)]
    json: bool,
}

pub(crate) const EXAMPLES: &str = "\
Example:
  wardline verify message.proof --root mercy/root.note

Exit codes:
  0  the proof holds
  6  a file cannot be read or is none of its kind
  7  the proof does not hold: what it says proves nothing";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let root = read(&arguments.root)?;
    let root: SignedRoot = String::from_utf8(root)
        .map_err(|_| cannot_use(&arguments.root, "not a root document"))?
        .parse()
        .map_err(|error| cannot_use(&arguments.root, error))?;
    let verified =
        MessageProof::parse(&read(&arguments.file)?).and_then(|proof| proof.verify(&root.hash()));
    if arguments.json {
        let told = match &verified {
            Ok(proven) => proven_json(proven),
            Err(error) => json!({
                "verdict": "refused", "cause": error.cause(), "explanation": error.to_string(),
            }),
        };
        let _ = writeln!(io::stdout(), "{told:#}");
    }
    match verified {
        Ok(proven) => {
            if !arguments.json {
                let _ = io::stdout().write_all(proven_text(&proven).as_bytes());
            }
            Ok(())
        }
        Err(error @ (ProofError::Malformed | ProofError::Version(_))) => {
            Err(cannot_use(&arguments.file, error))
        }
        Err(error) => {
            let what = format!(
                "{} does not hold ({})",
                arguments.file.display(),
                error.cause()
            );
            Err(Failure::doing(exit::UNPROVEN, what, error))
        }
    }
}

fn proven_text(proven: &ProvenMessage) -> String {
    let mut text = format!(
        "proven: {} of {} wrote this at {} (by the clock of the device)\n\n{}\n\n",
        shown(&format!("{} ({})", proven.display_name, proven.author)),
        proven.organization,
        proven.written_at,
        indented(&proven.text),
    );
    for correction in &proven.corrections {
        text.push_str(&format!(
            "corrected at {}, reason: {}\n\n{}\n\n",
            correction.written_at,
            shown(&correction.reason),
            indented(&correction.text),
        ));
    }
    text.push_str(&format!(
        "device  {} ({})\nmessage {} ({})\nhead    {} of {}, {}\nroot    version {}\n",
        hex::encode(proven.device.as_bytes()),
        shown(&proven.device_label),
        hex::encode(&proven.content.message_id),
        shown(&proven.content.type_uri),
        proven.head_version,
        proven.head_issued_at,
        proven.head_hash,
        proven.root_version,
    ));
    text
}

fn proven_json(proven: &ProvenMessage) -> Value {
    let corrections = proven.corrections.iter().map(|correction| {
        json!({
            "device": hex::encode(correction.device.as_bytes()),
            "written_at": correction.written_at.to_string(),
            "text": correction.text,
            "reason": correction.reason,
        })
    });
    let patient = proven.content.patient.as_ref().map(|patient| {
        let identifiers = patient.identifiers.iter();
        let identifiers = identifiers.map(|id| json!({ "system": id.system, "value": id.value }));
        json!({
            "name": patient.display_name,
            "encounter": patient.encounter,
            "identifiers": identifiers.collect::<Vec<_>>(),
        })
    });
    json!({
        "verdict": "proven",
        "organization": proven.organization.as_str(),
        "author": {
            "user": proven.author.as_str(),
            "name": proven.display_name,
            "device": hex::encode(proven.device.as_bytes()),
            "device_label": proven.device_label,
        },
        "written_at": proven.written_at.to_string(),
        "message": hex::encode(&proven.content.message_id),
        "conversation": hex::encode(&proven.content.conversation_id),
        "type": proven.content.type_uri,
        "text": proven.text,
        "body_hex": hex::encode(&proven.content.body),
        "patient": patient,
        "corrections": corrections.collect::<Vec<_>>(),
        "head": {
            "version": proven.head_version,
            "issued_at": proven.head_issued_at.to_string(),
            "hash": proven.head_hash.to_string(),
        },
        "root_version": proven.root_version,
    })
}

/// What somebody wrote, so that it cannot look like a line of ours, nor steer a terminal.
fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("    {}", shown(line)));
    lines.collect::<Vec<_>>().join("\n")
}

fn shown(text: &str) -> String {
    let steers = |letter: char| letter.is_control() || is_directional(letter);
    let letters = text.chars();
    letters
        .map(|letter| if steers(letter) { '\u{fffd}' } else { letter })
        .collect()
}

/// Letters that turn the order of what stands beside them.
fn is_directional(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| cannot_use(path, error))
}

fn cannot_use(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::doing(exit::FILE, format!("cannot use {}", path.display()), error)
}
