//! Putting together what SwiftPM builds: the native library, what was generated from it, and copies of folders.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result};

use crate::{
    bindings::{self, Build},
    command::root,
};

/// Builds the library and puts it into the package, with its header and the sources that were generated from it.
pub(super) fn native(build: Build) -> Result<()> {
    let library = bindings::library(build)?;
    native_in(&root().join("bindings/swift"), build, &library)
}

/// The same for a library that is built already, and any copy of the package.
pub(crate) fn native_in(package: &Path, build: Build, library: &Path) -> Result<()> {
    let generated = bindings::generate(build, library, "swift")?;
    let folder = package.join("native").join(build.name);
    let name = library.file_name().context("a library has a name")?;
    for (from, to) in [
        (library.to_path_buf(), folder.join("lib").join(name)),
        (
            generated.join("WardlineFFI.swift"),
            folder.join("WardlineFFI/WardlineFFI.swift"),
        ),
        (
            generated.join("CWardline.h"),
            folder.join("CWardline/CWardline.h"),
        ),
    ] {
        copy(&from, &to)?;
    }
    // Not the generated one: it names modules of Apple's, and does not link.
    write(
        &folder.join("CWardline/module.modulemap"),
        MODULE.as_bytes(),
    )
}

/// Makes a copy of a folder that has its files and no others, apart from build folders. What did not change is not
/// touched, so that it is not built again.
pub(crate) fn mirror(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut kept = BTreeSet::new();
    for entry in fs::read_dir(from).with_context(|| format!("there is no {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let copied = to.join(&name);
        if entry.file_type()?.is_dir() {
            mirror(&entry.path(), &copied)?;
        } else {
            copy(&entry.path(), &copied)?;
        }
        kept.insert(name);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let name = entry.file_name();
        // SwiftPM's own: `.build`, `.swiftpm`.
        if kept.contains(&name) || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if name != "Package.resolved" {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("there is no {}", from.display()))?;
    write(to, &bytes)
}

fn write(to: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

const MODULE: &str =
    "module CWardline {\n    header \"CWardline.h\"\n    link \"wardline_ffi\"\n    export *\n}\n";
