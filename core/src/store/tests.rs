#![allow(clippy::unwrap_used)]

use wardline_sqlite::NoCompanion;

use super::*;

fn key(byte: u8) -> DatabaseKey {
    DatabaseKey::for_tests(byte)
}

fn open(dir: &tempfile::TempDir, byte: u8) -> Result<Store<NoCompanion>, StoreError> {
    Store::open(dir.path(), key(byte), NoCompanion)
}

async fn plant(store: &Store<NoCompanion>) {
    store
        .write(|work| -> Result<(), StoreError> {
            work.connection
                .execute("INSERT INTO trust VALUES (1, 'PLANTED-CANARY')", [])
                .unwrap_err();
            work.connection.execute(
                "INSERT INTO trust VALUES (1, CAST('PLANTED-CANARY' AS BLOB))",
                [],
            )?;
            Ok(())
        })
        .await
        .unwrap();
}

async fn planted(store: &Store<NoCompanion>) -> Result<Vec<u8>, StoreError> {
    store
        .read(|connection| {
            Ok(connection.query_row("SELECT state FROM trust", [], |row| row.get(0))?)
        })
        .await
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening_and_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 1).unwrap();
    plant(&store).await;
    store.close().await.unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"PLANTED-CANARY"));
    }
    assert_eq!(
        planted(&open(&dir, 1).unwrap()).await.unwrap(),
        b"PLANTED-CANARY"
    );
}

#[tokio::test]
async fn a_wrong_key_is_its_own_error_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 1).unwrap();
    plant(&store).await;
    store.close().await.unwrap();
    drop(store);
    let before = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    let refused = open(&dir, 2).err();
    assert!(matches!(refused, Some(StoreError::WrongKey)), "{refused:?}");
    assert_eq!(std::fs::read(dir.path().join(FILE_NAME)).unwrap(), before);
    assert!(open(&dir, 1).is_ok());
}

#[test]
fn a_foreign_or_truncated_file_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    std::fs::write(&path, b"meeting notes, not a database").unwrap();
    assert!(matches!(open(&dir, 1), Err(StoreError::NotAStore)));
    assert_eq!(
        std::fs::read(&path).unwrap(),
        b"meeting notes, not a database"
    );
    std::fs::write(&path, b"SQLite format 3\0 and nothing more").unwrap();
    assert!(open(&dir, 1).is_err());
    assert_eq!(
        std::fs::read(&path).unwrap(),
        b"SQLite format 3\0 and nothing more"
    );
}

#[tokio::test]
async fn a_database_from_the_future_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 1).unwrap();
    store
        .write(|work| -> Result<(), StoreError> {
            Ok(work.connection.pragma_update(None, "user_version", 99)?)
        })
        .await
        .unwrap();
    store.close().await.unwrap();
    assert!(matches!(
        open(&dir, 1),
        Err(StoreError::Newer {
            found: 99,
            known: 1
        })
    ));
}

#[tokio::test]
async fn rekeyed_opens_with_the_new_key_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 1).unwrap();
    plant(&store).await;
    store
        .rekey(|| Ok::<_, StoreError>(key(2)), |_| Ok(()))
        .await
        .unwrap();
    assert_eq!(planted(&store).await.unwrap(), b"PLANTED-CANARY");
    store.close().await.unwrap();
    drop(store);
    assert!(matches!(open(&dir, 1), Err(StoreError::WrongKey)));
    assert_eq!(
        planted(&open(&dir, 2).unwrap()).await.unwrap(),
        b"PLANTED-CANARY"
    );
}

#[tokio::test]
async fn suspended_lets_go_of_the_file_and_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 1).unwrap();
    plant(&store).await;
    store.suspend().await.unwrap();
    assert_eq!(
        planted(&store).await.unwrap_err().code(),
        "WL-STORE-SUSPENDED"
    );
    store.resume().await.unwrap();
    assert!(planted(&store).await.is_ok());
}

#[test]
fn a_folder_that_is_missing_is_an_error_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    let answer = Store::open(&missing, key(1), NoCompanion).map(|_| ());
    assert!(matches!(answer, Err(StoreError::Sqlite(_))));
}

#[tokio::test]
async fn the_schema_is_reviewed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, 1).unwrap();
    let schema: Vec<String> = store
        .read(|connection| -> Result<_, StoreError> {
            let mut statement = connection.prepare(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name",
            )?;
            Ok(statement
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    assert!(
        schema
            .iter()
            .filter(|sql| sql.starts_with("CREATE TABLE") && !sql.contains("sqlite_sequence"))
            .all(|sql| sql.contains("STRICT"))
    );
    insta::assert_snapshot!(schema.join(";\n\n"));
}
