use super::*;

#[test]
fn a_locked_device_gets_the_same_store_key_every_time() {
    let home = Home::new();
    let (created, _) = home
        .vault()
        .create(&passphrase(), Argon2Params::weak_for_tests())
        .unwrap();
    let opened = home.vault().open().unwrap();
    assert!(same_key(&created.store, &opened.store));
    assert!(opened.staged.is_none());
    let value = opened.store.pragma_value();
    assert_eq!(value.len(), 99);
    assert!(value.starts_with("x'") && value.ends_with('\''));
}

#[test]
fn opening_asks_the_platform_for_the_inbox_key_only() {
    let home = Home::created();
    for purpose in [KeyPurpose::Reading, KeyPurpose::Presence] {
        home.keys.refuse(purpose, KeyStoreError::Unavailable);
        home.vault().open().unwrap();
    }
}

#[test]
fn the_passphrase_gives_the_same_reading_keys_every_time() {
    let home = Home::new();
    let (_, created) = home
        .vault()
        .create(&passphrase(), Argon2Params::weak_for_tests())
        .unwrap();
    let place = BodyPlace::new("message.body", b"1");
    let sealed = BodySealer::reading(&created).seal(place, b"text").unwrap();
    let unlocked = home.reading_keys();
    assert_eq!(**unlocked.open_body(place, &sealed).unwrap(), *b"text");
    assert!(same_key(created.search(), unlocked.search()));
    assert!(!same_key(
        unlocked.search(),
        &home.vault().open().unwrap().store
    ));
}

#[test]
fn wrong_passphrases_are_counted_and_told_at_the_next_success() {
    let home = Home::created();
    for attempts in 1..=3 {
        let error = home.vault().unlock(&other_passphrase()).unwrap_err();
        assert_eq!(error, VaultError::WrongPassphrase { attempts });
        assert_eq!(error.code(), "WL-VAULT-WRONG-PASSPHRASE");
        assert!(!error.retryable());
    }
    assert_eq!(
        home.vault().unlock(&passphrase()).unwrap().failed_attempts,
        3
    );
    assert_eq!(home.keys.attempts().unwrap(), 0);
    assert_eq!(
        home.vault().unlock(&passphrase()).unwrap().failed_attempts,
        0
    );
}

#[test]
fn a_dismissed_prompt_is_not_a_failed_passphrase() {
    let home = Home::created();
    home.keys
        .refuse(KeyPurpose::Reading, KeyStoreError::Cancelled);
    let error = home.vault().unlock(&passphrase()).unwrap_err();
    assert_eq!(error, VaultError::KeyStore(KeyStoreError::Cancelled));
    assert!(error.retryable());
    assert_eq!(home.keys.attempts().unwrap(), 0);
}

#[test]
fn an_attempt_is_counted_before_it_is_tried() {
    let home = Home::created();
    // The key folder takes no count: the right passphrase must not be tried either.
    fs::write(home.dir.path().join("keys/attempts"), b"broken").unwrap();
    let error = home.vault().unlock(&passphrase()).unwrap_err();
    assert_eq!(error.code(), "WL-VAULT-HOST-FAILED");
}

#[test]
fn an_empty_passphrase_is_refused() {
    assert_eq!(
        Passphrase::new("").unwrap_err(),
        VaultError::EmptyPassphrase
    );
}

#[test]
fn after_a_change_only_the_new_passphrase_reads_and_nothing_is_lost() {
    let home = Home::created();
    let place = BodyPlace::new("message.body", b"1");
    let before = home.reading_keys();
    let sealed = BodySealer::reading(&before).seal(place, b"text").unwrap();
    let (old, new) = (passphrase(), other_passphrase());
    home.vault()
        .change_passphrase(&old, &new, Argon2Params::weak_for_tests())
        .unwrap();

    let error = home.vault().unlock(&old).unwrap_err();
    assert_eq!(error, VaultError::WrongPassphrase { attempts: 1 });
    let keys = home.vault().unlock(&new).unwrap().keys;
    assert_eq!(**keys.open_body(place, &sealed).unwrap(), *b"text");
    assert!(same_key(before.search(), keys.search()));
}

#[test]
fn a_change_with_the_wrong_old_passphrase_changes_nothing() {
    let home = Home::created();
    let file = home.file();
    let (wrong, new) = (other_passphrase(), Passphrase::new("new").unwrap());
    let error = home
        .vault()
        .change_passphrase(&wrong, &new, Argon2Params::weak_for_tests())
        .unwrap_err();
    assert_eq!(error, VaultError::WrongPassphrase { attempts: 1 });
    assert_eq!(home.file(), file);
}

#[test]
fn two_changes_at_once_never_overwrite_each_other() {
    let home = Home::created();
    let passphrases: Vec<_> = (0..4)
        .map(|n| Passphrase::new(format!("passphrase {n}")).unwrap())
        .collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let changes: Vec<_> = passphrases
            .iter()
            .map(|new| {
                let vault = home.vault();
                scope.spawn(move || {
                    vault.change_passphrase(&passphrase(), new, Argon2Params::weak_for_tests())
                })
            })
            .collect();
        changes
            .into_iter()
            .map(|change| change.join().unwrap())
            .collect()
    });
    let winner = outcomes
        .iter()
        .position(Result::is_ok)
        .expect("one change goes through");
    for (n, outcome) in outcomes.iter().enumerate() {
        let unlocked = home.vault().unlock(&passphrases[n]);
        assert_eq!(unlocked.is_ok(), n == winner);
        match outcome {
            Ok(()) => assert_eq!(n, winner),
            // Too late to find the old passphrase in place, or overtaken while working.
            Err(VaultError::WrongPassphrase { .. } | VaultError::Changed) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn presence_reads_without_the_passphrase_once_allowed() {
    let home = Home::created();
    let vault = home.vault();
    assert_eq!(
        vault.unlock_by_presence().unwrap_err(),
        VaultError::PresenceOff
    );
    let error = vault.allow_presence(&other_passphrase()).unwrap_err();
    assert_eq!(error, VaultError::WrongPassphrase { attempts: 1 });
    vault.allow_presence(&passphrase()).unwrap();
    let keys = vault.unlock_by_presence().unwrap();
    assert!(same_key(keys.search(), home.reading_keys().search()));

    // A new passphrase does not take presence away.
    let new = other_passphrase();
    vault
        .change_passphrase(&passphrase(), &new, Argon2Params::weak_for_tests())
        .unwrap();
    vault.unlock_by_presence().unwrap();
    vault.forbid_presence().unwrap();
    assert_eq!(
        vault.unlock_by_presence().unwrap_err(),
        VaultError::PresenceOff
    );
    vault.unlock(&new).unwrap();
}

#[test]
fn another_enrolled_finger_ends_presence_but_not_the_passphrase() {
    let home = Home::created();
    let vault = home.vault();
    vault.allow_presence(&passphrase()).unwrap();
    home.keys.inner.erase(KeyPurpose::Presence).unwrap(); // as the platform does
    let error = vault.unlock_by_presence().unwrap_err();
    assert_eq!(error, VaultError::KeyStore(KeyStoreError::NotMine));
    vault.unlock(&passphrase()).unwrap();
    vault.allow_presence(&passphrase()).unwrap();
    vault.unlock_by_presence().unwrap();
}

#[test]
fn every_refusal_of_the_platform_is_its_own_error_and_changes_nothing() {
    let home = Home::created();
    let file = home.file();
    let refusals = [
        (KeyStoreError::Refused, "WL-VAULT-HOST-REFUSED", false),
        (KeyStoreError::Cancelled, "WL-VAULT-HOST-CANCELLED", true),
        (
            KeyStoreError::Unavailable,
            "WL-VAULT-HOST-UNAVAILABLE",
            true,
        ),
        (KeyStoreError::NotMine, "WL-VAULT-HOST-NOT-MINE", false),
        (
            KeyStoreError::Failed { status: -34018 },
            "WL-VAULT-HOST-FAILED",
            false,
        ),
    ];
    for (refusal, code, retryable) in refusals {
        home.keys.refuse(KeyPurpose::Inbox, refusal);
        let error = home.vault().open().unwrap_err();
        assert_eq!((error.code(), error.retryable()), (code, retryable));
        home.keys.refuse(KeyPurpose::Reading, refusal);
        let (old, new) = (passphrase(), other_passphrase());
        let error = home
            .vault()
            .change_passphrase(&old, &new, Argon2Params::weak_for_tests())
            .unwrap_err();
        assert_eq!(error.code(), code);
        home.keys.relent();
        assert_eq!(home.file(), file);
    }
}

#[test]
fn a_vault_restored_on_another_device_says_so() {
    let (home, elsewhere) = (Home::created(), Home::created());
    elsewhere.put_file(&home.file());
    let error = elsewhere.vault().open().unwrap_err();
    assert_eq!(error, VaultError::KeyStore(KeyStoreError::NotMine));
    let empty = Vault::at(
        home.data(),
        Arc::new(FileKeyStore::open(elsewhere.dir.path().join("new")).unwrap()),
    );
    assert_eq!(
        empty.open().unwrap_err(),
        VaultError::KeyStore(KeyStoreError::NotMine)
    );
}

#[test]
fn erasing_leaves_nothing_that_opens_even_an_old_copy() {
    let home = Home::created();
    let vault = home.vault();
    vault.allow_presence(&passphrase()).unwrap();
    let copy = home.file();
    vault.erase().unwrap();
    assert!(!vault.exists().unwrap());
    assert_eq!(vault.open().unwrap_err(), VaultError::Missing);
    home.put_file(&copy);
    assert_eq!(
        vault.open().unwrap_err(),
        VaultError::KeyStore(KeyStoreError::NotMine)
    );
    vault.erase().unwrap();
    vault.erase().unwrap();

    // The folder serves a new enrollment.
    vault
        .create(&passphrase(), Argon2Params::weak_for_tests())
        .unwrap();
    home.put_file(&copy);
    assert_eq!(
        vault.open().unwrap_err(),
        VaultError::KeyStore(KeyStoreError::NotMine)
    );
}

#[test]
fn erasing_goes_on_when_the_platform_fails_and_tells_it() {
    let home = Home::created();
    home.keys
        .refuse(KeyPurpose::Inbox, KeyStoreError::Unavailable);
    let error = home.vault().erase().unwrap_err();
    assert_eq!(error, VaultError::KeyStore(KeyStoreError::Unavailable));
    assert!(!home.vault().exists().unwrap());
    home.keys.relent();
    home.vault().erase().unwrap();
    let keys = fs::read_dir(home.dir.path().join("keys")).unwrap();
    let left: Vec<_> = keys.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().ends_with(".key")),
        "{left:?}"
    );
}

#[test]
fn a_second_vault_never_replaces_the_first() {
    let home = Home::created();
    let file = home.file();
    let again = home
        .vault()
        .create(&other_passphrase(), Argon2Params::weak_for_tests());
    assert_eq!(again.unwrap_err(), VaultError::Exists);
    assert_eq!(home.file(), file);
}

#[test]
fn weak_parameters_are_refused_unless_a_test_asks_for_them() {
    let home = Home::new();
    let strict = Vault::at(home.data(), home.keys.clone());
    let weak = Argon2Params::weak_for_tests();
    assert_eq!(
        strict.create(&passphrase(), weak).unwrap_err(),
        VaultError::WeakParameters
    );
    assert!(!strict.exists().unwrap());
    assert!(Argon2Params::new(64 * 1024, 3, 1).is_ok());
    for (memory, passes, lanes) in [
        (18 * 1024, 2, 1),
        (19 * 1024, 1, 1),
        (19 * 1024, 2, 0),
        (u32::MAX, 2, 1),
        (19_456, 65, 1),
    ] {
        let error = Argon2Params::new(memory, passes, lanes).unwrap_err();
        assert_eq!(error, VaultError::WeakParameters);
    }
    strict.create(&passphrase(), Argon2Params::FLOOR).unwrap();
    let error = strict
        .change_passphrase(&passphrase(), &other_passphrase(), weak)
        .unwrap_err();
    assert_eq!(error, VaultError::WeakParameters);
    strict.unlock(&passphrase()).unwrap();
}
