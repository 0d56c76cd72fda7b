use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::{
    format::{Bytes, Contents, Unproven, Wrapped},
    keys::ReadingKeys,
    secret::{InboxKey, ReadingKey, Secret},
};
use super::*;

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let home = Home::created();
    home.vault().allow_presence(&passphrase()).unwrap();
    home.vault().stage_inbox_key().unwrap();
    let file = home.file();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        home.put_file(&changed);
        let error = home.vault().open().unwrap_err();
        let expected = match bit / 8 {
            0..8 => matches!(error, VaultError::Foreign),
            8..12 => matches!(error, VaultError::Newer { .. } | VaultError::Damaged),
            _ => matches!(error, VaultError::Damaged),
        };
        assert!(expected, "bit {bit}: {error:?}");
    }
}

#[test]
fn a_file_cut_short_or_lengthened_is_damaged() {
    let home = Home::created();
    let file = home.file();
    for length in 0..file.len() {
        home.put_file(&file[..length]);
        assert_eq!(
            home.vault().open().unwrap_err(),
            VaultError::Damaged,
            "{length} bytes"
        );
    }
    home.put_file(&[file.as_slice(), &[0]].concat());
    assert_eq!(home.vault().open().unwrap_err(), VaultError::Damaged);
}

#[test]
fn a_foreign_file_is_not_taken_for_a_vault() {
    let home = Home::created();
    for foreign in [&b"SQLite format 3\0"[..], b"{}", &[b'x'; 40_000]] {
        home.put_file(foreign);
        assert_eq!(home.vault().open().unwrap_err(), VaultError::Foreign);
    }
}

#[test]
fn a_newer_format_asks_for_an_update() {
    let home = Home::created();
    let mut file = home.file();
    file[11] = 2;
    home.put_file(&file);
    let error = home.vault().open().unwrap_err();
    assert_eq!(error, VaultError::Newer { found: 2 });
    assert_eq!(error.code(), "WL-VAULT-NEWER");
    assert_eq!(home.vault().unlock(&passphrase()).unwrap_err(), error);
    assert_eq!(home.file(), file);
}

/// Two vaults over one key store, so that the platform itself opens what is moved between them.
#[test]
fn parts_of_another_vault_are_noticed_even_under_the_same_platform_keys() {
    let home = Home::created();
    fs::create_dir(home.dir.path().join("other")).unwrap();
    let other = Vault::at(home.dir.path().join("other"), home.keys.clone());
    let other = other.accept_weak_parameters();
    other
        .create(&passphrase(), Argon2Params::weak_for_tests())
        .unwrap();
    other.allow_presence(&passphrase()).unwrap();
    let donor = contents(
        &fs::read(home.dir.path().join("other/vault")).unwrap(),
        &home,
    );
    let (mine, key) = contents_and_key(&home.file(), &home);

    let swaps: [fn(&mut Contents, &Contents); 6] = [
        |mine, donor| mine.inbox = donor.inbox.clone(),
        |mine, donor| mine.next_inbox = Some(donor.inbox.clone()),
        |mine, donor| mine.reading = donor.reading.clone(),
        |mine, donor| mine.presence = donor.presence.clone(),
        |mine, donor| mine.reading.public = donor.reading.public,
        |mine, donor| mine.salt = donor.salt,
    ];
    let file = home.file();
    for (n, swap) in swaps.into_iter().enumerate() {
        // With a checksum that fits, and the old seal.
        let mut edited = mine.clone();
        swap(&mut edited, &donor);
        home.put_file(&with_seal_of(&file, &edited.to_file(&key).unwrap()));
        assert_eq!(
            home.vault().open().unwrap_err(),
            VaultError::Tampered,
            "swap {n}"
        );
    }
    home.put_file(&file);
    home.vault().open().unwrap();
}

#[test]
fn whoever_has_the_inbox_key_still_cannot_weaken_or_replace_the_reading_key() {
    let home = Home::created();
    let (mine, key) = contents_and_key(&home.file(), &home);
    let reseal = |edit: &dyn Fn(&mut Contents)| {
        let mut edited = mine.clone();
        edit(&mut edited);
        home.put_file(&edited.to_file(&key).unwrap());
        home.vault().unlock(&passphrase()).unwrap_err()
    };

    // A public key to which the attacker has the private half: what arrives while locked would be
    // sealed to it. Unlocking tells.
    let theirs = ReadingKeys::derive(&ReadingKey(Secret::random().unwrap()), [0; 16]).unwrap();
    let public = Bytes(theirs.public().to_bytes());
    assert_eq!(
        reseal(&|edited| edited.reading.public = public),
        VaultError::Tampered
    );

    // Their own reading key in its place, under a passphrase they chose.
    let attempts = home.keys.attempts().unwrap();
    let error = reseal(&|edited| edited.reading.sealed = Wrapped(vec![7; 72]));
    assert_eq!(
        error,
        VaultError::WrongPassphrase {
            attempts: attempts + 1
        }
    );
    // Other parameters, within what is accepted: the sealed key names the ones it was sealed with.
    let error = reseal(&|edited| edited.reading.params = Argon2Params::FLOOR);
    assert!(matches!(error, VaultError::WrongPassphrase { .. }));
    // Another vault's id.
    let error = reseal(&|edited| edited.id = Bytes([9; 16]));
    assert!(matches!(error, VaultError::WrongPassphrase { .. }));

    // Weaker ones, and ones that would stop the device: refused before any work.
    home.put_file(&mine.to_file(&key).unwrap());
    let strict = Vault::at(home.data(), home.keys.clone());
    let attempts = home.keys.attempts().unwrap();
    assert_eq!(
        strict.unlock(&passphrase()).unwrap_err(),
        VaultError::WeakParameters
    );
    let huge: Argon2Params =
        serde_json::from_str(r#"{"memory":4294967295,"passes":4294967295,"lanes":1}"#).unwrap();
    assert_eq!(
        reseal(&|edited| edited.reading.params = huge),
        VaultError::WeakParameters
    );
    assert_eq!(home.keys.attempts().unwrap(), attempts);
}

#[test]
fn an_edit_without_the_inbox_key_is_tampering_and_not_damage() {
    let home = Home::created();
    let (mut mine, key) = contents_and_key(&home.file(), &home);
    mine.reading.params = Argon2Params::FLOOR;
    let file = home.file();
    home.put_file(&with_seal_of(&file, &mine.to_file(&key).unwrap()));
    let error = home.vault().open().unwrap_err();
    assert_eq!(error.code(), "WL-VAULT-TAMPERED");
    home.put_file(&mine.to_file(&InboxKey(Secret::random().unwrap())).unwrap());
    assert_eq!(
        home.vault().unlock(&passphrase()).unwrap_err(),
        VaultError::Tampered
    );
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>, keep in 0usize..400) {
        let mut file = FILE.clone();
        file.truncate(keep);
        file.extend_from_slice(&bytes);
        prop_assert!(file == *FILE || Unproven::parse(&file).is_err());
    }
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| Home::created().file());

fn contents(file: &[u8], home: &Home) -> Contents {
    contents_and_key(file, home).0
}

fn contents_and_key(file: &[u8], home: &Home) -> (Contents, InboxKey) {
    let unproven = Unproven::parse(file).unwrap();
    let key = home
        .keys
        .open(KeyPurpose::Inbox, &unproven.inbox().0)
        .unwrap();
    let key = InboxKey(Secret::from_slice(&key).unwrap());
    (unproven.prove(&key).unwrap(), key)
}

/// `edited` with the seal of `original` and a checksum that fits: what an attacker can make who knows
/// everything but the inbox key.
fn with_seal_of(original: &[u8], edited: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let seal = &original[44..76];
    let contents = &edited[76..];
    let sum = Sha256::new()
        .chain_update(b"wardline/v1/vault-checksum\0")
        .chain_update(&edited[..12])
        .chain_update(seal)
        .chain_update(contents)
        .finalize();
    [&edited[..12], &sum[..], seal, contents].concat()
}
