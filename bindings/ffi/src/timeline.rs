//! A view that follows a conversation: a snapshot, then what changed.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    cancel::CancelToken,
    error::WardlineError,
    message::{self, Message},
    view::{Followed, View},
};

/// The newest messages of a conversation and its unread count, kept up to date. Dropping it ends it.
#[derive(uniffi::Object)]
pub struct TimelineView {
    view: Arc<View<wardline::Timeline>>,
}

/// What a view shows.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TimelineSnapshot {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// How many messages of the conversation nobody has opened.
    pub unread: u64,
}

/// What changed since the last look, in the order to apply it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TimelineChange {
    /// References of messages that are gone from the view.
    pub removed: Vec<String>,
    /// Messages that are shown already and changed (read, for example).
    pub updated: Vec<Message>,
    /// Messages that are new at the end.
    pub added: Vec<Message>,
    /// The unread count now.
    pub unread: u64,
}

#[uniffi::export]
impl TimelineView {
    /// What the view shows now. No message while the client is locked.
    pub fn snapshot(&self) -> TimelineSnapshot {
        self.view.look(|shown, locked| match locked {
            true => TimelineSnapshot {
                messages: Vec::new(),
                unread: shown.unread,
            },
            false => shown.clone(),
        })
    }

    /// Waits until something in the view has changed and says what. After a wait that was given up the
    /// `snapshot` has everything, and the next change follows it.
    ///
    /// Ends with `WL-LOCKED` as soon as the client is locked: the view is empty then, and after the unlock
    /// the next change brings everything. Ends with `WL-CLOSED` once the client is shut down.
    pub async fn changed(
        &self,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<TimelineChange, WardlineError> {
        self.view.changed(cancel).await
    }
}

impl TimelineView {
    pub(crate) fn new(timeline: wardline::Timeline, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            view: View::new(timeline, closing),
        })
    }
}

impl Followed for wardline::Timeline {
    type Snapshot = TimelineSnapshot;
    type Change = TimelineChange;

    fn client(&self) -> &wardline::Client {
        self.client()
    }

    fn snapshot(&self) -> TimelineSnapshot {
        TimelineSnapshot {
            messages: message::all(self.messages().to_vec()),
            unread: self.unread(),
        }
    }

    async fn next(&mut self) -> Result<TimelineChange, wardline::Error> {
        let change = self.changed().await?;
        Ok(TimelineChange {
            removed: change.removed.iter().map(ToString::to_string).collect(),
            updated: message::all(change.updated),
            added: message::all(change.added),
            unread: change.unread,
        })
    }
}

impl std::fmt::Debug for TimelineView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimelineView").finish_non_exhaustive()
    }
}
