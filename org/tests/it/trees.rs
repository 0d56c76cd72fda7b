use std::collections::BTreeMap;

use proptest::prelude::*;
use wardline_org::tree::{BadProof, EntryTree, Place, TreeRoot};
use wardline_org::{EntryKey, Hash};
use wardline_proto::v1;

fn key(id: &str) -> EntryKey {
    format!("person/{id}").parse().unwrap()
}

fn hash(key: &EntryKey) -> Hash {
    Hash::of(key.to_string().as_bytes())
}

fn tree(keys: &[&str]) -> EntryTree {
    EntryTree::new(keys.iter().map(|id| (key(id), hash(&key(id)))))
}

fn absence(tree: &EntryTree, id: &str) -> v1::AbsenceProof {
    match tree.locate(&key(id)) {
        Place::Absent(proof) => proof,
        Place::Present { .. } => panic!("{id} is in the tree"),
    }
}

#[test]
fn of_an_entry_that_is_named_twice_the_last_one_counts() {
    let [first, last] = [b"first", b"last."].map(|bytes| Hash::of(bytes));
    let tree = EntryTree::new([(key("a"), first), (key("b"), first), (key("a"), last)]);
    assert_eq!(tree.get(&key("a")), Some(last));
    assert_eq!(tree.root().count, 2);
    let next = tree.with([(key("b"), last), (key("b"), first)], &[]);
    assert_eq!(next.get(&key("b")), Some(first));
}

#[test]
fn absence_is_shown_in_an_empty_tree_and_at_both_ends() {
    let empty = tree(&[]);
    let proof = absence(&empty, "m");
    assert_eq!(proof, v1::AbsenceProof::default());
    assert_eq!(empty.root().verify_absent(&key("m"), &proof), Ok(()));

    let tree = tree(&["b", "d"]);
    for (id, before, after) in [("a", false, true), ("c", true, true), ("e", true, false)] {
        let proof = absence(&tree, id);
        assert_eq!(
            (proof.before.is_some(), proof.after.is_some()),
            (before, after)
        );
        assert_eq!(tree.root().verify_absent(&key(id), &proof), Ok(()));
    }
}

#[test]
fn neighbors_that_are_not_adjacent_hide_nobody() {
    let all = tree(&["a", "b", "c"]);
    // A relay that hides b: both ends are in the tree, but there is room between them.
    let hiding = v1::AbsenceProof {
        before: absence(&all, "aa").before,
        after: absence(&all, "bb").after,
    };
    assert_eq!(all.root().verify_absent(&key("b"), &hiding), Err(BadProof));

    // Or shows one neighbor only.
    let first = v1::AbsenceProof {
        before: None,
        ..hiding.clone()
    };
    assert_eq!(all.root().verify_absent(&key("b"), &first), Err(BadProof));
    let last = v1::AbsenceProof {
        after: None,
        ..hiding
    };
    assert_eq!(all.root().verify_absent(&key("b"), &last), Err(BadProof));
    let nothing = v1::AbsenceProof::default();
    assert_eq!(all.root().verify_absent(&key("b"), &nothing), Err(BadProof));
}

#[test]
fn adjacent_neighbors_on_the_wrong_side_hide_nobody() {
    let all = tree(&["a", "b", "c", "d"]);
    let elsewhere = absence(&all, "cc"); // between c and d
    assert_eq!(
        all.root().verify_absent(&key("b"), &elsewhere),
        Err(BadProof)
    );
    // Not even the key itself as its own neighbor.
    let itself = v1::AbsenceProof {
        before: absence(&all, "bb").before,
        after: absence(&all, "bb").after,
    };
    assert_eq!(all.root().verify_absent(&key("b"), &itself), Err(BadProof));
}

#[test]
fn a_head_that_claims_to_be_empty_proves_nothing_about_a_full_tree() {
    let lying = TreeRoot {
        count: 0,
        ..tree(&["a"]).root()
    };
    let nothing = v1::AbsenceProof::default();
    assert_eq!(lying.verify_absent(&key("b"), &nothing), Err(BadProof));
}

#[test]
fn a_tree_of_design_size_is_changed_and_proven() {
    let people = (0..33_000).map(|i| key(&format!("user-{i:05}")));
    let tree = EntryTree::new(people.map(|key| (key.clone(), hash(&key))));
    let changed = key("user-17000");
    let next = tree.with([(changed.clone(), Hash::of(b"new"))], &[key("user-00000")]);
    assert_eq!(next.root().count, 32_999);
    let Place::Present { entry_hash, proof } = next.locate(&changed) else {
        panic!()
    };
    assert_eq!(entry_hash, Hash::of(b"new"));
    assert_eq!(
        next.root().verify_present(&changed, &entry_hash, &proof),
        Ok(())
    );
}

/// Keys of all three kinds, few enough that queries often hit.
fn any_key() -> impl Strategy<Value = EntryKey> {
    "(person|role|team)/[a-d]{1,3}".prop_map(|text| text.parse().unwrap())
}

fn any_tree() -> impl Strategy<Value = BTreeMap<EntryKey, Hash>> {
    prop::collection::btree_map(
        any_key(),
        any::<[u8; 32]>().prop_map(Hash::from_bytes),
        0..40,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_key_is_proven_present_or_absent(entries in any_tree(), asked in any_key()) {
        let tree = EntryTree::new(entries.clone());
        let root = tree.root();
        prop_assert_eq!(root.count, entries.len() as u64);
        match (tree.locate(&asked), entries.get(&asked)) {
            (Place::Present { entry_hash, proof }, Some(expected)) => {
                prop_assert_eq!(&entry_hash, expected);
                prop_assert_eq!(root.verify_present(&asked, &entry_hash, &proof), Ok(()));
            }
            (Place::Absent(proof), None) => {
                prop_assert_eq!(root.verify_absent(&asked, &proof), Ok(()));
            }
            _ => prop_assert!(false, "the tree contradicts its entries"),
        }
    }

    #[test]
    fn a_changed_tree_is_the_tree_of_the_changed_entries(
        before in any_tree(),
        changed in any_tree(),
        removed in prop::collection::vec(any_key(), 0..10),
    ) {
        let removed: Vec<_> = removed.into_iter().filter(|key| !changed.contains_key(key)).collect();
        let next = EntryTree::new(before.clone()).with(changed.clone(), &removed);
        let mut expected = before;
        expected.extend(changed);
        expected.retain(|key, _| !removed.contains(key));
        prop_assert_eq!(next.root(), EntryTree::new(expected.clone()).root());
        prop_assert!(next.iter().map(|(k, h)| (k.clone(), h)).eq(expected));
    }

    #[test]
    fn a_mutated_presence_proof_is_refused(
        entries in any_tree(),
        pick in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
        other_index in any::<u64>(),
    ) {
        prop_assume!(!entries.is_empty());
        let tree = EntryTree::new(entries.clone());
        let (asked, entry_hash) = entries.iter().nth(pick.index(entries.len())).unwrap();
        let Place::Present { proof, .. } = tree.locate(asked) else { panic!() };
        let refused = |key: &EntryKey, hash: &Hash, proof: &v1::InclusionProof| {
            tree.root().verify_present(key, hash, proof) == Err(BadProof)
        };

        let mut longer = proof.clone();
        longer.path.extend([0; 32]);
        prop_assert!(refused(asked, entry_hash, &longer));
        if other_index != proof.index {
            let moved = v1::InclusionProof { index: other_index, ..proof.clone() };
            prop_assert!(refused(asked, entry_hash, &moved));
        }
        if !proof.path.is_empty() {
            let mut flipped = proof.clone();
            let at = flip.index(flipped.path.len());
            flipped.path[at] ^= 1;
            prop_assert!(refused(asked, entry_hash, &flipped));
            let mut shorter = proof.clone();
            shorter.path.truncate(proof.path.len() - 32);
            prop_assert!(refused(asked, entry_hash, &shorter));
        }
        prop_assert!(refused(asked, &Hash::of(b"another entry"), &proof));
        prop_assert!(refused(&key("zzz"), entry_hash, &proof));
    }

    /// Whatever pair of true neighbors is shown, a key that is in the tree is never proven absent.
    #[test]
    fn a_present_key_is_never_proven_absent(
        entries in any_tree(),
        pick in any::<prop::sample::Index>(),
        left in any_key(),
        right in any_key(),
    ) {
        prop_assume!(!entries.is_empty());
        let tree = EntryTree::new(entries.clone());
        let asked = entries.keys().nth(pick.index(entries.len())).unwrap();
        let proof_of = |key: &EntryKey| match tree.locate(key) {
            Place::Absent(proof) => proof,
            Place::Present { entry_hash, proof } => {
                let neighbor = v1::ProvenKey {
                    key: key.to_string(),
                    entry_hash: entry_hash.as_bytes().to_vec(),
                    proof: Some(proof),
                };
                v1::AbsenceProof { before: Some(neighbor.clone()), after: Some(neighbor) }
            }
        };
        let (left, right) = (proof_of(&left), proof_of(&right));
        for before in [&left.before, &left.after, &None] {
            for after in [&right.before, &right.after, &None] {
                let proof = v1::AbsenceProof { before: before.clone(), after: after.clone() };
                prop_assert_eq!(tree.root().verify_absent(asked, &proof), Err(BadProof));
            }
        }
    }
}
