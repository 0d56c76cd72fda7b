//! Read connections, opened when needed and kept for the next reader.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    pool: Mutex<Pool>,
}

/// Under one lock, so that no connection comes back after the others were closed.
#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    serving: Serving,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Serving {
    #[default]
    Everybody,
    NobodyForNow,
    Nobody,
}

impl Readers {
    /// Makes an empty pool; `open` opens one read-only connection.
    pub fn new(open: impl Fn() -> Result<Connection, Error> + Send + Sync + 'static) -> Self {
        let shared = Shared {
            open: Box::new(open),
            pool: Mutex::default(),
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
        let connection = self.borrow()?;
        let answer = query(&connection);
        self.give_back(connection);
        answer
    }

    /// Closes every idle connection and refuses readers until [`Readers::resume`].
    pub fn suspend(&self) {
        self.pool().stop(Serving::NobodyForNow);
    }

    /// Serves readers again, unless the pool was closed.
    pub fn resume(&self) {
        let mut pool = self.pool();
        if pool.serving == Serving::NobodyForNow {
            pool.serving = Serving::Everybody;
        }
    }

    /// Closes every idle connection and refuses readers for good.
    pub fn close(&self) {
        self.pool().stop(Serving::Nobody);
    }

    /// Drops idle connections, so that the next reader opens with what `open` uses now.
    pub fn refresh(&self) {
        self.pool().idle.clear();
    }

    fn borrow(&self) -> Result<Connection, Error> {
        let pooled = self.pool().take()?;
        match pooled {
            Some(connection) => Ok(connection),
            None => (self.shared.open)(),
        }
    }

    fn give_back(&self, connection: Connection) {
        self.pool().give_back(connection);
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.shared
            .pool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn take(&mut self) -> Result<Option<Connection>, Error> {
        match self.serving {
            Serving::Everybody => Ok(self.idle.pop()),
            Serving::NobodyForNow => Err(Error::Suspended),
            Serving::Nobody => Err(Error::Closed),
        }
    }

    fn give_back(&mut self, connection: Connection) {
        if self.serving == Serving::Everybody && self.idle.len() < MOST_IDLE {
            self.idle.push(connection);
        }
    }

    fn stop(&mut self, serving: Serving) {
        if self.serving != Serving::Nobody {
            self.serving = serving;
        }
        self.idle.clear();
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

const MOST_IDLE: usize = 4;
