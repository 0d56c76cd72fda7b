//! The Kotlin packages as their users have them: jars with the native library inside, tests on them, the example.
//!
//! Built in the development profile: what is tested is the binding. What Maven fetches it keeps in its own
//! repository, so that the next run needs no network.

mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bindings::{self, Build, Profile},
    command::{program, root, run, target, watch},
    report::{Counts, Outcome},
    tools,
};

/// `all`: nothing may be skipped.
pub(crate) fn check(all: bool) -> Result<Outcome> {
    if let Err(missing) = tools::ensure_maven(all) {
        if all {
            bail!("{missing}");
        }
        return Ok(Outcome::Skipped(missing.to_string()));
    }
    prepare(&build(), bindings::library)?;
    prepare_phone()?;
    let undocumented = undocumented()?;
    ensure!(
        undocumented.is_empty(),
        "without KDoc:\n{}",
        undocumented.join("\n")
    );

    let mut counts = Counts::default();
    let mut maven = program("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--no-transfer-progress"])
        .args(["--file", "bindings/kotlin/pom.xml", "package"])
        .arg(format!("-Dwardline.build={}", build().display()))
        .arg("-Dstyle.color=never");
    // Classes whose sources are gone must not be in a jar, nor reports of tests that are gone in the count.
    for module in MODULES {
        for old in ["classes", "test-classes", "surefire-reports"] {
            let old = build().join(module).join(old);
            if old.exists() {
                fs::remove_dir_all(old)?;
            }
        }
    }
    let passed = watch(&mut maven, |_| {})?;
    let reports = build().join("wardline-tests/surefire-reports");
    for report in fs::read_dir(&reports).into_iter().flatten().flatten() {
        let text = fs::read_to_string(report.path()).unwrap_or_default();
        for line in text.lines() {
            add(&mut counts, line);
        }
    }
    if counts.passed == 0 || (!passed && counts.failed == 0) {
        bail!("the Kotlin packages do not build, or their tests did not come to an end");
    }
    hold_testing(&build())?;
    Ok(Outcome::Counted(counts))
}

/// What the packages add to a call, on a library as it ships. In a folder of its own: the tests keep theirs.
pub(crate) fn bench(arguments: &[String]) -> Result<Outcome> {
    if let Err(missing) = tools::ensure_maven(false) {
        return Ok(Outcome::Skipped(missing.to_string()));
    }
    let build = target().join("kotlin-bench");
    // Where both are there the library for tests is used: only that one is built for release.
    prepare(&build, |library| {
        let tests = library.has_testing;
        bindings::library(if tests { library.released() } else { library })
    })?;
    let mut maven = program("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--no-transfer-progress"])
        .args(["--file", "bindings/kotlin/pom.xml", "package"])
        .args([
            "--projects",
            "benches",
            "--also-make",
            "--activate-profiles",
        ])
        .arg("measure")
        .arg(format!("-Dwardline.build={}", build.display()))
        .arg(format!("-Dmeasure={}", arguments.join(" ")));
    run(&mut maven)?;
    Ok(Outcome::Passed)
}

/// Puts the native libraries, and the sources generated from them, where Maven looks below `build`.
pub(crate) fn prepare(build: &Path, library: impl Fn(Build) -> Result<PathBuf>) -> Result<()> {
    let shipped = library(SHIPPED)?;
    let shipped_source = bindings::kotlin(SHIPPED, &shipped)?;
    write(
        &build.join("generated/wardline/Generated.kt"),
        &sources::hidden(&shipped_source),
    )?;
    copy(&shipped, build, "wardline", LIBRARY)?;
    let bench = library(bindings::BENCH)?;
    let bench_source = bindings::kotlin(bindings::BENCH, &bench)?;
    let difference = sources::difference(&shipped_source, &bench_source, TESTING_LIBRARY)?;
    write(
        &build.join("generated/wardline-testing/GeneratedForTests.kt"),
        &difference,
    )?;
    copy(&bench, build, "wardline-testing", TESTING_LIBRARY)
}

/// The sources for what phones get, which is compiled and not packaged.
fn prepare_phone() -> Result<()> {
    let phone = bindings::library(bindings::PHONE)?;
    let source = bindings::kotlin(bindings::PHONE, &phone)?;
    write(
        &build().join("generated/wardline-phone/Generated.kt"),
        &sources::hidden(&source),
    )
}

/// Only when it is different: Maven compiles again what is newer.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("no folder")?)?;
    Ok(fs::write(path, text)?)
}

/// As small as what ships: without what only a debugger, or the generator, reads.
fn copy(library: &Path, build: &Path, package: &str, name: &str) -> Result<()> {
    let folder = build.join("native").join(package).join(platform()?);
    fs::create_dir_all(&folder)?;
    let file = folder.join(file_name(name));
    fs::copy(library, &file)?;
    if cfg!(target_os = "linux") {
        run(program("strip").arg("--strip-all").arg(&file))?;
    }
    Ok(())
}

/// How JNA calls this machine.
fn platform() -> Result<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        "windows" => "win32",
        other => bail!("no jar is made on {other}"),
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        "aarch64" => "aarch64",
        other => bail!("no jar is made on {other}"),
    };
    Ok(format!("{system}-{processor}"))
}

/// Only the jar for tests may have the relay in a box: neither its library nor its classes are in the other.
/// Answers where the jars were unpacked for it: a folder for each package.
pub(crate) fn hold_testing(build: &Path) -> Result<PathBuf> {
    holds_testing(build, "wardline", LIBRARY, false)?;
    holds_testing(build, "wardline-testing", TESTING_LIBRARY, true)?;
    Ok(build.join("unpacked"))
}

fn holds_testing(build: &Path, package: &str, library: &str, expected: bool) -> Result<()> {
    let jar = jar(build, package);
    let out = build.join("unpacked").join(package);
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    let mut unpack = program("jar");
    unpack.args(["--extract", "--file"]).arg(&jar);
    run(unpack.current_dir(&out)).with_context(|| format!("there is no {}", jar.display()))?;
    let native = out.join(platform()?).join(file_name(library));
    ensure!(native.exists(), "{} is not in its jar", native.display());
    match misplaced(&out, &native, expected)? {
        None => Ok(()),
        Some(file) => bail!(
            "{}: the feature `testing` is where it must not be, or missing",
            file.display()
        ),
    }
}

/// Where Maven puts the jar of a package.
pub(crate) fn jar(build: &Path, package: &str) -> PathBuf {
    let name = format!("{package}-{}.jar", env!("CARGO_PKG_VERSION"));
    build.join(package).join(name)
}

/// The first file that has the relay in a box and must not, or the library when it must and has not.
pub(crate) fn misplaced(folder: &Path, native: &Path, expected: bool) -> Result<Option<PathBuf>> {
    for file in files(folder)? {
        let bytes = fs::read(&file)?;
        for word in bindings::TESTING {
            let found = bindings::contains(&bytes, word.as_bytes());
            if found && !expected || !found && expected && file == native {
                return Ok(Some(file));
            }
        }
    }
    Ok(None)
}

fn file_name(library: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{library}{DLL_SUFFIX}")
}

/// Public declarations that nobody has described.
fn undocumented() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in ["wardline", "wardline-okhttp", "wardline-testing"] {
        for file in files(&root().join("bindings/kotlin").join(package).join("src"))? {
            let text = fs::read_to_string(&file)?;
            let mut described = false;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim();
                // A property of a constructor stands in the comment of its class.
                let property = line
                    .strip_prefix("public val ")
                    .and_then(|rest| rest.split_once(':'));
                let named = |name: &str| text.contains(&format!("@property {name} "));
                let described_above = property.is_some_and(|(name, _)| named(name));
                if line.starts_with("public ") && !described && !described_above {
                    found.push(format!("{}:{}: {line}", file.display(), number + 1));
                }
                described = line.ends_with("*/") || described && line.starts_with('@');
            }
        }
    }
    Ok(found)
}

pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// What a report of Surefire says, such as `Tests run: 12, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 3.2 s`.
fn add(counts: &mut Counts, line: &str) {
    let Some(rest) = line.strip_prefix("Tests run: ") else {
        return;
    };
    let numbers: Vec<u64> = rest
        .split(',')
        .take(4)
        .filter_map(|part| part.split(' ').next_back()?.parse().ok())
        .collect();
    if let [run, failures, errors, skipped] = numbers[..] {
        counts.passed += run.saturating_sub(failures + errors + skipped);
        counts.failed += failures + errors;
        counts.ignored += skipped;
    }
}

fn build() -> PathBuf {
    target().join("kotlin")
}

/// What the jar for apps, desktops and backends has. Phones get less: see `bindings/kotlin/ANDROID.md`.
pub(crate) const SHIPPED: Build = Build {
    name: "jvm",
    features: "http,authority",
    has_testing: false,
    profile: Profile::Dev,
};
const MODULES: [&str; 7] = [
    "wardline",
    "wardline-okhttp",
    "wardline-testing",
    "wardline-phone",
    "first-message",
    "wardline-tests",
    "wardline-benches",
];
const LIBRARY: &str = "wardline_ffi";
const TESTING_LIBRARY: &str = "wardline_ffi_testing";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Counts, add, bindings, misplaced};

    #[test]
    fn a_jar_with_the_wrong_library_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let native = folder.path().join("lib.so");
        let testing = bindings::TESTING.join("\0");
        for (library, class, expected, right) in [
            ("plain", "plain", false, true),
            (testing.as_str(), "plain", false, false),
            ("plain", testing.as_str(), false, false),
            (testing.as_str(), testing.as_str(), true, true),
            ("plain", testing.as_str(), true, false),
        ] {
            fs::write(&native, library).unwrap();
            fs::write(folder.path().join("Relay.class"), class).unwrap();
            let found = misplaced(folder.path(), &native, expected).unwrap();
            assert_eq!(found.is_none(), right, "{library} {class}");
        }
    }

    #[test]
    fn the_reports_of_surefire_add_up() {
        let mut counts = Counts::default();
        for line in [
            "Test set: dev.wardline.DeliveryTest",
            "Tests run: 12, Failures: 1, Errors: 2, Skipped: 3, Time elapsed: 3.2 s -- in dev.wardline.DeliveryTest",
            "Tests run: 4, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1 s -- in dev.wardline.HostTest",
        ] {
            add(&mut counts, line);
        }
        let expected = Counts {
            passed: 10,
            failed: 3,
            ignored: 3,
        };
        assert_eq!(counts, expected);
    }
}
