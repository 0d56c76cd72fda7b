//! One `Send`: many submissions over many mailboxes, in one transaction.

use rusqlite::{Connection, OptionalExtension as _, params};
use wardline_org::{DeviceId, EnvelopeId, Hash, Timestamp};
use wardline_proto::v1::RefusalReason;

use super::{mailbox, row};
use crate::storage::{
    Delivery, NewSubmission, OrgKey, Refused, SendAnswer, SendBatch, SendOutcome, StorageError,
};

pub(super) fn send(
    db: &Connection,
    org: OrgKey,
    batch: &SendBatch,
) -> Result<SendAnswer, StorageError> {
    // Look before writing: a conflict in the last submission must leave nothing of the first.
    let mut earlier = Vec::with_capacity(batch.submissions.len());
    for submission in &batch.submissions {
        let found = find(db, org, batch.sender, submission.envelope)?;
        match found {
            Some((digest, _)) if digest != submission.digest => {
                return Ok(SendAnswer::Conflict(submission.envelope));
            }
            found => earlier.push(found.map(|(_, outcome)| outcome)),
        }
    }
    mailbox::checkpoint(db, org, batch.sender, batch.checkpoint)?;
    let outcomes = batch
        .submissions
        .iter()
        .zip(earlier)
        .map(|(submission, earlier)| match earlier {
            Some(outcome) => Ok(outcome),
            None => store(db, org, batch, submission),
        })
        .collect::<Result<_, StorageError>>()?;
    Ok(SendAnswer::Accepted(outcomes))
}

fn find(
    db: &Connection,
    org: OrgKey,
    sender: DeviceId,
    envelope: EnvelopeId,
) -> Result<Option<(Hash, SendOutcome)>, StorageError> {
    let mut statement = db.prepare_cached(
        "SELECT digest, refused, accepted_at FROM submissions
         WHERE org = ?1 AND sender = ?2 AND envelope = ?3",
    )?;
    let mut rows = statement.query(params![org.row(), sender.as_bytes(), envelope.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let outcome = SendOutcome {
        envelope,
        refused: decode_refused(&row::bytes(row, 1)?)?,
        accepted_at: Timestamp::from_millis(row.get(2)?),
        fresh: false,
    };
    Ok(Some((
        Hash::from_bytes(row::array(row, 0, "submissions.digest")?),
        outcome,
    )))
}

fn store(
    db: &Connection,
    org: OrgKey,
    batch: &SendBatch,
    submission: &NewSubmission,
) -> Result<SendOutcome, StorageError> {
    db.prepare_cached(
        "INSERT INTO submissions (org, sender, envelope, digest, refused, accepted_at)
         VALUES (?1, ?2, ?3, ?4, x'', ?5)",
    )?
    .execute(params![
        org.row(),
        batch.sender.as_bytes(),
        submission.envelope.as_bytes(),
        submission.digest.as_bytes(),
        batch.at.as_millis()
    ])?;
    let id = db.last_insert_rowid();

    let mut refused = submission.refused.clone();
    let mut delivered = false;
    for delivery in &submission.deliveries {
        if deliver(db, org, batch, submission, id, delivery)? {
            delivered = true;
        } else {
            refused.push(Refused {
                device: delivery.device,
                reason: RefusalReason::MailboxFull,
            });
        }
    }
    if delivered && !submission.content.is_empty() {
        db.prepare_cached("INSERT INTO contents (submission, bytes) VALUES (?1, ?2)")?
            .execute(params![id, submission.content.as_ref()])?;
    }
    if !refused.is_empty() {
        db.prepare_cached("UPDATE submissions SET refused = ?2 WHERE id = ?1")?
            .execute(params![id, encode_refused(&refused)])?;
    }
    Ok(SendOutcome {
        envelope: submission.envelope,
        refused,
        accepted_at: batch.at,
        fresh: true,
    })
}

/// Puts one envelope into one mailbox; `false` when the mailbox is full.
fn deliver(
    db: &Connection,
    org: OrgKey,
    batch: &SendBatch,
    submission: &NewSubmission,
    id: i64,
    delivery: &Delivery,
) -> Result<bool, StorageError> {
    let size = row::length(&delivery.ciphertext).saturating_add(row::length(&submission.content));
    if share_is_full(db, org, batch, delivery.device, size)? {
        return Ok(false);
    }
    let place = || -> Result<Option<(i64, i64)>, StorageError> {
        Ok(db
            .prepare_cached(
                "UPDATE devices SET
                   last_sequence = last_sequence + 1,
                   waiting = waiting + 1,
                   waiting_bytes = waiting_bytes + ?3
                 WHERE org = ?1 AND device = ?2 AND waiting < ?4 AND waiting_bytes + ?3 <= ?5
                 RETURNING id, last_sequence",
            )?
            .query_row(
                params![
                    org.row(),
                    delivery.device.as_bytes(),
                    size,
                    row::signed(batch.mailbox.envelopes),
                    row::signed(batch.mailbox.bytes)
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?)
    };
    let place = match place()? {
        Some(place) => place,
        None => {
            if row::known_device(db, org, delivery.device)?.is_some() {
                return Ok(false);
            }
            row::device(db, org, delivery.device)?;
            match place()? {
                Some(place) => place,
                None => return Ok(false),
            }
        }
    };
    let (device, sequence) = place;
    db.prepare_cached(
        "INSERT INTO envelopes (device, sequence, submission, size, suite, olm_type, ciphertext)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        device,
        sequence,
        id,
        size,
        i32::from(delivery.suite),
        delivery.olm_type,
        delivery.ciphertext.as_ref()
    ])?;
    Ok(true)
}

/// Whether this sender has filled its share of a mailbox.
fn share_is_full(
    db: &Connection,
    org: OrgKey,
    batch: &SendBatch,
    device: DeviceId,
    size: i64,
) -> Result<bool, StorageError> {
    let limits = &batch.mailbox;
    let taken: Option<bool> = db
        .prepare_cached(
            "SELECT waiting >= ?4 OR waiting_bytes + ?5 > ?6 FROM shares
             WHERE device = (SELECT id FROM devices WHERE org = ?1 AND device = ?2) AND sender = ?3",
        )?
        .query_row(
            params![
                org.row(),
                device.as_bytes(),
                batch.sender.as_bytes(),
                row::signed(limits.sender_envelopes()),
                size,
                row::signed(limits.sender_bytes())
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(taken.unwrap_or(false))
}

fn encode_refused(refused: &[Refused]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(refused.len() * REFUSED);
    for refused in refused {
        bytes.extend_from_slice(refused.device.as_bytes());
        bytes.push(u8::try_from(i32::from(refused.reason)).unwrap_or(0));
    }
    bytes
}

fn decode_refused(bytes: &[u8]) -> Result<Vec<Refused>, StorageError> {
    const DAMAGED: StorageError = StorageError::Damaged("submissions.refused");
    let rows = bytes.chunks_exact(REFUSED);
    if !rows.remainder().is_empty() {
        return Err(DAMAGED);
    }
    rows.map(|row| {
        let (device, reason) = row.split_first_chunk::<16>().ok_or(DAMAGED)?;
        let reason = reason.first().copied().ok_or(DAMAGED)?;
        Ok(Refused {
            device: DeviceId::from_bytes(*device),
            reason: RefusalReason::try_from(i32::from(reason)).map_err(|_| DAMAGED)?,
        })
    })
    .collect()
}

/// A device and a reason.
const REFUSED: usize = 17;
