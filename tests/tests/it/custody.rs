//! Who holds which key while two things happen at once: a lock during an unlock, an end during a change
//! of key.

use std::{
    fs::File,
    sync::{Arc, Mutex},
    time::Duration,
};

use wardline::{
    Client, Config, Recipient,
    vault::{FileKeyStore, KeyPurpose, KeyStore, KeyStoreError, Passphrase},
};
use wardline_tests::{Phone, Ward, passphrase, settle, text};

/// A key store that does something whenever it is asked for the reading key.
struct Interrupting {
    keys: FileKeyStore,
    meanwhile: Mutex<Option<Client>>,
}

impl KeyStore for Interrupting {
    fn wrap(&self, purpose: KeyPurpose, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        self.keys.wrap(purpose, secret)
    }

    fn open(
        &self,
        purpose: KeyPurpose,
        wrapped: &[u8],
    ) -> Result<wardline::vault::Zeroizing<Vec<u8>>, KeyStoreError> {
        if purpose != KeyPurpose::Inbox
            && let Some(client) = self.meanwhile.lock().unwrap().as_ref()
        {
            client.lock();
        }
        self.keys.open(purpose, wrapped)
    }

    fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
        self.keys.erase(purpose)
    }

    fn attempts(&self) -> Result<u32, KeyStoreError> {
        self.keys.attempts()
    }

    fn count_attempt(&self) -> Result<u32, KeyStoreError> {
        self.keys.count_attempt()
    }

    fn reset_attempts(&self) -> Result<(), KeyStoreError> {
        self.keys.reset_attempts()
    }
}

fn config(ward: &Ward, phone: &Phone) -> Config {
    ward.config(&phone.folder, Arc::clone(&phone.faults) as _)
}

async fn opens(ward: &Ward, phone: &Phone) -> Client {
    let client = Client::open(config(ward, phone)).await.unwrap();
    client.unlock(passphrase()).await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_during_an_unlock_leaves_the_client_locked() {
    let mut ward = Ward::open(&["NS-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.client.allow_presence(passphrase()).await.unwrap();
    nurse.client.close().await.unwrap();
    let keys = Arc::new(Interrupting {
        keys: FileKeyStore::open(nurse.folder.with_extension("keys")).unwrap(),
        meanwhile: Mutex::new(None),
    });
    let mut config = config(&ward, &nurse);
    config.key_store = Arc::clone(&keys) as _;
    let client = Client::open(config).await.unwrap();
    *keys.meanwhile.lock().unwrap() = Some(client.clone());
    let refused = client.unlock(passphrase()).await.unwrap_err();
    assert_eq!(refused.code(), "WL-LOCKED");
    assert!(client.is_locked());
    let refused = client.unlock_by_presence().await.unwrap_err();
    assert_eq!(refused.code(), "WL-LOCKED");
    assert!(client.is_locked());
    *keys.meanwhile.lock().unwrap() = None;
    client.unlock(passphrase()).await.unwrap();
    assert!(!client.is_locked());
}

/// Holds up whoever wants to write the store, as another process does.
fn hold(phone: &Phone) -> File {
    let held = File::open(phone.folder.join("store.lock")).unwrap();
    held.lock().unwrap();
    held
}

async fn until_suspended(client: &Client) {
    for _ in 0..1000 {
        if client.check_audit().await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the change of key did not begin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_closed_during_a_change_of_key_opens_again() {
    let mut ward = Ward::open(&["NS-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let held = hold(&nurse);
    let changing = nurse.client.clone();
    let changed = tokio::spawn(async move { changing.rekey().await });
    until_suspended(&nurse.client).await;
    nurse.client.close().await.unwrap();
    drop(held);
    changed.await.unwrap().unwrap_err();
    opens(&ward, &nurse).await.rekey().await.unwrap();
    opens(&ward, &nurse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_opens_during_a_change_of_key_does_not_drop_the_new_key() {
    let mut ward = Ward::open(&["NS-1"]).await;
    let mut nurse = ward.phone("NS-1").await;
    for _ in 0..8 {
        let held = hold(&nurse);
        let changing = nurse.client.clone();
        let changed = tokio::spawn(async move { changing.rekey().await });
        until_suspended(&nurse.client).await;
        let opening = tokio::spawn(Client::open(config(&ward, &nurse)));
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(held);
        // SQLCipher may refuse while another process opens the file; then the old key is kept.
        if let Err(error) = changed.await.unwrap() {
            assert!(error.code().starts_with("WL-STORE-"), "{error:?}");
        }
        opening.await.unwrap().unwrap().close().await.unwrap();
        nurse = ward.reopen(nurse).await;
    }
    nurse.unlock().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_shows_no_text_once_the_client_is_locked() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    let person = Recipient::Person(doctor.user.clone());
    nurse.say(person, &text(1)).await;
    let timeline = nurse.client.follow(nurse.with("DR-1"), 10).await.unwrap();
    let list = nurse.client.follow_conversations(10).await.unwrap();
    assert_eq!(timeline.messages().len(), 1);
    assert!(list.conversations()[0].newest.preview.is_some());
    nurse.client.lock();
    assert!(timeline.messages().is_empty());
    assert_eq!(list.conversations().len(), 1);
    assert!(list.conversations()[0].newest.preview.is_none());
    let wrong = Passphrase::new("not that one").unwrap();
    nurse.client.unlock(wrong).await.unwrap_err();
    assert!(timeline.messages().is_empty());
}
