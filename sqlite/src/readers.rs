//! Read connections, opened when needed and kept for the next reader.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::Connection;

use crate::Error;

type Open = dyn Fn() -> Result<Connection, Error> + Send + Sync;

/// A pool of read-only connections to one file. Cloning shares the pool.
#[derive(Clone)]
pub struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    open: Box<Open>,
    idle: Mutex<Vec<Connection>>,
    suspended: AtomicBool,
}

impl Readers {
    /// Makes an empty pool; `open` opens one read-only connection.
    pub fn new(open: impl Fn() -> Result<Connection, Error> + Send + Sync + 'static) -> Self {
        let shared = Shared {
            open: Box::new(open),
            idle: Mutex::new(Vec::new()),
            suspended: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Runs `query` on a pooled connection, on the calling thread.
    pub fn read<T, E: From<Error>>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.shared.suspended.load(Ordering::Acquire) {
            return Err(Error::Suspended.into());
        }
        let pooled = self.idle().pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => (self.shared.open)()?,
        };
        let answer = query(&connection);
        if !self.shared.suspended.load(Ordering::Acquire) {
            let mut idle = self.idle();
            if idle.len() < MOST_IDLE {
                idle.push(connection);
            }
        }
        answer
    }

    /// Closes every idle connection and refuses readers until [`Readers::resume`].
    pub fn suspend(&self) {
        self.shared.suspended.store(true, Ordering::Release);
        self.idle().clear();
    }

    /// Serves readers again.
    pub fn resume(&self) {
        self.shared.suspended.store(false, Ordering::Release);
    }

    /// Drops idle connections, so that the next reader opens with what `open` uses now.
    pub fn refresh(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

const MOST_IDLE: usize = 4;
