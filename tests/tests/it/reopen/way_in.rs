//! The way in: mailbox, envelopes, messages, receipts that are owed.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use wardline::{
    DeliveryState, Draft, OpenItems, Patient, PatientIdentifier, Priority, RecallOutcome, Verdict,
    testing,
};
use wardline_org::{RelayCode, Transport as _};
use wardline_proto::{Message, v1};
use wardline_tests::{Ward, settle, text, to};

use super::{KEYLESS_PAUSE, Pair, START, alter, cold, only_fetch, pair, rows};

pub(super) async fn answer(table: &str) {
    let Pair {
        ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).priority(Priority::Stat);
    let message = nurse.client.send(draft).await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    let accepted = Verdict::Accepted;
    doctor
        .client
        .answer(reference, accepted, "I go")
        .await
        .unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let nurse = cold(&ward, nurse, table).await;
    nurse.unlock().await;
    let answers = nurse.client.answers(reference).await.unwrap();
    assert_eq!(answers[0].read_back, "I go");
    clock.advance(Duration::from_secs(1));
    let declined = Verdict::Declined;
    doctor.client.answer(reference, declined, "").await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let awaited = nurse.client.open_items(OpenItems::Awaited, 10).await;
    assert_eq!(awaited.unwrap()[0].id, message);
}

pub(super) async fn amendment(table: &str) {
    let Pair {
        ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    nurse.client.amend(reference, &text(2), "").await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let doctor = cold(&ward, doctor, table).await;
    doctor.unlock().await;
    clock.advance(Duration::from_secs(1));
    nurse.client.amend(reference, &text(3), "").await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let history = doctor.client.history(reference).await.unwrap();
    let texts: Vec<_> = history.into_iter().map(|one| one.text).collect();
    assert_eq!(texts, [text(1), text(2), text(3)]);
}

pub(super) async fn recall(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    let reference = nurse.reference(message);
    nurse
        .client
        .recall(reference, "wrong patient")
        .await
        .unwrap();
    settle(&[&nurse, &doctor], 1).await;
    for phone in [nurse, doctor] {
        let phone = cold(&ward, phone, table).await;
        phone.unlock().await;
        let shown = phone.client.messages(vec![reference]).await.unwrap();
        assert_eq!(shown[0].text, "");
        let recalled = shown[0].recalled.as_ref().unwrap();
        assert_eq!(recalled.reason, "wrong patient");
    }
}

pub(super) async fn purge(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    // What is in the index of a locked device waits for its unlock.
    doctor.client.lock();
    let reference = nurse.reference(message);
    nurse.client.recall(reference, "").await.unwrap();
    settle(&[&nurse, &doctor, &nurse], 1).await;
    let doctor = cold(&ward, doctor, table).await;
    doctor.unlock().await;
    assert!(rows(&doctor, table).await.is_empty());
    let found = doctor.client.search("canary-00001", None, None, 10).await;
    assert!(found.unwrap().is_empty());
    settle(&[&doctor, &nurse], 1).await;
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    let outcome = deliveries[0].devices[0].recall;
    assert_eq!(outcome, Some(RecallOutcome::PurgedUnread));
}

pub(super) async fn base_key(table: &str) {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&doctor, &nurse], 1).await;
    nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    let first = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&first);
    doctor.faults.meddle::<v1::ReceiveRequest>(move |answer| {
        let mut heard = heard.lock().unwrap();
        if heard.is_none() {
            *heard = answer.envelopes.first().cloned();
        }
    });
    doctor.client.sync_once().await.unwrap();

    let doctor = cold(&ward, doctor, table).await;
    // Its sessions are gone, as after a restored copy: only the base key tells.
    doctor
        .faults
        .meddle::<v1::CheckpointRequest>(|answer| answer.highest += 100);
    // It owes its receipts again, and would start a session for them at once.
    doctor
        .faults
        .refuse::<v1::ClaimKeysRequest>(RelayCode::Unavailable, |_| true);
    let _ = doctor.client.sync_once().await;
    assert!(rows(&doctor, "session").await.is_empty());
    doctor.faults.relent();
    let doctor = cold(&ward, doctor, table).await;
    let mut replayed = first.lock().unwrap().take().unwrap();
    replayed.envelope_id = wardline_org::EnvelopeId::generate(START).unwrap().to_vec();
    doctor.faults.meddle::<v1::ReceiveRequest>(move |answer| {
        if answer.envelopes.is_empty() {
            replayed.sequence = answer.last_sequence.max(1000) + 1;
            answer.last_sequence = replayed.sequence;
            answer.envelopes.push(replayed.clone());
        }
    });
    let _ = doctor.client.sync_once().await;
    let refusals = doctor.refusals().await;
    assert!(
        refusals.contains(&"WL-OPEN-REPLAYED".to_owned()),
        "{refusals:?}"
    );
}

pub(super) async fn notice(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    let doctor = cold(&ward, doctor, table).await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    let collected = inbox.collect(Duration::from_secs(60)).await.unwrap();
    let noticed = collected.notices.iter().map(|notice| notice.reference);
    let noticed: Vec<_> = noticed.collect();
    assert!(noticed.contains(&nurse.reference(message)), "{noticed:?}");
    inbox.shown(noticed).await.unwrap();
    let doctor = ward.reopen(doctor).await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    let collected = inbox.collect(Duration::from_secs(60)).await.unwrap();
    assert!(collected.notices.is_empty());
}

pub(super) async fn reminder(table: &str) {
    let Pair {
        ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).priority(Priority::Stat);
    nurse.client.send(draft).await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    clock.advance(Duration::from_secs(60));
    let next = doctor.client.remind().await.unwrap();
    assert_eq!(next, Some(START + Duration::from_secs(120)));
    let doctor = cold(&ward, doctor, table).await;
    // It goes on in step, with the next round.
    clock.advance(Duration::from_secs(59));
    assert_eq!(doctor.client.remind().await.unwrap(), next);
    clock.advance(Duration::from_secs(1));
    doctor.client.remind().await.unwrap();
    let rounds = doctor.events().await.into_iter().filter_map(|event| {
        let wardline::Event::MessageReminder { round, .. } = event else {
            return None;
        };
        Some(round)
    });
    assert_eq!(rounds.collect::<Vec<_>>(), [2]);
}

pub(super) async fn control(table: &str) {
    let Pair {
        mut ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    // The nurse's tablet is listed and has offered no keys: the receipt for it has to wait.
    let tablet = ward.phone("NS-1").await;
    clock.advance(Duration::from_secs(120));
    nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor, &doctor], 1).await;
    let doctor = cold(&ward, doctor, table).await;
    tablet.client.sync_once().await.unwrap();
    clock.advance(KEYLESS_PAUSE);
    doctor.client.sync_once().await.unwrap();
    assert!(rows(&doctor, table).await.is_empty());
    assert!(tablet.client.sync_once().await.unwrap().received > 0);
}

pub(super) async fn mailbox(table: &str) {
    let Pair { ward, doctor, .. } = pair().await;
    let asked = |pending: Vec<wardline::PendingRequest>| {
        let fetch = pending
            .into_iter()
            .find(|ask| ask.id.to_string().starts_with("receive-"));
        v1::ReceiveRequest::decode(fetch.unwrap().request.body).unwrap()
    };
    let before = asked(doctor.client.pending_requests().await.unwrap());
    assert!(before.after > 0);
    let doctor = cold(&ward, doctor, table).await;
    let checkpoint = doctor.client.pending_requests().await.unwrap().remove(0);
    let relay = ward.relay().local();
    let answer = relay.call(checkpoint.request).await.unwrap();
    doctor.client.complete(checkpoint.id, answer).await.unwrap();
    assert_eq!(
        asked(doctor.client.pending_requests().await.unwrap()),
        before
    );
}

pub(super) async fn message(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).patient(Patient {
        name: "Ada Byron".into(),
        identifiers: vec![PatientIdentifier {
            system: "urn:mrn".into(),
            value: "1815".into(),
        }],
        encounter: "enc-7".into(),
    });
    let (day, hour) = (Duration::from_secs(24 * 3600), Duration::from_secs(3600));
    let draft = draft.expire_after_sent(day).expire_after_read(hour);
    let sent = nurse.client.send(draft).await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    doctor
        .client
        .mark_read(vec![nurse.reference(sent)])
        .await
        .unwrap();
    let before = doctor.messages(doctor.with("NS-1")).await;
    let indexed = testing::indexed_up_to(&doctor.client).await.unwrap();
    assert_eq!(indexed, Some(2));

    let doctor = cold(&ward, doctor, table).await;
    assert_eq!(testing::indexed_up_to(&doctor.client).await.unwrap(), None);
    doctor.unlock().await;
    assert_eq!(doctor.messages(doctor.with("NS-1")).await, before);
    assert_eq!(
        testing::indexed_up_to(&doctor.client).await.unwrap(),
        indexed
    );
    let found = doctor
        .client
        .search("byron canary-00001", None, None, 10)
        .await;
    assert_eq!(found.unwrap(), before[1..]);
}

pub(super) async fn opened_envelope(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    doctor.faults.meddle::<v1::ReceiveRequest>(move |answer| {
        heard.lock().unwrap().extend(answer.envelopes.clone());
    });
    doctor.client.sync_once().await.unwrap();
    let doctor = cold(&ward, doctor, table).await;
    let mut again = seen.lock().unwrap().clone();
    assert!(!again.is_empty());
    doctor.faults.meddle::<v1::ReceiveRequest>(move |answer| {
        for mut envelope in again.drain(..) {
            answer.last_sequence = answer.last_sequence.max(1000) + 1;
            envelope.sequence = answer.last_sequence;
            answer.envelopes.push(envelope);
        }
    });
    doctor.client.sync_once().await.unwrap();
    assert_eq!(doctor.refusals().await, Vec::<String>::new());
    doctor.unlock().await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await.len(), 2);
}

pub(super) async fn receipt(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let sent = nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    only_fetch(&ward, &doctor, |_| {}).await;
    let doctor = cold(&ward, doctor, table).await;
    settle(&[&doctor, &nurse], 1).await;
    let people = nurse.client.deliveries(sent).await.unwrap();
    assert_eq!(people[0].state, DeliveryState::Delivered);
}

pub(super) async fn refused_envelope(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    nurse.say(to(&doctor), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    // Damage is believed when it came often enough; then the process ends before it can ask.
    for _ in 0..5 {
        only_fetch(&ward, &doctor, |batch| {
            batch.envelopes.iter_mut().for_each(alter)
        })
        .await;
    }
    let doctor = cold(&ward, doctor, table).await;
    doctor.unlock().await;
    settle(&[&doctor, &nurse], 4).await;
    assert!(doctor.texts(doctor.with("NS-1")).await.contains(&text(1)));
}
