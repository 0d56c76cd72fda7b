//! The vault itself: what is done with its file, its key store and a passphrase.
//!
//! Databases are not its concern: it hands out their keys. Nor is what follows a wrong passphrase.

use std::{fmt, io, path::PathBuf, sync::Arc};

use super::{
    aead,
    disk::{self, Lock},
    error::VaultError,
    format::{Bytes, Contents, MAX_FILE, ReadingSlot, Unproven, Wrapped},
    key_store::{KeyPurpose, KeyStore, KeyStoreError, MAX_WRAPPED},
    keys::{InboxKeys, ReadingKeys, ReadingPublicKey, store_key},
    secret::{DatabaseKey, InboxKey, Passphrase, ReadingKey, Secret},
    stretch::{Argon2Params, key_encryption_key},
};

/// A client's keys at rest: the file `vault` in its data folder, and the host's key store.
///
/// The handle holds no secret and no state: every call reads the file, so that several processes (an
/// app and its notification extension) can hold one each. Calls block, on the disk, on the platform's
/// prompts and on Argon2id: make them where blocking is allowed.
///
/// ```
/// use std::sync::Arc;
/// use wardline::vault::{Argon2Params, FileKeyStore, Passphrase, Vault};
///
/// # let dir = tempfile::tempdir()?;
/// # let (data, keys) = (dir.path().to_path_buf(), dir.path().join("keys"));
/// let vault = Vault::at(data, Arc::new(FileKeyStore::open(keys)?));
/// let passphrase = Passphrase::new("correct horse battery staple")?;
/// vault.create(&passphrase, Argon2Params::default())?;
///
/// let inbox = vault.open()?; // nobody present: enough to receive
/// let unlocked = vault.unlock(&passphrase)?; // a person reads
/// assert_eq!(unlocked.failed_attempts, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Vault {
    dir: PathBuf,
    key_store: Arc<dyn KeyStore>,
    floor: Argon2Params,
}

/// What a passphrase opened.
#[derive(Debug)]
pub struct Unlocked {
    /// The keys of a reading person.
    pub keys: ReadingKeys,
    /// Passphrases that failed since the last success before this one: worth telling the person.
    pub failed_attempts: u32,
}

/// Which inbox key opens `store.db` after [`Vault::stage_inbox_key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxSlot {
    /// The one from before: the change did not happen.
    Current,
    /// The staged one: the change happened.
    Staged,
}

impl Vault {
    /// The vault in the folder `dir`, which exists; whether there is one in it shows at the first call.
    ///
    /// `key_store` serves this vault alone.
    pub fn at(dir: impl Into<PathBuf>, key_store: Arc<dyn KeyStore>) -> Self {
        Self {
            dir: dir.into(),
            key_store,
            floor: Argon2Params::FLOOR,
        }
    }

    /// Accepts [`Argon2Params::weak_for_tests`].
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn accept_weak_parameters(mut self) -> Self {
        self.floor = Argon2Params::weak_for_tests();
        self
    }

    /// Makes fresh keys and the file. Resets the attempt counter.
    ///
    /// # Errors
    ///
    /// [`VaultError::Exists`] when there is a vault already, [`VaultError::Missing`] when there is no
    /// folder, [`VaultError::WeakParameters`], [`VaultError::KeyStore`], and what the disk does.
    pub fn create(
        &self,
        passphrase: &Passphrase,
        params: Argon2Params,
    ) -> Result<(InboxKeys, ReadingKeys), VaultError> {
        params.check(self.floor)?;
        if self.exists()? {
            return Err(VaultError::Exists);
        }
        let inbox = InboxKey(Secret::random()?);
        let reading = ReadingKey(Secret::random()?);
        let mut contents = Contents {
            id: random_bytes()?,
            salt: random_bytes()?,
            inbox: self.wrap(KeyPurpose::Inbox, &inbox.0)?,
            next_inbox: None,
            reading: ReadingSlot {
                params,
                salt: random_bytes()?,
                share: Wrapped(Vec::new()),
                sealed: Wrapped(Vec::new()),
                public: Bytes([0; 32]),
            },
            presence: None,
        };
        let reading_keys = ReadingKeys::derive(&reading, contents.salt.0)?;
        contents.reading.public = Bytes(reading_keys.public().to_bytes());
        self.seal_reading(&mut contents, &reading, passphrase, params)?;
        let inbox_keys = inbox_keys(&contents, &inbox, None)?;
        let file = contents.to_file(&inbox)?;
        self.key_store.reset_attempts()?;

        let held = self.lock()?;
        if self.exists()? {
            return Err(VaultError::Exists);
        }
        self.write(&held, &file)?;
        Ok((inbox_keys, reading_keys))
    }

    /// The keys of a locked device. Asks the key store for [`KeyPurpose::Inbox`] only, and does no
    /// Argon2id: fit for a notification extension.
    ///
    /// # Errors
    ///
    /// [`VaultError::Missing`], [`VaultError::Foreign`], [`VaultError::Damaged`],
    /// [`VaultError::Tampered`], [`VaultError::Newer`], [`VaultError::KeyStore`] (before the first
    /// unlock of the device: `Unavailable`; files from another device: `NotMine`).
    pub fn open(&self) -> Result<InboxKeys, VaultError> {
        let loaded = self.load()?;
        let staged = loaded.contents.next_inbox.as_ref();
        let staged = staged
            .map(|wrapped| self.unwrap_key(KeyPurpose::Inbox, wrapped))
            .transpose()?;
        inbox_keys(&loaded.contents, &loaded.inbox, staged.map(InboxKey))
    }

    /// The keys of a reading person, by passphrase. Counts the attempt before trying it, and sets the
    /// counter to zero on success.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongPassphrase`] with the count, [`VaultError::WeakParameters`] when the stored
    /// ones are, and those of [`open`](Self::open). An attempt counts only when the passphrase is
    /// really tried: not when the key store does not open its share.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<Unlocked, VaultError> {
        let contents = self.load()?.contents;
        let (key, failed_attempts) = self.reading_key(&contents, passphrase)?;
        Ok(Unlocked {
            keys: reading_keys(&contents, &key)?,
            failed_attempts,
        })
    }

    /// The keys of a reading person whom the platform recognizes ([`KeyPurpose::Presence`]).
    ///
    /// # Errors
    ///
    /// [`VaultError::PresenceOff`] when [`allow_presence`](Self::allow_presence) was not called, and
    /// those of [`open`](Self::open): `NotMine` also when the platform destroyed its key because
    /// somebody enrolled another finger. Ask for the passphrase then, and allow presence again.
    pub fn unlock_by_presence(&self) -> Result<ReadingKeys, VaultError> {
        let contents = self.load()?.contents;
        let wrapped = contents.presence.as_ref().ok_or(VaultError::PresenceOff)?;
        let key = self.unwrap_key(KeyPurpose::Presence, wrapped)?;
        reading_keys(&contents, &ReadingKey(key))
    }

    /// Lets presence open the reading key from now on, besides the passphrase.
    ///
    /// # Errors
    ///
    /// Those of [`unlock`](Self::unlock), [`VaultError::Changed`], and what the disk does.
    pub fn allow_presence(&self, passphrase: &Passphrase) -> Result<(), VaultError> {
        let mut loaded = self.load()?;
        let (key, _) = self.reading_key(&loaded.contents, passphrase)?;
        loaded.contents.presence = Some(self.wrap(KeyPurpose::Presence, &key.0)?);
        self.replace(&loaded, &loaded.inbox)
    }

    /// Takes presence back: only the passphrase opens the reading key from now on.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), [`VaultError::Changed`], and what the disk does.
    pub fn forbid_presence(&self) -> Result<(), VaultError> {
        let mut loaded = self.load()?;
        loaded.contents.presence = None;
        self.replace(&loaded, &loaded.inbox)?;
        Ok(self.key_store.erase(KeyPurpose::Presence)?)
    }

    /// Wraps the reading key under another passphrase, with a fresh share of the platform. The reading
    /// key stays: nothing is sealed again. An older copy of the file still opens with the passphrase
    /// of its time, on this device.
    ///
    /// # Errors
    ///
    /// Those of [`unlock`](Self::unlock) for `old`, [`VaultError::WeakParameters`] for `params`,
    /// [`VaultError::Changed`], and what the disk does. After an error `old` is still the passphrase.
    pub fn change_passphrase(
        &self,
        old: &Passphrase,
        new: &Passphrase,
        params: Argon2Params,
    ) -> Result<(), VaultError> {
        params.check(self.floor)?;
        let mut loaded = self.load()?;
        let (key, _) = self.reading_key(&loaded.contents, old)?;
        self.seal_reading(&mut loaded.contents, &key, new, params)?;
        self.replace(&loaded, &loaded.inbox)
    }

    /// First half of a change of the inbox key: a fresh one stands in the vault beside the current one,
    /// and its database key is what `PRAGMA rekey` takes next. When that is done, or after a crash
    /// anywhere, whichever key opens `store.db` is told to [`settle_inbox_key`](Self::settle_inbox_key);
    /// until then [`open`](Self::open) gives both.
    ///
    /// # Errors
    ///
    /// [`VaultError::RekeyPending`], those of [`open`](Self::open), [`VaultError::Changed`], and what
    /// the disk does.
    pub fn stage_inbox_key(&self) -> Result<DatabaseKey, VaultError> {
        let mut loaded = self.load()?;
        if loaded.contents.next_inbox.is_some() {
            return Err(VaultError::RekeyPending);
        }
        let staged = InboxKey(Secret::random()?);
        loaded.contents.next_inbox = Some(self.wrap(KeyPurpose::Inbox, &staged.0)?);
        self.replace(&loaded, &loaded.inbox)?;
        store_key(&staged, loaded.contents.salt.0)
    }

    /// Second half of a change of the inbox key: keeps the one in `slot` and forgets the other. Call it
    /// once `store.db` has been opened with that one.
    ///
    /// # Errors
    ///
    /// [`VaultError::NoRekey`], those of [`open`](Self::open), [`VaultError::Changed`], and what the
    /// disk does.
    pub fn settle_inbox_key(&self, slot: InboxSlot) -> Result<(), VaultError> {
        let mut loaded = self.load()?;
        let wrapped = loaded
            .contents
            .next_inbox
            .take()
            .ok_or(VaultError::NoRekey)?;
        match slot {
            InboxSlot::Current => self.replace(&loaded, &loaded.inbox),
            InboxSlot::Staged => {
                let staged = InboxKey(self.unwrap_key(KeyPurpose::Inbox, &wrapped)?);
                loaded.contents.inbox = wrapped;
                self.replace(&loaded, &staged)
            }
        }
    }

    /// Makes everything that this vault opens unreadable for good: the platform forgets its keys, the
    /// wrapped keys are overwritten and removed. Fine when there is nothing left to erase; goes on to
    /// the end whatever fails on the way.
    ///
    /// # Errors
    ///
    /// The first thing that failed: call again until it succeeds.
    pub fn erase(&self) -> Result<(), VaultError> {
        let mut steps = Vec::new();
        for purpose in KeyPurpose::ALL {
            steps.push(self.key_store.erase(purpose).map_err(VaultError::from));
        }
        let removed = match self.lock() {
            Ok(_held) => disk::scrub(&self.dir, FILE).map_err(VaultError::from),
            // No folder, no file.
            Err(VaultError::Missing) => Ok(()),
            Err(error) => Err(error),
        };
        steps.push(removed);
        steps.push(self.key_store.reset_attempts().map_err(VaultError::from));
        steps.into_iter().collect()
    }

    /// Whether there is a vault in the folder, readable or not.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn exists(&self) -> Result<bool, VaultError> {
        Ok(self.dir.join(FILE).try_exists()?)
    }

    fn load(&self) -> Result<Loaded, VaultError> {
        let file = match disk::read(&self.dir.join(FILE), MAX_FILE) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(VaultError::Foreign);
            }
            file => file?,
        };
        let unproven = Unproven::parse(&file)?;
        let inbox = InboxKey(self.unwrap_key(KeyPurpose::Inbox, unproven.inbox())?);
        let contents = unproven.prove(&inbox)?;
        Ok(Loaded {
            file,
            contents,
            inbox,
        })
    }

    /// Puts the changed contents in place of the file they were loaded from, sealed under `inbox`. The
    /// lock is taken only now: prompts and Argon2id are over.
    fn replace(&self, loaded: &Loaded, inbox: &InboxKey) -> Result<(), VaultError> {
        let file = loaded.contents.to_file(inbox)?;
        let held = self.lock()?;
        if disk::read(&self.dir.join(FILE), MAX_FILE)? != loaded.file {
            return Err(VaultError::Changed);
        }
        self.write(&held, &file)
    }

    fn lock(&self) -> Result<Lock, VaultError> {
        Ok(disk::lock(&self.dir, LOCK)?)
    }

    fn write(&self, held: &Lock, file: &[u8]) -> Result<(), VaultError> {
        Ok(disk::replace(held, &self.dir, FILE, file)?)
    }

    fn wrap(&self, purpose: KeyPurpose, key: &Secret) -> Result<Wrapped, VaultError> {
        let wrapped = self.key_store.wrap(purpose, key.expose())?;
        if wrapped.len() > MAX_WRAPPED {
            // More than the contract allows would make a file that is refused when it is read.
            return Err(KeyStoreError::Failed { status: 0 }.into());
        }
        Ok(Wrapped(wrapped))
    }

    fn unwrap_key(&self, purpose: KeyPurpose, wrapped: &Wrapped) -> Result<Secret, VaultError> {
        let key = self.key_store.open(purpose, &wrapped.0)?;
        Secret::from_slice(&key).ok_or(VaultError::KeyStore(KeyStoreError::NotMine))
    }

    /// Tries the passphrase; tells the failed attempts before it.
    fn reading_key(
        &self,
        contents: &Contents,
        passphrase: &Passphrase,
    ) -> Result<(ReadingKey, u32), VaultError> {
        let slot = &contents.reading;
        slot.params.check(self.floor)?;
        let share = self.unwrap_key(KeyPurpose::Reading, &slot.share)?;
        // Before the work, so that killing the app between a wrong guess and its count gains nothing.
        let attempts = self.key_store.count_attempt()?;
        let binding = contents.reading_binding();
        let kek = key_encryption_key(passphrase, slot.params, &slot.salt.0, &share, &binding)?;
        let key = aead::open(&kek, &binding, &slot.sealed.0)
            .ok_or(VaultError::WrongPassphrase { attempts })?;
        let key = Secret::from_slice(&key).ok_or(VaultError::Tampered)?;
        self.key_store.reset_attempts()?;
        Ok((ReadingKey(key), attempts.saturating_sub(1)))
    }

    fn seal_reading(
        &self,
        contents: &mut Contents,
        key: &ReadingKey,
        passphrase: &Passphrase,
        params: Argon2Params,
    ) -> Result<(), VaultError> {
        let share = Secret::random()?;
        contents.reading.params = params;
        contents.reading.salt = random_bytes()?;
        contents.reading.share = self.wrap(KeyPurpose::Reading, &share)?;
        let salt = &contents.reading.salt.0;
        let binding = contents.reading_binding();
        let kek = key_encryption_key(passphrase, params, salt, &share, &binding)?;
        let mut sealed = Vec::new();
        aead::seal(&kek, &binding, key.0.expose(), &mut sealed)?;
        contents.reading.sealed = Wrapped(sealed);
        Ok(())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

struct Loaded {
    file: Vec<u8>,
    contents: Contents,
    inbox: InboxKey,
}

impl Contents {
    /// Vault, format and parameters: the sealed reading key opens only among them.
    fn reading_binding(&self) -> Vec<u8> {
        let mut binding = self.binding(READING_DOMAIN);
        binding.extend_from_slice(&self.reading.params.to_bytes());
        binding
    }
}

fn inbox_keys(
    contents: &Contents,
    current: &InboxKey,
    staged: Option<InboxKey>,
) -> Result<InboxKeys, VaultError> {
    let salt = contents.salt.0;
    Ok(InboxKeys {
        store: store_key(current, salt)?,
        staged: staged.map(|key| store_key(&key, salt)).transpose()?,
        reading: ReadingPublicKey::from_bytes(&contents.reading.public.0)?,
    })
}

fn reading_keys(contents: &Contents, key: &ReadingKey) -> Result<ReadingKeys, VaultError> {
    let keys = ReadingKeys::derive(key, contents.salt.0)?;
    if keys.public().to_bytes() != contents.reading.public.0 {
        // Somebody with the inbox key put in a public key to which they have the private half.
        return Err(VaultError::Tampered);
    }
    Ok(keys)
}

fn random_bytes<const N: usize>() -> Result<Bytes<N>, VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| VaultError::NoRandomness)?;
    Ok(Bytes(bytes))
}

const FILE: &str = "vault";
const LOCK: &str = "vault.lock";
const READING_DOMAIN: &[u8] = b"wardline/v1/vault-reading";
