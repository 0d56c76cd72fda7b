//! The authority's public state as bytes: what the backend stores, and loads after a restart.
//!
//! No secret is in it, but it is as sensitive as the directory itself (names, devices).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use wardline_proto::{Message, v1};

use super::{Authority, HeadPlan, Prepared, Published, Signers};
use crate::{
    entry::{Entry, EntryBody},
    hash::Hash,
    head::SignedHead,
    id::{EntryKey, OrgId},
    root::{self, Purpose, SignedRoot},
    time::Timestamp,
    tree::{EntryTree, TreeRoot},
};

impl Authority {
    /// Everything but the keys, as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let published = &self.published;
        let stored = Stored {
            format: FORMAT,
            org: self.org.clone(),
            roots: self.roots.iter().map(SignedRoot::to_string).collect(),
            policy: self.policy.to_string(),
            entries: self
                .bodies
                .values()
                .filter_map(|body| Entry::rewrite(&self.org, body.clone()).ok())
                .map(|entry| STANDARD.encode(entry.bytes()))
                .collect(),
            changed: self.changed.clone(),
            used_tickets: self.used_tickets.clone(),
            enrollments_seen: self.enrollments_seen,
            published_head: published.head.as_ref().map(SignedHead::to_string),
            published_heads: published.heads.clone(),
            published_tree: tree_to_list(&published.tree),
            published_root_version: published.root_version,
            prepared: self.prepared.as_ref().map(|prepared| StoredPrepared {
                request: STANDARD.encode(prepared.request.encode_to_vec()),
                changed: prepared.changed.clone(),
                root_version: prepared.root_version,
            }),
        };
        // Texts and numbers with text keys: serializing them cannot fail; nothing is refused when read.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Restores a snapshot, with the keys to sign with.
    ///
    /// The parts are checked against each other and the keys against the root document; signatures
    /// inside entries were checked when they came in.
    pub fn restore(snapshot: &[u8], signers: Signers) -> Result<Self, SnapshotError> {
        let stored: Stored =
            serde_json::from_slice(snapshot).map_err(|_| SnapshotError::Malformed)?;
        if stored.format != FORMAT {
            return Err(SnapshotError::Format(stored.format));
        }
        let damaged = |_| SnapshotError::Malformed;

        let roots = stored
            .roots
            .iter()
            .map(|note| note.parse().map_err(damaged));
        let roots: Vec<SignedRoot> = roots.collect::<Result<_, _>>()?;
        let first = roots.first().ok_or(SnapshotError::Malformed)?;
        root::follow(&first.hash(), None, &stored.roots).map_err(damaged)?;
        let root = roots.last().ok_or(SnapshotError::Malformed)?.root();
        signers.check(root).map_err(SnapshotError::OtherKey)?;

        let mut bodies: BTreeMap<EntryKey, EntryBody> = BTreeMap::new();
        let mut device_keys = HashSet::new();
        for encoded in &stored.entries {
            let bytes = STANDARD
                .decode(encoded)
                .map_err(|_| SnapshotError::Malformed)?;
            let entry =
                Entry::parse_stored(&stored.org, &bytes).map_err(|_| SnapshotError::Malformed)?;
            for device in entry
                .person()
                .into_iter()
                .flat_map(|person| &person.devices)
            {
                let credential = device.credential.credential();
                device_keys.extend([credential.ed25519, credential.curve25519]);
            }
            bodies.insert(entry.key().clone(), entry.into_body());
        }

        let head = stored.published_head.map(|note| note.parse::<SignedHead>());
        let head = head.transpose().map_err(|_| SnapshotError::Malformed)?;
        let tree = EntryTree::new(stored.published_tree);
        let published = Published::new(
            head,
            stored.published_heads,
            tree,
            stored.published_root_version,
        );
        if !published.is_consistent() {
            return Err(SnapshotError::Malformed);
        }
        let prepared = stored
            .prepared
            .map(|prepared| prepared.restore(&stored.org, &published.tree))
            .transpose()?;

        Ok(Self {
            plan: HeadPlan::default(),
            policy: stored
                .policy
                .parse()
                .map_err(|_| SnapshotError::Malformed)?,
            org: stored.org,
            signers,
            roots,
            bodies,
            device_keys,
            changed: stored.changed,
            used_tickets: stored.used_tickets,
            enrollments_seen: stored.enrollments_seen,
            published,
            prepared,
        })
    }
}

impl Published {
    fn is_consistent(&self) -> bool {
        match &self.head {
            None => self.heads.is_empty() && self.tree.root().count == 0,
            Some(head) => {
                self.heads.last() == Some(&head.hash())
                    && self.heads.len() as u64 == head.head().version
                    && self.log.root() == head.head().heads_root
                    && self.tree.root() == TreeRoot::from(head.head())
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    org: OrgId,
    roots: Vec<String>,
    policy: String,
    entries: Vec<String>,
    changed: BTreeSet<EntryKey>,
    used_tickets: BTreeMap<String, Timestamp>,
    enrollments_seen: u64,
    published_head: Option<String>,
    published_heads: Vec<Hash>,
    published_tree: Vec<(EntryKey, Hash)>,
    published_root_version: u64,
    prepared: Option<StoredPrepared>,
}

#[derive(Serialize, Deserialize)]
struct StoredPrepared {
    request: String,
    changed: BTreeSet<EntryKey>,
    root_version: u64,
}

impl StoredPrepared {
    /// The tree follows from the request, so it is not stored twice.
    fn restore(self, org: &OrgId, published: &EntryTree) -> Result<Prepared, SnapshotError> {
        let malformed = || SnapshotError::Malformed;
        let bytes = STANDARD.decode(&self.request).map_err(|_| malformed())?;
        let request = v1::PublishHeadRequest::decode(bytes.as_slice()).map_err(|_| malformed())?;
        let head: SignedHead = request.head.parse().map_err(|_| malformed())?;
        let mut changed = Vec::new();
        for bytes in &request.changed_entries {
            let entry = Entry::parse_stored(org, bytes).map_err(|_| malformed())?;
            changed.push((entry.key().clone(), entry.hash()));
        }
        let removed = request
            .removed_keys
            .iter()
            .map(|key| key.parse().map_err(|_| malformed()));
        let tree = published.with(changed, &removed.collect::<Result<Vec<_>, _>>()?);
        if tree.root() != TreeRoot::from(head.head()) {
            return Err(malformed());
        }
        Ok(Prepared {
            head,
            changed: self.changed,
            tree,
            root_version: self.root_version,
            request,
        })
    }
}

/// Why a snapshot is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Not a snapshot, or its parts do not belong together.
    #[error("the snapshot is damaged: restore an older one")]
    Malformed,
    /// A format that this build does not know.
    #[error("snapshot format {0} is unknown: update the software")]
    Format(u32),
    /// The given key for this purpose is not one that the root document names.
    #[error("the {} key is not in the root document: pass the organization's own key", .0.as_str())]
    OtherKey(Purpose),
}

fn tree_to_list(tree: &EntryTree) -> Vec<(EntryKey, Hash)> {
    tree.iter().map(|(key, hash)| (key.clone(), hash)).collect()
}

const FORMAT: u32 = 1;
