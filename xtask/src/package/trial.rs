//! Takes what was packaged the way a vendor does, away from the sources, and runs the smallest whole program with it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::{jars::Jars, swift::FOLDER};
use crate::{
    command::{program, read, root, run, target},
    report::say,
    swift::root::{self as debian, Found},
};

/// In a fresh environment: first the package of apps alone, which has nothing for tests.
pub(super) fn python(python: &str, [app, tests]: &[PathBuf; 2]) -> Result<usize> {
    let folder = fresh("python")?;
    let environment = folder.join("environment");
    run(program(python).args(["-m", "venv"]).arg(&environment))?;
    let bin = |name: &str| environment.join("bin").join(name);
    let install = |wheel: &Path| {
        let mut pip = program(bin("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]);
        run(pip.args(["--disable-pip-version-check"]).arg(wheel))
    };
    install(app)?;
    // Away from the sources: nothing of them is on the path.
    let says = read(
        program(bin("python"))
            .current_dir(&folder)
            .args(["-c", ALONE]),
    )?;
    ensure!(
        says.trim() == concat!(env!("CARGO_PKG_VERSION"), " False"),
        "the wheel for apps says \"{}\"",
        says.trim()
    );
    install(tests)?;
    let example = root().join("examples/python/first_message.py");
    run(program(bin("python"))
        .current_dir(&folder)
        .arg("-I")
        .arg(example))?;
    Ok(2)
}

/// With the jars of the repository in the place of those that Maven has built.
pub(super) fn kotlin(jars: &Jars) -> Result<usize> {
    let folder = fresh("kotlin")?;
    let others = jars.class_path.trim().split(':').filter(|path| {
        let name = Path::new(path)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        !name.starts_with("wardline")
    });
    let ours = jars.files.iter().chain([&jars.example]);
    let class_path: Vec<String> = ours
        .map(|path| path.display().to_string())
        .chain(others.map(str::to_owned))
        .collect();
    run(program("java").current_dir(&folder).args([
        "-cp",
        &class_path.join(":"),
        "FirstMessageKt",
    ]))?;
    Ok(jars.files.len())
}

/// In the folder with a Swift compiler: what apps link is built alone, then the example with what tests have on top.
pub(super) fn swift([app, tests]: &[PathBuf; 2]) -> Result<usize> {
    let debian = match debian::find_or_make()? {
        Found::Root(debian) => debian,
        Found::Missing(why) => {
            say(format_args!("the Swift archives were not tried: {why}"));
            return Ok(0);
        }
    };
    let inside = debian.inside(SWIFT);
    if inside.exists() {
        fs::remove_dir_all(&inside)?;
    }
    fs::create_dir_all(&inside)?;
    let unpack = |zip: &Path| {
        run(program("jar")
            .current_dir(&inside)
            .args(["--extract", "--file"])
            .arg(zip))
    };
    unpack(app)?;
    let package = format!("{SWIFT}/{FOLDER}");
    run(debian.enter(&package, &[]).args(["swift", "build"]))?;
    unpack(tests)?;
    let example = inside.join("example");
    fs::create_dir_all(example.join("Sources/FirstMessage"))?;
    let from = root().join("examples/swift/first-message");
    let source = "Sources/FirstMessage/FirstMessage.swift";
    fs::copy(from.join(source), example.join(source))?;
    let manifest = fs::read_to_string(from.join("Package.swift"))?;
    let manifest = manifest
        .replace("../../../bindings/swift", &format!("../{FOLDER}"))
        .replace("package: \"swift\"", &format!("package: \"{FOLDER}\""));
    fs::write(example.join("Package.swift"), manifest)?;
    let example = format!("{SWIFT}/example");
    run(debian
        .enter(&example, &[("WARDLINE_TESTING", "1")])
        .args(["swift", "run"]))?;
    fs::remove_dir_all(&inside).context("the folder of the trial")?;
    Ok(2)
}

fn fresh(name: &str) -> Result<PathBuf> {
    let folder = target().join("package/trial").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

const ALONE: &str =
    "from wardline import _bridge as it; print(it.library_version(), it.has_testing())";
const SWIFT: &str = "target/package/trial/swift";
