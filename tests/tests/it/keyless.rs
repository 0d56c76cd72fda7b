//! Whoever is written to before their device has offered its keys gets it soon after it has.

use std::{sync::Arc, time::Duration};

use wardline::{DeliveryState, MessageId, Recipient};
use wardline_org::{Clock, ManualClock, Timestamp, authority::PersonDetails};
use wardline_tests::{Phone, Ward, settle, text};

async fn ward() -> (Ward, Arc<ManualClock>, Phone) {
    let clock = Arc::new(ManualClock::new(START));
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as Arc<dyn Clock>).await;
    let nurse = ward.phone("NS-1").await;
    settle(&[&nurse], 1).await;
    (ward, clock, nurse)
}

fn doctor() -> Recipient {
    Recipient::Person("DR-1".parse().unwrap())
}

async fn state(nurse: &Phone, message: MessageId) -> Option<DeliveryState> {
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    deliveries.first().map(|person| person.state)
}

fn claims(phone: &Phone) -> usize {
    let methods = phone.faults.methods();
    methods
        .iter()
        .filter(|method| *method == "ClaimKeys")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_leaves_seconds_after_the_new_device_has_offered_its_keys() {
    let (mut ward, clock, nurse) = ward().await;
    let phone = ward.phone("DR-1").await;
    let message = nurse.say(doctor(), &text(1)).await;
    settle(&[&nurse], 1).await;
    assert_eq!(state(&nurse, message).await, Some(DeliveryState::Queued));

    phone.client.sync_once().await.unwrap();
    clock.advance(Duration::from_secs(3));
    settle(&[&nurse, &phone], 1).await;
    assert_eq!(phone.texts(phone.with("NS-1")).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_never_offers_keys_is_asked_for_less_and_less_often() {
    let (mut ward, clock, nurse) = ward().await;
    let _in_a_drawer = ward.phone("DR-1").await;
    nurse.say(doctor(), &text(1)).await;
    for _ in 0..300 {
        clock.advance(Duration::from_secs(2));
        settle(&[&nurse], 1).await;
    }
    // After 0, 2, 6, 14, 30, 62, 126, 254 and 510 seconds.
    assert_eq!(claims(&nurse), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_directory_is_a_reason_to_ask_again_at_once() {
    let (mut ward, clock, nurse) = ward().await;
    let phone = ward.phone("DR-1").await;
    let message = nurse.say(doctor(), &text(1)).await;
    for _ in 0..9 {
        settle(&[&nurse], 1).await;
        clock.advance(Duration::from_secs(300));
    }
    settle(&[&nurse], 1).await;
    phone.client.sync_once().await.unwrap();
    settle(&[&nurse], 1).await;
    assert_eq!(state(&nurse, message).await, Some(DeliveryState::Queued));

    let somebody = PersonDetails::new("PH-1".parse().unwrap(), "Somebody new");
    ward.authority().upsert_person(somebody).unwrap();
    ward.publish().await;
    settle(&[&nurse, &nurse, &phone], 1).await;
    assert_eq!(phone.texts(phone.with("NS-1")).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_is_tried_again_as_soon_as_the_app_is_opened() {
    let (mut ward, clock, nurse) = ward().await;
    let phone = ward.phone("DR-1").await;
    nurse.say(doctor(), &text(1)).await;
    for _ in 0..9 {
        settle(&[&nurse], 1).await;
        clock.advance(Duration::from_secs(300));
    }
    settle(&[&nurse], 1).await;
    phone.client.sync_once().await.unwrap();
    let nurse = ward.reopen(nurse).await;
    settle(&[&nurse, &phone], 1).await;
    assert_eq!(phone.texts(phone.with("NS-1")).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_does_not_sleep_over_it() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let phone = ward.phone("DR-1").await;
    nurse.client.start().unwrap();
    nurse.say(doctor(), &text(1)).await;
    while claims(&nurse) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    phone.client.sync_once().await.unwrap();
    let arrived = async {
        while phone.texts(phone.with("NS-1")).await.is_empty() {
            phone.client.sync_once().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Two pauses, on a machine that is busy; the loop's own rest is half a minute, the old pause was ten of those.
    let within = Duration::from_secs(20);
    tokio::time::timeout(within, arrived).await.unwrap();
}

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
