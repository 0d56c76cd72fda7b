//! What the host brings, kept at arm's length.
//!
//! Objects of the host are reference cycles across two languages: the app holds the client, the client
//! holds the app's transport. So they sit in a slot that is emptied when the client is shut down.
//! Whatever the host does (throw, hang, answer nonsense) becomes a typed error of the trait that the
//! core knows.

pub mod key_store;
pub mod log;
pub mod transport;

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// The objects of the host that one client uses.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) transport: Arc<transport::HostTransport>,
    pub(crate) key_store: Arc<key_store::HostKeyStore>,
    pub(crate) closing: CancellationToken,
}

impl Host {
    /// Ends every wait for the host and lets go of its objects.
    pub(crate) fn release(&self) {
        self.closing.cancel();
        self.transport.release();
        self.key_store.release();
    }
}

/// Holds one object of the host until it is let go of.
pub(crate) struct Slot<T: ?Sized> {
    held: Mutex<Option<Arc<T>>>,
}

impl<T: ?Sized> Slot<T> {
    pub(crate) fn new(object: Arc<T>) -> Self {
        Self {
            held: Mutex::new(Some(object)),
        }
    }

    pub(crate) fn get(&self) -> Option<Arc<T>> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn release(&self) {
        let held = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Dropped outside of the lock: it may call into the host.
        drop(held);
    }
}
