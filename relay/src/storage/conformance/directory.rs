//! Directory, enrollments, tickets, remembered calls.

use std::time::Duration;

use super::*;
use crate::storage::{
    CallMark, EnrollOutcome, KeyClaim, KeyUpload, NewEnrollment, PendingEnrollment, Publication,
    StoredKey,
};

pub async fn organizations_share_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let other = storage
        .organization(&"grace".parse().unwrap())
        .await
        .unwrap();
    assert_ne!(org, other);
    assert_eq!(mercy(&*storage).await, org);

    send(&*storage, org, device(1), submission(1, b"x", &[device(2)])).await;
    storage.checkpoint(org, device(1), 7).await.unwrap();
    storage.publish(org, publication(1)).await.unwrap();
    storage.enroll(org, enrollment(1, 3)).await.unwrap();

    assert!(
        receive(&*storage, other, device(2))
            .await
            .envelopes
            .is_empty()
    );
    assert_eq!(storage.checkpoint(other, device(1), 0).await.unwrap(), 0);
    assert!(storage.directory(other).await.unwrap().heads.is_empty());
    let withdrawn = storage.withdraw(other, device(1), envelope(1)).await;
    assert!(withdrawn.unwrap().is_empty());
    let fresh = storage.enroll(other, enrollment(1, 3)).await.unwrap();
    assert_eq!(fresh, EnrollOutcome::Queued);
    // The same name and the same bytes in another organization are another envelope.
    let outcome = send(
        &*storage,
        other,
        device(1),
        submission(1, b"x", &[device(2)]),
    )
    .await;
    assert!(outcome.fresh);
}

pub async fn published_directory_is_there_after_a_restart(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let pinned = vec![(1, "root 1".to_owned())];
    storage.add_roots(org, pinned).await.unwrap();
    let other = vec![(1, "another root 1".to_owned())];
    storage.add_roots(org, other).await.unwrap();
    assert!(storage.publish(org, publication(1)).await.unwrap());
    let second = Publication {
        policy: None,
        roots: Vec::new(),
        changed: vec![
            ("person/b".into(), Bytes::from_static(b"B2")),
            ("person/c".into(), Bytes::from_static(b"C")),
        ],
        ..publication(2)
    };
    assert!(storage.publish(org, second).await.unwrap());

    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let directory = storage.directory(org).await.unwrap();
    assert_eq!(directory.heads, ["head 1", "head 2"]);
    assert_eq!(directory.roots, ["root 1"]);
    assert_eq!(directory.policy.as_deref(), Some("policy 1"));
    assert_eq!(
        directory.entries,
        [&b"A"[..], b"B2", b"C"].map(Bytes::from_static)
    );
}

pub async fn second_publisher_of_a_version_is_refused(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    assert!(storage.publish(org, publication(1)).await.unwrap());
    let rival = Publication {
        head: "rival".into(),
        changed: vec![("person/a".into(), Bytes::from_static(b"rival"))],
        ..publication(1)
    };
    assert!(!storage.publish(org, rival).await.unwrap());
    let skipping = Publication {
        expected_version: 5,
        ..publication(6)
    };
    assert!(!storage.publish(org, skipping).await.unwrap());
    let directory = storage.directory(org).await.unwrap();
    assert_eq!(directory.heads, ["head 1"]);
    assert_eq!(directory.entries[0].as_ref(), b"A");
}

pub async fn removed_entry_is_gone(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage.publish(org, publication(1)).await.unwrap();
    let removal = Publication {
        changed: Vec::new(),
        removed: vec!["person/a".into()],
        roots: Vec::new(),
        ..publication(2)
    };
    storage.publish(org, removal).await.unwrap();
    let directory = storage.directory(org).await.unwrap();
    assert_eq!(directory.entries, [Bytes::from_static(b"B")]);
}

pub async fn revoked_device_loses_mailbox_and_keys(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(
        &*storage,
        org,
        device(1),
        submission(1, b"x", &[device(2), device(3)]),
    )
    .await;
    let key = StoredKey {
        key: [1; 32],
        signature: [1; 64],
        created_at: NOW,
    };
    let keys = KeyUpload {
        one_time: vec![key.clone()],
        fallback: Some(key),
        max_waiting: 10,
        ..KeyUpload::default()
    };
    storage.upload_keys(org, device(2), keys).await.unwrap();

    let revocation = Publication {
        revoked: vec![device(2), device(9)],
        ..publication(1)
    };
    assert!(storage.publish(org, revocation).await.unwrap());
    assert!(
        receive(&*storage, org, device(2))
            .await
            .envelopes
            .is_empty()
    );
    let claim = KeyClaim {
        claimer: device(1),
        targets: vec![device(2)],
        share: 10,
        window: 1,
    };
    assert!(storage.claim_keys(org, claim).await.unwrap().is_empty());
    // The other recipient still has the shared content.
    let page = receive(&*storage, org, device(3)).await;
    assert_eq!(page.envelopes[0].content.as_ref(), b"x");
}

pub async fn enrollment_waits_until_a_head_answers_it(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage.enroll(org, enrollment(1, 1)).await.unwrap();
    storage.enroll(org, enrollment(2, 2)).await.unwrap();
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;

    let pending = storage.enrollments(org, 0, 10).await.unwrap();
    assert_eq!(devices(&pending), [device(1), device(2)]);
    assert_eq!(pending[0].request, enrollment(1, 1).request);
    assert_eq!(storage.directory(org).await.unwrap().enrollments, pending);
    let first = storage.enrollments(org, 0, 1).await.unwrap();
    assert_eq!(devices(&first), [device(1)]);
    let rest = storage
        .enrollments(org, first[0].sequence, 10)
        .await
        .unwrap();
    assert_eq!(devices(&rest), [device(2)]);

    let answer = Publication {
        settled: vec![device(1)],
        ..publication(1)
    };
    storage.publish(org, answer).await.unwrap();
    let pending = storage.enrollments(org, 0, 10).await.unwrap();
    assert_eq!(devices(&pending), [device(2)]);
}

pub async fn ticket_enrolls_one_device(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let first = storage.enroll(org, enrollment(1, 1)).await.unwrap();
    assert_eq!(first, EnrollOutcome::Queued);
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    // The same request again is a lost answer, another one is a stolen ticket.
    let again = storage.enroll(org, enrollment(1, 1)).await.unwrap();
    assert_eq!(again, EnrollOutcome::Repeated);
    let stolen = storage.enroll(org, enrollment(1, 2)).await.unwrap();
    assert_eq!(stolen, EnrollOutcome::TicketUsed);
    let pending = storage.enrollments(org, 0, 10).await.unwrap();
    assert_eq!(devices(&pending), [device(1)]);
}

pub async fn enrolling_again_takes_the_earlier_place_under_a_new_number(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    storage.enroll(org, enrollment(1, 1)).await.unwrap();
    let seen = storage.enrollments(org, 0, 10).await.unwrap()[0].sequence;
    storage.enroll(org, enrollment(2, 1)).await.unwrap();
    let pending = storage.enrollments(org, seen, 10).await.unwrap();
    assert_eq!(devices(&pending), [device(1)]);
    assert_eq!(storage.enrollments(org, 0, 10).await.unwrap().len(), 1);
}

pub async fn call_is_remembered_across_a_power_cut(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let call = CallMark {
        digest: Hash::of(b"call"),
        until: NOW,
    };
    assert!(storage.remember_call(org, call).await.unwrap());
    assert!(!storage.remember_call(org, call).await.unwrap());
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    assert_eq!(storage.remembered_calls(org).await.unwrap(), [call]);
    assert!(!storage.remember_call(org, call).await.unwrap());
}

pub async fn forgotten_after_their_time(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let call = CallMark {
        digest: Hash::of(b"call"),
        until: NOW,
    };
    storage.remember_call(org, call).await.unwrap();
    storage.enroll(org, enrollment(1, 1)).await.unwrap();

    // At their last moment they are still known.
    storage.expire(cutoffs(NOW)).await.unwrap();
    assert!(!storage.remember_call(org, call).await.unwrap());
    assert_eq!(
        storage.enroll(org, enrollment(1, 2)).await.unwrap(),
        EnrollOutcome::TicketUsed
    );
    storage
        .expire(cutoffs(NOW + Duration::from_millis(1)))
        .await
        .unwrap();
    assert!(storage.remembered_calls(org).await.unwrap().is_empty());
    assert!(storage.enrollments(org, 0, 10).await.unwrap().is_empty());
    assert_eq!(
        storage.enroll(org, enrollment(1, 2)).await.unwrap(),
        EnrollOutcome::Queued
    );
}

fn publication(version: u64) -> Publication {
    Publication {
        expected_version: version - 1,
        version,
        head: format!("head {version}"),
        changed: vec![
            ("person/a".into(), Bytes::from_static(b"A")),
            ("person/b".into(), Bytes::from_static(b"B")),
        ],
        removed: Vec::new(),
        policy: Some(format!("policy {version}")),
        roots: vec![(version, format!("root {version}"))],
        revoked: Vec::new(),
        settled: Vec::new(),
    }
}

fn enrollment(ticket: u8, number: u8) -> NewEnrollment {
    NewEnrollment {
        ticket: Hash::of(&[ticket]),
        ticket_expires: NOW,
        device: device(number),
        request: Bytes::from(vec![ticket, number]),
        at: NOW,
    }
}

fn devices(pending: &[PendingEnrollment]) -> Vec<DeviceId> {
    pending.iter().map(|p| p.device).collect()
}
