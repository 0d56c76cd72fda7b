//! A ward in a box, for tests: a relay in the process, a clock set by hand, a network that fails.
//!
//! Never in a shipped app: what is built without the feature `testing` holds nothing of it, and
//! `cargo xtask bindings` fails when it does.

mod clock;
mod faults;
mod glossary;
mod relay;
mod stopwatch;

use std::sync::Arc;

pub use self::{
    clock::TestClock,
    faults::{FaultPlan, FaultyTransport, faulty_transport},
    glossary::{ErrorCode, error_codes, raise_error},
    relay::{TestRelay, TestWakeUp},
    stopwatch::Stopwatch,
};
use crate::{
    authority::{Authority, AuthoritySecrets},
    cancel::CancelToken,
    client::{Client, config::ClientConfig},
    error::WardlineError,
    host::{key_store::KeyStore, transport::Transport},
    inbox::Inbox,
    secret::Passphrase,
};

#[uniffi::export]
impl Client {
    /// `enroll` with a clock that is set by hand.
    #[uniffi::constructor]
    #[allow(
        clippy::too_many_arguments,
        reason = "what `enroll` takes, and the clock"
    )]
    pub async fn enroll_at(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
        user: String,
        label: String,
        ticket: String,
        passphrase: Arc<Passphrase>,
        clock: Arc<TestClock>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Self>, WardlineError> {
        let (config, host) = config.build(transport, key_store, Some(clock.core()))?;
        Self::enroll_with(config, host, user, label, ticket, passphrase, cancel).await
    }

    /// `open` with a clock that is set by hand.
    #[uniffi::constructor]
    pub async fn open_at(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
        clock: Arc<TestClock>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Self>, WardlineError> {
        let (config, host) = config.build(transport, key_store, Some(clock.core()))?;
        Self::open_with(config, host, cancel).await
    }
}

#[uniffi::export]
impl Inbox {
    /// `open` with a clock that is set by hand.
    #[uniffi::constructor]
    pub async fn open_at(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
        clock: Arc<TestClock>,
    ) -> Result<Arc<Self>, WardlineError> {
        Self::open_by(config, transport, key_store, Some(clock.core())).await
    }
}

#[uniffi::export]
impl Authority {
    /// `found` with a clock that is set by hand.
    #[uniffi::constructor]
    pub fn found_at(
        organization: &str,
        threshold: u32,
        secrets: &AuthoritySecrets,
        clock: Arc<TestClock>,
    ) -> Result<Arc<Self>, WardlineError> {
        Self::found_by(organization, threshold, secrets, clock.core())
    }

    /// `restore` with a clock that is set by hand.
    #[uniffi::constructor]
    pub fn restore_at(
        snapshot: &[u8],
        secrets: &AuthoritySecrets,
        clock: Arc<TestClock>,
    ) -> Result<Arc<Self>, WardlineError> {
        Self::restore_by(snapshot, secrets, clock.core())
    }
}
