//! Reminders: which messages that nobody has answered are due to be told of again, and when the next one is.
//!
//! Somebody else's stat message is due every so often, as the policy says, from its arrival on, until somebody accepts
//! it, this person answers it, or it is taken back. A message of this person's is due once, when its time is up. What
//! is due is worked out from the open messages, so nothing has to be set up when a message comes and nothing taken
//! down when it is answered; `reminder` only remembers what was told.
//!
//! Not its concern: telling (`engine::reminding`), and waking up in time (`client`).

use std::time::Duration;

use rusqlite::{Connection, params};
use wardline_org::{DeviceId, Timestamp, UserId};

use super::{Direction, Priority, Proof, notice};
use crate::{
    error::Error,
    id::{ConversationId, MessageId, MessageRef},
    store::StoreError,
};

/// An open message, and when somebody is to be told of it.
pub(crate) struct Waiting {
    pub(crate) sequence: i64,
    pub(crate) message: MessageRef,
    pub(crate) row: i64,
    pub(crate) conversation: ConversationId,
    /// How often somebody was told.
    pub(crate) round: u32,
    /// By which event last.
    pub(crate) event: Option<i64>,
    due_at: i64,
}

impl Waiting {
    /// When it is due. One that lies further ahead than a whole interval was set by a clock that has been turned back
    /// since: it must not be silent for as long.
    fn due(&self, every: Duration, now: Timestamp) -> Timestamp {
        let at = Timestamp::from_millis(self.due_at);
        if at.saturating_since(now) > every {
            now
        } else {
            at
        }
    }

    /// When it is due after that: in step with before, unless that has passed already.
    pub(crate) fn next(&self, every: Duration, now: Timestamp) -> Timestamp {
        let next = self.due(every, now) + every;
        if next > now { next } else { now + every }
    }
}

/// Stat messages that this person is to be told of again now.
pub(crate) fn due(
    connection: &Connection,
    us: &UserId,
    every: Duration,
    now: Timestamp,
) -> Result<Vec<Waiting>, StoreError> {
    let mut waiting = unanswered(connection, us, every)?;
    waiting.retain(|one| one.due(every, now) <= now);
    Ok(waiting)
}

/// Messages of this person whose time is up, and of which that was not told.
pub(crate) fn overdue(connection: &Connection, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "{OWN} AND m.answer_by <= ?2 ORDER BY m.answer_by, m.sequence"
    ))?;
    let rows = statement.query(params![Direction::Incoming as i64, now.as_millis()])?;
    read(rows)
}

/// Whether anybody else's stat message is open.
pub(crate) fn is_stat_open(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM message WHERE open = 1 AND priority = ?1 AND direction = ?2 LIMIT 1",
        )?
        .exists(params![Priority::Stat as i32, Direction::Incoming as i64])?)
}

/// When somebody is to be told next; `every` is how often, if at all.
pub(crate) fn next(
    connection: &Connection,
    us: &UserId,
    every: Option<Duration>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let repeated = match every {
        Some(every) => unanswered(connection, us, every)?
            .iter()
            .map(|one| one.due(every, now))
            .min(),
        None => None,
    };
    let sql = format!("SELECT min(answer_by) FROM ({OWN})");
    let overdue: Option<i64> = connection
        .prepare_cached(&sql)?
        .query_row(params![Direction::Incoming as i64], |row| row.get(0))?;
    let overdue = overdue.map(Timestamp::from_millis);
    Ok(repeated.into_iter().chain(overdue).min())
}

/// Remembers that somebody was told by the event at `event`, and when next, if at all.
pub(crate) fn told(
    connection: &Connection,
    one: &Waiting,
    event: u64,
    next: Option<Timestamp>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO reminder (message, round, due_at, event) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (message) DO UPDATE SET round = ?2, due_at = ?3, event = ?4",
        )?
        .execute(params![
            one.sequence,
            one.round.saturating_add(1),
            next.map(Timestamp::as_millis),
            event
        ])?;
    Ok(())
}

/// This person has answered: of this message they are told no more, also not by a notice that waits.
pub(crate) fn stop(connection: &Connection, message: MessageRef) -> Result<(), Error> {
    let told: Option<i64> = {
        let mut statement = connection.prepare_cached(
            "DELETE FROM reminder WHERE message =
                 (SELECT sequence FROM message WHERE sender_device = ?1 AND message_id = ?2)
             RETURNING message",
        )?;
        let mut rows =
            statement.query(params![message.device.as_bytes(), message.id.as_bytes()])?;
        rows.next()?.map(|row| row.get(0)).transpose()?
    };
    if let Some(sequence) = told {
        notice::opened(connection, sequence)?;
    }
    Ok(())
}

/// Open stat messages of others that this person has not answered.
fn unanswered(
    connection: &Connection,
    us: &UserId,
    every: Duration,
) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = connection.prepare_cached(UNANSWERED)?;
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    let rows = statement.query(params![
        Direction::Incoming as i64,
        Priority::Stat as i32,
        Proof::Proven as i64,
        us.as_str(),
        every
    ])?;
    read(rows)
}

fn read(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Waiting>, StoreError> {
    let damaged = || StoreError::Damaged { what: "message" };
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?;
        let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(|_| damaged())?;
        let conversation = ConversationId::from_slice(&row.get::<_, Vec<u8>>(4)?);
        waiting.push(Waiting {
            sequence: row.get(0)?,
            message: MessageRef { device, id },
            row: row.get(3)?,
            conversation: conversation.map_err(|_| damaged())?,
            due_at: row.get(5)?,
            round: row.get(6)?,
            event: row.get(7)?,
        });
    }
    Ok(waiting)
}

/// A revoked sender's message cannot be answered, so nobody is reminded of it.
const UNANSWERED: &str = "
    SELECT m.sequence, m.sender_device, m.message_id, m.conversation, c.conversation_id,
           coalesce(r.due_at, m.arrived_at + ?5), coalesce(r.round, 0), r.event
    FROM message m JOIN conversation c ON c.id = m.conversation
    LEFT JOIN reminder r ON r.message = m.sequence
    WHERE m.open = 1 AND m.handed_over = 0 AND m.direction = ?1 AND m.priority = ?2 AND m.proof = ?3
      AND m.hidden_at IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM answer a
        WHERE a.subject_device = m.sender_device AND a.subject_id = m.message_id
          AND a.user_id = ?4 AND a.counts = 1)
    ORDER BY m.sequence";
/// Written here, or by the same person on another device.
const OWN: &str = "
    SELECT m.sequence, m.sender_device, m.message_id, m.conversation, c.conversation_id,
           m.answer_by AS answer_by, 0, NULL
    FROM message m JOIN conversation c ON c.id = m.conversation
    WHERE m.open = 1 AND m.direction <> ?1 AND m.answer_by IS NOT NULL AND m.hidden_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM reminder r WHERE r.message = m.sequence)";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use proptest::prelude::*;

    use super::*;

    fn waiting(due_at: i64) -> Waiting {
        Waiting {
            sequence: 1,
            message: MessageRef {
                device: DeviceId::from_bytes([1; 16]),
                id: MessageId::generate(Timestamp::from_millis(0)),
            },
            row: 1,
            conversation: ConversationId::from_slice(&[1; 16]).unwrap(),
            round: 0,
            event: None,
            due_at,
        }
    }

    proptest! {
        // Whatever the clock does: silence never lasts longer than an interval, and what was missed comes once.
        #[test]
        fn there_is_no_burst_and_no_silence_whatever_the_clock_says(
            due_at in 0_i64..10_000_000,
            now in 0_i64..10_000_000,
            every in 10_u64..3600,
        ) {
            let every = Duration::from_secs(every);
            let now = Timestamp::from_millis(now);
            let one = waiting(due_at);
            let due = one.due(every, now);
            prop_assert!(due.saturating_since(now) <= every);
            let next = one.next(every, now.max(due));
            prop_assert!(next > now);
            prop_assert!(next.saturating_since(now.max(due)) <= every);
        }

        // On time, or late by less than an interval: the next one is in step.
        #[test]
        fn rounds_keep_in_step(late in 0_i64..60_000) {
            let every = Duration::from_secs(60);
            let one = waiting(1_000_000);
            let now = Timestamp::from_millis(1_000_000 + late);
            prop_assert_eq!(one.next(every, now), Timestamp::from_millis(1_060_000));
        }
    }
}
