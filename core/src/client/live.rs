//! Views that follow: a snapshot, then what is different whenever a commit touches it.
//!
//! A view may be asked for changes in a `select!`: a wait that is dropped loses nothing, because what
//! was committed counts as unseen until a difference was answered.
//!
//! Not its concern: what is in a page ([`crate::message`]), and which commit changed what (`engine`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

use super::{Client, veil::Shown};
use crate::{
    conversation,
    engine::{
        Changes,
        event::{Delivered, EventCursor},
    },
    error::Error,
    id::{ConversationId, MessageRef},
    message::{Conversation, Message},
};

/// The newest messages of a conversation and its unread count, kept up to date.
pub struct Timeline {
    client: Client,
    conversation: ConversationId,
    size: u32,
    watch: Watch,
    shown: Shown<Message>,
    unread: u64,
}

/// What changed since the last look, in the order to apply it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimelineChange {
    /// Messages that are gone from the view.
    pub removed: Vec<MessageRef>,
    /// Messages that are shown already and changed (read, for example).
    pub updated: Vec<Message>,
    /// Messages that are new at the end.
    pub added: Vec<Message>,
    /// The unread count now.
    pub unread: u64,
}

/// The conversations with the newest messages and the unread count of all, kept up to date.
pub struct ConversationList {
    client: Client,
    size: u32,
    watch: Watch,
    shown: Shown<Conversation>,
    /// The same without previews, once it was asked for.
    bare: OnceLock<Vec<Conversation>>,
    unread: u64,
}

/// What changed since the last look. Remove, replace, add, then sort by the newest message's cursor,
/// the greatest first: that is what [`ConversationList::conversations`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationListChange {
    /// Conversations that are gone from the view.
    pub removed: Vec<ConversationId>,
    /// Conversations that are shown already and changed; one with a newer message has moved.
    pub updated: Vec<Conversation>,
    /// Conversations that are new in the view.
    pub added: Vec<Conversation>,
    /// How many messages nobody has opened now, in all conversations.
    pub unread: u64,
}

impl Client {
    /// Follows the newest `size` messages of a conversation.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    pub async fn follow(&self, conversation: ConversationId, size: u32) -> Result<Timeline, Error> {
        // Listening begins before the first look, so that nothing falls between.
        let watch = Watch::new(self);
        let shown = self.timeline(conversation, None, size).await?.messages;
        let shown = Shown::new(shown);
        let unread = self.unread(conversation).await?;
        Ok(Timeline {
            client: self.clone(),
            conversation,
            size,
            watch,
            shown,
            unread,
        })
    }

    /// Follows the `size` conversations with the newest messages: an app's first screen. Works while
    /// locked; previews come with the unlock and go with the lock.
    ///
    /// # Errors
    /// Those of reading the store.
    ///
    /// ```
    /// # fn draw(_: &[wardline::Conversation], _: u64) {}
    /// # async fn show(client: wardline::Client) -> Result<(), wardline::Error> {
    /// let mut list = client.follow_conversations(50).await?;
    /// loop {
    ///     draw(list.conversations(), list.unread());
    ///     list.changed().await?;
    /// }
    /// # }
    /// ```
    pub async fn follow_conversations(&self, size: u32) -> Result<ConversationList, Error> {
        let watch = Watch::new(self);
        let page = self.conversations(None, size).await?;
        Ok(ConversationList {
            client: self.clone(),
            size,
            watch,
            shown: Shown::new(page.conversations),
            bare: OnceLock::new(),
            unread: page.unread,
        })
    }

    /// Waits until there are events after a cursor and answers them, oldest first, at most `most`.
    /// Like [`Client::events_from`], they come again until they are confirmed.
    ///
    /// # Errors
    /// Those of reading the store. A wait ends with one when the client is closed.
    pub async fn next_events(
        &self,
        cursor: EventCursor,
        most: u32,
    ) -> Result<Vec<Delivered>, Error> {
        let mut watch = Watch::new(self);
        loop {
            let events = self.events_from(cursor, most).await?;
            if !events.is_empty() {
                return Ok(events);
            }
            loop {
                let changes = watch.unseen().await?;
                let look = changes.events || changes.everything;
                watch.seen();
                if look {
                    break;
                }
            }
        }
    }
}

impl Timeline {
    /// What the view shows now, oldest first. Nothing while the client is locked, and
    /// nothing of what is over.
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

    /// How many messages of the conversation nobody has opened.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Waits until something in the view has changed and says what.
    ///
    /// # Errors
    /// [`Error::Locked`] once the client is locked: the view is empty then, and after the unlock the
    /// next change brings everything.
    pub async fn changed(&mut self) -> Result<TimelineChange, Error> {
        loop {
            let changes = self.watch.unseen().await?;
            let change = if changes.everything || self.is_touched(&changes).await? {
                self.look().await?
            } else {
                None
            };
            self.watch.seen();
            if let Some(change) = change {
                return Ok(change);
            }
        }
    }

    async fn is_touched(&self, changes: &Changes) -> Result<bool, Error> {
        let id = self.conversation;
        let row = self
            .client
            .inner
            .store
            .read(move |connection| conversation::row_of(connection, id))
            .await?;
        Ok(row.is_some_and(|row| changes.conversations.contains(&row)))
    }

    async fn look(&mut self) -> Result<Option<TimelineChange>, Error> {
        let page = self
            .client
            .timeline(self.conversation, None, self.size)
            .await;
        if matches!(page, Err(Error::Locked | Error::Wiped)) {
            // Said once; it is the unlock that brings the next change.
            self.shown = Shown::new(Vec::new());
            self.watch.seen();
        }
        let now = page?.messages;
        let unread = self.client.unread(self.conversation).await?;
        let change = Difference::between(self.shown.read(), &now, |message| message.cursor);
        let nothing = change.is_nothing() && unread == self.unread;
        let change = TimelineChange {
            removed: change.removed.iter().map(Message::reference).collect(),
            updated: change.updated,
            added: change.added,
            unread,
        };
        self.shown = Shown::new(now);
        self.unread = unread;
        Ok((!nothing).then_some(change))
    }
}

impl ConversationList {
    /// What the view shows now, the conversation with the newest message first. Without previews while
    /// the client is locked.
    pub fn conversations(&self) -> &[Conversation] {
        if self.client.inner.store.is_known_wiped() {
            return &[];
        }
        if self.client.is_locked() {
            return self.bare.get_or_init(|| {
                let mut bare = self.shown.read().to_vec();
                for conversation in &mut bare {
                    conversation.newest.preview = None;
                }
                bare
            });
        }
        self.shown.at(self.client.latest())
    }

    /// The client whose conversations these are.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How many messages nobody has opened, in all conversations, shown here or not.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Waits until something in the view has changed and says what.
    ///
    /// # Errors
    /// Those of reading the store; closing the client ends the wait with one.
    pub async fn changed(&mut self) -> Result<ConversationListChange, Error> {
        loop {
            self.watch.messages().await?;
            let change = self.look().await?;
            self.watch.seen();
            if let Some(change) = change {
                return Ok(change);
            }
        }
    }

    async fn look(&mut self) -> Result<Option<ConversationListChange>, Error> {
        let now = self.client.conversations(None, self.size).await;
        if matches!(now, Err(Error::Wiped)) {
            self.shown = Shown::new(Vec::new());
            self.bare = OnceLock::new();
        }
        let now = now?;
        let change = Difference::between(self.shown.read(), &now.conversations, |shown| shown.id);
        let nothing = change.is_nothing() && now.unread == self.unread;
        let change = ConversationListChange {
            removed: change.removed.iter().map(|gone| gone.id).collect(),
            updated: change.updated,
            added: change.added,
            unread: now.unread,
        };
        self.shown = Shown::new(now.conversations);
        self.bare = OnceLock::new();
        self.unread = now.unread;
        Ok((!nothing).then_some(change))
    }
}

impl std::fmt::Debug for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeline")
            .field("shown", &self.shown.read().len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ConversationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConversationList")
            .field("shown", &self.shown.read().len())
            .finish_non_exhaustive()
    }
}

/// Commits that a view has not looked at yet.
pub(super) struct Watch {
    commits: Receiver<Changes>,
    unseen: Changes,
}

impl Watch {
    /// To be made before the first look, so that nothing falls between.
    pub(super) fn new(client: &Client) -> Self {
        Self {
            commits: client.inner.changes.subscribe(),
            unseen: Changes::default(),
        }
    }

    /// Waits until there is something unseen; answers the same again until [`Watch::seen`].
    pub(super) async fn unseen(&mut self) -> Result<Changes, Error> {
        if self.unseen == Changes::default() {
            match self.commits.recv().await {
                Ok(changes) => self.unseen.merge(changes),
                Err(RecvError::Lagged(_)) => self.unseen.everything = true,
                Err(RecvError::Closed) => return Err(wardline_sqlite::Error::Closed.into()),
            }
        }
        // One look serves every commit that was before it.
        loop {
            match self.commits.try_recv() {
                Ok(changes) => self.unseen.merge(changes),
                Err(TryRecvError::Lagged(_)) => self.unseen.everything = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(self.unseen.clone()),
            }
        }
    }

    /// Waits until something in a conversation may have changed; [`Watch::seen`] says that it was looked at.
    pub(super) async fn messages(&mut self) -> Result<(), Error> {
        loop {
            let changes = self.unseen().await?;
            if changes.everything || !changes.conversations.is_empty() {
                return Ok(());
            }
            self.seen();
        }
    }

    pub(super) fn seen(&mut self) {
        self.unseen = Changes::default();
    }
}

/// Two states of a view, compared by what names a row.
pub(super) struct Difference<T> {
    pub(super) removed: Vec<T>,
    pub(super) updated: Vec<T>,
    pub(super) added: Vec<T>,
}

impl<T: Clone + PartialEq> Difference<T> {
    pub(super) fn between<K: Ord>(before: &[T], now: &[T], name: impl Fn(&T) -> K) -> Self {
        let old: BTreeMap<K, &T> = before.iter().map(|row| (name(row), row)).collect();
        let new: BTreeSet<K> = now.iter().map(&name).collect();
        let mut difference = Self {
            removed: Vec::new(),
            updated: Vec::new(),
            added: Vec::new(),
        };
        for row in now {
            match old.get(&name(row)) {
                None => difference.added.push(row.clone()),
                Some(before) if *before != row => difference.updated.push(row.clone()),
                Some(_) => {}
            }
        }
        let gone = before.iter().filter(|row| !new.contains(&name(row)));
        difference.removed.extend(gone.cloned());
        difference
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.removed.is_empty() && self.updated.is_empty() && self.added.is_empty()
    }
}
