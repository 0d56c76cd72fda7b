//! Whether somebody can be reached is an answer, not a guess: what people say of themselves, what a relay says of
//! them, and what neither a relay nor a colleague can make of it.

use std::{sync::Arc, time::Duration};

use wardline::{
    Availability, Away, Client, Draft, Event, Priority, ReachError, Reachability, Tier,
};
use wardline_org::{
    Clock as _, ManualClock, SoftwareSigner, Timestamp, UserId,
    availability::{SignedAvailability, Statement},
};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, settle, text, to};

struct Scene {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
}

async fn scene() -> Scene {
    let clock = Arc::new(ManualClock::new(START));
    let people = ["NS-1", "DR-1", "DR-2"];
    let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    nurse.say(to(&doctor), "Good morning").await;
    settle(&[&nurse, &doctor, &nurse], 2).await;
    Scene {
        ward,
        clock,
        nurse,
        doctor,
    }
}

async fn of(phone: &Phone, person: &str) -> Reachability {
    let asked: UserId = person.parse().unwrap();
    let mut known = phone.client.reachability(&[asked]).await.unwrap();
    known.pop().unwrap()
}

fn quiet(until: Timestamp) -> Availability {
    Availability {
        do_not_disturb_until: Some(until),
        away: None,
    }
}

fn away(until: Timestamp, delegate: Option<&str>) -> Availability {
    let delegate = delegate.map(|delegate| delegate.parse().unwrap());
    Availability {
        do_not_disturb_until: None,
        away: Some(Away { until, delegate }),
    }
}

/// Says something and lets the relay know.
async fn say(phone: &Phone, availability: Availability) {
    phone.client.set_availability(availability).await.unwrap();
    phone.client.sync_once().await.unwrap();
}

async fn refused(client: &Client, availability: Availability) -> ReachError {
    match client.set_availability(availability).await.unwrap_err() {
        wardline::Error::Reach(error) => error,
        other => panic!("{other:?}"),
    }
}

/// How loudly each message was told of that arrived since the first.
async fn tiers(phone: &Phone) -> Vec<Tier> {
    let events = phone.events().await.into_iter();
    let tiers = events.filter_map(|event| match event {
        Event::MessageArrived { tier, .. } => Some(tier),
        _ => None,
    });
    tiers.skip(1).collect()
}

// scenario: reachability
#[tokio::test(flavor = "multi_thread")]
async fn nurse_is_told_who_has_no_device_and_when_one_was_last_seen() {
    let Scene {
        ward: _ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    let known = of(&nurse, "DR-2").await;
    assert_eq!((known.has_device, known.last_seen), (Some(false), None));
    let known = of(&nurse, "NOBODY").await;
    assert_eq!((known.has_device, known.last_seen), (Some(false), None));

    doctor.client.sync_once().await.unwrap();
    let seen = clock.now();
    clock.advance(3 * HOUR);
    let known = of(&nurse, "DR-1").await;
    assert_eq!(known.has_device, Some(true));
    let minute = Duration::from_secs(60);
    let last = known.last_seen.unwrap();
    assert!(last <= seen && seen < last + minute, "{last} {seen}");
    assert_eq!(known.as_of, Some(clock.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_what_was_known_is_told_and_since_when() {
    let Scene {
        ward: _ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    // Asked when the greeting was sent.
    clock.advance(HOUR);
    nurse.faults.cut();
    let known = of(&nurse, "DR-1").await;
    assert_eq!((known.has_device, known.as_of), (Some(true), Some(START)));
    nurse.faults.mend();
    let until = clock.now() + 8 * HOUR;
    say(&doctor, quiet(until)).await;
    let asked_at = clock.now();
    assert_eq!(of(&nurse, "DR-1").await.do_not_disturb_until, Some(until));
    nurse.faults.cut();
    clock.advance(HOUR);
    let known = of(&nurse, "DR-1").await;
    assert_eq!(known.do_not_disturb_until, Some(until));
    assert_eq!(known.as_of, Some(asked_at));
    // It ends by itself.
    clock.advance(7 * HOUR);
    assert_eq!(of(&nurse, "DR-1").await.do_not_disturb_until, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_to_be_disturbed_is_interrupted_by_stat_alone_also_without_a_network() {
    let Scene {
        ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    doctor.faults.cut();
    let quiet = quiet(clock.now() + HOUR);
    doctor.client.set_availability(quiet.clone()).await.unwrap();
    assert_eq!(doctor.client.availability().await.unwrap(), quiet);
    doctor.faults.mend();
    let all = [Priority::Urgent, Priority::Routine, Priority::Stat];
    for (number, priority) in all.into_iter().enumerate() {
        let draft = Draft::new(to(&doctor), text(number)).priority(priority);
        nurse.client.send(draft).await.unwrap();
    }
    settle(&[&nurse, &doctor], 1).await;
    let heard = tiers(&doctor).await;
    assert_eq!(heard, [Tier::Routine, Tier::Routine, Tier::Stat]);
    let received = doctor.messages(doctor.with("NS-1")).await;
    assert_eq!(received[1].priority, Priority::Urgent, "it still is");

    // So is the process that shows notifications; the others come afterwards.
    let inbox = ward.inbox(&doctor).await.unwrap();
    let noticed = async || {
        let collected = inbox.collect(HOUR).await.unwrap();
        let notices = collected.notices.into_iter();
        notices.map(|notice| notice.priority).collect::<Vec<_>>()
    };
    assert_eq!(noticed().await, [Priority::Stat]);
    clock.advance(HOUR);
    assert_eq!(noticed().await.len(), 4, "with the greeting");
    assert_eq!(
        doctor.client.availability().await.unwrap(),
        Availability::default()
    );
}

// scenario: reachability
#[tokio::test(flavor = "multi_thread")]
async fn other_device_of_the_person_learns_it_and_the_newest_word_stands() {
    let Scene {
        mut ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    let tablet = ward.phone("DR-1").await;
    settle(&[&tablet, &doctor, &tablet, &doctor], 2).await;
    let first = quiet(clock.now() + HOUR);
    say(&doctor, first.clone()).await;
    tablet.client.sync_once().await.unwrap();
    assert_eq!(tablet.client.availability().await.unwrap(), first);
    assert!(tablet.events().await.contains(&Event::AvailabilityChanged));
    // In the same millisecond, or with a clock that is behind: what was said last stands.
    clock.set(clock.now() - Duration::from_secs(100));
    say(&tablet, Availability::default()).await;
    doctor.client.sync_once().await.unwrap();
    let nothing = Availability::default();
    assert_eq!(doctor.client.availability().await.unwrap(), nothing);
    assert_eq!(of(&nurse, "DR-1").await.do_not_disturb_until, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_that_answers_something_old_or_withholds_something_changes_nothing() {
    let Scene {
        ward: _ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    say(&doctor, quiet(clock.now() + 9 * HOUR)).await;
    let old = Arc::new(std::sync::Mutex::new(None));
    let kept = Arc::clone(&old);
    nurse
        .faults
        .meddle::<v1::ReachabilityRequest>(move |answer| {
            kept.lock()
                .unwrap()
                .clone_from(&answer.people[0].availability);
        });
    of(&nurse, "DR-1").await;
    let old = old.lock().unwrap().clone();
    assert!(old.is_some());

    clock.advance(HOUR);
    let until = clock.now() + HOUR;
    say(&doctor, away(until, None)).await;
    nurse.faults.relent();
    let known = of(&nurse, "DR-1").await;
    assert_eq!(known.away_until, Some(until));
    for lie in [old, None] {
        nurse
            .faults
            .meddle::<v1::ReachabilityRequest>(move |answer| {
                answer.people[0].availability = lie.clone();
            });
        let known = of(&nurse, "DR-1").await;
        assert_eq!(known.away_until, Some(until));
        assert_eq!(known.do_not_disturb_until, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_somebody_else() {
    let Scene {
        ward: _ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    // A relay that makes one up, and one that shows what a colleague said as somebody else's.
    let said = |user: &str, device, signer: &SoftwareSigner| {
        let statement = Statement {
            org: "mercy".parse().unwrap(),
            user: user.parse().unwrap(),
            device,
            set_at: clock.now(),
            availability: away(clock.now() + HOUR, Some("DR-2")),
        };
        let said = SignedAvailability::sign(&statement, signer).unwrap();
        said.to_message()
    };
    let own = SoftwareSigner::generate().unwrap();
    let lies = [
        said("DR-1", doctor.client.device(), &own),
        said("DR-1", nurse.client.device(), &own),
        said("NS-1", nurse.client.device(), &own),
        v1::SignedAvailability::default(),
    ];
    for lie in lies {
        nurse
            .faults
            .meddle::<v1::ReachabilityRequest>(move |answer| {
                answer.people[0].availability = Some(lie.clone());
            });
        let known = of(&nurse, "DR-1").await;
        assert_eq!((known.away_until, known.delegate), (None, None));
    }
    let nothing = Availability::default();
    assert_eq!(nurse.client.availability().await.unwrap(), nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stolen_phone_said_ends_with_its_revocation() {
    let Scene {
        mut ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    say(&doctor, away(clock.now() + HOUR, Some("NS-1"))).await;
    assert!(of(&nurse, "DR-1").await.delegate.is_some());
    let (user, device) = (doctor.user.clone(), doctor.client.device());
    ward.authority()
        .revoke_device(&user, device, clock.now())
        .unwrap();
    ward.publish().await;
    clock.advance(Duration::from_secs(61));
    let known = of(&nurse, "DR-1").await;
    assert_eq!((known.delegate, known.away_until), (None, None));
    assert_eq!(known.has_device, Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_stand_in_is_refused_with_the_reason() {
    let Scene {
        mut ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    let second = ward.phone("DR-2").await;
    settle(&[&second], 2).await;
    let until = clock.now() + HOUR;
    let client = &doctor.client;
    let own = refused(client, away(until, Some("DR-1"))).await;
    assert_eq!(own, ReachError::OwnDelegate);
    let nobody = refused(client, away(until, Some("NOBODY"))).await;
    assert_eq!(nobody, ReachError::NoSuchDelegate);
    say(&second, away(until, None)).await;
    let absent = refused(client, away(until, Some("DR-2"))).await;
    assert_eq!(absent, ReachError::DelegateAway);
    say(&nurse, away(until, Some("DR-1"))).await;
    let circle = refused(client, away(until, Some("NS-1"))).await;
    assert_eq!(circle, ReachError::DelegationLoop);
    for time in [clock.now(), clock.now() + 32 * 24 * HOUR] {
        assert_eq!(refused(client, quiet(time)).await, ReachError::Time);
    }
    let nothing = Availability::default();
    assert_eq!(client.availability().await.unwrap(), nothing);
    // Back again, they may.
    say(&nurse, Availability::default()).await;
    client
        .set_availability(away(until, Some("NS-1")))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_that_refuses_what_is_said_holds_up_no_message() {
    let Scene {
        ward: _ward,
        clock,
        nurse,
        doctor,
    } = scene().await;
    let code = wardline_org::RelayCode::Unsupported;
    nurse
        .faults
        .refuse::<v1::SetAvailabilityRequest>(code, |_| true);
    let quiet = quiet(clock.now() + HOUR);
    nurse.client.set_availability(quiet.clone()).await.unwrap();
    nurse.say(to(&doctor), &text(1)).await;
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(doctor.texts(doctor.with("NS-1")).await.len(), 2);
    assert_eq!(nurse.client.availability().await.unwrap(), quiet);
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
