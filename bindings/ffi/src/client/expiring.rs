//! For how long what is sent to a conversation may be read.

use wardline::ConversationId;

use super::Client;
use crate::{draft::Recipient, error::WardlineError, ids::parse, lifetime::Lifetime};

#[uniffi::export]
impl Client {
    /// Sets for how long what this person sends to a recipient from now on may be read, unless a draft says otherwise;
    /// an empty lifetime takes it back. The policy's limits hold.
    pub async fn set_lifetime(
        &self,
        recipient: Recipient,
        lifetime: Lifetime,
    ) -> Result<(), WardlineError> {
        let recipient = wardline::Recipient::try_from(recipient)?;
        self.with(|core| async move { core.set_lifetime(recipient, lifetime.into()).await })
            .await
    }

    /// For how long what is sent to a conversation may be read, when a draft says nothing: what was set, or what the
    /// policy wants. To be shown before somebody writes.
    pub async fn lifetime(&self, conversation: String) -> Result<Lifetime, WardlineError> {
        let conversation: ConversationId = parse("conversation", &conversation)?;
        self.with(|core| async move { Ok(core.lifetime(conversation).await?.into()) })
            .await
    }
}
