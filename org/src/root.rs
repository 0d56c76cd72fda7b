//! The root document: which keys speak for an organization, and for what.
//!
//! Offline keys (k of n) sign a versioned list of the operational keys, and nothing else ever. An app
//! pins one root document by its hash; newer ones follow as in TUF: version by version, each signed
//! by enough keys of the document before it and of its own. Where documents come from, and which is
//! the current one, is the concern of [`trust`](crate::trust).

use std::{fmt, str::FromStr};

use crate::{
    hash::Hash,
    id::OrgId,
    lines::Lines,
    note::{Note, NoteError, NoteKey},
    signer::{self, Signer},
};

/// Most keys of one purpose, and most root keys.
pub const MAX_KEYS: usize = 16;

/// What an operational key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Directory heads.
    Head,
    /// The policy.
    Policy,
    /// Enrollment tickets.
    Ticket,
    /// The authority's calls to the relay.
    Authority,
    /// Wipe orders.
    Wipe,
    /// Statements of the relay itself.
    Relay,
}

impl Purpose {
    /// Every purpose, in the order of the document's lines.
    pub const ALL: [Self; 6] = [
        Self::Head,
        Self::Policy,
        Self::Ticket,
        Self::Authority,
        Self::Wipe,
        Self::Relay,
    ];

    /// The word in the document, and the last part of the key's name in notes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Policy => "policy",
            Self::Ticket => "ticket",
            Self::Authority => "authority",
            Self::Wipe => "wipe",
            Self::Relay => "relay",
        }
    }

    /// Without these no directory can be published.
    fn required(self) -> bool {
        matches!(self, Self::Head | Self::Policy | Self::Authority)
    }
}

/// What a root document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The organization.
    pub org: OrgId,
    /// 1 for the first; each later one adds 1.
    pub version: u64,
    /// How many root keys must sign.
    pub threshold: usize,
    /// The offline keys.
    pub root_keys: Vec<[u8; 32]>,
    /// The operational keys: at most [`MAX_KEYS`] for each purpose.
    pub keys: Vec<(Purpose, [u8; 32])>,
}

impl Root {
    /// The operational keys of one purpose.
    pub fn keys(&self, purpose: Purpose) -> impl Iterator<Item = &[u8; 32]> {
        self.keys
            .iter()
            .filter(move |(p, _)| *p == purpose)
            .map(|(_, key)| key)
    }

    /// The keys of one purpose, as the signers of notes.
    pub fn note_keys(&self, purpose: Purpose) -> Vec<NoteKey> {
        self.keys(purpose)
            .filter_map(|key| note_key(&self.org, purpose.as_str(), key))
            .collect()
    }

    fn root_note_keys(&self) -> Vec<NoteKey> {
        self.root_keys
            .iter()
            .filter_map(|key| note_key(&self.org, "root", key))
            .collect()
    }

    fn check(&self) -> Result<(), RootError> {
        let n = self.root_keys.len();
        let mut every: Vec<&[u8; 32]> = self.root_keys.iter().collect();
        every.extend(self.keys.iter().map(|(_, key)| key));
        if !every.iter().all(|key| signer::is_sound_key(key)) {
            return Err(RootError::WeakKey);
        }
        // One key, one purpose: a root key signs nothing else, and no operational key two things.
        every.sort_unstable();
        if every.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(RootError::SharedKey);
        }
        let enough = |purpose: Purpose| {
            let count = self.keys(purpose).count();
            count <= MAX_KEYS && (count > 0 || !purpose.required())
        };
        if self.version == 0
            || !(1..=MAX_KEYS).contains(&n)
            || !(1..=n).contains(&self.threshold)
            || !Purpose::ALL.into_iter().all(enough)
        {
            return Err(RootError::Malformed);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\norg {}\nversion {}\nthreshold {}\n",
            self.org, self.version, self.threshold
        );
        for key in &self.root_keys {
            text.push_str(&format!("root {}\n", hex::encode(key)));
        }
        for purpose in Purpose::ALL {
            for key in self.keys(purpose) {
                text.push_str(&format!("{} {}\n", purpose.as_str(), hex::encode(key)));
            }
        }
        text
    }

    fn parse(text: &str) -> Result<Self, RootError> {
        let (root, later) = Self::read(text).ok_or(RootError::Malformed)?;
        root.check()?;
        // One spelling for one statement.
        if text.strip_suffix(later) != Some(&root.text()) {
            return Err(RootError::Malformed);
        }
        Ok(root)
    }

    fn read(text: &str) -> Option<(Self, &str)> {
        let mut lines = Lines::new(text, FIRST_LINE)?;
        let mut root = Self {
            org: lines.parse("org")?,
            version: lines.parse("version")?,
            threshold: lines.parse("threshold")?,
            root_keys: lines
                .all::<Key>("root")?
                .into_iter()
                .map(|key| key.0)
                .collect(),
            keys: Vec::new(),
        };
        for purpose in Purpose::ALL {
            let keys = lines.all::<Key>(purpose.as_str())?;
            root.keys
                .extend(keys.into_iter().map(|key| (purpose, key.0)));
        }
        Some((root, lines.rest()))
    }
}

/// A root document with its signatures, as it is stored and sent. Enough of its own keys signed it;
/// whether it is to be believed depends on the pin or on the document before it.
///
/// ```
/// use wardline_org::root::{Purpose, Root, SignedRoot};
/// use wardline_org::signer::{Signer, SoftwareSigner};
///
/// let [root, head, policy, authority]: [SoftwareSigner; 4] =
///     std::array::from_fn(|seed| SoftwareSigner::from_seed(&[seed as u8; 32]));
/// let first = SignedRoot::sign(
///     &Root {
///         org: "mercy".parse()?,
///         version: 1,
///         threshold: 1,
///         root_keys: vec![root.public_key()],
///         keys: vec![
///             (Purpose::Head, head.public_key()),
///             (Purpose::Policy, policy.public_key()),
///             (Purpose::Authority, authority.public_key()),
///         ],
///     },
///     &[&root],
/// )?;
///
/// // What an app ships with, and what it does with the document the relay gives it.
/// let pin = first.hash();
/// let received: SignedRoot = first.to_string().parse()?;
/// assert_eq!(received.hash(), pin);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoot {
    root: Root,
    note: Note,
}

impl SignedRoot {
    /// Signs a document with root keys: enough of its own, and for a successor enough of the document
    /// before it. Pass every signer once.
    pub fn sign(root: &Root, signers: &[&dyn Signer]) -> Result<Self, RootError> {
        root.check()?;
        let keys = signers
            .iter()
            .map(|signer| note_key(&root.org, "root", &signer.public_key()))
            .collect::<Option<Vec<_>>>()
            .ok_or(RootError::Malformed)?;
        let pairs: Vec<_> = keys.iter().zip(signers.iter().copied()).collect();
        Self::new(Note::sign(root.text(), &pairs)?)
    }

    fn new(note: Note) -> Result<Self, RootError> {
        let root = Root::parse(note.text())?;
        note.verify(&root.root_note_keys(), root.threshold)?;
        Ok(Self { root, note })
    }

    /// Whether `next` may take this document's place: the version after it, of the same organization,
    /// signed by enough keys of both.
    pub fn accepts(&self, next: &SignedRoot) -> Result<(), RootError> {
        if next.root.org != self.root.org {
            return Err(RootError::OtherOrg);
        }
        if next.root.version != self.root.version.saturating_add(1) {
            return Err(RootError::VersionGap);
        }
        next.note
            .verify(&self.root.root_note_keys(), self.root.threshold)?;
        Ok(())
    }

    /// What it says.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// SHA-256 of its text: what an app pins.
    pub fn hash(&self) -> Hash {
        self.note.hash()
    }
}

/// Follows root documents from the pinned one on: returns those that are new, oldest first.
///
/// `notes` are documents as they came, oldest first; older ones than the pinned or the held one are
/// passed over. Everything before the first refused document is lost with it: nothing is half accepted.
pub fn follow(
    pin: &Hash,
    held: Option<&SignedRoot>,
    notes: &[String],
) -> Result<Vec<SignedRoot>, RootError> {
    let mut accepted: Vec<SignedRoot> = Vec::new();
    for note in notes {
        let next: SignedRoot = note.parse()?;
        match accepted.last().or(held) {
            None if next.hash() == *pin => accepted.push(next),
            None => {}
            Some(current) if next.root.version > current.root.version => {
                current.accepts(&next)?;
                accepted.push(next);
            }
            Some(_) => {}
        }
    }
    if held.is_none() && accepted.is_empty() {
        Err(RootError::NotPinned)
    } else {
        Ok(accepted)
    }
}

/// The signed note.
impl fmt::Display for SignedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

impl FromStr for SignedRoot {
    type Err = RootError;

    fn from_str(note: &str) -> Result<Self, RootError> {
        Self::new(note.parse()?)
    }
}

/// Why a root document is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The text is not that of a root document, or a number is out of range.
    #[error("not a root document: make it with `wardline org`")]
    Malformed,
    /// A key that anybody could sign for.
    #[error("the root document names a weak key: make another key")]
    WeakKey,
    /// One key stands twice, or has two purposes.
    #[error("the root document uses one key twice: make a key for each purpose")]
    SharedKey,
    /// It is of another organization.
    #[error("the root document is of another organization: check the pinned hash")]
    OtherOrg,
    /// None of the documents is the pinned one.
    #[error("no root document has the pinned hash: check the pin and the relay")]
    NotPinned,
    /// Versions follow each other without a gap.
    #[error("the root document is not the next version: fetch every one in between")]
    VersionGap,
    /// Not enough of the right keys signed it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The name that a key of an organization signs notes under.
pub(crate) fn note_key(org: &OrgId, purpose: &str, key: &[u8; 32]) -> Option<NoteKey> {
    NoteKey::new(format!("{org}/{purpose}"), *key).ok()
}

/// 64 lower-case hexadecimal digits; the canonical-text check refuses other spellings.
struct Key([u8; 32]);

impl FromStr for Key {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key)?;
        Ok(Self(key))
    }
}

const FIRST_LINE: &str = "wardline/v1/root";
