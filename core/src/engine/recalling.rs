//! Recalling: a person takes a message of theirs back, here or as others learn of it.
//!
//! What was sealed for nobody yet never leaves. Otherwise a signed content goes after the message to everybody
//! in the conversation, and the relay is asked to give what it still holds to nobody; what it says of that is
//! its word alone.
//!
//! Not its concern: who may take what back and what is left of it, which is `message::recall`'s; proving that
//! nothing is left, which is the client's.

use rusqlite::{OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::{Message, v1};

use super::{Step, audience, event::Event, expiring, forwarding, outbox};
use crate::{
    audit::Action,
    conversation::{self, Recipient},
    error::{Error, SendError},
    id::MessageRef,
    message::{
        Direction, Priority, RECALL, RecallOutcome, amend,
        content::subject_of,
        passing,
        recall::{self, NewRecall, Subject, Verdict},
        receipts,
    },
    policy,
    store::StoreError,
};

/// Takes a message back, with a reason that everybody in the conversation can read.
pub(crate) fn recall(step: &mut Step<'_>, message: MessageRef, reason: &str) -> Result<(), Error> {
    let subject = Subject::load(step.connection, message)?.ok_or(Error::Unknown)?;
    let rules = step.memory.directory.policy(step.connection)?;
    policy::check_length(reason, &rules)?;
    if subject.direction == Direction::Incoming {
        return Err(SendError::NotYours.into());
    }
    let age = step.now().saturating_since(subject.created_at);
    if subject.recalled || subject.withheld || age > rules.recall_window() {
        return Err(SendError::TooLateToRecall.into());
    }
    let content = v1::Content {
        type_uri: RECALL.to_owned(),
        body: v1::RecallBody {
            reason: reason.to_owned(),
        }
        .encode_to_vec(),
        fallback_text: reason.to_owned(),
        priority: Priority::Routine as i32,
        subject: Some(v1::MessageReference {
            sender_device: message.device.to_vec(),
            message_id: message.id.as_bytes().to_vec(),
            content_hash: subject.hash.clone(),
        }),
        ..Default::default()
    };
    let recipient = recipient_of(step, subject.conversation)?;
    let row = if is_unsealed(step, &subject)? {
        outbox::write_down(step, &recipient, content)?
    } else {
        outbox::write(step, &recipient, content)?.0
    };
    let user = step.context.identity.user_id.clone();
    recall::note(
        step.connection,
        &NewRecall {
            row,
            subject: message,
            subject_hash: &subject.hash,
            user: &user,
            at: step.now(),
        },
    )?;
    take_back(step, message)?;
    step.conversation_changed(subject.conversation);
    step.outgoing_changed();
    Ok(())
}

/// Whether a message was sealed for nobody yet.
fn is_unsealed(step: &Step<'_>, subject: &Subject) -> Result<bool, Error> {
    Ok(step
        .connection
        .prepare_cached("SELECT 1 FROM outbox WHERE message = ?1 AND content IS NOT NULL")?
        .exists(params![subject.sequence])?)
}

/// Stops whatever of a message of this device has not left, and asks the relay to withdraw the rest.
fn stop(step: &mut Step<'_>, message: i64) -> Result<(), Error> {
    step.connection
        .prepare_cached("DELETE FROM outbox WHERE message = ?1")?
        .execute(params![message])?;
    step.connection
        .prepare_cached(
            "UPDATE recipient SET recall = ?2 WHERE message = ?1 AND recall IS NULL
               AND NOT EXISTS (SELECT 1 FROM sent_envelope s JOIN envelope_device d USING (envelope_id)
                               WHERE s.message = ?1 AND d.device_id = recipient.device_id)",
        )?
        .execute(params![message, RecallOutcome::Withdrawn as i64])?;
    // What the relay had no room for is not offered to it again.
    step.connection
        .prepare_cached(
            "DELETE FROM submission WHERE envelope_id =
                 (SELECT envelope_id FROM escalation
                  WHERE message = ?1 AND scheduled_for IS NOT NULL AND armed = 2)",
        )?
        .execute(params![message])?;
    note_too_old(step, message)?;
    step.connection
        .prepare_cached(
            "INSERT INTO withdrawal (envelope_id, message)
             SELECT envelope_id, message FROM sent_envelope WHERE message = ?1
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![message])?;
    step.outgoing_changed();
    Ok(())
}

/// Notes which devices do not know what a recall is, as far as the directory is at hand.
fn note_too_old(step: &mut Step<'_>, message: i64) -> Result<(), Error> {
    let damaged = || StoreError::Damaged { what: "recipient" };
    let devices: Vec<(Vec<u8>, String)> = step
        .connection
        .prepare_cached(
            "SELECT device_id, user_id FROM recipient WHERE message = ?1 AND length(device_id) = 16",
        )?
        .query_map(params![message], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (device, user) in devices {
        let device = DeviceId::from_slice(&device).map_err(|_| damaged())?;
        let user = UserId::new(user).map_err(|_| damaged())?;
        let knows = audience::knows(step, &user, device, RECALL)?;
        if !knows {
            step.connection
                .prepare_cached(
                    "UPDATE recipient SET recall = ?3
                     WHERE message = ?1 AND device_id = ?2 AND recall IS NULL",
                )?
                .execute(params![
                    message,
                    device.as_bytes(),
                    RecallOutcome::TooOld as i64
                ])?;
        }
    }
    Ok(())
}

/// Takes in somebody's recall, which stands in row `row`.
pub(super) fn apply(
    step: &mut Step<'_>,
    row: i64,
    user: &UserId,
    content: &v1::Content,
) -> Result<(), Error> {
    let Some((subject, subject_hash)) = subject_of(content) else {
        tracing::warn!("a recall does not say of what");
        return Ok(());
    };
    recall::note(
        step.connection,
        &NewRecall {
            row,
            subject,
            subject_hash,
            user,
            at: Timestamp::from_millis(content.created_at_ms),
        },
    )?;
    let conversation = super::failing::Names::of(step, row)?.conversation;
    if take_back(step, subject)? {
        if subject.device == step.us() {
            // Taken back on another device of ours, which does not know everybody it went to: this one does.
            pass_on(step, row, content)?;
        }
        step.emit(&Event::MessageRecalled {
            message: subject,
            conversation,
        })?;
    }
    bury_early(step, subject)
}

/// What was withdrawn before it came never comes, and its corrections are not kept for it.
pub(super) fn bury_early(step: &mut Step<'_>, message: MessageRef) -> Result<(), Error> {
    if expiring::hold(step)?.keeps_all() {
        return Ok(());
    }
    let window = recall_window(step)?;
    let now = step.now();
    Ok(recall::bury_words_of_withdrawn(
        step.connection,
        message,
        window,
        now,
    )?)
}

/// For how long a message may be taken back, in milliseconds.
fn recall_window(step: &mut Step<'_>) -> Result<i64, Error> {
    let rules = step.memory.directory.policy(step.connection)?;
    Ok(i64::try_from(rules.recall_window().as_millis()).unwrap_or(i64::MAX))
}

/// Says once more, to everybody the message went to, what another device of ours has said; answers the row of it.
pub(super) fn pass_on(step: &mut Step<'_>, row: i64, content: &v1::Content) -> Result<i64, Error> {
    let recipient = recipient_in(step, row)?;
    let again = v1::Content {
        type_uri: content.type_uri.clone(),
        body: content.body.clone(),
        fallback_text: content.fallback_text.clone(),
        priority: content.priority,
        subject: content.subject.clone(),
        ..Default::default()
    };
    Ok(outbox::write(step, &recipient, again)?.0)
}

/// Obeys what was said of a message that is here now; answers whether it was taken back.
pub(super) fn take_back(step: &mut Step<'_>, message: MessageRef) -> Result<bool, Error> {
    // Asked for every message that comes: most are never taken back.
    if !recall::is_waiting(step.connection, message)? {
        return Ok(false);
    }
    let window = recall_window(step)?;
    let mut taken_back = false;
    let hold = expiring::hold(step)?;
    for verdict in recall::settle(step.connection, message, window, &hold, step.now())? {
        match verdict {
            Verdict::Obeyed | Verdict::Held => {
                taken_back = true;
                if message.device == step.us()
                    && let Some(subject) = Subject::load(step.connection, message)?
                {
                    stop(step, subject.sequence)?;
                }
                for correction in amend::written_by(step.connection, message, step.us())? {
                    stop(step, correction)?;
                }
                for pass in passing::written_by(step.connection, message, step.us())? {
                    stop(step, pass)?;
                }
                if verdict == Verdict::Obeyed {
                    step.audit(Action::MessageRecalled, message.id.as_bytes())?;
                } else {
                    step.audit(Action::MessageHeld, message.id.as_bytes())?;
                    tell_kept(step, message)?;
                }
            }
            Verdict::Kept => {
                step.audit(Action::RecallRefused, message.id.as_bytes())?;
                tell_kept(step, message)?;
            }
            Verdict::Refused => step.audit(Action::RecallRefused, message.id.as_bytes())?,
        }
    }
    if taken_back {
        forwarding::take_back(step, message)?;
    }
    Ok(taken_back)
}

fn tell_kept(step: &mut Step<'_>, message: MessageRef) -> Result<(), Error> {
    let Some(subject) = Subject::load(step.connection, message)? else {
        return Ok(());
    };
    if subject.direction == Direction::Incoming {
        let kind = v1::ReceiptKind::Kept;
        let (author, hash) = (&subject.author, &subject.hash);
        receipts::queue(step.connection, author, message.id, hash, kind, step.now())?;
        step.outgoing_changed();
    }
    Ok(())
}

/// Of these messages nothing is left on this device, in no log and no index.
pub(crate) fn purged(step: &mut Step<'_>, messages: &[i64]) -> Result<(), Error> {
    for message in messages {
        let Some(purged) = recall::purged(step.connection, *message)? else {
            continue;
        };
        step.audit(Action::MessagePurged, purged.id.as_bytes())?;
        if let Some(kind) = purged.tell {
            let (author, hash) = (&purged.author, &purged.hash);
            receipts::queue(step.connection, author, purged.id, hash, kind, step.now())?;
            step.outgoing_changed();
        }
    }
    Ok(())
}

/// The next envelope that the relay is asked to give to nobody.
pub(crate) fn to_withdraw(step: &Step<'_>) -> Result<Option<Vec<u8>>, Error> {
    // One that waits to be posted is withdrawn after it has been.
    Ok(step
        .connection
        .prepare_cached(
            "SELECT envelope_id FROM withdrawal
             WHERE envelope_id NOT IN (SELECT envelope_id FROM submission) LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// The relay has said from which mailboxes it took an envelope; or that it will not.
pub(crate) fn withdrawn(
    step: &mut Step<'_>,
    envelope: &[u8],
    devices: &[Vec<u8>],
) -> Result<(), Error> {
    let message: Option<i64> = step
        .connection
        .prepare_cached("DELETE FROM withdrawal WHERE envelope_id = ?1 RETURNING message")?
        .query_row(params![envelope], |row| row.get(0))
        .optional()?;
    let Some(message) = message else {
        return Ok(());
    };
    let outcome = RecallOutcome::Withdrawn;
    for device in devices {
        if let Ok(device) = DeviceId::from_slice(device) {
            recall::note_outcome(step.connection, message, device, outcome)?;
        }
    }
    let names = super::failing::Names::of(step, message)?;
    step.conversation_changed(names.row);
    Ok(())
}

/// With whom the conversation is that a row stands in.
pub(super) fn recipient_in(step: &Step<'_>, message: i64) -> Result<Recipient, Error> {
    let conversation: i64 = step
        .connection
        .prepare_cached("SELECT conversation FROM message WHERE sequence = ?1")?
        .query_row(params![message], |row| row.get(0))?;
    recipient_of(step, conversation)
}

pub(super) fn recipient_of(step: &Step<'_>, conversation: i64) -> Result<Recipient, Error> {
    let reference: Vec<u8> = step
        .connection
        .prepare_cached("SELECT reference FROM conversation WHERE id = ?1")?
        .query_row(params![conversation], |row| row.get(0))?;
    let us = &step.context.identity.user_id;
    Ok(conversation::recipient(&reference, us)?)
}
