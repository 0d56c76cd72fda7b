//! Accepting and declining what asks for it, and taking back.

use std::sync::Arc;

use wardline::MessageRef;

use super::Client;
use crate::{
    answer::{Answer, OpenItems, Verdict},
    error::WardlineError,
    ids::parse,
    message::{self, Message},
    open_items::OpenItemsView,
};

#[uniffi::export]
impl Client {
    /// Accepts or declines a message that asks for it, with what was understood or why not. Everybody in
    /// the conversation learns of it; answering is reading. A person may change their mind: the last
    /// answer stands. Durable when it returns; returns the id of the answer, which `deliveries` knows.
    pub async fn answer(
        &self,
        reference: String,
        verdict: Verdict,
        read_back: String,
    ) -> Result<String, WardlineError> {
        let message: MessageRef = parse("reference", &reference)?;
        let answered = self.with(|core| async move {
            let answer = core.answer(message, verdict.into(), &read_back).await?;
            Ok(answer.to_string())
        });
        answered.await
    }

    /// Every answer to a message that counts, oldest first; the last one of a person stands. `message` is a
    /// reference, or what `send` returned on this device.
    pub async fn answers(&self, message: String) -> Result<Vec<Answer>, WardlineError> {
        let message = self.named(&message)?;
        self.with(|core| async move {
            let answers = core.answers(message).await?;
            Ok(answers.into_iter().map(Answer::from).collect())
        })
        .await
    }

    /// Messages that ask for an answer which nobody has given yet, the most urgent first, then by their
    /// deadlines.
    pub async fn open_items(
        &self,
        which: OpenItems,
        limit: u32,
    ) -> Result<Vec<Message>, WardlineError> {
        self.with(|core| async move {
            let open = core.open_items(which.into(), limit).await?;
            Ok(message::all(open))
        })
        .await
    }

    /// Follows the first `size` of `open_items`: a list of open stat messages, say. Those that are overdue come
    /// when the event `AnswerOverdue` does.
    pub async fn follow_open_items(
        &self,
        which: OpenItems,
        size: u32,
    ) -> Result<Arc<OpenItemsView>, WardlineError> {
        let closing = self.closing().clone();
        self.with(|core| async move {
            let list = core.follow_open_items(which.into(), size).await?;
            Ok(OpenItemsView::new(list, closing))
        })
        .await
    }

    /// Takes a message of this person back, with a reason that everybody in the conversation can read: its
    /// text is gone from here at once, from devices that are online in a moment, from others before they
    /// show it. What has become of it on each device is in `deliveries`. `message` is a reference, or what
    /// `send` returned on this device.
    ///
    /// A device that was shown it may have been read, photographed or backed up; what a recall means is
    /// each device's own word.
    pub async fn recall(&self, message: String, reason: String) -> Result<(), WardlineError> {
        let message = self.named(&message)?;
        self.with(|core| async move { core.recall(message, &reason).await })
            .await
    }
}

impl Client {
    /// A message by its reference, or one of this device by its id: an author has only that at hand.
    pub(super) fn named(&self, message: &str) -> Result<MessageRef, WardlineError> {
        if message.contains('/') {
            return parse("message", message);
        }
        parse("message", &format!("{}/{message}", self.device))
    }
}
