//! Expiry: what is over is shown to nobody, whatever a clock says, and nobody's clock alone destroys anything.

use std::{sync::Arc, time::Duration};

use wardline::{
    Client, Draft, Event, Expired, Lifetime, Message, MessageRef, OpenItems, Priority, Verdict,
    testing,
};
use wardline_org::{Clock, ManualClock, Timestamp};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, settle, text, to};

/// A nurse and a doctor who have met, at a time that stands still.
struct Pair {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
}

impl Pair {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let (ward, nurse, doctor) = Ward::pair(Arc::clone(&clock) as _).await;
        Self {
            ward,
            clock,
            nurse,
            doctor,
        }
    }

    /// The nurse tells the doctor something for an hour, and both have it.
    async fn for_an_hour(&self) -> MessageRef {
        self.say(|draft| draft.expire_after_sent(HOUR)).await
    }

    async fn say(&self, change: impl FnOnce(Draft) -> Draft) -> MessageRef {
        let draft = change(Draft::new(to(&self.doctor), text(1)));
        let message = self.nurse.client.send(draft).await.unwrap();
        self.settle().await;
        self.nurse.reference(message)
    }

    async fn settle(&self) {
        settle(&[&self.nurse, &self.doctor, &self.nurse], 2).await;
    }

    /// The doctor's phone, opened again by its own clock, which the relay and the authority do not have.
    async fn own_clock(&mut self, clock: &Arc<ManualClock>) {
        self.doctor.client.close().await.unwrap();
        let line = Arc::clone(&self.doctor.faults);
        let mut config = self.ward.config(&self.doctor.folder, line);
        config.clock = Arc::clone(clock) as _;
        self.doctor.client = Client::open(config).await.unwrap();
        self.doctor.unlock().await;
    }

    async fn change_policy(&mut self, change: impl FnOnce(&mut wardline_org::policy::Policy)) {
        let mut policy = self.ward.authority().policy().clone();
        policy.version += 1;
        change(&mut policy);
        self.ward.authority().set_policy(&policy).unwrap();
        self.ward.publish().await;
    }
}

async fn shown(phone: &Phone, message: MessageRef) -> Message {
    let mut shown = phone.client.messages(vec![message]).await.unwrap();
    shown.pop().unwrap()
}

/// Everything that shows a message shows this one.
async fn assert_shown(phone: &Phone, message: MessageRef, other: &Phone) {
    let text = text(1);
    let one = shown(phone, message).await;
    assert_eq!((one.text.as_str(), one.expired), (text.as_str(), None));
    let found = phone.client.search("canary-00001", None, None, 10).await;
    assert_eq!(found.unwrap().len(), 1);
    let texts = phone.texts(phone.client.conversation(&to(other))).await;
    assert!(texts.contains(&text));
}

/// Nothing that shows messages shows anything of this one, which is the newest of its conversation.
async fn assert_over(phone: &Phone, message: MessageRef, other: &Phone) {
    let client = &phone.client;
    let one = shown(phone, message).await;
    assert_eq!((one.text.as_str(), one.patient), ("", None));
    assert_eq!(one.content_type, "");
    assert!(one.expired.is_some());
    let conversation = client.conversation(&to(other));
    assert!(!phone.texts(conversation).await.contains(&text(1)));
    let found = client.search("canary-00001", None, None, 10).await.unwrap();
    assert!(found.is_empty(), "a search finds it");
    let found = client.find(wardline::Filter::all(), None, 100).await;
    let among = found.unwrap().iter().any(|one| one.reference() == message);
    assert!(!among, "a filter finds it");
    let list = client.conversations(None, 10).await.unwrap();
    assert_eq!(list.conversations[0].newest.preview, None);
    for which in [OpenItems::ToAnswer, OpenItems::Awaited] {
        assert!(client.open_items(which, 10).await.unwrap().is_empty());
    }
    for answer in client.answers(message).await.unwrap() {
        assert_eq!(answer.read_back, "");
    }
    let code = |error: Option<wardline::Error>| error.unwrap().code();
    assert_eq!(code(client.history(message).await.err()), "WL-UNKNOWN");
    assert_eq!(code(client.export_proof(message).await.err()), "WL-UNKNOWN");
}

/// Whether the store holds anything that was written.
async fn is_erased(phone: &Phone, message: MessageRef) -> bool {
    let columns = "hex(message_id), length(body), content_key";
    let rows = testing::rows(&phone.client, "message", columns).await;
    let id = message.id.to_string().replace('-', "").to_uppercase();
    let rows = rows.unwrap();
    let row = rows.iter().find(|row| row.starts_with(&id)).unwrap();
    let left = testing::rows(&phone.client, "purge", "*").await.unwrap();
    row.ends_with(" 0 -") && left.is_empty()
}

async fn expiries(phone: &Phone) -> usize {
    let events = phone.events().await;
    let over = |event: &&Event| matches!(event, Event::MessageExpired { .. });
    events.iter().filter(over).count()
}

// scenario: expiry
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_over_everywhere_a_time_after_it_was_sent() {
    let pair = Pair::open().await;
    let message = pair.for_an_hour().await;
    let inbox = pair.ward.inbox(&pair.doctor).await.unwrap();
    for (phone, other) in [(&pair.nurse, &pair.doctor), (&pair.doctor, &pair.nurse)] {
        let one = shown(phone, message).await;
        assert_eq!(one.expires_at, Some(START + HOUR), "known up front");
        pair.clock.set(START + HOUR - MOMENT);
        phone.client.sync_once().await.unwrap();
        assert_shown(phone, message, other).await;
        pair.clock.set(START);
    }
    let notices = inbox.collect(LONG).await.unwrap().notices;
    assert!(notices.iter().any(|notice| notice.reference == message));
    pair.clock.advance(HOUR);
    let notices = inbox.collect(LONG).await.unwrap().notices;
    assert!(notices.iter().all(|notice| notice.reference != message));
    pair.settle().await;
    for (phone, other) in [(&pair.nurse, &pair.doctor), (&pair.doctor, &pair.nurse)] {
        assert_over(phone, message, other).await;
        let one = shown(phone, message).await;
        assert_eq!(one.expired, Some(Expired { at: START + HOUR }));
        assert!(is_erased(phone, message).await);
        assert_eq!(expiries(phone).await, 1);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
    // Nobody has taken it back, and nobody owes a word about it.
    let deliveries = pair.nurse.client.deliveries(message.id).await.unwrap();
    assert_eq!(deliveries[0].devices[0].recall, None);
    assert!(shown(&pair.doctor, message).await.recalled.is_none());
    let unread = pair.doctor.client.unread_total().await.unwrap();
    assert_eq!(unread, 1, "the greeting");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_begins_the_time_on_every_device_of_the_reader_and_then_on_the_authors() {
    let mut pair = Pair::open().await;
    let tablet = pair.ward.phone("DR-1").await;
    pair.clock.advance(Duration::from_secs(61));
    settle(&[&pair.nurse, &pair.doctor, &tablet], 3).await;
    let message = pair.say(|draft| draft.expire_after_read(MINUTE)).await;
    settle(&[&pair.nurse, &tablet, &pair.doctor], 2).await;
    for phone in [&pair.nurse, &pair.doctor, &tablet] {
        let one = shown(phone, message).await;
        assert_eq!(one.expires_at, None);
        assert_eq!(one.expires_after_read, Some(MINUTE), "known up front");
    }
    pair.clock.advance(HOUR);
    pair.doctor.client.mark_read(vec![message]).await.unwrap();
    settle(&[&pair.doctor, &tablet, &pair.nurse], 3).await;
    let end = pair.clock.now() + MINUTE;
    for phone in [&pair.nurse, &pair.doctor, &tablet] {
        assert_eq!(shown(phone, message).await.expires_at, Some(end));
    }
    pair.clock.advance(MINUTE);
    settle(&[&pair.doctor, &tablet, &pair.nurse], 2).await;
    assert_over(&pair.doctor, message, &pair.nurse).await;
    assert_over(&tablet, message, &pair.nurse).await;
    assert_over(&pair.nurse, message, &pair.doctor).await;
    for phone in [&pair.nurse, &pair.doctor, &tablet] {
        assert!(is_erased(phone, message).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_slept_a_week_shows_nothing_of_it_not_even_for_a_moment() {
    let mut pair = Pair::open().await;
    let message = pair
        .say(|draft| draft.priority(Priority::Stat).expire_after_sent(HOUR))
        .await;
    let words = "canary-00001 understood";
    let accepted = pair.doctor.client.answer(message, Verdict::Declined, words);
    accepted.await.unwrap();
    let conversation = pair.doctor.with("NS-1");
    let timeline = pair.doctor.client.follow(conversation, 10).await.unwrap();
    let list = pair.doctor.client.follow_conversations(10).await.unwrap();
    let open = pair
        .doctor
        .client
        .follow_open_items(OpenItems::ToAnswer, 10);
    let open = open.await.unwrap();
    assert_eq!(open.messages()[0].text, text(1));
    assert!(list.conversations()[0].newest.preview.is_some());
    pair.doctor.faults.cut();
    pair.clock.advance(HOUR * 24 * 7);
    // Whatever was read before is veiled, and whatever is read now is without it: nothing else has happened.
    assert_eq!(timeline.messages().last().unwrap().text, "");
    assert_eq!(list.conversations()[0].newest.preview, None);
    assert_eq!(open.messages()[0].text, "");
    let one = shown(&pair.doctor, message).await;
    assert_eq!((one.text.as_str(), expiries(&pair.doctor).await), ("", 0));
    assert_over(&pair.doctor, message, &pair.nurse).await;
    // So it is after the process has died, without a line.
    pair.doctor = pair.ward.reopen(pair.doctor).await;
    pair.doctor.unlock().await;
    assert_over(&pair.doctor, message, &pair.nurse).await;
    assert!(!is_erased(&pair.doctor, message).await, "by one clock");
    pair.doctor.faults.mend();
    pair.doctor.client.sync_once().await.unwrap();
    assert_over(&pair.doctor, message, &pair.nurse).await;
    assert!(is_erased(&pair.doctor, message).await, "by two");
    assert_eq!(expiries(&pair.doctor).await, 1);
}

// scenario: expiry
#[tokio::test(flavor = "multi_thread")]
async fn turning_the_phones_clock_revives_nothing() {
    let mut pair = Pair::open().await;
    let message = pair.for_an_hour().await;
    pair.doctor.faults.cut();
    let own = Arc::new(ManualClock::new(START + HOUR));
    pair.own_clock(&own).await;
    assert_over(&pair.doctor, message, &pair.nurse).await;
    for back in [Duration::from_secs(1), HOUR * 24, HOUR * 24 * 365] {
        own.set(START + HOUR - back);
        assert_over(&pair.doctor, message, &pair.nurse).await;
        let _ = pair.doctor.client.sync_once().await;
        assert_over(&pair.doctor, message, &pair.nurse).await;
        // Nor does opening it again.
        pair.own_clock(&own).await;
        assert_over(&pair.doctor, message, &pair.nurse).await;
    }
    // While it runs, turning it back before the end gains nothing either: the others go on.
    let later = pair.for_an_hour_unsettled().await;
    pair.doctor.faults.mend();
    own.set(START);
    settle(&[&pair.doctor, &pair.nurse, &pair.doctor], 2).await;
    assert_eq!(shown(&pair.doctor, later).await.text, text(1));
    pair.doctor.faults.cut();
    own.advance(HOUR);
    own.set(START - HOUR * 24);
    assert_eq!(shown(&pair.doctor, later).await.text, "");
}

impl Pair {
    /// Like [`Pair::for_an_hour`] while the doctor is out of reach.
    async fn for_an_hour_unsettled(&self) -> MessageRef {
        let draft = Draft::new(to(&self.doctor), text(1)).expire_after_sent(HOUR);
        let message = self.nurse.client.send(draft).await.unwrap();
        self.nurse.client.sync_once().await.unwrap();
        self.nurse.reference(message)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_a_year_ahead_has_destroyed_nothing() {
    let mut pair = Pair::open().await;
    let message = pair.for_an_hour().await;
    let own = Arc::new(ManualClock::new(START + HOUR * 24 * 365));
    pair.own_clock(&own).await;
    let _ = pair.doctor.client.sync_once().await;
    assert_over(&pair.doctor, message, &pair.nurse).await;
    assert!(!is_erased(&pair.doctor, message).await);
    // Set right without a line: it may as well have been turned back.
    pair.doctor.faults.cut();
    own.set(START);
    let _ = pair.doctor.client.sync_once().await;
    assert_over(&pair.doctor, message, &pair.nurse).await;
    // The relay and the authority say that there is time left.
    pair.doctor.faults.mend();
    own.advance(Duration::from_secs(61));
    own.set(START);
    pair.doctor.client.sync_once().await.unwrap();
    assert_shown(&pair.doctor, message, &pair.nurse).await;
    let events = pair.doctor.events().await;
    let told = events.iter().filter(
        |event| matches!(event, Event::MessageArrived { message: one, .. } if *one == message),
    );
    assert_eq!(told.count(), 2, "told again, because nobody has read it");
    assert_eq!(pair.doctor.client.unread_total().await.unwrap(), 2);
    // And it is over when it is.
    own.set(START + HOUR);
    pair.clock.advance(HOUR);
    pair.doctor.client.sync_once().await.unwrap();
    assert!(is_erased(&pair.doctor, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_relay_erases_nothing_and_hides_nothing_for_good() {
    let pair = Pair::open().await;
    let message = pair.for_an_hour().await;
    let later = pair.say(|draft| draft.expire_after_sent(HOUR * 25)).await;
    let says = |now_ms: i64| {
        pair.doctor
            .faults
            .meddle::<v1::ReceiveRequest>(move |answer| answer.now_ms = now_ms);
    };
    says(i64::MAX);
    pair.doctor.client.sync_once().await.unwrap();
    // What ends while the head is valid is hidden by its word, and no more than that.
    assert_eq!(shown(&pair.doctor, message).await.text, "");
    assert!(!is_erased(&pair.doctor, message).await);
    assert_eq!(shown(&pair.doctor, later).await.text, text(1));
    // Nor does it keep in sight what the phone's clock calls over.
    says((START + Duration::from_secs(1)).as_millis());
    pair.doctor.client.sync_once().await.unwrap();
    assert_eq!(shown(&pair.doctor, message).await.text, text(1), "it lives");
    says(1);
    pair.clock.advance(HOUR);
    pair.doctor.client.sync_once().await.unwrap();
    assert_eq!(shown(&pair.doctor, message).await.text, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_neither_sealed_nor_sealed_again() {
    let clock = Arc::new(ManualClock::new(START));
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    // Nothing is known of the doctor's devices: it waits.
    let waits = Draft::new(to(&doctor), text(1)).expire_after_sent(HOUR);
    let waits = nurse.client.send(waits).await.unwrap();
    clock.advance(HOUR);
    settle(&[&doctor, &nurse, &doctor], 2).await;
    assert!(doctor.messages(doctor.with("NS-1")).await.is_empty());
    let outbox = testing::rows(&nurse.client, "outbox", "*").await.unwrap();
    assert!(outbox.is_empty());
    assert!(is_erased(&nurse, nurse.reference(waits)).await);
    assert_eq!(expiries(&nurse).await, 1, "its author knows");
    // One that was sealed is not sealed again.
    let draft = Draft::new(to(&doctor), text(2)).expire_after_sent(HOUR);
    nurse.client.send(draft).await.unwrap();
    settle(&[&nurse, &doctor, &nurse], 2).await;
    testing::want_resealed(&nurse.client).await.unwrap();
    clock.advance(HOUR);
    nurse.client.sync_once().await.unwrap();
    let resealed = testing::rows(&nurse.client, "recipient", "resealed_at").await;
    assert_eq!(resealed.unwrap(), ["-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_when_it_is_over_is_never_shown() {
    let pair = Pair::open().await;
    let draft = Draft::new(to(&pair.doctor), text(1)).expire_after_sent(HOUR);
    let message = pair.nurse.client.send(draft).await.unwrap();
    pair.nurse.client.sync_once().await.unwrap();
    pair.clock.advance(HOUR);
    // The nurse's phone is off, so nobody withdraws it.
    pair.doctor.client.sync_once().await.unwrap();
    let message = pair.nurse.reference(message);
    assert_over(&pair.doctor, message, &pair.nurse).await;
    assert!(is_erased(&pair.doctor, message).await);
    let events = pair.doctor.events().await;
    let told = |event: &Event| matches!(event, Event::MessageArrived { message: one, .. } if *one == message);
    assert!(!events.iter().any(told));
    assert_eq!(pair.doctor.client.unread_total().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_neither_answered_nor_corrected_and_its_recall_is_confirmed() {
    let pair = Pair::open().await;
    let message = pair
        .say(|draft| draft.priority(Priority::Stat).expire_after_read(MINUTE))
        .await;
    pair.doctor.client.mark_read(vec![message]).await.unwrap();
    // The author's phone does not hear of it, and its copy lives.
    pair.nurse.faults.cut();
    pair.clock.advance(MINUTE);
    pair.doctor.client.sync_once().await.unwrap();
    let answered = pair.doctor.client.answer(message, Verdict::Accepted, "");
    assert_eq!(answered.await.unwrap_err().code(), "WL-SEND-NOT-ASKED");
    let amended = pair.nurse.client.amend(message, "canary-00001 again", "");
    amended.await.unwrap();
    pair.nurse.client.recall(message, "a slip").await.unwrap();
    pair.nurse.faults.mend();
    settle(&[&pair.nurse, &pair.doctor, &pair.nurse], 3).await;
    assert!(is_erased(&pair.doctor, message).await);
    let found = pair.doctor.client.search("canary-00001", None, None, 10);
    assert!(
        found.await.unwrap().is_empty(),
        "not even what it was corrected to"
    );
    let deliveries = pair.nurse.client.deliveries(message.id).await.unwrap();
    let outcome = deliveries[0].devices[0].recall;
    assert_eq!(outcome, Some(wardline::RecallOutcome::PurgedRead));
    assert_eq!(pair.doctor.client.unread_total().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_and_the_conversation_set_a_lifetime_and_the_shortest_wins() {
    let mut pair = Pair::open().await;
    let client = &pair.nurse.client;
    let after_sent = |time| Lifetime {
        after_sent: Some(time),
        after_read: None,
    };
    let conversation = client.conversation(&to(&pair.doctor));
    assert_eq!(
        client.lifetime(conversation).await.unwrap(),
        Lifetime::default()
    );
    client
        .set_lifetime(to(&pair.doctor), after_sent(HOUR))
        .await
        .unwrap();
    assert_eq!(
        client.lifetime(conversation).await.unwrap(),
        after_sent(HOUR)
    );
    let message = pair.say(|draft| draft).await;
    assert_eq!(
        shown(&pair.doctor, message).await.expires_at,
        Some(START + HOUR)
    );
    let message = pair.say(|draft| draft.expire_after_sent(HOUR * 9)).await;
    assert_eq!(
        shown(&pair.doctor, message).await.expires_at,
        Some(START + HOUR * 9)
    );
    // The doctor's own words are the doctor's to set.
    let reply = pair.doctor.say(to(&pair.nurse), "Thanks").await;
    let reply = shown(&pair.doctor, pair.doctor.reference(reply)).await;
    assert_eq!(reply.expires_at, None);

    pair.change_policy(|policy| {
        policy.max_lifetime_seconds = 1800;
        policy.default_lifetime_seconds = 600;
    })
    .await;
    // The nurse does not know yet: the doctor's phone ends it all the same.
    pair.clock.advance(Duration::from_secs(61));
    pair.doctor.client.sync_once().await.unwrap();
    let draft = Draft::new(to(&pair.doctor), text(1));
    let message = pair.nurse.client.send(draft.clone()).await.unwrap();
    let message = pair.nurse.reference(message);
    let now = pair.clock.now();
    assert_eq!(
        shown(&pair.nurse, message).await.expires_at,
        Some(now + HOUR)
    );
    pair.settle().await;
    let limit = Duration::from_secs(1800);
    assert_eq!(
        shown(&pair.doctor, message).await.expires_at,
        Some(now + limit)
    );
    // Now the nurse does.
    let client = &pair.nurse.client;
    assert_eq!(
        client.lifetime(conversation).await.unwrap(),
        after_sent(limit)
    );
    let refused = client.send(draft.expire_after_sent(limit + MOMENT)).await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-LIFETIME");
    let refused = client
        .set_lifetime(to(&pair.doctor), after_sent(HOUR))
        .await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-LIFETIME");
    client
        .set_lifetime(to(&pair.doctor), Lifetime::default())
        .await
        .unwrap();
    let default = Duration::from_secs(600);
    assert_eq!(
        client.lifetime(conversation).await.unwrap(),
        after_sent(default)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_ends_what_is_over_by_itself_also_without_a_line() {
    let pair = Pair::open().await;
    let message = pair.for_an_hour().await;
    let mut view = pair
        .doctor
        .client
        .follow(pair.doctor.with("NS-1"), 10)
        .await
        .unwrap();
    pair.doctor.faults.cut();
    pair.doctor.client.start().unwrap();
    pair.clock.advance(HOUR);
    // Real time does not matter to it, only that it looks again; a commit is a reason to.
    pair.doctor
        .client
        .save_draft(to(&pair.nurse), "?")
        .await
        .unwrap();
    let change = view.changed().await.unwrap();
    assert!(
        change
            .updated
            .iter()
            .any(|one| one.reference() == message && one.expired.is_some())
    );
    while !is_erased(&pair.doctor, message).await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pair.doctor.client.stop();
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);
/// Never reached: the network is in this process.
const LONG: Duration = Duration::from_secs(120);
