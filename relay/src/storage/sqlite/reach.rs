//! What people said of whether they can be reached, and when their devices last called.

use rusqlite::{Connection, params};
use wardline_org::{DeviceId, Timestamp};
use wardline_proto::Bytes;

use super::row;
use crate::storage::{NewAvailability, OrgKey, StorageError};

pub(super) fn set(db: &Connection, org: OrgKey, new: &NewAvailability) -> Result<(), StorageError> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO availabilities (org, user, device, ends_at, statement)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        org.row(),
        new.user.as_str(),
        new.device.as_bytes(),
        new.ends_at.as_millis(),
        new.statement.as_ref()
    ])?;
    Ok(())
}

pub(super) fn all(db: &Connection, org: OrgKey) -> Result<Vec<Bytes>, StorageError> {
    let mut statement =
        db.prepare_cached("SELECT statement FROM availabilities WHERE org = ?1 ORDER BY user")?;
    let mut rows = statement.query([org.row()])?;
    let mut said = Vec::new();
    while let Some(row) = rows.next()? {
        said.push(row::bytes(row, 0)?);
    }
    Ok(said)
}

pub(super) fn saw(
    db: &Connection,
    org: OrgKey,
    device: DeviceId,
    at: Timestamp,
) -> Result<(), StorageError> {
    let device = row::device(db, org, device)?;
    db.prepare_cached("UPDATE devices SET last_seen = max(last_seen, ?2) WHERE id = ?1")?
        .execute(params![device, at.as_millis()])?;
    Ok(())
}

pub(super) fn last_seen(
    db: &Connection,
    org: OrgKey,
) -> Result<Vec<(DeviceId, Timestamp)>, StorageError> {
    let mut statement = db
        .prepare_cached("SELECT device, last_seen FROM devices WHERE org = ?1 AND last_seen > 0")?;
    let mut rows = statement.query([org.row()])?;
    let mut seen = Vec::new();
    while let Some(row) = rows.next()? {
        seen.push((
            DeviceId::from_bytes(row::array(row, 0, "devices.device")?),
            Timestamp::from_millis(row.get(1)?),
        ));
    }
    Ok(seen)
}
