//! The relay on a socket: HTTP/1.1 and HTTP/2, with or without TLS.
//!
//! | path | method | |
//! |---|---|---|
//! | `/wardline.v1.Relay/<Method>` | POST | a call |
//! | `/healthz` | GET | 200 while the process runs |
//! | `/readyz` | GET | 200 while the storage reads and writes, else 503 |
//! | `/metrics` | GET | [OpenMetrics text](crate::metrics) |
//!
//! What a call means is not known here: bytes go to [`Relay::handle`] and come back.

mod http;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use axum_server::{Handle, tls_rustls::RustlsConfig};
use tokio::task::JoinHandle;

use crate::relay::Relay;

/// How a [`Server`] listens.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate chain and key, in PEM files. Without them the relay speaks plain HTTP, for a proxy on
    /// the same machine that speaks TLS.
    pub tls: Option<TlsFiles>,
    /// How long a caller may take to send a request's head, or its body. Default: 30 s each.
    pub read_timeout: Duration,
    /// How long [`Server::stop`] lets calls finish. Default: 10 s.
    pub grace: Duration,
    /// Serve `/metrics` beside the calls. Default: yes. Turn it off where the address is public.
    pub metrics: bool,
}

impl ServerOptions {
    /// Listens here, with every default.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            read_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            metrics: true,
        }
    }

    /// Listens on a free port of this machine, for tests and examples.
    pub fn local() -> Self {
        Self::new(SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

/// Where the certificate and its key are.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain, own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A relay that listens. Dropping it closes the socket at once; [`Server::stop`] lets calls finish.
///
/// ```no_run
/// # async fn example(relay: wardline_relay::Relay) -> Result<(), Box<dyn std::error::Error>> {
/// use wardline_org::http::{HttpOptions, HttpTransport};
/// use wardline_relay::{Server, ServerOptions};
///
/// let server = Server::start(relay, ServerOptions::local()).await?;
/// let transport = HttpTransport::new(&server.url(), HttpOptions::default())?;
/// // … calls …
/// server.stop().await;
/// # Ok(()) }
/// ```
pub struct Server {
    relay: Relay,
    address: SocketAddr,
    tls: Option<(RustlsConfig, TlsFiles)>,
    grace: Duration,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Binds the socket and serves from then on.
    ///
    /// # Errors
    /// When the address is taken, or the certificate cannot be read.
    pub async fn start(relay: Relay, options: ServerOptions) -> Result<Self, ServeError> {
        let tls = match &options.tls {
            None => None,
            Some(files) => {
                let config = RustlsConfig::from_pem_file(&files.cert, &files.key)
                    .await
                    .map_err(ServeError::Certificate)?;
                Some((config, files.clone()))
            }
        };
        let bind = |source| ServeError::Bind {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let server = axum_server::from_tcp(listener).map_err(bind)?;

        let handle = Handle::new();
        let service = http::router(relay.clone(), &options).into_make_service();
        let mut server = server
            .handle(handle.clone())
            .first_request_timeout(options.read_timeout)
            .accept_error_handler(
                |_, error| tracing::warn!(%error, "a connection was not accepted"),
            );
        // Slow heads, idle streams and dead peers are let go.
        let connections = server.http_builder();
        connections
            .http1()
            .header_read_timeout(options.read_timeout);
        connections
            .http2()
            .max_concurrent_streams(MOST_STREAMS)
            .keep_alive_interval(Some(KEEP_ALIVE))
            .keep_alive_timeout(KEEP_ALIVE);
        let serving = match &tls {
            None => tokio::spawn(server.serve(service)),
            Some((config, _)) => {
                let config = config.clone();
                let acceptor = move |inner| {
                    axum_server::tls_rustls::RustlsAcceptor::new(config).acceptor(inner)
                };
                tokio::spawn(server.map(acceptor).serve(service))
            }
        };
        Ok(Self {
            relay,
            address,
            tls,
            grace: options.grace,
            handle,
            serving,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client on this machine calls: `http://…` or `https://…` with the address.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The relay that answers.
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Reads the certificate files again, for new connections. When they cannot be read the certificate
    /// stays as it is.
    pub async fn reload_certificate(&self) -> Result<(), ServeError> {
        match &self.tls {
            None => Ok(()),
            Some((config, files)) => config
                .reload_from_pem_file(&files.cert, &files.key)
                .await
                .map_err(ServeError::Certificate),
        }
    }

    /// Takes no more connections, answers every waiting poll, lets calls finish within the grace, and
    /// closes the relay with its storage.
    pub async fn stop(mut self) {
        self.relay.stop_waiting();
        self.handle.graceful_shutdown(Some(self.grace));
        match (&mut self.serving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the socket did not close well"),
            Err(error) => tracing::warn!(%error, "the server did not end well"),
        }
        // A disk that hangs must not keep the process: what was answered is on it already.
        if tokio::time::timeout(self.grace, self.relay.close())
            .await
            .is_err()
        {
            tracing::error!("the relay did not close in time");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.shutdown();
        self.serving.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a relay does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken, not on this machine, or needs more rights.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate or its key cannot be read, or they do not belong together.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(io::Error),
}

/// Calls at once on one HTTP/2 connection.
const MOST_STREAMS: u32 = 128;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
