//! Small files that are either the old one or the new one, never half of each.
//!
//! What is in them is not this file's concern.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

/// The whole file, if it is at most `limit` bytes long.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] for a longer file.
pub(crate) fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(bytes)
}

/// Puts `bytes` in place of the file `name` in `dir`, durably and for this user's eyes only. After a
/// failure the old file is as it was.
///
/// The old file's bytes are left to the file system: overwriting them would pull them from under a
/// process that is reading them, and flash keeps them for a while whatever is written.
pub(crate) fn replace(_held: &Lock, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = dir.join(name);
    let fresh = dir.join(format!("{name}.tmp"));
    let written = write_new(&fresh, bytes).and_then(|()| fs::rename(&fresh, &path));
    if let Err(error) = written {
        // Whatever is left of it is no vault; the first error is the one worth telling.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    sync_dir(dir)
}

/// Overwrites and removes the file; fine when there is none.
pub(super) fn scrub(dir: &Path, name: &str) -> io::Result<()> {
    let path = dir.join(name);
    match OpenOptions::new().write(true).open(&path) {
        Ok(mut file) => {
            // Removing matters more than overwriting: it happens even where overwriting fails.
            let overwritten = overwrite(&mut file);
            fs::remove_file(&path)?;
            overwritten?;
            sync_dir(dir)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The right to write in a folder, held by one thread of one process at a time until dropped.
pub(crate) struct Lock {
    _file: File,
}

/// Waits for the right to write in `dir`; `name` is the empty file that carries the lock.
///
/// Hold it for file work only, never across a prompt, Argon2id or a host's callback: a phone's
/// operating system kills a suspended app that holds one in a shared container.
pub(crate) fn lock(dir: &Path, name: &str) -> io::Result<Lock> {
    let file = private(OpenOptions::new().create(true).truncate(false)).open(dir.join(name))?;
    file.lock()?;
    Ok(Lock { _file: file })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A file of this name is what a crash left behind: the lock is held, so nobody is writing it. It
    // is not reused: it might be a link to somewhere else, or open to other eyes.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private(OpenOptions::new().create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn overwrite(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(length), file)?;
    file.sync_all()
}

/// Opens for writing, and makes what is created readable by this user alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.write(true)
}

/// A rename is durable once the folder is; elsewhere than on Unix the file system sees to it.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}
