//! The encrypted database of one client: how it is opened, written, read, closed.
//!
//! Every fact that belongs together changes in one job of the one writer ([`Store::write`]); jobs
//! that wait share a commit. Readers never wait for it. What the tables *mean* is the business of the
//! rooms above; this one knows the file, its key and its schema's versions.
//!
//! Not its concern: where the key comes from (`vault`), what is in a row.

pub(crate) mod cipher;
mod error;
mod schema;
#[cfg_attr(not(test), expect(dead_code, reason = "the client will hold it"))]
pub(crate) mod search;
pub(crate) mod wipe;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rusqlite::{Connection, OpenFlags};
use wardline_sqlite::{Companion, FileLock, Held, Readers, Slot, Work, Writer};

pub use error::StoreError;

use crate::{
    blocking::blocking,
    vault::{DatabaseKey, InboxSlot},
};

/// The open database, with the writer's companion of type `C`. Cloning shares it.
#[derive(Debug)]
pub(crate) struct Store<C> {
    writer: Writer<C>,
    readers: Readers,
    file: Arc<StoreFile>,
}

/// Where the file is and what opens it; read again at every (re)open, so that a new key takes.
#[derive(Debug)]
struct StoreFile {
    path: PathBuf,
    lock: FileLock,
    /// Nothing once the store has ended.
    key: RwLock<Option<DatabaseKey>>,
    wiped: wipe::Watch,
    /// How much of the file each connection keeps in memory, in KiB.
    cache: u32,
}

impl<C: Companion> Store<C> {
    /// Opens `store.db` in `folder`, creating it when there is none.
    ///
    /// Blocks on the disk; never call it on an async runtime's thread.
    pub(crate) fn open(folder: &Path, key: DatabaseKey, companion: C) -> Result<Self, StoreError> {
        Self::open_caching(folder, key, companion, CACHE)
    }

    /// [`Store::open`], with so many KiB of the file kept in memory by each connection.
    pub(crate) fn open_caching(
        folder: &Path,
        key: DatabaseKey,
        companion: C,
        cache: u32,
    ) -> Result<Self, StoreError> {
        let file = Arc::new(StoreFile {
            path: folder.join(FILE_NAME),
            lock: FileLock::new(folder.join(LOCK_NAME)),
            key: RwLock::new(Some(key)),
            wiped: wipe::Watch::over(folder),
            cache,
        });
        // Opened here first, so that a refusal keeps its own type.
        file.open_writer()?;
        let for_writer = Arc::clone(&file);
        let for_readers = Arc::clone(&file);
        let writer = Writer::spawn("wardline", Some(file.lock.clone()), companion, move || {
            for_writer.open_writer().map_err(StoreError::into_sqlite)
        })?;
        let readers =
            Readers::new(move || for_readers.open_reader().map_err(StoreError::into_sqlite));
        Ok(Self {
            writer,
            readers,
            file,
        })
    }

    /// Whether `folder` holds a database that anything was written to.
    pub(crate) fn exists(folder: &Path) -> Result<bool, StoreError> {
        match std::fs::metadata(folder.join(FILE_NAME)) {
            Ok(file) => Ok(file.len() > 0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(wardline_sqlite::Error::from(error).into()),
        }
    }

    /// Runs `job` in a transaction; answers when it is on disk. See [`Writer::write`].
    pub(crate) fn write<T, E>(
        &self,
        job: impl FnOnce(&mut Work<'_, C>) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<StoreError> + From<wardline_sqlite::Error> + Send + 'static,
    {
        let answer = Slot::default();
        let place = answer.clone();
        let job: Job<C, E> = Box::new(move |work| {
            place.put(job(work)?);
            Ok(())
        });
        answer.after(self.write_boxed(job))
    }

    /// Runs `query` beside the writer, on a thread that may block.
    pub(crate) fn read<T, E>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<StoreError> + From<wardline_sqlite::Error> + Send + 'static,
    {
        let answer = Slot::default();
        let place = answer.clone();
        let query: Query<E> = Box::new(move |connection| {
            place.put(query(connection)?);
            Ok(())
        });
        answer.after(self.read_boxed(query))
    }

    /// Compiled once, and not for every job that there is.
    async fn write_boxed<E>(&self, job: Job<C, E>) -> Result<(), E>
    where
        E: From<StoreError> + From<wardline_sqlite::Error> + Send + 'static,
    {
        self.file.wiped.check()?;
        let file = Arc::clone(&self.file);
        let written = self.writer.write(move |work| {
            // Looked at once more with the lock held: after the mark of a wipe nobody commits anything.
            file.wiped.check()?;
            job(work)
        });
        self.told(written.await)
    }

    async fn read_boxed<E>(&self, query: Query<E>) -> Result<(), E>
    where
        E: From<StoreError> + From<wardline_sqlite::Error> + Send + 'static,
    {
        self.file.wiped.check()?;
        let readers = self.readers.clone();
        self.told(blocking(move || readers.read(query)).await)
    }

    /// [`Store::read`] for threads that may block.
    pub(crate) fn read_blocking<T, E: From<wardline_sqlite::Error>>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.readers.read(query)
    }

    /// Leaves nothing in the file and its log of what was overwritten or deleted. See
    /// [`Writer::empty_log`].
    pub(crate) async fn empty_log(&self) -> Result<(), StoreError> {
        Ok(self.writer.empty_log().await?)
    }

    /// Finishes what is queued and lets go of the file, so that a phone may suspend the process.
    pub(crate) async fn suspend(&self) -> Result<(), StoreError> {
        self.readers.suspend();
        self.told(self.writer.suspend().await.map_err(StoreError::from))
    }

    /// Takes the file up again.
    pub(crate) async fn resume(&self) -> Result<(), StoreError> {
        let resumed = self.writer.resume().await;
        self.told(resumed.map_err(StoreError::from))?;
        self.readers.resume();
        Ok(())
    }

    /// Finishes what is queued and closes for good.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.readers.close();
        Ok(self.writer.close().await?)
    }

    /// Closes for good and forgets the key, for a store that was wiped.
    pub(crate) async fn end(&self) {
        self.file.wiped.remember();
        // What refuses to close is unlinked all the same.
        let _ = self.close().await;
        let key = &self.file.key;
        *key.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether the device was wiped, by whichever process.
    pub(crate) fn is_wiped(&self) -> bool {
        self.file.wiped.look()
    }

    /// The same as far as it is known here, without looking at the disk.
    pub(crate) fn is_known_wiped(&self) -> bool {
        self.file.wiped.is_known()
    }

    /// That the device was wiped says more than that its store is closed.
    fn told<T, E: From<StoreError>>(&self, outcome: Result<T, E>) -> Result<T, E> {
        match outcome {
            Err(_) if self.is_wiped() => Err(StoreError::Wiped.into()),
            outcome => outcome,
        }
    }

    /// Encrypts the whole file anew under the key that `stage` answers, and tells `settle` with which
    /// key the file opens then, whatever the rewriting answered. It is not called when neither does, or
    /// when that cannot be told.
    ///
    /// SQLCipher rewrites every page in one transaction: a process killed meanwhile leaves the old
    /// key valid. No other process decides on a key meanwhile ([`hold`]).
    pub(crate) async fn rekey<E>(
        &self,
        stage: impl FnOnce() -> Result<DatabaseKey, E> + Send + 'static,
        settle: impl FnOnce(InboxSlot) -> Result<(), E> + Send + 'static,
    ) -> Result<(), E>
    where
        E: From<StoreError> + From<wardline_sqlite::Error> + Send + 'static,
    {
        self.suspend().await?;
        let file = Arc::clone(&self.file);
        let changed = blocking(move || file.rekey(stage, settle)).await;
        // Whether the file can be taken up again says nothing of its key.
        let resumed = self.resume().await;
        changed?;
        Ok(resumed?)
    }
}

/// A job and a query whose answers are left in a [`Slot`].
type Job<C, E> = Box<dyn FnOnce(&mut Work<'_, C>) -> Result<(), E> + Send>;
type Query<E> = Box<dyn FnOnce(&Connection) -> Result<(), E> + Send>;

/// Holds the store's file against every process that writes it or changes its key.
pub(crate) fn hold(folder: &Path) -> Result<Held, StoreError> {
    Ok(FileLock::new(folder.join(LOCK_NAME)).hold()?)
}

/// Which of two keys opens the store in `folder`.
pub(crate) fn fitting(
    folder: &Path,
    current: &DatabaseKey,
    staged: &DatabaseKey,
) -> Result<InboxSlot, StoreError> {
    slot_of(&folder.join(FILE_NAME), current, staged)
}

fn slot_of(
    path: &Path,
    current: &DatabaseKey,
    staged: &DatabaseKey,
) -> Result<InboxSlot, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match cipher::open(path, flags, current) {
        Ok(_) => Ok(InboxSlot::Current),
        Err(StoreError::WrongKey) => {
            cipher::open(path, flags, staged)?;
            Ok(InboxSlot::Staged)
        }
        Err(doubt) => Err(doubt),
    }
}

impl<C> Clone for Store<C> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            file: Arc::clone(&self.file),
        }
    }
}

impl StoreFile {
    fn open_writer(&self) -> Result<Connection, StoreError> {
        // Two processes that open a new folder together must not both create the schema.
        let _held = self.lock.hold()?;
        // A file made now would outlive the wipe.
        self.wiped.check()?;
        let mut connection =
            self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A power cut must not roll a ratchet back (rule 2).
        connection.pragma_update(None, "synchronous", "FULL")?;
        #[cfg(target_vendor = "apple")]
        connection.execute_batch("PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1")?;
        connection.execute_batch("PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        schema::migrate(&mut connection)?;
        Ok(connection)
    }

    fn open_reader(&self) -> Result<Connection, StoreError> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        let key = key.as_ref().ok_or(StoreError::Wiped)?;
        let connection = cipher::open(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX, key)?;
        // A negative number is KiB, a positive one pages.
        connection.pragma_update(None, "cache_size", -i64::from(self.cache))?;
        Ok(connection)
    }

    fn rekey<E: From<StoreError>>(
        &self,
        stage: impl FnOnce() -> Result<DatabaseKey, E>,
        settle: impl FnOnce(InboxSlot) -> Result<(), E>,
    ) -> Result<(), E> {
        let _held = self.lock.hold().map_err(StoreError::from)?;
        let staged = stage()?;
        let rewritten = self.rewrite(&staged);
        let slot = {
            let current = self.key.read().unwrap_or_else(PoisonError::into_inner);
            slot_of(
                &self.path,
                current.as_ref().ok_or(StoreError::Wiped)?,
                &staged,
            )
        };
        match (slot, rewritten) {
            (Ok(InboxSlot::Staged), _) => {
                *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(staged);
                settle(InboxSlot::Staged)
            }
            (Ok(InboxSlot::Current), rewritten) => {
                settle(InboxSlot::Current)?;
                Ok(rewritten?)
            }
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error.into()),
        }
    }

    fn rewrite(&self, key: &DatabaseKey) -> Result<(), StoreError> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        cipher::rekey(&connection, key)
    }
}

/// A database in memory with the newest schema, for tests that only need tables.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch("PRAGMA foreign_keys = ON")?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

const FILE_NAME: &str = "store.db";
const LOCK_NAME: &str = "store.lock";
/// What SQLite keeps by itself, in KiB.
pub(crate) const CACHE: u32 = 2000;
/// Enough for every statement the engine uses.
const STATEMENTS: usize = 128;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) mod tests_support {
    //! A bare connection with the newest schema, for rooms that only need tables.

    use super::*;

    pub(crate) fn connection(folder: &Path) -> Connection {
        let key = DatabaseKey::for_tests(1);
        let file = StoreFile {
            path: folder.join(FILE_NAME),
            lock: FileLock::new(folder.join(LOCK_NAME)),
            key: RwLock::new(Some(key)),
            wiped: wipe::Watch::over(folder),
            cache: CACHE,
        };
        #[allow(clippy::unwrap_used, reason = "a test may fail")]
        file.open_writer().unwrap()
    }
}
