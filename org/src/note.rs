//! Signed notes (C2SP `signed-note`): a text, and under it one line for each signature.
//!
//! Everything an organization signs for others to read is a note, so that outsiders can verify it
//! with stock tools. The first line of every text says what it is (`wardline/v1/head`), which keeps a
//! signature made for one purpose from passing for another. What the texts mean is the concern of
//! [`root`](crate::root), [`head`](crate::head) and [`policy`](crate::policy).

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{
    hash::Hash,
    signer::{self, Signer},
};

/// Largest note that is read, in bytes.
pub const MAX_NOTE: usize = 256 * 1024;
/// Most signatures on a note.
pub const MAX_SIGNATURES: usize = 16;

/// A text with signatures. A note that was read proves nothing until [`Note::verify`].
///
/// ```
/// use wardline_org::note::{Note, NoteKey};
/// use wardline_org::signer::{Signer, SoftwareSigner};
///
/// let signer = SoftwareSigner::generate()?;
/// let key = NoteKey::new("mercy/example", signer.public_key())?;
/// let note = Note::sign("wardline/v1/example\nwords\n", &[(&key, &signer)])?;
///
/// let read: Note = note.to_string().parse()?;
/// assert_eq!(read.text(), "wardline/v1/example\nwords\n");
/// read.verify(&[key], 1)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

impl Note {
    /// Signs a text, which must end in a line break, with each of these keys.
    ///
    /// A key that is not the signer's own makes a note that nobody can verify; the callers of this
    /// crate build both from the same signer.
    pub fn sign(
        text: impl Into<String>,
        signers: &[(&NoteKey, &dyn Signer)],
    ) -> Result<Self, NoteError> {
        let text = text.into();
        if !is_text(&text) || signers.is_empty() || signers.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed);
        }
        let signatures = signers
            .iter()
            .map(|(key, signer)| Signature {
                name: key.name.clone(),
                key_id: key.id(),
                bytes: signer.sign(text.as_bytes()).to_vec(),
            })
            .collect();
        Ok(Self { text, signatures })
    }

    /// What is signed, with its line break at the end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text. Signatures do not change it, so two notes with one text are one
    /// statement; the text's first line keeps statements of different kinds apart.
    pub fn hash(&self) -> Hash {
        Hash::of(self.text.as_bytes())
    }

    /// Checks that at least `threshold` of `keys` signed the text.
    ///
    /// Signatures of other keys are ignored; a wrong signature in the name of one of `keys` refuses
    /// the whole note.
    pub fn verify(&self, keys: &[NoteKey], threshold: usize) -> Result<(), NoteError> {
        let mut signed = 0;
        for (position, key) in keys.iter().enumerate() {
            if keys.iter().take(position).any(|earlier| earlier == key) {
                continue; // a key that is listed twice counts once
            }
            let mut own = self
                .signatures
                .iter()
                .filter(|s| s.name == key.name && s.key_id == key.id())
                .peekable();
            signed += usize::from(own.peek().is_some());
            for signature in own {
                signer::verify(&key.key, self.text.as_bytes(), &signature.bytes)
                    .map_err(|_| NoteError::BadSignature)?;
            }
        }
        if signed >= threshold.max(1) {
            Ok(())
        } else {
            Err(NoteError::NotSigned)
        }
    }
}

/// The note as it travels: text, blank line, signature lines.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = [&signature.key_id[..], &signature.bytes].concat();
            writeln!(f, "— {} {}", signature.name, STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

/// Shows how much there is, never the text.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note")
            .field("hash", &self.hash())
            .field("signatures", &self.signatures.len())
            .finish_non_exhaustive()
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Malformed);
        }
        // The last blank line ends the text; a text may have blank lines of its own.
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed)? + 1;
        let (text, rest) = note.split_at_checked(end).ok_or(NoteError::Malformed)?;
        let lines = rest.strip_prefix('\n').and_then(|r| r.strip_suffix('\n'));
        let signatures = lines
            .ok_or(NoteError::Malformed)?
            .split('\n')
            .map(Signature::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if !is_text(text) || signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }
}

impl Signature {
    fn parse(line: &str) -> Result<Self, NoteError> {
        let (name, encoded) = line
            .strip_prefix("— ")
            .and_then(|l| l.split_once(' '))
            .ok_or(NoteError::Malformed)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed)?;
        let (key_id, bytes) = bytes.split_first_chunk().ok_or(NoteError::Malformed)?;
        if !is_name(name) || bytes.is_empty() {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            name: name.to_owned(),
            key_id: *key_id,
            bytes: bytes.to_vec(),
        })
    }
}

/// The public key of a note's signer, with the name it signs under.
///
/// `Display` is the verifier key form `<name>+<key id>+<base64>` that stock tools take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: [u8; 32],
}

impl NoteKey {
    /// An Ed25519 key. The name has no spaces, no `+` and no control characters.
    pub fn new(name: impl Into<String>, key: [u8; 32]) -> Result<Self, NoteError> {
        let name = name.into();
        if is_name(&name) {
            Ok(Self { name, key })
        } else {
            Err(NoteError::Malformed)
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The first four bytes of SHA-256 over name, line break, algorithm and key: which key of this
    /// name a signature line means.
    fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(&self.name);
        hasher.update([b'\n', ED25519]);
        hasher.update(self.key);
        let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
        [a, b, c, d]
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], &self.key[..]].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id()),
            STANDARD.encode(key)
        )
    }
}

/// Why a note is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a text with signature lines under it, or too large.
    #[error("not a signed note: a text, a blank line, and signature lines")]
    Malformed,
    /// Fewer of the expected keys signed it than must.
    #[error("not signed by enough of the expected keys: refuse it")]
    NotSigned,
    /// A line in the name of an expected key does not match the text.
    #[error("a signature of an expected key does not match: refuse it")]
    BadSignature,
}

/// Not empty, ends in a line break, no control characters but line breaks.
fn is_text(text: &str) -> bool {
    text.len() > 1
        && text.len() <= MAX_NOTE
        && text.ends_with('\n')
        && !text.chars().any(|c| c != '\n' && c.is_control())
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && !name
            .chars()
            .any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

/// The algorithm byte of Ed25519 in key ids and verifier keys.
const ED25519: u8 = 1;
