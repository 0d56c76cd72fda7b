//! What the run found, as a table and as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Value, json};

use crate::scan::Scan;

/// What the run found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Critical results, each sent as one message.
    pub messages: usize,
    /// Different people on the teams that were written to.
    pub recipients: usize,
    /// Their devices.
    pub devices: usize,
    /// How many of them were offline until everything was sent.
    pub offline: usize,
    /// How many were locked until the end.
    pub locked: usize,
    /// How many ended in the middle and were opened again.
    pub restarted: usize,
    /// How many were revoked in the middle.
    pub revoked: usize,
    /// Messages that should have come to devices, each counted for each device.
    pub expected: usize,
    /// Messages that did, with the right text.
    pub delivered: usize,
    /// Messages that were opened and marked as read, each counted for each device.
    pub read: usize,
    /// Messages for which the laboratory holds a signed delivery of every device and a signed reading of
    /// every person.
    pub receipted: usize,
    /// Messages that a device should have and has not, or with another text.
    pub missing: usize,
    /// Messages that a device shows more than once, or was not meant to have.
    pub surplus: usize,
    /// Messages sent after the revocation that the revoked device can read, or that were sealed for it.
    pub after_revocation: usize,
    /// Whether the relay refuses the revoked device; `None` when there was none.
    pub relay_refuses_revoked: Option<bool>,
    /// From sending to delivery, at devices that were online all the time.
    pub delivery: Percentiles,
    /// From sending to reading, at devices that were online and unlocked all the time.
    pub reading: Percentiles,
    /// From the first message sent until the last one was delivered to every device that was online.
    pub sending: Duration,
    /// What the relay has on disk at the end, in bytes.
    pub relay_bytes: u64,
    /// What was looked for on disk.
    pub scan: Scan,
    /// What was passed over in the folder, by reason.
    pub passed_over: BTreeMap<String, usize>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Percentiles {
    /// Half of them took no longer.
    pub p50: f64,
    /// Nineteen of twenty took no longer.
    pub p95: f64,
}

impl Percentiles {
    /// Of values in order.
    pub(super) fn of(sorted: &[f64]) -> Self {
        let at = |share: f64| {
            let place = (sorted.len() as f64 * share).ceil() as usize;
            sorted
                .get(place.saturating_sub(1))
                .copied()
                .unwrap_or_default()
        };
        Self {
            p50: at(0.50),
            p95: at(0.95),
        }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} ms / {:.0} ms", self.p50, self.p95)
    }
}

impl Report {
    /// Messages in a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.sending.as_secs_f64().max(0.001)
    }

    /// What is not as it should be; nothing, if all is well.
    pub fn failures(&self) -> Vec<String> {
        let counts = [
            (self.missing, "messages are missing on a device"),
            (
                self.expected.abs_diff(self.delivered),
                "deliveries are off the plan",
            ),
            (
                self.expected.abs_diff(self.read),
                "readings are off the plan",
            ),
            (self.surplus, "messages came twice or to the wrong device"),
            (
                self.messages - self.receipted,
                "messages have no complete receipts",
            ),
            (
                self.after_revocation,
                "messages reached the revoked device afterwards",
            ),
            (
                usize::from(self.relay_refuses_revoked == Some(false)),
                "revoked device is still served",
            ),
            (self.scan.hits, "secrets are on disk in plaintext"),
            (
                self.scan.needles - self.scan.control,
                "secrets would not have been found by the scan",
            ),
        ];
        let wrong = counts.iter().filter(|(count, _)| *count > 0);
        wrong
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }

    /// The same as the table.
    pub fn to_json(&self) -> Value {
        json!({
            "messages": self.messages,
            "recipients": self.recipients,
            "devices": {
                "all": self.devices, "offline": self.offline, "locked": self.locked,
                "restarted": self.restarted, "revoked": self.revoked,
            },
            "expected": self.expected,
            "delivered": self.delivered,
            "read": self.read,
            "receipted": self.receipted,
            "missing": self.missing,
            "surplus": self.surplus,
            "after_revocation": self.after_revocation,
            "relay_refuses_revoked": self.relay_refuses_revoked,
            "delivery_ms": { "p50": round(self.delivery.p50), "p95": round(self.delivery.p95) },
            "reading_ms": { "p50": round(self.reading.p50), "p95": round(self.reading.p95) },
            "messages_per_second": round(self.rate()),
            "relay_bytes": self.relay_bytes,
            "scan": {
                "needles": self.scan.needles, "control": self.scan.control,
                "left_out": self.scan.left_out, "files": self.scan.files,
                "bytes": self.scan.bytes, "hits": self.scan.hits,
            },
            "passed_over": self.passed_over,
            "failures": self.failures(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        let of = |part: usize, whole: usize| format!("{part} of {whole}");
        let rows = [
            (
                "critical results, one message each",
                self.messages.to_string(),
            ),
            ("recipients", self.recipients.to_string()),
            ("their devices", self.devices.to_string()),
            ("  offline until all was sent", self.offline.to_string()),
            ("  locked until the end", self.locked.to_string()),
            ("  ended and opened again", self.restarted.to_string()),
            ("  revoked in the middle", self.revoked.to_string()),
            ("delivered to a device", of(self.delivered, self.expected)),
            ("read on a device", of(self.read, self.expected)),
            (
                "messages with every signed receipt",
                of(self.receipted, self.messages),
            ),
            ("missing", self.missing.to_string()),
            ("twice or at the wrong device", self.surplus.to_string()),
            (
                "at the revoked device afterwards",
                self.after_revocation.to_string(),
            ),
            ("send to delivered, p50 / p95", self.delivery.to_string()),
            ("send to read, p50 / p95", self.reading.to_string()),
            ("messages in a second", format!("{:.1}", self.rate())),
            ("on the relay's disk", mebibytes(self.relay_bytes)),
            (
                "looked for on every disk",
                format!("{} texts, names, numbers", self.scan.needles),
            ),
            (
                "looked into",
                format!("{} files, {}", self.scan.files, mebibytes(self.scan.bytes)),
            ),
            (
                "found in a file that has them all",
                of(self.scan.control, self.scan.needles),
            ),
            ("found on any disk", self.scan.hits.to_string()),
        ];
        for (what, value) in rows {
            table.add_row([what.to_owned(), value]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{table}")?;
        for (reason, count) in &self.passed_over {
            writeln!(f, "passed over: {count} × {reason}")?;
        }
        Ok(())
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
