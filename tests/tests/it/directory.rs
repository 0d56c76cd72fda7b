//! Whom a device believes: revocations, old and forged directories, tickets and keys.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use wardline::{DeliveryState, Event, FailureCause, Proof};
use wardline_org::{Clock, ManualClock, SystemClock, authority::PersonDetails};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, settle, text, to};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(SystemClock.now()))
}

/// The codes of directories that were not believed.
async fn refused_directories(phone: &Phone) -> Vec<String> {
    let events = phone.events().await;
    let codes = events.into_iter().filter_map(|event| match event {
        Event::DirectoryRefused { code } => Some(code),
        _ => None,
    });
    codes.collect()
}

// scenario: revoked-device
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_gets_nothing_more_and_sends_nothing_more() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let tablet = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor, &tablet], 1).await;
    nurse.say(to(&doctor), &text(0)).await;
    settle(&[&nurse, &doctor, &tablet], 2).await;

    // Sent while it was still allowed, opened when it is not any more.
    tablet.say(to(&nurse), &text(1)).await;
    tablet.client.sync_once().await.unwrap();
    let now = SystemClock.now();
    ward.authority()
        .revoke_device(&doctor.user, tablet.client.device(), now)
        .unwrap();
    ward.publish().await;

    // Sealed before the nurse heard of it: the relay refuses it for that device alone.
    let sealed_before = nurse.say(to(&doctor), &text(2)).await;
    nurse.client.sync_once().await.unwrap();
    let people = nurse.client.deliveries(sealed_before).await.unwrap();
    assert_eq!(people[0].state, DeliveryState::Sent);
    let lost = people[0]
        .devices
        .iter()
        .find(|device| device.device == Some(tablet.client.device()))
        .unwrap();
    assert_eq!(lost.cause, Some(FailureCause::Revoked));

    let sealed_after = nurse.say(to(&doctor), &text(3)).await;
    nurse.client.sync_once().await.unwrap();
    let people = nurse.client.deliveries(sealed_after).await.unwrap();
    assert_eq!(people[0].devices.len(), 1, "not even sealed for it");

    let kept = nurse.messages(nurse.with("DR-1")).await;
    let from_tablet = kept.iter().find(|message| message.text == text(1)).unwrap();
    assert_eq!(from_tablet.proof, Proof::Revoked);

    for _ in 0..2 {
        let refused = tablet.client.sync_once().await.unwrap_err();
        assert_eq!(refused.code(), "WL-RELAY-REVOKED");
    }
    let told = tablet.events().await;
    let told = told.iter().filter(|event| **event == Event::DeviceRevoked);
    assert_eq!(told.count(), 1);
    tablet.say(to(&nurse), &text(4)).await;
    assert!(tablet.client.sync_once().await.is_err());
    settle(&[&doctor, &nurse, &doctor], 2).await;
    assert_eq!(
        tablet.texts(tablet.with("NS-1")).await,
        [text(0), text(1), text(4)]
    );
    let at_nurse = nurse.texts(nurse.with("DR-1")).await;
    assert!(!at_nurse.contains(&text(4)));
    let at_doctor = doctor.texts(doctor.with("NS-1")).await;
    assert!(at_doctor.contains(&text(2)) && at_doctor.contains(&text(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_directory_carries_on_up_to_the_limit_and_then_messages_wait() {
    let clock = clock();
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;

    clock.advance(Duration::from_secs(30 * 3600));
    nurse.say(to(&doctor), &text(1)).await;
    assert_eq!(nurse.client.sync_once().await.unwrap().waiting, 0);
    doctor.client.sync_once().await.unwrap();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);

    clock.advance(Duration::from_secs(20 * 3600));
    nurse.say(to(&doctor), &text(2)).await;
    assert_eq!(nurse.client.sync_once().await.unwrap().waiting, 1);
    assert_eq!(nurse.texts(nurse.with("DR-1")).await, [text(1), text(2)]);
    doctor.client.sync_once().await.unwrap();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);

    ward.publish().await;
    clock.advance(Duration::from_secs(120));
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1), text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_directory_is_not_believed_again() {
    let clock = clock();
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let tablet = ward.phone("DR-1").await;
    let answers: Arc<Mutex<Vec<v1::HeadResponse>>> = Arc::default();
    let heard = Arc::clone(&answers);
    nurse.faults.meddle::<v1::HeadRequest>(move |answer| {
        heard.lock().unwrap().push(answer.clone());
    });
    settle(&[&nurse, &doctor, &tablet], 1).await;
    let old = answers.lock().unwrap()[0].clone();

    let device = tablet.client.device();
    ward.authority()
        .revoke_device(&doctor.user, device, clock.now())
        .unwrap();
    ward.publish().await;
    nurse.client.sync_once().await.unwrap();

    // The relay goes back to the directory in which the device was still listed.
    nurse
        .faults
        .meddle::<v1::HeadRequest>(move |answer| *answer = old.clone());
    clock.advance(Duration::from_secs(120));
    let message = nurse.say(to(&doctor), &text(1)).await;
    let refused = nurse.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-DIRECTORY-OLDER-HEAD");
    assert_eq!(
        refused_directories(&nurse).await,
        ["WL-DIRECTORY-OLDER-HEAD"]
    );
    assert!(nurse.client.deliveries(message).await.unwrap().is_empty());

    nurse.faults.relent();
    settle(&[&nurse, &doctor], 1).await;
    let people = nurse.client.deliveries(message).await.unwrap();
    assert_eq!(people[0].devices.len(), 1, "what was believed stays");
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forked_directory_raises_the_alarm_and_is_not_believed() {
    let clock = clock();
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;

    // Two directories of one version, both signed with the organization's key.
    let mut rival = ward.rival();
    let spy = PersonDetails::new("SPY-1".parse().unwrap(), "Somebody else");
    rival.upsert_person(spy).unwrap();
    let forked = rival.prepare(clock.now()).unwrap().unwrap();
    let newcomer = PersonDetails::new("DR-2".parse().unwrap(), "Newcomer");
    ward.authority().upsert_person(newcomer).unwrap();
    ward.publish().await;
    nurse.client.sync_once().await.unwrap();

    nurse.faults.meddle::<v1::HeadRequest>(move |answer| {
        answer.head.clone_from(&forked.head);
    });
    clock.advance(Duration::from_secs(120));
    nurse.say(to(&doctor), &text(1)).await;
    let refused = nurse.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-DIRECTORY-FORK");
    assert_eq!(refused_directories(&nurse).await, ["WL-DIRECTORY-FORK"]);
    doctor.client.sync_once().await.unwrap();
    assert!(doctor.texts(doctor.with("NS-1")).await.is_empty());

    nurse.faults.relent();
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
    assert_eq!(nurse.client.check_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_without_its_proof_is_not_believed() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    nurse.faults.meddle::<v1::EntriesRequest>(|answer| {
        for answer in &mut answer.answers {
            if let Some(v1::entry_answer::Answer::Present(present)) = &mut answer.answer {
                // A member list, a key or a name that the organization never signed.
                let last = present.entry.last_mut().unwrap();
                *last ^= 1;
            }
        }
    });
    nurse.say(to(&doctor), &text(1)).await;
    let refused = nurse.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-DIRECTORY-BAD-PROOF");
    nurse.faults.relent();
    assert_eq!(nurse.client.sync_once().await.unwrap().waiting, 0);
    doctor.client.sync_once().await.unwrap();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_not_hidden_by_a_relay_that_denies_them() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    nurse.faults.meddle::<v1::EntriesRequest>(|answer| {
        for answer in &mut answer.answers {
            let denied = v1::AbsenceProof::default();
            answer.answer = Some(v1::entry_answer::Answer::Absent(denied));
        }
    });
    let message = nurse.say(to(&doctor), &text(1)).await;
    let refused = nurse.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-DIRECTORY-BAD-PROOF");
    assert!(nurse.client.deliveries(message).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_once_in_time_and_for_its_person() {
    let clock = clock();
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as _).await;
    let folder = |name: &str| ward.folder().join(name);
    let (first, second) = (folder("first"), folder("second"));
    let ticket = ward.ticket("NS-1");

    let refused = ward.enroll(&second, "DR-1", &ticket).await.err().unwrap();
    assert_eq!(refused.code(), "WL-RELAY-TICKET-MISMATCH");
    ward.enroll(&first, "NS-1", &ticket).await.unwrap();
    let refused = ward.enroll(&second, "NS-1", &ticket).await.err().unwrap();
    assert_eq!(
        refused.code(),
        "WL-ALREADY-ENROLLED",
        "the folder is DR-1's"
    );
    let third = ward.folder().join("third");
    let refused = ward.enroll(&third, "NS-1", &ticket).await.err().unwrap();
    assert_eq!(refused.code(), "WL-RELAY-TICKET-USED");

    let late = ward.ticket("DR-1");
    clock.advance(Duration::from_secs(3600));
    let refused = ward.enroll(&second, "DR-1", &late).await.err().unwrap();
    assert_eq!(refused.code(), "WL-RELAY-TICKET-EXPIRED");
    let refused = ward.enroll(&second, "DR-1", "not a ticket").await;
    assert_eq!(refused.err().unwrap().code(), "WL-RELAY-TICKET-INVALID");

    // A good ticket ends it, in the same folder.
    let good = ward.ticket("DR-1");
    let doctor = ward.enroll(&second, "DR-1", &good).await.unwrap();
    ward.publish().await;
    doctor.client.sync_once().await.unwrap();
    let again = ward.ticket("DR-1");
    let refused = ward.enroll(&second, "DR-1", &again).await.err().unwrap();
    assert_eq!(refused.code(), "WL-ALREADY-ENROLLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrollment_whose_answer_was_lost_is_taken_up_again() {
    let mut ward = Ward::open(&["NS-1"]).await;
    let folder = ward.folder().join("phone");
    let ticket = ward.ticket("NS-1");
    let phone = ward.enroll(&folder, "NS-1", &ticket).await.unwrap();
    let device = phone.client.device();
    phone.client.close().await.unwrap();
    // The same ticket again: for the relay it is the same request, for the person the same device.
    let phone = ward.enroll(&folder, "NS-1", &ticket).await.unwrap();
    assert_eq!(phone.client.device(), device);
    ward.publish().await;
    phone.client.sync_once().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sealed_with_a_key_that_its_device_did_not_sign() {
    let clock = clock();
    let mut ward = Ward::open_at(&["NS-1", "DR-1", "PH-1"], Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let pharmacist = ward.phone("PH-1").await;
    settle(&[&nurse, &doctor, &pharmacist], 1).await;

    // The relay hands out a key of a device that it can read, under the doctor's name.
    let other: Arc<Mutex<Option<v1::SignedKey>>> = Arc::default();
    let heard = Arc::clone(&other);
    nurse.faults.meddle::<v1::ClaimKeysRequest>(move |answer| {
        *heard.lock().unwrap() = answer.keys.first().and_then(|claimed| claimed.key.clone());
    });
    nurse.say(to(&pharmacist), &text(0)).await;
    nurse.client.sync_once().await.unwrap();
    let other = other.lock().unwrap().clone();
    assert!(other.is_some());
    nurse.faults.meddle::<v1::ClaimKeysRequest>(move |answer| {
        for claimed in &mut answer.keys {
            claimed.key.clone_from(&other);
        }
    });

    let message = nurse.say(to(&doctor), &text(1)).await;
    assert_eq!(nurse.client.sync_once().await.unwrap().waiting, 1);
    let people = nurse.client.deliveries(message).await.unwrap();
    assert_eq!(people[0].state, DeliveryState::Queued);
    doctor.client.sync_once().await.unwrap();
    assert!(doctor.texts(doctor.with("NS-1")).await.is_empty());
    assert!(doctor.refusals().await.is_empty());

    nurse.faults.relent();
    clock.advance(Duration::from_secs(600));
    assert_eq!(nurse.client.sync_once().await.unwrap().waiting, 0);
    doctor.client.sync_once().await.unwrap();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_time_keys_messages_still_arrive_and_new_keys_follow() {
    let clock = clock();
    let people = ["NS-1", "DR-1", "PH-1"];
    let mut ward = Ward::open_with(&people, Arc::clone(&clock) as _, |config| {
        config.quotas.claims_per_day = 1_000;
    })
    .await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let pharmacist = ward.phone("PH-1").await;
    settle(&[&nurse, &doctor, &pharmacist], 1).await;

    // Somebody claims and claims, until only the fallback key is left.
    let handed_out: Arc<Mutex<Vec<bool>>> = Arc::default();
    let heard = Arc::clone(&handed_out);
    nurse.faults.meddle::<v1::ClaimKeysRequest>(move |answer| {
        let mut heard = heard.lock().unwrap();
        heard.extend(answer.keys.iter().map(|claimed| claimed.fallback));
        answer.keys.clear();
    });
    nurse.say(to(&doctor), &text(1)).await;
    let only_fallback = || handed_out.lock().unwrap().last() == Some(&true);
    for _ in 0..200 {
        nurse.client.sync_once().await.unwrap();
        clock.advance(Duration::from_secs(301));
        if only_fallback() {
            break;
        }
    }
    assert!(only_fallback());

    nurse.faults.relent();
    pharmacist.say(to(&doctor), &text(2)).await;
    clock.advance(Duration::from_secs(301));
    settle(&[&nurse, &pharmacist, &doctor], 1).await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
    assert_eq!(doctor.texts(doctor.with("PH-1")).await, [text(2)]);

    let tablet = ward.phone("NS-1").await;
    let handed_out: Arc<Mutex<Vec<bool>>> = Arc::default();
    let heard = Arc::clone(&handed_out);
    tablet.faults.meddle::<v1::ClaimKeysRequest>(move |answer| {
        let mut heard = heard.lock().unwrap();
        heard.extend(answer.keys.iter().map(|claimed| claimed.fallback));
    });
    tablet.say(to(&doctor), &text(3)).await;
    settle(&[&tablet, &doctor], 1).await;
    assert!(handed_out.lock().unwrap().iter().all(|fallback| !fallback));
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1), text(3)]);
}
