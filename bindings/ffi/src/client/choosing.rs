//! Answering with one of the texts that a message offers, and seeing who chose which.

use wardline::MessageRef;

use super::Client;
use crate::{error::WardlineError, ids::parse, offers::Choice};

#[uniffi::export]
impl Client {
    /// Answers a message with the text that it offers at a place, from 0: a reply in the same conversation that says
    /// exactly that. It is no verdict: a message that asks for an answer stays open until somebody accepts it with
    /// `answer`. Choosing is reading. Durable when it returns; returns the id of the reply.
    pub async fn reply_with(&self, reference: String, index: u32) -> Result<String, WardlineError> {
        let message: MessageRef = parse("reference", &reference)?;
        let replied = self.with(|core| async move {
            let reply = core.reply_with(message, index).await?;
            Ok(reply.to_string())
        });
        replied.await
    }

    /// Everybody's replies with the texts that a message offers, oldest first; the last one of a person stands.
    /// `message` is a reference, or what `send` returned on this device.
    pub async fn choices(&self, message: String) -> Result<Vec<Choice>, WardlineError> {
        let message = self.named(&message)?;
        self.with(|core| async move {
            let choices = core.choices(message).await?;
            Ok(choices.into_iter().map(Choice::from).collect())
        })
        .await
    }
}
