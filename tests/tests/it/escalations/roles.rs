//! Escalation to roles: whoever holds one when the time has come.

use wardline::Recipient;
use wardline_org::team::{Assignment, RoleLine};

use super::*;

impl Scene {
    /// From now on these people hold the role, one after the other, each for so long.
    async fn roster(&mut self, turns: &[(&str, Duration)], custodian: Option<&str>) {
        let mut from = self.clock.now();
        let mut assignments = Vec::new();
        for (person, time) in turns {
            let until = from + *time;
            let user = person.parse().unwrap();
            assignments.push(Assignment { user, from, until });
            from = until;
        }
        let line = RoleLine {
            role: ROLE.parse().unwrap(),
            display_name: "Cardiology on call".into(),
            assignments,
            custodian: custodian.map(|person| person.parse().unwrap()),
        };
        self.ward.authority().upsert_role(line).unwrap();
        self.ward.publish().await;
        self.clock.advance(MINUTE + SECOND);
        self.settle().await;
    }
}

fn to_role(time: Duration) -> EscalationTier {
    EscalationTier::after(time).role(ROLE.parse().unwrap())
}

async fn due(phone: &Phone) -> Vec<String> {
    let events = phone.events().await.into_iter();
    let due = events.filter_map(|event| match event {
        Event::EscalationDue { sender, role } => Some(format!("{sender} {role}")),
        _ => None,
    });
    due.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_role_at_that_moment_is_given_it() {
    let mut scene = Scene::open().await;
    scene
        .roster(
            &[("DR-2", 10 * MINUTE), ("DR-3", 60 * MINUTE)],
            Some("DR-1"),
        )
        .await;
    let message = scene.raise(vec![to_role(20 * MINUTE)]).await;
    scene.pass(20 * MINUTE).await;
    scene.settle().await;
    assert!(given(&scene.second).await.is_empty(), "their turn is over");
    assert_eq!(given(&scene.third).await, [text(1)]);
    let status = scene.status(&scene.nurse, message).await;
    assert_eq!(status.tiers[0].roles, [ROLE.parse().unwrap()]);
    assert_eq!(
        status.tiers[0].given_to.as_slice(),
        std::slice::from_ref(&scene.third.user)
    );
    accept(&scene.third, message).await;
    scene.settle().await;
    assert!(!is_open(&scene.nurse, message).await);
    assert!(!is_open(&scene.doctor, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_hold_the_role_are_both_given_it_and_the_first_answer_stops_it() {
    let mut scene = Scene::open().await;
    scene.roster(&[("DR-2", 60 * MINUTE)], Some("DR-1")).await;
    let now = scene.clock.now();
    let turn = |person: &str| Assignment {
        user: person.parse().unwrap(),
        from: now,
        until: now + 60 * MINUTE,
    };
    let line = RoleLine {
        role: ROLE.parse().unwrap(),
        display_name: "Cardiology on call".into(),
        assignments: vec![turn("DR-2"), turn("DR-3")],
        custodian: Some("DR-1".parse().unwrap()),
    };
    scene.ward.authority().upsert_role(line).unwrap();
    scene.ward.publish().await;
    scene.clock.advance(MINUTE + SECOND);
    scene.settle().await;
    let message = scene.raise(vec![to_role(MINUTE), to_role(MINUTE)]).await;
    scene.pass(MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
    assert_eq!(given(&scene.third).await, [text(1)]);
    accept(&scene.second, message).await;
    scene.pass(MINUTE).await;
    scene.settle().await;
    assert_eq!(escalated(&scene.third).await, [0]);
    assert!(
        !is_open(&scene.third, message).await,
        "the other holder knows"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn holder_who_came_later_is_told_that_it_is_due_and_the_custodian_has_it() {
    let mut scene = Scene::open().await;
    scene.roster(&[("DR-2", 60 * MINUTE)], Some("DR-1")).await;
    let draft = Draft::new(to(&scene.third), text(1)).priority(Priority::Stat);
    let message = scene
        .nurse
        .client
        .send(draft.escalate(to_role(20 * MINUTE)))
        .await
        .unwrap();
    let message = scene.nurse.reference(message);
    scene.settle().await;
    // The third takes over; nothing was sealed for them.
    scene.clock.advance(10 * MINUTE);
    scene.roster(&[("DR-3", 60 * MINUTE)], Some("DR-1")).await;
    scene.pass(10 * MINUTE).await;
    scene.settle().await;
    assert!(given(&scene.second).await.is_empty());
    assert_eq!(due(&scene.third).await, [format!("NS-1 {ROLE}")]);
    assert_eq!(due(&scene.doctor).await, [format!("NS-1 {ROLE}")]);
    assert_eq!(given(&scene.doctor).await, [text(1)]);
    assert_eq!(escalated(&scene.doctor).await, [0]);
    accept(&scene.doctor, message).await;
    scene.settle().await;
    assert!(!is_open(&scene.nurse, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn role_that_nobody_holds_goes_to_its_custodian() {
    let mut scene = Scene::open().await;
    scene.roster(&[], Some("DR-3")).await;
    let message = scene
        .raise(vec![after(MINUTE, &[&scene.second]), to_role(MINUTE)])
        .await;
    scene.pass(MINUTE).await;
    scene.pass(MINUTE).await;
    scene.settle().await;
    assert_eq!(given(&scene.third).await, [text(1)]);
    assert_eq!(due(&scene.third).await, [format!("NS-1 {ROLE}")]);
    assert_eq!(escalated(&scene.third).await, [1]);
    let status = scene.status(&scene.nurse, message).await;
    assert_eq!(
        status.tiers[1].given_to.as_slice(),
        std::slice::from_ref(&scene.third.user)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn holder_whose_device_was_revoked_gets_nothing_and_the_custodian_does() {
    let mut scene = Scene::open().await;
    scene.roster(&[("DR-2", 600 * MINUTE)], Some("DR-3")).await;
    scene.raise(vec![to_role(20 * MINUTE)]).await;
    let (user, device) = (scene.second.user.clone(), scene.second.client.device());
    let now = scene.clock.now();
    let revoked = scene.ward.authority().revoke_device(&user, device, now);
    revoked.unwrap();
    scene.ward.publish().await;
    scene.pass(20 * MINUTE).await;
    settle(&[&scene.nurse, &scene.doctor, &scene.third], 2).await;
    assert_eq!(given(&scene.third).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stat_message_goes_to_no_role_that_nobody_stands_behind() {
    let mut scene = Scene::open().await;
    scene.roster(&[("DR-2", 60 * MINUTE)], None).await;
    // It is looked up when it is first written to.
    let draft = || Draft::new(to(&scene.doctor), text(1)).escalate(to_role(MINUTE));
    scene.nurse.client.send(draft()).await.unwrap();
    scene.settle().await;
    let stat = draft().priority(Priority::Stat);
    let refused = scene.nurse.client.send(stat).await.unwrap_err();
    assert_eq!(refused.code(), "WL-SEND-NO-CUSTODIAN");
    let recovery = refused.recovery();
    assert_eq!(recovery, wardline::Recovery::ChooseAnotherRecipient);
}

#[tokio::test(flavor = "multi_thread")]
async fn stat_message_to_a_role_goes_through_three_roles_in_their_order() {
    let mut scene = Scene::open().await;
    let now = scene.clock.now();
    // Each has one holder; the last one has a custodian only.
    for (role, holder) in [
        ("renal-1", Some("DR-1")),
        ("renal-2", Some("DR-2")),
        ("renal-3", Some("DR-3")),
        ("icu", None),
    ] {
        let turn = |person: &str| Assignment {
            user: person.parse().unwrap(),
            from: now,
            until: now + 600 * MINUTE,
        };
        let line = RoleLine {
            role: role.parse().unwrap(),
            display_name: role.to_owned(),
            assignments: holder.map(turn).into_iter().collect(),
            custodian: Some("CU-1".parse().unwrap()),
        };
        scene.ward.authority().upsert_role(line).unwrap();
    }
    let custodian = scene.ward.phone("CU-1").await;
    scene.clock.advance(MINUTE + SECOND);
    custodian.client.sync_once().await.unwrap();
    scene.settle().await;

    let next = |role: &str| EscalationTier::after(5 * MINUTE).role(role.parse().unwrap());
    let draft = Draft::new(Recipient::Role("renal-1".parse().unwrap()), text(1));
    let draft = draft.priority(Priority::Stat);
    let draft = ["renal-2", "renal-3", "icu"]
        .map(next)
        .into_iter()
        .fold(draft, Draft::escalate);
    let message = scene.nurse.client.send(draft).await.unwrap();
    let message = scene.nurse.reference(message);
    scene.settle().await;
    assert_eq!(scene.status(&scene.nurse, message).await.armed, Armed::Yes);
    let has = async |phone: &Phone| {
        phone.client.sync_once().await.unwrap();
        let found = phone.client.messages(vec![message]).await.unwrap();
        found.iter().any(|found| found.text == text(1))
    };
    assert!(has(&scene.doctor).await);
    for (number, phone) in [&scene.second, &scene.third, &custodian]
        .into_iter()
        .enumerate()
    {
        // The custodian was sent it with the role's holder, and is told again when it is their turn.
        assert!(escalated(phone).await.is_empty());
        scene.pass(5 * MINUTE).await;
        assert!(has(phone).await, "{number}");
        assert_eq!(escalated(phone).await, [u32::try_from(number).unwrap()]);
    }
    scene.settle().await;
    accept(&scene.third, message).await;
    scene.settle().await;
    custodian.client.sync_once().await.unwrap();
    for phone in [
        &scene.nurse,
        &scene.doctor,
        &scene.second,
        &scene.third,
        &custodian,
    ] {
        assert!(!is_open(phone, message).await, "{:?}", phone.user);
        assert!(phone.refusals().await.is_empty(), "{:?}", phone.user);
    }
    let status = scene.status(&scene.nurse, message).await;
    assert!(
        status
            .tiers
            .iter()
            .all(|tier| tier.released_at.is_some() && !tier.early)
    );
}

const ROLE: &str = "cardiology-on-call";
