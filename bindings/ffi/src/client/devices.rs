//! The devices of this person, and vouching for one.

use super::Client;
use crate::{error::WardlineError, ids::parse};

/// One of this person's devices, as the directory lists it.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct OwnDevice {
    /// Its id.
    pub device: String,
    /// What it calls itself.
    pub label: String,
    /// When the authority admitted it, in milliseconds since 1970.
    pub enrolled_at_ms: i64,
    /// When the authority revoked it, if it did.
    pub revoked_at_ms: Option<i64>,
    /// Whether it is the person's first one, or a chain of vouches leads to it from there.
    pub vouched: bool,
}

/// Shows no label: people name their devices after themselves.
impl std::fmt::Debug for OwnDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnDevice")
            .field("device", &self.device)
            .field("vouched", &self.vouched)
            .finish_non_exhaustive()
    }
}

#[uniffi::export]
impl Client {
    /// The devices of this person that this device knows of, revoked ones included, in the order in which
    /// they were admitted. An active one that is not vouched is a reason to ask the person.
    /// What changed since the last round is asked for by the next one.
    pub async fn own_devices(&self) -> Result<Vec<OwnDevice>, WardlineError> {
        let own = self
            .with(|core| async move { core.own_devices().await })
            .await?;
        Ok(own.into_iter().map(OwnDevice::from).collect())
    }

    /// Says that another device of this person is theirs: call it once the person has compared both. Hand
    /// what it answers to the organization's backend, for `Authority::admit_vouch`; it is no secret. The
    /// directory shows it with the next head.
    pub async fn vouch(&self, device: String) -> Result<Vec<u8>, WardlineError> {
        let device = parse("device", &device)?;
        self.with(|core| async move { core.vouch(device).await })
            .await
    }
}

impl From<wardline::OwnDevice> for OwnDevice {
    fn from(own: wardline::OwnDevice) -> Self {
        Self {
            device: own.device.to_string(),
            label: own.label,
            enrolled_at_ms: own.enrolled_at.as_millis(),
            revoked_at_ms: own.revoked_at.map(wardline_org::Timestamp::as_millis),
            vouched: own.vouched,
        }
    }
}
