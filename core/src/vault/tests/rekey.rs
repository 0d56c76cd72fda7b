use std::path::Path;

use super::*;

#[test]
fn both_keys_stay_at_hand_until_one_is_settled() {
    let home = Home::created();
    let vault = home.vault();
    let before = vault.open().unwrap().store;
    let next = vault.stage_inbox_key().unwrap();
    assert!(!same_key(&before, &next));

    // A crash here, before or after `PRAGMA rekey`: both are still there.
    let opened = vault.open().unwrap();
    assert!(same_key(&opened.store, &before));
    assert!(same_key(&opened.staged.unwrap(), &next));
    assert_eq!(
        vault.stage_inbox_key().unwrap_err(),
        VaultError::RekeyPending
    );
    vault.unlock(&passphrase()).unwrap();

    vault.settle_inbox_key(InboxSlot::Staged).unwrap();
    let opened = vault.open().unwrap();
    assert!(same_key(&opened.store, &next));
    assert!(opened.staged.is_none());
    vault.unlock(&passphrase()).unwrap();
    assert_eq!(
        vault.settle_inbox_key(InboxSlot::Staged).unwrap_err(),
        VaultError::NoRekey
    );
}

#[test]
fn a_change_that_did_not_happen_is_taken_back() {
    let home = Home::created();
    let vault = home.vault();
    let before = vault.open().unwrap().store;
    vault.stage_inbox_key().unwrap();
    vault.settle_inbox_key(InboxSlot::Current).unwrap();
    let opened = vault.open().unwrap();
    assert!(same_key(&opened.store, &before));
    assert!(opened.staged.is_none());
    vault.stage_inbox_key().unwrap();
}

/// SQLCipher really changes its key, in the mode that the store uses (WAL, readable header), and the
/// process dies at every point where the two files disagree.
#[test]
fn a_crash_anywhere_in_a_rekey_locks_nobody_out() {
    let home = Home::created();
    let vault = home.vault();
    let live = home.dir.path().join("store.db");
    let before = vault.open().unwrap().store;
    let connection = database(&live, &before).unwrap();
    connection
        .execute_batch("CREATE TABLE note (text); INSERT INTO note VALUES ('x')")
        .unwrap();

    let next = vault.stage_inbox_key().unwrap();
    let staged = crash(&home, "staged");
    connection
        .pragma_update(None, "rekey", next.pragma_value().as_str())
        .unwrap();
    let in_the_log = crash(&home, "in-the-log");
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let checkpointed = crash(&home, "checkpointed");

    for (store, slot) in [
        (staged, InboxSlot::Current),
        (in_the_log, InboxSlot::Staged),
        (checkpointed, InboxSlot::Staged),
    ] {
        let opened = vault.open().unwrap();
        let keys = [&opened.store, opened.staged.as_ref().unwrap()];
        let works = keys.map(|key| database(&store, key).and_then(|db| notes(&db)).ok());
        match slot {
            InboxSlot::Current => assert_eq!(works, [Some(1), None]),
            InboxSlot::Staged => assert_eq!(works, [None, Some(1)]),
        }
    }
    vault.settle_inbox_key(InboxSlot::Staged).unwrap();
    let opened = vault.open().unwrap();
    assert_eq!(notes(&database(&live, &opened.store).unwrap()).unwrap(), 1);
}

fn database(path: &Path, key: &DatabaseKey) -> rusqlite::Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "key", key.pragma_value().as_str())?;
    connection.pragma_update(None, "cipher_plaintext_header_size", 32)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    Ok(connection)
}

fn notes(connection: &rusqlite::Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM note", [], |row| row.get(0))
}

/// The files as a process leaves them that dies now.
fn crash(home: &Home, name: &str) -> PathBuf {
    let left = home.dir.path().join(name);
    for suffix in ["", "-wal"] {
        let from = home.dir.path().join(format!("store.db{suffix}"));
        fs::copy(from, format!("{}{suffix}", left.display())).unwrap();
    }
    left
}
