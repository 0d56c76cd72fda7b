//! What a vendor takes: the packages of the three languages, built and stripped as they ship, with their papers.
//!
//! Everything goes into `target/package`: `python/`, `maven/`, `swift/`, and a list of names, sizes and SHA-256 sums.
//! Each package holds the texts of all licenses and a list of its parts ([`papers`]). What was packaged is then
//! installed somewhere else and tried ([`trial`]).
//!
//! | package | library | profile |
//! |---|---|---|
//! | `wardline` for Python and the JVM | HTTPS transport, signing side | `release`: servers and desktops, as fast as it gets |
//! | the packages for tests | the same and a ward in a box | `release` |
//! | `Wardline` for Swift | what phones get | `phone`: as small as it gets |
//!
//! Not its concern: signing and uploading them.

mod jars;
mod papers;
mod swift;
mod trial;
mod wheels;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    bindings::{self, BENCH, Build, PHONE},
    command::{program, read, run, target},
    kotlin::{self, SHIPPED},
    report::{Outcome, say},
    size, tools,
};

/// Builds all of them. With `json` the list at the end is JSON.
pub(crate) fn run_all(as_json: bool) -> Result<Outcome> {
    let Some(python) = tools::python() else {
        bail!("needs Python 3.11 or newer with venv");
    };
    tools::ensure_maven(true)?;
    let out = target().join("package");
    for old in ["python", "maven", "swift", "trial"] {
        let old = out.join(old);
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    let shipped = papers::make(SHIPPED)?;
    let bench = papers::make(BENCH)?;
    let phone = papers::make(PHONE)?;
    let wheels = wheels::make(python, &out.join("python"), &shipped, &bench)?;
    let jars = jars::make(&out.join("maven"), &shipped, &bench)?;
    let archives = swift::make(&out.join("swift"), &phone, &bench)?;

    let mut passed = trial::python(python, &wheels)?;
    passed += trial::kotlin(&jars)?;
    passed += trial::swift(&archives)?;
    list(&out, as_json)?;
    say(format_args!("{passed} packages were installed and tried"));
    Ok(Outcome::Passed)
}

/// The notices and lists of parts alone: what needs no build, so that their configuration does not rot.
pub(crate) fn check() -> Result<Outcome> {
    for build in [SHIPPED, BENCH, PHONE] {
        let folder = papers::make(build)?;
        let notices = fs::read_to_string(folder.join(papers::NOTICES))?;
        let sbom = fs::read_to_string(folder.join(papers::SBOM))?;
        for (word, wanted) in [
            ("OpenSSL", true),
            ("ZETETIC", true),
            ("uniffi_core", true),
            ("wardline-relay", build.has_testing),
        ] {
            let found = (
                notices.contains(word),
                sbom.to_uppercase().contains(&word.to_uppercase()),
            );
            // Who wrote a license stands in its text alone.
            let right = found.0 == wanted && (found.1 == wanted || word == "ZETETIC");
            if !right {
                bail!(
                    "{}: `{word}` must {}be there",
                    folder.display(),
                    if wanted { "" } else { "not " }
                );
            }
        }
    }
    Ok(Outcome::Passed)
}

/// The library as it ships, with the symbols that the sources are generated from. The one for phones is built; the
/// others are those that the wheels were made with, so that jars and archives hold the very same.
fn library(build: Build) -> Result<PathBuf> {
    let copy = kept(build);
    if build.name == PHONE.name {
        keep(&size::phone_library()?, build)?;
    }
    ensure!(copy.exists(), "{} comes out of a wheel", copy.display());
    Ok(copy)
}

/// Keeps a copy of a library, so that the next build does not replace it.
fn keep(library: &Path, build: Build) -> Result<()> {
    let copy = kept(build);
    fs::create_dir_all(copy.parent().context("no folder")?)?;
    fs::copy(library, &copy).with_context(|| format!("there is no {}", library.display()))?;
    Ok(())
}

fn kept(build: Build) -> PathBuf {
    let folder = target().join("package/build/native").join(build.name);
    folder.join(bindings::file_name())
}

fn strip(library: &Path) -> Result<()> {
    run(program("strip").arg("--strip-all").arg(library))
        .context("`strip` comes with the binutils of the C compiler")
}

/// Looks at what was unpacked out of a package: its papers are there, every library is stripped, and the feature
/// `testing` is where it belongs and nowhere else.
fn inspect(unpacked: &Path, testing: bool) -> Result<()> {
    let files = kotlin::files(unpacked)?;
    for paper in [papers::LICENSE, papers::NOTICES, papers::SBOM] {
        if !files.iter().any(|file| file.ends_with(paper)) {
            bail!("{}: there is no {paper}", unpacked.display());
        }
    }
    let libraries: Vec<&PathBuf> = files
        .iter()
        .filter(|file| {
            file.extension()
                .is_some_and(|end| end == std::env::consts::DLL_EXTENSION)
        })
        .collect();
    let [library] = libraries[..] else {
        bail!(
            "{}: {} native libraries, not one",
            unpacked.display(),
            libraries.len()
        );
    };
    if let Some(file) = kotlin::misplaced(unpacked, library, testing)? {
        bail!(
            "{}: the feature `testing` is where it must not be, or missing",
            file.display()
        );
    }
    stripped(library)
}

fn stripped(library: &Path) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let sections = read(
        program("readelf")
            .args(["--sections", "--wide"])
            .arg(library),
    )?;
    match [".symtab", ".debug_info", ".debug_line"]
        .iter()
        .find(|name| sections.contains(**name))
    {
        Some(name) => bail!("{}: it has a section {name}", library.display()),
        None => Ok(()),
    }
}

/// Names, sizes and sums of everything that ships.
fn list(out: &Path, as_json: bool) -> Result<()> {
    let mut rows = Vec::new();
    for folder in ["python", "maven", "swift"] {
        let mut files = kotlin::files(&out.join(folder))?;
        files.sort();
        for file in files {
            let bytes = fs::read(&file)?;
            let name = file.strip_prefix(out)?.to_string_lossy().replace('\\', "/");
            let sum: String = Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            rows.push((name, bytes.len(), sum));
        }
    }
    let sums: String = rows
        .iter()
        .map(|(name, _, sum)| format!("{sum}  {name}\n"))
        .collect();
    fs::write(out.join("SHA256SUMS"), sums)?;
    let parts: Vec<_> = rows
        .iter()
        .map(|(name, bytes, sum)| json!({ "name": name, "bytes": bytes, "sha256": sum }))
        .collect();
    let text = serde_json::to_string_pretty(&json!({ "packages": parts }))?;
    fs::write(out.join("packages.json"), format!("{text}\n"))?;
    if as_json {
        say(format_args!("{text}"));
        return Ok(());
    }
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    say(format_args!(
        "\n{:<width$}  {:>10}  SHA-256",
        "file in target/package", "kB"
    ));
    for (name, bytes, sum) in &rows {
        let short = sum.get(..16).unwrap_or(sum);
        say(format_args!(
            "{name:<width$}  {:>10.1}  {short}…",
            *bytes as f64 / 1000.0
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::{inspect, papers, strip};
    use crate::bindings;

    /// Any program is a library here: this one has symbols.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_package_without_its_papers_or_with_a_symbol_table_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join(bindings::file_name());
        fs::copy(env::current_exe().unwrap(), &library).unwrap();
        let refused = |why: &str| {
            // It holds the words it looks for, as a package for tests does.
            let error = inspect(folder.path(), true).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        for paper in [papers::LICENSE, papers::NOTICES, papers::SBOM] {
            refused(paper);
            fs::write(folder.path().join(paper), "words").unwrap();
        }
        refused(".symtab");
        strip(&library).unwrap();
        inspect(folder.path(), true).unwrap();
        let error = inspect(folder.path(), false).unwrap_err().to_string();
        assert!(error.contains("testing"), "{error}");
        fs::write(folder.path().join("other.so"), "").unwrap();
        refused("2 native libraries");
    }
}
