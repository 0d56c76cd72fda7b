//! What a colleague tries who may not speak for the role, with a client that checks nothing.

use wardline::{ConversationId, MessageId, MessageRef, Verdict, testing};
use wardline_org::Timestamp;
use wardline_proto::{Message as _, v1};
use wardline_tests::{Phone, organization, settle, text, to};

use super::{Clinic, HOUR, START, after, caller, role, role_id, shown, texts};

/// Everybody has met `phone`, so that it has a session with each.
async fn meet(clinic: &Clinic, phone: &Phone) {
    for other in clinic.everybody() {
        if other.user != phone.user {
            phone.say(to(other), "Hello").await;
        }
    }
    clinic.settle().await;
}

/// How a content names the conversation of the role with somebody.
fn reference(with: &Phone) -> v1::ConversationRef {
    v1::ConversationRef {
        kind: Some(v1::conversation_ref::Kind::Role(v1::RoleConversation {
            role_id: role_id().to_string(),
            caller_user_id: with.user.to_string(),
            entry_hash: Vec::new(),
        })),
    }
}

/// What a changed client says in the conversation of the role with somebody.
async fn forge(from: &Phone, with: &Phone, to: &[&Phone], said: &str, at: Timestamp) {
    let conversation = ConversationId::role(&organization(), &role_id(), &with.user);
    let to = to.iter();
    let to = to.map(|phone| (phone.client.device(), phone.user.clone()));
    let body = v1::TextBody { text: said.into() };
    let change = move |content: &mut v1::Content| {
        content.type_uri = "wardline.text/1".into();
        content.body = body.encode_to_vec();
        content.created_at_ms = at.as_millis();
    };
    testing::forge(
        &from.client,
        (conversation, reference(with)),
        to.collect(),
        change,
    )
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_never_held_the_role_does_not_speak_for_it() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse, other, day, ..
    } = &clinic;
    meet(&clinic, other).await;
    nurse.say(role(), &text(1)).await;
    clinic.settle().await;
    forge(other, nurse, &[nurse, day], &text(2), START).await;
    clinic.settle().await;
    for phone in [nurse, day] {
        assert_eq!(texts(phone, nurse).await, [text(1)]);
        assert_eq!(phone.refusals().await, ["WL-OPEN-BINDING"]);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
    // It sinks nothing that comes with it or after it.
    forge(other, nurse, &[nurse], &text(3), START).await;
    day.say(caller(nurse), &text(4)).await;
    settle(&[other, day, nurse], 2).await;
    assert_eq!(texts(nurse, nurse).await, [text(1), text(4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_held_the_role_and_left_does_not_speak_for_it() {
    let clinic = Clinic::open().await;
    let Clinic { nurse, day, .. } = &clinic;
    meet(&clinic, day).await;
    clinic.pass(3 * HOUR);
    forge(day, nurse, &[nurse], &text(1), after(3)).await;
    clinic.settle().await;
    assert_eq!(texts(nurse, nurse).await, [""; 0]);
    assert_eq!(nurse.refusals().await, ["WL-OPEN-BINDING"]);

    // Who turns the clock back is not believed after a week, and shown as somebody who left until then.
    forge(day, nurse, &[nurse], &text(2), START).await;
    clinic.settle().await;
    let said = shown(nurse, nurse).await.remove(0);
    let speaks = said.role.unwrap().speaks;
    assert_eq!(speaks, Some(wardline::RoleSpeaker::FormerHolder));
    clinic.pass(8 * 24 * HOUR);
    forge(day, nurse, &[nurse], &text(3), START).await;
    clinic.settle().await;
    assert_eq!(texts(nurse, nurse).await, [text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_puts_words_into_the_mouth_of_another_caller() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse,
        other,
        day,
        desk,
        ..
    } = &clinic;
    meet(&clinic, other).await;
    forge(other, nurse, &[day, desk], &text(1), START).await;
    clinic.settle().await;
    for phone in [day, desk] {
        assert_eq!(texts(phone, nurse).await, [""; 0]);
        assert_eq!(phone.refusals().await, ["WL-OPEN-BINDING"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_planned_for_later_gives_no_voice_now() {
    let mut clinic = Clinic::open().await;
    let turns = [("DR-DAY", START, after(1)), ("DR-X", after(5), after(9))];
    clinic.plan(&turns, Some("DESK")).await;
    let Clinic { nurse, other, .. } = &clinic;
    meet(&clinic, other).await;
    forge(other, nurse, &[nurse], &text(1), START).await;
    clinic.settle().await;
    assert_eq!(texts(nurse, nurse).await, [""; 0]);
}

/// What a changed client passes on in the conversation of the nurse with the role.
async fn forge_pass(
    from: &Phone,
    with: &Phone,
    to: &[&Phone],
    subject: MessageRef,
    original: v1::SignedContent,
    hash: Vec<u8>,
) {
    let conversation = ConversationId::role(&organization(), &role_id(), &with.user);
    let body = v1::PassBody {
        contents: vec![v1::PassedContent {
            signed: Some(original),
            content_hash: hash.clone(),
        }],
    };
    let to = to.iter();
    let to = to.map(|phone| (phone.client.device(), phone.user.clone()));
    let change = move |content: &mut v1::Content| {
        content.type_uri = "wardline.pass/1".into();
        content.body = body.encode_to_vec();
        content.subject = Some(v1::MessageReference {
            sender_device: subject.device.to_vec(),
            message_id: subject.id.as_bytes().to_vec(),
            content_hash: hash,
        });
    };
    testing::forge(
        &from.client,
        (conversation, reference(with)),
        to.collect(),
        change,
    )
    .await
    .unwrap();
}

/// A content of somebody's, signed by another device.
fn signed_by(content: &v1::Content, signature: Vec<u8>) -> v1::SignedContent {
    v1::SignedContent {
        content: content.encode_to_vec(),
        signature,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_quoted_without_their_signature_and_by_nobody_but_the_role() {
    let clinic = Clinic::open().await;
    let Clinic {
        nurse,
        other,
        day,
        night,
        desk,
        ..
    } = &clinic;
    for phone in [other, desk] {
        meet(&clinic, phone).await;
    }
    let message = clinic.ask(&text(1)).await;
    clinic.settle().await;
    let name = nurse.reference(message);
    // What the nurse has signed, as whoever received it holds it.
    let proof = desk.client.export_proof(name).await.unwrap().encode();
    let proof = v1::MessageProof::decode(proof.as_slice()).unwrap();
    let genuine = proof.message.unwrap();
    let mut words = v1::Content::decode(genuine.content.as_slice()).unwrap();
    words.body = v1::TextBody { text: text(9) }.encode_to_vec();
    let forged = signed_by(&words, genuine.signature.clone());

    // The custodian changes a word; a colleague passes on what is genuine.
    forge_pass(desk, nurse, &[night], name, forged, vec![7; 32]).await;
    forge_pass(other, nurse, &[night], name, genuine.clone(), vec![7; 32]).await;
    settle(&[desk, other, night], 3).await;
    assert_eq!(texts(night, nurse).await, [""; 0]);

    // Passed on to a friend, who holds nothing, it gives the friend no voice.
    let hash = hash_of(nurse, message).await;
    forge_pass(desk, nurse, &[nurse, other, day], name, genuine, hash).await;
    settle(&[desk, other, nurse, day], 3).await;
    assert_eq!(texts(other, nurse).await, [text(1)]);
    let accepted = Verdict::Accepted;
    let answered = other.client.answer(name, accepted, "mine").await;
    settle(&[other, nurse, day], 3).await;
    assert!(answered.is_ok());
    assert_eq!(nurse.client.answers(name).await.unwrap(), []);
    assert!(shown(nurse, nurse).await[0].asked.unwrap().open);
}

async fn hash_of(phone: &Phone, message: MessageId) -> Vec<u8> {
    let columns = "hex(message_id), hex(content_hash)";
    let rows = testing::rows(&phone.client, "message", columns)
        .await
        .unwrap();
    let id = message.to_string().replace('-', "").to_uppercase();
    let row = rows.into_iter().find(|row| row.starts_with(&id)).unwrap();
    let hash = row.split(' ').nth(1).unwrap().to_owned();
    (0..hash.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hash[at..at + 2], 16).unwrap())
        .collect()
}
