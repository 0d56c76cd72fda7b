//! What a process that ends does to its writers. A binary of its own: there is no way back from it.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{sync::mpsc, time::Duration};

use wardline_sqlite::{Error, NoCompanion, Writer, halt};

#[test]
fn what_is_being_written_is_finished_and_nothing_is_begun_when_the_process_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.db");
    let path = file.clone();
    let writer = Writer::spawn("ending", None, NoCompanion, move || {
        let connection = rusqlite::Connection::open(&path)?;
        connection.execute_batch("CREATE TABLE IF NOT EXISTS note (text TEXT) STRICT")?;
        Ok(connection)
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();

    let (begun, is_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let writing = runtime.spawn({
        let writer = writer.clone();
        async move {
            writer
                .write(move |work| -> Result<(), Error> {
                    begun.send(()).unwrap();
                    may_end.recv().unwrap();
                    work.connection
                        .execute("INSERT INTO note VALUES ('in time')", [])?;
                    Ok(())
                })
                .await
        }
    });
    is_begun.recv().unwrap();
    assert!(!halt(Duration::from_millis(20)), "one still writes");
    end.send(()).unwrap();
    runtime.block_on(writing).unwrap().unwrap();
    assert!(halt(Duration::from_secs(20)));

    let late = runtime.spawn(async move {
        writer
            .write(|work| -> Result<usize, Error> {
                Ok(work
                    .connection
                    .execute("INSERT INTO note VALUES ('too late')", [])?)
            })
            .await
    });
    assert!(halt(Duration::from_millis(50)), "nobody begins");
    assert!(!late.is_finished());
    let reader = rusqlite::Connection::open(&file).unwrap();
    let rows: i64 = reader
        .query_row("SELECT count(*) FROM note", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
    late.abort();
    runtime.shutdown_background();
}
