//! What a piece of work answers, left where its owner finds it.
//!
//! Queues, channels and tasks that carry work need to know that it is done and nothing more. With a slot
//! they are compiled once, and not for every type that anybody ever answers, which a phone's library feels.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;

/// A place for one answer. Cloning shares it.
pub struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    /// Leaves the answer; a second one takes the place of the first.
    pub fn put(&self, answer: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    /// Waits for work that leaves its answer here whenever it ends well.
    ///
    /// # Errors
    /// The work's own; [`Error::Panicked`] when it left nothing.
    pub async fn after<E: From<Error>>(
        self,
        work: impl Future<Output = Result<(), E>>,
    ) -> Result<T, E> {
        work.await?;
        self.take().ok_or_else(|| Error::Panicked.into())
    }

    /// Takes the answer; nothing when the work ended without one.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
