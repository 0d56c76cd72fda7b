//! The mark of a wipe: a small file beside the store, written before anything is erased.
//!
//! Until it is on disk the device is intact; from then on it is wiped, whatever happens to the process,
//! and whoever finds the mark erases what is left. It holds the order and the receipt, which the device
//! signed while it could, and no secret. Whoever can write it could as well delete the files it is about.
//!
//! Not its concern: whom to obey (`client`), and keys (`vault`).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use wardline_org::{
    Hash,
    wipe::{SignedWipeOrder, SignedWipeReceipt},
};
use wardline_proto::v1;

use super::{FILE_NAME, StoreError, hold, search};
use crate::vault::disk;

/// What is left of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    version: u32,
    /// The order's signed note.
    order: String,
    /// The encoded receipt and the device's signature, in hexadecimal digits.
    receipt: String,
    signature: String,
    /// The relay has the receipt.
    posted: bool,
}

impl Mark {
    pub(crate) fn new(order: &SignedWipeOrder, receipt: &SignedWipeReceipt) -> Self {
        let call = receipt.to_call();
        Self {
            version: VERSION,
            order: order.to_string(),
            receipt: hex::encode(call.receipt),
            signature: hex::encode(call.signature),
            posted: false,
        }
    }

    /// The mark in a folder; `None` when there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let bytes = match disk::read(&folder.join(MARK), MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wardline_sqlite::Error::from(error).into()),
        };
        let damaged = StoreError::Damaged { what: "wipe" };
        let mark: Self = serde_json::from_slice(&bytes).map_err(|_| damaged.clone())?;
        if mark.version == VERSION && mark.call().is_some() {
            Ok(Some(mark))
        } else {
            Err(damaged)
        }
    }

    /// Puts it in place, durably, all of it or nothing.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let lock = disk::lock(folder, LOCK).map_err(wardline_sqlite::Error::from)?;
        self.put(&lock, folder)
    }

    fn put(&self, held: &disk::Lock, folder: &Path) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(self);
        let bytes = bytes.map_err(|_| StoreError::Damaged { what: "wipe" })?;
        let written = disk::replace(held, folder, MARK, &bytes);
        Ok(written.map_err(wardline_sqlite::Error::from)?)
    }

    /// The mark in a folder, held still; `None` when there is none. Waits while another holds it.
    ///
    /// Whoever acts on a mark holds it from the look to the deed: between the two another process might
    /// post, take the mark away, and enroll another device there.
    pub(crate) fn hold(folder: &Path) -> Result<Option<HeldMark>, StoreError> {
        // Nothing is left beside a device that is well.
        if Self::read(folder)?.is_none() {
            return Ok(None);
        }
        let lock = disk::lock(folder, LOCK).map_err(wardline_sqlite::Error::from)?;
        Ok(Self::read(folder)?.map(|mark| HeldMark {
            mark,
            folder: folder.to_owned(),
            lock,
        }))
    }

    /// What the relay is still to be told; `None` when it has been.
    pub(crate) fn to_post(&self) -> Option<v1::ConfirmWipeRequest> {
        self.call().filter(|_| !self.posted)
    }

    fn call(&self) -> Option<v1::ConfirmWipeRequest> {
        Some(v1::ConfirmWipeRequest {
            receipt: hex::decode(&self.receipt).ok()?,
            signature: hex::decode(&self.signature).ok()?,
        })
    }
}

/// A mark that nobody else changes or takes away.
pub(crate) struct HeldMark {
    mark: Mark,
    folder: PathBuf,
    lock: disk::Lock,
}

impl HeldMark {
    /// Notes that the relay has this receipt, unless the mark is about another one.
    pub(crate) fn note_posted(mut self, receipt: u64) -> Result<(), StoreError> {
        if self.mark.call().is_none_or(|call| number(&call) != receipt) {
            return Ok(());
        }
        self.mark.posted = true;
        self.mark.put(&self.lock, &self.folder)
    }

    /// Takes it away if the relay has its receipt: the folder is free for another device. Answers whether
    /// it is.
    pub(crate) fn remove_if_posted(self) -> Result<bool, StoreError> {
        if !self.mark.posted {
            return Ok(false);
        }
        let removed = remove(&self.folder.join(MARK)).and_then(|()| disk::sync_dir(&self.folder));
        removed.map_err(wardline_sqlite::Error::from)?;
        Ok(true)
    }
}

/// Names a receipt for whoever carries it, the same in every process.
pub(crate) fn number(call: &v1::ConfirmWipeRequest) -> u64 {
    let hash = Hash::of(&call.receipt);
    let bytes = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    // Hosts keep it in whole numbers with a sign, too.
    u64::from_be_bytes(bytes) >> 1
}

/// Whether a store was wiped; once it was it stays so, also when another device has taken the folder.
#[derive(Debug)]
pub(super) struct Watch {
    mark: PathBuf,
    seen: AtomicBool,
}

impl Watch {
    pub(super) fn over(folder: &Path) -> Self {
        Self {
            mark: folder.join(MARK),
            seen: AtomicBool::new(false),
        }
    }

    /// Looks for the mark, which another process may have written.
    pub(super) fn look(&self) -> bool {
        // What cannot be told is not taken for a wipe: the database will say what is wrong.
        if self.is_known() || !self.mark.try_exists().unwrap_or(false) {
            return self.is_known();
        }
        self.remember();
        true
    }

    pub(super) fn remember(&self) {
        self.seen.store(true, Ordering::SeqCst);
    }

    /// Whether the mark was seen, without looking.
    pub(super) fn is_known(&self) -> bool {
        self.seen.load(Ordering::SeqCst)
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.look() {
            Err(StoreError::Wiped)
        } else {
            Ok(())
        }
    }
}

/// Removes every file of the store and what stands beside it; fine when there is none. Only lock files
/// and the mark stay. Nobody writes meanwhile.
///
/// They are removed, not overwritten: their keys are gone, flash keeps old pages whatever is written, and a
/// file that is cut short under another process's memory map would end that process.
pub(crate) fn erase(folder: &Path) -> Result<(), StoreError> {
    let _held = match hold(folder) {
        // No folder, no files.
        Err(StoreError::Sqlite(wardline_sqlite::Error::System(io::ErrorKind::NotFound))) => {
            return Ok(());
        }
        held => held?,
    };
    let databases = [FILE_NAME, search::FILE];
    let files = databases
        .iter()
        .flat_map(|name| SUFFIXES.map(|suffix| format!("{name}{suffix}")))
        .chain(BESIDE.map(str::to_owned));
    // On to the end, whatever fails on the way.
    let removed: Vec<io::Result<()>> = files.map(|name| remove(&folder.join(name))).collect();
    let removed: io::Result<()> = removed.into_iter().collect();
    let removed = removed.and_then(|()| disk::sync_dir(folder));
    Ok(removed.map_err(wardline_sqlite::Error::from)?)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

const MARK: &str = "wiped";
const LOCK: &str = "wiped.lock";
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// The marks of openings, and files that were being replaced.
const BESIDE: [&str; 3] = ["opening", "vault.tmp", "wiped.tmp"];
const VERSION: u32 = 1;
const MOST_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::fs::{File, TryLockError};

    use super::*;

    #[test]
    fn mark_stays_as_it_was_seen_until_what_follows_from_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mark = mark(1);
        mark.write(folder).unwrap();
        let another = File::open(folder.join(LOCK)).unwrap();
        let held = Mark::hold(folder).unwrap().unwrap();
        assert!(matches!(another.try_lock(), Err(TryLockError::WouldBlock)));
        held.note_posted(number(&mark.call().unwrap())).unwrap();
        assert_eq!(Mark::read(folder).unwrap().unwrap().to_post(), None);
        let held = Mark::hold(folder).unwrap().unwrap();
        assert!(matches!(another.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(held.remove_if_posted().unwrap());
        another.try_lock().unwrap();
        assert!(Mark::hold(folder).unwrap().is_none());
    }

    #[test]
    fn answer_to_another_receipt_posts_nothing_and_frees_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (older, newer) = (mark(1).call().unwrap(), mark(2));
        newer.write(folder).unwrap();
        let held = Mark::hold(folder).unwrap().unwrap();
        held.note_posted(number(&older)).unwrap();
        assert_eq!(Mark::read(folder).unwrap(), Some(newer));
        let held = Mark::hold(folder).unwrap().unwrap();
        assert!(!held.remove_if_posted().unwrap());
        assert!(Mark::read(folder).unwrap().is_some());
    }

    #[test]
    fn device_that_is_well_has_no_lock_file_of_a_wipe() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Mark::hold(folder.path()).unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let missing = folder.path().join("missing");
        assert!(Mark::hold(&missing).unwrap().is_none());
    }

    fn mark(receipt: u8) -> Mark {
        Mark {
            version: VERSION,
            order: "order".into(),
            receipt: hex::encode([receipt; 8]),
            signature: hex::encode([7; 64]),
            posted: false,
        }
    }
}
