//! The timer of what is held: every tier is released when its time has come, also when that was while the relay was
//! down, or while its machine slept.
//!
//! What is due stands in the storage alone. Here is only *when to look*: never later than the nearest due time. The wait is cut into
//! pieces, so that a wall clock that is set, or ran on while the machine slept, is noticed soon.
//!
//! Not its concern: who may stop or advance (`calls::held`), and that nothing is released twice (`storage`).

mod plan;

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wardline_org::{Clock, DeviceId, Timestamp};
use wardline_proto::v1::WakeClass;

pub(crate) use self::plan::plan;
use crate::{
    directory::Directory,
    organization::Organization,
    relay::Core,
    storage::{HeldTier, Release, ReleaseBatch, Released, StorageError},
};

/// When to look for what is due.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    next: Mutex<Option<Timestamp>>,
    nearer: Notify,
}

impl Timer {
    /// Something is due at this time, perhaps before everything else.
    pub(crate) fn add(&self, due_at: Timestamp) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_none_or(|next| due_at < next) {
            *next = Some(due_at);
            self.nearer.notify_one();
        }
    }

    /// Before looking: what is added from now on counts again.
    fn forget(&self) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn next(&self) -> Option<Timestamp> {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when something is due.
    async fn due(&self, clock: &dyn Clock) {
        loop {
            let left = self.next().map(|next| next.saturating_since(clock.now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            tokio::select! {
                () = self.nearer.notified() => {}
                () = tokio::time::sleep(left.unwrap_or(PIECE).min(PIECE)), if left.is_some() => {}
            }
        }
    }
}

/// Releases what is due, as long as the relay is there.
pub(crate) async fn run(core: Weak<Core>, closing: CancellationToken) {
    let work = async {
        loop {
            let Some(core) = core.upgrade() else {
                return;
            };
            let (timer, clock) = (Arc::clone(&core.timer), Arc::clone(&core.clock));
            let released = release_due(&core).await;
            drop(core);
            match released {
                Ok(()) => timer.due(&*clock).await,
                Err(error) => {
                    tracing::error!(%error, "what is due was not released: it is tried again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = closing.cancelled() => {}
        () = work => {}
    }
}

/// Releases everything that is due now, and finds out when to look again. When the storage fails that is at once:
/// whoever looked in vain must not have made the timer forget what is due.
pub(crate) async fn release_due(core: &Core) -> Result<(), StorageError> {
    core.timer.forget();
    let looked = release_all(core).await;
    if looked.is_err() {
        core.timer.add(core.clock.now());
    }
    looked
}

async fn release_all(core: &Core) -> Result<(), StorageError> {
    for org in core.organizations.values() {
        while release_some(core, org).await? {}
        if let Some(next) = core.storage.next_due(org.key).await? {
            core.timer.add(next);
        }
    }
    Ok(())
}

/// Releases the longest due of one organization, in one transaction. Answers whether there was something.
async fn release_some(core: &Core, org: &Organization) -> Result<bool, StorageError> {
    // A head that comes meanwhile is not waited for, as by no `Send`: a large one is judged for seconds, and whom it
    // revokes cannot fetch any more.
    let directory = org.directory();
    let now = core.clock.now();
    let tiers = core.storage.held_due(org.key, now, BATCH).await?;
    if tiers.is_empty() {
        return Ok(false);
    }
    let mut releases = Vec::with_capacity(tiers.len());
    let mut envelopes = 0;
    for tier in &tiers {
        let release = plan(&directory, tier, now);
        envelopes += release.give.len() + release.tell.len();
        if envelopes > ENVELOPES && !releases.is_empty() {
            break;
        }
        releases.push(release);
    }
    let batch = ReleaseBatch {
        at: now,
        mailbox: core.config.limits.mailbox,
        releases: releases.clone(),
    };
    let released = core.storage.release(org.key, batch).await?;
    for ((tier, release), released) in tiers.iter().zip(&releases).zip(released) {
        if let Some(released) = released {
            let late = now.saturating_since(released.due_at);
            core.metrics.released_late(late);
            core.tell_release(org, &directory, tier, release, &released);
        }
    }
    Ok(true)
}

impl Core {
    /// Wakes who was given a tier, who is told that it is due, and its sender.
    pub(crate) fn tell_release(
        &self,
        org: &Organization,
        directory: &Directory,
        tier: &HeldTier,
        release: &Release,
        released: &Released,
    ) {
        let sender = release.held.sender;
        let now = self.clock.now();
        self.metrics.released(released.given.len());
        for _ in &released.full {
            self.metrics
                .refused(wardline_proto::v1::RefusalReason::MailboxFull);
        }
        for device in &released.given {
            let class = org.class_for(directory, &sender, device, tier.wake, now);
            self.wake(org, *device, class);
        }
        for (device, _) in &release.tell {
            self.wake(org, *device, WakeClass::Alert);
        }
        self.wake(org, sender, WakeClass::Silent);
        if let Some(next) = released.next_due {
            self.timer.add(next);
        }
    }

    /// Something new is in a mailbox: wakes who waits for it, and who sleeps.
    pub(crate) fn wake(&self, org: &Organization, device: DeviceId, class: WakeClass) {
        let polls = org.polls.wake(device);
        if let Some(waker) = &self.waker {
            waker.wake((org.key, device), class, polls);
        }
    }
}

/// Releases in one transaction: small enough that nobody waits long behind it.
const BATCH: u32 = 250;
/// Envelopes in one transaction; a release of more comes alone.
const ENVELOPES: usize = 2_000;
/// The longest sleep: so soon it is noticed that the clock was set, or ran on while the machine slept.
const PIECE: Duration = Duration::from_millis(250);
/// After the storage failed.
const PAUSE: Duration = Duration::from_secs(1);
