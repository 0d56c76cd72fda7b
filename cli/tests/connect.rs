//! A relay as an operator starts it, called by a client that shares no code with it: `cargo xtask connect`.
//!
//! The client is Python made of published packages (`tests/connect/check.py`); it enrolls a device of its
//! own. This side founds the organization and starts the relay by the command line, and plays the backend:
//! it mints a ticket, and publishes the directory when the client asks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test says what it expects by failing"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wardline_org::{
    Clock, SystemClock,
    authority::{Authority, PersonDetails, Secrets},
    http::{HttpOptions, HttpTransport},
    publisher::Publisher,
    root::Purpose,
    ticket::DEFAULT_VALIDITY,
};

#[test]
fn stock_connect_client_enrolls_a_device_and_reads_the_signed_directory() {
    let folder = TempDir::new().unwrap();
    wardline(&["org", "new", "--name", ORG, "--dir"], folder.path());
    let relay = RelayProcess::start(folder.path());
    let mut backend = Backend::open(folder.path(), &relay.address);
    backend.publish();

    let python = env::var_os("WARDLINE_CONNECT_PYTHON").expect("run it by `cargo xtask connect`");
    let mut client = Command::new(python)
        .arg("check.py")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/connect"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    writeln!(input, "{}", backend.describe(folder.path(), &relay.address)).unwrap();

    let mut last = String::new();
    for line in BufReader::new(client.stdout.take().unwrap()).lines() {
        last = line.unwrap();
        println!("{last}");
        if last == "publish" {
            backend.publish();
            writeln!(input, "published").unwrap();
        }
    }
    assert!(
        client.wait().unwrap().success(),
        "the client is not content"
    );
    assert_eq!(last, "done");
}

/// The organization's backend: the files that `wardline org new` wrote, and one person.
struct Backend {
    runtime: Runtime,
    publisher: Publisher,
}

impl Backend {
    fn open(folder: &Path, address: &str) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let secrets = Secrets::from_bytes(&read("authority.keys")).unwrap();
        let mut authority =
            Authority::restore(&read("authority.state"), secrets.signers()).unwrap();
        let person = PersonDetails::new(USER.parse().unwrap(), "Dr. Priscilla Gupta");
        authority.upsert_person(person).unwrap();
        let transport = HttpTransport::new(address, HttpOptions::default()).unwrap();
        Self {
            runtime: Runtime::new().unwrap(),
            publisher: Publisher::new(
                authority,
                RELAY.parse().unwrap(),
                Arc::new(transport),
                Arc::new(()),
            )
            .unwrap(),
        }
    }

    fn publish(&mut self) {
        let round = self.publisher.publish_once(SystemClock.now());
        let round = self.runtime.block_on(round).unwrap();
        assert_eq!(round.refused, []);
    }

    /// What the client is told: addresses, names, a ticket, and the key to check the directory with.
    fn describe(&self, folder: &Path, address: &str) -> serde_json::Value {
        let descriptors = folder.join("descriptors.bin");
        fs::write(&descriptors, wardline_proto::DESCRIPTORS).unwrap();
        let authority = self.publisher.authority();
        let issuer = authority.ticket_issuer().unwrap();
        let ticket = issuer.mint(&USER.parse().unwrap(), DEFAULT_VALIDITY, SystemClock.now());
        let root = authority.signed_root().unwrap().root();
        json!({
            "address": address,
            "organization": ORG,
            "relay": RELAY,
            "user": USER,
            "ticket": ticket.unwrap(),
            "descriptors": descriptors,
            "head_key": root.note_keys(Purpose::Head)[0].to_string(),
            "body_limit": wardline_relay::Limits::default().body_bytes,
        })
    }
}

/// `wardline relay`, ended with the test.
struct RelayProcess {
    process: Child,
    address: String,
}

impl RelayProcess {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wardline"))
            .args(["relay", "--name", RELAY, "--listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--root")
            .arg(folder.join("root.note"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        // "listening on http://127.0.0.1:8440 as relay.mercy.example, serving mercy"
        let address = line.split(' ').nth(2).unwrap().to_owned();
        Self { process, address }
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wardline(arguments: &[&str], folder: &Path) {
    let command = Command::new(env!("CARGO_BIN_EXE_wardline"))
        .args(arguments)
        .arg(folder)
        .output()
        .unwrap();
    assert!(command.status.success(), "{command:?}");
}

const ORG: &str = "mercy";
const RELAY: &str = "relay.mercy.example";
const USER: &str = "DR-CA-001";
