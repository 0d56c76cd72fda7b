//! The head: one signed page that stands for the whole directory at one version.
//!
//! It names the Merkle root of all entries, the policy, and the log of all heads before it. A head says
//! nothing by itself; [`trust`](crate::trust) decides whether to believe one and what it proves.

use std::{fmt, str::FromStr};

use crate::{
    hash::Hash,
    id::OrgId,
    lines::Lines,
    merkle::MAX_LEAVES,
    note::{Note, NoteError},
    root::{Purpose, Root, note_key},
    signer::Signer,
    time::Timestamp,
};

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The organization.
    pub org: OrgId,
    /// 1 for the first; each later one adds 1. The log under `heads_root` has `version - 1` leaves.
    pub version: u64,
    /// When it was made, by the authority's clock.
    pub issued_at: Timestamp,
    /// Until when it is fresh: an older one is used with a warning, for as long as policy allows.
    pub expires_at: Timestamp,
    /// How many entries there are.
    pub entries_count: u64,
    /// Root of the tree of entries ([`tree`](crate::tree)).
    pub entries_root: Hash,
    /// Hash of the policy in force.
    pub policy_hash: Hash,
    /// Root of the log of all earlier heads ([`log`](crate::log)).
    pub heads_root: Hash,
}

impl Head {
    /// How many heads came before.
    pub fn earlier_heads(&self) -> u64 {
        self.version.saturating_sub(1)
    }

    fn is_sound(&self) -> bool {
        (1..=MAX_LEAVES).contains(&self.version)
            && self.entries_count <= MAX_LEAVES
            && self.issued_at < self.expires_at
    }

    fn text(&self) -> String {
        format!(
            "{FIRST_LINE}\norg {}\nversion {}\nissued {}\nexpires {}\ncount {}\nentries {}\n\
             policy {}\nheads {}\n",
            self.org,
            self.version,
            self.issued_at,
            self.expires_at,
            self.entries_count,
            self.entries_root,
            self.policy_hash,
            self.heads_root,
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = Lines::new(text, FIRST_LINE)?;
        let head = Self {
            org: lines.parse("org")?,
            version: lines.parse("version")?,
            issued_at: lines.parse("issued")?,
            expires_at: lines.parse("expires")?,
            entries_count: lines.parse("count")?,
            entries_root: lines.parse("entries")?,
            policy_hash: lines.parse("policy")?,
            heads_root: lines.parse("heads")?,
        };
        // One spelling for one statement; lines of a later version may follow.
        let canonical = text.strip_suffix(lines.rest()) == Some(&head.text());
        (canonical && head.is_sound()).then_some(head)
    }
}

/// A head with its signatures, as it is stored and sent. What was read is well formed;
/// [`SignedHead::verify`] says whether the organization signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: Head,
    note: Note,
}

impl SignedHead {
    /// Signs a head.
    pub fn sign(head: &Head, signer: &dyn Signer) -> Result<Self, HeadError> {
        let key = note_key(&head.org, Purpose::Head.as_str(), &signer.public_key())
            .ok_or(HeadError::Malformed)?;
        Self::new(Note::sign(head.text(), &[(&key, signer)])?)
    }

    fn new(note: Note) -> Result<Self, HeadError> {
        let head = Head::parse(note.text()).ok_or(HeadError::Malformed)?;
        Ok(Self { head, note })
    }

    /// Whether one of the head keys of this root document signed it, for its organization.
    pub fn verify(&self, root: &Root) -> Result<(), HeadError> {
        if self.head.org != root.org {
            return Err(HeadError::OtherOrg);
        }
        self.note.verify(&root.note_keys(Purpose::Head), 1)?;
        Ok(())
    }

    /// What it says.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// SHA-256 of its text: what stands in the log of heads, and in every sealed content.
    pub fn hash(&self) -> Hash {
        self.note.hash()
    }
}

/// The signed note.
impl fmt::Display for SignedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

impl FromStr for SignedHead {
    type Err = HeadError;

    fn from_str(note: &str) -> Result<Self, HeadError> {
        Self::new(note.parse()?)
    }
}

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The text is not that of a head, or it ends before it begins.
    #[error("not a directory head: fetch it again")]
    Malformed,
    /// It is of another organization.
    #[error("the head is of another organization: check the relay")]
    OtherOrg,
    /// No head key of the root document signed it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

const FIRST_LINE: &str = "wardline/v1/head";
