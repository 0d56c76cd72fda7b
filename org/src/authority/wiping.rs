//! Orders to devices to erase themselves.
//!
//! An order is given once and kept by the relay; what the authority keeps is that the device is revoked.

use super::{Authority, AuthorityError};
use crate::{
    id::{DeviceId, UserId},
    root::Purpose,
    time::Timestamp,
    wipe::{SignedWipeOrder, WipeError, WipeOrder, WipeReason},
};

impl Authority {
    /// Orders a device of a person to erase itself, and revokes it with the next head if it is not
    /// revoked already: nobody shall seal for what is about to be erased. The order counts once a relay
    /// has it, see [`Publisher::order_wipe`]; the device obeys as soon as it calls the relay.
    ///
    /// Orders are verified against the newest root document. When the wipe key is replaced before a
    /// device was heard from, order again.
    ///
    /// [`Publisher::order_wipe`]: crate::publisher::Publisher::order_wipe
    pub fn order_wipe(
        &mut self,
        user: &UserId,
        device: DeviceId,
        reason: WipeReason,
        now: Timestamp,
    ) -> Result<SignedWipeOrder, AuthorityError> {
        let order = WipeOrder {
            org: self.org.clone(),
            device,
            issued_at: now,
            reason,
        };
        let signer = self.signers.require(Purpose::Wipe)?.clone();
        self.revoke_device(user, device, now)?;
        Ok(SignedWipeOrder::sign(&order, &*signer)?)
    }

    /// Whether this organization gave the order, with a wipe key of now or of an earlier root document.
    pub(crate) fn check_wipe_order(&self, order: &SignedWipeOrder) -> Result<(), WipeError> {
        let newest_first = self.roots.iter().rev();
        let mut refused = WipeError::Malformed;
        for root in newest_first {
            match order.verify(root.root()) {
                Ok(()) => return Ok(()),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// The signing key of a device, revoked or not.
    pub(crate) fn signing_key(&self, device: DeviceId) -> Option<[u8; 32]> {
        let people = self.entries().filter_map(|(_, body)| match body {
            crate::entry::EntryBody::Person(person) => Some(person),
            _ => None,
        });
        let found = people
            .into_iter()
            .find_map(|person| person.device(device))?;
        Some(found.credential.credential().ed25519)
    }
}
