//! Writing and reading.

use std::sync::Arc;

use wardline::{ConversationId, Cursor, MessageId, MessageRef};

use super::Client;
use crate::{
    conversation::{ConversationListView, ConversationPage},
    draft::{Draft, Recipient},
    error::WardlineError,
    ids::parse,
    message::{self, Message, MessagePage, PersonDelivery},
    timeline::TimelineView,
};

#[uniffi::export]
impl Client {
    /// Takes a message and answers its id: it is on disk then and will be sent, whatever happens to the
    /// process or the network.
    pub async fn send(&self, draft: Draft) -> Result<String, WardlineError> {
        let draft = wardline::Draft::try_from(draft)?;
        let sent = self.with(|core| async move { core.send(draft).await });
        Ok(sent.await?.to_string())
    }

    /// The conversation that this person shares with a recipient.
    pub fn conversation(&self, recipient: Recipient) -> Result<String, WardlineError> {
        let recipient = wardline::Recipient::try_from(recipient)?;
        Ok(self.core()?.conversation(&recipient).to_string())
    }

    /// A page of a conversation, ending before `before` or with the newest message.
    pub async fn timeline(
        &self,
        conversation: String,
        before: Option<i64>,
        size: u32,
    ) -> Result<MessagePage, WardlineError> {
        let conversation: ConversationId = parse("conversation", &conversation)?;
        let before = before.map(Cursor::from_number);
        self.with(|core| async move {
            let page = core.timeline(conversation, before, size).await?;
            Ok(MessagePage::from(page))
        })
        .await
    }

    /// Messages by reference, in the order asked: what an event has announced, say. Those that are not on
    /// this device are left out.
    pub async fn messages(&self, references: Vec<String>) -> Result<Vec<Message>, WardlineError> {
        let references = read_references(&references)?;
        self.with(|core| async move { Ok(message::all(core.messages(references).await?)) })
            .await
    }

    /// How a message of this device stands with everybody it went to; `message` is what `send` answered.
    pub async fn deliveries(&self, message: String) -> Result<Vec<PersonDelivery>, WardlineError> {
        let message: MessageId = parse("message", &message)?;
        self.with(|core| async move {
            let deliveries = core.deliveries(message).await?;
            Ok(deliveries.into_iter().map(PersonDelivery::from).collect())
        })
        .await
    }

    /// Notes that a person has opened messages, here; their authors get a signed receipt. A preview on a
    /// lock screen or in a list is not an opening.
    pub async fn mark_read(&self, references: Vec<String>) -> Result<(), WardlineError> {
        let references = read_references(&references)?;
        self.with(|core| async move { core.mark_read(references).await })
            .await
    }

    /// How many messages of a conversation nobody has opened yet.
    pub async fn unread(&self, conversation: String) -> Result<u64, WardlineError> {
        let conversation: ConversationId = parse("conversation", &conversation)?;
        self.with(|core| async move { core.unread(conversation).await })
            .await
    }

    /// How many messages nobody has opened yet, in all conversations: what an app's badge shows.
    pub async fn unread_total(&self) -> Result<u64, WardlineError> {
        self.with(|core| async move { core.unread_total().await })
            .await
    }

    /// A page of the list of conversations: those whose newest message is older than `before`, or the
    /// first ones, the newest first. Works while locked; only the previews are missing then.
    ///
    /// A conversation in which somebody has only begun to write is not on the list. One that gets a
    /// message between two pages moves to the front: it is on the first page when that is asked for again.
    pub async fn conversations(
        &self,
        before: Option<i64>,
        size: u32,
    ) -> Result<ConversationPage, WardlineError> {
        let before = before.map(Cursor::from_number);
        self.with(|core| async move { Ok(core.conversations(before, size).await?.into()) })
            .await
    }

    /// Follows the `size` conversations with the newest messages: an app's first screen. Works while
    /// locked; previews come with the unlock and go with the lock.
    pub async fn follow_conversations(
        &self,
        size: u32,
    ) -> Result<Arc<ConversationListView>, WardlineError> {
        let closing = self.closing().clone();
        self.with(|core| async move {
            let list = core.follow_conversations(size).await?;
            Ok(ConversationListView::new(list, closing))
        })
        .await
    }

    /// Looks for messages: all words must occur, the last one may be unfinished. Newest first.
    pub async fn search(
        &self,
        text: String,
        conversation: Option<String>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Message>, WardlineError> {
        let conversation = conversation
            .map(|id| parse::<ConversationId>("conversation", &id))
            .transpose()?;
        let before = before.map(Cursor::from_number);
        self.with(|core| async move {
            let found = core.search(&text, conversation, before, limit).await?;
            Ok(message::all(found))
        })
        .await
    }

    /// Keeps what somebody has begun to write; an empty text removes it.
    pub async fn save_draft(
        &self,
        recipient: Recipient,
        text: String,
    ) -> Result<(), WardlineError> {
        let recipient = wardline::Recipient::try_from(recipient)?;
        self.with(|core| async move { core.save_draft(recipient, &text).await })
            .await
    }

    /// What somebody has begun to write.
    pub async fn draft(&self, conversation: String) -> Result<Option<String>, WardlineError> {
        let conversation: ConversationId = parse("conversation", &conversation)?;
        self.with(|core| async move { core.draft(conversation).await })
            .await
    }

    /// Follows the newest `size` messages of a conversation.
    pub async fn follow(
        &self,
        conversation: String,
        size: u32,
    ) -> Result<Arc<TimelineView>, WardlineError> {
        let conversation: ConversationId = parse("conversation", &conversation)?;
        let closing = self.closing().clone();
        self.with(|core| async move {
            let timeline = core.follow(conversation, size).await?;
            Ok(TimelineView::new(timeline, closing))
        })
        .await
    }
}

fn read_references(references: &[String]) -> Result<Vec<MessageRef>, WardlineError> {
    let references = references.iter();
    references
        .map(|reference| parse("references", reference))
        .collect()
}
