//! The list of conversations: what an app's first screen shows, locked or not, and how it follows.

use std::time::Duration;

use wardline::{
    Conversation, ConversationList, ConversationListChange, Draft, Priority, Recipient,
};
use wardline_tests::{Phone, Ward, settle, team, text};

async fn send(from: &Phone, to: Recipient, text: &str, priority: Priority) -> wardline::MessageId {
    let draft = Draft::new(to, text).priority(priority);
    from.client.send(draft).await.unwrap()
}

fn person(name: &str) -> Recipient {
    Recipient::Person(name.parse().unwrap())
}

fn previews(list: &[Conversation]) -> Vec<(Recipient, Option<String>)> {
    list.iter()
        .map(|shown| (shown.with.clone(), shown.newest.preview.clone()))
        .collect()
}

/// Three people who have met.
async fn ward() -> (Ward, Phone, Phone, Phone) {
    let mut ward = Ward::open(&["NS-1", "DR-1", "PH-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let pharmacist = ward.phone("PH-1").await;
    settle(&[&nurse, &doctor, &pharmacist], 1).await;
    (ward, nurse, doctor, pharmacist)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_the_newest_conversation_first_and_counts_what_nobody_opened() {
    let (ward, nurse, doctor, pharmacist) = ward().await;
    assert!(
        nurse
            .client
            .conversations(None, 10)
            .await
            .unwrap()
            .conversations
            .is_empty()
    );

    let urgent = send(&nurse, person("DR-1"), &text(1), Priority::Urgent).await;
    send(&nurse, person("DR-1"), &text(2), Priority::Routine).await;
    nurse.client.sync_once().await.unwrap();
    send(&pharmacist, team(), &text(3), Priority::Stat).await;
    pharmacist.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();

    let page = doctor.client.conversations(None, 10).await.unwrap();
    assert_eq!(
        previews(&page.conversations),
        [(team(), Some(text(3))), (person("NS-1"), Some(text(2)))]
    );
    let [of_team, of_nurse] = &page.conversations[..] else {
        panic!()
    };
    assert_eq!(
        (of_team.unread, of_team.unread_priority),
        (1, Some(Priority::Stat))
    );
    assert_eq!(
        (of_nurse.unread, of_nurse.unread_priority),
        (2, Some(Priority::Urgent))
    );
    assert_eq!(of_nurse.newest.priority, Priority::Routine);
    assert_eq!(of_nurse.newest.sender, nurse.user);
    assert_eq!(of_nurse.id, doctor.with("NS-1"));
    assert_eq!((page.unread, page.before), (3, None));
    assert_eq!(doctor.client.unread_total().await.unwrap(), 3);

    // Opening the urgent one leaves the routine one; writing moves the conversation to the front.
    doctor
        .client
        .mark_read(vec![nurse.reference(urgent)])
        .await
        .unwrap();
    doctor
        .client
        .save_draft(person("NS-1"), "On my w")
        .await
        .unwrap();
    send(&doctor, person("NS-1"), &text(4), Priority::Routine).await;
    let page = doctor.client.conversations(None, 10).await.unwrap();
    let front = &page.conversations[0];
    assert_eq!(front.with, person("NS-1"));
    assert_eq!(
        (front.unread, front.unread_priority),
        (1, Some(Priority::Routine))
    );
    assert!(front.has_draft && !page.conversations[1].has_draft);
    assert_eq!(page.unread, 2);

    // Nothing of it is only in memory.
    let doctor = ward.reopen(doctor).await;
    doctor.unlock().await;
    assert_eq!(doctor.client.conversations(None, 10).await.unwrap(), page);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_device_shows_who_wrote_and_how_urgent_but_not_what() {
    let (_ward, nurse, doctor, _) = ward().await;
    doctor.client.lock();
    send(&nurse, person("DR-1"), &text(1), Priority::Stat).await;
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    let page = doctor.client.conversations(None, 10).await.unwrap();
    assert_eq!(previews(&page.conversations), [(person("NS-1"), None)]);
    assert_eq!(page.conversations[0].unread_priority, Some(Priority::Stat));
    assert_eq!(page.unread, 1);
    doctor.unlock().await;
    let page = doctor.client.conversations(None, 10).await.unwrap();
    assert_eq!(
        previews(&page.conversations),
        [(person("NS-1"), Some(text(1)))]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_conversations_join_without_gap_or_repetition() {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    nurse.client.sync_once().await.unwrap();
    // Nobody of them is known yet: the messages wait, and are in the list all the same.
    for number in 0..25 {
        send(
            &nurse,
            person(&format!("DR-{number}")),
            &text(number),
            Priority::Routine,
        )
        .await;
    }
    for size in [1, 7, 25, 100] {
        let mut people = Vec::new();
        let mut before = None;
        loop {
            let page = nurse.client.conversations(before, size).await.unwrap();
            people.extend(page.conversations.into_iter().map(|shown| shown.with));
            before = page.before;
            if before.is_none() {
                break;
            }
        }
        let expected: Vec<_> = (0..25)
            .rev()
            .map(|number| person(&format!("DR-{number}")))
            .collect();
        assert_eq!(people, expected, "in pages of {size}");
    }
}

/// What an app draws from the differences alone.
#[derive(Default)]
struct Screen {
    rows: Vec<Conversation>,
    unread: u64,
}

impl Screen {
    fn apply(&mut self, change: ConversationListChange) {
        self.rows.retain(|row| !change.removed.contains(&row.id));
        for updated in change.updated {
            let row = self.rows.iter_mut().find(|row| row.id == updated.id);
            *row.unwrap() = updated;
        }
        self.rows.extend(change.added);
        self.rows
            .sort_by_key(|row| std::cmp::Reverse(row.newest.cursor));
        self.unread = change.unread;
    }

    async fn follow(&mut self, list: &mut ConversationList) {
        let change = tokio::time::timeout(PATIENCE, list.changed()).await;
        self.apply(change.expect("a change was told").unwrap());
        assert_eq!(self.rows, list.conversations());
        assert_eq!(self.unread, list.unread());
    }
}

// scenario: live-queries
#[tokio::test(flavor = "multi_thread")]
async fn a_screen_drawn_from_differences_is_the_list() {
    let (_ward, nurse, doctor, pharmacist) = ward().await;
    let mut list = doctor.client.follow_conversations(2).await.unwrap();
    assert!(list.conversations().is_empty());
    let mut screen = Screen::default();

    let first = send(&nurse, person("DR-1"), &text(1), Priority::Routine).await;
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    screen.follow(&mut list).await;
    assert_eq!(screen.unread, 1);

    send(&pharmacist, person("DR-1"), &text(2), Priority::Routine).await;
    pharmacist.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    screen.follow(&mut list).await;
    assert_eq!(screen.rows[0].with, person("PH-1"));

    doctor
        .client
        .mark_read(vec![nurse.reference(first)])
        .await
        .unwrap();
    screen.follow(&mut list).await;
    assert_eq!((screen.rows[1].unread, screen.unread), (0, 1));

    // A third conversation pushes the oldest one out of the view.
    send(&doctor, team(), &text(3), Priority::Routine).await;
    screen.follow(&mut list).await;
    assert_eq!(screen.rows[0].with, team());
    assert_eq!(screen.rows[1].with, person("PH-1"));

    doctor.client.save_draft(team(), "And").await.unwrap();
    screen.follow(&mut list).await;
    assert!(screen.rows[0].has_draft);

    // The lock takes the texts off the screen, and the unlock brings them back.
    doctor.client.lock();
    screen.follow(&mut list).await;
    assert!(screen.rows.iter().all(|row| row.newest.preview.is_none()));
    doctor.unlock().await;
    screen.follow(&mut list).await;
    assert!(screen.rows.iter().all(|row| row.newest.preview.is_some()));

    doctor.client.close().await.unwrap();
    assert!(list.changed().await.is_err());
}

// scenario: cancellation
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_changes_that_is_dropped_half_way_loses_none() {
    let (_ward, nurse, doctor, _) = ward().await;
    let mut list = doctor.client.follow_conversations(10).await.unwrap();
    let mut timeline = doctor.client.follow(doctor.with("NS-1"), 10).await.unwrap();
    send(&nurse, person("DR-1"), &text(1), Priority::Routine).await;
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    // It has heard of the commit and is looking when something else comes first.
    let early = tokio::select! {
        biased;
        change = list.changed() => Some(change),
        () = std::future::ready(()) => None,
    };
    let change = match early {
        Some(change) => change,
        None => tokio::time::timeout(PATIENCE, list.changed())
            .await
            .unwrap(),
    };
    assert_eq!(change.unwrap().added.len(), 1);
    let early = tokio::select! {
        biased;
        change = timeline.changed() => Some(change),
        () = std::future::ready(()) => None,
    };
    let change = match early {
        Some(change) => change,
        None => tokio::time::timeout(PATIENCE, timeline.changed())
            .await
            .unwrap(),
    };
    assert_eq!(change.unwrap().added.len(), 1);
}

// scenario: live-queries
#[tokio::test(flavor = "multi_thread")]
async fn a_followed_timeline_is_empty_after_the_lock_and_whole_after_the_unlock() {
    let (_ward, nurse, doctor, _) = ward().await;
    send(&nurse, person("DR-1"), &text(1), Priority::Routine).await;
    nurse.client.sync_once().await.unwrap();
    doctor.client.sync_once().await.unwrap();
    let mut timeline = doctor.client.follow(doctor.with("NS-1"), 10).await.unwrap();
    assert_eq!(timeline.messages().len(), 1);
    doctor.client.lock();
    let told = tokio::time::timeout(PATIENCE, timeline.changed())
        .await
        .unwrap();
    assert_eq!(told.unwrap_err().code(), "WL-LOCKED");
    assert!(timeline.messages().is_empty());
    doctor.unlock().await;
    let change = tokio::time::timeout(PATIENCE, timeline.changed()).await;
    assert_eq!(change.unwrap().unwrap().added[0].text, text(1));
}

/// Only so that a fault shows as a failure and not as a test that never ends.
const PATIENCE: Duration = Duration::from_secs(60);
