//! Being woken by the platform's push service.

use wardline::{PushError, PushRegistration};

use super::Client;
use crate::error::WardlineError;

#[uniffi::export]
impl Client {
    /// Asks the relay to have this device woken for what arrives while it is not connected. `token` is
    /// what the platform's push service handed out; `topic` tells the relay's push gateway which service
    /// and app it is of. Call it whenever the platform hands out a token, which it does at every start.
    pub async fn register_push(&self, token: String, topic: String) -> Result<(), WardlineError> {
        let registration = PushRegistration::new(&token, &topic).map_err(|error| {
            let name = match error {
                PushError::TopicTooLong { .. } => "topic",
                _ => "token",
            };
            WardlineError::unfit(name, &error.to_string())
        })?;
        self.with(|core| async move { core.register_push(registration).await })
            .await
    }

    /// Asks the relay to wake this device no more, when somebody signs out, say.
    pub async fn unregister_push(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.unregister_push().await })
            .await
    }
}
