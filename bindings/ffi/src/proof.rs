//! Verifying, offline and with public keys only, who wrote a message that was handed to an outsider.
//!
//! Making such a file is a device's (`Client::export_proof`).

use wardline_org::proof;

use crate::{error::WardlineError, ids::parse};

/// What a proof that holds says.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct ProvenMessage {
    /// The organization that stands behind the author's device.
    pub organization: String,
    /// Who wrote it.
    pub author: String,
    /// What the organization calls them.
    pub display_name: String,
    /// On which device.
    pub device: String,
    /// What that calls itself.
    pub device_label: String,
    /// When, by the author's clock, in milliseconds since 1970.
    pub written_at_ms: i64,
    /// What it said first; of a type other than a text, what anybody can read of it.
    pub text: String,
    /// What it was corrected to, in the order in which the corrections stand.
    pub corrections: Vec<ProvenCorrection>,
    /// The version of the directory head that it is proven under.
    pub head_version: u64,
    /// When that was made, by the authority's clock.
    pub head_issued_at_ms: i64,
}

/// A correction by the author of a message.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct ProvenCorrection {
    /// On which device of theirs.
    pub device: String,
    /// When, by that device's clock, in milliseconds since 1970.
    pub written_at_ms: i64,
    /// What the message said from then on.
    pub text: String,
    /// Why; may be empty.
    pub reason: String,
}

/// Whether a proof holds for whoever believes the root document with this hash (the one that apps pin, or any later
/// one that the proof leads over), and what it says.
#[uniffi::export]
pub fn verify_proof(proof: &[u8], root: &str) -> Result<ProvenMessage, WardlineError> {
    let root = parse("root", root)?;
    let verified = proof::MessageProof::parse(proof).and_then(|proof| proof.verify(&root));
    Ok(verified.map_err(wardline::Error::from)?.into())
}

impl From<proof::ProvenMessage> for ProvenMessage {
    fn from(proven: proof::ProvenMessage) -> Self {
        let corrections = proven.corrections.into_iter();
        Self {
            organization: proven.organization.to_string(),
            author: proven.author.to_string(),
            display_name: proven.display_name,
            device: proven.device.to_string(),
            device_label: proven.device_label,
            written_at_ms: proven.written_at.as_millis(),
            text: proven.text,
            corrections: corrections.map(ProvenCorrection::from).collect(),
            head_version: proven.head_version,
            head_issued_at_ms: proven.head_issued_at.as_millis(),
        }
    }
}

impl From<proof::ProvenCorrection> for ProvenCorrection {
    fn from(correction: proof::ProvenCorrection) -> Self {
        Self {
            device: correction.device.to_string(),
            written_at_ms: correction.written_at.as_millis(),
            text: correction.text,
            reason: correction.reason,
        }
    }
}

/// Shows which head, nothing of what was written, and by whom.
impl std::fmt::Debug for ProvenMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProvenMessage")
            .field("device", &self.device)
            .field("head_version", &self.head_version)
            .finish_non_exhaustive()
    }
}

/// Shows when, nothing of what was written.
impl std::fmt::Debug for ProvenCorrection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProvenCorrection")
            .field("written_at_ms", &self.written_at_ms)
            .finish_non_exhaustive()
    }
}
