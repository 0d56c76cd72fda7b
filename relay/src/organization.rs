//! One organization that a relay serves: its directory, who waits to get in, and who polls.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
};

use tokio::sync::{self, Mutex, watch};
use wardline_org::{
    DeviceId, OrgId, Refusal, RelayCode, SignedCredential, Timestamp, root::SignedRoot,
};
use wardline_proto::{
    Message,
    v1::{self, WakeClass},
};

use crate::{
    directory::Directory,
    error::OpenError,
    polls::Polls,
    reach::Reach,
    replay::SeenCalls,
    roots::Roots,
    storage::{OrgKey, Storage, StorageError},
};

pub(crate) struct Organization {
    pub(crate) id: OrgId,
    pub(crate) key: OrgKey,
    directory: watch::Sender<Arc<Directory>>,
    pending: RwLock<HashMap<DeviceId, Pending>>,
    pub(crate) seen: SeenCalls,
    pub(crate) polls: Polls,
    /// Written while a head is judged and stored: heads follow one another. Read by what no head may come
    /// between.
    pub(crate) publishing: sync::RwLock<()>,
    /// Orders to devices to erase themselves, each device's newest last.
    wipes: RwLock<HashMap<DeviceId, Vec<String>>>,
    /// Held while one is stored: the newest counts.
    pub(crate) ordering: Mutex<()>,
    pub(crate) reach: Reach,
}

/// A device that no head has answered yet.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) signing_key: [u8; 32],
    pub(crate) since: Timestamp,
}

impl Organization {
    pub(crate) async fn open(
        id: OrgId,
        named: Vec<SignedRoot>,
        storage: &dyn Storage,
    ) -> Result<Self, OpenError> {
        let key = storage.organization(&id).await?;
        let stored = storage.directory(key).await?;
        let roots = Roots::join(named, &stored.roots)?;
        storage.add_roots(key, roots.texts()).await?;
        let pending = stored
            .enrollments
            .iter()
            .filter_map(|enrollment| {
                let pending = Pending {
                    signing_key: signing_key(&enrollment.request)?,
                    since: enrollment.at,
                };
                Some((enrollment.device, pending))
            })
            .collect();
        let directory = Directory::load(&id, &roots, stored)?;
        let wipes = load_wipes(storage, key).await?;
        Ok(Self {
            directory: watch::Sender::new(Arc::new(directory)),
            pending: RwLock::new(pending),
            seen: SeenCalls::new(storage.remembered_calls(key).await?),
            polls: Polls::default(),
            publishing: sync::RwLock::new(()),
            wipes: RwLock::new(wipes),
            ordering: Mutex::new(()),
            reach: Reach::load(storage, key).await?,
            id,
            key,
        })
    }

    /// The directory of this moment.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.borrow())
    }

    /// Tells of every new head.
    pub(crate) fn heads(&self) -> watch::Receiver<Arc<Directory>> {
        self.directory.subscribe()
    }

    /// Puts a new head in force, whose storing has been committed, and wakes every poll.
    pub(crate) fn replace_directory(&self, next: Directory, settled: &[DeviceId]) {
        self.directory.send_replace(Arc::new(next));
        self.pending_mut()
            .retain(|device, _| !settled.contains(device));
    }

    /// How loudly a device is woken for what `sender` wrote. Whoever does not want to be disturbed is woken silently,
    /// unless it is critical.
    pub(crate) fn class_for(
        &self,
        directory: &Directory,
        sender: &DeviceId,
        device: &DeviceId,
        class: WakeClass,
        now: Timestamp,
    ) -> WakeClass {
        let class = directory.class_for(sender, device, class);
        if class == WakeClass::Alert && self.reach.is_undisturbed(directory, device, now) {
            WakeClass::Silent
        } else {
            class
        }
    }

    /// Refuses a device that is to erase itself, showing the newest order; it is answered nothing else.
    pub(crate) fn check_wipe(
        &self,
        device: &DeviceId,
        directory: &Directory,
    ) -> Result<(), Refusal> {
        match self.wipe_orders(device).pop() {
            None => Ok(()),
            Some(order) => Err(Refusal::new(RelayCode::Wipe).with_wipe(v1::WipeNotice {
                order,
                roots: directory.signed().root_notes(),
            })),
        }
    }

    /// The orders to a device, the newest last.
    pub(crate) fn wipe_orders(&self, device: &DeviceId) -> Vec<String> {
        let wipes = self.wipes.read().unwrap_or_else(PoisonError::into_inner);
        wipes.get(device).cloned().unwrap_or_default()
    }

    /// Shows an order, whose storing has been committed, to its device from now on, and ends its polls.
    /// Answers whether there were any.
    pub(crate) fn put_wipe(&self, device: DeviceId, order: String) -> bool {
        {
            let mut wipes = self.wipes.write().unwrap_or_else(PoisonError::into_inner);
            let orders = wipes.entry(device).or_default();
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        self.polls.wake(device)
    }

    /// The signing key of a device that waits for the authority.
    pub(crate) fn pending_key(&self, device: &DeviceId) -> Option<[u8; 32]> {
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        pending.get(device).map(|pending| pending.signing_key)
    }

    pub(crate) fn pending_devices(&self) -> Vec<DeviceId> {
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        pending.keys().copied().collect()
    }

    pub(crate) fn add_pending(&self, device: DeviceId, pending: Pending) {
        self.pending_mut().insert(device, pending);
    }

    /// Forgets who waits since before a time, as the storage does.
    pub(crate) fn drop_pending(&self, since: Timestamp) {
        self.pending_mut()
            .retain(|_, pending| pending.since >= since);
    }

    fn pending_mut(&self) -> RwLockWriteGuard<'_, HashMap<DeviceId, Pending>> {
        self.pending.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every order of an organization.
async fn load_wipes(
    storage: &dyn Storage,
    key: OrgKey,
) -> Result<HashMap<DeviceId, Vec<String>>, StorageError> {
    let mut wipes: HashMap<DeviceId, Vec<String>> = HashMap::new();
    let mut after = 0;
    loop {
        let page = storage.wipes(key, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(wipes);
        };
        after = last.sequence;
        for wipe in page {
            wipes.entry(wipe.device).or_default().push(wipe.note);
        }
    }
}

/// The signing key that a stored enrollment names.
fn signing_key(request: &[u8]) -> Option<[u8; 32]> {
    let request = v1::EnrollRequest::decode(request).ok()?;
    let credential = SignedCredential::verify(&request.credential, &request.signature).ok()?;
    Some(credential.credential().ed25519)
}

/// Orders read at once.
const PAGE: u32 = 1_000;
