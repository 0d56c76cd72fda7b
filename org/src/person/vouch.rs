//! The statement by which one device of a person vouches for another, on its way to the authority.
//!
//! How it gets there (the app's own line to its backend) and whether it is believed
//! ([`Authority::admit_vouch`](crate::authority::Authority::admit_vouch)) are not decided here.

use wardline_proto::{Message as _, v1};

use super::Vouch;
use crate::{
    entry::EntryError,
    id::{DeviceId, UserId},
};

/// What a device hands to the organization's backend when its person confirms another device of theirs.
///
/// ```
/// use wardline_org::{person::{Vouch, VouchStatement}, signer::{Signer, SoftwareSigner}, DeviceId};
///
/// let phone = SoftwareSigner::generate()?;
/// let (by, device) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
/// let statement = VouchStatement {
///     user: "NS-1".parse()?,
///     device,
///     vouch: Vouch::create(&phone, by, device),
/// };
/// assert_eq!(VouchStatement::decode(&statement.encode())?, statement);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VouchStatement {
    /// Whose devices they are.
    pub user: UserId,
    /// The device that is vouched for.
    pub device: DeviceId,
    /// Who vouches for it.
    pub vouch: Vouch,
}

impl VouchStatement {
    /// As bytes, which are no secret.
    pub fn encode(&self) -> Vec<u8> {
        let statement = v1::VouchStatement {
            user_id: self.user.to_string(),
            device: self.device.to_vec(),
            vouch: Some(to_proto(&self.vouch)),
        };
        statement.encode_to_vec()
    }

    /// Reads [`VouchStatement::encode`]. Who signed it is not looked at here.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let statement = v1::VouchStatement::decode(bytes).map_err(|_| EntryError::Malformed)?;
        Ok(Self {
            user: UserId::new(statement.user_id).map_err(|_| EntryError::Malformed)?,
            device: DeviceId::from_slice(&statement.device).map_err(|_| EntryError::Malformed)?,
            vouch: from_proto(statement.vouch.ok_or(EntryError::Malformed)?)?,
        })
    }
}

pub(super) fn from_proto(vouch: v1::Vouch) -> Result<Vouch, EntryError> {
    let signature = vouch.signature.try_into();
    Ok(Vouch {
        by: DeviceId::from_slice(&vouch.by_device).map_err(|_| EntryError::Malformed)?,
        signature: signature.map_err(|_| EntryError::Malformed)?,
    })
}

pub(super) fn to_proto(vouch: &Vouch) -> v1::Vouch {
    v1::Vouch {
        by_device: vouch.by.to_vec(),
        signature: vouch.signature.to_vec(),
    }
}
