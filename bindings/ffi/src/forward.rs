//! What is handed on.

use wardline_org::Timestamp;

use crate::{draft::Patient, structured::Structured};

/// Somebody else's message inside the one that hands it on.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Forwarded {
    /// Whether the author's signature and directory entry prove who wrote it. Until they do, what follows is the word of
    /// whoever forwards it, and author, device and times are missing: show no name.
    pub proven: bool,
    /// Who wrote it.
    pub author: Option<String>,
    /// On which device.
    pub author_device: Option<String>,
    /// When, by the author's clock, in milliseconds since 1970.
    pub written_at_ms: Option<i64>,
    /// When its author corrected it, if the text is that of a correction.
    pub corrected_at_ms: Option<i64>,
    /// What it says.
    pub text: String,
    /// Its typed fields, when it has any.
    pub structured: Option<Structured>,
    /// Whom it is about.
    pub patient: Option<Patient>,
    /// What whoever forwards it says to it; may be empty.
    pub comment: String,
}

/// Shows whether it is proven, nothing of what was written and by whom.
impl std::fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarded")
            .field("proven", &self.proven)
            .finish_non_exhaustive()
    }
}

impl From<wardline::Forwarded> for Forwarded {
    fn from(forwarded: wardline::Forwarded) -> Self {
        Self {
            proven: forwarded.proven,
            author: forwarded.author.map(|author| author.to_string()),
            author_device: forwarded.author_device.map(|device| device.to_string()),
            written_at_ms: forwarded.written_at.map(Timestamp::as_millis),
            corrected_at_ms: forwarded.corrected_at.map(Timestamp::as_millis),
            text: forwarded.text,
            structured: forwarded.structured.and_then(Structured::of),
            patient: forwarded.patient.map(Patient::from),
            comment: forwarded.comment,
        }
    }
}
