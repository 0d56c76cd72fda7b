//! Reading three clocks: the device's, the authority's by the newest head, the relay's by what it said.
//!
//! The last two go on with the monotonic clock after they were heard, so that a wall clock that is turned moves neither.
//! A lie of the relay is bounded by the head: its clock is never before the head was issued, nor after it has expired.
//!
//! Not its concern: what follows from what they show (`message::clocks`).

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension};
use wardline_org::{Clock, Timestamp};

use super::{Client, Inner};
use crate::{directory::Directory, error::Error, message::clocks::Clocks, store::StoreError};

/// What was heard of time.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// When the newest head was issued and expires, and when that was heard of.
    head: Option<(Timestamp, Timestamp, Duration)>,
    /// What the relay said, and when.
    relay: Option<(Timestamp, Duration)>,
    /// Since the last look, the relay was heard while the head was known to be the newest.
    fresh: bool,
}

impl Heard {
    /// What the store remembers, as if it had been heard now: time that has passed since is not counted.
    pub(super) fn load(connection: &Connection, clock: &dyn Clock) -> Result<Self, StoreError> {
        let now = clock.monotonic();
        let mut heard = Self::default();
        if let Some((issued_at, expires_at)) = Directory::default().validity(connection)? {
            heard.head = Some((issued_at, expires_at, now));
        }
        let relay: Option<Option<i64>> = connection
            .prepare_cached("SELECT relay_clock FROM mailbox")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let relay = relay.flatten();
        heard.relay = relay.map(|shown| (Timestamp::from_millis(shown), now));
        Ok(heard)
    }

    /// A head was accepted, or confirmed as the newest.
    pub(super) fn head(&mut self, issued_at: Timestamp, expires_at: Timestamp, at: Duration) {
        // The same head heard again says nothing new of time.
        if self.head.is_none_or(|(known, _, _)| issued_at > known) {
            self.head = Some((issued_at, expires_at, at));
        }
    }

    /// The relay has said what time it is.
    pub(super) fn relay(&mut self, now: Timestamp, at: Duration, head_confirmed: bool) {
        self.relay = Some((now, at));
        self.fresh = head_confirmed;
    }

    /// What was heard last is not new any more.
    pub(super) fn stale(&mut self) {
        self.fresh = false;
    }

    fn show(&self, device: Timestamp, now: Duration) -> Clocks {
        let Some((issued_at, expires_at, at)) = self.head else {
            // The relay's word counts for nothing where no head bounds it.
            return Clocks::device_only(device);
        };
        Clocks {
            device,
            authority: issued_at + now.saturating_sub(at),
            relay: self.relay.map_or(Clocks::UNHEARD, |(said, at)| {
                (said + now.saturating_sub(at)).clamp(issued_at, expires_at)
            }),
            fresh: self.fresh,
        }
    }
}

impl Client {
    /// What the clocks show now.
    pub(super) fn clocks(&self) -> Clocks {
        let clock = &self.inner.clock;
        self.inner.clocks().show(clock.now(), clock.monotonic())
    }

    /// What is over by this is shown to nobody.
    pub(super) fn latest(&self) -> Timestamp {
        self.clocks().latest()
    }

    /// The relay has said what time it is; 0: it has not.
    pub(super) async fn hear_relay(&self, now_ms: i64) {
        if now_ms == 0 {
            return;
        }
        let confirmed = self.context().head_confirmed;
        let at = self.inner.clock.monotonic();
        let now = Timestamp::from_millis(now_ms);
        self.inner.clocks().relay(now, at, confirmed);
        self.expire_or_later().await;
    }
}

impl Inner {
    /// Takes up what the store remembers of time.
    pub(super) fn remember_time(&self) -> Result<(), Error> {
        let clock = Arc::clone(&self.clock);
        let heard = self
            .store
            .read_blocking(move |connection| Heard::load(connection, &*clock))?;
        *self.clocks() = heard;
        Ok(())
    }

    pub(super) fn clocks(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUED: Timestamp = Timestamp::from_millis(1_000_000);
    const EXPIRES: Timestamp = Timestamp::from_millis(2_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_relays_clock_stays_within_what_the_head_allows() {
        let mut heard = Heard::default();
        let far = Timestamp::from_millis(i64::MAX);
        heard.relay(far, Duration::ZERO, true);
        let shown = heard.show(ISSUED, Duration::ZERO);
        assert_eq!(shown, Clocks::device_only(ISSUED), "no head yet");
        heard.head(ISSUED, EXPIRES, Duration::ZERO);
        assert_eq!(heard.show(ISSUED, SECOND).relay, EXPIRES);
        heard.relay(Timestamp::from_millis(0), Duration::ZERO, true);
        assert_eq!(heard.show(ISSUED, SECOND).relay, ISSUED);
    }

    #[test]
    fn time_goes_on_with_the_monotonic_clock_whatever_the_wall_clock_does() {
        let mut heard = Heard::default();
        heard.head(ISSUED, EXPIRES, SECOND);
        heard.relay(ISSUED + SECOND, SECOND, false);
        let shown = heard.show(Timestamp::from_millis(5), SECOND * 11);
        assert_eq!(shown.authority, ISSUED + SECOND * 10);
        assert_eq!(shown.relay, ISSUED + SECOND * 11);
        // The same head again does not set the authority's clock back.
        heard.head(ISSUED, EXPIRES, SECOND * 11);
        assert_eq!(
            heard.show(ISSUED, SECOND * 11).authority,
            ISSUED + SECOND * 10
        );
    }
}
