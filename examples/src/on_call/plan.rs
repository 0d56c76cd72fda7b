//! Who gets which result, what becomes of it, and what happens to which device, decided before anything is sent.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use wardline_org::UserId;

use super::results::{Finding, Findings};
use super::{
    device::Habit,
    rota::{Rota, Shift},
    site::Site,
};

/// Everything that is going to be sent.
pub(super) struct Plan {
    /// In the order of sending.
    pub(super) messages: Vec<Planned>,
    /// One for each department.
    pub(super) rotas: Vec<Rota>,
    /// The person who loses a device when the shift changes.
    loses_a_device: Option<UserId>,
}

/// One message.
pub(super) struct Planned {
    pub(super) finding: Finding,
    /// The place of its department's rota.
    pub(super) rota: usize,
    pub(super) fate: Fate,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fate {
    /// Whoever is on call reads it back.
    Accepted,
    /// Whoever is on call has their hands full, and says so: the stand-in gets it at once.
    Declined,
    /// Whoever is on call does not answer: the stand-in gets it when the time is up.
    Unanswered,
    /// It is about another patient: the laboratory takes it back.
    Recalled,
    /// It is preliminary: accepted, and gone after its time.
    Expired,
    /// It is still open when the shift changes: handed over, and accepted by whoever comes.
    HandedOver,
}

impl Fate {
    /// The fate of the message of a number: most are accepted.
    fn of(number: usize) -> Self {
        match number % 10 {
            1 => Self::Declined,
            2 => Self::Unanswered,
            4 => Self::Expired,
            7 => Self::Recalled,
            _ => Self::Accepted,
        }
    }

    /// Whether the stand-in is given it.
    pub(super) fn escalates(self) -> bool {
        matches!(self, Self::Declined | Self::Unanswered)
    }

    /// Whether nothing is left of it in the end.
    pub(super) fn is_gone(self) -> bool {
        matches!(self, Self::Recalled | Self::Expired)
    }
}

impl Plan {
    /// Finds the department of every result in the directory, and people for its lines.
    ///
    /// # Errors
    /// When nothing at all can be sent.
    pub(super) fn make(site: &Site, found: &mut Findings) -> Result<Self> {
        let mut rotas: Vec<Rota> = Vec::new();
        let mut places: BTreeMap<String, Option<usize>> = BTreeMap::new();
        let mut messages = Vec::new();
        for finding in std::mem::take(&mut found.results) {
            let place = match places.get(&finding.department) {
                Some(place) => *place,
                None => {
                    let rota = Rota::of(site, &finding.department, rotas.len() + 1)?;
                    let place = rota.is_some().then_some(rotas.len());
                    rotas.extend(rota);
                    places.insert(finding.department.clone(), place);
                    place
                }
            };
            let Some(rota) = place else {
                found.pass_over("a critical result whose department has fewer than four people");
                continue;
            };
            messages.push(Planned {
                fate: Fate::of(messages.len()),
                finding,
                rota,
            });
        }
        if messages.is_empty() {
            let reasons: Vec<String> = found
                .passed_over
                .iter()
                .map(|(reason, count)| format!("{count} × {reason}"))
                .collect();
            bail!(
                "nothing can be sent; the folder needs Practitioner, PractitionerRole, Organization, Patient, \
                 Encounter with a serviceProvider, and Observation with interpretation HH, LL or AA. Passed \
                 over: {}",
                reasons.join("; ")
            );
        }
        let mut plan = Self {
            messages,
            rotas,
            loses_a_device: None,
        };
        let middle = plan.middle();
        for last in plan.messages[..middle].iter_mut().rev().take(LEFT_OPEN) {
            last.fate = Fate::HandedOver;
        }
        plan.loses_a_device = plan.busiest_charge();
        Ok(plan)
    }

    /// Everybody who is on a line, each once.
    pub(super) fn people(&self) -> BTreeSet<UserId> {
        self.rotas.iter().flat_map(Rota::people).collect()
    }

    /// The rota that a message goes by.
    pub(super) fn rota(&self, number: usize) -> &Rota {
        &self.rotas[self.messages[number].rota]
    }

    /// The message before which the shift changes and a device is revoked.
    pub(super) fn middle(&self) -> usize {
        self.messages.len() / 2
    }

    /// The message before which a device is ended and opened again.
    pub(super) fn restart(&self) -> usize {
        self.messages.len() * 3 / 4
    }

    /// In which half a message is sent.
    pub(super) fn shift(&self, number: usize) -> Shift {
        if number < self.middle() {
            Shift::First
        } else {
            Shift::Second
        }
    }

    /// What happens to each device: two for every person, a phone that answers and a tablet.
    pub(super) fn devices(&self) -> Vec<(UserId, &'static str, Habit)> {
        let mut habits = [Habit::Restarted, Habit::Offline, Habit::Locked]
            .into_iter()
            .chain(
                [Habit::Offline, Habit::Locked, Habit::Online]
                    .into_iter()
                    .cycle(),
            );
        let mut devices = Vec::new();
        for person in self.people() {
            let loses = self.loses_a_device.as_ref() == Some(&person);
            let tablet = if loses {
                Habit::Revoked
            } else {
                habits.next().unwrap_or(Habit::Online)
            };
            devices.push((person.clone(), PHONE, Habit::Online));
            devices.push((person, TABLET, tablet));
        }
        devices
    }

    /// Whether a person is told of a message at once: who has the line, and who keeps it.
    pub(super) fn tells(&self, user: &UserId, number: usize) -> bool {
        let rota = self.rota(number);
        rota.holder(self.shift(number)) == user || rota.charge == *user
    }

    /// Whether a person is to get a message at all, on a device of this habit.
    pub(super) fn expects(&self, user: &UserId, habit: Habit, number: usize) -> bool {
        let rota = self.rota(number);
        let fate = self.messages[number].fate;
        let later = (fate.escalates() && rota.stands_in == *user)
            || (fate == Fate::HandedOver && rota.second == *user);
        (self.tells(user, number) || later) && (habit != Habit::Revoked || number < self.middle())
    }

    /// Whether a person may have been given a message besides: it was still open when the shift changed, or when its
    /// time was up, which depends on how fast everybody was.
    pub(super) fn allows(&self, user: &UserId, number: usize) -> bool {
        let rota = self.rota(number);
        let open_at_the_change = self.shift(number) == Shift::First && rota.second == *user;
        let handed_over_late =
            self.messages[number].fate == Fate::HandedOver && rota.stands_in == *user;
        open_at_the_change || handed_over_late
    }

    /// The messages that a device has in the end.
    pub(super) fn remains_for(&self, user: &UserId, habit: Habit) -> impl Iterator<Item = usize> {
        let expected =
            (0..self.messages.len()).filter(move |number| self.expects(user, habit, *number));
        expected.filter(|number| !self.messages[*number].fate.is_gone())
    }

    /// The messages of a fate.
    pub(super) fn of(&self, fate: Fate) -> impl Iterator<Item = usize> {
        (0..self.messages.len()).filter(move |number| self.messages[*number].fate == fate)
    }

    /// Whoever keeps the lines of the department with the most results in the half that has fewer, so that a
    /// revocation makes a difference.
    fn busiest_charge(&self) -> Option<UserId> {
        let (before, after) = self.messages.split_at(self.middle());
        let count = |half: &[Planned], place| half.iter().filter(|m| m.rota == place).count();
        let counted = (0..self.rotas.len())
            .map(|place| (count(before, place).min(count(after, place)), place));
        let (fewer, place) = counted.max_by_key(|(fewer, _)| *fewer)?;
        (fewer > 0).then(|| self.rotas[place].charge.clone())
    }
}

pub(super) const PHONE: &str = "phone";
const TABLET: &str = "tablet";
/// Messages that are open when the shift changes.
const LEFT_OPEN: usize = 1;
