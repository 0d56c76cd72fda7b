//! What a process takes that shows notifications: a phone's system ends it above 24 MB.

#![cfg(target_os = "linux")]

use tokio::task::JoinSet;
use wardline::{Draft, Recipient};
use wardline_tests::{
    Phone,
    crash::orders::{Order, Report},
};

use crate::{puppet::Puppet, stage::Stage};

// scenario: notification
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_long_texts_fits_into_a_notification_extension() {
    let mut stage = Stage::open(&["NS-1", "DR-1"]).await;
    stage.hospital.allow_texts_of(LONGEST).await;
    let mut app = stage.hospital.device("nurse", "NS-1").await;
    let doctor = stage.hospital.phone("doctor", "DR-1").await;
    write(&doctor, 1, 20).await;
    app.must(Order::Sync).await;
    // Answered once, so that both sides seal for live sessions.
    doctor.client.sync_once().await.unwrap();
    for _ in 0..STORED / AT_ONCE {
        write(&doctor, AT_ONCE, 200).await;
        app.must(Order::Sync).await;
        // So many at a time, with a few that are not of messages.
        for _ in 0..=AT_ONCE / EVENTS {
            app.must(Order::Events).await;
        }
        app.must(Order::Sync).await;
        doctor.client.sync_once().await.unwrap();
    }
    drop(app);

    let mut extension = Puppet::device(&stage.hospital.site, "nurse");
    // The way there and back once, with one message of every size: its code is in memory then.
    write(&doctor, 1, LONG).await;
    write(&doctor, 1, LONGEST).await;
    extension.must(Order::Notify).await;
    write(&doctor, BACKLOG, LONG).await;
    write(&doctor, 3, LONGEST).await;
    extension.must(Order::CountMemory).await;
    extension.must(Order::Notify).await;
    extension.must(Order::Memory).await;
    let noticed = |said: &&Report| matches!(said, Report::Noticed { .. });
    let heard = extension.heard.iter();
    assert_eq!(heard.filter(noticed).count(), 2 + BACKLOG + 3);
    let Some(Report::Memory(peak)) = extension.heard.last() else {
        panic!("{:?}", extension.heard.last());
    };
    println!("a notification extension took {peak} KiB at the most");
    assert!(*peak < MOST_KIB, "it took {peak} KiB");
}

/// Writes so many texts of a length to the nurse, and sends them.
async fn write(doctor: &Phone, count: usize, length: usize) {
    let mut writing = JoinSet::new();
    for _ in 0..count {
        let client = doctor.client.clone();
        let nurse = Recipient::Person("NS-1".parse().unwrap());
        let draft = Draft::new(nurse, "x".repeat(length));
        writing.spawn(async move { client.send(draft).await.unwrap() });
        while writing.len() >= WRITERS {
            writing.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap();
    }
    doctor.client.sync_once().await.unwrap();
}

/// What is on the phone already.
const STORED: usize = 4_200;
/// The relay keeps a thousand of one sender.
const AT_ONCE: usize = 600;
/// What an order takes of them.
const EVENTS: usize = 200;
const WRITERS: usize = 64;
/// What waits, with texts as long as the policy allows unless it is changed.
const BACKLOG: usize = 300;
const LONG: usize = 64 * 1024;
/// The largest message there is.
const LONGEST: usize = 700 * 1024;
const MOST_KIB: u64 = 24_000_000 / 1024;
