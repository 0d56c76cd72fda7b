//! Fetching, acknowledging, withdrawing, expiring.

use std::time::Duration;

use super::*;

pub async fn page_holds_what_was_asked_for(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for number in 1..=5 {
        send(
            &*storage,
            org,
            device(1),
            submission(number, b"x", &[device(2)]),
        )
        .await;
    }
    let first = ReceiveQuery {
        max: 2,
        ..query(device(2))
    };
    let page = storage.receive(org, first).await.unwrap();
    assert_eq!((sequences(&page), page.more), (vec![1, 2], true));

    let rest = ReceiveQuery {
        after: 2,
        epoch: Some(page.epoch),
        max: 3,
        ..query(device(2))
    };
    let page = storage.receive(org, rest).await.unwrap();
    assert_eq!((sequences(&page), page.more), (vec![3, 4, 5], false));
}

pub async fn large_envelopes_come_one_at_a_time(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for number in 1..=2 {
        send(
            &*storage,
            org,
            device(1),
            submission(number, b"sealed", &[device(2)]),
        )
        .await;
    }
    let small = ReceiveQuery {
        max_bytes: 1,
        ..query(device(2))
    };
    let page = storage.receive(org, small).await.unwrap();
    assert_eq!((sequences(&page), page.more), (vec![1], true));
}

pub async fn unacknowledged_envelopes_come_again(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    let first = receive(&*storage, org, device(2)).await;
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let again = receive(&*storage, org, device(2)).await;
    assert_eq!(sequences(&again), [1]);
    assert_eq!(again.epoch, first.epoch);
}

pub async fn acknowledged_envelopes_are_gone_and_sequences_go_on(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for number in 1..=3 {
        send(
            &*storage,
            org,
            device(1),
            submission(number, b"x", &[device(2)]),
        )
        .await;
    }
    let page = receive(&*storage, org, device(2)).await;
    acknowledge(&*storage, org, device(2), page.epoch, 3).await;
    assert!(
        receive(&*storage, org, device(2))
            .await
            .envelopes
            .is_empty()
    );

    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(4, b"x", &[device(2)])).await;
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [4]);
}

pub async fn nobody_can_acknowledge_what_was_not_handed_out(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    let page = receive(&*storage, org, device(2)).await;
    send(&*storage, org, device(1), submission(2, b"x", &[device(2)])).await;
    acknowledge(&*storage, org, device(2), page.epoch, u64::MAX).await;
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [2]);
}

pub async fn acknowledgement_of_another_epoch_deletes_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    receive(&*storage, org, device(2)).await;
    acknowledge(&*storage, org, device(2), Epoch([9; 16]), 1).await;
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [1]);
}

pub async fn withdrawn_envelope_is_never_handed_out(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let message = submission(1, b"x", &[device(2), device(3)]);
    send(&*storage, org, device(1), message.clone()).await;
    receive(&*storage, org, device(3)).await;

    let withdrawn = storage.withdraw(org, device(1), envelope(1)).await.unwrap();
    assert_eq!(withdrawn, [device(2)]);
    assert!(
        receive(&*storage, org, device(2))
            .await
            .envelopes
            .is_empty()
    );
    // A lost answer can be asked for again, and sending again brings nothing back.
    let again = storage.withdraw(org, device(1), envelope(1)).await.unwrap();
    assert_eq!(again, [device(2)]);
    send(&*storage, org, device(1), message).await;
    assert!(
        receive(&*storage, org, device(2))
            .await
            .envelopes
            .is_empty()
    );
    // Its place in the mailbox is not given to another.
    send(&*storage, org, device(1), submission(2, b"x", &[device(2)])).await;
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [2]);
}

pub async fn withdrawing_after_it_was_handed_out_takes_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    receive(&*storage, org, device(2)).await;
    // Also not after a power cut: what was answered before it was on disk.
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let withdrawn = storage.withdraw(org, device(1), envelope(1)).await.unwrap();
    assert!(withdrawn.is_empty());
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [1]);
}

pub async fn only_the_sender_withdraws(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    for other in [device(2), device(3)] {
        let withdrawn = storage.withdraw(org, other, envelope(1)).await.unwrap();
        assert!(withdrawn.is_empty());
    }
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [1]);
}

pub async fn content_goes_with_its_last_envelope(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let to = [device(2), device(3), device(4)];
    send(&*storage, org, device(1), submission(1, b"sealed", &to)).await;

    let contents = async || storage.usage().await.unwrap().contents;
    for reader in [device(2), device(3)] {
        let page = receive(&*storage, org, reader).await;
        assert_eq!(contents().await, 1);
        acknowledge(&*storage, org, reader, page.epoch, 1).await;
    }
    assert_eq!(contents().await, 1);
    storage.withdraw(org, device(1), envelope(1)).await.unwrap();
    let usage = storage.usage().await.unwrap();
    assert_eq!((usage.envelopes, usage.contents), (0, 0));
}

pub async fn old_messages_are_not_handed_out_and_then_deleted(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let minute = Duration::from_secs(60);
    send(
        &*storage,
        org,
        device(1),
        submission(1, b"old", &[device(2), device(3)]),
    )
    .await;
    let mut new = batch(device(1), vec![submission(2, b"new", &[device(2)])]);
    new.at = NOW + minute;
    storage.send(org, new).await.unwrap();

    let young = ReceiveQuery {
        not_before: NOW + minute,
        ..query(device(2))
    };
    let page = storage.receive(org, young).await.unwrap();
    assert_eq!(sequences(&page), [2]);

    let expired = storage.expire(cutoffs(NOW + minute)).await.unwrap();
    assert_eq!(expired.envelopes, 2);
    let expired = storage.expire(cutoffs(NOW + minute)).await.unwrap();
    assert_eq!((expired.envelopes, expired.more), (0, false));
    let usage = storage.usage().await.unwrap();
    assert_eq!((usage.envelopes, usage.contents), (1, 1));

    // The mailbox's account is right: it takes as much as an empty one and one more.
    for number in 3..=4 {
        let mut more = batch(device(1), vec![submission(number, b"x", &[device(2)])]);
        more.mailbox.envelopes = 2;
        storage.send(org, more).await.unwrap();
    }
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [2, 3]);
}

pub async fn device_ahead_of_its_mailbox_starts_a_new_epoch(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    let old = receive(&*storage, org, device(2)).await.epoch;

    // The device has seen sequence 5, the file knows of 1: it is a backup.
    let ahead = ReceiveQuery {
        after: 5,
        epoch: Some(old),
        ..query(device(2))
    };
    let page = storage.receive(org, ahead).await.unwrap();
    assert_ne!(page.epoch, old);
    assert_eq!(sequences(&page), [1]);
    assert_eq!(receive(&*storage, org, device(2)).await.epoch, page.epoch);
}

pub async fn renewed_epochs_hand_everything_out_again(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    let old = receive(&*storage, org, device(2)).await.epoch;
    send(&*storage, org, device(1), submission(2, b"x", &[device(2)])).await;

    storage.renew_epochs().await.unwrap();
    let after = ReceiveQuery {
        after: 1,
        epoch: Some(old),
        ..query(device(2))
    };
    let page = storage.receive(org, after).await.unwrap();
    assert_ne!(page.epoch, old);
    assert_eq!(sequences(&page), [1, 2]);
    // What the backup calls new may have been fetched after it was made.
    let withdrawn = storage.withdraw(org, device(1), envelope(2)).await.unwrap();
    assert!(withdrawn.is_empty());
}
