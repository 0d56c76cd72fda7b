//! Proving to an outsider who wrote a message: out of a device's store, with what the relay shows.

use wardline::{MessageProof, ProofError};
use wardline_org::{Hash, SystemClock};
use wardline_proto::v1;
use wardline_tests::{Phone, Ward, settle, text, to};

async fn pair() -> (Ward, Phone, Phone) {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    (ward, nurse, doctor)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_received_a_message_proves_who_wrote_it_and_how_it_was_corrected() {
    let (ward, nurse, doctor) = pair().await;
    let message = nurse.say(to(&doctor), &text(1)).await;
    let reference = nurse.reference(message);
    settle(&[&nurse, &doctor], 2).await;
    let corrected = text(2);
    let corrected = nurse
        .client
        .amend(reference, &corrected, "typing error")
        .await;
    corrected.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    for phone in [&nurse, &doctor] {
        let file = phone.client.export_proof(reference).await.unwrap().encode();
        let proven = MessageProof::parse(&file).unwrap();
        let proven = proven.verify(&ward.pin()).unwrap();
        assert_eq!(proven.author, nurse.user);
        assert_eq!(proven.device, nurse.client.device());
        assert_eq!(proven.display_name, "Person NS-1");
        assert_eq!(proven.text, text(1));
        assert_eq!(proven.corrections[0].text, text(2));
        let other = MessageProof::parse(&file).unwrap();
        let refused = other.verify(&Hash::of(b"another")).unwrap_err();
        assert_eq!(refused, ProofError::WrongRoot);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proves_nothing_is_not_handed_out() {
    let (mut ward, nurse, doctor) = pair().await;
    let code = |refused: Result<MessageProof, wardline::Error>| refused.unwrap_err().code();
    let sent = nurse.say(to(&doctor), &text(1)).await;
    let reference = nurse.reference(sent);
    let unsealed = nurse.client.export_proof(reference).await;
    assert_eq!(code(unsealed), "WL-UNKNOWN", "nothing is signed yet");
    settle(&[&nurse, &doctor], 2).await;

    // A relay that shows a stranger's entry in place of the author's.
    doctor.faults.meddle::<v1::EntriesRequest>(|answer| {
        for answer in &mut answer.answers {
            if let Some(v1::entry_answer::Answer::Present(present)) = &mut answer.answer {
                present.entry.push(0);
            }
        }
    });
    let lied = doctor.client.export_proof(reference).await;
    assert_eq!(code(lied), "WL-PROOF-REFUSED");
    doctor.faults.relent();
    doctor.faults.cut();
    let offline = doctor.client.export_proof(reference).await;
    assert_eq!(code(offline), "WL-NET-UNREACHABLE");
    doctor.faults.mend();
    doctor.client.lock();
    let locked = doctor.client.export_proof(reference).await;
    assert_eq!(code(locked), "WL-LOCKED");
    doctor.unlock().await;
    let good = doctor.client.export_proof(reference).await.unwrap();

    let withdrawn = nurse.say(to(&doctor), &text(2)).await;
    settle(&[&nurse, &doctor], 1).await;
    let withdrawn = nurse.reference(withdrawn);
    nurse.client.recall(withdrawn, "").await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let recalled = doctor.client.export_proof(withdrawn).await;
    assert_eq!(code(recalled), "WL-UNKNOWN");

    // From the revocation on, whoever has the device could date what it signs back; what was exported before holds.
    let (user, device) = (nurse.user.clone(), nurse.client.device());
    let now = wardline_org::Clock::now(&SystemClock);
    ward.authority().revoke_device(&user, device, now).unwrap();
    ward.publish().await;
    let revoked = doctor.client.export_proof(reference).await.unwrap_err();
    assert!(matches!(
        revoked,
        wardline::Error::Proof(ProofError::Revoked { .. })
    ));
    assert_eq!(good.verify(&ward.pin()).unwrap().author, nurse.user);
}
