//! What is known of a message that its author has corrected, and what it said before.

use crate::structured::Structured;

/// That the text of a message was corrected. What stands is the message's text.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Amended {
    /// Who corrected it: its author, perhaps on another device.
    pub by: String,
    /// When, by the author's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why; may be empty.
    pub reason: String,
    /// How many texts it has had, the first one and the one that stands included.
    pub versions: u64,
}

/// One of the texts that a message has had.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Version {
    /// What names the correction; of the first text, the message itself.
    pub reference: String,
    /// Who wrote it.
    pub by: String,
    /// When, by the author's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// What the message said then; empty when the stored body is damaged.
    pub text: String,
    /// What its typed fields said then, if it had any.
    pub structured: Option<Structured>,
    /// Why it was corrected; empty for the first text.
    pub reason: String,
    /// Whether it is what the message says now.
    pub stands: bool,
}

/// Shows when and how often, nothing of what was written.
impl std::fmt::Debug for Amended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Amended")
            .field("at_ms", &self.at_ms)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// Shows which, nothing of what was written.
impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Version")
            .field("at_ms", &self.at_ms)
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}

impl From<wardline::Amended> for Amended {
    fn from(amended: wardline::Amended) -> Self {
        Self {
            by: amended.by.to_string(),
            at_ms: amended.at.as_millis(),
            reason: amended.reason,
            versions: amended.versions,
        }
    }
}

impl From<wardline::Version> for Version {
    fn from(version: wardline::Version) -> Self {
        Self {
            reference: version.reference.to_string(),
            by: version.by.to_string(),
            at_ms: version.at.as_millis(),
            text: version.text,
            structured: version.structured.and_then(Structured::of),
            reason: version.reason,
            stands: version.stands,
        }
    }
}
