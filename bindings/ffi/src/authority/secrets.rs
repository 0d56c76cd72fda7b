//! The keys of an authority that no HSM holds.

use std::sync::Arc;

use wardline_org::authority::Secrets;

use crate::{WardlineError, secret::SecretBytes};

/// The root keys and the operational keys of an organization. Wiped when dropped.
#[derive(uniffi::Object)]
pub struct AuthoritySecrets {
    keys: Secrets,
}

#[uniffi::export]
impl AuthoritySecrets {
    /// Fresh keys: so many root keys, and one for each purpose.
    #[uniffi::constructor]
    pub fn generate(root_keys: u32) -> Result<Arc<Self>, WardlineError> {
        let count = usize::try_from(root_keys).unwrap_or(usize::MAX);
        let keys = Secrets::generate(count).map_err(wardline::Error::from)?;
        Ok(Arc::new(Self { keys }))
    }

    /// Reads stored keys.
    #[uniffi::constructor]
    pub fn load(stored: &SecretBytes) -> Result<Arc<Self>, WardlineError> {
        let keys = Secrets::from_bytes(stored.expose())
            .map_err(|error| WardlineError::unfit("stored", &error.to_string()))?;
        Ok(Arc::new(Self { keys }))
    }

    /// The keys as bytes. They are the secret itself: encrypt them before they are stored.
    pub fn store(&self) -> Arc<SecretBytes> {
        SecretBytes::of(&self.keys.to_bytes())
    }

    /// The same without the root keys: what an online authority holds.
    pub fn without_root(&self) -> Arc<Self> {
        Arc::new(Self {
            keys: self.keys.without_root(),
        })
    }
}

impl AuthoritySecrets {
    pub(crate) fn keys(&self) -> &Secrets {
        &self.keys
    }
}

impl std::fmt::Debug for AuthoritySecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthoritySecrets").finish_non_exhaustive()
    }
}
