//! Time as a value: [`Timestamp`] and the [`Clock`] it is read from.
//!
//! Nothing below the client reads the system clock by itself: a clock is handed in, so that a test
//! can move it and a host can supply a better one. Deciding which clock to *believe* (trusted time
//! from the newest verified head) is not the concern of this module.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, as on the wire.
///
/// `Display` and `FromStr` use RFC 3339 in UTC with exactly three decimals, the form that stands in
/// signed notes; only that one spelling of a moment is parsed.
///
/// ```
/// use std::time::Duration;
/// use wardline_org::Timestamp;
///
/// let noon: Timestamp = "2026-11-22T12:00:00.000Z".parse()?;
/// assert_eq!(noon + Duration::from_secs(90), "2026-11-22T12:01:30.000Z".parse()?);
/// assert_eq!(noon.saturating_since(noon + Duration::from_secs(1)), Duration::ZERO);
/// # Ok::<(), wardline_org::time::TimestampError>(())
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Saturates at the ends of the range.
impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

/// Saturates at the ends of the range.
impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            // Years that no calendar text can name; such a text does not parse back.
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        let timestamp = Self(parsed.as_millisecond());
        if timestamp.to_string() == text {
            Ok(timestamp)
        } else {
            Err(TimestampError)
        }
    }
}

/// The text is not a moment in the one accepted spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time: write it in UTC with milliseconds, as 2026-11-22T12:00:00.000Z")]
pub struct TimestampError;

/// Where the time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock. It may jump in either direction, and a person may have set it wrong.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; it never goes back.
    fn monotonic(&self) -> Duration;
}

/// The clock of the operating system.
///
/// `monotonic` counts from the first use in this process and, on most systems, stands still while
/// the device sleeps. A phone host supplies its own clock (`elapsedRealtime` on Android,
/// `mach_continuous_time` on Apple systems).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

// The one place that reads the system's clocks.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody else is handed"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => millis(before.duration()).saturating_neg(),
        })
    }

    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that stands still until it is moved: for tests, simulations and replays.
///
/// ```
/// use std::time::Duration;
/// use wardline_org::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::new(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_millis(500));
/// assert_eq!(clock.now(), Timestamp::from_millis(1_500));
/// assert_eq!(clock.monotonic(), Duration::from_millis(500));
///
/// clock.set(Timestamp::from_millis(0)); // somebody turned the wall clock back
/// assert_eq!(clock.monotonic(), Duration::from_millis(500));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    hands: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// A clock that shows `now`, with a monotonic time of zero.
    pub fn new(now: Timestamp) -> Self {
        Self {
            hands: Mutex::new((now, Duration::ZERO)),
        }
    }

    /// Lets time pass: both clocks move.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        hands.0 = hands.0 + by;
        hands.1 = hands.1.saturating_add(by);
    }

    /// Turns the wall clock, in either direction; no time passes.
    pub fn set(&self, now: Timestamp) {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).0 = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
