//! A key store in a folder, for servers and tests.
//!
//! It protects against whoever gets the data folder without the key folder (a backup, a volume
//! snapshot), and against nobody who reads both: keep the two on different volumes. Where the machine
//! has a TPM, an HSM or a KMS, implement [`KeyStore`] on it instead.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{
    aead,
    disk::{self, Lock},
    key_store::{KeyPurpose, KeyStore, KeyStoreError},
    secret::{KEY_LENGTH, Secret},
};

/// A folder with one key file per purpose (`inbox.key`, …) and the attempt counter, readable by this
/// user alone (mode 0600 in a folder of mode 0700).
///
/// Secrets are wrapped by XChaCha20-Poly1305; the associated data names the purpose and the format.
///
/// ```
/// use wardline::vault::{FileKeyStore, KeyPurpose, KeyStore};
///
/// # let dir = tempfile::tempdir()?;
/// let keys = FileKeyStore::open(dir.path().join("keys"))?;
/// let wrapped = keys.wrap(KeyPurpose::Inbox, &[7; 32])?;
/// assert_eq!(*keys.open(KeyPurpose::Inbox, &wrapped)?, [7; 32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileKeyStore {
    dir: PathBuf,
}

impl FileKeyStore {
    /// Opens the folder `dir`, and creates it when there is none. Key files come with the first use.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::Failed`] with the `errno` when the folder cannot be created, and
    /// [`KeyStoreError::Refused`] when other users may read it: narrow it to mode 0700.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, KeyStoreError> {
        let dir = dir.into();
        create_private(&dir)?;
        if open_to_others(&dir)? {
            return Err(KeyStoreError::Refused);
        }
        Ok(Self { dir })
    }

    fn lock(&self) -> Result<Lock, KeyStoreError> {
        Ok(disk::lock(&self.dir, LOCK)?)
    }

    /// `None` when there is no key for the purpose.
    fn key(&self, purpose: KeyPurpose) -> Result<Option<Secret>, KeyStoreError> {
        let path = self.dir.join(key_file(purpose));
        let bytes = match disk::read(&path, KEY_LENGTH) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if open_to_others(&path)? {
            return Err(KeyStoreError::Refused);
        }
        // A short key file is a damaged one. Making a new key instead would lock its owner out.
        Secret::from_slice(&bytes).map(Some).ok_or(FAILED)
    }

    fn key_or_new(&self, purpose: KeyPurpose) -> Result<Secret, KeyStoreError> {
        if let Some(key) = self.key(purpose)? {
            return Ok(key);
        }
        let held = self.lock()?;
        if let Some(key) = self.key(purpose)? {
            return Ok(key);
        }
        let key = Secret::random().map_err(|_| FAILED)?;
        disk::replace(&held, &self.dir, &key_file(purpose), key.expose())?;
        Ok(key)
    }

    fn write_attempts(&self, held: &Lock, attempts: u32) -> Result<(), KeyStoreError> {
        Ok(disk::replace(
            held,
            &self.dir,
            ATTEMPTS,
            &attempts.to_be_bytes(),
        )?)
    }
}

impl KeyStore for FileKeyStore {
    fn wrap(&self, purpose: KeyPurpose, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let key = self.key_or_new(purpose)?;
        let mut wrapped = vec![FORMAT];
        aead::seal(&key, &associated(purpose), secret, &mut wrapped).map_err(|_| FAILED)?;
        Ok(wrapped)
    }

    fn open(
        &self,
        purpose: KeyPurpose,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        let key = self.key(purpose)?.ok_or(KeyStoreError::NotMine)?;
        let sealed = wrapped
            .strip_prefix(&[FORMAT])
            .ok_or(KeyStoreError::NotMine)?;
        aead::open(&key, &associated(purpose), sealed).ok_or(KeyStoreError::NotMine)
    }

    fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
        let _held = self.lock()?;
        Ok(disk::scrub(&self.dir, &key_file(purpose))?)
    }

    fn attempts(&self) -> Result<u32, KeyStoreError> {
        match disk::read(&self.dir.join(ATTEMPTS), size_of::<u32>()) {
            Ok(bytes) => bytes.try_into().map(u32::from_be_bytes).map_err(|_| FAILED),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn count_attempt(&self) -> Result<u32, KeyStoreError> {
        let held = self.lock()?;
        let attempts = self.attempts()?.saturating_add(1);
        self.write_attempts(&held, attempts)?;
        Ok(attempts)
    }

    fn reset_attempts(&self) -> Result<(), KeyStoreError> {
        let held = self.lock()?;
        self.write_attempts(&held, 0)
    }
}

impl fmt::Debug for FileKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeyStore").finish_non_exhaustive()
    }
}

impl From<io::Error> for KeyStoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Refused,
            io::ErrorKind::InvalidData => FAILED,
            _ => Self::Failed {
                status: error.raw_os_error().unwrap_or(0),
            },
        }
    }
}

fn associated(purpose: KeyPurpose) -> Vec<u8> {
    format!("wardline/v1/file-key-store\0{purpose}\0{FORMAT}").into_bytes()
}

fn key_file(purpose: KeyPurpose) -> String {
    format!("{purpose}.key")
}

fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

fn open_to_others(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::mode(&fs::metadata(path)?) & 0o077 != 0);
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(false)
    }
}

/// A failure that the operating system has no number for, such as a file of the wrong length.
const FAILED: KeyStoreError = KeyStoreError::Failed { status: 0 };
/// First byte of what is wrapped.
const FORMAT: u8 = 1;
const ATTEMPTS: &str = "attempts";
const LOCK: &str = "lock";
