//! The authority's keys when no HSM holds them: one for each purpose, and the root keys.
//!
//! They are kept apart from the authority's state, which is public. Where the bytes are stored, and
//! that the root keys go offline after founding, is the operator's concern.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Signers;
use crate::{
    random::RandomUnavailable,
    root::{MAX_KEYS, Purpose},
    signer::{Signer, SoftwareSigner},
};

/// Software keys of an organization. Erased when dropped; `Debug` shows nothing.
///
/// ```
/// use wardline_org::authority::Secrets;
///
/// let secrets = Secrets::generate(3)?;
/// let stored = secrets.to_bytes(); // encrypt and store; erased from memory when dropped
/// let loaded = Secrets::from_bytes(&stored)?;
/// assert_eq!(loaded.without_root().root_signers().len(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Secrets {
    root: Vec<SoftwareSigner>,
    operational: Vec<(Purpose, SoftwareSigner)>,
}

impl Secrets {
    /// Fresh keys: this many root keys, and one for each purpose.
    pub fn generate(root_keys: usize) -> Result<Self, RandomUnavailable> {
        let fresh = |_| SoftwareSigner::generate();
        let operational = Purpose::ALL
            .into_iter()
            .map(|purpose| Ok((purpose, SoftwareSigner::generate()?)));
        Ok(Self {
            root: (0..root_keys.clamp(1, MAX_KEYS))
                .map(fresh)
                .collect::<Result<_, _>>()?,
            operational: operational.collect::<Result<_, _>>()?,
        })
    }

    /// The same without the root keys: what an online authority holds.
    #[must_use]
    pub fn without_root(&self) -> Self {
        Self {
            root: Vec::new(),
            operational: self.operational.clone(),
        }
    }

    /// The root keys that are there.
    pub fn root_signers(&self) -> Vec<Arc<dyn Signer>> {
        self.root
            .iter()
            .map(|key| Arc::new(key.clone()) as Arc<dyn Signer>)
            .collect()
    }

    /// The operational keys, to sign with.
    pub fn signers(&self) -> Signers {
        self.operational
            .iter()
            .fold(Signers::default(), |signers, (purpose, key)| {
                signers.with(*purpose, Arc::new(key.clone()))
            })
    }

    /// The keys as bytes. They are the secret itself: encrypt them before they are stored.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let stored = Stored {
            version: VERSION,
            root: self.root.iter().map(|key| *key.seed()).collect(),
            operational: self
                .operational
                .iter()
                .map(|(purpose, key)| Named {
                    purpose: purpose.as_str().to_owned(),
                    seed: *key.seed(),
                })
                .collect(),
        };
        // Reserved in full, so that no smaller copy is left behind while it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        // Writing numbers to memory cannot fail; nothing at all is refused when read back.
        if serde_json::to_writer(&mut *bytes, &stored).is_err() {
            bytes.clear();
        }
        bytes
    }

    /// Reads [`Secrets::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretsError> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| SecretsError)?;
        if stored.version != VERSION {
            return Err(SecretsError);
        }
        let operational = stored.operational.iter().map(|named| {
            let purpose = Purpose::ALL
                .into_iter()
                .find(|p| p.as_str() == named.purpose);
            Ok((
                purpose.ok_or(SecretsError)?,
                SoftwareSigner::from_seed(&named.seed),
            ))
        });
        Ok(Self {
            root: stored.root.iter().map(SoftwareSigner::from_seed).collect(),
            operational: operational.collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// The bytes are not stored authority keys. The cause is not told: it could quote a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the keys of an authority: check that they were decrypted")]
pub struct SecretsError;

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Stored {
    version: u32,
    root: Vec<[u8; 32]>,
    operational: Vec<Named>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Named {
    purpose: String,
    seed: [u8; 32],
}

const VERSION: u32 = 1;
