//! The Swift package as its users build it: what a phone ships, the tests, the example.
//!
//! Swift comes from a Debian folder that is entered by `chroot` ([`root`]). The native library is built outside;
//! the package is copied to the same path inside, so that a compiler's message names a file that is there.
//!
//! Apple's platforms are not built here: `bindings/swift/APPLE.md` says how, and that nobody did it.

pub(crate) mod root;
pub(crate) mod stage;

use anyhow::{Result, bail};

use self::root::{Found, Root};
use crate::{
    bindings::{BENCH, PHONE},
    command::{root as workspace, run, watch},
    report::{Counts, Outcome},
};

pub(crate) fn check() -> Result<Outcome> {
    let root = match root::find_or_make()? {
        Found::Root(root) => root,
        Found::Missing(why) => return Ok(Outcome::Skipped(why)),
    };
    for build in [PHONE, BENCH] {
        stage::native(build)?;
    }
    for folder in [PACKAGE, EXAMPLE] {
        stage::mirror(&workspace().join(folder), &root.inside(folder))?;
    }

    // What an app ships. It has no product `WardlineTesting`, and its library nothing to make one from.
    run(&mut swift(&root, PACKAGE, Parts::Phone, &["build"]))?;
    let mut offered = swift(&root, PACKAGE, Parts::Phone, &["package", "describe"]);
    let mut has_testing = false;
    if !watch(&mut offered, |line| {
        has_testing |= line.contains("WardlineTesting");
    })? {
        bail!("the package does not describe itself");
    }
    if has_testing {
        bail!("the package that apps ship offers WardlineTesting");
    }

    // Nobody here can compile for Apple's platforms.
    let mut samples = root.enter(PACKAGE, &[]);
    samples.args(["swiftc", "-frontend", "-parse", "-swift-version", "6"]);
    run(samples.args(SAMPLES))?;

    let mut test = swift(
        &root,
        PACKAGE,
        Parts::Bench,
        &["test", "--disable-swift-testing"],
    );
    let mut counts = Counts::default();
    let passed = watch(&mut test, |line| add(&mut counts, line))?;
    if counts.passed == 0 || (!passed && counts.failed == 0) {
        bail!("the tests do not build, or one of them ended the process");
    }
    run(&mut swift(&root, EXAMPLE, Parts::Bench, &["run"]))?;
    counts.passed += 1;
    Ok(Outcome::Counted(counts))
}

/// What the package adds to a call, on a library as it ships.
pub(crate) fn bench(arguments: &[String]) -> Result<Outcome> {
    let root = match root::find_or_make()? {
        Found::Root(root) => root,
        Found::Missing(why) => return Ok(Outcome::Skipped(why)),
    };
    stage::native(BENCH.released())?;
    stage::mirror(&workspace().join(PACKAGE), &root.inside(PACKAGE))?;
    let measure = ["run", "--configuration", "release", "wardline-overhead"];
    run(swift(&root, PACKAGE, Parts::Bench, &measure).args(arguments))?;
    Ok(Outcome::Passed)
}

/// Which native library the package is built on.
#[derive(Clone, Copy)]
enum Parts {
    /// What an app ships.
    Phone,
    /// With the relay in a box.
    Bench,
}

/// A command of Swift's in a folder of the repository, each choice of parts with its own build folder.
fn swift(root: &Root, folder: &str, parts: Parts, arguments: &[&str]) -> std::process::Command {
    let (scratch, testing) = match parts {
        Parts::Phone => (".build/phone", "0"),
        Parts::Bench => (".build/bench", "1"),
    };
    let mut command = root.enter(folder, &[("WARDLINE_TESTING", testing)]);
    command.arg("swift").arg(arguments[0]);
    command.args(["--scratch-path", scratch]);
    command.args(&arguments[1..]);
    command
}

/// What XCTest says at the end of each suite; the last one is about all of them.
fn add(counts: &mut Counts, line: &str) {
    let Some(said) = line.trim().strip_prefix("Executed ") else {
        return;
    };
    let mut words = said.split_whitespace();
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok());
    let Some(executed) = number(words.next()) else {
        return;
    };
    let before = |word: &str| {
        let place = said.find(word)?;
        number(said.get(..place)?.split_whitespace().next_back())
    };
    let failed = before("failure").unwrap_or(0);
    let ignored = before("test skipped")
        .or_else(|| before("tests skipped"))
        .unwrap_or(0);
    *counts = Counts {
        passed: executed.saturating_sub(failed + ignored),
        failed,
        ignored,
    };
}

const PACKAGE: &str = "bindings/swift";
const SAMPLES: [&str; 2] = [
    "Samples/KeychainKeyStore.swift",
    "Samples/BackgroundCarrier.swift",
];
const EXAMPLE: &str = "examples/swift/first-message";

#[cfg(test)]
mod tests {
    use super::{Counts, add};

    #[test]
    fn the_last_suite_of_xctest_is_counted() {
        let mut counts = Counts::default();
        for line in [
            "Test Suite 'ErrorTests' passed at 2026-01-01 00:00:00.000",
            "\t Executed 6 tests, with 0 failures (0 unexpected) in 1.5 (1.5) seconds",
            "Test Suite 'All tests' failed at 2026-01-01 00:00:00.000",
            "\t Executed 40 tests, with 3 tests skipped and 2 failures (1 unexpected) in 9.1 (9.1) seconds",
        ] {
            add(&mut counts, line);
        }
        let expected = Counts {
            passed: 35,
            failed: 2,
            ignored: 3,
        };
        assert_eq!(counts, expected);
    }
}
