//! Programs that do not come with the toolchain: found, installed, or named together with what to do.

use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::{
    command::{cargo, program, run},
    report::say,
};

/// Makes sure that `cargo deny` answers.
pub(crate) fn ensure_cargo_deny() -> Result<()> {
    ensure("deny", CARGO_DENY, &[])
}

/// Makes sure that `cargo about`, which collects the texts of licenses, answers.
pub(crate) fn ensure_cargo_about() -> Result<()> {
    ensure("about", CARGO_ABOUT, &["--features", "cli"])
}

/// Makes sure that `cargo cyclonedx`, which lists what a crate links, answers.
pub(crate) fn ensure_cargo_cyclonedx() -> Result<()> {
    ensure("cyclonedx", CARGO_CYCLONEDX, &[])
}

/// Makes sure that a command of cargo's answers.
fn ensure(command: &str, version: &str, arguments: &[&str]) -> Result<()> {
    if answers(&[command, "--version"]) {
        return Ok(());
    }
    let name = format!("cargo-{command}");
    say(format_args!(
        "{name} is missing: installing version {version} (some minutes, once)"
    ));
    run(cargo(["install", "--locked", "--version", version, &name])
        .args(arguments)
        // Ours may be a shared or a short-lived one.
        .env_remove("CARGO_TARGET_DIR"))
    .with_context(|| format!("install it by hand: cargo install --locked {name}"))
}

/// A Python that can make environments and is new enough for the Connect client; `None` when there is none.
pub(crate) fn python() -> Option<&'static str> {
    let test = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    ["python3", "python"]
        .into_iter()
        .find(|name| succeeds(program(name).args(["-c", test])))
}

/// Maven and a JDK of version 17 or newer. With `install`, where Debian's packages can be had, they are.
pub(crate) fn ensure_maven(install: bool) -> Result<()> {
    let missing = || {
        let tools = [
            ("mvn", "--version"),
            ("javac", "--version"),
            ("jar", "--version"),
        ];
        let absent = tools
            .into_iter()
            .find(|(name, word)| !succeeds(program(name).arg(word)));
        match absent {
            Some((name, _)) => Some(format!("`{name}` is missing")),
            None if !succeeds(program("javac").args(["--release", "17", "--version"])) => {
                Some("the JDK is older than 17".to_owned())
            }
            None => None,
        }
    };
    if missing().is_none() {
        return Ok(());
    }
    if install && succeeds(program("apt-get").arg("--version")) {
        let packages = ["maven", "openjdk-17-jdk-headless"];
        say(format_args!("installing {}", packages.join(" and ")));
        // What cannot be installed is reported as missing, below.
        let _ = run(program("apt-get").args(["update", "--quiet"]));
        let _ = run(program("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(packages));
    }
    match missing() {
        None => Ok(()),
        Some(what) => {
            bail!("{what}: needs Maven and a JDK, 17 or newer (packages maven and openjdk-17-jdk)")
        }
    }
}

/// Fuzzing needs what only a nightly compiler has.
pub(crate) fn require_cargo_fuzz() -> Result<()> {
    if !succeeds(program("cargo").args(["+nightly", "--version"])) {
        bail!("fuzzing needs a nightly compiler: rustup toolchain install nightly");
    }
    if !succeeds(program("cargo").args(["+nightly", "fuzz", "--version"])) {
        bail!("fuzzing needs cargo-fuzz: cargo install --locked cargo-fuzz");
    }
    Ok(())
}

fn answers(arguments: &[&str]) -> bool {
    succeeds(&mut cargo(arguments))
}

fn succeeds(command: &mut std::process::Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

const CARGO_DENY: &str = "0.20.2";
const CARGO_ABOUT: &str = "0.9.3";
const CARGO_CYCLONEDX: &str = "0.5.9";
