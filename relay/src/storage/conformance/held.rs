//! What is held is released once, or stopped, and never both.

use std::time::Duration;

use futures_util::future::join_all;
use wardline_org::{Hash, RoleId, UserId};
use wardline_proto::v1::{WakeClass, envelope::Notice};

use super::*;
use crate::storage::{
    DepositId, HeldAct, HeldAnswer, HeldOutcome, HeldRef, NewDeposit, NewTier, Release,
    ReleaseBatch, Released, StorageError,
};

pub async fn what_is_held_and_what_was_released_survive_a_power_cut(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3), device(4)])).await;
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    assert_eq!(storage.next_due(org).await.unwrap(), Some(NOW + MINUTE));
    let early = NOW + MINUTE - Duration::from_millis(1);
    assert!(storage.held_due(org, early, 10).await.unwrap().is_empty());
    let due = storage.held_due(org, NOW + MINUTE, 10).await.unwrap();
    let [tier] = due.as_slice() else {
        panic!("{due:?}");
    };
    assert_eq!((tier.held, tier.tier), (held(1), 0));
    assert_eq!(tier.due_at, NOW + MINUTE);
    assert_eq!((&tier.users, &tier.roles), (&vec![user()], &vec![role()]));
    assert_eq!(tier.devices, [device(3)]);
    assert_eq!(tier.wake, WakeClass::Critical);

    let released = release(&*storage, org, 1, 0, device(3)).await.unwrap();
    let expected = Released {
        given: vec![device(3)],
        full: Vec::new(),
        due_at: NOW + MINUTE,
        next_due: Some(LATER + MINUTE),
    };
    assert_eq!(released, expected);
    shelf.cut_power().await;
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    assert_eq!(release(&*storage, org, 1, 0, device(3)).await, None);
    let page = receive(&*storage, org, device(3)).await;
    let [given] = page.envelopes.as_slice() else {
        panic!("{page:?}");
    };
    assert_eq!(given.envelope, envelope(1001));
    assert_eq!((given.sender, given.accepted_at), (device(1), LATER));
    assert_eq!(given.content.as_ref(), b"held");
    assert_eq!(given.delivery.suite, Suite::HpkeHold);
    assert_eq!(given.delivery.ciphertext.as_ref(), device(3).as_bytes());
    assert_eq!(given.notice, None);
    let page = receive(&*storage, org, device(1)).await;
    let [told] = page.envelopes.as_slice() else {
        panic!("{page:?}");
    };
    let Some(Notice::Released(notice)) = &told.notice else {
        panic!("{told:?}");
    };
    assert_eq!((notice.tier, notice.at_ms), (0, LATER.as_millis()));
    assert_eq!(notice.device_ids, [device(3).to_vec()]);
    assert_eq!((told.sender, told.accepted_at), (device(1), LATER));
    assert!(told.content.is_empty());
}

pub async fn tier_is_released_once_by_many_at_the_same_time(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3), device(4)])).await;
    let all = join_all((0..10).map(|_| release(&*storage, org, 1, 0, device(3)))).await;
    assert_eq!(all.iter().flatten().count(), 1);
    assert_eq!(sequences(&receive(&*storage, org, device(3)).await), [1]);
    assert_eq!(sequences(&receive(&*storage, org, device(1)).await), [1]);
    assert!(
        receive(&*storage, org, device(4))
            .await
            .envelopes
            .is_empty()
    );
    // A tier that is not the next one is not released.
    assert_eq!(release(&*storage, org, 1, 2, device(4)).await, None);
    let last = release(&*storage, org, 1, 1, device(4)).await.unwrap();
    assert_eq!(last.next_due, None);
    assert_eq!(storage.next_due(org).await.unwrap(), None);
}

pub async fn answer_and_what_it_stops_are_one(shelf: &impl Shelf) {
    let mut storage = shelf.open().await;
    let mut org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3), device(4)])).await;
    for power_cut in [false, true] {
        if power_cut {
            shelf.cut_power().await;
            storage = shelf.open().await;
            org = mercy(&*storage).await;
        }
        let (done, fresh) = stop(&*storage, org, 9).await;
        assert_eq!((done, fresh), (true, !power_cut));
        assert_eq!(release(&*storage, org, 1, 0, device(3)).await, None);
        assert_eq!(storage.next_due(org).await.unwrap(), None);
        let known = storage.deposit(org, held(1)).await.unwrap().unwrap();
        assert_eq!(known.next, None);
        let page = receive(&*storage, org, device(1)).await;
        let [answer, told] = page.envelopes.as_slice() else {
            panic!("{page:?}");
        };
        assert_eq!(answer.content.as_ref(), b"answer");
        assert!(
            matches!(&told.notice, Some(Notice::Stopped(s)) if s.by_device == device(2).to_vec())
        );
        // Another answer is taken, and has stopped nothing.
        assert!(!stop(&*storage, org, 10).await.0);
        let withdrawn = storage.withdraw(org, device(2), envelope(10)).await;
        assert_eq!(withdrawn.unwrap(), [device(1)]);
    }
}

pub async fn answer_and_release_at_the_same_time_have_one_winner(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    for number in 1..=20_u16 {
        let mut message = alarm(number, &[device(3)]);
        message.digest = Hash::of(&number.to_be_bytes());
        send(&*storage, org, device(1), message).await;
        let answer = answered(number, 200 + number, HeldAct::Stop, ROOMY);
        let stop = async { storage.answer_held(org, answer).await.unwrap() };
        let (stopped, released) = if number % 2 == 0 {
            futures_util::join!(stop, release(&*storage, org, number, 0, device(3)))
        } else {
            let release = release(&*storage, org, number, 0, device(3));
            let (released, stopped) = futures_util::join!(release, stop);
            (stopped, released)
        };
        let HeldOutcome::Taken { done, .. } = stopped else {
            panic!("{stopped:?}");
        };
        assert_ne!(done, released.is_some(), "{number}");
    }
}

pub async fn declined_tier_is_released_with_the_answer_once(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3), device(4)])).await;
    let advance = |answer: u16, tier: u32| {
        let release = releasing(1, tier, device(3));
        let act = HeldAct::Advance(tier, Some(release));
        let answer = answered(1, answer, act, ROOMY);
        let storage = &storage;
        async move {
            match storage.answer_held(org, answer).await.unwrap() {
                HeldOutcome::Taken { done, released, .. } => (done, released.is_some()),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(advance(9, 1).await, (false, false), "not the next one");
    assert_eq!(advance(10, 0).await, (true, true));
    assert_eq!(advance(10, 0).await, (true, false), "the same answer again");
    assert_eq!(advance(11, 0).await, (false, false), "somebody else's");
    assert_eq!(sequences(&receive(&*storage, org, device(3)).await), [1]);
    assert_eq!(storage.next_due(org).await.unwrap(), Some(LATER + MINUTE));
}

pub async fn answer_without_room_stops_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3)])).await;
    let before = storage.usage().await.unwrap();
    let none = MailboxLimits {
        envelopes: 0,
        ..ROOMY
    };
    let answer = answered(1, 9, HeldAct::Stop, none);
    let outcome = storage.answer_held(org, answer).await.unwrap();
    assert_eq!(outcome, HeldOutcome::Full);
    assert_eq!(storage.usage().await.unwrap(), before);
    assert_eq!(storage.checkpoint(org, device(2), 0).await.unwrap(), 0);
    assert_eq!(stop(&*storage, org, 9).await, (true, true));
}

pub async fn answer_under_a_used_name_stops_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3)])).await;
    send(
        &*storage,
        org,
        device(2),
        submission(9, b"other", &[device(1)]),
    )
    .await;
    let answer = answered(1, 9, HeldAct::Stop, ROOMY);
    let outcome = storage.answer_held(org, answer).await.unwrap();
    assert_eq!(outcome, HeldOutcome::Conflict(envelope(9)));
    assert!(storage.next_due(org).await.unwrap().is_some());
}

pub async fn deposit_of_another_organization_is_another_one(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let other = storage
        .organization(&"other".parse().unwrap())
        .await
        .unwrap();
    send(&*storage, org, device(1), alarm(1, &[device(3)])).await;
    assert!(storage.deposit(other, held(1)).await.unwrap().is_none());
    assert_eq!(storage.next_due(other).await.unwrap(), None);
    assert_eq!(release(&*storage, other, 1, 0, device(3)).await, None);
    assert!(!stop(&*storage, other, 9).await.0);
    send(&*storage, other, device(1), alarm(1, &[device(4)])).await;
    let known = storage.deposit(org, held(1)).await.unwrap().unwrap();
    assert_eq!(known.held_for, [device(3)]);
    assert_eq!(known.recipients, [device(2)]);
}

pub async fn deposit_that_cannot_be_kept_stores_nothing(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3)])).await;
    let before = storage.usage().await.unwrap();
    let plain = || submission(50, b"plain", &[device(2)]);

    let mut same_deposit = alarm(2, &[device(3)]);
    same_deposit.deposit.as_mut().unwrap().deposit = held(1).deposit;
    let mut same_tier = alarm(3, &[device(3)]);
    same_tier.deposit.as_mut().unwrap().tiers[0].envelope = envelope(1001);
    for conflict in [same_deposit, same_tier] {
        let name = conflict.envelope;
        let answer = storage.send(org, batch(device(1), vec![plain(), conflict]));
        assert_eq!(answer.await.unwrap(), SendAnswer::Conflict(name));
    }
    let taken = submission(1001, b"plain", &[device(2)]);
    let answer = storage.send(org, batch(device(1), vec![plain(), taken]));
    assert_eq!(answer.await.unwrap(), SendAnswer::Conflict(envelope(1001)));

    let more = (2..=4).map(|number| alarm(number, &[device(3)]));
    let mut too_many = batch(device(1), more.chain([plain()]).collect());
    too_many.deposits = 3;
    let answer = storage.send(org, too_many.clone()).await.unwrap();
    assert_eq!(answer, SendAnswer::TooManyDeposits);
    assert_eq!(storage.usage().await.unwrap(), before);
    // What has ended counts no more.
    release(&*storage, org, 1, 0, device(3)).await.unwrap();
    let answer = storage.send(org, too_many).await.unwrap();
    assert!(matches!(answer, SendAnswer::Accepted(_)));
}

pub async fn content_is_kept_once_for_all_tiers_and_deleted_when_it_is_over(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    let mut message = alarm(1, &[device(3), device(4)]);
    message.content = Bytes::new();
    send(&*storage, org, device(1), message).await;
    let usage = storage.usage().await.unwrap();
    assert_eq!(
        (usage.deposits, usage.contents, usage.content_bytes),
        (1, 1, 4)
    );
    for (tier, to) in [(0, device(3)), (1, device(4))] {
        release(&*storage, org, 1, tier, to).await.unwrap();
        let page = receive(&*storage, org, to).await;
        assert_eq!(page.envelopes[0].content.as_ref(), b"held");
        assert_eq!(storage.usage().await.unwrap().contents, 1);
        acknowledge(&*storage, org, to, page.epoch, 1).await;
    }
    let usage = storage.usage().await.unwrap();
    assert_eq!((usage.deposits, usage.contents), (0, 0));
}

pub async fn deposit_is_deleted_after_its_end_and_not_while_it_waits(shelf: &impl Shelf) {
    let storage = shelf.open().await;
    let org = mercy(&*storage).await;
    send(&*storage, org, device(1), alarm(1, &[device(3), device(4)])).await;
    release(&*storage, org, 1, 0, device(3)).await.unwrap();
    let later = cutoffs(LATER + 10 * MINUTE);
    expire_all(&*storage, later).await.unwrap();
    assert!(storage.deposit(org, held(1)).await.unwrap().is_some());
    release(&*storage, org, 1, 1, device(4)).await.unwrap();
    expire_all(&*storage, later).await.unwrap();
    assert!(storage.deposit(org, held(1)).await.unwrap().is_none());
    let usage = storage.usage().await.unwrap();
    assert_eq!((usage.envelopes, usage.contents), (0, 0));
    assert!(
        receive(&*storage, org, device(3))
            .await
            .envelopes
            .is_empty()
    );
}

async fn expire_all(storage: &dyn Storage, cutoffs: Cutoffs) -> Result<(), StorageError> {
    while storage.expire(cutoffs).await?.more {}
    Ok(())
}

/// A message to device 2 with one tier for each of these devices, a minute after the other.
fn alarm(number: u16, tiers: &[DeviceId]) -> NewSubmission {
    let mut message = submission(number, b"alarm", &[device(2)]);
    let tiers = tiers.iter().zip(1..).map(|(to, tier)| NewTier {
        envelope: envelope(1000 * number + tier),
        wait: MINUTE,
        not_before: Timestamp::default(),
        users: vec![user()],
        roles: vec![role()],
        keys: vec![Delivery {
            device: *to,
            suite: Suite::HpkeHold,
            olm_type: 0,
            ciphertext: Bytes::copy_from_slice(to.as_bytes()),
        }],
        wake: WakeClass::Critical,
    });
    message.deposit = Some(NewDeposit {
        deposit: held(number).deposit,
        stop_hash: Hash::of(b"secret"),
        content: Bytes::from_static(b"held"),
        tiers: tiers.collect(),
    });
    message
}

fn held(number: u16) -> HeldRef {
    let mut deposit = [0; 16];
    deposit[..2].copy_from_slice(&number.to_be_bytes());
    HeldRef {
        sender: device(1),
        deposit: DepositId(deposit),
    }
}

fn releasing(number: u16, tier: u32, to: DeviceId) -> Release {
    Release {
        held: held(number),
        tier,
        give: vec![to],
        tell: Vec::new(),
        due_roles: Vec::new(),
    }
}

async fn release(
    storage: &dyn Storage,
    org: OrgKey,
    number: u16,
    tier: u32,
    to: DeviceId,
) -> Option<Released> {
    let batch = ReleaseBatch {
        at: LATER,
        mailbox: ROOMY,
        releases: vec![releasing(number, tier, to)],
    };
    storage.release(org, batch).await.unwrap().remove(0)
}

/// Device 2 answers device 1.
fn answered(number: u16, name: u16, act: HeldAct, mailbox: MailboxLimits) -> HeldAnswer {
    let mut answer = batch(device(2), vec![submission(name, b"answer", &[device(1)])]);
    answer.at = LATER;
    answer.checkpoint = 5;
    answer.mailbox = mailbox;
    HeldAnswer {
        held: held(number),
        answer,
        reaches: Some(device(1)),
        act,
    }
}

/// Answers whether it has stopped the first alarm, and whether the answer was new.
async fn stop(storage: &dyn Storage, org: OrgKey, name: u16) -> (bool, bool) {
    let answer = answered(1, name, HeldAct::Stop, ROOMY);
    match storage.answer_held(org, answer).await.unwrap() {
        HeldOutcome::Taken { outcome, done, .. } => (done, outcome.fresh),
        other => panic!("{other:?}"),
    }
}

fn user() -> UserId {
    "cara".parse().unwrap()
}

fn role() -> RoleId {
    "on-call".parse().unwrap()
}

const MINUTE: Duration = Duration::from_secs(60);
const LATER: Timestamp = Timestamp::from_millis(NOW.as_millis() + 90_000);
