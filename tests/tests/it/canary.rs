//! What people write is on the screens they look at and nowhere else: not in a file of relay or
//! devices, not in a log line, not in what an error or any other type shows of itself.
//!
//! Runs in a process of its own, because a log that takes everything takes what other tests write.

use std::{
    fmt::{Debug, Display},
    io,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;
use wardline::{
    Client, Draft, Error, EventCursor, Inbox, Patient, PatientIdentifier, Priority, Recipient,
    testing, vault::Passphrase,
};
use wardline_org::{
    Transport,
    http::{HttpOptions, HttpTransport},
};
use wardline_proto::v1;
use wardline_relay::{Server, ServerOptions};
use wardline_tests::{Faults, Needles, Ward, team};

#[test]
fn planted_secrets_are_in_no_file_no_log_line_and_no_debug_output() {
    if std::env::var_os(CHILD).is_none() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&child.stdout);
        let passed = child.status.success() && out.contains("1 passed");
        let err = String::from_utf8_lossy(&child.stderr);
        assert!(passed, "{out}{err}");
        assert_eq!(err, "", "an app's standard error is not ours to write to");
        return;
    }
    let log = Log::default();
    let everything = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(everything).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(a_day_at_the_ward(&log));
}

async fn a_day_at_the_ward(log: &Log) {
    let mut needles = Needles::default();
    let mut shown = Shown::default();
    let secrets = Secrets::plant(&mut needles);
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let server = Server::start(ward.relay().clone(), ServerOptions::local())
        .await
        .unwrap();
    let address = format!("http://{}", server.address());
    let http = HttpTransport::new(&address, HttpOptions::default()).unwrap();
    shown.debug(&http);

    // One over a socket, the other over a line that can be meddled with.
    let passphrase = |text: &str| Passphrase::new(text.to_owned()).unwrap();
    shown.debug(&passphrase(&secrets.passphrase));
    let config = ward.config(&ward.folder().join("nurse"), Arc::new(http));
    shown.debug(&config);
    let ticket = ward.ticket("NS-1");
    let nurse = Client::enroll(
        config,
        "NS-1".parse().unwrap(),
        "phone",
        &ticket,
        passphrase(&secrets.passphrase),
    );
    let nurse = nurse.await.unwrap();
    let line = Arc::new(Faults::new(Arc::new(ward.relay().local())));
    let config = ward.config(
        &ward.folder().join("doctor"),
        Arc::clone(&line) as Arc<dyn Transport>,
    );
    let ticket = ward.ticket("DR-1");
    let doctor = Client::enroll(
        config,
        "DR-1".parse().unwrap(),
        "phone",
        &ticket,
        passphrase(&secrets.passphrase),
    );
    let doctor = doctor.await.unwrap();
    ward.publish().await;
    shown.debug(&doctor);
    for client in [&nurse, &doctor] {
        client.sync_once().await.unwrap();
    }

    // Sending: sealed later, sealed at once, offline, refused.
    let to_doctor = || Recipient::Person("DR-1".parse().unwrap());
    let draft = Draft::new(to_doctor(), secrets.texts[0].clone())
        .priority(Priority::Stat)
        .patient(secrets.patient())
        .idempotency_key(secrets.key.clone());
    shown.debug(&draft);
    shown.debug(&secrets.patient());
    nurse.send(draft).await.unwrap();
    nurse.save_draft(team(), &secrets.begun).await.unwrap();
    nurse.sync_once().await.unwrap();
    nurse
        .send(Draft::new(team(), secrets.texts[1].clone()).patient(secrets.patient()))
        .await
        .unwrap();
    for request in nurse.pending_requests().await.unwrap() {
        shown.debug(&request);
    }
    let long = secrets.texts[0].repeat(1_000_000 / secrets.texts[0].len());
    let own = Recipient::Person("NS-1".parse().unwrap());
    for refused in [
        Draft::new(to_doctor(), long),
        Draft::new(own, secrets.texts[0].clone()),
        Draft::new(to_doctor(), secrets.texts[0].clone()).idempotency_key(secrets.key.repeat(20)),
    ] {
        shown.error(nurse.send(refused).await.unwrap_err());
    }
    nurse.sync_once().await.unwrap();

    // Receiving: locked, altered on the way, then unlocked.
    doctor.lock();
    let altered = Arc::new(Mutex::new(None));
    line.meddle::<v1::ReceiveRequest>(move |answer| {
        let mut altered = altered.lock().unwrap();
        for envelope in answer
            .envelopes
            .iter_mut()
            .filter(|e| !e.content.is_empty())
        {
            let chosen = altered.get_or_insert_with(|| envelope.envelope_id.clone());
            if *chosen == envelope.envelope_id {
                envelope.content = envelope.content.slice(1..);
            }
        }
    });
    doctor.sync_once().await.unwrap();
    line.relent();
    shown.error(
        doctor
            .timeline(doctor.conversation(&team()), None, 10)
            .await
            .unwrap_err(),
    );
    shown.error(
        doctor
            .search(&secrets.searched, None, None, 10)
            .await
            .unwrap_err(),
    );
    shown.error(doctor.unlock(passphrase(&secrets.wrong)).await.unwrap_err());
    doctor
        .unlock(passphrase(&secrets.passphrase))
        .await
        .unwrap();
    for _ in 0..3 {
        for client in [&nurse, &doctor] {
            client.sync_once().await.unwrap();
        }
    }
    nurse.sync_once().await.unwrap();

    // Notifications, from a second handle.
    let config = ward.config(
        &ward.folder().join("doctor"),
        Arc::clone(&line) as Arc<dyn Transport>,
    );
    let inbox = Inbox::open(config).await.unwrap();
    let collected = inbox.collect(Duration::from_secs(60)).await.unwrap();
    assert_eq!(collected.notices.len(), 2);
    shown.debug(&inbox);
    shown.debug(&collected);
    inbox.close().await.unwrap();

    // Reading, following, searching.
    let with_nurse = doctor.conversation(&Recipient::Person("NS-1".parse().unwrap()));
    let mut list = doctor.follow_conversations(10).await.unwrap();
    let timeline = doctor.follow(with_nurse, 10).await.unwrap();
    let page = doctor.timeline(with_nurse, None, 10).await.unwrap();
    assert_eq!(page.messages.len(), 1, "it came again and is readable");
    assert_eq!(page.messages[0].text, secrets.texts[0]);
    assert_eq!(page.messages[0].patient, Some(secrets.patient()));
    shown.debug(&page);
    shown.debug(&timeline);
    for words in [&secrets.searched, &format!("\"{} OR (", secrets.searched)] {
        doctor.search(words, None, None, 10).await.unwrap();
    }
    let found = doctor.search(&secrets.name, None, None, 10).await.unwrap();
    assert_eq!(found.len(), 2, "the names are in the index");
    shown.debug(&found);
    doctor
        .mark_read(vec![page.messages[0].reference()])
        .await
        .unwrap();
    shown.debug(&list.changed().await.unwrap());
    shown.debug(&list);
    shown.debug(&doctor.conversations(None, 10).await.unwrap());
    shown.debug(&nurse.deliveries(page.messages[0].id).await.unwrap());
    for client in [&nurse, &doctor] {
        shown.debug(
            &client
                .events_from(EventCursor::default(), 1000)
                .await
                .unwrap(),
        );
    }
    clean(&needles, &ward, "while all are open");

    // Upkeep, and errors of the disk.
    doctor
        .change_passphrase(
            passphrase(&secrets.passphrase),
            passphrase(&secrets.changed),
        )
        .await
        .unwrap();
    let refused =
        doctor.change_passphrase(passphrase(&secrets.wrong), passphrase(&secrets.changed));
    shown.error(refused.await.unwrap_err());
    doctor.rekey().await.unwrap();
    testing::fill_disk(&doctor, true).await.unwrap();
    let full = loop {
        let sent = doctor
            .send(Draft::new(team(), secrets.texts[2].clone()))
            .await;
        if let Err(error) = sent {
            break error;
        }
    };
    shown.error(full);
    shown.error(
        doctor
            .save_draft(team(), &secrets.begun.repeat(10_000))
            .await
            .unwrap_err(),
    );
    testing::fill_disk(&doctor, false).await.unwrap();
    doctor.sync_once().await.unwrap();
    nurse.suspend().await.unwrap();
    shown.error(
        nurse
            .send(Draft::new(team(), secrets.texts[2].clone()))
            .await
            .unwrap_err(),
    );
    nurse.resume().await.unwrap();
    clean(&needles, &ward, "after upkeep");
    for client in [&nurse, &doctor] {
        client.close().await.unwrap();
        shown.error(
            client
                .draft(client.conversation(&team()))
                .await
                .unwrap_err(),
        );
    }
    drop((nurse, doctor));
    clean(&needles, &ward, "after closing");
    let foreign = ward.folder().join("doctor/store.db");
    std::fs::copy(foreign, ward.folder().join("nurse/store.db")).unwrap();
    let config = ward.config(&ward.folder().join("nurse"), line);
    shown.error(Client::open(config).await.unwrap_err());

    // And the looking itself: what would be found is found.
    let everywhere = needles.len();
    std::fs::write(ward.folder().join("control"), needles.control()).unwrap();
    let control = needles.found_below(ward.folder());
    assert_eq!(control.values().map(Vec::len).sum::<usize>(), everywhere);
    assert_eq!(needles.found_in(shown.text.as_bytes()), Vec::<&str>::new());
    assert!(shown.text.contains("WL-STORE-DISK-FULL") && shown.text.contains("Draft {"));
    let lines = log.taken();
    assert_eq!(needles.found_in(&lines), Vec::<&str>::new());
    tracing::trace!(text = %secrets.texts[0], bytes = ?secrets.name.as_bytes(), "planted");
    let found = needles.found_in(&log.taken()).len();
    assert_eq!(found, 2, "the log takes what is traced");
    let lines = String::from_utf8_lossy(&lines);
    for target in ["wardline::", "wardline_relay::", "hyper"] {
        assert!(lines.contains(target), "nothing was logged by {target}");
    }
}

/// No file of relay and devices has anything of it.
fn clean(needles: &Needles, ward: &Ward, when: &str) {
    let files = wardline_tests::files(ward.folder());
    let names: Vec<_> = files
        .keys()
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    assert!(
        names.contains(&"store.db") && names.contains(&"search.db"),
        "{names:?}"
    );
    let found = needles.found_below(ward.folder());
    assert!(found.is_empty(), "{when}: {found:?}");
}

/// Everything a person writes, says or types here.
struct Secrets {
    texts: [String; 3],
    name: String,
    record: String,
    encounter: String,
    key: String,
    begun: String,
    searched: String,
    passphrase: String,
    changed: String,
    wrong: String,
}

impl Secrets {
    fn plant(needles: &mut Needles) -> Self {
        let mut plant = |secret: &str| needles.plant(secret);
        Self {
            texts: [
                plant("Potassium 6.7 and climbing, quinquagesima"),
                plant("Haemoglobin fell to 61, sexagesima"),
                plant("Lactate 9.9 in the antechamber, septuagesima"),
            ],
            name: plant("Wilhelmina Featherstonehaugh"),
            record: plant("MRN-0081726354"),
            encounter: plant("encounter-5546372819"),
            key: plant("idempotent-6657483920"),
            begun: plant("I had begun to write about her potassium"),
            searched: plant("rhabdomyolysis"),
            passphrase: plant("velvet anchor tumbling mosaic"),
            changed: plant("copper lantern whispering canyon"),
            wrong: plant("marble penguin thundering fiddle"),
        }
    }

    fn patient(&self) -> Patient {
        Patient {
            identifiers: vec![PatientIdentifier {
                system: "urn:oid:2.16.840".into(),
                value: self.record.clone(),
            }],
            name: self.name.clone(),
            encounter: self.encounter.clone(),
        }
    }
}

/// What types show of themselves, in every way there is.
#[derive(Default)]
struct Shown {
    text: String,
}

impl Shown {
    fn debug(&mut self, value: &dyn Debug) {
        self.text += &format!("{value:?}\n{value:#?}\n");
    }

    fn error(&mut self, error: Error) {
        self.debug(&error);
        self.display(&error);
        self.display(&error.code());
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            self.debug(&cause);
            self.display(&cause);
            source = cause.source();
        }
    }

    fn display(&mut self, value: &dyn Display) {
        self.text += &format!("{value}\n{value:#}\n");
    }
}

/// Takes every log line.
#[derive(Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
}

impl Log {
    fn taken(&self) -> Vec<u8> {
        self.lines.lock().unwrap().clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

const CHILD: &str = "WARDLINE_TEST_CANARY";
const NAME: &str = "canary::planted_secrets_are_in_no_file_no_log_line_and_no_debug_output";
