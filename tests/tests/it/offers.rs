//! Quick replies: what a message offers is answered with one tap, and nobody is made to say what they did not choose.

use std::{sync::Arc, time::Duration};

use wardline::{Draft, MessageRef, OpenItems, Priority, Sbar, Structured, testing};
use wardline_org::{ManualClock, Timestamp};
use wardline_proto::{Message as _, v1};
use wardline_tests::{Phone, Ward, settle, team, text, to, unhex};

/// A nurse and a doctor who have met, at a time that stands still.
async fn pair() -> (Ward, Arc<ManualClock>, Phone, Phone) {
    let clock = Arc::new(ManualClock::new(START));
    let (ward, nurse, doctor) = Ward::pair(Arc::clone(&clock) as _).await;
    (ward, clock, nurse, doctor)
}

fn pain(doctor: &Phone) -> Draft {
    Draft::new(to(doctor), text(1)).offer(["Repeat once", "Wait for me"])
}

async fn asks(nurse: &Phone, doctor: &Phone, draft: Draft) -> MessageRef {
    let sent = nurse.client.send(draft).await.unwrap();
    settle(&[nurse, doctor], 2).await;
    nurse.reference(sent)
}

async fn shown(phone: &Phone, message: MessageRef) -> wardline::Message {
    let shown = phone.client.messages(vec![message]).await;
    shown.unwrap().remove(0)
}

/// Who chose what, and whether that stands and is of the text that stands.
async fn chosen(phone: &Phone, message: MessageRef) -> Vec<(String, u32, bool, bool)> {
    let choices = phone.client.choices(message).await.unwrap();
    choices
        .into_iter()
        .map(|one| (one.user.to_string(), one.index, one.stands, one.outdated))
        .collect()
}

fn by(user: &str, index: u32) -> (String, u32, bool, bool) {
    (user.to_owned(), index, true, false)
}

// scenario: quick-replies
#[tokio::test(flavor = "multi_thread")]
async fn a_tap_says_the_offered_text_and_its_author_sees_who_chose_what() {
    let (_ward, clock, nurse, doctor) = pair().await;
    let asked = asks(&nurse, &doctor, pain(&doctor)).await;
    let offers = shown(&doctor, asked).await.offers;
    assert_eq!(offers, ["Repeat once", "Wait for me"]);
    assert_eq!(shown(&nurse, asked).await.offers, offers);
    assert_eq!(chosen(&nurse, asked).await, []);

    let reply = doctor.client.reply_with(asked, 1).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    for phone in [&nurse, &doctor] {
        let reply = shown(phone, doctor.reference(reply)).await;
        assert_eq!(reply.text, "Wait for me");
        assert_eq!(reply.chosen, Some(1));
        assert_eq!(reply.in_reply_to, Some(asked));
        assert_eq!(chosen(phone, asked).await, [by("DR-1", 1)]);
    }
    let read = nurse.client.deliveries(asked.id).await.unwrap();
    assert!(read[0].devices[0].read_at.is_some(), "choosing is reading");

    // A mind is changed by choosing again.
    clock.advance(Duration::from_secs(1));
    doctor.client.reply_with(asked, 0).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let first = ("DR-1".to_owned(), 1, false, false);
    assert_eq!(chosen(&nurse, asked).await, [first, by("DR-1", 0)]);
    let found = nurse.client.search("repeat", None, None, 10).await.unwrap();
    assert_eq!(found.len(), 1, "the reply is found, an offer is no text");
}

// scenario: quick-replies
#[tokio::test(flavor = "multi_thread")]
async fn a_structured_message_offers_too_and_a_choice_is_no_verdict() {
    let (_ward, _clock, nurse, doctor) = pair().await;
    let sbar = Structured::Sbar(Sbar {
        situation: "Chest pain".into(),
        ..Sbar::default()
    });
    let draft = Draft::new(to(&doctor), "")
        .structured(sbar)
        .priority(Priority::Urgent)
        .answer_within(Duration::from_secs(600))
        .offer(["Coming"]);
    let asked = asks(&nurse, &doctor, draft).await;
    doctor.client.reply_with(asked, 0).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    assert_eq!(chosen(&nurse, asked).await, [by("DR-1", 0)]);
    let open = nurse.client.open_items(OpenItems::Awaited, 10).await;
    assert_eq!(open.unwrap().len(), 1, "nobody has accepted it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_offered_or_is_not_offered_is_refused_and_changes_nothing() {
    let (_ward, _clock, nurse, doctor) = pair().await;
    let before = nurse.messages(nurse.with("DR-1")).await.len();
    let nine: Vec<String> = (0..9).map(|number| number.to_string()).collect();
    for (offers, code) in [
        (nine, "WL-SEND-TOO-MANY-OFFERS"),
        (vec!["a".repeat(161)], "WL-SEND-BAD-OFFER"),
        (vec!["Yes".into(), "Yes".into()], "WL-SEND-BAD-OFFER"),
        (vec!["Yes\nNo".into()], "WL-SEND-BAD-OFFER"),
    ] {
        let draft = Draft::new(to(&doctor), text(1)).offer(offers);
        assert_eq!(nurse.client.send(draft).await.unwrap_err().code(), code);
    }
    assert_eq!(nurse.messages(nurse.with("DR-1")).await.len(), before);

    let asked = asks(&nurse, &doctor, pain(&doctor)).await;
    let refused = async |phone: &Phone, message: MessageRef, index: u32| -> String {
        let refused = phone.client.reply_with(message, index).await;
        refused.unwrap_err().code()
    };
    assert_eq!(refused(&doctor, asked, 2).await, "WL-SEND-NOT-OFFERED");
    assert_eq!(refused(&nurse, asked, 0).await, "WL-SEND-OWN-MESSAGE");
    let unknown = doctor.reference(asked.id);
    assert_eq!(refused(&doctor, unknown, 0).await, "WL-UNKNOWN");
    doctor.client.lock();
    assert_eq!(refused(&doctor, asked, 0).await, "WL-LOCKED");
    doctor.unlock().await;
    nurse.client.recall(asked, "").await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(refused(&doctor, asked, 0).await, "WL-SEND-NOT-OFFERED");
    assert!(shown(&doctor, asked).await.offers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_says_which_text_was_read_and_stays_a_text_when_the_offer_is_taken_back() {
    let (_ward, clock, nurse, doctor) = pair().await;
    let asked = asks(&nurse, &doctor, pain(&doctor)).await;
    let reply = doctor.client.reply_with(asked, 0).await.unwrap();
    clock.advance(Duration::from_secs(1));
    nurse.client.amend(asked, &text(2), "bed").await.unwrap();
    settle(&[&doctor, &nurse, &doctor], 1).await;
    let outdated = ("DR-1".to_owned(), 0, true, true);
    assert_eq!(chosen(&nurse, asked).await, [outdated]);
    clock.advance(Duration::from_secs(1));
    doctor.client.reply_with(asked, 0).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    assert_eq!(chosen(&nurse, asked).await.last(), Some(&by("DR-1", 0)));

    nurse.client.recall(asked, "").await.unwrap();
    settle(&[&nurse, &doctor], 1).await;
    assert_eq!(chosen(&nurse, asked).await, []);
    let reply = shown(&nurse, doctor.reference(reply)).await;
    assert_eq!(reply.text, "Repeat once", "it is the doctor's own word");
    assert_eq!(reply.chosen, None);
}

// scenario: quick-replies
/// A changed client of the doctor's says that a text of its own is the offer, takes an offer of a message that was not
/// for it, or offers what no screen holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_client_makes_nobody_believe_that_an_offer_was_chosen() {
    let clock = Arc::new(ManualClock::new(START));
    let mut ward = Ward::open_at(&["NS-1", "DR-1", "DR-2"], clock as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let colleague = ward.phone("DR-2").await;
    settle(&[&nurse, &doctor, &colleague], 1).await;
    let asked = asks(&nurse, &doctor, pain(&doctor)).await;
    let columns = "hex(message_id), hex(content_hash)";
    let rows = testing::rows(&doctor.client, "message", columns).await;
    let row = rows.unwrap().remove(0);
    let hash = row.split(' ').nth(1).unwrap().to_owned();
    let reply = |said: &str, index: u32, hash: &str| v1::Content {
        type_uri: "wardline.text/1".into(),
        body: v1::TextBody { text: said.into() }.encode_to_vec(),
        subject: Some(v1::MessageReference {
            sender_device: asked.device.to_vec(),
            message_id: asked.id.as_bytes().to_vec(),
            content_hash: unhex(hash),
        }),
        choice: Some(v1::Choice { index }),
        ..Default::default()
    };
    let none = "00".repeat(32);
    for (sender, content) in [
        // Other words under the place of an offer; an offer under another place; a place that is none.
        (&doctor, reply("Give 10 mg", 0, &hash)),
        (&doctor, reply("Wait for me", 0, &hash)),
        (&doctor, reply("Wait for me", 7, &hash)),
        // Another message under the same name.
        (&doctor, reply("Wait for me", 1, &none)),
        // Somebody who has heard of it, in a conversation of their own.
        (&colleague, reply("Wait for me", 1, &hash)),
    ] {
        let said = testing::send_anything(&sender.client, to(&nurse), content);
        let said = sender.reference(said.await.unwrap());
        settle(&[sender, &nurse], 2).await;
        let shown = shown(&nurse, said).await;
        assert!(!shown.text.is_empty(), "it is a text like any other");
        assert_eq!(shown.chosen, None);
    }
    // And in the name of the author itself, on the team.
    let own = reply("Wait for me", 1, &hash);
    testing::send_anything(&nurse.client, team(), own)
        .await
        .unwrap();
    assert_eq!(chosen(&nurse, asked).await, []);
    // What all of them pretended to be.
    let honest = reply("Wait for me", 1, &hash);
    let honest = testing::send_anything(&doctor.client, to(&nurse), honest).await;
    honest.unwrap();
    settle(&[&doctor, &nurse], 2).await;
    assert_eq!(chosen(&nurse, asked).await, [by("DR-1", 1)]);

    let crowded = v1::Content {
        type_uri: "wardline.text/1".into(),
        body: v1::TextBody { text: text(2) }.encode_to_vec(),
        offers: vec!["Yes".into(); 10_000],
        ..Default::default()
    };
    let crowded = testing::send_anything(&doctor.client, to(&nurse), crowded).await;
    settle(&[&doctor, &nurse], 2).await;
    let shown = shown(&nurse, doctor.reference(crowded.unwrap())).await;
    assert_eq!((shown.text, shown.offers), (text(2), Vec::new()));
    assert!(nurse.refusals().await.is_empty());
}

/// A person who was removed between sending and arriving is no longer believed to have chosen.
#[tokio::test(flavor = "multi_thread")]
async fn a_choice_of_a_revoked_device_is_a_text_only_and_its_offers_are_not_answered() {
    let (mut ward, clock, nurse, doctor) = pair().await;
    let asked = asks(&nurse, &doctor, pain(&doctor)).await;
    let offered = asks(&doctor, &nurse, pain(&nurse)).await;
    let reply = doctor.client.reply_with(asked, 0).await.unwrap();
    doctor.client.sync_once().await.unwrap();
    let late = doctor.client.send(pain(&nurse)).await.unwrap();
    doctor.client.sync_once().await.unwrap();
    let (user, device) = (doctor.user.clone(), doctor.client.device());
    let now = wardline_org::Clock::now(&*clock);
    ward.authority().revoke_device(&user, device, now).unwrap();
    ward.publish().await;
    clock.advance(Duration::from_secs(120));
    settle(&[&nurse], 2).await;
    assert_eq!(shown(&nurse, doctor.reference(reply)).await.chosen, None);
    assert_eq!(chosen(&nurse, asked).await, []);
    let refused = nurse.client.reply_with(doctor.reference(late), 0).await;
    assert_eq!(refused.unwrap_err().code(), "WL-SEND-SENDER-REVOKED");
    // What was offered while the directory stood behind the sender is still offered.
    nurse.client.reply_with(offered, 0).await.unwrap();
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
