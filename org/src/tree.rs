//! The tree of entries: proves that an entry is in the directory, or that none has a key.
//!
//! Leaves are sorted by key, so absence is shown by the two neighbors between which the key would
//! stand. Which root to believe is the concern of [`trust`](crate::trust).

use std::cmp::Ordering;

use wardline_proto::v1;

use crate::{
    hash::Hash,
    head::Head,
    id::EntryKey,
    merkle::{self, Tree},
};

/// Every entry's key and hash, with the Merkle tree over them: what the relay and the authority keep.
///
/// ```
/// use wardline_org::{EntryKey, Hash, tree::{EntryTree, Place}};
///
/// let key = |text: &str| text.parse::<EntryKey>();
/// let tree = EntryTree::new([
///     (key("person/ada")?, Hash::of(b"ada's entry")),
///     (key("person/cem")?, Hash::of(b"cem's entry")),
/// ]);
/// let Place::Absent(proof) = tree.locate(&key("person/ben")?) else { panic!("ben is not in it") };
/// tree.root().verify_absent(&key("person/ben")?, &proof)?;
/// assert!(tree.root().verify_absent(&key("person/ada")?, &proof).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EntryTree {
    leaves: Vec<Leaf>,
    nodes: Tree,
}

#[derive(Clone, Debug)]
struct Leaf {
    key: EntryKey,
    entry_hash: Hash,
    leaf_hash: Hash,
}

impl Leaf {
    fn new(key: EntryKey, entry_hash: Hash) -> Self {
        let leaf_hash = merkle::leaf_hash(&leaf_bytes(&key, &entry_hash));
        Self {
            key,
            entry_hash,
            leaf_hash,
        }
    }
}

/// Where a key stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// It has an entry.
    Present {
        /// Hash of the encoded entry.
        entry_hash: Hash,
        /// Proof of it.
        proof: v1::InclusionProof,
    },
    /// It has none.
    Absent(v1::AbsenceProof),
}

impl EntryTree {
    /// The tree of these entries, in any order. Of a key that comes twice the last hash counts.
    pub fn new(entries: impl IntoIterator<Item = (EntryKey, Hash)>) -> Self {
        Self::default().with(entries, &[])
    }

    /// This tree after some entries were added or changed and some keys removed.
    ///
    /// One pass over all leaves, with one hash for each changed leaf and each inner node.
    #[must_use]
    pub fn with(
        &self,
        changed: impl IntoIterator<Item = (EntryKey, Hash)>,
        removed: &[EntryKey],
    ) -> Self {
        let mut changed: Vec<Leaf> = changed
            .into_iter()
            .map(|(key, hash)| Leaf::new(key, hash))
            .collect();
        changed.reverse();
        changed.sort_by(|a, b| a.key.cmp(&b.key)); // stable: the last one of a key comes first
        changed.dedup_by(|later, first| later.key == first.key);
        let mut removed: Vec<&EntryKey> = removed.iter().collect();
        removed.sort_unstable();

        let mut leaves = Vec::with_capacity(self.leaves.len() + changed.len());
        let mut changed = changed.into_iter().peekable();
        for leaf in &self.leaves {
            while let Some(new) = changed.next_if(|new| new.key < leaf.key) {
                leaves.push(new);
            }
            match changed.next_if(|new| new.key == leaf.key) {
                Some(new) => leaves.push(new),
                None if removed.binary_search(&&leaf.key).is_ok() => {}
                None => leaves.push(leaf.clone()),
            }
        }
        leaves.extend(changed);
        let nodes = Tree::from_leaf_hashes(leaves.iter().map(|leaf| leaf.leaf_hash));
        Self { leaves, nodes }
    }

    /// Root and number of leaves.
    pub fn root(&self) -> TreeRoot {
        TreeRoot {
            hash: self.nodes.root(),
            count: self.nodes.len(),
        }
    }

    /// The hash of a key's entry.
    pub fn get(&self, key: &EntryKey) -> Option<Hash> {
        let leaf = self.leaves.get(self.find(key).ok()?)?;
        Some(leaf.entry_hash)
    }

    /// Every key with its entry's hash, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&EntryKey, Hash)> {
        self.leaves.iter().map(|leaf| (&leaf.key, leaf.entry_hash))
    }

    /// Where a key stands, with the proof.
    pub fn locate(&self, key: &EntryKey) -> Place {
        match self.find(key) {
            Ok(index) => match (self.leaves.get(index), self.inclusion(index)) {
                (Some(leaf), Some(proof)) => Place::Present {
                    entry_hash: leaf.entry_hash,
                    proof,
                },
                _ => Place::Absent(v1::AbsenceProof::default()),
            },
            Err(index) => Place::Absent(v1::AbsenceProof {
                before: index
                    .checked_sub(1)
                    .and_then(|before| self.proven_key(before)),
                after: self.proven_key(index),
            }),
        }
    }

    /// Answers a query. `load` is asked for the encoded entry unless the asker holds it already.
    pub fn answer<E>(
        &self,
        key: &EntryKey,
        known_hash: &[u8],
        load: impl FnOnce(&EntryKey) -> Result<Vec<u8>, E>,
    ) -> Result<v1::EntryAnswer, E> {
        use v1::entry_answer::Answer;

        let answer = match self.locate(key) {
            Place::Present { entry_hash, proof } if known_hash == entry_hash.as_ref() => {
                Answer::Unchanged(proof)
            }
            Place::Present { proof, .. } => Answer::Present(v1::ProvenEntry {
                entry: load(key)?,
                proof: Some(proof),
            }),
            Place::Absent(proof) => Answer::Absent(proof),
        };
        Ok(v1::EntryAnswer {
            key: key.to_string(),
            answer: Some(answer),
        })
    }

    fn find(&self, key: &EntryKey) -> Result<usize, usize> {
        self.leaves.binary_search_by(|leaf| leaf.key.cmp(key))
    }

    fn inclusion(&self, index: usize) -> Option<v1::InclusionProof> {
        let index = index as u64;
        Some(v1::InclusionProof {
            index,
            path: self.nodes.prove_inclusion(index)?,
        })
    }

    fn proven_key(&self, index: usize) -> Option<v1::ProvenKey> {
        let leaf = self.leaves.get(index)?;
        Some(v1::ProvenKey {
            key: leaf.key.to_string(),
            entry_hash: leaf.entry_hash.as_bytes().to_vec(),
            proof: Some(self.inclusion(index)?),
        })
    }
}

/// What stands for all entries: the root and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeRoot {
    /// The root hash.
    pub hash: Hash,
    /// The number of entries.
    pub count: u64,
}

impl From<&Head> for TreeRoot {
    fn from(head: &Head) -> Self {
        Self {
            hash: head.entries_root,
            count: head.entries_count,
        }
    }
}

impl TreeRoot {
    /// Checks that the entry with this hash stands under its key.
    pub fn verify_present(
        &self,
        key: &EntryKey,
        entry_hash: &Hash,
        proof: &v1::InclusionProof,
    ) -> Result<(), BadProof> {
        let leaf = leaf_bytes(key, entry_hash);
        let holds =
            merkle::verify_inclusion(&self.hash, self.count, &leaf, proof.index, &proof.path);
        if holds { Ok(()) } else { Err(BadProof) }
    }

    /// Checks that no entry stands under a key.
    pub fn verify_absent(&self, key: &EntryKey, proof: &v1::AbsenceProof) -> Result<(), BadProof> {
        let before = proof
            .before
            .as_ref()
            .map(|b| self.neighbor(b, key, Ordering::Less));
        let after = proof
            .after
            .as_ref()
            .map(|a| self.neighbor(a, key, Ordering::Greater));
        // Between what is proven there must be no room for another leaf.
        let next = before
            .transpose()?
            .map_or(0, |index| index.saturating_add(1));
        let end = after.transpose()?.unwrap_or(self.count);
        let empty_is_nothing = self.count > 0 || self.hash == Hash::of(b"");
        if next == end && empty_is_nothing {
            Ok(())
        } else {
            Err(BadProof)
        }
    }

    /// The index of a neighbor that is in the tree and on its side of the key.
    fn neighbor(
        &self,
        neighbor: &v1::ProvenKey,
        key: &EntryKey,
        side: Ordering,
    ) -> Result<u64, BadProof> {
        let other: EntryKey = neighbor.key.parse().map_err(|_| BadProof)?;
        let entry_hash = Hash::from_slice(&neighbor.entry_hash).map_err(|_| BadProof)?;
        let proof = neighbor.proof.as_ref().ok_or(BadProof)?;
        self.verify_present(&other, &entry_hash, proof)?;
        if other.cmp(key) == side {
            Ok(proof.index)
        } else {
            Err(BadProof)
        }
    }
}

/// The proof does not hold against the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not hold against the directory's head: report the relay")]
pub struct BadProof;

/// Length, key, entry hash: unambiguous, because the length comes first.
fn leaf_bytes(key: &EntryKey, entry_hash: &Hash) -> Vec<u8> {
    let key = key.to_string();
    let length = u16::try_from(key.len()).unwrap_or(u16::MAX); // a key has at most 71 bytes
    [
        &length.to_be_bytes()[..],
        key.as_bytes(),
        entry_hash.as_ref(),
    ]
    .concat()
}
