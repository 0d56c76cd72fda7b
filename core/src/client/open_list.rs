//! A view that follows what is open: what waits for this person, or what this person waits for.
//!
//! Not its concern: what is open and in which order ([`crate::message::OpenItems`]), and being on time with what is
//! overdue, which is the loop's.

use super::{
    Client,
    live::{Difference, Watch},
    veil::Shown,
};
use crate::{
    error::Error,
    id::MessageRef,
    message::{Message, OpenItems},
};

/// The most urgent open messages of a kind, kept up to date.
pub struct OpenList {
    client: Client,
    which: OpenItems,
    size: u32,
    watch: Watch,
    shown: Shown<Message>,
}

/// What changed since the last look. [`OpenList::messages`] has them in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenListChange {
    /// Messages that are not open any more, or have made room for more urgent ones.
    pub removed: Vec<MessageRef>,
    /// Messages that are shown already and changed (read, for example).
    pub updated: Vec<Message>,
    /// Messages that are new in the view.
    pub added: Vec<Message>,
}

impl Client {
    /// Follows the first `size` of [`Client::open_items`]: a list of open stat messages, say. Those that are
    /// [`OpenItems::Overdue`] come when [`Event::AnswerOverdue`](crate::Event::AnswerOverdue) does.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    ///
    /// ```
    /// # fn draw(_: &[wardline::Message]) {}
    /// # async fn show(client: wardline::Client) -> Result<(), wardline::Error> {
    /// use wardline::OpenItems;
    ///
    /// let mut list = client.follow_open_items(OpenItems::ToAnswer, 50).await?;
    /// loop {
    ///     draw(list.messages());
    ///     list.changed().await?;
    /// }
    /// # }
    /// ```
    pub async fn follow_open_items(&self, which: OpenItems, size: u32) -> Result<OpenList, Error> {
        // Listening begins before the first look, so that nothing falls between.
        let watch = Watch::new(self);
        let shown = Shown::new(self.open_items(which, size).await?);
        Ok(OpenList {
            client: self.clone(),
            which,
            size,
            watch,
            shown,
        })
    }
}

impl OpenList {
    /// What the view shows now, the most urgent first, then by deadlines. Nothing while the client is locked.
    pub fn messages(&self) -> &[Message] {
        if self.client.is_locked() {
            return &[];
        }
        self.shown.at(self.client.latest())
    }

    /// The client whose messages these are.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until something in the view has changed and says what.
    ///
    /// # Errors
    /// [`Error::Locked`] once the client is locked: the view is empty then, and after the unlock the
    /// next change brings everything. Closing the client ends the wait with an error.
    pub async fn changed(&mut self) -> Result<OpenListChange, Error> {
        loop {
            self.watch.messages().await?;
            let change = self.look().await?;
            self.watch.seen();
            if let Some(change) = change {
                return Ok(change);
            }
        }
    }

    async fn look(&mut self) -> Result<Option<OpenListChange>, Error> {
        let now = self.client.open_items(self.which, self.size).await;
        if matches!(now, Err(Error::Locked | Error::Wiped)) {
            // Said once; it is the unlock that brings the next change.
            self.shown = Shown::new(Vec::new());
            self.watch.seen();
        }
        let now = now?;
        let change = Difference::between(self.shown.read(), &now, Message::reference);
        let nothing = change.is_nothing();
        let change = OpenListChange {
            removed: change.removed.iter().map(Message::reference).collect(),
            updated: change.updated,
            added: change.added,
        };
        self.shown = Shown::new(now);
        Ok((!nothing).then_some(change))
    }
}

impl std::fmt::Debug for OpenList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenList")
            .field("which", &self.which)
            .field("shown", &self.shown.read().len())
            .finish_non_exhaustive()
    }
}
