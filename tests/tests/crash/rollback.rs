//! A store that goes back in time: restored from a copy, or living on in two copies.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use wardline::{Client, Event, Recipient, vault::Passphrase};
use wardline_org::{Request, Response, Transport, TransportError};
use wardline_tests::{Faults, Phone, Ward, settle, text};

/// A nurse and a doctor who have written to each other.
struct Acquainted {
    ward: Ward,
    nurse: Phone,
    doctor: Phone,
}

impl Acquainted {
    async fn meet() -> Self {
        let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        settle(&[&nurse, &doctor], 1).await;
        let met = Self {
            ward,
            nurse,
            doctor,
        };
        met.nurse_says(0).await;
        met.settle().await;
        met.doctor_says(1).await;
        met.settle().await;
        met
    }

    async fn nurse_says(&self, number: usize) {
        say(&self.nurse, "DR-1", number).await;
    }

    /// The nurse's device moves on by one step, and a message for it waits at the relay.
    async fn loses_one_step(&self) {
        self.nurse_says(2).await;
        self.nurse.client.sync_once().await.unwrap();
        self.doctor_says(3).await;
        self.doctor.client.sync_once().await.unwrap();
    }

    async fn doctor_says(&self, number: usize) {
        say(&self.doctor, "NS-1", number).await;
    }

    async fn settle(&self) {
        settle(&[&self.nurse, &self.doctor], 3).await;
    }

    /// Lets go of the nurse's device and puts whatever lies in `copy` in its place.
    async fn restore(&mut self, copy: &Path) {
        self.nurse.client.close().await.unwrap();
        let folder = self.nurse.folder.clone();
        std::fs::remove_dir_all(&folder).unwrap();
        copy_folder(copy, &folder);
        self.nurse = open(&self.ward, &folder, &self.nurse).await;
    }

    /// Lets go of the nurse's device, copies it as it is on disk, and opens it again.
    async fn copy(&mut self) -> tempfile::TempDir {
        self.nurse.client.close().await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&self.nurse.folder, copy.path());
        let folder = self.nurse.folder.clone();
        self.nurse = open(&self.ward, &folder, &self.nurse).await;
        copy
    }

    /// What each has of the conversation, sorted.
    async fn shown(&self) -> [Vec<String>; 2] {
        let mut nurse = self.nurse.texts(self.nurse.with("DR-1")).await;
        let mut doctor = self.doctor.texts(self.doctor.with("NS-1")).await;
        nurse.sort_unstable();
        doctor.sort_unstable();
        [nurse, doctor]
    }

    /// Messages go both ways, and nobody's audit is broken.
    async fn both_ways(&self, first: usize) {
        self.nurse_says(first).await;
        self.doctor_says(first + 1).await;
        self.settle().await;
        for shown in self.shown().await {
            for number in [first, first + 1] {
                let times = shown.iter().filter(|shown| **shown == text(number));
                assert_eq!(times.count(), 1);
            }
        }
        for phone in [&self.nurse, &self.doctor] {
            assert_eq!(phone.client.check_audit().await.unwrap(), None);
            assert_eq!(phone.client.sync_once().await.unwrap().waiting, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_restored_from_a_copy_is_noticed_before_anything_is_sealed_and_heals() {
    let mut ward = Acquainted::meet().await;
    let copy = ward.copy().await;
    ward.nurse_says(2).await;
    ward.settle().await;
    ward.doctor_says(3).await;
    ward.settle().await;
    ward.restore(copy.path()).await;

    // Without the relay nothing is sealed, and nothing is there to be posted.
    ward.nurse_says(4).await;
    let pending = ward.nurse.client.pending_requests().await.unwrap();
    let asks: Vec<String> = pending.iter().map(|ask| ask.id.to_string()).collect();
    assert!(asks[0].starts_with("checkpoint-"), "{asks:?}");
    assert!(!asks.iter().any(|ask| ask.starts_with("send-")), "{asks:?}");
    // Meanwhile the doctor writes through a session that the copy has only the past of.
    ward.doctor_says(5).await;
    ward.doctor.client.sync_once().await.unwrap();
    ward.nurse.client.sync_once().await.unwrap();
    let methods = ward.nurse.faults.methods();
    assert_eq!(methods[0], "Checkpoint");
    assert_eq!(rollbacks(&ward.nurse).await, 1);
    ward.settle().await;

    let [nurse, doctor] = ward.shown().await;
    // What the nurse's device knew between the copy and its return is with the doctor only.
    assert_eq!(nurse, [0, 1, 4, 5].map(text));
    assert_eq!(doctor, [0, 1, 2, 3, 4, 5].map(text));
    ward.both_ways(6).await;
    assert_eq!(rollbacks(&ward.nurse).await, 1);
    assert!(
        ward.doctor.refusals().await.is_empty(),
        "a ratchet was used twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_in_the_copy_is_shown_once_though_it_had_left_before() {
    let mut ward = Acquainted::meet().await;
    ward.nurse.faults.cut();
    ward.nurse_says(2).await;
    let copy = ward.copy().await;
    ward.nurse_says(3).await;
    ward.settle().await;
    assert_eq!(ward.shown().await[1], [0, 1, 2, 3].map(text));
    ward.restore(copy.path()).await;
    ward.settle().await;
    assert_eq!(rollbacks(&ward.nurse).await, 1);
    let [nurse, doctor] = ward.shown().await;
    assert_eq!(nurse, [0, 1, 2].map(text));
    assert_eq!(doctor, [0, 1, 2, 3].map(text), "something is shown twice");
    ward.both_ways(4).await;
    assert!(ward.doctor.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_is_noticed_though_a_host_fetches_first() {
    let mut ward = Acquainted::meet().await;
    let copy = ward.copy().await;
    ward.loses_one_step().await;
    ward.restore(copy.path()).await;
    ward.nurse.faults.cut();
    carry_last_first(&ward.ward, &ward.nurse).await;
    ward.nurse.faults.mend();
    assert_eq!(rollbacks(&ward.nurse).await, 1);
    ward.both_ways(4).await;
    assert!(ward.doctor.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_is_noticed_though_only_the_incoming_way_gets_through() {
    let mut ward = Acquainted::meet().await;
    let copy = ward.copy().await;
    ward.loses_one_step().await;
    ward.restore(copy.path()).await;
    let client = ward.nurse.client.clone();
    client.close().await.unwrap();
    let line = Arc::new(HeldUp::new(Arc::new(ward.ward.relay().local())));
    let config = ward
        .ward
        .config(&ward.nurse.folder, Arc::clone(&line) as Arc<_>);
    let client = Client::open(config).await.unwrap();
    client.start().unwrap();
    for _ in 0..1000 {
        if line.is_done() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    client.close().await.unwrap();
    ward.nurse = open(&ward.ward, &ward.nurse.folder.clone(), &ward.nurse).await;
    assert_eq!(rollbacks(&ward.nurse).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_put_in_place_while_suspended_is_noticed() {
    let mut ward = Acquainted::meet().await;
    let copy = ward.copy().await;
    ward.loses_one_step().await;
    ward.nurse.client.suspend().await.unwrap();
    for entry in std::fs::read_dir(&ward.nurse.folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_owned();
        if name.to_string_lossy().starts_with("store.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::copy(
        copy.path().join("store.db"),
        ward.nurse.folder.join("store.db"),
    )
    .unwrap();
    ward.nurse.client.resume().await.unwrap();
    let asks = ward.nurse.client.pending_requests().await.unwrap();
    assert!(asks[0].id.to_string().starts_with("checkpoint-"));
    ward.nurse.client.sync_once().await.unwrap();
    assert_eq!(rollbacks(&ward.nurse).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_device_is_noticed_when_both_copies_are_used_in_turn() {
    let mut ward = Acquainted::meet().await;
    ward.nurse.client.close().await.unwrap();
    let original = ward.nurse.folder.clone();
    let clone = original.with_file_name("clone");
    copy_folder(&original, &clone);
    copy_folder(
        &original.with_extension("keys"),
        &clone.with_extension("keys"),
    );
    let mut told = Vec::new();
    let mut number = 2;
    for folder in [&original, &clone, &original, &clone, &original] {
        ward.nurse = open(&ward.ward, folder, &ward.nurse).await;
        let before = rollbacks(&ward.nurse).await;
        ward.nurse.client.sync_once().await.unwrap();
        told.push(rollbacks(&ward.nurse).await - before);
        assert_eq!(ward.nurse.faults.methods()[0], "Checkpoint");
        ward.settle().await;
        ward.both_ways(number).await;
        number += 2;
        ward.nurse.client.close().await.unwrap();
    }
    assert_eq!(told, [0, 1, 1, 1, 1]);
    let shown = ward.doctor.texts(ward.doctor.with("NS-1")).await;
    assert_eq!(shown.len(), number);
}

/// Carries whatever is pending, what is offered last first.
async fn carry_last_first(ward: &Ward, phone: &Phone) {
    let transport = ward.relay().local();
    for _ in 0..8 {
        let pending = phone.client.pending_requests().await.unwrap();
        for pending in pending.into_iter().rev() {
            let answer = transport.call(pending.request).await.unwrap();
            phone.client.complete(pending.id, answer).await.unwrap();
        }
    }
}

/// A line on which the first checkpoints do not get through.
struct HeldUp {
    relay: Arc<dyn Transport>,
    held_up: AtomicUsize,
    checked: AtomicBool,
    fetched: AtomicBool,
}

impl HeldUp {
    fn new(relay: Arc<dyn Transport>) -> Self {
        Self {
            relay,
            held_up: AtomicUsize::new(0),
            checked: AtomicBool::new(false),
            fetched: AtomicBool::new(false),
        }
    }

    /// Whether the checkpoint got through and something was fetched, whichever came first.
    fn is_done(&self) -> bool {
        self.checked.load(Ordering::SeqCst) && self.fetched.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for HeldUp {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let method = request.path.rsplit('/').next().unwrap().to_owned();
        if method == "Checkpoint" && self.held_up.fetch_add(1, Ordering::SeqCst) < 3 {
            return Err(TransportError::Unreachable);
        }
        let answer = self.relay.call(request).await?;
        match method.as_str() {
            "Checkpoint" => self.checked.store(true, Ordering::SeqCst),
            "Acknowledge" => self.fetched.store(true, Ordering::SeqCst),
            _ => {}
        }
        Ok(answer)
    }
}

async fn say(phone: &Phone, person: &str, number: usize) {
    let person = Recipient::Person(person.parse().unwrap());
    phone.say(person, &text(number)).await;
}

async fn rollbacks(phone: &Phone) -> usize {
    let events = phone.events().await;
    let rollbacks = events
        .iter()
        .filter(|event| **event == Event::StoreRolledBack);
    rollbacks.count()
}

/// Opens whatever device lies in a folder, unlocked, over a line of its own.
async fn open(ward: &Ward, folder: &Path, of: &Phone) -> Phone {
    let faults = Arc::new(Faults::new(Arc::new(ward.relay().local())));
    let client = Client::open(ward.config(folder, Arc::clone(&faults) as Arc<_>))
        .await
        .unwrap();
    let passphrase = Passphrase::new("correct horse battery staple").unwrap();
    client.unlock(passphrase).await.unwrap();
    Phone {
        client,
        user: of.user.clone(),
        folder: folder.to_owned(),
        faults,
    }
}

fn copy_folder(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(to).unwrap();
    // A folder of keys that others may read is refused.
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
