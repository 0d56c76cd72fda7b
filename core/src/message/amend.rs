//! Amending: the text of a message is corrected by its author, and what it said before stays readable.
//!
//! A correction is a signed content of its own; it may overtake its message, and is decided about when that is
//! here. The last one of those that count stands (by its author's clock, then by its id), in whatever order they
//! come. A copy that another device of the author hands on is the same correction under another name.
//!
//! Not its concern: sending one, which is `engine::amending`'s, and purging all of them with their message, which
//! is [`super::recall`]'s.

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::{Message as _, v1};
use zeroize::Zeroizing;

use super::{Structured, content, expiry, recall::Subject, rows, word};
use crate::{
    error::Error,
    id::{MessageId, MessageRef},
    store::StoreError,
    vault::{BodyOpener, ReadingKeys},
};

/// That the text of a message was corrected. What stands is the message's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Amended {
    /// Who corrected it: its author, perhaps on another device.
    pub by: UserId,
    /// When, by the author's clock.
    pub at: Timestamp,
    /// Why; may be empty.
    pub reason: String,
    /// How many texts it has had, the first one and the one that stands included:
    /// [`Client::history`](crate::Client::history) has them.
    pub versions: u64,
}

/// Shows when and how often, nothing of what was written.
impl std::fmt::Debug for Amended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Amended")
            .field("at", &self.at)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// One of the texts that a message has had.
#[derive(Clone, PartialEq, Eq)]
pub struct Version {
    /// What names the correction; of the first text, the message itself.
    pub reference: MessageRef,
    /// Who wrote it.
    pub by: UserId,
    /// When, by the author's clock.
    pub at: Timestamp,
    /// What the message said then; empty when the stored body is damaged.
    pub text: String,
    /// What its typed fields said then, if it had any that this version knows, or a vendor's.
    pub structured: Option<Structured>,
    /// Why it was corrected; empty for the first text.
    pub reason: String,
    /// Whether it is what the message says now.
    pub stands: bool,
}

/// Shows which, nothing of what was written.
impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version")
            .field("at", &self.at)
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}

/// A correction about to be noted.
pub(crate) struct NewAmendment<'a> {
    /// The row that holds it.
    pub(crate) row: i64,
    pub(crate) subject: MessageRef,
    pub(crate) subject_hash: &'a [u8],
    pub(crate) user: &'a UserId,
    /// What names the correction: the content itself, or the one that it is a copy of.
    pub(crate) version: MessageRef,
    pub(crate) at: Timestamp,
}

/// Notes that somebody corrects a message; [`settle`] decides whether they may.
pub(crate) fn note(connection: &Connection, new: &NewAmendment<'_>) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO amendment (message, subject_device, subject_id, subject_hash, user_id,
                 version_device, version_id, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            new.row,
            new.subject.device.as_bytes(),
            new.subject.id.as_bytes(),
            new.subject_hash,
            new.user.as_str(),
            new.version.device.as_bytes(),
            new.version.id.as_bytes(),
            new.at.as_millis(),
        ])?;
    Ok(())
}

/// Whether somebody corrects a message and nobody has decided about that.
pub(crate) fn is_waiting(connection: &Connection, subject: MessageRef) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM amendment
             WHERE subject_device = ?1 AND subject_id = ?2 AND counts IS NULL",
        )?
        .exists(params![subject.device.as_bytes(), subject.id.as_bytes()])?)
}

/// What was decided about the corrections of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Settled {
    /// Another text stands now.
    pub(crate) changed: bool,
    /// So many came too late, or from somebody else than the author: nothing happens.
    pub(crate) refused: usize,
}

/// Decides about the corrections of a message that were not decided about, if it is here. `window_ms` is for how
/// long after it was written a message may be corrected.
pub(crate) fn settle(
    connection: &Connection,
    subject: MessageRef,
    window_ms: i64,
) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    let Some(message) = Subject::load(connection, subject)? else {
        return Ok(settled);
    };
    for waiting in word::undecided(connection, UNDECIDED, subject)? {
        let in_time = waiting.at.saturating_sub(message.created_at.as_millis()) <= window_ms;
        let counts = in_time && !message.recalled && waiting.word.is_of_author(&message);
        connection
            .prepare_cached("UPDATE amendment SET counts = ?2 WHERE message = ?1")?
            .execute(params![waiting.row, counts])?;
        settled.refused += usize::from(!counts);
    }
    if message.recalled {
        return Ok(settled);
    }
    let changed = connection
        .prepare_cached(
            "UPDATE message SET amendment = ?2 WHERE sequence = ?1 AND amendment IS NOT ?2",
        )?
        .execute(params![message.sequence, last(connection, subject)?])?;
    settled.changed = changed > 0;
    Ok(settled)
}

/// The row of the correction that stands.
fn last(connection: &Connection, subject: MessageRef) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT a.message {COUNTED}
             ORDER BY a.at DESC, a.version_id DESC, a.version_device DESC, m.message_id LIMIT 1"
        ))?
        .query_row(
            params![subject.device.as_bytes(), subject.id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?)
}

/// Which correction of a message stands, and by which ciphertext.
pub(crate) fn standing(
    connection: &Connection,
    subject: MessageRef,
) -> Result<Option<(MessageRef, Vec<u8>)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.version_device, a.version_id, c.content_hash
         FROM message m JOIN amendment a ON a.message = m.amendment
         JOIN message c ON c.sequence = m.amendment
         WHERE m.sender_device = ?1 AND m.message_id = ?2",
    )?;
    let mut rows = statement.query(params![subject.device.as_bytes(), subject.id.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let (device, id): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
    let hash: Option<Vec<u8>> = row.get(2)?;
    Ok(Some((reference(&device, &id)?, hash.unwrap_or_default())))
}

/// The rows of this device that correct a message: what is to be stopped with it.
pub(crate) fn written_by(
    connection: &Connection,
    subject: MessageRef,
    device: DeviceId,
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.message FROM amendment a JOIN message m ON m.sequence = a.message
         WHERE a.subject_device = ?1 AND a.subject_id = ?2 AND m.sender_device = ?3",
    )?;
    let rows = statement.query_map(
        params![
            subject.device.as_bytes(),
            subject.id.as_bytes(),
            device.as_bytes()
        ],
        |row| row.get(0),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The row of the message that a correction is of, if it counts and has not been taken back.
pub(crate) fn corrects(connection: &Connection, row: i64) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT m.sequence FROM amendment a
             JOIN message m ON m.sender_device = a.subject_device AND m.message_id = a.subject_id
             WHERE a.message = ?1 AND a.counts = 1 AND m.shown = 1 AND m.recalled_at IS NULL",
        )?
        .query_row(params![row], |row| row.get(0))
        .optional()?)
}

/// What a stored correction says; `None` when its body is damaged.
pub(crate) fn said(
    opener: &mut BodyOpener<'_>,
    correction: MessageRef,
    body: &[u8],
) -> Option<v1::AmendBody> {
    let place = rows::place_id(correction.device, correction.id);
    let body = opener.open(rows::body_place(&place), body).ok()?;
    content::correction(&content::content_of(&body).ok()?)
}

/// Every text that a message has had, in the order in which they stand: the last one is what it says.
pub(crate) fn history(
    connection: &Connection,
    keys: &ReadingKeys,
    subject: MessageRef,
    latest: Timestamp,
) -> Result<Vec<Version>, Error> {
    let mut opener = BodyOpener::new(keys);
    let first = first(connection, &mut opener, subject, latest)?.ok_or(Error::Unknown)?;
    let content = first.body.and_then(|body| content::content_of(&body).ok());
    let content = content.unwrap_or_default();
    let mut versions = vec![Version {
        reference: subject,
        by: first.by,
        at: first.at,
        text: content::text_of(&content).0,
        structured: Structured::of(&content),
        reason: String::new(),
        stands: false,
    }];
    for correction in corrections(connection, subject)? {
        let said = said(&mut opener, correction.row, &correction.body).unwrap_or_default();
        versions.push(Version {
            reference: correction.version,
            by: correction.by,
            at: correction.at,
            text: content::corrected_text(&said, &content.type_uri),
            structured: content::corrected_fields(&said, &content.type_uri),
            reason: said.reason,
            stands: false,
        });
    }
    if let Some(last) = versions.last_mut() {
        last.stands = true;
    }
    Ok(versions)
}

/// The type of the content of a message; empty when its body is damaged.
pub(crate) fn type_of(
    connection: &Connection,
    keys: &ReadingKeys,
    subject: MessageRef,
    latest: Timestamp,
) -> Result<String, Error> {
    let first = first(connection, &mut BodyOpener::new(keys), subject, latest)?;
    let first = first.ok_or(Error::Unknown)?;
    let content = first.body.and_then(|body| content::content_of(&body).ok());
    Ok(content.unwrap_or_default().type_uri)
}

/// What the author's devices have signed: a message and its corrections, in the order in which they stand.
pub(crate) fn signed(
    connection: &Connection,
    keys: &ReadingKeys,
    subject: MessageRef,
    latest: Timestamp,
) -> Result<(v1::SignedContent, Vec<v1::SignedContent>), Error> {
    let mut opener = BodyOpener::new(keys);
    let decode = |body: &[u8]| v1::SignedContent::decode(body).map_err(|_| damaged());
    let first = first(connection, &mut opener, subject, latest)?.and_then(|first| first.body);
    let message = decode(&first.ok_or(Error::Unknown)?)?;
    let mut signed = Vec::new();
    for correction in corrections(connection, subject)? {
        let place = rows::place_id(correction.row.device, correction.row.id);
        let body = opener.open(rows::body_place(&place), &correction.body)?;
        signed.push(decode(&body)?);
    }
    let unsigned = |signed: &v1::SignedContent| signed.signature.is_empty();
    if unsigned(&message) || signed.iter().any(unsigned) {
        // It waits to be sealed.
        return Err(Error::Unknown);
    }
    Ok((message, signed))
}

/// A correction that counts.
struct Correction {
    version: MessageRef,
    /// What names the row that holds it: a copy's own name.
    row: MessageRef,
    by: UserId,
    at: Timestamp,
    body: Vec<u8>,
}

/// The corrections of a message that count, each once, in the order in which they stand.
fn corrections(
    connection: &Connection,
    subject: MessageRef,
) -> Result<Vec<Correction>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT a.version_device, a.version_id, a.user_id, a.at, m.sender_device, m.message_id, m.body
         {COUNTED} AND length(m.body) > 0
         ORDER BY a.at, a.version_id, a.version_device, m.message_id"
    ))?;
    let mut rows = statement.query(params![subject.device.as_bytes(), subject.id.as_bytes()])?;
    let mut corrections: Vec<Correction> = Vec::new();
    while let Some(row) = rows.next()? {
        let named = |device: usize, id: usize| -> Result<MessageRef, StoreError> {
            let (device, id): (Vec<u8>, Vec<u8>) = (row.get(device)?, row.get(id)?);
            reference(&device, &id)
        };
        let version = named(0, 1)?;
        let last = corrections.last();
        if last.is_some_and(|last| last.version == version) {
            // A copy.
            continue;
        }
        corrections.push(Correction {
            version,
            row: named(4, 5)?,
            by: UserId::new(row.get::<_, String>(2)?).map_err(|_| damaged())?,
            at: Timestamp::from_millis(row.get(3)?),
            body: row.get(6)?,
        });
    }
    Ok(corrections)
}

/// A message as it was first written.
struct First {
    by: UserId,
    at: Timestamp,
    /// `None` when it is damaged.
    body: Option<Zeroizing<Vec<u8>>>,
}

fn first(
    connection: &Connection,
    opener: &mut BodyOpener<'_>,
    subject: MessageRef,
    latest: Timestamp,
) -> Result<Option<First>, StoreError> {
    if expiry::is_over(connection, subject, latest)? {
        return Ok(None);
    }
    let found: Option<(String, i64, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT sender_user, created_at, body FROM message
             WHERE sender_device = ?1 AND message_id = ?2 AND shown = 1 AND recalled_at IS NULL",
        )?
        .query_row(
            params![subject.device.as_bytes(), subject.id.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((by, at, body)) = found else {
        return Ok(None);
    };
    let place = rows::place_id(subject.device, subject.id);
    Ok(Some(First {
        by: UserId::new(by).map_err(|_| damaged())?,
        at: Timestamp::from_millis(at),
        body: opener.open(rows::body_place(&place), &body).ok(),
    }))
}

/// What names a message, out of the store.
pub(crate) fn reference(device: &[u8], id: &[u8]) -> Result<MessageRef, StoreError> {
    Ok(MessageRef {
        device: DeviceId::from_slice(device).map_err(|_| damaged())?,
        id: MessageId::from_slice(id).map_err(|_| damaged())?,
    })
}

const fn damaged() -> StoreError {
    StoreError::Damaged { what: "amendment" }
}

/// Those that were not decided about.
const UNDECIDED: &str = "
    SELECT a.message, a.at, a.user_id, a.subject_hash, m.conversation, m.proof
    FROM amendment a JOIN message m ON m.sequence = a.message
    WHERE a.subject_device = ?1 AND a.subject_id = ?2 AND a.counts IS NULL
    ORDER BY a.message";
/// The corrections of a message that count.
const COUNTED: &str = "
    FROM amendment a JOIN message m ON m.sequence = a.message
    WHERE a.subject_device = ?1 AND a.subject_id = ?2 AND a.counts = 1";

#[cfg(test)]
mod tests;
