//! What this device owes to authors: that a message is here, and that a person opened it.
//!
//! Receipts are queued in the transaction that makes them true, and sealed later in batches, one
//! signature for each batch. Marking as read happens here too, because the receipt is its point.

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::v1;

use super::{Direction, expiry, notice};
use crate::{
    id::{MessageId, MessageRef},
    store::StoreError,
};

/// Queues a receipt.
pub(crate) fn queue(
    connection: &Connection,
    author: &str,
    message: MessageId,
    content_hash: &[u8],
    kind: v1::ReceiptKind,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO receipt (author_user, message_id, content_hash, kind, at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            author,
            message.as_bytes(),
            content_hash,
            i32::from(kind),
            now.as_millis()
        ])?;
    Ok(())
}

/// The receipts owed to one author, oldest first, and their ids up to which they may be deleted.
pub(crate) fn owed(
    connection: &Connection,
    author: &UserId,
) -> Result<Option<(i64, Vec<v1::Receipt>)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, message_id, content_hash, kind, at FROM receipt
         WHERE author_user = ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![author.as_str(), MOST_PER_BATCH])?;
    let mut receipts = Vec::new();
    let mut last = 0;
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        receipts.push(v1::Receipt {
            message_id: row.get(1)?,
            content_hash: row.get(2)?,
            kind: row.get(3)?,
            at_ms: row.get(4)?,
        });
    }
    Ok((!receipts.is_empty()).then_some((last, receipts)))
}

/// Everybody to whom receipts are owed.
pub(crate) fn authors(connection: &Connection) -> Result<Vec<UserId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT author_user FROM receipt")?;
    let authors = statement.query_map([], |row| row.get::<_, String>(0))?;
    authors
        .map(|author| UserId::new(author?).map_err(|_| StoreError::Damaged { what: "receipt" }))
        .collect()
}

/// Forgets what was sealed.
pub(crate) fn settle(
    connection: &Connection,
    author: &UserId,
    up_to: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM receipt WHERE author_user = ?1 AND id <= ?2")?
        .execute(params![author.as_str(), up_to])?;
    Ok(())
}

/// An incoming message that nobody has opened.
struct Unread {
    sequence: i64,
    conversation: i64,
    author: String,
    content_hash: Vec<u8>,
}

/// Marks an incoming message as read here, and owes its author a receipt; answers its conversation when
/// it was unread. The time it may be read for begins, at what the clocks show.
pub(crate) fn mark_read(
    connection: &Connection,
    message: MessageRef,
    now: Timestamp,
    latest: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT sequence, conversation, sender_user, content_hash FROM message
             WHERE sender_device = ?1 AND message_id = ?2 AND direction = ?3 AND read_at IS NULL
               AND shown = 1 AND recalled_at IS NULL AND hidden_at IS NULL",
        )?
        .query_row(
            params![
                message.device.as_bytes(),
                message.id.as_bytes(),
                Direction::Incoming as i64
            ],
            |row| {
                Ok(Unread {
                    sequence: row.get(0)?,
                    conversation: row.get(1)?,
                    author: row.get(2)?,
                    content_hash: row.get::<_, Option<_>>(3)?.unwrap_or_default(),
                })
            },
        )
        .optional()?;
    let Some(unread) = found else {
        return Ok(None);
    };
    set_read(connection, unread.sequence, unread.conversation, now)?;
    expiry::opened(connection, unread.sequence, latest)?;
    let (author, hash) = (&unread.author, &unread.content_hash);
    let kind = v1::ReceiptKind::Read;
    queue(connection, author, message.id, hash, kind, now)?;
    Ok(Some(unread.conversation))
}

/// Marks the message that a receipt of our own other device speaks of as read, and owes nothing; answers
/// which it is, and its conversation, when it was unread.
pub(crate) fn mark_read_elsewhere(
    connection: &Connection,
    receipt: &v1::Receipt,
    now: Timestamp,
    latest: Timestamp,
) -> Result<Option<(MessageRef, i64)>, StoreError> {
    // The hash tells messages apart that bear the same id.
    let found: Option<(i64, i64, Vec<u8>, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT sequence, conversation, sender_device, message_id FROM message
             WHERE message_id = ?1 AND content_hash = ?2 AND direction = ?3 AND read_at IS NULL
               AND recalled_at IS NULL AND hidden_at IS NULL",
        )?
        .query_row(
            params![
                receipt.message_id,
                receipt.content_hash,
                Direction::Incoming as i64
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let Some((sequence, conversation, device, id)) = found else {
        return Ok(None);
    };
    set_read(connection, sequence, conversation, now)?;
    expiry::opened(connection, sequence, latest)?;
    let damaged = || StoreError::Damaged { what: "message" };
    let message = MessageRef {
        device: DeviceId::from_slice(&device).map_err(|_| damaged())?,
        id: MessageId::from_slice(&id).map_err(|_| damaged())?,
    };
    Ok(Some((message, conversation)))
}

fn set_read(
    connection: &Connection,
    sequence: i64,
    conversation: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET read_at = ?2 WHERE sequence = ?1")?
        .execute(params![sequence, now.as_millis()])?;
    connection
        .prepare_cached("UPDATE conversation SET unread = unread - 1 WHERE id = ?1 AND unread > 0")?
        .execute(params![conversation])?;
    notice::opened(connection, sequence)
}

/// Bounds the size of a sealed batch; the rest goes into the next.
const MOST_PER_BATCH: i64 = 500;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use wardline_org::Hash;

    use super::*;
    use crate::{
        message::{
            Priority, Proof,
            rows::{self, Facts, NewMessage},
        },
        store::tests_support,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    /// Two messages of two authors; the second one has put the id of the first on its own.
    fn borrowed_id() -> (Connection, [MessageRef; 2], tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let connection = tests_support::connection(folder.path());
        let id = MessageId::generate(NOW);
        let insert =
            "INSERT INTO conversation (id, conversation_id, reference) VALUES (1, X'01', X'')";
        connection.execute(insert, []).unwrap();
        let messages = [1_u8, 2].map(|author| {
            let device = DeviceId::from_bytes([author; 16]);
            let new = NewMessage {
                message_id: id,
                sender_device: device,
                sender_user: &UserId::new(format!("DR-{author}")).unwrap(),
                conversation: 1,
                direction: Direction::Incoming,
                proof: Proof::Proven,
                priority: Priority::Routine,
                created_at: NOW,
                arrived_at: NOW,
                content_hash: Some(Hash::of(&[author])),
                body: &[],
                content_key: None,
                facts: Facts::of(&v1::Content::default()),
                speaks: None,
                passed_by: None,
            };
            rows::insert(&connection, &new).unwrap().unwrap();
            MessageRef { device, id }
        });
        (connection, messages, folder)
    }

    fn unread(connection: &Connection) -> Vec<u8> {
        let unread = "SELECT sender_device FROM message WHERE read_at IS NULL ORDER BY sequence";
        let mut statement = connection.prepare(unread).unwrap();
        let devices = statement.query_map([], |row| row.get::<_, Vec<u8>>(0));
        devices.unwrap().map(|device| device.unwrap()[0]).collect()
    }

    #[test]
    fn a_message_under_a_borrowed_id_is_read_for_nobody_but_its_author() {
        let (connection, [first, second], _folder) = borrowed_id();
        mark_read(&connection, second, NOW, NOW).unwrap().unwrap();
        assert_eq!(unread(&connection), [1]);
        let author = |name: &str| owed(&connection, &UserId::new(name).unwrap()).unwrap();
        assert!(
            author("DR-1").is_none(),
            "no receipt for what nobody opened"
        );
        let (_, receipts) = author("DR-2").unwrap();
        assert_eq!(receipts[0].content_hash, Hash::of(&[2]).as_bytes());
        mark_read(&connection, first, NOW, NOW).unwrap().unwrap();
        assert!(unread(&connection).is_empty());
        assert_eq!(mark_read(&connection, first, NOW, NOW).unwrap(), None);
    }

    #[test]
    fn what_was_read_elsewhere_is_told_apart_by_its_content() {
        let (connection, [_, second], _folder) = borrowed_id();
        let receipt = |hash: Hash| v1::Receipt {
            message_id: second.id.as_bytes().to_vec(),
            content_hash: hash.as_bytes().to_vec(),
            kind: v1::ReceiptKind::Read.into(),
            at_ms: NOW.as_millis(),
        };
        let read = |hash| mark_read_elsewhere(&connection, &receipt(hash), NOW, NOW).unwrap();
        assert_eq!(read(Hash::of(&[3])), None);
        assert_eq!(read(Hash::of(&[2])), Some((second, 1)));
        assert_eq!(unread(&connection), [1]);
    }
}
