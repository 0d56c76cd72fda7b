//! The writer thread and its group commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{Error, FileLock, Slot, gate, lock::Held};

/// What an owner keeps in memory beside the file, and what it must hear to stay behind the disk.
pub trait Companion: Send + 'static {
    /// A transaction has begun. `foreign` says that another connection (another process) has
    /// committed since this writer's last one: whatever was cached may be old.
    fn begun(&mut self, foreign: bool);
    /// A job was rolled back: forget what it touched; earlier jobs of the transaction stand.
    fn job_failed(&mut self);
    /// Everything since [`Companion::begun`] is on disk.
    fn committed(&mut self);
    /// Nothing since [`Companion::begun`] is on disk, or nobody knows: forget everything.
    fn lost(&mut self);
}

/// For owners that keep nothing in memory.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoCompanion;

impl Companion for NoCompanion {
    fn begun(&mut self, _foreign: bool) {}
    fn job_failed(&mut self) {}
    fn committed(&mut self) {}
    fn lost(&mut self) {}
}

/// What a job works with: the open transaction and the owner's companion.
#[derive(Debug)]
pub struct Work<'a, C> {
    /// Inside `BEGIN IMMEDIATE` and a savepoint; begin or end neither.
    pub connection: &'a Connection,
    /// The owner's memory.
    pub companion: &'a mut C,
}

/// The handle of the writer thread. Cloning shares it; the thread ends when the last clone is
/// dropped, after finishing what was queued.
pub struct Writer<C> {
    jobs: Arc<mpsc::Sender<Message<C>>>,
}

impl<C: Companion> Writer<C> {
    /// Starts the thread and opens its connection there.
    ///
    /// # Errors
    /// What `open` answers, or [`Error::System`] when no thread could be started.
    pub fn spawn(
        name: &str,
        lock: Option<FileLock>,
        companion: C,
        open: impl Fn() -> Result<Connection, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel();
        let (opened, answer) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name(format!("{name}-writer"))
            .spawn(move || {
                let working = gate::enter();
                let connection = match open() {
                    Ok(connection) => {
                        let _ = opened.send(Ok(()));
                        connection
                    }
                    Err(error) => {
                        let _ = opened.send(Err(error));
                        return;
                    }
                };
                drop(working);
                let mut thread = WriterThread {
                    open,
                    lock,
                    companion,
                    data_version: None,
                };
                thread.run(Some(connection), &queue);
            })?;
        answer.recv().map_err(|_| Error::Closed)??;
        Ok(Self {
            jobs: Arc::new(jobs),
        })
    }

    /// Runs `job` in a transaction and answers once that transaction is on disk.
    ///
    /// The job sees the changes of earlier jobs. When it answers an error its changes are rolled
    /// back and nobody else's. It begins when the returned future is first polled; dropping that then
    /// does not stop the job.
    pub fn write<T, E>(
        &self,
        job: impl FnOnce(&mut Work<'_, C>) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write_boxed(Box::new(job))
    }

    /// [`Writer::write`] for threads that may block. Never call it on an async runtime's thread.
    pub fn write_blocking<T, E>(
        &self,
        job: impl FnOnce(&mut Work<'_, C>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let waiting = self.enqueue(Box::new(job));
        waiting.done_blocking()
    }

    /// Finishes what is queued and closes the connection; until [`Writer::resume`] jobs are refused
    /// with [`Error::Suspended`].
    pub async fn suspend(&self) -> Result<(), Error> {
        self.control(Message::Suspend).await
    }

    /// Opens the connection again.
    pub async fn resume(&self) -> Result<(), Error> {
        self.control(Message::Resume).await
    }

    /// Finishes what is queued and writes the log into the database, down to the last byte: what was
    /// overwritten or deleted is in neither of them afterwards (with `secure_delete`).
    ///
    /// # Errors
    /// [`Error::Busy`] while somebody reads an older state: try again later.
    pub async fn empty_log(&self) -> Result<(), Error> {
        self.control(Message::EmptyLog).await
    }

    /// Finishes what is queued, closes the connection and ends the thread. Closing twice is closing once.
    pub async fn close(&self) -> Result<(), Error> {
        match self.control(Message::Close).await {
            // The thread lets go of its connection before it stops listening.
            Err(Error::Closed) => Ok(()),
            closed => closed,
        }
    }

    /// Compiled once for each answer, and not once for each job that there is.
    async fn write_boxed<T, E>(&self, job: BoxedJob<C, T, E>) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.enqueue(job).done().await
    }

    fn enqueue<T, E>(&self, job: BoxedJob<C, T, E>) -> Waiting<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (owner, fate) = oneshot::channel();
        let answer = Slot::default();
        let place = answer.clone();
        let work: Box<AnyJob<C>> = Box::new(move |work| {
            let result = job(work);
            let keep = result.is_ok();
            place.put(result);
            keep
        });
        let job = Job {
            work: Some(work),
            owner,
        };
        // A closed queue drops the job and with it its owner's channel, which then says Closed.
        let _ = self.jobs.send(Message::Job(job));
        Waiting { fate, answer }
    }

    async fn control(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> Message<C>,
    ) -> Result<(), Error> {
        let (sender, receiver) = oneshot::channel();
        self.jobs.send(message(sender)).map_err(|_| Error::Closed)?;
        receiver.await.unwrap_or(Err(Error::Closed))
    }
}

impl<C> Clone for Writer<C> {
    fn clone(&self) -> Self {
        Self {
            jobs: Arc::clone(&self.jobs),
        }
    }
}

impl<C> std::fmt::Debug for Writer<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

enum Message<C> {
    Job(Job<C>),
    Suspend(oneshot::Sender<Result<(), Error>>),
    Resume(oneshot::Sender<Result<(), Error>>),
    EmptyLog(oneshot::Sender<Result<(), Error>>),
    Close(oneshot::Sender<Result<(), Error>>),
}

/// A job whose types are forgotten.
struct Job<C> {
    work: Option<Box<AnyJob<C>>>,
    owner: oneshot::Sender<Result<(), Error>>,
}

type BoxedJob<C, T, E> = Box<dyn FnOnce(&mut Work<'_, C>) -> Result<T, E> + Send>;

/// Answers whether it wants its changes kept.
type AnyJob<C> = dyn FnOnce(&mut Work<'_, C>) -> bool + Send;

impl<C> Job<C> {
    fn run(&mut self, work: &mut Work<'_, C>) -> bool {
        self.work.take().is_some_and(|job| job(work))
    }

    fn answer(self, outcome: Result<(), Error>) {
        // Nobody waiting any more is fine: the work is on disk either way.
        let _ = self.owner.send(outcome);
    }
}

/// What the owner of a job holds.
struct Waiting<T, E> {
    /// What became of the transaction; nothing when the writer has ended.
    fate: oneshot::Receiver<Result<(), Error>>,
    answer: Slot<Result<T, E>>,
}

impl<T, E: From<Error>> Waiting<T, E> {
    async fn done(self) -> Result<T, E> {
        let fate = self.fate.await;
        outcome(fate.unwrap_or(Err(Error::Closed)), self.answer.take())
    }

    fn done_blocking(self) -> Result<T, E> {
        let fate = self.fate.blocking_recv();
        outcome(fate.unwrap_or(Err(Error::Closed)), self.answer.take())
    }
}

fn outcome<T, E: From<Error>>(
    fate: Result<(), Error>,
    answer: Option<Result<T, E>>,
) -> Result<T, E> {
    match (fate, answer) {
        // The job's own refusal says more than the fate of a transaction it had no part in.
        (_, Some(Err(refusal))) => Err(refusal),
        (Ok(()), Some(Ok(value))) => Ok(value),
        (Err(error), _) => Err(error.into()),
        (Ok(()), None) => Err(Error::Panicked.into()),
    }
}

struct WriterThread<C, O> {
    open: O,
    lock: Option<FileLock>,
    companion: C,
    data_version: Option<i64>,
}

impl<C, O> WriterThread<C, O>
where
    C: Companion,
    O: Fn() -> Result<Connection, Error>,
{
    fn run(&mut self, mut connection: Option<Connection>, queue: &mpsc::Receiver<Message<C>>) {
        // A control message met while filling a batch is handled after that batch.
        let mut next = None;
        while let Some(message) = next.take().or_else(|| queue.recv().ok()) {
            let _working = gate::enter();
            match (message, connection.as_ref()) {
                (Message::Job(job), Some(open)) => next = self.commit_together(job, open, queue),
                (Message::Job(job), None) => job.answer(Err(Error::Suspended)),
                (Message::Suspend(answer), _) => {
                    connection = None;
                    self.forget();
                    let _ = answer.send(Ok(()));
                }
                (Message::Resume(answer), Some(_)) => drop(answer.send(Ok(()))),
                (Message::Resume(answer), None) => match (self.open)() {
                    Ok(opened) => {
                        connection = Some(opened);
                        let _ = answer.send(Ok(()));
                    }
                    Err(error) => drop(answer.send(Err(error))),
                },
                (Message::EmptyLog(answer), open) => {
                    let _ = answer.send(open.ok_or(Error::Suspended).and_then(empty_log));
                }
                (Message::Close(answer), _) => {
                    drop(connection.take());
                    let _ = answer.send(Ok(()));
                    return;
                }
            }
        }
        // Closing writes, too.
        let _working = gate::enter();
        drop(connection);
    }

    /// One transaction over `first` and everything that is already waiting behind it.
    fn commit_together(
        &mut self,
        first: Job<C>,
        connection: &Connection,
        queue: &mpsc::Receiver<Message<C>>,
    ) -> Option<Message<C>> {
        let mut jobs = vec![first];
        let mut leftover = None;
        let outcome = self.transact(connection, queue, &mut jobs, &mut leftover);
        match &outcome {
            Ok(()) => self.companion.committed(),
            Err(error) => {
                tracing::warn!(%error, "a write transaction was rolled back");
                if !connection.is_autocommit() {
                    let _ = connection.execute_batch("ROLLBACK");
                }
                self.forget();
            }
        }
        for job in jobs {
            job.answer(outcome.clone());
        }
        leftover
    }

    /// Runs the last of `jobs`, then takes waiting ones into it until the queue is empty.
    fn transact(
        &mut self,
        connection: &Connection,
        queue: &mpsc::Receiver<Message<C>>,
        jobs: &mut Vec<Job<C>>,
        leftover: &mut Option<Message<C>>,
    ) -> Result<(), Error> {
        let held = self.begin(connection)?;
        while let Some(job) = jobs.last_mut() {
            self.run_behind_savepoint(job, connection)?;
            if jobs.len() >= MOST_JOBS_PER_COMMIT {
                break;
            }
            match queue.try_recv() {
                Ok(Message::Job(waiting)) => jobs.push(waiting),
                Ok(control) => {
                    *leftover = Some(control);
                    break;
                }
                Err(_) => break,
            }
        }
        connection.execute_batch("COMMIT")?;
        // Read before the lock goes: a later commit of another process must still be noticed.
        self.data_version = read_data_version(connection).ok();
        drop(held);
        Ok(())
    }

    fn begin(&mut self, connection: &Connection) -> Result<Option<Held>, Error> {
        let held = self.lock.as_ref().map(FileLock::hold).transpose()?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        // Read inside the transaction: from here on nobody else can commit.
        let version = read_data_version(connection)?;
        self.companion.begun(self.data_version != Some(version));
        Ok(held)
    }

    fn run_behind_savepoint(
        &mut self,
        job: &mut Job<C>,
        connection: &Connection,
    ) -> Result<(), Error> {
        connection.execute_batch("SAVEPOINT job")?;
        let mut work = Work {
            connection,
            companion: &mut self.companion,
        };
        // A panic in a job is a bug, but the host application must not die of it (rule 7).
        let kept = catch_unwind(AssertUnwindSafe(|| job.run(&mut work))).unwrap_or(false);
        if kept {
            connection.execute_batch("RELEASE job")?;
        } else {
            connection.execute_batch("ROLLBACK TO job; RELEASE job")?;
            self.companion.job_failed();
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.data_version = None;
        self.companion.lost();
    }
}

fn empty_log(connection: &Connection) -> Result<(), Error> {
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    if connection.query_row(sql, [], |row| row.get(0))? {
        return Err(Error::Busy);
    }
    Ok(())
}

/// Changes whenever another connection has committed to the file.
fn read_data_version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))?)
}

/// Bounds how long the first job of a commit waits for the last one.
const MOST_JOBS_PER_COMMIT: usize = 256;

#[cfg(test)]
mod tests;
