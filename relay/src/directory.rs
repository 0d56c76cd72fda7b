//! An organization's directory as the relay holds it in memory: what calls are checked against, and
//! what is served.
//!
//! A [`Directory`] is one moment and never changes; a new head makes another one. So a call is judged
//! by one head from its beginning to its end, and no call waits for the database to be known.
//! Whether a head may follow, and every proof, is `wardline_org::directory`; here are the entries
//! themselves and the devices in them.

use std::{collections::HashMap, sync::Arc};

use wardline_org::{
    DeviceId, EntryKey, OrgId, RoleId, UserId,
    directory::{self, Publication, PublishError},
    entry::Entry,
    head::SignedHead,
    person::{Device, StaffRole},
    root::Root,
    team::RoleLine,
};
use wardline_proto::{
    Bytes,
    v1::{self, WakeClass},
};

use crate::{
    error::OpenError,
    roots::Roots,
    storage::{StorageError, StoredDirectory},
};

/// The directory at one version; before the first head it has root documents and nothing else.
#[derive(Clone)]
pub(crate) struct Directory {
    /// The newest root document that the operator named: in force until a head brings its own.
    named: Root,
    /// The signed part, with its trees.
    signed: directory::Directory,
    entries: HashMap<EntryKey, Bytes>,
    devices: HashMap<DeviceId, Listed>,
    /// The devices of each person, so that a changed person is found without looking at all devices.
    devices_of: HashMap<EntryKey, Vec<DeviceId>>,
    /// Who holds which role when: asked while a tier is released.
    roles: HashMap<EntryKey, Arc<RoleLine>>,
}

/// A device that the directory lists.
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) user: UserId,
    pub(crate) signing_key: [u8; 32],
    pub(crate) active: bool,
    /// Its person's.
    roles: Arc<[StaffRole]>,
}

impl Directory {
    /// Reads what the storage has and checks that its parts belong together.
    pub(crate) fn load(
        org: &OrgId,
        roots: &Roots,
        stored: StoredDirectory,
    ) -> Result<Self, OpenError> {
        const DAMAGED: OpenError = OpenError::Storage(StorageError::Damaged("directory"));
        let entries = stored
            .entries
            .iter()
            .map(|bytes| Entry::parse_stored(org, bytes).map_err(|_| DAMAGED))
            .collect::<Result<Vec<_>, _>>()?;
        let mut heads = stored.heads;
        let signed = directory::StoredDirectory {
            roots: roots.texts().into_iter().map(|(_, text)| text).collect(),
            head: heads.pop(),
            policy: stored.policy,
            earlier_heads: heads
                .iter()
                .map(|note| Ok(note.parse::<SignedHead>().map_err(|_| DAMAGED)?.hash()))
                .collect::<Result<_, OpenError>>()?,
            entries: entries
                .iter()
                .map(|entry| (entry.key().clone(), entry.hash()))
                .collect(),
        };
        let mut directory = Self {
            named: roots.newest().clone(),
            signed: directory::Directory::load(org.clone(), roots.pin(), signed)
                .map_err(|_| DAMAGED)?,
            entries: HashMap::new(),
            devices: HashMap::new(),
            devices_of: HashMap::new(),
            roles: HashMap::new(),
        };
        directory.put(&entries);
        Ok(directory)
    }

    /// Judges a request to publish; a publication that is good can be [applied](Self::after).
    pub(crate) fn check(
        &self,
        request: &v1::PublishHeadRequest,
    ) -> Result<Publication, PublishError> {
        self.signed.check(request)
    }

    /// The directory after a publication.
    pub(crate) fn after(&self, publication: Publication) -> Result<Self, PublishError> {
        let mut next = self.clone();
        for key in &publication.removed {
            next.remove(key);
        }
        next.put(&publication.changed);
        next.signed.apply(publication)?;
        Ok(next)
    }

    fn put(&mut self, entries: &[Entry]) {
        for entry in entries {
            let key = entry.key();
            self.remove(key);
            if let Some(person) = entry.person() {
                let ids = person.devices.iter().map(Device::id).collect();
                self.devices_of.insert(key.clone(), ids);
                let roles: Arc<[_]> = person.staff_roles.as_slice().into();
                for device in &person.devices {
                    let listed = Listed::new(device, Arc::clone(&roles));
                    self.devices.insert(device.id(), listed);
                }
            }
            if let Some(role) = entry.role_line() {
                self.roles.insert(key.clone(), Arc::new(role.clone()));
            }
            let bytes = Bytes::copy_from_slice(entry.bytes());
            self.entries.insert(key.clone(), bytes);
        }
    }

    fn remove(&mut self, key: &EntryKey) {
        self.entries.remove(key);
        self.roles.remove(key);
        for device in self.devices_of.remove(key).unwrap_or_default() {
            self.devices.remove(&device);
        }
    }

    /// The signed part: head, policy, root documents, proofs.
    pub(crate) fn signed(&self) -> &directory::Directory {
        &self.signed
    }

    /// The root document in force.
    pub(crate) fn root(&self) -> &Root {
        self.signed.root().unwrap_or(&self.named)
    }

    /// The version of the head in force; 0 when there is none yet.
    pub(crate) fn version(&self) -> u64 {
        self.signed.version()
    }

    pub(crate) fn device(&self, id: &DeviceId) -> Option<&Listed> {
        self.devices.get(id)
    }

    /// The active devices of a person.
    pub(crate) fn devices_of(&self, user: &UserId) -> impl Iterator<Item = DeviceId> {
        let devices = self.devices_of.get(&user.clone().into());
        let devices = devices.into_iter().flatten().copied();
        devices.filter(|id| self.device(id).is_some_and(|listed| listed.active))
    }

    /// How loudly a device is woken for what `sender` wrote: nobody is told of what they wrote themselves on another
    /// device.
    pub(crate) fn class_for(
        &self,
        sender: &DeviceId,
        device: &DeviceId,
        class: WakeClass,
    ) -> WakeClass {
        let person = |device| self.device(device).map(|listed| &listed.user);
        let own = person(sender).is_some() && person(sender) == person(device);
        if own { WakeClass::Silent } else { class }
    }

    pub(crate) fn role(&self, role: &RoleId) -> Option<&RoleLine> {
        self.roles.get(&role.clone().into()).map(AsRef::as_ref)
    }

    /// Whether the policy in force lets the person of a device send stat messages.
    pub(crate) fn allows_stat(&self, id: &DeviceId) -> bool {
        let (Some(policy), Some(listed)) = (self.signed.policy(), self.device(id)) else {
            return false;
        };
        policy.policy().allows_stat(&listed.roles)
    }

    pub(crate) fn entry(&self, key: &EntryKey) -> Option<&Bytes> {
        self.entries.get(key)
    }

    /// Devices that may call here and may not in `next`.
    pub(crate) fn revoked_in(&self, next: &Directory) -> Vec<DeviceId> {
        let is_active = |id: &DeviceId| next.device(id).is_some_and(|listed| listed.active);
        let active = self.devices.iter().filter(|(_, listed)| listed.active);
        active
            .map(|(id, _)| *id)
            .filter(|id| !is_active(id))
            .collect()
    }
}

impl Listed {
    fn new(device: &Device, roles: Arc<[StaffRole]>) -> Self {
        let credential = device.credential.credential();
        Self {
            user: credential.user.clone(),
            signing_key: credential.ed25519,
            active: device.is_active(),
            roles,
        }
    }
}
