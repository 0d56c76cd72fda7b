//! What a device knows of itself, of others and of what happened.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use wardline::{Availability, Draft, Event, EventCursor, Lifetime, Priority, Recipient};
use wardline_org::Clock as _;
use wardline_proto::v1;
use wardline_tests::{Ward, settle, text, to};

use super::{Pair, cold, pair, rows};

pub(super) async fn audit(table: &str) {
    let Pair { ward, nurse, .. } = pair().await;
    let nurse = cold(&ward, nurse, table).await;
    assert_eq!(nurse.client.check_audit().await.unwrap(), None);
    nurse.unlock().await;
    let longer = rows(&nurse, table).await.len();
    let nurse = cold(&ward, nurse, table).await;
    assert_eq!(nurse.client.check_audit().await.unwrap(), None);
    assert_eq!(rows(&nurse, table).await.len(), longer);
}

pub(super) async fn conversation(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    let urgent = Draft::new(to(&doctor), text(1)).priority(Priority::Urgent);
    nurse.client.send(urgent).await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    doctor
        .client
        .save_draft(to(&nurse), "On my w")
        .await
        .unwrap();
    let day = Lifetime {
        after_sent: Some(Duration::from_secs(24 * 3600)),
        after_read: Some(Duration::from_secs(3600)),
    };
    let set = doctor.client.set_lifetime(to(&nurse), day);
    set.await.unwrap();
    let before = doctor.client.conversations(None, 10).await.unwrap();
    let doctor = cold(&ward, doctor, table).await;
    doctor.unlock().await;
    assert_eq!(doctor.client.conversations(None, 10).await.unwrap(), before);
    assert_eq!(before.unread, 2);
    let with = doctor.with("NS-1");
    assert_eq!(doctor.client.unread(with).await.unwrap(), 2);
    let draft = doctor.client.draft(with).await.unwrap();
    assert_eq!(draft.as_deref(), Some("On my w"));
    assert_eq!(doctor.client.lifetime(with).await.unwrap(), day);
}

pub(super) async fn device(table: &str) {
    let mut ward = Ward::open(&["PH-1", "DR-1"]).await;
    let doctor = ward.phone("DR-1").await;
    doctor.client.sync_once().await.unwrap();
    let (user, device) = (doctor.client.user().clone(), doctor.client.device());
    let doctor = cold(&ward, doctor, table).await;
    assert_eq!(
        (doctor.client.user(), doctor.client.device()),
        (&user, device)
    );
    let stranger = ward.phone("PH-1").await;
    stranger.say(to(&doctor), &text(1)).await;
    settle(&[&stranger, &doctor], 1).await;
    doctor.unlock().await;
    assert_eq!(doctor.texts(doctor.with("PH-1")).await, [text(1)]);
}

pub(super) async fn entry(table: &str) {
    let Pair { ward, nurse, .. } = pair().await;
    let nobody = || Draft::new(Recipient::Person("DR-404".parse().unwrap()), text(1));
    nurse.client.send(nobody()).await.unwrap();
    nurse.client.sync_once().await.unwrap();
    let nurse = cold(&ward, nurse, table).await;
    nurse.faults.cut();
    let refused = nurse.client.send(nobody()).await.unwrap_err();
    assert_eq!(refused.code(), "WL-SEND-NO-SUCH-RECIPIENT");
}

pub(super) async fn event(table: &str) {
    let Pair {
        ward,
        nurse,
        doctor,
        ..
    } = pair().await;
    for number in 0..3 {
        nurse.say(to(&doctor), &text(number)).await;
    }
    settle(&[&nurse, &doctor], 1).await;
    let start = EventCursor::default();
    let all = doctor.client.events_from(start, 100).await.unwrap();
    let (confirmed, rest) = all.split_at(all.len() - 2);

    let doctor = cold(&ward, doctor, table).await;
    assert_eq!(doctor.client.events_from(start, 100).await.unwrap(), all);
    let cursor = confirmed.last().unwrap().cursor;
    doctor.client.confirm_events(cursor).await.unwrap();
    let doctor = cold(&ward, doctor, table).await;
    assert_eq!(doctor.client.events_from(start, 100).await.unwrap(), rest);

    // Numbers are not used twice, also when everything was confirmed before the end.
    let last = rest.last().unwrap().cursor;
    doctor.client.confirm_events(last).await.unwrap();
    let doctor = ward.reopen(doctor).await;
    nurse.say(to(&doctor), &text(9)).await;
    settle(&[&nurse, &doctor], 1).await;
    let later = doctor.client.events_from(last, 100).await.unwrap();
    let arrived = |event: &Event| matches!(event, Event::MessageArrived { .. });
    assert_eq!(
        later.iter().filter(|later| arrived(&later.event)).count(),
        1
    );
    assert_eq!(doctor.client.events_from(start, 100).await.unwrap(), later);
}

pub(super) async fn trust(table: &str) {
    let Pair {
        mut ward,
        clock,
        nurse,
        ..
    } = pair().await;
    let old = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&old);
    nurse.faults.meddle::<v1::HeadRequest>(move |answer| {
        heard.lock().unwrap().get_or_insert_with(|| answer.clone());
    });
    clock.advance(Duration::from_secs(120));
    nurse.client.sync_once().await.unwrap();
    ward.phone("PH-1").await;
    clock.advance(Duration::from_secs(120));
    nurse.client.sync_once().await.unwrap();
    let nurse = cold(&ward, nurse, table).await;
    let old = old.lock().unwrap().clone().unwrap();
    nurse
        .faults
        .meddle::<v1::HeadRequest>(move |answer| *answer = old.clone());
    let refused = nurse.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-DIRECTORY-OLDER-HEAD");
}

pub(super) async fn reach(table: &str) {
    let Pair {
        ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    let until = |hours: u64| Some(clock.now() + Duration::from_secs(hours * 3600));
    let quiet = |until| Availability {
        do_not_disturb_until: until,
        away: None,
    };
    doctor
        .client
        .set_availability(quiet(until(1)))
        .await
        .unwrap();
    settle(&[&doctor], 1).await;
    let who = [doctor.user.clone()];
    nurse.client.reachability(&who).await.unwrap();
    nurse
        .client
        .set_availability(quiet(until(2)))
        .await
        .unwrap();

    let nurse = cold(&ward, nurse, table).await;
    nurse.faults.cut();
    let known = nurse.client.reachability(&who).await.unwrap();
    assert_eq!(known[0].do_not_disturb_until, until(1));
    assert!(known[0].last_seen.is_some() && known[0].as_of == Some(clock.now()));
    assert_eq!(nurse.client.availability().await.unwrap(), quiet(until(2)));
    nurse.faults.mend();
    settle(&[&nurse], 1).await;
    let who = [nurse.user.clone()];
    let known = doctor.client.reachability(&who).await.unwrap();
    assert_eq!(known[0].do_not_disturb_until, until(2));
}
