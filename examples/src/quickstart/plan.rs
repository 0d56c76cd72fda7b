//! Who gets which message, and what happens to which device, decided before anything is sent.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use wardline_org::{TeamId, UserId};

use super::{device::Habit, site::Site};
use crate::hospital::{CriticalResult, CriticalResults};

/// Everything that is going to be sent.
pub(super) struct Plan {
    /// In the order of sending.
    pub(super) messages: Vec<Planned>,
    /// The person who loses a device before the second half is sent.
    loses_a_device: Option<UserId>,
}

/// One message.
pub(super) struct Planned {
    pub(super) result: CriticalResult,
    pub(super) team: TeamId,
    pub(super) members: Vec<UserId>,
}

impl Plan {
    /// Finds the recipients of every result in the directory; brings teams back that have ended.
    ///
    /// # Errors
    /// When nothing at all can be sent.
    pub(super) fn make(site: &mut Site, found: &mut CriticalResults) -> Result<Self> {
        let mut messages = Vec::new();
        for result in std::mem::take(&mut found.results) {
            let team = result.team.parse::<TeamId>().ok();
            let Some(team) = team.and_then(|team| site.team(&team)) else {
                found.pass_over("a critical result whose care team was not imported");
                continue;
            };
            if team.members.is_empty() {
                found.pass_over("a critical result whose care team has no staff");
                continue;
            }
            let members = team.members.iter().map(|member| member.user.clone());
            messages.push(Planned {
                result,
                team: team.team.clone(),
                members: members.collect(),
            });
            if site.bring_back(team)? {
                found.pass_over("a care team that had ended: it was made active, not passed over");
            }
        }
        if messages.is_empty() {
            let reasons: Vec<String> = found
                .passed_over
                .iter()
                .map(|(reason, count)| format!("{count} × {reason}"))
                .collect();
            bail!(
                "nothing can be sent; the folder needs Patient, CareTeam and Observation with \
                 interpretation HH, LL or AA. Passed over: {}",
                reasons.join("; ")
            );
        }
        let mut plan = Self {
            messages,
            loses_a_device: None,
        };
        plan.loses_a_device = plan.most_interesting();
        Ok(plan)
    }

    /// Everybody who gets something, each once.
    pub(super) fn people(&self) -> BTreeSet<UserId> {
        let members = self.messages.iter().flat_map(|message| &message.members);
        members.cloned().collect()
    }

    /// Every team that gets something, each once.
    pub(super) fn teams(&self) -> BTreeSet<TeamId> {
        let teams = self.messages.iter().map(|message| message.team.clone());
        teams.collect()
    }

    /// The message before which a device is revoked.
    pub(super) fn middle(&self) -> usize {
        self.messages.len() / 2
    }

    /// The message before which a device is ended and opened again.
    pub(super) fn restart(&self) -> usize {
        self.messages.len() * 3 / 4
    }

    /// What happens to each device: two for every person, a phone and a tablet.
    pub(super) fn devices(&self) -> Vec<(UserId, &'static str, Habit)> {
        let mut restarted = false;
        let mut devices = Vec::new();
        for person in self.people() {
            let loses = self.loses_a_device.as_ref() == Some(&person);
            for label in [PHONE, TABLET] {
                let habit = match (loses, label) {
                    (true, TABLET) => Habit::Revoked,
                    (true, _) => Habit::Online,
                    (false, _) if !std::mem::replace(&mut restarted, true) => Habit::Restarted,
                    // Five, so that it meets phones and tablets in turn.
                    (false, _) => match devices.len() % 5 {
                        1 => Habit::Offline,
                        3 => Habit::Locked,
                        _ => Habit::Online,
                    },
                };
                devices.push((person.clone(), label, habit));
            }
        }
        devices
    }

    /// Whether a device is to get the message of this number.
    pub(super) fn expects(&self, user: &UserId, habit: Habit, number: usize) -> bool {
        let message = self.messages.get(number);
        message.is_some_and(|message| message.members.contains(user))
            && (habit != Habit::Revoked || number < self.middle())
    }

    /// Whoever gets the most in the half that has less, so that a revocation makes a difference.
    fn most_interesting(&self) -> Option<UserId> {
        let (before, after) = self.messages.split_at(self.middle());
        let count = |half: &[Planned], person: &UserId| {
            let got = half
                .iter()
                .filter(|message| message.members.contains(person));
            got.count()
        };
        let counted = self.people().into_iter().map(|person| {
            let less = count(before, &person).min(count(after, &person));
            (less, person)
        });
        let (less, person) = counted.max_by_key(|(less, _)| *less)?;
        (less > 0).then_some(person)
    }
}

const PHONE: &str = "phone";
const TABLET: &str = "tablet";
