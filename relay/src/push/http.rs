//! [`HttpPushGateway`]: wake-ups as HTTP posts.

use std::fmt;

use async_trait::async_trait;
use wardline_org::{
    Request, Transport as _,
    http::{HttpConfigError, HttpOptions, HttpTransport},
};
use zeroize::Zeroizing;

use super::{PushGateway, PushOutcome, WakeUp};

/// Posts each wake-up as JSON ([`WakeUp::to_json`]) to one address.
///
/// | answer | meaning |
/// |---|---|
/// | 2xx | the gateway has it |
/// | 410 | the push service does not know the token any more: the relay forgets it |
/// | 404, 408, 429, 5xx, none in time | not now: the relay tries again |
/// | anything else, redirects included | not this one: the relay gives it up |
///
/// ```
/// use std::sync::Arc;
/// use wardline_relay::{Config, push::{HttpPushGateway, PushOptions}};
///
/// let gateway = HttpPushGateway::new("https://push.mercy.example/wake", Some("word-that-the-gateway-knows"))?;
/// let mut config = Config::new("relay.mercy.example".parse()?);
/// config.push = Some(PushOptions::new(Arc::new(gateway)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpPushGateway {
    transport: HttpTransport,
    path: String,
    bearer: Option<Zeroizing<String>>,
}

impl HttpPushGateway {
    /// A gateway at an `https://` address (`http://` for one on this machine), and what it is shown as
    /// `Authorization: Bearer …`.
    pub fn new(url: &str, bearer: Option<&str>) -> Result<Self, PushGatewayError> {
        let host = url.find("://").map_or(0, |at| at + 3);
        let path = url.get(host..).and_then(|rest| rest.find('/'));
        let (base, path) = match path {
            Some(at) => url.split_at(host + at),
            None => (url, "/"),
        };
        // Two slashes would be read as another host.
        if path.starts_with("//") {
            return Err(PushGatewayError::Address(HttpConfigError::Address));
        }
        let options = HttpOptions {
            max_response_bytes: MOST_ANSWER,
            ..HttpOptions::default()
        };
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if bearer.is_some_and(|bearer| !is_token(bearer)) {
            return Err(PushGatewayError::Bearer);
        }
        Ok(Self {
            transport: HttpTransport::new(base, options).map_err(PushGatewayError::Address)?,
            path: path.to_owned(),
            bearer: bearer.map(|bearer| Zeroizing::new(bearer.to_owned())),
        })
    }

    fn request(&self, wake_up: &WakeUp) -> Request {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(bearer) = &self.bearer {
            headers.push(("authorization".to_owned(), format!("Bearer {}", **bearer)));
        }
        Request {
            path: self.path.clone(),
            headers,
            body: wake_up.to_json().into(),
        }
    }
}

#[async_trait]
impl PushGateway for HttpPushGateway {
    async fn post(&self, wake_up: &WakeUp) -> PushOutcome {
        let Ok(answer) = self.transport.call(self.request(wake_up)).await else {
            return PushOutcome::Unavailable;
        };
        match answer.status {
            200..=299 => PushOutcome::Posted,
            410 => PushOutcome::Gone,
            // 404 is what a gateway says that is not where it should be: no word on a token.
            404 | 408 | 429 | 500..=599 => PushOutcome::Unavailable,
            _ => PushOutcome::Refused,
        }
    }
}

impl fmt::Debug for HttpPushGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of a hosted gateway may be its secret.
        f.debug_struct("HttpPushGateway").finish_non_exhaustive()
    }
}

/// Why a gateway cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushGatewayError {
    /// Not an `https://` address, or plain HTTP to another machine.
    #[error("the push gateway's address cannot be used: write https://host/path ({0})")]
    Address(HttpConfigError),
    /// The bearer token is empty or has spaces or other characters that no header carries.
    #[error("the push gateway's token cannot be used: one word of printable ASCII is needed")]
    Bearer,
}

/// Nothing of an answer is used but its status.
const MOST_ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_would_leak_or_mislead_are_refused() {
        for good in [
            "https://push.example",
            "https://push.example:8443/wake?app=ward",
            "http://127.0.0.1:9000/wake",
        ] {
            assert!(HttpPushGateway::new(good, None).is_ok(), "{good}");
        }
        for bad in [
            "",
            "push.example/wake",
            "ftp://push.example/wake",
            "http://push.example/wake",
            "https://user:word@push.example/wake",
            "https://push.example//other.example/wake",
        ] {
            assert!(HttpPushGateway::new(bad, None).is_err(), "{bad}");
        }
        for bad in ["", "two words", "line\nbreak", "caf\u{e9}"] {
            let refused = HttpPushGateway::new("https://push.example", Some(bad)).err();
            assert_eq!(refused, Some(PushGatewayError::Bearer));
        }
    }

    #[test]
    fn debug_shows_neither_path_nor_token() {
        let gateway = HttpPushGateway::new("https://push.example/canary-path", Some("canary-word"));
        let shown = format!("{gateway:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
