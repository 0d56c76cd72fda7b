use std::{io, process::Command};

use super::*;

#[test]
fn a_missing_folder_or_file_is_its_own_error() {
    let home = Home::new();
    assert_eq!(home.vault().open().unwrap_err(), VaultError::Missing);
    assert_eq!(
        home.vault().unlock(&passphrase()).unwrap_err(),
        VaultError::Missing
    );
    let nowhere = Vault::at(home.dir.path().join("nowhere"), home.keys.clone());
    let error = nowhere
        .create(&passphrase(), Argon2Params::FLOOR)
        .unwrap_err();
    assert_eq!(error, VaultError::Missing);
    nowhere.erase().unwrap();
}

#[test]
fn what_a_crash_left_half_written_is_not_in_the_way() {
    let home = Home::created();
    fs::write(home.data().join("vault.tmp"), b"half a vau").unwrap();
    let file = home.file();
    home.vault().open().unwrap();
    home.vault().allow_presence(&passphrase()).unwrap();
    assert_ne!(home.file(), file);
    assert!(!home.data().join("vault.tmp").exists());
    home.vault().unlock_by_presence().unwrap();
}

#[cfg(unix)]
#[test]
fn only_this_user_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::created();
    for file in [
        "data/vault",
        "data/vault.lock",
        "keys/inbox.key",
        "keys/attempts",
    ] {
        let mode = fs::metadata(home.dir.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mode = fs::metadata(home.dir.path().join("keys"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[cfg(unix)]
#[test]
fn a_temporary_file_that_is_a_link_is_not_followed() {
    let home = Home::created();
    let target = home.dir.path().join("precious");
    fs::write(&target, b"precious").unwrap();
    std::os::unix::fs::symlink(&target, home.data().join("vault.tmp")).unwrap();
    home.vault().allow_presence(&passphrase()).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    home.vault().unlock_by_presence().unwrap();
}

#[test]
fn each_trouble_of_the_disk_has_its_own_code() {
    for (kind, code, retryable) in [
        (io::ErrorKind::PermissionDenied, "WL-VAULT-READ-ONLY", false),
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "WL-VAULT-READ-ONLY",
            false,
        ),
        (io::ErrorKind::StorageFull, "WL-VAULT-DISK-FULL", true),
        (io::ErrorKind::QuotaExceeded, "WL-VAULT-DISK-FULL", true),
        (io::ErrorKind::NotFound, "WL-VAULT-MISSING", false),
        (io::ErrorKind::Interrupted, "WL-VAULT-IO", true),
    ] {
        let error = VaultError::from(io::Error::from(kind));
        assert_eq!((error.code(), error.retryable()), (code, retryable));
    }
}

/// The kernel refuses new files here to everybody, the administrator included.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_is_its_own_error() {
    let home = Home::new();
    let vault = Vault::at("/sys", home.keys.clone());
    let error = vault
        .create(&passphrase(), Argon2Params::FLOOR)
        .unwrap_err();
    assert_eq!(error, VaultError::ReadOnly);
}

/// A process that may write no byte to any file, which is what a full disk looks like, tries to change
/// the passphrase: the parent finds the vault as it was.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_changes_nothing() {
    if let Some(dir) = std::env::var_os(FULL_DISK) {
        let dir = PathBuf::from(dir);
        let keys = Arc::new(NoCounter(FileKeyStore::open(dir.join("keys")).unwrap()));
        let vault = Vault::at(dir.join("data"), keys).accept_weak_parameters();
        let (old, new) = (passphrase(), other_passphrase());
        let error = vault
            .change_passphrase(&old, &new, Argon2Params::weak_for_tests())
            .unwrap_err();
        assert_eq!(error, VaultError::DiskFull);
        return;
    }
    let home = Home::created();
    let file = home.file();
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "vault::tests::disk::a_full_disk_changes_nothing",
            "--nocapture",
        ])
        .env(FULL_DISK, home.dir.path())
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
    assert_eq!(home.file(), file);
    assert!(!home.data().join("vault.tmp").exists());
    home.vault().unlock(&passphrase()).unwrap();
}

/// A platform's counter is not on the full disk.
struct NoCounter(FileKeyStore);

impl KeyStore for NoCounter {
    fn wrap(&self, purpose: KeyPurpose, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        self.0.wrap(purpose, secret)
    }

    fn open(
        &self,
        purpose: KeyPurpose,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.0.open(purpose, wrapped)
    }

    fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
        self.0.erase(purpose)
    }

    fn attempts(&self) -> Result<u32, KeyStoreError> {
        Ok(0)
    }

    fn count_attempt(&self) -> Result<u32, KeyStoreError> {
        Ok(1)
    }

    fn reset_attempts(&self) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

const FULL_DISK: &str = "WARDLINE_TEST_FULL_DISK";
