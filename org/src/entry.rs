//! Directory entries: one person, care team or role line, as a leaf of the directory's tree.
//!
//! An [`Entry`] is parsed and checked in itself: device credentials and vouches are signed, the chain of
//! device changes holds, no patient is named. That the organization stands behind it is proven by
//! [`tree`](crate::tree) under a head that [`trust`](crate::trust) accepted.

use std::fmt;

use wardline_proto::{Message, v1};

use crate::{
    credential::CredentialError,
    hash::Hash,
    id::{EntryKey, OrgId},
    person::Person,
    team::{CareTeam, RoleLine},
};

/// Largest encoded entry, in bytes.
pub const MAX_ENTRY: usize = 1024 * 1024;

/// One leaf of the directory, with the exact bytes that were published.
///
/// The bytes are kept because a later version may add fields: what is hashed travels on unchanged.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    key: EntryKey,
    changed_at_version: u64,
    body: EntryBody,
    bytes: Vec<u8>,
    hash: Hash,
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// One person with their devices.
    Person(Person),
    /// One care team.
    CareTeam(CareTeam),
    /// One role line.
    RoleLine(RoleLine),
}

impl EntryBody {
    /// The key that follows from what it is about.
    pub fn key(&self) -> EntryKey {
        match self {
            Self::Person(person) => person.user.clone().into(),
            Self::CareTeam(team) => team.team.clone().into(),
            Self::RoleLine(role) => role.role.clone().into(),
        }
    }
}

impl Entry {
    /// Makes the entry that a head of this version publishes.
    pub fn new(org: &OrgId, changed_at_version: u64, body: EntryBody) -> Result<Self, EntryError> {
        Self::write(org, changed_at_version, body, Signatures::Check)
    }

    /// The entry of something that an entry was made of before; its version is 0.
    #[cfg(feature = "authority")]
    pub(crate) fn rewrite(org: &OrgId, body: EntryBody) -> Result<Self, EntryError> {
        Self::write(org, 0, body, Signatures::CheckedBefore)
    }

    fn write(
        org: &OrgId,
        changed_at_version: u64,
        body: EntryBody,
        signatures: Signatures,
    ) -> Result<Self, EntryError> {
        let message = v1::Entry {
            version: VERSION,
            key: body.key().to_string(),
            changed_at_version,
            body: Some(match &body {
                EntryBody::Person(person) => v1::entry::Body::Person(person.to_proto()),
                EntryBody::CareTeam(team) => v1::entry::Body::CareTeam(team.to_proto()),
                EntryBody::RoleLine(role) => v1::entry::Body::RoleLine(role.to_proto()),
            }),
        };
        Self::read(org, &message.encode_to_vec(), signatures)
    }

    /// Reads an entry of this organization and checks every signature in it.
    pub fn parse(org: &OrgId, bytes: &[u8]) -> Result<Self, EntryError> {
        Self::read(org, bytes, Signatures::Check)
    }

    /// Reads an entry that this program parsed before and kept in its own store. It is checked like
    /// any other, except for the signatures, which cost the most.
    pub fn parse_stored(org: &OrgId, bytes: &[u8]) -> Result<Self, EntryError> {
        Self::read(org, bytes, Signatures::CheckedBefore)
    }

    fn read(org: &OrgId, bytes: &[u8], signatures: Signatures) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLarge);
        }
        let message = v1::Entry::decode(bytes).map_err(|_| EntryError::Malformed)?;
        if message.version != VERSION {
            return Err(EntryError::Version(message.version));
        }
        let body = match message.body.ok_or(EntryError::Malformed)? {
            v1::entry::Body::Person(person) => {
                EntryBody::Person(Person::from_proto(org, person, signatures)?)
            }
            v1::entry::Body::CareTeam(team) => EntryBody::CareTeam(CareTeam::from_proto(team)?),
            v1::entry::Body::RoleLine(role) => EntryBody::RoleLine(RoleLine::from_proto(role)?),
        };
        let key = body.key();
        if message.key != key.to_string() {
            return Err(EntryError::Malformed);
        }
        Ok(Self {
            key,
            changed_at_version: message.changed_at_version,
            body,
            bytes: bytes.to_vec(),
            hash: Self::hash_of(bytes),
        })
    }

    /// The hash that stands for an encoded entry in the tree and in queries.
    pub fn hash_of(bytes: &[u8]) -> Hash {
        Hash::tagged("entry", &[bytes])
    }

    /// Its key in the tree.
    pub fn key(&self) -> &EntryKey {
        &self.key
    }

    /// The version of the head that published it in this form.
    pub fn changed_at_version(&self) -> u64 {
        self.changed_at_version
    }

    /// What it is about.
    pub fn body(&self) -> &EntryBody {
        &self.body
    }

    /// What it is about, without the rest.
    pub fn into_body(self) -> EntryBody {
        self.body
    }

    /// The person, if it is one.
    pub fn person(&self) -> Option<&Person> {
        match &self.body {
            EntryBody::Person(person) => Some(person),
            _ => None,
        }
    }

    /// The care team, if it is one.
    pub fn care_team(&self) -> Option<&CareTeam> {
        match &self.body {
            EntryBody::CareTeam(team) => Some(team),
            _ => None,
        }
    }

    /// The role line, if it is one.
    pub fn role_line(&self) -> Option<&RoleLine> {
        match &self.body {
            EntryBody::RoleLine(role) => Some(role),
            _ => None,
        }
    }

    /// The encoded entry, exactly as published.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// [`Entry::hash_of`] its bytes.
    pub fn hash(&self) -> Hash {
        self.hash
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("changed_at_version", &self.changed_at_version)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Whether signatures inside an entry are checked while it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signatures {
    Check,
    CheckedBefore,
}

/// Why an entry is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It does not decode, its key is another one, or a field is missing, doubled or too long.
    #[error("the directory entry is malformed: publish it again")]
    Malformed,
    /// A version that this build does not know.
    #[error("directory entry version {0} is unknown: update the software that reads it")]
    Version(u32),
    /// More than [`MAX_ENTRY`] bytes.
    #[error("the directory entry is too large: remove what is no longer needed")]
    TooLarge,
    /// A reference to a patient or an encounter, which the relay must not see.
    #[error("a directory entry must not name a patient or an encounter: leave the reference out")]
    NamesPatient,
    /// A device's credential does not hold.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A device's credential names another person or organization than its entry.
    #[error("a device stands under another person than its credential names: remove it")]
    OtherOwner,
    /// The chain of device changes is broken, or does not lead to the listed devices.
    #[error("the device changes do not lead to the listed devices: report the directory")]
    DeviceChanges,
    /// A device is said to be vouched for by one that did not.
    #[error("a vouch is not signed by a device of the same person: remove it")]
    Vouch,
}

/// A text that a person reads: not empty, at most 256 bytes, no control characters.
pub(crate) fn is_label(text: &str) -> bool {
    !text.is_empty() && is_optional_label(text)
}

/// As [`is_label`], or empty.
pub(crate) fn is_optional_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && !text.chars().any(char::is_control)
}

/// FHIR references of staff and teams; anything that points at a patient is refused.
pub(crate) fn check_references(references: &[String]) -> Result<(), EntryError> {
    if references.len() > MAX_REFERENCES || !references.iter().all(|r| is_label(r)) {
        return Err(EntryError::Malformed);
    }
    let names_patient = |reference: &String| {
        reference
            .split('/')
            .any(|part| PATIENT_TYPES.iter().any(|t| part.eq_ignore_ascii_case(t)))
    };
    if references.iter().any(names_patient) {
        Err(EntryError::NamesPatient)
    } else {
        Ok(())
    }
}

const VERSION: u32 = 1;
const MAX_LABEL: usize = 256;
const MAX_REFERENCES: usize = 64;
const PATIENT_TYPES: [&str; 4] = ["Patient", "RelatedPerson", "Encounter", "EpisodeOfCare"];
