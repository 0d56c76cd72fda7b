//! The chain of an organization's root documents: what the operator named, and what followed.

use std::collections::BTreeMap;

use wardline_org::{
    Hash,
    root::{Root, RootError, SignedRoot},
};

use crate::error::OpenError;

/// Root documents without a gap, each accepted by the one before it; never empty.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    first: SignedRoot,
    later: Vec<SignedRoot>,
}

impl Roots {
    /// Joins what the operator names with what the storage has. They must be one chain: an operator who
    /// names another organization's keys by mistake must not replace the right ones.
    pub(crate) fn join(
        named: impl IntoIterator<Item = SignedRoot>,
        stored: &[String],
    ) -> Result<Self, OpenError> {
        let mut by_version = BTreeMap::new();
        let stored = stored
            .iter()
            .map(|note| note.parse::<SignedRoot>())
            .collect::<Result<Vec<_>, _>>()?;
        for root in named.into_iter().chain(stored) {
            let version = root.root().version;
            let hash = root.hash();
            let kept: &SignedRoot = by_version.entry(version).or_insert(root);
            if kept.hash() != hash {
                return Err(OpenError::OtherRoot { version });
            }
        }
        let mut in_order = by_version.into_values();
        let first = in_order
            .next()
            .ok_or(OpenError::Root(RootError::NotPinned))?;
        let mut roots = Self {
            first,
            later: Vec::new(),
        };
        for root in in_order {
            roots.push(root)?;
        }
        Ok(roots)
    }

    fn push(&mut self, next: SignedRoot) -> Result<(), RootError> {
        let newest = self.later.last().unwrap_or(&self.first);
        newest.accepts(&next)?;
        self.later.push(next);
        Ok(())
    }

    /// The hash of the first document, from which every other one follows.
    pub(crate) fn pin(&self) -> Hash {
        self.first.hash()
    }

    /// What the last document says.
    pub(crate) fn newest(&self) -> &Root {
        self.later.last().unwrap_or(&self.first).root()
    }

    /// Version and text of each, oldest first.
    pub(crate) fn texts(&self) -> Vec<(u64, String)> {
        [&self.first]
            .into_iter()
            .chain(&self.later)
            .map(|root| (root.root().version, root.to_string()))
            .collect()
    }
}
