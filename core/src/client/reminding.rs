//! Reminding on time: of stat messages that nobody has accepted, and of answers that did not come.
//!
//! The loop sleeps until the next reminder is due, whatever the network does. A device that was off or asleep catches
//! up with one reminder for each message.
//!
//! Not its concern: what is due and what is told of it (`message::reminders`, `engine::reminding`).

use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use wardline_org::Timestamp;

use super::Client;
use crate::{
    directory::Directory,
    engine::{Changes, points::Commit, reminding},
    error::Error,
    message::reminders,
};

impl Client {
    /// Tells of everything that is due ([`Event::MessageReminder`], [`Event::AnswerOverdue`], notices of an
    /// [`Inbox`]), and answers when to call again, if anything waits. The loop and [`Client::sync_once`] do it by
    /// themselves; an app that is about to be suspended asks, to set the system's alarm. Works while locked and
    /// without a line.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// ```
    /// # fn set_alarm(_: wardline_org::Timestamp) {}
    /// # async fn sleep(client: wardline::Client) -> Result<(), wardline::Error> {
    /// if let Some(next) = client.remind().await? {
    ///     set_alarm(next);
    /// }
    /// client.suspend().await
    /// # }
    /// ```
    ///
    /// [`Event::MessageReminder`]: crate::Event::MessageReminder
    /// [`Event::AnswerOverdue`]: crate::Event::AnswerOverdue
    /// [`Inbox`]: crate::Inbox
    pub async fn remind(&self) -> Result<Option<Timestamp>, Error> {
        let next = self.next_reminder().await?;
        // Mostly nothing is due: that costs no write.
        if next.is_none_or(|at| at > self.inner.clock.now()) {
            return Ok(next);
        }
        self.step(Commit::Remind, reminding::remind).await?;
        self.next_reminder().await
    }

    async fn next_reminder(&self) -> Result<Option<Timestamp>, Error> {
        let us = self.user().clone();
        let now = self.inner.clock.now();
        Ok(self
            .inner
            .store
            .read(move |connection| {
                // Asked after many a commit: mostly no stat message is open, and the policy does not matter.
                let every = match reminders::is_stat_open(connection)? {
                    true => Directory::default().policy(connection)?.stat_repeat(),
                    false => None,
                };
                reminders::next(connection, &us, every, now)
            })
            .await?)
    }

    pub(super) async fn keep_reminding(self, stop: CancellationToken) {
        let mut commits = self.inner.changes.subscribe();
        loop {
            let pause = match self.remind().await {
                Ok(Some(next)) => next.saturating_since(self.inner.clock.now()),
                Ok(None) => LONGEST_PAUSE,
                Err(Error::Wiped) if self.settle_wipe().await => return,
                Err(error) => {
                    tracing::debug!(code = %error.code(), "nobody could be reminded");
                    LONGEST_PAUSE
                }
            };
            if !rest(&mut commits, &stop, pause).await {
                return;
            }
        }
    }
}

/// Waits for a while, or for a commit after which something else may be due; answers whether to go on.
pub(super) async fn rest(
    commits: &mut Receiver<Changes>,
    stop: &CancellationToken,
    pause: Duration,
) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = news(commits) => true,
        () = tokio::time::sleep(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)) => true,
    }
}

/// Waits for a commit after which something else may be due.
async fn news(commits: &mut Receiver<Changes>) {
    loop {
        match commits.recv().await {
            Ok(changes) if changes.everything || !changes.conversations.is_empty() => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The client is gone, and with it whoever could cancel: the loop ends by its token.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Clocks are set, systems sleep, policies change: it is looked again at least this often.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
