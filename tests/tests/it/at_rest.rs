//! What is wrong with the files or the keys of a device: each its own error, and nothing is changed.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, sync::Arc};

use wardline::{
    Client, Config, Draft, Error, Recovery,
    vault::{FileKeyStore, KeyPurpose, KeyStore, KeyStoreError, Passphrase, Zeroizing},
};
use wardline_tests::{Phone, Ward, files, settle, team, text};

/// A closed device with a message, and what opens it.
async fn closed() -> (Ward, Phone) {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.client.sync_once().await.unwrap();
    nurse.say(team(), &text(1)).await;
    nurse.client.close().await.unwrap();
    (ward, nurse)
}

fn config(ward: &Ward, phone: &Phone) -> Config {
    ward.config(&phone.folder, Arc::clone(&phone.faults) as _)
}

/// Opening is refused with this code, and no file has changed, come or gone.
async fn refused(config: Config, code: &str) -> Error {
    let folder = config.folder.clone();
    let before = files(&folder);
    let error = Client::open(config).await.map(drop).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert_same(&before, &files(&folder));
    error
}

fn assert_same(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    for (path, bytes) in before {
        assert!(after[path] == *bytes, "{} was changed", path.display());
    }
}

/// It was not damaged by the refusals.
async fn opens(ward: &Ward, phone: &Phone) {
    let client = Client::open(config(ward, phone)).await.unwrap();
    client.unlock(passphrase()).await.unwrap();
    let page = client.timeline(phone.team(), None, 10).await.unwrap();
    assert_eq!(page.messages[0].text, text(1));
    assert_eq!(client.check_audit().await.unwrap(), None);
    client.close().await.unwrap();
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery staple").unwrap()
}

// scenario: locked-phone
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_unlocks_nothing_and_is_counted() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.say(team(), &text(1)).await;
    let nurse = ward.reopen(nurse).await;
    let vault = fs::read(nurse.folder.join("vault")).unwrap();
    for attempt in 1..=2 {
        let wrong = Passphrase::new("correct horse battery stable").unwrap();
        let error = nurse.client.unlock(wrong).await.unwrap_err();
        assert_eq!(error.code(), "WL-VAULT-WRONG-PASSPHRASE");
        assert!(
            error.to_string().contains(&format!("attempt {attempt}")),
            "{error}"
        );
        assert!(nurse.client.is_locked());
    }
    assert!(fs::read(nurse.folder.join("vault")).unwrap() == vault);
    assert_eq!(nurse.client.unlock(passphrase()).await.unwrap(), 2);
    assert_eq!(nurse.texts(nurse.team()).await, [text(1)]);
}

// scenario: wrong-key
#[tokio::test(flavor = "multi_thread")]
async fn the_key_store_of_another_device_opens_nothing() {
    let (ward, nurse) = closed().await;
    let mut foreign = config(&ward, &nurse);
    foreign.key_store = Arc::new(FileKeyStore::open(ward.folder().join("other-keys")).unwrap());
    refused(foreign, "WL-VAULT-HOST-NOT-MINE").await;
    opens(&ward, &nurse).await;
}

/// A platform's key store that gives nothing.
struct Refusing(KeyStoreError);

impl KeyStore for Refusing {
    fn wrap(&self, _: KeyPurpose, _: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        Err(self.0)
    }

    fn open(&self, _: KeyPurpose, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        Err(self.0)
    }

    fn erase(&self, _: KeyPurpose) -> Result<(), KeyStoreError> {
        Err(self.0)
    }

    fn attempts(&self) -> Result<u32, KeyStoreError> {
        Err(self.0)
    }

    fn count_attempt(&self) -> Result<u32, KeyStoreError> {
        Err(self.0)
    }

    fn reset_attempts(&self) -> Result<(), KeyStoreError> {
        Err(self.0)
    }
}

// scenario: foreign-key-store
#[tokio::test(flavor = "multi_thread")]
async fn a_key_store_that_refuses_is_quoted() {
    let (ward, nurse) = closed().await;
    for (cause, code) in [
        (KeyStoreError::Refused, "WL-VAULT-HOST-REFUSED"),
        (KeyStoreError::Cancelled, "WL-VAULT-HOST-CANCELLED"),
        (KeyStoreError::Unavailable, "WL-VAULT-HOST-UNAVAILABLE"),
        (KeyStoreError::NotMine, "WL-VAULT-HOST-NOT-MINE"),
        (
            KeyStoreError::Failed { status: -34018 },
            "WL-VAULT-HOST-FAILED",
        ),
    ] {
        let mut without = config(&ward, &nurse);
        without.key_store = Arc::new(Refusing(cause));
        refused(without, code).await;
    }
    opens(&ward, &nurse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_store_is_named_and_left_as_it_is() {
    let (ward, nurse) = closed().await;
    let file = nurse.folder.join("store.db");
    let whole = fs::read(&file).unwrap();
    for (length, code) in [
        (0, "WL-NOT-ENROLLED"),
        (10, "WL-STORE-FOREIGN"),
        (16, "WL-STORE-DAMAGED"),
        (100, "WL-STORE-DAMAGED"),
        (4096, "WL-STORE-DAMAGED"),
        (whole.len() / 2, "WL-STORE-DAMAGED"),
        (whole.len() - 1, "WL-STORE-DAMAGED"),
    ] {
        fs::write(&file, &whole[..length]).unwrap();
        println!("cut to {length}");
        refused(config(&ward, &nurse), code).await;
    }
    fs::write(&file, &whole).unwrap();
    opens(&ward, &nurse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_file_in_the_stores_place_is_not_touched() {
    let (ward, nurse) = closed().await;
    let file = nurse.folder.join("store.db");
    let ours = fs::read(&file).unwrap();
    fs::write(&file, "minutes of the ward meeting, not a database").unwrap();
    refused(config(&ward, &nurse), "WL-STORE-FOREIGN").await;
    fs::write(&file, &ours).unwrap();
    let vault = nurse.folder.join("vault");
    let ours = fs::read(&vault).unwrap();
    fs::write(&vault, "minutes of the ward meeting, not a vault").unwrap();
    refused(config(&ward, &nurse), "WL-VAULT-FOREIGN").await;
    fs::write(&vault, &ours).unwrap();
    opens(&ward, &nurse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_another_device_is_not_opened() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    for phone in [&nurse, &doctor] {
        phone.client.close().await.unwrap();
    }
    fs::copy(
        doctor.folder.join("store.db"),
        nurse.folder.join("store.db"),
    )
    .unwrap();
    refused(config(&ward, &nurse), "WL-STORE-KEY").await;
}

/// A phone's system ends an app that holds on to files while it is suspended.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_device_holds_no_file_and_goes_on_after() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.say(team(), &text(1)).await;
    assert_eq!(
        nurse
            .client
            .search("canary", None, None, 9)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(!held_below(&nurse.folder).is_empty());
    nurse.client.suspend().await.unwrap();
    assert_eq!(held_below(&nurse.folder), Vec::<PathBuf>::new());
    for refused in [
        nurse
            .client
            .search("canary", None, None, 9)
            .await
            .unwrap_err(),
        nurse
            .client
            .timeline(nurse.team(), None, 9)
            .await
            .unwrap_err(),
        nurse
            .client
            .send(Draft::new(team(), text(2)))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.code(), "WL-STORE-SUSPENDED");
        assert!(refused.retryable());
    }
    assert_eq!(held_below(&nurse.folder), Vec::<PathBuf>::new());
    nurse.client.resume().await.unwrap();
    nurse.say(team(), &text(2)).await;
    assert_eq!(
        nurse
            .client
            .search("canary", None, None, 9)
            .await
            .unwrap()
            .len(),
        2
    );
    nurse.client.close().await.unwrap();
    assert_eq!(held_below(&nurse.folder), Vec::<PathBuf>::new());
}

/// The files below a folder that this process has open.
#[cfg(target_os = "linux")]
fn held_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let paths = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    paths.filter(|path| path.starts_with(folder)).collect()
}

/// A folder that may not be written. The administrator may write everywhere, so the kernel has to say it: the
/// test runs once more in a mount namespace of its own in which the folder is mounted for reading.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_is_its_own_error() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if inside().is_some() {
        return runtime.block_on(async {
            let (ward, nurse) = closed().await;
            let folder = nurse.folder.display();
            assert!(sh(&format!(
                "mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
            )));
            let error = refused(config(&ward, &nurse), "WL-STORE-READ-ONLY").await;
            assert_eq!(error.recovery(), Recovery::AskTheDeveloper);
            assert!(sh(&format!("umount {folder}")));
            opens(&ward, &nurse).await;
        });
    }
    again_in_a_namespace("at_rest::a_read_only_folder_is_its_own_error");
}

/// A disk without space, a real one of two megabytes: sending and receiving are refused as such, nothing is half
/// done, and all goes on when there is space again.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_sent_or_received() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if inside().is_some() {
        return runtime.block_on(on_a_small_disk());
    }
    again_in_a_namespace("at_rest::a_full_disk_loses_nothing_sent_or_received");
}

#[cfg(target_os = "linux")]
async fn on_a_small_disk() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let disk = ward.folder().join("disk");
    fs::create_dir(&disk).unwrap();
    assert!(sh(&format!(
        "mount -t tmpfs -o size=2m none {}",
        disk.display()
    )));
    let nurse = ward.phone("NS-1").await;
    let ticket = ward.ticket("DR-1");
    let doctor = ward.enroll(&disk, "DR-1", &ticket).await.unwrap();
    ward.publish().await;
    settle(&[&doctor, &nurse], 1).await;
    let first = nurse.say(team(), &text(0)).await;
    settle(&[&nurse, &doctor, &nurse], 1).await;

    let ballast = disk.join("ballast");
    let fill = || {
        let mut size = 2 << 20;
        while size > 0 {
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&ballast)
                .unwrap();
            if std::io::Write::write_all(&mut file, &vec![0; size]).is_err() {
                size /= 2;
            }
        }
    };
    fill();
    // Sending: some may still fit into what the database has; then every one is refused, alone or together.
    let mut kept = vec![text(0)];
    let error = loop {
        let next = text(kept.len());
        match doctor.client.send(Draft::new(team(), next.clone())).await {
            Ok(_) => kept.push(next),
            Err(error) => break error,
        }
        fill();
    };
    assert_eq!(error.code(), "WL-STORE-DISK-FULL");
    assert_eq!(error.recovery(), Recovery::FreeSpace);
    let together: Vec<_> = (0..8)
        .map(|_| {
            let client = doctor.client.clone();
            tokio::spawn(async move { client.send(Draft::new(team(), "x".repeat(9000))).await })
        })
        .collect();
    for sent in together {
        assert_eq!(
            sent.await.unwrap().unwrap_err().code(),
            "WL-STORE-DISK-FULL"
        );
    }
    assert_eq!(doctor.texts(doctor.team()).await, kept);

    // Receiving: refused as a whole, and nothing is acknowledged.
    let mut waiting = Vec::new();
    for number in 100..120 {
        waiting.push(text(number));
        nurse.say(team(), &text(number)).await;
    }
    nurse.client.sync_once().await.unwrap();
    fill();
    for _ in 0..3 {
        let error = doctor.client.sync_once().await.unwrap_err();
        assert_eq!(error.code(), "WL-STORE-DISK-FULL");
    }
    assert_eq!(doctor.texts(doctor.team()).await, kept);
    assert_eq!(doctor.client.check_audit().await.unwrap(), None);

    // Unlocking happens, with an index that is behind, or does not happen at all.
    doctor.client.lock();
    let unlocked = doctor.client.unlock(passphrase()).await;
    assert_eq!(doctor.client.is_locked(), unlocked.is_err());
    match unlocked {
        Ok(_) => assert_eq!(doctor.texts(doctor.team()).await, kept),
        Err(error) => assert!(error.code().ends_with("-DISK-FULL"), "{error:?}"),
    }

    // It is closed and opened meanwhile, as apps are.
    let doctor = ward.reopen(doctor).await;
    fs::remove_file(&ballast).unwrap();
    doctor.unlock().await;
    settle(&[&doctor, &nurse, &doctor, &nurse], 2).await;
    let mut expected = [kept.clone(), waiting].concat();
    let mut texts = doctor.texts(doctor.team()).await;
    texts.sort();
    expected.sort();
    assert_eq!(texts, expected);
    assert_eq!(doctor.refusals().await, Vec::<String>::new());
    assert_eq!(doctor.client.check_audit().await.unwrap(), None);
    let mut at_nurse = nurse.texts(nurse.team()).await;
    at_nurse.sort();
    assert_eq!(at_nurse, expected);
    nurse.client.deliveries(first).await.unwrap();
}

/// Runs a test of this binary as administrator of a mount namespace of its own.
#[cfg(target_os = "linux")]
fn again_in_a_namespace(test: &str) {
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", program]);
        command
    };
    if !unshare("true")
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("left out: this machine lends no mount namespace");
        return;
    }
    let child = unshare(std::env::current_exe().unwrap().to_str().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout);
    let passed = child.status.success() && out.contains("1 passed");
    assert!(passed, "{out}{}", String::from_utf8_lossy(&child.stderr));
}

#[cfg(target_os = "linux")]
fn inside() -> Option<std::ffi::OsString> {
    std::env::var_os(INSIDE)
}

#[cfg(target_os = "linux")]
fn sh(command: &str) -> bool {
    Command::new("sh")
        .args(["-c", command])
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(target_os = "linux")]
const INSIDE: &str = "WARDLINE_TEST_MOUNTS";
