//! What a device is opened with.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use wardline::vault::{self, Argon2Params};
use zeroize::Zeroizing;

use super::AnyClock;
use crate::{
    error::WardlineError,
    host::{
        Host,
        key_store::{HostKeyStore, KeyStore},
        transport::{HostTransport, Transport},
    },
    ids::parse,
    runtime,
};

/// Where a device is and whom it believes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ClientConfig {
    /// The device's own folder, made when there is none; one for each person and device.
    pub folder: String,
    /// The organization's id.
    pub organization: String,
    /// The hash of the organization's first root document, 64 hexadecimal digits, shipped with the app.
    pub root: String,
    /// The relay's name, as its operator set it.
    pub relay: String,
    /// What a passphrase costs to try, for new devices; the recommended cost when not given.
    #[uniffi(default = None)]
    pub passphrase_cost: Option<PassphraseCost>,
    /// How long the host's transport may take for one call; 75 seconds when not given.
    #[uniffi(default = None)]
    pub transport_timeout_ms: Option<u64>,
    /// How long the host's key store may take for one call, prompts included; two minutes when not
    /// given.
    #[uniffi(default = None)]
    pub key_store_timeout_ms: Option<u64>,
}

/// What one guess at a passphrase costs (Argon2id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct PassphraseCost {
    /// Memory in KiB; at least 19,456.
    pub memory_kib: u32,
    /// Passes over it; at least 2.
    pub passes: u32,
    /// Lanes; at least 1.
    pub lanes: u32,
}

impl ClientConfig {
    /// The core's configuration, and the objects of the host in it.
    pub(crate) fn build(
        self,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
        clock: AnyClock,
    ) -> Result<(wardline::Config, Host), WardlineError> {
        let closing = CancellationToken::new();
        let patience = |millis: Option<u64>, usual| millis.map_or(usual, Duration::from_millis);
        let host = Host {
            transport: Arc::new(HostTransport::new(
                transport,
                patience(self.transport_timeout_ms, TRANSPORT_PATIENCE),
                closing.clone(),
            )),
            key_store: Arc::new(HostKeyStore::new(
                key_store,
                patience(self.key_store_timeout_ms, KEY_STORE_PATIENCE),
                closing.clone(),
            )),
            closing,
        };
        let mut config = wardline::Config::new(
            self.folder,
            parse("organization", &self.organization)?,
            parse("root", &self.root)?,
            parse("relay", &self.relay)?,
            Arc::clone(&host.transport) as _,
            Arc::clone(&host.key_store) as _,
        );
        if let Some(cost) = self.passphrase_cost {
            config.passphrase_cost = Argon2Params::new(cost.memory_kib, cost.passes, cost.lanes)
                .map_err(wardline::Error::from)?;
        }
        // Calls are made where everything else runs, whatever thread the host calls from.
        config.runtime = Some(runtime::handle()?);
        if let Some(clock) = clock {
            config.clock = clock;
        }
        Ok((config, host))
    }
}

/// Opens nothing: for questions that need no key.
pub(crate) struct NoKeyStore;

impl vault::KeyStore for NoKeyStore {
    fn wrap(&self, _: vault::KeyPurpose, _: &[u8]) -> Result<Vec<u8>, vault::KeyStoreError> {
        Err(vault::KeyStoreError::Refused)
    }

    fn open(
        &self,
        _: vault::KeyPurpose,
        _: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, vault::KeyStoreError> {
        Err(vault::KeyStoreError::Refused)
    }

    fn erase(&self, _: vault::KeyPurpose) -> Result<(), vault::KeyStoreError> {
        Err(vault::KeyStoreError::Refused)
    }

    fn attempts(&self) -> Result<u32, vault::KeyStoreError> {
        Err(vault::KeyStoreError::Refused)
    }

    fn count_attempt(&self) -> Result<u32, vault::KeyStoreError> {
        Err(vault::KeyStoreError::Refused)
    }

    fn reset_attempts(&self) -> Result<(), vault::KeyStoreError> {
        Err(vault::KeyStoreError::Refused)
    }
}

/// Longer than the relay holds a long poll, and the transport's own time-out.
const TRANSPORT_PATIENCE: Duration = Duration::from_secs(75);
/// A person looks for their finger, or their code.
const KEY_STORE_PATIENCE: Duration = Duration::from_secs(120);
