use super::super::{
    keys::ReadingKeys,
    secret::{InboxKey, ReadingKey, Secret},
};
use super::*;

#[test]
fn no_secret_can_be_printed() {
    let secret = || {
        let mut secret = Secret::zero();
        secret.expose_mut().fill(0xab);
        secret
    };
    let home = Home::created();
    let keys = ReadingKeys::derive(&ReadingKey(secret()), [0xcd; 16]).unwrap();
    let printed = [
        (format!("{:?}", secret()), "Secret { .. }"),
        (format!("{:?}", InboxKey(secret())), "InboxKey { .. }"),
        (format!("{:?}", ReadingKey(secret())), "ReadingKey { .. }"),
        (
            format!("{:?}", Passphrase::new("hunter2").unwrap()),
            "Passphrase { .. }",
        ),
        (
            format!("{:?}", DatabaseKey::new(secret(), [0xcd; 16])),
            "DatabaseKey { .. }",
        ),
        (
            format!("{:?}", home.vault().open().unwrap()),
            "InboxKeys { .. }",
        ),
        (format!("{:?}", keys.public()), "ReadingPublicKey { .. }"),
        (
            format!("{:?}", BodySealer::reading(&keys)),
            "BodySealer { .. }",
        ),
        (format!("{:?}", BodyOpener::new(&keys)), "BodyOpener { .. }"),
        (
            format!("{:?}", BodyPlace::new("message.body", b"row")),
            "BodyPlace { .. }",
        ),
        (format!("{:?}", home.vault()), "Vault { .. }"),
        (format!("{:?}", home.keys.inner), "FileKeyStore { .. }"),
        (
            format!(
                "{:?}",
                Unlocked {
                    keys,
                    failed_attempts: 0
                }
            ),
            "Unlocked { keys: ReadingKeys { .. }, failed_attempts: 0 }",
        ),
    ];
    for (printed, expected) in printed {
        assert_eq!(printed, expected);
    }
}

#[test]
fn codes_are_stable_and_told_apart() {
    let errors = [
        VaultError::EmptyPassphrase,
        VaultError::WrongPassphrase { attempts: 1 },
        VaultError::KeyStore(KeyStoreError::Refused),
        VaultError::KeyStore(KeyStoreError::Cancelled),
        VaultError::KeyStore(KeyStoreError::Unavailable),
        VaultError::KeyStore(KeyStoreError::NotMine),
        VaultError::KeyStore(KeyStoreError::Failed { status: 1 }),
        VaultError::Missing,
        VaultError::Exists,
        VaultError::Foreign,
        VaultError::Damaged,
        VaultError::Tampered,
        VaultError::Newer { found: 2 },
        VaultError::WeakParameters,
        VaultError::PresenceOff,
        VaultError::RekeyPending,
        VaultError::NoRekey,
        VaultError::Changed,
        VaultError::ReadOnly,
        VaultError::DiskFull,
        VaultError::Io(std::io::ErrorKind::Other),
        VaultError::OutOfMemory,
        VaultError::NoRandomness,
        VaultError::Internal,
    ];
    let codes: Vec<_> = errors.iter().map(VaultError::code).collect();
    insta::assert_snapshot!(codes.join("\n"));
    let distinct: std::collections::HashSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len());
}
