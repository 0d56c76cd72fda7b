//! What every view has in common: the last look at it, and waiting for the next change.
//!
//! What a view shows is [`crate::timeline`]'s, [`crate::conversation`]'s and [`crate::open_items`]'s.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{cancel::CancelToken, client::or_closed, error::WardlineError, runtime::run_until};

/// A live query of the core's.
pub(crate) trait Followed: Send + 'static {
    /// What it shows.
    type Snapshot: Send;
    /// What changed since the last look.
    type Change: Send + 'static;

    fn client(&self) -> &wardline::Client;

    fn snapshot(&self) -> Self::Snapshot;

    fn next(&mut self) -> impl Future<Output = Result<Self::Change, wardline::Error>> + Send;
}

/// A live query, and what it showed last: readable while somebody waits for the next change.
pub(crate) struct View<F: Followed> {
    followed: Mutex<F>,
    client: wardline::Client,
    shown: StdMutex<F::Snapshot>,
    closing: CancellationToken,
}

impl<F: Followed> View<F> {
    pub(crate) fn new(followed: F, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            client: followed.client().clone(),
            shown: StdMutex::new(followed.snapshot()),
            followed: Mutex::new(followed),
            closing,
        })
    }

    /// Looks at what was shown last. What a lock hides is only hidden: a change after the unlock says what is
    /// different from what was shown.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&F::Snapshot, bool) -> T) -> T {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        look(&shown, self.client.is_locked())
    }

    /// Waits until something has changed and says what, until the wait is given up or the client is shut down.
    pub(crate) async fn changed(
        self: &Arc<Self>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<F::Change, WardlineError> {
        let view = Arc::clone(self);
        let done = run_until(cancel, async move {
            tokio::select! {
                biased;
                () = view.closing.cancelled() => Err(WardlineError::closed()),
                change = view.next() => Ok(change?),
            }
        });
        done.await.map_err(|error| or_closed(&self.closing, error))
    }

    async fn next(&self) -> Result<F::Change, wardline::Error> {
        let mut followed = self.followed.lock().await;
        let change = followed.next().await;
        // After an error too: a lock empties what shows texts.
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = followed.snapshot();
        change
    }
}
