//! The steps of `cargo xtask test`, and the chores that are no part of it.
//!
//! Every step builds the same packages with the same features, so that nothing is compiled twice: `lint` and
//! `docs` share one set of checked dependencies, `tests` has its own because it needs code. `features` is
//! the exception on purpose: it builds what others link, and nothing else.

use std::{
    fs,
    io::{self, IsTerminal},
};

use anyhow::{Context, Result, bail};

use crate::{
    bindings,
    command::{cargo, program, read, root, run, watch},
    connect, house, kotlin, package, python,
    report::{Counts, Outcome},
    size, swift, tools,
};

#[derive(Clone, Copy)]
pub(crate) enum Step {
    Format,
    House,
    Deny,
    Papers,
    Lint,
    Docs,
    Features,
    Tests,
    Connect,
    Bindings,
    Python,
    Size,
    Kotlin,
    Swift,
}

impl Step {
    /// What `cargo xtask test` runs: what fails fastest comes first.
    pub(crate) const TEST: [Self; 14] = [
        Self::Format,
        Self::House,
        Self::Deny,
        Self::Papers,
        Self::Lint,
        Self::Docs,
        Self::Features,
        Self::Tests,
        Self::Connect,
        Self::Bindings,
        Self::Python,
        Self::Size,
        Self::Kotlin,
        Self::Swift,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::House => "house",
            Self::Deny => "deny",
            Self::Papers => "papers",
            Self::Lint => "lint",
            Self::Docs => "docs",
            Self::Features => "features",
            Self::Tests => "tests",
            Self::Connect => "connect",
            Self::Bindings => "bindings",
            Self::Python => "python",
            Self::Size => "size",
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
        }
    }

    /// `all`: nothing may be skipped.
    pub(crate) fn run(self, all: bool) -> Result<Outcome> {
        match self {
            Self::Format => format(),
            Self::House => house::check(),
            Self::Deny => deny(),
            // The packages themselves take too long for every change; what rots unseen is this.
            Self::Papers if all => package::check(),
            Self::Papers => Ok(Outcome::Skipped(
                "part of what is released: cargo xtask papers, or cargo xtask test --all"
                    .to_owned(),
            )),
            Self::Lint => lint(),
            Self::Docs => docs(),
            Self::Features => features(),
            Self::Tests => tests(None, all),
            Self::Connect => connect::check(),
            Self::Bindings => bindings::check(),
            Self::Python => python::check(),
            Self::Size if all => size::check(),
            Self::Size => Ok(Outcome::Skipped(
                "takes some minutes: cargo xtask size, or cargo xtask test --all".to_owned(),
            )),
            Self::Kotlin => kotlin::check(all),
            Self::Swift => swift::check(),
        }
    }
}

fn format() -> Result<Outcome> {
    run(&mut cargo(["fmt", "--all", "--", "--check"])).context("run `cargo xtask fmt`")?;
    Ok(Outcome::Passed)
}

pub(crate) fn fmt() -> Result<Outcome> {
    run(&mut cargo(["fmt", "--all"]))?;
    Ok(Outcome::Passed)
}

pub(crate) fn lint() -> Result<Outcome> {
    // `connect` is no test of a plain `cargo test`, so that "all targets" leaves it out.
    for targets in ["--all-targets", "--test=connect"] {
        run(&mut cargo([
            "clippy",
            "--workspace",
            targets,
            "--",
            "-D",
            "warnings",
        ]))?;
    }
    // No crate of the workspace switches these on: phones do not get them.
    run(&mut cargo([
        "clippy",
        "--package",
        "wardline-ffi",
        "--features",
        "http,authority,testing",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Outcome::Passed)
}

pub(crate) fn docs() -> Result<Outcome> {
    run(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

/// What does not change unless we change it. Advisories do: see [`advisories`].
pub(crate) fn deny() -> Result<Outcome> {
    tools::ensure_cargo_deny()?;
    run(&mut cargo([
        "deny",
        "--workspace",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    Ok(Outcome::Passed)
}

/// Not a part of `test`: the same commit must not pass today and fail tomorrow.
pub(crate) fn advisories() -> Result<Outcome> {
    tools::ensure_cargo_deny()?;
    run(&mut cargo([
        "deny",
        "--workspace",
        "--all-features",
        "check",
        "advisories",
    ]))
    .context(
        "fix what it names; when it could not fetch the database, try again with the network",
    )?;
    Ok(Outcome::Passed)
}

/// Backends link `wardline-org` alone and phones link `wardline` without its HTTP stack. In a build of the whole
/// workspace other crates switch these features on, and nobody would notice that they are needed.
pub(crate) fn features() -> Result<Outcome> {
    for package in ["wardline-org", "wardline", "wardline-ffi"] {
        run(&mut cargo(["check", "--package", package, "--lib"]))?;
        let tree = read(&mut cargo([
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
        ]))?;
        let linked = |name: &str| {
            tree.lines()
                .any(|line| line.split(' ').next() == Some(name))
        };
        if let Some(name) = NEVER_ON_PHONES.iter().find(|name| linked(name)) {
            bail!(
                "{package} without features links {name}: find it with `cargo tree -p {package} -i {name}`"
            );
        }
    }
    Ok(Outcome::Passed)
}

/// Unit, integration and documentation tests. Benches are built by `lint` and run by `bench` only.
pub(crate) fn tests(filter: Option<&str>, all: bool) -> Result<Outcome> {
    let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
    command.args(filter).arg("--");
    if io::stdout().is_terminal() {
        command.arg("--color=always");
    }
    let mut counts = Counts::default();
    let passed = watch(&mut command, |line| counts.add_line(line))?;
    if !passed && counts.failed == 0 {
        bail!("the tests do not build, or one of them ended the process");
    }
    if all && filter.is_none() && counts.passed == 0 {
        bail!("no test ran");
    }
    Ok(Outcome::Counted(counts))
}

pub(crate) fn fuzz(seconds: u64, only: &[String]) -> Result<Outcome> {
    tools::require_cargo_fuzz()?;
    let known = fuzz_targets()?;
    if let Some(unknown) = only.iter().find(|name| !known.contains(name)) {
        bail!(
            "there is no fuzz target {unknown}; there are {}",
            known.join(", ")
        );
    }
    let limit = format!("-max_total_time={seconds}");
    for target in known
        .iter()
        .filter(|name| only.is_empty() || only.contains(name))
    {
        // Finds go to a folder that is not committed; what is worth keeping is copied to the corpus by hand.
        let found = root().join("fuzz/target/found").join(target);
        fs::create_dir_all(&found)?;
        let mut command = program("cargo");
        command
            .args(["+nightly", "fuzz", "run", target])
            .arg(found)
            .arg(format!("fuzz/corpus/{target}"));
        run(command.args([
            "--",
            &limit,
            "-verbosity=0",
            "-print_funcs=0",
            "-print_final_stats=1",
            "-timeout=10",
            "-rss_limit_mb=2048",
        ]))?;
    }
    Ok(Outcome::Passed)
}

fn fuzz_targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for file in fs::read_dir(&folder).context("there are no fuzz targets")? {
        if let Some(name) = file?
            .file_name()
            .to_str()
            .and_then(|name| name.strip_suffix(".rs"))
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

pub(crate) fn bench(arguments: &[String]) -> Result<Outcome> {
    let mut command = cargo(["bench", "--package", "wardline-benches"]);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    run(&mut command)?;
    Ok(Outcome::Passed)
}

const NEVER_ON_PHONES: [&str; 7] = [
    "reqwest",
    "rustls",
    "jsonwebtoken",
    "axum",
    "hyper",
    "wardline-relay",
    "uniffi_bindgen",
];
