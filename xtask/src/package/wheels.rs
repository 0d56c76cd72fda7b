//! The two wheels: what maturin builds, stripped, with the papers where the standards want them.
//!
//! Licenses are in `dist-info/licenses` (PEP 639), the list of parts in `dist-info/sboms` (PEP 770).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{inspect, keep, papers, strip};
use crate::{
    bindings::{BENCH, Build},
    command::{program, run, target},
    kotlin::{self, SHIPPED},
    python::{self, Environment},
};

/// Builds them into a folder, and answers where they are: the one for apps first.
pub(super) fn make(python: &str, out: &Path, shipped: &Path, bench: &Path) -> Result<[PathBuf; 2]> {
    let environment = python::environment(python, "python")?;
    let [app, tests] = python::PACKAGES;
    Ok([
        wheel(&environment, app, SHIPPED, out, shipped)?,
        wheel(&environment, tests, BENCH, out, bench)?,
    ])
}

fn wheel(
    environment: &Environment,
    package: &str,
    build: Build,
    out: &Path,
    papers: &Path,
) -> Result<PathBuf> {
    let raw = python::build(environment, package, "release")?;
    let name = raw.file_name().context("a wheel has a name")?;
    let work = target().join("package/build/wheels").join(name);
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    fs::create_dir_all(out)?;
    run(wheels(environment)
        .args(["unpack", "--dest"])
        .args([&work, &raw]))?;
    let unpacked = only(&work)?;
    for file in kotlin::files(&unpacked)? {
        if file
            .extension()
            .is_some_and(|end| end == std::env::consts::DLL_EXTENSION)
        {
            keep(&file, build)?;
            strip(&file)?;
        }
    }
    file_papers(&info(&unpacked)?, papers)?;
    inspect(&unpacked, build.has_testing)?;
    // It writes the sums of what is inside anew.
    run(wheels(environment)
        .args(["pack", "--dest-dir"])
        .args([out, &unpacked]))?;
    Ok(out.join(name))
}

fn file_papers(info: &Path, papers: &Path) -> Result<()> {
    let (licenses, lists) = (info.join("licenses"), info.join("sboms"));
    // That of maturin names paths of this machine, and not the C code.
    if lists.exists() {
        fs::remove_dir_all(&lists)?;
    }
    fs::create_dir_all(&licenses)?;
    fs::create_dir_all(&lists)?;
    fs::copy(papers.join(papers::SBOM), lists.join(papers::SBOM))?;
    let metadata = info.join("METADATA");
    let text = fs::read_to_string(&metadata)?;
    let (mut head, body) = match text.split_once("\n\n") {
        Some((head, body)) => (head.to_owned(), body),
        None => (text.trim_end().to_owned(), ""),
    };
    for paper in [papers::LICENSE, papers::NOTICES] {
        fs::copy(papers.join(paper), licenses.join(paper))?;
        head += &format!("\nLicense-File: {paper}");
    }
    Ok(fs::write(metadata, format!("{head}\n\n{body}"))?)
}

fn info(unpacked: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(unpacked)?.flatten().map(|entry| entry.path());
    entries
        .find(|path| path.extension().is_some_and(|end| end == "dist-info"))
        .context("the wheel has no dist-info")
}

fn only(folder: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(folder)?
        .next()
        .context("nothing was unpacked")?;
    Ok(entry?.path())
}

fn wheels(environment: &Environment) -> std::process::Command {
    let mut command = program(environment.bin("python"));
    command.args(["-m", "wheel"]);
    command
}
