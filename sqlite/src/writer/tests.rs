#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Counts what it is told.
#[derive(Default)]
struct Ledger {
    foreign: u32,
    failed: u32,
    commits: Arc<AtomicU32>,
    lost: Arc<AtomicU32>,
}

impl Companion for Ledger {
    fn begun(&mut self, foreign: bool) {
        self.foreign += u32::from(foreign);
    }
    fn job_failed(&mut self) {
        self.failed += 1;
    }
    fn committed(&mut self) {
        self.commits.fetch_add(1, Ordering::SeqCst);
    }
    fn lost(&mut self) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }
}

fn open(path: &std::path::Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY) STRICT",
    )?;
    Ok(connection)
}

fn writer(dir: &tempfile::TempDir, ledger: Ledger) -> Writer<Ledger> {
    let path = dir.path().join("t.db");
    let lock = FileLock::new(dir.path().join("t.lock"));
    Writer::spawn("test", Some(lock), ledger, move || open(&path)).unwrap()
}

fn insert(n: i64) -> impl FnOnce(&mut Work<'_, Ledger>) -> Result<(), Error> + Send + 'static {
    move |work| {
        work.connection.execute("INSERT INTO t VALUES (?1)", [n])?;
        Ok(())
    }
}

async fn count(writer: &Writer<Ledger>) -> i64 {
    writer
        .write(|work| -> Result<i64, Error> {
            Ok(work
                .connection
                .query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn waiting_jobs_share_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    let commits = Arc::clone(&ledger.commits);
    let writer = writer(&dir, ledger);
    let (release, gate) = mpsc::channel::<()>();
    let first = writer.enqueue(Box::new(move |_| -> Result<(), Error> {
        gate.recv().unwrap();
        Ok(())
    }));
    let rest: Vec<_> = (0..64)
        .map(|n| writer.enqueue(Box::new(insert(n))))
        .collect();
    release.send(()).unwrap();
    first.done().await.unwrap();
    for job in rest {
        job.done().await.unwrap();
    }
    assert_eq!(commits.load(Ordering::SeqCst), 1);
    assert_eq!(count(&writer).await, 64);
}

#[tokio::test]
async fn a_failing_job_takes_nothing_else_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir, Ledger::default());
    let good = writer.enqueue(Box::new(insert(1)));
    let bad = writer.enqueue(Box::new(|work| -> Result<(), Error> {
        work.connection.execute("INSERT INTO t VALUES (2)", [])?;
        Err(Error::Busy)
    }));
    let after = writer.enqueue(Box::new(insert(3)));
    good.done().await.unwrap();
    assert!(matches!(bad.done().await, Err(Error::Busy)));
    after.done().await.unwrap();
    assert_eq!(count(&writer).await, 2);
}

#[tokio::test]
async fn a_panicking_job_is_rolled_back_and_the_writer_lives() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir, Ledger::default());
    let answer = writer
        .write(|work| -> Result<(), Error> {
            work.connection.execute("INSERT INTO t VALUES (1)", [])?;
            panic!("planted")
        })
        .await;
    assert!(matches!(answer, Err(Error::Panicked)));
    assert_eq!(count(&writer).await, 0);
}

#[tokio::test]
async fn a_commit_by_another_connection_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let here = writer(&dir, Ledger::default());
    let there = writer(&dir, Ledger::default());
    here.write(insert(1)).await.unwrap();
    let foreign = |work: &mut Work<'_, Ledger>| Ok::<_, Error>(work.companion.foreign);
    let before = here.write(foreign).await.unwrap();
    assert_eq!(
        here.write(foreign).await.unwrap(),
        before,
        "own commits are not foreign"
    );
    there.write(insert(2)).await.unwrap();
    assert_eq!(here.write(foreign).await.unwrap(), before + 1);
}

#[tokio::test]
async fn a_lock_held_elsewhere_is_busy_and_the_job_learns_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let lock = FileLock::new(dir.path().join("t.lock"))
        .with_patience(std::time::Duration::from_millis(20));
    let elsewhere = lock.hold().unwrap();
    let ledger = Ledger::default();
    let lost = Arc::clone(&ledger.lost);
    let writer = Writer::spawn("test", Some(lock), ledger, move || open(&path)).unwrap();
    assert!(matches!(writer.write(insert(1)).await, Err(Error::Busy)));
    assert_eq!(lost.load(Ordering::SeqCst), 1);
    drop(elsewhere);
    writer.write(insert(1)).await.unwrap();
}

#[tokio::test]
async fn suspended_refuses_and_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir, Ledger::default());
    writer.write(insert(1)).await.unwrap();
    writer.suspend().await.unwrap();
    assert!(matches!(
        writer.write(insert(2)).await,
        Err(Error::Suspended)
    ));
    writer.resume().await.unwrap();
    writer.write(insert(2)).await.unwrap();
    assert_eq!(count(&writer).await, 2);
}

#[tokio::test]
async fn closed_finishes_what_was_queued() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir, Ledger::default());
    let queued: Vec<_> = (0..10)
        .map(|n| writer.enqueue(Box::new(insert(n))))
        .collect();
    writer.close().await.unwrap();
    for job in queued {
        job.done().await.unwrap();
    }
    assert!(matches!(writer.write(insert(11)).await, Err(Error::Closed)));
    assert_eq!(
        open(&dir.path().join("t.db"))
            .unwrap()
            .query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0))
            .unwrap(),
        10
    );
}

#[tokio::test]
async fn closing_twice_is_closing_once() {
    let dir = tempfile::tempdir().unwrap();
    let writer = writer(&dir, Ledger::default());
    writer.write(insert(1)).await.unwrap();
    let (one, other) = tokio::join!(writer.close(), writer.close());
    assert!(one.is_ok() && other.is_ok());
    assert!(writer.close().await.is_ok());
}

#[tokio::test]
async fn what_a_failed_open_says_reaches_the_caller() {
    let answer = Writer::spawn("test", None, NoCompanion, || Err(Error::ReadOnly));
    assert!(matches!(answer, Err(Error::ReadOnly)));
}
