//! Answering a message with one of the texts that it offers, and seeing who chose which.

use super::Client;
use crate::{
    engine::{choosing, points::Commit},
    error::Error,
    id::{MessageId, MessageRef},
    message::{Choice, offers},
};

impl Client {
    /// Answers a message with the text that it offers at a place ([`Message::offers`](crate::Message::offers), from 0): a
    /// reply in the same conversation that says exactly that. It is no verdict: a message that asks for an answer
    /// stays open until somebody accepts it with [`Client::answer`]. Choosing is reading. Durable when it answers, like
    /// [`Client::send`]; answers the id of the reply. Whoever chooses again says so in one more reply.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`Error::Unknown`] for a message that is not here;
    /// [`crate::SendError::NotOffered`], also when it was taken back; [`crate::SendError::OwnMessage`];
    /// [`crate::SendError::SenderRevoked`].
    ///
    /// ```
    /// # async fn tap(client: wardline::Client, page: wardline::Page) -> Result<(), wardline::Error> {
    /// for message in page.messages {
    ///     if let Some(text) = message.offers.first() {
    ///         println!("replying: {text}");
    ///         client.reply_with(message.reference(), 0).await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reply_with(&self, message: MessageRef, index: u32) -> Result<MessageId, Error> {
        let keys = self.inner.reading()?.keys;
        let reply = self
            .step(Commit::Send, move |step| {
                choosing::reply_with(step, &keys, message, index)
            })
            .await?;
        self.inner.wake.notify_one();
        Ok(reply)
    }

    /// Everybody's replies with the texts that a message offers, oldest first; the last one of a person stands. Nothing
    /// of a message that is not here, offers nothing or was taken back.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    ///
    /// ```
    /// # async fn count(client: wardline::Client, sent: wardline::MessageRef) -> Result<(), wardline::Error> {
    /// for choice in client.choices(sent).await? {
    ///     if choice.stands {
    ///         println!("{} chose {}", choice.user, choice.index);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn choices(&self, message: MessageRef) -> Result<Vec<Choice>, Error> {
        let keys = self.inner.reading()?.keys;
        self.inner
            .store
            .read(move |connection| offers::all(connection, &keys, message))
            .await
    }
}
