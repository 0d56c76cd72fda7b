//! The file `search.db`: how it is opened, what tables it has, how it is emptied and deleted.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{SearchError, facets, patients};
use crate::{store::cipher::quiet, vault::DatabaseKey};

/// Opens or creates the file. [`SearchError::Damaged`] means: not usable, delete it.
pub(super) fn open(path: &Path, key: &DatabaseKey) -> Result<Connection, SearchError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // A SQLite without SQLCipher takes a key and ignores it.
    let version = connection
        .query_row("PRAGMA cipher_version", [], |row| row.get(0))
        .ok();
    require_cipher(version)?;
    quiet(&connection)?;
    connection.pragma_update(None, "key", key.pragma_value().as_str())?;
    connection.pragma_update(None, "cipher_plaintext_header_size", PLAINTEXT_HEADER)?;
    prove_key(&connection)?;
    prepare(&connection)?;
    Ok(connection)
}

/// Settings and tables, on a connection that is keyed already.
pub(super) fn prepare(connection: &Connection) -> Result<(), SearchError> {
    connection.busy_timeout(PATIENCE)?;
    // Not FULL: a power cut may take back the last batch, and its watermark with it.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cache_size = -8000;",
    )?;
    match connection.query_row("PRAGMA user_version", [], |row| row.get(0))? {
        VERSION => {}
        0 => connection.execute_batch(&format!(
            "BEGIN; {SCHEMA} {} {} PRAGMA user_version = {VERSION}; COMMIT;",
            facets::SCHEMA,
            patients::SCHEMA
        ))?,
        // It is derived: building it again is the migration.
        _ => return Err(SearchError::Damaged),
    }
    Ok(connection.execute_batch(patients::FOLDING)?)
}

/// Brings the write-ahead log into the file, durably, and empties it: what a commit took away is then
/// in neither.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    Ok(())
}

/// Removes the file with its companions; fine when there is none.
pub(super) fn delete(path: &Path) -> Result<(), SearchError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(wardline_sqlite::Error::from(error).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Decrypts the first page, where a wrong key or another kind of file shows.
fn prove_key(connection: &Connection) -> Result<(), SearchError> {
    let first = connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()));
    first.map_err(|error| match error.sqlite_error_code() {
        // SQLCipher's other two words for a page that the key does not open, depending on what the
        // readable header says: a logic error in a statement that has none, or, when there is a
        // write-ahead log, memory that ran out (the page came back empty).
        Some(rusqlite::ErrorCode::Unknown | rusqlite::ErrorCode::OutOfMemory) => {
            SearchError::Damaged
        }
        _ => error.into(),
    })
}

fn require_cipher(version: Option<String>) -> Result<(), SearchError> {
    match version {
        Some(version) if !version.is_empty() => Ok(()),
        _ => Err(SearchError::NotEncrypting),
    }
}

/// Bytes at the start of the file that stay readable, as in `store.db`.
const PLAINTEXT_HEADER: u32 = 32;
const PATIENCE: Duration = Duration::from_secs(5);
const VERSION: u32 = 2;

/// The table keeps its text (FTS5's own content): only with the old text at hand can FTS5 take the
/// words of a removed document out of its index at once (`secure-delete`). Without content it would mark
/// the document as deleted and leave the words until some later merge.
///
/// No prefix indexes: on 100,000 messages two letters take a millisecond without them, and with them the
/// file is half as large again and every insertion and removal takes twice as long.
const SCHEMA: &str = "
CREATE TABLE progress (watermark INTEGER NOT NULL) STRICT;
INSERT INTO progress VALUES (0);
CREATE VIRTUAL TABLE document USING fts5(
    text, title, patient, sender, conversation,
    tokenize = \"unicode61 remove_diacritics 2\"
);
INSERT INTO document (document, rank) VALUES ('secure-delete', 1);
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_that_cannot_encrypt_is_refused() {
        for version in [None, Some(String::new())] {
            let refused = require_cipher(version);
            assert!(matches!(refused, Err(SearchError::NotEncrypting)));
        }
        assert!(require_cipher(Some("4.14.0 community".to_owned())).is_ok());
    }
}
