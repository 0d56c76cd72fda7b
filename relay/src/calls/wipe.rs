//! `OrderWipe`, `Wipes` and `ConfirmWipe`: telling a device to erase itself, and hearing that it has.
//!
//! The relay judges orders and receipts so that the authority's mistakes are the authority's errors; what
//! a device obeys is for the device to judge. What a device with an order is answered with is decided
//! in [`auth`](crate::auth).

use wardline_org::{
    Refusal, RelayCode,
    wipe::{SignedWipeOrder, SignedWipeReceipt, WipeError},
};
use wardline_proto::{Bytes, Message, v1};

use crate::{
    auth::Session,
    relay::{Core, malformed, stored},
    storage::{NewWipe, StoredWipe, WipeConfirmation},
};

impl Core {
    pub(super) async fn order_wipe(
        &self,
        session: &Session,
        request: &v1::OrderWipeRequest,
    ) -> Result<v1::OrderWipeResponse, Refusal> {
        let org = &session.org;
        let order: SignedWipeOrder = request.order.parse().map_err(refused)?;
        order.verify(session.directory.root()).map_err(refused)?;
        let device = order.order().device;
        if session.directory.device(&device).is_none() {
            return Err(Refusal::new(RelayCode::WipeInvalid));
        }
        let wipe = NewWipe {
            device,
            order: order.hash(),
            note: request.order.clone(),
        };
        // One after the other, so that the newest in memory is the newest on disk.
        let _alone = org.ordering.lock().await;
        self.storage
            .order_wipe(org.key, wipe)
            .await
            .map_err(stored)?;
        let polls = org.put_wipe(device, request.order.clone());
        if let Some(waker) = &self.waker {
            // Not critical: whoever has found the phone need not hear it ring. Not silent: platforms drop
            // that.
            waker.wake((org.key, device), v1::WakeClass::Alert, polls);
        }
        tracing::info!("a device is to be wiped");
        Ok(v1::OrderWipeResponse {})
    }

    pub(super) async fn wipes(
        &self,
        session: &Session,
        request: &v1::WipesRequest,
    ) -> Result<v1::WipesResponse, Refusal> {
        let max = match request.max {
            0 => DEFAULT_PAGE,
            max => max.min(MOST_PAGE),
        };
        let wipes = self
            .storage
            .wipes(session.org.key, request.after, max)
            .await
            .map_err(stored)?;
        let wipes = wipes.into_iter().map(encode).collect::<Result<_, _>>()?;
        Ok(v1::WipesResponse { wipes })
    }

    /// Takes a receipt of a device whose keys are gone. It proves itself, so that the call needs no
    /// signature: whoever hands it in can only hand in what the device has said. Handing it in again
    /// changes nothing.
    pub(crate) async fn confirm_wipe(&self, body: Bytes) -> Result<Vec<u8>, Refusal> {
        let call = v1::ConfirmWipeRequest::decode(body.clone()).map_err(|_| malformed())?;
        let receipt = SignedWipeReceipt::read(&call).map_err(refused)?;
        let org = self.organization(&receipt.receipt().org)?;
        self.meter.charge_receipt(org.key)?;
        let device = receipt.receipt().device;
        let directory = org.directory();
        let listed = directory.device(&device);
        let listed = listed.ok_or_else(|| Refusal::new(RelayCode::WipeInvalid))?;
        let orders = org.wipe_orders(&device);
        let answered = orders
            .iter()
            .filter_map(|note| note.parse::<SignedWipeOrder>().ok())
            .find(|order| order.hash() == receipt.receipt().order)
            .ok_or_else(|| Refusal::new(RelayCode::WipeInvalid))?;
        receipt
            .verify(&answered, &listed.signing_key)
            .map_err(refused)?;
        let confirmation = WipeConfirmation {
            device,
            order: answered.hash(),
            // Encoded anew: nothing that nobody signed is kept.
            receipt: call.encode_to_vec().into(),
        };
        self.storage
            .confirm_wipe(org.key, confirmation)
            .await
            .map_err(stored)?;
        tracing::info!("a device was wiped");
        Ok(v1::ConfirmWipeResponse {}.encode_to_vec())
    }
}

fn encode(wipe: StoredWipe) -> Result<v1::Wipe, Refusal> {
    let receipt = wipe.receipt.map(v1::ConfirmWipeRequest::decode);
    Ok(v1::Wipe {
        sequence: wipe.sequence,
        order: wipe.note,
        receipt: receipt.transpose().map_err(|_| malformed())?,
    })
}

fn refused(error: WipeError) -> Refusal {
    match error {
        WipeError::Malformed => malformed(),
        WipeError::Signature(_) => Refusal::new(RelayCode::BadSignature),
        _ => Refusal::new(RelayCode::WipeInvalid),
    }
}

/// Orders in an answer when the caller names no number.
const DEFAULT_PAGE: u32 = 100;
const MOST_PAGE: u32 = 1_000;
