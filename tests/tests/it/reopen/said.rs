//! What is said with one tap, or of what somebody else has said.

use std::time::Duration;

use wardline::{Draft, Recipient, Sbar, testing};
use wardline_org::{
    Clock,
    team::{Assignment, RoleLine},
};
use wardline_tests::{settle, text, to};

use super::{Pair, cold, pair};

pub(super) async fn choice(table: &str) {
    let Pair {
        ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).offer(["Yes", "No"]);
    let asked = nurse.client.send(draft).await.unwrap();
    let asked = nurse.reference(asked);
    settle(&[&nurse, &doctor], 1).await;
    doctor.client.reply_with(asked, 0).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let nurse = cold(&ward, nurse, table).await;
    nurse.unlock().await;
    let chosen = async || -> Vec<(u32, bool)> {
        let choices = nurse.client.choices(asked).await.unwrap();
        choices.iter().map(|one| (one.index, one.stands)).collect()
    };
    assert_eq!(chosen().await, [(0, true)]);
    clock.advance(Duration::from_secs(1));
    doctor.client.reply_with(asked, 1).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    assert_eq!(chosen().await, [(0, false), (1, true)]);
}

pub(super) async fn pass(table: &str) {
    let Pair {
        mut ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    let pharmacist = ward.phone("PH-1").await;
    let hour = Duration::from_secs(3600);
    let (now, change) = (clock.now(), clock.now() + hour);
    let turn = |user: &str, from, until| Assignment {
        user: user.parse().unwrap(),
        from,
        until,
    };
    let line = RoleLine {
        role: "on-call".parse().unwrap(),
        display_name: "On call".into(),
        assignments: vec![
            turn("DR-1", now, change),
            turn("PH-1", change, change + hour),
        ],
        custodian: None,
    };
    ward.authority().upsert_role(line).unwrap();
    ward.publish().await;
    // It has offered keys before somebody wants to write to it.
    settle(&[&pharmacist], 1).await;
    clock.advance(Duration::from_secs(90));
    let role: wardline_org::RoleId = "on-call".parse().unwrap();
    let asked = nurse.say(Recipient::Role(role.clone()), &text(1)).await;
    settle(&[&nurse, &doctor, &nurse, &doctor], 2).await;
    let note = Sbar {
        situation: "One open question".into(),
        ..Sbar::default()
    };
    doctor.client.hand_over(role, note).await.unwrap();
    settle(&[&doctor, &pharmacist, &nurse], 2).await;
    let doctor = cold(&ward, doctor, table).await;
    doctor.unlock().await;
    let asked = nurse.reference(asked);
    nurse.client.recall(asked, "wrong patient").await.unwrap();
    settle(&[&nurse, &doctor, &pharmacist], 3).await;
    for phone in [&doctor, &pharmacist] {
        let of = testing::rows(
            &phone.client,
            "message",
            "recalled_at IS NOT NULL, length(body)",
        );
        let gone = of.await.unwrap().into_iter().filter(|row| row == "1 0");
        assert!(gone.count() >= 2, "the message and what passed it on");
    }
}

pub(super) async fn forward(table: &str) {
    let Pair {
        mut ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let pharmacist = ward.phone("PH-1").await;
    settle(&[&doctor, &pharmacist], 1).await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    let message = nurse.reference(message);
    settle(&[&nurse, &doctor], 1).await;
    let draft = Draft::new(to(&pharmacist), "");
    let forward = doctor.client.forward(message, draft).await.unwrap();
    let forward = doctor.reference(forward);
    settle(&[&doctor], 2).await;
    // Locked, it can look nobody up: who wrote it is decided after the unlock.
    pharmacist.client.lock();
    settle(&[&pharmacist], 1).await;
    let pharmacist = cold(&ward, pharmacist, table).await;
    pharmacist.unlock().await;
    settle(&[&pharmacist], 2).await;
    let shown = pharmacist.client.messages(vec![forward]).await.unwrap();
    assert!(shown[0].forwarded.as_ref().unwrap().proven);

    let doctor = cold(&ward, doctor, table).await;
    nurse.client.recall(message, "").await.unwrap();
    settle(&[&nurse, &doctor, &pharmacist], 2).await;
    let shown = pharmacist.client.messages(vec![forward]).await.unwrap();
    assert!(shown[0].recalled.is_some());
}
