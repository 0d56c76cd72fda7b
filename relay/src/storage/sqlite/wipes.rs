//! Orders to devices to erase themselves, and what the devices answered.

use rusqlite::{Connection, params};
use wardline_org::{DeviceId, Hash};

use super::{directory, push, row};
use crate::storage::{NewWipe, OrgKey, StorageError, StoredWipe, WipeConfirmation};

pub(super) fn order(db: &Connection, org: OrgKey, wipe: &NewWipe) -> Result<(), StorageError> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO wipes (org, device, hash, note) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        org.row(),
        wipe.device.as_bytes(),
        wipe.order.as_bytes(),
        wipe.note
    ])?;
    directory::retire(db, org, wipe.device)
}

pub(super) fn confirm(
    db: &Connection,
    org: OrgKey,
    confirmation: &WipeConfirmation,
) -> Result<(), StorageError> {
    let answered = db
        .prepare_cached(
            "UPDATE wipes SET receipt = ?4
             WHERE org = ?1 AND device = ?2 AND hash = ?3 AND receipt IS NULL",
        )?
        .execute(params![
            org.row(),
            confirmation.device.as_bytes(),
            confirmation.order.as_bytes(),
            confirmation.receipt.as_ref()
        ])?;
    if answered > 0 {
        // It was kept for this order alone: there is nobody left to wake.
        push::register(db, org, confirmation.device, None)?;
    }
    Ok(())
}

pub(super) fn list(
    db: &Connection,
    org: OrgKey,
    after: u64,
    max: u32,
) -> Result<Vec<StoredWipe>, StorageError> {
    let mut statement = db.prepare_cached(
        "SELECT sequence, device, hash, note, receipt FROM wipes
         WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
    )?;
    let mut rows = statement.query(params![org.row(), row::signed(after), max])?;
    let mut wipes = Vec::new();
    while let Some(row) = rows.next()? {
        let receipt = row::bytes(row, 4)?;
        wipes.push(StoredWipe {
            sequence: row::count(row, 0)?,
            device: DeviceId::from_bytes(row::array(row, 1, "wipes.device")?),
            order: Hash::from_bytes(row::array(row, 2, "wipes.hash")?),
            note: row.get(3)?,
            receipt: (!receipt.is_empty()).then_some(receipt),
        });
    }
    Ok(wipes)
}
