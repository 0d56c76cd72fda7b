//! The list of conversations: with whom, what came last, how much nobody has opened.
//!
//! Everything but the preview is known to a locked device. A page is found by its key, the newest
//! message of each conversation, so that it costs the same wherever it is and however much was
//! written; a conversation in which nothing was written yet is not on the list.

use rusqlite::{Connection, Row, params};
use wardline_org::{Timestamp, UserId};

use super::{Cursor, Direction, Priority, amend, content, rows};
use crate::{
    conversation::{self, Recipient},
    error::Error,
    id::{ConversationId, MessageId},
    store::StoreError,
    vault::{BodyOpener, ReadingKeys},
};

/// A conversation as a list of conversations shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Whom it is with.
    pub with: Recipient,
    /// How many of its messages nobody has opened.
    pub unread: u64,
    /// How urgent the most urgent of those is; `None` when all were opened.
    pub unread_priority: Option<Priority>,
    /// Its newest message.
    pub newest: NewestMessage,
    /// Whether somebody has begun to write here.
    pub has_draft: bool,
}

/// The newest message of a conversation, as a list shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct NewestMessage {
    /// Its id.
    pub id: MessageId,
    /// Its place in this device's timelines, and the conversation's place in the list.
    pub cursor: Cursor,
    /// Who wrote it, as the directory proves.
    pub sender: UserId,
    /// Whether it came in, or was written here or on another device of the same person.
    pub direction: Direction,
    /// How urgent it is.
    pub priority: Priority,
    /// When it was written, by the sender's clock.
    pub created_at: Timestamp,
    /// When it came here, by this device's clock.
    pub arrived_at: Timestamp,
    /// How its text begins, up to 200 characters; `None` while locked, or when it is over, or the stored text is
    /// damaged. Showing it is not an opening.
    pub preview: Option<String>,
    /// When it is over at the latest; `preview` is `None` from then on.
    pub expires_at: Option<Timestamp>,
}

/// Some conversations, the one with the newest message first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationPage {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// Ask for the page after this one with it; `None` at the end.
    pub before: Option<Cursor>,
    /// How many messages nobody has opened, in all conversations.
    pub unread: u64,
}

/// The page of conversations whose newest message is older than `before` (or the first page), and
/// the unread count of all, both of one moment. Previews are there with the reading keys, of what is not over by `latest`.
pub(crate) fn page(
    connection: &Connection,
    us: &UserId,
    keys: Option<&ReadingKeys>,
    before: Option<Cursor>,
    size: u32,
    latest: Timestamp,
) -> Result<ConversationPage, Error> {
    // A read transaction: the count and the rows are of one moment.
    let moment = connection.unchecked_transaction()?;
    let page = look(&moment, us, keys, before, size, latest)?;
    moment.commit()?;
    Ok(page)
}

/// [`page`] inside a transaction of the caller's.
pub(crate) fn look(
    connection: &Connection,
    us: &UserId,
    keys: Option<&ReadingKeys>,
    before: Option<Cursor>,
    size: u32,
    latest: Timestamp,
) -> Result<ConversationPage, Error> {
    let mut statement = connection.prepare_cached(PAGE)?;
    let before = before.map_or(i64::MAX, |cursor| cursor.0);
    let mut rows = statement.query(params![before, size, keys.is_some(), latest.as_millis()])?;
    let mut opener = keys.map(BodyOpener::new);
    let mut conversations = Vec::new();
    while let Some(row) = rows.next()? {
        conversations.push(read(row, us, opener.as_mut())?);
    }
    let full = u32::try_from(conversations.len()).unwrap_or(u32::MAX) == size;
    let before = conversations
        .last()
        .filter(|_| full)
        .map(|conversation| conversation.newest.cursor);
    Ok(ConversationPage {
        conversations,
        before,
        unread: unread(connection)?,
    })
}

/// How many messages nobody has opened, in all conversations.
pub(crate) fn unread(connection: &Connection) -> Result<u64, StoreError> {
    Ok(connection
        .prepare_cached(UNREAD)?
        .query_row([], |row| row.get(0))?)
}

fn read(
    row: &Row<'_>,
    us: &UserId,
    opener: Option<&mut BodyOpener<'_>>,
) -> Result<Conversation, Error> {
    let damaged = || StoreError::Damaged {
        what: "conversation",
    };
    let reference: Vec<u8> = row.get(1)?;
    Ok(Conversation {
        id: ConversationId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(|_| damaged())?,
        with: conversation::recipient(&reference, us)?,
        unread: row.get(2)?,
        unread_priority: row.get::<_, Option<i32>>(3)?.map(Priority::from_wire),
        newest: newest(row, opener)?,
        has_draft: row.get(4)?,
    })
}

fn newest(row: &Row<'_>, opener: Option<&mut BodyOpener<'_>>) -> Result<NewestMessage, Error> {
    let damaged = || StoreError::Damaged { what: "message" };
    let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(6)?).map_err(|_| damaged())?;
    let corrected: Option<Vec<u8>> = row.get(16)?;
    let preview = match (opener, row.get::<_, Option<Vec<u8>>>(13)?) {
        (Some(opener), _) if corrected.is_some() => {
            let (device, id): (Vec<u8>, Vec<u8>) = (row.get(14)?, row.get(15)?);
            let correction = amend::reference(&device, &id)?;
            let said = amend::said(opener, correction, &corrected.unwrap_or_default());
            said.map(|said| beginning(said.text))
        }
        (Some(opener), Some(body)) => {
            let device = row.get::<_, Vec<u8>>(7)?;
            let device = wardline_org::DeviceId::from_slice(&device).map_err(|_| damaged())?;
            let place = rows::place_id(device, id);
            // One damaged body must not hide the list; the timeline says more.
            let body = opener.open(rows::body_place(&place), &body).ok();
            body.map(|body| content::content_of(&body))
                .transpose()?
                .map(|content| beginning(content::text_of(&content).0))
        }
        _ => None,
    };
    Ok(NewestMessage {
        id,
        cursor: Cursor(row.get(5)?),
        sender: UserId::new(row.get::<_, String>(8)?).map_err(|_| damaged())?,
        direction: Direction::from_stored(row.get(9)?).ok_or_else(damaged)?,
        priority: Priority::from_wire(row.get(10)?),
        created_at: Timestamp::from_millis(row.get(11)?),
        arrived_at: Timestamp::from_millis(row.get(12)?),
        preview,
        expires_at: row.get::<_, Option<i64>>(17)?.map(Timestamp::from_millis),
    })
}

fn beginning(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MOST_PREVIEWED) {
        text.truncate(end);
    }
    text
}

/// Shows ids and numbers, nothing of what was written.
impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation")
            .field("id", &self.id)
            .field("unread", &self.unread)
            .field("newest", &self.newest)
            .finish_non_exhaustive()
    }
}

/// Shows ids and states, nothing of what was written.
impl std::fmt::Debug for NewestMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewestMessage")
            .field("id", &self.id)
            .field("direction", &self.direction)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

const MOST_PREVIEWED: usize = 200;

/// The newest message's row is found by its number, the most urgent unread one at the end of an index.
const PAGE: &str = "
    SELECT c.conversation_id, c.reference, c.unread,
           (SELECT max(u.priority) FROM message u
            WHERE u.conversation = c.id AND u.read_at IS NULL AND u.direction = 2 AND u.shown = 1
              AND u.recalled_at IS NULL AND u.hidden_at IS NULL),
           c.draft IS NOT NULL,
           m.sequence, m.message_id, m.sender_device, m.sender_user, m.direction, m.priority,
           m.created_at, m.arrived_at, CASE WHEN ?3 AND m.hidden_at IS NULL
               AND coalesce(m.expires_at > ?4, 1) THEN m.body END,
           a.sender_device, a.message_id, CASE WHEN ?3 AND m.hidden_at IS NULL
               AND coalesce(m.expires_at > ?4, 1) THEN a.body END, m.expires_at
    FROM conversation c JOIN message m ON m.sequence = c.last_sequence
    LEFT JOIN message a ON a.sequence = m.amendment
    WHERE c.last_sequence > 0 AND c.last_sequence < ?1
    ORDER BY c.last_sequence DESC LIMIT ?2";
const UNREAD: &str = "SELECT coalesce(sum(unread), 0) FROM conversation WHERE unread > 0";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::store::tests_support;

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let count = statement.parameter_count();
        let steps: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        steps.join("\n")
    }

    #[test]
    fn a_page_costs_the_same_however_much_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let connection = tests_support::connection(folder.path());
        for sql in [PAGE, UNREAD] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            let whole = plan
                .lines()
                .find(|step| step.starts_with("SCAN") && !step.contains("conversation_unread"));
            assert_eq!(whole, None, "{plan}");
        }
    }

    #[test]
    fn a_preview_ends_between_letters() {
        assert_eq!(beginning("K 6.6".into()), "K 6.6");
        let long = "ü".repeat(MOST_PREVIEWED + 1);
        assert_eq!(beginning(long.clone()).chars().count(), MOST_PREVIEWED);
        assert!(long.starts_with(&beginning(long.clone())));
    }
}
