//! What a colleague tries who may not speak for the role, with a client that checks nothing.

use wardline::{ConversationId, testing};
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

/// What a changed client says in the conversation of the role with somebody.
async fn forge(from: &Phone, with: &Phone, to: &[&Phone], said: &str, at: Timestamp) {
    let conversation = ConversationId::role(&organization(), &role_id(), &with.user);
    let reference = v1::ConversationRef {
        kind: Some(v1::conversation_ref::Kind::Role(v1::RoleConversation {
            role_id: role_id().to_string(),
            caller_user_id: with.user.to_string(),
            entry_hash: Vec::new(),
        })),
    };
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
        (conversation, reference),
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
