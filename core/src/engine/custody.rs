//! Custody: what a caller has written to a role goes on to whoever holds it now.
//!
//! The custodian's device passes on what nobody has accepted yet, and what reached no holder at all, as soon as somebody
//! holds the role who has not got it: the holder has changed, or has a new device. Whoever leaves hands over what is
//! open, with a note. What is passed on is the message as its author signed it, with the correction that stands, so it
//! is shown as that author's and proven like any other; who passed it on is shown too.
//!
//! Not its concern: taking in what others pass on ([`super::passed`]).

use rusqlite::params;
use wardline_org::{DeviceId, EntryKey, RoleId, UserId};
use wardline_proto::{Message, v1};

use super::{Step, drafting, outbox, roles, sealing};
use crate::{
    audit::Action,
    conversation::{self, Recipient, role},
    directory::{Lookup, active_devices},
    error::{Error, SendError},
    id::{MessageId, MessageRef},
    message::{Draft, PASS, Proof, amend, content, passing, reminders, rows},
    store::StoreError,
    vault::BodyOpener,
};

/// What was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandedOver {
    /// The id of the note.
    pub note: MessageId,
    /// How many messages were open, and are whoever comes next's to answer.
    pub items: u32,
}

/// Passes on what this person keeps for roles. Nothing while locked: a message is passed on with its words.
pub(crate) fn pass_on(step: &mut Step<'_>) -> Result<(), Error> {
    if step.context.reading.is_none() || !sealing::may_seal(step)? {
        return Ok(());
    }
    for role in roles_kept(step)? {
        let Lookup::Present(entry) = roles::line_entry(step, &role)? else {
            continue;
        };
        let us = step.context.identity.user_id.clone();
        let line = entry.role_line();
        let Some(line) = line.filter(|line| line.custodian.as_ref() == Some(&us)) else {
            continue;
        };
        let now = roles::time(step)?;
        let mut holders: Vec<UserId> = line.holders(now).cloned().collect();
        let held_by_us = holders.contains(&us);
        holders.retain(|user| *user != us);
        let devices = devices_of(step, &holders)?.0;
        for kept in kept_of(step, &role, KEPT)? {
            let missing = kept.missing(&devices);
            if !kept.asks {
                match reached_a_holder(step, &kept)? {
                    _ if held_by_us => settle(step, kept.sequence)?,
                    Some(true) => settle(step, kept.sequence)?,
                    Some(false) if !missing.is_empty() => {
                        pass(step, &kept, &missing, false)?;
                        settle(step, kept.sequence)?;
                    }
                    Some(false) | None => {}
                }
            } else if !missing.is_empty() {
                pass(step, &kept, &missing, false)?;
            }
        }
    }
    Ok(())
}

/// Hands a role over to whoever holds it now and next: a note, and everything that is unread or unanswered.
pub(crate) fn hand_over(
    step: &mut Step<'_>,
    role: &RoleId,
    note: &Draft,
) -> Result<HandedOver, Error> {
    let us = step.context.identity.user_id.clone();
    let (Lookup::Present(entry) | Lookup::Unproven(Some(entry))) = roles::line_entry(step, role)?
    else {
        return Err(SendError::NoSuchRecipient.into());
    };
    let line = entry.role_line().ok_or(SendError::NoSuchRecipient)?;
    let now = roles::time(step)?;
    if roles::speaker(step, Some(line), &us, now, now)?.is_none() {
        return Err(SendError::NotYourRole.into());
    }
    let mut others: Vec<UserId> = line.holders(now).cloned().collect();
    others.extend(role::next_holders(line, now));
    others.retain(|user| *user != us);
    if others.is_empty() {
        return Err(SendError::NoHolder.into());
    }
    let content = v1::Content {
        next_holders: true,
        ..drafting::checked(step, note, None)?
    };
    let note = outbox::write(step, &note.recipient, content)?.1;
    let (devices, complete) = devices_of(step, &others)?;
    let keeps = line.custodian.as_ref() == Some(&us);
    let open = kept_of(step, role, OPEN)?;
    for one in &open {
        let missing = one.missing(&devices);
        if !missing.is_empty() || !complete {
            pass(step, one, &missing, true)?;
        }
        if !keeps {
            handed_over(step, one.reference)?;
        }
    }
    step.audit(Action::RoleHandedOver, role.as_str().as_bytes())?;
    Ok(HandedOver {
        note,
        items: u32::try_from(open.len()).unwrap_or(u32::MAX),
    })
}

/// This person has handed a message over and is asked for no answer any more.
pub(super) fn handed_over(step: &mut Step<'_>, message: MessageRef) -> Result<(), Error> {
    reminders::stop(step.connection, message)?;
    let conversation: Vec<i64> = step
        .connection
        .prepare_cached(
            "UPDATE message SET handed_over = 1, kept = 0
             WHERE sender_device = ?1 AND message_id = ?2 RETURNING conversation",
        )?
        .query_map(
            params![message.device.as_bytes(), message.id.as_bytes()],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    for conversation in conversation {
        step.conversation_changed(conversation);
    }
    Ok(())
}

/// A message that a caller has written to a role.
struct Kept {
    sequence: i64,
    reference: MessageRef,
    recipient: Recipient,
    caller: UserId,
    asks: bool,
    hash: Vec<u8>,
    body: Vec<u8>,
    /// The devices that have it, one after the other.
    recipients: Vec<u8>,
    priority: i32,
}

impl Kept {
    fn missing(&self, devices: &[DeviceId]) -> Vec<DeviceId> {
        let has = |device: &&DeviceId| {
            let mut recipients = self.recipients.chunks_exact(16);
            recipients.any(|one| one == device.as_bytes())
        };
        devices.iter().filter(|one| !has(one)).copied().collect()
    }
}

/// Sends a message on, with the correction of it that stands.
fn pass(
    step: &mut Step<'_>,
    kept: &Kept,
    missing: &[DeviceId],
    next_holders: bool,
) -> Result<(), Error> {
    let Some(keys) = step.context.reading.clone() else {
        return Err(Error::Locked);
    };
    let mut opener = BodyOpener::new(&keys);
    let Some(original) = signed(&mut opener, kept.reference, &kept.body)? else {
        tracing::error!("a message that is kept for a role does not open");
        return settle(step, kept.sequence);
    };
    let text = content::text_of(&content::content_of(&original.encode_to_vec())?).0;
    let mut contents = vec![v1::PassedContent {
        signed: Some(original),
        content_hash: kept.hash.clone(),
    }];
    if let Some((reference, hash, body)) = correction_of(step, kept.sequence)?
        && let Some(signed) = signed(&mut opener, reference, &body)?
    {
        contents.push(v1::PassedContent {
            signed: Some(signed),
            content_hash: hash,
        });
    }
    let content = v1::Content {
        type_uri: PASS.to_owned(),
        body: v1::PassBody { contents }.encode_to_vec(),
        fallback_text: text,
        priority: kept.priority,
        subject: Some(content::reference_to(kept.reference, kept.hash.clone())),
        next_holders,
        ..Default::default()
    };
    let (row, _) = outbox::write(step, &kept.recipient, content)?;
    passing::note(step.connection, row, kept.reference)?;
    passing::extend_recipients(step.connection, kept.reference, missing)?;
    step.audit(Action::MessagePassedOn, kept.reference.id.as_bytes())
}

/// A body as its author signed it; `None` when it is damaged.
fn signed(
    opener: &mut BodyOpener<'_>,
    message: MessageRef,
    body: &[u8],
) -> Result<Option<v1::SignedContent>, Error> {
    let place = rows::place_id(message.device, message.id);
    let body = opener.open(rows::body_place(&place), body).ok();
    let signed = body.and_then(|body| v1::SignedContent::decode(body.as_slice()).ok());
    Ok(signed.filter(|signed| !signed.signature.is_empty()))
}

type Correction = (MessageRef, Vec<u8>, Vec<u8>);

/// The correction of a message that stands: its name, its hash and its body.
fn correction_of(step: &Step<'_>, message: i64) -> Result<Option<Correction>, Error> {
    let mut statement = step.connection.prepare_cached(
        "SELECT a.sender_device, a.message_id, a.content_hash, a.body
         FROM message m JOIN message a ON a.sequence = m.amendment
         WHERE m.sequence = ?1 AND a.content_hash IS NOT NULL AND length(a.body) > 0",
    )?;
    let mut rows = statement.query(params![message])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let (device, id): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
    let reference = amend::reference(&device, &id)?;
    Ok(Some((reference, row.get(2)?, row.get(3)?)))
}

/// Whether a message is with somebody besides its author and us; `None` while that cannot be said.
fn reached_a_holder(step: &mut Step<'_>, kept: &Kept) -> Result<Option<bool>, Error> {
    let mut devices = kept.recipients.clone();
    for user in [&kept.caller, &step.context.identity.user_id.clone()] {
        let (entry, _) = roles::known(step, EntryKey::Person(user.clone()))?;
        let Some(entry) = entry else {
            return Ok(None);
        };
        let of = entry.person().into_iter().flat_map(|one| &one.devices);
        let of: Vec<DeviceId> = of.map(|device| device.id()).collect();
        let others = devices
            .chunks_exact(16)
            .filter(|one| !of.iter().any(|device| device.as_bytes() == one));
        devices = others.collect::<Vec<_>>().concat();
    }
    Ok(Some(!devices.is_empty()))
}

/// The active devices of some people, and whether that is all of them: what is not known is asked for.
fn devices_of(step: &mut Step<'_>, people: &[UserId]) -> Result<(Vec<DeviceId>, bool), Error> {
    let (mut devices, mut complete) = (Vec::new(), true);
    for user in people {
        let key = EntryKey::Person(user.clone());
        match step.memory.directory.entry(step.connection, &key)? {
            Lookup::Present(entry) => {
                devices.extend(entry.person().map(active_devices).unwrap_or_default());
            }
            Lookup::Absent => {}
            Lookup::Unproven(_) => {
                step.memory.wanted_entries.insert(key);
                complete = false;
            }
        }
    }
    Ok((devices, complete))
}

/// A message need not be passed on any more.
fn settle(step: &Step<'_>, message: i64) -> Result<(), Error> {
    step.connection
        .prepare_cached("UPDATE message SET kept = 0 WHERE sequence = ?1")?
        .execute(params![message])?;
    Ok(())
}

fn roles_kept(step: &Step<'_>) -> Result<Vec<RoleId>, Error> {
    let roles: Vec<String> = step
        .connection
        .prepare_cached(
            "SELECT DISTINCT c.role FROM message m JOIN conversation c ON c.id = m.conversation
             WHERE m.kept = 1 AND (m.asks = 0 OR m.open = 1) AND c.role IS NOT NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let roles = roles.into_iter();
    Ok(roles.filter_map(|role| RoleId::new(role).ok()).collect())
}

/// Messages of callers to a role, oldest first.
fn kept_of(step: &mut Step<'_>, role: &RoleId, which: &str) -> Result<Vec<Kept>, Error> {
    let damaged = || StoreError::Damaged { what: "message" };
    let window = step
        .memory
        .directory
        .policy(step.connection)?
        .reseal_window();
    let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let oldest = step.now().as_millis().saturating_sub(window);
    let us = &step.context.identity.user_id;
    let sql = format!("{CALLED} AND {which} ORDER BY m.sequence LIMIT {MOST_AT_ONCE}");
    let mut statement = step.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![role.as_str(), Proof::Proven as i64, oldest])?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        let (device, id): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        kept.push(Kept {
            sequence: row.get(0)?,
            reference: MessageRef {
                device: DeviceId::from_slice(&device).map_err(|_| damaged())?,
                id: MessageId::from_slice(&id).map_err(|_| damaged())?,
            },
            recipient: conversation::recipient(&row.get::<_, Vec<u8>>(3)?, us)?,
            caller: UserId::new(row.get::<_, String>(4)?).map_err(|_| damaged())?,
            asks: row.get(5)?,
            hash: row.get::<_, Option<_>>(6)?.unwrap_or_default(),
            body: row.get(7)?,
            recipients: row.get::<_, Option<_>>(8)?.unwrap_or_default(),
            priority: row.get(9)?,
        });
    }
    Ok(kept)
}

/// What callers wrote to a role, and has come here within the time in which messages are sealed again.
const CALLED: &str = "
    SELECT m.sequence, m.sender_device, m.message_id, c.reference, m.sender_user, m.asks, m.content_hash, m.body,
           m.recipients, m.priority
    FROM message m JOIN conversation c ON c.id = m.conversation
    WHERE c.role = ?1 AND m.proof = ?2 AND m.arrived_at >= ?3 AND m.direction = 2 AND m.shown = 1
      AND m.speaks IS NULL AND m.recalled_at IS NULL AND m.hidden_at IS NULL";
/// What a custodian may have to pass on.
const KEPT: &str = "m.kept = 1 AND (m.asks = 0 OR m.open = 1)";
/// What somebody who leaves has not answered, or not read.
const OPEN: &str = "m.handed_over = 0
      AND ((m.asks = 1 AND m.open = 1) OR (m.asks = 0 AND m.read_at IS NULL))";
/// Bounds one transaction; the next round goes on.
const MOST_AT_ONCE: u32 = 64;
