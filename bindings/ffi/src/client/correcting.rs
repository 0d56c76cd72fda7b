//! Correcting what was written, reading what it said before, and proving to an outsider who wrote it.

use wardline::MessageRef;

use super::Client;
use crate::{amend::Version, error::WardlineError, ids::parse, structured::Structured};

#[uniffi::export]
impl Client {
    /// Corrects the text of a message of this person, with a reason. Everybody the message went to sees the new
    /// text in its place, and in `history` what it said before: a clinical correction, never a silent edit.
    /// Durable when it returns; returns the id of the correction, which `deliveries` knows. `message` is a
    /// reference, or what `send` returned on this device.
    ///
    /// Who has accepted the message before has accepted another text: `outdated` in `answers` says so. Nothing is
    /// asked again by itself.
    pub async fn amend(
        &self,
        message: String,
        text: String,
        reason: String,
    ) -> Result<String, WardlineError> {
        let message = self.named(&message)?;
        let amended = self.with(|core| async move {
            let correction = core.amend(message, &text, &reason).await?;
            Ok(correction.to_string())
        });
        amended.await
    }

    /// `amend` of a structured message, with the fields that are right: all of them, of the type that the message has.
    /// `text` is for devices that do not know the type; when it is empty, it is made of the fields.
    pub async fn amend_structured(
        &self,
        message: String,
        fields: Structured,
        text: String,
        reason: String,
    ) -> Result<String, WardlineError> {
        let message = self.named(&message)?;
        let fields = fields.try_into()?;
        let amended = self.with(|core| async move {
            let correction = core
                .amend_structured(message, fields, &text, &reason)
                .await?;
            Ok(correction.to_string())
        });
        amended.await
    }

    /// Every text that a message has had, oldest first; the last one is what it says now. `message` is a
    /// reference, or what `send` returned on this device.
    pub async fn history(&self, message: String) -> Result<Vec<Version>, WardlineError> {
        let message = self.named(&message)?;
        self.with(|core| async move {
            let versions = core.history(message).await?;
            Ok(versions.into_iter().map(Version::from).collect())
        })
        .await
    }

    /// A message and its corrections with everything that proves who wrote them, as a file for an outsider:
    /// whoever has a root document of the organization verifies it offline, with `wardline verify`. It holds the
    /// text and the patient in the clear: whoever gets it reads them. Asks the relay.
    ///
    /// A device that was revoked proves nothing more: export what must be proven later while its author's device
    /// is in use.
    pub async fn export_proof(&self, reference: String) -> Result<Vec<u8>, WardlineError> {
        let message: MessageRef = parse("reference", &reference)?;
        self.with(|core| async move { Ok(core.export_proof(message).await?.encode()) })
            .await
    }
}
