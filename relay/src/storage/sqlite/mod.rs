//! [`SqliteStorage`]: the embedded storage, one file, nothing to administer.
//!
//! Every write is a job of the one writer thread, whose jobs share commits; reads run on their own
//! connections beside it. The SQL is in the sibling files, one per part of the trait, as plain functions
//! over a connection.

mod directory;
mod expiry;
mod held;
mod keys;
mod mailbox;
mod push;
mod put;
mod reach;
mod release;
mod row;
mod schema;
mod send;
mod wipes;

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use fail::fail_point;
use rusqlite::{Connection, OpenFlags};
use wardline_org::{DeviceId, EnvelopeId, OrgId, Timestamp, push::PushRegistration};
use wardline_proto::Bytes;
use wardline_sqlite::{NoCompanion, Readers, Writer};

use super::{
    Acknowledgement, CallMark, ClaimedPrekey, Cutoffs, EnrollOutcome, Expired, HeldAnswer,
    HeldOutcome, HeldRef, HeldTier, KeyClaim, KeyUpload, MailboxPage, NewAvailability,
    NewEnrollment, NewWipe, OrgKey, PendingEnrollment, Publication, PushTarget, ReceiveQuery,
    ReleaseBatch, Released, SendAnswer, SendBatch, Storage, StorageError, StoredDeposit,
    StoredDirectory, StoredKey, StoredWipe, UploadOutcome, Usage, WipeConfirmation,
};

/// A relay's state in one folder on this machine.
///
/// The folder belongs to one process at a time: a second relay on the same folder is refused.
///
/// ```
/// use wardline_relay::{SqliteStorage, storage::Storage};
///
/// # let dir = tempfile::tempdir()?;
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let storage = SqliteStorage::open(dir.path())?;
/// let mercy = storage.organization(&"mercy".parse()?).await?;
/// assert!(storage.directory(mercy).await?.heads.is_empty());
/// storage.close().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteStorage {
    writer: Writer<NoCompanion>,
    readers: Readers,
    /// Held until the storage is closed.
    lock: Mutex<Option<File>>,
}

impl SqliteStorage {
    /// Opens the storage in a folder, and makes both when they are not there. An older database is
    /// brought up to date first.
    ///
    /// # Errors
    /// [`StorageError::Busy`] when another process has it open, [`StorageError::ReadOnly`] when the folder
    /// cannot be written, [`StorageError::Newer`] when a newer build wrote it.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StorageError> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(wardline_sqlite::Error::from)?;
        let lock = lock_folder(folder)?;
        let path: Arc<Path> = Arc::from(folder.join(FILE));
        schema::migrate(&mut open_for_writing(&path)?)?;

        let to_write = Arc::clone(&path);
        let writer = Writer::spawn("relay", None, NoCompanion, move || {
            open_for_writing(&to_write)
        })?;
        let readers = Readers::new(move || open_for_reading(&path));
        Ok(Self {
            writer,
            readers,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// The file inside a folder.
    pub fn file(folder: impl AsRef<Path>) -> PathBuf {
        folder.as_ref().join(FILE)
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.writer.write(move |work| job(work.connection)).await
    }

    /// Reads off the async threads: a cold page is a disk access.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || readers.read(query))
            .await
            .unwrap_or(Err(StorageError::Closed))
    }
}

#[async_trait]
impl Storage for SqliteStorage {
    async fn organization(&self, org: &OrgId) -> Result<OrgKey, StorageError> {
        let org = org.clone();
        self.write(move |db| directory::organization(db, &org))
            .await
    }

    async fn directory(&self, org: OrgKey) -> Result<StoredDirectory, StorageError> {
        self.read(move |db| directory::load(db, org)).await
    }

    async fn add_roots(&self, org: OrgKey, roots: Vec<(u64, String)>) -> Result<(), StorageError> {
        self.write(move |db| directory::add_roots(db, org, &roots))
            .await
    }

    async fn publish(&self, org: OrgKey, publication: Publication) -> Result<bool, StorageError> {
        let done = self
            .write(move |db| {
                let done = directory::publish(db, org, &publication)?;
                fail_point!("relay::publish::before_commit");
                Ok(done)
            })
            .await;
        fail_point!("relay::publish::after_commit");
        done
    }

    async fn enroll(
        &self,
        org: OrgKey,
        enrollment: NewEnrollment,
    ) -> Result<EnrollOutcome, StorageError> {
        let outcome = self
            .write(move |db| {
                let outcome = directory::enroll(db, org, &enrollment)?;
                fail_point!("relay::enroll::before_commit");
                Ok(outcome)
            })
            .await;
        fail_point!("relay::enroll::after_commit");
        outcome
    }

    async fn enrollments(
        &self,
        org: OrgKey,
        after: u64,
        max: u32,
    ) -> Result<Vec<PendingEnrollment>, StorageError> {
        self.read(move |db| directory::enrollments(db, org, after, max))
            .await
    }

    async fn order_wipe(&self, org: OrgKey, wipe: NewWipe) -> Result<(), StorageError> {
        let done = self
            .write(move |db| {
                wipes::order(db, org, &wipe)?;
                fail_point!("relay::wipe_order::before_commit");
                Ok(())
            })
            .await;
        fail_point!("relay::wipe_order::after_commit");
        done
    }

    async fn confirm_wipe(
        &self,
        org: OrgKey,
        confirmation: WipeConfirmation,
    ) -> Result<(), StorageError> {
        let done = self
            .write(move |db| {
                wipes::confirm(db, org, &confirmation)?;
                fail_point!("relay::wipe_receipt::before_commit");
                Ok(())
            })
            .await;
        fail_point!("relay::wipe_receipt::after_commit");
        done
    }

    async fn wipes(
        &self,
        org: OrgKey,
        after: u64,
        max: u32,
    ) -> Result<Vec<StoredWipe>, StorageError> {
        self.read(move |db| wipes::list(db, org, after, max)).await
    }

    async fn upload_keys(
        &self,
        org: OrgKey,
        device: DeviceId,
        upload: KeyUpload,
    ) -> Result<UploadOutcome, StorageError> {
        let outcome = self
            .write(move |db| {
                let outcome = keys::upload(db, org, device, &upload)?;
                fail_point!("relay::upload::before_commit");
                Ok(outcome)
            })
            .await;
        fail_point!("relay::upload::after_commit");
        outcome
    }

    async fn claim_keys(
        &self,
        org: OrgKey,
        claim: KeyClaim,
    ) -> Result<Vec<ClaimedPrekey>, StorageError> {
        let keys = self
            .write(move |db| {
                let keys = keys::claim(db, org, &claim)?;
                fail_point!("relay::claim::before_commit");
                Ok(keys)
            })
            .await;
        fail_point!("relay::claim::after_commit");
        keys
    }

    async fn hold_keys(
        &self,
        org: OrgKey,
        devices: Vec<DeviceId>,
    ) -> Result<Vec<(DeviceId, StoredKey)>, StorageError> {
        self.read(move |db| keys::hold(db, org, &devices)).await
    }

    async fn send(&self, org: OrgKey, batch: SendBatch) -> Result<SendAnswer, StorageError> {
        let answer = self
            .write(move |db| {
                let answer = send::send(db, org, &batch)?;
                fail_point!("relay::send::before_commit");
                Ok(answer)
            })
            .await;
        fail_point!("relay::send::after_commit");
        answer
    }

    async fn held_due(
        &self,
        org: OrgKey,
        now: Timestamp,
        max: u32,
    ) -> Result<Vec<HeldTier>, StorageError> {
        self.read(move |db| held::due_tiers(db, org, now, max))
            .await
    }

    async fn next_due(&self, org: OrgKey) -> Result<Option<Timestamp>, StorageError> {
        self.read(move |db| held::next_due(db, org)).await
    }

    async fn release(
        &self,
        org: OrgKey,
        batch: ReleaseBatch,
    ) -> Result<Vec<Option<Released>>, StorageError> {
        let released = self
            .write(move |db| {
                let released = release::release(db, org, &batch)?;
                fail_point!("relay::release::before_commit");
                Ok(released)
            })
            .await;
        fail_point!("relay::release::after_commit");
        released
    }

    async fn deposit(
        &self,
        org: OrgKey,
        held: HeldRef,
    ) -> Result<Option<StoredDeposit>, StorageError> {
        self.read(move |db| held::read(db, org, held)).await
    }

    async fn answer_held(
        &self,
        org: OrgKey,
        answer: HeldAnswer,
    ) -> Result<HeldOutcome, StorageError> {
        let outcome = self
            .write(move |db| {
                let outcome = release::answer(db, org, &answer)?;
                fail_point!("relay::answer_held::before_commit");
                Ok(outcome)
            })
            .await;
        fail_point!("relay::answer_held::after_commit");
        outcome
    }

    async fn receive(&self, org: OrgKey, query: ReceiveQuery) -> Result<MailboxPage, StorageError> {
        let query = Arc::new(query);
        let asked = Arc::clone(&query);
        let seen = self.read(move |db| mailbox::look(db, org, &asked)).await?;
        let page = match seen {
            mailbox::Look::Settled(page) => return Ok(page),
            mailbox::Look::Untouched => None,
            mailbox::Look::Fresh(page) => Some(page),
        };
        let page = self
            .write(move |db| {
                let page = mailbox::hand_out(db, org, &query, page)?;
                fail_point!("relay::receive::before_commit");
                Ok(page)
            })
            .await;
        fail_point!("relay::receive::after_commit");
        page
    }

    async fn acknowledge(&self, org: OrgKey, receipt: Acknowledgement) -> Result<(), StorageError> {
        let done = self
            .write(move |db| {
                mailbox::acknowledge(db, org, &receipt)?;
                fail_point!("relay::acknowledge::before_commit");
                Ok(())
            })
            .await;
        fail_point!("relay::acknowledge::after_commit");
        done
    }

    async fn withdraw(
        &self,
        org: OrgKey,
        sender: DeviceId,
        envelope: EnvelopeId,
    ) -> Result<Vec<DeviceId>, StorageError> {
        let devices = self
            .write(move |db| {
                let devices = mailbox::withdraw(db, org, sender, envelope)?;
                fail_point!("relay::withdraw::before_commit");
                Ok(devices)
            })
            .await;
        fail_point!("relay::withdraw::after_commit");
        devices
    }

    async fn checkpoint(
        &self,
        org: OrgKey,
        device: DeviceId,
        counter: u64,
    ) -> Result<u64, StorageError> {
        let highest = self
            .write(move |db| {
                let highest = mailbox::checkpoint(db, org, device, counter)?;
                fail_point!("relay::checkpoint::before_commit");
                Ok(highest)
            })
            .await;
        fail_point!("relay::checkpoint::after_commit");
        highest
    }

    async fn register_push(
        &self,
        org: OrgKey,
        device: DeviceId,
        registration: Option<PushRegistration>,
    ) -> Result<(), StorageError> {
        let done = self
            .write(move |db| {
                push::register(db, org, device, registration.as_ref())?;
                fail_point!("relay::register_push::before_commit");
                Ok(())
            })
            .await;
        fail_point!("relay::register_push::after_commit");
        done
    }

    async fn push_target(
        &self,
        org: OrgKey,
        device: DeviceId,
    ) -> Result<Option<PushTarget>, StorageError> {
        self.read(move |db| push::target(db, org, device)).await
    }

    async fn forget_push(
        &self,
        org: OrgKey,
        device: DeviceId,
        gone: PushRegistration,
    ) -> Result<bool, StorageError> {
        self.write(move |db| push::forget(db, org, device, &gone))
            .await
    }

    async fn set_availability(
        &self,
        org: OrgKey,
        availability: NewAvailability,
    ) -> Result<(), StorageError> {
        let done = self
            .write(move |db| {
                reach::set(db, org, &availability)?;
                fail_point!("relay::availability::before_commit");
                Ok(())
            })
            .await;
        fail_point!("relay::availability::after_commit");
        done
    }

    async fn availabilities(&self, org: OrgKey) -> Result<Vec<Bytes>, StorageError> {
        self.read(move |db| reach::all(db, org)).await
    }

    async fn saw(&self, org: OrgKey, device: DeviceId, at: Timestamp) -> Result<(), StorageError> {
        self.write(move |db| reach::saw(db, org, device, at)).await
    }

    async fn last_seen(&self, org: OrgKey) -> Result<Vec<(DeviceId, Timestamp)>, StorageError> {
        self.read(move |db| reach::last_seen(db, org)).await
    }

    async fn remember_call(&self, org: OrgKey, call: CallMark) -> Result<bool, StorageError> {
        let new = self
            .write(move |db| {
                let new = expiry::remember(db, org, call)?;
                fail_point!("relay::call::before_commit");
                Ok(new)
            })
            .await;
        fail_point!("relay::call::after_commit");
        new
    }

    async fn remembered_calls(&self, org: OrgKey) -> Result<Vec<CallMark>, StorageError> {
        self.read(move |db| expiry::remembered(db, org)).await
    }

    async fn expire(&self, cutoffs: Cutoffs) -> Result<Expired, StorageError> {
        let expired = self
            .write(move |db| {
                let expired = expiry::expire(db, &cutoffs)?;
                fail_point!("relay::expire::before_commit");
                Ok(expired)
            })
            .await;
        fail_point!("relay::expire::after_commit");
        expired
    }

    async fn renew_epochs(&self) -> Result<(), StorageError> {
        self.write(mailbox::renew_epochs).await
    }

    async fn usage(&self) -> Result<Usage, StorageError> {
        self.read(expiry::usage).await
    }

    async fn probe(&self) -> Result<(), StorageError> {
        self.read(|db| schema::version(db).map(drop)).await?;
        self.write(|_| Ok(())).await
    }

    async fn close(&self) -> Result<(), StorageError> {
        self.readers.close();
        self.writer.close().await?;
        drop(
            self.lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        Ok(())
    }
}

fn lock_folder(folder: &Path) -> Result<File, StorageError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(wardline_sqlite::Error::from)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::Busy),
        Err(TryLockError::Error(error)) => Err(wardline_sqlite::Error::from(error).into()),
    }
}

fn open_for_writing(path: &Path) -> Result<Connection, wardline_sqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(
        // FULL: what was answered survives a power cut. The fullfsync pair says the same to Apple systems.
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = FAST;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -65536;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

fn open_for_reading(path: &Path) -> Result<Connection, wardline_sqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

impl From<wardline_sqlite::Error> for StorageError {
    fn from(error: wardline_sqlite::Error) -> Self {
        use wardline_sqlite::Error;
        match error {
            Error::DiskFull => Self::Full,
            Error::ReadOnly => Self::ReadOnly,
            Error::Busy => Self::Busy,
            Error::Closed | Error::Suspended => Self::Closed,
            error if error.is_not_a_database() => Self::Damaged("file"),
            error => Self::Database(error),
        }
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        wardline_sqlite::Error::from(error).into()
    }
}

const FILE: &str = "relay.db";
const LOCK: &str = "relay.lock";
const STATEMENTS: usize = 128;
/// Only migrations and backups ever hold the file against the writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
