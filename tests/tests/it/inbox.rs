//! A second process that shows notifications: it has the inbox key alone, confirms what it takes, and says
//! what the policy allows. The app is told of everything as if it had received by itself.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use wardline::{
    DeliveryState, Draft, Event, Inbox, MessageRef, Notice, Priority, vault::FileKeyStore,
};
use wardline_org::{
    Clock as _, Request, Response, SystemClock, Transport, TransportError, policy::LockScreen,
};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, settle, text, to};

/// A nurse and a doctor who have met. The doctor's app is open and locked, and does not receive.
async fn pair() -> (Ward, Phone, Phone) {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&doctor, &nurse], 1).await;
    nurse.say(to(&doctor), "Good morning").await;
    settle(&[&nurse, &doctor, &nurse], 1).await;
    let greeting = doctor.messages(doctor.with("NS-1")).await[0].reference();
    doctor.client.mark_read(vec![greeting]).await.unwrap();
    let last = doctor
        .client
        .events_from(wardline::EventCursor::default(), 100);
    let last = last.await.unwrap().last().unwrap().cursor;
    doctor.client.confirm_events(last).await.unwrap();
    doctor.client.sync_once().await.unwrap();
    doctor.client.lock();
    (ward, nurse, doctor)
}

async fn send(from: &Phone, to: &Phone, text: &str, priority: Priority) -> MessageRef {
    let draft = Draft::new(self::to(to), text).priority(priority);
    let id = from.client.send(draft).await.unwrap();
    from.client.sync_once().await.unwrap();
    from.reference(id)
}

async fn allow_sender(ward: &mut Ward) {
    let mut policy = ward.authority().policy().clone();
    policy.version += 1;
    policy.lock_screen = LockScreen::Sender;
    ward.authority().set_policy(&policy).unwrap();
    ward.publish().await;
}

async fn collect(inbox: &Inbox) -> Vec<Notice> {
    let collected = inbox.collect(LONG).await.unwrap();
    assert!(collected.failure.is_none(), "{:?}", collected.failure);
    assert!(collected.complete);
    collected.notices
}

fn names(notices: &[Notice]) -> Vec<MessageRef> {
    notices.iter().map(|notice| notice.reference).collect()
}

async fn arrivals(phone: &Phone) -> Vec<MessageRef> {
    let events = phone.events().await.into_iter();
    let arrived = events.filter_map(|event| match event {
        Event::MessageArrived { message, .. } => Some(message),
        _ => None,
    });
    arrived.collect()
}

// scenario: notification
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_confirmed_and_noticed_without_its_sender_and_shown_once_by_the_app() {
    let (ward, nurse, doctor) = pair().await;
    let message = send(&nurse, &doctor, &text(1), Priority::Stat).await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    let before = SystemClock.now();

    let notices = collect(&inbox).await;
    let [notice] = notices.as_slice() else {
        panic!("{notices:?}");
    };
    assert_eq!(
        (notice.reference, notice.priority),
        (message, Priority::Stat)
    );
    assert!(notice.sender.is_none() && notice.conversation.is_none());
    assert!(notice.arrived_at >= before && notice.arrived_at <= SystemClock.now());
    nurse.client.sync_once().await.unwrap();
    let delivery = nurse.client.deliveries(message.id).await.unwrap();
    assert_eq!(delivery[0].devices[0].state, DeliveryState::Delivered);

    // It comes again until it was shown, and the app knows nothing of that.
    inbox.close().await.unwrap();
    let inbox = ward.inbox(&doctor).await.unwrap();
    assert_eq!(collect(&inbox).await, notices);
    inbox.shown(names(&notices)).await.unwrap();
    assert_eq!(collect(&inbox).await, []);
    assert_eq!(arrivals(&doctor).await, [message]);
    let unread = doctor.client.unread(doctor.with("NS-1"));
    assert_eq!(unread.await.unwrap(), 1);
    doctor.unlock().await;
    let texts = doctor.texts(doctor.with("NS-1")).await;
    assert_eq!(texts, ["Good morning".to_owned(), text(1)]);
    doctor.client.sync_once().await.unwrap();
    assert_eq!(arrivals(&doctor).await, [message]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_notification_is_named_by_tells_neither_its_message_nor_its_author() {
    let (mut ward, nurse, doctor) = pair().await;
    let tablet = ward.phone("DR-1").await;
    tablet.client.sync_once().await.unwrap();
    nurse.client.sync_once().await.unwrap();
    for number in 0..2 {
        send(&nurse, &doctor, &text(number), Priority::Urgent).await;
    }
    let mut notices = collect(&ward.inbox(&doctor).await.unwrap()).await;
    notices.extend(collect(&ward.inbox(&tablet).await.unwrap()).await);
    let mut tags: Vec<_> = notices.iter().map(|notice| notice.tag.clone()).collect();
    tags.sort_unstable();
    tags.dedup();
    // Not even the same message has the same name on two devices.
    assert_eq!(tags.len(), 4, "{notices:?}");
    for notice in notices {
        let tag = hex(&notice.tag);
        assert_eq!(tag.len(), 16);
        let (author, message) = (notice.reference.device, notice.reference.id);
        // Four bytes in a row are no accident.
        for known in [author.as_bytes(), message.as_bytes()] {
            let told = |part: &[u8]| known.windows(4).any(|other| other == part);
            assert!(!tag.windows(4).any(told), "{notice:?}");
        }
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_allows_the_sender_lets_a_notice_name_them_as_the_directory_does() {
    let (mut ward, nurse, doctor) = pair().await;
    allow_sender(&mut ward).await;
    send(&nurse, &doctor, &text(1), Priority::Routine).await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    let notices = collect(&inbox).await;
    let sender = notices[0].sender.as_ref().unwrap();
    assert_eq!(sender.user, nurse.user);
    assert_eq!(sender.display_name, "Person NS-1");
    assert_eq!(notices[0].conversation, Some(doctor.with("NS-1")));
    let shown = format!("{notices:?} {inbox:?}");
    assert!(
        !shown.contains("NS-1") && !shown.contains("canary"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_was_revoked_is_noticed_and_not_named() {
    let (mut ward, nurse, doctor) = pair().await;
    allow_sender(&mut ward).await;
    let message = send(&nurse, &doctor, &text(1), Priority::Urgent).await;
    let (person, device) = (nurse.user.clone(), nurse.client.device());
    let now = SystemClock.now();
    ward.authority()
        .revoke_device(&person, device, now)
        .unwrap();
    ward.publish().await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    let notices = collect(&inbox).await;
    assert_eq!(names(&notices), [message]);
    assert!(notices[0].sender.is_none());
    assert_eq!(arrivals(&doctor).await, [message]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_urgent_is_noticed_first() {
    let (ward, nurse, doctor) = pair().await;
    let mut expected = Vec::new();
    for (number, priority) in [
        (3, Priority::Routine),
        (1, Priority::Urgent),
        (0, Priority::Stat),
        (2, Priority::Urgent),
        (4, Priority::Routine),
    ] {
        let message = send(&nurse, &doctor, &text(number), priority).await;
        expected.push((number, message));
    }
    expected.sort_unstable_by_key(|(place, _)| *place);
    let expected: Vec<_> = expected.into_iter().map(|(_, message)| message).collect();
    let inbox = ward.inbox(&doctor).await.unwrap();
    assert_eq!(names(&collect(&inbox).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_has_read_or_announced_is_not_noticed() {
    let (mut ward, nurse, doctor) = pair().await;
    let tablet = ward.phone("DR-1").await;
    tablet.client.sync_once().await.unwrap();
    nurse.client.sync_once().await.unwrap();
    let mut messages = Vec::new();
    for number in 0..4 {
        messages.push(send(&nurse, &doctor, &text(number), Priority::Urgent).await);
    }
    let inbox = ward.inbox(&doctor).await.unwrap();
    let mut notices = names(&collect(&inbox).await);
    notices.sort_unstable();
    assert_eq!(notices, messages);

    doctor.unlock().await;
    doctor.client.mark_read(vec![messages[0]]).await.unwrap();
    assert_eq!(names(&collect(&inbox).await), messages[1..]);

    // The tablet tells the phone.
    tablet.client.sync_once().await.unwrap();
    tablet.client.mark_read(vec![messages[3]]).await.unwrap();
    tablet.client.sync_once().await.unwrap();
    assert_eq!(names(&collect(&inbox).await), messages[1..3]);

    let events = doctor
        .client
        .events_from(wardline::EventCursor::default(), 100);
    let announced = events.await.unwrap().into_iter().find(|delivered| {
        matches!(delivered.event, Event::MessageArrived { message, .. } if message == messages[1])
    });
    let cursor = announced.unwrap().cursor;
    doctor.client.confirm_events(cursor).await.unwrap();
    assert_eq!(names(&collect(&inbox).await), messages[2..3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn app_and_inbox_at_work_together_tell_of_everything_once_each() {
    let (ward, nurse, doctor) = pair().await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    doctor.client.start().unwrap();
    let mut sent = Vec::new();
    let mut shown = Vec::new();
    for number in 0..30 {
        sent.push(send(&nurse, &doctor, &text(number), Priority::Urgent).await);
        let notices = names(&inbox.collect(LONG).await.unwrap().notices);
        inbox.shown(notices.clone()).await.unwrap();
        shown.extend(notices);
    }
    shown.extend(names(&collect(&inbox).await));
    doctor.client.stop();
    doctor.client.sync_once().await.unwrap();
    let mut told = arrivals(&doctor).await;
    for list in [&mut shown, &mut told] {
        list.sort_unstable();
        assert_eq!(*list, sent);
    }
    assert!(doctor.refusals().await.is_empty());
    assert_eq!(doctor.client.check_audit().await.unwrap(), None);
}

/// A line on which calls of one method never end.
struct Hanging {
    behind: Arc<dyn Transport>,
    method: &'static str,
}

#[async_trait]
impl Transport for Hanging {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        if request.path.ends_with(self.method) {
            std::future::pending::<()>().await;
        }
        self.behind.call(request).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_hangs_ends_at_the_deadline_and_hides_nothing_that_came() {
    let (ward, nurse, doctor) = pair().await;
    let message = send(&nurse, &doctor, &text(1), Priority::Urgent).await;
    let hanging = |method| {
        let behind = Arc::new(ward.relay().local());
        let line = Arc::new(Hanging { behind, method });
        Inbox::open(ward.config(&doctor.folder, line))
    };
    for method in ["/Checkpoint", "/Receive"] {
        let inbox = hanging(method).await.unwrap();
        let collected = inbox.collect(SHORT).await.unwrap();
        assert!(
            !collected.complete && collected.failure.is_none(),
            "{method}"
        );
        assert!(collected.notices.is_empty(), "{method}");
    }
    let inbox = hanging("/Acknowledge").await.unwrap();
    let collected = loop {
        // However slow the machine is, some round comes as far as the acknowledgement.
        let collected = inbox.collect(SHORT).await.unwrap();
        assert!(!collected.complete && collected.failure.is_none());
        if !collected.notices.is_empty() {
            break collected;
        }
    };
    assert_eq!(names(&collected.notices), [message]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_kept_and_did_not_acknowledge_waits_at_the_relay_no_longer_than_the_next_round()
 {
    let (ward, nurse, doctor) = pair().await;
    nurse.client.sync_once().await.unwrap();
    assert_eq!(waiting(&ward).await, 0);
    send(&nurse, &doctor, &text(1), Priority::Urgent).await;
    let line = Arc::new(Hanging {
        behind: Arc::new(ward.relay().local()),
        method: "/Acknowledge",
    });
    let killed = Inbox::open(ward.config(&doctor.folder, line))
        .await
        .unwrap();
    while killed.collect(SHORT).await.unwrap().notices.is_empty() {}
    killed.close().await.unwrap();
    assert_eq!(waiting(&ward).await, 1);

    let inbox = ward.inbox(&doctor).await.unwrap();
    let calls = || {
        let methods = doctor.faults.methods().into_iter();
        methods.filter(|name| name.ends_with("Acknowledge")).count()
    };
    let before = calls();
    for _ in 0..3 {
        collect(&inbox).await;
    }
    assert_eq!(calls(), before + 1);
    nurse.client.sync_once().await.unwrap();
    assert_eq!(waiting(&ward).await, 0);
}

/// Envelopes in all mailboxes.
async fn waiting(ward: &Ward) -> u64 {
    ward.relay().sweep().await.unwrap();
    let metrics = ward.relay().metrics();
    let name = "wardline_relay_stored_envelopes ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_what_came_before_is_answered_with_the_cause() {
    let (ward, nurse, doctor) = pair().await;
    let message = send(&nurse, &doctor, &text(1), Priority::Urgent).await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    collect(&inbox).await;
    doctor.faults.cut();
    let collected = inbox.collect(LONG).await.unwrap();
    assert_eq!(names(&collected.notices), [message]);
    assert!(!collected.complete);
    assert_eq!(collected.failure.unwrap().code(), "WL-NET-UNREACHABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_of_a_revoked_device_says_so() {
    let (mut ward, nurse, doctor) = pair().await;
    send(&nurse, &doctor, &text(1), Priority::Urgent).await;
    let (person, device) = (doctor.user.clone(), doctor.client.device());
    let now = SystemClock.now();
    ward.authority()
        .revoke_device(&person, device, now)
        .unwrap();
    ward.publish().await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    let refused = inbox.collect(LONG).await.unwrap_err();
    assert_eq!(refused.code(), "WL-RELAY-REVOKED");
    assert!(doctor.events().await.contains(&Event::DeviceRevoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_store_of_somebody_else_opens_no_inbox() {
    let (ward, _nurse, doctor) = pair().await;
    let mut config = ward.config(&doctor.folder, Arc::new(ward.relay().local()));
    config.key_store = Arc::new(FileKeyStore::open(ward.folder().join("other.keys")).unwrap());
    let refused = Inbox::open(config).await.unwrap_err();
    assert_eq!(refused.code(), "WL-VAULT-HOST-NOT-MINE");
    let inbox = ward.inbox(&doctor).await.unwrap();
    assert_eq!(collect(&inbox).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_does_not_open_costs_its_neighbours_no_notice() {
    let (ward, nurse, doctor) = pair().await;
    let mut messages = Vec::new();
    for number in 0..3 {
        messages.push(send(&nurse, &doctor, &text(number), Priority::Urgent).await);
    }
    let mut poisoned = None;
    doctor.faults.meddle::<v1::ReceiveRequest>(move |answer| {
        for envelope in &mut answer.envelopes {
            let poisoned = poisoned.get_or_insert(envelope.sequence + 1);
            if envelope.sequence == *poisoned {
                envelope.content = envelope.content.slice(1..);
            }
        }
    });
    let inbox = ward.inbox(&doctor).await.unwrap();
    let notices = names(&collect(&inbox).await);
    assert_eq!(notices, [messages[0], messages[2]]);
    assert_eq!(doctor.refusals().await.len(), 1);
    // Its author was asked for it, and seals it again.
    doctor.faults.relent();
    nurse.client.sync_once().await.unwrap();
    assert!(names(&collect(&inbox).await).contains(&messages[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_inbox_goes_on_where_it_was() {
    let (ward, nurse, doctor) = pair().await;
    let message = send(&nurse, &doctor, &text(1), Priority::Urgent).await;
    let inbox = ward.inbox(&doctor).await.unwrap();
    inbox.suspend().await.unwrap();
    let refused = inbox.collect(LONG).await.unwrap_err();
    assert_eq!(refused.code(), "WL-STORE-SUSPENDED");
    inbox.resume().await.unwrap();
    assert_eq!(names(&collect(&inbox).await), [message]);
    inbox.close().await.unwrap();
    let refused = inbox.shown(vec![message]).await.unwrap_err();
    assert_eq!(refused.code(), "WL-STORE-CLOSED");
    assert_eq!(
        names(&collect(&ward.inbox(&doctor).await.unwrap()).await),
        [message]
    );
}

/// Never reached: the network is in this process.
const LONG: Duration = Duration::from_secs(120);
/// Reached by what hangs for ever.
const SHORT: Duration = Duration::from_millis(300);
