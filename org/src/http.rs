//! The built-in HTTPS [`Transport`], for services, desktops and tests. Phones leave this feature out
//! and carry calls over the platform's own HTTP stack.

use std::{fmt, net::IpAddr, time::Duration};

use async_trait::async_trait;
use reqwest::{Certificate, Client, Url, redirect};

use crate::transport::{MAX_WAIT, Request, Response, Transport, TransportError};

/// How [`HttpTransport`] behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a whole call may take. Must be longer than [`MAX_WAIT`], or long polls fail.
    pub request_timeout: Duration,
    /// Largest answer that is taken, in bytes.
    pub max_response_bytes: usize,
    /// Certificates (PEM) that are trusted besides the system's, for a hospital's own CA.
    pub extra_roots_pem: Vec<Vec<u8>>,
    /// Allow `http://` to hosts other than this machine, where a proxy speaks TLS.
    pub allow_plaintext: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            request_timeout: MAX_WAIT + Duration::from_secs(25),
            max_response_bytes: 32 * 1024 * 1024,
            extra_roots_pem: Vec::new(),
            allow_plaintext: false,
        }
    }
}

/// Calls a relay over HTTPS. A call that is awaited outside a tokio runtime is refused
/// ([`TransportError::Refused`]).
///
/// ```
/// use wardline_org::http::{HttpOptions, HttpTransport};
///
/// let transport = HttpTransport::new("https://relay.mercy.example", HttpOptions::default())?;
/// # Ok::<(), wardline_org::http::HttpConfigError>(())
/// ```
#[derive(Clone)]
pub struct HttpTransport {
    client: Client,
    base: Url,
    max_response_bytes: usize,
}

impl HttpTransport {
    /// A transport to the relay at `base`, such as `https://relay.mercy.example`. A path is refused:
    /// calls are signed with the path that the relay sees.
    pub fn new(base: &str, options: HttpOptions) -> Result<Self, HttpConfigError> {
        let base = Url::parse(base).map_err(|_| HttpConfigError::Address)?;
        if base.path() != "/" || base.query().is_some() || !base.username().is_empty() {
            return Err(HttpConfigError::Address);
        }
        match base.scheme() {
            "https" => {}
            "http" if options.allow_plaintext || is_this_machine(&base) => {}
            "http" => return Err(HttpConfigError::Plaintext),
            _ => return Err(HttpConfigError::Address),
        }
        if options.request_timeout <= MAX_WAIT {
            return Err(HttpConfigError::Timeout);
        }
        let mut builder = Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        for pem in &options.extra_roots_pem {
            let root = Certificate::from_pem(pem).map_err(|_| HttpConfigError::Certificate)?;
            builder = builder.add_root_certificate(root);
        }
        let client = builder.build().map_err(|_| HttpConfigError::Certificate)?;
        Ok(Self {
            client,
            base,
            max_response_bytes: options.max_response_bytes,
        })
    }

    async fn post(&self, request: Request) -> Result<Response, TransportError> {
        let url = self
            .base
            .join(&request.path)
            .map_err(|_| TransportError::Refused)?;
        let mut builder = self.client.post(url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let mut answer = builder
            .body(request.body)
            .send()
            .await
            .map_err(|e| classify(&e))?;

        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| classify(&e))? {
            if body.len() + chunk.len() > self.max_response_bytes {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status,
            body: body.into(),
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        // Its sockets and timers are tokio's, and would panic without it.
        tokio::runtime::Handle::try_current().map_err(|_| TransportError::Refused)?;
        self.post(request).await
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// Why a transport cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpConfigError {
    /// Not an `https://` address of a host, without path, query or user.
    #[error("not a relay address: write https://host or https://host:port")]
    Address,
    /// `http://` to another machine.
    #[error("plain http to another machine: use https, or allow plaintext behind a TLS proxy")]
    Plaintext,
    /// Shorter than a long poll.
    #[error("the request time-out is shorter than a long poll: make it longer than 50 s")]
    Timeout,
    /// An extra root is not a PEM certificate, or the system's roots cannot be loaded.
    #[error("a root certificate cannot be read: pass PEM certificates")]
    Certificate,
}

fn classify(error: &reqwest::Error) -> TransportError {
    if error.is_builder() || error.is_redirect() {
        TransportError::Refused
    } else if error.is_connect() {
        TransportError::Unreachable
    } else {
        TransportError::Interrupted
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
