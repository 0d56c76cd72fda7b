//! What each person does with a message: the plan, as the app on a phone meets it.
//!
//! In a hospital a person decides. Here the decision was made before, so that the run can say afterwards whether
//! everything became true.

use std::collections::HashMap;

use wardline_org::UserId;

use super::plan::{Fate, Plan};

/// What to do with a message that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Read it back: "I have it".
    Accept,
    /// Say "not me".
    Decline,
    /// Nothing.
    None,
}

/// Everybody's part.
pub(super) struct Script {
    parts: HashMap<(UserId, String), Reaction>,
}

impl Script {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut parts = HashMap::new();
        for (number, message) in plan.messages.iter().enumerate() {
            let rota = plan.rota(number);
            let mut part = |user: &UserId, reaction| {
                parts.insert((user.clone(), message.finding.text.clone()), reaction);
            };
            let holder = rota.holder(plan.shift(number));
            match message.fate {
                Fate::Accepted | Fate::Expired => part(holder, Reaction::Accept),
                Fate::Declined => {
                    part(holder, Reaction::Decline);
                    part(&rota.stands_in, Reaction::Accept);
                }
                Fate::Unanswered => part(&rota.stands_in, Reaction::Accept),
                Fate::HandedOver => part(&rota.second, Reaction::Accept),
                Fate::Recalled => {}
            }
        }
        Self { parts }
    }

    /// What a person does with a text.
    pub(super) fn reaction(&self, user: &UserId, text: &str) -> Reaction {
        let part = self.parts.get(&(user.clone(), text.to_owned()));
        part.copied().unwrap_or(Reaction::None)
    }

    /// How many answers are given in the end.
    pub(super) fn answers(&self) -> usize {
        let parts = self.parts.values();
        parts.filter(|part| **part != Reaction::None).count()
    }
}
