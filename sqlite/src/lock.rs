//! The lock file that processes sharing one database take per write transaction.
//!
//! SQLite has a write lock of its own; waiting for it means polling inside SQLite with a connection
//! half-way into a transaction. Queueing before `BEGIN` instead keeps that window closed: whoever
//! holds the file lock begins at once. It is never held between transactions, so a suspended phone
//! process holds none.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::Error;

/// A lock file beside a database that several processes open.
#[derive(Debug, Clone)]
pub struct FileLock {
    path: PathBuf,
    patience: Duration,
}

/// Held for one transaction; dropping it releases the lock.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

impl FileLock {
    /// Names the lock file; it is created on first use and never removed.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            patience: DEFAULT_PATIENCE,
        }
    }

    /// How long to wait for another process before giving up with [`Error::Busy`].
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Waits for the lock and holds it until the answer is dropped.
    ///
    /// Writers take it by themselves; this is for work on the file beside them (creating, rekeying).
    ///
    /// # Errors
    /// [`Error::Busy`] when another process kept it for longer than the patience.
    pub fn hold(&self) -> Result<Held, Error> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&self.path)?;
        #[allow(clippy::disallowed_methods)] // A wait between processes, not a time anybody reads.
        let deadline = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held { _file: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            #[allow(clippy::disallowed_methods)]
            if Instant::now() >= deadline {
                return Err(Error::Busy);
            }
            #[allow(clippy::disallowed_methods)] // The writer has a thread of its own to sleep on.
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);
