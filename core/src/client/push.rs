//! Being woken: the push token of this device, handed to the relay.
//!
//! Not its concern: what the platform's push service delivers. A wake-up says nothing about a message;
//! whoever gets one calls [`Client::sync_once`].

use wardline_org::push::PushRegistration;
use wardline_proto::v1;

use super::Client;
use crate::error::Error;

impl Client {
    /// Asks the relay to have this device woken, by the platform's push service, for what arrives while
    /// it is not connected. Nothing is kept here: call it whenever the platform hands out a token, which
    /// it does at every start of an app. The latest registration of a device counts, and lasts until
    /// [`Client::unregister_push`], the device's revocation, or until the push service knows the token no
    /// more.
    ///
    /// A wake-up is a hint: push services drop and delay, and a relay may have no gateway. The message
    /// waits at the relay all the same.
    ///
    /// # Errors
    /// Those of the network. `WL-RELAY-UNKNOWN-DEVICE` until the directory lists this device.
    ///
    /// ```
    /// use wardline::PushRegistration;
    ///
    /// # async fn registered(client: wardline::Client, token: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// client
    ///     .register_push(PushRegistration::new(token, "apns:example.mercy.ward")?)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn register_push(&self, registration: PushRegistration) -> Result<(), Error> {
        self.tell_push(&registration.to_call()).await
    }

    /// Asks the relay to wake this device no more, when somebody signs out, say.
    ///
    /// # Errors
    /// Those of the network; the device may still be woken then.
    pub async fn unregister_push(&self) -> Result<(), Error> {
        self.tell_push(&v1::RegisterPushRequest::default()).await
    }

    async fn tell_push(&self, call: &v1::RegisterPushRequest) -> Result<(), Error> {
        let told = self.call(call).await.map(drop);
        if let Err(Error::Call(error)) = &told {
            self.note_revocation(error).await?;
        }
        told
    }
}
