//! One device of one person, as an object that a host holds.
//!
//! * `mod.rs`: enrolling, opening, shutting down.
//! * `messages`: writing and reading. `answers`: accepting, declining, taking back. `choosing`: short replies. `forwarding`: handing on. `correcting`: correcting and proving.
//!   `finding`: filters, cautions, times. `events`: what the app is
//!   told, and the line to the relay. `keys`: lock and passphrase. `devices`: the person's own. [`config`]: what a device is opened with.
//!
//! Every method answers `WL-CLOSED` once the client was shut down.

mod answers;
mod choosing;
pub mod config;
mod correcting;
mod devices;
mod escalation;
mod events;
mod expiring;
mod finding;
mod forwarding;
mod keys;
mod messages;
mod push;
mod reach;
mod roles;

use std::{
    path::Path,
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
};

use tokio_util::sync::CancellationToken;
use wardline_org::Clock;

use self::config::ClientConfig;
pub use self::devices::OwnDevice;
pub use self::events::{PendingRequest, Round};
use crate::{
    cancel::CancelToken,
    error::WardlineError,
    host::{Host, key_store::KeyStore, transport::Transport},
    ids::parse,
    runtime::{Work, run, run_to_the_end},
    secret::Passphrase,
};

/// One device of one person: its store, its keys, its line to the relay.
///
/// Every method may be called from any thread. What is sent is durable when `send` answers; the loop
/// (`start`) or single rounds (`sync_once`) carry it.
#[derive(uniffi::Object)]
pub struct Client {
    core: RwLock<Option<wardline::Client>>,
    host: Host,
    user: String,
    device: String,
}

#[uniffi::export]
impl Client {
    /// Makes a new device of a person and asks the organization to list it. The client is unlocked.
    ///
    /// `ticket` is the one-use ticket that the organization's backend minted for this person. When the
    /// relay could not be asked, or the call was given up, call it again on the same folder with the same
    /// passphrase.
    #[uniffi::constructor]
    #[allow(
        clippy::too_many_arguments,
        reason = "what a device is made from, and what gives it up"
    )]
    pub async fn enroll(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
        user: String,
        label: String,
        ticket: String,
        passphrase: Arc<Passphrase>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Self>, WardlineError> {
        let (config, host) = config.build(transport, key_store, None)?;
        Self::enroll_with(config, host, user, label, ticket, passphrase, cancel).await
    }

    /// Opens a device that was enrolled in this folder. The client is locked: it receives, and nobody
    /// can read.
    #[uniffi::constructor]
    pub async fn open(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Self>, WardlineError> {
        let (config, host) = config.build(transport, key_store, None)?;
        Self::open_with(config, host, cancel).await
    }

    /// The person this device belongs to.
    pub fn user(&self) -> String {
        self.user.clone()
    }

    /// This device.
    pub fn device(&self) -> String {
        self.device.clone()
    }

    /// Finishes what is being written and lets go of every file, so that the system may suspend the
    /// process.
    pub async fn suspend(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.suspend().await }).await
    }

    /// Takes up the files again after `suspend`.
    pub async fn resume(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.resume().await }).await
    }

    /// Checks the chain of audit records on this device; answers the first record that does not follow
    /// from the one before it.
    pub async fn check_audit(&self) -> Result<Option<i64>, WardlineError> {
        self.with(|core| async move { core.check_audit().await })
            .await
    }

    /// Stops the loop, finishes what is being written, closes the store and lets go of everything that
    /// belongs to the host. Calls under way end with `WL-CLOSED`. A second call does nothing.
    pub async fn shutdown(&self) -> Result<(), WardlineError> {
        let core = self
            .core
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(core) = core else {
            return Ok(());
        };
        core.stop();
        self.host.closing.cancel();
        let host = self.host.clone();
        // To the end, whoever waits for it: the host's objects must be let go of.
        run_to_the_end(async move {
            let closed = core.close().await;
            host.release();
            Ok(closed?)
        })
        .await
    }

    /// Whether it was shut down.
    pub fn is_shut_down(&self) -> bool {
        self.host.closing.is_cancelled()
    }
}

/// Whether a folder holds an enrolled device.
#[uniffi::export]
pub fn is_enrolled(folder: &str) -> Result<bool, WardlineError> {
    Ok(wardline::is_enrolled(
        Path::new(folder),
        Arc::new(config::NoKeyStore),
    )?)
}

impl Client {
    pub(crate) async fn enroll_with(
        config: wardline::Config,
        host: Host,
        user: String,
        label: String,
        ticket: String,
        passphrase: Arc<Passphrase>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Self>, WardlineError> {
        let user = parse("user", &user)?;
        let passphrase = passphrase.core()?;
        Self::holding(host, cancel, async move {
            wardline::Client::enroll(config, user, &label, &ticket, passphrase).await
        })
        .await
    }

    pub(crate) async fn open_with(
        config: wardline::Config,
        host: Host,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Self>, WardlineError> {
        Self::holding(host, cancel, wardline::Client::open(config)).await
    }

    /// Opens to the end, whoever waits for it, so that nobody works on the folder any more when the call
    /// has ended. Giving it up ends every wait for the host, which ends the opening.
    async fn holding(
        host: Host,
        cancel: Option<Arc<CancelToken>>,
        opening: impl Future<Output = Result<wardline::Client, wardline::Error>> + Send + 'static,
    ) -> Result<Arc<Self>, WardlineError> {
        // A host that drops the call gives it up as well.
        let dropped = host.closing.clone().drop_guard();
        let opened = run_to_the_end(async move {
            let mut opening = pin!(opening);
            let opened = tokio::select! {
                biased;
                opened = &mut opening => opened,
                () = cancelled(cancel) => {
                    host.closing.cancel();
                    opening.await
                }
            };
            let given_up = host.closing.is_cancelled();
            match opened {
                Ok(core) if !given_up => Ok(Arc::new(Self {
                    user: core.user().to_string(),
                    device: core.device().to_string(),
                    core: RwLock::new(Some(core)),
                    host,
                })),
                Ok(core) => {
                    let closed = core.close().await;
                    host.release();
                    Err(closed.map_or_else(WardlineError::from, |()| WardlineError::cancelled()))
                }
                Err(error) => {
                    host.release();
                    Err(if given_up {
                        WardlineError::cancelled()
                    } else {
                        error.into()
                    })
                }
            }
        })
        .await?;
        dropped.disarm();
        Ok(opened)
    }

    /// The core's client, unless it was shut down.
    pub(crate) fn core(&self) -> Result<wardline::Client, WardlineError> {
        let core = self.core.read().unwrap_or_else(PoisonError::into_inner);
        core.clone().ok_or_else(WardlineError::closed)
    }

    /// Runs a call of the core's.
    fn with<T, F>(
        &self,
        call: impl FnOnce(wardline::Client) -> F,
    ) -> impl Future<Output = Result<T, WardlineError>> + Send
    where
        T: Send + 'static,
        F: Future<Output = Result<T, wardline::Error>> + Send + 'static,
    {
        let work: Result<Work<T, wardline::Error>, WardlineError> =
            self.core().map(|core| Box::pin(call(core)) as _);
        self.with_boxed(work)
    }

    /// Compiled once for each answer, and not once for each call.
    async fn with_boxed<T: Send + 'static>(
        &self,
        work: Result<Work<T, wardline::Error>, WardlineError>,
    ) -> Result<T, WardlineError> {
        let work = work?;
        self.or_closed(run(async move { Ok(work.await?) }).await)
    }

    /// Whatever a call failed with while the client was being shut down, that is why.
    pub(crate) fn or_closed<T>(&self, done: Result<T, WardlineError>) -> Result<T, WardlineError> {
        done.map_err(|error| or_closed(&self.host.closing, error))
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.host.closing
    }
}

/// Ends when the token is cancelled; never without one.
async fn cancelled(cancel: Option<Arc<CancelToken>>) {
    match cancel {
        Some(cancel) => cancel.cancelled().await,
        None => std::future::pending().await,
    }
}

pub(crate) fn or_closed(closing: &CancellationToken, error: WardlineError) -> WardlineError {
    if closing.is_cancelled() && !matches!(error, WardlineError::Cancelled { .. }) {
        WardlineError::closed()
    } else {
        error
    }
}

/// The host dropped its last reference: the loop ends, and with it the last reference of ours.
impl Drop for Client {
    fn drop(&mut self) {
        let core = self.core.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(core) = core.take() {
            core.stop();
        }
        self.host.release();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The clock of a client: the system's, or in tests another.
pub(crate) type AnyClock = Option<Arc<dyn Clock>>;
