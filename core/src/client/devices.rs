//! The devices of this person: which there are, and vouching for one.
//!
//! Adding and revoking devices is the authority's. How a statement gets there is the app's concern: its
//! backend knows who is signed in.

use wardline_org::{
    DeviceId, EntryKey, Timestamp,
    person::{Vouch, VouchStatement},
};

use super::Client;
use crate::{
    audit::Action,
    directory::Lookup,
    engine::{Step, points::Commit},
    error::Error,
};

/// One of this person's devices, as the directory lists it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnDevice {
    /// Its id.
    pub device: DeviceId,
    /// What it calls itself.
    pub label: String,
    /// When the authority admitted it.
    pub enrolled_at: Timestamp,
    /// When the authority revoked it, if it did.
    pub revoked_at: Option<Timestamp>,
    /// Whether it is the person's first one, or a chain of vouches leads to it from there.
    pub vouched: bool,
}

/// Shows no label: people name their devices after themselves.
impl std::fmt::Debug for OwnDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnDevice")
            .field("device", &self.device)
            .field("revoked_at", &self.revoked_at)
            .field("vouched", &self.vouched)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The devices of this person that this device knows of, revoked ones included, in the order in which
    /// they were admitted. An active one that is not vouched is a reason to ask the person: it is theirs,
    /// and they vouch for it, or somebody else enrolled it, and it must be revoked.
    ///
    /// What changed since the last round is asked for by the next one.
    ///
    /// # Errors
    /// Those of reading the store.
    pub async fn own_devices(&self) -> Result<Vec<OwnDevice>, Error> {
        self.look(own_devices).await
    }

    /// Says that another device of this person is theirs: call it once the person has compared both. Hand
    /// what it answers to the organization's backend, for
    /// [`admit_vouch`](wardline_org::person::VouchStatement); it is no secret, and good for this one device
    /// alone. The directory shows it with the next head.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody is there to say so; [`Error::NoSuchDevice`] when it is no other active
    /// device of this person.
    ///
    /// ```
    /// # async fn confirm(client: wardline::Client) -> Result<(), wardline::Error> {
    /// for device in client.own_devices().await? {
    ///     if device.revoked_at.is_none() && !device.vouched {
    ///         let statement = client.vouch(device.device).await?;
    ///         // Post it to your backend, which passes it to the authority.
    /// #       drop(statement);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn vouch(&self, device: DeviceId) -> Result<Vec<u8>, Error> {
        self.inner.reading()?;
        self.step(Commit::Access, move |step| {
            let known = own_devices(step)?;
            let is_active =
                |known: &OwnDevice| known.device == device && known.revoked_at.is_none();
            if device == step.us() || !known.iter().any(is_active) {
                return Err(Error::NoSuchDevice);
            }
            let identity = &step.context.identity;
            let statement = VouchStatement {
                user: identity.user_id.clone(),
                device,
                vouch: Vouch::create(identity, identity.device_id, device),
            };
            step.audit(Action::Vouched, device.as_bytes())?;
            Ok(statement.encode())
        })
        .await
    }
}

fn own_devices(step: &mut Step<'_>) -> Result<Vec<OwnDevice>, Error> {
    let key = EntryKey::Person(step.context.identity.user_id.clone());
    let found = step.memory.directory.entry(step.connection, &key)?;
    let entry = match found {
        Lookup::Present(entry) => Some(entry),
        Lookup::Unproven(entry) => {
            step.memory.wanted_entries.insert(key);
            entry
        }
        Lookup::Absent => None,
    };
    let Some(person) = entry.as_ref().and_then(|entry| entry.person()) else {
        return Ok(Vec::new());
    };
    Ok(person
        .devices
        .iter()
        .map(|device| OwnDevice {
            device: device.id(),
            label: device.credential.credential().label.clone(),
            enrolled_at: device.enrolled_at,
            revoked_at: device.revoked_at,
            vouched: person.is_vouched(device.id()),
        })
        .collect())
}
