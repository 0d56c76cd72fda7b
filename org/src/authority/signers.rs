//! The operational keys of an authority, wherever they live.

use std::{collections::HashMap, fmt, sync::Arc};

use super::AuthorityError;
use crate::{
    root::{Purpose, Root},
    signer::Signer,
};

/// The operational keys that an authority signs with, in memory or behind an HSM.
#[derive(Clone, Default)]
pub struct Signers(HashMap<Purpose, Arc<dyn Signer>>);

impl Signers {
    /// Adds, or replaces, the key of one purpose.
    #[must_use]
    pub fn with(mut self, purpose: Purpose, signer: Arc<dyn Signer>) -> Self {
        self.0.insert(purpose, signer);
        self
    }

    /// The key of one purpose.
    pub fn get(&self, purpose: Purpose) -> Option<&Arc<dyn Signer>> {
        self.0.get(&purpose)
    }

    /// The key of one purpose that there must be.
    pub(super) fn require(&self, purpose: Purpose) -> Result<&Arc<dyn Signer>, AuthorityError> {
        self.get(purpose).ok_or(AuthorityError::MissingKey(purpose))
    }

    /// The public keys, in the order of a root document.
    pub(super) fn public_keys(&self) -> Vec<(Purpose, [u8; 32])> {
        let key = |purpose| Some((purpose, self.get(purpose)?.public_key()));
        Purpose::ALL.into_iter().filter_map(key).collect()
    }

    /// Whether every key is one that this root document names for its purpose; otherwise the purpose
    /// of one that is not.
    pub(super) fn check(&self, root: &Root) -> Result<(), Purpose> {
        let named = |purpose, key: &[u8; 32]| root.keys(purpose).any(|k| k == key);
        match self
            .public_keys()
            .iter()
            .find(|(purpose, key)| !named(*purpose, key))
        {
            Some((purpose, _)) => Err(*purpose),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
