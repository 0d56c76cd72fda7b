//! Handing somebody else's message on.

use super::Client;
use crate::{
    error::Error,
    id::{MessageId, MessageRef},
    message::Draft,
};

impl Client {
    /// Forwards a message as its author signed it: whoever gets it sees who wrote it and when, and need not believe this
    /// person ([`Message::forwarded`](crate::Message::forwarded)). The draft says to whom and how urgently; its text is the
    /// comment and may be empty. The patient goes with the message; so does the correction that stands, and nothing of
    /// what others have answered. Of a message that was forwarded to this person, the first author's goes on.
    ///
    /// When the message is taken back, this device takes its forwards back too. Who gets a forward gets everything that
    /// the author signed; a changed client could see in it for which devices the message was.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`Error::Unknown`] for a message that is not here;
    /// [`crate::SendError::NotForwardable`]; [`crate::SendError::ForwardingNotAllowed`] by the policy;
    /// [`crate::SendError::SenderRevoked`]; and what [`Client::send`] says.
    ///
    /// ```
    /// # async fn pass_on(client: wardline::Client, page: wardline::Page) -> Result<(), Box<dyn std::error::Error>> {
    /// use wardline::{Draft, Recipient};
    ///
    /// if let Some(newest) = page.messages.last() {
    ///     let draft = Draft::new(Recipient::Person("DR-2".parse()?), "Could you look at this?");
    ///     client.forward(newest.reference(), draft).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn forward(&self, message: MessageRef, draft: Draft) -> Result<MessageId, Error> {
        self.inner.reading()?;
        let forward = Some(message);
        self.send(Draft { forward, ..draft }).await
    }
}
