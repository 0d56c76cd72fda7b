//! What is held for later: by whom it can be opened, what became of it, and the answers that stop it.

use std::time::Duration;

use wardline::{Armed, Draft, EscalationTier, MessageRef, Verdict};
use wardline_tests::{Phone, settle, text, to};

use super::{Pair, cold, pair, rows};

/// A pair with a message of the nurse's that goes to a pharmacist when the doctor does not answer.
async fn raised() -> (Pair, Phone, MessageRef) {
    let mut pair = pair().await;
    let pharmacist = pair.ward.phone("PH-1").await;
    pair.clock.advance(Duration::from_secs(61));
    settle(&[&pharmacist, &pair.nurse], 1).await;
    let tier = EscalationTier::after(MINUTE).person(pharmacist.user.clone());
    let draft = Draft::new(to(&pair.doctor), text(1)).escalate(tier);
    let message = pair.nurse.client.send(draft).await.unwrap();
    settle(&[&pair.nurse, &pair.doctor], 1).await;
    let message = pair.nurse.reference(message);
    (pair, pharmacist, message)
}

pub(super) async fn hold_key(table: &str) {
    let (pair, pharmacist, _) = raised().await;
    let pharmacist = cold(&pair.ward, pharmacist, table).await;
    pair.clock.advance(MINUTE);
    pair.ward.release().await;
    pharmacist.client.sync_once().await.unwrap();
    pharmacist.unlock().await;
    assert_eq!(pharmacist.texts(pharmacist.with("NS-1")).await, [text(1)]);
    // Made anew every week; what was sealed to the old one may come for two weeks more.
    for (days, keys) in [(8, 2), (8, 3), (8, 3)] {
        pair.clock.advance(Duration::from_secs(days * 24 * 3600));
        pharmacist.client.sync_once().await.unwrap();
        pharmacist.client.sync_once().await.unwrap();
        assert_eq!(rows(&pharmacist, table).await.len(), keys);
    }
}

pub(super) async fn escalation(table: &str) {
    let (pair, pharmacist, message) = raised().await;
    let doctor = cold(&pair.ward, pair.doctor, table).await;
    let nurse = cold(&pair.ward, pair.nurse, table).await;
    let status = nurse.client.escalation(message).await.unwrap().unwrap();
    assert_eq!(status.armed, Armed::Yes);
    doctor.unlock().await;
    let answered = doctor.client.answer(message, Verdict::Accepted, "going");
    answered.await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    pair.clock.advance(MINUTE);
    pair.ward.release().await;
    pharmacist.client.sync_once().await.unwrap();
    let texts = pharmacist.texts(pharmacist.with("NS-1")).await;
    assert!(texts.is_empty());
    let nurse = cold(&pair.ward, nurse, table).await;
    let status = nurse.client.escalation(message).await.unwrap().unwrap();
    assert_eq!(status.stopped.unwrap().user, Some(doctor.user));
}

pub(super) async fn escalation_tier(table: &str) {
    let (pair, pharmacist, message) = raised().await;
    let nurse = cold(&pair.ward, pair.nurse, table).await;
    pair.clock.advance(MINUTE);
    pair.ward.release().await;
    settle(&[&pharmacist, &nurse], 1).await;
    let nurse = cold(&pair.ward, nurse, table).await;
    let status = nurse.client.escalation(message).await.unwrap().unwrap();
    assert!(status.tiers[0].released_at.is_some() && !status.tiers[0].early);
}

pub(super) async fn escalation_device(table: &str) {
    let (pair, pharmacist, message) = raised().await;
    let nurse = cold(&pair.ward, pair.nurse, table).await;
    pair.clock.advance(MINUTE);
    pair.ward.release().await;
    settle(&[&pharmacist, &nurse], 1).await;
    let nurse = cold(&pair.ward, nurse, table).await;
    let status = nurse.client.escalation(message).await.unwrap().unwrap();
    assert_eq!(status.tiers[0].given_to, [pharmacist.user]);
}

pub(super) async fn stop(table: &str) {
    let (pair, pharmacist, message) = raised().await;
    pair.doctor.faults.cut();
    let answered = pair
        .doctor
        .client
        .answer(message, Verdict::Accepted, "going");
    answered.await.unwrap();
    let doctor = cold(&pair.ward, pair.doctor, table).await;
    doctor.faults.mend();
    doctor.client.sync_once().await.unwrap();
    assert!(rows(&doctor, table).await.is_empty());
    pair.clock.advance(MINUTE);
    pair.ward.release().await;
    settle(&[&pharmacist, &pair.nurse], 1).await;
    let texts = pharmacist.texts(pharmacist.with("NS-1")).await;
    assert!(texts.is_empty());
    assert_eq!(pair.nurse.client.answers(message).await.unwrap().len(), 1);
}

const MINUTE: Duration = Duration::from_secs(60);
