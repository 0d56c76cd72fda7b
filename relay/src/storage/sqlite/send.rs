//! One `Send`: many submissions over many mailboxes, in one transaction.

use rusqlite::{Connection, params};
use wardline_org::{DeviceId, EnvelopeId, Hash, Timestamp};
use wardline_proto::v1::RefusalReason;

use super::{
    held, mailbox,
    put::{Parcel, put},
    row,
};
use crate::storage::{
    NewSubmission, OrgKey, Refused, SendAnswer, SendBatch, SendOutcome, StorageError,
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
    let fresh = || {
        let pairs = batch.submissions.iter().zip(&earlier);
        pairs.filter_map(|(submission, earlier)| earlier.is_none().then_some(submission))
    };
    if let Some(refusal) = held::check_room(db, org, batch, fresh())? {
        return Ok(refusal);
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

pub(super) fn find(
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
    let id = name(
        db,
        org,
        batch.sender,
        submission.envelope,
        submission.digest,
        batch.at,
    )?;

    let mut refused = submission.refused.clone();
    let mut delivered = false;
    for delivery in &submission.deliveries {
        let parcel = Parcel::sealed(batch.sender, id, delivery, submission.content.len());
        if put(db, org, &batch.mailbox, &parcel)? {
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
    if let Some(deposit) = &submission.deposit {
        held::keep(db, org, batch, submission, deposit)?;
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

/// Takes an envelope id for a sender; answers its row.
pub(super) fn name(
    db: &Connection,
    org: OrgKey,
    sender: DeviceId,
    envelope: EnvelopeId,
    digest: Hash,
    at: Timestamp,
) -> Result<i64, StorageError> {
    db.prepare_cached(
        "INSERT INTO submissions (org, sender, envelope, digest, refused, accepted_at)
         VALUES (?1, ?2, ?3, ?4, x'', ?5)",
    )?
    .execute(params![
        org.row(),
        sender.as_bytes(),
        envelope.as_bytes(),
        digest.as_bytes(),
        at.as_millis()
    ])?;
    Ok(db.last_insert_rowid())
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
