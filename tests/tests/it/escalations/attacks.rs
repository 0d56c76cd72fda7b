//! What a relay gone bad, a colleague with a changed client and the way in between do to an escalation.

use wardline_proto::Message as _;
use wardline_tests::Faults;

use super::*;

impl Scene {
    /// Everybody has looked up the nurse: what is planted needs nobody's entry first.
    async fn met() -> Self {
        let scene = Self::open().await;
        for phone in [&scene.doctor, &scene.second, &scene.third] {
            phone.say(to(&scene.nurse), "Good morning").await;
        }
        scene.settle().await;
        scene
    }
}

/// What a relay that keeps everything has seen of the deposit.
fn deposit_seen(faults: &Faults) -> Arc<std::sync::Mutex<Option<v1::Submission>>> {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let keep = Arc::clone(&seen);
    faults.refuse::<v1::SendRequest>(RelayCode::Quota, move |call| {
        let mut with = call.submissions.into_iter().filter(|s| s.deposit.is_some());
        if let Some(submission) = with.next() {
            *keep.lock().unwrap() = Some(submission);
        }
        false
    });
    seen
}

/// The envelope that a relay makes of a tier for one device, whenever it likes.
fn released(
    scene: &Scene,
    seen: &v1::Submission,
    tier: usize,
    phone: &Phone,
    sequence: u64,
) -> v1::Envelope {
    let deposit = seen.deposit.clone().unwrap();
    let tier = deposit.tiers[tier].clone();
    let device = phone.client.device();
    let mut keys = tier.keys.iter();
    let key = keys.find(|key| key.device_id == device.to_vec());
    v1::Envelope {
        sequence,
        envelope_id: tier.envelope_id,
        sender_device: scene.nurse.client.device().to_vec(),
        accepted_at_ms: scene.clock.now().as_millis(),
        key: Some(key.or(tier.keys.first()).unwrap().clone()),
        content: deposit.content.into(),
        sender_user_id: scene.nurse.user.to_string(),
        notice: None,
    }
}

/// The relay puts these envelopes into the next answer to a phone.
fn plant(phone: &Phone, envelopes: Vec<v1::Envelope>) {
    let mut envelopes = Some(envelopes);
    phone.faults.meddle::<v1::ReceiveRequest>(move |answer| {
        let Some(envelopes) = envelopes.take() else {
            return;
        };
        let mut next = answer.last_sequence.max(1_000);
        for mut envelope in envelopes {
            next += 1;
            envelope.sequence = next;
            answer.envelopes.push(envelope);
        }
        answer.last_sequence = next;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn released_too_early_it_is_kept_and_noted_and_released_twice_it_is_told_once() {
    let scene = Scene::met().await;
    let seen = deposit_seen(&scene.nurse.faults);
    let message = scene
        .raise(vec![after(60 * MINUTE, &[&scene.second])])
        .await;
    let seen = seen.lock().unwrap().clone().unwrap();
    let audited = wardline::testing::rows(&scene.second.client, "audit", "action").await;
    assert!(!audited.unwrap().contains(&DOUBTFUL.to_owned()));
    let early = released(&scene, &seen, 0, &scene.second, 0);
    plant(&scene.second, vec![early.clone(), early.clone()]);
    assert_eq!(given(&scene.second).await, [text(1)]);
    plant(&scene.second, vec![early]);
    assert_eq!(given(&scene.second).await, [text(1)]);
    assert_eq!(escalated(&scene.second).await, [0]);
    let audited = wardline::testing::rows(&scene.second.client, "audit", "action").await;
    assert!(audited.unwrap().contains(&DOUBTFUL.to_owned()));
    // Its author finds out, from what the relay itself says.
    let notice = v1::Envelope {
        key: None,
        content: Vec::new().into(),
        notice: Some(v1::envelope::Notice::Released(v1::Released {
            deposit_id: seen.deposit.clone().unwrap().deposit_id,
            tier: 0,
            at_ms: scene.clock.now().as_millis(),
            device_ids: vec![scene.second.client.device().to_vec()],
            ..Default::default()
        })),
        ..released(&scene, &seen, 0, &scene.second, 0)
    };
    plant(&scene.nurse, vec![notice.clone(), notice]);
    scene.nurse.client.sync_once().await.unwrap();
    let status = scene.status(&scene.nurse, message).await;
    assert!(status.tiers[0].early);
    assert_eq!(escalated(&scene.nurse).await, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_opens_what_was_held_for_another_device_tier_or_message() {
    let scene = Scene::met().await;
    let seen = deposit_seen(&scene.nurse.faults);
    scene
        .raise(vec![
            after(MINUTE, &[&scene.second]),
            after(MINUTE, &[&scene.third]),
        ])
        .await;
    let first = seen.lock().unwrap().clone().unwrap();
    // The key of another device; a key of another tier under this one's name; an altered content; another sender.
    let strangers = released(&scene, &first, 0, &scene.third, 0);
    let mut renamed = released(&scene, &first, 1, &scene.third, 0);
    renamed.envelope_id = strangers.envelope_id.clone();
    let mut altered = released(&scene, &first, 1, &scene.third, 0);
    let mut bytes = altered.content.to_vec();
    bytes[7] ^= 1;
    altered.content = bytes.into();
    let mut borrowed = released(&scene, &first, 1, &scene.third, 0);
    borrowed.sender_device = scene.doctor.client.device().to_vec();
    borrowed.sender_user_id = scene.doctor.user.to_string();
    for envelope in [strangers, renamed, altered, borrowed] {
        let again = std::iter::repeat_n(envelope, 1).collect::<Vec<_>>();
        for _ in 0..6 {
            plant(&scene.third, again.clone());
            let _ = scene.third.client.sync_once().await;
        }
        assert!(incoming(&scene.third).await.is_empty());
        assert!(scene.third.texts(scene.third.with("DR-1")).await.is_empty());
    }
    assert!(escalated(&scene.third).await.is_empty());
    assert!(!scene.third.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_may_not_stop_it_is_sent_all_the_same_and_the_alarm_goes_on() {
    let scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    scene
        .doctor
        .faults
        .refuse::<v1::CancelRequest>(RelayCode::HeldProof, |_| true);
    accept(&scene.doctor, message).await;
    scene.settle().await;
    assert!(
        !is_open(&scene.nurse, message).await,
        "the answer is not lost"
    );
    let goes_on = |event: &Event| matches!(event, Event::EscalationGoesOn { code, .. } if code == "WL-RELAY-HELD-PROOF");
    assert!(scene.doctor.events().await.iter().any(goes_on));
    scene.pass(MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn alarm_goes_on_and_the_answer_leaves_when_the_authors_mailbox_is_full() {
    let scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    scene
        .doctor
        .faults
        .refuse::<v1::CancelRequest>(RelayCode::Quota, |_| true);
    let answered = scene
        .doctor
        .client
        .answer(message, Verdict::Accepted, "going");
    answered.await.unwrap();
    // Once it is tried again.
    assert!(scene.doctor.client.sync_once().await.is_err());
    scene.doctor.client.sync_once().await.unwrap();
    scene.settle().await;
    assert!(!is_open(&scene.nurse, message).await);
    scene.pass(MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_whose_reply_is_lost_stops_it_once_and_is_there_once() {
    let mut scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    let answered = scene
        .doctor
        .client
        .answer(message, Verdict::Accepted, "going");
    answered.await.unwrap();
    scene
        .doctor
        .faults
        .meddle::<v1::CancelRequest>(|answer| answer.outcome = None);
    assert!(scene.doctor.client.sync_once().await.is_err());
    scene.doctor = scene.ward.reconnect(scene.doctor).await;
    scene.doctor.unlock().await;
    scene.doctor.client.sync_once().await.unwrap();
    scene.settle().await;
    assert_eq!(scene.nurse.client.answers(message).await.unwrap().len(), 1);
    scene.pass(60 * MINUTE).await;
    assert!(given(&scene.second).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_and_time_that_meet_leave_nothing_open() {
    let scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    let answered = scene
        .doctor
        .client
        .answer(message, Verdict::Accepted, "going");
    answered.await.unwrap();
    scene.clock.advance(MINUTE);
    let (answer, ()) = tokio::join!(scene.doctor.client.sync_once(), scene.ward.release());
    answer.unwrap();
    scene.settle().await;
    scene.settle().await;
    assert!(!is_open(&scene.nurse, message).await);
    let texts = given(&scene.second).await;
    assert!(texts.len() <= 1);
    if !texts.is_empty() {
        assert!(
            !is_open(&scene.second, message).await,
            "whoever was given it knows"
        );
    }
    assert!(scene.second.refusals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn colleague_who_was_not_asked_closes_nothing() {
    let scene = Scene::open().await;
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    scene.pass(MINUTE).await;
    assert_eq!(given(&scene.second).await, [text(1)]);
    // The third knows of it only by hearsay: there is nothing here to answer.
    let answered = scene
        .third
        .client
        .answer(message, Verdict::Accepted, "mine");
    assert_eq!(answered.await.unwrap_err().code(), "WL-UNKNOWN");
    assert!(is_open(&scene.nurse, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_that_invents_notices_changes_no_message() {
    let scene = Scene::met().await;
    let seen = deposit_seen(&scene.nurse.faults);
    let message = scene
        .raise(vec![after(60 * MINUTE, &[&scene.second])])
        .await;
    let seen = seen.lock().unwrap().clone().unwrap();
    let deposit_id = seen.deposit.clone().unwrap().deposit_id;
    let say = |notice| v1::Envelope {
        key: None,
        content: Vec::new().into(),
        notice: Some(notice),
        ..released(&scene, &seen, 0, &scene.second, 0)
    };
    use v1::envelope::Notice;
    let stranger = v1::Released {
        deposit_id: deposit_id.clone(),
        tier: 0,
        at_ms: (scene.clock.now() + 60 * MINUTE).as_millis(),
        device_ids: vec![scene.third.client.device().to_vec(), vec![1, 2]],
        ..Default::default()
    };
    let other_tier = v1::Released {
        tier: 9,
        ..stranger.clone()
    };
    let nobody = v1::Stopped {
        deposit_id: deposit_id.clone(),
        by_device: vec![1; 3],
        at_ms: 1,
    };
    let unknown = v1::Stopped {
        deposit_id: vec![0; 16],
        by_device: vec![1; 16],
        at_ms: 1,
    };
    plant(
        &scene.nurse,
        vec![
            say(Notice::Released(stranger)),
            say(Notice::Released(other_tier)),
            say(Notice::Stopped(nobody)),
            say(Notice::Stopped(unknown)),
            say(Notice::Due(v1::Due::default())),
        ],
    );
    scene.nurse.client.sync_once().await.unwrap();
    let status = scene.status(&scene.nurse, message).await;
    assert!(
        status.tiers[0].given_to.is_empty(),
        "it was not sealed for the third"
    );
    assert_eq!(status.stopped, None);
    assert!(is_open(&scene.nurse, message).await);
    let audited = wardline::testing::rows(&scene.nurse.client, "audit", "action").await;
    assert!(audited.unwrap().contains(&DOUBTFUL.to_owned()));
    // Somebody else's are not for us.
    plant(
        &scene.doctor,
        vec![say(Notice::Due(v1::Due {
            deposit_id: deposit_id.clone(),
            tier: 0,
            role_id: "icu".into(),
        }))],
    );
    scene.doctor.client.sync_once().await.unwrap();
    assert!(is_open(&scene.doctor, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_when_it_is_given_is_sealed_again_by_its_author() {
    let scene = Scene::met().await;
    scene.second.faults.meddle::<v1::ReceiveRequest>(|answer| {
        for envelope in &mut answer.envelopes {
            let held = |key: &&mut v1::SealedKey| key.suite == i32::from(v1::Suite::HpkeHold);
            if let Some(key) = envelope.key.as_mut().filter(held) {
                key.ciphertext = vec![1; key.ciphertext.len()].into();
            }
        }
    });
    let message = scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    scene.pass(MINUTE).await;
    for _ in 0..5 {
        scene.settle().await;
    }
    assert_eq!(incoming(&scene.second).await, [text(1)]);
    accept(&scene.second, message).await;
    scene.settle().await;
    assert!(!is_open(&scene.nurse, message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secret_nor_text_is_in_what_the_relay_holds() {
    let scene = Scene::open().await;
    let seen = deposit_seen(&scene.nurse.faults);
    scene.raise(vec![after(MINUTE, &[&scene.second])]).await;
    let seen = seen.lock().unwrap().clone().unwrap().encode_to_vec();
    let stored = wardline::testing::rows(&scene.nurse.client, "escalation", "plan").await;
    let digits = stored.unwrap().remove(0).into_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let plan: Vec<u8> = digits.chunks(2).map(byte).collect();
    let plan = v1::Escalation::decode(plan.as_slice()).unwrap();
    let holds = |needle: &[u8]| seen.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(&plan.stop_secret) && !holds(text(1).as_bytes()));
    assert!(holds(&plan.deposit_id));
}

/// How the audit numbers what contradicts the relay's word, or the author's time.
const DOUBTFUL: &str = "79";
