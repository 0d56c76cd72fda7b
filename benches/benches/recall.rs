//! How long a recall takes to reach 500 devices that are online: from the call until the text is gone from a
//! device's store and its app is told.
//!
//! All of them are real: stores on disk, the loop running, a long poll each. On one machine they share its
//! cores and its disk, which no 500 phones do.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wardline::{Client, Event, EventCursor, MessageRef, RecallOutcome};
use wardline_benches::scene;
use wardline_tests::{Phone, Ward, team};

fn main() {
    // `cargo test --benches` passes nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let times = runtime.block_on(async {
        let (ward, sender, others) = online(DEVICES).await;
        let (told, mut arrivals) = mpsc::unbounded_channel();
        for phone in &others {
            tokio::spawn(watch(phone.client.clone(), told.clone()));
        }
        let mut times = Vec::new();
        for _ in 0..RUNS {
            times.extend(recall(&sender, &mut arrivals).await);
        }
        for phone in others.iter().chain([&sender]) {
            phone.client.close().await.unwrap();
        }
        drop(ward);
        times
    });
    report(times);
}

/// A sender and so many devices, each of somebody else, all with the loop running and live sessions.
async fn online(devices: usize) -> (Ward, Phone, Vec<Phone>) {
    let people = scene::people(devices);
    let (mut ward, sender) = scene::ward(&people).await;
    let mut others = Vec::new();
    for person in &people {
        let folder = ward.folder().join(person);
        let ticket = ward.ticket(person);
        others.push(ward.enroll(&folder, person, &ticket).await.unwrap());
    }
    ward.publish().await;
    for phone in others.iter().chain([&sender]) {
        phone.client.sync_once().await.unwrap();
    }
    for _ in 0..2 {
        sender.client.send(scene::draft(team())).await.unwrap();
        for phone in [&sender].into_iter().chain(&others).chain([&sender]) {
            phone.client.sync_once().await.unwrap();
        }
    }
    for phone in others.iter().chain([&sender]) {
        phone.client.start().unwrap();
    }
    (ward, sender, others)
}

/// Says when an app is told of a message that came or was taken back.
async fn watch(client: Client, told: mpsc::UnboundedSender<(Told, MessageRef, Instant)>) {
    let mut cursor = EventCursor::default();
    while let Ok(events) = client.next_events(cursor, 100).await {
        for delivered in events {
            cursor = delivered.cursor;
            let news = match delivered.event {
                Event::MessageArrived { message, .. } => (Told::Arrived, message),
                Event::MessageRecalled { message, .. } => (Told::Recalled, message),
                _ => continue,
            };
            let _ = told.send((news.0, news.1, Instant::now()));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Arrived,
    Recalled,
}

/// Sends a message, takes it back once every device has it, and answers how long each took to obey.
async fn recall(
    sender: &Phone,
    arrivals: &mut mpsc::UnboundedReceiver<(Told, MessageRef, Instant)>,
) -> Vec<Duration> {
    let id = sender.client.send(scene::draft(team())).await.unwrap();
    let message = sender.reference(id);
    wait_for(arrivals, Told::Arrived, message).await;
    // Their receipts are in, and the machine is quiet.
    while !all(sender, message, |device| device.delivered_at.is_some()).await {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    tokio::time::sleep(QUIET).await;
    let started = Instant::now();
    sender
        .client
        .recall(message, "wrong patient")
        .await
        .unwrap();
    let returned = started.elapsed();
    let obeyed = wait_for(arrivals, Told::Recalled, message).await;
    let gone = |device: &wardline::DeviceDelivery| {
        let purged = [RecallOutcome::PurgedUnread, RecallOutcome::PurgedRead];
        device
            .recall
            .is_some_and(|outcome| purged.contains(&outcome))
    };
    while !all(sender, message, gone).await {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    println!(
        "call {:4.0} ms, first {:4.0} ms, last {:4.0} ms, sender knows of all {:4.0} ms",
        ms(returned),
        ms(obeyed.iter().min().unwrap().duration_since(started)),
        ms(obeyed.iter().max().unwrap().duration_since(started)),
        ms(started.elapsed()),
    );
    let obeyed = obeyed.into_iter();
    obeyed.map(|at| at.duration_since(started)).collect()
}

async fn wait_for(
    arrivals: &mut mpsc::UnboundedReceiver<(Told, MessageRef, Instant)>,
    what: Told,
    message: MessageRef,
) -> Vec<Instant> {
    let mut when = Vec::new();
    while when.len() < DEVICES {
        let (told, of, at) = arrivals.recv().await.unwrap();
        if (told, of) == (what, message) {
            when.push(at);
        }
    }
    when
}

async fn all(
    sender: &Phone,
    message: MessageRef,
    done: impl Fn(&wardline::DeviceDelivery) -> bool,
) -> bool {
    let people = sender.client.deliveries(message.id).await.unwrap();
    let mut devices = people.iter().flat_map(|person| &person.devices);
    devices.all(done)
}

fn report(mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| ms(times[(times.len() * percent / 100).min(times.len() - 1)]);
    println!("\nrecall of one message at {DEVICES} online devices, {RUNS} times");
    println!("  p50 {:6.0} ms", at(50));
    println!("  p95 {:6.0} ms (goal: < 1000)", at(95));
    println!("  max {:6.0} ms", at(100));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const DEVICES: usize = 500;
const RUNS: usize = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const QUIET: Duration = Duration::from_millis(500);
