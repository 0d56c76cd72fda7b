//! Answers that stop what is held, or bring its next tier: they are shown to the relay with the secret of the message,
//! and posted by themselves when it does not take them like that.
//!
//! Not its concern: who may answer (`message::answer`), and what the relay says of it afterwards ([`super::escalating`]).

use rusqlite::{OptionalExtension, params};
use wardline_org::{DeviceId, EnvelopeId, Timestamp, connect::RelayCode};
use wardline_proto::{Message, v1};

use super::{Step, answering, escalating, event::Event, posting, recalling};
use crate::{
    audit::Action,
    error::Error,
    escalation::rows,
    id::{MessageId, MessageRef},
    message::{ANSWER, RECALL, Verdict, content, rows as messages},
    store::StoreError,
};

/// Lets a submission that answers a message, or takes it back, stop what is held of it, or bring its next tier: it is
/// shown to the relay with the secret, instead of being posted by itself.
pub(super) fn note_stop(
    step: &Step<'_>,
    content: &v1::Content,
    envelope: EnvelopeId,
    devices: &[DeviceId],
) -> Result<(), Error> {
    let Some((subject, _)) = content::subject_of(content) else {
        return Ok(());
    };
    let answer = content::answer_in(content).map(|(_, _, verdict)| verdict);
    let stops = answer == Some(Verdict::Accepted) || content.type_uri == RECALL;
    if !stops && answer.is_none() {
        return Ok(());
    }
    let Some(kept) = rows::of(step.connection, subject)? else {
        return Ok(());
    };
    let next = kept.given.map_or(0, |tier| tier.saturating_add(1));
    let has_next = usize::try_from(next).is_ok_and(|next| next < kept.plan.tiers.len());
    let reaches_author = kept.sender == step.us() || devices.contains(&kept.sender);
    if kept.plan.deposit_id.is_empty() || !reaches_author || !(stops || has_next) {
        return Ok(());
    }
    step.connection
        .prepare_cached(
            "INSERT INTO stop (envelope_id, sender_device, deposit_id, secret, tier)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            envelope.as_bytes(),
            kept.sender.as_bytes(),
            kept.plan.deposit_id,
            kept.plan.stop_secret,
            (!stops).then_some(next),
        ])?;
    Ok(())
}

/// An answer to be shown with the secret of what it stops.
#[derive(Clone)]
pub(crate) enum HeldAnswer {
    /// Nothing further is released.
    Cancel(v1::CancelRequest),
    /// The next tier is.
    Advance(v1::AdvanceRequest),
}

impl std::fmt::Debug for HeldAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldAnswer").finish_non_exhaustive()
    }
}

/// The next one. One for a deposit that waits to be posted itself comes after that.
pub(crate) fn to_answer(step: &Step<'_>, checkpoint: u64) -> Result<Option<HeldAnswer>, Error> {
    let found = step
        .connection
        .prepare_cached(
            "SELECT s.body, t.sender_device, t.deposit_id, t.secret, t.tier
             FROM stop t JOIN submission s USING (envelope_id)
             WHERE NOT EXISTS (
                 SELECT 1 FROM escalation e JOIN submission w ON w.envelope_id = e.envelope_id
                 WHERE e.sender_device = t.sender_device AND e.deposit_id = t.deposit_id)
             ORDER BY s.id LIMIT 1",
        )?
        .query_row([], |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get::<_, Option<u32>>(4)?,
            ))
        })
        .optional()?;
    let Some((body, sender_device, deposit_id, stop_secret, tier)) = found else {
        return Ok(None);
    };
    let damaged = |_| StoreError::Damaged { what: "submission" };
    let acknowledgement = Some(v1::Submission::decode(body.as_slice()).map_err(damaged)?);
    Ok(Some(match tier {
        None => HeldAnswer::Cancel(v1::CancelRequest {
            deposit_id,
            sender_device,
            stop_secret,
            acknowledgement,
            checkpoint,
        }),
        Some(tier) => HeldAnswer::Advance(v1::AdvanceRequest {
            deposit_id,
            sender_device,
            stop_secret,
            tier,
            acknowledgement,
            checkpoint,
        }),
    }))
}

/// The relay took an answer, and with it what it does to what is held.
pub(crate) fn answered(
    step: &mut Step<'_>,
    outcome: v1::SubmissionOutcome,
    done: bool,
) -> Result<(), Error> {
    if let Some(message) = answered_message(step, &outcome.envelope_id)? {
        if done {
            step.audit(Action::EscalationStopped, message.id.as_bytes())?;
        }
        // Whoever takes back what they wrote is not told by the relay.
        if done
            && message.device == step.us()
            && let Some(kept) = rows::of(step.connection, message)?
        {
            let us = step.us();
            rows::stopped(step.connection, kept.message, us.as_bytes(), step.now())?;
        }
        say_again(step, message, &outcome.envelope_id)?;
    }
    let answer = v1::SendResponse {
        outcomes: vec![outcome],
        ..Default::default()
    };
    posting::posted(step, &answer)
}

/// An answer that was given while there was no line may come after a tier was released: whoever was given the
/// message meanwhile hears of it too. Only while somebody reads: what was said lies under the reading key.
fn say_again(step: &mut Step<'_>, subject: MessageRef, envelope: &[u8]) -> Result<(), Error> {
    let (Some(keys), Some(kept)) = (
        step.context.reading.clone(),
        rows::of(step.connection, subject)?,
    ) else {
        return Ok(());
    };
    let (row, id, said_at, body): (i64, Vec<u8>, i64, Vec<u8>) = step
        .connection
        .prepare_cached(
            "SELECT m.sequence, m.message_id, m.created_at, m.body FROM submission s
             JOIN message m ON m.sequence = s.message WHERE s.envelope_id = ?1",
        )?
        .query_row(params![envelope], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
    let then = escalating::given_tiers(step, &kept, Timestamp::from_millis(said_at))?;
    if escalating::given_tiers(step, &kept, step.now())?.len() <= then.len() {
        return Ok(());
    }
    let id = MessageId::from_slice(&id).map_err(|_| StoreError::Damaged { what: "message" })?;
    let place = messages::place_id(step.us(), id);
    let body = keys.open_body(messages::body_place(&place), &body)?;
    let said = content::content_of(&body)?;
    if said.type_uri != ANSWER {
        return Ok(());
    }
    let recipient = recalling::recipient_in(step, row)?;
    answering::say_again(step, &recipient, said)
}

/// The relay takes an answer only by itself, if at all: it is posted like any other, and who gave it is told that the
/// alarm goes on.
pub(crate) fn goes_on(step: &mut Step<'_>, envelope: &[u8], code: &RelayCode) -> Result<(), Error> {
    let message = answered_message(step, envelope)?;
    step.connection
        .prepare_cached("DELETE FROM stop WHERE envelope_id = ?1")?
        .execute(params![envelope])?;
    step.outgoing_changed();
    let Some(message) = message else {
        return Ok(());
    };
    step.audit(Action::EscalationDoubtful, message.id.as_bytes())?;
    step.emit(&Event::EscalationGoesOn {
        message,
        code: code.as_str().to_owned(),
    })
}

/// What an answer that waits here speaks of.
fn answered_message(step: &Step<'_>, envelope: &[u8]) -> Result<Option<MessageRef>, Error> {
    let found: Option<(Vec<u8>, Vec<u8>)> = step
        .connection
        .prepare_cached(
            "SELECT m.sender_device, m.message_id FROM stop t
             JOIN escalation e ON e.sender_device = t.sender_device AND e.deposit_id = t.deposit_id
             JOIN message m ON m.sequence = e.message WHERE t.envelope_id = ?1",
        )?
        .query_row(params![envelope], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let damaged = || StoreError::Damaged { what: "escalation" };
    found
        .map(|(device, id)| {
            Ok(MessageRef {
                device: DeviceId::from_slice(&device).map_err(|_| damaged())?,
                id: MessageId::from_slice(&id).map_err(|_| damaged())?,
            })
        })
        .transpose()
}
