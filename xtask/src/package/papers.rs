//! What a package says about its contents: every part as CycloneDX, and the text of every license.
//!
//! Both are made for a crate of its own that depends on the surface with the features of the package: in the
//! workspace other crates switch on more, and the tools would name what does not ship. C code that crates carry
//! with them is invisible to the tools, so it stands here.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    bindings::Build,
    command::{cargo, program, read, root, run, target},
    tools,
};

/// Makes them for a build, and answers the folder: `LICENSE`, `THIRD-PARTY.txt`, `sbom.cdx.json`.
pub(super) fn make(build: Build) -> Result<PathBuf> {
    tools::ensure_cargo_about()?;
    tools::ensure_cargo_cyclonedx()?;
    let folder = target().join("package/papers").join(build.name);
    let manifest = manifest(&folder, build)?;
    let parts = CParts::find(&manifest)?;
    let papers = folder.join("papers");
    fs::create_dir_all(&papers)?;
    fs::write(papers.join(SBOM), sbom(&manifest, &parts)?)?;
    fs::write(papers.join(NOTICES), notices(&manifest, &parts)?)?;
    fs::copy(root().join(LICENSE), papers.join(LICENSE))?;
    Ok(papers)
}

/// A crate that links what the package links, locked as the workspace is.
fn manifest(folder: &Path, build: Build) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let version = env!("CARGO_PKG_VERSION");
    let features: Vec<&str> = build
        .features
        .split(',')
        .filter(|it| !it.is_empty())
        .collect();
    let manifest = format!(
        "[package]\nname = \"wardline-{}\"\nversion = \"{version}\"\nedition = \"2024\"\nlicense = \"Apache-2.0\"\n\
         publish = false\n\n[lib]\npath = \"lib.rs\"\n\n[dependencies.wardline-ffi]\npath = {:?}\nfeatures = {features:?}\n\n\
         [workspace]\n",
        build.name,
        root().join("bindings/ffi"),
    );
    fs::write(folder.join("lib.rs"), "")?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let path = folder.join("Cargo.toml");
    fs::write(&path, manifest)?;
    Ok(path)
}

fn sbom(manifest: &Path, parts: &[CPart]) -> Result<String> {
    let date = read(program("git").args(["log", "-1", "--format=%ct"]))?;
    let host = host()?;
    run(cargo([
        "cyclonedx",
        "--quiet",
        "--format",
        "json",
        "--spec-version",
        "1.5",
    ])
    .args([
        "--no-build-deps",
        "--target",
        &host,
        "--override-filename",
        "raw",
    ])
    .arg("--manifest-path")
    .arg(manifest)
    // The same commit makes the same file.
    .env("SOURCE_DATE_EPOCH", date.trim()))?;
    let raw = fs::read_to_string(manifest.with_file_name("raw.json"))?;
    let mut bom: Value = serde_json::from_str(&raw)?;
    let linked = linked(manifest)?;
    keep(&mut bom, &linked)?;
    add(&mut bom, parts)?;
    Ok(serde_json::to_string_pretty(&bom)? + "\n")
}

/// Name and version of every crate whose code is in the library. The list of cyclonedx has those as well that only
/// an unused feature would bring, and those that only run in the compiler.
fn linked(manifest: &Path) -> Result<BTreeSet<(String, String)>> {
    let tree = read(
        cargo(["tree", "--locked", "--edges", "normal,no-proc-macro"])
            .args(["--prefix", "none", "--format", "{p}", "--manifest-path"])
            .arg(manifest),
    )?;
    let lines = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        Some((name, words.next()?.trim_start_matches('v').to_owned()))
    });
    Ok(lines.collect())
}

/// Keeps what is linked, and no path of this machine.
fn keep(bom: &mut Value, linked: &BTreeSet<(String, String)>) -> Result<()> {
    if let Some(component) = bom["metadata"]["component"].as_object_mut() {
        component.remove("components");
    }
    // Of a random number, which would make every build another file.
    if let Some(bom) = bom.as_object_mut() {
        bom.remove("serialNumber");
    }
    let components = bom["components"].as_array_mut().context("no components")?;
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    components.retain(|it| linked.contains(&(text(it, "name"), text(it, "version"))));
    let mut kept: BTreeSet<String> = components.iter().map(|it| text(it, "bom-ref")).collect();
    kept.insert(text(&bom["metadata"]["component"], "bom-ref"));
    let dependencies = bom["dependencies"]
        .as_array_mut()
        .context("no dependencies")?;
    dependencies.retain(|it| kept.contains(&text(it, "ref")));
    for dependency in dependencies {
        if let Some(on) = dependency["dependsOn"].as_array_mut() {
            on.retain(|it| it.as_str().is_some_and(|it| kept.contains(it)));
        }
    }
    plain(bom);
    Ok(())
}

fn plain(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((_, rest)) = text.split_once("path+file://") {
                *text = rest.split_once('#').map_or(rest, |(_, id)| id).to_owned();
            } else if let Some((before, _)) = text.split_once("?download_url=file:") {
                *text = before.to_owned();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(plain),
        Value::Object(fields) => fields.values_mut().for_each(plain),
        _ => {}
    }
}

fn add(bom: &mut Value, parts: &[CPart]) -> Result<()> {
    let components = bom["components"].as_array_mut().context("no components")?;
    components.extend(parts.iter().map(|part| {
        json!({
            "type": "library",
            "bom-ref": format!("{}@{}", part.name, part.version),
            "name": part.name,
            "version": part.version,
            "description": format!("C code that the crate {} carries", part.krate),
            "scope": "required",
            "licenses": [{ "license": { "name": part.license } }],
            "purl": format!("pkg:generic/{}@{}", part.name.to_lowercase(), part.version),
        })
    }));
    Ok(())
}

fn notices(manifest: &Path, parts: &[CPart]) -> Result<String> {
    // The texts inside the crates are the ones that bind; nobody is asked for others.
    let mut about = cargo(["about", "generate", "--fail", "--frozen", "--config"]);
    about
        .arg(root().join("bindings/notices/about.toml"))
        .arg("--manifest-path")
        .arg(manifest)
        .arg(root().join("bindings/notices/about.hbs"));
    let mut text = read(&mut about)?;
    for part in parts {
        text += &format!(
            "\n{RULE}\n{}\n\n  {} {}, carried by the crate {}\n\n{}\n",
            part.license, part.name, part.version, part.krate, part.text
        );
    }
    text += &format!(
        "\n{RULE}\nMIT License or Apache License 2.0\n\n  the standard library of Rust {}\n",
        rust()?
    );
    Ok(text)
}

/// C code inside of a crate.
struct CPart {
    name: &'static str,
    krate: &'static str,
    version: String,
    license: &'static str,
    text: String,
}

struct CParts;

impl CParts {
    /// The first to read the manifest: cargo drops from the lock what this crate does not need.
    fn find(manifest: &Path) -> Result<Vec<CPart>> {
        let metadata =
            read(cargo(["metadata", "--format-version", "1", "--manifest-path"]).arg(manifest))?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let (sources, sqlite) = (
            krate(&metadata, "openssl-src")?,
            krate(&metadata, "libsqlite3-sys")?,
        );
        let amalgamation = fs::read_to_string(sqlite.folder.join("sqlcipher/sqlite3.c"))?;
        let openssl = sources
            .version
            .split_once('+')
            .context("OpenSSL has no version")?
            .1;
        Ok(vec![
            CPart {
                name: "OpenSSL",
                krate: "openssl-src",
                version: openssl.to_owned(),
                license: "Apache License 2.0",
                text: fs::read_to_string(sources.folder.join("openssl/LICENSE.txt"))?,
            },
            CPart {
                name: "SQLCipher",
                krate: "libsqlite3-sys",
                version: defined(&amalgamation, "CIPHER_VERSION_NUMBER")?,
                license: "BSD 3-Clause License",
                text: fs::read_to_string(sqlite.folder.join("sqlcipher/LICENSE"))?,
            },
            CPart {
                name: "SQLite",
                krate: "libsqlite3-sys",
                version: defined(&amalgamation, "SQLITE_VERSION")?,
                license: "public domain",
                text: blessing(&amalgamation)?,
            },
        ])
    }
}

struct Krate {
    folder: PathBuf,
    version: String,
}

fn krate(metadata: &Value, name: &str) -> Result<Krate> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let package = packages
        .iter()
        .find(|package| package["name"] == name)
        .with_context(|| {
            format!("{name} is not linked any more: correct xtask/src/package/papers.rs")
        })?;
    let manifest = package["manifest_path"].as_str().context("no manifest")?;
    Ok(Krate {
        folder: Path::new(manifest)
            .parent()
            .context("no folder")?
            .to_path_buf(),
        version: package["version"]
            .as_str()
            .context("no version")?
            .to_owned(),
    })
}

/// The value of a `#define`.
fn defined(source: &str, name: &str) -> Result<String> {
    let mut lines = source
        .lines()
        .filter_map(|line| line.strip_prefix("#define "));
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.with_context(|| format!("SQLite defines no {name}"))?;
    Ok(value.trim().trim_matches('"').to_owned())
}

/// What its authors put in the place of a license.
fn blessing(source: &str) -> Result<String> {
    let mut lines = source
        .lines()
        .skip_while(|line| !line.starts_with("** The author disclaims copyright"))
        .take_while(|line| line.starts_with("**") && !line.starts_with("***"))
        .map(|line| line.trim_start_matches('*').trim())
        .collect::<Vec<_>>();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    if lines.is_empty() {
        bail!("SQLite does not say any more that it is in the public domain");
    }
    Ok(lines.join("\n"))
}

fn host() -> Result<String> {
    rustc("host: ")
}

fn rust() -> Result<String> {
    rustc("release: ")
}

fn rustc(key: &str) -> Result<String> {
    let says = read(program("rustc").arg("-vV"))?;
    let value = says.lines().find_map(|line| line.strip_prefix(key));
    Ok(value.context("rustc does not say what it is")?.to_owned())
}

pub(super) const LICENSE: &str = "LICENSE";
pub(super) const NOTICES: &str = "THIRD-PARTY.txt";
pub(super) const SBOM: &str = "sbom.cdx.json";
const RULE: &str =
    "================================================================================";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{blessing, defined, keep};

    #[test]
    fn a_list_of_parts_has_what_is_linked_and_no_path_of_the_machine() {
        let mut bom = json!({
            "serialNumber": "urn:uuid:1",
            "metadata": { "component": { "bom-ref": "path+file:///home/me/x#us@1", "components": [] } },
            "components": [
                { "name": "kept", "version": "1.0", "bom-ref": "path+file:///home/me/w#kept@1.0",
                  "purl": "pkg:cargo/kept@1.0?download_url=file:///home/me/w" },
                { "name": "kept", "version": "2.0", "bom-ref": "two" },
            ],
            "dependencies": [
                { "ref": "path+file:///home/me/x#us@1", "dependsOn": ["path+file:///home/me/w#kept@1.0", "two"] },
                { "ref": "two" },
            ],
        });
        let linked = BTreeSet::from([("kept".to_owned(), "1.0".to_owned())]);
        keep(&mut bom, &linked).unwrap();
        let expected = json!({
            "metadata": { "component": { "bom-ref": "us@1" } },
            "components": [
                { "name": "kept", "version": "1.0", "bom-ref": "kept@1.0", "purl": "pkg:cargo/kept@1.0" },
            ],
            "dependencies": [{ "ref": "us@1", "dependsOn": ["kept@1.0"] }],
        });
        assert_eq!(bom, expected);
    }

    #[test]
    fn what_c_code_says_about_itself_is_read() {
        let source = "#define SQLITE_VERSION_NUMBER 3051003\n#define SQLITE_VERSION        \"3.51.3\"\n\
                      /*\n** 2001 September 15\n**\n** The author disclaims copyright to this source code.\n**\n\
                      **    May you do good and not evil.\n**\n*****\n";
        assert_eq!(defined(source, "SQLITE_VERSION").unwrap(), "3.51.3");
        let words = blessing(source).unwrap();
        assert!(words.ends_with("May you do good and not evil."), "{words}");
        defined(source, "CIPHER_VERSION_NUMBER").unwrap_err();
        blessing("").unwrap_err();
    }
}
