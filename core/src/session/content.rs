//! A content: signed by its author's device, padded, encrypted once under a key of its own.
//!
//! The signature is inside: who received a message can prove later, offline, who wrote it. The key
//! is fresh for every content, so the nonce may be constant; the hash of the ciphertext travels
//! sealed, so the relay cannot swap it.
//!
//! Not its concern: who may write to whom, and how the key reaches a device (`seal`).

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{AeadInOut, Buffer},
};
use wardline_org::{Hash, Signer, signer::sign_tagged};
use wardline_proto::{Message, v1};
use zeroize::Zeroizing;

use super::{
    OpenFailure,
    padding::{CONTENT_FLOOR, pad, unpad},
};

/// The key of one content. Opaque, and gone from memory when dropped.
#[derive(Clone)]
pub(crate) struct ContentKey(Zeroizing<[u8; 32]>);

/// A content as the relay carries it.
pub(crate) struct SealedContent {
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) key: ContentKey,
    /// SHA-256 of the ciphertext.
    pub(crate) hash: Hash,
}

impl ContentKey {
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes
            .try_into()
            .ok()
            .map(|key: [u8; 32]| Self(Zeroizing::new(key)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Encrypts a signed content. The same bytes under the same key give the same ciphertext, which
    /// is what lets a message be sealed again for a device that lost its session.
    pub(crate) fn seal(self, signed: &v1::SignedContent) -> Option<SealedContent> {
        let mut buffer = pad(signed.encode_to_vec(), CONTENT_FLOOR);
        self.cipher()
            .encrypt_in_place(&NONCE.into(), ASSOCIATED, &mut buffer)
            .ok()?;
        let hash = Hash::of(&buffer);
        Some(SealedContent {
            ciphertext: buffer,
            key: self,
            hash,
        })
    }

    /// Decrypts a ciphertext after checking that it is the one its sealed key speaks of.
    pub(crate) fn open(
        &self,
        ciphertext: &[u8],
        hash: Hash,
    ) -> Result<v1::SignedContent, OpenFailure> {
        if Hash::of(ciphertext) != hash {
            return Err(OpenFailure::ContentAltered);
        }
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        self.cipher()
            .decrypt_in_place(&NONCE.into(), ASSOCIATED, &mut *buffer as &mut dyn Buffer)
            .map_err(|_| OpenFailure::ContentAltered)?;
        let encoded = unpad(&buffer).ok_or(OpenFailure::Malformed)?;
        v1::SignedContent::decode(encoded).map_err(|_| OpenFailure::Malformed)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(self.0.as_slice().try_into().unwrap_or(&[0; 32].into()))
    }
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentKey").finish_non_exhaustive()
    }
}

/// Puts the author's signature under an encoded content.
pub(crate) fn sign(signer: &dyn Signer, content: &v1::Content) -> v1::SignedContent {
    let content = content.encode_to_vec();
    let signature = sign_tagged(signer, SIGNATURE_PURPOSE, &content).to_vec();
    v1::SignedContent { content, signature }
}

/// What [`sign`] signs under; a verifier of an exported message needs it.
pub(crate) const SIGNATURE_PURPOSE: &str = wardline_org::proof::CONTENT_PURPOSE;
/// Keys are used once, so the nonce has nothing to distinguish.
const NONCE: [u8; 12] = [0; 12];
const ASSOCIATED: &[u8] = b"wardline/v1/content";
