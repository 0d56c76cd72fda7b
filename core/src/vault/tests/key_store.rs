use super::*;
use crate::vault::testing::check_key_store;

#[test]
fn the_file_key_store_keeps_every_promise() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("keys");
    check_key_store(&KeyPurpose::ALL, &|| {
        Arc::new(FileKeyStore::open(&path).unwrap())
    })
    .unwrap();
}

#[test]
fn the_suite_finds_a_key_store_that_cheats() {
    /// Keeps the secrets it is given as they are.
    struct Plain(FileKeyStore);

    impl KeyStore for Plain {
        fn wrap(&self, _: KeyPurpose, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
            Ok(secret.to_vec())
        }

        fn open(&self, _: KeyPurpose, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
            Ok(Zeroizing::new(wrapped.to_vec()))
        }

        fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
            self.0.erase(purpose)
        }

        fn attempts(&self) -> Result<u32, KeyStoreError> {
            self.0.attempts()
        }

        fn count_attempt(&self) -> Result<u32, KeyStoreError> {
            self.0.count_attempt()
        }

        fn reset_attempts(&self) -> Result<(), KeyStoreError> {
            self.0.reset_attempts()
        }
    }

    let dir = TempDir::new().unwrap();
    let path = dir.path().join("keys");
    let broken = check_key_store(&KeyPurpose::ALL, &|| {
        Arc::new(Plain(FileKeyStore::open(&path).unwrap()))
    });
    assert_eq!(
        broken.unwrap_err().promise,
        "a wrapped secret does not show the secret"
    );
}

#[test]
fn two_processes_that_start_together_agree_on_one_key() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("keys");
    let wrapped: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u8)
            .map(|n| {
                let path = &path;
                scope.spawn(move || {
                    FileKeyStore::open(path)
                        .unwrap()
                        .wrap(KeyPurpose::Inbox, &[n; 32])
                        .unwrap()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let store = FileKeyStore::open(&path).unwrap();
    for (n, wrapped) in (0..8).zip(&wrapped) {
        assert_eq!(**store.open(KeyPurpose::Inbox, wrapped).unwrap(), [n; 32]);
    }
}

#[test]
fn a_damaged_key_file_is_not_replaced_by_a_new_key() {
    let dir = TempDir::new().unwrap();
    let store = FileKeyStore::open(dir.path().join("keys")).unwrap();
    let wrapped = store.wrap(KeyPurpose::Inbox, &[1; 32]).unwrap();
    let file = dir.path().join("keys/inbox.key");
    let key = fs::read(&file).unwrap();
    for damaged in [&key[..31], &[&key[..], &[0]].concat()] {
        fs::write(&file, damaged).unwrap();
        let failed = KeyStoreError::Failed { status: 0 };
        assert_eq!(store.wrap(KeyPurpose::Inbox, &[1; 32]).unwrap_err(), failed);
        assert_eq!(store.open(KeyPurpose::Inbox, &wrapped).unwrap_err(), failed);
    }
    fs::write(&file, key).unwrap();
    store.open(KeyPurpose::Inbox, &wrapped).unwrap();
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("keys");
    let store = FileKeyStore::open(&path).unwrap();
    let wrapped = store.wrap(KeyPurpose::Inbox, &[1; 32]).unwrap();
    fs::set_permissions(path.join("inbox.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        store.open(KeyPurpose::Inbox, &wrapped).unwrap_err(),
        KeyStoreError::Refused
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(
        FileKeyStore::open(&path).unwrap_err(),
        KeyStoreError::Refused
    );
}
