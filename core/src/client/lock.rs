//! Who may read: unlock, lock, passphrase, inbox key.

use std::sync::PoisonError;

use super::{Client, blocking};
use crate::{
    audit::Action,
    engine::points::{Beside, Commit},
    error::Error,
    vault::{Argon2Params, InboxSlot, Passphrase, VaultError},
};

impl Client {
    /// Opens what a person reads. Costs one Argon2id (about a second on a phone); answers how many
    /// wrong passphrases were tried since the last right one.
    ///
    /// What came while locked is searchable when this answers, unless the index refuses: then it is
    /// brought up to date by the next search.
    ///
    /// # Errors
    /// [`VaultError::WrongPassphrase`] with the attempts so far. Whatever the error, the client is locked.
    pub async fn unlock(&self, passphrase: Passphrase) -> Result<u32, Error> {
        let client = self.clone();
        let unlocked = blocking(move || Ok(client.inner.vault.unlock(&passphrase)?)).await;
        let unlocked = match unlocked {
            Ok(unlocked) => unlocked,
            Err(error) => {
                if matches!(error, Error::Vault(VaultError::WrongPassphrase { .. })) {
                    self.step(Commit::UnlockFailed, |step| {
                        step.audit(Action::UnlockFailed, &[])
                    })
                    .await?;
                }
                return Err(error);
            }
        };
        let client = self.clone();
        blocking(move || client.inner.hold(unlocked.keys)).await?;
        let noted = self.step(Commit::Unlock, |step| {
            step.outgoing_changed();
            step.audit(Action::Unlocked, &[])
        });
        if let Err(error) = noted.await {
            // Nobody reads what is not on record.
            self.lock();
            return Err(error);
        }
        self.inner.announce_everything();
        // The index is derived: a person reads without it.
        if let Err(error) = self.take_up_arrivals().await {
            tracing::warn!(code = %error.code(), "the search index is behind");
        }
        Ok(unlocked.failed_attempts)
    }

    /// Drops the reading keys and closes the search index. Receiving goes on. Views that show texts
    /// are told, and drop theirs when they are asked for changes.
    pub fn lock(&self) {
        *self
            .inner
            .unlocked
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
        self.inner.announce_everything();
    }

    /// Whether nobody can read.
    pub fn is_locked(&self) -> bool {
        self.inner.unlocked().is_none()
    }

    /// Replaces the passphrase; messages stay as they are.
    pub async fn change_passphrase(&self, old: Passphrase, new: Passphrase) -> Result<(), Error> {
        let client = self.clone();
        blocking(move || {
            Ok(client
                .inner
                .vault
                .change_passphrase(&old, &new, Argon2Params::default())?)
        })
        .await?;
        self.step(Commit::Passphrase, |step| {
            step.audit(Action::PassphraseChanged, &[])
        })
        .await
    }

    /// Encrypts the store anew under a new inbox key. A process killed meanwhile opens again with
    /// whichever key the file then has.
    pub async fn rekey(&self) -> Result<(), Error> {
        let client = self.clone();
        let key = blocking(move || Ok(client.inner.vault.stage_inbox_key()?)).await?;
        Beside::Rekey.before();
        let done = self.inner.store.rekey(key).await;
        Beside::Rekey.after();
        let slot = if done.is_ok() {
            InboxSlot::Staged
        } else {
            InboxSlot::Current
        };
        let client = self.clone();
        blocking(move || Ok(client.inner.vault.settle_inbox_key(slot)?)).await?;
        Ok(done?)
    }
}
