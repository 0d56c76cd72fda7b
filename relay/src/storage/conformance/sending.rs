//! One `Send` is one transaction over many mailboxes.

use futures_util::future::join_all;
use wardline_org::Hash;
use wardline_proto::v1::RefusalReason;

use super::*;
use crate::storage::Refused;

pub async fn message_reaches_every_device(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let outcome = send(
        &*storage,
        org,
        device(1),
        submission(1, b"sealed", &[device(2), device(3)]),
    )
    .await;
    assert_eq!((outcome.fresh, outcome.accepted_at), (true, NOW));
    assert!(outcome.refused.is_empty());

    for recipient in [device(2), device(3)] {
        let page = receive(&*storage, org, recipient).await;
        let [envelope] = page.envelopes.as_slice() else {
            panic!("{page:?}");
        };
        assert_eq!(envelope.sequence, 1);
        assert_eq!(envelope.envelope, super::envelope(1));
        assert_eq!(envelope.sender, device(1));
        assert_eq!(envelope.accepted_at, NOW);
        assert_eq!(envelope.content.as_ref(), b"sealed");
        assert_eq!(envelope.delivery.ciphertext.as_ref(), recipient.as_bytes());
        assert_eq!(envelope.delivery.suite, Suite::OlmV2);
        assert_eq!(envelope.delivery.olm_type, 1);
        assert!(!page.more);
    }
    let usage = storage.usage().await.unwrap();
    assert_eq!((usage.envelopes, usage.contents), (2, 1));
    assert_eq!(usage.content_bytes, 6);
}

pub async fn sent_message_survives_a_power_cut(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(
        &*storage,
        org,
        device(1),
        submission(1, b"sealed", &[device(2)]),
    )
    .await;
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let page = receive(&*storage, org, device(2)).await;
    assert_eq!(page.envelopes[0].content.as_ref(), b"sealed");
}

pub async fn sending_again_answers_the_same_and_delivers_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let mut message = submission(1, b"sealed", &[device(2)]);
    message.refused.push(Refused {
        device: device(9),
        reason: RefusalReason::Revoked,
    });
    let first = send(&*storage, org, device(1), message.clone()).await;

    let mut later = batch(
        device(1),
        vec![message, submission(2, b"new", &[device(2)])],
    );
    later.at = NOW + std::time::Duration::from_secs(60);
    let SendAnswer::Accepted(outcomes) = storage.send(org, later).await.unwrap() else {
        panic!("conflict");
    };
    assert!(!outcomes[0].fresh && outcomes[1].fresh);
    assert_eq!(outcomes[0].refused, first.refused);
    assert_eq!(outcomes[0].accepted_at, NOW);
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [1, 2]);
}

pub async fn sending_again_after_everybody_acknowledged_delivers_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let message = submission(1, b"sealed", &[device(2)]);
    send(&*storage, org, device(1), message.clone()).await;
    let page = receive(&*storage, org, device(2)).await;
    acknowledge(&*storage, org, device(2), page.epoch, 1).await;

    let again = send(&*storage, org, device(1), message).await;
    assert!(!again.fresh);
    assert!(
        receive(&*storage, org, device(2))
            .await
            .envelopes
            .is_empty()
    );
}

pub async fn other_bytes_under_the_same_name_store_nothing_at_all(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(
        &*storage,
        org,
        device(1),
        submission(7, b"one", &[device(2)]),
    )
    .await;
    let before = storage.usage().await.unwrap();

    let bad = batch(
        device(1),
        vec![
            submission(8, b"fine", &[device(2), device(3)]),
            submission(7, b"other", &[device(2)]),
        ],
    );
    assert_eq!(
        storage.send(org, bad).await.unwrap(),
        SendAnswer::Conflict(envelope(7))
    );
    assert_eq!(storage.usage().await.unwrap(), before);
    assert!(
        receive(&*storage, org, device(3))
            .await
            .envelopes
            .is_empty()
    );
}

pub async fn two_senders_may_use_the_same_name(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(
        &*storage,
        org,
        device(1),
        submission(7, b"one", &[device(3)]),
    )
    .await;
    send(
        &*storage,
        org,
        device(2),
        submission(7, b"two", &[device(3)]),
    )
    .await;
    let page = receive(&*storage, org, device(3)).await;
    assert_eq!(page.envelopes[0].content.as_ref(), b"one");
    assert_eq!(page.envelopes[1].content.as_ref(), b"two");
}

pub async fn full_mailbox_refuses_one_device_and_serves_the_others(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let mut outcomes = Vec::new();
    for number in 1..=3 {
        let to: &[_] = if number < 3 {
            &[device(2)]
        } else {
            &[device(2), device(3)]
        };
        let mut batch = batch(device(1), vec![submission(number, b"sealed", to)]);
        batch.mailbox.envelopes = 2;
        match storage.send(org, batch).await.unwrap() {
            SendAnswer::Accepted(answer) => outcomes.extend(answer),
            other => panic!("{other:?}"),
        }
    }
    let full = Refused {
        device: device(2),
        reason: RefusalReason::MailboxFull,
    };
    assert_eq!(outcomes[2].refused, [full]);
    let page = receive(&*storage, org, device(2)).await;
    assert_eq!(sequences(&page), [1, 2]);
    assert_eq!(sequences(&receive(&*storage, org, device(3)).await), [1]);

    // Acknowledging makes room again.
    acknowledge(&*storage, org, device(2), page.epoch, 1).await;
    let mut again = batch(device(1), vec![submission(4, b"sealed", &[device(2)])]);
    again.mailbox.envelopes = 2;
    storage.send(org, again).await.unwrap();
    assert_eq!(sequences(&receive(&*storage, org, device(2)).await), [2, 3]);
}

pub async fn mailbox_is_full_by_bytes_too(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    // Each counts 16 bytes of sealed key and 6 of content.
    for (number, refused) in [(1, false), (2, false), (3, true)] {
        let mut batch = batch(device(1), vec![submission(number, b"sealed", &[device(2)])]);
        batch.mailbox.bytes = 50;
        let SendAnswer::Accepted(outcomes) = storage.send(org, batch).await.unwrap() else {
            panic!("conflict");
        };
        assert_eq!(!outcomes[0].refused.is_empty(), refused, "{number}");
    }
    // What nobody gets is not kept.
    assert_eq!(storage.usage().await.unwrap().contents, 2);
}

pub async fn one_sender_fills_its_share_and_leaves_the_rest_to_others(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    // Each counts 16 bytes of sealed key and 6 of content; half a mailbox is two envelopes, or 50 bytes.
    for (envelopes, bytes) in [(4, 1_000), (1_000, 100)] {
        let first = if envelopes == 4 { 0 } else { 100 };
        let recipient = device(if envelopes == 4 { 9 } else { 10 });
        let refused = |number: u16, sender: u8| {
            let sent = submission(first + number, b"sealed", &[recipient]);
            let mut batch = batch(device(sender), vec![sent]);
            batch.mailbox = crate::storage::MailboxLimits {
                envelopes,
                bytes,
                sender_percent: 50,
            };
            let storage = &storage;
            async move {
                match storage.send(org, batch).await.unwrap() {
                    SendAnswer::Accepted(outcomes) => !outcomes[0].refused.is_empty(),
                    other => panic!("{other:?}"),
                }
            }
        };
        assert!(!refused(1, 1).await && !refused(2, 1).await);
        assert!(refused(3, 1).await, "one sender has its share");
        assert!(!refused(4, 2).await, "another has its own");

        // What was fetched is given back.
        let page = receive(&*storage, org, recipient).await;
        acknowledge(&*storage, org, recipient, page.epoch, 1).await;
        assert!(!refused(5, 1).await);
        assert!(refused(6, 1).await);
    }
}

pub async fn many_senders_at_once_leave_no_gap_in_the_sequences(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let to = [device(100), device(101)];
    join_all((0..50_u16).map(|number| {
        let storage = &storage;
        async move {
            let mut message = submission(number, b"sealed", &to);
            message.digest = Hash::of(&number.to_be_bytes());
            send(&**storage, org, device(number as u8), message).await
        }
    }))
    .await;
    for recipient in to {
        let page = receive(&*storage, org, recipient).await;
        assert_eq!(sequences(&page), (1..=50).collect::<Vec<_>>());
    }
}
