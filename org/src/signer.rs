//! Ed25519: who can sign, and how a signature is checked.
//!
//! A device's key lives inside its Olm account and an authority's may live in an HSM, so signing is
//! a trait. Checking is always *strict*: weak keys and malleable signatures are refused, so that
//! two checkers never disagree. What is signed, and under which purpose, is the concern of the
//! modules that define the statements.

use std::{fmt, sync::Arc};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::{hash::DOMAIN, random, random::RandomUnavailable};

/// Somebody who can sign with one Ed25519 key.
pub trait Signer: Send + Sync {
    /// The public key that checks this signer's signatures.
    fn public_key(&self) -> [u8; 32];

    /// The Ed25519 signature of exactly these bytes.
    ///
    /// Callers pass a message that states its own purpose; see [`sign_tagged`].
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

impl<T: Signer + ?Sized> Signer for Arc<T> {
    fn public_key(&self) -> [u8; 32] {
        (**self).public_key()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        (**self).sign(message)
    }
}

/// Signs `wardline/v1/<purpose>`, a zero byte, and the message.
pub fn sign_tagged(signer: &dyn Signer, purpose: &'static str, message: &[u8]) -> [u8; 64] {
    signer.sign(&tagged(purpose, message))
}

/// Checks a signature made by [`sign_tagged`] for the same purpose.
pub fn verify_tagged(
    public_key: &[u8; 32],
    purpose: &'static str,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    verify(public_key, &tagged(purpose, message), signature)
}

/// Checks an Ed25519 signature of exactly these bytes, strictly (RFC 8032 with canonical encodings
/// and no small-order key or nonce point).
pub fn verify(public_key: &[u8; 32], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    let key = VerifyingKey::from_bytes(public_key).map_err(|_| BadSignature)?;
    let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
    key.verify_strict(message, &signature)
        .map_err(|_| BadSignature)
}

/// A signature with what it is claimed to be of.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The key that is said to have signed.
    pub public_key: [u8; 32],
    /// What it is said to have signed for; see [`sign_tagged`].
    pub purpose: &'static str,
    /// What it is said to have signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// Checks many signatures together, in about half the time of checking each by itself. The answers
/// stand in the order of the claims; when one is bad, each is judged by itself, strictly.
pub fn verify_many(claims: &[Signed<'_>]) -> Vec<Result<(), BadSignature>> {
    if claims.len() > 1 && verify_together(claims).is_some() {
        return vec![Ok(()); claims.len()];
    }
    claims
        .iter()
        .map(|claim| {
            verify_tagged(
                &claim.public_key,
                claim.purpose,
                claim.message,
                claim.signature,
            )
        })
        .collect()
}

/// All of them at once; `None` unless every claim is good.
fn verify_together(claims: &[Signed<'_>]) -> Option<()> {
    let mut messages = Vec::with_capacity(claims.len());
    let mut signatures = Vec::with_capacity(claims.len());
    let mut keys = Vec::with_capacity(claims.len());
    for claim in claims {
        messages.push(tagged(claim.purpose, claim.message));
        signatures.push(Signature::from_slice(claim.signature).ok()?);
        keys.push(
            VerifyingKey::from_bytes(&claim.public_key)
                .ok()
                .filter(|key| !key.is_weak())?,
        );
    }
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    ed25519_dalek::verify_batch(&messages, &signatures, &keys).ok()
}

/// Whether the bytes are an Ed25519 public key that only its owner can sign for: a point of the
/// curve, canonically encoded, not of small order.
pub fn is_sound_key(public_key: &[u8; 32]) -> bool {
    VerifyingKey::from_bytes(public_key)
        .is_ok_and(|key| !key.is_weak() && key.to_edwards().compress().as_bytes() == public_key)
}

/// The message under its purpose, as it is signed.
pub(crate) fn tagged(purpose: &'static str, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DOMAIN.len() + purpose.len() + 1 + message.len());
    bytes.extend_from_slice(DOMAIN.as_bytes());
    bytes.extend_from_slice(purpose.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(message);
    bytes
}

/// The signature does not belong to this key and message, or the key or signature is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match: refuse the statement")]
pub struct BadSignature;

/// A key held in memory, erased when dropped: for an authority without an HSM, and for tests.
///
/// ```
/// use wardline_org::signer::{self, Signer, SoftwareSigner};
///
/// let signer = SoftwareSigner::generate()?;
/// let signature = signer::sign_tagged(&signer, "example", b"words");
/// signer::verify_tagged(&signer.public_key(), "example", b"words", &signature)?;
/// assert!(signer::verify_tagged(&signer.public_key(), "other", b"words", &signature).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SoftwareSigner(SigningKey);

impl SoftwareSigner {
    /// A fresh random key.
    pub fn generate() -> Result<Self, RandomUnavailable> {
        Ok(Self::from_seed(&Zeroizing::new(random::bytes()?)))
    }

    /// The key of a 32-byte seed (the private key of RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, to keep it in a safe place. It is the secret itself.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl Signer for SoftwareSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareSigner").finish_non_exhaustive()
    }
}
