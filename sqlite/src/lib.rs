//! One SQLite file, one writer, many readers.
//!
//! Both the client's store and the relay's mailboxes need the same three things from SQLite, and
//! this crate is only those:
//!
//! * a [`Writer`]: one connection on a thread of its own, whose jobs share commits (*group commit*):
//!   jobs that arrive while a commit is being flushed to disk go into the next one together, each
//!   behind a savepoint of its own, so that one failing job takes nothing else with it;
//! * a [`Readers`] pool that never blocks the writer (WAL);
//! * a [`Companion`]: what the owner keeps in memory beside the file (a cache of live ratchets, say).
//!   It is told what became of every job, so that memory never runs ahead of the disk, and it is told
//!   when *another process* has written.
//!
//! What it does not know: keys, schemas, messages. How a connection is opened (encrypted or not,
//! which pragmas) comes in as a closure.
//!
//! ```
//! use wardline_sqlite::{Error, NoCompanion, Writer};
//!
//! # let dir = tempfile::tempdir()?;
//! let path = dir.path().join("notes.db");
//! let writer = Writer::spawn("notes", None, NoCompanion, move || {
//!     let connection = rusqlite::Connection::open(&path)?;
//!     connection.execute_batch("CREATE TABLE IF NOT EXISTS note (text TEXT) STRICT")?;
//!     Ok(connection)
//! })?;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let rows = writer
//!     .write(|work| -> Result<usize, Error> {
//!         Ok(work.connection.execute("INSERT INTO note VALUES ('round at 7')", [])?)
//!     })
//!     .await?; // durable from here on
//! assert_eq!(rows, 1);
//! # Ok::<(), Error>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod gate;
mod lock;
mod readers;
mod slot;
mod writer;

pub use error::Error;
pub use gate::halt;
pub use lock::{FileLock, Held};
pub use readers::Readers;
pub use slot::Slot;
pub use writer::{Companion, NoCompanion, Work, Writer};
