//! The log of heads: proves that the head somebody knew was not taken back.
//!
//! The head of version `v` names the RFC 6962 root over the hashes of heads `1 ..= v - 1`. Somebody who
//! holds head `k` and is shown head `v > k` is given two proofs, both against `v`'s root:
//!
//! 1. **inclusion**: the head they hold is leaf `k - 1`, so it is part of this history;
//! 2. **consistency**: `v`'s log begins with the `k - 1` heads that `k` itself names, so nothing
//!    before it was exchanged either.
//!
//! Together: whatever was once shown to them, or proven to them to be earlier, stays in every later head.

use wardline_proto::v1;

use crate::{
    hash::Hash,
    head::{Head, SignedHead},
    merkle::{self, Tree},
    tree::BadProof,
};

/// The hashes of all heads before the current one: what the relay and the authority keep.
///
/// ```
/// use wardline_org::{Hash, log::HeadLog};
///
/// let mut log = HeadLog::default();
/// log.push(Hash::of(b"the first head"));
/// assert_eq!(log.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct HeadLog {
    tree: Tree,
}

/// The two proofs that a head continues a known one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// RFC 6962 consistency proof from the known head's log; empty when that log is empty.
    pub consistency: Vec<u8>,
    /// Where the known head stands.
    pub known_head: v1::InclusionProof,
}

impl HeadLog {
    /// The log of these head hashes, oldest first.
    pub fn new(heads: impl IntoIterator<Item = Hash>) -> Self {
        let leaves = heads
            .into_iter()
            .map(|head| merkle::leaf_hash(head.as_bytes()));
        Self {
            tree: Tree::from_leaf_hashes(leaves),
        }
    }

    /// Appends a head that is no longer the current one.
    pub fn push(&mut self, head: Hash) {
        self.tree.push(merkle::leaf_hash(head.as_bytes()));
    }

    /// How many heads there are.
    pub fn len(&self) -> u64 {
        self.tree.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root: what the next head names.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The root after `head` is appended.
    pub fn root_after(&self, head: Hash) -> Hash {
        self.tree.root_after(merkle::leaf_hash(head.as_bytes()))
    }

    /// Proves to somebody who holds the head of this version that it is in the log; `None` when it
    /// is not.
    pub fn prove(&self, known_version: u64) -> Option<History> {
        let index = known_version.checked_sub(1)?;
        let path = self.tree.prove_inclusion(index)?;
        Some(History {
            consistency: self.tree.prove_consistency(index)?,
            known_head: v1::InclusionProof { index, path },
        })
    }
}

/// Checks that `head` continues `known`: that its log begins with the log of `known`, and has `known`
/// itself as the next leaf.
pub fn verify_history(head: &Head, known: &SignedHead, history: &History) -> Result<(), BadProof> {
    let count = head.earlier_heads();
    let index = known.head().earlier_heads();
    let included = history.known_head.index == index
        && merkle::verify_inclusion(
            &head.heads_root,
            count,
            known.hash().as_bytes(),
            index,
            &history.known_head.path,
        );
    let consistent = merkle::verify_consistency(
        &head.heads_root,
        count,
        &known.head().heads_root,
        index,
        &history.consistency,
    );
    if included && consistent {
        Ok(())
    } else {
        Err(BadProof)
    }
}
