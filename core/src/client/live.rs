//! Views that follow: a snapshot, then a fresh one whenever a commit touches it.

use std::collections::BTreeMap;

use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Client;
use crate::{
    conversation,
    engine::{
        Changes,
        event::{Delivered, EventCursor},
    },
    error::Error,
    id::{ConversationId, MessageId},
    message::Message,
};

/// The newest messages of a conversation and its unread count, kept up to date.
pub struct Timeline {
    client: Client,
    conversation: ConversationId,
    size: u32,
    changes: Receiver<Changes>,
    shown: Vec<Message>,
    unread: u64,
}

/// What changed since the last look, in the order to apply it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimelineChange {
    /// Messages that are gone from the view.
    pub removed: Vec<MessageId>,
    /// Messages that are shown already and changed (read, for example).
    pub updated: Vec<Message>,
    /// Messages that are new at the end.
    pub added: Vec<Message>,
    /// The unread count now.
    pub unread: u64,
}

impl Client {
    /// Follows the newest `size` messages of a conversation.
    pub async fn follow(&self, conversation: ConversationId, size: u32) -> Result<Timeline, Error> {
        // Listening begins before the first look, so that nothing falls between.
        let changes = self.inner.changes.subscribe();
        let shown = self.timeline(conversation, None, size).await?.messages;
        let unread = self.unread(conversation).await?;
        Ok(Timeline {
            client: self.clone(),
            conversation,
            size,
            changes,
            shown,
            unread,
        })
    }
}

impl Client {
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
        // Listening begins before the first look, so that nothing falls between.
        let mut changes = self.inner.changes.subscribe();
        loop {
            let events = self.events_from(cursor, most).await?;
            if !events.is_empty() {
                return Ok(events);
            }
            loop {
                match changes.recv().await {
                    Ok(changes) if changes.events || changes.everything => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Err(wardline_sqlite::Error::Closed.into()),
                }
            }
        }
    }
}

impl Timeline {
    /// What the view shows now, oldest first.
    pub fn messages(&self) -> &[Message] {
        &self.shown
    }

    /// How many messages of the conversation nobody has opened.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Waits until something in the view has changed and says what.
    ///
    /// # Errors
    /// [`Error::Locked`] once the client is locked; the view may be followed again after unlock.
    pub async fn changed(&mut self) -> Result<TimelineChange, Error> {
        loop {
            if self.is_touched().await? {
                let change = self.look().await?;
                if let Some(change) = change {
                    return Ok(change);
                }
            }
        }
    }

    /// Waits for a commit; answers whether it may have touched this conversation.
    async fn is_touched(&mut self) -> Result<bool, Error> {
        let changes = match self.changes.recv().await {
            Ok(changes) => changes,
            Err(RecvError::Lagged(_)) => return Ok(true),
            Err(RecvError::Closed) => return Err(wardline_sqlite::Error::Closed.into()),
        };
        if changes.everything {
            return Ok(true);
        }
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
        let now = self
            .client
            .timeline(self.conversation, None, self.size)
            .await?
            .messages;
        let unread = self.client.unread(self.conversation).await?;
        let change = difference(&self.shown, &now, unread);
        let nothing = change.removed.is_empty()
            && change.updated.is_empty()
            && change.added.is_empty()
            && unread == self.unread;
        self.shown = now;
        self.unread = unread;
        Ok((!nothing).then_some(change))
    }
}

impl std::fmt::Debug for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeline")
            .field("shown", &self.shown.len())
            .finish_non_exhaustive()
    }
}

fn difference(before: &[Message], now: &[Message], unread: u64) -> TimelineChange {
    let old: BTreeMap<_, _> = before
        .iter()
        .map(|message| (message.cursor, message))
        .collect();
    let new: BTreeMap<_, _> = now
        .iter()
        .map(|message| (message.cursor, message))
        .collect();
    TimelineChange {
        removed: before
            .iter()
            .filter(|message| !new.contains_key(&message.cursor))
            .map(|message| message.id)
            .collect(),
        updated: now
            .iter()
            .filter(|message| old.get(&message.cursor).is_some_and(|old| old != message))
            .cloned()
            .collect(),
        added: now
            .iter()
            .filter(|message| !old.contains_key(&message.cursor))
            .cloned()
            .collect(),
        unread,
    }
}
