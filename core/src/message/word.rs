//! What somebody says of a message that they want back or corrected, until it is decided about.
//!
//! Not its concern: what follows from it, which is [`super::recall`]'s and [`super::amend`]'s.

use rusqlite::{Connection, params};

use super::{Proof, recall::Subject};
use crate::{id::MessageRef, store::StoreError};

/// Who says something of a message: what [`Word::is_of_author`] judges.
pub(crate) struct Word {
    user: String,
    hash: Vec<u8>,
    conversation: i64,
    proof: i64,
}

impl Word {
    /// Whether it is its author's, about that very message.
    pub(crate) fn is_of_author(&self, message: &Subject) -> bool {
        self.user == message.author
            && self.proof == Proof::Proven as i64
            && self.conversation == message.conversation
            && self.hash == message.hash
    }
}

/// One that was not decided about.
pub(crate) struct Waiting {
    /// The row that says it.
    pub(crate) row: i64,
    pub(crate) at: i64,
    pub(crate) word: Word,
}

/// Those about a message, in the order in which they came. `sql` reads row, time, user, hash, conversation and proof of
/// the ones of a kind.
pub(crate) fn undecided(
    connection: &Connection,
    sql: &str,
    subject: MessageRef,
) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let waiting = statement.query_map(
        params![subject.device.as_bytes(), subject.id.as_bytes()],
        |row| {
            Ok(Waiting {
                row: row.get(0)?,
                at: row.get(1)?,
                word: Word {
                    user: row.get(2)?,
                    hash: row.get(3)?,
                    conversation: row.get(4)?,
                    proof: row.get(5)?,
                },
            })
        },
    )?;
    Ok(waiting.collect::<Result<_, _>>()?)
}
