//! How much memory a client takes while it receives a backlog.
//!
//! Sender and relay run in a process of their own; this one is the receiver and nothing else.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Stdio},
    sync::Arc,
};

use wardline::{Client, Config, Recipient, vault::FileKeyStore};
use wardline_benches::{scene, stranger::NOW};
use wardline_org::{
    ManualClock,
    http::{HttpOptions, HttpTransport},
};
use wardline_relay::{Server, ServerOptions};

fn main() {
    if std::env::args().any(|argument| argument == SERVE) {
        serve();
    } else if std::env::args().any(|argument| argument == "--bench") {
        measure();
    }
}

/// The other process: a ward with a backlog, until its input ends.
fn serve() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (ward, sender, receiver) = scene::pair().await;
        receiver.client.close().await.unwrap();
        let to = Recipient::Person(receiver.user.clone());
        scene::flood(&sender.client, &to, BACKLOG).await;
        let server = Server::start(ward.relay().clone(), ServerOptions::local());
        let server = server.await.unwrap();
        let line = serde_json::json!({
            "url": server.url(),
            "folder": receiver.folder,
            "pin": ward.pin().to_string(),
            "sender": sender.user.as_str(),
        });
        println!("{line}");
        std::io::stdout().flush().unwrap();
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
            .await
            .unwrap()
            .unwrap();
        server.stop().await;
    });
}

fn measure() {
    let mut other = Command::new(std::env::current_exe().unwrap())
        .arg(SERVE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(other.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let site: serde_json::Value = serde_json::from_str(&line).unwrap();
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(receive(&site));
    drop(other.stdin.take());
    other.wait().unwrap();
}

async fn receive(site: &serde_json::Value) {
    let text = |name: &str| site[name].as_str().unwrap();
    let folder = std::path::PathBuf::from(text("folder"));
    let keys = Arc::new(FileKeyStore::open(folder.with_extension("keys")).unwrap());
    let transport = Arc::new(HttpTransport::new(text("url"), HttpOptions::default()).unwrap());
    let mut config = Config::new(
        folder,
        "mercy".parse().unwrap(),
        text("pin").parse().unwrap(),
        "relay.mercy.example".parse().unwrap(),
        transport,
        keys,
    );
    config.clock = Arc::new(ManualClock::new(NOW));
    let client = Client::open(config).await.unwrap();
    client.unlock(wardline_tests::passphrase()).await.unwrap();
    let before = resident("VmRSS");
    // From here on the peak is counted anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    client.sync_once().await.unwrap();
    let (after, peak) = (resident("VmRSS"), resident("VmHWM"));
    let sender = Recipient::Person(text("sender").parse().unwrap());
    let conversation = client.conversation(&sender);
    let unread = client.unread(conversation).await.unwrap();
    assert!(unread >= BACKLOG as u64, "{unread} came");
    let above = |now: u64| (now.saturating_sub(before)) as f64 / 1024.0;
    println!("\nclient that receives {BACKLOG} messages");
    println!("  at its start {:7.1} MiB", before as f64 / 1024.0);
    println!(
        "  above it, at the most {:7.1} MiB (goal: ≤ 24)",
        above(peak)
    );
    println!("  above it, afterwards  {:7.1} MiB", above(after));
    client.close().await.unwrap();
}

/// A line of this process's status, in KiB.
fn resident(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

const SERVE: &str = "--serve";
const BACKLOG: usize = 10_000;
