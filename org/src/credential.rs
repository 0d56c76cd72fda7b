//! What a device says about itself: its owner, its two public keys and what it understands, signed
//! by its own signing key.
//!
//! A verified credential proves that whoever made it holds the signing key, and nothing about the
//! person: that the device belongs to its `user` is the directory's word
//! ([`entry`](crate::entry), [`trust`](crate::trust)).

use std::fmt;

use wardline_proto::{Message, v1};

use crate::{
    id::{DeviceId, OrgId, UserId},
    signer::{self, BadSignature, Signer},
    time::Timestamp,
    x25519,
};

/// Most capabilities a credential may list.
pub const MAX_CAPABILITIES: usize = 64;
/// Longest capability, in bytes.
pub const MAX_CAPABILITY: usize = 64;
/// Longest label, in bytes.
pub const MAX_LABEL: usize = 128;

/// What a device says about itself.
///
/// Two public keys, an owner, and what it understands. `Debug` shows no label.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The organization it enrolls with.
    pub org: OrgId,
    /// The person it belongs to.
    pub user: UserId,
    /// Its signing key.
    pub ed25519: [u8; 32],
    /// Its identity key for key agreement.
    pub curve25519: [u8; 32],
    /// Content types and protocol features it understands, such as `wardline.text/1`.
    pub capabilities: Vec<String>,
    /// What its owner calls it ("ward phone 3"); at most [`MAX_LABEL`] bytes.
    pub label: String,
    /// When it made its keys, by its own clock.
    pub created_at: Timestamp,
}

impl Credential {
    /// The id that follows from the keys.
    pub fn device_id(&self) -> DeviceId {
        DeviceId::from_keys(&self.ed25519, &self.curve25519)
    }

    /// Whether the device says that it understands a capability.
    pub fn supports(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|c| c == capability)
    }

    fn check(&self) -> Result<(), CredentialError> {
        if !signer::is_sound_key(&self.ed25519) || !x25519::is_sound_key(&self.curve25519) {
            return Err(CredentialError::WeakKey);
        }
        let capability = |c: &String| {
            (1..=MAX_CAPABILITY).contains(&c.len()) && c.bytes().all(|b| b.is_ascii_graphic())
        };
        if self.capabilities.len() > MAX_CAPABILITIES
            || !self.capabilities.iter().all(capability)
            || self.label.len() > MAX_LABEL
        {
            return Err(CredentialError::Malformed);
        }
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        v1::DeviceCredential {
            version: VERSION,
            organization: self.org.to_string(),
            user_id: self.user.to_string(),
            ed25519: self.ed25519.to_vec(),
            curve25519: self.curve25519.to_vec(),
            capabilities: self.capabilities.clone(),
            label: self.label.clone(),
            created_at_ms: self.created_at.as_millis(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, CredentialError> {
        let message =
            v1::DeviceCredential::decode(bytes).map_err(|_| CredentialError::Malformed)?;
        if message.version != VERSION {
            return Err(CredentialError::Version(message.version));
        }
        let key = |bytes: &[u8]| bytes.try_into().map_err(|_| CredentialError::Malformed);
        let credential = Self {
            org: OrgId::new(message.organization).map_err(|_| CredentialError::Malformed)?,
            user: UserId::new(message.user_id).map_err(|_| CredentialError::Malformed)?,
            ed25519: key(&message.ed25519)?,
            curve25519: key(&message.curve25519)?,
            capabilities: message.capabilities,
            label: message.label,
            created_at: Timestamp::from_millis(message.created_at_ms),
        };
        credential.check()?;
        Ok(credential)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("org", &self.org)
            .field("user", &self.user)
            .field("device", &self.device_id())
            .finish_non_exhaustive()
    }
}

/// A credential whose own signature has been checked, with the exact bytes that were signed.
///
/// The bytes are kept because a later version may add fields: what was signed travels on unchanged.
///
/// ```
/// use wardline_org::{Timestamp, credential::{Credential, SignedCredential}};
/// use wardline_org::signer::{Signer, SoftwareSigner};
///
/// let device = SoftwareSigner::generate()?;
/// let signed = SignedCredential::create(&device, Credential {
///     org: "mercy".parse()?,
///     user: "DR-CA-001".parse()?,
///     ed25519: device.public_key(),
///     curve25519: [9; 32],
///     capabilities: vec!["wardline.text/1".into()],
///     label: "ward phone".into(),
///     created_at: Timestamp::from_millis(0),
/// })?;
/// let read = SignedCredential::verify(signed.bytes(), signed.signature())?;
/// assert_eq!(read.device_id(), signed.device_id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCredential {
    credential: Credential,
    device_id: DeviceId,
    bytes: Vec<u8>,
    signature: [u8; 64],
}

impl SignedCredential {
    /// Signs a credential with the key that it names.
    pub fn create(signer: &dyn Signer, credential: Credential) -> Result<Self, CredentialError> {
        if signer.public_key() != credential.ed25519 {
            return Err(CredentialError::OtherKey);
        }
        credential.check()?;
        let bytes = credential.encode();
        let signature = signer::sign_tagged(signer, PURPOSE, &bytes);
        Ok(Self {
            device_id: credential.device_id(),
            credential,
            bytes,
            signature,
        })
    }

    /// Reads a credential and checks that its own key signed it.
    pub fn verify(bytes: &[u8], signature: &[u8]) -> Result<Self, CredentialError> {
        let read = Self::from_stored(bytes, signature)?;
        signer::verify_tagged(&read.credential.ed25519, PURPOSE, bytes, signature)?;
        Ok(read)
    }

    /// Reads a credential whose signature this program checked before it stored it.
    pub(crate) fn from_stored(bytes: &[u8], signature: &[u8]) -> Result<Self, CredentialError> {
        let credential = Credential::decode(bytes)?;
        let signature = signature.try_into().map_err(|_| BadSignature)?;
        Ok(Self {
            device_id: credential.device_id(),
            credential,
            bytes: bytes.to_vec(),
            signature,
        })
    }

    /// What the device says.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The id of the device.
    pub fn device_id(&self) -> DeviceId {
        self.device_id
    }

    /// The encoded `DeviceCredential`, exactly as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature by the credential's own signing key.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

/// Why a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A field is missing, too long or of the wrong shape.
    #[error("the credential is malformed: make it again with this SDK")]
    Malformed,
    /// A version that this build does not know.
    #[error("credential version {0} is unknown: update the software that reads it")]
    Version(u32),
    /// A key of small order, or one that is no point of its curve.
    #[error("the credential names a weak key: make the device's keys again")]
    WeakKey,
    /// The signer is not the key that the credential names.
    #[error("a credential is signed by the key it names: pass that device's signer")]
    OtherKey,
    /// Its own key did not sign it.
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
}

const VERSION: u32 = 1;
const PURPOSE: &str = "credential";
