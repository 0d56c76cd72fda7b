//! What is said to a message that asks, and what is left of one that was taken back.

/// What somebody says to a message that asks for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Verdict {
    /// "I have it": the sender may stop looking for somebody.
    Accepted,
    /// "Not me": the sender should ask somebody else at once.
    Declined,
}

/// One answer to a message.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Answer {
    /// Who answered, as the directory proves.
    pub user: String,
    /// On which device.
    pub device: String,
    /// What they said.
    pub verdict: Verdict,
    /// What they understood, in their own words, or why they decline; may be empty.
    pub read_back: String,
    /// When, by the answering device's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it is the last word of this person.
    pub stands: bool,
    /// Which correction of the message they had read, as `history` names it; nothing: the message as it was first
    /// written.
    pub version: Option<String>,
    /// They answered another text than the one that stands here.
    pub outdated: bool,
}

/// The last word of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct StandingAnswer {
    /// What they said.
    pub verdict: Verdict,
    /// When, by the answering device's clock, in milliseconds since 1970.
    pub at_ms: i64,
}

/// An answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Asked {
    /// Until when, by the author's clock, in milliseconds since 1970; nothing: as soon as possible.
    pub answer_by_ms: Option<i64>,
    /// Nobody's standing answer accepts it yet, as far as this device knows.
    pub open: bool,
}

/// Which open messages to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum OpenItems {
    /// Those of others, which wait for somebody here.
    ToAnswer,
    /// Those of this person, for which an answer is awaited.
    Awaited,
    /// The awaited ones whose time is up.
    Overdue,
}

/// That a message was taken back: all that is left of it.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Recalled {
    /// Who took it back: its author, perhaps on another device.
    pub by: String,
    /// When, by the author's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why; may be empty.
    pub reason: String,
}

/// What has become of a message that was taken back, on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum RecallOutcome {
    /// The device has said nothing: it is off, out of reach or locked.
    Pending,
    /// The device's software is too old to know what a recall is.
    TooOld,
    /// It never left, or the relay says that it gave it to nobody.
    Withdrawn,
    /// The device keeps it, by the policy, and has signed for that.
    Kept,
    /// It is gone from the device, where nobody had opened it; the device has signed for that.
    PurgedUnread,
    /// It is gone from the device, after somebody had opened it there; the device has signed for that.
    PurgedRead,
}

/// Shows who and what, nothing of what was written.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("verdict", &self.verdict)
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}

/// Shows when, nothing of what was written.
impl std::fmt::Debug for Recalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recalled")
            .field("at_ms", &self.at_ms)
            .finish_non_exhaustive()
    }
}

impl From<Verdict> for wardline::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted => Self::Accepted,
            Verdict::Declined => Self::Declined,
        }
    }
}

impl From<wardline::Verdict> for Verdict {
    fn from(verdict: wardline::Verdict) -> Self {
        match verdict {
            wardline::Verdict::Accepted => Self::Accepted,
            wardline::Verdict::Declined => Self::Declined,
        }
    }
}

impl From<wardline::Answer> for Answer {
    fn from(answer: wardline::Answer) -> Self {
        Self {
            user: answer.user.to_string(),
            device: answer.device.to_string(),
            verdict: answer.verdict.into(),
            read_back: answer.read_back,
            at_ms: answer.at.as_millis(),
            stands: answer.stands,
            version: answer.version.map(|version| version.to_string()),
            outdated: answer.outdated,
        }
    }
}

impl From<wardline::StandingAnswer> for StandingAnswer {
    fn from(answer: wardline::StandingAnswer) -> Self {
        Self {
            verdict: answer.verdict.into(),
            at_ms: answer.at.as_millis(),
        }
    }
}

impl From<wardline::Asked> for Asked {
    fn from(asked: wardline::Asked) -> Self {
        Self {
            answer_by_ms: asked.answer_by.map(wardline_org::Timestamp::as_millis),
            open: asked.open,
        }
    }
}

impl From<OpenItems> for wardline::OpenItems {
    fn from(which: OpenItems) -> Self {
        match which {
            OpenItems::ToAnswer => Self::ToAnswer,
            OpenItems::Awaited => Self::Awaited,
            OpenItems::Overdue => Self::Overdue,
        }
    }
}

impl From<wardline::Recalled> for Recalled {
    fn from(recalled: wardline::Recalled) -> Self {
        Self {
            by: recalled.by.to_string(),
            at_ms: recalled.at.as_millis(),
            reason: recalled.reason,
        }
    }
}

impl From<wardline::RecallOutcome> for RecallOutcome {
    fn from(outcome: wardline::RecallOutcome) -> Self {
        use wardline::RecallOutcome as Core;
        match outcome {
            Core::Pending => Self::Pending,
            Core::TooOld => Self::TooOld,
            Core::Withdrawn => Self::Withdrawn,
            Core::Kept => Self::Kept,
            Core::PurgedUnread => Self::PurgedUnread,
            Core::PurgedRead => Self::PurgedRead,
        }
    }
}
