//! The way out, first half: from a draft to a sealed message.
//!
//! A message is durable before anything else happens to it. When the directory is fresh and every device
//! has a session it is sealed right away, and its row is written once; otherwise it waits in `outbox`
//! and says what it waits for (entries, keys), until [`seal_waiting`] finds everything there. Recipients
//! are frozen at that moment: their list is part of what is signed.
//!
//! How one is sealed is [`super::sealing`]'s concern, and what is sealed goes to [`super::posting`].

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp};
use wardline_proto::{Message, v1};

use super::{
    Step, audience,
    drafting::{checked, refuse_hopeless},
    expiring,
    failing::Failures,
    forwarding::Forward,
    holding, posting, recalling, roles,
    sealing::{AtHand, Bodies, Sealed, at_hand, freeze, may_seal, message_id_of, send_off},
};
use crate::{
    audit::Action,
    conversation::{self, Recipient},
    error::{Error, SendError},
    id::{MessageId, MessageRef},
    message::{
        Direction, Draft, FailureCause, Priority, Proof,
        lifecycle::Happening,
        rows::{self, Facts, NewMessage},
    },
    session::content::ContentKey,
    store::StoreError,
};

/// How many messages the relay has not taken: they are on this device only.
pub(crate) fn unsent(connection: &Connection) -> Result<u64, StoreError> {
    let count: i64 = connection.query_row(
        "SELECT count(*) FROM (
             SELECT message FROM outbox
             UNION SELECT message FROM submission WHERE message IS NOT NULL)",
        [],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Takes a draft: durable, and sealed too if nothing is missing. Answers its id.
pub(crate) fn send(step: &mut Step<'_>, draft: &Draft) -> Result<MessageId, Error> {
    if let Some(known) = sent_before(step, draft)? {
        return Ok(known);
    }
    let forward = Forward::of(step, draft)?;
    let mut content = checked(step, draft, forward.as_ref())?;
    if draft
        .idempotency_key
        .as_ref()
        .is_some_and(|key| key.len() > MOST_KEY_BYTES)
    {
        return Err(SendError::IdempotencyKeyTooLong.into());
    }
    holding::check(step, draft)?;
    refuse_hopeless(step, &draft.recipient)?;
    roles::refuse_hopeless(step, &draft.recipient, draft.priority)?;
    if let Some(message) = draft.reply_to {
        content.subject = Some(subject_of(step, message)?);
    }
    let (sequence, message_id) = write(step, &draft.recipient, content)?;
    if let Some(forward) = &forward {
        forward.written(step, sequence)?;
    }
    if let Some(key) = &draft.idempotency_key {
        step.connection
            .prepare_cached("INSERT INTO idempotency (key, message) VALUES (?1, ?2)")?
            .execute(params![key, sequence])?;
    }
    Ok(message_id)
}

/// How a content names the message it speaks of.
fn subject_of(step: &Step<'_>, message: MessageRef) -> Result<v1::MessageReference, Error> {
    let hash: Option<Option<Vec<u8>>> = step
        .connection
        .prepare_cached(
            "SELECT content_hash FROM message
             WHERE sender_device = ?1 AND message_id = ?2 AND shown = 1",
        )?
        .query_row(
            params![message.device.as_bytes(), message.id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(v1::MessageReference {
        sender_device: message.device.to_vec(),
        message_id: message.id.as_bytes().to_vec(),
        content_hash: hash.ok_or(Error::Unknown)?.unwrap_or_default(),
    })
}

/// Writes a content to a recipient: durable, and sealed too if nothing is missing. Answers its row and id.
pub(crate) fn write(
    step: &mut Step<'_>,
    recipient: &Recipient,
    content: v1::Content,
) -> Result<(i64, MessageId), Error> {
    let (content, row) = address(step, recipient, content)?;
    let message_id = message_id_of(&content)?;
    let at_hand = if others_wait(step, row)? {
        None
    } else {
        at_hand(step, recipient, &content)?
    };
    let sequence = match &at_hand {
        Some(at_hand) if at_hand.missing.is_empty() => {
            let content = freeze(step, content, recipient, at_hand)?;
            let sealed = Sealed::new(step, &content)?;
            let message = insert(step, row, &content, Some(&sealed))?;
            send_off(step, message, &content, &sealed, at_hand)?;
            message
        }
        _ => {
            let message = insert(step, row, &content, None)?;
            step.connection
                .prepare_cached(
                    "INSERT INTO outbox (message, content, queued_at) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    message,
                    content.encode_to_vec(),
                    step.now().as_millis()
                ])?;
            holding::note_waiting(step, message, &content)?;
            if let Some(at_hand) = at_hand {
                seal_first(step, message, content, recipient, &at_hand)?;
            }
            message
        }
    };
    step.conversation_changed(row);
    step.outgoing_changed();
    Ok((sequence, message_id))
}

/// Writes a content down and sends it to nobody; answers its row.
pub(super) fn write_down(
    step: &mut Step<'_>,
    recipient: &Recipient,
    content: v1::Content,
) -> Result<i64, Error> {
    let (content, row) = address(step, recipient, content)?;
    insert(step, row, &content, None)
}

/// Seals whatever waits and can be sealed now; answers how many messages still wait.
pub(crate) fn seal_waiting(step: &mut Step<'_>) -> Result<usize, Error> {
    let waiting: Vec<i64> = step
        .connection
        .prepare_cached(
            // What a clock calls over leaves for nobody.
            "SELECT o.message FROM outbox o JOIN message m ON m.sequence = o.message
             WHERE o.not_before <= ?1 AND m.hidden_at IS NULL ORDER BY o.message LIMIT ?2",
        )?
        .query_map(
            params![step.now().as_millis(), MOST_SEALED_AT_ONCE],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    for message in waiting {
        match seal_one(step, message) {
            // One row that cannot be read must not hold up the others.
            Err(Error::Store(StoreError::Damaged { what })) => {
                tracing::error!(what, "a waiting message cannot be sealed");
                postpone(step, message, DAMAGED_PAUSE)?;
            }
            sealed => sealed?,
        }
    }
    Ok(step
        .connection
        .prepare_cached("SELECT count(*) FROM outbox")?
        .query_row([], |row| row.get(0))?)
}

/// Whatever waits for time to pass is looked at in the next round.
pub(crate) fn look_again(step: &Step<'_>) -> Result<(), Error> {
    step.connection
        .prepare_cached("UPDATE outbox SET not_before = 0 WHERE not_before > 0")?
        .execute([])?;
    Ok(())
}

fn sent_before(step: &Step<'_>, draft: &Draft) -> Result<Option<MessageId>, Error> {
    let Some(key) = &draft.idempotency_key else {
        return Ok(None);
    };
    let known: Option<Vec<u8>> = step
        .connection
        .prepare_cached(
            "SELECT m.message_id FROM idempotency i JOIN message m ON m.sequence = i.message
             WHERE i.key = ?1",
        )?
        .query_row(params![key], |row| row.get(0))
        .optional()?;
    known
        .map(|id| {
            MessageId::from_slice(&id).map_err(|_| StoreError::Damaged { what: "message" }.into())
        })
        .transpose()
}

/// Whether a message of this conversation was written before and is not sealed: it goes first, or what was
/// written later would be read earlier.
fn others_wait(step: &Step<'_>, conversation: i64) -> Result<bool, Error> {
    Ok(step
        .connection
        .prepare_cached(
            // From the few that wait to their messages, never through a whole conversation.
            "SELECT 1 FROM outbox WHERE content IS NOT NULL
             AND (SELECT conversation FROM message WHERE sequence = outbox.message) = ?1 LIMIT 1",
        )?
        .exists(params![conversation])?)
}

/// A content under our name, without what is only known when it is sealed; and the row of its conversation.
fn address(
    step: &mut Step<'_>,
    recipient: &Recipient,
    content: v1::Content,
) -> Result<(v1::Content, i64), Error> {
    let context = step.context;
    let identity = &context.identity;
    let conversation_id = recipient.conversation(&identity.organization, &identity.user_id);
    let reference = recipient.reference(&identity.user_id, None);
    let row = conversation::ensure(step.connection, conversation_id, &reference)?;
    // What is said of a message that was escalated to us names the conversation its author wrote it in.
    let (conversation_id, reference) = match &content.conversation {
        Some(named) => (content.conversation_id.clone(), named.clone()),
        None => (conversation_id.as_bytes().to_vec(), reference),
    };
    let message_id = MessageId::generate(step.now());
    let content = v1::Content {
        version: CONTENT_VERSION,
        organization: identity.organization.to_string(),
        message_id: message_id.as_bytes().to_vec(),
        conversation_id,
        conversation: Some(reference),
        sender_user_id: identity.user_id.to_string(),
        sender_device: identity.device_id.to_vec(),
        created_at_ms: match content.created_at_ms {
            0 => step.now().as_millis(),
            scheduled => scheduled,
        },
        lifetime: expiring::lifetime_of(step, row, &content)?,
        ..content
    };
    Ok((content, row))
}

/// Writes the row of a message: with everything that sealing gave, or as it waits.
pub(super) fn insert(
    step: &mut Step<'_>,
    conversation: i64,
    content: &v1::Content,
    sealed: Option<&Sealed>,
) -> Result<i64, Error> {
    let message_id = message_id_of(content)?;
    let waiting;
    let signed = match sealed {
        Some(sealed) => &sealed.signed,
        None => {
            waiting = v1::SignedContent {
                content: content.encode_to_vec(),
                signature: Vec::new(),
            };
            &waiting
        }
    };
    let rows = Bodies::seal(step, message_id, signed, sealed)?;
    let speaks = roles::as_what(step, content)?;
    let message = rows::insert(
        step.connection,
        &NewMessage {
            message_id,
            sender_device: step.us(),
            sender_user: &step.context.identity.user_id,
            conversation,
            direction: Direction::Outgoing,
            proof: Proof::Proven,
            priority: Priority::from_wire(content.priority),
            created_at: Timestamp::from_millis(content.created_at_ms),
            arrived_at: step.now(),
            content_hash: sealed.map(|sealed| sealed.content.hash),
            body: &rows.body,
            content_key: rows.content_key.as_deref(),
            facts: Facts::of(content),
            speaks,
            passed_by: None,
        },
    )?
    .ok_or(StoreError::Damaged { what: "message id" })?;
    step.audit(Action::MessageQueued, message_id.as_bytes())?;
    Ok(message)
}

/// Seals one waiting message as far as possible.
fn seal_one(step: &mut Step<'_>, message: i64) -> Result<(), Error> {
    let waiting: Option<Waiting> = step
        .connection
        .prepare_cached(
            "SELECT content, signed, content_key, queued_at FROM outbox WHERE message = ?1",
        )?
        .query_row(params![message], |row| {
            Ok(Waiting {
                content: row.get(0)?,
                signed: row.get(1)?,
                key: row.get(2)?,
                queued_at: Timestamp::from_millis(row.get(3)?),
            })
        })
        .optional()?;
    match waiting {
        Some(Waiting {
            content: Some(content),
            ..
        }) => {
            let damaged = || StoreError::Damaged { what: "outbox" };
            let content = v1::Content::decode(content.as_slice()).map_err(|_| damaged())?;
            let content = holding::when_due(step, content);
            let us = &step.context.identity.user_id;
            let named = content.conversation.as_ref();
            let recipient = match named.and_then(|named| Recipient::parse(named, us)) {
                Some(recipient) => recipient,
                None => recalling::recipient_in(step, message)?,
            };
            match at_hand(step, &recipient, &content)? {
                Some(at_hand) => seal_first(step, message, content, &recipient, &at_hand),
                None => Ok(()),
            }
        }
        Some(Waiting {
            signed: Some(signed),
            key: Some(key),
            queued_at,
            ..
        }) => {
            if may_seal(step)? {
                seal_rest(step, message, &signed, &key, queued_at)?;
            }
            Ok(())
        }
        Some(_) => Err(StoreError::Damaged { what: "outbox" }.into()),
        None => Ok(()),
    }
}

/// A row of `outbox`: a content before its recipients are frozen, or a signed one after.
struct Waiting {
    content: Option<Vec<u8>>,
    signed: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    queued_at: Timestamp,
}

fn postpone(step: &Step<'_>, message: i64, pause: Duration) -> Result<(), Error> {
    step.connection
        .prepare_cached("UPDATE outbox SET not_before = ?2 WHERE message = ?1")?
        .execute(params![message, (step.now() + pause).as_millis()])?;
    Ok(())
}

/// Freezes the recipients of a waiting message and seals it for every device there is a session with.
fn seal_first(
    step: &mut Step<'_>,
    message: i64,
    content: v1::Content,
    recipient: &Recipient,
    at_hand: &AtHand,
) -> Result<(), Error> {
    let content = freeze(step, content, recipient, at_hand)?;
    let sealed = Sealed::new(step, &content)?;
    let message_id = message_id_of(&content)?;
    let facts = Facts::of(&content);
    let Bodies { body, content_key } =
        Bodies::seal(step, message_id, &sealed.signed, Some(&sealed))?;
    step.connection
        .prepare_cached(
            "UPDATE message SET body = ?2, content_key = ?3, content_hash = ?4, recipients = ?5,
                 delegations = ?6
             WHERE sequence = ?1",
        )?
        .execute(params![
            message,
            body,
            content_key,
            sealed.content.hash.as_bytes(),
            facts.recipients,
            facts.delegations,
        ])?;
    send_off(step, message, &content, &sealed, at_hand)?;
    if at_hand.missing.is_empty() {
        step.connection
            .prepare_cached("DELETE FROM outbox WHERE message = ?1")?
            .execute(params![message])?;
    } else {
        let pause = step.memory.keyless.pause(&at_hand.missing, step.now());
        step.connection
            .prepare_cached(
                "UPDATE outbox SET content = NULL, signed = ?2, content_key = ?3, not_before = ?4
                 WHERE message = ?1",
            )?
            .execute(params![
                message,
                sealed.signed.encode_to_vec(),
                sealed.content.key.as_bytes(),
                (step.now() + pause).as_millis()
            ])?;
    }
    Ok(())
}

/// Seals the same content for devices of the frozen list that had no key before.
fn seal_rest(
    step: &mut Step<'_>,
    message: i64,
    signed: &[u8],
    key: &[u8],
    queued_at: Timestamp,
) -> Result<(), Error> {
    let damaged = || StoreError::Damaged { what: "outbox" };
    let signed = v1::SignedContent::decode(signed).map_err(|_| damaged())?;
    let content = v1::Content::decode(signed.content.as_slice()).map_err(|_| damaged())?;
    let sealed = ContentKey::from_slice(key)
        .and_then(|key| key.seal(&signed))
        .ok_or_else(damaged)?;
    let unsealed = audience::unsealed_devices(step, message)?;
    let asked_before = step.memory.wanted_entries.len();
    let queued = audience::still_active(step, message, unsealed)?;
    if step.memory.wanted_entries.len() > asked_before {
        return Ok(());
    }
    let missing = audience::without_session(step, &queued)?;
    let ready: Vec<DeviceId> = queued
        .iter()
        .map(|(device, _)| *device)
        .filter(|device| !missing.contains(device))
        .collect();
    if !ready.is_empty() {
        posting::submit(step, message, &content, &sealed, &ready, None)?;
    }
    let rules = step.memory.directory.policy(step.connection)?;
    let given_up = step.now().saturating_since(queued_at) > rules.reseal_window();
    if missing.is_empty() || given_up {
        let mut failures = Failures::of(message);
        for device in &missing {
            let (happening, cause) = (Happening::GivenUp, FailureCause::NoKeys);
            failures.device(step, *device, happening, cause, step.now())?;
        }
        failures.tell(step)?;
        step.connection
            .prepare_cached("DELETE FROM outbox WHERE message = ?1")?
            .execute(params![message])?;
    } else {
        for device in &missing {
            step.want_session(*device);
        }
        let pause = step.memory.keyless.pause(&missing, step.now());
        postpone(step, message, pause)?;
    }
    Ok(())
}

const CONTENT_VERSION: u32 = 1;
const MOST_KEY_BYTES: usize = 128;
/// Bounds one transaction of a long queue.
const MOST_SEALED_AT_ONCE: i64 = 64;
const DAMAGED_PAUSE: Duration = Duration::from_secs(3600);
