//! What a client is made of besides its store.

use std::{path::PathBuf, sync::Arc};

use tokio::runtime::Handle;
use wardline_org::{Clock, Hash, OrgId, SystemClock, Transport, id::RelayId};

use crate::{
    store,
    vault::{Argon2Params, KeyStore},
};

/// Everything a client is made of besides its store: where it is and whom it talks to.
pub struct Config {
    /// The client's own folder, made when there is none; one per person and device.
    pub folder: PathBuf,
    /// The organization.
    pub organization: OrgId,
    /// The hash of the organization's first root document, pinned in the app.
    pub root: Hash,
    /// The relay's name, as its operator set it.
    pub relay: RelayId,
    /// Carries calls to the relay.
    pub transport: Arc<dyn Transport>,
    /// Wraps the keys at rest.
    pub key_store: Arc<dyn KeyStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What a passphrase costs to try; for new devices only.
    pub passphrase_cost: Argon2Params,
    /// The tokio runtime in which calls to the relay are made when whoever awaits them is on none.
    /// Unless set, that in which the client is enrolled or opened, if any.
    pub runtime: Option<Handle>,
}

impl Config {
    /// A configuration with the system's clock and the recommended passphrase cost.
    pub fn new(
        folder: impl Into<PathBuf>,
        organization: OrgId,
        root: Hash,
        relay: RelayId,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
    ) -> Self {
        Self {
            folder: folder.into(),
            organization,
            root,
            relay,
            transport,
            key_store,
            clock: Arc::new(SystemClock),
            passphrase_cost: Argon2Params::default(),
            runtime: None,
        }
    }
}

impl Config {
    /// Remembers the runtime that the caller is on, unless there is one already.
    pub(super) fn in_runtime(mut self) -> Self {
        self.runtime = self.runtime.or_else(|| Handle::try_current().ok());
        self
    }
}

/// How much a client holds at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Envelopes fetched at once.
    pub(super) envelopes: u32,
    /// Their bytes together, unless a single one has more; 0 for as many as the relay gives.
    pub(super) bytes: u32,
    /// What each connection keeps of the store in memory, in KiB.
    pub(super) cache: u32,
}

impl Limits {
    /// For an app.
    pub(super) const APP: Self = Self {
        envelopes: 250,
        bytes: 0,
        cache: store::CACHE,
    };
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("organization", &self.organization)
            .finish_non_exhaustive()
    }
}
