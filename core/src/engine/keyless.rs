//! Devices that had no key to offer: when to ask for one again.
//!
//! A device that was listed a moment ago offers its keys within seconds, one that lies in a drawer may never do so.
//! So the pauses begin short and double: whoever is new is written to at once, and nobody is asked for
//! often for long. A newer directory makes everybody worth asking again.
//!
//! It is forgotten with the process. Which messages wait for a device is [`super::outbox`]'s concern.

use std::{collections::HashMap, time::Duration};

use wardline_org::{DeviceId, Timestamp};

/// Who was asked for a key and had none.
#[derive(Debug, Default)]
pub(crate) struct Keyless {
    asked: HashMap<DeviceId, Asked>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Timestamp,
    /// How long not to ask again.
    pause: Duration,
}

impl Keyless {
    /// The device was asked for now, and had none.
    pub(crate) fn note(&mut self, device: DeviceId, now: Timestamp) {
        let before = self.asked.get(&device);
        let pause = before.map_or(FIRST_PAUSE, |asked| {
            asked.pause.saturating_mul(2).min(LONGEST_PAUSE)
        });
        self.asked.insert(device, Asked { at: now, pause });
    }

    /// There is a session with the device.
    pub(crate) fn forget(&mut self, device: &DeviceId) {
        self.asked.remove(device);
    }

    /// Everybody is asked again, and soon once more.
    pub(crate) fn forget_all(&mut self) {
        self.asked.clear();
    }

    /// Whether the device was asked for, and had none.
    pub(crate) fn knows(&self, device: &DeviceId) -> bool {
        self.asked.contains_key(device)
    }

    /// Whether to ask for the device now.
    pub(crate) fn is_due(&self, device: &DeviceId, now: Timestamp) -> bool {
        self.pause_of(device, now).is_zero()
    }

    /// How long to wait until the first of these is due.
    pub(crate) fn pause<'a>(
        &self,
        devices: impl IntoIterator<Item = &'a DeviceId>,
        now: Timestamp,
    ) -> Duration {
        let pauses = devices
            .into_iter()
            .map(|device| self.pause_of(device, now))
            .filter(|pause| !pause.is_zero());
        // Whoever is due is being asked for: what waits for them is looked at when they have answered.
        pauses.min().unwrap_or(FIRST_PAUSE)
    }

    /// How long until the next one is due; nothing when there is none, or all are due already.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Duration> {
        let pauses = self.asked.keys().map(|device| self.pause_of(device, now));
        pauses.filter(|pause| !pause.is_zero()).min()
    }

    fn pause_of(&self, device: &DeviceId, now: Timestamp) -> Duration {
        match self.asked.get(device) {
            // A clock that was turned back must not make a pause of years.
            Some(asked) if now >= asked.at => {
                asked.pause.saturating_sub(now.saturating_since(asked.at))
            }
            _ => Duration::ZERO,
        }
    }
}

/// The first time; a device that has just been listed offers its keys within seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn device() -> DeviceId {
        DeviceId::from_slice(&[7; 16]).unwrap()
    }

    #[test]
    fn the_pauses_double_up_to_five_minutes() {
        let mut keyless = Keyless::default();
        let mut now = START;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            assert!(keyless.is_due(&device(), now));
            keyless.note(device(), now);
            let pause = keyless.next(now).unwrap();
            assert_eq!(keyless.pause([&device()], now), pause);
            now = now + pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn a_session_or_a_newer_directory_begins_anew() {
        let mut keyless = Keyless::default();
        for forget in [
            |keyless: &mut Keyless| keyless.forget(&device()),
            Keyless::forget_all,
        ] {
            for _ in 0..5 {
                keyless.note(device(), START);
            }
            forget(&mut keyless);
            assert!(!keyless.knows(&device()));
            keyless.note(device(), START);
            assert_eq!(keyless.next(START), Some(FIRST_PAUSE));
        }
    }

    #[test]
    fn a_clock_that_is_turned_back_delays_nothing() {
        let mut keyless = Keyless::default();
        keyless.note(device(), START);
        let before = Timestamp::from_millis(START.as_millis() - 3_600_000);
        assert!(keyless.is_due(&device(), before));
        assert_eq!(keyless.next(before), None);
    }
}
