//! How devices are to be woken: kept, replaced, forgotten.

use wardline_org::{Hash, push::PushRegistration};
use wardline_proto::Bytes;

use super::*;
use crate::storage::{NewWipe, Publication, PushTarget, WipeConfirmation};

pub async fn registration_is_there_after_a_power_cut(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    register(&*storage, org, 2, "token").await;
    shelf.cut_power().await;
    let storage = shelf.open().await;
    assert_eq!(token(&*storage, org, 2).await.as_deref(), Some("token"));
    assert_eq!(token(&*storage, org, 1).await, None);
}

pub async fn later_registration_takes_the_earlier_place(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    register(&*storage, org, 2, "old").await;
    register(&*storage, org, 2, "new").await;
    assert_eq!(token(&*storage, org, 2).await.as_deref(), Some("new"));
}

pub async fn unregistered_device_is_forgotten(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for number in 2..=3 {
        register(&*storage, org, number, "token").await;
    }
    // Twice, and for one that never was: nothing to complain about.
    for number in [2, 2, 9] {
        let done = storage.register_push(org, device(number), None);
        done.await.unwrap();
    }
    assert_eq!(token(&*storage, org, 2).await, None);
    assert_eq!(token(&*storage, org, 3).await.as_deref(), Some("token"));
}

pub async fn device_of_another_organization_is_another_one(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let other = storage.organization(&"other".parse().unwrap()).await;
    let other = other.unwrap();
    register(&*storage, org, 2, "token").await;
    assert_eq!(token(&*storage, other, 2).await, None);
    storage.register_push(other, device(2), None).await.unwrap();
    assert_eq!(token(&*storage, org, 2).await.as_deref(), Some("token"));
}

pub async fn revoked_device_is_woken_no_more(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for number in 2..=3 {
        register(&*storage, org, number, "token").await;
    }
    revoke(&*storage, org, 2).await;
    assert_eq!(token(&*storage, org, 2).await, None);
    assert_eq!(token(&*storage, org, 3).await.as_deref(), Some("token"));
}

pub async fn device_that_is_to_be_wiped_can_be_woken_until_its_receipt_comes(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for number in 2..=3 {
        register(&*storage, org, number, "token").await;
    }
    assert!(!target(&*storage, org, 2).await.unwrap().wiping);
    let order = NewWipe {
        device: device(2),
        order: Hash::of(b"order"),
        note: "order".into(),
    };
    storage.order_wipe(org, order.clone()).await.unwrap();
    revoke(&*storage, org, 2).await;

    shelf.cut_power().await;
    let storage = shelf.open().await;
    let to_wipe = target(&*storage, org, 2).await.unwrap();
    assert_eq!((to_wipe.wiping, to_wipe.waiting), (true, 0));
    assert!(!target(&*storage, org, 3).await.unwrap().wiping);
    let receipt = |order: Hash| WipeConfirmation {
        device: device(2),
        order,
        receipt: Bytes::from_static(b"gone"),
    };
    // Of an order that nobody gave.
    let other = storage.confirm_wipe(org, receipt(Hash::of(b"other")));
    other.await.unwrap();
    assert!(target(&*storage, org, 2).await.is_some());
    let confirmed = storage.confirm_wipe(org, receipt(order.order));
    confirmed.await.unwrap();
    assert_eq!(target(&*storage, org, 2).await, None);
    assert!(target(&*storage, org, 3).await.is_some());
}

pub async fn token_that_is_gone_is_forgotten_and_a_newer_one_is_kept(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    register(&*storage, org, 2, "new").await;
    let late = storage.forget_push(org, device(2), registration("old"));
    assert!(!late.await.unwrap());
    assert_eq!(token(&*storage, org, 2).await.as_deref(), Some("new"));
    let gone = || storage.forget_push(org, device(2), registration("new"));
    assert!(gone().await.unwrap());
    assert!(!gone().await.unwrap());
    assert_eq!(token(&*storage, org, 2).await, None);
}

pub async fn what_waits_is_counted_until_it_is_acknowledged(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    register(&*storage, org, 2, "token").await;
    let waiting = async || target(&*storage, org, 2).await.unwrap().waiting;
    assert_eq!(waiting().await, 0);
    for number in 1..=2 {
        let message = submission(number, b"x", &[device(2)]);
        send(&*storage, org, device(1), message).await;
    }
    let page = receive(&*storage, org, device(2)).await;
    assert_eq!(waiting().await, 2);
    acknowledge(&*storage, org, device(2), page.epoch, 1).await;
    assert_eq!(waiting().await, 1);
    acknowledge(&*storage, org, device(2), page.epoch, 2).await;
    assert_eq!(waiting().await, 0);
}

async fn revoke(storage: &dyn Storage, org: OrgKey, number: u8) {
    let publication = Publication {
        expected_version: 0,
        version: 1,
        head: "head".into(),
        changed: Vec::new(),
        removed: Vec::new(),
        policy: None,
        roots: Vec::new(),
        revoked: vec![device(number)],
        settled: Vec::new(),
    };
    assert!(storage.publish(org, publication).await.unwrap());
}

fn registration(token: &str) -> PushRegistration {
    PushRegistration::new(token, "fcm:ward").unwrap()
}

async fn register(storage: &dyn Storage, org: OrgKey, number: u8, token: &str) {
    let done = storage.register_push(org, device(number), Some(registration(token)));
    done.await.unwrap();
}

async fn target(storage: &dyn Storage, org: OrgKey, number: u8) -> Option<PushTarget> {
    storage.push_target(org, device(number)).await.unwrap()
}

async fn token(storage: &dyn Storage, org: OrgKey, number: u8) -> Option<String> {
    let target = target(storage, org, number).await?;
    Some(target.registration.token().to_owned())
}
