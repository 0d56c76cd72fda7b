//! Whether a person can be reached: do-not-disturb, away, and who stands in for them.
//!
//! It is the person's own word, signed by one of their devices, so that a relay can hand it out but neither make
//! one nor turn one against somebody else. It says nothing for longer than [`MAX_LENGTH`]: whatever a relay
//! withholds afterwards, it ends by itself.
//!
//! Keeping the newest, and what follows from it, is the concern of the relay and of the client.

use std::{fmt, time::Duration};

use wardline_proto::{Message, v1};

use crate::{
    hash::Hash,
    id::{DeviceId, OrgId, UserId},
    person::{Person, PersonStatus},
    signer::{self, BadSignature, Signer},
    time::Timestamp,
};

/// The longest that one statement holds: 31 days after it was made.
pub const MAX_LENGTH: Duration = Duration::from_secs(31 * 24 * 3600);
/// Most bytes of an encoded statement.
pub const MAX_BYTES: usize = 1024;

/// What a person says of themselves; nothing at all unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Availability {
    /// Until then only stat messages give notice.
    pub do_not_disturb_until: Option<Timestamp>,
    /// They are away.
    pub away: Option<Away>,
}

/// An absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// Until then.
    pub until: Timestamp,
    /// Who is given a copy of what is written to them meanwhile.
    pub delegate: Option<UserId>,
}

impl Availability {
    /// Whether only stat messages give notice at a time.
    pub fn is_undisturbed(&self, at: Timestamp) -> bool {
        self.do_not_disturb_until.is_some_and(|until| at < until)
    }

    /// What of it still holds at a time.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self {
            do_not_disturb_until: self.do_not_disturb_until.filter(|until| at < *until),
            away: self.away.filter(|away| at < away.until),
        }
    }

    /// The absence at a time.
    pub fn absence(&self, at: Timestamp) -> Option<&Away> {
        self.away.as_ref().filter(|away| at < away.until)
    }
}

/// What one device says of its person, and when it said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The organization.
    pub org: OrgId,
    /// The person.
    pub user: UserId,
    /// The device that says it; one of the person's.
    pub device: DeviceId,
    /// Later than that of every statement it has seen of the person.
    pub set_at: Timestamp,
    /// What it says.
    pub availability: Availability,
}

impl Statement {
    /// Nothing it says holds longer than this.
    pub fn ends_at(&self) -> Timestamp {
        self.set_at + MAX_LENGTH
    }

    /// Whether every time in it is after it was said and within [`MAX_LENGTH`], and nobody stands in for
    /// themselves.
    fn check(&self) -> Result<(), AvailabilityError> {
        let Availability {
            do_not_disturb_until,
            away,
        } = &self.availability;
        let ends = away.iter().map(|away| away.until);
        for until in ends.chain(*do_not_disturb_until) {
            if until <= self.set_at || until > self.ends_at() {
                return Err(AvailabilityError::Length);
            }
        }
        let delegate = away.as_ref().and_then(|away| away.delegate.as_ref());
        if delegate == Some(&self.user) {
            return Err(AvailabilityError::OwnDelegate);
        }
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let away = self.availability.away.as_ref();
        let millis = |time: Option<Timestamp>| time.map_or(0, Timestamp::as_millis);
        v1::Availability {
            version: VERSION,
            organization: self.org.to_string(),
            user_id: self.user.to_string(),
            device_id: self.device.to_vec(),
            set_at_ms: self.set_at.as_millis(),
            do_not_disturb_until_ms: millis(self.availability.do_not_disturb_until),
            away_until_ms: millis(away.map(|away| away.until)),
            delegate_user_id: away
                .and_then(|away| away.delegate.as_ref())
                .map(ToString::to_string)
                .unwrap_or_default(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, AvailabilityError> {
        let malformed = AvailabilityError::Malformed;
        if bytes.len() > MAX_BYTES {
            return Err(malformed);
        }
        let message = v1::Availability::decode(bytes)
            .ok()
            .filter(|message| message.version == VERSION)
            .ok_or(malformed)?;
        let time = |millis: i64| (millis != 0).then(|| Timestamp::from_millis(millis));
        let user = |id: String| UserId::new(id).map_err(|_| malformed);
        let delegate = Some(message.delegate_user_id).filter(|id| !id.is_empty());
        let delegate = delegate.map(user).transpose()?;
        let away = match time(message.away_until_ms) {
            Some(until) => Some(Away { until, delegate }),
            None if delegate.is_some() => return Err(malformed),
            None => None,
        };
        let statement = Self {
            org: OrgId::new(message.organization).map_err(|_| malformed)?,
            user: user(message.user_id)?,
            device: DeviceId::from_slice(&message.device_id).map_err(|_| malformed)?,
            set_at: Timestamp::from_millis(message.set_at_ms),
            availability: Availability {
                do_not_disturb_until: time(message.do_not_disturb_until_ms),
                away,
            },
        };
        statement.check()?;
        Ok(statement)
    }
}

/// A statement with its signature, and the exact bytes that were signed. What was read is well formed;
/// [`SignedAvailability::verify`] says whether a device of the person signed it.
///
/// ```
/// use wardline_org::{DeviceId, Signer, SoftwareSigner, Timestamp};
/// use wardline_org::availability::{Availability, SignedAvailability, Statement};
///
/// let device = SoftwareSigner::generate()?;
/// let now = Timestamp::from_millis(1_795_000_000_000);
/// let signed = SignedAvailability::sign(&Statement {
///     org: "mercy".parse()?,
///     user: "DR-CA-001".parse()?,
///     device: DeviceId::from_bytes([7; 16]),
///     set_at: now,
///     availability: Availability {
///         do_not_disturb_until: Some(now + std::time::Duration::from_secs(3600)),
///         away: None,
///     },
/// }, &device)?;
/// let read = SignedAvailability::read(&signed.to_message())?;
/// read.verify_key(&device.public_key())?;
/// assert!(read.statement().availability.is_undisturbed(now));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SignedAvailability {
    statement: Statement,
    bytes: Vec<u8>,
    signature: Vec<u8>,
}

impl SignedAvailability {
    /// Signs a statement with the device's key.
    ///
    /// # Errors
    /// When a time in it is not after the statement or too far away, or a person stands in for themselves.
    pub fn sign(statement: &Statement, signer: &dyn Signer) -> Result<Self, AvailabilityError> {
        statement.check()?;
        let bytes = statement.encode();
        let signature = signer::sign_tagged(signer, TAG, &bytes).to_vec();
        Ok(Self {
            statement: statement.clone(),
            bytes,
            signature,
        })
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is not one that could have been [signed](Self::sign).
    pub fn read(message: &v1::SignedAvailability) -> Result<Self, AvailabilityError> {
        Ok(Self {
            statement: Statement::decode(&message.availability)?,
            bytes: message.availability.clone(),
            signature: message.signature.clone(),
        })
    }

    /// Reads a stored one.
    ///
    /// # Errors
    /// Those of [`SignedAvailability::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AvailabilityError> {
        let message =
            v1::SignedAvailability::decode(bytes).map_err(|_| AvailabilityError::Malformed)?;
        Self::read(&message)
    }

    /// As it is sent. Nothing in it that nobody signed.
    pub fn to_message(&self) -> v1::SignedAvailability {
        v1::SignedAvailability {
            availability: self.bytes.clone(),
            signature: self.signature.clone(),
        }
    }

    /// As it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_message().encode_to_vec()
    }

    /// Whether this key signed it.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify_key(&self, signing_key: &[u8; 32]) -> Result<(), AvailabilityError> {
        Ok(signer::verify_tagged(
            signing_key,
            TAG,
            &self.bytes,
            &self.signature,
        )?)
    }

    /// Whether a device of this person signed it that is not revoked: a colleague speaks for nobody else, and a
    /// stolen phone for nobody once it is revoked.
    ///
    /// # Errors
    /// When none did.
    pub fn verify(&self, org: &OrgId, person: &Person) -> Result<(), AvailabilityError> {
        let said = &self.statement;
        if said.org != *org || said.user != person.user {
            return Err(AvailabilityError::OtherPerson);
        }
        let listed = person.device(said.device);
        let active = person.status == PersonStatus::Active;
        let device = listed
            .filter(|device| active && device.is_active())
            .ok_or(AvailabilityError::OtherDevice)?;
        self.verify_key(&device.credential.credential().ed25519)
    }

    /// Whether a device of this person signed it that was not revoked by that time: what was done by their word then
    /// stays done.
    ///
    /// # Errors
    /// When none did.
    pub fn verify_at(
        &self,
        org: &OrgId,
        person: &Person,
        at: Timestamp,
    ) -> Result<(), AvailabilityError> {
        let said = &self.statement;
        if said.org != *org || said.user != person.user {
            return Err(AvailabilityError::OtherPerson);
        }
        let listed = person.device(said.device);
        let device = listed
            .filter(|device| device.revoked_at.is_none_or(|revoked| at < revoked))
            .ok_or(AvailabilityError::OtherDevice)?;
        self.verify_key(&device.credential.credential().ed25519)
    }

    /// Whether it takes the place of another one of the same person. Of two that were said at the same moment
    /// everybody takes the same one.
    pub fn replaces(&self, other: &Self) -> bool {
        let age = |one: &Self| (one.statement.set_at, Hash::of(&one.bytes));
        age(self) > age(other)
    }

    /// What it says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// Shows ids as hashes, and not who stands in.
impl fmt::Debug for SignedAvailability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedAvailability")
            .field("user", &self.statement.user)
            .field("set_at", &self.statement.set_at)
            .finish_non_exhaustive()
    }
}

/// Why a statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AvailabilityError {
    /// The bytes are not those of a statement of a version that is known.
    #[error("not a statement of availability: make it with this SDK")]
    Malformed,
    /// A time in it has passed, or is more than [`MAX_LENGTH`] away.
    #[error("a time is in the past or too far away: choose one within 31 days")]
    Length,
    /// A person stands in for themselves.
    #[error("nobody stands in for themselves: choose somebody else")]
    OwnDelegate,
    /// It is of another person or organization.
    #[error("it is of another person: report the relay")]
    OtherPerson,
    /// No active device of the person is said to have signed it.
    #[error("no active device of the person signed it: ignore it")]
    OtherDevice,
    /// The device did not sign it.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

const VERSION: u32 = 1;
const TAG: &str = "availability";
