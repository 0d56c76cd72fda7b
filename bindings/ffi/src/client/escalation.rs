//! How the escalation of a message stands.

use super::Client;
use crate::{error::WardlineError, escalation::EscalationStatus};

#[uniffi::export]
impl Client {
    /// How the escalation of a message stands, with its history; nothing for a message that has none. `message` is a
    /// reference, or what `send` returned on this device.
    pub async fn escalation(
        &self,
        message: String,
    ) -> Result<Option<EscalationStatus>, WardlineError> {
        let message = self.named(&message)?;
        self.with(|core| async move {
            let status = core.escalation(message).await?;
            Ok(status.map(EscalationStatus::from))
        })
        .await
    }
}
