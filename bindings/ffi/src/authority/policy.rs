//! What an organization allows and demands.
//!
//! Rules that this version does not know stay as they are when another policy is put in force. Obeying the rules
//! is the devices' concern.

use wardline_org::policy;

use super::Authority;
use crate::{error::WardlineError, ids::parse};

/// The rules of a policy.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PolicyRules {
    /// Longest text of one message, in bytes of UTF-8; 1 to 1,048,576.
    pub max_text_bytes: u32,
    /// How often a device asks for a newer head while it is in use; 5 seconds to an hour.
    pub head_refresh_seconds: u32,
    /// How long after a head's expiry a device may still seal for what that head says; up to 30 days.
    pub offline_limit_seconds: u32,
    /// For how long after sending an undelivered message may be sealed again; up to 30 days.
    pub reseal_window_seconds: u32,
    /// For how long after sending a message may be taken back by its author; 0: never; up to 30 days.
    pub recall_window_seconds: u32,
    /// For how long after sending a message may be corrected by its author; 0: never; up to 30 days.
    pub amend_window_seconds: u32,
    /// How often a device gives notice again of a stat message that nobody has accepted; 0: never. Otherwise 10
    /// seconds to an hour.
    pub stat_repeat_seconds: u32,
    /// For how long any message may be read, from when it was written; 0: for as long as its author says. Otherwise a
    /// minute to ten years. Devices end every message by it that comes to them while it is in force.
    pub max_lifetime_seconds: u32,
    /// For how long a message may be read whose author says nothing; 0: for as long as it is kept. Otherwise a minute to
    /// ten years.
    pub default_lifetime_seconds: u32,
    /// To whom messages may be handed on.
    pub forwarding: Forwarding,
    /// Whose messages are kept, whatever is over or taken back.
    pub legal_hold: LegalHold,
    /// How many identifiers of a patient a stat message must carry; two tell patients apart. At most 8.
    pub stat_patient_identifiers: u32,
    /// Codes of the staff roles whose holders may send stat messages; none: everybody may. At most 64. From
    /// others they count as urgent.
    pub stat_roles: Vec<String>,
    /// What a notification may say where anybody can see it.
    pub lock_screen: LockScreen,
}

/// To whom messages may be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Forwarding {
    /// To anybody in the organization. Every forward is in the audit of the device that makes it.
    Allowed,
    /// What was written to a care team, to that team and to the people on it; nothing else.
    SameTeam,
    /// To nobody.
    Never,
}

/// Whose messages no device destroys while the policy says so. They are hidden all the same when they are over or taken
/// back. The relay and every device of the organization can read who is named here.
#[derive(Debug, Clone, PartialEq, Eq, Default, uniffi::Record)]
pub struct LegalHold {
    /// Everybody's.
    #[uniffi(default = false)]
    pub everybody: bool,
    /// What these people wrote, and everything on their devices and in direct conversations with them. At most 1000.
    #[uniffi(default = [])]
    pub people: Vec<String>,
    /// What was written to these care teams. At most 1000.
    #[uniffi(default = [])]
    pub teams: Vec<String>,
}

/// What a notification may say where anybody can see it. Never a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LockScreen {
    /// That there is a message, and how urgent it is.
    Tier,
    /// Also who wrote it.
    Sender,
}

#[uniffi::export]
impl Authority {
    /// The rules that are, or with the next head come, in force.
    pub async fn policy(&self) -> Result<PolicyRules, WardlineError> {
        self.with(|authority, _| {
            let policy = authority.policy();
            Ok(PolicyRules {
                max_text_bytes: policy.max_text_bytes,
                head_refresh_seconds: policy.head_refresh_seconds,
                offline_limit_seconds: policy.offline_limit_seconds,
                reseal_window_seconds: policy.reseal_window_seconds,
                recall_window_seconds: policy.recall_window_seconds,
                amend_window_seconds: policy.amend_window_seconds,
                stat_repeat_seconds: policy.stat_repeat_seconds,
                max_lifetime_seconds: policy.max_lifetime_seconds,
                default_lifetime_seconds: policy.default_lifetime_seconds,
                forwarding: match policy.forwarding {
                    policy::Forwarding::Allowed => Forwarding::Allowed,
                    policy::Forwarding::SameTeam => Forwarding::SameTeam,
                    policy::Forwarding::Never => Forwarding::Never,
                },
                legal_hold: LegalHold::from(&policy.legal_hold),
                stat_patient_identifiers: policy.stat_patient_identifiers,
                stat_roles: policy.stat_roles.clone(),
                lock_screen: match policy.lock_screen {
                    policy::LockScreen::Tier => LockScreen::Tier,
                    policy::LockScreen::Sender => LockScreen::Sender,
                },
            })
        })
        .await
    }

    /// Puts other rules in force with the next head; answers the version of the policy that has them.
    pub async fn set_policy(&self, rules: PolicyRules) -> Result<u64, WardlineError> {
        let legal_hold = rules.legal_hold.try_into()?;
        self.with(move |authority, _| {
            let mut policy = authority.policy().clone();
            policy.version = policy.version.saturating_add(1);
            policy.max_text_bytes = rules.max_text_bytes;
            policy.head_refresh_seconds = rules.head_refresh_seconds;
            policy.offline_limit_seconds = rules.offline_limit_seconds;
            policy.reseal_window_seconds = rules.reseal_window_seconds;
            policy.recall_window_seconds = rules.recall_window_seconds;
            policy.amend_window_seconds = rules.amend_window_seconds;
            policy.stat_repeat_seconds = rules.stat_repeat_seconds;
            policy.max_lifetime_seconds = rules.max_lifetime_seconds;
            policy.default_lifetime_seconds = rules.default_lifetime_seconds;
            policy.forwarding = match rules.forwarding {
                Forwarding::Allowed => policy::Forwarding::Allowed,
                Forwarding::SameTeam => policy::Forwarding::SameTeam,
                Forwarding::Never => policy::Forwarding::Never,
            };
            policy.legal_hold = legal_hold;
            policy.stat_patient_identifiers = rules.stat_patient_identifiers;
            policy.stat_roles = rules.stat_roles;
            policy.lock_screen = match rules.lock_screen {
                LockScreen::Tier => policy::LockScreen::Tier,
                LockScreen::Sender => policy::LockScreen::Sender,
            };
            authority.set_policy(&policy)?;
            Ok(policy.version)
        })
        .await
    }
}

impl TryFrom<LegalHold> for policy::LegalHold {
    type Error = WardlineError;

    fn try_from(hold: LegalHold) -> Result<Self, WardlineError> {
        let people = hold.people.iter().map(|user| parse("people", user));
        let teams = hold.teams.iter().map(|team| parse("teams", team));
        Ok(Self {
            everybody: hold.everybody,
            people: people.collect::<Result<_, _>>()?,
            teams: teams.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&policy::LegalHold> for LegalHold {
    fn from(hold: &policy::LegalHold) -> Self {
        Self {
            everybody: hold.everybody,
            people: hold.people.iter().map(ToString::to_string).collect(),
            teams: hold.teams.iter().map(ToString::to_string).collect(),
        }
    }
}
