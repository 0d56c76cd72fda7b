//! Answers: who has accepted or declined a message that asks for it.
//!
//! An answer is a signed content of its own, so it is sealed, delivered, confirmed and sealed again like
//! any other; here is what it means for the message it speaks of. It counts when it comes from a device
//! that the message was sealed for and names the very ciphertext: nobody else can close an open message.
//! The last answer of a person stands (by the answering device's clock, then by its id), in whatever order
//! answers arrive; a message is open until somebody's standing answer accepts it.
//!
//! Not its concern: writing and sending an answer, which is `engine::answering`'s.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};

use super::{Direction, Proof, amend, content, expiry, rows};
use crate::{
    error::Error,
    id::{ConversationId, MessageId, MessageRef},
    store::StoreError,
    vault::{BodyOpener, ReadingKeys},
};

/// What somebody says to a message that asks for an answer. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(i64)]
pub enum Verdict {
    /// "I have it": the sender may stop looking for somebody.
    Accepted = 1,
    /// "Not me": the sender should ask somebody else at once.
    Declined = 2,
}

impl Verdict {
    /// Off the wire or out of the store.
    pub(crate) fn from_number(value: i64) -> Option<Self> {
        [Self::Accepted, Self::Declined]
            .into_iter()
            .find(|verdict| *verdict as i64 == value)
    }
}

/// One answer to a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who answered, as the directory proves.
    pub user: UserId,
    /// On which device.
    pub device: DeviceId,
    /// What they said.
    pub verdict: Verdict,
    /// What they understood, in their own words, or why they decline; may be empty.
    pub read_back: String,
    /// When, by the answering device's clock.
    pub at: Timestamp,
    /// Whether it is the last word of this person.
    pub stands: bool,
    /// Which correction of the message they had read ([`Version::reference`](super::Version)); `None`: the message as
    /// it was first written.
    pub version: Option<MessageRef>,
    /// They answered another text than the one that stands here.
    pub outdated: bool,
}

/// Shows who and what, nothing of what was written.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("verdict", &self.verdict)
            .field("at", &self.at)
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}

/// An answer about to be noted.
pub(crate) struct NewAnswer<'a> {
    /// The row that holds it.
    pub(crate) row: i64,
    pub(crate) subject: MessageRef,
    pub(crate) subject_hash: &'a [u8],
    pub(crate) user: &'a UserId,
    pub(crate) device: DeviceId,
    pub(crate) verdict: Verdict,
    pub(crate) at: Timestamp,
    /// Whether it says what was understood.
    pub(crate) read_back: bool,
}

/// What noting an answer, or taking in its message, has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) user: UserId,
    pub(crate) verdict: Verdict,
}

/// Notes an answer; says whether it counts, as far as the message is here.
pub(crate) fn note(connection: &Connection, new: &NewAnswer<'_>) -> Result<bool, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO answer (message, subject_device, subject_id, subject_hash, user_id,
                 device_id, verdict, at, read_back) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            new.row,
            new.subject.device.as_bytes(),
            new.subject.id.as_bytes(),
            new.subject_hash,
            new.user.as_str(),
            new.device.as_bytes(),
            new.verdict as i64,
            new.at.as_millis(),
            new.read_back,
        ])?;
    Ok(!count(connection, new.subject)?.is_empty())
}

/// Decides about the answers to a message that were not decided about yet, if it is here; answers those
/// that count.
pub(crate) fn count(
    connection: &Connection,
    subject: MessageRef,
) -> Result<Vec<Counted>, StoreError> {
    // Asked for every message that comes: most have no answer yet.
    let waits = connection
        .prepare_cached(
            "SELECT 1 FROM answer WHERE subject_device = ?1 AND subject_id = ?2 AND counts IS NULL",
        )?
        .exists(params![subject.device.as_bytes(), subject.id.as_bytes()])?;
    if !waits {
        return Ok(Vec::new());
    }
    let Some(asked) = asked(connection, subject)? else {
        return Ok(Vec::new());
    };
    let damaged = || StoreError::Damaged { what: "answer" };
    let mut counted = Vec::new();
    {
        let mut waiting = connection.prepare_cached(
            "SELECT a.message, a.subject_hash, a.user_id, a.device_id, a.verdict, m.conversation, m.proof,
                    a.read_back
             FROM answer a JOIN message m ON m.sequence = a.message
             WHERE a.subject_device = ?1 AND a.subject_id = ?2 AND a.counts IS NULL
             ORDER BY a.message",
        )?;
        let mut rows = waiting.query(params![subject.device.as_bytes(), subject.id.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let device: Vec<u8> = row.get(3)?;
            let verdict = Verdict::from_number(row.get(4)?).ok_or_else(damaged)?;
            // Whoever accepts what must be read back has not done so before.
            let read_back = row.get(7)? || !asked.reads_back || verdict == Verdict::Declined;
            let counts = read_back
                && asked.hash == row.get::<_, Vec<u8>>(1)?
                && (asked.escalates || asked.conversation == row.get::<_, i64>(5)?)
                && row.get::<_, i64>(6)? == Proof::Proven as i64
                && asked.recipients.chunks_exact(16).any(|one| one == device);
            connection
                .prepare_cached("UPDATE answer SET counts = ?2 WHERE message = ?1")?
                .execute(params![row.get::<_, i64>(0)?, counts])?;
            if counts {
                counted.push(Counted {
                    user: UserId::new(row.get::<_, String>(2)?).map_err(|_| damaged())?,
                    verdict,
                });
            }
        }
    }
    if !counted.is_empty() {
        let open = !standing(connection, subject)?
            .values()
            .any(|answer| answer.verdict == Verdict::Accepted);
        connection
            .prepare_cached(
                "UPDATE message SET open = ?2
                 WHERE sequence = ?1 AND asks = 1 AND recalled_at IS NULL",
            )?
            .execute(params![asked.sequence, open])?;
    }
    Ok(counted)
}

/// The last word of everybody whose answer counts.
pub(crate) fn standing(
    connection: &Connection,
    subject: MessageRef,
) -> Result<BTreeMap<UserId, StandingAnswer>, StoreError> {
    let damaged = || StoreError::Damaged { what: "answer" };
    let mut statement = connection.prepare_cached(LAST_WORDS)?;
    let mut rows = statement.query(params![subject.device.as_bytes(), subject.id.as_bytes()])?;
    let mut standing = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let user = UserId::new(row.get::<_, String>(1)?).map_err(|_| damaged())?;
        standing.insert(
            user,
            StandingAnswer {
                verdict: Verdict::from_number(row.get(2)?).ok_or_else(damaged)?,
                at: Timestamp::from_millis(row.get(3)?),
                row: row.get(0)?,
            },
        );
    }
    Ok(standing)
}

/// The last word of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingAnswer {
    /// What they said.
    pub verdict: Verdict,
    /// When, by the answering device's clock: the last of the closed loop's times.
    pub at: Timestamp,
    row: i64,
}

/// Every answer to a message that counts, in the order in which they stand; what they say is over with it.
pub(crate) fn all(
    connection: &Connection,
    keys: &ReadingKeys,
    subject: MessageRef,
    latest: Timestamp,
) -> Result<Vec<Answer>, Error> {
    let damaged = || StoreError::Damaged { what: "answer" };
    let standing = standing(connection, subject)?;
    let text = amend::standing(connection, subject)?.map(|(version, _)| version);
    let mut statement = connection.prepare_cached(IN_ORDER)?;
    let mut rows = statement.query(params![subject.device.as_bytes(), subject.id.as_bytes()])?;
    let mut opener = BodyOpener::new(keys);
    let over = expiry::is_over(connection, subject, latest)?;
    let mut answers = Vec::new();
    while let Some(row) = rows.next()? {
        let user = UserId::new(row.get::<_, String>(1)?).map_err(|_| damaged())?;
        let device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(|_| damaged())?;
        let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(5)?).map_err(|_| damaged())?;
        let place = rows::place_id(device, id);
        let content = opener
            .open(rows::body_place(&place), &row.get::<_, Vec<u8>>(6)?)
            .ok()
            // What was understood of a message that is over says what it said.
            .filter(|_| !over)
            .and_then(|body| content::content_of(&body).ok());
        let version = content.as_ref().and_then(content::version_of);
        let outdated = content.is_some() && version != text;
        let read_back = content
            .and_then(|content| content::said(&content))
            .map(|body| body.read_back);
        answers.push(Answer {
            device,
            verdict: Verdict::from_number(row.get(3)?).ok_or_else(damaged)?,
            // A damaged body takes its words with it, not the fact.
            read_back: read_back.unwrap_or_default(),
            at: Timestamp::from_millis(row.get(4)?),
            stands: standing
                .get(&user)
                .is_some_and(|last| Some(last.row) == row.get(0).ok()),
            user,
            version,
            outdated,
        });
    }
    Ok(answers)
}

/// Which open messages to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenItems {
    /// Those of others, which wait for somebody here.
    ToAnswer,
    /// Those of this person, for which an answer is awaited.
    Awaited,
    /// The awaited ones whose time is up.
    Overdue,
}

/// The rows of open messages, the most urgent first, then by their deadlines.
pub(crate) fn open(
    connection: &Connection,
    which: OpenItems,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<i64>, StoreError> {
    let (incoming, until) = match which {
        OpenItems::ToAnswer => (true, i64::MAX),
        OpenItems::Awaited => (false, i64::MAX),
        OpenItems::Overdue => (false, now.as_millis()),
    };
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM message
         WHERE open = 1 AND handed_over = 0 AND hidden_at IS NULL AND (direction = ?1) = ?2
           AND coalesce(answer_by, ?3) <= ?3
           AND (answer_by IS NOT NULL OR ?4)
         ORDER BY priority DESC, answer_by IS NULL, answer_by, sequence LIMIT ?5",
    )?;
    let rows = statement.query_map(
        params![
            Direction::Incoming as i64,
            incoming,
            until,
            which != OpenItems::Overdue,
            limit
        ],
        |row| row.get(0),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The rows of all open messages.
pub(crate) fn every_open(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT sequence FROM message WHERE open = 1 AND hidden_at IS NULL")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many messages of this person in a conversation wait for an answer.
pub(crate) fn awaited_in(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<u32, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FROM message m JOIN conversation c ON c.id = m.conversation
             WHERE m.open = 1 AND m.hidden_at IS NULL AND m.direction <> ?2 AND c.conversation_id = ?1",
        )?
        .query_row(
            params![conversation.as_bytes(), Direction::Incoming as i64],
            |row| row.get(0),
        )?)
}

/// A message that asks, as far as answers to it are concerned.
struct Asked {
    sequence: i64,
    conversation: i64,
    hash: Vec<u8>,
    recipients: Vec<u8>,
    reads_back: bool,
    /// Others than who is in the conversation may be given it, and answer.
    escalates: bool,
}

fn asked(connection: &Connection, subject: MessageRef) -> Result<Option<Asked>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT sequence, conversation, content_hash, recipients, reads_back,
                    EXISTS (SELECT 1 FROM escalation e WHERE e.message = sequence)
             FROM message
             WHERE sender_device = ?1 AND message_id = ?2 AND shown = 1",
        )?
        .query_row(
            params![subject.device.as_bytes(), subject.id.as_bytes()],
            |row| {
                Ok(Asked {
                    sequence: row.get(0)?,
                    conversation: row.get(1)?,
                    hash: row.get::<_, Option<_>>(2)?.unwrap_or_default(),
                    recipients: row.get::<_, Option<_>>(3)?.unwrap_or_default(),
                    reads_back: row.get(4)?,
                    escalates: row.get(5)?,
                })
            },
        )
        .optional()?)
}

/// The last word of each person: no later answer of theirs counts.
const LAST_WORDS: &str = "
    SELECT a.message, a.user_id, a.verdict, a.at
    FROM answer a JOIN message m ON m.sequence = a.message
    WHERE a.subject_device = ?1 AND a.subject_id = ?2 AND a.counts = 1
      AND NOT EXISTS (
        SELECT 1 FROM answer b JOIN message n ON n.sequence = b.message
        WHERE b.subject_device = ?1 AND b.subject_id = ?2 AND b.user_id = a.user_id
          AND b.counts = 1 AND b.at >= a.at AND (b.at, n.message_id) > (a.at, m.message_id))";
/// A person's answers come in the order in which they stand: the last one is the last word.
const IN_ORDER: &str = "
    SELECT a.message, a.user_id, a.device_id, a.verdict, a.at, m.message_id, m.body
    FROM answer a JOIN message m ON m.sequence = a.message
    WHERE a.subject_device = ?1 AND a.subject_id = ?2 AND a.counts = 1
    ORDER BY a.at, m.message_id";

#[cfg(test)]
mod tests;
