use proptest::prelude::*;
use wardline_org::Hash;
use wardline_org::head::{Head, SignedHead};
use wardline_org::log::{HeadLog, History, verify_history};

use crate::hospital::{org, sign_head};
use crate::support::start;

/// `count` heads that follow each other; every chain with another `seed` is another history.
fn chain(count: u64, seed: u64) -> Vec<SignedHead> {
    extend(Vec::new(), count, seed)
}

fn extend(mut heads: Vec<SignedHead>, count: u64, seed: u64) -> Vec<SignedHead> {
    let mut log = HeadLog::new(heads.iter().map(SignedHead::hash));
    while (heads.len() as u64) < count {
        let head = sign_head(&Head {
            org: org(),
            version: heads.len() as u64 + 1,
            issued_at: start(),
            expires_at: start() + std::time::Duration::from_secs(60),
            entries_count: 0,
            entries_root: Hash::of(&seed.to_be_bytes()),
            policy_hash: Hash::of(b"policy"),
            heads_root: log.root(),
        });
        log.push(head.hash());
        heads.push(head);
    }
    heads
}

/// The log that the keeper of this chain has: all but the newest.
fn log(heads: &[SignedHead]) -> HeadLog {
    HeadLog::new(heads[..heads.len() - 1].iter().map(SignedHead::hash))
}

fn holds(newest: &SignedHead, known: &SignedHead, history: &History) -> bool {
    verify_history(newest.head(), known, history).is_ok()
}

#[test]
fn every_earlier_head_is_proven_and_the_current_one_needs_no_proof() {
    let heads = chain(20, 0);
    let newest = heads.last().unwrap();
    for known in &heads[..19] {
        let history = log(&heads).prove(known.head().version).unwrap();
        assert!(
            holds(newest, known, &history),
            "version {}",
            known.head().version
        );
    }
    assert_eq!(log(&heads).prove(20), None);
    assert_eq!(log(&heads).prove(0), None);
}

#[test]
fn a_head_that_was_taken_back_is_noticed() {
    let shown = chain(5, 0);
    // The relay continues another history in which the fifth head never was.
    let other = extend(shown[..4].to_vec(), 9, 1);
    let history = log(&other).prove(5).unwrap();
    assert!(!holds(other.last().unwrap(), &shown[4], &history));
}

#[test]
fn an_exchanged_head_before_the_known_one_is_noticed() {
    // The known head is in the new log, at its place, but what was before it is not what it names.
    let shown = chain(5, 0);
    let mut hashes: Vec<Hash> = shown.iter().map(SignedHead::hash).collect();
    hashes[1] = Hash::of(b"another second head");
    let forged_log = HeadLog::new(hashes);
    let newest = sign_head(&Head {
        version: 6,
        heads_root: forged_log.root(),
        ..shown[4].head().clone()
    });
    let history = forged_log.prove(5).unwrap();
    assert!(!holds(&newest, &shown[4], &history));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_mutated_history_is_refused(
        count in 2_u64..24,
        known in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
        index in any::<u64>(),
    ) {
        let heads = chain(count, 0);
        let newest = heads.last().unwrap();
        let known = &heads[known.index(heads.len() - 1)];
        let history = log(&heads).prove(known.head().version).unwrap();
        prop_assert!(holds(newest, known, &history));

        let mut longer = history.clone();
        longer.consistency.extend([0; 32]);
        prop_assert!(!holds(newest, known, &longer));
        if index != history.known_head.index {
            let mut moved = history.clone();
            moved.known_head.index = index;
            prop_assert!(!holds(newest, known, &moved));
        }
        for (path, is_path) in
            [(&history.consistency, false), (&history.known_head.path, true)]
        {
            if path.is_empty() {
                continue;
            }
            let mut flipped = path.clone();
            let at = flip.index(flipped.len());
            flipped[at] ^= 1;
            let mut mutated = history.clone();
            *(if is_path { &mut mutated.known_head.path } else { &mut mutated.consistency }) = flipped;
            prop_assert!(!holds(newest, known, &mutated));
        }
        // Another head of the same version does not pass for it.
        let other = &chain(count, 7)[usize::try_from(known.head().version - 1).unwrap()];
        prop_assert!(!holds(newest, other, &history));
    }
}
