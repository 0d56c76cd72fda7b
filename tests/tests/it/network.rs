//! What networks and hostile relays do on the way, and what arrives all the same.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use wardline::{DeliveryState, MessageId, Recipient};
use wardline_org::{Clock, ManualClock, SystemClock};
use wardline_proto::v1;
use wardline_tests::{Fault, Phone, Ward, settle, text};

const FAULTS: [(Fault, u64); 5] = [
    (Fault::Unreachable, 6),
    (Fault::AnswerLost, 6),
    (Fault::Twice, 4),
    (Fault::Truncated, 4),
    (Fault::BitFlipped, 6),
];
const EACH_WAY: usize = 100;

/// Two hundred messages between three devices over a line that loses, repeats, cuts and flips.
async fn everything_arrives_once(seed: u64) {
    println!("seed {seed}");
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let mut ward = Ward::open_at(&["NS-1", "DR-1"], Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    let tablet = ward.phone("DR-1").await;
    let phones = [&nurse, &doctor, &tablet];
    settle(&phones, 1).await;
    for (phone, number) in phones.into_iter().zip(1..) {
        phone.faults.set(&FAULTS, seed * 1_000_003 + number);
    }

    let (mut to_doctor, mut to_nurse) = (Vec::new(), Vec::new());
    for number in 0..EACH_WAY {
        let recipient = Recipient::Person(doctor.user.clone());
        to_doctor.push(nurse.say(recipient, &text(number)).await);
        let recipient = Recipient::Person(nurse.user.clone());
        to_nurse.push(doctor.say(recipient, &text(EACH_WAY + number)).await);
        clock.advance(Duration::from_secs(1));
        if number % 2 == 0 {
            for phone in phones {
                let _ = phone.client.sync_once().await;
            }
        }
    }

    for phone in phones {
        phone.faults.mend();
    }
    for _ in 0..4 {
        clock.advance(Duration::from_secs(600));
        settle(&phones, 2).await;
    }
    let expected: BTreeSet<String> = (0..2 * EACH_WAY).map(text).collect();
    for (phone, other) in [(&nurse, "DR-1"), (&doctor, "NS-1"), (&tablet, "NS-1")] {
        let texts = phone.texts(phone.with(other)).await;
        let once: BTreeSet<String> = texts.iter().cloned().collect();
        let missing: Vec<_> = expected.difference(&once).collect();
        let refusals = phone.refusals().await;
        assert!(missing.is_empty(), "{missing:?} lost, refused {refusals:?}");
        assert_eq!(texts.len(), expected.len(), "something is there twice");
        assert_eq!(phone.client.sync_once().await.unwrap().waiting, 0);
        assert_eq!(phone.client.check_audit().await.unwrap(), None);
    }
    all_delivered(&nurse, &to_doctor, "DR-1").await;
    all_delivered(&doctor, &to_nurse, "NS-1").await;
}

async fn all_delivered(author: &Phone, messages: &[MessageId], person: &str) {
    for message in messages {
        let people = author.client.deliveries(*message).await.unwrap();
        let reader = people.iter().find(|reader| reader.user.as_str() == person);
        for device in &reader.unwrap().devices {
            assert_eq!(device.state, DeliveryState::Delivered, "{message:?}");
        }
    }
}

// scenario: corrupted-traffic, foreign-transport
#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once_over_a_bad_line() {
    everything_arrives_once(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once_over_another_bad_line() {
    everything_arrives_once(20_260_721).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once_over_a_third_bad_line() {
    everything_arrives_once(0xdead_beef).await;
}

/// A nurse, a doctor and a pharmacist who have written to each other before.
struct Acquainted {
    _ward: Ward,
    nurse: Phone,
    doctor: Phone,
    pharmacist: Phone,
}

impl Acquainted {
    async fn meet() -> Self {
        let mut ward = Ward::open(&["NS-1", "DR-1", "PH-1"]).await;
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let pharmacist = ward.phone("PH-1").await;
        settle(&[&nurse, &doctor, &pharmacist], 1).await;
        for phone in [&nurse, &pharmacist] {
            let recipient = Recipient::Person(doctor.user.clone());
            phone.say(recipient, "Good morning").await;
        }
        settle(&[&nurse, &pharmacist, &doctor], 3).await;
        Self {
            _ward: ward,
            nurse,
            doctor,
            pharmacist,
        }
    }

    /// The nurse sends some messages; they wait at the relay.
    async fn send(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let recipient = Recipient::Person(self.doctor.user.clone());
            self.nurse.say(recipient, &text(number)).await;
        }
        self.nurse.client.sync_once().await.unwrap();
    }

    async fn arrived(&self) -> Vec<String> {
        let texts = self.doctor.texts(self.doctor.with("NS-1")).await;
        texts.into_iter().skip(1).collect()
    }

    /// Everybody sends and fetches until what can heal has healed.
    async fn heal(&self) {
        settle(&[&self.doctor, &self.nurse, &self.pharmacist], 4).await;
    }
}

/// The envelopes of an answer that carry a message.
fn messages(answer: &mut v1::ReceiveResponse) -> Vec<&mut v1::Envelope> {
    let envelopes = answer.envelopes.iter_mut();
    envelopes.filter(|e| !e.content.is_empty()).collect()
}

/// Changes the second message of the first answer that has one, and the same one ever after.
fn change_second(doctor: &Phone, change: impl Fn(&mut v1::Envelope) + Send + 'static) {
    let mut chosen: Option<Vec<u8>> = None;
    doctor.faults.meddle::<v1::ReceiveRequest>(move |answer| {
        let mut waiting = messages(answer);
        if chosen.is_none() {
            chosen = waiting.get(1).map(|envelope| envelope.envelope_id.clone());
        }
        let mine = |e: &&mut &mut v1::Envelope| Some(&e.envelope_id) == chosen.as_ref();
        if let Some(envelope) = waiting.iter_mut().find(mine) {
            change(envelope);
        }
    });
}

fn flip_last(bytes: &mut wardline_proto::Bytes) {
    let mut altered = bytes.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    *bytes = altered.into();
}

// scenario: corrupted-traffic
#[tokio::test(flavor = "multi_thread")]
async fn an_altered_content_is_refused_and_comes_again_whole() {
    let ward = Acquainted::meet().await;
    ward.send(0..3).await;
    change_second(&ward.doctor, |envelope| flip_last(&mut envelope.content));
    ward.doctor.client.sync_once().await.unwrap();
    assert_eq!(ward.doctor.refusals().await, ["WL-OPEN-CONTENT-ALTERED"]);
    assert_eq!(ward.arrived().await, [text(0), text(2)], "the neighbours");
    ward.doctor.faults.relent();
    ward.heal().await;
    assert_eq!(ward.arrived().await, [text(0), text(2), text(1)]);
    assert_eq!(ward.doctor.refusals().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_key_is_refused_and_comes_again_whole() {
    let ward = Acquainted::meet().await;
    ward.send(0..3).await;
    change_second(&ward.doctor, |envelope| {
        flip_last(&mut envelope.key.as_mut().unwrap().ciphertext);
    });
    ward.doctor.client.sync_once().await.unwrap();
    assert_eq!(ward.doctor.refusals().await, ["WL-OPEN-UNDECRYPTABLE"]);
    assert_eq!(ward.arrived().await, [text(0), text(2)], "the neighbours");
    ward.doctor.faults.relent();
    ward.heal().await;
    assert_eq!(ward.arrived().await, [text(0), text(2), text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_swapped_between_two_messages_are_refused_and_come_again() {
    let ward = Acquainted::meet().await;
    ward.send(0..3).await;
    ward.doctor.faults.meddle::<v1::ReceiveRequest>(|answer| {
        if let [first, second, ..] = messages(answer).as_mut_slice() {
            std::mem::swap(&mut first.content, &mut second.content);
        }
    });
    ward.doctor.client.sync_once().await.unwrap();
    let altered = "WL-OPEN-CONTENT-ALTERED";
    assert_eq!(ward.doctor.refusals().await, [altered, altered]);
    assert_eq!(ward.arrived().await, [text(2)]);
    ward.doctor.faults.relent();
    ward.heal().await;
    let texts: BTreeSet<String> = ward.arrived().await.into_iter().collect();
    assert_eq!(texts, (0..3).map(text).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_key_put_beside_another_message_is_refused() {
    let ward = Acquainted::meet().await;
    ward.send(0..3).await;
    let mut first_two: Option<(Option<v1::SealedKey>, Vec<u8>)> = None;
    ward.doctor
        .faults
        .meddle::<v1::ReceiveRequest>(move |answer| {
            let mut waiting = messages(answer);
            if let ([first, second, ..], None) = (waiting.as_slice(), &first_two) {
                first_two = Some((first.key.clone(), second.envelope_id.clone()));
            }
            let (key, second) = first_two.clone().unwrap_or_default();
            for envelope in waiting.iter_mut().filter(|e| e.envelope_id == second) {
                envelope.key.clone_from(&key);
            }
        });
    ward.doctor.client.sync_once().await.unwrap();
    assert_eq!(ward.doctor.refusals().await, ["WL-OPEN-UNDECRYPTABLE"]);
    assert_eq!(ward.arrived().await, [text(0), text(2)]);
    ward.doctor.faults.relent();
    ward.heal().await;
    assert_eq!(ward.arrived().await, [text(0), text(2), text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_under_another_name_is_refused_and_its_neighbours_arrive() {
    let ward = Acquainted::meet().await;
    ward.send(0..3).await;
    let pharmacist = ward.pharmacist.client.device().to_vec();
    change_second(&ward.doctor, move |envelope| {
        envelope.sender_device.clone_from(&pharmacist);
        envelope.sender_user_id = "PH-1".into();
    });
    ward.doctor.client.sync_once().await.unwrap();
    assert_eq!(ward.doctor.refusals().await, ["WL-OPEN-UNDECRYPTABLE"]);
    assert_eq!(ward.arrived().await, [text(0), text(2)]);
    let pharmacy = ward.doctor.texts(ward.doctor.with("PH-1")).await;
    assert_eq!(pharmacy, ["Good morning"], "nobody is quoted falsely");
    // The wrong sender is asked, has nothing of the kind, and both go on with a new session.
    ward.doctor.faults.relent();
    ward.heal().await;
    let recipient = Recipient::Person(ward.doctor.user.clone());
    ward.pharmacist.say(recipient, &text(9)).await;
    ward.heal().await;
    let pharmacy = ward.doctor.texts(ward.doctor.with("PH-1")).await;
    assert_eq!(pharmacy, ["Good morning".to_owned(), text(9)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_of_a_device_that_nobody_lists_is_refused() {
    let ward = Acquainted::meet().await;
    ward.send(0..3).await;
    change_second(&ward.doctor, |envelope| {
        envelope.sender_device = vec![7; 16];
    });
    ward.doctor.client.sync_once().await.unwrap();
    assert_eq!(ward.doctor.refusals().await, ["WL-OPEN-UNKNOWN-SENDER"]);
    assert_eq!(ward.arrived().await, [text(0), text(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_envelopes_are_passed_over() {
    let ward = Acquainted::meet().await;
    ward.send(0..2).await;
    // Every envelope that was ever handed out comes again with every answer, under new numbers.
    let mut seen: Vec<v1::Envelope> = Vec::new();
    ward.doctor
        .faults
        .meddle::<v1::ReceiveRequest>(move |answer| {
            let fresh = answer.envelopes.clone();
            for mut old in seen.clone() {
                answer.last_sequence += 1;
                old.sequence = answer.last_sequence;
                answer.envelopes.push(old);
            }
            seen.extend(fresh);
        });
    for number in 2..5 {
        ward.doctor.client.sync_once().await.unwrap();
        ward.send(number..number + 1).await;
    }
    ward.doctor.faults.relent();
    ward.heal().await;
    assert_eq!(ward.arrived().await, (0..5).map(text).collect::<Vec<_>>());
    assert!(ward.doctor.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_in_another_order_all_arrive() {
    let ward = Acquainted::meet().await;
    ward.send(0..20).await;
    ward.doctor.faults.meddle::<v1::ReceiveRequest>(|answer| {
        let numbers: Vec<u64> = answer.envelopes.iter().map(|e| e.sequence).collect();
        answer.envelopes.reverse();
        for (envelope, number) in answer.envelopes.iter_mut().zip(numbers) {
            envelope.sequence = number;
        }
    });
    ward.doctor.client.sync_once().await.unwrap();
    let texts: BTreeSet<String> = ward.arrived().await.into_iter().collect();
    assert_eq!(texts, (0..20).map(text).collect());
    assert!(ward.doctor.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_far_ahead_acknowledges_nothing_and_is_forgotten() {
    let ward = Acquainted::meet().await;
    ward.send(0..2).await;
    ward.doctor.faults.meddle::<v1::ReceiveRequest>(|answer| {
        if let Some(last) = answer.envelopes.last_mut() {
            last.sequence = 1 << 60;
        }
    });
    let refused = ward.doctor.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-NET-BAD-ANSWER");
    assert!(ward.arrived().await.is_empty());
    // Even when both numbers agree, an honest relay brings everything that is left.
    ward.doctor.faults.meddle::<v1::ReceiveRequest>(|answer| {
        if let Some(last) = answer.envelopes.last_mut() {
            last.sequence = 1 << 60;
            answer.last_sequence = 1 << 60;
        }
    });
    let _ = ward.doctor.client.sync_once().await;
    ward.doctor.faults.relent();
    ward.send(2..4).await;
    ward.heal().await;
    assert_eq!(ward.arrived().await, (0..4).map(text).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_confirms_nothing_does_not_keep_a_round_running() {
    let ward = Acquainted::meet().await;
    ward.nurse
        .faults
        .meddle::<v1::SendRequest>(|answer| answer.outcomes.clear());
    let recipient = Recipient::Person(ward.doctor.user.clone());
    ward.nurse.say(recipient, &text(0)).await;
    let refused = ward.nurse.client.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "WL-NET-BAD-ANSWER");
    ward.nurse.faults.relent();
    ward.heal().await;
    assert_eq!(ward.arrived().await, [text(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_ends_though_the_relay_names_a_new_mailbox_every_time() {
    let ward = Acquainted::meet().await;
    ward.send(0..1).await;
    let mut number = 0_u128;
    ward.doctor
        .faults
        .meddle::<wardline_proto::v1::ReceiveRequest>(move |answer| {
            number += 1;
            answer.epoch = number.to_be_bytes().to_vec();
            answer.more = true;
            for envelope in &mut answer.envelopes {
                envelope.sequence += u64::try_from(number).unwrap();
                answer.last_sequence = envelope.sequence;
            }
        });
    let round = tokio::time::timeout(Duration::from_secs(60), ward.doctor.client.sync_once());
    let refused = round.await.expect("it does not end").unwrap_err();
    assert_eq!(refused.code(), "WL-NET-BAD-ANSWER");
    ward.doctor.faults.relent();
    ward.heal().await;
    assert_eq!(ward.arrived().await, [text(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_round_does_not_wait_for_the_loops_poll() {
    let ward = Acquainted::meet().await;
    ward.doctor.client.start().unwrap();
    for _ in 0..500 {
        if ward.doctor.faults.methods().ends_with(&["Receive".into()]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The loop is where it waits for news now.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let round = tokio::time::timeout(Duration::from_secs(20), ward.doctor.client.sync_once());
    round.await.expect("it waits").unwrap();
    ward.send(0..1).await;
    for _ in 0..1000 {
        if ward.arrived().await.len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ward.arrived().await, [text(0)], "the loop goes on");
}
