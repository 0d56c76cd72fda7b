//! Forwarding: somebody else's message is handed on as its author signed it.
//!
//! A forward is a message of its own, by whoever hands it on. Inside it is what the author's device signed, so that who
//! gets it need not believe the forwarder. Whether that signature holds is decided once, with the author's directory
//! entry, and remembered: nobody is shown as the author of what nobody proves. The patient is the original's, whatever
//! the forwarder says. A forward that is forwarded is the same original in a new one, so that they do not grow.
//!
//! Not its concern: who may forward what, and asking the directory, which is `engine::forwarding`'s.

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::{Message as _, v1};

use super::{AMEND, FORWARD, Patient, Structured, amend, content};
use crate::{id::MessageRef, store::StoreError};

/// Somebody else's message inside the one that hands it on.
#[derive(Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Whether the author's signature and directory entry prove who wrote it. Until they do, what follows is the word
    /// of whoever forwards it, and `author`, `author_device`, `written_at` and `corrected_at` are `None`: show no name.
    pub proven: bool,
    /// Who wrote it.
    pub author: Option<UserId>,
    /// On which device.
    pub author_device: Option<DeviceId>,
    /// When, by the author's clock.
    pub written_at: Option<Timestamp>,
    /// When its author corrected it, if the text is that of a correction; what it said before does not go with it.
    pub corrected_at: Option<Timestamp>,
    /// What it says.
    pub text: String,
    /// Its typed fields, when it has any.
    pub structured: Option<Structured>,
    /// Whom it is about; the same as the patient of the message that hands it on.
    pub patient: Option<Patient>,
    /// What whoever forwards it says to it; may be empty.
    pub comment: String,
}

/// Shows whether it is proven, nothing of what was written and by whom.
impl std::fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarded")
            .field("proven", &self.proven)
            .finish_non_exhaustive()
    }
}

/// What is inside a forward, as far as this version understands it; nobody has proven any of it.
pub(crate) struct Parts {
    pub(crate) original: v1::SignedContent,
    pub(crate) correction: Option<v1::SignedContent>,
    /// What the original's author is said to have signed.
    pub(crate) content: v1::Content,
    corrected: Option<(v1::AmendBody, Option<Timestamp>)>,
    comment: String,
}

impl Parts {
    /// `None` when a content is no forward, or one of what this version does not show: a forward again, say.
    pub(crate) fn of(content: &v1::Content) -> Option<Self> {
        if content.type_uri != FORWARD {
            return None;
        }
        let body = v1::ForwardBody::decode(content.body.as_slice()).ok()?;
        let original = body.original?;
        let content = v1::Content::decode(original.content.as_slice()).ok()?;
        // Also says no to another forward, so that they do not nest.
        let readable = content.type_uri != FORWARD && content::text_of(&content).1;
        if !readable {
            return None;
        }
        let corrected = match &body.correction {
            Some(correction) => Some(corrected(correction)?),
            None => None,
        };
        Some(Self {
            original,
            correction: body.correction,
            content,
            corrected,
            comment: body.comment,
        })
    }

    /// What the original says now.
    fn original_text(&self) -> String {
        match &self.corrected {
            Some((said, _)) => content::corrected_text(said, &self.content.type_uri),
            None => content::text_of(&self.content).0,
        }
    }

    /// What anybody can read of all of it, with nobody's name.
    pub(crate) fn text(&self) -> String {
        match self.comment.trim() {
            "" => self.original_text(),
            comment => format!("{comment}\n\n{}", self.original_text()),
        }
    }

    /// What devices show that do not know forwards: the forwarder's word, like any text of theirs.
    pub(crate) fn fallback(&self) -> String {
        let author = &self.content.sender_user_id;
        let at = Timestamp::from_millis(self.content.created_at_ms);
        let quoted: Vec<String> = self
            .original_text()
            .lines()
            .map(|line| format!("> {line}"))
            .collect();
        let original = format!("> {author}, {at}\n{}", quoted.join("\n"));
        match self.comment.trim() {
            "" => original,
            comment => format!("{comment}\n\n{original}"),
        }
    }

    fn shown(self, proven: bool) -> Forwarded {
        let text = self.original_text();
        let author = proven.then_some(&self.content);
        Forwarded {
            proven,
            author: author.and_then(|content| content.sender_user_id.parse().ok()),
            author_device: author
                .and_then(|content| DeviceId::from_slice(&content.sender_device).ok()),
            written_at: author.map(|content| Timestamp::from_millis(content.created_at_ms)),
            corrected_at: self
                .corrected
                .as_ref()
                .and_then(|(_, at)| *at)
                .filter(|_| proven),
            text,
            structured: match &self.corrected {
                Some((said, _)) => content::corrected_fields(said, &self.content.type_uri),
                None => Structured::of(&self.content),
            },
            patient: self.content.patient.map(Patient::from),
            comment: self.comment,
        }
    }
}

fn corrected(signed: &v1::SignedContent) -> Option<(v1::AmendBody, Option<Timestamp>)> {
    let content = v1::Content::decode(signed.content.as_slice()).ok()?;
    if content.type_uri != AMEND {
        return None;
    }
    let at = content::correction_in(&content).map(|(_, at)| at);
    Some((content::correction(&content)?, at))
}

/// What is inside the forward in row `row`, as a person reads it.
pub(crate) fn forwarded(
    connection: &Connection,
    row: i64,
    content: &v1::Content,
) -> Result<Option<Forwarded>, StoreError> {
    let Some(parts) = Parts::of(content) else {
        return Ok(None);
    };
    let proven = is_proven(connection, row)?;
    Ok(Some(parts.shown(proven)))
}

/// Notes a forward. `source` is the message that was handed on, of one that was written here; `proven` is `None` until
/// it is decided.
pub(crate) fn note(
    connection: &Connection,
    row: i64,
    source: Option<MessageRef>,
    proven: Option<bool>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO forward (message, source_device, source_id, proven) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            row,
            source.map(|source| source.device.to_vec()),
            source.map(|source| source.id.as_bytes().to_vec()),
            proven
        ])?;
    Ok(())
}

/// Remembers whether the original in the forward in row `row` is its author's.
pub(crate) fn decide(connection: &Connection, row: i64, proven: bool) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE forward SET proven = ?2 WHERE message = ?1")?
        .execute(params![row, proven])?;
    Ok(())
}

/// Whether the original in the forward in row `row` is known to be its author's.
pub(crate) fn is_proven(connection: &Connection, row: i64) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM forward WHERE message = ?1 AND proven = 1")?
        .exists(params![row])?)
}

/// A forward that was not decided about.
pub(crate) struct Undecided {
    pub(crate) row: i64,
    pub(crate) conversation: i64,
    pub(crate) reference: MessageRef,
    /// Sealed to the reading key.
    pub(crate) body: Vec<u8>,
}

/// Forwards whose author was not looked up yet.
pub(crate) fn undecided(connection: &Connection) -> Result<Vec<Undecided>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT m.sequence, m.conversation, m.sender_device, m.message_id, m.body
         FROM forward f JOIN message m ON m.sequence = f.message
         WHERE f.proven IS NULL AND m.recalled_at IS NULL AND length(m.body) > 0
         ORDER BY m.sequence LIMIT ?1",
    )?;
    let mut rows = statement.query(params![MOST_AT_ONCE])?;
    let mut undecided = Vec::new();
    while let Some(row) = rows.next()? {
        let (device, id): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?);
        undecided.push(Undecided {
            row: row.get(0)?,
            conversation: row.get(1)?,
            reference: amend::reference(&device, &id)?,
            body: row.get(4)?,
        });
    }
    Ok(undecided)
}

/// What this device has written to hand a message on, and was not taken back.
pub(crate) fn of_source(
    connection: &Connection,
    source: MessageRef,
) -> Result<Vec<MessageRef>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT m.sender_device, m.message_id FROM forward f JOIN message m ON m.sequence = f.message
         WHERE f.source_device = ?1 AND f.source_id = ?2 AND m.recalled_at IS NULL",
    )?;
    let mut rows = statement.query(params![source.device.as_bytes(), source.id.as_bytes()])?;
    let mut forwards = Vec::new();
    while let Some(row) = rows.next()? {
        let (device, id): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        forwards.push(amend::reference(&device, &id)?);
    }
    Ok(forwards)
}

/// The message that the forward `message` of this device was made of, if it is one.
pub(crate) fn source_of(
    connection: &Connection,
    row: i64,
) -> Result<Option<MessageRef>, StoreError> {
    let source: Option<(Vec<u8>, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT source_device, source_id FROM forward
             WHERE message = ?1 AND source_device IS NOT NULL",
        )?
        .query_row(params![row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    source
        .map(|(device, id)| amend::reference(&device, &id))
        .transpose()
}

/// Bounds one transaction.
const MOST_AT_ONCE: i64 = 64;
