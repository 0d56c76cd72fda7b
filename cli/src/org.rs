//! `wardline org`: founding an organization on a machine that its operator trusts.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use wardline_org::{
    OrgId,
    authority::{Authority, Secrets},
};

use crate::exit::{self, Failure};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Found an organization: make its keys and its root document.
    #[command(after_long_help = EXAMPLES)]
    New(New),
}

/// Found an organization: make its keys and its root document.
///
/// Writes four files. `root.note` is public: relays are started with it, and apps pin its hash.
/// `authority.keys` signs the directory and belongs on the organization's backend. `root.keys` can replace
/// every other key: take it off this machine, encrypted, and keep it offline. `authority.state` is
/// where the backend begins. The key files are not encrypted.
#[derive(Args)]
pub(crate) struct New {
    /// The organization's name: 1 to 64 characters of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ORG")]
    name: OrgId,

    /// The folder to write to; it is made, and files that are there are never replaced.
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,

    /// How many root keys to make.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    root_keys: u8,

    /// How many of them must sign a new root document.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    threshold: u8,
}

const EXAMPLES: &str = "\
Example:
  wardline org new --name mercy --dir mercy --root-keys 3 --threshold 2
  wardline relay --data relay-data --root mercy/root.note";

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::New(new) => found(&new),
    }
}

fn found(new: &New) -> Result<(), Failure> {
    if new.threshold > new.root_keys {
        let message = "the threshold is higher than the number of root keys";
        return Err(Failure::new(exit::USAGE, message));
    }
    let other = |error: &dyn std::fmt::Display| Failure::new(exit::OTHER, error);
    let secrets = Secrets::generate(new.root_keys.into()).map_err(|error| other(&error))?;
    let authority = Authority::found(new.name.clone(), new.threshold.into(), &secrets)
        .map_err(|error| other(&error))?;
    let root = authority.signed_root().map_err(|error| other(&error))?;

    fs::create_dir_all(&new.dir).map_err(|error| cannot_write(&new.dir, &error))?;
    let write = |name: &str, bytes: &[u8], mode: u32| {
        let path = new.dir.join(name);
        write_new(&path, bytes, mode).map_err(|error| cannot_write(&path, &error))
    };
    write("root.keys", &secrets.to_bytes(), SECRET)?;
    write("authority.keys", &secrets.without_root().to_bytes(), SECRET)?;
    write("authority.state", &authority.snapshot(), SECRET)?;
    write("root.note", root.to_string().as_bytes(), PUBLIC)?;

    let _ = writeln!(
        io::stdout(),
        "founded {} in {}\npin in the apps: {}\nnext: take root.keys off this machine, then start \
         a relay with --root {}",
        new.name,
        new.dir.display(),
        authority.pin(),
        new.dir.join("root.note").display(),
    );
    Ok(())
}

/// Writes a file that is not there yet, all of it to the disk.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::doing(
        exit::DATA,
        format!("cannot write {}", path.display()),
        error,
    )
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;
