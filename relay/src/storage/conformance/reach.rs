//! Whether people can be reached: what they said is kept, replaced and forgotten.

use std::time::Duration;

use super::*;
use crate::storage::{NewAvailability, Publication};

pub async fn what_people_said_survives_a_power_cut(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    say(&*storage, org, "ada", 1, b"ada away").await;
    say(&*storage, org, "ben", 2, b"ben here").await;
    shelf.cut_power().await;
    let storage = shelf.open().await;
    assert_eq!(said(&*storage, org).await, ["ada away", "ben here"]);
    let other = storage.organization(&"other".parse().unwrap()).await;
    assert!(said(&*storage, other.unwrap()).await.is_empty());
}

pub async fn later_word_takes_the_earlier_place(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    say(&*storage, org, "ada", 1, b"away").await;
    // From whichever device.
    say(&*storage, org, "ada", 3, b"back").await;
    assert_eq!(said(&*storage, org).await, ["back"]);
}

pub async fn word_of_a_revoked_device_is_forgotten(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    say(&*storage, org, "ada", 1, b"lost").await;
    say(&*storage, org, "ben", 2, b"kept").await;
    // A mailbox, which the device had.
    storage.saw(org, device(1), NOW).await.unwrap();
    let publication = Publication {
        expected_version: 0,
        version: 1,
        head: "head".into(),
        changed: Vec::new(),
        removed: Vec::new(),
        policy: None,
        roots: Vec::new(),
        revoked: vec![device(1)],
        settled: Vec::new(),
    };
    assert!(storage.publish(org, publication).await.unwrap());
    assert_eq!(said(&*storage, org).await, ["kept"]);
}

pub async fn word_is_kept_until_its_end(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    say(&*storage, org, "ada", 1, b"away").await;
    storage.expire(cutoffs(NOW + HOUR)).await.unwrap();
    assert_eq!(said(&*storage, org).await, ["away"]);
    let after = cutoffs(NOW + HOUR + Duration::from_millis(1));
    storage.expire(after).await.unwrap();
    assert!(said(&*storage, org).await.is_empty());
}

pub async fn last_call_of_a_device_is_remembered(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    assert!(storage.last_seen(org).await.unwrap().is_empty());
    for at in [NOW, NOW + HOUR, NOW] {
        storage.saw(org, device(1), at).await.unwrap();
    }
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let seen = storage.last_seen(org).await.unwrap();
    assert_eq!(seen, [(device(1), NOW + HOUR)]);
}

async fn say(storage: &dyn Storage, org: OrgKey, user: &str, by: u8, statement: &'static [u8]) {
    let new = NewAvailability {
        user: user.parse().unwrap(),
        device: device(by),
        ends_at: NOW + HOUR,
        statement: Bytes::from_static(statement),
    };
    storage.set_availability(org, new).await.unwrap();
}

async fn said(storage: &dyn Storage, org: OrgKey) -> Vec<Bytes> {
    storage.availabilities(org).await.unwrap()
}

const HOUR: Duration = Duration::from_secs(3600);
