//! [`Waker`]: carries out what the queue says, with sockets, timers and the storage.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    PushOptions, PushOutcome, WakeClass, WakeUp,
    queue::{Added, Queue, Rest, Target},
};
use crate::{
    metrics::{WakeUps, Woken},
    storage::{Storage, StorageError},
};

/// Wakes devices until its relay ends. None of it is awaited by a call.
pub(crate) struct Waker {
    options: PushOptions,
    storage: Arc<dyn Storage>,
    metrics: WakeUps,
    queue: Mutex<Queue>,
    /// Something is ready.
    ready: Notify,
    closing: CancellationToken,
}

/// What became of a target.
enum Ended {
    Finished,
    Failed,
}

impl Waker {
    /// Begins in the current runtime.
    pub(crate) fn start(
        options: PushOptions,
        storage: Arc<dyn Storage>,
        metrics: WakeUps,
        closing: CancellationToken,
    ) -> Arc<Self> {
        let waker = Arc::new(Self {
            queue: Mutex::new(Queue::new(options.waiting.max(1))),
            options,
            storage,
            metrics,
            ready: Notify::new(),
            closing,
        });
        tokio::spawn(Arc::clone(&waker).run());
        waker
    }

    /// Something new waits for a device: in its mailbox, or an order to erase itself. One that `polls` has probably heard of it: it is
    /// given a moment.
    pub(crate) fn wake(self: &Arc<Self>, target: Target, class: WakeClass, polls: bool) {
        let (added, made_room) = self.queue().add(target, class, polls);
        match added {
            Added::Ready => self.ready.notify_one(),
            Added::Resting(rest) => self.rest(target, rest, self.options.poll_grace),
            Added::Joined => {}
            Added::Dropped => self.metrics.count(Woken::Dropped),
        }
        if made_room {
            self.metrics.count(Woken::Dropped);
        }
    }

    async fn run(self: Arc<Self>) {
        let places = Arc::new(Semaphore::new(self.options.at_once.max(1)));
        let work = async {
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                let (target, class) = self.next().await;
                tokio::spawn(Arc::clone(&self).carry(target, class, place));
            }
        };
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = work => {}
        }
    }

    async fn next(&self) -> (Target, WakeClass) {
        loop {
            if let Some(next) = self.queue().take() {
                return next;
            }
            self.ready.notified().await;
        }
    }

    async fn carry(self: Arc<Self>, target: Target, class: WakeClass, place: OwnedSemaphorePermit) {
        // A task of its own: a gateway that panics must not leave its device marked as being posted.
        let waker = Arc::clone(&self);
        let post = tokio::spawn(async move { waker.post(target, class).await });
        let ended = tokio::select! {
            () = self.closing.cancelled() => return,
            ended = AbortOnDropHandle::new(post) => ended.unwrap_or(Ended::Failed),
        };
        // Others go on while this one rests.
        drop(place);
        match ended {
            Ended::Finished => self.queue().finished(target),
            Ended::Failed => {
                let failures = self.queue().failed(target, self.options.tries);
                match failures {
                    Some((failures, rest)) => self.rest(target, rest, self.pause(failures)),
                    None => {
                        self.metrics.count(Woken::Failed);
                        tracing::warn!("a device was not woken: the push gateway does not answer");
                    }
                }
            }
        }
        self.ready.notify_one();
    }

    async fn post(&self, target: Target, class: WakeClass) -> Ended {
        let (org, device) = target;
        let wake_up = match self.storage.push_target(org, device).await {
            Ok(Some(found)) if found.wiping || found.waiting > 0 => WakeUp {
                // A device that is to erase itself hears nothing but that, whatever was sent to it.
                class: if found.wiping {
                    WakeClass::Alert
                } else {
                    class
                },
                registration: found.registration,
            },
            Ok(_) => return Ended::Finished,
            Err(error) => return self.storage_failed(&error),
        };
        let post = self.options.gateway.post(&wake_up);
        let outcome = tokio::time::timeout(self.options.timeout, post).await;
        match outcome.unwrap_or(PushOutcome::Unavailable) {
            PushOutcome::Posted => self.metrics.count(Woken::Posted),
            PushOutcome::Unavailable => return Ended::Failed,
            PushOutcome::Refused => {
                self.metrics.count(Woken::Failed);
                tracing::warn!("the push gateway refused a wake-up: check its address and token");
            }
            PushOutcome::Gone => {
                self.metrics.count(Woken::Gone);
                let gone = wake_up.registration;
                if let Err(error) = self.storage.forget_push(org, device, gone).await {
                    return self.storage_failed(&error);
                }
            }
        }
        Ended::Finished
    }

    fn storage_failed(&self, error: &StorageError) -> Ended {
        if !self.closing.is_cancelled() {
            tracing::error!(%error, "the storage failed while a device was to be woken");
        }
        Ended::Failed
    }

    fn rest(self: &Arc<Self>, target: Target, rest: Rest, pause: Duration) {
        let waker = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = waker.closing.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            waker.queue().rested(target, rest);
            waker.ready.notify_one();
        });
    }

    /// Twice as long after every failure.
    fn pause(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.options
            .first_pause
            .saturating_mul(doubled)
            .min(LONGEST_PAUSE)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// However many tries an operator allows.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
