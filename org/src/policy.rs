//! The policy: what an organization allows and demands, as JSON in a signed note.
//!
//! This module reads and signs it and keeps rules it does not know; obeying the rules is the concern of
//! whoever acts on them. The head names the policy in force by its hash.

mod forwarding;
mod hold;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{forwarding::Forwarding, hold::LegalHold};

use crate::{
    hash::Hash,
    id::OrgId,
    note::{Note, NoteError},
    person::StaffRole,
    root::{Purpose, Root, note_key},
    signer::Signer,
};

/// What an organization allows and demands. Rules that this build does not know are kept.
///
/// ```
/// use wardline_org::policy::Policy;
///
/// let policy = Policy::new("mercy".parse()?);
/// assert_eq!(policy.max_text_bytes, 65_536);
/// assert_eq!(policy.offline_limit().as_secs(), 24 * 60 * 60);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The organization.
    pub organization: OrgId,
    /// 1 for the first; each later one is higher.
    pub version: u64,
    /// Longest text of one message, in bytes of UTF-8.
    #[serde(default = "default::max_text_bytes")]
    pub max_text_bytes: u32,
    /// How often a device asks for a newer head while it is in use.
    #[serde(default = "default::head_refresh_seconds")]
    pub head_refresh_seconds: u32,
    /// How long after a head's expiry a device may still seal for what that head says.
    #[serde(default = "default::offline_limit_seconds")]
    pub offline_limit_seconds: u32,
    /// For how long after sending an undelivered message may be sealed again for a recipient.
    #[serde(default = "default::reseal_window_seconds")]
    pub reseal_window_seconds: u32,
    /// For how long after sending a message may be taken back by its author; 0: never.
    #[serde(
        default = "default::recall_window_seconds",
        skip_serializing_if = "default::is_recall_window"
    )]
    pub recall_window_seconds: u32,
    /// How many identifiers of a patient a stat message must carry; two tell patients apart. At most 8.
    #[serde(default, skip_serializing_if = "default::is_zero")]
    pub stat_patient_identifiers: u32,
    /// Codes of the staff roles whose holders may send stat messages; empty: everybody. At most 64. From others
    /// they count as urgent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stat_roles: Vec<String>,
    /// What a notification may say where anybody can see it. Not written where it is the least, so that a
    /// policy from before there was this rule is written as it was.
    #[serde(default, skip_serializing_if = "LockScreen::is_least")]
    pub lock_screen: LockScreen,
    /// For how long after sending a message may be corrected by its author; 0: never. What it said before stays
    /// readable.
    #[serde(
        default = "default::amend_window_seconds",
        skip_serializing_if = "default::is_amend_window"
    )]
    pub amend_window_seconds: u32,
    /// How often a device gives notice again of a stat message that nobody has accepted; 0: never. Otherwise 10 seconds
    /// to an hour.
    #[serde(
        default = "default::stat_repeat_seconds",
        skip_serializing_if = "default::is_stat_repeat"
    )]
    pub stat_repeat_seconds: u32,
    /// For how long any message may be read, from when it was written; 0: for as long as its author says. Otherwise a
    /// minute to ten years. Devices end every message by it that comes to them while it is in force.
    #[serde(default, skip_serializing_if = "default::is_zero")]
    pub max_lifetime_seconds: u32,
    /// For how long a message may be read whose author says nothing; 0: for as long as it is kept. Otherwise a minute to
    /// ten years.
    #[serde(default, skip_serializing_if = "default::is_zero")]
    pub default_lifetime_seconds: u32,
    /// To whom a message may be forwarded.
    #[serde(default, skip_serializing_if = "Forwarding::is_default")]
    pub forwarding: Forwarding,
    /// Whose messages are kept, whatever is over or taken back.
    #[serde(default, skip_serializing_if = "LegalHold::is_empty")]
    pub legal_hold: LegalHold,
    /// Rules of a later version.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

impl Policy {
    /// Version 1 with every rule at its default.
    pub fn new(organization: OrgId) -> Self {
        Self {
            organization,
            version: 1,
            max_text_bytes: default::max_text_bytes(),
            head_refresh_seconds: default::head_refresh_seconds(),
            offline_limit_seconds: default::offline_limit_seconds(),
            reseal_window_seconds: default::reseal_window_seconds(),
            recall_window_seconds: default::recall_window_seconds(),
            stat_patient_identifiers: 0,
            stat_roles: Vec::new(),
            lock_screen: LockScreen::default(),
            amend_window_seconds: default::amend_window_seconds(),
            stat_repeat_seconds: default::stat_repeat_seconds(),
            max_lifetime_seconds: 0,
            default_lifetime_seconds: 0,
            forwarding: Forwarding::default(),
            legal_hold: LegalHold::default(),
            other: serde_json::Map::new(),
        }
    }

    /// How often a device asks for a newer head.
    pub fn head_refresh(&self) -> Duration {
        Duration::from_secs(self.head_refresh_seconds.into())
    }

    /// How long after a head's expiry a device may still seal.
    pub fn offline_limit(&self) -> Duration {
        Duration::from_secs(self.offline_limit_seconds.into())
    }

    /// For how long after sending a message may be sealed again.
    pub fn reseal_window(&self) -> Duration {
        Duration::from_secs(self.reseal_window_seconds.into())
    }

    /// For how long after sending a message may be taken back.
    pub fn recall_window(&self) -> Duration {
        Duration::from_secs(self.recall_window_seconds.into())
    }

    /// For how long after sending a message may be corrected.
    pub fn amend_window(&self) -> Duration {
        Duration::from_secs(self.amend_window_seconds.into())
    }
    /// How often a device gives notice again of a stat message that nobody has accepted; `None`: never.
    pub fn stat_repeat(&self) -> Option<Duration> {
        (self.stat_repeat_seconds != 0)
            .then(|| Duration::from_secs(self.stat_repeat_seconds.into()))
    }

    /// For how long any message may be read; `None`: for as long as its author says.
    pub fn max_lifetime(&self) -> Option<Duration> {
        lifetime(self.max_lifetime_seconds)
    }

    /// For how long a message may be read whose author says nothing; `None`: for as long as it is kept.
    pub fn default_lifetime(&self) -> Option<Duration> {
        lifetime(self.default_lifetime_seconds)
    }

    /// Whether somebody with these staff roles may send stat messages.
    pub fn allows_stat(&self, roles: &[StaffRole]) -> bool {
        self.stat_roles.is_empty()
            || roles
                .iter()
                .any(|role| self.stat_roles.contains(&role.code))
    }

    fn check(&self) -> Result<(), PolicyError> {
        let in_range = |rule: &'static str, value: u32, least: u32, most: u32| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(PolicyError::Range(rule))
            }
        };
        if self.version == 0 {
            return Err(PolicyError::Range("version"));
        }
        in_range("max_text_bytes", self.max_text_bytes, 1, MAX_TEXT)?;
        in_range("head_refresh_seconds", self.head_refresh_seconds, 5, HOUR)?;
        in_range(
            "offline_limit_seconds",
            self.offline_limit_seconds,
            0,
            30 * DAY,
        )?;
        in_range(
            "reseal_window_seconds",
            self.reseal_window_seconds,
            0,
            30 * DAY,
        )?;
        in_range(
            "recall_window_seconds",
            self.recall_window_seconds,
            0,
            30 * DAY,
        )?;
        in_range(
            "amend_window_seconds",
            self.amend_window_seconds,
            0,
            30 * DAY,
        )?;
        if self.stat_repeat_seconds != 0 {
            let repeat = self.stat_repeat_seconds;
            in_range("stat_repeat_seconds", repeat, LEAST_REPEAT, HOUR)?;
        }
        for (rule, seconds) in [
            ("max_lifetime_seconds", self.max_lifetime_seconds),
            ("default_lifetime_seconds", self.default_lifetime_seconds),
        ] {
            if seconds != 0 {
                in_range(rule, seconds, LEAST_LIFETIME, MAX_LIFETIME)?;
            }
        }
        let held = u32::try_from(self.legal_hold.names()).unwrap_or(u32::MAX);
        in_range("legal_hold", held, 0, MAX_HELD)?;
        let roles = u32::try_from(self.stat_roles.len()).unwrap_or(u32::MAX);
        in_range("stat_roles", roles, 0, MAX_ROLES)?;
        in_range(
            "stat_patient_identifiers",
            self.stat_patient_identifiers,
            0,
            MAX_IDENTIFIERS,
        )
    }
}

fn lifetime(seconds: u32) -> Option<Duration> {
    (seconds != 0).then(|| Duration::from_secs(seconds.into()))
}

/// What a notification may say where anybody can see it. Never a text, whatever the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LockScreen {
    /// That there is a message, and how urgent it is. Also what a word means that this build does not know.
    #[default]
    Tier,
    /// Also who wrote it, and which messages are of one conversation.
    Sender,
}

impl LockScreen {
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    fn is_least(&self) -> bool {
        *self == Self::Tier
    }
}

/// Fails closed: whatever is not one of the words, in a later version's policy say, allows the least.
impl<'de> Deserialize<'de> for LockScreen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = serde_json::Value::deserialize(deserializer)?;
        Ok(match said.as_str() {
            Some("sender") => Self::Sender,
            _ => Self::Tier,
        })
    }
}

/// A policy with its signatures, as it is stored and sent. What was read is well formed;
/// [`SignedPolicy::verify`] says whether the organization signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPolicy {
    policy: Policy,
    note: Note,
}

impl SignedPolicy {
    /// Signs a policy.
    pub fn sign(policy: &Policy, signer: &dyn Signer) -> Result<Self, PolicyError> {
        policy.check()?;
        let json = serde_json::to_string_pretty(policy).map_err(|_| PolicyError::Malformed)?;
        let key = note_key(
            &policy.organization,
            Purpose::Policy.as_str(),
            &signer.public_key(),
        )
        .ok_or(PolicyError::Malformed)?;
        Self::new(Note::sign(
            format!("{FIRST_LINE}\n{json}\n"),
            &[(&key, signer)],
        )?)
    }

    fn new(note: Note) -> Result<Self, PolicyError> {
        let json = note
            .text()
            .strip_prefix(FIRST_LINE)
            .ok_or(PolicyError::Malformed)?;
        let policy: Policy = serde_json::from_str(json).map_err(|_| PolicyError::Malformed)?;
        policy.check()?;
        Ok(Self { policy, note })
    }

    /// Whether one of the policy keys of this root document signed it, for its organization.
    pub fn verify(&self, root: &Root) -> Result<(), PolicyError> {
        if self.policy.organization != root.org {
            return Err(PolicyError::OtherOrg);
        }
        self.note.verify(&root.note_keys(Purpose::Policy), 1)?;
        Ok(())
    }

    /// What it says.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// SHA-256 of its text: what a head names.
    pub fn hash(&self) -> Hash {
        self.note.hash()
    }
}

/// The signed note.
impl fmt::Display for SignedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

impl FromStr for SignedPolicy {
    type Err = PolicyError;

    fn from_str(note: &str) -> Result<Self, PolicyError> {
        Self::new(note.parse()?)
    }
}

/// Why a policy is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is not that of a policy.
    #[error("not a policy: make it with `wardline org`")]
    Malformed,
    /// A rule's value is outside of what it may be.
    #[error("the policy's {0} is out of range: see its documentation")]
    Range(&'static str),
    /// It is of another organization.
    #[error("the policy is of another organization: check the relay")]
    OtherOrg,
    /// No policy key of the root document signed it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

const FIRST_LINE: &str = "wardline/v1/policy";
const MAX_TEXT: u32 = 1024 * 1024;
const MAX_ROLES: u32 = 64;
const MAX_HELD: u32 = 1000;
const MAX_IDENTIFIERS: u32 = 8;
/// More often is no alarm any more, only noise.
const LEAST_REPEAT: u32 = 10;
/// Shorter, a whole organization could read nothing in time.
const LEAST_LIFETIME: u32 = 60;
const MAX_LIFETIME: u32 = 10 * 365 * DAY;
const HOUR: u32 = 60 * 60;
const DAY: u32 = 24 * HOUR;

mod default {
    use super::{DAY, HOUR};

    pub(super) fn max_text_bytes() -> u32 {
        64 * 1024
    }

    pub(super) fn head_refresh_seconds() -> u32 {
        HOUR / 60
    }

    pub(super) fn offline_limit_seconds() -> u32 {
        DAY
    }

    pub(super) fn reseal_window_seconds() -> u32 {
        7 * DAY
    }

    pub(super) fn recall_window_seconds() -> u32 {
        DAY
    }

    pub(super) fn stat_repeat_seconds() -> u32 {
        60
    }

    // Rules that came later are left out where they say nothing new: the note of an older policy stays as it is.
    pub(super) fn is_recall_window(seconds: &u32) -> bool {
        *seconds == recall_window_seconds()
    }

    pub(super) fn amend_window_seconds() -> u32 {
        7 * DAY
    }

    pub(super) fn is_amend_window(seconds: &u32) -> bool {
        *seconds == amend_window_seconds()
    }
    pub(super) fn is_stat_repeat(seconds: &u32) -> bool {
        *seconds == stat_repeat_seconds()
    }

    pub(super) fn is_zero(number: &u32) -> bool {
        *number == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn lock_screen(rule: &str) -> LockScreen {
        let policy = format!(r#"{{"organization": "mercy", "version": 1{rule}}}"#);
        let policy: Policy = serde_json::from_str(&policy).unwrap();
        policy.lock_screen
    }

    #[test]
    fn a_lock_screen_rule_that_is_missing_or_unknown_allows_the_least() {
        for rule in [
            "",
            r#", "lock_screen": "tier""#,
            r#", "lock_screen": "text""#,
            r#", "lock_screen": "Sender""#,
            r#", "lock_screen": """#,
            r#", "lock_screen": null"#,
            r#", "lock_screen": true"#,
            r#", "lock_screen": ["sender"]"#,
            r#", "lock_screen": {"stat": "sender"}"#,
        ] {
            assert_eq!(lock_screen(rule), LockScreen::Tier, "{rule}");
        }
        assert_eq!(
            lock_screen(r#", "lock_screen": "sender""#),
            LockScreen::Sender
        );
    }

    #[test]
    fn a_lock_screen_rule_is_read_back_as_it_was_written() {
        for rule in [LockScreen::Tier, LockScreen::Sender] {
            let policy = Policy {
                lock_screen: rule,
                ..Policy::new("mercy".parse().unwrap())
            };
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
        }
    }

    #[test]
    fn stat_messages_repeat_every_minute_unless_the_policy_says_otherwise() {
        let mut policy = Policy::new("mercy".parse().unwrap());
        assert_eq!(policy.stat_repeat(), Some(Duration::from_secs(60)));
        let json = serde_json::to_string(&policy).unwrap();
        assert!(
            !json.contains("stat_repeat"),
            "an older policy's note stays"
        );
        for (seconds, fine) in [
            (0, true),
            (9, false),
            (10, true),
            (3600, true),
            (3601, false),
        ] {
            policy.stat_repeat_seconds = seconds;
            assert_eq!(policy.check().is_ok(), fine, "{seconds}");
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
        }
        policy.stat_repeat_seconds = 0;
        assert_eq!(policy.stat_repeat(), None);
    }
}
