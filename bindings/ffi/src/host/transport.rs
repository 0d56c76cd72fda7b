//! Carrying calls to the relay over the host's own HTTP stack, or over the built-in one.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use wardline_org as org;

use super::Slot;

/// Carries calls to one relay: one HTTP `POST` each.
///
/// Implementations interpret nothing: a status other than 200 is an answer, not an error. They let a
/// request take at least a minute (the relay holds a long poll for up to 50 seconds), follow no redirects (the
/// signature covers the path), and send path, headers and body exactly as they are.
#[uniffi::export(rust, foreign)]
#[async_trait]
pub trait Transport: Send + Sync {
    /// Posts one request and answers the whole response.
    async fn call(&self, request: RelayRequest) -> Result<RelayResponse, TransportError>;
}

/// One HTTP `POST`.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct RelayRequest {
    /// Absolute path, such as `/wardline.v1.Relay/Send`.
    pub path: String,
    /// Every one must be sent unchanged.
    pub headers: Vec<HttpHeader>,
    /// The body.
    pub body: Vec<u8>,
}

/// One header of a request.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct HttpHeader {
    /// The name, in lower case.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The answer to one request.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct RelayResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum TransportError {
    /// The relay could not be reached; it has not seen the call.
    #[error("the relay cannot be reached")]
    Unreachable,
    /// The connection broke, or the answer took too long; the relay may have carried the call out.
    #[error("the connection was lost before the answer")]
    Interrupted,
    /// The answer is larger than the transport takes.
    #[error("the answer is too large")]
    TooLarge,
    /// The transport refuses to send this, or the other side's certificate is not trusted.
    #[error("the transport refused")]
    Refused,
}

/// Something the host did not foresee: whether the relay has seen the call is not known.
impl From<uniffi::UnexpectedUniFFICallbackError> for TransportError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Interrupted
    }
}

/// The host's transport as the core calls it.
pub(crate) struct HostTransport {
    transport: Slot<dyn Transport>,
    timeout: Duration,
    closing: CancellationToken,
}

impl HostTransport {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        timeout: Duration,
        closing: CancellationToken,
    ) -> Self {
        Self {
            transport: Slot::new(transport),
            timeout,
            closing,
        }
    }

    pub(crate) fn release(&self) {
        self.transport.release();
    }
}

#[async_trait]
impl org::Transport for HostTransport {
    async fn call(&self, request: org::Request) -> Result<org::Response, org::TransportError> {
        let transport = self.transport.get();
        let transport = transport.ok_or(org::TransportError::Unreachable)?;
        let request = RelayRequest::from(request);
        // In a task of its own, so that a fault of the host's ends the call and not the caller.
        let call = AbortOnDropHandle::new(tokio::spawn(async move {
            let answer = transport.call(request).await;
            drop(transport);
            answer
        }));
        let answered = tokio::select! {
            biased;
            () = self.closing.cancelled() => return Err(org::TransportError::Interrupted),
            answered = tokio::time::timeout(self.timeout, call) => answered,
        };
        match answered {
            Ok(Ok(Ok(response))) => Ok(response.into()),
            Ok(Ok(Err(error))) => Err(error.into()),
            Ok(Err(_)) => {
                tracing::warn!("the host's transport ended unexpectedly");
                Err(org::TransportError::Interrupted)
            }
            Err(_) => {
                tracing::warn!("the host's transport did not answer in time");
                Err(org::TransportError::Interrupted)
            }
        }
    }
}

/// A transport that is built into this library.
#[cfg(any(feature = "http", feature = "testing"))]
pub(crate) struct BuiltIn(pub(crate) Arc<dyn org::Transport>);

#[cfg(any(feature = "http", feature = "testing"))]
#[async_trait]
impl Transport for BuiltIn {
    async fn call(&self, request: RelayRequest) -> Result<RelayResponse, TransportError> {
        let transport = Arc::clone(&self.0);
        // The host may call it from a thread that has no runtime.
        let call = crate::runtime::run(async move {
            Ok(transport
                .call(request.into())
                .await
                .map(RelayResponse::from))
        });
        match call.await {
            Ok(answered) => answered.map_err(TransportError::from),
            Err(_) => Err(TransportError::Interrupted),
        }
    }
}

/// How the built-in HTTPS transport behaves.
#[cfg(feature = "http")]
#[derive(Debug, Clone, PartialEq, Eq, Default, uniffi::Record)]
pub struct HttpOptions {
    /// Certificates (PEM) that are trusted besides the system's, for a hospital's own CA.
    #[uniffi(default = [])]
    pub extra_roots_pem: Vec<Vec<u8>>,
    /// Allow `http://` to hosts other than this machine, where a proxy speaks TLS.
    #[uniffi(default = false)]
    pub allow_plaintext: bool,
    /// How long a connection may take to be made; ten seconds when not given.
    #[uniffi(default = None)]
    pub connect_timeout_ms: Option<u64>,
}

/// The built-in HTTPS transport, for services and desktops, to the relay at `url`, such as
/// `https://relay.mercy.example`. Phones carry calls over the platform's own HTTP stack.
#[cfg(feature = "http")]
#[uniffi::export]
pub fn http_transport(
    url: &str,
    options: HttpOptions,
) -> Result<Arc<dyn Transport>, crate::WardlineError> {
    let mut built = org::http::HttpOptions {
        extra_roots_pem: options.extra_roots_pem,
        allow_plaintext: options.allow_plaintext,
        ..org::http::HttpOptions::default()
    };
    if let Some(millis) = options.connect_timeout_ms {
        built.connect_timeout = Duration::from_millis(millis);
    }
    let transport = org::http::HttpTransport::new(url, built)
        .map_err(|error| crate::WardlineError::unfit("url", &error.to_string()))?;
    Ok(Arc::new(BuiltIn(Arc::new(transport))))
}

impl From<org::Request> for RelayRequest {
    fn from(request: org::Request) -> Self {
        Self {
            path: request.path,
            headers: request
                .headers
                .into_iter()
                .map(|(name, value)| HttpHeader { name, value })
                .collect(),
            body: request.body.into(),
        }
    }
}

impl From<RelayRequest> for org::Request {
    fn from(request: RelayRequest) -> Self {
        let headers = request.headers.into_iter();
        Self {
            path: request.path,
            headers: headers.map(|header| (header.name, header.value)).collect(),
            body: request.body.into(),
        }
    }
}

impl From<org::Response> for RelayResponse {
    fn from(response: org::Response) -> Self {
        Self {
            status: response.status,
            body: response.body.into(),
        }
    }
}

impl From<RelayResponse> for org::Response {
    fn from(response: RelayResponse) -> Self {
        Self {
            status: response.status,
            body: response.body.into(),
        }
    }
}

impl From<TransportError> for org::TransportError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Unreachable => Self::Unreachable,
            TransportError::Interrupted => Self::Interrupted,
            TransportError::TooLarge => Self::TooLarge,
            TransportError::Refused => Self::Refused,
        }
    }
}

impl From<org::TransportError> for TransportError {
    fn from(error: org::TransportError) -> Self {
        match error {
            org::TransportError::Unreachable => Self::Unreachable,
            org::TransportError::Interrupted => Self::Interrupted,
            org::TransportError::TooLarge => Self::TooLarge,
            org::TransportError::Refused => Self::Refused,
        }
    }
}

macro_rules! silent {
    ($($name:ident),+) => {$(
        /// Shows no header and no body.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

silent!(RelayRequest, RelayResponse, HttpHeader);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use wardline_org::Transport as _;

    use super::*;

    /// A host that does what it is told.
    struct Host {
        mischief: Mischief,
        dropped: Arc<AtomicBool>,
    }

    #[derive(Clone, Copy)]
    enum Mischief {
        Panics,
        Hangs,
        Answers,
    }

    #[async_trait]
    impl Transport for Host {
        async fn call(&self, request: RelayRequest) -> Result<RelayResponse, TransportError> {
            match self.mischief {
                Mischief::Panics => panic!("a host may do anything"),
                Mischief::Hangs => std::future::pending().await,
                Mischief::Answers => Ok(RelayResponse {
                    status: 200,
                    body: request.body,
                }),
            }
        }
    }

    impl Drop for Host {
        fn drop(&mut self) {
            self.dropped.store(true, Ordering::SeqCst);
        }
    }

    fn adapter(mischief: Mischief) -> (Arc<HostTransport>, CancellationToken, Arc<AtomicBool>) {
        let dropped = Arc::new(AtomicBool::new(false));
        let closing = CancellationToken::new();
        let host = Arc::new(Host {
            mischief,
            dropped: Arc::clone(&dropped),
        });
        let adapter = HostTransport::new(host, Duration::from_millis(50), closing.clone());
        (Arc::new(adapter), closing, dropped)
    }

    fn request() -> org::Request {
        org::Request {
            path: "/wardline.v1.Relay/Send".to_owned(),
            headers: vec![("content-type".to_owned(), "application/proto".to_owned())],
            body: vec![1, 2, 3].into(),
        }
    }

    #[tokio::test]
    async fn a_host_that_panics_or_hangs_is_a_lost_connection() {
        for mischief in [Mischief::Panics, Mischief::Hangs] {
            let (adapter, _, _) = adapter(mischief);
            let answer = adapter.call(request()).await;
            assert_eq!(answer.unwrap_err(), org::TransportError::Interrupted);
        }
        let (adapter, _, _) = adapter(Mischief::Answers);
        assert_eq!(adapter.call(request()).await.unwrap().body, request().body);
    }

    #[tokio::test]
    async fn closing_ends_a_call_and_lets_go_of_the_host() {
        let (adapter, closing, dropped) = adapter(Mischief::Hangs);
        let calling = tokio::spawn({
            let adapter = Arc::clone(&adapter);
            async move { adapter.call(request()).await }
        });
        tokio::task::yield_now().await;
        closing.cancel();
        adapter.release();
        let answer = calling.await.unwrap();
        assert_eq!(answer.unwrap_err(), org::TransportError::Interrupted);
        while !dropped.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let after = adapter.call(request()).await;
        assert_eq!(after.unwrap_err(), org::TransportError::Unreachable);
    }
}
