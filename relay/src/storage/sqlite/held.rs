//! What is held: keeping deposits, and reading what of them is due. Releasing is in [`release`](super::release).

use std::{collections::HashSet, str::FromStr, time::Duration};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wardline_org::{DeviceId, Hash, Timestamp};
use wardline_proto::v1::WakeClass;

use super::{row, send};
use crate::storage::{
    DepositId, HeldRef, HeldTier, NewDeposit, NewSubmission, NewTier, OrgKey, SendAnswer,
    SendBatch, StorageError, StoredDeposit,
};

/// Looks, before anything is written, whether every new deposit of a batch can be kept.
pub(super) fn check_room<'a>(
    db: &Connection,
    org: OrgKey,
    batch: &SendBatch,
    fresh: impl Iterator<Item = &'a NewSubmission>,
) -> Result<Option<SendAnswer>, StorageError> {
    let mut taken = HashSet::new();
    for submission in fresh {
        let Some(deposit) = &submission.deposit else {
            continue;
        };
        let held = HeldRef {
            sender: batch.sender,
            deposit: deposit.deposit,
        };
        let conflict = Some(SendAnswer::Conflict(submission.envelope));
        if !taken.insert(deposit.deposit) || find(db, org, held)?.is_some() {
            return Ok(conflict);
        }
        for tier in &deposit.tiers {
            if send::find(db, org, batch.sender, tier.envelope)?.is_some() {
                return Ok(conflict);
            }
        }
    }
    if taken.is_empty() {
        return Ok(None);
    }
    let waiting: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM deposits WHERE org = ?1 AND sender = ?2 AND due_at IS NOT NULL",
        )?
        .query_row(params![org.row(), batch.sender.as_bytes()], |row| {
            row.get(0)
        })?;
    let too_many = waiting + count(taken.len()) > i64::from(batch.deposits);
    Ok(too_many.then_some(SendAnswer::TooManyDeposits))
}

/// Keeps a deposit that [`check_room`] has found room for.
pub(super) fn keep(
    db: &Connection,
    org: OrgKey,
    batch: &SendBatch,
    submission: &NewSubmission,
    deposit: &NewDeposit,
) -> Result<(), StorageError> {
    let Some(first) = deposit.tiers.first() else {
        return Ok(());
    };
    let recipients = submission.deliveries.iter().map(|d| *d.device.as_bytes());
    db.prepare_cached(
        "INSERT INTO deposits (org, sender, deposit, stop_hash, recipients, accepted_at, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        org.row(),
        batch.sender.as_bytes(),
        deposit.deposit.0,
        deposit.stop_hash.as_bytes(),
        recipients.collect::<Vec<_>>().concat(),
        batch.at.as_millis(),
        due(batch.at, first.wait, first.not_before).as_millis()
    ])?;
    let id = db.last_insert_rowid();
    if !deposit.content.is_empty() {
        db.prepare_cached("INSERT INTO held_contents (deposit, bytes) VALUES (?1, ?2)")?
            .execute(params![id, deposit.content.as_ref()])?;
    }
    for (number, tier) in deposit.tiers.iter().enumerate() {
        keep_tier(db, org, batch.sender, id, count(number), tier)?;
    }
    Ok(())
}

fn keep_tier(
    db: &Connection,
    org: OrgKey,
    sender: DeviceId,
    deposit: i64,
    number: i64,
    tier: &NewTier,
) -> Result<(), StorageError> {
    // Nobody submits it by itself: the name is taken by bytes that no submission has.
    let digest = Hash::tagged("relay-held-tier", &[tier.envelope.as_bytes()]);
    let submission = send::name(db, org, sender, tier.envelope, digest, NOT_YET)?;
    db.prepare_cached("UPDATE submissions SET deposit = ?2 WHERE id = ?1")?
        .execute([submission, deposit])?;
    db.prepare_cached(
        "INSERT INTO held_tiers (deposit, tier, submission, wait, not_before, users, roles, wake)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        deposit,
        number,
        submission,
        i64::try_from(tier.wait.as_millis()).unwrap_or(i64::MAX),
        tier.not_before.as_millis(),
        lines(&tier.users),
        lines(&tier.roles),
        i32::from(tier.wake)
    ])?;
    for key in &tier.keys {
        db.prepare_cached(
            "INSERT INTO held_keys (deposit, tier, device, ciphertext) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            deposit,
            number,
            key.device.as_bytes(),
            key.ciphertext.as_ref()
        ])?;
    }
    Ok(())
}

/// When a tier is due that follows something at `after`.
pub(super) fn due(after: Timestamp, wait: Duration, not_before: Timestamp) -> Timestamp {
    (after + wait).max(not_before)
}

/// A deposit's row.
pub(super) struct Found {
    pub(super) id: i64,
    pub(super) deposit: DepositId,
    pub(super) released: u32,
    pub(super) due_at: Option<Timestamp>,
    stop_hash: Hash,
    recipients: Vec<DeviceId>,
    accepted_at: Timestamp,
}

pub(super) fn find(
    db: &Connection,
    org: OrgKey,
    held: HeldRef,
) -> Result<Option<Found>, StorageError> {
    let mut statement = db.prepare_cached(
        "SELECT id, released, due_at, stop_hash, recipients, accepted_at FROM deposits
         WHERE org = ?1 AND sender = ?2 AND deposit = ?3",
    )?;
    let mut rows = statement.query(params![org.row(), held.sender.as_bytes(), held.deposit.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Found {
        id: row.get(0)?,
        deposit: held.deposit,
        released: row.get(1)?,
        due_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
        stop_hash: Hash::from_bytes(row::array(row, 3, "deposits.stop_hash")?),
        recipients: row::bytes(row, 4)?
            .chunks(16)
            .map(|id| DeviceId::from_slice(id).map_err(|_| DAMAGED))
            .collect::<Result<_, _>>()?,
        accepted_at: Timestamp::from_millis(row.get(5)?),
    }))
}

pub(super) fn read(
    db: &Connection,
    org: OrgKey,
    held: HeldRef,
) -> Result<Option<StoredDeposit>, StorageError> {
    // One snapshot: the deposit and its tiers must be of one moment.
    let snapshot = db.unchecked_transaction()?;
    let db = &*snapshot;
    let Some(found) = find(db, org, held)? else {
        return Ok(None);
    };
    let (mut reached, mut held_for) = (Vec::new(), Vec::new());
    let mut keys =
        db.prepare_cached("SELECT device, tier < ?2 FROM held_keys WHERE deposit = ?1")?;
    let mut rows = keys.query(params![found.id, found.released])?;
    while let Some(row) = rows.next()? {
        let device = DeviceId::from_bytes(row::array(row, 0, "held_keys.device")?);
        let list = if row.get(1)? {
            &mut reached
        } else {
            &mut held_for
        };
        list.push(device);
    }
    let mut roles = Vec::new();
    let mut tiers = db.prepare_cached("SELECT roles FROM held_tiers WHERE deposit = ?1")?;
    let mut rows = tiers.query([found.id])?;
    while let Some(row) = rows.next()? {
        roles.extend(names(row, 0)?);
    }
    let next = match found.due_at {
        Some(due_at) => Some(next_tier(db, held, &found, due_at)?),
        None => None,
    };
    Ok(Some(StoredDeposit {
        stop_hash: found.stop_hash,
        accepted_at: found.accepted_at,
        recipients: found.recipients,
        reached,
        held_for,
        roles,
        next,
    }))
}

fn next_tier(
    db: &Connection,
    held: HeldRef,
    found: &Found,
    due_at: Timestamp,
) -> Result<HeldTier, StorageError> {
    let mut statement = db.prepare_cached(
        "SELECT users, roles, wake FROM held_tiers WHERE deposit = ?1 AND tier = ?2",
    )?;
    let mut rows = statement.query(params![found.id, found.released])?;
    let row = rows.next()?.ok_or(DAMAGED)?;
    Ok(HeldTier {
        held,
        tier: found.released,
        due_at,
        users: names(row, 0)?,
        roles: names(row, 1)?,
        devices: devices(db, found.id, found.released)?,
        wake: WakeClass::try_from(row.get::<_, i32>(2)?).map_err(|_| DAMAGED)?,
    })
}

/// The devices that a tier is sealed for.
fn devices(db: &Connection, deposit: i64, tier: u32) -> Result<Vec<DeviceId>, StorageError> {
    let mut statement =
        db.prepare_cached("SELECT device FROM held_keys WHERE deposit = ?1 AND tier = ?2")?;
    let mut rows = statement.query(params![deposit, tier])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push(DeviceId::from_bytes(row::array(
            row,
            0,
            "held_keys.device",
        )?));
    }
    Ok(devices)
}

pub(super) fn due_tiers(
    db: &Connection,
    org: OrgKey,
    now: Timestamp,
    max: u32,
) -> Result<Vec<HeldTier>, StorageError> {
    let snapshot = db.unchecked_transaction()?;
    let db = &*snapshot;
    let mut statement = db.prepare_cached(
        "SELECT d.sender, d.deposit, t.users, t.roles, t.wake, d.released, d.due_at, d.id
         FROM deposits d JOIN held_tiers t ON t.deposit = d.id AND t.tier = d.released
         WHERE d.org = ?1 AND d.due_at <= ?2 ORDER BY d.due_at, d.id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![org.row(), now.as_millis(), max])?;
    let mut tiers = Vec::new();
    while let Some(row) = rows.next()? {
        let tier = row.get(5)?;
        tiers.push(HeldTier {
            held: HeldRef {
                sender: DeviceId::from_bytes(row::array(row, 0, "deposits.sender")?),
                deposit: DepositId(row::array(row, 1, "deposits.deposit")?),
            },
            tier,
            due_at: Timestamp::from_millis(row.get(6)?),
            users: names(row, 2)?,
            roles: names(row, 3)?,
            devices: devices(db, row.get(7)?, tier)?,
            wake: WakeClass::try_from(row.get::<_, i32>(4)?).map_err(|_| DAMAGED)?,
        });
    }
    Ok(tiers)
}

pub(super) fn next_due(db: &Connection, org: OrgKey) -> Result<Option<Timestamp>, StorageError> {
    let next: Option<i64> = db
        .prepare_cached(
            "SELECT due_at FROM deposits WHERE org = ?1 AND due_at IS NOT NULL
             ORDER BY due_at LIMIT 1",
        )?
        .query_row([org.row()], |row| row.get(0))
        .optional()?;
    Ok(next.map(Timestamp::from_millis))
}

fn lines<T: ToString>(names: &[T]) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    names.join("\n")
}

fn names<T: FromStr>(row: &Row<'_>, column: usize) -> Result<Vec<T>, StorageError> {
    let text: String = row.get(column)?;
    text.lines()
        .map(|name| name.parse().map_err(|_| DAMAGED))
        .collect()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const DAMAGED: StorageError = StorageError::Damaged("deposits");
/// The time of acceptance of what was not released: too young for every deletion.
pub(super) const NOT_YET: Timestamp = Timestamp::from_millis(i64::MAX);
