//! Organizations, their directories, and who waits to get into one.

use rusqlite::{Connection, OptionalExtension as _, params};
use wardline_org::{DeviceId, Hash, OrgId, Timestamp};

use super::{mailbox, row};
use crate::storage::{
    EnrollOutcome, NewEnrollment, OrgKey, PendingEnrollment, Publication, StorageError,
    StoredDirectory,
};

pub(super) fn organization(db: &Connection, org: &OrgId) -> Result<OrgKey, StorageError> {
    db.execute(
        "INSERT OR IGNORE INTO organizations (name) VALUES (?1)",
        [org.as_str()],
    )?;
    let row = db.query_row(
        "SELECT id FROM organizations WHERE name = ?1",
        [org.as_str()],
        |row| row.get(0),
    )?;
    Ok(OrgKey::from_row(row))
}

pub(super) fn load(db: &Connection, org: OrgKey) -> Result<StoredDirectory, StorageError> {
    // One snapshot for all of it: a head and the entries it stands for must not be of two moments.
    let snapshot = db.unchecked_transaction()?;
    let texts = |sql: &str| -> Result<Vec<String>, StorageError> {
        let mut statement = snapshot.prepare_cached(sql)?;
        let texts = statement.query_map([org.row()], |row| row.get(0))?;
        Ok(texts.collect::<Result<_, _>>()?)
    };
    let mut entries = Vec::new();
    {
        let mut statement =
            snapshot.prepare_cached("SELECT bytes FROM entries WHERE org = ?1 ORDER BY key")?;
        let mut rows = statement.query([org.row()])?;
        while let Some(row) = rows.next()? {
            entries.push(row::bytes(row, 0)?);
        }
    }
    Ok(StoredDirectory {
        roots: texts("SELECT document FROM roots WHERE org = ?1 ORDER BY version")?,
        heads: texts("SELECT note FROM heads WHERE org = ?1 ORDER BY version")?,
        policy: texts("SELECT note FROM policies WHERE org = ?1")?.pop(),
        entries,
        enrollments: enrollments(&snapshot, org, 0, u32::MAX)?,
    })
}

pub(super) fn add_roots(
    db: &Connection,
    org: OrgKey,
    roots: &[(u64, String)],
) -> Result<(), StorageError> {
    for (version, document) in roots {
        db.prepare_cached(
            "INSERT OR IGNORE INTO roots (org, version, document) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![org.row(), row::signed(*version), document])?;
    }
    Ok(())
}

pub(super) fn publish(
    db: &Connection,
    org: OrgKey,
    publication: &Publication,
) -> Result<bool, StorageError> {
    let newest: Option<i64> = db
        .prepare_cached("SELECT max(version) FROM heads WHERE org = ?1")?
        .query_row([org.row()], |row| row.get(0))?;
    if newest.unwrap_or(0) != row::signed(publication.expected_version) {
        return Ok(false);
    }
    add_roots(db, org, &publication.roots)?;
    db.prepare_cached("INSERT INTO heads (org, version, note) VALUES (?1, ?2, ?3)")?
        .execute(params![
            org.row(),
            row::signed(publication.version),
            publication.head
        ])?;
    if let Some(policy) = &publication.policy {
        db.prepare_cached("INSERT OR REPLACE INTO policies (org, note) VALUES (?1, ?2)")?
            .execute(params![org.row(), policy])?;
    }
    for (key, bytes) in &publication.changed {
        db.prepare_cached(
            "INSERT INTO entries (org, key, bytes) VALUES (?1, ?2, ?3)
             ON CONFLICT (org, key) DO UPDATE SET bytes = excluded.bytes",
        )?
        .execute(params![org.row(), key, bytes.as_ref()])?;
    }
    for key in &publication.removed {
        db.prepare_cached("DELETE FROM entries WHERE org = ?1 AND key = ?2")?
            .execute(params![org.row(), key])?;
    }
    for device in &publication.settled {
        db.prepare_cached("DELETE FROM enrollments WHERE org = ?1 AND device = ?2")?
            .execute(params![org.row(), device.as_bytes()])?;
    }
    for device in &publication.revoked {
        retire(db, org, *device)?;
    }
    Ok(true)
}

/// Nobody will fetch a revoked device's mailbox, nobody may be given its keys, and nothing wakes it but an
/// order to erase itself that it has not obeyed. Its rollback counter and the memory of claimed keys stay.
pub(super) fn retire(db: &Connection, org: OrgKey, device: DeviceId) -> Result<(), StorageError> {
    let Some(row) = row::known_device(db, org, device)? else {
        return Ok(());
    };
    mailbox::empty(db, row, i64::MAX)?;
    db.prepare_cached("DELETE FROM availabilities WHERE org = ?1 AND device = ?2")?
        .execute(params![org.row(), device.as_bytes()])?;
    for sql in [
        "DELETE FROM one_time_keys WHERE device = ?1",
        "DELETE FROM standing_keys WHERE device = ?1",
        "DELETE FROM claims WHERE device = ?1",
        "DELETE FROM push_registrations WHERE device = ?1
         AND NOT EXISTS (SELECT 1 FROM devices d
                         JOIN wipes w ON w.org = d.org AND w.device = d.device
                         WHERE d.id = ?1 AND w.receipt IS NULL)",
    ] {
        db.prepare_cached(sql)?.execute([row])?;
    }
    Ok(())
}

pub(super) fn enroll(
    db: &Connection,
    org: OrgKey,
    new: &NewEnrollment,
) -> Result<EnrollOutcome, StorageError> {
    let request = Hash::of(&new.request);
    let spent = db
        .prepare_cached("SELECT request FROM used_tickets WHERE org = ?1 AND ticket = ?2")?
        .query_row(params![org.row(), new.ticket.as_bytes()], |row| {
            row.get::<_, Vec<u8>>(0)
        })
        .optional()?;
    if let Some(by) = spent {
        return Ok(if by == request.as_bytes() {
            EnrollOutcome::Repeated
        } else {
            EnrollOutcome::TicketUsed
        });
    }
    db.prepare_cached(
        "INSERT INTO used_tickets (org, ticket, request, expires) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        org.row(),
        new.ticket.as_bytes(),
        request.as_bytes(),
        new.ticket_expires.as_millis()
    ])?;
    // Deleting first gives the new request a sequence that the authority has not passed yet.
    db.prepare_cached("DELETE FROM enrollments WHERE org = ?1 AND device = ?2")?
        .execute(params![org.row(), new.device.as_bytes()])?;
    db.prepare_cached(
        "INSERT INTO enrollments (org, device, request, at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        org.row(),
        new.device.as_bytes(),
        new.request.as_ref(),
        new.at.as_millis()
    ])?;
    Ok(EnrollOutcome::Queued)
}

pub(super) fn enrollments(
    db: &Connection,
    org: OrgKey,
    after: u64,
    max: u32,
) -> Result<Vec<PendingEnrollment>, StorageError> {
    let mut statement = db.prepare_cached(
        "SELECT sequence, device, request, at FROM enrollments
         WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
    )?;
    let mut rows = statement.query(params![org.row(), row::signed(after), max])?;
    let mut pending = Vec::new();
    while let Some(row) = rows.next()? {
        pending.push(PendingEnrollment {
            sequence: row::count(row, 0)?,
            device: DeviceId::from_bytes(row::array(row, 1, "enrollments.device")?),
            request: row::bytes(row, 2)?,
            at: Timestamp::from_millis(row.get(3)?),
        });
    }
    Ok(pending)
}
