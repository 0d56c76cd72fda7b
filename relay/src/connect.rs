//! The Connect protocol's unary form, as far as it is in a request's headers.
//!
//! Encoding answers is in `wardline_org::connect`; the sockets are in [`server`](crate::server).

use std::time::Duration;

use wardline_org::{ConnectCode, Refusal, RelayCode, Request, Response, transport::CONTENT_TYPE};
use wardline_proto::Bytes;

/// What a request's headers ask for besides the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How long the caller waits for an answer.
    pub(crate) timeout: Option<Duration>,
}

impl Terms {
    /// Reads the protocol's headers. A header that is missing is as good as its default, one that is
    /// doubled or malformed is refused.
    pub(crate) fn read(request: &Request) -> Result<Self, Response> {
        if !is_proto(only(request, "content-type")?.unwrap_or_default()) {
            return Err(empty(415));
        }
        match only(request, "content-encoding")? {
            None | Some("identity") => {}
            Some(_) => return Err(Refusal::new(RelayCode::Unsupported).to_response()),
        }
        match only(request, "connect-protocol-version")? {
            None | Some("1") => {}
            Some(_) => return Err(malformed()),
        }
        let timeout = match only(request, "connect-timeout-ms")? {
            None => None,
            Some(text) => Some(timeout(text).ok_or_else(malformed)?),
        };
        Ok(Self { timeout })
    }
}

/// The answer to a path that names no call.
pub(crate) fn not_found() -> Response {
    Response {
        status: 404,
        ..Refusal::new(RelayCode::Unsupported).to_response()
    }
}

/// The answer when the caller's own time is over. What was begun goes on.
pub(crate) fn deadline_exceeded() -> Response {
    Refusal {
        connect: ConnectCode::DeadlineExceeded,
        ..Refusal::new(RelayCode::Unavailable)
    }
    .to_response()
}

/// An answer that the protocol wants without a body.
pub(crate) fn empty(status: u16) -> Response {
    Response {
        status,
        body: Bytes::new(),
    }
}

fn is_proto(content_type: &str) -> bool {
    content_type.trim().eq_ignore_ascii_case(CONTENT_TYPE)
}

/// The value of a header that may be there once.
fn only<'a>(request: &'a Request, name: &str) -> Result<Option<&'a str>, Response> {
    let mut values = request
        .headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => Ok(Some(value)),
        (Some(_), Some(_)) => Err(malformed()),
    }
}

/// At most ten digits, as the protocol says.
fn timeout(text: &str) -> Option<Duration> {
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let millis = text.parse().ok().filter(|_| digits)?;
    Some(Duration::from_millis(millis))
}

fn malformed() -> Response {
    Refusal::new(RelayCode::Malformed).to_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn headers_are_read_as_the_protocol_says() {
        let second = Some(Duration::from_secs(1));
        for (headers, expected) in [
            (&[("content-type", "application/proto")][..], Ok(None)),
            (&[("Content-Type", "Application/Proto")], Ok(None)),
            (&[], Err(415)),
            (&[("content-type", "application/json")], Err(415)),
            (&[PROTO, ("content-encoding", "identity")], Ok(None)),
            (&[PROTO, ("content-encoding", "gzip")], Err(501)),
            (&[PROTO, ("connect-protocol-version", "1")], Ok(None)),
            (&[PROTO, ("connect-protocol-version", "2")], Err(400)),
            (&[PROTO, ("connect-timeout-ms", "1000")], Ok(second)),
            (&[PROTO, ("connect-timeout-ms", "-1")], Err(400)),
            (&[PROTO, ("connect-timeout-ms", "+1")], Err(400)),
            (&[PROTO, ("connect-timeout-ms", "")], Err(400)),
            (&[PROTO, ("connect-timeout-ms", "12345678901")], Err(400)),
            (&[PROTO, PROTO], Err(400)),
        ] {
            let request = Request {
                path: String::new(),
                headers: headers
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                body: Bytes::new(),
            };
            let terms = Terms::read(&request);
            let read = terms.map(|terms| terms.timeout).map_err(|r| r.status);
            assert_eq!(read, expected, "{headers:?}");
        }
    }

    const PROTO: (&str, &str) = ("content-type", "application/proto");
}
