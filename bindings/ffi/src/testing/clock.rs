//! One clock for relay, authority and clients, set by hand.

use std::{sync::Arc, time::Duration};

use wardline_org::{Clock, ManualClock, SystemClock, Timestamp};

/// A clock that stands still until it is moved.
///
/// It is what messages, tickets, heads and receipts are dated by. Pauses between retries and long polls
/// follow the system's.
#[derive(Debug, uniffi::Object)]
pub struct TestClock {
    clock: Arc<ManualClock>,
}

#[uniffi::export]
impl TestClock {
    /// Shows this time, in milliseconds since 1970; the system's when not given.
    #[uniffi::constructor]
    pub fn new(now_ms: Option<i64>) -> Arc<Self> {
        let now = now_ms.map_or_else(|| SystemClock.now(), Timestamp::from_millis);
        Arc::new(Self {
            clock: Arc::new(ManualClock::new(now)),
        })
    }

    /// What it shows, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now().as_millis()
    }

    /// Lets time pass.
    pub fn advance(&self, by_ms: u64) {
        self.clock.advance(Duration::from_millis(by_ms));
    }

    /// Turns the wall clock, in either direction; no time passes.
    pub fn set(&self, now_ms: i64) {
        self.clock.set(Timestamp::from_millis(now_ms));
    }
}

impl TestClock {
    pub(crate) fn core(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as _
    }
}
