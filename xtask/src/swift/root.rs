//! A Debian folder with Swift in it, made once.
//!
//! Debian 13 packages a Swift compiler that needs newer libraries than this machine may have, so it is put into a
//! folder of its own and entered by `chroot`. The mirror is the machine's own.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{program, read, root as workspace, run, target},
    report::say,
};

pub(crate) enum Found {
    Root(Root),
    /// Why there is none, and what to do.
    Missing(String),
}

/// The folder.
pub(crate) struct Root(PathBuf);

impl Root {
    /// Where a folder of the repository is copied to: the same path, inside.
    pub(crate) fn inside(&self, folder: &str) -> PathBuf {
        let path = workspace().join(folder);
        self.0.join(path.strip_prefix("/").unwrap_or(&path))
    }

    /// A command in a folder of the repository; the caller adds which.
    ///
    /// Swift looks itself up in `/proc`, which is mounted for this command alone: nothing is left behind.
    pub(crate) fn enter(&self, folder: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = program("unshare");
        command.args(["--mount", "sh", "-c", ENTER]).arg(&self.0);
        let mut chdir = OsString::from("--chdir=");
        chdir.push(workspace().join(folder));
        command.args(["env", "-i"]).arg(chdir);
        command.args(["HOME=/root", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"]);
        command.arg("LD_LIBRARY_PATH=/usr/libexec/swift/lib/swift/linux");
        for (name, value) in variables {
            command.arg(format!("{name}={value}"));
        }
        command
    }
}

/// The folder that is there, or a new one: about two minutes and 2.6 GB.
pub(crate) fn find_or_make() -> Result<Found> {
    let folder = match env::var_os(VARIABLE) {
        Some(folder) => workspace().join(folder),
        None => target().join("swift/root"),
    };
    let missing = |why: &str| Ok(Found::Missing(format!("needs {why}")));
    if !cfg!(target_os = "linux") {
        return missing("Linux: elsewhere run `swift test` in bindings/swift (see its README)");
    }
    if read(program("id").arg("-u"))?.trim() != "0" {
        return missing("root, to enter a Debian folder with a Swift compiler by chroot");
    }
    let mut mount = program("unshare");
    mount.args(["--mount", "mount", "-t", "proc", "proc", "/proc"]);
    if !succeeds(&mut mount) {
        return missing("the right to mount /proc for a Swift compiler");
    }
    if !has_swift(&folder) {
        if !has("debootstrap") && !has("apt-get") {
            return missing("debootstrap, to make a Debian folder with a Swift compiler");
        }
        make(&folder)?;
    }
    Ok(Found::Root(Root(folder)))
}

fn make(folder: &Path) -> Result<()> {
    if !has("debootstrap") {
        run(program("apt-get").args(["update", "--quiet"]))?;
        run(program("apt-get").args(["install", "--yes", "--quiet", "debootstrap"]))?;
    }
    say(format_args!(
        "making {} with a Swift compiler (about two minutes and 2.6 GB, once)",
        folder.display()
    ));
    // Renamed when it is whole: a folder that was begun is made anew.
    let begun = folder.with_extension("new");
    let mirror = mirrors()
        .into_iter()
        .find(|mirror| {
            if begun.exists() && fs::remove_dir_all(&begun).is_err() {
                return false;
            }
            let mut debootstrap = program("debootstrap");
            debootstrap.args(["--variant=minbase", SUITE]).arg(&begun);
            // Not shown: a mirror's address may hold what only this machine should know.
            debootstrap.arg(mirror).stdout(Stdio::null());
            debootstrap.status().is_ok_and(|status| status.success())
        })
        .with_context(|| {
            format!(
                "no mirror among this machine's package sources has Debian {SUITE}: name one in {MIRROR}, \
                 or a folder that has Swift already in {VARIABLE}"
            )
        })?;
    drop(mirror);
    fs::write(begun.join("etc/apt/apt.conf.d/00host"), network()?)?;
    for arguments in [
        &[
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            "swiftlang",
            // What it links with, and whom a program trusts.
            "libc6-dev",
            "libstdc++-14-dev",
            "ca-certificates",
        ][..],
        &["clean"],
    ] {
        let mut apt = program("chroot");
        apt.arg(&begun).arg("apt-get").args(arguments);
        run(apt
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()))?;
    }
    if !has_swift(&begun) {
        bail!("Debian's package swiftlang brought no Swift");
    }
    fs::rename(begun, folder)?;
    Ok(())
}

/// Mirrors to try: what was asked for, or what this machine gets its own packages from.
fn mirrors() -> Vec<String> {
    if let Ok(mirror) = env::var(MIRROR) {
        return vec![mirror];
    }
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(folder) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(folder.flatten().map(|entry| entry.path()));
    }
    let mut mirrors = Vec::new();
    for text in files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
    {
        for mirror in addresses(&text) {
            if !mirrors.contains(&mirror) {
                mirrors.push(mirror);
            }
        }
    }
    mirrors
}

/// The addresses of Debian mirrors in a file of apt's, in either of its forms.
fn addresses(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| {
            ["deb ", "deb\t", "URIs:"]
                .iter()
                .any(|it| line.starts_with(it))
        })
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        .map(|word| word.trim_end_matches('/').to_owned())
        // Not the ones of other vendors, nor those with security updates only.
        .filter(|word| word.ends_with("/debian"))
        .collect()
}

/// How this machine reaches its mirror, for apt inside the folder.
fn network() -> Result<String> {
    if !has("apt-config") {
        return Ok(String::new());
    }
    let settings = read(program("apt-config").arg("dump"))?;
    let wanted = ["Acquire::http", "Acquire::https", "Acquire::Check"];
    let lines = settings
        .lines()
        .filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

fn has_swift(folder: &Path) -> bool {
    // Not followed: it is a link to what is only there inside.
    fs::symlink_metadata(folder.join("usr/bin/swift")).is_ok()
}

fn has(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

const ENTER: &str = r#"mount -t proc proc "$0/proc" && exec chroot "$0" "$@""#;
const SUITE: &str = "trixie";
/// A folder to use instead, for machines where several checkouts share one.
const VARIABLE: &str = "WARDLINE_SWIFT_ROOT";
/// A mirror to use instead, for machines that are not Debian.
const MIRROR: &str = "WARDLINE_DEBIAN_MIRROR";

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn mirrors_are_found_in_both_forms_of_apt() {
        let old = "# deb http://no.example/debian x main\n\
                   deb [arch=amd64] http://a.example/debian bookworm main\n\
                   deb http://a.example/debian-security bookworm-security main\n";
        assert_eq!(addresses(old), ["http://a.example/debian"]);
        let new = "Types: deb\nURIs: https://b.example/debian/\nSuites: bookworm\n";
        assert_eq!(addresses(new), ["https://b.example/debian"]);
    }
}
