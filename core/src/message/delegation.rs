//! To whom a message was given besides, because somebody it is for is away: with that person's signed word, so that
//! nobody has another's messages handed to themselves.
//!
//! Not its concern: who is given one (`engine::delegating`), and what people say of themselves (`directory::reach`).

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{EntryKey, Timestamp, UserId, availability::SignedAvailability, person::Device};
use wardline_proto::{Message as _, v1};

use crate::{
    directory::{Directory, Lookup},
    id::MessageRef,
    store::StoreError,
};

/// A message was also given to somebody who stands in for a person who is away. Both have a copy, and everybody who
/// has the message sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct StandIn {
    /// The person who is away.
    pub on_behalf_of: UserId,
    /// Who stands in for them.
    pub delegate: UserId,
    /// Until when, by that person's own word.
    pub until: Timestamp,
}

/// Shows nobody's name.
impl std::fmt::Debug for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandIn")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// What an author says of who stands in for whom, not held against anything.
pub(crate) struct Claim {
    pub(crate) said: SignedAvailability,
    pub(crate) delegate: UserId,
    pub(crate) until: Timestamp,
}

impl Claim {
    /// The person who is away.
    pub(crate) fn user(&self) -> &UserId {
        &self.said.statement().user
    }
}

/// What a content claims; what is none is left out.
pub(crate) fn claims(delegations: Option<&v1::Delegations>) -> Vec<Claim> {
    let statements = delegations.into_iter().flat_map(|all| &all.statements);
    statements
        .take(MOST_CLAIMS)
        .filter_map(|said| {
            let said = SignedAvailability::read(said).ok()?;
            let away = said.statement().availability.away.clone()?;
            Some(Claim {
                delegate: away.delegate?,
                until: away.until,
                said,
            })
        })
        .collect()
}

/// What the author of a stored message claimed.
pub(crate) fn of_message(
    connection: &Connection,
    message: MessageRef,
) -> Result<Option<v1::Delegations>, StoreError> {
    let stored: Option<Option<Vec<u8>>> = connection
        .prepare_cached(
            "SELECT delegations FROM message WHERE sender_device = ?1 AND message_id = ?2",
        )?
        .query_row(
            params![message.device.as_bytes(), message.id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    let damaged = |_| StoreError::Damaged {
        what: "message delegations",
    };
    let stored = stored.flatten();
    stored
        .map(|bytes| v1::Delegations::decode(bytes.as_slice()).map_err(damaged))
        .transpose()
}

/// Whether a person said at that time that this delegate stands in: a device of theirs signed it that was not
/// revoked, as far as the directory is at hand.
pub(crate) fn is_proven(
    directory: &mut Directory,
    connection: &Connection,
    claim: &Claim,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let key = EntryKey::Person(claim.user().clone());
    let entry = match directory.entry(connection, &key)? {
        Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => entry,
        Lookup::Absent | Lookup::Unproven(None) => return Ok(false),
    };
    let org = directory.trust(connection)?.org().clone();
    Ok(entry
        .person()
        .is_some_and(|person| at < claim.until && claim.said.verify_at(&org, person, at).is_ok()))
}

/// Whom a message was given to besides, as far as it is proven: the person said so, and has a copy of their own. The
/// second answers for whom this person stands in.
pub(crate) fn read(
    connection: &Connection,
    content: &v1::Content,
) -> Result<(Vec<StandIn>, Option<UserId>), StoreError> {
    let claims = claims(content.delegations.as_ref());
    if claims.is_empty() {
        return Ok((Vec::new(), None));
    }
    let us: String = connection
        .prepare_cached("SELECT user_id FROM device")?
        .query_row([], |row| row.get(0))?;
    let at = Timestamp::from_millis(content.created_at_ms);
    let mut directory = Directory::default();
    let mut stand_ins = Vec::new();
    for claim in claims {
        if is_proven(&mut directory, connection, &claim, at)?
            && has_copy(&mut directory, connection, &claim, content)?
        {
            stand_ins.push(StandIn {
                on_behalf_of: claim.user().clone(),
                until: claim.until,
                delegate: claim.delegate,
            });
        }
    }
    let own = stand_ins.iter().find(|one| one.delegate.as_str() == us);
    let own = own.map(|one| one.on_behalf_of.clone());
    Ok((stand_ins, own))
}

/// Nothing goes past the person who is away: one of their devices is among the recipients, if they have any.
fn has_copy(
    directory: &mut Directory,
    connection: &Connection,
    claim: &Claim,
    content: &v1::Content,
) -> Result<bool, StoreError> {
    let key = EntryKey::Person(claim.user().clone());
    let entry = match directory.entry(connection, &key)? {
        Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => entry,
        Lookup::Absent | Lookup::Unproven(None) => return Ok(false),
    };
    let recipients = &content.recipient_devices;
    Ok(entry.person().is_some_and(|person| {
        let devices = person.devices.iter().map(Device::id);
        let mut given = devices.filter(|device| recipients.contains(&device.to_vec()));
        given.next().is_some() || content.sender_user_id == person.user.as_str()
    }))
}

/// Of one content: a team is not larger than a relay's submission, and this bounds what is verified.
const MOST_CLAIMS: usize = 64;

#[cfg(test)]
mod tests;
