//! The relay: stores and forwards what it cannot read.
//!
//! It keeps mailboxes, prekeys and the signed directory of one or more organizations, checks who calls,
//! and hands out what was left for them. It never sees a content's plaintext, and what it says about
//! people and devices is proven by what their organization signed. It is a library and a service:
//!
//! * [`Relay`] takes a [`Request`](wardline_org::Request) and gives a
//!   [`Response`](wardline_org::Response), whatever carried them;
//! * [`Server`] carries them over HTTP/1.1 and HTTP/2, with or without TLS;
//! * [`LocalTransport`] carries them inside one process, without a socket;
//! * [`SqliteStorage`] keeps everything in one file; another [`Storage`](storage::Storage) can take its
//!   place;
//! * [`push`] wakes devices that sleep, through a gateway that the operator names.
//!
//! What it is not: an identity provider (the organization's backend mints tickets and signs the
//! directory, see `wardline-org`), and not a client (see `wardline`).
//!
//! ```
//! use std::sync::Arc;
//! use wardline_org::{SystemClock, authority::{Authority, Secrets}};
//! use wardline_relay::{Config, Relay, Server, ServerOptions, SqliteStorage};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let dir = tempfile::tempdir()?;
//! // The backend's side, here in short: an organization with its keys and its root document.
//! let authority = Authority::found("mercy".parse()?, 1, &Secrets::generate(1)?)?;
//!
//! // The operator names whom to serve by that root document: everything else follows from it.
//! let root = authority.signed_root()?.clone();
//! let config = Config::new("relay.mercy.example".parse()?).serving(root);
//! let storage = Arc::new(SqliteStorage::open(dir.path())?);
//! let relay = Relay::open(config, storage, Arc::new(SystemClock)).await?;
//!
//! let transport = relay.local(); // for clients in this process
//! let server = Server::start(relay, ServerOptions::local()).await?; // for all others
//! assert!(server.url().starts_with("http://127.0.0.1:"));
//! server.stop().await;
//! # drop(transport);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//!
//! * **Durable before answered.** A call is answered when its transaction, and the mark that it was
//!   carried out, are on disk. Calls that run at the same time share a commit.
//! * **Once.** A signed call is carried out once, a submission is delivered once, a one-time key is
//!   handed out once: across restarts, power cuts and retries.
//! * **Bounded.** Bodies, contents, recipients, mailboxes, answers, waits and rates have limits, and each
//!   refusal names the limit.
//!
//! # Failpoints
//!
//! With the feature `failpoints`, a test may stop the process at each point of [`FAILPOINTS`] (see the
//! crate `fail`). `before_commit` is inside the transaction, `after_commit` follows it: the client has no
//! answer in either case, and must come to the same end by asking again.

mod auth;
mod calls;
mod config;
mod connect;
mod directory;
mod error;
#[cfg(feature = "testing")]
pub mod faults;
mod held;
mod local;
mod method;
pub mod metrics;
mod organization;
mod polls;
pub mod push;
mod quota;
mod reach;
mod relay;
mod replay;
mod roots;
mod server;
pub mod storage;
mod sweep;

pub use self::{
    config::{Config, Limits, Quotas, Rate},
    error::OpenError,
    local::LocalTransport,
    relay::Relay,
    server::{ServeError, Server, ServerOptions, TlsFiles},
    storage::sqlite::SqliteStorage,
};

/// Every failpoint, in the order of the calls.
pub const FAILPOINTS: [&str; 32] = [
    "relay::call::before_commit",
    "relay::call::after_commit",
    "relay::enroll::before_commit",
    "relay::enroll::after_commit",
    "relay::publish::before_commit",
    "relay::publish::after_commit",
    "relay::wipe_order::before_commit",
    "relay::wipe_order::after_commit",
    "relay::wipe_receipt::before_commit",
    "relay::wipe_receipt::after_commit",
    "relay::upload::before_commit",
    "relay::upload::after_commit",
    "relay::claim::before_commit",
    "relay::claim::after_commit",
    "relay::send::before_commit",
    "relay::send::after_commit",
    "relay::receive::before_commit",
    "relay::receive::after_commit",
    "relay::acknowledge::before_commit",
    "relay::acknowledge::after_commit",
    "relay::withdraw::before_commit",
    "relay::withdraw::after_commit",
    "relay::checkpoint::before_commit",
    "relay::checkpoint::after_commit",
    "relay::register_push::before_commit",
    "relay::register_push::after_commit",
    "relay::answer_held::before_commit",
    "relay::answer_held::after_commit",
    "relay::release::before_commit",
    "relay::release::after_commit",
    "relay::expire::before_commit",
    "relay::expire::after_commit",
];
