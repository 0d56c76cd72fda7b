//! Who gets what is written to a role, and what is said before it is written.

use std::time::Duration;

use wardline::{
    Availability, DeliveryState, Draft, FailureCause, Priority, RoleSpeaker, SendError, Verdict,
};
use wardline_org::Clock as _;
use wardline_tests::{settle, text};

use super::{CHANGE, Clinic, HOUR, START, after, caller, refused, role, role_id, shown, texts};

// scenario: roles
#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_role_talks_with_the_caller_and_both_role_and_person_are_shown() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse,
        day,
        night,
        desk,
        other,
        ..
    } = &clinic;
    nurse.say(role(), &text(1)).await;
    clinic.settle().await;
    day.say(caller(nurse), &text(2)).await;
    clinic.settle().await;

    for phone in [nurse, day, desk] {
        let shown = shown(phone, nurse).await;
        let [asked, said] = &shown[..] else {
            panic!("{}", shown.len())
        };
        let (asked_in, said_in) = (asked.role.clone().unwrap(), said.role.clone().unwrap());
        assert_eq!((asked_in.role, said_in.role), (role_id(), role_id()));
        assert_eq!((&asked.sender, asked_in.speaks), (&nurse.user, None));
        assert_eq!(&said.sender, &day.user);
        assert_eq!(said_in.speaks, Some(RoleSpeaker::Holder));
        assert_eq!(phone.refusals().await, [""; 0]);
    }
    for phone in [night, other] {
        assert_eq!(texts(phone, nurse).await, [""; 0], "it is not theirs");
    }
    // A list can name it, and everybody finds the same conversation.
    let list = nurse.client.conversations(None, 10).await.unwrap();
    assert_eq!(list.conversations[0].with, role());
    let list = day.client.conversations(None, 10).await.unwrap();
    assert_eq!(list.conversations[0].with, caller(nurse));
    let conversation = nurse.client.conversation(&role());
    assert_eq!(conversation, day.client.conversation(&caller(nurse)));
    assert_ne!(conversation, other.client.conversation(&role()));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_sending_one_sees_who_holds_it_until_when() {
    let mut clinic = Clinic::open().await;
    let status = clinic.nurse.client.role(role_id()).await.unwrap();
    assert_eq!(status.display_name, "Cardiology on call");
    assert_eq!(status.holders.len(), 1);
    assert_eq!(status.holders[0].user, clinic.day.user);
    assert_eq!(status.holders[0].display_name, "Person DR-DAY");
    assert_eq!(status.holders[0].until, CHANGE);
    assert!(status.holders[0].reachable && status.current);
    assert_eq!(status.next_change, Some(CHANGE));
    assert_eq!(status.custodian, Some(clinic.desk.user.clone()));

    clinic.pass(HOUR);
    let status = clinic.nurse.client.role(role_id()).await.unwrap();
    assert_eq!(status.holders[0].user, clinic.night.user);

    // Nobody is an answer; so is what was last known, without a line.
    clinic.plan(&[("DR-9", START, after(2))], None).await;
    let status = clinic.nurse.client.role(role_id()).await.unwrap();
    assert!(!status.holders[0].reachable, "nobody knows a DR-9");
    clinic.nurse.faults.cut();
    clinic.pass(2 * HOUR);
    let status = clinic.nurse.client.role(role_id()).await.unwrap();
    assert!(status.holders.is_empty() && !status.current);
    clinic.nurse.faults.mend();

    let unknown = clinic.nurse.client.role("porter".parse().unwrap()).await;
    assert_eq!(unknown.unwrap_err().code(), "WL-SEND-NO-SUCH-RECIPIENT");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_reach_nobody_is_refused() {
    let mut clinic = Clinic::open().await;
    let stat = || Draft::new(role(), text(1)).priority(Priority::Stat);
    let client = clinic.nurse.client.clone();
    client.role(role_id()).await.unwrap();
    client.send(stat()).await.unwrap();

    clinic.plan(&super::TURNS, None).await;
    client.role(role_id()).await.unwrap();
    assert_eq!(refused(&client, stat()).await, "WL-SEND-NO-CUSTODIAN");
    client.send(Draft::new(role(), text(2))).await.unwrap();

    clinic.plan(&[], None).await;
    client.role(role_id()).await.unwrap();
    let routine = Draft::new(role(), text(3));
    assert_eq!(refused(&client, routine).await, "WL-SEND-NO-HOLDER");

    clinic.plan(&[("NS-1", START, after(9))], None).await;
    client.role(role_id()).await.unwrap();
    let routine = Draft::new(role(), text(3));
    assert_eq!(refused(&client, routine).await, "WL-SEND-ONLY-SELF");

    // With a custodian it is kept until somebody comes.
    clinic.plan(&[], Some("DESK")).await;
    client.role(role_id()).await.unwrap();
    client.send(stat()).await.unwrap();
    clinic.settle().await;
    assert!(texts(&clinic.desk, &clinic.nurse).await.contains(&text(1)));
    assert_eq!(SendError::NoHolder.code(), "WL-SEND-NO-HOLDER");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waited_until_nobody_was_left_says_so() {
    let mut clinic = Clinic::open().await;
    clinic.nurse.faults.cut();
    let message = clinic.nurse.say(role(), &text(1)).await;
    clinic.plan(&[], None).await;
    clinic.nurse.faults.mend();
    clinic.settle().await;
    let deliveries = clinic.nurse.client.deliveries(message).await.unwrap();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].state, DeliveryState::Failed);
    assert_eq!(deliveries[0].devices[0].cause, Some(FailureCause::NoHolder));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_to_whoever_holds_the_role_when_it_is_sealed() {
    let clinic = Clinic::open().await;
    clinic.nurse.faults.cut();
    clinic.nurse.say(role(), &text(1)).await;
    clinic.pass(HOUR);
    clinic.nurse.faults.mend();
    clinic.settle().await;
    assert_eq!(texts(&clinic.night, &clinic.nurse).await, [text(1)]);
    assert_eq!(texts(&clinic.desk, &clinic.nurse).await, [text(1)]);
    assert_eq!(texts(&clinic.day, &clinic.nurse).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_closes_the_loop() {
    let clinic = Clinic::open().await;
    let message = clinic.ask(&text(1)).await;
    clinic.settle().await;
    let reference = clinic.nurse.reference(message);
    let day = &clinic.day.client;
    day.answer(reference, Verdict::Accepted, "coming")
        .await
        .unwrap();
    clinic.settle().await;
    for phone in [&clinic.nurse, &clinic.desk] {
        let answers = phone.client.answers(reference).await.unwrap();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].user, clinic.day.user);
        let asked = shown(phone, &clinic.nurse).await[0].asked.unwrap();
        assert!(!asked.open);
    }
}

// scenario: roles
#[tokio::test(flavor = "multi_thread")]
async fn whoever_left_gets_nothing_new_and_speaks_for_it_no_more() {
    let clinic = Clinic::open().await;
    clinic.nurse.say(role(), &text(1)).await;
    clinic.settle().await;
    clinic.pass(2 * HOUR);
    clinic.nurse.say(role(), &text(2)).await;
    clinic.settle().await;
    assert_eq!(texts(&clinic.day, &clinic.nurse).await, [text(1)]);
    let draft = Draft::new(caller(&clinic.nurse), text(3));
    clinic.day.client.role(role_id()).await.unwrap();
    let code = refused(&clinic.day.client, draft).await;
    assert_eq!(code, "WL-SEND-NOT-YOUR-ROLE");
    clinic.night.say(caller(&clinic.nurse), &text(4)).await;
    clinic.desk.say(caller(&clinic.nurse), &text(5)).await;
    clinic.settle().await;
    let all = [text(1), text(2), text(4), text(5)];
    assert_eq!(texts(&clinic.nurse, &clinic.nurse).await, all);
    assert_eq!(texts(&clinic.day, &clinic.nurse).await, [text(1)]);
    let shown = shown(&clinic.nurse, &clinic.nurse).await;
    let speaks = shown.iter().map(|one| one.role.clone().unwrap().speaks);
    let (holder, custodian) = (Some(RoleSpeaker::Holder), Some(RoleSpeaker::Custodian));
    assert_eq!(speaks.collect::<Vec<_>>(), [None, None, holder, custodian]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_holder_wrote_in_time_arrives_after_the_turn_and_says_so() {
    let clinic = Clinic::open().await;
    clinic.nurse.say(role(), &text(1)).await;
    clinic.settle().await;
    clinic.day.faults.cut();
    clinic.day.say(caller(&clinic.nurse), &text(2)).await;
    clinic.pass(3 * HOUR);
    clinic.day.faults.mend();
    clinic.settle().await;
    assert_eq!(
        texts(&clinic.nurse, &clinic.nurse).await,
        [text(1), text(2)]
    );
    let said = shown(&clinic.nurse, &clinic.nurse).await.remove(1);
    assert_eq!(said.role.unwrap().speaks, Some(RoleSpeaker::FormerHolder));
    assert_eq!(texts(&clinic.night, &clinic.nurse).await, [text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_survives_a_cold_reopen() {
    let clinic = Clinic::open().await;
    clinic.nurse.say(role(), &text(1)).await;
    clinic.settle().await;
    clinic.day.say(caller(&clinic.nurse), &text(2)).await;
    clinic.settle().await;
    let Clinic {
        ward, nurse, day, ..
    } = clinic;
    let before = (shown(&nurse, &nurse).await, shown(&day, &nurse).await);
    let nurse = ward.reopen(nurse).await;
    let day = ward.reopen(day).await;
    for phone in [&nurse, &day] {
        phone.unlock().await;
    }
    assert_eq!(
        (shown(&nurse, &nurse).await, shown(&day, &nurse).await),
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nurse_is_told_whether_whoever_holds_the_role_can_be_reached() {
    let mut clinic = Clinic::open().await;
    let until = clinic.clock.now() + Duration::from_secs(1800);
    let quiet = Availability {
        do_not_disturb_until: Some(until),
        away: None,
    };
    clinic.day.client.set_availability(quiet).await.unwrap();
    settle(&[&clinic.day], 1).await;
    let (status, known) = clinic
        .nurse
        .client
        .role_reachability(role_id())
        .await
        .unwrap();
    assert_eq!((status.holders.len(), known.len()), (1, 1));
    assert_eq!(known[0].user, status.holders[0].user);
    assert_eq!(known[0].do_not_disturb_until, Some(until));
    assert!(known[0].last_seen.is_some() && known[0].has_device == Some(true));
    // Nobody holds it, and that is the answer.
    clinic.plan(&[], Some("DESK")).await;
    let (status, known) = clinic
        .nurse
        .client
        .role_reachability(role_id())
        .await
        .unwrap();
    assert!(status.holders.is_empty() && known.is_empty());
}
