//! A view that follows what is open: what waits for this person, or what this person waits for.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    cancel::CancelToken,
    error::WardlineError,
    message::{self, Message},
    view::{Followed, View},
};

/// The most urgent open messages of a kind, kept up to date. Dropping it ends it.
#[derive(uniffi::Object)]
pub struct OpenItemsView {
    view: Arc<View<wardline::OpenList>>,
}

/// What changed since the last look. The snapshot has the messages in their order.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OpenItemsChange {
    /// References of messages that are not open any more, or have made room for more urgent ones.
    pub removed: Vec<String>,
    /// Messages that are shown already and changed (read, for example).
    pub updated: Vec<Message>,
    /// Messages that are new in the view.
    pub added: Vec<Message>,
}

#[uniffi::export]
impl OpenItemsView {
    /// What the view shows now, the most urgent first, then by deadlines. Nothing while the client is locked.
    pub fn snapshot(&self) -> Vec<Message> {
        self.view.look(|shown, locked| match locked {
            true => Vec::new(),
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
    ) -> Result<OpenItemsChange, WardlineError> {
        self.view.changed(cancel).await
    }
}

impl OpenItemsView {
    pub(crate) fn new(list: wardline::OpenList, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            view: View::new(list, closing),
        })
    }
}

impl Followed for wardline::OpenList {
    type Snapshot = Vec<Message>;
    type Change = OpenItemsChange;

    fn client(&self) -> &wardline::Client {
        self.client()
    }

    fn snapshot(&self) -> Vec<Message> {
        message::all(self.messages().to_vec())
    }

    async fn next(&mut self) -> Result<OpenItemsChange, wardline::Error> {
        let change = self.changed().await?;
        Ok(OpenItemsChange {
            removed: change.removed.iter().map(ToString::to_string).collect(),
            updated: message::all(change.updated),
            added: message::all(change.added),
        })
    }
}

impl std::fmt::Debug for OpenItemsView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenItemsView").finish_non_exhaustive()
    }
}
