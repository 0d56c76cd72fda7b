//! SQLCipher: how a database file of Wardline is keyed, and how it is recognised.
//!
//! The key is random, so SQLCipher's own key stretching is left out: the raw key and the salt go in
//! as they are. The first 32 bytes of the file stay plain, because iOS only recognises a database in
//! a shared container by its header, and kills an app that is suspended while holding a lock on
//! anything else; the salt that SQLCipher would keep there comes from the vault instead.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use crate::vault::DatabaseKey;

/// Opens `path` with `key` and proves, before anything is written, that the key fits.
pub(crate) fn open(
    path: &Path,
    flags: OpenFlags,
    key: &DatabaseKey,
) -> Result<Connection, StoreError> {
    refuse_foreign(path)?;
    refuse_cut_short(path)?;
    let connection = Connection::open_with_flags(path, flags)?;
    // Without SQLCipher behind it, `PRAGMA key` would silently do nothing (rule 10).
    let version: Option<String> = connection
        .query_row("PRAGMA cipher_version", [], |row| row.get(0))
        .ok();
    if version.is_none_or(|version| version.is_empty()) {
        return Err(StoreError::NotEncrypting);
    }
    quiet(&connection)?;
    connection.pragma_update(None, "key", key.pragma_value().as_str())?;
    connection.pragma_update(None, "cipher_plaintext_header_size", PLAINTEXT_HEADER)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0")?;
    // The first read decrypts the first page: a wrong key shows here.
    connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
        .map_err(|error| {
            use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, OutOfMemory};
            match error.sqlite_error_code() {
                // With a plain header SQLCipher reports a page that fails its check as "out of memory".
                Some(NotADatabase | DatabaseCorrupt | OutOfMemory) => StoreError::WrongKey,
                _ => error.into(),
            }
        })?;
    Ok(connection)
}

/// Keeps SQLCipher from writing to the host's standard error, as it does when a key does not fit: what
/// went wrong is in what we answer.
pub(crate) fn quiet(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cipher_log_level", "NONE")
}

/// Rewrites the whole file under `key`, in one transaction of SQLCipher's.
pub(crate) fn rekey(connection: &Connection, key: &DatabaseKey) -> Result<(), StoreError> {
    // The write-ahead log holds pages under the old key; none may be left behind.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.pragma_update(None, "rekey", key.pragma_value().as_str())?;
    Ok(())
}

/// A file that does not begin as SQLite does is not ours, whatever the key.
fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    use std::io::Read;

    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(wardline_sqlite::Error::from(error).into()),
    };
    let mut head = [0; 16];
    let mut length = 0;
    while let Some(rest) = head.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) => return Err(wardline_sqlite::Error::from(error).into()),
        }
    }
    match head.get(..length) {
        // SQLite creates the file empty before it writes the first page.
        Some([]) => Ok(()),
        Some(head) if head == SQLITE_MAGIC => Ok(()),
        _ => Err(StoreError::NotAStore),
    }
}

/// A file that ends before its readable header says would fail later, at the first missing page. While
/// there is a write-ahead log the newest pages may be there, and SQLite knows better.
fn refuse_cut_short(path: &Path) -> Result<(), StoreError> {
    use std::io::Read;

    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    let mut header = [0; PLAINTEXT_HEADER];
    let Ok(mut file) = std::fs::File::open(path) else {
        return Ok(());
    };
    let length = file.metadata().map_or(0, |file| file.len());
    if length == 0 {
        return Ok(());
    }
    let damaged = || StoreError::Damaged { what: "file" };
    file.read_exact(&mut header).map_err(|_| damaged())?;
    // https://sqlite.org/fileformat.html#the_database_header; a page of 65,536 bytes is written as 1.
    let number = |bytes| {
        let bytes: &[u8] = header
            .get::<std::ops::Range<usize>>(bytes)
            .unwrap_or_default();
        bytes
            .iter()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte))
    };
    let page = match number(16..18) {
        1 => 65_536,
        size => size,
    };
    if length < page.saturating_mul(number(28..32)) {
        return Err(damaged());
    }
    Ok(())
}

const PLAINTEXT_HEADER: usize = 32;
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
