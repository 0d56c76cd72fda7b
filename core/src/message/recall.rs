//! Recall: a message is taken back by its author, and what it said is gone.
//!
//! What remains is a tombstone: who took it back, when and why. The body goes in the transaction that takes
//! the recall in; that its words are in no log and no index any more is reported only when it is true, which
//! is the concern of `client::purging`. A recall is a signed content of its own; it may overtake its message,
//! and is then obeyed when that comes. Sending one is `engine::recalling`'s concern.

use rusqlite::{Connection, OptionalExtension, ToSql, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::v1;

use super::{
    Direction, Proof,
    hold::Hold,
    notice,
    word::{self, Waiting},
};
use crate::{
    id::{MessageId, MessageRef},
    store::StoreError,
};

/// That a message was taken back: all that is left of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Recalled {
    /// Who took it back: its author, perhaps on another device.
    pub by: UserId,
    /// When, by the author's clock.
    pub at: Timestamp,
    /// Why; may be empty.
    pub reason: String,
}

/// Shows when, nothing of what was written.
impl std::fmt::Debug for Recalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recalled")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What has become of a message that was taken back, on one device. Stored as a number: never renumber. A
/// later word replaces an earlier one only when its number is higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i64)]
pub enum RecallOutcome {
    /// The device has said nothing: it is off, out of reach or locked. Not stored.
    Pending = 0,
    /// The device's software is too old to know what a recall is.
    TooOld = 1,
    /// It never left, or the relay says that it gave it to nobody.
    Withdrawn = 2,
    /// The device keeps it, by the policy, and has signed for that.
    Kept = 3,
    /// It is gone from the device, where nobody had opened it; the device has signed for that.
    PurgedUnread = 4,
    /// It is gone from the device, after somebody had opened it there; the device has signed for that.
    PurgedRead = 5,
}

impl RecallOutcome {
    /// Out of the store.
    pub(crate) fn from_stored(value: i64) -> Option<Self> {
        [
            Self::Pending,
            Self::TooOld,
            Self::Withdrawn,
            Self::Kept,
            Self::PurgedUnread,
            Self::PurgedRead,
        ]
        .into_iter()
        .find(|outcome| *outcome as i64 == value)
    }

    /// What a receipt says of it.
    pub(crate) fn of(kind: v1::ReceiptKind) -> Option<Self> {
        match kind {
            v1::ReceiptKind::Kept => Some(Self::Kept),
            v1::ReceiptKind::PurgedUnread => Some(Self::PurgedUnread),
            v1::ReceiptKind::PurgedRead => Some(Self::PurgedRead),
            _ => None,
        }
    }
}

/// Notes what has become of a recalled message on a device; answers whether that is news. The word may come before
/// the recall itself, when that was made on another device: it is shown once both are here.
pub(crate) fn note_outcome(
    connection: &Connection,
    message: i64,
    device: DeviceId,
    outcome: RecallOutcome,
) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE recipient SET recall = ?3
             WHERE message = ?1 AND device_id = ?2 AND coalesce(recall, 0) < ?3",
        )?
        .execute(params![message, device.as_bytes(), outcome as i64])?;
    Ok(changed > 0)
}

/// A recall about to be noted.
pub(crate) struct NewRecall<'a> {
    /// The row that holds it.
    pub(crate) row: i64,
    pub(crate) subject: MessageRef,
    pub(crate) subject_hash: &'a [u8],
    pub(crate) user: &'a UserId,
    pub(crate) at: Timestamp,
}

/// Notes that somebody takes a message back; [`settle`] decides whether they may.
pub(crate) fn note(connection: &Connection, new: &NewRecall<'_>) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO recall (message, subject_device, subject_id, subject_hash, user_id, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            new.row,
            new.subject.device.as_bytes(),
            new.subject.id.as_bytes(),
            new.subject_hash,
            new.user.as_str(),
            new.at.as_millis(),
        ])?;
    Ok(())
}

/// What was decided about a recall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The message's text is gone.
    Obeyed,
    /// The policy keeps it; the author is to be told.
    Kept,
    /// A legal hold keeps it: it is hidden, and the author is to be told.
    Held,
    /// Not its author, not that message, or taken back before: nothing happens.
    Refused,
}

/// Whether somebody wants a message back and nobody has decided about that.
pub(crate) fn is_waiting(connection: &Connection, subject: MessageRef) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM recall WHERE subject_device = ?1 AND subject_id = ?2 AND obeyed IS NULL",
        )?
        .exists(params![subject.device.as_bytes(), subject.id.as_bytes()])?)
}

/// Decides about the recalls of a message that were not decided about, if it is here. `window_ms` is for how
/// long after it was written a message may be taken back.
pub(crate) fn settle(
    connection: &Connection,
    subject: MessageRef,
    window_ms: i64,
    hold: &Hold,
    now: Timestamp,
) -> Result<Vec<Verdict>, StoreError> {
    let mut decided = Vec::new();
    for waiting in word::undecided(connection, UNDECIDED, subject)? {
        let Some(message) = Subject::load(connection, subject)? else {
            return Ok(decided);
        };
        let mut verdict = message.judge(&waiting, window_ms);
        if verdict == Verdict::Obeyed
            && !message.recalled
            && hold.keeps(connection, &message.author, message.conversation)?
        {
            verdict = Verdict::Held;
        }
        connection
            .prepare_cached("UPDATE recall SET obeyed = ?2 WHERE message = ?1")?
            .execute(params![waiting.row, verdict == Verdict::Obeyed])?;
        if verdict == Verdict::Obeyed {
            bury(connection, &message, Gone::Recalled(waiting.row), now)?;
        }
        if verdict == Verdict::Held {
            withhold(connection, &message, waiting.row, now)?;
        }
        decided.push(verdict);
    }
    Ok(decided)
}

/// A message that is to be taken back or corrected.
pub(crate) struct Subject {
    pub(crate) sequence: i64,
    pub(crate) conversation: i64,
    pub(crate) author: String,
    pub(crate) hash: Vec<u8>,
    pub(crate) direction: Direction,
    pub(crate) created_at: Timestamp,
    /// Nothing is left of it.
    pub(crate) recalled: bool,
    /// Whether the directory stood behind its author's device when it came.
    pub(crate) proven: bool,
    /// Because its time is over.
    expired: bool,
    /// Nobody is shown it, because a clock called it over.
    pub(crate) hidden: bool,
    /// It was taken back, and a legal hold keeps it.
    pub(crate) withheld: bool,
    unread: bool,
    body: Vec<u8>,
    pub(crate) reference: MessageRef,
}

impl Subject {
    pub(crate) fn load(
        connection: &Connection,
        message: MessageRef,
    ) -> Result<Option<Self>, StoreError> {
        let damaged = || StoreError::Damaged { what: "message" };
        let found = connection
            .prepare_cached(
                "SELECT sequence, conversation, sender_user, content_hash, direction, created_at,
                        recalled_at IS NOT NULL, read_at IS NULL, body, proof,
                        expired_at IS NOT NULL, hidden_at IS NOT NULL,
                        recall IS NOT NULL AND recalled_at IS NULL
                 FROM message WHERE sender_device = ?1 AND message_id = ?2 AND shown = 1",
            )?
            .query_row(
                params![message.device.as_bytes(), message.id.as_bytes()],
                |row| {
                    let direction = Direction::from_stored(row.get(4)?);
                    Ok(direction.map(|direction| {
                        Ok::<_, rusqlite::Error>(Self {
                            sequence: row.get(0)?,
                            conversation: row.get(1)?,
                            author: row.get(2)?,
                            hash: row.get::<_, Option<_>>(3)?.unwrap_or_default(),
                            direction,
                            created_at: Timestamp::from_millis(row.get(5)?),
                            recalled: row.get(6)?,
                            expired: row.get(10)?,
                            hidden: row.get(11)?,
                            withheld: row.get(12)?,
                            unread: row.get(7)?,
                            body: row.get(8)?,
                            proven: row.get::<_, i64>(9)? == Proof::Proven as i64,
                            reference: message,
                        })
                    }))
                },
            )
            .optional()?;
        found
            .map(|found| Ok(found.ok_or_else(damaged)??))
            .transpose()
    }

    /// Whoever has not opened it is not told that it waits any more.
    fn count_off(&self, connection: &Connection) -> Result<(), StoreError> {
        if self.direction == Direction::Incoming && self.unread && !self.hidden && !self.recalled {
            connection
                .prepare_cached(
                    "UPDATE conversation SET unread = unread - 1 WHERE id = ?1 AND unread > 0",
                )?
                .execute(params![self.conversation])?;
        }
        Ok(())
    }

    fn judge(&self, recall: &Waiting, window_ms: i64) -> Verdict {
        // What is over is taken back all the same: its author wants to hear that it is gone.
        let taken_back = self.withheld || (self.recalled && !self.expired);
        if !recall.word.is_of_author(self) || taken_back {
            Verdict::Refused
        } else if self.expired {
            Verdict::Obeyed
        } else if recall.at.saturating_sub(self.created_at.as_millis()) > window_ms {
            Verdict::Kept
        } else {
            Verdict::Obeyed
        }
    }
}

/// Why nothing is left of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It was taken back, by what stands in this row.
    Recalled(i64),
    /// Its time is over.
    Expired,
}

/// Hides a message that was taken back by what stands in row `recall`, and that a legal hold keeps.
fn withhold(
    connection: &Connection,
    subject: &Subject,
    recall: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE message SET hidden_at = coalesce(hidden_at, ?2), recall = ?3, open = 0, on_hold = 1
             WHERE sequence = ?1",
        )?
        .execute(params![subject.sequence, now.as_millis(), recall])?;
    subject.count_off(connection)?;
    notice::opened(connection, subject.sequence)
}

/// Buries what [`withhold`] has hidden: the hold is lifted.
pub(crate) fn release(
    connection: &Connection,
    subject: &Subject,
    recall: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE recall SET obeyed = 1 WHERE message = ?1")?
        .execute(params![recall])?;
    bury(connection, subject, Gone::Recalled(recall), now)
}

/// Leaves a tombstone of a message, and of its corrections and answers nothing but the fact.
pub(crate) fn bury(
    connection: &Connection,
    subject: &Subject,
    why: Gone,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (recall, expired) = match why {
        Gone::Recalled(row) => (Some(row), None),
        Gone::Expired => (None, Some(now.as_millis())),
    };
    connection
        .prepare_cached(
            "UPDATE message SET body = X'', content_key = NULL, open = 0, recalled_at = ?2,
                 recall = coalesce(recall, ?3), expired_at = coalesce(expired_at, ?4), amendment = NULL
             WHERE sequence = ?1",
        )?
        .execute(params![subject.sequence, now.as_millis(), recall, expired])?;
    subject.count_off(connection)?;
    notice::opened(connection, subject.sequence)?;
    to_purge(connection, subject.sequence, &subject.body)?;
    bury_words(connection, SAID_OF, &of(&subject.reference), now)
}

/// What was said of a message that was taken back says what it said: read-backs, and other texts it has had.
fn bury_words(
    connection: &Connection,
    which: &str,
    of: &[&dyn ToSql],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut words = connection.prepare_cached(which)?;
    let mut rows = words.query(of)?;
    while let Some(row) = rows.next()? {
        let (sequence, body): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        connection
            .prepare_cached(
                "UPDATE message SET body = X'', content_key = NULL, recalled_at = ?2
                 WHERE sequence = ?1",
            )?
            .execute(params![sequence, now.as_millis()])?;
        // One of ours that waits to be sealed has nobody to go to any more.
        connection
            .prepare_cached("DELETE FROM outbox WHERE message = ?1")?
            .execute(params![sequence])?;
        to_purge(connection, sequence, &body)?;
    }
    Ok(())
}

/// Buries what is said of a message, if that is here and was taken back.
pub(crate) fn bury_words_of_recalled(
    connection: &Connection,
    subject: MessageRef,
    now: Timestamp,
) -> Result<(), StoreError> {
    match Subject::load(connection, subject)? {
        Some(message) if message.recalled => {
            bury_words(connection, SAID_OF, &of(&message.reference), now)
        }
        _ => Ok(()),
    }
}

/// Buries the corrections of a message that is not here and that whoever wrote them wants back: the relay may have
/// given it to nobody, and then it never comes. By its id they do so in time.
pub(crate) fn bury_words_of_withdrawn(
    connection: &Connection,
    subject: MessageRef,
    window_ms: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    if Subject::load(connection, subject)?.is_some() {
        return Ok(());
    }
    let latest = subject
        .id
        .written_at()
        .as_millis()
        .saturating_add(window_ms);
    let [device, id] = of(&subject);
    bury_words(connection, SAID_AND_TAKEN_BACK, &[device, id, &latest], now)
}

/// What names a message, as the parameters of a query.
fn of(subject: &MessageRef) -> [&dyn ToSql; 2] {
    [subject.device.as_bytes(), subject.id.as_bytes()]
}

fn to_purge(connection: &Connection, sequence: i64, body: &[u8]) -> Result<(), StoreError> {
    // A body that came while locked has never been indexed: it would have its other form.
    let indexed = !crate::vault::is_locked_form(body);
    connection
        .prepare_cached(
            "INSERT INTO purge (message, indexed) VALUES (?1, ?2)
             ON CONFLICT (message) DO UPDATE SET indexed = max(indexed, excluded.indexed)",
        )?
        .execute(params![sequence, indexed])?;
    Ok(())
}

/// Messages whose words may still be somewhere. Those whose words may be in the search index only if it can be
/// cleaned: they must not hide the others.
pub(crate) fn unpurged(
    connection: &Connection,
    with_indexed: bool,
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT message FROM purge WHERE ?1 OR indexed = 0 ORDER BY message LIMIT ?2",
    )?;
    let rows = statement.query_map(params![with_indexed, MOST_PURGED_AT_ONCE], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A message is purged: answers what its author is to be told, and by which name, if it came from somebody.
pub(crate) fn purged(
    connection: &Connection,
    sequence: i64,
) -> Result<Option<PurgedMessage>, StoreError> {
    let done = connection
        .prepare_cached("DELETE FROM purge WHERE message = ?1")?
        .execute(params![sequence])?;
    if done == 0 {
        return Ok(None);
    }
    let damaged = |_| StoreError::Damaged { what: "message" };
    let (author, id, hash, direction, read, shown): (
        String,
        Vec<u8>,
        Option<Vec<u8>>,
        i64,
        bool,
        bool,
    ) = connection
        .prepare_cached(
            // What is over has told nobody that it was taken back.
            "SELECT sender_user, message_id, content_hash, direction, read_at IS NOT NULL,
                    shown AND (expired_at IS NULL OR recall IS NOT NULL)
             FROM message WHERE sequence = ?1",
        )?
        .query_row(params![sequence], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })?;
    let kind = if read {
        v1::ReceiptKind::PurgedRead
    } else {
        v1::ReceiptKind::PurgedUnread
    };
    Ok(Some(PurgedMessage {
        author,
        id: MessageId::from_slice(&id).map_err(damaged)?,
        hash: hash.unwrap_or_default(),
        tell: (shown && direction == Direction::Incoming as i64).then_some(kind),
    }))
}

/// A message of which nothing is left.
pub(crate) struct PurgedMessage {
    pub(crate) author: String,
    pub(crate) id: MessageId,
    pub(crate) hash: Vec<u8>,
    /// What its author is told; nothing for what was written by this person, or is no message.
    pub(crate) tell: Option<v1::ReceiptKind>,
}

const MOST_PURGED_AT_ONCE: i64 = 500;
/// What takes a message back and was not decided about.
const UNDECIDED: &str = "
    SELECT r.message, r.at, r.user_id, r.subject_hash, m.conversation, m.proof
    FROM recall r JOIN message m ON m.sequence = r.message
    WHERE r.subject_device = ?1 AND r.subject_id = ?2 AND r.obeyed IS NULL
    ORDER BY r.message";
/// The rows that say something of a message.
const SAID_OF: &str = "
    SELECT sequence, body FROM message
    WHERE length(body) > 0 AND sequence IN (
        SELECT message FROM answer WHERE subject_device = ?1 AND subject_id = ?2
        UNION ALL SELECT message FROM amendment WHERE subject_device = ?1 AND subject_id = ?2
        UNION ALL SELECT message FROM pass WHERE subject_device = ?1 AND subject_id = ?2)";
/// The corrections of a message that somebody has written and wants back with it, before it is here.
const SAID_AND_TAKEN_BACK: &str = "
    SELECT m.sequence, m.body FROM amendment a
    JOIN recall r USING (subject_device, subject_id, user_id)
    JOIN message m ON m.sequence = a.message JOIN message t ON t.sequence = r.message
    WHERE a.subject_device = ?1 AND a.subject_id = ?2 AND length(m.body) > 0 AND t.proof = 1
      AND r.obeyed IS NULL AND r.at <= ?3";

#[cfg(test)]
mod tests;
