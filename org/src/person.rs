//! A person in the directory: who they are, their devices, and the history of those devices.
//!
//! The history is a hash chain that only grows, so that a person's own devices notice when the
//! authority adds one behind their back ([`Person::extends`]). Deciding when to look is the client's
//! concern; changing a person is the concern of the authority.

mod vouch;

use std::fmt;

use wardline_proto::v1;

pub use self::vouch::VouchStatement;
use crate::{
    credential::{Credential, SignedCredential},
    entry::{self, EntryError, Signatures},
    hash::Hash,
    id::{DeviceId, OrgId, UserId},
    signer::{self, Signer},
    time::Timestamp,
};

/// Most devices of one person, revoked ones included.
pub const MAX_DEVICES: usize = 256;

/// One person. `Debug` shows no name.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The person's id.
    pub user: UserId,
    /// What others see.
    pub display_name: String,
    /// Whether they belong to the organization; of somebody who left, every device is revoked.
    pub status: PersonStatus,
    /// For example `Practitioner/DR-CA-001`.
    pub fhir_references: Vec<String>,
    /// Their standing functions.
    pub staff_roles: Vec<StaffRole>,
    /// Their devices, revoked ones included.
    pub devices: Vec<Device>,
    /// Every addition and revocation of a device, oldest first.
    pub device_changes: Vec<DeviceChange>,
}

/// Whether a person belongs to the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonStatus {
    /// They do.
    Active,
    /// They left: nothing is sealed for them any more.
    Ended,
}

/// A person's standing function, as the EHR names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffRole {
    /// A code, such as `doctor`.
    pub code: String,
    /// What others see.
    pub display: String,
    /// The department; empty when there is none.
    pub department: String,
}

/// One device of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What it says about itself, signed.
    pub credential: SignedCredential,
    /// When the authority admitted it.
    pub enrolled_at: Timestamp,
    /// When the authority revoked it, if it did; that is final.
    pub revoked_at: Option<Timestamp>,
    /// Devices of the same person that confirmed it in person.
    pub vouches: Vec<Vouch>,
}

impl Device {
    /// The id of the device.
    pub fn id(&self) -> DeviceId {
        self.credential.device_id()
    }

    /// Whether it may send and be sent to.
    pub fn is_active(&self) -> bool {
        self.revoked_at.is_none()
    }
}

/// One device's word that another one of the same person is genuine.
#[derive(Clone, PartialEq, Eq)]
pub struct Vouch {
    /// The device that vouches.
    pub by: DeviceId,
    /// Its signature.
    pub signature: [u8; 64],
}

impl Vouch {
    /// Vouches for `device`, in the name of `by`, with the key of `by`.
    pub fn create(signer: &dyn Signer, by: DeviceId, device: DeviceId) -> Self {
        Self {
            by,
            signature: signer::sign_tagged(signer, "vouch", &Self::message(by, device)),
        }
    }

    /// Whether the device with this credential vouched for `device`.
    pub fn is_by(&self, credential: &SignedCredential, device: DeviceId) -> bool {
        let message = Self::message(self.by, device);
        let key = &credential.credential().ed25519;
        credential.device_id() == self.by
            && signer::verify_tagged(key, "vouch", &message, &self.signature).is_ok()
    }

    fn message(by: DeviceId, device: DeviceId) -> Vec<u8> {
        [*device.as_bytes(), *by.as_bytes()].concat()
    }
}

impl fmt::Debug for Vouch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vouch")
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}

/// One link of a person's history of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChange {
    /// The device that was added or revoked.
    pub device: DeviceId,
    /// Which of the two.
    pub kind: ChangeKind,
    /// When the authority did it.
    pub at: Timestamp,
    /// The hash of this link and all before it.
    pub hash: Hash,
}

/// What happened to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was admitted.
    Added,
    /// It was revoked, for good.
    Revoked,
}

impl DeviceChange {
    /// The link after `previous`.
    pub fn next(
        previous: Option<&DeviceChange>,
        device: DeviceId,
        kind: ChangeKind,
        at: Timestamp,
    ) -> Self {
        let before = previous.map(|link| link.hash);
        let kind_byte = match kind {
            ChangeKind::Added => v1::DeviceStatus::Active,
            ChangeKind::Revoked => v1::DeviceStatus::Revoked,
        } as u8;
        let hash = Hash::tagged(
            "device-change",
            &[
                device.as_bytes(),
                &[kind_byte],
                &at.as_millis().to_be_bytes(),
                // Nothing at all for the first link: last, because its length differs.
                before
                    .as_ref()
                    .map_or(&[], |hash| hash.as_bytes().as_slice()),
            ],
        );
        Self {
            device,
            kind,
            at,
            hash,
        }
    }
}

impl Person {
    /// Somebody who has just joined, without devices.
    pub fn new(user: UserId, display_name: impl Into<String>) -> Self {
        Self {
            user,
            display_name: display_name.into(),
            status: PersonStatus::Active,
            fhir_references: Vec::new(),
            staff_roles: Vec::new(),
            devices: Vec::new(),
            device_changes: Vec::new(),
        }
    }

    /// One of their devices, revoked or not.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.id() == id)
    }

    /// The devices that may send and be sent to.
    pub fn active_devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.is_active())
    }

    /// Whether a device is the person's first one, or one that is vouched for itself vouched for it: a
    /// chain of devices leads to the first. Others are shown as unvouched. Devices that vouch for each
    /// other alone, such as two that one thief enrolled, are not vouched.
    pub fn is_vouched(&self, id: DeviceId) -> bool {
        let mut vouched: Vec<DeviceId> = Vec::new();
        vouched.extend(self.device_changes.first().map(|change| change.device));
        loop {
            let next = self.devices.iter().find(|device| {
                let by_one = |vouch: &Vouch| vouched.contains(&vouch.by);
                !vouched.contains(&device.id()) && device.vouches.iter().any(by_one)
            });
            match next {
                Some(device) => vouched.push(device.id()),
                None => return vouched.contains(&id),
            }
        }
    }

    /// Whether this is a later (or the same) state of `earlier`: the same person, with a history that
    /// begins with theirs. A device of the person that sees `false` has caught the directory
    /// rewriting it.
    pub fn extends(&self, earlier: &Person) -> bool {
        self.user == earlier.user && self.device_changes.starts_with(&earlier.device_changes)
    }

    /// Every addition and revocation since `earlier`.
    pub fn changes_since<'a>(&'a self, earlier: &Person) -> &'a [DeviceChange] {
        self.device_changes
            .get(earlier.device_changes.len()..)
            .unwrap_or_default()
    }

    fn check(&self, org: &OrgId, signatures: Signatures) -> Result<(), EntryError> {
        let role = |role: &StaffRole| {
            entry::is_label(&role.code)
                && entry::is_optional_label(&role.display)
                && entry::is_optional_label(&role.department)
        };
        if !entry::is_label(&self.display_name)
            || self.staff_roles.len() > MAX_ROLES
            || !self.staff_roles.iter().all(role)
            || self.devices.len() > MAX_DEVICES
            || self.device_changes.len() > 2 * MAX_DEVICES
        {
            return Err(EntryError::Malformed);
        }
        entry::check_references(&self.fhir_references)?;
        for device in &self.devices {
            let Credential { org: of, user, .. } = device.credential.credential();
            if of != org || *user != self.user {
                return Err(EntryError::OtherOwner);
            }
        }
        self.check_changes()?;
        if signatures == Signatures::Check {
            self.check_vouches()
        } else {
            Ok(())
        }
    }

    /// The chain holds, and ends in exactly the devices that are listed.
    fn check_changes(&self) -> Result<(), EntryError> {
        let mut expected: Vec<(DeviceId, Timestamp, Option<Timestamp>)> = Vec::new();
        let mut previous = None;
        for change in &self.device_changes {
            if *change != DeviceChange::next(previous, change.device, change.kind, change.at) {
                return Err(EntryError::DeviceChanges);
            }
            previous = Some(change);
            let known = expected.iter_mut().find(|(id, ..)| *id == change.device);
            match (change.kind, known) {
                (ChangeKind::Added, None) => expected.push((change.device, change.at, None)),
                (ChangeKind::Revoked, Some((.., revoked @ None))) => *revoked = Some(change.at),
                _ => return Err(EntryError::DeviceChanges),
            }
        }
        let listed: Vec<_> = self
            .devices
            .iter()
            .map(|d| (d.id(), d.enrolled_at, d.revoked_at))
            .collect();
        let ended_with_devices =
            self.status == PersonStatus::Ended && self.active_devices().next().is_some();
        if listed != expected || ended_with_devices {
            return Err(EntryError::DeviceChanges);
        }
        Ok(())
    }

    fn check_vouches(&self) -> Result<(), EntryError> {
        for device in &self.devices {
            for vouch in &device.vouches {
                let by = self.device(vouch.by).filter(|by| by.id() != device.id());
                if !by.is_some_and(|by| vouch.is_by(&by.credential, device.id())) {
                    return Err(EntryError::Vouch);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn from_proto(
        org: &OrgId,
        person: v1::Person,
        signatures: Signatures,
    ) -> Result<Self, EntryError> {
        if person.devices.len() > MAX_DEVICES {
            return Err(EntryError::Malformed);
        }
        let status = match person.status() {
            v1::PersonStatus::Active => PersonStatus::Active,
            v1::PersonStatus::Ended => PersonStatus::Ended,
            v1::PersonStatus::Unspecified => return Err(EntryError::Malformed),
        };
        let devices = person
            .devices
            .into_iter()
            .map(|d| device_from_proto(d, signatures));
        let person = Self {
            user: UserId::new(person.user_id).map_err(|_| EntryError::Malformed)?,
            display_name: person.display_name,
            status,
            fhir_references: person.fhir_references,
            staff_roles: person
                .staff_roles
                .into_iter()
                .map(|role| StaffRole {
                    code: role.code,
                    display: role.display,
                    department: role.department,
                })
                .collect(),
            devices: devices.collect::<Result<_, _>>()?,
            device_changes: person
                .device_changes
                .into_iter()
                .map(change_from_proto)
                .collect::<Result<_, _>>()?,
        };
        person.check(org, signatures)?;
        Ok(person)
    }

    pub(crate) fn to_proto(&self) -> v1::Person {
        v1::Person {
            user_id: self.user.to_string(),
            display_name: self.display_name.clone(),
            status: match self.status {
                PersonStatus::Active => v1::PersonStatus::Active,
                PersonStatus::Ended => v1::PersonStatus::Ended,
            }
            .into(),
            fhir_references: self.fhir_references.clone(),
            staff_roles: self
                .staff_roles
                .iter()
                .map(|role| v1::StaffRole {
                    code: role.code.clone(),
                    display: role.display.clone(),
                    department: role.department.clone(),
                })
                .collect(),
            devices: self.devices.iter().map(device_to_proto).collect(),
            device_changes: self.device_changes.iter().map(change_to_proto).collect(),
        }
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("user", &self.user)
            .field("status", &self.status)
            .field("devices", &self.devices)
            .finish_non_exhaustive()
    }
}

fn device_from_proto(device: v1::Device, signatures: Signatures) -> Result<Device, EntryError> {
    let revoked_at = match device.status() {
        v1::DeviceStatus::Active if device.revoked_at_ms == 0 => None,
        v1::DeviceStatus::Revoked => Some(Timestamp::from_millis(device.revoked_at_ms)),
        _ => return Err(EntryError::Malformed),
    };
    let read = match signatures {
        Signatures::Check => SignedCredential::verify,
        Signatures::CheckedBefore => SignedCredential::from_stored,
    };
    Ok(Device {
        credential: read(&device.credential, &device.signature)?,
        enrolled_at: Timestamp::from_millis(device.enrolled_at_ms),
        revoked_at,
        vouches: device
            .vouches
            .into_iter()
            .map(vouch::from_proto)
            .collect::<Result<_, EntryError>>()?,
    })
}

fn device_to_proto(device: &Device) -> v1::Device {
    v1::Device {
        credential: device.credential.bytes().to_vec(),
        signature: device.credential.signature().to_vec(),
        status: match device.revoked_at {
            None => v1::DeviceStatus::Active,
            Some(_) => v1::DeviceStatus::Revoked,
        }
        .into(),
        enrolled_at_ms: device.enrolled_at.as_millis(),
        revoked_at_ms: device.revoked_at.unwrap_or_default().as_millis(),
        vouches: device.vouches.iter().map(vouch::to_proto).collect(),
    }
}

fn change_from_proto(change: v1::DeviceChange) -> Result<DeviceChange, EntryError> {
    Ok(DeviceChange {
        kind: match change.status() {
            v1::DeviceStatus::Active => ChangeKind::Added,
            v1::DeviceStatus::Revoked => ChangeKind::Revoked,
            v1::DeviceStatus::Unspecified => return Err(EntryError::Malformed),
        },
        device: DeviceId::from_slice(&change.device_id).map_err(|_| EntryError::Malformed)?,
        at: Timestamp::from_millis(change.at_ms),
        hash: Hash::from_slice(&change.hash).map_err(|_| EntryError::Malformed)?,
    })
}

fn change_to_proto(change: &DeviceChange) -> v1::DeviceChange {
    v1::DeviceChange {
        device_id: change.device.to_vec(),
        status: match change.kind {
            ChangeKind::Added => v1::DeviceStatus::Active,
            ChangeKind::Revoked => v1::DeviceStatus::Revoked,
        }
        .into(),
        at_ms: change.at.as_millis(),
        hash: change.hash.as_bytes().to_vec(),
    }
}

const MAX_ROLES: usize = 64;
