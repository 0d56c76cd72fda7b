//! The stock Connect client: a relay is started and called by a Python program made of published packages only.
//!
//! The packages go into an environment under `target/`, pinned with their hashes. The test itself, which starts
//! the relay and gives the program what it needs, is the test `connect` of `wardline-cli`; it is not part of a
//! plain `cargo test`, because that must need neither Python nor a package registry.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use crate::{
    command::{cargo, program, root, run, target, watch},
    report::{Counts, Outcome},
    tools,
};

pub(crate) fn check() -> Result<Outcome> {
    let Some(python) = tools::python() else {
        return Ok(Outcome::Skipped(
            "needs Python 3.11 or newer with venv: install python3 and python3-venv".to_owned(),
        ));
    };
    let python = environment(python)?;
    let mut command = cargo(["test", "--workspace", "--test", "connect"]);
    command.env("WARDLINE_CONNECT_PYTHON", python);
    let mut counts = Counts::default();
    let passed = watch(&mut command, |line| counts.add_line(line))?;
    if !passed && counts.failed == 0 {
        bail!("the test does not build, or it ended the process");
    }
    Ok(Outcome::Counted(counts))
}

/// The interpreter of an environment that has exactly the pinned packages.
fn environment(python: &str) -> Result<PathBuf> {
    let requirements = root().join("tests/connect/requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let folder = target().join("connect-client");
    let (interpreter, stamp) = (folder.join("bin/python"), folder.join("requirements.txt"));
    if fs::read_to_string(&stamp).is_ok_and(|has| has == wanted) {
        return Ok(interpreter);
    }
    run(program(python).args(["-m", "venv", "--clear"]).arg(&folder))
        .context("install python3-venv")?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(program(&interpreter)
        .args(pip)
        .args(["--require-hashes", "--only-binary", ":all:", "-r"])
        .arg(&requirements))
    .context(
        "the packages of the client cannot be installed: is the package registry reachable?",
    )?;
    // Last: an environment without it is made anew.
    fs::write(stamp, wanted)?;
    Ok(interpreter)
}
