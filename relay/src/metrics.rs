//! What an operator watches. No label ever names an organization, a person, a device or an envelope.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `wardline_relay_calls_total` | counter | `method`, `code`: `ok` or the `WL-RELAY-…` code |
//! | `wardline_relay_call_seconds` | histogram | `method`; the waiting of `Receive` included |
//! | `wardline_relay_polls` | gauge | long polls that wait now |
//! | `wardline_relay_envelopes_accepted_total` | counter | envelopes put into mailboxes |
//! | `wardline_relay_envelopes_refused_total` | counter | `reason`: `unknown_device`, `revoked`, `mailbox_full` |
//! | `wardline_relay_envelopes_delivered_total` | counter | envelopes handed out, again ones included |
//! | `wardline_relay_envelopes_expired_total` | counter | envelopes that nobody fetched in time |
//! | `wardline_relay_keys_claimed_total` | counter | `kind`: `one_time`, `fallback` |
//! | `wardline_relay_heads_published_total` | counter | |
//! | `wardline_relay_wake_ups_total` | counter | `outcome`: `posted`, `failed`, `gone` (the token), `dropped` (the queue was full) |
//! | `wardline_relay_held_released_total` | counter | tiers of what was held that were released |
//! | `wardline_relay_held_late_seconds` | histogram | how long after its time a tier was released |
//! | `wardline_relay_stored_deposits` | gauge | deposits that wait to be released |
//! | `wardline_relay_stored_envelopes` | gauge | envelopes in mailboxes |
//! | `wardline_relay_stored_contents` | gauge | contents, each once |
//! | `wardline_relay_stored_content_bytes` | gauge | their bytes |
//! | `wardline_relay_pending_enrollments` | gauge | enrollments that wait for an authority |
//!
//! The gauges of what is stored are as of the last sweep, about a minute ago.

use std::time::Duration;

use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use wardline_proto::v1::RefusalReason;

use crate::{method::Method, storage::Usage};

type Labels = [(&'static str, String); 1];
type CallLabels = [(&'static str, String); 2];

pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<Labels, Histogram, fn() -> Histogram>,
    polls: Gauge,
    accepted: Counter,
    refused: Family<Labels, Counter>,
    delivered: Counter,
    expired: Counter,
    claimed: Family<Labels, Counter>,
    pub(crate) heads_published: Counter,
    released: Counter,
    late_seconds: Histogram,
    pub(crate) wake_ups: WakeUps,
    stored_envelopes: Gauge,
    stored_contents: Gauge,
    stored_content_bytes: Gauge,
    pending_enrollments: Gauge,
    stored_deposits: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_5, 2.0, 18));
        let mut metrics = Self {
            registry: Registry::with_prefix("wardline_relay"),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(seconds),
            polls: Gauge::default(),
            accepted: Counter::default(),
            refused: Family::default(),
            delivered: Counter::default(),
            expired: Counter::default(),
            claimed: Family::default(),
            heads_published: Counter::default(),
            released: Counter::default(),
            // From 10 ms to a week.
            late_seconds: Histogram::new(exponential_buckets(0.01, 4.0, 14)),
            wake_ups: WakeUps::default(),
            stored_envelopes: Gauge::default(),
            stored_contents: Gauge::default(),
            stored_content_bytes: Gauge::default(),
            pending_enrollments: Gauge::default(),
            stored_deposits: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self { registry: r, .. } = self;
        r.register("calls", "Calls answered", self.calls.clone());
        r.register(
            "call_seconds",
            "Time to answer a call",
            self.call_seconds.clone(),
        );
        r.register("polls", "Long polls that wait now", self.polls.clone());
        r.register(
            "envelopes_accepted",
            "Envelopes put into mailboxes",
            self.accepted.clone(),
        );
        r.register(
            "envelopes_refused",
            "Envelopes refused for one device",
            self.refused.clone(),
        );
        r.register(
            "envelopes_delivered",
            "Envelopes handed out",
            self.delivered.clone(),
        );
        r.register(
            "envelopes_expired",
            "Envelopes that nobody fetched in time",
            self.expired.clone(),
        );
        r.register("keys_claimed", "Prekeys handed out", self.claimed.clone());
        r.register(
            "heads_published",
            "Directory heads published",
            self.heads_published.clone(),
        );
        r.register(
            "held_released",
            "Tiers of what was held that were released",
            self.released.clone(),
        );
        r.register(
            "held_late_seconds",
            "How long after its time a tier was released",
            self.late_seconds.clone(),
        );
        r.register(
            "stored_deposits",
            "Deposits that wait to be released",
            self.stored_deposits.clone(),
        );
        r.register(
            "wake_ups",
            "Wake-ups for sleeping devices",
            self.wake_ups.0.clone(),
        );
        r.register(
            "stored_envelopes",
            "Envelopes in mailboxes",
            self.stored_envelopes.clone(),
        );
        r.register(
            "stored_contents",
            "Contents, each once",
            self.stored_contents.clone(),
        );
        r.register(
            "stored_content_bytes",
            "Bytes of contents",
            self.stored_content_bytes.clone(),
        );
        r.register(
            "pending_enrollments",
            "Enrollments that wait for an authority",
            self.pending_enrollments.clone(),
        );
    }

    /// The OpenMetrics text.
    pub(crate) fn text(&self, polls: usize) -> String {
        self.polls.set(signed(polls as u64));
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn call(&self, method: Option<Method>, code: &str, took: Duration) {
        let method = method.map_or_else(|| "unknown".to_owned(), |method| method.to_string());
        let labels = [("method", method.clone()), ("code", code.to_owned())];
        self.calls.get_or_create(&labels).inc();
        self.call_seconds
            .get_or_create(&[("method", method)])
            .observe(took.as_secs_f64());
    }

    pub(crate) fn accepted(&self, envelopes: usize) {
        self.accepted.inc_by(envelopes as u64);
    }

    pub(crate) fn refused(&self, reason: RefusalReason) {
        let reason = match reason {
            RefusalReason::UnknownDevice => "unknown_device",
            RefusalReason::Revoked => "revoked",
            RefusalReason::MailboxFull => "mailbox_full",
            RefusalReason::Unspecified => "unspecified",
        };
        let labels = [("reason", reason.to_owned())];
        self.refused.get_or_create(&labels).inc();
    }

    pub(crate) fn delivered(&self, envelopes: usize) {
        self.delivered.inc_by(envelopes as u64);
    }

    pub(crate) fn expired(&self, envelopes: u64) {
        self.expired.inc_by(envelopes);
    }

    pub(crate) fn claimed(&self, fallback: bool) {
        let kind = if fallback { "fallback" } else { "one_time" };
        self.claimed
            .get_or_create(&[("kind", kind.to_owned())])
            .inc();
    }

    /// A tier was released into so many mailboxes.
    pub(crate) fn released(&self, envelopes: usize) {
        self.released.inc();
        self.accepted(envelopes);
    }

    pub(crate) fn released_late(&self, late: Duration) {
        self.late_seconds.observe(late.as_secs_f64());
    }

    pub(crate) fn stored(&self, usage: &Usage) {
        self.stored_envelopes.set(signed(usage.envelopes));
        self.stored_contents.set(signed(usage.contents));
        self.stored_content_bytes.set(signed(usage.content_bytes));
        self.pending_enrollments.set(signed(usage.enrollments));
        self.stored_deposits.set(signed(usage.deposits));
    }
}

/// Counts wake-ups, beside the calls. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct WakeUps(Family<Labels, Counter>);

/// What became of a wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    Posted,
    Failed,
    Gone,
    Dropped,
}

impl WakeUps {
    pub(crate) fn count(&self, outcome: Woken) {
        let outcome = match outcome {
            Woken::Posted => "posted",
            Woken::Failed => "failed",
            Woken::Gone => "gone",
            Woken::Dropped => "dropped",
        };
        self.0
            .get_or_create(&[("outcome", outcome.to_owned())])
            .inc();
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
