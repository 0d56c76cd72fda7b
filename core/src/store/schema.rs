//! The tables of `store.db`, version by version.
//!
//! Forward only: a released step is never edited, the next one is appended. Every table is STRICT and
//! every id is a BLOB; readable with the inbox key alone, so nothing here may hold what a person wrote
//! except sealed (`body`, `content_key`, `draft`) or for the minutes until it leaves (`outbox`).

use rusqlite::Connection;
use rusqlite_migration::{Error, M, MigrationDefinitionError, Migrations};

use super::StoreError;

/// Brings the file to the newest schema; refuses one from the future.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = STEPS.len();
    let migrations = Migrations::from_slice(STEPS);
    match migrations.to_latest(connection) {
        Ok(()) => Ok(()),
        Err(Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead)) => {
            let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Err(StoreError::Newer {
                found,
                known: u32::try_from(known).unwrap_or(u32::MAX),
            })
        }
        Err(Error::RusqliteError { err, .. }) => Err(err.into()),
        Err(_) => Err(StoreError::Damaged { what: "schema" }),
    }
}

const STEPS: &[M<'static>] = &[M::up(VERSION_1)];

const VERSION_1: &str = include_str!("version_1.sql");
