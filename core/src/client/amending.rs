//! Correcting what was written, and reading what it said before.

use super::Client;
use crate::{
    engine::{amending, points::Commit},
    error::Error,
    id::{MessageId, MessageRef},
    message::{Structured, Version, amend},
};

impl Client {
    /// Corrects the text of a message of this person, with a reason. Everybody the message went to sees the new text
    /// in its place, and in [`Client::history`] what it said before: a clinical correction, never a silent edit. The
    /// last correction stands. Durable when it answers, like [`Client::send`]; answers the id of the correction,
    /// which [`Client::deliveries`] knows.
    ///
    /// Who has accepted the message before has accepted another text: [`Answer::outdated`](crate::Answer::outdated)
    /// says so. Nothing is asked again by itself.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`Error::Unknown`] for a message that is not here;
    /// [`crate::SendError::NotYours`]; [`crate::SendError::TooLateToAmend`] after the policy's time or a recall; and
    /// what [`Client::send`] says of a text.
    ///
    /// ```
    /// # async fn correct(client: wardline::Client, page: wardline::Page) -> Result<(), wardline::Error> {
    /// if let Some(newest) = page.messages.last() {
    ///     client.amend(newest.reference(), "K 5.6 mmol/L", "typing error").await?;
    ///     for version in client.history(newest.reference()).await? {
    ///         println!("{} {}", version.at, version.text);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn amend(
        &self,
        message: MessageRef,
        text: &str,
        reason: &str,
    ) -> Result<MessageId, Error> {
        self.inner.reading()?;
        self.correct(message, None, text, reason).await
    }

    /// [`Client::amend`] of a structured message, with the fields that are right: all of them, of the type that the
    /// message has. `text` is for devices that do not know the type; when it is empty, it is made of the fields.
    ///
    /// # Errors
    /// Those of [`Client::amend`]; [`crate::SendError::OtherType`]; and what [`Client::send`] says of fields.
    ///
    /// ```
    /// # async fn correct(client: wardline::Client, page: wardline::Page) -> Result<(), wardline::Error> {
    /// use wardline::Structured;
    ///
    /// if let Some(newest) = page.messages.last()
    ///     && let Some(Structured::CriticalResult(mut result)) = newest.structured.clone()
    /// {
    ///     result.value = "5.6".into();
    ///     let result = Structured::CriticalResult(result);
    ///     client.amend_structured(newest.reference(), result, "", "hemolyzed").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn amend_structured(
        &self,
        message: MessageRef,
        fields: Structured,
        text: &str,
        reason: &str,
    ) -> Result<MessageId, Error> {
        self.inner.reading()?;
        self.correct(message, Some(fields), text, reason).await
    }

    async fn correct(
        &self,
        message: MessageRef,
        fields: Option<Structured>,
        text: &str,
        reason: &str,
    ) -> Result<MessageId, Error> {
        let (text, reason) = (text.to_owned(), reason.to_owned());
        let correction = self
            .step(Commit::Amend, move |step| {
                amending::amend(step, message, fields.as_ref(), &text, &reason)
            })
            .await?;
        self.inner.wake.notify_one();
        Ok(correction)
    }

    /// Every text that a message has had, oldest first; the last one is what it says now.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`Error::Unknown`] for a message that is not here, was taken back or is over.
    pub async fn history(&self, message: MessageRef) -> Result<Vec<Version>, Error> {
        let keys = self.inner.reading()?.keys;
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| amend::history(connection, &keys, message, latest))
            .await
    }
}
