//! RFC 6962 Merkle trees over SHA-256: the nodes of one tree, its root and its proofs.
//!
//! What the leaves mean is the concern of [`tree`](crate::tree) and [`log`](crate::log). Proof paths
//! and all verification are `ct-merkle`'s; this module keeps the nodes, because a directory is
//! rebuilt in one pass and `ct-merkle`'s own store only appends.

use ct_merkle::{
    ConsistencyProof, InclusionProof, RootHash, indices_for_consistency_proof,
    indices_for_inclusion_proof,
};
use sha2::{Digest, Sha256};

use crate::hash::Hash;

/// A tree that has more leaves than this is refused; no directory or log comes near it.
pub(crate) const MAX_LEAVES: u64 = 1 << 40;

/// The nodes of one tree in the array order of RFC 9420, appendix C: leaf `i` at `2 * i`, and the
/// level of every other node is the number of ones at the end of its index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Hash>,
}

impl Tree {
    /// Builds the tree of these leaf hashes (see [`leaf_hash`]) in one pass.
    pub(crate) fn from_leaf_hashes(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            tree.append(leaf);
        }
        for level in tree.levels() {
            for index in tree.level(level) {
                tree.refresh(index, level);
            }
        }
        tree
    }

    /// Appends one leaf.
    pub(crate) fn push(&mut self, leaf: Hash) {
        self.append(leaf);
        // The nodes above the last leaf are each the last of their level.
        for level in self.levels() {
            if let Some(index) = self.level(level).last() {
                self.refresh(index, level);
            }
        }
    }

    /// How many leaves there are.
    pub(crate) fn len(&self) -> u64 {
        self.nodes.len().div_ceil(2) as u64
    }

    /// The root hash; that of no leaves is the hash of nothing (RFC 6962, section 2.1).
    pub(crate) fn root(&self) -> Hash {
        self.nodes
            .get(self.root_index())
            .copied()
            .unwrap_or_else(|| Hash::of(b""))
    }

    /// The root after one more leaf.
    pub(crate) fn root_after(&self, leaf: Hash) -> Hash {
        // One full subtree for each bit of the count, largest first: the leaf joins the last one, and
        // so on leftwards.
        let mut after = leaf;
        let mut end = self.len();
        while end > 0 {
            let level = end.trailing_zeros();
            let start = end - (1 << level);
            let index = usize::try_from(2 * start + (1 << level) - 1).unwrap_or(usize::MAX);
            if let Some(peak) = self.nodes.get(index) {
                after = parent_hash(peak, &after);
            }
            end = start;
        }
        after
    }

    /// The audit path of a leaf, concatenated; `None` when there is no such leaf.
    pub(crate) fn prove_inclusion(&self, index: u64) -> Option<Vec<u8>> {
        if index >= self.len() {
            return None;
        }
        self.concatenate(indices_for_inclusion_proof(self.len(), index))
    }

    /// The proof that the first `earlier` leaves made a tree that this one only appended to;
    /// empty for an empty tree, `None` when this tree has fewer leaves.
    pub(crate) fn prove_consistency(&self, earlier: u64) -> Option<Vec<u8>> {
        if earlier == 0 {
            return Some(Vec::new());
        }
        let additions = self.len().checked_sub(earlier)?;
        self.concatenate(indices_for_consistency_proof(earlier, additions))
    }

    fn concatenate(&self, indices: Vec<u64>) -> Option<Vec<u8>> {
        let mut path = Vec::with_capacity(indices.len() * 32);
        for index in indices {
            path.extend_from_slice(self.nodes.get(usize::try_from(index).ok()?)?.as_bytes());
        }
        Some(path)
    }
}

impl Tree {
    /// Adds a leaf, and before it the place of the node above it; the caller refreshes.
    fn append(&mut self, leaf: Hash) {
        if !self.nodes.is_empty() {
            self.nodes.push(leaf);
        }
        self.nodes.push(leaf);
    }

    /// The levels above the leaves, lowest first.
    fn levels(&self) -> std::ops::RangeInclusive<u32> {
        1..=self.nodes.len().checked_ilog2().unwrap_or(0)
    }

    /// The indices of one level.
    fn level(&self, level: u32) -> impl Iterator<Item = usize> + use<> {
        ((1 << level) - 1..self.nodes.len()).step_by(2 << level)
    }

    /// Computes a node from its children.
    fn refresh(&mut self, index: usize, level: u32) {
        let left = index ^ (1 << (level - 1));
        let mut right = index ^ (3 << (level - 1));
        // At the ragged right edge the child is the next lower node that exists.
        let mut below = level - 1;
        while right >= self.nodes.len() && below > 0 {
            right ^= 1 << (below - 1);
            below -= 1;
        }
        if let (Some(l), Some(r)) = (self.nodes.get(left), self.nodes.get(right)) {
            let parent = parent_hash(l, r);
            if let Some(node) = self.nodes.get_mut(index) {
                *node = parent;
            }
        }
    }

    fn root_index(&self) -> usize {
        (1 << self.nodes.len().checked_ilog2().unwrap_or(0)) - 1
    }
}

/// Whether `leaf` stands at `index` in the tree of `count` leaves with this root.
pub(crate) fn verify_inclusion(
    root: &Hash,
    count: u64,
    leaf: &[u8],
    index: u64,
    path: &[u8],
) -> bool {
    if count > MAX_LEAVES {
        return false;
    }
    let Ok(proof) = InclusionProof::<Sha256>::try_from_bytes(path.to_vec()) else {
        return false;
    };
    root_hash(root, count)
        .verify_inclusion(&leaf, index, &proof)
        .is_ok()
}

/// Whether the tree `(root, count)` only appended to the tree `(earlier_root, earlier_count)`.
pub(crate) fn verify_consistency(
    root: &Hash,
    count: u64,
    earlier_root: &Hash,
    earlier_count: u64,
    path: &[u8],
) -> bool {
    if count > MAX_LEAVES || earlier_count > count {
        return false;
    }
    if earlier_count == 0 {
        // Everything begins with nothing.
        return path.is_empty() && *earlier_root == Hash::of(b"");
    }
    let Ok(proof) = ConsistencyProof::<Sha256>::try_from_bytes(path.to_vec()) else {
        return false;
    };
    root_hash(root, count)
        .verify_consistency(&root_hash(earlier_root, earlier_count), &proof)
        .is_ok()
}

/// The hash of a leaf, as RFC 6962 prescribes.
pub(crate) fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hasher = Sha256::new_with_prefix([0]);
    hasher.update(leaf);
    Hash::from_bytes(hasher.finalize().into())
}

fn parent_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    let (_, children) = bytes.split_at_mut(1);
    let (l, r) = children.split_at_mut(32);
    l.copy_from_slice(left.as_bytes());
    r.copy_from_slice(right.as_bytes());
    Hash::of(&bytes)
}

fn root_hash(root: &Hash, count: u64) -> RootHash<Sha256> {
    RootHash::new((*root.as_bytes()).into(), count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    use super::*;

    #[test]
    fn roots_and_proofs_are_those_of_the_reference_tree_at_every_size() {
        let mut reference = MemoryBackedTree::<Sha256, [u8; 8]>::new();
        let mut pushed = Tree::default();
        for count in 1..200_u64 {
            reference.push(count.to_be_bytes());
            let after = pushed.root_after(leaf_hash(&count.to_be_bytes()));
            assert_eq!(after.as_bytes()[..], reference.root().as_bytes()[..]);
            pushed.push(leaf_hash(&count.to_be_bytes()));
            let built = Tree::from_leaf_hashes((1..=count).map(|i| leaf_hash(&i.to_be_bytes())));

            assert_eq!(pushed.len(), count);
            assert_eq!(pushed.nodes, built.nodes);
            assert_eq!(built.root().as_bytes()[..], reference.root().as_bytes()[..]);
            for index in 0..count {
                let path = built.prove_inclusion(index).unwrap();
                let expected = reference.prove_inclusion(usize::try_from(index).unwrap());
                assert_eq!(path, expected.as_bytes());
            }
            for earlier in 1..=count {
                let path = built.prove_consistency(earlier).unwrap();
                let additions = usize::try_from(count - earlier).unwrap();
                assert_eq!(path, reference.prove_consistency(additions).as_bytes());
            }
        }
    }

    #[test]
    fn an_empty_tree_has_the_root_of_nothing_and_no_proofs() {
        let empty = Tree::default();
        assert_eq!(empty.root(), Hash::of(b""));
        assert_eq!(empty.prove_inclusion(0), None);
        assert_eq!(empty.prove_consistency(1), None);
        assert!(!verify_inclusion(&empty.root(), 0, b"leaf", 0, &[]));
        assert!(verify_consistency(
            &Hash::of(b"any"),
            5,
            &empty.root(),
            0,
            &[]
        ));
    }

    #[test]
    fn counts_from_a_stranger_do_not_panic() {
        let root = Hash::of(b"");
        for count in [0, 1, MAX_LEAVES, MAX_LEAVES + 1, u64::MAX / 2, u64::MAX] {
            for index in [0, 1, u64::MAX / 2, u64::MAX] {
                for path in [vec![], vec![0; 31], vec![0; 32], vec![0; 32 * 40]] {
                    assert!(!verify_inclusion(&root, count, b"leaf", index, &path));
                    if index > 0 {
                        let other = Hash::of(b"other");
                        assert!(!verify_consistency(&root, count, &other, index, &path));
                    }
                }
            }
        }
    }
}
