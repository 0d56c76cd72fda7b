//! The three jars in the layout of a Maven repository, each with its POM and a jar of its sources.
//!
//! The native library for this system is inside; a vendor who wants several systems in one jar adds folders to it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{inspect, library, papers};
use crate::{
    command::{program, root, run, target},
    kotlin::{self, jar},
};

/// Where they are, and the class path of the example that was compiled against them.
pub(super) struct Jars {
    pub(super) files: Vec<PathBuf>,
    pub(super) example: PathBuf,
    pub(super) class_path: String,
}

/// Builds them into a repository in a folder.
pub(super) fn make(out: &Path, shipped: &Path, bench: &Path) -> Result<Jars> {
    let build = target().join("package/build/kotlin");
    kotlin::prepare(&build, library)?;
    for package in PACKAGES {
        let classes = build.join(package).join("classes");
        if classes.exists() {
            fs::remove_dir_all(classes)?;
        }
    }
    let class_path = build.join("class-path");
    run(program("mvn")
        .args([
            "--quiet",
            "--batch-mode",
            "--no-transfer-progress",
            "--file",
            "bindings/kotlin/pom.xml",
        ])
        .args([
            "--projects",
            PROJECTS,
            "-Dstyle.color=never",
            "package",
            CLASS_PATH,
        ])
        .arg(format!("-Dwardline.build={}", build.display()))
        // Each project writes it; the example is the last.
        .arg(format!("-Dmdep.outputFile={}", class_path.display())))?;
    let [app, okhttp, tests] = PACKAGES;
    file_papers(&build, app, Some(shipped))?;
    file_papers(&build, okhttp, None)?;
    file_papers(&build, tests, Some(bench))?;
    let unpacked = kotlin::hold_testing(&build)?;
    inspect(&unpacked.join(app), false)?;
    inspect(&unpacked.join(tests), true)?;

    publish(out, PARENT, &root().join("bindings/kotlin/pom.xml"), "pom")?;
    let mut files = Vec::new();
    for package in PACKAGES {
        let folder = root().join("bindings/kotlin").join(package);
        publish(out, package, &folder.join("pom.xml"), "pom")?;
        files.push(publish(out, package, &jar(&build, package), "jar")?);
        let sources = build.join(package).join("sources.jar");
        run(&mut archive(
            "--create",
            &sources,
            &folder.join("src/main/kotlin"),
        ))?;
        let backend = folder.join("src/backend/kotlin");
        if backend.exists() {
            run(&mut archive("--update", &sources, &backend))?;
        }
        publish(out, package, &sources, "sources.jar")?;
    }
    Ok(Jars {
        files,
        example: jar(&build, "first-message"),
        class_path: fs::read_to_string(class_path)?,
    })
}

/// A jar without a native library links nothing of others: it has the license alone.
fn file_papers(build: &Path, package: &str, papers: Option<&Path>) -> Result<()> {
    let staged = build.join("papers").join(package);
    let folder = staged.join("META-INF");
    fs::create_dir_all(&folder)?;
    fs::copy(root().join(papers::LICENSE), folder.join(papers::LICENSE))?;
    if let Some(papers) = papers {
        for paper in [papers::NOTICES, papers::SBOM] {
            fs::copy(papers.join(paper), folder.join(paper))?;
        }
    }
    run(&mut archive("--update", &jar(build, package), &staged))
}

fn archive(how: &str, jar: &Path, folder: &Path) -> std::process::Command {
    let mut command = program("jar");
    command
        .args([how, "--file"])
        .arg(jar)
        .arg("-C")
        .arg(folder)
        .arg(".");
    command
}

/// Copies a file to where Maven looks for it.
fn publish(out: &Path, package: &str, file: &Path, kind: &str) -> Result<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let folder = out.join("dev/wardline").join(package).join(version);
    fs::create_dir_all(&folder)?;
    let separator = if kind.contains('.') { '-' } else { '.' };
    let published = folder.join(format!("{package}-{version}{separator}{kind}"));
    fs::copy(file, &published)?;
    Ok(published)
}

const PARENT: &str = "wardline-parent";
const PACKAGES: [&str; 3] = ["wardline", "wardline-okhttp", "wardline-testing"];
const PROJECTS: &str = ".,wardline,wardline-okhttp,wardline-testing,../../examples/kotlin";
const CLASS_PATH: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:build-classpath";
