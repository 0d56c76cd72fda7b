//! A message that proves by itself who wrote it: what the author's device signed, the directory entry that names the
//! device, and the signed head that the entry stands under. Whoever holds a root document of the organization
//! verifies it offline, with public keys only.
//!
//! It says who wrote what, and when by the author's clock. Not its concern: whom it was sent to and what became of
//! it, and whether a message should be shown to whoever verifies it.

use std::fmt;

use wardline_proto::{Message as _, v1};

use crate::{
    hash::Hash,
    id::{DeviceId, EntryKey, OrgId, UserId},
    person::{Person, PersonStatus},
    root::RootError,
    signer::{self, BadSignature},
    time::Timestamp,
    trust::{EntriesError, Standing, Trust, TrustError},
};

/// What a device signs a content for (see [`signer::sign_tagged`]).
pub const CONTENT_PURPOSE: &str = "content";
/// The content type of what corrects a message.
pub const AMEND: &str = "wardline.amend/1";
/// The content type of a text.
pub const TEXT: &str = "wardline.text/1";
/// Largest encoded proof, in bytes.
pub const MAX_PROOF: usize = 16 * 1024 * 1024;

/// A message with everything that proves who wrote it, as it is stored and sent. What was read is well formed;
/// [`MessageProof::verify`] says whether it holds.
#[derive(Clone, PartialEq)]
pub struct MessageProof(v1::MessageProof);

impl MessageProof {
    /// Puts a proof together: a signed content, its corrections in the order in which they stand, and what the
    /// directory answers of its author, to somebody who knows nothing yet.
    pub fn new(
        message: v1::SignedContent,
        corrections: Vec<v1::SignedContent>,
        head: v1::HeadResponse,
        author: v1::EntryAnswer,
    ) -> Self {
        Self(v1::MessageProof {
            version: VERSION,
            content_hash: Hash::of(&message.content).as_bytes().to_vec(),
            message: Some(message),
            corrections,
            head: Some(head),
            author: Some(author),
        })
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// [`ProofError::Malformed`], [`ProofError::Version`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_PROOF {
            return Err(ProofError::Malformed);
        }
        let proof = v1::MessageProof::decode(bytes).map_err(|_| ProofError::Malformed)?;
        if proof.version != VERSION {
            return Err(ProofError::Version(proof.version));
        }
        Ok(Self(proof))
    }

    /// The proof as bytes, for a file.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Whether it holds for whoever believes the root document with this hash (see [`SignedRoot::hash`](crate::root::SignedRoot::hash)): the one
    /// that apps pin, or any later one that the proof leads over.
    ///
    /// # Errors
    /// [`ProofError`] names what does not hold.
    pub fn verify(&self, root: &Hash) -> Result<ProvenMessage, ProofError> {
        let message = self.0.message.as_ref().ok_or(ProofError::Malformed)?;
        if Hash::of(&message.content).as_bytes().as_slice() != self.0.content_hash {
            return Err(ProofError::Altered);
        }
        let content = decode(message)?;
        let organization: OrgId = parsed(&content.organization)?;
        let author: UserId = parsed(&content.sender_user_id)?;
        let mut trust = Trust::new(organization.clone(), *root);
        let head = self.0.head.as_ref().ok_or(ProofError::Malformed)?;
        trust.accept(head).map_err(ProofError::from_trust)?;
        let query = v1::EntryQuery {
            key: EntryKey::Person(author.clone()).to_string(),
            known_hash: Vec::new(),
        };
        let entry = self.0.author.as_ref().ok_or(ProofError::Malformed)?;
        let Standing::Present(entry) = trust.verify_entry(&query, entry)? else {
            return Err(ProofError::NoSuchDevice);
        };
        let person = entry.person().ok_or(ProofError::NoSuchDevice)?;

        let ((device, label), corrections) = verify_signed(person, message, &self.0.corrections)?;
        let signed_head = trust.head().ok_or(ProofError::Malformed)?;
        let head = signed_head.head();
        Ok(ProvenMessage {
            organization,
            author,
            display_name: person.display_name.clone(),
            device,
            device_label: label,
            written_at: Timestamp::from_millis(content.created_at_ms),
            text: text_of(&content),
            corrections,
            head_version: head.version,
            head_issued_at: head.issued_at,
            head_hash: signed_head.hash(),
            root_version: trust.root().map_or(0, |root| root.version),
            content,
        })
    }
}

/// What a proof that holds says.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ProvenMessage {
    /// The organization that stands behind the author's device.
    pub organization: OrgId,
    /// Who wrote it.
    pub author: UserId,
    /// What the organization calls them.
    pub display_name: String,
    /// On which device.
    pub device: DeviceId,
    /// What that calls itself.
    pub device_label: String,
    /// When, by the author's clock.
    pub written_at: Timestamp,
    /// What it said first; of a type other than a text, what anybody can read of it.
    pub text: String,
    /// What it was corrected to, in the order in which the corrections stand.
    pub corrections: Vec<ProvenCorrection>,
    /// The version of the head that it is proven under.
    pub head_version: u64,
    /// When that was made, by the authority's clock.
    pub head_issued_at: Timestamp,
    /// Its hash: what other copies of that head have too.
    pub head_hash: Hash,
    /// The version of the root document that names the key of that head.
    pub root_version: u64,
    /// Everything that the device signed.
    pub content: v1::Content,
}

/// A correction by the author of a message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvenCorrection {
    /// On which device of theirs.
    pub device: DeviceId,
    /// When, by that device's clock.
    pub written_at: Timestamp,
    /// What the message said from then on.
    pub text: String,
    /// Why; may be empty.
    pub reason: String,
}

/// Shows nothing of what was written, and by whom.
impl fmt::Debug for MessageProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageProof").finish_non_exhaustive()
    }
}

/// Shows which head, nothing of what was written.
impl fmt::Debug for ProvenMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvenMessage")
            .field("device", &self.device)
            .field("head_version", &self.head_version)
            .finish_non_exhaustive()
    }
}

/// Shows when, nothing of what was written.
impl fmt::Debug for ProvenCorrection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvenCorrection")
            .field("written_at", &self.written_at)
            .finish_non_exhaustive()
    }
}

/// Whether a person's device signed a content, and other devices of theirs its corrections; answers the first device with
/// its label, and what the corrections say. For whoever has proven the person's entry already.
///
/// # Errors
/// [`ProofError`] names what does not hold.
pub fn verify_signed(
    person: &Person,
    message: &v1::SignedContent,
    corrections: &[v1::SignedContent],
) -> Result<((DeviceId, String), Vec<ProvenCorrection>), ProofError> {
    let content = decode(message)?;
    if content.sender_user_id != person.user.as_str() {
        return Err(ProofError::NoSuchDevice);
    }
    let author = verify_author(person, &content, message)?;
    let corrections = corrections
        .iter()
        .map(|signed| verify_correction(person, &content, signed))
        .collect::<Result<_, _>>()?;
    Ok((author, corrections))
}

/// Holds the signature under a content against the person whose device it names.
fn verify_author(
    person: &Person,
    content: &v1::Content,
    signed: &v1::SignedContent,
) -> Result<(DeviceId, String), ProofError> {
    let device = DeviceId::from_slice(&content.sender_device).map_err(|_| ProofError::Malformed)?;
    let listed = person.device(device).ok_or(ProofError::NoSuchDevice)?;
    let credential = listed.credential.credential();
    signer::verify_tagged(
        &credential.ed25519,
        CONTENT_PURPOSE,
        &signed.content,
        &signed.signature,
    )?;
    // Whoever holds a device that was revoked can date what it signs back.
    if let Some(at) = listed.revoked_at {
        return Err(ProofError::Revoked { at });
    }
    if person.status != PersonStatus::Active {
        return Err(ProofError::Left);
    }
    Ok((device, credential.label.clone()))
}

fn verify_correction(
    person: &Person,
    of: &v1::Content,
    signed: &v1::SignedContent,
) -> Result<ProvenCorrection, ProofError> {
    let content = decode(signed)?;
    let (device, _) = verify_author(person, &content, signed)?;
    let subject = content.subject.as_ref().ok_or(ProofError::OtherSubject)?;
    let about = subject.sender_device == of.sender_device && subject.message_id == of.message_id;
    let same_author = content.sender_user_id == of.sender_user_id;
    if content.type_uri != AMEND || !about || !same_author {
        return Err(ProofError::OtherSubject);
    }
    let body = v1::AmendBody::decode(content.body.as_slice()).map_err(|_| ProofError::Malformed)?;
    let written_at = match body.copy_of {
        Some(_) => body.written_at_ms,
        None => content.created_at_ms,
    };
    Ok(ProvenCorrection {
        device,
        written_at: Timestamp::from_millis(written_at),
        text: body.text,
        reason: body.reason,
    })
}

fn decode(signed: &v1::SignedContent) -> Result<v1::Content, ProofError> {
    v1::Content::decode(signed.content.as_slice()).map_err(|_| ProofError::Malformed)
}

fn parsed<T: std::str::FromStr>(name: &str) -> Result<T, ProofError> {
    name.parse().map_err(|_| ProofError::Malformed)
}

fn text_of(content: &v1::Content) -> String {
    let text = (content.type_uri == TEXT)
        .then(|| v1::TextBody::decode(content.body.as_slice()).ok())
        .flatten();
    text.map_or_else(|| content.fallback_text.clone(), |body| body.text)
}

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The bytes are not those of a proof, or a part is missing.
    #[error("not a proof of a message: export it again")]
    Malformed,
    /// A version that this build does not know.
    #[error("proof version {0} is unknown: update the software that reads it")]
    Version(u32),
    /// The root document is not of the organization that the proof leads to, or later than all of its own.
    #[error(
        "the proof does not lead to this root document: take the one that the organization's apps pin"
    )]
    WrongRoot,
    /// The root documents, the head or the policy do not hold.
    #[error("the directory in the proof does not hold: {0}")]
    Directory(Box<TrustError>),
    /// The author's entry does not stand under the head.
    #[error("the author's entry does not hold: {0}")]
    Entry(#[from] EntriesError),
    /// The directory lists no such person, or no such device of theirs.
    #[error("the directory lists no such device of the author: nobody stands behind the message")]
    NoSuchDevice,
    /// The content is not the one that was exported.
    #[error("the message was altered after it was exported: ask for the proof again")]
    Altered,
    /// The device did not sign the content.
    #[error("the author's device did not sign the message: it is forged")]
    BadSignature,
    /// The device is revoked under that head: since then its keys may be in anybody's hands.
    #[error(
        "the author's device was revoked at {at}: the message may have been written by whoever had it then"
    )]
    Revoked {
        /// Since when.
        at: Timestamp,
    },
    /// The author has left the organization under that head.
    #[error("the author had left the organization: use a proof that was exported before")]
    Left,
    /// A correction speaks of another message, or is by somebody else.
    #[error("a correction in the proof is not of this message: ask for the proof again")]
    OtherSubject,
}

impl ProofError {
    /// A stable word for scripts.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version(_) => "version",
            Self::WrongRoot => "wrong-root",
            Self::Directory(_) => "directory",
            Self::Entry(_) => "entry",
            Self::NoSuchDevice => "no-such-device",
            Self::Altered => "altered",
            Self::BadSignature => "bad-signature",
            Self::Revoked { .. } => "revoked",
            Self::Left => "left",
            Self::OtherSubject => "other-subject",
        }
    }

    fn from_trust(error: TrustError) -> Self {
        match error {
            TrustError::Root(RootError::NotPinned | RootError::OtherOrg) => Self::WrongRoot,
            error => Self::Directory(Box::new(error)),
        }
    }
}

impl From<BadSignature> for ProofError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}

const VERSION: u32 = 1;
