//! Wrapping keys at rest: by the host's platform, or by files.
//!
//! The trait is asynchronous, because platforms ask people (a fingerprint, a code); the core's own is
//! not, and is called on threads that may block. `HostKeyStore` stands between the two.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use wardline::vault as core;
use zeroize::Zeroizing;

use super::Slot;
use crate::{error::WardlineError, runtime, secret::SecretBytes};

/// What the host implements: wrapping small secrets under keys that the platform guards, and the
/// counter of failed passphrases.
///
/// One key store per vault: two accounts on one device get two, whose platform keys have different
/// names. Calls come from several threads at once. The documentation of `wardline::vault::KeyStore`
/// says which platform call belongs to which method.
#[uniffi::export(rust, foreign)]
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Wraps 32 random bytes under the key for `purpose`, creating that key when there is none. The
    /// result is at most 4096 bytes long.
    async fn wrap(
        &self,
        purpose: KeyPurpose,
        secret: Arc<SecretBytes>,
    ) -> Result<Vec<u8>, KeyStoreError>;

    /// The secret that `wrap` was given for the same purpose; `NotMine` for anything else.
    async fn unwrap(
        &self,
        purpose: KeyPurpose,
        wrapped: Vec<u8>,
    ) -> Result<Arc<SecretBytes>, KeyStoreError>;

    /// Destroys the key for `purpose`, so that nothing wrapped under it opens ever again. Fine when
    /// there is none.
    async fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError>;

    /// How many passphrases were tried since the last success.
    async fn attempts(&self) -> Result<u32, KeyStoreError>;

    /// Adds one to the counter, durably and before returning, and tells the new count.
    async fn count_attempt(&self) -> Result<u32, KeyStoreError>;

    /// Sets the counter to zero.
    async fn reset_attempts(&self) -> Result<(), KeyStoreError>;
}

/// When the platform lets a wrapped secret be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum KeyPurpose {
    /// From the first unlock of the device after it started, with nobody present. Never prompts.
    Inbox,
    /// While the device is unlocked; opened together with a passphrase.
    Reading,
    /// Only when the platform has recognized the person.
    Presence,
}

/// Why a key store did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum KeyStoreError {
    /// The platform said no: biometrics locked out, or forbidden by device management.
    #[error("the platform's key store refused")]
    Refused,
    /// The person dismissed the prompt.
    #[error("the person dismissed the platform's prompt")]
    Dismissed,
    /// Not now: the device was not unlocked since it started, or is locked.
    #[error("the platform's key store is not available now")]
    Unavailable,
    /// The platform's key does not open this.
    #[error("the platform's key does not open this")]
    NotMine,
    /// Anything else.
    #[error("the platform's key store failed with status {status}")]
    Failed {
        /// The platform's own number, for support; 0 if it has none.
        status: i32,
    },
}

/// Something the host did not foresee.
impl From<uniffi::UnexpectedUniFFICallbackError> for KeyStoreError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { status: 0 }
    }
}

/// A key store in a folder, for servers and tests: readable by this user alone. It protects against
/// whoever gets the data folder without this one.
#[uniffi::export]
pub fn file_key_store(folder: String) -> Result<Arc<dyn KeyStore>, WardlineError> {
    let store = core::FileKeyStore::open(folder).map_err(|error| {
        WardlineError::from(wardline::Error::from(core::VaultError::from(error)))
    })?;
    Ok(Arc::new(BuiltIn(Arc::new(store))))
}

/// The host's key store as the core calls it.
pub(crate) struct HostKeyStore {
    store: Slot<dyn KeyStore>,
    timeout: Duration,
    closing: CancellationToken,
}

impl HostKeyStore {
    pub(crate) fn new(
        store: Arc<dyn KeyStore>,
        timeout: Duration,
        closing: CancellationToken,
    ) -> Self {
        Self {
            store: Slot::new(store),
            timeout,
            closing,
        }
    }

    pub(crate) fn release(&self) {
        self.store.release();
    }

    /// Asks the host and waits for its answer on this thread, which may block.
    fn ask<T, F>(
        &self,
        call: impl FnOnce(Arc<dyn KeyStore>) -> F + Send + 'static,
    ) -> Result<T, core::KeyStoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, KeyStoreError>> + Send + 'static,
    {
        let unavailable = core::KeyStoreError::Unavailable;
        let store = self.store.get().ok_or(unavailable)?;
        let runtime = runtime::handle().map_err(|_| unavailable)?;
        let (sender, answer) = mpsc::sync_channel(1);
        let (timeout, closing) = (self.timeout, self.closing.clone());
        // Not `block_on`: whoever calls this from a thread of the runtime must not be a panic.
        runtime.spawn(async move {
            let asked = tokio::select! {
                biased;
                () = closing.cancelled() => Err(KeyStoreError::Unavailable),
                () = tokio::time::sleep(timeout) => {
                    tracing::warn!("the host's key store did not answer in time");
                    Err(KeyStoreError::Unavailable)
                }
                answer = call(store) => answer,
            };
            // Nobody listens any more when the call was given up.
            let _ = sender.send(asked);
        });
        match answer.recv() {
            Ok(answer) => answer.map_err(core::KeyStoreError::from),
            // The task ended without an answer: the host's code panicked across the boundary.
            Err(_) => Err(core::KeyStoreError::Failed { status: 0 }),
        }
    }
}

impl core::KeyStore for HostKeyStore {
    fn wrap(
        &self,
        purpose: core::KeyPurpose,
        secret: &[u8],
    ) -> Result<Vec<u8>, core::KeyStoreError> {
        let secret = SecretBytes::of(secret);
        self.ask(move |store| async move { store.wrap(purpose.into(), secret).await })
    }

    fn open(
        &self,
        purpose: core::KeyPurpose,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, core::KeyStoreError> {
        let wrapped = wrapped.to_vec();
        let secret =
            self.ask(move |store| async move { store.unwrap(purpose.into(), wrapped).await })?;
        Ok(Zeroizing::new(secret.expose().to_vec()))
    }

    fn erase(&self, purpose: core::KeyPurpose) -> Result<(), core::KeyStoreError> {
        self.ask(move |store| async move { store.erase(purpose.into()).await })
    }

    fn attempts(&self) -> Result<u32, core::KeyStoreError> {
        self.ask(|store| async move { store.attempts().await })
    }

    fn count_attempt(&self) -> Result<u32, core::KeyStoreError> {
        self.ask(|store| async move { store.count_attempt().await })
    }

    fn reset_attempts(&self) -> Result<(), core::KeyStoreError> {
        self.ask(|store| async move { store.reset_attempts().await })
    }
}

/// A key store that is built into this library.
struct BuiltIn(Arc<dyn core::KeyStore>);

impl BuiltIn {
    async fn on<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn core::KeyStore) -> Result<T, core::KeyStoreError> + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        let store = Arc::clone(&self.0);
        match runtime::run_blocking(move || Ok(call(&*store))).await {
            Ok(done) => done.map_err(KeyStoreError::from),
            Err(_) => Err(KeyStoreError::Unavailable),
        }
    }
}

#[async_trait]
impl KeyStore for BuiltIn {
    async fn wrap(
        &self,
        purpose: KeyPurpose,
        secret: Arc<SecretBytes>,
    ) -> Result<Vec<u8>, KeyStoreError> {
        self.on(move |store| store.wrap(purpose.into(), secret.expose()))
            .await
    }

    async fn unwrap(
        &self,
        purpose: KeyPurpose,
        wrapped: Vec<u8>,
    ) -> Result<Arc<SecretBytes>, KeyStoreError> {
        self.on(move |store| Ok(SecretBytes::of(&store.open(purpose.into(), &wrapped)?)))
            .await
    }

    async fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
        self.on(move |store| store.erase(purpose.into())).await
    }

    async fn attempts(&self) -> Result<u32, KeyStoreError> {
        self.on(|store| store.attempts()).await
    }

    async fn count_attempt(&self) -> Result<u32, KeyStoreError> {
        self.on(|store| store.count_attempt()).await
    }

    async fn reset_attempts(&self) -> Result<(), KeyStoreError> {
        self.on(|store| store.reset_attempts()).await
    }
}

impl From<core::KeyPurpose> for KeyPurpose {
    fn from(purpose: core::KeyPurpose) -> Self {
        match purpose {
            core::KeyPurpose::Inbox => Self::Inbox,
            core::KeyPurpose::Reading => Self::Reading,
            core::KeyPurpose::Presence => Self::Presence,
        }
    }
}

impl From<KeyPurpose> for core::KeyPurpose {
    fn from(purpose: KeyPurpose) -> Self {
        match purpose {
            KeyPurpose::Inbox => Self::Inbox,
            KeyPurpose::Reading => Self::Reading,
            KeyPurpose::Presence => Self::Presence,
        }
    }
}

impl From<KeyStoreError> for core::KeyStoreError {
    fn from(error: KeyStoreError) -> Self {
        match error {
            KeyStoreError::Refused => Self::Refused,
            KeyStoreError::Dismissed => Self::Cancelled,
            KeyStoreError::Unavailable => Self::Unavailable,
            KeyStoreError::NotMine => Self::NotMine,
            KeyStoreError::Failed { status } => Self::Failed { status },
        }
    }
}

impl From<core::KeyStoreError> for KeyStoreError {
    fn from(error: core::KeyStoreError) -> Self {
        match error {
            core::KeyStoreError::Refused => Self::Refused,
            core::KeyStoreError::Cancelled => Self::Dismissed,
            core::KeyStoreError::Unavailable => Self::Unavailable,
            core::KeyStoreError::NotMine => Self::NotMine,
            core::KeyStoreError::Failed { status } => Self::Failed { status },
        }
    }
}

#[cfg(test)]
mod tests {
    use wardline::vault::KeyStore as _;

    use super::*;

    /// A host whose `attempts` panics, whose `count_attempt` hangs, and who refuses the rest.
    struct Host;

    #[async_trait]
    impl KeyStore for Host {
        async fn wrap(&self, _: KeyPurpose, _: Arc<SecretBytes>) -> Result<Vec<u8>, KeyStoreError> {
            Err(KeyStoreError::Dismissed)
        }

        async fn unwrap(
            &self,
            _: KeyPurpose,
            _: Vec<u8>,
        ) -> Result<Arc<SecretBytes>, KeyStoreError> {
            Err(KeyStoreError::NotMine)
        }

        async fn erase(&self, _: KeyPurpose) -> Result<(), KeyStoreError> {
            Ok(())
        }

        async fn attempts(&self) -> Result<u32, KeyStoreError> {
            panic!("a host may do anything")
        }

        async fn count_attempt(&self) -> Result<u32, KeyStoreError> {
            std::future::pending().await
        }

        async fn reset_attempts(&self) -> Result<(), KeyStoreError> {
            Err(KeyStoreError::Failed { status: -34018 })
        }
    }

    #[test]
    fn whatever_a_host_does_is_an_error_of_the_key_store() {
        use wardline::vault::{KeyPurpose::Inbox, KeyStoreError as Core};
        let patience = Duration::from_millis(50);
        let store = HostKeyStore::new(Arc::new(Host), patience, CancellationToken::new());
        assert_eq!(store.wrap(Inbox, &[7; 32]), Err(Core::Cancelled));
        assert_eq!(store.open(Inbox, &[7; 32]).unwrap_err(), Core::NotMine);
        assert_eq!(store.attempts(), Err(Core::Failed { status: 0 }));
        assert_eq!(store.count_attempt(), Err(Core::Unavailable));
        assert_eq!(store.reset_attempts(), Err(Core::Failed { status: -34018 }));
        store.release();
        assert_eq!(store.erase(Inbox), Err(Core::Unavailable));
    }
}
