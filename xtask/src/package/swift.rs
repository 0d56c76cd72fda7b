//! The Swift package as archives: what an app links, and what its tests have on top.
//!
//! The second is unpacked over the first. Both hold the native library for this system; for Apple's platforms an
//! XCFramework takes its place, whose recipe (`APPLE.md`) is inside and was not run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{inspect, library, papers, strip};
use crate::{
    bindings::{BENCH, Build, PHONE},
    command::{program, root, run, target},
    swift::stage,
};

/// Makes them in a folder: the one for apps first.
pub(super) fn make(out: &Path, phone: &Path, bench: &Path) -> Result<[PathBuf; 2]> {
    Ok([
        archive(out, "wardline-swift", PHONE, APP, phone)?,
        archive(out, "wardline-swift-testing", BENCH, TESTS, bench)?,
    ])
}

fn archive(out: &Path, name: &str, build: Build, parts: &[&str], papers: &Path) -> Result<PathBuf> {
    let staged = target().join("package/build/swift").join(name);
    if staged.exists() {
        fs::remove_dir_all(&staged)?;
    }
    let package = staged.join(FOLDER);
    let source = root().join("bindings/swift");
    for part in parts {
        let (from, to) = (source.join(part), package.join(part));
        if from.is_dir() {
            stage::mirror(&from, &to)?;
        } else {
            fs::create_dir_all(&package)?;
            fs::copy(&from, &to).with_context(|| format!("there is no {}", from.display()))?;
        }
    }
    let library = library(build)?;
    stage::native_in(&package, build, &library)?;
    let native = package.join("native").join(build.name);
    let file = library.file_name().context("a library has a name")?;
    strip(&native.join("lib").join(file))?;
    for paper in [papers::LICENSE, papers::NOTICES, papers::SBOM] {
        fs::copy(papers.join(paper), native.join(paper))?;
    }
    inspect(&staged, build.has_testing)?;
    fs::create_dir_all(out)?;
    let system = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let zip = out.join(format!("{name}-{}-{system}.zip", env!("CARGO_PKG_VERSION")));
    // The tool of the JDK that the jars need anyway.
    run(program("jar")
        .args(["--create", "--no-manifest", "--file"])
        .arg(&zip)
        .arg("-C")
        .arg(&staged)
        .arg(FOLDER))?;
    Ok(zip)
}

/// In an archive, and the name of the package for those who depend on it.
pub(super) const FOLDER: &str = "wardline";
const APP: &[&str] = &[
    "Package.swift",
    "README.md",
    "APPLE.md",
    "Samples",
    "Sources/Wardline",
];
const TESTS: &[&str] = &[
    "Sources/WardlineTesting",
    "Sources/wardline-test-child",
    "Tests",
];
