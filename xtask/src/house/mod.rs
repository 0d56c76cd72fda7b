//! The rules of this repository that no stock tool checks.
//!
//! | rule | module |
//! |---|---|
//! | words that promise what software cannot | [`vocabulary`] |
//! | every dependency has its reason | [`dependencies`] |
//! | what the documentation names as proof is there | [`cited`] |
//! | every error code stands in the glossary | [`codes`] |
//! | links inside the documentation lead somewhere | [`links`] |
//! | which room may import which, and which floor of `core` | [`rooms`] |
//! | every language shows every scenario | [`scenarios`] |
//! | a file is one idea | here |

mod cited;
mod codes;
mod dependencies;
mod links;
mod rooms;
mod scenarios;
mod vocabulary;

use std::{fs, path::PathBuf};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    command::{cargo, program, read, root},
    report::{Outcome, say},
};

/// A text file of the repository.
struct Source {
    /// From the root of the repository, with forward slashes.
    path: String,
    text: String,
}

/// Checks every rule and names everything that breaks one.
pub(crate) fn check() -> Result<Outcome> {
    let sources = sources()?;
    let mut findings = vocabulary::check(&sources)?;
    findings.extend(links::check(&sources));
    findings.extend(cited::check(&sources));
    findings.extend(codes::check(&sources));
    findings.extend(scenarios::check(&sources));
    let metadata = metadata()?;
    findings.extend(dependencies::check(&sources, &metadata)?);
    findings.extend(rooms::check(&sources, &metadata)?);
    findings.extend(sources.iter().filter_map(length));
    if findings.is_empty() {
        say(format_args!("{} files keep the rules", sources.len()));
        return Ok(Outcome::Passed);
    }
    for finding in &findings {
        say(format_args!("{finding}"));
    }
    bail!("{} findings; the first: {}", findings.len(), findings[0])
}

/// Every text file that is committed or about to be.
fn sources() -> Result<Vec<Source>> {
    let list = read(program("git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut sources = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        let file: PathBuf = root().join(path);
        // A deleted file is still listed until it is staged; what is not text has no words.
        if let Some(text) = fs::read(file)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
        {
            sources.push(Source {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(sources)
}

/// The crates of the workspace and what their manifests say.
fn metadata() -> Result<Value> {
    let text = read(&mut cargo([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]))?;
    Ok(serde_json::from_str(&text)?)
}

fn length(source: &Source) -> Option<String> {
    let counted = [".rs", ".py", ".kt", ".swift"]
        .iter()
        .any(|end| source.path.ends_with(end));
    let lines = source.text.lines().count();
    (counted && lines > MAX_LINES).then(|| {
        format!(
            "{}: {lines} lines; a file is one idea, {MAX_LINES} lines at the most",
            source.path
        )
    })
}

/// About 500 is the aim.
const MAX_LINES: usize = 600;
