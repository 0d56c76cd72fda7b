//! Structured messages: typed fields that arrive as they were sent, that everybody can read as text, and that nobody
//! accepts unread.

use wardline::{
    CriticalResult, Draft, Message, OpenItems, Order, Patient, Priority, Recipient, Sbar,
    Structured, VendorContent, Verdict, testing,
};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::{Message as _, v1};
use wardline_tests::{Phone, Ward, settle, to, unhex};

async fn pair() -> (Ward, Phone, Phone) {
    let mut ward = Ward::open(&["NS-1", "DR-1"]).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    (ward, nurse, doctor)
}

fn potassium() -> CriticalResult {
    CriticalResult {
        test_name: "Potassium".into(),
        test_code: "2823-3".into(),
        value: "6.6".into(),
        unit: "mmol/L".into(),
        reference_range: "3.5-5.0".into(),
        abnormal_flag: "HH".into(),
        specimen_at: Some(Timestamp::from_millis(1_795_000_000_000)),
    }
}

fn order() -> Order {
    Order {
        what: "Calcium gluconate".into(),
        dose: "1 g".into(),
        route: "IV".into(),
        frequency: "once".into(),
        ordered_by: "DR-1".parse().unwrap(),
    }
}

async fn arrives(nurse: &Phone, doctor: &Phone, draft: Draft) -> Message {
    let sent = nurse.client.send(draft).await.unwrap();
    settle(&[nurse, doctor, nurse], 2).await;
    let own = nurse.client.messages(vec![nurse.reference(sent)]).await;
    let arrived = doctor.client.messages(vec![nurse.reference(sent)]).await;
    let (own, arrived) = (own.unwrap().remove(0), arrived.unwrap().remove(0));
    assert_eq!(own.structured, arrived.structured);
    assert_eq!(own.text, arrived.text);
    arrived
}

// scenario: structured
#[tokio::test(flavor = "multi_thread")]
async fn typed_fields_arrive_and_are_found_by_their_text() {
    let (_ward, nurse, doctor) = pair().await;
    let sbar = Structured::Sbar(Sbar {
        situation: "Chest pain, canary-sbar".into(),
        background: "CABG 2019".into(),
        assessment: "Unstable angina?".into(),
        recommendation: "See now".into(),
    });
    let result = Structured::CriticalResult(potassium());
    let order = Structured::Order(order());
    for (structured, text) in [
        (
            sbar,
            "S: Chest pain, canary-sbar\nB: CABG 2019\nA: Unstable angina?\nR: See now",
        ),
        (
            result,
            "Potassium (2823-3) 6.6 mmol/L HH [3.5-5.0] @ 2026-11-18T11:06:40.000Z",
        ),
        (order, "Calcium gluconate · 1 g · IV · once · DR-1"),
    ] {
        let draft = Draft::new(to(&doctor), "").structured(structured.clone());
        let arrived = arrives(&nurse, &doctor, draft).await;
        assert_eq!(arrived.content_type, structured.type_uri());
        assert_eq!(arrived.text, text);
        assert!(arrived.supported);
        assert_eq!(arrived.structured, Some(structured));
    }
    let text = arrives(&nurse, &doctor, Draft::new(to(&doctor), "plain")).await;
    assert_eq!(text.structured, None);
    for words in ["canary-sbar", "2823-3", "gluconate"] {
        let found = doctor.client.search(words, None, None, 10).await.unwrap();
        assert_eq!(found.len(), 1, "{words}");
    }
    // The app's own words instead of ours.
    let draft = Draft::new(to(&doctor), "Kalium 6,6!").structured({
        let result = potassium();
        Structured::CriticalResult(result)
    });
    let arrived = arrives(&nurse, &doctor, draft).await;
    assert_eq!(arrived.text, "Kalium 6,6!");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendors_type_arrives_as_it_is_and_reads_as_its_text() {
    let (_ward, nurse, doctor) = pair().await;
    let vendor = VendorContent {
        type_uri: "vendor.example.com/wound/2".into(),
        body: vec![0, 159, 146, 150],
    };
    let draft = Draft::new(to(&doctor), "Wound photo protocol")
        .structured(Structured::Vendor(vendor.clone()));
    let arrived = arrives(&nurse, &doctor, draft).await;
    assert_eq!(arrived.content_type, "vendor.example.com/wound/2");
    assert_eq!(arrived.text, "Wound photo protocol");
    assert!(!arrived.supported);
    assert_eq!(arrived.asked, None);
    assert_eq!(arrived.structured, Some(Structured::Vendor(vendor)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_incomplete_or_pretends_to_be_ours_is_refused_and_changes_nothing() {
    let (_ward, nurse, doctor) = pair().await;
    let vendor = |uri: &str, bytes: usize| {
        let body = vec![7; bytes];
        let type_uri = uri.to_owned();
        Structured::Vendor(VendorContent { type_uri, body })
    };
    let valueless = CriticalResult {
        value: " ".into(),
        ..potassium()
    };
    let nothing = Order {
        what: String::new(),
        ..order()
    };
    for (structured, text, code) in [
        (
            Structured::Sbar(Sbar::default()),
            "text",
            "WL-SEND-INCOMPLETE",
        ),
        (
            Structured::CriticalResult(CriticalResult::default()),
            "",
            "WL-SEND-INCOMPLETE",
        ),
        (
            Structured::CriticalResult(valueless),
            "",
            "WL-SEND-INCOMPLETE",
        ),
        (Structured::Order(nothing), "", "WL-SEND-INCOMPLETE"),
        (vendor("vendor.example.com/x/1", 1), "", "WL-SEND-EMPTY"),
        (
            vendor("wardline.recall/1", 1),
            "text",
            "WL-SEND-NOT-A-VENDOR-TYPE",
        ),
        (
            vendor("vendor.example.com/x/1", 65_537),
            "text",
            "WL-SEND-TOO-LARGE",
        ),
    ] {
        let draft = Draft::new(to(&doctor), text).structured(structured);
        let refused = nurse.client.send(draft).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let kept = nurse.messages(nurse.with("DR-1")).await;
    assert!(kept.is_empty());
}

// scenario: structured
#[tokio::test(flavor = "multi_thread")]
async fn a_critical_result_and_an_order_are_taken_by_reading_them_back_only() {
    let (_ward, nurse, doctor) = pair().await;
    for structured in [
        Structured::CriticalResult(potassium()),
        Structured::Order(order()),
    ] {
        let draft = Draft::new(to(&doctor), "")
            .structured(structured)
            .priority(Priority::Urgent);
        let message = arrives(&nurse, &doctor, draft).await.reference();
        let awaited = nurse.client.open_items(OpenItems::Awaited, 10).await;
        assert_eq!(awaited.unwrap().len(), 1, "it asks by itself");
        for read_back in ["", " \n"] {
            let refused = doctor
                .client
                .answer(message, Verdict::Accepted, read_back)
                .await;
            assert_eq!(refused.unwrap_err().code(), "WL-SEND-READ-BACK");
        }
        // Declining needs no read-back.
        let client = &doctor.client;
        client.answer(message, Verdict::Declined, "").await.unwrap();
        settle(&[&doctor, &nurse], 1).await;
        let answers = nurse.client.answers(message).await.unwrap();
        assert_eq!(answers.len(), 1);
        let read_back = "six point six";
        let accepted = client.answer(message, Verdict::Accepted, read_back).await;
        accepted.unwrap();
        settle(&[&doctor, &nurse], 1).await;
        let awaited = nurse.client.open_items(OpenItems::Awaited, 10).await;
        assert!(awaited.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_result_is_its_text_and_the_typed_one_is_no_longer_shown() {
    let (_ward, nurse, doctor) = pair().await;
    let draft = Draft::new(to(&doctor), "")
        .structured(Structured::CriticalResult(potassium()))
        .patient(Patient::default());
    let message = arrives(&nurse, &doctor, draft).await.reference();
    nurse
        .client
        .amend(message, "Potassium 5.6", "hemolyzed")
        .await
        .unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let shown = doctor.client.messages(vec![message]).await.unwrap();
    assert_eq!(shown[0].text, "Potassium 5.6");
    assert_eq!(shown[0].structured, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_corrected_with_its_fields_and_the_wrong_one_stays_readable() {
    let (_ward, nurse, doctor) = pair().await;
    let wrong = Structured::CriticalResult(potassium());
    let right = Structured::CriticalResult(CriticalResult {
        value: "5.6".into(),
        abnormal_flag: "H".into(),
        ..potassium()
    });
    let draft = Draft::new(to(&doctor), "").structured(wrong.clone());
    let message = arrives(&nurse, &doctor, draft).await.reference();
    let answered = doctor.client.answer(message, Verdict::Accepted, "6.6");
    answered.await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let corrected = nurse
        .client
        .amend_structured(message, right.clone(), "", "hemolyzed");
    corrected.await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let text = "Potassium (2823-3) 5.6 mmol/L H [3.5-5.0] @ 2026-11-18T11:06:40.000Z";
    for phone in [&nurse, &doctor] {
        let shown = phone.client.messages(vec![message]).await.unwrap();
        assert_eq!(shown[0].structured, Some(right.clone()));
        assert_eq!(shown[0].text, text);
        assert_eq!(shown[0].content_type, "wardline.critical-result/1");
        assert_eq!(shown[0].amended.as_ref().unwrap().reason, "hemolyzed");
        let history = phone.client.history(message).await.unwrap();
        let fields: Vec<_> = history.into_iter().map(|one| one.structured).collect();
        assert_eq!(fields, [Some(wrong.clone()), Some(right.clone())]);
        let answers = phone.client.answers(message).await.unwrap();
        assert!(answers[0].outdated, "the other value was read back");
        for (words, many) in [("5.6", 1), ("6.6", 0)] {
            let found = phone.client.search(words, None, None, 10).await;
            assert_eq!(found.unwrap().len(), many, "{words}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_has_the_fields_of_its_message_or_none() {
    let (_ward, nurse, doctor) = pair().await;
    let result = Structured::CriticalResult(potassium());
    let draft = Draft::new(to(&doctor), "").structured(result.clone());
    let message = arrives(&nurse, &doctor, draft).await.reference();
    let plain = arrives(&nurse, &doctor, Draft::new(to(&doctor), "plain")).await;
    let nothing = Structured::CriticalResult(CriticalResult::default());
    for (of, fields, code) in [
        (message, Structured::Order(order()), "WL-SEND-OTHER-TYPE"),
        (plain.reference(), result.clone(), "WL-SEND-OTHER-TYPE"),
        (message, nothing, "WL-SEND-INCOMPLETE"),
    ] {
        let refused = nurse.client.amend_structured(of, fields, "text", "");
        assert_eq!(refused.await.unwrap_err().code(), code);
    }
    let foreign = doctor.client.amend_structured(message, result, "", "");
    assert_eq!(foreign.await.unwrap_err().code(), "WL-SEND-NOT-YOURS");

    // A changed client of the author's makes an order of its result.
    let columns = "shown, hex(message_id), hex(content_hash)";
    let rows = testing::rows(&nurse.client, "message", columns).await;
    let id = message.id.to_string().replace('-', "").to_uppercase();
    let row = rows.unwrap().into_iter().find(|row| row.contains(&id));
    let hash = row.unwrap().split(' ').nth(2).unwrap().to_owned();
    let fields = v1::OrderBody {
        what: "Potassium".into(),
        ordered_by: "DR-1".into(),
        ..Default::default()
    };
    let body = v1::AmendBody {
        text: "K 5.6".into(),
        type_uri: "wardline.order/1".into(),
        body: fields.encode_to_vec(),
        ..Default::default()
    };
    let content = v1::Content {
        type_uri: "wardline.amend/1".into(),
        body: body.encode_to_vec(),
        subject: Some(v1::MessageReference {
            sender_device: message.device.to_vec(),
            message_id: message.id.as_bytes().to_vec(),
            content_hash: unhex(&hash),
        }),
        ..Default::default()
    };
    let sent = testing::send_anything(&nurse.client, to(&doctor), content).await;
    sent.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    let shown = doctor.client.messages(vec![message]).await.unwrap();
    assert_eq!(shown[0].text, "K 5.6");
    assert_eq!(shown[0].structured, None);
    assert_eq!(shown[0].content_type, "wardline.critical-result/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_knows_who_would_see_the_text_alone() {
    let (_ward, nurse, doctor) = pair().await;
    nurse.say(to(&doctor), "Good morning").await;
    settle(&[&nurse, &doctor], 2).await;
    let ask = async |type_uri: &str| -> Option<Vec<(UserId, DeviceId)>> {
        let asked = nurse.client.devices_without(to(&doctor), type_uri).await;
        asked.unwrap()
    };
    assert_eq!(ask("wardline.sbar/1").await, Some(Vec::new()));
    let doctors = (doctor.user.clone(), doctor.client.device());
    assert_eq!(ask("wardline.sbar/2").await, Some(vec![doctors]));
    let stranger = Recipient::Person("XX-9".parse().unwrap());
    let asked = nurse.client.devices_without(stranger.clone(), "x").await;
    assert_eq!(asked.unwrap(), None, "the directory is asked first");
    nurse.client.sync_once().await.unwrap();
    let asked = nurse.client.devices_without(stranger, "x").await;
    assert_eq!(asked.unwrap(), Some(Vec::new()));
}
