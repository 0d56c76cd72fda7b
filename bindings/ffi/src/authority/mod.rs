//! The organization's signing side: for backends, and for QA.
//!
//! * `mod.rs`: founding, restoring, replacing keys, publishing. `directory`: people, teams and devices;
//!   `roles`: who is on call. `policy`: what everybody obeys.
//! * `wipe`: orders to erase a device. `secrets`: its keys. `error`: why it refuses.
//!
//! Phones do not have this.

mod directory;
mod error;
mod policy;
mod roles;
mod secrets;
mod wipe;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use wardline_org::{
    Clock, SystemClock, authority,
    publisher::{self, Publisher, PublisherError},
    ticket,
};

pub use self::{
    directory::{
        DeviceInfo, ImportProblem, ImportReport, PersonDetails, PersonInfo, StaffRole, Team,
        TeamMember,
    },
    policy::PolicyRules,
    roles::{RoleAssignment, RoleLine},
    secrets::AuthoritySecrets,
    wipe::WipeStatus,
};
use crate::{
    error::WardlineError,
    host::transport::{HostTransport, Transport},
    ids::parse,
    runtime::{run, run_to_the_end},
};

/// An organization's directory with the keys to sign it.
///
/// Changes are in the directory of the devices with the next `publish`. Its state is bytes for the
/// backend's own storage (`snapshot`); its keys are kept apart from it.
#[derive(uniffi::Object)]
pub struct Authority {
    state: Arc<Mutex<Option<authority::Authority>>>,
    clock: Arc<dyn Clock>,
}

/// Where a backend keeps the authority's state. A snapshot that was saved must survive a power cut.
#[uniffi::export(rust, foreign)]
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Replaces the stored snapshot, all of it or nothing.
    async fn save(&self, snapshot: Vec<u8>) -> Result<(), StateStoreError>;
}

/// The snapshot could not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum StateStoreError {
    /// Anything.
    #[error("the snapshot could not be stored")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for StateStoreError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

/// What one round of publishing did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PublishReport {
    /// Devices that were admitted and published.
    pub admitted: Vec<String>,
    /// How many requests of devices were refused; they will not come again.
    pub refused: u64,
    /// The version of the newest head that this round published or found confirmed.
    pub published: Option<u64>,
}

#[uniffi::export]
impl Authority {
    /// Founds an organization with the default policy: `threshold` of the root keys must sign its root
    /// documents.
    #[uniffi::constructor]
    pub fn found(
        organization: &str,
        threshold: u32,
        secrets: &AuthoritySecrets,
    ) -> Result<Arc<Self>, WardlineError> {
        Self::found_by(organization, threshold, secrets, Arc::new(SystemClock))
    }

    /// Restores a snapshot, with the keys to sign with.
    #[uniffi::constructor]
    pub fn restore(
        snapshot: &[u8],
        secrets: &AuthoritySecrets,
    ) -> Result<Arc<Self>, WardlineError> {
        Self::restore_by(snapshot, secrets, Arc::new(SystemClock))
    }

    /// Everything but the keys, as bytes.
    pub async fn snapshot(&self) -> Result<Vec<u8>, WardlineError> {
        self.with(|authority, _| Ok(authority.snapshot())).await
    }

    /// The hash of the first root document, 64 hexadecimal digits: what apps pin.
    pub async fn pin(&self) -> Result<String, WardlineError> {
        self.with(|authority, _| Ok(authority.pin().to_string()))
            .await
    }

    /// The current root document, which tells a relay whom to serve.
    pub async fn root_document(&self) -> Result<String, WardlineError> {
        self.with(|authority, _| Ok(authority.signed_root()?.to_string()))
            .await
    }

    /// The version of the newest head that the relay has; 0 before the first.
    pub async fn version(&self) -> Result<u64, WardlineError> {
        self.with(|authority, _| Ok(authority.version())).await
    }

    /// A one-use ticket for one device of a person whom the caller has authenticated; good for 15 minutes
    /// when not said otherwise. It is a bearer secret.
    pub async fn mint_ticket(
        &self,
        user: String,
        valid_for_ms: Option<u64>,
    ) -> Result<String, WardlineError> {
        let user = parse("user", &user)?;
        let validity = valid_for_ms.map_or(ticket::DEFAULT_VALIDITY, Duration::from_millis);
        self.with(move |authority, now| {
            let issuer = authority.ticket_issuer()?;
            issuer
                .mint(&user, validity, now)
                .map_err(|error| authority::AuthorityError::from(error).into())
        })
        .await
    }

    /// Replaces every key: the root document with those of `next` is signed by the root keys of `current` and
    /// of `next`, enough of both, and `threshold` of the new ones sign from then on. Apps keep their pin, and
    /// devices follow with the next head.
    ///
    /// Store `next` before, and the snapshot after; keep `current` until the next `publish` has ended. While a
    /// head is on its way it answers `WL-AUTHORITY-UNSETTLED`: publish first.
    pub async fn rotate(
        &self,
        current: Arc<AuthoritySecrets>,
        next: Arc<AuthoritySecrets>,
        threshold: u32,
    ) -> Result<(), WardlineError> {
        let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
        self.with(move |authority, _| {
            let fresh = next.keys().root_signers();
            let root_keys = fresh.iter().map(|key| key.public_key()).collect();
            let both = [current.keys().root_signers(), fresh].concat();
            Ok(authority.rotate(root_keys, threshold, next.keys().signers(), &both)?)
        })
        .await
    }

    /// Takes in every device that waits at the relay, and publishes a head if one is due.
    ///
    /// The state is handed to `store` before the relay can have it. Repeat it from a timer; every step
    /// can be repeated. A call that the host gives up is carried to its end all the same, and other
    /// calls of this authority wait for it.
    pub async fn publish(
        &self,
        relay: String,
        transport: Arc<dyn Transport>,
        store: Option<Arc<dyn StateStore>>,
    ) -> Result<PublishReport, WardlineError> {
        self.with_publisher(&relay, transport, store, |mut publisher, now| async move {
            let round = publisher.publish_once(now).await;
            (publisher, round.map(PublishReport::from))
        })
        .await
    }
}

impl Authority {
    pub(crate) fn found_by(
        organization: &str,
        threshold: u32,
        secrets: &AuthoritySecrets,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, WardlineError> {
        let organization = parse("organization", organization)?;
        let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
        let founded = authority::Authority::found(organization, threshold, secrets.keys())?;
        Ok(Self::holding(founded, clock))
    }

    pub(crate) fn restore_by(
        snapshot: &[u8],
        secrets: &AuthoritySecrets,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, WardlineError> {
        let restored = authority::Authority::restore(snapshot, secrets.keys().signers())?;
        Ok(Self::holding(restored, clock))
    }

    /// Works with a publisher of this authority, to the end whatever the host does.
    pub(crate) async fn with_publisher<T, W>(
        &self,
        relay: &str,
        transport: Arc<dyn Transport>,
        store: Option<Arc<dyn StateStore>>,
        work: impl FnOnce(Publisher, wardline_org::Timestamp) -> W + Send + 'static,
    ) -> Result<T, WardlineError>
    where
        T: Send + 'static,
        W: Future<Output = (Publisher, Result<T, PublisherError>)> + Send,
    {
        let relay: wardline_org::RelayId = parse("relay", relay)?;
        let state = Arc::clone(&self.state);
        let clock = Arc::clone(&self.clock);
        run_to_the_end(async move {
            let mut place = state.lock().await;
            let transport = Arc::new(HostTransport::new(
                transport,
                PATIENCE,
                CancellationToken::new(),
            ));
            let held = place.take().ok_or_else(lost)?;
            // The publisher takes the authority; checked before, so that it never keeps it.
            if let Err(error) = held.call_signer(relay.clone()) {
                *place = Some(held);
                return Err(error.into());
            }
            let saved = Arc::new(HostStore(store));
            let publisher = Publisher::new(held, relay, transport, saved)?;
            let (publisher, done) = work(publisher, clock.now()).await;
            *place = Some(publisher.into_authority());
            Ok(done?)
        })
        .await
    }

    fn holding(authority: authority::Authority, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            state: Arc::new(Mutex::new(Some(authority))),
            clock,
        })
    }

    /// Works with the authority, after whatever is being published.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(
            &mut authority::Authority,
            wardline_org::Timestamp,
        ) -> Result<T, WardlineError>
        + Send
        + 'static,
    ) -> Result<T, WardlineError> {
        let state = Arc::clone(&self.state);
        let clock = Arc::clone(&self.clock);
        run(async move {
            let mut place = state.lock().await;
            work(place.as_mut().ok_or_else(lost)?, clock.now())
        })
        .await
    }
}

/// The host's place for snapshots, or none.
struct HostStore(Option<Arc<dyn StateStore>>);

#[async_trait]
impl publisher::StateStore for HostStore {
    async fn save(&self, snapshot: &[u8]) -> Result<(), publisher::SaveError> {
        let Some(store) = self.0.clone() else {
            return Ok(());
        };
        let snapshot = snapshot.to_vec();
        // In a task of its own: a fault of the host's must not take the authority with it.
        let saving = tokio::spawn(async move { store.save(snapshot).await });
        match tokio::time::timeout(PATIENCE, saving).await {
            Ok(Ok(Ok(()))) => Ok(()),
            _ => Err(publisher::SaveError),
        }
    }
}

impl From<publisher::Round> for PublishReport {
    fn from(round: publisher::Round) -> Self {
        Self {
            admitted: round.admitted.iter().map(ToString::to_string).collect(),
            refused: round.refused.len() as u64,
            published: round.published,
        }
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// An earlier round ended unexpectedly, with the state of then: only the snapshot is sure.
fn lost() -> WardlineError {
    WardlineError::defect("publishing ended unexpectedly; restore the newest snapshot")
}

/// For the host's transport, and for its storage.
const PATIENCE: Duration = Duration::from_secs(75);
