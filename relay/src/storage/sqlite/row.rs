//! Reading and writing typed values in columns. What does not have its shape is damage, never a panic.

use rusqlite::{Connection, OptionalExtension as _, Row, params, types::ValueRef};
use wardline_org::DeviceId;
use wardline_proto::Bytes;

use crate::storage::{Epoch, OrgKey, StorageError};

/// A column of exactly `N` bytes.
pub(super) fn array<const N: usize>(
    row: &Row<'_>,
    column: usize,
    name: &'static str,
) -> Result<[u8; N], StorageError> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => bytes.try_into().map_err(|_| StorageError::Damaged(name)),
        _ => Err(StorageError::Damaged(name)),
    }
}

/// A column of bytes; NULL reads as none.
pub(super) fn bytes(row: &Row<'_>, column: usize) -> Result<Bytes, StorageError> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        _ => Ok(Bytes::new()),
    }
}

/// A column that counts.
pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u64, StorageError> {
    Ok(row.get::<_, i64>(column)?.try_into().unwrap_or_default())
}

/// A number as SQLite keeps it; what is above its range is as good as its end.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A length as SQLite keeps it.
pub(super) fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

/// The row of a device, made when there is none.
pub(super) fn device(db: &Connection, org: OrgKey, device: DeviceId) -> Result<i64, StorageError> {
    if let Some(row) = known_device(db, org, device)? {
        return Ok(row);
    }
    db.prepare_cached("INSERT INTO devices (org, device, epoch) VALUES (?1, ?2, ?3)")?
        .execute(params![org.row(), device.as_bytes(), fresh_epoch()?.0])?;
    Ok(db.last_insert_rowid())
}

/// The row of a device, if there is one.
pub(super) fn known_device(
    db: &Connection,
    org: OrgKey,
    device: DeviceId,
) -> Result<Option<i64>, StorageError> {
    Ok(db
        .prepare_cached("SELECT id FROM devices WHERE org = ?1 AND device = ?2")?
        .query_row(params![org.row(), device.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// A name that no mailbox had before.
pub(super) fn fresh_epoch() -> Result<Epoch, StorageError> {
    let mut epoch = [0; 16];
    getrandom::fill(&mut epoch).map_err(|_| StorageError::Random)?;
    Ok(Epoch(epoch))
}
