//! What an opened vault gives: the keys by what they open.
//!
//! How they come out of the file is `handle.rs`; how bodies are sealed with them is `body.rs`.

use hpke::{Deserializable, Kem as _, Serializable, kem::X25519HkdfSha256};

use super::{
    error::VaultError,
    secret::{DatabaseKey, InboxKey, KEY_LENGTH, ReadingKey, SALT_LENGTH, Secret},
};

/// What a locked device has: enough to receive, not enough to read.
pub struct InboxKeys {
    /// Opens `store.db`.
    pub store: DatabaseKey,
    /// Present when a change of the inbox key was not settled: opens `store.db` if
    /// [`store`](Self::store) does not. Whichever does is then told to
    /// [`Vault::settle_inbox_key`](super::Vault::settle_inbox_key).
    pub staged: Option<DatabaseKey>,
    /// Seals bodies that arrive while locked.
    pub reading: ReadingPublicKey,
}

opaque!(InboxKeys);

/// What a reading person has, and what lock drops: the body key, the key of `search.db` and the private
/// half of the reading key pair, all derived from the reading key.
///
/// Keep it in one place (an `Arc`), so that dropping it there is the lock.
pub struct ReadingKeys {
    pub(super) body: Secret,
    pub(super) private: Box<<X25519HkdfSha256 as hpke::Kem>::PrivateKey>,
    public: ReadingPublicKey,
    search: DatabaseKey,
}

impl ReadingKeys {
    pub(super) fn derive(key: &ReadingKey, salt: [u8; SALT_LENGTH]) -> Result<Self, VaultError> {
        let pair = key.0.derive(PAIR_DOMAIN)?;
        let (private, public) = X25519HkdfSha256::derive_keypair(pair.expose());
        Ok(Self {
            body: key.0.derive(BODY_DOMAIN)?,
            private: Box::new(private),
            public: ReadingPublicKey(public),
            search: DatabaseKey::new(key.0.derive(SEARCH_DOMAIN)?, salt),
        })
    }

    /// Opens `search.db`.
    pub fn search(&self) -> &DatabaseKey {
        &self.search
    }

    /// The public half of the key pair.
    pub fn public(&self) -> &ReadingPublicKey {
        &self.public
    }
}

opaque!(ReadingKeys);

/// The public half of the reading key pair (X25519): anybody who has it can seal, only a reading person
/// can open.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadingPublicKey(pub(super) <X25519HkdfSha256 as hpke::Kem>::PublicKey);

impl ReadingPublicKey {
    pub(super) fn from_bytes(bytes: &[u8; KEY_LENGTH]) -> Result<Self, VaultError> {
        Deserializable::from_bytes(bytes)
            .map(Self)
            .map_err(|_| VaultError::Damaged)
    }

    /// A key whose private half everybody can derive.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn for_tests() -> Self {
        Self(X25519HkdfSha256::derive_keypair(&[7; KEY_LENGTH]).1)
    }

    pub(super) fn to_bytes(&self) -> [u8; KEY_LENGTH] {
        self.0.to_bytes().into()
    }
}

opaque!(ReadingPublicKey);

/// The key of `store.db`.
pub(super) fn store_key(
    key: &InboxKey,
    salt: [u8; SALT_LENGTH],
) -> Result<DatabaseKey, VaultError> {
    Ok(DatabaseKey::new(key.0.derive(STORE_DOMAIN)?, salt))
}

const STORE_DOMAIN: &[u8] = b"wardline/v1/store-key";
const SEARCH_DOMAIN: &[u8] = b"wardline/v1/search-key";
const BODY_DOMAIN: &[u8] = b"wardline/v1/body-key";
const PAIR_DOMAIN: &[u8] = b"wardline/v1/reading-key-pair";
