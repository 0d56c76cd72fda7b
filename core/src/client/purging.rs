//! Making sure that of a message that was taken back nothing is left, and only then saying so.
//!
//! The message's row lost its text when the recall was taken in. Its words may still stand in the search
//! index, and in pages of the store's log that were overwritten. Both are cleaned here, and only then the
//! author is told by a signed receipt. While locked the index cannot be opened: what it may hold waits for the
//! unlock, before anything is searched or shown from it.
//!
//! Not its concern: which messages are to go, which the store remembers.

use super::{Client, blocking};
use crate::{
    engine::{points::Commit, recalling},
    error::Error,
    message::recall,
};

impl Client {
    /// [`Client::purge`] where a failure costs only time: it is tried again with the next round.
    pub(super) async fn purge_or_later(&self) {
        if let Err(error) = self.purge().await {
            tracing::debug!(code = %error.code(), "what was taken back is not purged yet");
        }
    }

    /// Purges what was taken back, as far as it is possible now.
    async fn purge(&self) -> Result<(), Error> {
        loop {
            let _indexing = self.inner.indexing.lock().await;
            let unlocked = self.inner.unlocked();
            let clean_index = unlocked.is_some();
            let read = move |connection: &_| recall::unpurged(connection, clean_index);
            let now = self.inner.store.read(read).await?;
            if now.is_empty() {
                return Ok(());
            }
            if let Some(unlocked) = unlocked {
                let words = now.clone();
                blocking(move || Ok(unlocked.search.remove(&words)?)).await?;
            }
            self.inner.store.empty_log().await?;
            self.step(Commit::Purge, move |step| recalling::purged(step, &now))
                .await?;
            self.inner.wake.notify_one();
        }
    }
}
