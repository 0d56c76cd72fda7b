//! A device that sleeps is woken for what arrives, and nobody learns from that what it is.

use std::sync::Arc;

use wardline::{Draft, Event, EventCursor, Priority, PushRegistration, Recipient};
use wardline_org::{Clock as _, SystemClock};
use wardline_relay::push::{PushOptions, PushRecorder, WakeClass, WakeUp};
use wardline_tests::{Phone, Ward, text};

const TOPIC: &str = "apns:example.app";

#[tokio::test(flavor = "multi_thread")]
async fn sleeping_device_is_woken_as_loudly_as_its_message_is_urgent() {
    let (mut ward, pushes) = ward().await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    register(&doctor, "doctor-token").await;
    for (priority, class) in [
        // Shown quietly: a silent push may never reach the app.
        (Priority::Routine, WakeClass::Alert),
        (Priority::Urgent, WakeClass::Alert),
        (Priority::Stat, WakeClass::Critical),
    ] {
        let draft = Draft::new(Recipient::Person(doctor.user.clone()), text(1));
        let draft = draft.priority(priority);
        nurse.client.send(draft).await.unwrap();
        nurse.client.sync_once().await.unwrap();
        assert_eq!(pushes.next().await, wake_up("doctor-token", class));
        doctor.client.sync_once().await.unwrap();
    }
    assert_eq!(doctor.texts(doctor.with("NS-1")).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_wake_silently() {
    let (mut ward, pushes) = ward().await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    register(&nurse, "nurse-token").await;
    let draft = Draft::new(Recipient::Person(doctor.user.clone()), text(1));
    nurse
        .client
        .send(draft.priority(Priority::Stat))
        .await
        .unwrap();
    nurse.client.sync_once().await.unwrap();
    // It confirms the delivery.
    doctor.client.sync_once().await.unwrap();
    assert_eq!(
        pushes.next().await,
        wake_up("nurse-token", WakeClass::Silent)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_registration_counts_until_it_is_taken_back() {
    let (mut ward, pushes) = ward().await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    register(&doctor, "old-token").await;
    register(&doctor, "new-token").await;
    let doctors = || Recipient::Person(doctor.user.clone());
    nurse.say(doctors(), &text(1)).await;
    nurse.client.sync_once().await.unwrap();
    let woken = wake_up("new-token", WakeClass::Alert);
    assert_eq!(pushes.next().await, woken);

    // What is sent without a registration is fetched; the next wake-up is that of the next registration.
    doctor.client.unregister_push().await.unwrap();
    nurse.say(doctors(), &text(2)).await;
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    register(&doctor, "last-token").await;
    nurse.say(doctors(), &text(3)).await;
    nurse.client.sync_once().await.unwrap();
    let woken = wake_up("last-token", WakeClass::Alert);
    assert_eq!(pushes.next().await, woken);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_registration_names_its_cause_and_tells_a_revoked_device() {
    let (mut ward, _pushes) = ward().await;
    let ticket = ward.ticket("DR-1");
    let folder = ward.folder().join("doctor");
    let doctor = ward.enroll(&folder, "DR-1", &ticket).await.unwrap();
    let registration = || PushRegistration::new("token", TOPIC).unwrap();
    let early = doctor.client.register_push(registration()).await;
    assert_eq!(early.unwrap_err().code(), "WL-RELAY-UNKNOWN-DEVICE");
    ward.publish().await;
    doctor.client.register_push(registration()).await.unwrap();

    doctor.faults.cut();
    let offline = doctor
        .client
        .register_push(registration())
        .await
        .unwrap_err();
    assert_eq!(offline.code(), "WL-NET-UNREACHABLE");
    assert!(offline.retryable());
    doctor.faults.mend();

    let device = doctor.client.device();
    let now = SystemClock.now();
    let authority = ward.authority();
    authority.revoke_device(&doctor.user, device, now).unwrap();
    ward.publish().await;
    let late = doctor.client.register_push(registration()).await;
    assert_eq!(late.unwrap_err().code(), "WL-RELAY-REVOKED");
    let events = doctor.client.events_from(EventCursor::default(), 100).await;
    let told = events.unwrap();
    assert!(told.iter().any(|told| told.event == Event::DeviceRevoked));
}

async fn ward() -> (Ward, Arc<PushRecorder>) {
    let pushes = Arc::new(PushRecorder::default());
    let options = PushOptions::new(Arc::clone(&pushes) as _);
    let people = &["NS-1", "DR-1"];
    let configure = |config: &mut wardline_relay::Config| config.push = Some(options);
    let ward = Ward::open_with(people, Arc::new(SystemClock), configure).await;
    (ward, pushes)
}

async fn register(phone: &Phone, token: &str) {
    let registration = PushRegistration::new(token, TOPIC).unwrap();
    phone.client.register_push(registration).await.unwrap();
}

fn wake_up(token: &str, class: WakeClass) -> WakeUp {
    WakeUp {
        registration: PushRegistration::new(token, TOPIC).unwrap(),
        class,
    }
}
