//! The way out, second half: sealed submissions, and what the relay said of them.
//!
//! A submission is sealed once and kept as bytes: however often it has to be posted, it is the same
//! envelope with the same id, and the relay takes it once.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use wardline_org::{DeviceId, EnvelopeId, Hash, Timestamp, connect::RelayCode};
use wardline_proto::{Message, v1};

use super::{
    Step,
    event::Event,
    failing::{self, Failures, Names},
    holding, stopping,
};
use crate::{
    error::Error,
    escalation,
    id::{ConversationId, MessageId},
    message::{
        FailureCause, Priority,
        lifecycle::Happening,
        rows::{self, Facts},
    },
    session::{
        content::SealedContent,
        seal::{Binding, Plain, recipients_hash},
    },
    store::StoreError,
};

/// The submissions to post next, within what one request should carry.
pub(crate) fn to_post(step: &mut Step<'_>) -> Result<Vec<v1::Submission>, Error> {
    let mut statement = step.connection.prepare_cached(
        "SELECT body FROM submission WHERE envelope_id NOT IN (SELECT envelope_id FROM stop)
             ORDER BY id LIMIT ?1",
    )?;
    let mut rows = statement.query(params![MOST_SUBMISSIONS])?;
    let mut submissions = Vec::new();
    let mut size = 0;
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(0)?;
        size += body.len();
        if size > MOST_BYTES && !submissions.is_empty() {
            break;
        }
        let submission = v1::Submission::decode(body.as_slice())
            .map_err(|_| StoreError::Damaged { what: "submission" })?;
        let held_back = step.memory.held_back.get(&submission.envelope_id);
        if held_back.is_some_and(|until| step.context.now < *until) {
            continue;
        }
        let alone = step.memory.alone.contains(&submission.envelope_id);
        if alone && !submissions.is_empty() {
            break;
        }
        submissions.push(submission);
        if alone {
            break;
        }
    }
    Ok(submissions)
}

/// Whether a refusal is about what was sent, and not about who sends it or when.
pub(crate) fn blames_what_is_sent(code: &RelayCode) -> bool {
    matches!(
        code,
        RelayCode::TooLarge | RelayCode::Malformed | RelayCode::Conflict | RelayCode::Unsupported
    )
}

/// The relay will not take these submissions, however often they are posted. One of several spoils the
/// others, so each is posted alone; one that was alone is given up.
pub(crate) fn refused(step: &mut Step<'_>, sent: &v1::SendRequest) -> Result<(), Error> {
    let [spoilt] = sent.submissions.as_slice() else {
        let ids = sent.submissions.iter().map(|s| s.envelope_id.clone());
        step.memory.alone.extend(ids);
        return Ok(());
    };
    let envelope = &spoilt.envelope_id;
    if spoilt.deposit.is_some() && !spoilt.keys.is_empty() {
        return send_without_deposit(step, spoilt);
    }
    holding::posted(step, envelope, false, step.now())?;
    let Some(Some(message)) = take(step, envelope)? else {
        return Ok(());
    };
    let mut failures = Failures::of(message);
    if spoilt.keys.is_empty() {
        for user in escalation::rows::first(step.connection, message)? {
            failures.person(step, &user, FailureCause::RefusedByRelay)?;
        }
    }
    for device in devices_of(step, envelope)? {
        let (happening, cause) = (Happening::Refused, FailureCause::RefusedByRelay);
        failures.device(step, device, happening, cause, step.now())?;
    }
    failures.tell(step)
}

/// The relay holds nothing more for this device. Each submission with a deposit is posted alone, so that the others
/// are taken, and then without it: the message must not wait for what is only held in case.
pub(crate) fn too_much_held(step: &mut Step<'_>, sent: &v1::SendRequest) -> Result<(), Error> {
    match sent.submissions.as_slice() {
        [one] => send_without_deposit(step, one),
        several => {
            let with = several.iter().filter(|one| one.deposit.is_some());
            let ids = with.map(|one| one.envelope_id.clone());
            step.memory.alone.extend(ids);
            Ok(())
        }
    }
}

/// Posts a message without what was to be held of it, and tells its author.
fn send_without_deposit(step: &mut Step<'_>, sent: &v1::Submission) -> Result<(), Error> {
    let envelope = &sent.envelope_id;
    holding::posted(step, envelope, false, step.now())?;
    step.memory.alone.remove(envelope);
    if sent.keys.is_empty() {
        // There is nothing to send without it: it is posted again when something else may have ended.
        let again = step.now() + HELD_BACK;
        step.memory.held_back.insert(envelope.clone(), again);
        return Ok(());
    }
    let without = v1::Submission {
        deposit: None,
        ..sent.clone()
    };
    step.connection
        .prepare_cached("UPDATE submission SET body = ?2 WHERE envelope_id = ?1")?
        .execute(params![envelope, without.encode_to_vec()])?;
    step.outgoing_changed();
    Ok(())
}

/// Takes a submission out of the queue; answers the message it carried, if it was there and carried one.
fn take(step: &mut Step<'_>, envelope: &Vec<u8>) -> Result<Option<Option<i64>>, Error> {
    step.memory.alone.remove(envelope);
    Ok(step
        .connection
        .prepare_cached("DELETE FROM submission WHERE envelope_id = ?1 RETURNING message")?
        .query_row(params![envelope], |row| row.get(0))
        .optional()?)
}

/// The devices an envelope was sealed for.
fn devices_of(step: &Step<'_>, envelope: &[u8]) -> Result<Vec<DeviceId>, Error> {
    let devices: Vec<Vec<u8>> = step
        .connection
        .prepare_cached("SELECT device_id FROM envelope_device WHERE envelope_id = ?1")?
        .query_map(params![envelope], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let devices = devices.iter();
    Ok(devices
        .filter_map(|device| DeviceId::from_slice(device).ok())
        .collect())
}

/// Takes in what the relay said of posted submissions.
pub(crate) fn posted(step: &mut Step<'_>, answer: &v1::SendResponse) -> Result<(), Error> {
    for outcome in &answer.outcomes {
        let Some(Some(message)) = take(step, &outcome.envelope_id)? else {
            continue;
        };
        let accepted_at = Timestamp::from_millis(outcome.accepted_at_ms);
        holding::posted(step, &outcome.envelope_id, outcome.armed, accepted_at)?;
        step.connection
            .prepare_cached("UPDATE sent_envelope SET posted_at = ?2 WHERE envelope_id = ?1")?
            .execute(params![outcome.envelope_id, step.now().as_millis()])?;
        let mut failures = Failures::of(message);
        let mut reaches_somebody = false;
        for device in devices_of(step, &outcome.envelope_id)? {
            let refusal = outcome
                .refused
                .iter()
                .find(|refused| refused.device_id == device.as_bytes());
            match refusal {
                None => {
                    let posted = Happening::Posted;
                    rows::advance(step.connection, message, device, posted, None, accepted_at)?;
                    let person = failing::person_of(step, message, device)?;
                    reaches_somebody |= person.is_some_and(|p| p != step.context.identity.user_id);
                }
                Some(refused) => {
                    let (happening, cause) = (Happening::Refused, cause_of(refused.reason()));
                    failures.device(step, device, happening, cause, accepted_at)?;
                }
            }
        }
        failures.tell(step)?;
        // A copy on our own other devices alone has been sent to nobody.
        if reaches_somebody {
            announce_sent(step, message)?;
        }
    }
    Ok(())
}

fn announce_sent(step: &mut Step<'_>, message: i64) -> Result<(), Error> {
    let names = Names::of(step, message)?;
    step.conversation_changed(names.row);
    step.emit(&Event::MessageSent {
        message: names.message,
        conversation: names.conversation,
    })
}

/// Seals the content's key for some devices and queues the submission, with what is held for others.
pub(super) fn submit(
    step: &mut Step<'_>,
    message: i64,
    content: &v1::Content,
    sealed: &SealedContent,
    devices: &[DeviceId],
    deposit: Option<v1::Deposit>,
) -> Result<(), Error> {
    let damaged = |_| StoreError::Damaged { what: "content" };
    let recipients = content
        .recipient_devices
        .iter()
        .map(|device| DeviceId::from_slice(device))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| StoreError::Damaged { what: "content" })?;
    let binding = Binding {
        conversation_id: ConversationId::from_slice(&content.conversation_id).map_err(damaged)?,
        message_id: MessageId::from_slice(&content.message_id).map_err(damaged)?,
        head_version: content.head_version,
        head_hash: Hash::from_slice(&content.head_hash)
            .map_err(|_| StoreError::Damaged { what: "content" })?,
        recipients_hash: recipients_hash(&recipients),
    };
    let plain = Plain::content_key(step.us(), sealed, &binding);
    let mut keys = Vec::with_capacity(devices.len());
    for device in devices {
        keys.extend(plain.seal(&mut step.memory.ratchets, step.connection, *device)?);
    }
    if keys.is_empty() && deposit.is_none() {
        return Ok(());
    }
    let envelope_id = EnvelopeId::generate(step.now())?;
    if deposit.is_some() {
        escalation::rows::travels_in(step.connection, message, envelope_id)?;
    }
    step.connection
        .prepare_cached("INSERT INTO sent_envelope (envelope_id, message) VALUES (?1, ?2)")?
        .execute(params![envelope_id.as_bytes(), message])?;
    let mut note = step
        .connection
        .prepare_cached("INSERT INTO envelope_device (envelope_id, device_id) VALUES (?1, ?2)")?;
    for key in &keys {
        note.execute(params![envelope_id.as_bytes(), key.device_id])?;
    }
    drop(note);
    // For nobody now: the relay takes no content that nobody can open.
    let ciphertext = match keys.is_empty() {
        true => Vec::new(),
        false => sealed.ciphertext.clone(),
    };
    queue(
        step,
        envelope_id,
        Some(message),
        v1::Submission {
            envelope_id: envelope_id.to_vec(),
            content: ciphertext.into(),
            keys,
            wake: wake_of(content).into(),
            deposit,
        },
    )?;
    stopping::note_stop(step, content, envelope_id, devices)
}

/// How somebody who sleeps is woken for a content.
pub(super) fn wake_of(content: &v1::Content) -> v1::WakeClass {
    // A routine message is shown too, only quietly: silent pushes are dropped by the dozen, and never
    // reach an app that its user has closed. How loud an alert is, the device decides once it has opened
    // the message; the relay learns less of it.
    match Priority::from_wire(content.priority) {
        // Nothing to show: a team must not be woken because somebody has taken a result.
        _ if !Facts::of(content).shown => v1::WakeClass::Silent,
        Priority::Routine | Priority::Urgent => v1::WakeClass::Alert,
        Priority::Stat => v1::WakeClass::Critical,
    }
}

/// Queues a submission for the relay: exactly these bytes are posted, however often it takes.
pub(super) fn queue(
    step: &mut Step<'_>,
    envelope_id: EnvelopeId,
    message: Option<i64>,
    submission: v1::Submission,
) -> Result<(), Error> {
    step.connection
        .prepare_cached("INSERT INTO submission (envelope_id, message, body) VALUES (?1, ?2, ?3)")?
        .execute(params![
            envelope_id.as_bytes(),
            message,
            submission.encode_to_vec()
        ])?;
    step.outgoing_changed();
    Ok(())
}

fn cause_of(reason: v1::RefusalReason) -> FailureCause {
    match reason {
        v1::RefusalReason::Revoked => FailureCause::Revoked,
        v1::RefusalReason::MailboxFull => FailureCause::MailboxFull,
        v1::RefusalReason::UnknownDevice | v1::RefusalReason::Unspecified => {
            FailureCause::UnknownDevice
        }
    }
}

const MOST_SUBMISSIONS: i64 = 64;
/// After the relay held too much for this device.
const HELD_BACK: Duration = Duration::from_secs(60);
const MOST_BYTES: usize = 512 * 1024;
