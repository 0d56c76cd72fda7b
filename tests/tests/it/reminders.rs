//! Stat messages come again until somebody has them, and whoever asked learns when the time is up.

use std::{sync::Arc, time::Duration};

use wardline::{
    Client, Draft, Event, EventCursor, Inbox, MessageRef, Notice, OpenItems, Priority, Tier,
    Verdict,
};
use wardline_org::{Clock, ManualClock, Timestamp};
use wardline_tests::{Phone, Ward, settle, team, text};

/// A nurse with a tablet, a doctor and a pharmacist on one care team, at a time that stands still.
struct Team {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    tablet: Phone,
    doctor: Phone,
    pharmacist: Phone,
}

impl Team {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-1", "PH-1"];
        let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
        let nurse = ward.phone("NS-1").await;
        let tablet = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let pharmacist = ward.phone("PH-1").await;
        let team = Self {
            ward,
            clock,
            nurse,
            tablet,
            doctor,
            pharmacist,
        };
        team.settle().await;
        team
    }

    async fn settle(&self) {
        let Self {
            nurse,
            tablet,
            doctor,
            pharmacist,
            ..
        } = self;
        settle(&[nurse, tablet, doctor, pharmacist], 3).await;
    }

    /// The nurse tells the team, and everybody has it.
    async fn say(&self, change: impl FnOnce(Draft) -> Draft) -> MessageRef {
        let draft = change(Draft::new(team(), text(1)));
        let message = self.nurse.client.send(draft).await.unwrap();
        self.settle().await;
        self.nurse.reference(message)
    }

    async fn stat(&self) -> MessageRef {
        self.say(|draft| draft.priority(Priority::Stat)).await
    }

    async fn policy(&mut self, repeat: u32) {
        let mut policy = self.ward.authority().policy().clone();
        policy.version += 1;
        policy.stat_repeat_seconds = repeat;
        self.ward.authority().set_policy(&policy).unwrap();
        self.ward.publish().await;
        // Everybody asks for a newer directory after a minute.
        self.clock.advance(Duration::from_secs(61));
        self.settle().await;
    }
}

/// The reminders that came since the last look, by their rounds; they are confirmed.
async fn rounds(phone: &Phone) -> Vec<u32> {
    let events = phone.client.events_from(EventCursor::default(), 100_000);
    let events = events.await.unwrap();
    if let Some(last) = events.last() {
        phone.client.confirm_events(last.cursor).await.unwrap();
    }
    let rounds = events.into_iter().filter_map(|event| match event.event {
        Event::MessageReminder { round, tier, .. } => {
            assert_eq!(tier, Tier::Stat);
            Some(round)
        }
        _ => None,
    });
    rounds.collect()
}

async fn overdue(phone: &Phone) -> Vec<MessageRef> {
    let events = phone.events().await.into_iter();
    let overdue = events.filter_map(|event| match event {
        Event::AnswerOverdue { message, .. } => Some(message),
        _ => None,
    });
    overdue.collect()
}

async fn collect(inbox: &Inbox) -> Vec<Notice> {
    let collected = inbox.collect(Duration::from_secs(60)).await.unwrap();
    collected.notices
}

async fn remind(client: &Client) -> Option<Duration> {
    let next = client.remind().await.unwrap();
    next.map(|at| at.saturating_since(START))
}

// scenario: reminder
#[tokio::test(flavor = "multi_thread")]
async fn a_stat_message_comes_every_minute_until_somebody_has_it() {
    let team = Team::open().await;
    let message = team.stat().await;
    for phone in [&team.doctor, &team.pharmacist] {
        assert_eq!(remind(&phone.client).await, Some(MINUTE));
        assert!(rounds(phone).await.is_empty(), "it has just come");
    }
    team.clock.advance(Duration::from_millis(59_999));
    assert_eq!(remind(&team.doctor.client).await, Some(MINUTE));
    assert!(rounds(&team.doctor).await.is_empty());
    team.clock.advance(Duration::from_millis(1));
    for round in 1..=4 {
        for phone in [&team.doctor, &team.pharmacist] {
            let next = Some(MINUTE * (round + 1));
            assert_eq!(remind(&phone.client).await, next);
            assert_eq!(remind(&phone.client).await, next, "and not again");
            assert_eq!(rounds(phone).await, [round]);
        }
        team.clock.advance(MINUTE);
    }
    // Nobody reminds whoever has asked.
    for phone in [&team.nurse, &team.tablet] {
        assert_eq!(remind(&phone.client).await, None);
        assert!(rounds(phone).await.is_empty());
    }
    // Reading is not having it.
    let read = team.doctor.client.mark_read(vec![message]);
    read.await.unwrap();
    remind(&team.doctor.client).await.unwrap();
    assert_eq!(rounds(&team.doctor).await, [5]);

    let accepted = team
        .pharmacist
        .client
        .answer(message, Verdict::Accepted, "");
    accepted.await.unwrap();
    assert_eq!(remind(&team.pharmacist.client).await, None);
    team.settle().await;
    team.clock.advance(MINUTE * 10);
    for phone in [&team.doctor, &team.pharmacist] {
        assert_eq!(remind(&phone.client).await, None);
        assert!(rounds(phone).await.is_empty());
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_is_left_in_peace_and_the_others_are_not() {
    let team = Team::open().await;
    let message = team.stat().await;
    let declined = team.doctor.client.answer(message, Verdict::Declined, "");
    declined.await.unwrap();
    team.settle().await;
    team.clock.advance(MINUTE);
    assert_eq!(remind(&team.doctor.client).await, None);
    assert!(remind(&team.pharmacist.client).await.is_some());
    assert_eq!(rounds(&team.pharmacist).await, [1]);

    let accepted = team.doctor.client.answer(message, Verdict::Accepted, "");
    accepted.await.unwrap();
    team.settle().await;
    team.clock.advance(MINUTE);
    assert_eq!(remind(&team.pharmacist.client).await, None);
    assert!(rounds(&team.pharmacist).await.is_empty());
    // Who takes it and gives it back leaves the others with it again, at once.
    let declined = team.doctor.client.answer(message, Verdict::Declined, "");
    declined.await.unwrap();
    team.settle().await;
    assert!(remind(&team.pharmacist.client).await.is_some());
    assert_eq!(rounds(&team.pharmacist).await, [2]);
    assert_eq!(remind(&team.doctor.client).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_on_one_device_is_left_in_peace_on_the_other() {
    let team = Team::open().await;
    let draft = Draft::new(wardline_tests::team(), text(1)).priority(Priority::Stat);
    let message = team.doctor.client.send(draft).await.unwrap();
    let message = team.doctor.reference(message);
    team.settle().await;
    team.clock.advance(MINUTE);
    for phone in [&team.nurse, &team.tablet] {
        assert!(remind(&phone.client).await.is_some());
        assert_eq!(rounds(phone).await, [1]);
    }
    let inbox = team.ward.inbox(&team.tablet).await.unwrap();
    let declined = team.nurse.client.answer(message, Verdict::Declined, "");
    declined.await.unwrap();
    team.settle().await;
    team.clock.advance(MINUTE);
    for phone in [&team.nurse, &team.tablet] {
        assert_eq!(remind(&phone.client).await, None);
        assert!(rounds(phone).await.is_empty());
    }
    assert!(collect(&inbox).await.is_empty());
    assert!(remind(&team.pharmacist.client).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_a_device_tell_each_round_once() {
    let team = Team::open().await;
    team.stat().await;
    let inbox = team.ward.inbox(&team.doctor).await.unwrap();
    collect(&inbox).await;
    rounds(&team.doctor).await;
    for round in 1..=10 {
        team.clock.advance(MINUTE);
        let app = async { team.doctor.client.remind().await.unwrap() };
        let (next, notices) = tokio::join!(app, collect(&inbox));
        assert_eq!(next, Some(START + MINUTE * (round + 1)));
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].round, round);
        assert_eq!(rounds(&team.doctor).await, [round]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_answer_or_send_as_stat_is_not_repeated() {
    let mut team = Team::open().await;
    // The pharmacist's phone is stolen, and writes while it is being revoked.
    let draft = Draft::new(wardline_tests::team(), text(1)).priority(Priority::Stat);
    team.pharmacist.client.send(draft).await.unwrap();
    team.pharmacist.client.sync_once().await.unwrap();
    let user = team.pharmacist.user.clone();
    let (device, now) = (team.pharmacist.client.device(), team.clock.now());
    team.ward
        .authority()
        .revoke_device(&user, device, now)
        .unwrap();
    team.ward.publish().await;
    team.clock.advance(MINUTE * 2);
    settle(&[&team.doctor, &team.nurse], 2).await;
    let came = team.doctor.messages(team.doctor.team()).await;
    assert_eq!(came[0].proof, wardline::Proof::Revoked);
    // The nurse may not send stat messages, and her device has not heard of it.
    let mut policy = team.ward.authority().policy().clone();
    policy.version += 1;
    policy.stat_roles = vec!["laboratory".into()];
    team.ward.authority().set_policy(&policy).unwrap();
    team.ward.publish().await;
    team.clock.advance(MINUTE * 2);
    settle(&[&team.doctor], 2).await;
    let draft = Draft::new(wardline_tests::team(), text(2)).priority(Priority::Stat);
    team.nurse.client.send(draft).await.unwrap();
    settle(&[&team.nurse, &team.doctor], 2).await;
    let came = team.doctor.messages(team.doctor.team()).await;
    assert_eq!(came[1].priority, Priority::Urgent);
    team.clock.advance(MINUTE * 10);
    assert_eq!(remind(&team.doctor.client).await, None);
    assert!(rounds(&team.doctor).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_comes_again() {
    let team = Team::open().await;
    team.say(|draft| draft).await;
    team.say(|draft| draft.priority(Priority::Urgent)).await;
    let within = |draft: Draft| draft.answer_within(MINUTE * 60);
    team.say(within).await;
    let recalled = team.stat().await;
    team.nurse.client.recall(recalled, "a slip").await.unwrap();
    team.settle().await;
    team.clock.advance(MINUTE * 10);
    team.settle().await;
    for phone in [&team.doctor, &team.pharmacist] {
        assert_eq!(remind(&phone.client).await, None);
        assert!(rounds(phone).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_slept_through_the_night_reminds_once_locked_and_without_a_line() {
    let team = Team::open().await;
    let message = team.stat().await;
    let doctor = team.ward.reopen(team.doctor).await;
    doctor.faults.cut();
    team.clock.advance(MINUTE * 600 + Duration::from_secs(7));
    let next = remind(&doctor.client).await;
    assert_eq!(next, Some(MINUTE * 601 + Duration::from_secs(7)));
    // An app that does not look finds the last one only.
    for _ in 0..3 {
        team.clock.advance(MINUTE);
        // What comes first in a round needs no line.
        doctor.client.sync_once().await.unwrap_err();
    }
    let doctor = team.ward.reopen(doctor).await;
    let events = doctor.events().await.into_iter();
    let reminders = events.filter(|event| matches!(event, Event::MessageReminder { .. }));
    let [
        Event::MessageReminder {
            message: named,
            conversation,
            round: 4,
            ..
        },
    ] = reminders.collect::<Vec<_>>()[..]
    else {
        panic!("not exactly one reminder");
    };
    assert_eq!((named, conversation), (message, doctor.team()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_rings_again_under_its_own_name() {
    let team = Team::open().await;
    team.doctor.client.lock();
    let inbox = team.ward.inbox(&team.doctor).await.unwrap();
    let message = team.stat().await;
    let first = collect(&inbox).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].reference, first[0].round), (message, 0));
    inbox.shown(vec![message]).await.unwrap();
    assert!(collect(&inbox).await.is_empty());
    for round in 1..=3 {
        team.clock.advance(MINUTE);
        let again = collect(&inbox).await;
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].reference, again[0].round), (message, round));
        assert_eq!(
            again[0].tag, first[0].tag,
            "it takes the place of the first"
        );
        assert_eq!(again[0].priority, Priority::Stat);
        inbox.shown(vec![message]).await.unwrap();
        assert!(collect(&inbox).await.is_empty());
    }
    // Somebody has it before the next round is shown.
    team.clock.advance(MINUTE);
    team.doctor.client.remind().await.unwrap();
    let accepted = team
        .pharmacist
        .client
        .answer(message, Verdict::Accepted, "");
    accepted.await.unwrap();
    team.settle().await;
    assert!(collect(&inbox).await.is_empty());
    team.clock.advance(MINUTE);
    assert!(collect(&inbox).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_neither_silences_nor_floods() {
    let team = Team::open().await;
    team.clock.advance(MINUTE * 600);
    team.stat().await;
    let set = |to: Duration| team.clock.set(START + to);
    // Back by hours: the next one does not wait for hours.
    set(MINUTE);
    assert_eq!(remind(&team.doctor.client).await, Some(MINUTE * 2));
    assert_eq!(rounds(&team.doctor).await, [1]);
    set(MINUTE * 2);
    assert_eq!(remind(&team.doctor.client).await, Some(MINUTE * 3));
    assert_eq!(rounds(&team.doctor).await, [2]);
    // Forward by weeks: one.
    set(MINUTE * 60 * 24 * 21);
    remind(&team.doctor.client).await.unwrap();
    assert_eq!(
        remind(&team.doctor.client).await,
        Some(MINUTE * (60 * 24 * 21 + 1))
    );
    assert_eq!(rounds(&team.doctor).await, [3]);
    // And back again.
    set(MINUTE * 3);
    remind(&team.doctor.client).await.unwrap();
    assert_eq!(remind(&team.doctor.client).await, Some(MINUTE * 4));
    assert_eq!(rounds(&team.doctor).await, [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_says_how_often() {
    let mut team = Team::open().await;
    team.policy(0).await;
    team.stat().await;
    team.clock.advance(MINUTE * 10);
    assert_eq!(remind(&team.doctor.client).await, None);
    team.policy(600).await;
    let first = team.doctor.client.remind().await.unwrap().unwrap();
    team.clock.set(first);
    rounds(&team.doctor).await;
    let next = team.doctor.client.remind().await.unwrap();
    let now = team.clock.now();
    assert!(next.unwrap() <= now + MINUTE * 10);
    team.policy(10).await;
    // Not after the ten minutes that were said before.
    let next = team.doctor.client.remind().await.unwrap();
    assert!(next.unwrap() <= team.clock.now() + Duration::from_secs(10));
    assert_eq!(rounds(&team.doctor).await.len(), 1);
}

// scenario: reminder
#[tokio::test(flavor = "multi_thread")]
async fn who_asked_learns_once_that_the_time_is_up() {
    let team = Team::open().await;
    let asks = |draft: Draft| draft.answer_within(MINUTE * 5);
    let [late, in_time] = [team.say(asks).await, team.say(asks).await];
    let accepted = team.doctor.client.answer(in_time, Verdict::Accepted, "");
    accepted.await.unwrap();
    let declined = team.doctor.client.answer(late, Verdict::Declined, "");
    declined.await.unwrap();
    team.settle().await;
    assert_eq!(remind(&team.nurse.client).await, Some(MINUTE * 5));
    team.clock.advance(MINUTE * 5 - Duration::from_millis(1));
    remind(&team.nurse.client).await;
    assert!(overdue(&team.nurse).await.is_empty());
    team.clock.advance(Duration::from_millis(1));
    for phone in [&team.nurse, &team.tablet] {
        assert_eq!(remind(&phone.client).await, None);
        assert_eq!(overdue(phone).await, [late], "a decline is no answer");
    }
    for phone in [&team.doctor, &team.pharmacist] {
        assert_eq!(remind(&phone.client).await, None);
        assert!(overdue(phone).await.is_empty());
    }
    let which = OpenItems::Overdue;
    let open = team.nurse.client.open_items(which, 10).await.unwrap();
    assert_eq!(open.len(), 1);
    let nurse = team.ward.reopen(team.nurse).await;
    for _ in 0..3 {
        team.clock.advance(MINUTE);
        assert_eq!(remind(&nurse.client).await, None);
        assert_eq!(overdue(&nurse).await, [late]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_reminds_by_itself_also_without_a_line() {
    let team = Team::open().await;
    team.stat().await;
    team.doctor.faults.cut();
    team.doctor.client.start().unwrap();
    for round in 1..=2 {
        assert!(rounds(&team.doctor).await.is_empty());
        team.clock.advance(MINUTE);
        // Real time does not matter to it, only that it looks again; a commit is a reason to.
        team.doctor
            .client
            .save_draft(wardline_tests::team(), "?")
            .await
            .unwrap();
        let mut told = Vec::new();
        while told.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            told = rounds(&team.doctor).await;
        }
        assert_eq!(told, [round]);
    }
    team.doctor.client.stop();
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
