//! Orders to devices to erase themselves, and what the devices said.

use std::sync::Arc;

use wardline_org::{
    DeviceId, UserId,
    publisher::Wipe,
    wipe::{SignedWipeReceipt, WipeReason},
};

use super::{Authority, StateStore};
use crate::{error::WardlineError, host::transport::Transport, ids::parse};

/// An order to a device to erase itself, and whether it has obeyed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WipeStatus {
    /// The device.
    pub device: String,
    /// Why it was ordered.
    pub reason: String,
    /// When it was ordered, in milliseconds since 1970.
    pub ordered_at_ms: i64,
    /// When the device erased itself, by its own clock; nothing while it was not heard from.
    pub wiped_at_ms: Option<i64>,
    /// Messages that were lost with it: written there, and not taken by the relay.
    pub unsent_messages: Option<u64>,
}

#[uniffi::export]
impl Authority {
    /// Orders a device of a person to erase itself, as for a phone that was lost, and revokes it. The
    /// `reason` is one word, such as `lost`. The order is at the relay when this answers; the device obeys with its
    /// next call. Call `publish` next, so that nobody goes on writing to it.
    pub async fn order_wipe(
        &self,
        user: String,
        device: String,
        reason: String,
        relay: String,
        transport: Arc<dyn Transport>,
        store: Option<Arc<dyn StateStore>>,
    ) -> Result<(), WardlineError> {
        let user: UserId = parse("user", &user)?;
        let device: DeviceId = parse("device", &device)?;
        let reason: WipeReason = parse("reason", &reason)?;
        self.with_publisher(
            &relay,
            transport,
            store,
            move |mut publisher, now| async move {
                let ordered = publisher.order_wipe(&user, device, reason, now).await;
                (publisher, ordered.map(drop))
            },
        )
        .await
    }

    /// Every wipe order that the relay has, oldest first, with what its device has said. All of it is
    /// verified.
    pub async fn wipes(
        &self,
        relay: String,
        transport: Arc<dyn Transport>,
    ) -> Result<Vec<WipeStatus>, WardlineError> {
        self.with_publisher(&relay, transport, None, |publisher, now| async move {
            let wipes = publisher.wipes(now).await;
            let wipes = wipes.map(|wipes| wipes.iter().map(WipeStatus::from).collect());
            (publisher, wipes)
        })
        .await
    }
}

impl From<&Wipe> for WipeStatus {
    fn from(wipe: &Wipe) -> Self {
        let order = wipe.order.order();
        let receipt = wipe.receipt.as_ref().map(SignedWipeReceipt::receipt);
        Self {
            device: order.device.to_string(),
            reason: order.reason.to_string(),
            ordered_at_ms: order.issued_at.as_millis(),
            wiped_at_ms: receipt.map(|receipt| receipt.wiped_at.as_millis()),
            unsent_messages: receipt.map(|receipt| receipt.unsent_messages),
        }
    }
}
