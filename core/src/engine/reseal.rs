//! Healing: asking for what did not open, and sealing again what another device asks for.
//!
//! Undecryptable is a state with a cure (rule 11). The device that could not open something starts a
//! fresh session with the sender and names the envelopes. The sender seals the same content again,
//! only for devices of the list frozen at send, without a delivered receipt, within the policy's
//! window, once for each message and device. The content's key lies under the reading key, so a locked
//! sender heals at its next unlock.

use rusqlite::{Connection, params};
use wardline_org::{DeviceId, EntryKey, Timestamp, UserId};
use wardline_proto::{Message, v1};

use super::{Step, failing::Failures, posting, upkeep};
use crate::{
    audit::Action,
    directory::SenderLookup,
    error::Error,
    message::{DeliveryState, FailureCause, content, lifecycle::Happening, rows},
    session::content::ContentKey,
    store::StoreError,
    vault::BodyOpener,
};

/// Asks the senders of refused envelopes to seal them again, through sessions made anew.
pub(crate) fn ask(step: &mut Step<'_>) -> Result<(), Error> {
    for (sender, user) in senders_to_ask(step)? {
        match step
            .memory
            .directory
            .sender(step.connection, &user, sender)?
        {
            SenderLookup::Ask(key) => {
                step.memory.wanted_entries.insert(key);
            }
            SenderLookup::Proven(proven) if proven.active => ask_one(step, sender)?,
            SenderLookup::Proven(_) | SenderLookup::Refuted => give_up(step, sender)?,
        }
    }
    Ok(())
}

fn senders_to_ask(step: &Step<'_>) -> Result<Vec<(DeviceId, UserId)>, Error> {
    let mut statement = step.connection.prepare_cached(
        "SELECT DISTINCT sender_device, sender_user FROM refused_envelope
         WHERE curable = 1 AND reseal_requested_at IS NULL LIMIT 100",
    )?;
    let mut rows = statement.query([])?;
    let mut senders = Vec::new();
    while let Some(row) = rows.next()? {
        let device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(0)?);
        let user = UserId::new(row.get::<_, String>(1)?);
        if let (Ok(device), Ok(user)) = (device, user) {
            senders.push((device, user));
        }
    }
    Ok(senders)
}

fn ask_one(step: &mut Step<'_>, sender: DeviceId) -> Result<(), Error> {
    // A new session first: the old one is what failed. The claim drops it (see upkeep).
    if !step.memory.fresh_sessions.contains(&sender) {
        step.want_session(sender);
        step.memory.broken_sessions.insert(sender);
        return Ok(());
    }
    let envelopes = unasked(step.connection, sender)?;
    let request = v1::ResealRequest {
        envelope_ids: envelopes.clone(),
    };
    let body = v1::control::Body::ResealRequest(request);
    if upkeep::say(step, sender, body)? {
        mark_asked(step.connection, sender, &envelopes, step.now())?;
        // What did not fit is asked for in the next round, through the same session.
        if envelopes.len() < MOST_ASKED {
            step.memory.fresh_sessions.remove(&sender);
        }
    }
    Ok(())
}

/// What one request can name of the envelopes of a sender that nobody has asked for.
fn unasked(connection: &Connection, sender: DeviceId) -> Result<Vec<Vec<u8>>, StoreError> {
    let most = i64::try_from(MOST_ASKED).unwrap_or(i64::MAX);
    Ok(connection
        .prepare_cached(
            "SELECT envelope_id FROM refused_envelope
             WHERE sender_device = ?1 AND curable = 1 AND reseal_requested_at IS NULL LIMIT ?2",
        )?
        .query_map(params![sender.as_bytes(), most], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

fn mark_asked(
    connection: &Connection,
    sender: DeviceId,
    envelopes: &[Vec<u8>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut mark = connection.prepare_cached(
        "UPDATE refused_envelope SET reseal_requested_at = ?3
         WHERE sender_device = ?1 AND envelope_id = ?2",
    )?;
    for envelope in envelopes {
        mark.execute(params![sender.as_bytes(), envelope, now.as_millis()])?;
    }
    Ok(())
}

/// Nobody is left to ask.
fn give_up(step: &Step<'_>, sender: DeviceId) -> Result<(), Error> {
    step.connection
        .prepare_cached("UPDATE refused_envelope SET curable = 0 WHERE sender_device = ?1")?
        .execute(params![sender.as_bytes()])?;
    Ok(())
}

/// Seals again what devices asked for, where the rule allows it.
pub(crate) fn answer(step: &mut Step<'_>) -> Result<(), Error> {
    let Some(keys) = step.context.reading.clone() else {
        return Ok(());
    };
    if !step.context.checkpoint_confirmed || !step.context.head_confirmed {
        return Ok(());
    }
    let window = step
        .memory
        .directory
        .policy(step.connection)?
        .reseal_window();
    for wish in wishes(step)? {
        let expired = step.now().saturating_since(wish.created_at) > window;
        if expired || wish.state >= DeliveryState::Delivered {
            forget_wish(step, &wish, FailureCause::TimeUp)?;
            continue;
        }
        let key = EntryKey::Person(wish.user.clone());
        match step
            .memory
            .directory
            .sender(step.connection, &wish.user, wish.device)?
        {
            SenderLookup::Ask(_) => {
                step.memory.wanted_entries.insert(key);
                continue;
            }
            SenderLookup::Proven(device) if device.active => {}
            SenderLookup::Proven(_) | SenderLookup::Refuted => {
                forget_wish(step, &wish, FailureCause::Revoked)?;
                continue;
            }
        }
        if !step
            .memory
            .ratchets
            .has_session(step.connection, wish.device)?
        {
            step.want_session(wish.device);
            continue;
        }
        let mut opener = BodyOpener::new(&keys);
        match seal_again(step, &wish, &mut opener) {
            // One message that cannot be read must not hold up everything that is sealed with it.
            Err(Error::Body(error)) => {
                tracing::error!(code = error.code(), "a message cannot be sealed again");
                forget_wish(step, &wish, FailureCause::TimeUp)?;
            }
            sealed => sealed?,
        }
    }
    Ok(())
}

/// A device's wish for one message.
struct Wish {
    message: i64,
    device: DeviceId,
    user: UserId,
    state: DeliveryState,
    created_at: Timestamp,
}

fn wishes(step: &Step<'_>) -> Result<Vec<Wish>, Error> {
    let damaged = || StoreError::Damaged { what: "recipient" };
    let mut statement = step.connection.prepare_cached(
        "SELECT r.message, r.device_id, r.user_id, r.state, m.created_at
         FROM recipient r JOIN message m ON m.sequence = r.message
         WHERE r.reseal_wanted_at IS NOT NULL AND m.recalled_at IS NULL AND m.hidden_at IS NULL
           AND length(m.body) > 0 AND m.content_key IS NOT NULL LIMIT 100",
    )?;
    let mut rows = statement.query([])?;
    let mut wishes = Vec::new();
    while let Some(row) = rows.next()? {
        wishes.push(Wish {
            message: row.get(0)?,
            device: DeviceId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?,
            user: UserId::new(row.get::<_, String>(2)?).map_err(|_| damaged())?,
            state: DeliveryState::from_stored(row.get(3)?).ok_or_else(damaged)?,
            created_at: Timestamp::from_millis(row.get(4)?),
        });
    }
    Ok(wishes)
}

fn forget_wish(step: &mut Step<'_>, wish: &Wish, cause: FailureCause) -> Result<(), Error> {
    // What was queued in a copy that was restored has no submission any more.
    if wish.state == DeliveryState::Queued {
        let mut failures = Failures::of(wish.message);
        failures.device(step, wish.device, Happening::GivenUp, cause, step.now())?;
        failures.tell(step)?;
    }
    step.connection
        .prepare_cached(
            "UPDATE recipient SET reseal_wanted_at = NULL WHERE message = ?1 AND device_id = ?2",
        )?
        .execute(params![wish.message, wish.device.as_bytes()])?;
    Ok(())
}

fn seal_again(step: &mut Step<'_>, wish: &Wish, opener: &mut BodyOpener<'_>) -> Result<(), Error> {
    let damaged = || StoreError::Damaged { what: "message" };
    let (message_id, body, key): (Vec<u8>, Vec<u8>, Option<Vec<u8>>) = step
        .connection
        .prepare_cached("SELECT message_id, body, content_key FROM message WHERE sequence = ?1")?
        .query_row(params![wish.message], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let message_id = crate::id::MessageId::from_slice(&message_id).map_err(|_| damaged())?;
    let place = rows::place_id(step.us(), message_id);
    let body = opener.open(rows::body_place(&place), &body)?;
    let key = opener.open(rows::content_key_place(&place), &key.ok_or_else(damaged)?)?;
    let signed = v1::SignedContent::decode(body.as_slice()).map_err(|_| damaged())?;
    let content = content::content_of(&body)?;
    let sealed = ContentKey::from_slice(&key)
        .and_then(|key| key.seal(&signed))
        .ok_or_else(damaged)?;
    posting::submit(step, wish.message, &content, &sealed, &[wish.device], None)?;
    step.connection
        .prepare_cached(
            "UPDATE recipient SET reseal_wanted_at = NULL, resealed_at = ?3
             WHERE message = ?1 AND device_id = ?2",
        )?
        .execute(params![
            wish.message,
            wish.device.as_bytes(),
            step.now().as_millis()
        ])?;
    step.audit(Action::Resealed, message_id.as_bytes())
}

/// As many as the sender looks at in one request.
const MOST_ASKED: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_envelope_of_a_sender_is_asked_for_once() -> Result<(), StoreError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(include_str!("../store/version_1.sql"))?;
        let (sender, other) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        for (device, many) in [(sender, 2 * MOST_ASKED + 1), (other, 1)] {
            for number in 0..many {
                connection.execute(
                    "INSERT INTO refused_envelope
                         (envelope_id, sender_device, sender_user, at, cause, curable)
                     VALUES (?1, ?2, 'NS-1', 0, 1, 1)",
                    params![number.to_be_bytes(), device.as_bytes()],
                )?;
            }
        }
        let mut asked = Vec::new();
        loop {
            let next = unasked(&connection, sender)?;
            if next.is_empty() {
                break;
            }
            mark_asked(&connection, sender, &next, Timestamp::from_millis(1))?;
            asked.push(next.len());
        }
        assert_eq!(asked, [MOST_ASKED, MOST_ASKED, 1]);
        assert_eq!(unasked(&connection, other)?.len(), 1);
        Ok(())
    }
}
