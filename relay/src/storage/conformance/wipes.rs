//! Orders to devices to erase themselves.

use wardline_org::Hash;
use wardline_proto::Bytes;

use super::{Shelf, device, mercy, receive, send, submission};
use crate::storage::{NewWipe, WipeConfirmation};

fn order(number: u8, of: u8) -> NewWipe {
    NewWipe {
        device: device(of),
        order: Hash::of(&[number]),
        note: format!("order {number}"),
    }
}

fn receipt(of_order: u8, of: u8, bytes: &'static [u8]) -> WipeConfirmation {
    WipeConfirmation {
        device: device(of),
        order: Hash::of(&[of_order]),
        receipt: Bytes::from_static(bytes),
    }
}

pub async fn wipe_order_and_receipt_survive_a_power_cut(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage.order_wipe(org, order(1, 1)).await.unwrap();
    storage.order_wipe(org, order(2, 2)).await.unwrap();
    storage
        .confirm_wipe(org, receipt(2, 2, b"gone"))
        .await
        .unwrap();

    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let wipes = storage.wipes(org, 0, 10).await.unwrap();
    let [first, second] = wipes.as_slice() else {
        panic!("{wipes:?}")
    };
    assert_eq!((first.device, first.note.as_str()), (device(1), "order 1"));
    assert_eq!((first.order, &first.receipt), (Hash::of(&[1]), &None));
    assert_eq!(second.receipt.as_deref(), Some(&b"gone"[..]));
    let page = storage.wipes(org, first.sequence, 10).await.unwrap();
    assert_eq!(page, std::slice::from_ref(second));
    let page = storage.wipes(org, 0, 1).await.unwrap();
    assert_eq!(page, std::slice::from_ref(first));
    let other = storage
        .organization(&"general".parse().unwrap())
        .await
        .unwrap();
    assert!(storage.wipes(other, 0, 10).await.unwrap().is_empty());
}

pub async fn wipe_order_given_again_is_one_order_and_its_first_receipt_stays(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage.order_wipe(org, order(1, 1)).await.unwrap();
    storage
        .confirm_wipe(org, receipt(1, 1, b"first"))
        .await
        .unwrap();
    storage.order_wipe(org, order(1, 1)).await.unwrap();
    storage
        .confirm_wipe(org, receipt(1, 1, b"second"))
        .await
        .unwrap();
    // Of another device, and of an order that nobody gave.
    storage
        .confirm_wipe(org, receipt(1, 2, b"third"))
        .await
        .unwrap();
    storage
        .confirm_wipe(org, receipt(9, 1, b"fourth"))
        .await
        .unwrap();
    let wipes = storage.wipes(org, 0, 10).await.unwrap();
    assert_eq!(wipes.len(), 1);
    assert_eq!(wipes[0].receipt.as_deref(), Some(&b"first"[..]));
}

pub async fn wiped_device_loses_its_mailbox(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let both = [device(1), device(2)];
    send(&*storage, org, device(3), submission(1, b"x", &both)).await;
    storage.order_wipe(org, order(1, 1)).await.unwrap();
    assert!(
        receive(&*storage, org, device(1))
            .await
            .envelopes
            .is_empty()
    );
    assert_eq!(receive(&*storage, org, device(2)).await.envelopes.len(), 1);
}
