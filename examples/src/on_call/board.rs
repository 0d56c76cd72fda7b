//! What arrived where and when, by the stopwatch of this process.
//!
//! A message counts as delivered when the recipient's app is told of it, which is after it is on that
//! device's disk; as read when the app has its text and the note that it was read is on disk.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::sync::watch;
use wardline::{MessageId, MessageRef};
use wardline_org::{Clock, DeviceId, SystemClock, UserId};

/// Collects times from every device.
pub(super) struct Board {
    times: Mutex<Times>,
    failure: Mutex<Option<anyhow::Error>>,
    counts: watch::Sender<Counts>,
}

/// How many messages have come to devices, each counted once for each device.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// At devices that were online all the time.
    pub(super) steady: usize,
    /// At all devices.
    pub(super) delivered: usize,
    /// Opened and marked as read.
    pub(super) read: usize,
    /// Accepted or declined, each counted once for each person.
    pub(super) answered: usize,
    /// Taken back at devices that were online all the time.
    pub(super) recalled: usize,
}

#[derive(Default)]
struct Times {
    sent: HashMap<MessageId, Duration>,
    delivered: HashMap<(DeviceId, MessageId), Duration>,
    read: HashMap<(DeviceId, MessageId), Duration>,
    answered: HashSet<(UserId, MessageId)>,
    recalled: HashSet<(DeviceId, MessageId)>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            times: Mutex::default(),
            failure: Mutex::default(),
            counts: watch::Sender::new(Counts::default()),
        }
    }

    /// A message was given to the sending device at this time of the monotonic clock.
    pub(super) fn sent(&self, message: MessageId, at: Duration) {
        self.times().sent.insert(message, at);
    }

    /// A device was told of messages. Events come at least once; the first time counts.
    pub(super) fn delivered(&self, device: DeviceId, messages: &[MessageRef], steady: bool) {
        let now = SystemClock.monotonic();
        let mut new = 0;
        {
            let mut times = self.times();
            for message in messages {
                let place = (device, message.id);
                if let std::collections::hash_map::Entry::Vacant(entry) =
                    times.delivered.entry(place)
                {
                    entry.insert(now);
                    new += 1;
                }
            }
        }
        self.counts.send_modify(|counts| {
            counts.delivered += new;
            counts.steady += if steady { new } else { 0 };
        });
    }

    /// Messages were read on a device.
    pub(super) fn read(&self, device: DeviceId, messages: &[MessageRef]) {
        let now = SystemClock.monotonic();
        let total = {
            let mut times = self.times();
            for message in messages {
                times.read.entry((device, message.id)).or_insert(now);
            }
            times.read.len()
        };
        self.counts.send_modify(|counts| counts.read = total);
    }

    /// Somebody has accepted or declined a message.
    pub(super) fn answered(&self, user: &UserId, message: MessageId) {
        let total = {
            let mut times = self.times();
            times.answered.insert((user.clone(), message));
            times.answered.len()
        };
        self.counts.send_modify(|counts| counts.answered = total);
    }

    /// A message was taken back at a device that was online all the time.
    pub(super) fn recalled(&self, device: DeviceId, message: MessageId) {
        let total = {
            let mut times = self.times();
            times.recalled.insert((device, message));
            times.recalled.len()
        };
        self.counts.send_modify(|counts| counts.recalled = total);
    }

    /// Whether a device was told of all these messages.
    pub(super) fn has_all(&self, device: DeviceId, messages: &[MessageId]) -> bool {
        let times = self.times();
        let told = |message: &MessageId| times.delivered.contains_key(&(device, *message));
        messages.iter().all(told)
    }

    /// An app has ended with an error: whoever waits is told.
    pub(super) fn failed(&self, error: anyhow::Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.counts.send_modify(|_| {});
    }

    /// Waits until so much has come, telling of progress.
    ///
    /// # Errors
    /// When an app has failed, or nothing at all happens for a while.
    pub(super) async fn wait(
        &self,
        mut progress: impl FnMut(Counts),
        enough: impl Fn(Counts) -> bool,
    ) -> Result<()> {
        let mut counts = self.counts.subscribe();
        loop {
            let now = *counts.borrow_and_update();
            let failure = self
                .failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(error) = failure {
                return Err(error.context("an app has failed"));
            }
            progress(now);
            if enough(now) {
                return Ok(());
            }
            match tokio::time::timeout(PATIENCE, counts.changed()).await {
                Ok(changed) => changed?,
                Err(_) => bail!("nothing has arrived for {PATIENCE:?}: {now:?}"),
            }
        }
    }

    /// Milliseconds from sending to delivery at these devices, of what counts, in order of length.
    pub(super) fn delivery_times(
        &self,
        devices: &[DeviceId],
        counts: impl Fn(DeviceId, MessageId) -> bool,
    ) -> Vec<f64> {
        let times = self.times();
        durations(&times.sent, &times.delivered, devices, counts)
    }

    /// Milliseconds from sending to reading at these devices, of what counts, in order of length.
    pub(super) fn reading_times(
        &self,
        devices: &[DeviceId],
        counts: impl Fn(DeviceId, MessageId) -> bool,
    ) -> Vec<f64> {
        let times = self.times();
        durations(&times.sent, &times.read, devices, counts)
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn durations(
    sent: &HashMap<MessageId, Duration>,
    came: &HashMap<(DeviceId, MessageId), Duration>,
    devices: &[DeviceId],
    counts: impl Fn(DeviceId, MessageId) -> bool,
) -> Vec<f64> {
    let mut durations: Vec<f64> = came
        .iter()
        .filter(|((device, message), _)| devices.contains(device) && counts(*device, *message))
        .filter_map(|((_, message), at)| Some(at.saturating_sub(*sent.get(message)?)))
        .map(|duration| duration.as_secs_f64() * 1_000.0)
        .collect();
    durations.sort_by(f64::total_cmp);
    durations
}

/// Longer than a long poll and every pause of the loop.
const PATIENCE: Duration = Duration::from_secs(75);
