//! The bytes of the file `vault`: what is in it, and the two checks around it.
//!
//! ```text
//! magic      8 bytes   "WLVAULT\0"
//! version    4 bytes   big-endian
//! checksum  32 bytes   SHA-256 of everything else: tells a damaged file from an edited one
//! seal      32 bytes   HMAC-SHA256 of magic, version and contents under a key from the inbox key
//! contents             MessagePack, fields by name
//! ```
//!
//! The seal is what makes the file one thing: parameters, public key and wrapped keys of another vault
//! cannot be moved in by anybody who does not have the inbox key. Whoever has it can write a whole
//! vault, but none that the person's passphrase opens to the same reading key.
//!
//! MessagePack and not JSON, because a byte string has one form only in it: there is no second spelling
//! of a file (letter case, padding, spaces) that passes for it. By name and not by position, so that a
//! field is never taken for its neighbour. A new field is a new version.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::{
    error::VaultError,
    key_store::MAX_WRAPPED,
    secret::{InboxKey, KEY_LENGTH, SALT_LENGTH},
    stretch::Argon2Params,
};

/// What a vault holds. Nothing here is secret by itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    /// Random: what is sealed in this vault names it, so that it opens in no other.
    pub(super) id: Bytes<ID_LENGTH>,
    /// For SQLCipher.
    pub(super) salt: Bytes<SALT_LENGTH>,
    pub(super) inbox: Wrapped,
    /// Present from the moment a change of the inbox key begins until it is settled.
    pub(super) next_inbox: Option<Wrapped>,
    pub(super) reading: ReadingSlot,
    /// The reading key, wrapped by the key store for presence.
    pub(super) presence: Option<Wrapped>,
}

/// The reading key behind passphrase and platform share.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadingSlot {
    pub(super) params: Argon2Params,
    /// For Argon2id and HKDF.
    pub(super) salt: Bytes<SALT_LENGTH>,
    /// The platform's share, wrapped by the key store.
    pub(super) share: Wrapped,
    /// The reading key under the key that passphrase and share make.
    pub(super) sealed: Wrapped,
    /// What bodies that arrive while locked are sealed to.
    pub(super) public: Bytes<KEY_LENGTH>,
}

/// A file whose bytes are intact, but of which it is not known yet who wrote it.
pub(super) struct Unproven {
    contents: Contents,
    sealed: Vec<u8>,
    seal: [u8; SEAL_LENGTH],
}

impl Unproven {
    /// Takes a file apart.
    pub(super) fn parse(file: &[u8]) -> Result<Self, VaultError> {
        let (magic, rest) = file.split_at_checked(MAGIC.len()).unwrap_or((file, &[]));
        if !MAGIC.starts_with(magic) {
            return Err(VaultError::Foreign);
        }
        let (version, rest) = rest.split_first_chunk().ok_or(VaultError::Damaged)?;
        match u32::from_be_bytes(*version) {
            VERSION => {}
            // There is no version before the first.
            0 => return Err(VaultError::Damaged),
            found => return Err(VaultError::Newer { found }),
        }
        let (sum, rest) = rest.split_first_chunk().ok_or(VaultError::Damaged)?;
        let (seal, contents) = rest.split_first_chunk().ok_or(VaultError::Damaged)?;
        if checksum(seal, contents) != *sum {
            return Err(VaultError::Damaged);
        }
        let parsed: Contents = rmp_serde::from_slice(contents).map_err(|_| VaultError::Damaged)?;
        Ok(Self {
            contents: parsed,
            sealed: contents.to_vec(),
            seal: *seal,
        })
    }

    /// The wrapped inbox key, which proves the rest.
    pub(super) fn inbox(&self) -> &Wrapped {
        &self.contents.inbox
    }

    /// The contents, if they were written under `key`.
    pub(super) fn prove(self, key: &InboxKey) -> Result<Contents, VaultError> {
        let mac = sealing(key, &self.sealed)?;
        mac.verify_slice(&self.seal)
            .map_err(|_| VaultError::Tampered)?;
        Ok(self.contents)
    }
}

impl Contents {
    /// The file, sealed under `key`, which is the one that [`inbox`](Self::inbox) wraps.
    pub(super) fn to_file(&self, key: &InboxKey) -> Result<Vec<u8>, VaultError> {
        let contents = encode(self)?;
        let seal: [u8; SEAL_LENGTH] = sealing(key, &contents)?.finalize().into_bytes().into();
        let sum = checksum(&seal, &contents);
        Ok([&MAGIC[..], &VERSION.to_be_bytes(), &sum, &seal, &contents].concat())
    }

    /// What binds a sealed key to this vault and format: goes into HKDF and associated data.
    pub(super) fn binding(&self, domain: &[u8]) -> Vec<u8> {
        [domain, &VERSION.to_be_bytes(), &self.id.0].concat()
    }
}

/// A fixed number of bytes, written as one byte string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        let wrong_length = |_| de::Error::invalid_length(bytes.len(), &"another length");
        bytes.try_into().map(Self).map_err(wrong_length)
    }
}

/// Bytes that only a key opens.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wrapped(pub(super) Vec<u8>);

impl Serialize for Wrapped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Wrapped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(<&[u8]>::deserialize(deserializer)?.to_vec()))
    }
}

fn encode(contents: &Contents) -> Result<Vec<u8>, VaultError> {
    rmp_serde::to_vec_named(contents).map_err(|_| VaultError::Internal)
}

fn checksum(seal: &[u8; SEAL_LENGTH], contents: &[u8]) -> [u8; SUM_LENGTH] {
    Sha256::new()
        .chain_update(SUM_DOMAIN)
        .chain_update(MAGIC)
        .chain_update(VERSION.to_be_bytes())
        .chain_update(seal)
        .chain_update(contents)
        .finalize()
        .into()
}

fn sealing(key: &InboxKey, contents: &[u8]) -> Result<Hmac<Sha256>, VaultError> {
    let key = key.0.derive(SEAL_DOMAIN)?;
    let mac = Hmac::<Sha256>::new_from_slice(key.expose()).map_err(|_| VaultError::Internal)?;
    Ok(mac
        .chain_update(MAGIC)
        .chain_update(VERSION.to_be_bytes())
        .chain_update(contents))
}

/// The longest file: four wrapped keys and the rest.
pub(super) const MAX_FILE: usize = 4 * MAX_WRAPPED + 4096;
pub(super) const ID_LENGTH: usize = 16;

const MAGIC: [u8; 8] = *b"WLVAULT\0";
const VERSION: u32 = 1;
const SEAL_LENGTH: usize = 32;
const SUM_LENGTH: usize = 32;
const SEAL_DOMAIN: &[u8] = b"wardline/v1/vault-seal";
const SUM_DOMAIN: &[u8] = b"wardline/v1/vault-checksum\0";
