//! How long it took: the times between what happened, sending, delivery, reading and acknowledgement, over many messages.
//!
//! Counted are pairs of a message that was written on this device and a person it went to. Quantiles are exact, by
//! nearest rank: the smallest value that at least so many per cent of the values do not exceed.
//!
//! Not its concern: the times of one message ([`super::timeline`]).

use std::{collections::BTreeMap, time::Duration};

use rusqlite::{Connection, params};
use wardline_org::{DeviceId, EntryKey, Timestamp, UserId};

use super::{
    Priority, Verdict,
    answer::{self, StandingAnswer},
};
use crate::{
    directory::{Directory, Lookup},
    error::Error,
    id::{MessageId, MessageRef},
    store::StoreError,
};

/// A span of time; what is not said has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// What to count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoopGrouping {
    /// Each person by themselves.
    Person,
    /// The staff roles of the person; who has several counts in each.
    StaffRole,
    /// The departments of the person's staff roles; who is in several counts in each.
    Department,
    /// How urgent the message was.
    Priority,
}

/// What was counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoopGroup {
    /// This person.
    Person(UserId),
    /// Holders of the staff role with this code; `None`: who has none, or is not known on this device.
    StaffRole(Option<String>),
    /// People of this department; `None`: who is in none, or is not known on this device.
    Department(Option<String>),
    /// Messages this urgent.
    Priority(Priority),
}

/// How long it took in one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopTimes {
    /// Which.
    pub group: LoopGroup,
    /// So many messages, counted for each person they went to.
    pub messages: u64,
    /// From when the relay had it to when the first device of the person did (t1 to t2).
    pub sent_to_delivered: Quantiles,
    /// From when the relay had it to when the person opened it (t1 to t3).
    pub sent_to_read: Quantiles,
    /// From when the relay had it to the acceptance that stands (t1 to t4).
    pub sent_to_acknowledged: Quantiles,
    /// From what the message tells of to the acceptance that stands (t0 to t4), where its author gave that time.
    pub event_to_acknowledged: Quantiles,
    /// So many declined.
    pub declined: u64,
    /// So many asked for an answer, did not get one of this person, and were accepted by nobody else either.
    pub unanswered: u64,
    /// So many asked for an answer within a time that is over, and nobody had accepted by then.
    pub overdue: u64,
}

/// Exact quantiles by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantiles {
    /// Of so many values.
    pub count: u64,
    /// The median; `None` when there is no value.
    pub p50: Option<Duration>,
    /// At least 95 of 100 values are not longer; `None` when there is no value.
    pub p95: Option<Duration>,
}

impl Quantiles {
    fn of(mut values: Vec<Duration>) -> Self {
        values.sort_unstable();
        Self {
            count: u64::try_from(values.len()).unwrap_or(u64::MAX),
            p50: nearest_rank(&values, 50),
            p95: nearest_rank(&values, 95),
        }
    }
}

fn nearest_rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// The times of every group that has any, in the order of the groups.
pub(crate) fn times(
    connection: &Connection,
    span: Span,
    grouping: LoopGrouping,
    us: &UserId,
    now: Timestamp,
) -> Result<Vec<LoopTimes>, Error> {
    // A read transaction: messages, answers and people are of one moment.
    let moment = connection.unchecked_transaction()?;
    let mut people = People::default();
    let mut groups: BTreeMap<LoopGroup, Samples> = BTreeMap::new();
    for loops in loops(&moment, span, us)?.chunk_by(|one, next| one.message == next.message) {
        let answers = match loops.first() {
            Some(one) if one.asks => answer::standing(&moment, one.message)?,
            _ => BTreeMap::new(),
        };
        for one in loops {
            for group in people.groups(&moment, grouping, one)? {
                groups.entry(group).or_default().add(one, &answers, now);
            }
        }
    }
    moment.commit()?;
    let times = groups
        .into_iter()
        .map(|(group, samples)| samples.times(group));
    Ok(times.collect())
}

/// A message and one person it went to.
struct Loop {
    message: MessageRef,
    user: UserId,
    priority: Priority,
    asks: bool,
    answer_by: Option<Timestamp>,
    occurred_at: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
}

fn loops(connection: &Connection, span: Span, us: &UserId) -> Result<Vec<Loop>, StoreError> {
    let damaged = || StoreError::Damaged { what: "message" };
    let mut statement = connection.prepare_cached(
        // In the words of the index of one's own messages.
        "SELECT m.sender_device, m.message_id, r.user_id, m.priority, m.asks, m.answer_by,
                m.occurred_at, min(r.sent_at), min(r.delivered_at), min(r.read_at)
         FROM message m JOIN recipient r ON r.message = m.sequence
         WHERE m.direction = 1 AND m.shown = 1 AND m.created_at >= ?1 AND m.created_at < ?2
           AND (m.recalled_at IS NULL OR m.expired_at IS NOT NULL) AND r.user_id <> ?3
         GROUP BY m.sequence, r.user_id ORDER BY m.sequence",
    )?;
    let since = span.since.map_or(i64::MIN, Timestamp::as_millis);
    let until = span.until.map_or(i64::MAX, Timestamp::as_millis);
    let mut rows = statement.query(params![since, until, us.as_str()])?;
    let mut loops = Vec::new();
    while let Some(row) = rows.next()? {
        let time = |at: Option<i64>| at.map(Timestamp::from_millis);
        loops.push(Loop {
            message: MessageRef {
                device: DeviceId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(|_| damaged())?,
                id: MessageId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?,
            },
            user: UserId::new(row.get::<_, String>(2)?).map_err(|_| damaged())?,
            priority: Priority::from_wire(row.get(3)?),
            asks: row.get(4)?,
            answer_by: time(row.get(5)?),
            occurred_at: time(row.get(6)?),
            sent_at: time(row.get(7)?),
            delivered_at: time(row.get(8)?),
            read_at: time(row.get(9)?),
        });
    }
    Ok(loops)
}

/// What the directory on this device says of people, each looked up once.
#[derive(Default)]
struct People {
    directory: Directory,
    known: BTreeMap<UserId, Vec<LoopGroup>>,
}

impl People {
    fn groups(
        &mut self,
        connection: &Connection,
        grouping: LoopGrouping,
        one: &Loop,
    ) -> Result<Vec<LoopGroup>, StoreError> {
        let group: fn(Option<String>) -> LoopGroup = match grouping {
            LoopGrouping::Person => return Ok(vec![LoopGroup::Person(one.user.clone())]),
            LoopGrouping::Priority => return Ok(vec![LoopGroup::Priority(one.priority)]),
            LoopGrouping::StaffRole => LoopGroup::StaffRole,
            LoopGrouping::Department => LoopGroup::Department,
        };
        if let Some(known) = self.known.get(&one.user) {
            return Ok(known.clone());
        }
        let key = EntryKey::Person(one.user.clone());
        // What an older head proved is good enough to be counted by.
        let entry = match self.directory.entry(connection, &key)? {
            Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => Some(entry),
            Lookup::Absent | Lookup::Unproven(None) => None,
        };
        let roles = entry.as_ref().and_then(|entry| entry.person());
        let roles = roles.map_or(&[][..], |person| &person.staff_roles);
        let mut groups: Vec<LoopGroup> = roles
            .iter()
            .map(|role| match grouping {
                LoopGrouping::Department => &role.department,
                _ => &role.code,
            })
            .filter(|name| !name.is_empty())
            .map(|name| group(Some(name.clone())))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() {
            groups.push(group(None));
        }
        self.known.insert(one.user.clone(), groups.clone());
        Ok(groups)
    }
}

/// What one group has.
#[derive(Default)]
struct Samples {
    messages: u64,
    delivered: Vec<Duration>,
    read: Vec<Duration>,
    acknowledged: Vec<Duration>,
    from_event: Vec<Duration>,
    declined: u64,
    unanswered: u64,
    overdue: u64,
}

impl Samples {
    fn add(&mut self, one: &Loop, answers: &BTreeMap<UserId, StandingAnswer>, now: Timestamp) {
        self.messages = self.messages.saturating_add(1);
        // Clocks differ: what is before its cause took no time.
        let between =
            |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.saturating_since(from?));
        let answer = answers.get(&one.user);
        let accepted = |answer: &&StandingAnswer| answer.verdict == Verdict::Accepted;
        let accepted_at = answer.filter(accepted).map(|answer| answer.at);
        self.delivered
            .extend(between(one.sent_at, one.delivered_at));
        self.read.extend(between(one.sent_at, one.read_at));
        self.acknowledged.extend(between(one.sent_at, accepted_at));
        self.from_event
            .extend(between(one.occurred_at, accepted_at));
        let declined = answer.is_some_and(|answer| answer.verdict == Verdict::Declined);
        self.declined = self.declined.saturating_add(declined.into());
        if !one.asks {
            return;
        }
        let first = answers
            .values()
            .filter(accepted)
            .map(|answer| answer.at)
            .min();
        let unanswered = answer.is_none() && first.is_none();
        self.unanswered = self.unanswered.saturating_add(unanswered.into());
        let overdue = one
            .answer_by
            .is_some_and(|by| by <= now && first.is_none_or(|first| first > by));
        self.overdue = self.overdue.saturating_add(overdue.into());
    }

    fn times(self, group: LoopGroup) -> LoopTimes {
        LoopTimes {
            group,
            messages: self.messages,
            sent_to_delivered: Quantiles::of(self.delivered),
            sent_to_read: Quantiles::of(self.read),
            sent_to_acknowledged: Quantiles::of(self.acknowledged),
            event_to_acknowledged: Quantiles::of(self.from_event),
            declined: self.declined,
            unanswered: self.unanswered,
            overdue: self.overdue,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word by word.
    fn naive(values: &[Duration], percent: usize) -> Option<Duration> {
        let enough = |limit: &Duration| {
            let not_longer = values.iter().filter(|value| *value <= limit).count();
            not_longer * 100 >= percent * values.len()
        };
        values.iter().copied().filter(|value| enough(value)).min()
    }

    proptest! {
        #[test]
        fn quantiles_are_what_their_definition_says(
            millis in prop::collection::vec(0_u64..50, 0..250),
        ) {
            let values: Vec<Duration> = millis.into_iter().map(Duration::from_millis).collect();
            let found = Quantiles::of(values.clone());
            prop_assert_eq!(usize::try_from(found.count), Ok(values.len()));
            prop_assert_eq!(found.p50, naive(&values, 50));
            prop_assert_eq!(found.p95, naive(&values, 95));
        }
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let seconds =
            |all: &[u64]| Quantiles::of(all.iter().map(|s| Duration::from_secs(*s)).collect());
        let one = Some(Duration::from_secs);
        let at = |p50: u64, p95: u64| (one.map(|of| of(p50)), one.map(|of| of(p95)));
        for (values, expected) in [
            (&[7][..], at(7, 7)),
            (&[1, 2], at(1, 2)),
            (&[3, 1, 2], at(2, 3)),
            (&[], (None, None)),
        ] {
            let found = seconds(values);
            assert_eq!((found.p50, found.p95), expected, "{values:?}");
        }
        let hundred: Vec<u64> = (1..=100).collect();
        let found = seconds(&hundred);
        assert_eq!((found.p50, found.p95), at(50, 95));
    }
}
