//! XChaCha20-Poly1305 with a random nonce in front: the one way bytes are sealed at rest.
//!
//! The nonce has 192 bits, so that drawing it at random never repeats one, however many bodies a key
//! seals. What the associated data must bind is the caller's concern.

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{error::VaultError, secret::Secret};

/// Appends nonce, ciphertext and tag to `out`.
pub(super) fn seal(
    key: &Secret,
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), VaultError> {
    out.reserve_exact(OVERHEAD + plaintext.len());
    let mut nonce = [0; NONCE_LENGTH];
    getrandom::fill(&mut nonce).map_err(|_| VaultError::NoRandomness)?;
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let text = out.get_mut(start..).ok_or(VaultError::Internal)?;
    let tag = XChaCha20Poly1305::new(key.expose().into())
        .encrypt_inout_detached(&XNonce::from(nonce), aad, text.into())
        .map_err(|_| VaultError::Internal)?;
    out.extend_from_slice(&tag);
    Ok(())
}

/// What `sealed` (nonce, ciphertext and tag) holds; `None` when the key, the associated data or the
/// bytes are not those it was sealed with.
pub(super) fn open(key: &Secret, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LENGTH>()?;
    let mut text = Zeroizing::new(text.to_vec());
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt_in_place(&XNonce::from(*nonce), aad, &mut *text)
        .ok()?;
    Some(text)
}

/// Bytes that sealing adds.
pub(super) const OVERHEAD: usize = NONCE_LENGTH + TAG_LENGTH;

const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
