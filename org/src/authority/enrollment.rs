//! Admitting devices: a ticket, a credential, and the checks between them.

use std::time::Duration;

use wardline_proto::v1;

use super::{Authority, AuthorityError};
use crate::{
    credential::{CredentialError, SignedCredential},
    entry::EntryBody,
    id::DeviceId,
    person::{ChangeKind, Device, DeviceChange, MAX_DEVICES, PersonStatus},
    ticket::{Ticket, TicketError},
    time::Timestamp,
};

/// How long after its ticket's expiry a request may still be admitted: the relay checked the ticket
/// when the device handed it in, and the authority may have been away since.
pub const ENROLLMENT_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of a request that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// The device is added with the next head.
    New(DeviceId),
    /// The very same device was admitted before, and is active.
    Before(DeviceId),
}

impl Authority {
    /// Admits a device: its ticket is good and unused, its credential is signed by its own key, and both
    /// name the same active person. The device is in the directory with the next head.
    pub fn admit(
        &mut self,
        request: &v1::EnrollRequest,
        now: Timestamp,
    ) -> Result<Admitted, AdmitError> {
        self.forget_tickets(now);
        let root = self.signed_root()?.root();
        // As if the authority had been there when the request reached the relay, at the latest.
        let ticket = match Ticket::verify(&request.ticket, root, now) {
            Err(TicketError::Expired) => {
                Ticket::verify(&request.ticket, root, now - ENROLLMENT_GRACE)?
            }
            checked => checked?,
        };
        let credential = SignedCredential::verify(&request.credential, &request.signature)?;
        if credential.credential().org != self.org {
            return Err(AdmitError::OtherOrg);
        }
        ticket.check_owner(credential.credential())?;

        let mut person = self
            .person(&ticket.user)
            .filter(|person| person.status == PersonStatus::Active)
            .cloned()
            .ok_or(AdmitError::UnknownPerson)?;
        let id = credential.device_id();
        let is_in = |device: &Device| device.credential == credential && device.is_active();
        if person.device(id).is_some_and(is_in) {
            // A repeated request, or a device that asks again because it never heard of its admission.
            self.use_up(ticket);
            return Ok(Admitted::Before(id));
        }
        if self.used_tickets.contains_key(&ticket.id) {
            return Err(TicketError::Used.into());
        }
        let keys = [
            credential.credential().ed25519,
            credential.credential().curve25519,
        ];
        if keys.iter().any(|key| self.device_keys.contains(key)) {
            return Err(AdmitError::KnownKey);
        }
        if person.devices.len() >= MAX_DEVICES {
            return Err(AdmitError::TooManyDevices);
        }

        let last = person.device_changes.last();
        person
            .device_changes
            .push(DeviceChange::next(last, id, ChangeKind::Added, now));
        person.devices.push(Device {
            credential,
            enrolled_at: now,
            revoked_at: None,
            vouches: Vec::new(),
        });
        self.put(EntryBody::Person(person))?;
        self.device_keys.extend(keys);
        self.use_up(ticket);
        Ok(Admitted::New(id))
    }

    /// The number of the last enrollment that was taken from the relay: ask for those after it.
    pub fn enrollments_seen(&self) -> u64 {
        self.enrollments_seen
    }

    /// Remembers that enrollments up to this number were taken from the relay.
    pub fn set_enrollments_seen(&mut self, sequence: u64) {
        self.enrollments_seen = self.enrollments_seen.max(sequence);
    }

    fn use_up(&mut self, ticket: Ticket) {
        self.used_tickets
            .insert(ticket.id, ticket.expires_at + ENROLLMENT_GRACE);
    }

    fn forget_tickets(&mut self, now: Timestamp) {
        self.used_tickets.retain(|_, until| now < *until);
    }
}

/// Why a device is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// The ticket is refused.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// The credential is refused.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The credential is for another organization.
    #[error("the credential is of another organization: check the app's configuration")]
    OtherOrg,
    /// The person is not in the directory, or has left.
    #[error("the person is not in the directory: add them before they enroll")]
    UnknownPerson,
    /// One of the device's keys is, or was, another device's.
    #[error("a device with this key was enrolled before: the device must make new keys")]
    KnownKey,
    /// The person has as many devices as an entry takes, revoked ones included.
    #[error("the person has had too many devices: give them another id")]
    TooManyDevices,
    /// The directory cannot take the entry.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}
