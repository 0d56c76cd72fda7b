//! The holder changes while messages are on their way: none is lost.

use std::time::Duration;

use wardline::{DeliveryState, Draft, MessageId, OpenItems, Priority, Sbar, Verdict};
use wardline_tests::{Phone, settle, text};

use super::{Clinic, HOUR, START, after, role, role_id, shown, texts};

async fn to_answer(phone: &Phone) -> Vec<MessageId> {
    let open = phone.client.open_items(OpenItems::ToAnswer, 100).await;
    open.unwrap()
        .into_iter()
        .map(|message| message.id)
        .collect()
}

fn note() -> Sbar {
    Sbar {
        situation: "One open question".into(),
        ..Sbar::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_change_between_sealing_and_delivery_loses_nothing() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse,
        day,
        night,
        desk,
        ..
    } = &clinic;
    day.faults.cut();
    let message = clinic.ask(&text(1)).await;
    settle(&[nurse, desk, night], 3).await;
    assert_eq!(texts(night, nurse).await, [""; 0]);

    clinic.pass(HOUR);
    settle(&[desk, night, desk, nurse], 3).await;
    let got = shown(night, nurse).await;
    assert_eq!(got.len(), 1);
    assert_eq!(
        (got[0].text.as_str(), got[0].id),
        (text(1).as_str(), message)
    );
    // It is the author's message, proven like any other, and says who passed it on.
    assert_eq!(got[0].sender, nurse.user);
    let in_role = got[0].role.clone().unwrap();
    assert_eq!(in_role.passed_by, Some(desk.user.clone()));
    assert_eq!(in_role.speaks, None);
    let reference = nurse.reference(message);
    assert!(night.client.export_proof(reference).await.is_ok());
    assert_eq!(to_answer(night).await, [message]);

    // Whoever holds it now closes the loop, for the author too.
    let accepted = Verdict::Accepted;
    night
        .client
        .answer(reference, accepted, "going")
        .await
        .unwrap();
    night.client.mark_read(vec![reference]).await.unwrap();
    settle(&[night, desk, nurse], 3).await;
    for phone in [nurse, desk, night] {
        let answers = phone.client.answers(reference).await.unwrap();
        assert_eq!(answers.len(), 1, "{}", phone.user);
        assert_eq!(answers[0].user, night.user);
        assert!(!shown(phone, nurse).await[0].asked.unwrap().open);
    }
    let deliveries = nurse.client.deliveries(message).await.unwrap();
    let of = |phone: &Phone| deliveries.iter().find(|one| one.user == phone.user);
    assert_eq!(of(night).unwrap().state, DeliveryState::Read);

    // It is passed on once.
    settle(&[desk, night, nurse], 3).await;
    assert_eq!(shown(night, nurse).await.len(), 1);
    assert_eq!(shown(nurse, nurse).await.len(), 1);
    day.faults.mend();
    clinic.settle().await;
    for phone in clinic.everybody() {
        assert_eq!(phone.refusals().await, [""; 0], "{}", phone.user);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_enrolls_after_sending_gets_what_waits() {
    let mut clinic = Clinic::open().await;
    let turns = [("DR-LATE", START, after(20))];
    let late = wardline_org::authority::PersonDetails::new("DR-LATE".parse().unwrap(), "Late");
    clinic.ward.authority().upsert_person(late).unwrap();
    clinic.plan(&turns, Some("DESK")).await;
    let open = clinic.ask(&text(1)).await;
    // What asks for nothing reaches whoever comes as well, when nobody else has it.
    clinic.nurse.say(role(), &text(2)).await;
    clinic.settle().await;
    let late = clinic.ward.phone("DR-LATE").await;
    clinic.pass(Duration::from_secs(90));
    let Clinic { nurse, desk, .. } = &clinic;
    settle(&[&late, desk, &late, desk, &late], 3).await;
    assert_eq!(texts(&late, nurse).await, [text(1), text(2)]);
    assert_eq!(to_answer(&late).await, [open]);

    // A second device of theirs gets what is still open, and not the rest again.
    let tablet = clinic.ward.phone("DR-LATE").await;
    clinic.pass(Duration::from_secs(90));
    let Clinic { nurse, desk, .. } = &clinic;
    settle(&[&tablet, desk, &tablet, desk, &tablet], 3).await;
    assert_eq!(texts(&tablet, nurse).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_custodian_passes_on_after_the_unlock() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse, night, desk, ..
    } = &clinic;
    clinic.ask(&text(1)).await;
    clinic.settle().await;
    desk.client.lock();
    clinic.pass(HOUR);
    settle(&[desk, night], 3).await;
    assert_eq!(texts(night, nurse).await, [""; 0]);
    desk.unlock().await;
    settle(&[desk, night, desk, night], 2).await;
    assert_eq!(texts(night, nurse).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_or_was_with_a_holder_is_not_passed_on() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse, day, night, ..
    } = &clinic;
    let answered = clinic.ask(&text(1)).await;
    nurse.say(role(), &text(2)).await;
    clinic.settle().await;
    let reference = nurse.reference(answered);
    day.client
        .answer(reference, Verdict::Accepted, "")
        .await
        .unwrap();
    clinic.settle().await;
    clinic.pass(HOUR);
    clinic.settle().await;
    assert_eq!(texts(night, nurse).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_hands_over_what_is_open_with_a_note() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse,
        day,
        night,
        desk,
        other,
        ..
    } = &clinic;
    let stat = Draft::new(role(), text(1)).priority(Priority::Stat);
    let open = nurse.client.send(stat).await.unwrap();
    nurse.say(role(), &text(2)).await;
    let read = nurse.say(role(), &text(3)).await;
    clinic.settle().await;
    day.client
        .mark_read(vec![nurse.reference(read)])
        .await
        .unwrap();

    // Ten minutes before the change.
    clinic.pass(Duration::from_secs(50 * 60));
    let handed = day.client.hand_over(role_id(), note()).await.unwrap();
    assert_eq!(handed.items, 2, "what was read asks for nothing");
    assert_eq!(to_answer(day).await, []);
    settle(&[day, night, desk, nurse, night], 3).await;
    assert_eq!(texts(night, nurse).await, [text(1), text(2)]);
    assert_eq!(to_answer(night).await, [open]);
    let noted = shown(night, day).await;
    assert_eq!(noted.len(), 1);
    assert!(
        matches!(&noted[0].structured, Some(wardline::Structured::Sbar(sbar)) if *sbar == note())
    );
    for message in shown(night, nurse).await {
        let in_role = message.role.unwrap();
        assert_eq!(in_role.passed_by, Some(day.user.clone()));
        assert!(!in_role.handed_over);
    }
    assert!(shown(day, nurse).await[0].role.clone().unwrap().handed_over);
    // The custodian has it from before, and does not pass it on again.
    clinic.pass(HOUR);
    clinic.settle().await;
    assert_eq!(texts(night, nurse).await, [text(1), text(2)]);
    // Who handed over is reminded no more, whoever has it is.
    clinic.pass(HOUR);
    clinic.settle().await;
    let reminded = |events: Vec<wardline::Event>| {
        events.into_iter().any(|event| {
            matches!(event, wardline::Event::MessageReminder { message, .. } if message.id == open)
        })
    };
    assert!(reminded(night.events().await));
    night
        .client
        .answer(nurse.reference(open), Verdict::Accepted, "")
        .await
        .unwrap();
    clinic.settle().await;
    let answers = nurse.client.answers(nurse.reference(open)).await.unwrap();
    assert_eq!(answers.len(), 1);

    let refused = other.client.hand_over(role_id(), note()).await.unwrap_err();
    assert_eq!(refused.code(), "WL-SEND-NOT-YOUR-ROLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_handed_over_to_nobody() {
    let mut clinic = Clinic::open().await;
    clinic
        .plan(&[("DR-DAY", START, after(2))], Some("DESK"))
        .await;
    clinic.settle().await;
    let refused = clinic.day.client.hand_over(role_id(), note()).await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-NO-HOLDER");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_and_a_correction_find_whoever_has_it_now() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse, night, desk, ..
    } = &clinic;
    let wrong = clinic.ask(&text(1)).await;
    let kept = clinic.ask(&text(2)).await;
    clinic.settle().await;
    let (wrong, kept) = (nurse.reference(wrong), nurse.reference(kept));
    nurse.client.amend(kept, &text(3), "typo").await.unwrap();
    clinic.settle().await;
    clinic.pass(HOUR);
    settle(&[desk, night, desk, nurse], 3).await;
    // The text that stands is passed on with what it was before.
    assert_eq!(texts(night, nurse).await, [text(1), text(3)]);
    assert_eq!(night.client.history(kept).await.unwrap().len(), 2);

    nurse.client.amend(kept, &text(4), "again").await.unwrap();
    nurse.client.recall(wrong, "wrong patient").await.unwrap();
    settle(&[nurse, night, desk, nurse], 3).await;
    assert_eq!(texts(night, nurse).await, [String::new(), text(4)]);
    let gone = shown(night, nurse).await.remove(0);
    assert!(gone.recalled.is_some());
    let deliveries = nurse.client.deliveries(wrong.id).await.unwrap();
    let of = deliveries
        .iter()
        .find(|one| one.user == night.user)
        .unwrap();
    assert_eq!(
        of.devices[0].recall,
        Some(wardline::RecallOutcome::PurgedUnread)
    );
    // Nothing of it is left where it was passed on.
    for phone in [night, desk] {
        let bodies = wardline::testing::rows(&phone.client, "message", "length(body), shown");
        assert!(
            bodies.await.unwrap().contains(&"0 0".to_owned()),
            "{}",
            phone.user
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_passed_on_survives_a_cold_reopen() {
    let clinic = Clinic::open().await;
    clinic.ask(&text(1)).await;
    clinic.settle().await;
    clinic
        .day
        .client
        .hand_over(role_id(), note())
        .await
        .unwrap();
    clinic.settle().await;
    let Clinic {
        ward,
        nurse,
        day,
        night,
        desk,
        ..
    } = clinic;
    for phone in [day, night, desk] {
        let before = (shown(&phone, &nurse).await, to_answer(&phone).await);
        let columns = "message, hex(subject_device), hex(subject_id)";
        let passes = wardline::testing::rows(&phone.client, "pass", columns)
            .await
            .unwrap();
        assert_eq!(passes.len(), 1, "{}", phone.user);
        let phone = ward.reopen(phone).await;
        phone.unlock().await;
        assert_eq!(
            (shown(&phone, &nurse).await, to_answer(&phone).await),
            before
        );
        let after = wardline::testing::rows(&phone.client, "pass", columns)
            .await
            .unwrap();
        assert_eq!(after, passes);
    }
}
