//! Prekeys: what devices leave for others, and who was given which.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wardline_org::{DeviceId, Timestamp};

use super::row;
use crate::storage::{
    ClaimedPrekey, KeyClaim, KeyUpload, OrgKey, StorageError, StoredKey, UploadOutcome,
};

pub(super) fn upload(
    db: &Connection,
    org: OrgKey,
    device: DeviceId,
    upload: &KeyUpload,
) -> Result<UploadOutcome, StorageError> {
    let device = row::device(db, org, device)?;
    let waiting = waiting(db, device)?;
    let kept = if upload.replace { 0 } else { waiting };
    // Counted before anything is written: a refusal must leave nothing behind.
    let new = upload
        .one_time
        .iter()
        .map(|key| is_new(db, device, key, upload.replace))
        .collect::<Result<Vec<_>, _>>()?;
    let added = new.iter().filter(|new| **new).count();
    if u64::from(kept) + added as u64 > u64::from(upload.max_waiting) {
        return Ok(UploadOutcome::TooMany);
    }

    if upload.replace {
        db.prepare_cached("DELETE FROM one_time_keys WHERE device = ?1")?
            .execute([device])?;
    }
    for (key, _) in upload.one_time.iter().zip(new).filter(|(_, new)| *new) {
        db.prepare_cached(
            "INSERT OR IGNORE INTO one_time_keys (device, key, signature) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![device, key.key, key.signature])?;
    }
    for (kind, key) in [(FALLBACK, &upload.fallback), (HOLD, &upload.hold)] {
        if let Some(key) = key {
            db.prepare_cached(
                "INSERT OR REPLACE INTO standing_keys (device, kind, key, signature, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                device,
                kind,
                key.key,
                key.signature,
                key.created_at.as_millis()
            ])?;
        }
    }
    Ok(UploadOutcome::Kept(self::waiting(db, device)?))
}

pub(super) fn claim(
    db: &Connection,
    org: OrgKey,
    claim: &KeyClaim,
) -> Result<Vec<ClaimedPrekey>, StorageError> {
    let mut keys = Vec::with_capacity(claim.targets.len());
    for target in &claim.targets {
        let Some(device) = row::known_device(db, org, *target)? else {
            continue;
        };
        let one_time = if share_is_used_up(db, device, claim)? {
            None
        } else {
            take_one(db, device)?
        };
        let fallback = one_time.is_none();
        if !fallback {
            count_claim(db, device, claim)?;
        }
        let Some(key) =
            one_time.map_or_else(|| standing(db, device, FALLBACK), |key| Ok(Some(key)))?
        else {
            continue;
        };
        keys.push(ClaimedPrekey {
            device: *target,
            key,
            fallback,
        });
    }
    Ok(keys)
}

/// The hold keys of these devices.
pub(super) fn hold(
    db: &Connection,
    org: OrgKey,
    devices: &[DeviceId],
) -> Result<Vec<(DeviceId, StoredKey)>, StorageError> {
    let mut keys = Vec::with_capacity(devices.len());
    for target in devices {
        if let Some(device) = row::known_device(db, org, *target)?
            && let Some(key) = standing(db, device, HOLD)?
        {
            keys.push((*target, key));
        }
    }
    Ok(keys)
}

/// How many one-time keys of a device wait.
pub(super) fn waiting(db: &Connection, device: i64) -> Result<u32, StorageError> {
    Ok(db
        .prepare_cached("SELECT count(*) FROM one_time_keys WHERE device = ?1")?
        .query_row([device], |row| row.get(0))?)
}

fn is_new(
    db: &Connection,
    device: i64,
    key: &StoredKey,
    replace: bool,
) -> Result<bool, StorageError> {
    let known = |sql: &str| -> Result<bool, StorageError> {
        Ok(db.prepare_cached(sql)?.exists(params![device, key.key])?)
    };
    let claimed = known("SELECT 1 FROM claimed_keys WHERE device = ?1 AND key = ?2")?;
    let waits = !replace && known("SELECT 1 FROM one_time_keys WHERE device = ?1 AND key = ?2")?;
    Ok(!claimed && !waits)
}

fn share_is_used_up(db: &Connection, device: i64, claim: &KeyClaim) -> Result<bool, StorageError> {
    let given: Option<u32> = db
        .prepare_cached(
            "SELECT count FROM claims WHERE device = ?1 AND claimer = ?2 AND window = ?3",
        )?
        .query_row(
            params![device, claim.claimer.as_bytes(), row::signed(claim.window)],
            |row| row.get(0),
        )
        .optional()?;
    Ok(given.unwrap_or(0) >= claim.share)
}

fn count_claim(db: &Connection, device: i64, claim: &KeyClaim) -> Result<(), StorageError> {
    db.prepare_cached(
        "INSERT INTO claims (device, claimer, window, count) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT (device, claimer) DO UPDATE SET
           count = CASE window WHEN excluded.window THEN count + 1 ELSE 1 END,
           window = excluded.window",
    )?
    .execute(params![
        device,
        claim.claimer.as_bytes(),
        row::signed(claim.window)
    ])?;
    Ok(())
}

/// Takes the oldest one-time key and remembers for good that it is taken.
fn take_one(db: &Connection, device: i64) -> Result<Option<StoredKey>, StorageError> {
    let mut statement = db.prepare_cached(
        "DELETE FROM one_time_keys
         WHERE id = (SELECT id FROM one_time_keys WHERE device = ?1 ORDER BY id LIMIT 1)
         RETURNING key, signature, 0",
    )?;
    let mut rows = statement.query([device])?;
    let Some(key) = rows.next()?.map(stored_key).transpose()? else {
        return Ok(None);
    };
    // A RETURNING statement has done its work once it is stepped to the end.
    while rows.next()?.is_some() {}
    db.prepare_cached("INSERT INTO claimed_keys (device, key) VALUES (?1, ?2)")?
        .execute(params![device, key.key])?;
    Ok(Some(key))
}

fn standing(db: &Connection, device: i64, kind: i64) -> Result<Option<StoredKey>, StorageError> {
    let mut statement = db.prepare_cached(
        "SELECT key, signature, created_at FROM standing_keys WHERE device = ?1 AND kind = ?2",
    )?;
    let mut rows = statement.query(params![device, kind])?;
    rows.next()?.map(stored_key).transpose()
}

fn stored_key(row: &Row<'_>) -> Result<StoredKey, StorageError> {
    Ok(StoredKey {
        key: row::array(row, 0, "key")?,
        signature: row::array(row, 1, "signature")?,
        created_at: Timestamp::from_millis(row.get(2)?),
    })
}

const FALLBACK: i64 = 2;
const HOLD: i64 = 3;
