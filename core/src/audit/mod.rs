//! What was done, by whom, to what: a hash chain beside the deeds, in their own transactions.
//!
//! A record names things (ids, causes), never what anybody wrote. Each record's hash covers the one
//! before it, so that a changed, removed or reordered record shows. Anchoring the chain outside the
//! device, signing and exporting it come with the organization's tools and are not here yet.

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{Hash, Timestamp};

use crate::store::StoreError;

/// What a record says was done. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Action {
    Enrolled = 1,
    MessageQueued = 2,
    MessageSealed = 3,
    MessageOpened = 4,
    MessageRead = 5,
    EnvelopeRefused = 6,
    PolicyRefused = 7,
    Unlocked = 8,
    UnlockFailed = 10,
    StoreRolledBack = 11,
    DirectoryForked = 12,
    Resealed = 13,
    PassphraseChanged = 14,
    DirectoryRefused = 15,
    InboxKeyChanged = 16,
    PresenceAllowed = 17,
    PresenceForbidden = 18,
    Vouched = 19,
    MessageAnswered = 30,
    MessageRecalled = 31,
    RecallRefused = 32,
    MessagePurged = 33,
    MessageAmended = 70,
    AmendmentRefused = 71,
    ProofExported = 72,
    EscalationArmed = 75,
    EscalationNotArmed = 76,
    Escalated = 77,
    EscalationStopped = 78,
    EscalationDoubtful = 79,
    MessageReminded = 80,
    AnswerOverdue = 81,
    MessageHidden = 83,
    MessageExpired = 84,
    MessageShownAgain = 85,
    RoleHandedOver = 90,
    MessagePassedOn = 91,
    MessagePassed = 92,
    PassRefused = 93,
    MessageForwarded = 95,
    ForwardNotProven = 96,
    MessageHeld = 86,
    AvailabilitySet = 100,
}

/// Appends a record inside the caller's transaction.
pub(crate) fn record(
    connection: &Connection,
    now: Timestamp,
    action: Action,
    subject: &[u8],
) -> Result<(), StoreError> {
    let previous: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM audit ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let hash = link(
        previous.as_deref().unwrap_or_default(),
        now.as_millis(),
        action as i64,
        subject,
    );
    connection
        .prepare_cached("INSERT INTO audit (at, action, subject, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            now.as_millis(),
            action as i64,
            subject,
            hash.as_bytes()
        ])?;
    Ok(())
}

/// Walks the whole chain; answers the sequence of the first record that does not follow.
pub(crate) fn verify(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let mut statement = connection
        .prepare("SELECT sequence, at, action, subject, hash FROM audit ORDER BY sequence")?;
    let mut rows = statement.query([])?;
    let mut previous: Vec<u8> = Vec::new();
    let mut expected = 1_i64;
    while let Some(row) = rows.next()? {
        let sequence: i64 = row.get(0)?;
        let subject: Vec<u8> = row.get(3)?;
        let hash: Vec<u8> = row.get(4)?;
        let follows = link(&previous, row.get(1)?, row.get(2)?, &subject);
        if sequence != expected || hash != follows.as_bytes() {
            return Ok(Some(sequence));
        }
        previous = hash;
        expected = expected.saturating_add(1);
    }
    Ok(None)
}

fn link(previous: &[u8], at: i64, action: i64, subject: &[u8]) -> Hash {
    // The lengths before the subject are fixed, but for the empty hash before the first record.
    let first = [u8::from(previous.is_empty())];
    Hash::tagged(
        "audit",
        &[
            &first,
            previous,
            &at.to_be_bytes(),
            &action.to_be_bytes(),
            subject,
        ],
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::store::tests_support;

    fn chain() -> (Connection, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let connection = tests_support::connection(folder.path());
        for number in 0..5_u8 {
            let now = Timestamp::from_millis(i64::from(number));
            record(&connection, now, Action::MessageRead, &[number]).unwrap();
        }
        assert_eq!(verify(&connection).unwrap(), None);
        (connection, folder)
    }

    #[test]
    fn an_edited_record_is_named() {
        let (connection, _folder) = chain();
        connection
            .execute("UPDATE audit SET subject = X'FF' WHERE sequence = 3", [])
            .unwrap();
        assert_eq!(verify(&connection).unwrap(), Some(3));
    }

    #[test]
    fn a_removed_record_is_named() {
        let (connection, _folder) = chain();
        connection
            .execute("DELETE FROM audit WHERE sequence = 2", [])
            .unwrap();
        assert_eq!(verify(&connection).unwrap(), Some(3));
    }

    #[test]
    fn swapped_records_are_named() {
        let (connection, _folder) = chain();
        connection
            .execute_batch(
                "UPDATE audit SET sequence = 99 WHERE sequence = 2;
                 UPDATE audit SET sequence = 2 WHERE sequence = 3;
                 UPDATE audit SET sequence = 3 WHERE sequence = 99",
            )
            .unwrap();
        assert_eq!(verify(&connection).unwrap(), Some(2));
    }
}
