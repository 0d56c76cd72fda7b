//! Asking, before a structured message is sent, who would only see its text.

use wardline_org::{DeviceId, UserId};

use super::Client;
use crate::{conversation::Recipient, engine::audience, error::Error};

impl Client {
    /// The recipients' devices whose software does not know a type of content
    /// ([`Structured::type_uri`](crate::Structured::type_uri)): they show the text alone. Vendors' types are known to
    /// apps, not to Wardline: every device is without them. `None` when the directory has to be asked first: the next
    /// round does so.
    ///
    /// # Errors
    /// Those of reading the store.
    ///
    /// ```
    /// # async fn ask(client: wardline::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use wardline::Recipient;
    ///
    /// let team = Recipient::Team("careteam-17".parse()?);
    /// if let Some(devices) = client.devices_without(team, "wardline.critical-result/1").await? {
    ///     println!("{} devices show it as text", devices.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn devices_without(
        &self,
        recipient: Recipient,
        type_uri: &str,
    ) -> Result<Option<Vec<(UserId, DeviceId)>>, Error> {
        let type_uri = type_uri.to_owned();
        self.look(move |step| audience::without_type(step, &recipient, &type_uri))
            .await
    }
}
