//! What a role line of the directory says: who is reached through it, and who speaks for it.
//!
//! Whoever holds the role when a message is sealed gets it; so does the custodian, so that it is with somebody when
//! the holder changes meanwhile. Whoever says something to the caller must have held the role when it was written.
//!
//! Not its concern: fetching and proving the line (`directory`), and asking for it (`engine::roles`).

use std::time::Duration;

use wardline_org::{RoleId, Timestamp, UserId, team::RoleLine};

/// Who is reached through a role, and until when that is so.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleStatus {
    /// The role.
    pub role: RoleId,
    /// What the organization calls it.
    pub display_name: String,
    /// Who holds it now, each once; nobody, one, or several when turns overlap.
    pub holders: Vec<RoleHolder>,
    /// When somebody else holds it, as far as is planned.
    pub next_change: Option<Timestamp>,
    /// Who gets its messages as well, keeps them while nobody holds it, and hands open ones on.
    pub custodian: Option<UserId>,
    /// Whether the directory confirmed it within the policy's refresh time; otherwise it is what was last known.
    pub current: bool,
}

/// Somebody who holds a role now.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleHolder {
    /// The person.
    pub user: UserId,
    /// Their name; empty when the directory does not know them.
    pub display_name: String,
    /// Whether they have a device that could receive.
    pub reachable: bool,
    /// When their turn ends.
    pub until: Timestamp,
}

/// Shows no name.
impl std::fmt::Debug for RoleStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleStatus")
            .field("role", &self.role)
            .field("holders", &self.holders)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// Shows no name.
impl std::fmt::Debug for RoleHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleHolder")
            .field("user", &self.user)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// A message in a conversation with a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InRole {
    /// The role it was sent to, or in whose name it was written.
    pub role: RoleId,
    /// As what its sender speaks for the role; `None`: they are the caller, who writes to it.
    pub speaks: Option<RoleSpeaker>,
    /// Who passed it on to this person, as the role's custodian or when they left; `None`: it came from its sender.
    pub passed_by: Option<UserId>,
    /// This person has handed it over to whoever holds the role since: it is no more theirs to answer.
    pub handed_over: bool,
}

/// What lets somebody speak for a role. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum RoleSpeaker {
    /// They held it.
    Holder = 1,
    /// They are its custodian.
    Custodian = 2,
    /// They say that they wrote when they held it; when it came, they held it no more.
    FormerHolder = 3,
}

impl RoleSpeaker {
    /// Out of the store.
    pub(crate) fn from_stored(value: i64) -> Option<Self> {
        [Self::Holder, Self::Custodian, Self::FormerHolder]
            .into_iter()
            .find(|speaker| *speaker as i64 == value)
    }
}

/// Whom a message to a role goes to at `now`: who holds it, then its custodian, each once.
pub(crate) fn reached(line: &RoleLine, now: Timestamp) -> Vec<UserId> {
    let mut people: Vec<UserId> = Vec::new();
    for user in line.holders(now).chain(&line.custodian) {
        if !people.contains(user) {
            people.push(user.clone());
        }
    }
    people
}

/// Who holds a role at `now`, each once, and until when.
pub(crate) fn holding(line: &RoleLine, now: Timestamp) -> Vec<(UserId, Timestamp)> {
    let mut holding: Vec<(UserId, Timestamp)> = Vec::new();
    for turn in &line.assignments {
        if now < turn.from || turn.until <= now {
            continue;
        }
        match holding.iter_mut().find(|(user, _)| *user == turn.user) {
            Some((_, until)) => *until = turn.until.max(*until),
            None => holding.push((turn.user.clone(), turn.until)),
        }
    }
    holding
}

/// Who holds a role next after `now`, within a day: those whose turn begins first.
pub(crate) fn next_holders(line: &RoleLine, now: Timestamp) -> Vec<UserId> {
    let later = line.assignments.iter();
    let later = later.filter(|turn| turn.from > now && turn.from <= now + SOON);
    let first = later.clone().map(|turn| turn.from).min();
    let mut people: Vec<UserId> = Vec::new();
    for turn in later {
        if Some(turn.from) == first && !people.contains(&turn.user) {
            people.push(turn.user.clone());
        }
    }
    people
}

/// Everybody whom the line names around a time: who holds it, held it a short while ago or holds it soon, and its
/// custodian.
pub(crate) fn named_around(line: &RoleLine, at: Timestamp) -> Vec<UserId> {
    let turns = line.assignments.iter();
    let turns = turns.filter(|turn| turn.from <= at + SOON && at < turn.until + GRACE);
    let mut people: Vec<UserId> = Vec::new();
    for user in turns.map(|turn| &turn.user).chain(&line.custodian) {
        if !people.contains(user) {
            people.push(user.clone());
        }
    }
    people
}

/// When a turn begins or ends next after `now`.
pub(crate) fn next_change(line: &RoleLine, now: Timestamp) -> Option<Timestamp> {
    let ends = line
        .assignments
        .iter()
        .flat_map(|turn| [turn.from, turn.until]);
    ends.filter(|at| *at > now).min()
}

/// As what a person speaks for a role in something written at `written`, which came to the relay at `came`; `None`
/// when they may not. Clocks differ and a sentence outlasts a turn, so there is some grace on either side; what was
/// written in time may come as late as a message may be sealed again.
pub(crate) fn speaker(
    line: &RoleLine,
    user: &UserId,
    written: Timestamp,
    came: Timestamp,
    latest: Duration,
) -> Option<RoleSpeaker> {
    let turns = || line.assignments.iter().filter(|turn| turn.user == *user);
    let in_time = |turn: &&wardline_org::team::Assignment| {
        turn.from <= written + GRACE && written < turn.until + GRACE && came < turn.until + latest
    };
    if turns()
        .filter(in_time)
        .any(|turn| came < turn.until + GRACE)
    {
        Some(RoleSpeaker::Holder)
    } else if line.custodian.as_ref() == Some(user) {
        Some(RoleSpeaker::Custodian)
    } else {
        turns()
            .any(|turn| in_time(&turn))
            .then_some(RoleSpeaker::FormerHolder)
    }
}

const GRACE: Duration = Duration::from_secs(15 * 60);
/// Nothing is handed over to whoever holds it in a week.
const SOON: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use wardline_org::team::Assignment;

    use super::*;

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn line(turns: &[(&str, i64, i64)], custodian: Option<&str>) -> RoleLine {
        RoleLine {
            role: "cardiology-on-call".parse().unwrap(),
            display_name: "Cardiology on call".into(),
            assignments: turns
                .iter()
                .map(|(id, from, until)| Assignment {
                    user: user(id),
                    from: at(*from),
                    until: at(*until),
                })
                .collect(),
            custodian: custodian.map(user),
        }
    }

    const LATEST: Duration = Duration::from_secs(7 * 24 * 3600);

    #[test]
    fn holders_and_custodian_are_reached_each_once() {
        let line = line(&[("A", 0, 100), ("B", 50, 200), ("A", 90, 150)], Some("B"));
        assert_eq!(reached(&line, at(10)), [user("A"), user("B")]);
        assert_eq!(reached(&line, at(300)), [user("B")]);
        let both = [(user("A"), at(150)), (user("B"), at(200))];
        assert_eq!(holding(&line, at(95)), both);
        assert_eq!(next_holders(&line, at(10)), [user("B")]);
        assert_eq!(next_holders(&line, at(60)), [user("A")]);
        assert_eq!(next_holders(&line, at(-2000)), [], "not before tomorrow");
        assert_eq!(next_change(&line, at(95)), Some(at(100)));
        assert_eq!(next_change(&line, at(200)), None);
    }

    #[test]
    fn whoever_holds_it_speaks_for_it_and_nobody_else() {
        let line = line(&[("A", 1000, 2000)], Some("C"));
        let speaks = |id, written, came| speaker(&line, &user(id), at(written), at(came), LATEST);
        assert_eq!(speaks("A", 1500, 1500), Some(RoleSpeaker::Holder));
        assert_eq!(speaks("A", 990, 990), Some(RoleSpeaker::Holder), "grace");
        assert_eq!(speaks("A", 2010, 2010), Some(RoleSpeaker::Holder), "grace");
        assert_eq!(speaks("A", 980, 980), None, "before the turn");
        assert_eq!(speaks("A", 2020, 2020), None, "after the turn");
        assert_eq!(speaks("A", 1990, 2500), Some(RoleSpeaker::FormerHolder));
        assert_eq!(speaks("A", 1990, 2000 + 7 * 24 * 60), None, "much too late");
        assert_eq!(speaks("C", 5000, 5000), Some(RoleSpeaker::Custodian));
        assert_eq!(speaks("B", 1500, 1500), None);
    }
}
