//! Handing somebody else's message on.

use wardline::MessageRef;

use super::Client;
use crate::{draft::Draft, error::WardlineError, ids::parse};

#[uniffi::export]
impl Client {
    /// Forwards a message as its author signed it: whoever gets it sees who wrote it and when, and need not believe this
    /// person. The draft says to whom and how urgently; its text is the comment and may be empty. The patient goes with
    /// the message. When that is taken back, this device takes its forwards back too.
    pub async fn forward(&self, reference: String, draft: Draft) -> Result<String, WardlineError> {
        let message: MessageRef = parse("reference", &reference)?;
        let draft = wardline::Draft::try_from(draft)?;
        let forwarded = self.with(|core| async move { core.forward(message, draft).await });
        Ok(forwarded.await?.to_string())
    }
}
