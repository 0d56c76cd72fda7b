//! Short texts that a message offers, and who has answered with which.

/// Somebody's reply with one of the texts that a message offers.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Choice {
    /// Who chose.
    pub user: String,
    /// The place of the offer, from 0.
    pub index: u32,
    /// When, by the clock of their device, in milliseconds since 1970.
    pub at_ms: i64,
    /// The reply's reference.
    pub reply: String,
    /// Whether it is the person's last one.
    pub stands: bool,
    /// Whether they had read another text than the one that stands: the message was corrected since.
    pub outdated: bool,
}

/// Shows which, nothing of what was written and by whom.
impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Choice")
            .field("index", &self.index)
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}

impl From<wardline::Choice> for Choice {
    fn from(choice: wardline::Choice) -> Self {
        Self {
            user: choice.user.to_string(),
            index: choice.index,
            at_ms: choice.at.as_millis(),
            reply: choice.reply.to_string(),
            stands: choice.stands,
            outdated: choice.outdated,
        }
    }
}
