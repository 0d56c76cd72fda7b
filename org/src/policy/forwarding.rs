//! The rule on forwarding: to whom a message may be handed on.

use serde::{Deserialize, Serialize};

/// To whom a message may be forwarded. What anybody retells is outside of any rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Forwarding {
    /// To anybody in the organization. Every forward is in the audit of the device that makes it.
    #[default]
    Allowed,
    /// What was written to a care team, to that team and to the people on it; nothing else.
    SameTeam,
    /// To nobody. Also what a word means that this build does not know.
    Never,
}

impl Forwarding {
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::Allowed
    }
}

/// Fails closed: whatever is not one of the words, in a later version's policy say, forbids.
impl<'de> Deserialize<'de> for Forwarding {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = serde_json::Value::deserialize(deserializer)?;
        Ok(match said.as_str() {
            Some("allowed") => Self::Allowed,
            Some("same_team") => Self::SameTeam,
            _ => Self::Never,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn a_word_that_is_unknown_forbids_and_a_policy_without_the_rule_stays_as_it_was() {
        let read = |rule: &str| -> Policy {
            let policy = format!(r#"{{"organization": "mercy", "version": 1{rule}}}"#);
            serde_json::from_str(&policy).unwrap()
        };
        let silent = read("");
        assert_eq!(silent.forwarding, Forwarding::Allowed);
        let json = serde_json::to_string(&silent).unwrap();
        assert!(!json.contains("forwarding"), "an older policy's note stays");
        for unknown in ["\"Allowed\"", "\"\"", "null", "true", "[\"allowed\"]"] {
            let policy = read(&format!(r#", "forwarding": {unknown}"#));
            assert_eq!(policy.forwarding, Forwarding::Never, "{unknown}");
        }
        for rule in [Forwarding::SameTeam, Forwarding::Never] {
            let mut policy = silent.clone();
            policy.forwarding = rule;
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
        }
    }
}
