//! One device's mailbox: fetching, acknowledging, withdrawing, and the rollback counter.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use wardline_org::{DeviceId, EnvelopeId, Timestamp};
use wardline_proto::{
    Message as _,
    v1::{self, Suite},
};

use super::{keys, release, row};
use crate::storage::{
    Acknowledgement, Delivery, Epoch, MailboxPage, OrgKey, ReceiveQuery, StorageError,
    StoredEnvelope,
};

/// What a reader saw of a mailbox.
pub(super) enum Look {
    /// Nothing in it is handed out for the first time: the page stands as it is.
    Settled(MailboxPage),
    /// There is no mailbox yet, or its file is older than what its device has seen.
    Untouched,
    /// The page has envelopes that were never handed out.
    Fresh(MailboxPage),
}

/// Reads a page beside the writer. Most polls find nothing and need no transaction.
pub(super) fn look(
    db: &Connection,
    org: OrgKey,
    query: &ReceiveQuery,
) -> Result<Look, StorageError> {
    // One snapshot: the mailbox row and its envelopes must be of one moment.
    let snapshot = db.unchecked_transaction()?;
    let Some(mailbox) = Mailbox::find(&snapshot, org, query.device)? else {
        return Ok(Look::Untouched);
    };
    if mailbox.is_behind(query) {
        return Ok(Look::Untouched);
    }
    let page = mailbox.page(&snapshot, query)?;
    let last = page.envelopes.last().map_or(0, |last| last.sequence);
    Ok(if row::signed(last) > mailbox.handed_out {
        Look::Fresh(page)
    } else {
        Look::Settled(page)
    })
}

/// Marks a page as handed out, without what was withdrawn since it was read.
pub(super) fn hand_out(
    db: &Connection,
    org: OrgKey,
    query: &ReceiveQuery,
    page: Option<MailboxPage>,
) -> Result<MailboxPage, StorageError> {
    let id = row::device(db, org, query.device)?;
    let Some(mut mailbox) = Mailbox::find(db, org, query.device)? else {
        return Err(StorageError::Damaged("devices"));
    };
    if mailbox.is_behind(query) {
        // A backup was put back: sequences this device has seen would be given a second time.
        mailbox.epoch = row::fresh_epoch()?;
        mailbox.handed_out = mailbox.last_sequence;
        db.prepare_cached(
            "UPDATE devices SET epoch = ?2, handed_out = last_sequence WHERE id = ?1",
        )?
        .execute(params![id, mailbox.epoch.0])?;
    }
    let left = match page {
        Some(page) if page.epoch == mailbox.epoch => Some(still_there(db, id, page)?),
        _ => None,
    };
    // Nothing left of it says nothing of what comes after it.
    let page = match left {
        Some(page) if !page.envelopes.is_empty() => page,
        _ => mailbox.page(db, query)?,
    };
    if let Some(last) = page.envelopes.last() {
        db.prepare_cached("UPDATE devices SET handed_out = max(handed_out, ?2) WHERE id = ?1")?
            .execute(params![id, row::signed(last.sequence)])?;
    }
    Ok(page)
}

pub(super) fn acknowledge(
    db: &Connection,
    org: OrgKey,
    receipt: &Acknowledgement,
) -> Result<(), StorageError> {
    checkpoint(db, org, receipt.device, receipt.checkpoint)?;
    let Some(mailbox) = Mailbox::find(db, org, receipt.device)? else {
        return Ok(());
    };
    if mailbox.epoch == receipt.epoch {
        // A device cannot have what it was never given.
        let up_to = row::signed(receipt.up_to).min(mailbox.handed_out);
        empty(db, mailbox.id, up_to)?;
    }
    Ok(())
}

/// Deletes a mailbox's envelopes up to a sequence, and the contents that nobody waits for any more.
pub(super) fn empty(db: &Connection, device: i64, up_to: i64) -> Result<(), StorageError> {
    let mut submissions = HashSet::new();
    let (mut count, mut bytes) = (0_i64, 0_i64);
    {
        let mut statement = db.prepare_cached(
            "DELETE FROM envelopes WHERE device = ?1 AND sequence <= ?2 RETURNING submission, size",
        )?;
        let mut rows = statement.query(params![device, up_to])?;
        while let Some(row) = rows.next()? {
            submissions.insert(row.get::<_, i64>(0)?);
            count += 1;
            bytes += row.get::<_, i64>(1)?;
        }
    }
    if count > 0 {
        make_room(db, device, count, bytes)?;
        for submission in submissions {
            drop_content(db, submission)?;
        }
    }
    Ok(())
}

pub(super) fn withdraw(
    db: &Connection,
    org: OrgKey,
    sender: DeviceId,
    envelope: EnvelopeId,
) -> Result<Vec<DeviceId>, StorageError> {
    let found: Option<(i64, Vec<u8>)> = db
        .prepare_cached(
            "SELECT id, withdrawn FROM submissions WHERE org = ?1 AND sender = ?2 AND envelope = ?3",
        )?
        .query_row(
            params![org.row(), sender.as_bytes(), envelope.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((submission, mut withdrawn)) = found else {
        return Ok(Vec::new());
    };

    let mut taken = Vec::new();
    {
        let mut statement = db.prepare_cached(
            "SELECT e.id, e.device, e.size, d.device FROM envelopes e JOIN devices d ON d.id = e.device
             WHERE e.submission = ?1 AND e.sequence > d.handed_out AND e.notice IS NULL",
        )?;
        let mut rows = statement.query([submission])?;
        while let Some(row) = rows.next()? {
            let device: [u8; 16] = row::array(row, 3, "devices.device")?;
            taken.push((row.get(0)?, row.get(1)?, row.get(2)?));
            withdrawn.extend_from_slice(&device);
        }
    }
    for (envelope, device, size) in &taken {
        let (envelope, device, size): (i64, i64, i64) = (*envelope, *device, *size);
        db.prepare_cached("DELETE FROM envelopes WHERE id = ?1")?
            .execute([envelope])?;
        make_room(db, device, 1, size)?;
    }
    if !taken.is_empty() {
        drop_content(db, submission)?;
        db.prepare_cached("UPDATE submissions SET withdrawn = ?2 WHERE id = ?1")?
            .execute(params![submission, withdrawn])?;
    }
    withdrawn
        .chunks(16)
        .map(|id| {
            DeviceId::from_slice(id).map_err(|_| StorageError::Damaged("submissions.withdrawn"))
        })
        .collect()
}

pub(super) fn checkpoint(
    db: &Connection,
    org: OrgKey,
    device: DeviceId,
    counter: u64,
) -> Result<u64, StorageError> {
    let device = row::device(db, org, device)?;
    let counter = row::signed(counter);
    let highest: i64 = db
        .prepare_cached("SELECT checkpoint FROM devices WHERE id = ?1")?
        .query_row([device], |row| row.get(0))?;
    if counter > highest {
        db.prepare_cached("UPDATE devices SET checkpoint = ?2 WHERE id = ?1")?
            .execute(params![device, counter])?;
    }
    Ok(counter.max(highest).try_into().unwrap_or_default())
}

pub(super) fn renew_epochs(db: &Connection) -> Result<(), StorageError> {
    // What the backup says was never handed out may have been, after it was made.
    db.execute(
        "UPDATE devices SET epoch = randomblob(16), handed_out = last_sequence",
        [],
    )?;
    Ok(())
}

/// The shared content goes with the last envelope of its submission.
pub(super) fn drop_content(db: &Connection, submission: i64) -> Result<(), StorageError> {
    db.prepare_cached(
        "DELETE FROM contents WHERE submission = ?1
         AND NOT EXISTS (SELECT 1 FROM envelopes WHERE submission = ?1)",
    )?
    .execute([submission])?;
    let deposit: Option<i64> = db
        .prepare_cached("SELECT deposit FROM submissions WHERE id = ?1")?
        .query_row([submission], |row| row.get(0))?;
    match deposit {
        Some(deposit) => release::drop_content(db, deposit),
        None => Ok(()),
    }
}

/// Takes deleted envelopes off a mailbox's account.
pub(super) fn make_room(
    db: &Connection,
    device: i64,
    envelopes: i64,
    bytes: i64,
) -> Result<(), StorageError> {
    db.prepare_cached(
        "UPDATE devices SET waiting = waiting - ?2, waiting_bytes = waiting_bytes - ?3 WHERE id = ?1",
    )?
    .execute(params![device, envelopes, bytes])?;
    Ok(())
}

struct Mailbox {
    id: i64,
    epoch: Epoch,
    last_sequence: i64,
    handed_out: i64,
}

impl Mailbox {
    fn find(db: &Connection, org: OrgKey, device: DeviceId) -> Result<Option<Self>, StorageError> {
        let mut statement = db.prepare_cached(
            "SELECT id, epoch, last_sequence, handed_out FROM devices WHERE org = ?1 AND device = ?2",
        )?;
        let mut rows = statement.query(params![org.row(), device.as_bytes()])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id: row.get(0)?,
            epoch: Epoch(row::array(row, 1, "devices.epoch")?),
            last_sequence: row.get(2)?,
            handed_out: row.get(3)?,
        }))
    }

    /// The device has seen sequences of this epoch that were never given: the file went back in time.
    fn is_behind(&self, query: &ReceiveQuery) -> bool {
        query.epoch == Some(self.epoch) && row::signed(query.after) > self.last_sequence
    }

    fn page(&self, db: &Connection, query: &ReceiveQuery) -> Result<MailboxPage, StorageError> {
        let after = match query.epoch {
            Some(epoch) if epoch == self.epoch => row::signed(query.after),
            _ => 0,
        };
        let mut statement = db.prepare_cached(
            "SELECT e.sequence, s.envelope, s.sender, s.accepted_at,
                    e.suite, e.olm_type, e.ciphertext,
                    CASE WHEN e.notice IS NULL THEN coalesce(c.bytes, h.bytes) END,
                    e.size, e.notice
             FROM envelopes e
             JOIN submissions s ON s.id = e.submission
             LEFT JOIN contents c ON c.submission = e.submission
             LEFT JOIN held_contents h ON h.deposit = s.deposit
             WHERE e.device = ?1 AND e.sequence > ?2 AND s.accepted_at >= ?3
             ORDER BY e.sequence LIMIT ?4",
        )?;
        let mut rows = statement.query(params![
            self.id,
            after,
            query.not_before.as_millis(),
            i64::from(query.max) + 1
        ])?;
        let mut envelopes = Vec::new();
        let mut bytes = 0_u64;
        let mut more = false;
        while let Some(row) = rows.next()? {
            bytes = bytes.saturating_add(row::count(row, 8)?);
            let full = envelopes.len() >= query.max as usize || bytes > query.max_bytes;
            if full && !envelopes.is_empty() {
                more = true;
                break;
            }
            envelopes.push(StoredEnvelope {
                sequence: row::count(row, 0)?,
                envelope: EnvelopeId::from_slice(&row::bytes(row, 1)?)
                    .map_err(|_| StorageError::Damaged("submissions.envelope"))?,
                sender: DeviceId::from_bytes(row::array(row, 2, "submissions.sender")?),
                accepted_at: Timestamp::from_millis(row.get(3)?),
                delivery: Delivery {
                    device: query.device,
                    suite: Suite::try_from(row.get::<_, i32>(4)?)
                        .map_err(|_| StorageError::Damaged("envelopes.suite"))?,
                    olm_type: row.get(5)?,
                    ciphertext: row::bytes(row, 6)?,
                },
                content: row::bytes(row, 7)?,
                notice: notice(&row::bytes(row, 9)?)?,
            });
        }
        Ok(MailboxPage {
            epoch: self.epoch,
            envelopes,
            more,
            one_time_keys: keys::waiting(db, self.id)?,
        })
    }
}

fn notice(bytes: &[u8]) -> Result<Option<v1::envelope::Notice>, StorageError> {
    let read = v1::Envelope::decode(bytes);
    Ok(read
        .map_err(|_| StorageError::Damaged("envelopes.notice"))?
        .notice)
}

/// Drops from a page what was withdrawn, acknowledged or expired since it was read.
fn still_there(
    db: &Connection,
    device: i64,
    mut page: MailboxPage,
) -> Result<MailboxPage, StorageError> {
    let (Some(first), Some(last)) = (page.envelopes.first(), page.envelopes.last()) else {
        return Ok(page);
    };
    let mut statement = db.prepare_cached(
        "SELECT sequence FROM envelopes WHERE device = ?1 AND sequence BETWEEN ?2 AND ?3",
    )?;
    let present: HashSet<i64> = statement
        .query_map(
            params![
                device,
                row::signed(first.sequence),
                row::signed(last.sequence)
            ],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    page.envelopes
        .retain(|envelope| present.contains(&row::signed(envelope.sequence)));
    Ok(page)
}
