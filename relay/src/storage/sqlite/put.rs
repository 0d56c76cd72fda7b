//! Putting one envelope into one mailbox, as far as there is room.

use rusqlite::{Connection, OptionalExtension as _, params};
use wardline_org::DeviceId;
use wardline_proto::{Message as _, v1};

use super::row;
use crate::storage::{Delivery, MailboxLimits, OrgKey, StorageError};

/// What is put into a mailbox.
pub(super) struct Parcel<'a> {
    device: DeviceId,
    sender: DeviceId,
    /// The row of the submission that it belongs to.
    submission: i64,
    suite: i32,
    olm_type: u32,
    ciphertext: &'a [u8],
    notice: Option<Vec<u8>>,
    /// What it counts for.
    size: i64,
}

impl<'a> Parcel<'a> {
    /// A sealed key, with a content of so many bytes.
    pub(super) fn sealed(
        sender: DeviceId,
        submission: i64,
        delivery: &'a Delivery,
        content: usize,
    ) -> Self {
        let content = i64::try_from(content).unwrap_or(i64::MAX);
        Self {
            device: delivery.device,
            sender,
            submission,
            suite: delivery.suite.into(),
            olm_type: delivery.olm_type,
            ciphertext: delivery.ciphertext.as_ref(),
            notice: None,
            size: row::length(&delivery.ciphertext).saturating_add(content),
        }
    }

    /// The relay's own word about a submission.
    pub(super) fn notice(
        sender: DeviceId,
        submission: i64,
        device: DeviceId,
        notice: v1::envelope::Notice,
    ) -> Self {
        let encoded = v1::Envelope {
            notice: Some(notice),
            ..Default::default()
        }
        .encode_to_vec();
        Self {
            device,
            sender,
            submission,
            suite: 0,
            olm_type: 0,
            ciphertext: &[],
            size: row::length(&encoded),
            notice: Some(encoded),
        }
    }
}

/// Puts one parcel into one mailbox; `false` when the mailbox is full.
pub(super) fn put(
    db: &Connection,
    org: OrgKey,
    limits: &MailboxLimits,
    parcel: &Parcel<'_>,
) -> Result<bool, StorageError> {
    // What the relay itself has to say does not fall to how much its subject has written.
    if parcel.notice.is_none() && share_is_full(db, org, limits, parcel)? {
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
                    parcel.device.as_bytes(),
                    parcel.size,
                    row::signed(limits.envelopes),
                    row::signed(limits.bytes)
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?)
    };
    let place = match place()? {
        Some(place) => place,
        None => {
            if row::known_device(db, org, parcel.device)?.is_some() {
                return Ok(false);
            }
            row::device(db, org, parcel.device)?;
            match place()? {
                Some(place) => place,
                None => return Ok(false),
            }
        }
    };
    let (device, sequence) = place;
    db.prepare_cached(
        "INSERT INTO envelopes
           (device, sequence, submission, size, suite, olm_type, ciphertext, notice)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        device,
        sequence,
        parcel.submission,
        parcel.size,
        parcel.suite,
        parcel.olm_type,
        parcel.ciphertext,
        parcel.notice
    ])?;
    Ok(true)
}

/// Whether this sender has filled its share of a mailbox.
fn share_is_full(
    db: &Connection,
    org: OrgKey,
    limits: &MailboxLimits,
    parcel: &Parcel<'_>,
) -> Result<bool, StorageError> {
    let taken: Option<bool> = db
        .prepare_cached(
            "SELECT waiting >= ?4 OR waiting_bytes + ?5 > ?6 FROM shares
             WHERE device = (SELECT id FROM devices WHERE org = ?1 AND device = ?2) AND sender = ?3",
        )?
        .query_row(
            params![
                org.row(),
                parcel.device.as_bytes(),
                parcel.sender.as_bytes(),
                row::signed(limits.sender_envelopes()),
                parcel.size,
                row::signed(limits.sender_bytes())
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(taken.unwrap_or(false))
}
