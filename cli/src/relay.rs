//! `wardline relay`: one process, one folder, one address.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wardline_org::{RelayId, SystemClock, root::SignedRoot};
use wardline_relay::{
    Config, OpenError, Relay, ServeError, Server, ServerOptions, SqliteStorage, TlsFiles,
    push::{HttpPushGateway, PushOptions},
    storage::{Storage as _, StorageError},
};
use zeroize::Zeroizing;

use crate::exit::{self, Failure};

/// Run a relay.
///
/// A relay stores messages, keys and the signed directory of one or more organizations in one folder and
/// forwards them to whom they are for. It cannot read the messages.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8440",
        env = "WARDLINE_LISTEN"
    )]
    listen: SocketAddr,

    /// The folder that holds everything; it is made when it is not there.
    #[arg(long, value_name = "FOLDER", env = "WARDLINE_DATA")]
    data: PathBuf,

    /// The root document of an organization to serve (see `wardline org new`); may be repeated. Name also
    /// every later version that the relay has not been sent by the organization itself.
    #[arg(
        long,
        value_name = "FILE",
        required = true,
        value_delimiter = ',',
        env = "WARDLINE_ROOT"
    )]
    root: Vec<PathBuf>,

    /// The relay's name. Clients sign it into every call, so that a call made to one relay means nothing
    /// to another: give every relay a name of its own and set the same name in the apps.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "localhost",
        env = "WARDLINE_NAME"
    )]
    name: RelayId,

    /// The certificate chain (PEM). Without one the relay speaks plain HTTP: then listen on this machine
    /// only, behind a proxy that speaks TLS. SIGHUP reads certificate and key again.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "WARDLINE_TLS_CERT"
    )]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        env = "WARDLINE_TLS_KEY"
    )]
    tls_key: Option<PathBuf>,

    /// How long a message waits for a device before it is deleted.
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=365),
        env = "WARDLINE_RETENTION_DAYS"
    )]
    retention_days: u32,

    /// Where wake-ups for sleeping devices are posted, such as https://push.mercy.example/wake. What is
    /// posted holds a device's push token and how loudly to wake it, and nothing about the message. Plain
    /// HTTP is taken for this machine only.
    #[arg(long, value_name = "URL", env = "WARDLINE_PUSH_GATEWAY")]
    push_gateway: Option<String>,

    /// A file with the word that the push gateway is shown as `Authorization: Bearer …`.
    #[arg(
        long,
        value_name = "FILE",
        requires = "push_gateway",
        env = "WARDLINE_PUSH_BEARER"
    )]
    push_bearer: Option<PathBuf>,

    /// Do not serve /metrics on the same address.
    #[arg(long, env = "WARDLINE_NO_METRICS")]
    no_metrics: bool,

    /// The folder was put back from a backup: hand out again whatever devices may have missed. Use it for
    /// the first start after that, and for no other.
    #[arg(long)]
    restored_backup: bool,

    /// The form of the log on standard error. No log names a person or quotes a message.
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        default_value_t = LogFormat::Text,
        env = "WARDLINE_LOG_FORMAT"
    )]
    log_format: LogFormat,

    /// What to log: error, warn, info, debug, trace, or a filter such as `wardline_relay=debug`.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "WARDLINE_LOG"
    )]
    log: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  On this machine, to try it out:
    wardline org new --name mercy --dir mercy
    wardline relay --data relay-data --root mercy/root.note

  In a hospital:
    wardline relay --listen 0.0.0.0:8440 --data /var/lib/wardline \\
      --root /etc/wardline/mercy.root.note --name relay.mercy.example \\
      --tls-cert /etc/wardline/cert.pem --tls-key /etc/wardline/key.pem --log-format json

Signals:
  SIGTERM, SIGINT  answer every waiting call, finish what was begun, end
  SIGHUP           read certificate and key again

Exit codes:
  0 ended by a signal   2 wrong arguments           3 the address cannot be listened on
  1 anything else       4 the folder cannot be used  5 the folder is of a newer version
                        6 a root document, certificate, key or push gateway cannot be used

What a load balancer asks: /healthz (the process runs), /readyz (the storage works).
What Prometheus asks: /metrics.";

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    start_log(arguments.log_format, &arguments.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::doing(exit::OTHER, "cannot start", error))?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> Result<(), Failure> {
    let failed = |error| Failure::doing(exit::OTHER, "cannot listen for signals", error);
    // Before anything is open: a signal during the start must not tear it down half-way.
    let mut signals = Signals::new().map_err(failed)?;
    let config = config(&arguments)?;
    let organizations: Vec<_> = config
        .roots
        .iter()
        .map(|root| root.root().org.to_string())
        .collect();

    let data = &arguments.data;
    let storage = SqliteStorage::open(data).map_err(|error| storage_failure(data, &error))?;
    if arguments.restored_backup {
        let renewed = storage.renew_epochs().await;
        renewed.map_err(|error| storage_failure(data, &error))?;
    }
    let relay = Relay::open(config, Arc::new(storage), Arc::new(SystemClock))
        .await
        .map_err(|error| open_failure(data, &error))?;
    let name = relay.name().to_string();
    let server = Server::start(relay, options(&arguments))
        .await
        .map_err(serve_failure)?;

    let mut served = organizations;
    served.dedup();
    let _ = writeln!(
        io::stdout(),
        "listening on {} as {name}, serving {}",
        server.url(),
        served.join(", ")
    );
    while signals.next().await == Asked::Reload {
        match server.reload_certificate().await {
            Ok(()) => tracing::info!("certificate and key were read again"),
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    }
    tracing::info!("ending: a second signal ends at once");
    tokio::select! {
        () = server.stop() => Ok(()),
        () = signals.end() => Err(Failure::new(exit::OTHER, "ended by a second signal")),
    }
}

fn config(arguments: &Arguments) -> Result<Config, Failure> {
    let mut config = Config::new(arguments.name.clone());
    for file in &arguments.root {
        let refused = |error: &dyn std::fmt::Display| {
            Failure::doing(
                exit::FILE,
                format!("root document {}", file.display()),
                error,
            )
        };
        let text = fs::read_to_string(file).map_err(|error| refused(&error))?;
        let root: SignedRoot = text.parse().map_err(|error| refused(&error))?;
        config = config.serving(root);
    }
    config.retention = Duration::from_secs(u64::from(arguments.retention_days) * 24 * 60 * 60);
    config.push = push(arguments)?;
    Ok(config)
}

fn push(arguments: &Arguments) -> Result<Option<PushOptions>, Failure> {
    let Some(url) = &arguments.push_gateway else {
        return Ok(None);
    };
    let bearer = match &arguments.push_bearer {
        None => None,
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| {
                Failure::doing(exit::FILE, format!("push bearer {}", file.display()), error)
            })?;
            Some(Zeroizing::new(text))
        }
    };
    let word = bearer.as_ref().map(|text| text.trim());
    let gateway = HttpPushGateway::new(url, word).map_err(|e| Failure::new(exit::FILE, e))?;
    Ok(Some(PushOptions::new(Arc::new(gateway))))
}

fn options(arguments: &Arguments) -> ServerOptions {
    let files = arguments.tls_cert.clone().zip(arguments.tls_key.clone());
    ServerOptions {
        tls: files.map(|(cert, key)| TlsFiles { cert, key }),
        metrics: !arguments.no_metrics,
        ..ServerOptions::new(arguments.listen)
    }
}

fn storage_failure(data: &Path, error: &StorageError) -> Failure {
    let what = format!("folder {}", data.display());
    match error {
        StorageError::Newer { .. } => Failure::doing(exit::NEWER, what, error),
        StorageError::Busy => Failure::doing(exit::DATA, what, "another relay is using it"),
        error => Failure::doing(exit::DATA, what, error),
    }
}

fn open_failure(data: &Path, error: &OpenError) -> Failure {
    match error {
        OpenError::Storage(error) => storage_failure(data, error),
        OpenError::Root(_) | OpenError::OtherRoot { .. } => Failure::new(exit::FILE, error),
        error => Failure::new(exit::OTHER, error),
    }
}

fn serve_failure(error: ServeError) -> Failure {
    match error {
        ServeError::Bind { .. } => Failure::new(exit::ADDRESS, error),
        ServeError::Certificate(_) => Failure::new(exit::FILE, error),
        error => Failure::new(exit::OTHER, error),
    }
}

fn start_log(format: LogFormat, filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::doing(exit::OTHER, "log filter", error))?;
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(color);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// What a signal asks for.
#[derive(PartialEq, Eq)]
enum Asked {
    End,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    async fn end(&mut self) {
        while self.next().await != Asked::End {}
    }
}
