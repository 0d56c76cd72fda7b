//! The list of conversations, as it is read and as it is followed: an app's first screen.
//!
//! It works while locked; only the previews need somebody who may read. What is in a conversation is
//! [`crate::message`]'s and [`crate::timeline`]'s.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    cancel::CancelToken,
    draft::{Priority, Recipient},
    error::WardlineError,
    message::Direction,
    view::{Followed, View},
};

/// A conversation as a list of conversations shows it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// Whom it is with.
    pub recipient: Recipient,
    /// How many of its messages nobody has opened.
    pub unread: u64,
    /// How urgent the most urgent of those is; nothing when all were opened.
    pub unread_priority: Option<Priority>,
    /// Its newest message.
    pub newest: NewestMessage,
    /// Whether somebody has begun to write here.
    pub has_draft: bool,
}

/// The newest message of a conversation, as a list shows it.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewestMessage {
    /// Its id.
    pub id: String,
    /// Its place in this device's timelines, and the conversation's place in the list.
    pub cursor: i64,
    /// Who wrote it, as the directory proves.
    pub sender: String,
    /// Whether it came in, or was written here or on another device of the same person.
    pub direction: Direction,
    /// How urgent it is.
    pub priority: Priority,
    /// When it was written, by the sender's clock.
    pub created_at_ms: i64,
    /// When it came here, by this device's clock.
    pub arrived_at_ms: i64,
    /// How its text begins, up to 200 characters; nothing while locked, or when the stored text is
    /// damaged. Showing it is not an opening.
    pub preview: Option<String>,
}

/// Shows ids and states, nothing of what was written.
impl std::fmt::Debug for NewestMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewestMessage")
            .field("id", &self.id)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

/// Some conversations, the one with the newest message first.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ConversationPage {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// Ask for the page after this one with it; nothing at the end.
    pub before: Option<i64>,
    /// How many messages nobody has opened, in all conversations.
    pub unread: u64,
}

/// What a followed list shows.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ConversationListSnapshot {
    /// The conversations, the one with the newest message first.
    pub conversations: Vec<Conversation>,
    /// How many messages nobody has opened, in all conversations, shown here or not.
    pub unread: u64,
}

/// What changed since the last look. Remove, replace, add, then sort by the newest message's cursor,
/// the greatest first: that is what the snapshot shows.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ConversationListChange {
    /// Ids of conversations that are gone from the view.
    pub removed: Vec<String>,
    /// Conversations that are shown already and changed; one with a newer message has moved.
    pub updated: Vec<Conversation>,
    /// Conversations that are new in the view.
    pub added: Vec<Conversation>,
    /// How many messages nobody has opened now, in all conversations.
    pub unread: u64,
}

/// The conversations with the newest messages and the unread count of all, kept up to date. Dropping
/// it ends it.
#[derive(uniffi::Object)]
pub struct ConversationListView {
    view: Arc<View<wardline::ConversationList>>,
}

#[uniffi::export]
impl ConversationListView {
    /// What the view shows now. No preview while the client is locked.
    pub fn snapshot(&self) -> ConversationListSnapshot {
        self.view.look(|shown, locked| {
            let mut shown = shown.clone();
            if locked {
                for conversation in &mut shown.conversations {
                    conversation.newest.preview = None;
                }
            }
            shown
        })
    }

    /// Waits until something in the view has changed and says what; previews come with the unlock and
    /// go with the lock. After a wait that was given up the `snapshot` has everything, and the next
    /// change follows it.
    ///
    /// Ends with `WL-CLOSED` once the client is shut down.
    pub async fn changed(
        &self,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<ConversationListChange, WardlineError> {
        self.view.changed(cancel).await
    }
}

impl ConversationListView {
    pub(crate) fn new(list: wardline::ConversationList, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            view: View::new(list, closing),
        })
    }
}

impl Followed for wardline::ConversationList {
    type Snapshot = ConversationListSnapshot;
    type Change = ConversationListChange;

    fn client(&self) -> &wardline::Client {
        self.client()
    }

    fn snapshot(&self) -> ConversationListSnapshot {
        ConversationListSnapshot {
            conversations: all(self.conversations().to_vec()),
            unread: self.unread(),
        }
    }

    async fn next(&mut self) -> Result<ConversationListChange, wardline::Error> {
        let change = self.changed().await?;
        Ok(ConversationListChange {
            removed: change.removed.iter().map(ToString::to_string).collect(),
            updated: all(change.updated),
            added: all(change.added),
            unread: change.unread,
        })
    }
}

impl From<wardline::ConversationPage> for ConversationPage {
    fn from(page: wardline::ConversationPage) -> Self {
        Self {
            conversations: all(page.conversations),
            before: page.before.map(wardline::Cursor::number),
            unread: page.unread,
        }
    }
}

impl From<wardline::Conversation> for Conversation {
    fn from(conversation: wardline::Conversation) -> Self {
        Self {
            id: conversation.id.to_string(),
            recipient: conversation.with.into(),
            unread: conversation.unread,
            unread_priority: conversation.unread_priority.map(Priority::from),
            newest: conversation.newest.into(),
            has_draft: conversation.has_draft,
        }
    }
}

impl From<wardline::NewestMessage> for NewestMessage {
    fn from(message: wardline::NewestMessage) -> Self {
        Self {
            id: message.id.to_string(),
            cursor: message.cursor.number(),
            sender: message.sender.to_string(),
            direction: message.direction.into(),
            priority: message.priority.into(),
            created_at_ms: message.created_at.as_millis(),
            arrived_at_ms: message.arrived_at.as_millis(),
            preview: message.preview,
        }
    }
}

fn all(conversations: Vec<wardline::Conversation>) -> Vec<Conversation> {
    conversations.into_iter().map(Conversation::from).collect()
}

impl std::fmt::Debug for ConversationListView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConversationListView")
            .finish_non_exhaustive()
    }
}
