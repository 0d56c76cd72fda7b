//! What a phone has to download: the library without HTTP, authority and testing, stripped, in bytes.
//!
//! `docs/size.json` has the size of each build that somebody recorded; the last one for this system is what a new build is
//! held against. How the library is built for phones stands here and in `[profile.phone]`: whoever packages
//! it calls [`phone_library`].
//!
//! Not its concern: what is in the library ([`crate::bindings`] looks), and how fast it is (the benches).

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    bindings,
    command::{cargo, program, read, root, run, target},
    report::{Outcome, say},
};

/// Builds it, and compares.
pub(crate) fn check() -> Result<Outcome> {
    let records = Records::read(&root())?;
    let library = phone_library()?;
    let stripped = library.with_extension("stripped");
    run(program("strip")
        .arg("-s")
        .arg("-o")
        .args([&stripped, &library]))
    .context("`strip` comes with the binutils of the C compiler")?;
    let bytes = fs::metadata(&stripped)?.len();
    let system = system()?;
    say(format_args!("{}: {bytes} bytes", stripped.display()));
    records.judge(&system, bytes)?;
    Ok(Outcome::Passed)
}

/// Builds the library as phones get it, with the symbols that the other languages are generated from.
pub(crate) fn phone_library() -> Result<PathBuf> {
    let perl = root().join("bindings/phone/openssl-perl");
    forget_another_openssl(&perl)?;
    run(cargo(["rustc", "--package", "wardline-ffi", "--lib"])
        .args(["--crate-type", "cdylib", "--profile", PROFILE])
        .env("OPENSSL_SRC_PERL", &perl)
        .env("CFLAGS", with_ours("CFLAGS", &C_FLAGS))
        .env(
            "LIBSQLITE3_FLAGS",
            with_ours("LIBSQLITE3_FLAGS", &SQLITE_FLAGS),
        ))?;
    Ok(target().join(PROFILE).join(bindings::file_name()))
}

/// Cargo does not know that this file decides what OpenSSL is.
fn forget_another_openssl(perl: &Path) -> Result<()> {
    let stamp = target().join(PROFILE).join("openssl-perl");
    let wanted = fs::read(perl)?;
    if fs::read(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    run(&mut cargo([
        "clean",
        "--profile",
        PROFILE,
        "--package",
        "openssl-sys",
    ]))?;
    fs::create_dir_all(target().join(PROFILE))?;
    Ok(fs::write(stamp, wanted)?)
}

fn with_ours(name: &str, ours: &[&str]) -> String {
    let theirs = env::var(name).unwrap_or_default();
    format!("{theirs} {}", ours.join(" ")).trim().to_owned()
}

fn system() -> Result<String> {
    let version = read(program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

/// What `docs/size.json` says, and the changelog.
struct Records {
    limit: u64,
    builds: Vec<Build>,
    changelog: String,
}

struct Build {
    system: String,
    bytes: u64,
    /// Words of the changelog that say why it has grown.
    changelog: Option<String>,
}

impl Records {
    fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(RECORDS)).context(RECORDS)?;
        let changelog = fs::read_to_string(root.join("CHANGELOG.md"))?;
        Self::parse(&text, changelog).with_context(|| format!("{RECORDS} is not understood"))
    }

    fn parse(text: &str, changelog: String) -> Result<Self> {
        let json: Value = serde_json::from_str(text)?;
        let builds = json["builds"].as_array().context("no builds")?;
        let builds = builds.iter().map(|build| {
            Ok(Build {
                system: build["system"].as_str().context("no system")?.to_owned(),
                bytes: build["bytes"].as_u64().context("no bytes")?,
                changelog: build["changelog"].as_str().map(str::to_owned),
            })
        });
        Ok(Self {
            limit: json["limit"].as_u64().context("no limit")?,
            builds: builds.collect::<Result<_>>()?,
            changelog,
        })
    }

    /// Nothing may grow unseen: neither from one record to the next, nor since the last one.
    fn judge(&self, system: &str, bytes: u64) -> Result<()> {
        if bytes > self.limit {
            bail!("{bytes} bytes are more than the limit of {}", self.limit);
        }
        let mut last: Option<u64> = None;
        for build in self.builds.iter().filter(|build| build.system == system) {
            let explained = build.changelog.as_ref().is_some_and(|words| {
                !words.trim().is_empty() && self.changelog.contains(words.as_str())
            });
            if last.is_some_and(|last| build.bytes > last + MOST_GROWTH) && !explained {
                bail!(
                    "{RECORDS} records {} bytes, more than {MOST_GROWTH} over the one before: give it \
                     \"changelog\" with words of the line in CHANGELOG.md that says why",
                    build.bytes
                );
            }
            last = Some(build.bytes);
        }
        let Some(last) = last else {
            say(format_args!("{RECORDS} has no build for {system} yet"));
            return Ok(());
        };
        if bytes > last + MOST_GROWTH {
            bail!(
                "the library has grown from {last} to {bytes} bytes: make it smaller, or say why in CHANGELOG.md \
                 and record it in {RECORDS}"
            );
        }
        Ok(())
    }
}

const PROFILE: &str = "phone";
const RECORDS: &str = "docs/size.json";
/// Bytes that nobody has to explain.
const MOST_GROWTH: u64 = 100_000;
/// Every function by itself, so that the linker drops what nobody calls; no tables for unwinding through C, which
/// nothing does: a panic ends before it would.
const C_FLAGS: [&str; 4] = [
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
];
/// Of SQLite's extensions we use full-text search 5 alone. That no library can be loaded into it is safer, too.
const SQLITE_FLAGS: [&str; 6] = [
    "-DSQLITE_OMIT_LOAD_EXTENSION",
    "-USQLITE_ENABLE_LOAD_EXTENSION",
    "-USQLITE_ENABLE_FTS3",
    "-USQLITE_ENABLE_FTS3_PARENTHESIS",
    "-USQLITE_ENABLE_RTREE",
    "-USQLITE_ENABLE_DBSTAT_VTAB",
];

#[cfg(test)]
mod tests {
    use super::Records;

    fn records(builds: &str) -> Records {
        let text = format!(r#"{{"limit": 8000000, "builds": [{builds}]}}"#);
        Records::parse(
            &text,
            "- The phone library carries maps now. (app)".to_owned(),
        )
        .unwrap()
    }

    const FIRST: &str = r#"{"system": "here", "bytes": 7000000}"#;

    #[test]
    fn a_build_may_grow_a_little_and_shrink_at_will() {
        let records = records(FIRST);
        records.judge("here", 7_100_000).unwrap();
        records.judge("here", 5_000_000).unwrap();
        records.judge("elsewhere", 7_900_000).unwrap();
    }

    #[test]
    fn a_build_that_grows_more_has_to_be_recorded() {
        records(FIRST).judge("here", 7_100_001).unwrap_err();
        records(FIRST).judge("elsewhere", 8_000_001).unwrap_err();
    }

    #[test]
    fn a_record_that_grows_needs_its_line_in_the_changelog() {
        let grown = |more: &str| {
            let second = format!(r#"{FIRST}, {{"system": "here", "bytes": 7500000{more}}}"#);
            records(&second).judge("here", 7_500_000)
        };
        grown("").unwrap_err();
        grown(r#", "changelog": "carries nothing""#).unwrap_err();
        grown(r#", "changelog": """#).unwrap_err();
        grown(r#", "changelog": "carries maps now""#).unwrap();
    }
}
