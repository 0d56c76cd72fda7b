//! Enrollment tickets: the backend's word, good once and for a short time, that a person may enroll one
//! device.
//!
//! A ticket is a plain JWT (EdDSA), so that any backend can mint one after it has authenticated the
//! person its own way. Claims: `iss` the organization, `sub` the person, `aud` always
//! `wardline-enroll`, `jti` unique, `iat`, `exp`. Remembering which tickets were used is the concern of
//! the relay and of the [`authority`](crate::authority).

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use crate::{
    connect::RelayCode,
    credential::Credential,
    id::{OrgId, UserId},
    random::{self, RandomUnavailable},
    root::{Purpose, Root},
    signer::Signer,
    time::Timestamp,
};

/// How long a ticket is good unless its issuer says otherwise.
pub const DEFAULT_VALIDITY: Duration = Duration::from_secs(15 * 60);
/// A ticket that is good for longer is refused: its id would have to be remembered for as long.
pub const MAX_VALIDITY: Duration = Duration::from_secs(24 * 60 * 60);

/// Mints tickets with the organization's ticket key.
///
/// ```
/// use std::sync::Arc;
/// use wardline_org::{SoftwareSigner, Timestamp, ticket::{DEFAULT_VALIDITY, TicketIssuer}};
///
/// let key = Arc::new(SoftwareSigner::generate()?);
/// let issuer = TicketIssuer::new("mercy".parse()?, key);
/// let now = Timestamp::from_millis(1_795_000_000_000);
/// let jwt = issuer.mint(&"DR-CA-001".parse()?, DEFAULT_VALIDITY, now)?;
/// assert_eq!(jwt.split('.').count(), 3); // hand it to the person's device
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TicketIssuer {
    org: OrgId,
    signer: Arc<dyn Signer>,
}

impl TicketIssuer {
    /// An issuer with the key that the root document names for tickets.
    pub fn new(org: OrgId, signer: Arc<dyn Signer>) -> Self {
        Self { org, signer }
    }

    /// A ticket for one device of a person whom the caller has authenticated. It is a bearer secret:
    /// send it to nobody else, and do not log it.
    pub fn mint(
        &self,
        user: &UserId,
        validity: Duration,
        now: Timestamp,
    ) -> Result<String, RandomUnavailable> {
        let claims = Claims {
            iss: self.org.clone(),
            sub: user.clone(),
            aud: Some(AUDIENCE.to_owned()),
            jti: URL_SAFE_NO_PAD.encode(random::bytes::<16>()?),
            iat: seconds(now),
            exp: seconds(now + validity.min(MAX_VALIDITY)),
            nbf: None,
        };
        // Names, numbers and base64: serializing them cannot fail.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEADER),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.signer.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A ticket that the organization signed and whose time is not over. Whether it was used before is not
/// known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Names this ticket among all of the organization: remember it until `expires_at`.
    pub id: String,
    /// The person who may enroll a device.
    pub user: UserId,
    /// When it was minted, by the backend's clock.
    pub issued_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl Ticket {
    /// Reads a ticket and checks that it is this organization's and good at `now`.
    pub fn verify(jwt: &str, root: &Root, now: Timestamp) -> Result<Self, TicketError> {
        if jwt.len() > MAX_JWT {
            return Err(TicketError::Malformed);
        }
        for key in root.keys(Purpose::Ticket) {
            match decode(jwt, &root.org, key) {
                // Perhaps another of the organization's keys signed it.
                Err(TicketError::BadSignature) => {}
                decoded => return decoded?.check(now),
            }
        }
        Err(TicketError::BadSignature)
    }

    /// Checks that it is a ticket for the person who owns this credential.
    pub fn check_owner(&self, credential: &Credential) -> Result<(), TicketError> {
        if self.user == credential.user {
            Ok(())
        } else {
            Err(TicketError::OtherUser)
        }
    }
}

/// Why a ticket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not a JWT with the claims of a ticket.
    #[error("not an enrollment ticket: mint it as the documentation says")]
    Malformed,
    /// No ticket key of the root document signed it.
    #[error("the ticket is not signed by the organization's ticket key: mint another one")]
    BadSignature,
    /// It is another organization's.
    #[error("the ticket is of another organization: mint it for this one")]
    OtherOrg,
    /// Its time is over.
    #[error("the ticket has expired: mint another one")]
    Expired,
    /// Its time has not come: the clocks of backend and relay differ.
    #[error("the ticket is from the future: set the clocks of backend and relay")]
    NotYet,
    /// It has been used.
    #[error("the ticket was used before: mint another one")]
    Used,
    /// It is for somebody else.
    #[error("the ticket is for another person than the credential: mint one for this person")]
    OtherUser,
}

impl TicketError {
    /// The code that the relay answers.
    pub fn code(self) -> RelayCode {
        match self {
            Self::Expired => RelayCode::TicketExpired,
            Self::Used => RelayCode::TicketUsed,
            Self::OtherUser => RelayCode::TicketMismatch,
            Self::Malformed | Self::BadSignature | Self::OtherOrg | Self::NotYet => {
                RelayCode::TicketInvalid
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: OrgId,
    sub: UserId,
    // Checked by the JWT library, which knows that it may be a list.
    #[serde(skip_deserializing)]
    aud: Option<String>,
    jti: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

impl Claims {
    fn check(self, now: Timestamp) -> Result<Ticket, TicketError> {
        let moment = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        let (issued_at, expires_at) = (moment(self.iat), moment(self.exp));
        let starts_at = self.nbf.map_or(issued_at, moment).max(issued_at);
        if !(1..=MAX_ID).contains(&self.jti.len()) || expires_at > issued_at + MAX_VALIDITY {
            return Err(TicketError::Malformed);
        }
        if now >= expires_at {
            return Err(TicketError::Expired);
        }
        if starts_at > now + CLOCK_SKEW {
            return Err(TicketError::NotYet);
        }
        Ok(Ticket {
            id: self.jti,
            user: self.sub,
            issued_at,
            expires_at,
        })
    }
}

/// Signature, algorithm, issuer and audience; times are checked with the caller's clock.
fn decode(jwt: &str, org: &OrgId, key: &[u8; 32]) -> Result<Claims, TicketError> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[org.as_str()]);
    validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
    let decoded = jsonwebtoken::decode(jwt, &DecodingKey::from_ed_der(key), &validation);
    decoded
        .map(|token| token.claims)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => TicketError::BadSignature,
            ErrorKind::InvalidIssuer => TicketError::OtherOrg,
            _ => TicketError::Malformed,
        })
}

fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}

const AUDIENCE: &str = "wardline-enroll";
const HEADER: &str = r#"{"typ":"JWT","alg":"EdDSA"}"#;
const MAX_JWT: usize = 4096;
const MAX_ID: usize = 128;
/// How far ahead of ours the backend's clock may be.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
