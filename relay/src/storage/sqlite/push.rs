//! How devices are to be woken.

use rusqlite::{Connection, OptionalExtension as _, params};
use wardline_org::{DeviceId, push::PushRegistration};

use super::row;
use crate::storage::{OrgKey, PushTarget, StorageError};

pub(super) fn register(
    db: &Connection,
    org: OrgKey,
    device: DeviceId,
    registration: Option<&PushRegistration>,
) -> Result<(), StorageError> {
    let Some(registration) = registration else {
        if let Some(device) = row::known_device(db, org, device)? {
            db.prepare_cached("DELETE FROM push_registrations WHERE device = ?1")?
                .execute([device])?;
        }
        return Ok(());
    };
    let device = row::device(db, org, device)?;
    db.prepare_cached(
        "INSERT INTO push_registrations (device, token, topic) VALUES (?1, ?2, ?3)
         ON CONFLICT (device) DO UPDATE SET token = excluded.token, topic = excluded.topic",
    )?
    .execute(params![device, registration.token(), registration.topic()])?;
    Ok(())
}

pub(super) fn target(
    db: &Connection,
    org: OrgKey,
    device: DeviceId,
) -> Result<Option<PushTarget>, StorageError> {
    let found: Option<(String, String, i64, bool)> = db
        .prepare_cached(
            "SELECT p.token, p.topic, d.waiting,
                    EXISTS (SELECT 1 FROM wipes w
                            WHERE w.org = d.org AND w.device = d.device AND w.receipt IS NULL)
             FROM push_registrations p JOIN devices d ON d.id = p.device
             WHERE d.org = ?1 AND d.device = ?2",
        )?
        .query_row(params![org.row(), device.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((token, topic, waiting, wiping)) = found else {
        return Ok(None);
    };
    Ok(Some(PushTarget {
        registration: PushRegistration::new(&token, &topic)
            .map_err(|_| StorageError::Damaged("push_registrations"))?,
        waiting: waiting.try_into().unwrap_or_default(),
        wiping,
    }))
}

pub(super) fn forget(
    db: &Connection,
    org: OrgKey,
    device: DeviceId,
    gone: &PushRegistration,
) -> Result<bool, StorageError> {
    let Some(device) = row::known_device(db, org, device)? else {
        return Ok(false);
    };
    let deleted = db
        .prepare_cached(
            "DELETE FROM push_registrations WHERE device = ?1 AND token = ?2 AND topic = ?3",
        )?
        .execute(params![device, gone.token(), gone.topic()])?;
    Ok(deleted > 0)
}
