//! The deletion of what is too old: messages nobody fetched, marks of calls, tickets, enrollments.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    config::DAY,
    relay::Core,
    storage::{Cutoffs, StorageError},
};

/// Sweeps every minute, as long as the relay is there.
pub(crate) async fn run(core: Weak<Core>, closing: CancellationToken) {
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let Some(core) = core.upgrade() else {
            return;
        };
        if let Err(error) = sweep(&core).await {
            tracing::error!(%error, "the sweep failed: what is too old stays for now");
        }
    }
}

pub(crate) async fn sweep(core: &Arc<Core>) -> Result<(), StorageError> {
    let now = core.clock.now();
    let cutoffs = Cutoffs {
        now,
        submissions: now - core.config.retention,
        enrollments: now - core.config.enrollment_retention,
        window: core.claim_window(),
        max: BATCH,
    };
    loop {
        let expired = core.storage.expire(cutoffs).await?;
        core.metrics.expired(expired.envelopes);
        if !expired.more {
            break;
        }
    }
    for org in core.organizations.values() {
        org.seen.forget(now);
        org.reach.forget(now);
        org.drop_pending(cutoffs.enrollments);
    }
    core.meter.shrink();
    core.metrics.stored(&core.storage.usage().await?);
    Ok(())
}

impl Core {
    /// The number of the day, which claims are counted by.
    pub(crate) fn claim_window(&self) -> u64 {
        let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        u64::try_from(self.clock.now().as_millis() / day).unwrap_or(0)
    }
}

const INTERVAL: Duration = Duration::from_secs(60);
/// Rows of a kind in one transaction: small enough that nobody waits long behind it.
const BATCH: u32 = 500;
