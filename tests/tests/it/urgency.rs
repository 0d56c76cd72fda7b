//! How urgent a message may be: the policy decides, on the sender's device and again on the recipients'.

use wardline::{Draft, Patient, PatientIdentifier, Priority};
use wardline_org::{authority::PersonDetails, person::StaffRole, policy::Policy};
use wardline_tests::{Phone, Ward, settle, text, to};

/// A laboratory system that may send stat messages, a clerk who may not, and a doctor.
async fn ward(change: impl FnOnce(&mut Policy)) -> (Ward, Phone, Phone, Phone) {
    let mut ward = Ward::open(&["LAB-1", "CLERK-1", "DR-1"]).await;
    let mut lab = PersonDetails::new("LAB-1".parse().unwrap(), "Laboratory");
    lab.staff_roles = vec![StaffRole {
        code: "laboratory".into(),
        display: "Laboratory".into(),
        department: String::new(),
    }];
    ward.authority().upsert_person(lab).unwrap();
    let lab = ward.phone("LAB-1").await;
    let clerk = ward.phone("CLERK-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&lab, &clerk, &doctor], 1).await;
    // Everybody has met before the policy comes.
    for phone in [&lab, &clerk] {
        phone.say(to(&doctor), "Good morning").await;
    }
    settle(&[&lab, &clerk, &doctor, &lab, &clerk], 1).await;
    let mut policy = ward.authority().policy().clone();
    policy.version += 1;
    change(&mut policy);
    ward.authority().set_policy(&policy).unwrap();
    ward.publish().await;
    (ward, lab, clerk, doctor)
}

fn stat(doctor: &Phone, identifiers: &[(&str, &str)]) -> Draft {
    let patient = Patient {
        identifiers: identifiers
            .iter()
            .map(|(system, value)| PatientIdentifier {
                system: (*system).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
        ..Patient::default()
    };
    Draft::new(to(doctor), text(1))
        .priority(Priority::Stat)
        .patient(patient)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stat_message_says_which_patient_it_is_about() {
    let (_ward, lab, _clerk, doctor) = ward(|policy| policy.stat_patient_identifiers = 2).await;
    settle(&[&lab], 1).await;
    let (record, birth) = (("urn:mrn", "00712328"), ("urn:birth", "1960-02-29"));
    for too_few in [
        &[][..],
        &[record],
        &[record, record],
        &[record, ("urn:x", " ")],
    ] {
        let refused = lab.client.send(stat(&doctor, too_few)).await.unwrap_err();
        assert_eq!(refused.code(), "WL-SEND-PATIENT-NOT-IDENTIFIED");
    }
    let routine = stat(&doctor, &[]).priority(Priority::Urgent);
    lab.client.send(routine).await.unwrap();
    lab.client
        .send(stat(&doctor, &[record, birth]))
        .await
        .unwrap();
    settle(&[&lab, &doctor], 1).await;
    let received = doctor.messages(doctor.with("LAB-1")).await;
    assert_eq!(received.len(), 3, "what was refused changed nothing");
    assert_eq!(received[2].priority, Priority::Stat);
}

#[tokio::test(flavor = "multi_thread")]
async fn stat_from_somebody_who_may_not_counts_as_urgent() {
    let (_ward, lab, clerk, doctor) =
        ward(|policy| policy.stat_roles = vec!["laboratory".into()]).await;
    doctor.client.sync_once().await.unwrap();
    // The clerk's device has not heard of the policy, or was made not to hear.
    clerk.client.send(stat(&doctor, &[])).await.unwrap();
    lab.client.send(stat(&doctor, &[])).await.unwrap();
    settle(&[&lab, &clerk, &doctor], 1).await;
    let of_clerk = doctor.messages(doctor.with("CLERK-1")).await;
    assert_eq!(of_clerk[1].priority, Priority::Urgent);
    let of_lab = doctor.messages(doctor.with("LAB-1")).await;
    assert_eq!(of_lab[1].priority, Priority::Stat);

    // Roles of yesterday refuse nobody; today's are asked for.
    clerk.client.send(stat(&doctor, &[])).await.unwrap();
    settle(&[&clerk, &doctor], 1).await;
    let of_clerk = doctor.messages(doctor.with("CLERK-1")).await;
    assert_eq!(of_clerk[2].priority, Priority::Urgent);
    let refused = clerk.client.send(stat(&doctor, &[])).await.unwrap_err();
    assert_eq!(refused.code(), "WL-SEND-STAT-NOT-ALLOWED");
    lab.client.send(stat(&doctor, &[])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_says_to_what() {
    let (_ward, lab, clerk, doctor) = ward(|_| {}).await;
    let question = lab.say(to(&doctor), &text(1)).await;
    settle(&[&lab, &doctor], 1).await;
    let question = lab.reference(question);
    let reply = Draft::new(to(&lab), text(2)).reply_to(question);
    doctor.client.send(reply.clone()).await.unwrap();
    settle(&[&doctor, &lab], 1).await;
    for (phone, other) in [(&doctor, "LAB-1"), (&lab, "DR-1")] {
        let messages = phone.messages(phone.with(other)).await;
        let replies: Vec<_> = messages.iter().map(|one| one.in_reply_to).collect();
        assert_eq!(replies, [None, None, Some(question)]);
    }
    let unknown = clerk
        .client
        .send(Draft::new(to(&doctor), "?").reply_to(question));
    assert_eq!(unknown.await.unwrap_err().code(), "WL-UNKNOWN");
}
