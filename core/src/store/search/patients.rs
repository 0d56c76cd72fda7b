//! The patients that messages are about, each once: by name and identifiers.
//!
//! Names are compared as they are searched: the tokenizer of the search index takes case and accents away, and the
//! words are put into one order. Which of them may be confused is not decided here.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

/// Whom a message is about, as it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    /// Systems and values.
    pub(crate) identifiers: &'a [(String, String)],
}

/// A patient that some message on this device is about.
pub(crate) struct Known {
    /// As it was sent.
    pub(crate) name: String,
    /// The words of the name without case and accents, in alphabetical order.
    pub(crate) words: Vec<String>,
    pub(crate) identifiers: Vec<(String, String)>,
}

/// The patients of one batch: messages that come together are often about the same one. Good until a message is taken
/// out, which may take its patient along.
#[derive(Default)]
pub(super) struct Patients<'a> {
    last: Option<(About<'a>, i64)>,
}

impl<'a> Patients<'a> {
    /// The row of a patient, made if there is none.
    pub(super) fn put(
        &mut self,
        connection: &Connection,
        about: &About<'a>,
    ) -> rusqlite::Result<i64> {
        if let Some((last, row)) = self.last
            && last == *about
        {
            return Ok(row);
        }
        let row = put(connection, about)?;
        self.last = Some((*about, row));
        Ok(row)
    }
}

fn put(connection: &Connection, about: &About<'_>) -> rusqlite::Result<i64> {
    let identifiers = tidy(about.identifiers);
    let identity = serde_json::to_string(&identifiers).unwrap_or_default();
    let name = about.name.trim();
    let known: Option<i64> = connection
        .prepare_cached("SELECT id FROM patient WHERE name = ?1 AND identity = ?2")?
        .query_row(params![name, identity], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let words = fold(connection, name)?.join(" ");
    connection
        .prepare_cached("INSERT INTO patient (name, identity, words) VALUES (?1, ?2, ?3)")?
        .execute(params![name, identity, words])?;
    let patient = connection.last_insert_rowid();
    let mut insert = connection
        .prepare_cached("INSERT INTO identifier (system, value, patient) VALUES (?1, ?2, ?3)")?;
    for (system, value) in &identifiers {
        insert.execute(params![system, value, patient])?;
    }
    Ok(patient)
}

/// Forgets a patient that no message is about any more.
pub(super) fn let_go(connection: &Connection, patient: i64) -> rusqlite::Result<()> {
    let gone = connection
        .prepare_cached(
            "DELETE FROM patient WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM facet WHERE patient = ?1)",
        )?
        .execute([patient])?;
    if gone > 0 {
        connection
            .prepare_cached("DELETE FROM identifier WHERE patient = ?1")?
            .execute([patient])?;
    }
    Ok(())
}

/// The rows of patients that have all of these identifiers.
pub(super) fn with_all(
    connection: &Connection,
    identifiers: &[(String, String)],
) -> rusqlite::Result<Vec<i64>> {
    let mut patients: Option<BTreeSet<i64>> = None;
    let mut select = connection
        .prepare_cached("SELECT patient FROM identifier WHERE system = ?1 AND value = ?2")?;
    for (system, value) in tidy(identifiers) {
        let with: BTreeSet<i64> = select
            .query_map(params![system, value], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        patients = Some(match patients {
            Some(before) => before.intersection(&with).copied().collect(),
            None => with,
        });
    }
    Ok(patients.unwrap_or_default().into_iter().collect())
}

/// Every patient, whoever came last first.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Known>> {
    let mut select =
        connection.prepare_cached("SELECT name, words, identity FROM patient ORDER BY id DESC")?;
    let rows = select.query_map([], |row| {
        let identity: String = row.get(2)?;
        Ok(Known {
            name: row.get(0)?,
            words: row
                .get::<_, String>(1)?
                .split(' ')
                .map(str::to_owned)
                .collect(),
            identifiers: serde_json::from_str(&identity).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

/// The words of a name as they are compared.
pub(super) fn fold(connection: &Connection, name: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("INSERT INTO temp.fold (name) VALUES (?1)")?
        .execute([name])?;
    let words = connection
        .prepare_cached("SELECT term FROM temp.folded ORDER BY term")?
        .query_map([], |row| row.get(0))?
        .collect();
    connection
        .prepare_cached("DELETE FROM temp.fold")?
        .execute([])?;
    words
}

/// Identifiers that say something, each once.
pub(crate) fn tidy(identifiers: &[(String, String)]) -> BTreeSet<(String, String)> {
    let trimmed =
        |(system, value): &(String, String)| (system.trim().to_owned(), value.trim().to_owned());
    let identifiers = identifiers.iter().map(trimmed);
    identifiers.filter(|(_, value)| !value.is_empty()).collect()
}

pub(super) const SCHEMA: &str = "
CREATE TABLE patient (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    identity TEXT NOT NULL,
    words TEXT NOT NULL,
    UNIQUE (name, identity)
) STRICT;
CREATE TABLE identifier (
    system TEXT NOT NULL,
    value TEXT NOT NULL,
    patient INTEGER NOT NULL,
    PRIMARY KEY (system, value, patient)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_patient ON identifier (patient);
";

/// In memory, and empty but for the moment in which a name is folded.
pub(super) const FOLDING: &str = "
CREATE VIRTUAL TABLE temp.fold USING fts5(name, tokenize = \"unicode61 remove_diacritics 2\");
CREATE VIRTUAL TABLE temp.folded USING fts5vocab(temp, fold, instance);
";
