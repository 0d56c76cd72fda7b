//! Secrets as objects: records are copied through buffers that nobody wipes.

use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::error::WardlineError;

/// What a person types to read: a PIN, a password or a passphrase.
///
/// May be used for several calls. It is wiped when it is dropped, or at once by `wipe`.
#[derive(uniffi::Object)]
pub struct Passphrase {
    text: Mutex<Zeroizing<String>>,
}

#[uniffi::export]
impl Passphrase {
    /// From UTF-8 bytes, so that a host can wipe its own copy.
    #[uniffi::constructor]
    pub fn new(utf8: &[u8]) -> Result<Arc<Self>, WardlineError> {
        let text = std::str::from_utf8(utf8).map_err(|_| WardlineError::argument("utf8"))?;
        // An empty one is refused here, with the core's own error.
        wardline::vault::Passphrase::new(text).map_err(wardline::Error::from)?;
        Ok(Arc::new(Self {
            text: Mutex::new(Zeroizing::new(text.to_owned())),
        }))
    }

    /// Wipes it now. Calls that are given it afterwards refuse it as empty.
    pub fn wipe(&self) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = Zeroizing::default();
    }
}

impl Passphrase {
    /// The core's own, which is consumed by its use.
    pub(crate) fn core(&self) -> Result<wardline::vault::Passphrase, WardlineError> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(wardline::vault::Passphrase::new(text.as_str()).map_err(wardline::Error::from)?)
    }
}

/// A small secret on its way to or from the host's key store.
#[derive(uniffi::Object)]
pub struct SecretBytes {
    bytes: Zeroizing<Vec<u8>>,
}

#[uniffi::export]
impl SecretBytes {
    /// Copies them; the host may wipe its own.
    #[uniffi::constructor]
    pub fn new(bytes: &[u8]) -> Arc<Self> {
        Self::of(bytes)
    }

    /// A copy for the platform's cryptography; wipe it after use.
    pub fn copy(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl SecretBytes {
    pub(crate) fn of(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self {
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

macro_rules! silent {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

silent!(Passphrase, SecretBytes);
