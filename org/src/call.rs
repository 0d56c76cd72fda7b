//! Who calls: HTTP message signatures (RFC 9421) on every request to the relay.
//!
//! A signature covers the method, the path, the digest of the body, the organization and the relay,
//! and carries a time and a nonce, so that a call cannot be altered, moved or repeated. Looking up the
//! caller's key, remembering nonces and quotas are the relay's concern.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, ListEntry, Parser};

use crate::{
    connect::RelayCode,
    hash::Hash,
    id::{DeviceId, OrgId, RelayId},
    random::{self, RandomUnavailable},
    signer::{self, Signer},
    time::Timestamp,
    transport::Request,
};

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A device, with the signing key of its credential.
    Device(DeviceId),
    /// The organization's authority, with the key that the root document names for relay calls.
    Authority,
}

/// The `keyid` of a signature: `device/<id>` or `authority`.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "device/{id}"),
            Self::Authority => f.write_str("authority"),
        }
    }
}

impl FromStr for Caller {
    type Err = CallRefused;

    fn from_str(text: &str) -> Result<Self, CallRefused> {
        if text == "authority" {
            return Ok(Self::Authority);
        }
        let id = text.strip_prefix("device/").ok_or(CallRefused::Malformed)?;
        id.parse()
            .map(Self::Device)
            .map_err(|_| CallRefused::Malformed)
    }
}

/// Signs the calls of one caller to one relay.
///
/// ```
/// use std::sync::Arc;
/// use wardline_org::{Timestamp, call::{Caller, CallSigner, IncomingCall, Window}};
/// use wardline_org::signer::{Signer, SoftwareSigner};
/// use wardline_org::transport::Request;
/// use wardline_proto::v1::HeadRequest;
///
/// let key = Arc::new(SoftwareSigner::generate()?);
/// let relay = "relay.mercy.example".parse()?;
/// let now = Timestamp::from_millis(1_795_000_000_000);
/// let signer = CallSigner::new(Caller::Authority, "mercy".parse()?, relay, key.clone());
///
/// let mut request = Request::new(&HeadRequest::default());
/// signer.sign(&mut request, now)?;
///
/// // On the relay: who says they are calling, then whether it is true.
/// let incoming = IncomingCall::parse(&request)?;
/// assert_eq!(incoming.caller(), Caller::Authority);
/// let relay = "relay.mercy.example".parse()?;
/// let verified = incoming.verify(&key.public_key(), &relay, Window::default(), now)?;
/// assert_eq!(verified.org.as_str(), "mercy");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CallSigner {
    caller: Caller,
    org: OrgId,
    relay: RelayId,
    signer: Arc<dyn Signer>,
}

impl CallSigner {
    /// A signer of `caller`'s calls, with the caller's key.
    pub fn new(caller: Caller, org: OrgId, relay: RelayId, signer: Arc<dyn Signer>) -> Self {
        Self {
            caller,
            org,
            relay,
            signer,
        }
    }

    /// Who calls.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// The organization that is called for.
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// Adds the signature's headers to a request; a signature it already has is replaced.
    pub fn sign(&self, request: &mut Request, now: Timestamp) -> Result<(), RandomUnavailable> {
        let nonce = URL_SAFE_NO_PAD.encode(random::bytes::<16>()?);
        let names = COMPONENTS.map(|name| format!("\"{name}\"")).join(" ");
        // Every value is of a character set that needs no escaping in a structured field.
        let params = format!(
            "({names});created={};nonce=\"{nonce}\";keyid=\"{}\";alg=\"{ALG}\";tag=\"{TAG}\"",
            now.as_millis().div_euclid(1000),
            self.caller,
        );
        let digest = Hash::of(&request.body);

        request
            .headers
            .retain(|(name, _)| !OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)));
        let mut add = |name: &str, value: String| request.headers.push((name.to_owned(), value));
        add(
            "content-digest",
            format!("sha-256=:{}:", STANDARD.encode(digest)),
        );
        add("wardline-organization", self.org.to_string());
        add("wardline-relay", self.relay.to_string());

        // All components are there: they were added above.
        let base = signature_base(request, &COMPONENTS, &params).unwrap_or_default();
        let signature = STANDARD.encode(self.signer.sign(base.as_bytes()));
        let mut add = |name: &str, value: String| request.headers.push((name.to_owned(), value));
        add("signature-input", format!("{LABEL}={params}"));
        add("signature", format!("{LABEL}=:{signature}:"));
        Ok(())
    }
}

impl fmt::Debug for CallSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSigner")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// A request whose signature headers are well formed and whose body has the digest that they state;
/// whether the caller signed it is not known yet.
#[derive(Clone)]
pub struct IncomingCall {
    digest: Hash,
    caller: Caller,
    org: OrgId,
    relay: RelayId,
    created: Timestamp,
    nonce: String,
    base: String,
    signature: Vec<u8>,
}

impl IncomingCall {
    /// Reads the signature of a `POST` request, as it arrived.
    pub fn parse(request: &Request) -> Result<Self, CallRefused> {
        let call = Self::parse_head(request)?;
        call.check_body(&request.body)?;
        Ok(call)
    }

    /// Reads the signature of a request whose body has not arrived yet: whoever verifies it first need
    /// not take a large body from a stranger. The body then has to pass [`IncomingCall::check_body`].
    pub fn parse_head(request: &Request) -> Result<Self, CallRefused> {
        if request.header("signature").is_none() || request.header("signature-input").is_none() {
            return Err(CallRefused::Unsigned);
        }
        let digest = match dictionary(header(request, "content-digest")?)?.swap_remove("sha-256") {
            Some(ListEntry::Item(item)) => item
                .bare_item
                .as_byte_sequence()
                .and_then(|bytes| Hash::from_slice(bytes).ok()),
            _ => None,
        };

        let Some(ListEntry::InnerList(input)) =
            dictionary(header(request, "signature-input")?)?.swap_remove(LABEL)
        else {
            return Err(CallRefused::Malformed);
        };
        let signature = match dictionary(header(request, "signature")?)?.swap_remove(LABEL) {
            Some(ListEntry::Item(item)) => item.bare_item,
            _ => return Err(CallRefused::Malformed),
        };
        let params = Params::read(&input)?;
        let names = covered(&input)?;
        let serialized = vec![ListEntry::InnerList(input.clone())]
            .serialize()
            .ok_or(CallRefused::Malformed)?;

        Ok(Self {
            digest: digest.ok_or(CallRefused::Malformed)?,
            caller: params.keyid.parse()?,
            org: header(request, "wardline-organization")?
                .parse()
                .map_err(|_| CallRefused::Malformed)?,
            relay: header(request, "wardline-relay")?
                .parse()
                .map_err(|_| CallRefused::Malformed)?,
            created: params.created,
            nonce: params.nonce.to_owned(),
            base: signature_base(request, &names, &serialized).ok_or(CallRefused::Malformed)?,
            signature: signature
                .as_byte_sequence()
                .ok_or(CallRefused::Malformed)?
                .to_vec(),
        })
    }

    /// Whether this is the body whose digest was signed.
    pub fn check_body(&self, body: &[u8]) -> Result<(), CallRefused> {
        if Hash::of(body) == self.digest {
            Ok(())
        } else {
            Err(CallRefused::BodyAltered)
        }
    }

    /// Who claims to call: look up their key.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// The organization the call is made for.
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// Checks the signature with the caller's key, the relay's own name and the time.
    ///
    /// The caller of this function refuses a nonce that it has seen from the same caller.
    pub fn verify(
        self,
        public_key: &[u8; 32],
        relay: &RelayId,
        window: Window,
        now: Timestamp,
    ) -> Result<VerifiedCall, CallRefused> {
        if self.relay != *relay {
            return Err(CallRefused::OtherRelay);
        }
        if now > self.created + window.past || now + window.ahead < self.created {
            return Err(CallRefused::Clock);
        }
        signer::verify(public_key, self.base.as_bytes(), &self.signature)
            .map_err(|_| CallRefused::BadSignature)?;
        Ok(VerifiedCall {
            caller: self.caller,
            org: self.org,
            created: self.created,
            nonce: self.nonce,
            remember_until: self.created + window.past,
        })
    }
}

/// How far from the relay's time a call may have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How old it may be.
    pub past: Duration,
    /// How far ahead of the relay's clock it may be.
    pub ahead: Duration,
}

/// Five minutes each way: a phone's clock is rarely better, and nonces are cheap to remember.
impl Default for Window {
    fn default() -> Self {
        Self {
            past: Duration::from_secs(300),
            ahead: Duration::from_secs(300),
        }
    }
}

/// A call that its caller signed, within the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCall {
    /// Who called.
    pub caller: Caller,
    /// The organization it is made for.
    pub org: OrgId,
    /// When it was signed, by the caller's clock, in whole seconds.
    pub created: Timestamp,
    /// Never the same twice for one caller.
    pub nonce: String,
    /// Until when the nonce must be remembered: after it the window refuses the call anyway.
    pub remember_until: Timestamp,
}

/// Why a call is refused before anybody looks at what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallRefused {
    /// It carries no signature.
    #[error("the call is not signed: sign it")]
    Unsigned,
    /// A header is missing, doubled or malformed, or the signature covers too little.
    #[error("the signature headers are malformed: sign with this SDK or as the protocol says")]
    Malformed,
    /// The body is not the one that was signed.
    #[error("the body was altered after signing: send exactly what was signed")]
    BodyAltered,
    /// It is signed for another relay.
    #[error("the call is for another relay: check the relay's name on both sides")]
    OtherRelay,
    /// It was made too long ago, or in the future.
    #[error("the call's time is too far from the relay's: set the clock")]
    Clock,
    /// The caller did not sign it.
    #[error("the caller did not sign this call: use the key that is named")]
    BadSignature,
}

impl CallRefused {
    /// The code that the relay answers.
    pub fn code(self) -> RelayCode {
        match self {
            Self::Unsigned => RelayCode::Unsigned,
            Self::Clock => RelayCode::Clock,
            Self::Malformed | Self::BodyAltered | Self::OtherRelay | Self::BadSignature => {
                RelayCode::BadSignature
            }
        }
    }
}

/// The parameters of a signature.
struct Params<'a> {
    created: Timestamp,
    nonce: &'a str,
    keyid: &'a str,
}

impl<'a> Params<'a> {
    fn read(input: &'a InnerList) -> Result<Self, CallRefused> {
        let text = |name: &str| {
            let value = input.params.get(name).and_then(BareItem::as_string);
            value.map(|v| v.as_str()).ok_or(CallRefused::Malformed)
        };
        if text("alg")? != ALG || text("tag")? != TAG || input.params.len() != 5 {
            return Err(CallRefused::Malformed);
        }
        let seconds = input.params.get("created").and_then(BareItem::as_integer);
        let seconds = i64::from(seconds.ok_or(CallRefused::Malformed)?);
        let nonce = text("nonce")?;
        if !(16..=64).contains(&nonce.len()) {
            return Err(CallRefused::Malformed);
        }
        Ok(Self {
            created: Timestamp::from_millis(seconds.saturating_mul(1000)),
            nonce,
            keyid: text("keyid")?,
        })
    }
}

/// The covered components: all of ours, in any order, and nothing else.
fn covered(input: &InnerList) -> Result<Vec<&str>, CallRefused> {
    let names: Vec<&str> = input
        .items
        .iter()
        .filter(|item| item.params.is_empty())
        .filter_map(|item| item.bare_item.as_string().map(|name| name.as_str()))
        .collect();
    let complete = COMPONENTS.iter().all(|name| names.contains(name));
    if complete && input.items.len() == COMPONENTS.len() {
        Ok(names)
    } else {
        Err(CallRefused::Malformed)
    }
}

/// The text that is signed (RFC 9421, section 2.5); `None` when a component is missing or could
/// break out of its line.
fn signature_base(request: &Request, names: &[&str], params: &str) -> Option<String> {
    let mut base = String::new();
    for name in names {
        let value = match *name {
            "@method" => "POST",
            "@path" => &request.path,
            field => request.header(field)?.trim_ascii(),
        };
        if value.bytes().any(|b| b.is_ascii_control()) {
            return None;
        }
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {params}"));
    Some(base)
}

fn header<'a>(request: &'a Request, name: &str) -> Result<&'a str, CallRefused> {
    request
        .header(name)
        .map(str::trim_ascii)
        .ok_or(CallRefused::Malformed)
}

fn dictionary(value: &str) -> Result<Dictionary, CallRefused> {
    Parser::new(value)
        .parse()
        .map_err(|_| CallRefused::Malformed)
}

const COMPONENTS: [&str; 5] = [
    "@method",
    "@path",
    "content-digest",
    "wardline-organization",
    "wardline-relay",
];
const OWN_HEADERS: [&str; 5] = [
    "content-digest",
    "wardline-organization",
    "wardline-relay",
    "signature-input",
    "signature",
];
const LABEL: &str = "wardline";
const ALG: &str = "ed25519";
const TAG: &str = "wardline/v1/call";
