//! The Python packages as their users have them: wheels in an environment, strict types, tests, the example.
//!
//! Built in the development profile: what is tested is the binding. The packages that the tests need go into
//! an environment under `target/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    bindings,
    command::{program, root, run, target, watch},
    report::{Counts, Outcome},
    tools,
};

pub(crate) fn check() -> Result<Outcome> {
    let Some(python) = tools::python() else {
        return Ok(Outcome::Skipped(
            "needs Python 3.11 or newer with venv: install python3 and python3-venv".to_owned(),
        ));
    };
    let environment = environment(python, "python")?;
    for package in PACKAGES {
        install(&environment, package, "dev")?;
    }
    for (package, expected) in [
        ("bindings/python", false),
        ("bindings/python-testing", true),
    ] {
        holds_testing(package, expected)?;
    }
    let mut mypy = environment.tool("mypy");
    mypy.args(["--config-file", "bindings/python/pyproject.toml"])
        .args(["--package", "wardline"]);
    run(&mut mypy)?;
    let mut mypy = environment.tool("mypy");
    mypy.args(["--config-file", "bindings/python/pyproject.toml"])
        .args(["bindings/python/tests", "examples/python"])
        .arg("bindings/python/benches");
    run(&mut mypy)?;
    // Apart: a folder of tests has a `conftest` of its own.
    let mut mypy = environment.tool("mypy");
    mypy.args(["--config-file", "bindings/python/pyproject.toml"])
        .arg("bindings/python-testing/tests");
    run(&mut mypy)?;

    let mut counts = Counts::default();
    for package in PACKAGES {
        let before = counts;
        let mut pytest = environment.tool("pytest");
        pytest.arg("--config-file");
        pytest.arg(format!("{package}/pyproject.toml"));
        pytest.args(["--override-ini", "addopts="]);
        pytest.arg(format!("{package}/tests"));
        let passed = watch(&mut pytest, |line| add(&mut counts, line))?;
        if counts.passed == before.passed || (!passed && counts.failed == before.failed) {
            bail!("pytest did not come to an end in {package}");
        }
    }
    run(program(environment.bin("python")).arg("examples/python/first_message.py"))?;
    counts.passed += 1;
    Ok(Outcome::Counted(counts))
}

/// What the binding adds to a call, in a library as it ships. In an environment of its own: the tests keep
/// theirs.
pub(crate) fn bench(arguments: &[String]) -> Result<Outcome> {
    let Some(python) = tools::python() else {
        return Ok(Outcome::Skipped("needs Python 3.11 or newer".to_owned()));
    };
    let environment = environment(python, "python-bench")?;
    // Where both are installed the library of the second is used: only that one is built for release.
    for (package, profile) in PACKAGES.into_iter().zip(["dev", "release"]) {
        install(&environment, package, profile)?;
    }
    run(program(environment.bin("python"))
        .arg("bindings/python/benches/overhead.py")
        .args(arguments))?;
    Ok(Outcome::Passed)
}

pub(crate) struct Environment(PathBuf);

impl Environment {
    pub(crate) fn bin(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    pub(crate) fn tool(&self, name: &str) -> std::process::Command {
        program(self.bin(name))
    }
}

/// An environment with exactly the pinned tools.
pub(crate) fn environment(python: &str, name: &str) -> Result<Environment> {
    let requirements = root().join("bindings/python/requirements-dev.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let environment = Environment(target().join(name));
    let stamp = environment.0.join("requirements-dev.txt");
    if fs::read_to_string(&stamp).is_ok_and(|has| has == wanted) {
        return Ok(environment);
    }
    run(program(python)
        .args(["-m", "venv", "--clear"])
        .arg(&environment.0))
    .context("install python3-venv")?;
    run(program(environment.bin("python"))
        .args(["-m", "pip", "install", "--quiet"])
        .args([
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
            "-r",
        ])
        .arg(&requirements))
    .context("the tools cannot be installed: is the package registry reachable?")?;
    // Last: an environment without it is made anew.
    fs::write(stamp, wanted)?;
    Ok(environment)
}

/// Builds the wheel of a package and puts it into the environment.
fn install(environment: &Environment, package: &str, profile: &str) -> Result<()> {
    let wheel = build(environment, package, profile)?;
    run(program(environment.bin("python"))
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--force-reinstall"])
        .arg(wheel))
}

/// Builds the wheel of a package, and answers where it is.
pub(crate) fn build(environment: &Environment, package: &str, profile: &str) -> Result<PathBuf> {
    let wheels = wheels(package).join(profile);
    if wheels.exists() {
        fs::remove_dir_all(&wheels)?;
    }
    let mut maturin = environment.tool("maturin");
    // Where the `pyproject.toml` is: it names the crate and its features.
    maturin
        .args(["build", "--quiet", "--profile", profile, "--out"])
        .arg(&wheels)
        .current_dir(root().join(package));
    run(&mut maturin)?;
    wheel(&wheels)
}

/// Only the package for tests may have the relay in a box.
fn holds_testing(package: &str, expected: bool) -> Result<()> {
    // A wheel is compressed; what was installed from it is not.
    let native = if expected {
        "_native_testing"
    } else {
        "_native"
    };
    let folder = target().join("python/lib");
    let library = find(
        &folder,
        &format!("wardline/{native}/{}", bindings::file_name()),
    )
    .with_context(|| format!("{package} installs no native library"))?;
    let bytes = fs::read(&library)?;
    let word = b"uniffi_wardline_ffi_fn_constructor_testrelay";
    let found = bytes.windows(word.len()).any(|window| window == word);
    if found != expected {
        bail!("{package}: the feature `testing` is where it must not be, or missing");
    }
    Ok(())
}

fn find(folder: &Path, end: &str) -> Option<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(end) {
                return Some(path);
            }
        }
    }
    None
}

fn wheels(package: &str) -> PathBuf {
    let name = package.rsplit('/').next().unwrap_or(package);
    target().join("wheels").join(name)
}

fn wheel(folder: &Path) -> Result<PathBuf> {
    let mut wheels = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    wheels
        .find(|path| path.extension().is_some_and(|end| end == "whl"))
        .with_context(|| format!("no wheel in {}", folder.display()))
}

/// What the last line of pytest says, such as `2 failed, 40 passed, 1 skipped in 30.05s`.
fn add(counts: &mut Counts, line: &str) {
    if !line.contains(" in ") {
        return;
    }
    for part in line.trim_matches(['=', ' ']).split(',') {
        let mut words = part.split_whitespace();
        let (Some(number), Some(word)) = (words.next(), words.next()) else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        match word {
            "passed" => counts.passed += number,
            "failed" | "error" | "errors" => counts.failed += number,
            "skipped" | "deselected" | "xfailed" => counts.ignored += number,
            _ => {}
        }
    }
}

pub(crate) const PACKAGES: [&str; 2] = ["bindings/python", "bindings/python-testing"];

#[cfg(test)]
mod tests {
    use super::{Counts, add};

    #[test]
    fn the_last_line_of_pytest_is_counted() {
        let mut counts = Counts::default();
        for line in [
            "tests/test_errors.py::test_one PASSED",
            "==== 2 failed, 40 passed, 1 skipped, 3 warnings in 30.05s ====",
        ] {
            add(&mut counts, line);
        }
        let expected = Counts {
            passed: 40,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(counts, expected);
    }
}
