//! Who may read: unlock, lock, passphrase, presence, inbox key.

use std::{
    path::Path,
    sync::{PoisonError, atomic::Ordering},
};

use super::{Client, blocking};
use crate::{
    audit::Action,
    engine::{
        Memory,
        points::{Beside, Commit},
    },
    error::Error,
    store::{self, Store},
    vault::{Argon2Params, InboxKeys, Passphrase, ReadingKeys, Vault, VaultError},
};

impl Client {
    /// Opens what a person reads. Costs one Argon2id (about a second on a phone); answers how many
    /// wrong passphrases were tried since the last right one.
    ///
    /// What came while locked is searchable when this answers, unless the index refuses: then it is
    /// brought up to date by the next search.
    ///
    /// # Errors
    /// [`VaultError::WrongPassphrase`] with the attempts so far; [`Error::Locked`] when [`Client::lock`]
    /// was called meanwhile. Whatever the error, the client is locked.
    pub async fn unlock(&self, passphrase: Passphrase) -> Result<u32, Error> {
        let locks = self.inner.locks();
        let unlocked = self.at_vault(move |vault| vault.unlock(&passphrase)).await;
        let unlocked = self.note_wrong(unlocked).await?;
        self.read_with(unlocked.keys, locks).await?;
        Ok(unlocked.failed_attempts)
    }

    /// [`Client::unlock`] for a person whom the platform recognizes, by a finger or a face, once
    /// [`Client::allow_presence`] was called. The platform may prompt.
    ///
    /// # Errors
    /// [`VaultError::PresenceOff`]; the platform's refusal, also when somebody enrolled another finger
    /// since: ask for the passphrase then. [`Error::Locked`] when [`Client::lock`] was called meanwhile.
    pub async fn unlock_by_presence(&self) -> Result<(), Error> {
        let locks = self.inner.locks();
        let keys = self.at_vault(Vault::unlock_by_presence).await?;
        self.read_with(keys, locks).await
    }

    /// Lets presence open what a person reads from now on, besides the passphrase.
    ///
    /// # Errors
    /// [`VaultError::WrongPassphrase`] with the attempts so far; the platform's refusal.
    pub async fn allow_presence(&self, passphrase: Passphrase) -> Result<(), Error> {
        let allowed = self.at_vault(move |vault| vault.allow_presence(&passphrase));
        self.note_wrong(allowed.await).await?;
        self.step(Commit::Access, |step| {
            step.audit(Action::PresenceAllowed, &[])
        })
        .await
    }

    /// Takes presence back: from now on only the passphrase opens what a person reads.
    ///
    /// # Errors
    /// Those of the vault and of writing the store.
    pub async fn forbid_presence(&self) -> Result<(), Error> {
        self.at_vault(Vault::forbid_presence).await?;
        self.step(Commit::Access, |step| {
            step.audit(Action::PresenceForbidden, &[])
        })
        .await
    }

    /// Works with the keys at rest, unless the device was wiped: then there are none.
    async fn at_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Error> {
        let client = self.clone();
        let done = blocking(move || Ok(work(&client.inner.vault)?)).await;
        match done {
            Err(_) if self.is_wiped() => Err(Error::Wiped),
            done => done,
        }
    }

    /// Puts a wrong passphrase on record.
    async fn note_wrong<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Vault(VaultError::WrongPassphrase { .. })) = &outcome {
            self.step(Commit::UnlockFailed, |step| {
                step.audit(Action::UnlockFailed, &[])
            })
            .await?;
        }
        outcome
    }

    async fn read_with(&self, keys: ReadingKeys, locks: u64) -> Result<(), Error> {
        let client = self.clone();
        blocking(move || client.inner.hold(keys, locks)).await?;
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
        self.expire_or_later().await;
        // The index is derived: a person reads without it.
        if let Err(error) = self.take_up_arrivals().await {
            tracing::warn!(code = %error.code(), "the search index is behind");
        }
        self.purge_or_later().await;
        Ok(())
    }

    /// Drops the reading keys and closes the search index. Receiving goes on. Views that show texts
    /// are told, and drop theirs when they are asked for changes.
    pub fn lock(&self) {
        let mut unlocked = self
            .inner
            .unlocked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *unlocked = None;
        // An unlock that is under way comes to nothing.
        self.inner.locks.fetch_add(1, Ordering::SeqCst);
        drop(unlocked);
        self.inner.announce_everything();
    }

    /// Whether nobody can read.
    pub fn is_locked(&self) -> bool {
        self.inner.unlocked().is_none()
    }

    /// Replaces the passphrase; messages stay as they are.
    pub async fn change_passphrase(&self, old: Passphrase, new: Passphrase) -> Result<(), Error> {
        let changed = self
            .at_vault(move |vault| vault.change_passphrase(&old, &new, Argon2Params::default()));
        self.note_wrong(changed.await).await?;
        self.step(Commit::Access, |step| {
            step.audit(Action::PassphraseChanged, &[])
        })
        .await
    }

    /// Encrypts the store anew under a new inbox key. A process killed meanwhile opens again with
    /// whichever key the file then has.
    pub async fn rekey(&self) -> Result<(), Error> {
        let (staging, settling) = (self.clone(), self.clone());
        let changed = self.inner.store.rekey(
            move || -> Result<_, Error> {
                let key = staging.inner.vault.stage_inbox_key()?;
                Beside::Rekey.before();
                Ok(key)
            },
            move |slot| {
                Beside::Rekey.after();
                Ok(settling.inner.vault.settle_inbox_key(slot)?)
            },
        );
        changed.await?;
        self.step(Commit::Access, |step| {
            step.audit(Action::InboxKeyChanged, &[])
        })
        .await
    }
}

/// The keys of a locked device, once it is decided which one the store opens with: a change of it may
/// have been cut short, or be under way in another process. That one holds the store's file from the
/// first step to the last, so this waits for it.
pub(super) fn settled_keys(vault: &Vault, folder: &Path) -> Result<InboxKeys, Error> {
    let keys = vault.open()?;
    if keys.staged.is_none() || !Store::<Memory>::exists(folder)? {
        return Ok(keys);
    }
    let _held = store::hold(folder)?;
    let keys = vault.open()?;
    let Some(staged) = &keys.staged else {
        return Ok(keys);
    };
    let slot = store::fitting(folder, &keys.store, staged)?;
    vault.settle_inbox_key(slot)?;
    Ok(vault.open()?)
}
