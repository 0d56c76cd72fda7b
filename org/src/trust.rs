//! The verifying side: from a pinned root document to a head that is believed and entries under it.
//!
//! Clients hold one [`Trust`] for each organization. It does no input or output: it says what to ask for
//! and judges the answer. Keeping entries, asking again and telling people are the concern of its user.

use serde::{Deserialize, Serialize};
use wardline_proto::v1;

use crate::{
    entry::{Entry, EntryError},
    hash::Hash,
    head::{HeadError, SignedHead},
    id::{DeviceId, EntryKey, OrgId},
    log::{self, History},
    policy::{Policy, PolicyError, SignedPolicy},
    root::{self, Root, RootError, SignedRoot},
    time::Timestamp,
    tree::{BadProof, TreeRoot},
    wipe::{SignedWipeOrder, WipeError},
};

/// What is believed about one organization: the current root document, head and policy.
///
/// It is small (three texts) and cheap to clone. Serialize it into the store in the transaction that
/// accepted an answer; what is deserialized is parsed, and trusted as the store is.
///
/// ```
/// use wardline_org::{Hash, trust::{Trust, TrustError}};
/// use wardline_proto::v1::{HeadRequest, HeadResponse};
///
/// fn follow(trust: &mut Trust, ask: impl Fn(HeadRequest) -> HeadResponse) -> Result<(), TrustError> {
///     let answer = ask(trust.request());
///     trust.accept(&answer)?;
///     Ok(())
/// }
///
/// // Who shows nothing that is signed is not believed, and nothing is lost by it.
/// let mut trust = Trust::new("mercy".parse()?, Hash::of(b"the pinned root document"));
/// assert!(follow(&mut trust, |_| HeadResponse::default()).is_err());
/// assert!(trust.head().is_none());
/// # Ok::<(), wardline_org::id::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Trust {
    org: OrgId,
    pin: Hash,
    root: Option<SignedRoot>,
    current: Option<Current>,
}

/// A head and the policy it names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Current {
    head: SignedHead,
    policy: SignedPolicy,
}

impl Trust {
    /// Trust in nothing but the root document with this hash.
    pub fn new(org: OrgId, pin: Hash) -> Self {
        Self {
            org,
            pin,
            root: None,
            current: None,
        }
    }

    /// Accepts an answer to [`Trust::request`], all of it or nothing.
    ///
    /// A head whose time is over is accepted: see [`Trust::freshness`].
    pub fn accept(&mut self, answer: &v1::HeadResponse) -> Result<Accepted, TrustError> {
        let new_roots = root::follow(&self.pin, self.root.as_ref(), &answer.roots)?;
        let root_changed = !new_roots.is_empty();
        let root = new_roots
            .last()
            .or(self.root.as_ref())
            .ok_or(RootError::NotPinned)?;
        if root.root().org != self.org {
            return Err(RootError::OtherOrg.into());
        }
        let current = self.judge(root.root(), answer)?;

        let accepted = Accepted {
            root_changed,
            head_changed: self
                .head()
                .is_none_or(|held| held.hash() != current.head.hash()),
            policy_changed: self
                .current
                .as_ref()
                .is_none_or(|c| c.policy != current.policy),
        };
        self.root = Some(root.clone());
        self.current = Some(current);
        Ok(accepted)
    }

    fn judge(&self, root: &Root, answer: &v1::HeadResponse) -> Result<Current, TrustError> {
        let head: SignedHead = answer.head.parse()?;
        match self.head() {
            // Believed already, perhaps signed by a key that has been replaced since.
            Some(held) if held.hash() == head.hash() => {}
            Some(held) => {
                head.verify(root)?;
                self.compare(held, &head, answer)?;
            }
            None => head.verify(root)?,
        }
        let policy = self.policy_of(root, &head, &answer.policy)?;
        Ok(Current { head, policy })
    }

    /// Judges another head than the held one.
    fn compare(
        &self,
        held: &SignedHead,
        head: &SignedHead,
        answer: &v1::HeadResponse,
    ) -> Result<(), TrustError> {
        let (known, offered) = (held.head().version, head.head().version);
        if offered < known {
            return Err(TrustError::OlderHead {
                held: known,
                offered,
            });
        }
        if offered == known {
            let fork = Fork {
                ours: held.clone(),
                theirs: head.clone(),
            };
            return Err(TrustError::Fork(Box::new(fork)));
        }
        if head.head().issued_at < held.head().issued_at {
            return Err(TrustError::TimeWentBack);
        }
        let history = History {
            consistency: answer.consistency.clone(),
            known_head: answer.known_head.clone().unwrap_or_default(),
        };
        log::verify_history(head.head(), held, &history).map_err(|_| TrustError::History)
    }

    fn policy_of(
        &self,
        root: &Root,
        head: &SignedHead,
        note: &str,
    ) -> Result<SignedPolicy, TrustError> {
        let held = self.current.as_ref().map(|current| &current.policy);
        let named = head.head().policy_hash;
        if let Some(held) = held.filter(|held| held.hash() == named) {
            return Ok(held.clone());
        }
        if note.is_empty() {
            return Err(TrustError::OtherPolicy);
        }
        let policy: SignedPolicy = note.parse()?;
        policy.verify(root)?;
        if policy.hash() != named {
            return Err(TrustError::OtherPolicy);
        }
        // The head's key alone cannot bring an old policy back.
        if held.is_some_and(|held| policy.policy().version <= held.policy().version) {
            return Err(TrustError::OlderPolicy);
        }
        Ok(policy)
    }

    /// What to ask the relay for.
    pub fn request(&self) -> v1::HeadRequest {
        let policy = self.current.as_ref().map(|current| current.policy.hash());
        v1::HeadRequest {
            known_version: self.head().map_or(0, |head| head.head().version),
            known_root_version: self.root().map_or(0, |root| root.version),
            known_policy_hash: policy
                .map(|hash| hash.as_bytes().to_vec())
                .unwrap_or_default(),
        }
    }

    /// The hash of the root document that everything is believed from.
    pub fn pin(&self) -> &Hash {
        &self.pin
    }

    /// The organization.
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// The current root document.
    pub fn root(&self) -> Option<&Root> {
        self.root.as_ref().map(SignedRoot::root)
    }

    /// The newest head.
    pub fn head(&self) -> Option<&SignedHead> {
        self.current.as_ref().map(|current| &current.head)
    }

    /// The policy in force.
    pub fn policy(&self) -> Option<&Policy> {
        self.current.as_ref().map(|current| current.policy.policy())
    }

    /// How far the newest head can be relied on at `now`. Pass trusted time: a device's own clock can
    /// be turned back by whoever holds the device.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        let Some(Current { head, policy }) = &self.current else {
            return Freshness::BeyondOfflineLimit;
        };
        let expires_at = head.head().expires_at;
        if now < expires_at {
            Freshness::Fresh
        } else if now < expires_at + policy.policy().offline_limit() {
            Freshness::Stale
        } else {
            Freshness::BeyondOfflineLimit
        }
    }

    /// Checks the answers to some queries, in the order of the queries.
    pub fn verify_entries(
        &self,
        queries: &[v1::EntryQuery],
        response: &v1::EntriesResponse,
    ) -> Result<Vec<Standing>, EntriesError> {
        let held = self.head().map_or(0, |head| head.head().version);
        if response.head_version != held {
            return Err(EntriesError::HeadMoved {
                held,
                answered: response.head_version,
            });
        }
        if response.answers.len() != queries.len() {
            return Err(EntriesError::OtherQuestion);
        }
        let pairs = queries.iter().zip(&response.answers);
        pairs
            .map(|(query, answer)| self.verify_entry(query, answer))
            .collect()
    }

    /// Checks the answer to one query against the newest head.
    pub fn verify_entry(
        &self,
        query: &v1::EntryQuery,
        answer: &v1::EntryAnswer,
    ) -> Result<Standing, EntriesError> {
        use v1::entry_answer::Answer;

        let head = self.head().ok_or(BadProof)?.head();
        let tree = TreeRoot::from(head);
        if answer.key != query.key {
            return Err(EntriesError::OtherQuestion);
        }
        let key: EntryKey = query.key.parse().map_err(|_| EntriesError::OtherQuestion)?;
        match answer.answer.as_ref().ok_or(BadProof)? {
            Answer::Present(present) => {
                let proof = present.proof.as_ref().ok_or(BadProof)?;
                tree.verify_present(&key, &Entry::hash_of(&present.entry), proof)?;
                let entry = Entry::parse(&self.org, &present.entry)?;
                if *entry.key() != key || entry.changed_at_version() > head.version {
                    return Err(EntryError::Malformed.into());
                }
                Ok(Standing::Present(Box::new(entry)))
            }
            Answer::Unchanged(proof) => {
                let known = Hash::from_slice(&query.known_hash).map_err(|_| BadProof)?;
                tree.verify_present(&key, &known, proof)?;
                Ok(Standing::Unchanged)
            }
            Answer::Absent(proof) => {
                tree.verify_absent(&key, proof)?;
                Ok(Standing::Absent)
            }
        }
    }

    /// The order that a relay shows to this device, if the organization gave it: a wipe key of the newest
    /// root document signed it, for this device. Root documents that came along count as they do with a
    /// head; nothing is changed by them.
    pub fn verify_wipe(
        &self,
        notice: &v1::WipeNotice,
        device: DeviceId,
    ) -> Result<SignedWipeOrder, WipeError> {
        let newer = root::follow(&self.pin, self.root.as_ref(), &notice.roots)?;
        let root = newer
            .last()
            .or(self.root.as_ref())
            .ok_or(RootError::NotPinned)?
            .root();
        let order: SignedWipeOrder = notice.order.parse()?;
        // Believed is the organization that this device belongs to, whatever the documents say.
        if root.org != self.org {
            return Err(WipeError::OtherOrg);
        }
        order.verify(root)?;
        if order.order().device != device {
            return Err(WipeError::OtherDevice);
        }
        Ok(order)
    }

    /// Compares a head that somebody else holds with the newest one. A fork is proven only by a second
    /// validly signed head of the same version, never by a claim.
    pub fn check_fork(&self, note: &str) -> Result<Option<Fork>, TrustError> {
        let theirs: SignedHead = note.parse()?;
        theirs.verify(self.root().ok_or(RootError::NotPinned)?)?;
        Ok(self
            .head()
            .filter(|ours| ours.head().version == theirs.head().version)
            .filter(|ours| ours.hash() != theirs.hash())
            .map(|ours| Fork {
                ours: ours.clone(),
                theirs,
            }))
    }
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// There is a newer root document.
    pub root_changed: bool,
    /// There is a newer head: entries held so far are to be asked for again.
    pub head_changed: bool,
    /// There is another policy.
    pub policy_changed: bool,
}

/// How far the newest head can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// Its time is not over.
    Fresh,
    /// Its time is over: sealing goes on, with a warning.
    Stale,
    /// Nothing may be sealed before a newer head comes; also when there is no head yet.
    BeyondOfflineLimit,
}

/// What the directory says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has this entry.
    Present(Box<Entry>),
    /// The entry that the asker named stands unchanged.
    Unchanged,
    /// It has no entry.
    Absent,
}

/// Two heads of one version, both validly signed: somebody is shown another directory. Keep both notes
/// as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The head that was believed.
    pub ours: SignedHead,
    /// The other one.
    pub theirs: SignedHead,
}

impl Fork {
    /// For a third party: whether this is evidence against the holder of the head keys in `root`.
    pub fn verify(&self, root: &Root) -> Result<(), HeadError> {
        self.ours.verify(root)?;
        self.theirs.verify(root)?;
        let same_version = self.ours.head().version == self.theirs.head().version;
        if same_version && self.ours.hash() != self.theirs.hash() {
            Ok(())
        } else {
            Err(HeadError::Malformed)
        }
    }
}

/// Why an answer with a head is refused. What was believed before stays believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A root document is refused.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The head is refused by itself.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The policy is refused by itself.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The relay goes back behind what it has shown.
    #[error("the relay offers head {offered} after head {held}: keep {held} and report the relay")]
    OlderHead {
        /// The version that is believed.
        held: u64,
        /// The version that was offered.
        offered: u64,
    },
    /// Two validly signed heads of one version.
    #[error("two different heads of one version are signed: keep both and raise the alarm")]
    Fork(Box<Fork>),
    /// A newer head that claims to be older.
    #[error("the newer head was issued before the held one: check the authority's clock")]
    TimeWentBack,
    /// The head does not prove that it continues the held one.
    #[error("the head does not continue the held one: report the relay")]
    History,
    /// The policy is missing, or not the one that the head names.
    #[error("the policy is not the one that the head names: fetch it again")]
    OtherPolicy,
    /// The head names a policy that was replaced before.
    #[error("the head names an older policy than the held one: report the authority")]
    OlderPolicy,
}

/// Why an answer about entries is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntriesError {
    /// The answer is proven against another head.
    #[error("the answer is for head {answered}, not {held}: fetch the newest head and ask again")]
    HeadMoved {
        /// The version that is believed.
        held: u64,
        /// The version of the answer.
        answered: u64,
    },
    /// Other keys were answered than asked.
    #[error("the answer is to another question: report the relay")]
    OtherQuestion,
    /// A proof does not hold.
    #[error(transparent)]
    Proof(#[from] BadProof),
    /// A proven entry is malformed.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// How trust is serialized: the notes as they came.
#[derive(Serialize, Deserialize)]
struct Stored {
    org: OrgId,
    pin: Hash,
    root: Option<String>,
    head: Option<String>,
    policy: Option<String>,
}

impl From<Trust> for Stored {
    fn from(trust: Trust) -> Self {
        let current = trust.current.as_ref();
        Self {
            root: trust.root.as_ref().map(SignedRoot::to_string),
            head: current.map(|current| current.head.to_string()),
            policy: current.map(|current| current.policy.to_string()),
            org: trust.org,
            pin: trust.pin,
        }
    }
}

impl TryFrom<Stored> for Trust {
    type Error = TrustError;

    fn try_from(stored: Stored) -> Result<Self, TrustError> {
        let current = match (stored.head, stored.policy) {
            (Some(head), Some(policy)) => Some(Current {
                head: head.parse()?,
                policy: policy.parse()?,
            }),
            _ => None,
        };
        let root = stored.root.map(|root| root.parse()).transpose()?;
        Ok(Self {
            org: stored.org,
            pin: stored.pin,
            root,
            current,
        })
    }
}
