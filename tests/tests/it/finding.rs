//! What was said is found again, what may be wrong is said before it leaves, and how long answers took is known.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use wardline::{
    Caution, Draft, Filter, LoopGroup, LoopGrouping, LoopTimes, Message, OpenItems, Patient,
    PatientIdentifier, Priority, Quantiles, Span, Verdict,
};
use wardline_org::{Clock, ManualClock, Timestamp, authority::PersonDetails, person::StaffRole};
use wardline_tests::{Needles, Phone, Ward, settle, team, to};

/// A nurse, a doctor and a pharmacist on one care team, at a time that stands still.
struct Team {
    _ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
    pharmacist: Phone,
}

impl Team {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-1", "PH-1"];
        let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
        let mut doctor = PersonDetails::new("DR-1".parse().unwrap(), "Doctor");
        doctor.staff_roles = vec![role("doctor", "cardiology"), role("intensivist", "icu")];
        ward.authority().upsert_person(doctor).unwrap();
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let pharmacist = ward.phone("PH-1").await;
        let team = Self {
            _ward: ward,
            clock,
            nurse,
            doctor,
            pharmacist,
        };
        team.settle().await;
        team
    }

    async fn settle(&self) {
        settle(&[&self.nurse, &self.doctor, &self.pharmacist], 3).await;
    }
}

fn role(code: &str, department: &str) -> StaffRole {
    StaffRole {
        code: code.to_owned(),
        display: code.to_owned(),
        department: department.to_owned(),
    }
}

fn patient(name: &str, identifiers: &[(&str, &str)]) -> Patient {
    Patient {
        identifiers: identifiers.iter().map(id).collect(),
        name: name.to_owned(),
        encounter: String::new(),
    }
}

fn id((system, value): &(&str, &str)) -> PatientIdentifier {
    PatientIdentifier {
        system: (*system).to_owned(),
        value: (*value).to_owned(),
    }
}

async fn find(phone: &Phone, filter: Filter) -> Vec<String> {
    let found = phone.client.find(filter, None, 100).await.unwrap();
    found.into_iter().map(|message| message.text).collect()
}

// scenario: find
#[tokio::test(flavor = "multi_thread")]
async fn messages_are_found_by_patient_person_tier_time_and_words() {
    let team_ = Team::open().await;
    let Team { nurse, doctor, .. } = &team_;
    let garcia = patient("Maria Garcia", &[MRN, BIRTH]);
    let smith = patient("John Smith", &[("urn:mrn", "2"), BIRTH]);
    let about = |whom: &Patient, text: &str| Draft::new(team(), text).patient(whom.clone());
    for draft in [
        about(&garcia, "one").priority(Priority::Stat),
        about(&smith, "two").priority(Priority::Urgent),
        Draft::new(to(doctor), "three"),
    ] {
        nurse.client.send(draft).await.unwrap();
    }
    team_.settle().await;
    team_.clock.advance(Duration::from_secs(60));
    doctor
        .client
        .send(about(&garcia, "four potassium"))
        .await
        .unwrap();
    team_.settle().await;
    let all = Filter::all;
    for phone in [nurse, doctor] {
        assert_eq!(find(phone, all()).await.len(), 4);
        let garcias = all().patient(vec![id(&MRN)]);
        assert_eq!(
            find(phone, garcias.clone()).await,
            ["four potassium", "one"]
        );
        let born = all().patient(vec![id(&BIRTH)]);
        assert_eq!(find(phone, born).await, ["four potassium", "two", "one"]);
        let nobody = all().patient(vec![id(&MRN), id(&("urn:mrn", "2"))]);
        assert!(find(phone, nobody).await.is_empty());
        assert_eq!(find(phone, garcias.clone().open()).await, ["one"]);
        let by_doctor = garcias.clone().person(doctor.user.clone());
        assert_eq!(find(phone, by_doctor).await, ["four potassium"]);
        assert_eq!(
            find(phone, all().at_least(Priority::Urgent)).await,
            ["two", "one"]
        );
        let early = garcias.clone().until(START + Duration::from_secs(60));
        assert_eq!(find(phone, early).await, ["one"]);
        let late = all().since(START + Duration::from_secs(60));
        assert_eq!(find(phone, late).await, ["four potassium"]);
        assert_eq!(
            find(phone, garcias.clone().text("potas")).await,
            ["four potassium"]
        );
        assert!(find(phone, all().text("...")).await.is_empty());
        let direct = if phone.user == nurse.user {
            "DR-1"
        } else {
            "NS-1"
        };
        let direct = all().conversation(phone.with(direct));
        assert_eq!(find(phone, direct).await, ["three"]);
        // Page by page.
        let mut paged: Vec<Message> = Vec::new();
        loop {
            let before = paged.last().map(|message| message.cursor);
            let page = phone.client.find(all(), before, 1).await.unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        let paged: Vec<String> = paged.into_iter().map(|message| message.text).collect();
        assert_eq!(paged, find(phone, all()).await);
    }
}

// scenario: find
#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_anything_while_locked_and_no_file_tells_the_patient() {
    let team_ = Team::open().await;
    let mut needles = Needles::default();
    let name = needles.plant("Xaviera Quillfeather");
    let mrn = needles.plant("MRN-99417753");
    let whom = patient(&name, &[("urn:mrn", &mrn), BIRTH]);
    let draft = || Draft::new(team(), "result").patient(whom.clone());
    team_.nurse.client.send(draft()).await.unwrap();
    team_.settle().await;
    let filter = || Filter::all().patient(vec![id(&("urn:mrn", mrn.as_str()))]);
    assert_eq!(find(&team_.doctor, filter()).await, ["result"]);
    team_.doctor.client.lock();
    team_.nurse.client.send(draft()).await.unwrap();
    team_.settle().await;
    let refused = team_.doctor.client.find(filter(), None, 10).await;
    assert_eq!(refused.unwrap_err().code(), "WL-LOCKED");
    let refused = team_.doctor.client.check(&draft()).await;
    assert_eq!(refused.unwrap_err().code(), "WL-LOCKED");
    // Neither in the files nor, for whoever has the inbox key, in the store's tables.
    assert_eq!(
        needles.found_below(&team_.doctor.folder),
        Default::default()
    );
    for table in wardline::testing::tables(&team_.doctor.client)
        .await
        .unwrap()
    {
        let rows = wardline::testing::rows(&team_.doctor.client, &table, "*").await;
        for row in rows.unwrap() {
            assert!(needles.found_in(row.as_bytes()).is_empty(), "{table}");
        }
    }
    // What came meanwhile is found after the unlock.
    team_.doctor.unlock().await;
    assert_eq!(find(&team_.doctor, filter()).await, ["result", "result"]);
    // What was taken back is not found by its patient.
    let newest = team_.nurse.client.find(filter(), None, 1).await.unwrap();
    let newest = newest[0].reference();
    team_
        .nurse
        .client
        .recall(newest, "wrong patient")
        .await
        .unwrap();
    team_.settle().await;
    for phone in [&team_.nurse, &team_.doctor] {
        assert_eq!(find(phone, filter()).await, ["result"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_patients_share_is_noticed_before_sending() {
    let team_ = Team::open().await;
    let garcia = patient("José Álvarez", &[BIRTH, MRN]);
    let known = Draft::new(team(), "K 6.6").patient(garcia.clone());
    team_.nurse.client.send(known).await.unwrap();
    team_.settle().await;
    let check = async |whom: &Patient| {
        let draft = Draft::new(to(&team_.nurse), "K 6.6").patient(whom.clone());
        team_.doctor.client.check(&draft).await.unwrap()
    };
    let similar = |same_name| {
        vec![Caution::SimilarPatient {
            known: garcia.clone(),
            same_name,
        }]
    };
    let other = [("urn:mrn", "2"), ("urn:birth", "1971-01-01")];
    for (name, same) in [("ALVAREZ, Jose", true), ("José Álvares", false)] {
        assert_eq!(check(&patient(name, &other)).await, similar(same), "{name}");
    }
    // Born on one day, and not the same.
    let twin = [("urn:mrn", "2"), BIRTH];
    assert_eq!(check(&patient("Jose Alvarez", &twin)).await, similar(true));
    assert!(check(&garcia).await.is_empty(), "the same patient");
    assert!(check(&patient("John Smith", &other)).await.is_empty());
    let renamed = check(&patient("John Smith", &[MRN, BIRTH])).await;
    assert_eq!(
        renamed,
        [Caution::OtherName {
            known: garcia.clone()
        }]
    );
    let one = check(&patient("John Smith", &[("urn:mrn", "2"), ("urn:x", " ")])).await;
    assert_eq!(one, [Caution::OneIdentifier { given: 1 }]);
    // Nothing was sent, and nobody learns whose name was tried.
    assert_eq!(find(&team_.doctor, Filter::all()).await, ["K 6.6"]);
    let shown = format!("{:?}", check(&patient("Jose Alvarez", &twin)).await);
    assert!(
        !shown.contains("lvarez") && !shown.contains(MRN.1),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_interrupts_is_asked_whether_it_must_be() {
    let team_ = Team::open().await;
    let draft = |priority| Draft::new(team(), "K 6.6").priority(priority);
    let check = async |draft: Draft| team_.nurse.client.check(&draft).await.unwrap();
    assert!(check(draft(Priority::Routine)).await.is_empty());
    for (priority, open) in [
        (Priority::Urgent, 0),
        (Priority::Stat, 0),
        (Priority::Stat, 1),
    ] {
        let nudge = Caution::Interrupts { priority, open };
        assert_eq!(
            check(draft(priority)).await,
            [nudge.clone(), Caution::NoPatient]
        );
        let whom = patient("Maria Garcia", &[MRN, BIRTH]);
        assert_eq!(check(draft(priority).patient(whom)).await, [nudge]);
        if priority == Priority::Stat {
            team_.nurse.client.send(draft(priority)).await.unwrap();
        }
    }
    let elsewhere = Draft::new(to(&team_.doctor), "K 6.6").priority(Priority::Urgent);
    let open = check(elsewhere).await;
    let priority = Priority::Urgent;
    assert_eq!(open[0], Caution::Interrupts { priority, open: 0 });
}

// scenario: closed-loop-times
#[tokio::test(flavor = "multi_thread")]
async fn how_long_answers_took_is_known_by_person_role_department_and_tier() {
    let team_ = Team::open().await;
    let seconds = Duration::from_secs;
    // Three results, told a minute after they happened; the doctor takes longer each time.
    for number in 1..=3_u64 {
        let draft = Draft::new(team(), "K 6.6")
            .priority(Priority::Stat)
            .answer_within(seconds(100))
            .occurred_at(team_.clock.now() - seconds(60));
        let message = team_.nurse.client.send(draft).await.unwrap();
        let message = team_.nurse.reference(message);
        team_.nurse.client.sync_once().await.unwrap();
        team_.clock.advance(seconds(number));
        settle(&[&team_.doctor], 1).await;
        team_.clock.advance(seconds(50 * number));
        let accepted = team_.doctor.client.answer(message, Verdict::Accepted, "");
        accepted.await.unwrap();
        team_.settle().await;
    }
    // And one that the pharmacist declines and nobody answers.
    let draft = Draft::new(team(), "?").answer_within(seconds(10));
    let message = team_.nurse.client.send(draft).await.unwrap();
    team_.settle().await;
    let message = team_.nurse.reference(message);
    let declined = team_
        .pharmacist
        .client
        .answer(message, Verdict::Declined, "");
    declined.await.unwrap();
    team_.settle().await;
    team_.clock.advance(seconds(11));

    let times = async |grouping| {
        let times = team_.nurse.client.loop_times(Span::default(), grouping);
        times.await.unwrap()
    };
    team_.nurse.client.lock();
    let [doctor, pharmacist] = &times(LoopGrouping::Person).await[..] else {
        panic!("two people");
    };
    assert_eq!(doctor.group, LoopGroup::Person(team_.doctor.user.clone()));
    let quantiles = |count, p50, p95| Quantiles {
        count,
        p50: Some(seconds(p50)),
        p95: Some(seconds(p95)),
    };
    assert_eq!(doctor.messages, 4);
    assert_eq!(doctor.sent_to_delivered, quantiles(4, 1, 3));
    assert_eq!(doctor.sent_to_read, quantiles(3, 102, 153));
    assert_eq!(doctor.sent_to_acknowledged, quantiles(3, 102, 153));
    assert_eq!(doctor.event_to_acknowledged, quantiles(3, 162, 213));
    // Two were accepted too late, one never.
    assert_eq!(
        (doctor.declined, doctor.unanswered, doctor.overdue),
        (0, 1, 3)
    );
    assert_eq!(pharmacist.sent_to_acknowledged, Quantiles::default());
    let counts = (
        pharmacist.declined,
        pharmacist.unanswered,
        pharmacist.overdue,
    );
    assert_eq!(counts, (1, 0, 3), "the others were accepted by somebody");

    let named = |times: &[LoopTimes]| -> BTreeSet<(LoopGroup, u64)> {
        let named = times.iter().map(|one| (one.group.clone(), one.messages));
        named.collect()
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(
        named(&times(LoopGrouping::StaffRole).await),
        BTreeSet::from([
            (LoopGroup::StaffRole(None), 4),
            (LoopGroup::StaffRole(some("doctor")), 4),
            (LoopGroup::StaffRole(some("intensivist")), 4),
        ])
    );
    assert_eq!(
        named(&times(LoopGrouping::Department).await),
        BTreeSet::from([
            (LoopGroup::Department(None), 4),
            (LoopGroup::Department(some("cardiology")), 4),
            (LoopGroup::Department(some("icu")), 4),
        ])
    );
    assert_eq!(
        named(&times(LoopGrouping::Priority).await),
        BTreeSet::from([
            (LoopGroup::Priority(Priority::Routine), 2),
            (LoopGroup::Priority(Priority::Stat), 6),
        ])
    );
    // What was received is not counted, and what was written outside of the span neither.
    let received = team_
        .doctor
        .client
        .loop_times(Span::default(), LoopGrouping::Person);
    assert!(received.await.unwrap().is_empty());
    let first = Span {
        since: Some(START),
        until: Some(START + seconds(1)),
    };
    let first = team_.nurse.client.loop_times(first, LoopGrouping::Priority);
    let first = first.await.unwrap();
    assert_eq!(first[0].messages, 2);
    assert_eq!(first[0].sent_to_acknowledged, quantiles(1, 51, 51));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_open_messages_follows_what_happens() {
    let team_ = Team::open().await;
    let draft = Draft::new(team(), "K 6.6")
        .priority(Priority::Stat)
        .answer_within(Duration::from_secs(60));
    let late = team_.nurse.client.follow_open_items(OpenItems::Overdue, 10);
    let mut late = late.await.unwrap();
    let open = team_
        .doctor
        .client
        .follow_open_items(OpenItems::ToAnswer, 10);
    let mut open = open.await.unwrap();
    assert!(open.messages().is_empty());
    let message = team_.nurse.client.send(draft).await.unwrap();
    let message = team_.nurse.reference(message);
    team_.settle().await;
    let change = open.changed().await.unwrap();
    assert_eq!(change.added.len(), 1);
    assert_eq!(open.messages(), change.added);

    team_.clock.advance(Duration::from_secs(60));
    team_.nurse.client.remind().await.unwrap();
    assert_eq!(late.changed().await.unwrap().added[0].reference(), message);

    team_.doctor.client.lock();
    assert!(open.messages().is_empty());
    assert_eq!(open.changed().await.unwrap_err().code(), "WL-LOCKED");
    team_.doctor.unlock().await;
    assert_eq!(open.changed().await.unwrap().added.len(), 1);

    let accepted = team_
        .pharmacist
        .client
        .answer(message, Verdict::Accepted, "");
    accepted.await.unwrap();
    team_.settle().await;
    assert_eq!(open.changed().await.unwrap().removed, [message]);
    assert_eq!(late.changed().await.unwrap().removed, [message]);
    assert!(open.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_make_no_time_negative() {
    let team_ = Team::open().await;
    let draft = Draft::new(to(&team_.doctor), "K 6.6").priority(Priority::Stat);
    let message = team_.nurse.client.send(draft).await.unwrap();
    team_.nurse.client.sync_once().await.unwrap();
    // The doctor's device thinks that it is earlier.
    team_.clock.set(START - Duration::from_secs(30));
    settle(&[&team_.doctor], 1).await;
    let message = team_.nurse.reference(message);
    let accepted = team_.doctor.client.answer(message, Verdict::Accepted, "");
    accepted.await.unwrap();
    settle(&[&team_.doctor, &team_.nurse], 2).await;
    let times = team_
        .nurse
        .client
        .loop_times(Span::default(), LoopGrouping::Person);
    let times = times.await.unwrap();
    let zero = Quantiles {
        count: 1,
        p50: Some(Duration::ZERO),
        p95: Some(Duration::ZERO),
    };
    assert_eq!(times[0].sent_to_delivered, zero);
    assert_eq!(times[0].sent_to_acknowledged, zero);
    let open = team_.nurse.client.open_items(OpenItems::Awaited, 10).await;
    assert!(open.unwrap().is_empty());
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const MRN: (&str, &str) = ("urn:mrn", "00712328");
const BIRTH: (&str, &str) = ("urn:birth", "1960-02-29");
