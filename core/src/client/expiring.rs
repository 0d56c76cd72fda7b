//! Ending messages on time, and showing nothing of what is over however late the timer is.
//!
//! The loop sleeps until the next message is over, whatever the network does. Whoever reads is shown nothing of what is
//! over even if that has not been hidden yet: each query is told what the clocks show.
//!
//! Not its concern: what the clocks show ([`super::clocks`]), and what is over (`message::expiry`).

use tokio_util::sync::CancellationToken;
use wardline_org::Timestamp;

use super::{Client, reminding};
use crate::{
    conversation::{self, Recipient},
    engine::{expiring, points::Commit},
    error::Error,
    message::{Lifetime, expiry},
};

impl Client {
    /// Sets for how long what this device sends to a recipient may be read, unless a draft says otherwise; a lifetime that
    /// says nothing takes the setting back. Messages that are sent already stay as they are, and others set their own:
    /// each message carries its author's.
    ///
    /// # Errors
    /// [`crate::SendError::Lifetime`] for one that the policy does not allow; those of writing the store.
    ///
    /// ```
    /// # async fn set(client: wardline::Client, team: wardline::Recipient) -> Result<(), wardline::Error> {
    /// use std::time::Duration;
    /// use wardline::Lifetime;
    ///
    /// let week = Lifetime { after_sent: Some(Duration::from_secs(7 * 24 * 3600)), after_read: None };
    /// client.set_lifetime(team.clone(), week).await?;
    /// assert_eq!(client.lifetime(client.conversation(&team)).await?, week);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set_lifetime(
        &self,
        recipient: Recipient,
        lifetime: Lifetime,
    ) -> Result<(), Error> {
        let id = self.conversation(&recipient);
        self.step(Commit::Lifetime, move |step| {
            let reference = recipient.reference(&step.context.identity.user_id, None);
            let row = conversation::ensure(step.connection, id, &reference)?;
            expiring::set_lifetime(step, row, lifetime)
        })
        .await
    }

    /// For how long what is sent to a conversation may be read, when a draft says nothing: what was set, or what the policy
    /// wants. To be shown before somebody writes.
    ///
    /// # Errors
    /// Those of reading the store.
    pub async fn lifetime(&self, conversation: crate::ConversationId) -> Result<Lifetime, Error> {
        self.look(move |view| {
            let rules = view.memory.directory.policy(view.connection)?;
            // One that was never written to has no row, and no setting.
            let row = conversation::row_of(view.connection, conversation)?.unwrap_or(0);
            expiring::applies(view, row, &rules)
        })
        .await
    }

    /// Hides and erases what is over; answers when the next message is, by the latest of the clocks.
    pub(super) async fn expire(&self) -> Result<Option<Timestamp>, Error> {
        loop {
            let clocks = self.clocks();
            let next = self.inner.store.read(expiry::next).await?;
            let (latest, agreed) = (clocks.latest(), clocks.agreed());
            let hides = next.shown.is_some_and(|end| end <= latest);
            let erases = next.hidden.is_some_and(|end| end <= agreed);
            let shows = clocks.fresh && next.last_hidden.is_some_and(|end| end > latest);
            // Mostly nothing is due: that costs no write.
            if !hides && !erases && !shows && !next.undecided {
                // What is hidden waits for a second clock, which goes on as the first does.
                let waits = next.hidden.map(|end| latest + end.saturating_since(agreed));
                return Ok(next.shown.into_iter().chain(waits).min());
            }
            if self.step(Commit::Expire, expiring::expire).await? {
                self.inner.clocks().stale();
                self.purge_or_later().await;
            }
        }
    }

    /// [`Client::expire`] where a failure costs only time: what is over is left out by every query.
    pub(super) async fn expire_or_later(&self) {
        if let Err(error) = self.expire().await {
            tracing::debug!(code = %error.code(), "what is over is not erased yet");
        }
    }

    pub(super) async fn keep_expiring(self, stop: CancellationToken) {
        let mut commits = self.inner.changes.subscribe();
        loop {
            let pause = match self.expire().await {
                Ok(Some(next)) => next.saturating_since(self.clocks().latest()),
                Ok(None) => reminding::LONGEST_PAUSE,
                Err(Error::Wiped) if self.settle_wipe().await => return,
                Err(error) => {
                    tracing::debug!(code = %error.code(), "what is over is not erased yet");
                    reminding::LONGEST_PAUSE
                }
            };
            if !reminding::rest(&mut commits, &stop, pause).await {
                return;
            }
        }
    }
}
