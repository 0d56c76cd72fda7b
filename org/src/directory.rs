//! The directory as its keeper sees it: judges what is published, and answers with proofs.
//!
//! The relay keeps one [`Directory`] for each organization in memory, beside its storage. Publishing is
//! compare-and-swap in three steps: [`Directory::check`] judges and changes nothing, the relay
//! stores the [`Publication`] in one transaction, [`Directory::apply`] makes it current. The relay checks
//! what it serves so that one bad publication cannot stop every device; devices do not rely on it.

use std::collections::HashSet;

use wardline_proto::v1;

use crate::{
    connect::RelayCode,
    entry::{Entry, EntryError},
    hash::Hash,
    head::{HeadError, SignedHead},
    id::{EntryKey, OrgId},
    log::HeadLog,
    policy::{PolicyError, SignedPolicy},
    root::{self, Root, RootError, SignedRoot},
    tree::{EntryTree, TreeRoot},
};

/// Everything needed to judge the next head and to prove the current one.
#[derive(Debug, Clone)]
pub struct Directory {
    org: OrgId,
    pin: Hash,
    roots: Vec<SignedRoot>,
    current: Option<(SignedHead, SignedPolicy)>,
    tree: EntryTree,
    log: HeadLog,
}

/// What a keeper has stored of a directory.
#[derive(Debug, Clone, Default)]
pub struct StoredDirectory {
    /// Every accepted root document, oldest first.
    pub roots: Vec<String>,
    /// The current head; `None` before the first.
    pub head: Option<String>,
    /// The policy that it names.
    pub policy: Option<String>,
    /// The hashes of all heads before the current one, oldest first.
    pub earlier_heads: Vec<Hash>,
    /// Every entry's key and hash.
    pub entries: Vec<(EntryKey, Hash)>,
}

/// A request to publish that was judged good: what the keeper has to store, all of it in one transaction.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Root documents that are new, oldest first.
    pub roots: Vec<SignedRoot>,
    /// The new head.
    pub head: SignedHead,
    /// The policy it names, when it is another one than before.
    pub policy: Option<SignedPolicy>,
    /// The head it replaces, which goes into the log.
    pub replaced: Option<Hash>,
    /// Entries that are new or changed, every signature in them checked.
    pub changed: Vec<Entry>,
    /// Keys whose entries are removed.
    pub removed: Vec<EntryKey>,
    tree: EntryTree,
}

impl Directory {
    /// An organization that has published nothing yet.
    pub fn new(org: OrgId, pin: Hash) -> Self {
        Self {
            org,
            pin,
            roots: Vec::new(),
            current: None,
            tree: EntryTree::default(),
            log: HeadLog::default(),
        }
    }

    /// Rebuilds the directory from storage, and checks that the stored parts belong together.
    pub fn load(org: OrgId, pin: Hash, stored: StoredDirectory) -> Result<Self, PublishError> {
        let mut directory = Self::new(org, pin);
        // A keeper that was given the root document knows the authority before the first head.
        if stored.head.is_some() || !stored.roots.is_empty() {
            directory.roots = directory.check_roots(&stored.roots)?;
        }
        directory.tree = EntryTree::new(stored.entries);
        directory.log = HeadLog::new(stored.earlier_heads);
        directory.current = match (stored.head, stored.policy) {
            (Some(head), Some(policy)) => Some((head.parse()?, policy.parse()?)),
            (None, None) => None,
            _ => return Err(PublishError::Policy(PolicyError::Malformed)),
        };
        let Some((head, policy)) = &directory.current else {
            let empty = directory.log.is_empty() && directory.tree.root().count == 0;
            return if empty {
                Ok(directory)
            } else {
                Err(PublishError::History)
            };
        };
        if TreeRoot::from(head.head()) != directory.tree.root() {
            return Err(PublishError::Entries);
        }
        if head.head().earlier_heads() != directory.log.len()
            || head.head().heads_root != directory.log.root()
        {
            return Err(PublishError::History);
        }
        if policy.hash() != head.head().policy_hash {
            return Err(PublishError::OtherPolicy);
        }
        Ok(directory)
    }

    /// Judges a request to publish. Changes nothing.
    pub fn check(&self, request: &v1::PublishHeadRequest) -> Result<Publication, PublishError> {
        let held = self.version();
        if request.expected_version != held {
            return Err(PublishError::Conflict { held });
        }
        let roots = self.check_roots(&request.roots)?;
        let root = roots
            .last()
            .or(self.roots.last())
            .ok_or(RootError::NotPinned)?
            .root();

        let head: SignedHead = request.head.parse()?;
        head.verify(root)?;
        self.check_history(&head)?;
        let policy = self.check_policy(root, &head, &request.policy)?;
        let (changed, removed) = self.check_entries(&head, request)?;

        let leaves = changed
            .iter()
            .map(|entry| (entry.key().clone(), entry.hash()));
        let tree = self.tree.with(leaves, &removed);
        if tree.root() != TreeRoot::from(head.head()) {
            return Err(PublishError::Entries);
        }
        let replaced = self.head().map(SignedHead::hash);
        Ok(Publication {
            roots,
            head,
            policy,
            replaced,
            changed,
            removed,
            tree,
        })
    }

    /// The root document that these ones lead to from the current one; `None` when none of them is newer.
    ///
    /// A keeper asks before it knows the caller, whose key may stand in no document that it has yet.
    pub fn successor(&self, notes: &[String]) -> Result<Option<SignedRoot>, PublishError> {
        Ok(self.check_roots(notes)?.pop())
    }

    fn check_roots(&self, notes: &[String]) -> Result<Vec<SignedRoot>, PublishError> {
        let roots = root::follow(&self.pin, self.roots.last(), notes)?;
        match roots.first() {
            Some(root) if root.root().org != self.org => Err(RootError::OtherOrg.into()),
            _ => Ok(roots),
        }
    }

    /// The head comes directly after the current one, in number, in time and in the log.
    fn check_history(&self, head: &SignedHead) -> Result<(), PublishError> {
        let next = head.head();
        let heads_root = match self.head() {
            Some(current) if next.issued_at < current.head().issued_at => {
                return Err(PublishError::History);
            }
            Some(current) => self.log.root_after(current.hash()),
            None => self.log.root(),
        };
        if next.version == self.version() + 1 && next.heads_root == heads_root {
            Ok(())
        } else {
            Err(PublishError::History)
        }
    }

    fn check_policy(
        &self,
        root: &Root,
        head: &SignedHead,
        note: &str,
    ) -> Result<Option<SignedPolicy>, PublishError> {
        let held = self.current.as_ref().map(|(_, policy)| policy);
        if held.is_some_and(|held| held.hash() == head.head().policy_hash) {
            return Ok(None);
        }
        if note.is_empty() {
            return Err(PublishError::OtherPolicy);
        }
        let policy: SignedPolicy = note.parse()?;
        policy.verify(root)?;
        let newer = held.is_none_or(|held| held.policy().version < policy.policy().version);
        if newer && policy.hash() == head.head().policy_hash {
            Ok(Some(policy))
        } else {
            Err(PublishError::OtherPolicy)
        }
    }

    fn check_entries(
        &self,
        head: &SignedHead,
        request: &v1::PublishHeadRequest,
    ) -> Result<(Vec<Entry>, Vec<EntryKey>), PublishError> {
        let changed = request
            .changed_entries
            .iter()
            .map(|bytes| Entry::parse(&self.org, bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let removed = request
            .removed_keys
            .iter()
            .map(|key| key.parse::<EntryKey>().map_err(|_| EntryError::Malformed))
            .collect::<Result<Vec<_>, _>>()?;

        let mut named = HashSet::new();
        let each_once = changed
            .iter()
            .map(Entry::key)
            .chain(&removed)
            .all(|key| named.insert(key));
        let dated = changed
            .iter()
            .all(|entry| entry.changed_at_version() == head.head().version);
        let present = removed.iter().all(|key| self.tree.get(key).is_some());
        if each_once && dated && present {
            Ok((changed, removed))
        } else {
            Err(PublishError::Entries)
        }
    }

    /// Makes a stored publication current. Refused when another one was applied since it was judged.
    pub fn apply(&mut self, publication: Publication) -> Result<(), PublishError> {
        let held = self.version();
        if publication.head.head().version != held + 1
            || publication.replaced != self.head().map(SignedHead::hash)
        {
            return Err(PublishError::Conflict { held });
        }
        let policy = match (publication.policy, self.current.take()) {
            (Some(policy), _) | (None, Some((_, policy))) => policy,
            (None, None) => return Err(PublishError::OtherPolicy),
        };
        if let Some(replaced) = publication.replaced {
            self.log.push(replaced);
        }
        self.roots.extend(publication.roots);
        self.tree = publication.tree;
        self.current = Some((publication.head, policy));
        Ok(())
    }

    /// Answers what a device or the authority asks about the head; `None` before the first head.
    pub fn head_answer(&self, request: &v1::HeadRequest) -> Option<v1::HeadResponse> {
        let (head, policy) = self.current.as_ref()?;
        let history = self.log.prove(request.known_version);
        let known_policy = request.known_policy_hash == policy.hash().as_ref();
        Some(v1::HeadResponse {
            head: head.to_string(),
            roots: self
                .roots
                .iter()
                .filter(|root| root.root().version > request.known_root_version)
                .map(SignedRoot::to_string)
                .collect(),
            policy: if known_policy {
                String::new()
            } else {
                policy.to_string()
            },
            consistency: history
                .as_ref()
                .map(|h| h.consistency.clone())
                .unwrap_or_default(),
            known_head: history.map(|h| h.known_head),
        })
    }

    /// Every root document, oldest first.
    pub fn root_notes(&self) -> Vec<String> {
        self.roots.iter().map(SignedRoot::to_string).collect()
    }

    /// The organization.
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// The version of the current head; 0 before the first.
    pub fn version(&self) -> u64 {
        self.head().map_or(0, |head| head.head().version)
    }

    /// The current head.
    pub fn head(&self) -> Option<&SignedHead> {
        self.current.as_ref().map(|(head, _)| head)
    }

    /// The policy in force.
    pub fn policy(&self) -> Option<&SignedPolicy> {
        self.current.as_ref().map(|(_, policy)| policy)
    }

    /// The current root document.
    pub fn root(&self) -> Option<&Root> {
        self.roots.last().map(SignedRoot::root)
    }

    /// The tree of the current head's entries, which answers queries with proofs.
    pub fn entries(&self) -> &EntryTree {
        &self.tree
    }
}

/// Why a head is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Another head was published meanwhile.
    #[error("the newest head is {held}: build on it and publish again")]
    Conflict {
        /// The version that is current.
        held: u64,
    },
    /// A root document is refused.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The head is refused by itself.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The policy is refused by itself.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An entry is refused by itself.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The entries are not those that the head stands for.
    #[error("the entries do not make the head's tree: send every entry that changed")]
    Entries,
    /// The head does not continue the current one.
    #[error("the head does not continue the current one: build it on the newest head")]
    History,
    /// The policy is missing, older, or not the one that the head names.
    #[error("the policy is not the one that the head names: send it with the head")]
    OtherPolicy,
}

impl PublishError {
    /// The code that the relay answers.
    pub fn code(self) -> RelayCode {
        match self {
            Self::Conflict { .. } => RelayCode::HeadConflict,
            _ => RelayCode::HeadInvalid,
        }
    }
}
