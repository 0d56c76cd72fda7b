//! Who may read: lock, unlock, passphrase, presence, inbox key.

use std::sync::Arc;

use super::Client;
use crate::{error::WardlineError, secret::Passphrase};

#[uniffi::export]
impl Client {
    /// Opens what a person reads; answers how many wrong passphrases were tried since the last right
    /// one. Costs about a second on a phone.
    pub async fn unlock(&self, passphrase: Arc<Passphrase>) -> Result<u32, WardlineError> {
        let passphrase = passphrase.core()?;
        self.with(|core| async move { core.unlock(passphrase).await })
            .await
    }

    /// `unlock` for a person whom the platform recognizes, by a finger or a face, once `allow_presence`
    /// was called. The platform may prompt. When it refuses, also because somebody enrolled another
    /// finger since, ask for the passphrase.
    pub async fn unlock_by_presence(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.unlock_by_presence().await })
            .await
    }

    /// Lets presence open what a person reads from now on, besides the passphrase.
    pub async fn allow_presence(&self, passphrase: Arc<Passphrase>) -> Result<(), WardlineError> {
        let passphrase = passphrase.core()?;
        self.with(|core| async move { core.allow_presence(passphrase).await })
            .await
    }

    /// Takes presence back: from now on only the passphrase opens what a person reads.
    pub async fn forbid_presence(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.forbid_presence().await })
            .await
    }

    /// Drops the reading keys and closes the search index. Receiving goes on. Views that show texts are
    /// told at once.
    pub fn lock(&self) -> Result<(), WardlineError> {
        self.core()?.lock();
        Ok(())
    }

    /// Whether nobody can read; a client that was shut down is locked.
    pub fn is_locked(&self) -> bool {
        self.core().map_or(true, |core| core.is_locked())
    }

    /// Whether the organization had this device erased: every call says `WL-WIPED` then.
    pub fn is_wiped(&self) -> bool {
        self.core().is_ok_and(|core| core.is_wiped())
    }

    /// Replaces the passphrase; messages stay as they are.
    pub async fn change_passphrase(
        &self,
        old: Arc<Passphrase>,
        new: Arc<Passphrase>,
    ) -> Result<(), WardlineError> {
        let (old, new) = (old.core()?, new.core()?);
        self.with(|core| async move { core.change_passphrase(old, new).await })
            .await
    }

    /// Encrypts the store anew under a new inbox key.
    pub async fn rekey(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.rekey().await }).await
    }
}
