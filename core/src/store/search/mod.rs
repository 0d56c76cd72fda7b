//! Full-text search over what a person may read: the file `search.db`.
//!
//! The index is *derived*: everything in it comes from `store.db`, and a file that is missing, damaged
//! or under another key is deleted and built again from the first message. How far it has come is its
//! **watermark**, a sequence number of `store.db` that is committed together with the documents up to
//! it, so that a process killed at any point goes on where it stopped.
//!
//! Besides words it knows what else messages are found by ([`facets`]), above all which patients they are about
//! ([`patients`]).
//!
//! It holds text in the clear inside an encrypted file whose key exists only while a person reads.
//! Lock drops the [`SearchIndex`].
//!
//! Not its concern: which messages there are, when they are indexed, what a result looks like, and
//! remembering across a crash what is still to be removed (that is a row of `store.db`).

mod error;
mod expression;
mod facets;
mod file;
mod patients;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, TransactionBehavior, params};

use self::patients::Patients;
use crate::vault::DatabaseKey;

pub(crate) use error::SearchError;
pub(crate) use facets::{Facets, Wanted};
pub(crate) use patients::{About, Known, tidy};

/// One message as it is searched. What it does not have is empty.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    /// The message's sequence in `store.db`, and its id here.
    pub(crate) sequence: i64,
    /// Identifies the conversation, for searching in one only.
    pub(crate) conversation: &'a [u8],
    pub(crate) text: &'a str,
    pub(crate) title: &'a str,
    /// The patient's identifiers and name as they were sent.
    pub(crate) patient: &'a str,
    /// The sender's id.
    pub(crate) sender: &'a str,
    /// What it is found by besides its words.
    pub(crate) facets: Facets<'a>,
}

/// What somebody looks for.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    /// As it was typed: words that must all occur, the last one perhaps unfinished (from its second
    /// letter on); words in quotes must stand together. Upper and lower case and diacritics make no
    /// difference. Whatever else is typed separates words.
    pub(crate) text: &'a str,
    /// In this conversation only.
    pub(crate) conversation: Option<&'a [u8]>,
    /// Only messages before this sequence: the last one of the page before.
    pub(crate) before: Option<i64>,
    /// At most so many.
    pub(crate) limit: u32,
}

/// The open index. Every call blocks on the disk for milliseconds: make it where blocking is allowed.
pub(crate) struct SearchIndex {
    path: PathBuf,
    file: Mutex<Held>,
}

/// What an index has in its hands.
enum Held {
    Open(Connection),
    /// Nothing, until it is resumed.
    Suspended,
    /// Nothing any more: damage was found, and the file is deleted.
    Gone,
}

impl SearchIndex {
    /// Opens `search.db` in `folder`. When there is none, or none that can be used, makes an empty one
    /// with watermark 0.
    ///
    /// # Errors
    ///
    /// [`SearchError::NotEncrypting`], and what the disk does; never because of what is in the file.
    pub(crate) fn open(folder: &Path, key: &DatabaseKey) -> Result<Self, SearchError> {
        let path = folder.join(FILE);
        let connection = open_or_begin_anew(&path, key)?;
        Ok(Self::over(path, connection))
    }

    /// Lets go of the file; until [`SearchIndex::resume`] every call answers that.
    pub(crate) fn suspend(&self) {
        let mut held = self.held();
        if matches!(*held, Held::Open(_)) {
            *held = Held::Suspended;
        }
    }

    /// Takes up the file again.
    ///
    /// # Errors
    ///
    /// Those of [`SearchIndex::open`].
    pub(crate) fn resume(&self, key: &DatabaseKey) -> Result<(), SearchError> {
        let mut held = self.held();
        if matches!(*held, Held::Suspended) {
            *held = Held::Open(open_or_begin_anew(&self.path, key)?);
        }
        Ok(())
    }

    fn over(path: PathBuf, connection: Connection) -> Self {
        Self {
            path,
            file: Mutex::new(Held::Open(connection)),
        }
    }

    /// The sequence up to which everything is indexed; 0 when nothing is.
    ///
    /// # Errors
    ///
    /// [`SearchError::Damaged`], and what the disk does.
    pub(crate) fn watermark(&self) -> Result<i64, SearchError> {
        self.with(|connection| connection.query_row(WATERMARK, [], |row| row.get(0)))
    }

    /// Adds `documents` in one transaction, in place of earlier ones with the same sequence, and moves
    /// the watermark forward to `watermark` (never back), which none of them lies beyond. About a hundred at
    /// once is a good batch.
    ///
    /// # Errors
    ///
    /// [`SearchError::Damaged`], and what the disk does. Nothing was added then.
    pub(crate) fn index(
        &self,
        documents: &[Document<'_>],
        watermark: i64,
    ) -> Result<(), SearchError> {
        self.with(|connection| {
            let mut replaced = false;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut known: i64 = transaction.query_row(WATERMARK, [], |row| row.get(0))?;
                let mut patients = Patients::default();
                let mut delete = transaction.prepare_cached(DELETE)?;
                let mut insert = transaction.prepare_cached(INSERT)?;
                for document in documents {
                    // Most are new: nothing is here of what lies beyond the watermark, but for what came earlier in this
                    // batch, such as a message whose correction came together with it.
                    if document.sequence <= known && delete.execute([document.sequence])? > 0 {
                        facets::remove(&transaction, document.sequence)?;
                        patients = Patients::default();
                        replaced = true;
                    }
                    known = known.max(document.sequence);
                    insert.execute(params![
                        document.sequence,
                        document.text,
                        document.title,
                        document.patient,
                        document.sender,
                        hex::encode(document.conversation),
                    ])?;
                    facets::put(
                        &transaction,
                        &mut patients,
                        document.sequence,
                        document.conversation,
                        document.sender,
                        &document.facets,
                    )?;
                }
            }
            transaction.execute(MOVE_WATERMARK, [watermark])?;
            transaction.commit()?;
            if replaced {
                file::settle(connection)
            } else {
                Ok(())
            }
        })
    }

    /// Removes documents, so that their words are neither in the file nor in its write-ahead log when
    /// this returns. Sequences that are not there are fine.
    ///
    /// What can stay is the beginning of a removed word, as far as it takes to tell it from its
    /// neighbour in the alphabet, where a page of the index begins with it.
    ///
    /// # Errors
    ///
    /// [`SearchError::Damaged`] (the words are gone, with all others), and what the disk does: call
    /// again.
    pub(crate) fn remove(&self, sequences: &[i64]) -> Result<(), SearchError> {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut delete = transaction.prepare_cached(DELETE)?;
                for sequence in sequences {
                    delete.execute([sequence])?;
                    facets::remove(&transaction, *sequence)?;
                }
            }
            transaction.commit()?;
            file::settle(connection)
        })
    }

    /// The sequences of the messages that match, newest first. The next page is the same query with
    /// [`before`](Query::before) set to the last of them.
    ///
    /// # Errors
    ///
    /// [`SearchError::Damaged`], and what the disk does; never because of what was typed.
    pub(crate) fn query(&self, query: &Query<'_>) -> Result<Vec<i64>, SearchError> {
        let Some(expression) = expression::parse(query.text, query.conversation) else {
            return Ok(Vec::new());
        };
        let before = query.before.unwrap_or(i64::MAX);
        self.with(|connection| {
            let mut select = connection.prepare_cached(SELECT)?;
            let rows =
                select.query_map(params![expression, before, query.limit], |row| row.get(0))?;
            rows.collect()
        })
    }

    /// The sequences of the messages for which everything wanted holds and, if `text` is there, that match it;
    /// newest first, at most `limit`, all of them before `before`.
    ///
    /// # Errors
    ///
    /// Those of [`SearchIndex::query`].
    pub(crate) fn select(
        &self,
        wanted: &Wanted<'_>,
        text: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<i64>, SearchError> {
        let expression = text.map(|text| expression::parse(text, wanted.conversation));
        if matches!(expression, Some(None)) {
            return Ok(Vec::new());
        }
        let before = before.unwrap_or(i64::MAX);
        self.with(|connection| {
            let expression = expression.flatten();
            facets::select(connection, wanted, expression.as_deref(), before, limit)
        })
    }

    /// Every patient that a message is about, whoever came last first, and the words of `name` as theirs are
    /// compared.
    ///
    /// # Errors
    ///
    /// [`SearchError::Damaged`], and what the disk does.
    pub(crate) fn patients(&self, name: &str) -> Result<(Vec<Known>, Vec<String>), SearchError> {
        self.with(|connection| {
            Ok((
                patients::all(connection)?,
                patients::fold(connection, name)?,
            ))
        })
    }

    /// Does `work`; when it finds damage, deletes the file, so that opening it again starts afresh.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SearchError> {
        let mut held = self.held();
        let connection = match &mut *held {
            Held::Open(connection) => connection,
            Held::Suspended => return Err(wardline_sqlite::Error::Suspended.into()),
            Held::Gone => return Err(SearchError::Damaged),
        };
        let outcome = work(connection).map_err(SearchError::from);
        if matches!(outcome, Err(SearchError::Damaged)) {
            *held = Held::Gone;
            file::delete(&self.path)?;
        }
        outcome
    }

    /// A panic elsewhere leaves the connection usable: SQLite rolls the transaction back.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_or_begin_anew(path: &Path, key: &DatabaseKey) -> Result<Connection, SearchError> {
    match file::open(path, key) {
        Err(SearchError::Damaged) => {
            file::delete(path)?;
            file::open(path, key)
        }
        connection => connection,
    }
}

impl std::fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchIndex").finish_non_exhaustive()
    }
}

pub(super) const FILE: &str = "search.db";
const WATERMARK: &str = "SELECT watermark FROM progress";
const MOVE_WATERMARK: &str = "UPDATE progress SET watermark = max(watermark, ?1)";
const DELETE: &str = "DELETE FROM document WHERE rowid = ?1";
const INSERT: &str = "INSERT INTO document (rowid, text, title, patient, sender, conversation)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const SELECT: &str = "SELECT rowid FROM document
    WHERE document MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3";
