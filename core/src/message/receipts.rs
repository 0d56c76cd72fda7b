//! What this device owes to authors: that a message is here, and that a person opened it.
//!
//! Receipts are queued in the transaction that makes them true, and sealed later in batches, one
//! signature for each batch. Marking as read happens here too, because the receipt is its point.

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{Timestamp, UserId};
use wardline_proto::v1;

use super::Direction;
use crate::{id::MessageId, store::StoreError};

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

/// Marks one incoming message as read; answers its conversation when it was unread.
pub(crate) fn mark_read(
    connection: &Connection,
    message: MessageId,
    now: Timestamp,
    owe_receipt: bool,
) -> Result<Option<i64>, StoreError> {
    let unread: Option<(i64, i64, String, Option<Vec<u8>>)> = connection
        .prepare_cached(
            "SELECT sequence, conversation, sender_user, content_hash FROM message
             WHERE message_id = ?1 AND direction = ?2 AND read_at IS NULL",
        )?
        .query_row(
            params![message.as_bytes(), Direction::Incoming as i64],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let Some((sequence, conversation, author, content_hash)) = unread else {
        return Ok(None);
    };
    connection
        .prepare_cached("UPDATE message SET read_at = ?2 WHERE sequence = ?1")?
        .execute(params![sequence, now.as_millis()])?;
    connection
        .prepare_cached("UPDATE conversation SET unread = unread - 1 WHERE id = ?1 AND unread > 0")?
        .execute(params![conversation])?;
    if owe_receipt {
        let hash = content_hash.unwrap_or_default();
        queue(
            connection,
            &author,
            message,
            &hash,
            v1::ReceiptKind::Read,
            now,
        )?;
    }
    Ok(Some(conversation))
}

/// Bounds the size of a sealed batch; the rest goes into the next.
const MOST_PER_BATCH: i64 = 500;
