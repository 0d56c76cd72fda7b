//! Remote wipe: only the organization's order to this very device erases it; then nothing opens any more,
//! every clone and process says so, and the receipt gets to the organization.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use wardline::{
    Client, Draft, Error, Event, FailureCause, Recipient, Recovery, RequestId,
    vault::{FileKeyStore, KeyPurpose, KeyStore, KeyStoreError, Passphrase, Zeroizing},
};
use wardline_org::{
    Clock, DeviceId, Refusal, RelayCode, SystemClock, Transport,
    authority::{Authority, Secrets},
    root::Purpose,
    wipe::{SignedWipeOrder, WipeOrder},
};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, files, settle, team, text};

/// Two devices that have talked, the nurse's unlocked.
async fn ward() -> (Ward, Phone, Phone) {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    doctor.say(team(), &text(1)).await;
    settle(&[&doctor, &nurse, &doctor], 1).await;
    assert_eq!(nurse.texts(nurse.team()).await, [text(1)]);
    (ward, nurse, doctor)
}

fn config(ward: &Ward, phone: &Phone) -> wardline::Config {
    ward.config(&phone.folder, Arc::clone(&phone.faults) as _)
}

fn code<T>(outcome: Result<T, Error>) -> String {
    outcome.map(drop).unwrap_err().code()
}

/// Everything an app may ask for answers the same, and nothing of the device is left on disk.
async fn is_gone(ward: &Ward, phone: &Phone) {
    let client = &phone.client;
    assert!(client.is_wiped());
    assert!(client.is_locked());
    let error = client.sync_once().await.unwrap_err();
    assert_eq!(error.code(), "WL-WIPED");
    assert_eq!(error.recovery(), Recovery::AskTheAdministrator);
    assert!(!error.retryable());
    let passphrase = || Passphrase::new("correct horse battery staple").unwrap();
    assert_eq!(code(client.unlock(passphrase()).await), "WL-WIPED");
    assert_eq!(code(client.unlock_by_presence().await), "WL-WIPED");
    let changed = client.change_passphrase(passphrase(), passphrase());
    assert_eq!(code(changed.await), "WL-WIPED");
    assert_eq!(code(client.rekey().await), "WL-WIPED");
    let sent = client.send(Draft::new(team(), "too late")).await;
    assert_eq!(code(sent), "WL-WIPED");
    let page = client.timeline(phone.team(), None, 10).await;
    assert_eq!(code(page), "WL-WIPED");
    assert_eq!(code(client.conversations(None, 10).await), "WL-WIPED");
    assert_eq!(
        code(client.search("Potassium", None, None, 1).await),
        "WL-WIPED"
    );
    assert_eq!(
        code(client.events_from(Default::default(), 1).await),
        "WL-WIPED"
    );
    assert_eq!(code(client.resume().await), "WL-WIPED");
    assert_eq!(code(Client::open(config(ward, phone)).await), "WL-WIPED");
    assert_only_the_mark_is_left(&phone.folder);
}

fn assert_only_the_mark_is_left(folder: &Path) {
    for (path, bytes) in files(folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let empty_lock = name.ends_with(".lock") && bytes.is_empty();
        assert!(name == "wiped" || empty_lock, "{name} is left");
    }
}

/// An order as anybody with this key could write it.
fn order(ward: &Ward, by: Purpose, org: &str, device: DeviceId) -> String {
    let order = WipeOrder {
        org: org.parse().unwrap(),
        device,
        issued_at: SystemClock.now(),
        reason: "lost".parse().unwrap(),
    };
    let order = SignedWipeOrder::sign(&order, &*ward.signer(by)).unwrap();
    order.to_string()
}

fn to_nurse() -> Recipient {
    Recipient::Person("NS-1".parse().unwrap())
}

fn showing(order: String, roots: Vec<String>) -> Refusal {
    Refusal::new(RelayCode::Wipe).with_wipe(v1::WipeNotice { order, roots })
}

// scenario: remote-wipe
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_phone_erases_itself_and_tells_how_many_messages_went_with_it() {
    let (mut ward, nurse, doctor) = ward().await;
    nurse.client.lock();
    let list = nurse.client.follow_conversations(10).await.unwrap();
    assert_eq!(list.conversations().len(), 1);
    // Written, and not taken by the relay.
    nurse.faults.cut();
    for number in 2..4 {
        nurse.say(team(), &text(number)).await;
    }
    nurse.faults.mend();
    let another = nurse.client.clone();
    ward.order_wipe(&nurse).await;
    assert_eq!(ward.wipes().await[0].receipt, None);

    assert_eq!(code(nurse.client.sync_once().await), "WL-WIPED");
    is_gone(&ward, &nurse).await;
    assert_eq!(code(another.unread_total().await), "WL-WIPED");
    assert!(list.conversations().is_empty());

    let wipes = ward.wipes().await;
    assert_eq!(wipes.len(), 1);
    let receipt = wipes[0].receipt.as_ref().unwrap().receipt();
    assert_eq!(receipt.device, nurse.client.device());
    assert_eq!(receipt.unsent_messages, 2);
    // It is revoked as well, and everybody else goes on.
    let message = doctor.say(to_nurse(), &text(4)).await;
    doctor.client.sync_once().await.unwrap();
    let people = doctor.client.deliveries(message).await.unwrap();
    let causes = people.iter().flat_map(|person| &person.devices);
    let causes: Vec<_> = causes.map(|device| device.cause).collect();
    assert_eq!(causes, [Some(FailureCause::Revoked)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_alone_erases_nothing() {
    let (ward, nurse, doctor) = ward().await;
    let us = nurse.client.device();
    let foreign = {
        let secrets = Secrets::generate(1).unwrap();
        let general = Authority::found("mercy".parse().unwrap(), 1, &secrets).unwrap();
        let words = WipeOrder {
            org: "mercy".parse().unwrap(),
            device: us,
            issued_at: SystemClock.now(),
            reason: "lost".parse().unwrap(),
        };
        let signers = secrets.signers();
        let key = signers.get(Purpose::Wipe).unwrap();
        let order = SignedWipeOrder::sign(&words, &**key).unwrap().to_string();
        showing(order, vec![general.signed_root().unwrap().to_string()])
    };
    let lies = [
        Refusal::new(RelayCode::Wipe),
        showing("wardline/v1/wipe\n".into(), Vec::new()),
        showing(order(&ward, Purpose::Policy, "mercy", us), Vec::new()),
        showing(order(&ward, Purpose::Relay, "mercy", us), Vec::new()),
        showing(order(&ward, Purpose::Authority, "mercy", us), Vec::new()),
        showing(order(&ward, Purpose::Wipe, "general", us), Vec::new()),
        showing(
            order(&ward, Purpose::Wipe, "mercy", doctor.client.device()),
            Vec::new(),
        ),
        foreign,
    ];
    for lie in lies.iter().cloned() {
        nurse.faults.refuse_all(lie);
        let error = nurse.client.sync_once().await.unwrap_err();
        assert_eq!(error.code(), "WL-RELAY-WIPE");
        assert_eq!(error.recovery(), Recovery::AskTheAdministrator);
        nurse.faults.relent();
    }
    let reported = Event::DirectoryRefused {
        code: "WL-DIRECTORY-BAD-WIPE-ORDER".into(),
    };
    let events = nurse.events().await;
    let reports = events.iter().filter(|event| **event == reported).count();
    assert_eq!(reports, lies.len());
    // It lives, and talks.
    assert!(!nurse.client.is_wiped());
    nurse.say(team(), &text(2)).await;
    settle(&[&nurse, &doctor], 2).await;
    assert_eq!(doctor.texts(doctor.team()).await, [text(1), text(2)]);
    assert_eq!(nurse.client.check_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_repeats_a_false_order_fills_neither_events_nor_audit() {
    let (ward, nurse, _doctor) = ward().await;
    let reports = async || {
        let reported = Event::DirectoryRefused {
            code: "WL-DIRECTORY-BAD-WIPE-ORDER".into(),
        };
        let events = nurse.events().await;
        events.iter().filter(|event| **event == reported).count()
    };
    let lie = async |order: String| {
        nurse.faults.refuse_all(showing(order, Vec::new()));
        let error = nurse.client.sync_once().await.unwrap_err();
        assert_eq!(error.code(), "WL-RELAY-WIPE");
        nurse.faults.relent();
    };
    let us = nurse.client.device();
    let forged = order(&ward, Purpose::Policy, "mercy", us);
    for _ in 0..3 {
        lie(forged.clone()).await;
    }
    nurse.client.suspend().await.unwrap();
    nurse.client.resume().await.unwrap();
    lie(forged.clone()).await;
    assert_eq!(reports().await, 1);
    // Nor one that has something new to say every time.
    for number in 0..40 {
        lie(format!("wardline/v1/wipe {number}\n")).await;
    }
    assert_eq!(reports().await, 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_opens_with_no_key_there_ever_was() {
    let (mut ward, nurse, _doctor) = ward().await;
    let keys = nurse.folder.with_extension("keys");
    let before = files(&nurse.folder);
    let old = ward.folder().join("old-copy");
    fs::create_dir(&old).unwrap();
    for (path, bytes) in &before {
        fs::write(old.join(path.file_name().unwrap()), bytes).unwrap();
    }
    ward.order_wipe(&nurse).await;
    assert_eq!(code(nurse.client.sync_once().await), "WL-WIPED");

    // The copy of the files, on the same device: its keys are gone from the key store.
    let mut stolen = config(&ward, &nurse);
    stolen.folder = old;
    assert_eq!(code(Client::open(stolen).await), "WL-VAULT-HOST-NOT-MINE");
    let store = FileKeyStore::open(&keys).unwrap();
    for purpose in KeyPurpose::ALL {
        assert!(store.open(purpose, &[1; 64]).is_err());
    }
    let left: BTreeMap<_, _> = files(&keys);
    for path in left.keys() {
        assert_ne!(path.extension().unwrap_or_default(), "key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_phone_without_a_network_posts_its_receipt_when_it_is_opened_again() {
    let (mut ward, nurse, _doctor) = ward().await;
    ward.order_wipe(&nurse).await;
    // The order gets through, and nothing after it.
    let pending = nurse.client.pending_requests().await.unwrap();
    let first = pending.into_iter().next().unwrap();
    let answer = ward.relay().local().call(first.request).await.unwrap();
    nurse.faults.cut();
    let told = nurse.client.complete(first.id, answer).await;
    assert_eq!(code(told), "WL-WIPED");
    assert_only_the_mark_is_left(&nurse.folder);
    assert_eq!(code(Client::open(config(&ward, &nurse)).await), "WL-WIPED");
    assert_eq!(ward.wipes().await[0].receipt, None);
    let keys = Arc::new(FileKeyStore::open(nurse.folder.with_extension("keys")).unwrap());
    assert!(wardline::is_enrolled(&nurse.folder, keys.clone()).unwrap());

    nurse.faults.mend();
    assert_eq!(code(Client::open(config(&ward, &nurse)).await), "WL-WIPED");
    assert!(ward.wipes().await[0].receipt.is_some());
    assert!(!wardline::is_enrolled(&nurse.folder, keys).unwrap());
    is_gone(&ward, &nurse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_carries_calls_itself_obeys_and_carries_the_receipt() {
    let (mut ward, nurse, _doctor) = ward().await;
    nurse.faults.cut();
    // Handed out before, carried after the order; the process that asked is gone by then.
    let pending = nurse.client.pending_requests().await.unwrap();
    let nurse = ward.reopen(nurse).await;
    ward.order_wipe(&nurse).await;
    let transport = ward.relay().local();
    let mut told = Vec::new();
    for pending in pending {
        let id: RequestId = pending.id.to_string().parse().unwrap();
        let answer = transport.call(pending.request).await.unwrap();
        told.push(nurse.client.complete(id, answer).await);
    }
    assert!(told.into_iter().all(|told| code(told) == "WL-WIPED"));
    assert_only_the_mark_is_left(&nurse.folder);

    let mut left = nurse.client.pending_requests().await.unwrap();
    let receipt = left.pop().unwrap();
    assert!(left.is_empty());
    let id: RequestId = receipt.id.to_string().parse().unwrap();
    let answer = transport.call(receipt.request).await.unwrap();
    nurse.client.complete(id, answer).await.unwrap();
    assert!(ward.wipes().await[0].receipt.is_some());
    assert_eq!(code(nurse.client.pending_requests().await), "WL-WIPED");
}

// scenario: second-process
#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_stops_where_the_first_one_obeyed() {
    let (mut ward, nurse, _doctor) = ward().await;
    // What an extension holds: another client on the same files.
    let extension = Client::open(config(&ward, &nurse)).await.unwrap();
    let passphrase = Passphrase::new("correct horse battery staple").unwrap();
    extension.unlock(passphrase).await.unwrap();
    let suspended = Client::open(config(&ward, &nurse)).await.unwrap();
    suspended.suspend().await.unwrap();
    let mut shown = extension.follow(nurse.team(), 10).await.unwrap();
    assert_eq!(shown.messages().len(), 1);
    ward.order_wipe(&nurse).await;
    assert_eq!(code(nurse.client.sync_once().await), "WL-WIPED");

    let page = extension.timeline(nurse.team(), None, 10).await;
    assert_eq!(code(page), "WL-WIPED");
    let sent = extension.send(Draft::new(team(), "too late")).await;
    assert_eq!(code(sent), "WL-WIPED");
    assert_eq!(code(extension.sync_once().await), "WL-WIPED");
    assert_eq!(code(shown.changed().await), "WL-WIPED");
    assert!(shown.messages().is_empty());
    assert_eq!(code(suspended.resume().await), "WL-WIPED");
    assert_eq!(code(suspended.sync_once().await), "WL-WIPED");
    is_gone(&ward, &nurse).await;
    assert_eq!(ward.wipes().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_obeys_at_once_and_ends_with_the_receipt() {
    let (mut ward, nurse, _doctor) = ward().await;
    let mut shown = nurse.client.follow_conversations(10).await.unwrap();
    nurse.client.start().unwrap();
    ward.order_wipe(&nurse).await;
    // No patience of ours: the wait of the poll ends when the order comes.
    let ended = loop {
        if let Err(error) = shown.changed().await {
            break error;
        }
    };
    assert_eq!(ended.code(), "WL-WIPED");
    while ward.wipes().await[0].receipt.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    is_gone(&ward, &nurse).await;
}

/// A platform that says something before it forgets a key, or instead.
struct Asked<F> {
    inside: FileKeyStore,
    before: F,
}

impl<F: Fn() -> Result<(), KeyStoreError> + Send + Sync> KeyStore for Asked<F> {
    fn wrap(&self, purpose: KeyPurpose, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        self.inside.wrap(purpose, secret)
    }

    fn open(
        &self,
        purpose: KeyPurpose,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.inside.open(purpose, wrapped)
    }

    fn erase(&self, purpose: KeyPurpose) -> Result<(), KeyStoreError> {
        (self.before)()?;
        self.inside.erase(purpose)
    }

    fn attempts(&self) -> Result<u32, KeyStoreError> {
        self.inside.attempts()
    }

    fn count_attempt(&self) -> Result<u32, KeyStoreError> {
        self.inside.count_attempt()
    }

    fn reset_attempts(&self) -> Result<(), KeyStoreError> {
        self.inside.reset_attempts()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_posted_only_when_the_platform_has_forgotten_its_keys() {
    let (mut ward, nurse, _doctor) = ward().await;
    nurse.client.close().await.unwrap();
    let refuses = Arc::new(AtomicBool::new(true));
    let stubborn = |ward: &Ward| {
        let keys = FileKeyStore::open(nurse.folder.with_extension("keys")).unwrap();
        let mut config = config(ward, &nurse);
        let refuses = Arc::clone(&refuses);
        config.key_store = Arc::new(Asked {
            inside: keys,
            before: move || match refuses.load(Ordering::SeqCst) {
                true => Err(KeyStoreError::Unavailable),
                false => Ok(()),
            },
        });
        config
    };
    let client = Client::open(stubborn(&ward)).await.unwrap();
    ward.order_wipe(&nurse).await;
    assert_eq!(code(client.sync_once().await), "WL-WIPED");
    assert_eq!(code(Client::open(stubborn(&ward)).await), "WL-WIPED");
    // The wrapped keys and the files are gone at once, whatever the platform does.
    assert_only_the_mark_is_left(&nurse.folder);
    assert_eq!(ward.wipes().await[0].receipt, None);
    refuses.store(false, Ordering::SeqCst);
    assert_eq!(code(client.sync_once().await), "WL-WIPED");
    assert!(ward.wipes().await[0].receipt.is_some());
    let keys = files(&nurse.folder.with_extension("keys"));
    assert!(
        !keys
            .keys()
            .any(|path| path.extension().is_some_and(|end| end == "key"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_phone_obeys_when_it_is_back() {
    let (mut ward, nurse, _doctor) = ward().await;
    nurse.client.suspend().await.unwrap();
    ward.order_wipe(&nurse).await;
    assert_eq!(code(nurse.client.sync_once().await), "WL-STORE-SUSPENDED");
    assert!(!nurse.client.is_wiped());
    nurse.client.resume().await.unwrap();
    assert_eq!(code(nurse.client.sync_once().await), "WL-WIPED");
    is_gone(&ward, &nurse).await;
    assert!(ward.wipes().await[0].receipt.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_is_free_for_a_new_device_once_the_receipt_is_posted() {
    let (mut ward, nurse, doctor) = ward().await;
    ward.order_wipe(&nurse).await;
    assert_eq!(code(nurse.client.sync_once().await), "WL-WIPED");
    let ticket = ward.ticket("NS-1");
    let fresh = ward.enroll(&nurse.folder, "NS-1", &ticket).await.unwrap();
    assert_ne!(fresh.client.device(), nurse.client.device());
    ward.publish().await;
    settle(&[&fresh, &doctor], 2).await;
    doctor.say(to_nurse(), &text(2)).await;
    settle(&[&doctor, &fresh], 2).await;
    assert_eq!(fresh.texts(fresh.with("DR-1")).await, [text(2)]);
    // The old one stays gone, and does no harm to the new one.
    assert_eq!(code(nurse.client.sync_once().await), "WL-WIPED");
    assert!(!fresh.client.is_wiped());
    assert_eq!(fresh.texts(fresh.with("DR-1")).await, [text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_to_an_earlier_receipt_does_not_hide_that_a_later_one_is_not_posted() {
    let (mut ward, nurse, _doctor) = ward().await;
    nurse.faults.cut();
    let fetches = nurse.client.pending_requests().await.unwrap();
    ward.order_wipe(&nurse).await;
    let transport = ward.relay().local();
    let fetch = fetches.into_iter().next().unwrap();
    let told = transport.call(fetch.request).await.unwrap();
    assert_eq!(
        code(nurse.client.complete(fetch.id, told).await),
        "WL-WIPED"
    );
    // A host carries the receipt and is suspended; meanwhile another process frees the folder.
    let receipt = nurse
        .client
        .pending_requests()
        .await
        .unwrap()
        .pop()
        .unwrap();
    let again = nurse
        .client
        .pending_requests()
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(again.id, receipt.id);
    let late = transport.call(receipt.request).await.unwrap();
    nurse.faults.mend();
    let ticket = ward.ticket("NS-1");
    let fresh = ward.enroll(&nurse.folder, "NS-1", &ticket).await.unwrap();
    ward.publish().await;
    settle(&[&fresh], 2).await;
    ward.order_wipe(&fresh).await;
    fresh
        .faults
        .refuse::<v1::ConfirmWipeRequest>(RelayCode::Unavailable, |_| true);
    assert_eq!(code(fresh.client.sync_once().await), "WL-WIPED");

    nurse.client.complete(receipt.id, late).await.unwrap();
    fresh.faults.relent();
    assert_eq!(code(fresh.client.sync_once().await), "WL-WIPED");
    let wipes = ward.wipes().await;
    let receipts: Vec<_> = wipes.iter().map(|wipe| wipe.receipt.is_some()).collect();
    assert_eq!(receipts, [true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_a_folder_while_another_process_erases_it() {
    let (mut ward, nurse, _doctor) = ward().await;
    nurse.client.close().await.unwrap();
    let keys = FileKeyStore::open(nurse.folder.with_extension("keys")).unwrap();
    let lock = nurse.folder.join("wiped.lock");
    let held = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&held);
    let mut watched = config(&ward, &nurse);
    watched.key_store = Arc::new(Asked {
        inside: keys,
        before: move || {
            // As another process finds it that wants the folder.
            let another = File::open(&lock).unwrap();
            if matches!(another.try_lock(), Err(TryLockError::WouldBlock)) {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        },
    });
    let client = Client::open(watched).await.unwrap();
    ward.order_wipe(&nurse).await;
    assert_eq!(code(client.sync_once().await), "WL-WIPED");
    let every_key = u32::try_from(KeyPurpose::ALL.len()).unwrap();
    assert_eq!(held.load(Ordering::SeqCst), every_key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_whose_receipt_nobody_has_is_not_given_to_another_device() {
    let (mut ward, nurse, _doctor) = ward().await;
    ward.order_wipe(&nurse).await;
    nurse
        .faults
        .refuse::<v1::ConfirmWipeRequest>(RelayCode::Unavailable, |_| true);
    assert_eq!(code(nurse.client.sync_once().await), "WL-WIPED");
    let mut again = config(&ward, &nurse);
    again.clock = Arc::new(SystemClock);
    let ticket = ward.ticket("NS-1");
    let passphrase = Passphrase::new("correct horse battery staple").unwrap();
    let refused = Client::enroll(again, nurse.user.clone(), "phone", &ticket, passphrase).await;
    assert_eq!(code(refused), "WL-WIPED");
    assert_only_the_mark_is_left(&nurse.folder);
}
