//! A host that carries every call itself, as a phone's background upload does.

use wardline::{DeliveryState, Recipient, RequestId};
use wardline_org::Transport;
use wardline_tests::{Phone, Ward, text};

/// Carries whatever is pending, so many times.
async fn carry(ward: &Ward, phone: &Phone, rounds: usize) {
    let transport = ward.relay().local();
    for _ in 0..rounds {
        for pending in phone.client.pending_requests().await.unwrap() {
            let id: RequestId = pending.id.to_string().parse().unwrap();
            let answer = transport.call(pending.request).await.unwrap();
            phone.client.complete(id, answer).await.unwrap();
        }
    }
}

// scenario: foreign-transport
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_carries_calls_itself_gets_everything_done() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    nurse.faults.cut();
    doctor.faults.cut();
    carry(&ward, &doctor, 5).await;
    let message = nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    carry(&ward, &nurse, 8).await;
    carry(&ward, &doctor, 8).await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1)]);
    carry(&ward, &nurse, 4).await;
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    assert_eq!(deliveries[0].state, DeliveryState::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_outlives_the_process_is_completed_by_the_next() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    nurse.client.sync_once().await.unwrap();
    nurse
        .say(Recipient::Person(doctor.user.clone()), &text(1))
        .await;
    nurse.client.sync_once().await.unwrap();
    // A session is there now: the next message is sealed at once, and its upload is handed out.
    let message = nurse
        .say(Recipient::Person(doctor.user.clone()), &text(2))
        .await;
    let pending = nurse.client.pending_requests().await.unwrap();
    let upload = pending
        .into_iter()
        .find(|pending| pending.id.to_string().starts_with("send-"));
    let upload = upload.unwrap();
    let id = upload.id.to_string();
    let nurse = ward.reopen(nurse).await;
    let answer = ward.relay().local().call(upload.request).await.unwrap();
    nurse
        .client
        .complete(id.parse().unwrap(), answer)
        .await
        .unwrap();
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    assert_eq!(deliveries[0].state, DeliveryState::Sent);
    doctor.client.sync_once().await.unwrap();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, [text(1), text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_earlier_process_is_not_taken_for_an_answer_to_this_one() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let mut earlier = nurse.client.pending_requests().await.unwrap();
    let earlier = earlier.remove(0);
    assert!(earlier.id.to_string().starts_with("checkpoint-"));
    let answer = ward.relay().local().call(earlier.request).await.unwrap();
    let nurse = ward.reopen(nurse).await;
    let now = nurse.client.pending_requests().await.unwrap();
    assert_ne!(now[0].id, earlier.id);
    nurse.client.complete(earlier.id, answer).await.unwrap();
    let again = nurse.client.pending_requests().await.unwrap();
    assert!(again[0].id.to_string().starts_with("checkpoint-"));
    let mut ids: Vec<RequestId> = Vec::new();
    for _ in 0..100 {
        let pending = nurse.client.pending_requests().await.unwrap();
        ids.extend(pending.iter().map(|pending| pending.id));
    }
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_keys_is_read_before_what_was_written_later() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    let to = || Recipient::Person(doctor.user.clone());
    for number in 1..=2 {
        nurse.say(to(), &text(number)).await;
    }
    // The keys are there, and nothing has been sealed with them yet: the third could go at once.
    let transport = ward.relay().local();
    loop {
        let outgoing = nurse
            .client
            .pending_requests()
            .await
            .unwrap()
            .swap_remove(0);
        let is_claim = outgoing.id.to_string().starts_with("claim-");
        let answer = transport.call(outgoing.request).await.unwrap();
        nurse.client.complete(outgoing.id, answer).await.unwrap();
        if is_claim {
            break;
        }
    }
    nurse.say(to(), &text(3)).await;
    carry(&ward, &nurse, 4).await;
    doctor.client.sync_once().await.unwrap();
    let expected: Vec<String> = (1..=3).map(text).collect();
    assert_eq!(doctor.texts(doctor.with("NS-1")).await, expected);
}
