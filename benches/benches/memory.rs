//! How much memory a client takes while it receives a backlog, and an inbox, which a phone's system ends
//! above 24 MB.
//!
//! Sender and relay run in a process of their own; this one is the receiver and nothing else.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use wardline::{Client, Config, Draft, EventCursor, Inbox, Recipient, vault::FileKeyStore};
use wardline_benches::{scene, stranger::NOW};
use wardline_org::{
    ManualClock,
    http::{HttpOptions, HttpTransport},
};
use wardline_relay::{Server, ServerOptions};
use wardline_tests::{Memory, Phone};

fn main() {
    let asked = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    if asked(SERVE) {
        serve(asked(INBOX));
    } else if asked(INBOX) {
        measure(true);
    } else if asked("--bench") {
        measure(false);
        // In a process of its own: what the client has left behind would count.
        let mut inbox = Command::new(std::env::current_exe().unwrap());
        assert!(inbox.arg(INBOX).status().unwrap().success());
    }
}

/// The other process: a ward with a backlog, until its input ends. For an inbox the backlog is received, and
/// another one written, of long texts, when the first line comes.
fn serve(inbox: bool) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (ward, sender, receiver) = scene::pair().await;
        let to = Recipient::Person(receiver.user.clone());
        if !inbox {
            receiver.client.close().await.unwrap();
        }
        scene::flood(&sender.client, &to, BACKLOG).await;
        if inbox {
            receive_all(&receiver).await;
            // For the first round, which brings the code into memory.
            scene::flood(&sender.client, &to, LONG_TEXTS).await;
        }
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
        if inbox {
            let begun =
                tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
            begun.await.unwrap().unwrap();
            for _ in 0..LONG_TEXTS {
                let draft = Draft::new(to.clone(), "x".repeat(LONG));
                sender.client.send(draft).await.unwrap();
            }
            sender.client.sync_once().await.unwrap();
            println!("written");
            std::io::stdout().flush().unwrap();
        }
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
            .await
            .unwrap()
            .unwrap();
        server.stop().await;
    });
}

/// What an app has on its disk, with nothing left to tell.
async fn receive_all(receiver: &Phone) {
    let client = &receiver.client;
    client.sync_once().await.unwrap();
    let events = client.events_from(EventCursor::default(), u32::MAX);
    let last = events.await.unwrap().last().unwrap().cursor;
    client.confirm_events(last).await.unwrap();
    client.close().await.unwrap();
}

fn measure(inbox: bool) {
    let mut other = Command::new(std::env::current_exe().unwrap())
        .arg(SERVE)
        .args(inbox.then_some(INBOX))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(other.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let site: serde_json::Value = serde_json::from_str(&line).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if inbox {
        let first = runtime.block_on(collect(&site, LONG_TEXTS));
        writeln!(other.stdin.as_mut().unwrap()).unwrap();
        output.read_line(&mut line).unwrap();
        let memory = Memory::count();
        // The first ones were not shown: all are answered.
        runtime.block_on(collect(&site, first + LONG_TEXTS));
        let peak = memory.peak() as f64 / 1024.0;
        println!(
            "\ninbox that takes {LONG_TEXTS} texts of {LONG} bytes, beside {BACKLOG} messages"
        );
        println!("  anonymous, at the most {peak:7.1} MiB (goal: ≤ 22.9, which is 24 MB)");
    } else {
        runtime.block_on(receive(&site));
    }
    drop(other.stdin.take());
    other.wait().unwrap();
}

/// Opens an inbox, takes what waits, and answers how many notices there are.
async fn collect(site: &serde_json::Value, expected: usize) -> usize {
    let inbox = Inbox::open(config(site)).await.unwrap();
    let collected = inbox.collect(Duration::from_secs(600)).await.unwrap();
    assert!(collected.complete, "{:?}", collected.failure);
    assert_eq!(collected.notices.len(), expected);
    inbox.close().await.unwrap();
    expected
}

fn config(site: &serde_json::Value) -> Config {
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
    config
}

async fn receive(site: &serde_json::Value) {
    let client = Client::open(config(site)).await.unwrap();
    client.unlock(wardline_tests::passphrase()).await.unwrap();
    let before = resident("VmRSS");
    // From here on the peak is counted anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    client.sync_once().await.unwrap();
    let (after, peak) = (resident("VmRSS"), resident("VmHWM"));
    let sender = Recipient::Person(site["sender"].as_str().unwrap().parse().unwrap());
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
const INBOX: &str = "--inbox";
const BACKLOG: usize = 10_000;
/// Half of what an inbox answers at once.
const LONG_TEXTS: usize = 250;
/// As long as the policy allows.
const LONG: usize = 64 * 1024;
