//! From changes to a head: what is sent to the relay, and what becomes of it.
//!
//! Publishing has two steps, because an answer can be lost: a head is *prepared* and kept, and becomes
//! the published one when the relay is known to have it.

use std::collections::BTreeSet;

use wardline_proto::v1;

use super::{Authority, AuthorityError, Published};
use crate::{
    entry::Entry,
    hash::Hash,
    head::{Head, SignedHead},
    id::EntryKey,
    root::Purpose,
    time::Timestamp,
    tree::EntryTree,
};

/// A head that the relay may or may not have.
pub(super) struct Prepared {
    pub(super) head: SignedHead,
    /// Keys of everything that it changes, to be changed again if it is abandoned.
    pub(super) changed: BTreeSet<EntryKey>,
    pub(super) tree: EntryTree,
    pub(super) root_version: u64,
    pub(super) request: v1::PublishHeadRequest,
}

impl Authority {
    /// The request that publishes what has changed, and a new head in any case when the current one
    /// nears its expiry; `None` when nothing is due.
    ///
    /// Very many changes are published by several heads, so that each request stays within what a
    /// relay takes: prepare again until nothing is due. Replaced keys are published alone and first: until
    /// then the relay knows the authority's key from the request itself, and takes no large one for it.
    ///
    /// A request that was prepared before, and neither confirmed nor abandoned, is returned as it is:
    /// the relay may have it already. Store a snapshot before sending.
    pub fn prepare(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<v1::PublishHeadRequest>, AuthorityError> {
        if self.prepared.is_none() {
            if !self.is_due(now) {
                return Ok(None);
            }
            let prepared = self.build(now)?;
            self.changed.retain(|key| !prepared.changed.contains(key));
            self.prepared = Some(prepared);
        }
        Ok(self
            .prepared
            .as_ref()
            .map(|prepared| prepared.request.clone()))
    }

    /// Whether a new head should be published at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let near_expiry = self.head().is_none_or(|head| {
            let left = head.head().expires_at.saturating_since(now);
            left < self.plan.renew_before
        });
        near_expiry
            || !self.changed.is_empty()
            || self.published.policy != Some(self.policy.hash())
            || self.published.root_version < self.root_version()
    }

    /// Whether the relay does not have the newest keys yet: it knows those of the first root document
    /// from its operator, and any others from a head.
    pub(crate) fn is_rotating(&self) -> bool {
        self.published.root_version.max(1) < self.root_version()
    }

    fn root_version(&self) -> u64 {
        self.roots.last().map_or(0, |root| root.root().version)
    }

    fn build(&self, now: Timestamp) -> Result<Prepared, AuthorityError> {
        let version = self.version().saturating_add(1);
        let mut entries = Vec::new();
        let mut removed = Vec::new();
        let mut changed = BTreeSet::new();
        let mut room = match self.is_rotating() {
            true => 0,
            false => self.plan.max_changed_bytes.max(1),
        };
        for key in &self.changed {
            if room == 0 {
                break;
            }
            changed.insert(key.clone());
            match self.bodies.get(key) {
                Some(body) => {
                    let entry = Entry::new(&self.org, version, body.clone())?;
                    room = room.saturating_sub(entry.bytes().len());
                    entries.push(entry);
                }
                // Removed before the relay ever had it: nothing to say.
                None if self.published.tree.get(key).is_none() => {}
                None => removed.push(key.clone()),
            }
        }
        let leaves = entries
            .iter()
            .map(|entry| (entry.key().clone(), entry.hash()));
        let tree = self.published.tree.with(leaves, &removed);

        // Time does not go back in the log of heads, whatever the clock says.
        let earliest = self.head().map_or(now, |head| head.head().issued_at);
        let issued_at = now.max(earliest);
        let head = Head {
            org: self.org.clone(),
            version,
            issued_at,
            expires_at: issued_at + self.plan.validity,
            entries_count: tree.root().count,
            entries_root: tree.root().hash,
            policy_hash: self.policy.hash(),
            heads_root: match self.head() {
                Some(current) => self.published.log.root_after(current.hash()),
                None => self.published.log.root(),
            },
        };
        let head = SignedHead::sign(&head, self.signers.require(Purpose::Head)?)?;

        let policy_known = self.published.policy == Some(self.policy.hash());
        let new_roots = self
            .roots
            .iter()
            .filter(|root| root.root().version > self.published.root_version);
        Ok(Prepared {
            request: v1::PublishHeadRequest {
                expected_version: self.version(),
                head: head.to_string(),
                changed_entries: entries
                    .into_iter()
                    .map(|entry| entry.bytes().to_vec())
                    .collect(),
                removed_keys: removed.iter().map(EntryKey::to_string).collect(),
                policy: if policy_known {
                    String::new()
                } else {
                    self.policy.to_string()
                },
                roots: new_roots.map(ToString::to_string).collect(),
            },
            head,
            changed,
            tree,
            root_version: self.root_version(),
        })
    }

    /// The relay has the prepared head: it is the published one now. Returns its version, if one was
    /// prepared.
    pub fn confirm(&mut self) -> Option<u64> {
        let prepared = self.prepared.take()?;
        let published = &mut self.published;
        if let Some(replaced) = &published.head {
            published.log.push(replaced.hash());
        }
        published.heads.push(prepared.head.hash());
        published.root_version = prepared.root_version;
        published.policy = Some(prepared.head.head().policy_hash);
        published.tree = prepared.tree;
        let version = prepared.head.head().version;
        published.head = Some(prepared.head);
        Some(version)
    }

    /// The relay does not have the prepared head and will not get it: its changes go into the next.
    pub fn abandon(&mut self) {
        if let Some(prepared) = self.prepared.take() {
            self.changed.extend(prepared.changed);
        }
    }

    /// The hash of the head that was prepared and not yet confirmed.
    pub fn prepared_head(&self) -> Option<Hash> {
        self.prepared.as_ref().map(|prepared| prepared.head.hash())
    }
}

impl Published {
    /// What the relay has, from its parts; every head's hash, the current one last.
    pub(super) fn new(
        head: Option<SignedHead>,
        heads: Vec<Hash>,
        tree: EntryTree,
        root_version: u64,
    ) -> Self {
        let earlier = heads.len().saturating_sub(1);
        Self {
            log: crate::log::HeadLog::new(heads.iter().take(earlier).copied()),
            policy: head.as_ref().map(|head| head.head().policy_hash),
            head,
            heads,
            tree,
            root_version,
        }
    }
}
