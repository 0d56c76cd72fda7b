//! How one call gets to the relay: a path and bytes go out, a status and bytes come back.
//!
//! [`Transport`] is what a host implements over its own HTTP stack; [`call`] is the typed use of it.
//! Every call is one unary request of the Connect protocol (`POST /wardline.v1.Relay/<Method>`,
//! `application/proto`). Retrying, queueing and waiting are the caller's concern.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use wardline_proto::{Bytes, Message, v1};

use crate::{call::CallSigner, connect::Refusal, random::RandomUnavailable, time::Timestamp};

/// The longest that a caller may ask the relay to hold a long poll, and the relay will.
/// A transport must wait longer than this for its answer.
pub const MAX_WAIT: Duration = Duration::from_secs(50);

/// Carries calls to one relay.
///
/// Implementations do not interpret anything: a status other than 200 is an answer, not an error.
/// They must let a request take longer than [`MAX_WAIT`], and must not follow redirects (the
/// signature covers the path).
#[async_trait]
pub trait Transport: Send + Sync {
    /// Posts one request and returns the whole answer.
    async fn call(&self, request: Request) -> Result<Response, TransportError>;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        (**self).call(request).await
    }
}

/// One HTTP `POST`.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Absolute path, such as `/wardline.v1.Relay/Send`; it is signed.
    pub path: String,
    /// Header names (lower case) and values; every one must be sent unchanged.
    pub headers: Vec<(String, String)>,
    /// The encoded message.
    pub body: Bytes,
}

impl Request {
    /// The unsigned request of a typed call.
    pub fn new<C: RelayCall>(call: &C) -> Self {
        Self {
            path: format!("{SERVICE_PATH}{}", C::METHOD),
            headers: vec![
                ("content-type".to_owned(), CONTENT_TYPE.to_owned()),
                ("connect-protocol-version".to_owned(), "1".to_owned()),
            ],
            body: call.encode_to_vec().into(),
        }
    }

    /// The only value of a header, compared without regard to case; `None` when it is absent or
    /// there is more than one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }
}

/// Shows the path and sizes, never a header or the body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path", &self.path)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The answer to one [`Request`].
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status; 200 is the only success.
    pub status: u16,
    /// The encoded message, or the JSON of a Connect error.
    pub body: Bytes,
}

impl Response {
    /// The answer of a call that was carried out.
    pub fn ok(message: &impl Message) -> Self {
        Self {
            status: 200,
            body: message.encode_to_vec().into(),
        }
    }

    /// Reads the answer of a typed call; contents in it are slices of the body, not copies.
    pub fn decode<C: RelayCall>(self) -> Result<C::Answer, CallError> {
        if self.status != 200 {
            return Err(CallError::Refused(Refusal::from_response(&self)));
        }
        C::Answer::decode(self.body).map_err(|_| CallError::BadAnswer)
    }
}

/// Shows the status and the size, never the body.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish()
    }
}

/// Makes one signed call and reads its answer.
///
/// `now` is the caller's best knowledge of the relay's time; the relay refuses a call that is too
/// far from its own.
pub async fn call<C: RelayCall>(
    transport: &dyn Transport,
    signer: &CallSigner,
    call: &C,
    now: Timestamp,
) -> Result<C::Answer, CallError> {
    let mut request = Request::new(call);
    signer.sign(&mut request, now)?;
    transport.call(request).await?.decode::<C>()
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The relay could not be reached; it has not seen the call.
    #[error("the relay cannot be reached: try again when there is a network")]
    Unreachable,
    /// The connection broke, or the answer took too long; the relay may have carried the call out.
    #[error("the connection was lost before the answer: try again, calls are idempotent")]
    Interrupted,
    /// The answer is larger than the transport takes.
    #[error("the answer is too large: ask for less at once")]
    TooLarge,
    /// The transport refuses to send this, or the other side's certificate is not trusted.
    #[error("the transport refused: check the relay's address and certificate")]
    Refused,
}

impl TransportError {
    /// Whether another try may succeed without anybody changing anything.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Unreachable | Self::Interrupted)
    }
}

/// Why a typed call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing came back.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The relay, or a proxy before it, refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An answer came that does not decode.
    #[error("the answer does not decode: check that the address is a Wardline relay")]
    BadAnswer,
    /// The call could not be signed.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl CallError {
    /// Whether the same call, signed anew, may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.retryable(),
            Self::Refused(refusal) => refusal.retryable(),
            Self::BadAnswer => false,
            Self::Random(_) => true,
        }
    }

    /// The relay's refusal, if that is what came back.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// A request message of the service, with the method and the answer that belong to it.
pub trait RelayCall: Message + Default {
    /// The last part of the path.
    const METHOD: &'static str;
    /// What comes back.
    type Answer: Message + Default;
}

macro_rules! relay_calls {
    ($($method:literal: $request:ident -> $answer:ident;)+) => {
        $(impl RelayCall for v1::$request {
            const METHOD: &'static str = $method;
            type Answer = v1::$answer;
        })+
    };
}

relay_calls! {
    "Enroll": EnrollRequest -> EnrollResponse;
    "Head": HeadRequest -> HeadResponse;
    "Entries": EntriesRequest -> EntriesResponse;
    "Enrollments": EnrollmentsRequest -> EnrollmentsResponse;
    "PublishHead": PublishHeadRequest -> PublishHeadResponse;
    "OrderWipe": OrderWipeRequest -> OrderWipeResponse;
    "Wipes": WipesRequest -> WipesResponse;
    "ConfirmWipe": ConfirmWipeRequest -> ConfirmWipeResponse;
    "UploadKeys": UploadKeysRequest -> UploadKeysResponse;
    "ClaimKeys": ClaimKeysRequest -> ClaimKeysResponse;
    "Send": SendRequest -> SendResponse;
    "Receive": ReceiveRequest -> ReceiveResponse;
    "Acknowledge": AcknowledgeRequest -> AcknowledgeResponse;
    "Withdraw": WithdrawRequest -> WithdrawResponse;
    "Checkpoint": CheckpointRequest -> CheckpointResponse;
    "Cancel": CancelRequest -> CancelResponse;
    "Advance": AdvanceRequest -> AdvanceResponse;
    "RegisterPush": RegisterPushRequest -> RegisterPushResponse;
    "SetAvailability": SetAvailabilityRequest -> SetAvailabilityResponse;
    "Reachability": ReachabilityRequest -> ReachabilityResponse;
}

/// What every path of the service starts with.
pub const SERVICE_PATH: &str = "/wardline.v1.Relay/";
/// The content type of every request and of every answer with status 200.
pub const CONTENT_TYPE: &str = "application/proto";
/// The content type of every other answer.
pub const ERROR_CONTENT_TYPE: &str = "application/json";
