//! The way out: what waits to be sealed or posted, and what became of it.

use std::time::Duration;

use wardline::{DeliveryState, Draft, FailureCause, RecallOutcome, Recipient};
use wardline_proto::v1;
use wardline_tests::{settle, text, to};

use super::{KEYLESS_PAUSE, Pair, alter, cold, pair, rows};

/// What is asked for by its envelope is found through both tables.
pub(super) async fn envelope_device(table: &str) {
    sent_envelope(table).await;
}

pub(super) async fn idempotency(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).idempotency_key("lab-1");
    let first = nurse.client.send(draft.clone()).await.unwrap();
    let nurse = cold(&ward, nurse, table).await;
    assert_eq!(nurse.client.send(draft).await.unwrap(), first);
}

pub(super) async fn outbox(table: &str) {
    let Pair {
        mut ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    // Not sealed: nothing is known of its recipient.
    nurse.faults.cut();
    let pharmacist = ward.phone("PH-1").await;
    pharmacist.client.sync_once().await.unwrap();
    nurse.say(to(&pharmacist), &text(1)).await;
    let nurse = cold(&ward, nurse, table).await;
    nurse.faults.mend();
    settle(&[&nurse, &pharmacist], 1).await;
    assert_eq!(pharmacist.texts(pharmacist.with("NS-1")).await, [text(1)]);
    assert!(rows(&nurse, table).await.is_empty());

    // Sealed for one of two devices: the other has offered no keys.
    let tablet = ward.phone("DR-1").await;
    clock.advance(Duration::from_secs(120));
    nurse.say(to(&doctor), &text(2)).await;
    settle(&[&nurse, &doctor], 1).await;
    assert!(doctor.texts(doctor.with("NS-1")).await.contains(&text(2)));
    let nurse = cold(&ward, nurse, table).await;
    tablet.client.sync_once().await.unwrap();
    clock.advance(KEYLESS_PAUSE);
    settle(&[&nurse, &tablet], 1).await;
    assert_eq!(tablet.texts(tablet.with("NS-1")).await, [text(2)]);
    assert!(rows(&nurse, table).await.is_empty());
}

pub(super) async fn recipient(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let hopeless = nurse
        .say(Recipient::Person("DR-404".parse().unwrap()), &text(0))
        .await;
    let sent = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor, &nurse], 1).await;
    let before = nurse.client.deliveries(sent).await.unwrap();
    assert_eq!(before[0].state, DeliveryState::Delivered);

    let nurse = cold(&ward, nurse, table).await;
    assert_eq!(nurse.client.deliveries(sent).await.unwrap(), before);
    let failed = nurse.client.deliveries(hopeless).await.unwrap();
    assert_eq!(failed[0].devices[0].cause, Some(FailureCause::NoSuchPerson));
    doctor
        .client
        .mark_read(vec![nurse.reference(sent)])
        .await
        .unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let after = nurse.client.deliveries(sent).await.unwrap();
    assert_eq!(after[0].state, DeliveryState::Read);
}

pub(super) async fn sent_envelope(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    doctor.faults.meddle::<v1::ReceiveRequest>(|answer| {
        answer.envelopes.iter_mut().for_each(alter);
    });
    doctor.client.sync_once().await.unwrap();
    doctor.faults.relent();
    assert_eq!(doctor.refusals().await, ["WL-OPEN-CONTENT-ALTERED"]);
    // The author hears of it, and is closed before it has answered: it is locked.
    nurse.client.lock();
    nurse.client.sync_once().await.unwrap();
    let nurse = cold(&ward, nurse, table).await;
    nurse.unlock().await;
    settle(&[&nurse, &doctor], 2).await;
    assert!(doctor.texts(doctor.with("NS-1")).await.contains(&text(1)));
    assert_eq!(nurse.client.check_audit().await.unwrap(), None);
}

pub(super) async fn session(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let nurse = cold(&ward, nurse, table).await;
    let doctor = cold(&ward, doctor, table).await;
    settle(&[&nurse, &doctor], 1).await;
    let claims = nurse.faults.calls();
    let sent = nurse.say(to(&doctor), &text(1)).await;
    let people = nurse.client.deliveries(sent).await.unwrap();
    assert_eq!(
        people[0].state,
        DeliveryState::Queued,
        "sealed without a call"
    );
    assert_eq!(nurse.faults.calls(), claims);
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(doctor.refusals().await, Vec::<String>::new());
    doctor.unlock().await;
    assert!(doctor.texts(doctor.with("NS-1")).await.contains(&text(1)));
}

pub(super) async fn submission(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    nurse.faults.cut();
    nurse.say(to(&doctor), &text(1)).await;
    let nurse = cold(&ward, nurse, table).await;
    nurse.faults.mend();
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(doctor.refusals().await, Vec::<String>::new());
    let texts = doctor.texts(doctor.with("NS-1")).await;
    assert_eq!(texts.iter().filter(|one| **one == text(1)).count(), 1);
}

pub(super) async fn withdrawal(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    let reference = nurse.reference(message);
    nurse.client.recall(reference, "").await.unwrap();
    let nurse = cold(&ward, nurse, table).await;
    settle(&[&nurse, &doctor], 1).await;
    assert!(rows(&nurse, table).await.is_empty());
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    let outcome = deliveries[0].devices[0].recall;
    assert_eq!(outcome, Some(RecallOutcome::Withdrawn));
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, ["Good morning"]);
}
