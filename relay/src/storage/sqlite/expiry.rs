//! What is remembered for a while, and the deletion of what is too old.

use rusqlite::{Connection, params};
use wardline_org::{Hash, Timestamp};

use super::{mailbox, release, row};
use crate::storage::{CallMark, Cutoffs, Expired, OrgKey, StorageError, Usage};

pub(super) fn remember(db: &Connection, org: OrgKey, call: CallMark) -> Result<bool, StorageError> {
    let rows = db
        .prepare_cached("INSERT OR IGNORE INTO calls (until, org, digest) VALUES (?1, ?2, ?3)")?
        .execute(params![
            call.until.as_millis(),
            org.row(),
            call.digest.as_bytes()
        ])?;
    Ok(rows == 1)
}

pub(super) fn remembered(db: &Connection, org: OrgKey) -> Result<Vec<CallMark>, StorageError> {
    let mut statement = db.prepare_cached("SELECT until, digest FROM calls WHERE org = ?1")?;
    let mut rows = statement.query([org.row()])?;
    let mut calls = Vec::new();
    while let Some(row) = rows.next()? {
        calls.push(CallMark {
            until: Timestamp::from_millis(row.get(0)?),
            digest: Hash::from_bytes(row::array(row, 1, "calls.digest")?),
        });
    }
    Ok(calls)
}

/// Deletes at most `max` rows of each kind, so that nobody waits long for the writer.
pub(super) fn expire(db: &Connection, cutoffs: &Cutoffs) -> Result<Expired, StorageError> {
    let mut expired = Expired::default();
    for submission in old_submissions(db, cutoffs)? {
        expired.envelopes += drop_submission(db, submission)?;
        expired.more = true;
    }
    let (envelopes, more) = release::expire(db, cutoffs.submissions, cutoffs.max)?;
    expired.envelopes += envelopes;
    expired.more |= more;
    for (sql, limit) in [
        (
            "DELETE FROM calls WHERE (until, org, digest) IN
               (SELECT until, org, digest FROM calls WHERE until < ?1 LIMIT ?2)",
            cutoffs.now.as_millis(),
        ),
        (
            "DELETE FROM used_tickets WHERE (org, ticket) IN
               (SELECT org, ticket FROM used_tickets WHERE expires < ?1 LIMIT ?2)",
            cutoffs.now.as_millis(),
        ),
        (
            "DELETE FROM availabilities WHERE (org, user) IN
               (SELECT org, user FROM availabilities WHERE ends_at < ?1 LIMIT ?2)",
            cutoffs.now.as_millis(),
        ),
        (
            "DELETE FROM enrollments WHERE sequence IN
               (SELECT sequence FROM enrollments WHERE at < ?1 LIMIT ?2)",
            cutoffs.enrollments.as_millis(),
        ),
        (
            "DELETE FROM claims WHERE (device, claimer) IN
               (SELECT device, claimer FROM claims WHERE window < ?1 LIMIT ?2)",
            row::signed(cutoffs.window),
        ),
    ] {
        let gone = db
            .prepare_cached(sql)?
            .execute(params![limit, cutoffs.max])?;
        expired.more |= gone >= cutoffs.max as usize;
    }
    Ok(expired)
}

pub(super) fn usage(db: &Connection) -> Result<Usage, StorageError> {
    let sql = "SELECT (SELECT count(*) FROM envelopes),
                      (SELECT count(*) FROM contents) + (SELECT count(*) FROM held_contents),
                      (SELECT coalesce(sum(length(bytes)), 0) FROM contents)
                        + (SELECT coalesce(sum(length(bytes)), 0) FROM held_contents),
                      (SELECT count(*) FROM enrollments),
                      (SELECT count(*) FROM deposits WHERE due_at IS NOT NULL)";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or(StorageError::Damaged("usage"))?;
    Ok(Usage {
        envelopes: row::count(row, 0)?,
        contents: row::count(row, 1)?,
        content_bytes: row::count(row, 2)?,
        enrollments: row::count(row, 3)?,
        deposits: row::count(row, 4)?,
    })
}

fn old_submissions(db: &Connection, cutoffs: &Cutoffs) -> Result<Vec<i64>, StorageError> {
    let mut statement = db.prepare_cached(
        // Those of a deposit go with it.
        "SELECT id FROM submissions WHERE accepted_at < ?1 AND deposit IS NULL LIMIT ?2",
    )?;
    let ids = statement.query_map(
        params![cutoffs.submissions.as_millis(), cutoffs.max],
        |row| row.get(0),
    )?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Deletes a submission with its content and envelopes; answers how many envelopes nobody fetched.
pub(super) fn drop_submission(db: &Connection, submission: i64) -> Result<u64, StorageError> {
    let mut gone = Vec::new();
    {
        let mut statement = db
            .prepare_cached("DELETE FROM envelopes WHERE submission = ?1 RETURNING device, size")?;
        let mut rows = statement.query([submission])?;
        while let Some(row) = rows.next()? {
            gone.push((row.get(0)?, row.get(1)?));
        }
    }
    for (device, size) in &gone {
        mailbox::make_room(db, *device, 1, *size)?;
    }
    db.prepare_cached("DELETE FROM contents WHERE submission = ?1")?
        .execute([submission])?;
    db.prepare_cached("DELETE FROM submissions WHERE id = ?1")?
        .execute([submission])?;
    Ok(gone.len() as u64)
}
