//! What the app is told, at least once: rows with a cursor, deleted when the app has confirmed them.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use wardline_org::{RoleId, Timestamp, UserId};

use crate::{
    id::{ConversationId, MessageId, MessageRef},
    message::{Priority, Verdict, notice},
    store::StoreError,
};

/// Something the app should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A message is on this device's disk.
    MessageArrived {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
        /// Its tier: how loudly to tell.
        tier: Tier,
    },
    /// The relay has a message of ours for at least one device of somebody else.
    MessageSent {
        /// The message.
        message: MessageId,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// A person's device signed for a message of ours, or it failed for one, or for the person.
    DeliveryChanged {
        /// The message.
        message: MessageId,
        /// The person.
        user: UserId,
    },
    /// Somebody has accepted or declined a message, or this person has on another device.
    MessageAnswered {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
        /// Who answered.
        user: UserId,
        /// What they said.
        verdict: Verdict,
    },
    /// A message was taken back by its author; its text is gone from this device.
    MessageRecalled {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// A message was read on another device of the same person.
    ReadElsewhere {
        /// The message.
        message: MessageRef,
    },
    /// An envelope did not open; `healing` says that its sender was asked to seal it again.
    EnvelopeRefused {
        /// The stable code of the cause, such as `WL-OPEN-UNDECRYPTABLE`.
        code: String,
        /// Whether its sender was asked for it again.
        healing: bool,
    },
    /// There is a newer directory head.
    DirectoryChanged {
        /// Its version.
        version: u64,
    },
    /// The relay showed a directory that is not believed; what was believed before stays.
    DirectoryRefused {
        /// The stable code of the cause; `WL-DIRECTORY-FORK` is evidence of a split view.
        code: String,
    },
    /// This store is older than what the relay has seen of it: a copy was restored. Its sessions were
    /// retired; messages in between may be on other devices only.
    StoreRolledBack,
    /// The organization has revoked this device.
    DeviceRevoked,
    /// The text of a message was corrected by its author; what it said before is in its history.
    MessageAmended {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// Another device of this person has said whether they can be reached.
    AvailabilityChanged,
    /// A stat message still waits: nobody has accepted it, and this person has not answered. Comes again and
    /// again, as often as the policy says; an unconfirmed one goes when the next one comes.
    MessageReminder {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
        /// Its tier: how loudly to tell.
        tier: Tier,
        /// 1 for the first time.
        round: u32,
    },
    /// A message of this person's asked for an answer within a time, and nobody has accepted it by then. Comes
    /// once.
    AnswerOverdue {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// A message is over: nobody is shown it any more. One that was over when it came is not announced otherwise.
    MessageExpired {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// Nobody has accepted a message in time, and the next tier of its escalation was given it: on its author's
    /// device as the relay says; on the devices of the tier they have it, and are told so besides
    /// [`Event::MessageArrived`].
    Escalated {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
        /// Which tier, from 0.
        tier: u32,
    },
    /// The relay says that a message is due for a role whose holder it was not sealed for: this person holds the role,
    /// or is its custodian. What the message says is not here, unless the person was given it besides.
    EscalationDue {
        /// Who wrote it.
        sender: UserId,
        /// The role.
        role: RoleId,
    },
    /// A message of this person's was to be escalated, and all of it or a tier is not armed: the relay took the
    /// message and holds nothing back, or nobody of the tier has a device that can be sealed for. See
    /// [`Client::escalation`](crate::Client::escalation).
    EscalationNotArmed {
        /// The message.
        message: MessageRef,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// This person's answer (or recall) is on its way, and the relay did not let it stop the escalation: others may be
    /// given the message all the same.
    EscalationGoesOn {
        /// The message that was answered.
        message: MessageRef,
        /// Why, as a stable code, such as `WL-RELAY-HELD-PROOF`.
        code: String,
    },
}

/// How loudly a message asks for attention; a copy of its priority that events can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    /// Does not interrupt.
    Routine,
    /// Interrupts once.
    Urgent,
    /// Interrupts until somebody acknowledges.
    Stat,
}

impl From<Priority> for Tier {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Routine => Self::Routine,
            Priority::Urgent => Self::Urgent,
            Priority::Stat => Self::Stat,
        }
    }
}

/// An event with its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Confirm up to here when the event has been dealt with.
    pub cursor: EventCursor,
    /// When it happened, by this device's clock.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// A place in the stream of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventCursor(pub u64);

/// Appends an event inside the caller's transaction; answers its place.
pub(crate) fn emit(
    connection: &Connection,
    now: Timestamp,
    event: &Event,
) -> Result<EventCursor, StoreError> {
    let payload =
        rmp_serde::to_vec_named(event).map_err(|_| StoreError::Damaged { what: "event" })?;
    connection
        .prepare_cached("INSERT INTO event (at, payload) VALUES (?1, ?2)")?
        .execute(params![now.as_millis(), payload])?;
    let cursor = u64::try_from(connection.last_insert_rowid());
    Ok(EventCursor(
        cursor.map_err(|_| StoreError::Damaged { what: "event" })?,
    ))
}

/// The events after a cursor, oldest first.
pub(crate) fn after(
    connection: &Connection,
    cursor: EventCursor,
    most: u32,
) -> Result<Vec<Delivered>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT cursor, at, payload FROM event WHERE cursor > ?1 ORDER BY cursor LIMIT ?2",
    )?;
    let mut rows = statement.query(params![i64::try_from(cursor.0).unwrap_or(i64::MAX), most])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let payload: Vec<u8> = row.get(2)?;
        events.push(Delivered {
            cursor: EventCursor(row.get(0)?),
            at: Timestamp::from_millis(row.get(1)?),
            event: rmp_serde::from_slice(&payload)
                .map_err(|_| StoreError::Damaged { what: "event" })?,
        });
    }
    Ok(events)
}

/// Forgets an event that a newer one says better, unless the app has confirmed it.
pub(crate) fn replace(connection: &Connection, cursor: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM event WHERE cursor = ?1")?
        .execute(params![cursor])?;
    Ok(())
}

/// Forgets every event up to and including a cursor.
pub(crate) fn confirm(connection: &Connection, cursor: EventCursor) -> Result<(), StoreError> {
    let last = i64::try_from(cursor.0).unwrap_or(i64::MAX);
    connection
        .prepare_cached("DELETE FROM event WHERE cursor <= ?1")?
        .execute(params![last])?;
    notice::announced(connection, last)
}
