//! What Wardline logs, handed to the host.
//!
//! Only Wardline's own events: what it logs is safe to log (no names, no texts, ids as short hashes);
//! what its dependencies log is not known to be. Events are collected and handed over in batches by
//! one thread: the host is never called from where something is logged, which may hold a lock.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use wardline_org::{Clock as _, SystemClock};

use crate::{error::WardlineError, runtime};

/// Takes what Wardline logs.
#[uniffi::export(rust, foreign)]
pub trait LogSink: Send + Sync {
    /// Some records, oldest first. `lost` says how many before them did not fit into memory, because
    /// this was slower than they came.
    fn log(&self, records: Vec<LogRecord>, lost: u64) -> Result<(), LogSinkError>;
}

/// One thing that was logged.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LogRecord {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// How important it is.
    pub level: LogLevel,
    /// Which part logged it, such as `wardline::client::sync`.
    pub target: String,
    /// What it says, with its fields as `name=value`.
    pub text: String,
}

/// How important something logged is, most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, uniffi::Enum)]
pub enum LogLevel {
    /// Something is wrong.
    Error,
    /// Something is odd.
    Warn,
    /// What happens.
    Info,
    /// What happens, in detail.
    Debug,
    /// Everything.
    Trace,
}

/// The sink did not take it; it is not offered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum LogSinkError {
    /// Anything.
    #[error("the log sink failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for LogSinkError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

/// Hands what Wardline logs, up to `level`, to `sink` from now on; to nobody when there is none.
///
/// One for the process: a second call replaces the first. A sink that fails or takes longer than
/// five seconds for a batch is let go of.
///
/// # Errors
/// `WL-DEFECT` when this process has another subscriber of the crate `tracing`.
#[uniffi::export]
pub fn set_log_sink(sink: Option<Arc<dyn LogSink>>, level: LogLevel) -> Result<(), WardlineError> {
    let runtime = runtime::handle()?;
    let hub = HUB.get_or_init(Arc::default);
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = *INSTALLED.get_or_init(|| {
        let installed = tracing::subscriber::set_global_default(ToHub(Arc::clone(hub))).is_ok();
        if installed {
            runtime.spawn(hand_over(Arc::clone(hub)));
        }
        installed
    });
    if !installed {
        return Err(WardlineError::defect(
            "another tracing subscriber is installed",
        ));
    }
    let most = if sink.is_some() { rank(level) } else { OFF };
    hub.most.store(most, Ordering::Relaxed);
    let before = std::mem::replace(
        &mut *hub.sink.lock().unwrap_or_else(PoisonError::into_inner),
        sink,
    );
    // Outside of the lock: it calls into the host.
    drop(before);
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Where records wait for the host.
#[derive(Default)]
struct Hub {
    sink: Mutex<Option<Arc<dyn LogSink>>>,
    most: AtomicU8,
    waiting: Mutex<Vec<LogRecord>>,
    lost: AtomicU64,
    arrived: Notify,
}

impl Hub {
    fn push(&self, record: LogRecord) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push(record);
            drop(waiting);
            self.arrived.notify_one();
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sink(&self) -> Option<Arc<dyn LogSink>> {
        self.sink
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Hands records over for as long as the process lives.
async fn hand_over(hub: Arc<Hub>) {
    loop {
        hub.arrived.notified().await;
        // Waits a moment, so that what belongs together crosses together.
        tokio::time::sleep(GATHERING).await;
        let records =
            std::mem::take(&mut *hub.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let lost = hub.lost.swap(0, Ordering::Relaxed);
        let Some(sink) = hub.sink().filter(|_| !records.is_empty()) else {
            continue;
        };
        let given = Arc::clone(&sink);
        let taken = tokio::task::spawn_blocking(move || given.log(records, lost));
        let taken = tokio::time::timeout(PATIENCE, taken).await;
        if !matches!(taken, Ok(Ok(Ok(())))) {
            let mut held = hub.sink.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = held.take_if(|held| Arc::ptr_eq(held, &sink));
            drop(held);
            drop(failed);
        }
    }
}

/// The subscriber: writes events down, knows no spans.
struct ToHub(Arc<Hub>);

impl Subscriber for ToHub {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with(OURS)
            && rank(level(metadata)) <= self.0.most.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        self.0.push(LogRecord {
            at_ms: SystemClock.now().as_millis(),
            level: level(event.metadata()),
            target: event.metadata().target().to_owned(),
            text: text.0,
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The message first, as `tracing` keeps it, then the fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let space = if self.0.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{space}{value:?}"),
            name => write!(self.0, "{space}{name}={value:?}"),
        };
    }
}

fn level(metadata: &Metadata<'_>) -> LogLevel {
    match *metadata.level() {
        tracing::Level::ERROR => LogLevel::Error,
        tracing::Level::WARN => LogLevel::Warn,
        tracing::Level::INFO => LogLevel::Info,
        tracing::Level::DEBUG => LogLevel::Debug,
        tracing::Level::TRACE => LogLevel::Trace,
    }
}

fn rank(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 1,
        LogLevel::Warn => 2,
        LogLevel::Info => 3,
        LogLevel::Debug => 4,
        LogLevel::Trace => 5,
    }
}

static HUB: OnceLock<Arc<Hub>> = OnceLock::new();

const OFF: u8 = 0;
const OURS: &str = "wardline";
const MOST_WAITING: usize = 4096;
const GATHERING: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(5);
