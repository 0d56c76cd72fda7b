//! For how long messages may be read.

use std::time::Duration;

/// For how long a message may be read; what is not said has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, uniffi::Record)]
pub struct Lifetime {
    /// So many milliseconds after it was written, whoever has opened it.
    #[uniffi(default = None)]
    pub after_sent_ms: Option<u64>,
    /// So many milliseconds after a person has opened it, on any of their devices; on the author's, after everybody it
    /// went to has.
    #[uniffi(default = None)]
    pub after_read_ms: Option<u64>,
}

impl From<Lifetime> for wardline::Lifetime {
    fn from(lifetime: Lifetime) -> Self {
        Self {
            after_sent: lifetime.after_sent_ms.map(Duration::from_millis),
            after_read: lifetime.after_read_ms.map(Duration::from_millis),
        }
    }
}

impl From<wardline::Lifetime> for Lifetime {
    fn from(lifetime: wardline::Lifetime) -> Self {
        Self {
            after_sent_ms: lifetime.after_sent.map(millis),
            after_read_ms: lifetime.after_read.map(millis),
        }
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
