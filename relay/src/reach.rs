//! Who can be reached: the newest that each person said, and when their devices last called.
//!
//! All of it is in memory as well as on disk, because it is asked with everything that is sent. Times are kept to the
//! minute: nobody needs to know it better, and a device that polls is written down once a minute.
//!
//! Not its concern: who may ask, and whether what was said is true ([`calls`](crate::calls)).

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::Mutex;
use wardline_org::{DeviceId, Timestamp, UserId, availability::SignedAvailability};

use crate::{
    directory::Directory,
    storage::{OrgKey, Storage, StorageError},
};

/// Who of one organization can be reached.
pub(crate) struct Reach {
    said: RwLock<HashMap<UserId, Arc<SignedAvailability>>>,
    seen: RwLock<HashMap<DeviceId, Timestamp>>,
    /// Held while a statement is judged and stored: the newest counts.
    pub(crate) setting: Mutex<()>,
}

impl Reach {
    /// What the storage has.
    pub(crate) async fn load(storage: &dyn Storage, org: OrgKey) -> Result<Self, StorageError> {
        let mut said = HashMap::new();
        for bytes in storage.availabilities(org).await? {
            let one = SignedAvailability::from_bytes(&bytes)
                .map_err(|_| StorageError::Damaged("availabilities"))?;
            said.insert(one.statement().user.clone(), Arc::new(one));
        }
        let seen = storage.last_seen(org).await?.into_iter().collect();
        Ok(Self {
            said: RwLock::new(said),
            seen: RwLock::new(seen),
            setting: Mutex::new(()),
        })
    }

    /// What a person said last with a device that still speaks for them.
    pub(crate) fn said(
        &self,
        directory: &Directory,
        user: &UserId,
    ) -> Option<Arc<SignedAvailability>> {
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        let one = said.get(user)?;
        let listed = directory.device(&one.statement().device)?;
        (listed.active && listed.user == *user).then(|| Arc::clone(one))
    }

    /// Answers from now on with a statement whose storing has been committed.
    pub(crate) fn put(&self, said: SignedAvailability) {
        let mut all = self.said.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(said.statement().user.clone(), Arc::new(said));
    }

    /// Forgets what nobody could be misled without any more, as the storage does.
    pub(crate) fn forget(&self, now: Timestamp) {
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, one| one.statement().ends_at() >= now);
    }

    /// Whether the person of a device wants notice of stat messages only.
    pub(crate) fn is_undisturbed(
        &self,
        directory: &Directory,
        device: &DeviceId,
        now: Timestamp,
    ) -> bool {
        let Some(listed) = directory.device(device) else {
            return false;
        };
        self.said(directory, &listed.user)
            .is_some_and(|said| said.statement().availability.is_undisturbed(now))
    }

    /// Notes that a device calls; answers the minute when it is to be stored.
    pub(crate) fn saw(&self, device: DeviceId, now: Timestamp) -> Option<Timestamp> {
        let minute = Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(MINUTE));
        {
            let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
            if seen.get(&device).is_some_and(|known| *known >= minute) {
                return None;
            }
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        seen.insert(device, minute);
        Some(minute)
    }

    /// When one of these devices last called.
    pub(crate) fn last_seen(&self, devices: impl Iterator<Item = DeviceId>) -> Option<Timestamp> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        devices
            .filter_map(|device| seen.get(&device).copied())
            .max()
    }
}

const MINUTE: i64 = 60_000;
