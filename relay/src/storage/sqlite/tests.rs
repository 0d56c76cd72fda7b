#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use tempfile::TempDir;

use super::{FILE, SqliteStorage};
use crate::storage::{Storage, StorageError, conformance::Shelf};

/// A folder; a power cut copies its files as they are and goes on with the copy.
struct Folders(Mutex<Vec<TempDir>>);

impl Folders {
    fn new() -> Self {
        Self(Mutex::new(vec![tempfile::tempdir().unwrap()]))
    }

    fn newest(&self) -> PathBuf {
        self.0.lock().unwrap().last().unwrap().path().to_owned()
    }
}

#[async_trait]
impl Shelf for Folders {
    async fn open(&self) -> Arc<dyn Storage> {
        Arc::new(SqliteStorage::open(self.newest()).unwrap())
    }

    async fn cut_power(&self) {
        let next = tempfile::tempdir().unwrap();
        for file in [FILE.to_owned(), format!("{FILE}-wal")] {
            fs::copy(self.newest().join(&file), next.path().join(&file)).unwrap();
        }
        self.0.lock().unwrap().push(next);
    }
}

mod conformance {
    use super::*;

    crate::storage_conformance!(Folders::new());
}

#[tokio::test]
async fn second_relay_on_one_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = SqliteStorage::open(dir.path()).unwrap();
    let second = SqliteStorage::open(dir.path());
    assert!(matches!(second, Err(StorageError::Busy)));
    drop(first);
    SqliteStorage::open(dir.path()).unwrap();
}

#[tokio::test]
async fn closed_storage_refuses_everything() {
    let dir = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open(dir.path()).unwrap();
    storage.probe().await.unwrap();
    storage.close().await.unwrap();
    assert!(matches!(storage.probe().await, Err(StorageError::Closed)));
    let org = storage.organization(&"mercy".parse().unwrap()).await;
    assert!(matches!(org, Err(StorageError::Closed)));
}

#[tokio::test]
async fn foreign_file_is_named_as_damage() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(SqliteStorage::file(dir.path()), vec![7; 8192]).unwrap();
    assert!(matches!(
        SqliteStorage::open(dir.path()),
        Err(StorageError::Damaged("file"))
    ));
}

#[test]
fn page_that_was_withdrawn_while_it_was_read_makes_room_for_the_next() {
    use super::{mailbox, schema, send};
    use crate::storage::conformance::{batch, device, envelope, query, submission};

    let mut db = rusqlite::Connection::open_in_memory().unwrap();
    schema::migrate(&mut db).unwrap();
    let org = super::directory::organization(&db, &"mercy".parse().unwrap()).unwrap();
    for number in 1..=2 {
        let message = submission(number, b"x", &[device(2)]);
        send::send(&db, org, &batch(device(1), vec![message])).unwrap();
    }
    let one = crate::storage::ReceiveQuery {
        max: 1,
        ..query(device(2))
    };
    let mailbox::Look::Fresh(page) = mailbox::look(&db, org, &one).unwrap() else {
        panic!("nothing waits");
    };
    mailbox::withdraw(&db, org, device(1), envelope(1)).unwrap();
    let page = mailbox::hand_out(&db, org, &one, Some(page)).unwrap();
    let found: Vec<_> = page.envelopes.iter().map(|e| e.sequence).collect();
    assert_eq!((found, page.more), (vec![2], false));
}
