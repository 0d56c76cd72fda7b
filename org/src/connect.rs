//! Errors as they cross the wire: the Connect protocol's JSON, and Wardline's stable code inside it.
//!
//! Both ends use [`Refusal`]: the relay writes one, a caller reads one. What a caller does about it
//! (retry, sign in, ask the administrator) is decided by the code, never by the text.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD_INDIFFERENT as BASE64};
use serde::{Deserialize, Serialize};
use wardline_proto::{Message, v1};

use crate::transport::Response;

/// A relay's answer to a call that it does not carry out.
///
/// ```
/// use wardline_org::connect::{ConnectCode, Refusal, RelayCode};
///
/// let answer = Refusal::new(RelayCode::Revoked).to_response();
/// assert_eq!(answer.status, 403);
///
/// let read = Refusal::from_response(&answer);
/// assert_eq!(read.code, RelayCode::Revoked);
/// assert_eq!(read.connect, ConnectCode::PermissionDenied);
/// assert!(!read.retryable());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {}", code.advice())]
pub struct Refusal {
    /// What is wrong, in Wardline's words.
    pub code: RelayCode,
    /// What is wrong, in the protocol's words.
    pub connect: ConnectCode,
    /// Not before this long from now, when the relay says so.
    pub retry_after: Option<Duration>,
    /// The limit that was exceeded, where there is one.
    pub limit: Option<u64>,
    /// The order to erase oneself, with [`RelayCode::Wipe`]. It is the relay's word until it is verified.
    pub wipe: Option<Box<v1::WipeNotice>>,
}

impl Refusal {
    /// A refusal with the protocol code that belongs to `code`.
    pub fn new(code: RelayCode) -> Self {
        Self {
            connect: code.connect(),
            code,
            retry_after: None,
            limit: None,
            wipe: None,
        }
    }

    /// Names the time after which another try makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Names the limit that was exceeded.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Shows the order that its device has to obey.
    #[must_use]
    pub fn with_wipe(mut self, notice: v1::WipeNotice) -> Self {
        self.wipe = Some(Box::new(notice));
        self
    }

    /// Whether the same call, signed anew, may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match &self.code {
            RelayCode::Unavailable | RelayCode::Quota | RelayCode::Replay => true,
            RelayCode::Other(_) => matches!(
                self.connect,
                ConnectCode::Unavailable
                    | ConnectCode::DeadlineExceeded
                    | ConnectCode::Aborted
                    | ConnectCode::Unknown
            ),
            _ => false,
        }
    }

    /// The HTTP answer: `application/json` in the form of the Connect protocol.
    pub fn to_response(&self) -> Response {
        let detail = v1::ErrorDetail {
            code: self.code.as_str().to_owned(),
            retry_after_ms: self.retry_after.map_or(0, |after| {
                u64::try_from(after.as_millis()).unwrap_or(u64::MAX)
            }),
            limit: self.limit.unwrap_or(0),
            wipe: self.wipe.as_deref().cloned(),
        };
        let error = ErrorJson {
            code: self.connect.as_str().to_owned(),
            message: Some(self.code.advice().to_owned()),
            details: vec![DetailJson {
                r#type: DETAIL_TYPE.to_owned(),
                value: BASE64.encode(detail.encode_to_vec()),
            }],
        };
        // Serializing three strings cannot fail; an empty body still reads as a refusal.
        let body = serde_json::to_vec(&error).unwrap_or_default();
        Response {
            status: self.connect.http_status(),
            body: body.into(),
        }
    }

    /// Reads any answer whose status is not 200, also one that a proxy made.
    pub fn from_response(response: &Response) -> Self {
        let json: Option<ErrorJson> = serde_json::from_slice(&response.body).ok();
        let connect = json
            .as_ref()
            .and_then(|json| json.code.parse().ok())
            .unwrap_or_else(|| ConnectCode::from_http_status(response.status));
        let detail = json.and_then(|json| {
            let found = json.details.into_iter().find(|d| d.r#type == DETAIL_TYPE)?;
            v1::ErrorDetail::decode(BASE64.decode(found.value).ok()?.as_slice()).ok()
        });
        match detail {
            Some(detail) => Self {
                code: RelayCode::parse(&detail.code),
                connect,
                retry_after: (detail.retry_after_ms > 0)
                    .then(|| Duration::from_millis(detail.retry_after_ms)),
                limit: (detail.limit > 0).then_some(detail.limit),
                wipe: detail.wipe.map(Box::new),
            },
            None => Self {
                code: RelayCode::Other(String::new()),
                connect,
                retry_after: None,
                limit: None,
                wipe: None,
            },
        }
    }
}

macro_rules! relay_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $connect:ident, $advice:literal;)+) => {
        /// Wardline's stable error codes of the relay.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RelayCode {
            $($(#[doc = $doc])+ $variant,)+
            /// A code that this build does not know; empty when the answer named none.
            Other(String),
        }

        impl RelayCode {
            /// Every code this build knows.
            pub const ALL: &'static [RelayCode] = &[$(Self::$variant),+];

            /// The stable text, such as `WL-RELAY-REVOKED`.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// The code of the Connect protocol that this one travels under.
            pub fn connect(&self) -> ConnectCode {
                match self {
                    $(Self::$variant => ConnectCode::$connect,)+
                    Self::Other(_) => ConnectCode::Unknown,
                }
            }

            /// For the developer who reads a log: what to do next.
            pub fn advice(&self) -> &'static str {
                match self {
                    $(Self::$variant => $advice,)+
                    Self::Other(_) => "the relay, or a proxy before it, gave no code known here",
                }
            }
        }
    };
}

relay_codes! {
    /// The call carries no signature.
    Unsigned = "WL-RELAY-UNSIGNED", Unauthenticated,
        "sign the call";
    /// The signature, or what it covers, does not match.
    BadSignature = "WL-RELAY-BAD-SIGNATURE", Unauthenticated,
        "sign exactly what is sent, with the key that is named";
    /// The relay has seen this call before.
    Replay = "WL-RELAY-REPLAY", Unauthenticated,
        "sign the call anew for every try";
    /// The call was made outside the window around the relay's time.
    Clock = "WL-RELAY-CLOCK", Unauthenticated,
        "set the device's clock";
    /// The directory names no such device.
    UnknownDevice = "WL-RELAY-UNKNOWN-DEVICE", Unauthenticated,
        "enroll the device, or wait for the next directory head";
    /// The directory says that the device is revoked, or its person has left.
    Revoked = "WL-RELAY-REVOKED", PermissionDenied,
        "the device is revoked: enroll anew";
    /// The organization has ordered the device to erase itself; the refusal carries the order.
    Wipe = "WL-RELAY-WIPE", PermissionDenied,
        "the device is to be wiped: verify the order and obey it";
    /// The wipe order or its receipt does not hold against the root document, the directory or each other.
    WipeInvalid = "WL-RELAY-WIPE-INVALID", InvalidArgument,
        "sign the order with a wipe key of the root document, for a device of the directory";
    /// The relay does not serve this organization, or the device is of another one.
    WrongOrg = "WL-RELAY-WRONG-ORG", PermissionDenied,
        "check the organization and the relay in the configuration";
    /// Only the organization's authority may make this call.
    NotAuthority = "WL-RELAY-NOT-AUTHORITY", PermissionDenied,
        "sign the call with the key that the root document names for it";
    /// The ticket is not one that the organization signed.
    TicketInvalid = "WL-RELAY-TICKET-INVALID", PermissionDenied,
        "ask the backend for another ticket";
    /// The ticket's time is over.
    TicketExpired = "WL-RELAY-TICKET-EXPIRED", FailedPrecondition,
        "ask the backend for another ticket";
    /// The ticket has enrolled a device already.
    TicketUsed = "WL-RELAY-TICKET-USED", AlreadyExists,
        "ask the backend for another ticket";
    /// The ticket is for another person than the credential names.
    TicketMismatch = "WL-RELAY-TICKET-MISMATCH", PermissionDenied,
        "ask the backend for a ticket of this person";
    /// Another head was published meanwhile.
    HeadConflict = "WL-RELAY-HEAD-CONFLICT", Aborted,
        "read the newest head, build on it and publish again";
    /// The head does not hold against the relay's entries, log or root document.
    HeadInvalid = "WL-RELAY-HEAD-INVALID", InvalidArgument,
        "build the head from the entries that are published with it";
    /// The organization has no head yet.
    NoHead = "WL-RELAY-NO-HEAD", FailedPrecondition,
        "publish the organization's first head";
    /// The call, or something in it, is larger than the relay takes.
    TooLarge = "WL-RELAY-TOO-LARGE", ResourceExhausted,
        "send less at once";
    /// The call does not decode, or a field has the wrong shape.
    Malformed = "WL-RELAY-MALFORMED", InvalidArgument,
        "build the call with this SDK's types";
    /// The device or the organization has used up what it may use.
    Quota = "WL-RELAY-QUOTA", ResourceExhausted,
        "try again after the time that is named";
    /// The relay does not know this call or this suite.
    Unsupported = "WL-RELAY-UNSUPPORTED", Unimplemented,
        "update the relay, or use what it offers";
    /// The envelope id is taken by other bytes.
    Conflict = "WL-RELAY-CONFLICT", AlreadyExists,
        "use a new envelope id for new bytes";
    /// Nobody who was given the message, or whose role it waits for, asks; or the secret inside it is another one.
    HeldProof = "WL-RELAY-HELD-PROOF", PermissionDenied,
        "show the secret of the message, on a device that it was sealed for";
    /// What is held for others is not stopped or advanced without an answer that its sender can read.
    HeldUnanswered = "WL-RELAY-HELD-UNANSWERED", InvalidArgument,
        "seal the answer for the device that sent the message";
    /// The relay cannot answer now.
    Unavailable = "WL-RELAY-UNAVAILABLE", Unavailable,
        "try again";
}

impl RelayCode {
    /// Reads a code; one that is not of the form `WL-…` becomes an empty [`RelayCode::Other`], so
    /// that no foreign text gets into an error.
    pub fn parse(text: &str) -> Self {
        if let Some(known) = Self::ALL.iter().find(|code| code.as_str() == text) {
            return known.clone();
        }
        let shaped = text.len() <= 64
            && text.starts_with("WL-")
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
        Self::Other(if shaped {
            text.to_owned()
        } else {
            String::new()
        })
    }
}

impl fmt::Display for RelayCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other(code) if code.is_empty() => "no code",
            code => code.as_str(),
        })
    }
}

macro_rules! connect_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:literal;)+) => {
        /// The error codes of the Connect protocol, each with its HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ConnectCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ConnectCode {
            /// Every code.
            pub const ALL: &'static [ConnectCode] = &[$(Self::$variant),+];

            /// The name in the JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The HTTP status that a unary answer with this code has.
            pub fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }
        }
    };
}

connect_codes! {
    /// The caller cancelled.
    Canceled = "canceled", 499;
    /// No better code is known.
    Unknown = "unknown", 500;
    /// The request is wrong whatever the state.
    InvalidArgument = "invalid_argument", 400;
    /// It took too long.
    DeadlineExceeded = "deadline_exceeded", 504;
    /// It does not exist.
    NotFound = "not_found", 404;
    /// It exists already.
    AlreadyExists = "already_exists", 409;
    /// The caller is known and may not.
    PermissionDenied = "permission_denied", 403;
    /// A limit is used up.
    ResourceExhausted = "resource_exhausted", 429;
    /// The state does not allow it.
    FailedPrecondition = "failed_precondition", 400;
    /// Somebody else was faster.
    Aborted = "aborted", 409;
    /// Past the end.
    OutOfRange = "out_of_range", 400;
    /// Not known here.
    Unimplemented = "unimplemented", 501;
    /// An invariant is broken.
    Internal = "internal", 500;
    /// Not now.
    Unavailable = "unavailable", 503;
    /// Data is lost for good.
    DataLoss = "data_loss", 500;
    /// The caller is not known.
    Unauthenticated = "unauthenticated", 401;
}

impl ConnectCode {
    /// The code of an answer without a readable Connect error, such as a proxy's.
    pub fn from_http_status(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

impl FromStr for ConnectCode {
    type Err = UnknownConnectCode;

    fn from_str(name: &str) -> Result<Self, UnknownConnectCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == name)
            .ok_or(UnknownConnectCode)
    }
}

/// The name is none of the Connect protocol's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a code of the Connect protocol: fall back to the HTTP status")]
pub struct UnknownConnectCode;

#[derive(Serialize, Deserialize)]
struct ErrorJson {
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default)]
    details: Vec<DetailJson>,
}

#[derive(Serialize, Deserialize)]
struct DetailJson {
    r#type: String,
    value: String,
}

const DETAIL_TYPE: &str = "wardline.v1.ErrorDetail";
