//! What a person, a host and an attacker get from the vault.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod attack;
mod body;
mod disk;
mod key_store;
mod memory;
mod opaque;
mod rekey;
mod unlock;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;

/// A data folder, a key folder beside it, and a vault over both.
struct Home {
    dir: TempDir,
    keys: Arc<Watched>,
}

impl Home {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        let keys = Arc::new(Watched {
            inner: FileKeyStore::open(dir.path().join("keys")).unwrap(),
            refusal: Mutex::new(None),
            opened: AtomicU32::new(0),
        });
        Self { dir, keys }
    }

    /// A home with a vault in it.
    fn created() -> Self {
        let home = Self::new();
        home.vault()
            .create(&passphrase(), Argon2Params::weak_for_tests())
            .unwrap();
        home
    }

    fn vault(&self) -> Vault {
        Vault::at(self.data(), self.keys.clone()).accept_weak_parameters()
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn file(&self) -> Vec<u8> {
        fs::read(self.data().join("vault")).unwrap()
    }

    fn put_file(&self, bytes: &[u8]) {
        fs::write(self.data().join("vault"), bytes).unwrap();
    }

    fn reading_keys(&self) -> ReadingKeys {
        self.vault().unlock(&passphrase()).unwrap().keys
    }
}

/// A real key store that can be told to fail, as a platform does.
struct Watched {
    inner: FileKeyStore,
    refusal: Mutex<Option<(KeyPurpose, KeyStoreError)>>,
    opened: AtomicU32,
}

impl Watched {
    fn refuse(&self, purpose: KeyPurpose, error: KeyStoreError) {
        *self.refusal.lock().unwrap() = Some((purpose, error));
    }

    fn relent(&self) {
        *self.refusal.lock().unwrap() = None;
    }

    fn check(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
        match *self.refusal.lock().unwrap() {
            Some((refused, error)) if refused == purpose => Err(error),
            _ => Ok(()),
        }
    }
}

impl KeyStore for Watched {
    fn wrap(&self, purpose: KeyPurpose, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        self.check(purpose)?;
        self.inner.wrap(purpose, secret)
    }

    fn open(
        &self,
        purpose: KeyPurpose,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.check(purpose)?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.inner.open(purpose, wrapped)
    }

    fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
        self.check(purpose)?;
        self.inner.erase(purpose)
    }

    fn attempts(&self) -> Result<u32, KeyStoreError> {
        self.inner.attempts()
    }

    fn count_attempt(&self) -> Result<u32, KeyStoreError> {
        self.inner.count_attempt()
    }

    fn reset_attempts(&self) -> Result<(), KeyStoreError> {
        self.inner.reset_attempts()
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse").unwrap()
}

fn other_passphrase() -> Passphrase {
    Passphrase::new("battery staple").unwrap()
}

fn same_key(one: &DatabaseKey, other: &DatabaseKey) -> bool {
    one.pragma_value() == other.pragma_value()
}
