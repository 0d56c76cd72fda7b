//! Devices that wait for an envelope, and waking them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, futures::Notified};
use wardline_org::DeviceId;

/// The polls of one organization that wait now.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    waiting: Mutex<HashMap<DeviceId, Vec<Arc<Waiter>>>>,
}

#[derive(Debug, Default)]
struct Waiter {
    woken: Notify,
    superseded: AtomicBool,
}

impl Polls {
    /// Begins a poll. A device has a few at a time (an app and its extension): one more ends the oldest,
    /// which most likely waits on a dead connection.
    pub(crate) fn begin(&self, device: DeviceId) -> Poll<'_> {
        let waiter = Arc::new(Waiter::default());
        let mut waiting = self.lock();
        let own = waiting.entry(device).or_default();
        own.push(Arc::clone(&waiter));
        if own.len() > MOST_POLLS {
            let oldest = own.remove(0);
            oldest.superseded.store(true, Ordering::Release);
            oldest.woken.notify_waiters();
        }
        Poll {
            polls: self,
            device,
            waiter,
        }
    }

    /// Tells a device that something came; answers whether it waits for that.
    pub(crate) fn wake(&self, device: DeviceId) -> bool {
        let waiting = self.lock();
        let Some(own) = waiting.get(&device) else {
            return false;
        };
        for waiter in own {
            waiter.woken.notify_waiters();
        }
        true
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Vec<Arc<Waiter>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One poll; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Poll<'a> {
    polls: &'a Polls,
    device: DeviceId,
    waiter: Arc<Waiter>,
}

impl Poll<'_> {
    /// Resolves at the next wake-up after this call, also one before the first `await`: take it, then
    /// look into the mailbox, then await it.
    pub(crate) fn woken(&self) -> Notified<'_> {
        self.waiter.woken.notified()
    }

    /// Another poll has taken this one's place.
    pub(crate) fn is_superseded(&self) -> bool {
        self.waiter.superseded.load(Ordering::Acquire)
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        let mut waiting = self.polls.lock();
        if let Some(own) = waiting.get_mut(&self.device) {
            own.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
            if own.is_empty() {
                waiting.remove(&self.device);
            }
        }
    }
}

const MOST_POLLS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wake_before_the_await_is_not_lost() {
        let polls = Polls::default();
        let poll = polls.begin(device(1));
        let other = polls.begin(device(2));
        let (woken, untouched) = (poll.woken(), other.woken());
        assert!(polls.wake(device(1)));
        assert!(!polls.wake(device(3)));
        woken.await;
        tokio::select! {
            biased;
            () = untouched => panic!("woke the wrong device"),
            () = std::future::ready(()) => {}
        }
    }

    #[tokio::test]
    async fn one_poll_too_many_ends_the_oldest() {
        let polls = Polls::default();
        let oldest = polls.begin(device(1));
        let woken = oldest.woken();
        let newer: Vec<_> = (0..MOST_POLLS).map(|_| polls.begin(device(1))).collect();
        woken.await;
        assert!(oldest.is_superseded());
        assert!(!newer.iter().any(Poll::is_superseded));
        assert_eq!(polls.count(), MOST_POLLS);
        drop((oldest, newer));
        assert_eq!(polls.count(), 0);
    }

    fn device(number: u8) -> DeviceId {
        DeviceId::from_bytes([number; 16])
    }
}
