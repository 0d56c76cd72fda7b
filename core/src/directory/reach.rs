//! Whether people can be reached, as far as this device knows: what they signed, and what the relay said when.
//!
//! What a person said counts only while the directory lists the device that signed it, and never after something
//! newer of theirs was seen here: a relay can withhold what is new, and cannot bring back what is old.
//!
//! Not its concern: asking (`client`), and what follows for a message (`engine`).

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{
    EntryKey, OrgId, Timestamp, UserId,
    availability::{Availability, SignedAvailability},
    person::Person,
};

use super::{Directory, Lookup, active_devices};
use crate::store::StoreError;

/// Whether somebody can be reached, as far as is known: an answer, never a guess. What nobody knows is missing.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reachability {
    /// The person.
    pub user: UserId,
    /// Whether the directory lists them with a device that can be written to; missing when it was not asked.
    pub has_device: Option<bool>,
    /// When a device of theirs last called the relay, to the minute: the relay's word, by its clock. A phone that
    /// calls lies in a pocket perhaps; it is not the person who was seen.
    pub last_seen: Option<Timestamp>,
    /// Until then only stat messages give them notice: their own signed word, like what follows.
    pub do_not_disturb_until: Option<Timestamp>,
    /// Until then they are away.
    pub away_until: Option<Timestamp>,
    /// Who stands in for them while they are away.
    pub delegate: Option<UserId>,
    /// When the relay was last asked, by this device's clock; missing when it never was. Without a network it is
    /// what was known then.
    pub as_of: Option<Timestamp>,
}

/// Shows nobody's name.
impl std::fmt::Debug for Reachability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reachability")
            .field("user", &self.user)
            .field("has_device", &self.has_device)
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

/// What is known of one person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The newest they said, which may have ended since.
    pub(crate) said: Option<SignedAvailability>,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) asked_at: Option<Timestamp>,
    /// This device said it, and the relay has not taken it.
    pub(crate) unsent: bool,
}

/// What is known of one person, whether or not it still counts.
pub(crate) fn known(connection: &Connection, user: &UserId) -> Result<Known, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT availability, last_seen, asked_at, unsent FROM reach WHERE user_id = ?1",
        )?
        .query_row(params![user.as_str()], |row| {
            let said: Option<Vec<u8>> = row.get(0)?;
            let known = Known {
                said: None,
                last_seen: row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis),
                asked_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
                unsent: row.get(3)?,
            };
            Ok((said, known))
        })
        .optional()?;
    let Some((said, known)) = row else {
        return Ok(Known::default());
    };
    let said = said.map(|bytes| SignedAvailability::from_bytes(&bytes));
    let said = said
        .transpose()
        .map_err(|_| StoreError::Damaged { what: "reach" })?;
    Ok(Known { said, ..known })
}

/// Keeps what a device of this person says, in the place of everything before; `own` when this device says it,
/// so that the relay and the other devices are to be told.
pub(crate) fn say(
    connection: &Connection,
    said: &SignedAvailability,
    own: bool,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO reach (user_id, availability, unsent, untold) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (user_id)
             DO UPDATE SET availability = excluded.availability, unsent = excluded.unsent,
                 untold = excluded.untold",
        )?
        .execute(params![
            said.statement().user.as_str(),
            said.to_bytes(),
            own
        ])?;
    Ok(())
}

/// The relay has what this device said, or will never take it.
pub(crate) fn settled(connection: &Connection, user: &UserId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE reach SET unsent = 0 WHERE user_id = ?1")?
        .execute(params![user.as_str()])?;
    Ok(())
}

/// What this device said and the person's other devices were not told.
pub(crate) fn untold(
    connection: &Connection,
    us: &UserId,
) -> Result<Option<SignedAvailability>, StoreError> {
    let said: Option<Vec<u8>> = connection
        .prepare_cached("SELECT availability FROM reach WHERE user_id = ?1 AND untold = 1")?
        .query_row(params![us.as_str()], |row| row.get(0))
        .optional()?;
    said.map(|bytes| SignedAvailability::from_bytes(&bytes))
        .transpose()
        .map_err(|_| StoreError::Damaged { what: "reach" })
}

/// The person's other devices were told.
pub(crate) fn told(connection: &Connection, us: &UserId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE reach SET untold = 0 WHERE user_id = ?1")?
        .execute(params![us.as_str()])?;
    Ok(())
}

/// Notes what the relay said of when somebody was last seen, and when it was asked.
pub(crate) fn asked(
    connection: &Connection,
    user: &UserId,
    last_seen: Option<Timestamp>,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO reach (user_id, last_seen, asked_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id)
             DO UPDATE SET last_seen = excluded.last_seen, asked_at = excluded.asked_at",
        )?
        .execute(params![
            user.as_str(),
            last_seen.map(Timestamp::as_millis),
            at.as_millis()
        ])?;
    Ok(())
}

impl Directory {
    /// Takes in what is claimed that somebody said, if a device of theirs that the directory lists signed it and
    /// nothing newer is known. Answers whether it is new; the person's entry must have been fetched.
    pub(crate) fn hear(
        &mut self,
        connection: &Connection,
        said: &SignedAvailability,
    ) -> Result<bool, StoreError> {
        let org = self.trust(connection)?.org().clone();
        let user = &said.statement().user;
        let entry = self.last_entry(connection, user)?;
        let Some(person) = entry.as_ref().and_then(|entry| entry.person()) else {
            return Ok(false);
        };
        if let Err(error) = said.verify(&org, person) {
            tracing::warn!(%error, "what somebody is said to have said is not believed");
            return Ok(false);
        }
        let before = known(connection, user)?.said;
        // What a revoked device said last stands in nobody's way.
        let before = before.filter(|before| before.verify(&org, person).is_ok());
        if before.is_some_and(|before| !said.replaces(&before)) {
            return Ok(false);
        }
        say(connection, said, false)?;
        Ok(true)
    }

    /// What a person says of themselves, as far as it is known and still counts.
    pub(crate) fn availability(
        &mut self,
        connection: &Connection,
        user: &UserId,
    ) -> Result<Option<SignedAvailability>, StoreError> {
        let Some(said) = known(connection, user)?.said else {
            return Ok(None);
        };
        let org = self.trust(connection)?.org().clone();
        let entry = self.last_entry(connection, user)?;
        Ok(counts(
            &org,
            entry.as_ref().and_then(|entry| entry.person()),
            said,
        ))
    }

    /// Whether somebody wants notice of stat messages only.
    pub(crate) fn is_undisturbed(
        &mut self,
        connection: &Connection,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let said = self.availability(connection, user)?;
        Ok(said.is_some_and(|said| said.statement().availability.is_undisturbed(now)))
    }

    /// All that is known of whether somebody can be reached.
    pub(crate) fn reachability(
        &mut self,
        connection: &Connection,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Reachability, StoreError> {
        let known = known(connection, user)?;
        let key = EntryKey::Person(user.clone());
        let has_device = match self.entry(connection, &key)? {
            Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => {
                let devices = entry.person().map(active_devices);
                Some(devices.is_some_and(|devices| !devices.is_empty()))
            }
            Lookup::Absent => Some(false),
            Lookup::Unproven(None) => None,
        };
        let said = self.availability(connection, user)?;
        let said: Availability = said.map_or_else(Availability::default, |said| {
            said.statement().availability.clone()
        });
        let away = said.absence(now);
        Ok(Reachability {
            user: user.clone(),
            has_device,
            last_seen: known.last_seen,
            do_not_disturb_until: said.do_not_disturb_until.filter(|until| now < *until),
            away_until: away.map(|away| away.until),
            delegate: away.and_then(|away| away.delegate.clone()),
            as_of: known.asked_at,
        })
    }

    /// The entry of a person as it was last proven.
    fn last_entry(
        &mut self,
        connection: &Connection,
        user: &UserId,
    ) -> Result<Option<std::sync::Arc<wardline_org::entry::Entry>>, StoreError> {
        let key = EntryKey::Person(user.clone());
        Ok(match self.entry(connection, &key)? {
            Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => Some(entry),
            Lookup::Absent | Lookup::Unproven(None) => None,
        })
    }
}

fn counts(
    org: &OrgId,
    person: Option<&Person>,
    said: SignedAvailability,
) -> Option<SignedAvailability> {
    person
        .is_some_and(|person| said.verify(org, person).is_ok())
        .then_some(said)
}
