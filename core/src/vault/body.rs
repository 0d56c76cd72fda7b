//! Sealing of message bodies and of everything else that only a reading person may see.
//!
//! Each sealed body stands alone in its row and is bound to it: the associated data is
//! `domain || length of kind || kind || row id`, so that a body moved to another row, or to another
//! column of the same row, does not open. There are two forms, told apart by their first byte:
//!
//! ```text
//! 1  reading  nonce(24) ciphertext tag(16)                      XChaCha20-Poly1305 under the body key
//! 2  locked   encapsulated key(32) nonce(24) ciphertext tag(16) XChaCha20-Poly1305 under a batch key
//! ```
//!
//! The **batch key** comes from one HPKE context (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256, ChaCha20-Poly1305): the sender side is set up once per batch to the reading public key,
//! and the key is that context's *secret export* (section 5.3) under a label of its own. The private half is
//! needed to set up the receiver side, so whoever sealed the batch cannot open it again once the
//! sealer is dropped. One batch therefore costs one encapsulation (about 100 µs) however many bodies it
//! has, and every body carries the encapsulated key, so that none depends on a neighbour. Bodies of one
//! batch share a key but never a nonce: each draws 192 random bits.
//!
//! Form 2 proves nothing about who sealed: anybody with the public key can. Who wrote a message is
//! proven by its author's signature inside, and the row is protected by SQLCipher. Neither form
//! hides the length of a body, nor notices that an older body of the *same* row was put back.

use std::borrow::Cow;

use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256, setup_receiver, setup_sender,
};
use zeroize::Zeroizing;

use super::{
    aead,
    error::VaultError,
    keys::{ReadingKeys, ReadingPublicKey},
    secret::{KEY_LENGTH, Secret},
};

/// Where a sealed body lives, and the only place where it opens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BodyPlace<'a> {
    kind: &'static str,
    row: &'a [u8],
}

opaque!(BodyPlace<'_>);

impl<'a> BodyPlace<'a> {
    /// `kind` names table and column (`"message.body"`) and never changes once bodies are stored;
    /// `row` is the id of the row.
    pub fn new(kind: &'static str, row: &'a [u8]) -> Self {
        Self { kind, row }
    }

    fn associated(&self) -> Vec<u8> {
        let kind_length = u64::try_from(self.kind.len())
            .unwrap_or(u64::MAX)
            .to_be_bytes();
        [DOMAIN, &kind_length, self.kind.as_bytes(), self.row].concat()
    }
}

/// Whether a sealed body has the form of a locked device.
pub(crate) fn is_locked_form(sealed: &[u8]) -> bool {
    sealed.first() == Some(&LOCKED)
}

/// Seals the bodies of one batch (one transaction), in either form. Drop it with the batch.
///
/// ```
/// use std::sync::Arc;
/// use wardline::vault::{Argon2Params, BodyPlace, BodySealer, FileKeyStore, Passphrase, Vault};
///
/// # let dir = tempfile::tempdir()?;
/// # let key_store = Arc::new(FileKeyStore::open(dir.path().join("keys"))?);
/// # let vault = Vault::at(dir.path(), key_store);
/// # let passphrase = Passphrase::new("correct horse battery staple")?;
/// # vault.create(&passphrase, Argon2Params::FLOOR)?;
/// let place = BodyPlace::new("message.body", b"row 17");
///
/// // In a pocket: sealed with what a locked device has.
/// let sealer = BodySealer::locked_batch(&vault.open()?.reading)?;
/// let sealed = sealer.seal(place, b"Potassium 6.8 mmol/l")?;
///
/// // In a hand.
/// let keys = vault.unlock(&passphrase)?.keys;
/// assert_eq!(**keys.open_body(place, &sealed)?, *b"Potassium 6.8 mmol/l");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BodySealer<'k> {
    key: KeyOf<'k>,
    /// Form tag, and in the locked form the encapsulated key.
    header: Vec<u8>,
}

opaque!(BodySealer<'_>);

impl<'k> BodySealer<'k> {
    /// Seals under the body key, while a person reads.
    pub fn reading(keys: &'k ReadingKeys) -> Self {
        Self {
            key: KeyOf::Reader(&keys.body),
            header: vec![READING],
        }
    }

    /// Seals to the reading public key, while the device is locked: does one encapsulation, for all
    /// bodies of the batch.
    ///
    /// # Errors
    ///
    /// [`VaultError::Tampered`] when the public key is one that no private key belongs to.
    pub fn locked_batch(reader: &ReadingPublicKey) -> Result<BodySealer<'static>, VaultError> {
        let (encapsulated, context) =
            setup_sender::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &reader.0,
                HPKE_INFO,
            )
            .map_err(|_| VaultError::Tampered)?;
        let mut key = Secret::zero();
        context
            .export(BATCH_KEY, key.expose_mut())
            .map_err(|_| VaultError::Internal)?;
        let header = [&[LOCKED][..], &encapsulated.to_bytes()].concat();
        Ok(BodySealer {
            key: KeyOf::Batch(key),
            header,
        })
    }

    /// `body` sealed for `place`: 41 bytes longer while reading, 73 while locked.
    ///
    /// # Errors
    ///
    /// [`VaultError::NoRandomness`].
    pub fn seal(&self, place: BodyPlace<'_>, body: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut sealed = Vec::with_capacity(self.header.len() + aead::OVERHEAD + body.len());
        sealed.extend_from_slice(&self.header);
        let key = match &self.key {
            KeyOf::Reader(key) => key,
            KeyOf::Batch(key) => key,
        };
        aead::seal(key, &place.associated(), body, &mut sealed)?;
        Ok(sealed)
    }
}

enum KeyOf<'k> {
    Reader(&'k Secret),
    Batch(Secret),
}

/// Opens bodies of both forms, and turns the locked form into the other.
///
/// It remembers the key of the last batch, so that a backlog that arrived together opens for one
/// decapsulation: make one for a whole run over the rows.
pub struct BodyOpener<'k> {
    keys: &'k ReadingKeys,
    last_batch: Option<([u8; KEY_LENGTH], Secret)>,
}

opaque!(BodyOpener<'_>);

impl<'k> BodyOpener<'k> {
    /// With nothing remembered.
    pub fn new(keys: &'k ReadingKeys) -> Self {
        Self {
            keys,
            last_batch: None,
        }
    }

    /// The body that was sealed for `place`.
    ///
    /// # Errors
    ///
    /// [`BodyError`].
    pub fn open(
        &mut self,
        place: BodyPlace<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        let (form, rest) = sealed.split_first().ok_or(BodyError::NotHere)?;
        let (key, text) = match *form {
            READING => (&self.keys.body, rest),
            LOCKED => {
                let (batch, text) = rest.split_first_chunk().ok_or(BodyError::NotHere)?;
                (self.batch_key(batch)?, text)
            }
            form => return Err(BodyError::UnknownForm { form }),
        };
        aead::open(key, &place.associated(), text).ok_or(BodyError::NotHere)
    }

    /// The same body in the reading form, for a row that arrived while locked; borrowed when it has
    /// that form already, so that nothing needs to be written.
    ///
    /// # Errors
    ///
    /// [`BodyError`] for a body in the locked form that does not open.
    pub fn reseal<'s>(
        &mut self,
        place: BodyPlace<'_>,
        sealed: &'s [u8],
    ) -> Result<Cow<'s, [u8]>, BodyError> {
        if sealed.first() == Some(&READING) {
            return Ok(Cow::Borrowed(sealed));
        }
        let body = self.open(place, sealed)?;
        Ok(Cow::Owned(
            BodySealer::reading(self.keys).seal(place, &body)?,
        ))
    }

    fn batch_key(&mut self, batch: &[u8; KEY_LENGTH]) -> Result<&Secret, BodyError> {
        let known = self.last_batch.take().filter(|(known, _)| known == batch);
        let key = match known {
            Some((_, key)) => key,
            None => self.decapsulate(batch)?,
        };
        Ok(&self.last_batch.insert((*batch, key)).1)
    }

    fn decapsulate(&self, batch: &[u8; KEY_LENGTH]) -> Result<Secret, BodyError> {
        let encapsulated = Deserializable::from_bytes(batch).map_err(|_| BodyError::NotHere)?;
        let context = setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.keys.private,
            &encapsulated,
            HPKE_INFO,
        )
        .map_err(|_| BodyError::NotHere)?;
        let mut key = Secret::zero();
        context
            .export(BATCH_KEY, key.expose_mut())
            .map_err(|_| VaultError::Internal)?;
        Ok(key)
    }
}

impl ReadingKeys {
    /// Opens one body; for many, a [`BodyOpener`] is faster.
    ///
    /// # Errors
    ///
    /// [`BodyError`].
    pub fn open_body(
        &self,
        place: BodyPlace<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        BodyOpener::new(self).open(place, sealed)
    }
}

/// Why a sealed body did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// `WL-VAULT-BODY-NOT-HERE`: it was sealed for another place or by another vault, or its bytes
    /// changed. The text is lost unless the sender seals the message again.
    #[error("the body was not sealed for this row, or is damaged; ask the sender to seal it again")]
    NotHere,
    /// `WL-VAULT-BODY-UNKNOWN-FORM`: a newer version of the SDK sealed it. Update the app.
    #[error("the body has form {form}, which this version does not know; update the app")]
    UnknownForm {
        /// The form's tag.
        form: u8,
    },
    /// See the inner error.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl BodyError {
    /// The stable code that hosts show, translate and report.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotHere => "WL-VAULT-BODY-NOT-HERE",
            Self::UnknownForm { .. } => "WL-VAULT-BODY-UNKNOWN-FORM",
            Self::Vault(error) => error.code(),
        }
    }

    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Vault(error) if error.retryable())
    }
}

const READING: u8 = 1;
const LOCKED: u8 = 2;
const DOMAIN: &[u8] = b"wardline/v1/body\0";
const HPKE_INFO: &[u8] = b"wardline/v1/body-hpke";
const BATCH_KEY: &[u8] = b"wardline/v1/body-batch-key";
