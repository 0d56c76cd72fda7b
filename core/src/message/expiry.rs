//! Expiry: a message is over some time after it was sent, or after somebody has opened it.
//!
//! When that is stands in the message's row, so that a locked device knows it. What is over by any clock is hidden:
//! every query that shows something leaves it out by itself, so nothing depends on a timer. What is over by two of
//! three clocks ([`super::clocks`]) is erased, as if it had been taken back, and leaves a tombstone.
//!
//! Not its concern: deciding when to look (`client`), and what follows from it (`engine::expiring`).

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{Timestamp, policy::Policy};
use wardline_proto::v1;

use crate::{
    error::SendError,
    id::{ConversationId, MessageRef},
    message::{DeliveryState, Direction, Priority, amend},
    store::StoreError,
};

/// For how long a message may be read, on every device it goes to; it is over at the earlier of the two.
///
/// ```
/// use std::time::Duration;
/// use wardline::Lifetime;
///
/// let day = Lifetime { after_sent: Some(Duration::from_secs(24 * 3600)), after_read: None };
/// assert_ne!(day, Lifetime::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lifetime {
    /// So long after it was written, whoever has opened it.
    pub after_sent: Option<Duration>,
    /// So long after a person has opened it, on any of their devices; on the author's, after everybody it went to has.
    pub after_read: Option<Duration>,
}

/// That a message is over: all that is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// When its time was up.
    pub at: Timestamp,
}

impl Lifetime {
    /// Whether it says nothing.
    pub fn is_endless(&self) -> bool {
        *self == Self::default()
    }

    /// What of it a policy allows: the shortest wins.
    pub(crate) fn within(self, rules: &Policy) -> Self {
        let Some(most) = rules.max_lifetime() else {
            return self;
        };
        Self {
            after_sent: Some(self.after_sent.map_or(most, |time| time.min(most))),
            after_read: self.after_read.filter(|time| *time < most),
        }
    }

    /// The shorter of both.
    pub(crate) fn and(self, other: Self) -> Self {
        let shorter = |one: Option<Duration>, other: Option<Duration>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self {
            after_sent: shorter(self.after_sent, other.after_sent),
            after_read: shorter(self.after_read, other.after_read),
        }
    }

    /// Refuses what a policy does not allow, or nobody could read in time.
    pub(crate) fn check(&self, rules: &Policy) -> Result<(), SendError> {
        let most = rules.max_lifetime().unwrap_or(MOST);
        let fits = |time: &Option<Duration>| time.is_none_or(|time| (LEAST..=most).contains(&time));
        if fits(&self.after_sent) && fits(&self.after_read) {
            Ok(())
        } else {
            Err(SendError::Lifetime {
                least: LEAST.as_secs(),
                most: most.as_secs(),
            })
        }
    }

    /// As a content says it, of a message that is written at `from`.
    pub(crate) fn to_wire(self, from: Timestamp) -> Option<v1::Lifetime> {
        let millis = |time: Option<Duration>| {
            time.map_or(0, |time| {
                u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
            })
        };
        (!self.is_endless()).then(|| v1::Lifetime {
            after_sent_ms: millis(self.after_sent),
            after_read_ms: millis(self.after_read),
            from_ms: from.as_millis(),
        })
    }

    /// What a content says.
    pub(crate) fn of(content: &v1::Content) -> Self {
        let said = content.lifetime.unwrap_or_default();
        let time = |millis: u64| (millis > 0).then(|| Duration::from_millis(millis));
        Self {
            after_sent: time(said.after_sent_ms),
            after_read: time(said.after_read_ms),
        }
    }
}

/// When a content is over at the latest. It counts from when its author says that it was written, but not from a time
/// that has not come by any clock here: `latest` is what they show.
pub(crate) fn end_of(
    content: &v1::Content,
    lifetime: Lifetime,
    latest: Timestamp,
) -> Option<Timestamp> {
    let from = content.lifetime.map_or(0, |said| said.from_ms);
    let from = Timestamp::from_millis(if from == 0 {
        content.created_at_ms
    } else {
        from
    });
    lifetime.after_sent.map(|time| from.min(latest) + time)
}

/// What is left of the lifetime of a message that is not over by `latest`.
pub(crate) fn left_of(
    connection: &Connection,
    message: i64,
    latest: Timestamp,
) -> Result<Lifetime, StoreError> {
    let (end, read_for): (Option<i64>, Option<u64>) = connection
        .prepare_cached("SELECT expires_at, read_for FROM message WHERE sequence = ?1")?
        .query_row(params![message], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Lifetime {
        after_sent: end.map(|end| Timestamp::from_millis(end).saturating_since(latest)),
        after_read: read_for.map(Duration::from_millis),
    })
}

/// Begins the time that a message may be read for after somebody has opened it; answers whether it has one. `latest` is
/// what the clocks show: none of them must end it early.
pub(crate) fn opened(
    connection: &Connection,
    message: i64,
    latest: Timestamp,
) -> Result<bool, StoreError> {
    let begun = connection
        .prepare_cached(
            "UPDATE message SET expires_at = min(coalesce(expires_at, ?3), ?2 + read_for), read_for = NULL
             WHERE sequence = ?1 AND read_for IS NOT NULL",
        )?
        .execute(params![message, latest.as_millis(), i64::MAX])?;
    Ok(begun > 0)
}

/// [`opened`] for a message of ours, once everybody it went to has opened it.
pub(crate) fn opened_by_everybody(
    connection: &Connection,
    message: i64,
    us: &str,
    latest: Timestamp,
) -> Result<bool, StoreError> {
    let waits = connection
        .prepare_cached(
            "SELECT 1 FROM recipient WHERE message = ?1 AND user_id <> ?2 AND state <> ?3
             GROUP BY user_id HAVING max(read_at) IS NULL LIMIT 1",
        )?
        .exists(params![message, us, DeliveryState::Failed as i64])?;
    if waits {
        return Ok(false);
    }
    opened(connection, message, latest)
}

/// A message whose time may be up.
pub(crate) struct Ending {
    pub(crate) sequence: i64,
    pub(crate) message: MessageRef,
    pub(crate) end: Timestamp,
    pub(crate) hidden: bool,
    pub(crate) direction: Direction,
    pub(crate) priority: Priority,
    pub(crate) author: String,
    /// Nobody has opened it.
    pub(crate) unread: bool,
    /// The conversation's row.
    pub(crate) row: i64,
    pub(crate) conversation: ConversationId,
}

/// Messages that are over by `latest` and are not hidden, or by `agreed` and are not erased.
pub(crate) fn due(
    connection: &Connection,
    latest: Timestamp,
    agreed: Timestamp,
) -> Result<Vec<Ending>, StoreError> {
    endings(connection, DUE, latest, agreed)
}

/// Messages that are hidden and not over by `latest`: some clock was wrong.
pub(crate) fn hidden_too_early(
    connection: &Connection,
    latest: Timestamp,
) -> Result<Vec<Ending>, StoreError> {
    endings(connection, TOO_EARLY, latest, latest)
}

/// A message by its row, if it has an end.
pub(crate) fn ending(connection: &Connection, message: i64) -> Result<Option<Ending>, StoreError> {
    let at = Timestamp::from_millis(message);
    Ok(endings(connection, ONE, at, at)?.pop())
}

/// When messages are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    /// The first of those that are shown.
    pub(crate) shown: Option<Timestamp>,
    /// The first of those that are hidden, and wait for a second clock.
    pub(crate) hidden: Option<Timestamp>,
    /// The last of those.
    pub(crate) last_hidden: Option<Timestamp>,
    /// Something that was taken back is kept, and may be kept no longer.
    pub(crate) undecided: bool,
}

/// When the next messages are over.
pub(crate) fn next(connection: &Connection) -> Result<Next, StoreError> {
    let mut statement = connection.prepare_cached(NEXT)?;
    Ok(statement.query_row([], |row| {
        let time = |at: Option<i64>| at.map(Timestamp::from_millis);
        Ok(Next {
            shown: time(row.get(0)?),
            hidden: time(row.get(1)?),
            last_hidden: time(row.get(2)?),
            undecided: row.get(3)?,
        })
    })?)
}

/// What a conversation is set to.
pub(crate) fn set_for(connection: &Connection, conversation: i64) -> Result<Lifetime, StoreError> {
    let set = connection
        .prepare_cached(
            "SELECT expire_after_sent, expire_after_read FROM conversation WHERE id = ?1",
        )?
        .query_row(params![conversation], |row| {
            let time = |millis: Option<u64>| millis.map(Duration::from_millis);
            Ok(Lifetime {
                after_sent: time(row.get(0)?),
                after_read: time(row.get(1)?),
            })
        })
        .optional()?;
    Ok(set.unwrap_or_default())
}

/// Sets a conversation to a lifetime.
pub(crate) fn set(
    connection: &Connection,
    conversation: i64,
    lifetime: Lifetime,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE conversation SET expire_after_sent = ?2, expire_after_read = ?3 WHERE id = ?1",
        )?
        .execute(params![
            conversation,
            lifetime.after_sent.map(millis),
            lifetime.after_read.map(millis)
        ])?;
    Ok(())
}

/// Whether a message is over by `latest`, or by what was decided.
pub(crate) fn is_over(
    connection: &Connection,
    message: MessageRef,
    latest: Timestamp,
) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM message WHERE sender_device = ?1 AND message_id = ?2
               AND (hidden_at IS NOT NULL OR expired_at IS NOT NULL OR expires_at <= ?3)",
        )?
        .exists(params![
            message.device.as_bytes(),
            message.id.as_bytes(),
            latest.as_millis()
        ])?)
}

/// Hides a message until it is erased, or until [`show_again`].
pub(crate) fn hide(
    connection: &Connection,
    ending: &Ending,
    now: Timestamp,
) -> Result<(), StoreError> {
    set_hidden(connection, ending, Some(now))
}

/// Shows a message that was hidden by a clock that was wrong.
pub(crate) fn show_again(connection: &Connection, ending: &Ending) -> Result<(), StoreError> {
    set_hidden(connection, ending, None)
}

fn set_hidden(
    connection: &Connection,
    ending: &Ending,
    at: Option<Timestamp>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET hidden_at = ?2 WHERE sequence = ?1")?
        .execute(params![ending.sequence, at.map(Timestamp::as_millis)])?;
    if ending.unread {
        let change = if at.is_some() { -1 } else { 1 };
        connection
            .prepare_cached("UPDATE conversation SET unread = max(unread + ?2, 0) WHERE id = ?1")?
            .execute(params![ending.row, change])?;
    }
    Ok(())
}

/// A duration as the store holds it.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn endings(
    connection: &Connection,
    which: &str,
    first: Timestamp,
    second: Timestamp,
) -> Result<Vec<Ending>, StoreError> {
    let damaged = || StoreError::Damaged { what: "message" };
    let mut statement = connection.prepare_cached(&format!("{ENDINGS} {which}"))?;
    let mut rows = statement.query(params![first.as_millis(), second.as_millis(), MOST_AT_ONCE])?;
    let mut endings = Vec::new();
    while let Some(row) = rows.next()? {
        let (device, id): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let direction = Direction::from_stored(row.get(5)?).ok_or_else(damaged)?;
        let conversation = ConversationId::from_slice(&row.get::<_, Vec<u8>>(8)?);
        endings.push(Ending {
            sequence: row.get(0)?,
            message: amend::reference(&device, &id)?,
            end: Timestamp::from_millis(row.get(3)?),
            hidden: row.get(4)?,
            direction,
            unread: row.get::<_, bool>(6)? && direction == Direction::Incoming,
            row: row.get(7)?,
            conversation: conversation.map_err(|_| damaged())?,
            priority: Priority::from_wire(row.get(9)?),
            author: row.get(10)?,
        });
    }
    Ok(endings)
}

/// How many messages one transaction hides or erases.
pub(crate) const MOST_AT_ONCE: i64 = 500;
/// Shorter, nobody could read it; nothing is promised more exactly than to the second.
const LEAST: Duration = Duration::from_secs(1);
/// Ten years.
const MOST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const ENDINGS: &str = "
    SELECT m.sequence, m.sender_device, m.message_id, m.expires_at, m.hidden_at IS NOT NULL, m.direction,
           m.read_at IS NULL, m.conversation, c.conversation_id, m.priority, m.sender_user
    FROM message m JOIN conversation c ON c.id = m.conversation";
const DUE: &str = "
    WHERE m.expires_at IS NOT NULL AND m.recalled_at IS NULL AND m.on_hold = 0 AND m.expires_at <= ?1
      AND (m.hidden_at IS NULL OR m.expires_at <= ?2)
    ORDER BY m.expires_at LIMIT ?3";
const TOO_EARLY: &str = "
    WHERE m.hidden_at IS NOT NULL AND m.recalled_at IS NULL AND m.on_hold = 0 AND m.recall IS NULL
      AND m.expires_at > ?1 AND ?2 = ?1 LIMIT ?3";
const ONE: &str = "
    WHERE m.sequence = ?1 AND m.expires_at IS NOT NULL AND m.recalled_at IS NULL AND ?2 = ?1 LIMIT ?3";
const NEXT: &str = "
    SELECT (SELECT min(expires_at) FROM message
            WHERE expires_at IS NOT NULL AND recalled_at IS NULL AND on_hold = 0 AND hidden_at IS NULL),
           (SELECT min(expires_at) FROM message
            WHERE hidden_at IS NOT NULL AND recalled_at IS NULL AND on_hold = 0),
           (SELECT max(expires_at) FROM message
            WHERE hidden_at IS NOT NULL AND recalled_at IS NULL AND on_hold = 0),
           EXISTS (SELECT 1 FROM message
                   WHERE hidden_at IS NOT NULL AND recalled_at IS NULL AND on_hold = 0 AND recall IS NOT NULL)";

#[cfg(test)]
mod tests;
