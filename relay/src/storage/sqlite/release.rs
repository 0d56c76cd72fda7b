//! Releasing what is held, stopping it, and deleting it when it is over.

use rusqlite::{Connection, OptionalExtension as _, params};
use wardline_org::{DeviceId, EnvelopeId, Timestamp};
use wardline_proto::v1::{self, RefusalReason, Suite};

use super::{
    expiry,
    held::{self, Found, NOT_YET},
    put::{Parcel, put},
    row, send,
};
use crate::storage::{
    Delivery, HeldAct, HeldAnswer, HeldOutcome, MailboxLimits, OrgKey, Release, ReleaseBatch,
    Released, SendAnswer, StorageError,
};

pub(super) fn release(
    db: &Connection,
    org: OrgKey,
    batch: &ReleaseBatch,
) -> Result<Vec<Option<Released>>, StorageError> {
    let moment = Moment {
        org,
        at: batch.at,
        mailbox: &batch.mailbox,
        by: None,
    };
    let releases = batch.releases.iter();
    releases
        .map(|release| moment.release(db, release))
        .collect()
}

pub(super) fn answer(
    db: &Connection,
    org: OrgKey,
    answer: &HeldAnswer,
) -> Result<HeldOutcome, StorageError> {
    // An answer for which there is no room leaves nothing behind.
    db.execute_batch("SAVEPOINT held_answer")?;
    let outcome = take(db, org, answer)?;
    db.execute_batch(match outcome {
        HeldOutcome::Taken { .. } => "RELEASE held_answer",
        _ => "ROLLBACK TO held_answer; RELEASE held_answer",
    })?;
    Ok(outcome)
}

fn take(db: &Connection, org: OrgKey, answer: &HeldAnswer) -> Result<HeldOutcome, StorageError> {
    let outcome = match send::send(db, org, &answer.answer)? {
        SendAnswer::Accepted(mut outcomes) => outcomes.pop(),
        SendAnswer::Conflict(envelope) => return Ok(HeldOutcome::Conflict(envelope)),
        SendAnswer::TooManyDeposits => None,
    };
    let Some(outcome) = outcome else {
        return Err(StorageError::Damaged("submissions"));
    };
    let is_full = outcome.refused.iter().any(|refused| {
        Some(refused.device) == answer.reaches && refused.reason == RefusalReason::MailboxFull
    });
    if is_full {
        return Ok(HeldOutcome::Full);
    }
    let moment = Moment {
        org,
        at: answer.answer.at,
        mailbox: &answer.answer.mailbox,
        by: Some((answer.answer.sender, outcome.envelope)),
    };
    let mut released = None;
    let done = match (held::find(db, org, answer.held)?, &answer.act) {
        (None, _) => false,
        (Some(found), HeldAct::Stop) if found.due_at.is_some() => {
            moment.stop(db, answer.held.sender, &found)?;
            true
        }
        (Some(found), HeldAct::Stop) => db
            .prepare_cached(
                "SELECT 1 FROM deposits WHERE id = ?1 AND stopped_by = ?2 AND answer = ?3",
            )?
            .exists(params![
                found.id,
                answer.answer.sender.as_bytes(),
                outcome.envelope.as_bytes()
            ])?,
        (Some(found), HeldAct::Advance(tier, release)) => {
            if let Some(release) = release.as_ref().filter(|release| release.tier == *tier) {
                released = moment.release(db, release)?;
            }
            let earlier = db
                .prepare_cached(
                    "SELECT 1 FROM held_tiers
                     WHERE deposit = ?1 AND tier = ?2 AND advanced_by = ?3 AND answer = ?4",
                )?
                .exists(params![
                    found.id,
                    tier,
                    answer.answer.sender.as_bytes(),
                    outcome.envelope.as_bytes()
                ])?;
            released.is_some() || earlier
        }
    };
    Ok(HeldOutcome::Taken {
        outcome,
        done,
        released,
    })
}

/// When something happens, and through whose answer if not by time.
struct Moment<'a> {
    org: OrgKey,
    at: Timestamp,
    mailbox: &'a MailboxLimits,
    by: Option<(DeviceId, EnvelopeId)>,
}

impl Moment<'_> {
    /// Releases a tier, if it is the next one of a deposit that waits.
    fn release(
        &self,
        db: &Connection,
        release: &Release,
    ) -> Result<Option<Released>, StorageError> {
        let Some(found) = held::find(db, self.org, release.held)? else {
            return Ok(None);
        };
        let Some(due_at) = found.due_at.filter(|_| found.released == release.tier) else {
            return Ok(None);
        };
        let submission = submission_of(db, found.id, i64::from(release.tier))?;
        // First the time: what is put into mailboxes now must not look older, or younger, than it is.
        db.prepare_cached("UPDATE submissions SET accepted_at = ?2 WHERE id = ?1")?
            .execute(params![submission, self.at.as_millis()])?;
        let (given, full) = self.give(db, release, &found, submission)?;
        db.prepare_cached(
            "UPDATE held_keys SET ciphertext = x'' WHERE deposit = ?1 AND tier = ?2",
        )?
        .execute(params![found.id, release.tier])?;
        let next_due = self.go_on(db, &found)?;
        self.tell(db, release, submission, &given)?;
        if next_due.is_none() {
            drop_content(db, found.id)?;
        }
        Ok(Some(Released {
            given,
            full,
            due_at,
            next_due,
        }))
    }

    /// Puts the tier's envelope into mailboxes; answers which have it and which are full.
    fn give(
        &self,
        db: &Connection,
        release: &Release,
        found: &Found,
        submission: i64,
    ) -> Result<(Vec<DeviceId>, Vec<DeviceId>), StorageError> {
        let content: Option<usize> = db
            .prepare_cached("SELECT length(bytes) FROM held_contents WHERE deposit = ?1")?
            .query_row([found.id], |row| row.get(0))
            .optional()?;
        let (mut given, mut full) = (Vec::new(), Vec::new());
        for device in &release.give {
            let mut keys = db.prepare_cached(
                "SELECT ciphertext FROM held_keys WHERE deposit = ?1 AND tier = ?2 AND device = ?3",
            )?;
            let mut rows = keys.query(params![found.id, release.tier, device.as_bytes()])?;
            let Some(key) = rows.next()? else {
                continue;
            };
            let delivery = Delivery {
                device: *device,
                suite: Suite::HpkeHold,
                olm_type: 0,
                ciphertext: row::bytes(key, 0)?,
            };
            let parcel = Parcel::sealed(
                release.held.sender,
                submission,
                &delivery,
                content.unwrap_or_default(),
            );
            if put(db, self.org, self.mailbox, &parcel)? {
                given.push(*device);
            } else {
                full.push(*device);
            }
        }
        Ok((given, full))
    }

    /// Marks the next tier as released; answers when the one after it is due.
    fn go_on(&self, db: &Connection, found: &Found) -> Result<Option<Timestamp>, StorageError> {
        let next = db
            .prepare_cached(
                "SELECT wait, not_before FROM held_tiers WHERE deposit = ?1 AND tier = ?2",
            )?
            .query_row(params![found.id, i64::from(found.released) + 1], |row| {
                Ok((row.get::<_, u64>(0)?, row.get(1)?))
            })
            .optional()?
            .map(|(wait, not_before)| {
                let wait = std::time::Duration::from_millis(wait);
                held::due(self.at, wait, Timestamp::from_millis(not_before))
            });
        db.prepare_cached(
            "UPDATE deposits SET released = released + 1, due_at = ?2, ended_at = ?3 WHERE id = ?1",
        )?
        .execute(params![
            found.id,
            next.map(Timestamp::as_millis),
            next.is_none().then_some(self.at.as_millis())
        ])?;
        if let Some((device, envelope)) = self.by {
            db.prepare_cached(
                "UPDATE held_tiers SET advanced_by = ?3, answer = ?4 WHERE deposit = ?1 AND tier = ?2",
            )?
            .execute(params![
                found.id,
                found.released,
                device.as_bytes(),
                envelope.as_bytes()
            ])?;
        }
        Ok(next)
    }

    /// Tells the sender that the tier was released, and others that it is due. A mailbox that is full hears nothing.
    fn tell(
        &self,
        db: &Connection,
        release: &Release,
        submission: i64,
        given: &[DeviceId],
    ) -> Result<(), StorageError> {
        let sender = release.held.sender;
        let deposit_id = release.held.deposit.0.to_vec();
        for (device, role) in &release.tell {
            let due = v1::Due {
                deposit_id: deposit_id.clone(),
                tier: release.tier,
                role_id: role.to_string(),
            };
            let notice = v1::envelope::Notice::Due(due);
            let parcel = Parcel::notice(sender, submission, *device, notice);
            put(db, self.org, self.mailbox, &parcel)?;
        }
        let released = v1::Released {
            deposit_id,
            tier: release.tier,
            at_ms: self.at.as_millis(),
            device_ids: given.iter().map(|device| device.to_vec()).collect(),
            advanced: self.by.is_some(),
            due_role_ids: release.due_roles.iter().map(ToString::to_string).collect(),
        };
        let notice = v1::envelope::Notice::Released(released);
        let parcel = Parcel::notice(sender, submission, sender, notice);
        put(db, self.org, self.mailbox, &parcel)?;
        Ok(())
    }

    fn stop(&self, db: &Connection, sender: DeviceId, found: &Found) -> Result<(), StorageError> {
        let Some((device, envelope)) = self.by else {
            return Ok(());
        };
        let at = self.at.as_millis();
        db.prepare_cached(
            "UPDATE deposits SET due_at = NULL, ended_at = ?2, stopped_by = ?3, answer = ?4
             WHERE id = ?1",
        )?
        .execute(params![
            found.id,
            at,
            device.as_bytes(),
            envelope.as_bytes()
        ])?;
        db.prepare_cached(
            "UPDATE submissions SET accepted_at = ?2 WHERE deposit = ?1 AND accepted_at = ?3",
        )?
        .execute(params![found.id, at, NOT_YET.as_millis()])?;
        db.prepare_cached(
            "UPDATE held_keys SET ciphertext = x'' WHERE deposit = ?1 AND tier >= ?2",
        )?
        .execute(params![found.id, found.released])?;
        if device != sender {
            let last: i64 = db
                .prepare_cached("SELECT max(tier) FROM held_tiers WHERE deposit = ?1")?
                .query_row([found.id], |row| row.get(0))?;
            let stopped = v1::Stopped {
                deposit_id: found.deposit.0.to_vec(),
                by_device: device.to_vec(),
                at_ms: at,
            };
            let notice = v1::envelope::Notice::Stopped(stopped);
            let submission = submission_of(db, found.id, last)?;
            let parcel = Parcel::notice(sender, submission, sender, notice);
            put(db, self.org, self.mailbox, &parcel)?;
        }
        drop_content(db, found.id)
    }
}

/// The submission of a tier.
fn submission_of(db: &Connection, deposit: i64, tier: i64) -> Result<i64, StorageError> {
    Ok(db
        .prepare_cached("SELECT submission FROM held_tiers WHERE deposit = ?1 AND tier = ?2")?
        .query_row([deposit, tier], |row| row.get(0))?)
}

/// The content goes once the deposit has ended and the last of its envelopes is gone.
pub(super) fn drop_content(db: &Connection, deposit: i64) -> Result<(), StorageError> {
    db.prepare_cached(
        "DELETE FROM held_contents WHERE deposit = ?1
         AND EXISTS (SELECT 1 FROM deposits WHERE id = ?1 AND due_at IS NULL)
         AND NOT EXISTS (SELECT 1 FROM submissions s JOIN envelopes e ON e.submission = s.id
                         WHERE s.deposit = ?1 AND e.notice IS NULL)",
    )?
    .execute([deposit])?;
    Ok(())
}

/// Deletes deposits that ended before a time, at most `max`; answers how many envelopes nobody fetched, and whether
/// there may be more.
pub(super) fn expire(
    db: &Connection,
    before: Timestamp,
    max: u32,
) -> Result<(u64, bool), StorageError> {
    let old = ids(
        db,
        "SELECT id FROM deposits WHERE ended_at < ?1 LIMIT ?2",
        [before.as_millis(), i64::from(max)],
    )?;
    let mut envelopes = 0;
    for deposit in &old {
        for sql in [
            "DELETE FROM held_keys WHERE deposit = ?1",
            "DELETE FROM held_tiers WHERE deposit = ?1",
            "DELETE FROM held_contents WHERE deposit = ?1",
        ] {
            db.prepare_cached(sql)?.execute([deposit])?;
        }
        let submissions = ids(
            db,
            "SELECT id FROM submissions WHERE deposit = ?1 LIMIT ?2",
            [*deposit, i64::MAX],
        )?;
        for submission in submissions {
            envelopes += expiry::drop_submission(db, submission)?;
        }
        db.prepare_cached("DELETE FROM deposits WHERE id = ?1")?
            .execute([deposit])?;
    }
    Ok((envelopes, !old.is_empty()))
}

fn ids(db: &Connection, sql: &str, with: [i64; 2]) -> Result<Vec<i64>, StorageError> {
    let mut statement = db.prepare_cached(sql)?;
    let ids = statement.query_map(with, |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}
