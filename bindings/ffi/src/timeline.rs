//! A view that follows a conversation: a snapshot, then what changed.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    cancel::CancelToken,
    client::or_closed,
    error::WardlineError,
    message::{self, Message},
    runtime::run_until,
};

/// The newest messages of a conversation and its unread count, kept up to date. Dropping it ends it.
#[derive(uniffi::Object)]
pub struct TimelineView {
    view: Arc<View>,
}

struct View {
    timeline: Mutex<wardline::Timeline>,
    client: wardline::Client,
    /// What the timeline showed last: readable while somebody waits for the next change.
    shown: StdMutex<TimelineSnapshot>,
    closing: CancellationToken,
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
        let shown = self.view.shown();
        if self.view.client.is_locked() {
            // Only hidden: a change after the unlock says what is different from what was shown.
            return TimelineSnapshot {
                messages: Vec::new(),
                unread: shown.unread,
            };
        }
        shown.clone()
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
        let view = Arc::clone(&self.view);
        let closing = view.closing.clone();
        let done = run_until(cancel, async move {
            tokio::select! {
                biased;
                () = view.closing.cancelled() => Err(WardlineError::closed()),
                change = view.changed() => Ok(change?),
            }
        });
        done.await.map_err(|error| or_closed(&closing, error))
    }
}

impl TimelineView {
    pub(crate) fn new(timeline: wardline::Timeline, closing: CancellationToken) -> Arc<Self> {
        let shown = TimelineSnapshot::of(&timeline);
        Arc::new(Self {
            view: Arc::new(View {
                client: timeline.client().clone(),
                timeline: Mutex::new(timeline),
                shown: StdMutex::new(shown),
                closing,
            }),
        })
    }
}

impl View {
    async fn changed(&self) -> Result<TimelineChange, wardline::Error> {
        let mut timeline = self.timeline.lock().await;
        let change = timeline.changed().await;
        // After an error too: a lock empties the view.
        *self.shown() = TimelineSnapshot::of(&timeline);
        let change = change?;
        Ok(TimelineChange {
            removed: change.removed.iter().map(ToString::to_string).collect(),
            updated: message::all(change.updated),
            added: message::all(change.added),
            unread: change.unread,
        })
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, TimelineSnapshot> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimelineSnapshot {
    fn of(timeline: &wardline::Timeline) -> Self {
        Self {
            messages: message::all(timeline.messages().to_vec()),
            unread: timeline.unread(),
        }
    }
}

impl std::fmt::Debug for TimelineView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimelineView").finish_non_exhaustive()
    }
}
