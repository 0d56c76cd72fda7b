//! Writing messages and their recipients.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Hash, Timestamp, UserId};
use wardline_proto::{Message, v1};

use super::{
    AMEND, ANSWER, Direction, Lifetime, PASS, Priority, Proof, RECALL, content, expiry,
    lifecycle::{DeliveryState, FailureCause, Happening},
    offers, structured,
};
use crate::{
    conversation::role::RoleSpeaker,
    id::{MessageId, MessageRef},
    store::StoreError,
    vault::BodyPlace,
};

/// A message about to be written.
pub(crate) struct NewMessage<'a> {
    pub(crate) message_id: MessageId,
    pub(crate) sender_device: DeviceId,
    pub(crate) sender_user: &'a UserId,
    pub(crate) conversation: i64,
    pub(crate) direction: Direction,
    pub(crate) proof: Proof,
    pub(crate) priority: Priority,
    pub(crate) created_at: Timestamp,
    pub(crate) arrived_at: Timestamp,
    pub(crate) content_hash: Option<Hash>,
    /// Sealed to the reading key.
    pub(crate) body: &'a [u8],
    /// Sealed to the reading key; of a message that was sealed here.
    pub(crate) content_key: Option<&'a [u8]>,
    pub(crate) facts: Facts,
    /// As what its sender speaks for the role in whose conversation it is.
    pub(crate) speaks: Option<RoleSpeaker>,
    /// Who passed it on, when it did not come from its author.
    pub(crate) passed_by: Option<&'a UserId>,
}

/// What a locked device must know of a content, besides who wrote it when and how urgent it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// A person reads it; the others only say something about a message.
    pub(crate) shown: bool,
    pub(crate) occurred_at: Option<Timestamp>,
    /// Somebody is asked to accept or decline it.
    pub(crate) asks: bool,
    /// Until when.
    pub(crate) answer_by: Option<Timestamp>,
    /// Whose answer counts, and who has it: the devices of a content that asks, or is in a conversation with a role, as
    /// the column holds them.
    pub(crate) recipients: Option<Vec<u8>>,
    /// It is in a conversation with a role.
    pub(crate) in_role: bool,
    /// Nobody accepts it without reading it back.
    pub(crate) reads_back: bool,
    /// The message of whose offers it claims to be one.
    pub(crate) choice_of: Option<MessageRef>,
    /// When it is over at the latest.
    pub(crate) expires_at: Option<Timestamp>,
    /// How long it may be read for after somebody has opened it.
    pub(crate) read_for: Option<Duration>,
    /// Who is given it besides, as the column holds it.
    pub(crate) delegations: Option<Vec<u8>>,
}

impl Facts {
    pub(crate) fn of(content: &v1::Content) -> Self {
        let within = content.answer_within_ms;
        // What this version does not understand is shown by its fallback text, never dropped.
        let shown = match content.type_uri.as_str() {
            ANSWER => content::answer_in(content).is_none(),
            RECALL => content::subject_of(content).is_none(),
            AMEND => {
                content::subject_of(content).is_none() || content::correction(content).is_none()
            }
            PASS => content::passed(content).is_none(),
            _ => true,
        };
        let reads_back = shown && structured::wants_read_back(content);
        let urgent = within > 0 || Priority::from_wire(content.priority) == Priority::Stat;
        let asks = shown && (urgent || reads_back);
        let kind = content.conversation.as_ref();
        let in_role = matches!(
            kind.and_then(|one| one.kind.as_ref()),
            Some(v1::conversation_ref::Kind::Role(_))
        );
        let deadline = i64::try_from(within)
            .unwrap_or(i64::MAX)
            .saturating_add(content.created_at_ms);
        Self {
            shown,
            occurred_at: (content.occurred_at_ms != 0)
                .then(|| Timestamp::from_millis(content.occurred_at_ms)),
            asks,
            answer_by: (asks && within > 0).then(|| Timestamp::from_millis(deadline)),
            recipients: (asks || (shown && in_role)).then(|| answerers(content)),
            in_role,
            reads_back,
            choice_of: offers::choice_of(content).filter(|_| shown),
            expires_at: None,
            read_for: None,
            delegations: content.delegations.as_ref().map(Message::encode_to_vec),
        }
        .ending(
            content,
            Lifetime::of(content),
            Timestamp::from_millis(i64::MAX),
        )
    }

    /// With a lifetime, of which what their clocks show is `latest`. Only what a person reads has one: the rest goes with
    /// what it speaks of.
    pub(crate) fn ending(
        mut self,
        content: &v1::Content,
        lifetime: Lifetime,
        latest: Timestamp,
    ) -> Self {
        if self.shown {
            self.expires_at = expiry::end_of(content, lifetime, latest);
            self.read_for = lifetime.after_read;
        }
        self
    }
}

/// Everybody whose answer to a content counts: those it was sealed for, now or for later.
fn answerers(content: &v1::Content) -> Vec<u8> {
    let tiers = content.escalation.iter().flat_map(|plan| &plan.tiers);
    let mut devices = content.recipient_devices.concat();
    devices.extend(tiers.flat_map(|tier| tier.devices.concat()));
    devices
}

/// Writes a message once; `None` when this device has it already.
pub(crate) fn insert(
    connection: &Connection,
    new: &NewMessage<'_>,
) -> Result<Option<i64>, StoreError> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO message (message_id, sender_device, sender_user, conversation, direction,
                 proof, priority, created_at, arrived_at, content_hash, body, content_key, shown,
                 occurred_at, asks, answer_by, recipients, open, reads_back, speaks, expires_at, read_for,
                 passed_by, kept, delegations)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?15, ?18, ?19, ?20, ?21, ?22, ?23, ?24)
             ON CONFLICT (sender_device, message_id) DO NOTHING",
        )?
        .execute(params![
            new.message_id.as_bytes(),
            new.sender_device.as_bytes(),
            new.sender_user.as_str(),
            new.conversation,
            new.direction as i64,
            new.proof as i64,
            new.priority as i32,
            new.created_at.as_millis(),
            new.arrived_at.as_millis(),
            new.content_hash.as_ref().map(Hash::as_bytes),
            new.body,
            new.content_key,
            new.facts.shown,
            new.facts.occurred_at.map(Timestamp::as_millis),
            new.facts.asks,
            new.facts.answer_by.map(Timestamp::as_millis),
            new.facts.recipients,
            new.facts.reads_back,
            new.speaks.map(|speaks| speaks as i64),
            new.facts.expires_at.map(Timestamp::as_millis),
            new.facts.read_for.map(expiry::millis),
            new.passed_by.map(|user| user.as_str()),
            new.facts.in_role
                && new.facts.shown
                && new.speaks.is_none()
                && new.direction == Direction::Incoming,
            new.facts.delegations,
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    let sequence = connection.last_insert_rowid();
    if !new.facts.shown {
        return Ok(Some(sequence));
    }
    if let Some(subject) = new.facts.choice_of {
        offers::note(connection, sequence, subject)?;
    }
    let unread = i64::from(new.direction == Direction::Incoming);
    connection
        .prepare_cached(
            "UPDATE conversation SET last_sequence = ?2, unread = unread + ?3 WHERE id = ?1",
        )?
        .execute(params![new.conversation, sequence, unread])?;
    Ok(Some(sequence))
}

/// The place of a message's body: it opens for this message of this sender and nowhere else.
pub(crate) fn place_id(sender: DeviceId, message: MessageId) -> [u8; 32] {
    let mut id = [0; 32];
    let (first, second) = id.split_at_mut(16);
    first.copy_from_slice(sender.as_bytes());
    second.copy_from_slice(message.as_bytes());
    id
}

/// Where a message's body is sealed for.
pub(crate) fn body_place(id: &[u8; 32]) -> BodyPlace<'_> {
    BodyPlace::new("message.body", id)
}

/// Where a message's content key is sealed for.
pub(crate) fn content_key_place(id: &[u8; 32]) -> BodyPlace<'_> {
    BodyPlace::new("message.content_key", id)
}

/// Adds a device to the frozen list of a message of ours.
pub(crate) fn add_recipient(
    connection: &Connection,
    message: i64,
    device: DeviceId,
    user: &UserId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO recipient (message, device_id, user_id, state) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            message,
            device.as_bytes(),
            user.as_str(),
            DeliveryState::Queued as i64
        ])?;
    Ok(())
}

/// Notes that a person will not get a message of ours on any device.
pub(crate) fn add_unreachable(
    connection: &Connection,
    message: i64,
    user: &UserId,
    cause: FailureCause,
) -> Result<(), StoreError> {
    // Stands for all devices of the person; no device has such an id.
    let nobody = Hash::tagged("unreachable", &[user.as_str().as_bytes()]);
    connection
        .prepare_cached(
            "INSERT INTO recipient (message, device_id, user_id, state, cause)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            message,
            nobody.as_bytes(),
            user.as_str(),
            DeliveryState::Failed as i64,
            cause as i64
        ])?;
    Ok(())
}

/// Moves one recipient device along the lifecycle; answers whether anything changed.
pub(crate) fn advance(
    connection: &Connection,
    message: i64,
    device: DeviceId,
    happening: Happening,
    cause: Option<FailureCause>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let state: Option<i64> = connection
        .prepare_cached("SELECT state FROM recipient WHERE message = ?1 AND device_id = ?2")?
        .query_row(params![message, device.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(before) = state.and_then(DeliveryState::from_stored) else {
        return Ok(false);
    };
    let after = before.after(happening);
    if after == before {
        return Ok(false);
    }
    let reached = |wanted: DeliveryState| (after == wanted).then(|| at.as_millis());
    connection
        .prepare_cached(
            "UPDATE recipient SET state = ?3, cause = ?4,
                 sent_at = coalesce(sent_at, ?5),
                 delivered_at = coalesce(delivered_at, ?6),
                 read_at = coalesce(read_at, ?7)
             WHERE message = ?1 AND device_id = ?2",
        )?
        .execute(params![
            message,
            device.as_bytes(),
            after as i64,
            (after == DeliveryState::Failed)
                .then_some(cause)
                .flatten()
                .map(|cause| cause as i64),
            reached(DeliveryState::Sent),
            // A read receipt implies delivery; its own time is the best that is known.
            (after >= DeliveryState::Delivered).then(|| at.as_millis()),
            reached(DeliveryState::Read),
        ])?;
    Ok(true)
}

/// By which ciphertext a message is known here; empty when it was not sealed yet or is not here.
pub(crate) fn content_hash(
    connection: &Connection,
    message: &v1::MessageReference,
) -> Result<Vec<u8>, StoreError> {
    let hash: Option<Option<Vec<u8>>> = connection
        .prepare_cached(
            "SELECT content_hash FROM message WHERE sender_device = ?1 AND message_id = ?2",
        )?
        .query_row(params![message.sender_device, message.message_id], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(hash.flatten().unwrap_or_default())
}

/// The row of a message this device wrote.
pub(crate) fn own(
    connection: &Connection,
    us: DeviceId,
    message: &[u8],
) -> Result<Option<OwnMessage>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT sequence, conversation, content_hash FROM message
             WHERE sender_device = ?1 AND message_id = ?2",
        )?
        .query_row(params![us.as_bytes(), message], |row| {
            Ok(OwnMessage {
                sequence: row.get(0)?,
                conversation: row.get(1)?,
                content_hash: row.get(2)?,
            })
        })
        .optional()?)
}

/// A message this device wrote.
pub(crate) struct OwnMessage {
    pub(crate) sequence: i64,
    pub(crate) conversation: i64,
    pub(crate) content_hash: Option<Vec<u8>>,
}
