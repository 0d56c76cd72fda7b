//! The keys a device leaves at the relay for others to reach it by, each signed by the device.
//!
//! The relay hands them out but cannot make or swap one: the signature binds the key to its device
//! and to its kind. Making, storing and using the private halves is the concern of the device.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use wardline_proto::v1;

use crate::{
    id::DeviceId,
    signer::{self, Signer},
    time::Timestamp,
    x25519,
};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrekeyKind {
    /// Starts one session and is handed out once.
    OneTime,
    /// Starts sessions while no one-time key is left; replaced from time to time.
    Fallback,
    /// The HPKE key that held envelopes are sealed to; replaced weekly.
    Hold,
}

impl PrekeyKind {
    fn tag(self) -> u8 {
        match self {
            Self::OneTime => 1,
            Self::Fallback => 2,
            Self::Hold => 3,
        }
    }
}

/// Signs one public key of a device for one use.
///
/// `created_at` is sent for a hold key, whose age its users check; pass `None` for the others.
pub fn sign_prekey(
    signer: &dyn Signer,
    device: DeviceId,
    kind: PrekeyKind,
    key: &[u8; 32],
    created_at: Option<Timestamp>,
) -> v1::SignedKey {
    let created_at_ms = created_at.unwrap_or_default().as_millis();
    let signature = signer.sign(&message(device, kind, key, created_at_ms));
    v1::SignedKey {
        key: key.to_vec(),
        signature: signature.to_vec(),
        created_at_ms,
    }
}

/// A key as it came from the relay, with the device that the directory says it should be of.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The device.
    pub device: DeviceId,
    /// The device's signing key, from its credential in the directory.
    pub signing_key: &'a [u8; 32],
    /// What the key is to be used for.
    pub kind: PrekeyKind,
    /// The key and its signature.
    pub key: &'a v1::SignedKey,
}

/// A key that its device signed for this kind of use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Prekey {
    /// The device.
    pub device: DeviceId,
    /// What the key is for.
    pub kind: PrekeyKind,
    /// The Curve25519 public key.
    pub key: [u8; 32],
    /// When a hold key was made, by its device's clock; the epoch for other kinds.
    pub created_at: Timestamp,
}

impl fmt::Debug for Prekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prekey")
            .field("device", &self.device)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Checks one key.
pub fn verify_prekey(claim: Claim<'_>) -> Result<Prekey, PrekeyError> {
    let parsed = Parsed::new(claim)?;
    signer::verify(claim.signing_key, &parsed.message, &claim.key.signature)
        .map_err(|_| PrekeyError::BadSignature)?;
    Ok(parsed.prekey)
}

/// Checks many keys, in about half the time of checking each by itself. The answers stand in the
/// order of the claims, so that one bad key costs one device and not the message.
pub fn verify_prekeys(claims: &[Claim<'_>]) -> Vec<Result<Prekey, PrekeyError>> {
    batch(claims)
        // Something does not match: find out what, strictly.
        .unwrap_or_else(|| claims.iter().map(|claim| verify_prekey(*claim)).collect())
}

/// All of them at once; `None` unless every claim is good.
fn batch(claims: &[Claim<'_>]) -> Option<Vec<Result<Prekey, PrekeyError>>> {
    let parsed: Vec<Parsed> = claims
        .iter()
        .map(|claim| Parsed::new(*claim).ok())
        .collect::<Option<_>>()?;
    let messages: Vec<&[u8]> = parsed.iter().map(|p| p.message.as_slice()).collect();
    let signatures: Vec<Signature> = claims
        .iter()
        .map(|claim| Signature::from_slice(&claim.key.signature).ok())
        .collect::<Option<_>>()?;
    let keys: Vec<VerifyingKey> = claims
        .iter()
        .map(|claim| {
            VerifyingKey::from_bytes(claim.signing_key)
                .ok()
                .filter(|k| !k.is_weak())
        })
        .collect::<Option<_>>()?;
    ed25519_dalek::verify_batch(&messages, &signatures, &keys).ok()?;
    Some(parsed.into_iter().map(|p| Ok(p.prekey)).collect())
}

struct Parsed {
    prekey: Prekey,
    message: Vec<u8>,
}

impl Parsed {
    fn new(claim: Claim<'_>) -> Result<Self, PrekeyError> {
        let key: [u8; 32] = claim
            .key
            .key
            .as_slice()
            .try_into()
            .map_err(|_| PrekeyError::Malformed)?;
        if !x25519::is_sound_key(&key) {
            return Err(PrekeyError::WeakKey);
        }
        let created_at = Timestamp::from_millis(claim.key.created_at_ms);
        Ok(Self {
            prekey: Prekey {
                device: claim.device,
                kind: claim.kind,
                key,
                created_at,
            },
            message: message(claim.device, claim.kind, &key, claim.key.created_at_ms),
        })
    }
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrekeyError {
    /// Not 32 bytes.
    #[error("the key is malformed: skip this device and claim again later")]
    Malformed,
    /// A point of small order, which agrees on a known secret.
    #[error("the key is weak: skip this device")]
    WeakKey,
    /// The device did not sign this key for this use.
    #[error("the device did not sign this key: skip it and report the relay")]
    BadSignature,
}

fn message(device: DeviceId, kind: PrekeyKind, key: &[u8; 32], created_at_ms: i64) -> Vec<u8> {
    let mut fields = Vec::with_capacity(57);
    fields.push(kind.tag());
    fields.extend_from_slice(device.as_bytes());
    fields.extend_from_slice(&created_at_ms.to_be_bytes());
    fields.extend_from_slice(key);
    signer::tagged("prekey", &fields)
}
