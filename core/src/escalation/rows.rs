//! What is kept of escalations: the author's plan, with the secret that stops it, and on the author's device what
//! the relay says has come of it.
//!
//! Not its concern: what follows from any of it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use wardline_org::{DeviceId, EnvelopeId, RoleId, Timestamp, UserId};
use wardline_proto::{Message, v1};

use super::{Armed, EscalationStatus, Stopped, TierStatus, due, scheduled_for};
use crate::{id::MessageRef, store::StoreError};

/// An escalation as it is kept.
pub(crate) struct Kept {
    /// The row of its message.
    pub(crate) message: i64,
    /// Whose deposit it is.
    pub(crate) sender: DeviceId,
    pub(crate) plan: v1::Escalation,
    /// The conversation as its author named it, by id and reference.
    pub(crate) conversation_id: Vec<u8>,
    pub(crate) reference: Vec<u8>,
    /// The last tier by which this device was given it.
    pub(crate) given: Option<u32>,
}

/// What is to be kept of one.
pub(crate) struct New<'a> {
    pub(crate) message: i64,
    pub(crate) content: &'a v1::Content,
    pub(crate) plan: &'a v1::Escalation,
    /// Tiers that were asked for and could be sealed for nobody.
    pub(crate) left_out: usize,
    pub(crate) armed: State,
    pub(crate) given: Option<u32>,
}

/// How far arming has come. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum State {
    Waiting = 0,
    Armed = 1,
    Refused = 2,
}

/// Writes it down, or what has become of it when it was sealed. Another message with the same deposit is a lie of its
/// author's, and stands as one without.
pub(crate) fn keep(connection: &Connection, new: &New<'_>) -> Result<(), StoreError> {
    let deposit = Some(&new.plan.deposit_id).filter(|id| !id.is_empty());
    let conversation = new.content.conversation.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO escalation (message, sender_device, deposit_id, plan, conversation_id, reference,
                 armed, left_out, given, scheduled_for)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (message) DO UPDATE SET deposit_id = excluded.deposit_id, plan = excluded.plan,
                 armed = excluded.armed, left_out = excluded.left_out, reference = excluded.reference,
                 scheduled_for = excluded.scheduled_for
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            new.message,
            new.content.sender_device,
            deposit,
            new.plan.encode_to_vec(),
            new.content.conversation_id,
            conversation.map(Message::encode_to_vec).unwrap_or_default(),
            new.armed as i64,
            i64::try_from(new.left_out).unwrap_or(i64::MAX),
            new.given,
            scheduled_for(new.plan).map(Timestamp::as_millis),
        ])?;
    Ok(())
}

/// Forgets what was to be held of a message that was sealed without.
pub(crate) fn forget(connection: &Connection, message: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM escalation WHERE message = ?1 AND deposit_id IS NULL")?
        .execute(params![message])?;
    Ok(())
}

/// Notes which envelope of ours takes the deposit to the relay.
pub(crate) fn travels_in(
    connection: &Connection,
    message: i64,
    envelope: EnvelopeId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE escalation SET envelope_id = ?2 WHERE message = ?1")?
        .execute(params![message, envelope.as_bytes()])?;
    Ok(())
}

/// Notes for whom a tier of ours is sealed, and under which name it is released.
pub(crate) fn add_tier(
    connection: &Connection,
    message: i64,
    tier: u32,
    envelope: EnvelopeId,
    devices: &[(DeviceId, UserId)],
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO escalation_tier (message, tier, envelope_id) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![message, tier, envelope.as_bytes()])?;
    let mut add = connection.prepare_cached(
        "INSERT INTO escalation_device (message, tier, device_id, user_id) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (device, user) in devices {
        add.execute(params![message, tier, device.as_bytes(), user.as_str()])?;
    }
    Ok(())
}

/// The relay took an envelope of ours, with its deposit or without; answers the message whose escalation waited.
pub(crate) fn posted(
    connection: &Connection,
    envelope: &[u8],
    state: State,
    at: Timestamp,
) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached(
            "UPDATE escalation SET armed = ?2, armed_at = ?3 WHERE envelope_id = ?1 AND armed <> 1 AND armed <> ?2
             RETURNING message",
        )?
        .query_row(params![envelope, state as i64, at.as_millis()], |row| {
            row.get(0)
        })
        .optional()?)
}

/// This device was given a message by a tier of its escalation.
pub(crate) fn given(connection: &Connection, message: i64, tier: u32) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE escalation SET given = max(coalesce(given, 0), ?2) WHERE message = ?1",
        )?
        .execute(params![message, tier])?;
    Ok(())
}

/// The relay says that a tier of ours was released; answers `false` when it has said so before, or there is none.
pub(crate) fn released(
    connection: &Connection,
    message: i64,
    released: &v1::Released,
    early: bool,
) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE escalation_tier SET released_at = ?3, advanced = ?4, early = ?5
             WHERE message = ?1 AND tier = ?2 AND released_at IS NULL",
        )?
        .execute(params![
            message,
            released.tier,
            released.at_ms,
            released.advanced,
            early
        ])?;
    Ok(changed > 0)
}

/// A device of ours was given the tier; answers whose it is, `None` for one that it was not sealed for.
pub(crate) fn given_to(
    connection: &Connection,
    message: i64,
    tier: u32,
    device: DeviceId,
) -> Result<Option<UserId>, StoreError> {
    let user: Option<String> = connection
        .prepare_cached(
            "UPDATE escalation_device SET given = 1 WHERE message = ?1 AND tier = ?2 AND device_id = ?3
             RETURNING user_id",
        )?
        .query_row(params![message, tier, device.as_bytes()], |row| row.get(0))
        .optional()?;
    user.map(UserId::new).transpose().map_err(|_| DAMAGED)
}

/// The relay says that no further tier is released; answers `false` when it has said so before.
pub(crate) fn stopped(
    connection: &Connection,
    message: i64,
    by: &[u8],
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE escalation SET stopped_by = ?2, stopped_at = ?3
             WHERE message = ?1 AND stopped_at IS NULL",
        )?
        .execute(params![message, by, at.as_millis()])?;
    Ok(changed > 0)
}

/// When the tier of ours that is next would be due, by the relay's clock, and how it stands: for finding out whether
/// one came early.
pub(crate) fn next_due(
    connection: &Connection,
    kept: &Kept,
    tier: u32,
) -> Result<Option<Timestamp>, StoreError> {
    let from: Option<Option<i64>> = match tier.checked_sub(1) {
        None => connection
            .prepare_cached("SELECT armed_at FROM escalation WHERE message = ?1")?
            .query_row(params![kept.message], |row| row.get(0))
            .optional()?,
        Some(before) => connection
            .prepare_cached(
                "SELECT released_at FROM escalation_tier WHERE message = ?1 AND tier = ?2",
            )?
            .query_row(params![kept.message, before], |row| row.get(0))
            .optional()?,
    };
    let Some(from) = from.flatten() else {
        return Ok(None);
    };
    let place = usize::try_from(tier).unwrap_or(usize::MAX);
    let rest = v1::Escalation {
        tiers: kept.plan.tiers.get(place).cloned().into_iter().collect(),
        ..Default::default()
    };
    Ok(due(&rest, Timestamp::from_millis(from)).first().copied())
}

/// The escalation of a message.
pub(crate) fn of(connection: &Connection, message: MessageRef) -> Result<Option<Kept>, StoreError> {
    find(
        connection,
        "message = (SELECT sequence FROM message WHERE sender_device = ?1 AND message_id = ?2)",
        [message.device.as_bytes(), message.id.as_bytes()],
    )
}

/// The escalation that the relay calls by its deposit.
pub(crate) fn by_deposit(
    connection: &Connection,
    sender: DeviceId,
    deposit: &[u8],
) -> Result<Option<Kept>, StoreError> {
    find(
        connection,
        "sender_device = ?1 AND deposit_id = ?2",
        [sender.as_bytes().as_slice(), deposit],
    )
}

fn find<T: AsRef<[u8]>>(
    connection: &Connection,
    which: &str,
    by: [T; 2],
) -> Result<Option<Kept>, StoreError> {
    let sql = format!(
        "SELECT message, sender_device, plan, conversation_id, reference, given FROM escalation WHERE {which}"
    );
    let [first, second] = &by;
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![first.as_ref(), second.as_ref()], |row| {
            Ok(Kept::of(row))
        })
        .optional()?;
    found.transpose()
}

impl Kept {
    fn of(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            message: row.get(0)?,
            sender: device(&row.get::<_, Vec<u8>>(1)?)?,
            plan: v1::Escalation::decode(row.get::<_, Vec<u8>>(2)?.as_slice())
                .map_err(|_| DAMAGED)?,
            conversation_id: row.get(3)?,
            reference: row.get(4)?,
            given: row.get(5)?,
        })
    }
}

/// The people of the first tier of a message of ours.
pub(crate) fn first(connection: &Connection, message: i64) -> Result<Vec<UserId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT user_id FROM escalation_device WHERE message = ?1 AND tier = 0",
    )?;
    let users = statement.query_map(params![message], |row| row.get::<_, String>(0))?;
    users
        .map(|user| UserId::new(user?).map_err(|_| DAMAGED))
        .collect()
}

/// Everybody a message of ours may be given to by a tier.
pub(crate) fn everybody(
    connection: &Connection,
    message: MessageRef,
) -> Result<Vec<UserId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT d.user_id FROM escalation_device d JOIN message m ON m.sequence = d.message
         WHERE m.sender_device = ?1 AND m.message_id = ?2",
    )?;
    let ids = params![message.device.as_bytes(), message.id.as_bytes()];
    let users = statement.query_map(ids, |row| row.get::<_, String>(0))?;
    users
        .map(|user| UserId::new(user?).map_err(|_| DAMAGED))
        .collect()
}

/// How the escalation of a message stands.
pub(crate) fn status(
    connection: &Connection,
    message: MessageRef,
) -> Result<Option<EscalationStatus>, StoreError> {
    let Some(kept) = of(connection, message)? else {
        return Ok(None);
    };
    let (armed, left_out, since, stopped_at, stopped_by) = connection
        .prepare_cached(
            "SELECT e.armed, e.left_out, coalesce(e.armed_at, m.created_at), e.stopped_at, e.stopped_by
             FROM escalation e JOIN message m ON m.sequence = e.message WHERE e.message = ?1",
        )?
        .query_row(params![kept.message], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get(2)?,
                row.get::<_, Option<i64>>(3)?,
                row.get::<_, Option<Vec<u8>>>(4)?,
            ))
        })?;
    let armed = match (armed, left_out) {
        (0, _) => Armed::Waiting,
        (1, 0) => Armed::Yes,
        (1, _) => Armed::Partly,
        _ => Armed::No,
    };
    let mut from = Timestamp::from_millis(since);
    let mut tiers = Vec::with_capacity(kept.plan.tiers.len());
    for (number, tier) in (0_u32..).zip(&kept.plan.tiers) {
        let status = tier_status(connection, kept.message, number, tier, from)?;
        from = status.released_at.unwrap_or(status.due_at);
        tiers.push(status);
    }
    let stopped = match (stopped_at, stopped_by) {
        (Some(at), Some(by)) => Some(Stopped {
            user: person_of(connection, kept.message, &by)?,
            device: device(&by)?,
            at: Timestamp::from_millis(at),
        }),
        _ => None,
    };
    Ok(Some(EscalationStatus {
        armed,
        tiers,
        // Whoever a scheduled message is for was not given it because others did not answer.
        given_here: kept.given.filter(|tier| *tier > 0 || !kept.plan.scheduled),
        scheduled_for: scheduled_for(&kept.plan),
        stopped,
    }))
}

fn tier_status(
    connection: &Connection,
    message: i64,
    number: u32,
    tier: &v1::EscalationTier,
    from: Timestamp,
) -> Result<TierStatus, StoreError> {
    let wait = v1::Escalation {
        tiers: vec![tier.clone()],
        ..Default::default()
    };
    let known: Option<(Option<i64>, bool, bool)> = connection
        .prepare_cached(
            "SELECT released_at, advanced, early FROM escalation_tier WHERE message = ?1 AND tier = ?2",
        )?
        .query_row(params![message, number], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (released_at, advanced, early) = known.unwrap_or_default();
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT user_id FROM escalation_device
         WHERE message = ?1 AND tier = ?2 AND given = 1 ORDER BY user_id",
    )?;
    let given = statement.query_map(params![message, number], |row| row.get::<_, String>(0))?;
    let user = |name: String| UserId::new(name).map_err(|_| DAMAGED);
    let role = |name: &String| RoleId::new(name.clone()).map_err(|_| DAMAGED);
    Ok(TierStatus {
        people: tier
            .user_ids
            .iter()
            .cloned()
            .map(user)
            .collect::<Result<_, _>>()?,
        roles: tier.role_ids.iter().map(role).collect::<Result<_, _>>()?,
        due_at: due(&wait, from).first().copied().unwrap_or(from),
        released_at: released_at.map(Timestamp::from_millis),
        advanced,
        early,
        given_to: given
            .map(|name| user(name?))
            .collect::<Result<_, StoreError>>()?,
    })
}

/// Whose device it is that a message of ours went to, first or later.
fn person_of(
    connection: &Connection,
    message: i64,
    device: &[u8],
) -> Result<Option<UserId>, StoreError> {
    let user: Option<String> = connection
        .prepare_cached(
            "SELECT user_id FROM recipient WHERE message = ?1 AND device_id = ?2
             UNION SELECT user_id FROM escalation_device WHERE message = ?1 AND device_id = ?2",
        )?
        .query_row(params![message, device], |row| row.get(0))
        .optional()?;
    user.map(UserId::new).transpose().map_err(|_| DAMAGED)
}

fn device(bytes: &[u8]) -> Result<DeviceId, StoreError> {
    DeviceId::from_slice(bytes).map_err(|_| DAMAGED)
}

const DAMAGED: StoreError = StoreError::Damaged { what: "escalation" };
