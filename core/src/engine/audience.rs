//! Who gets a message: people and their devices, out of the current directory.
//!
//! Nobody is guessed. What is not proven under the current head is asked for, and until it is there
//! the message waits.

use rusqlite::params;
use wardline_org::{DeviceId, EntryKey, Hash, UserId, availability::SignedAvailability};
use wardline_proto::v1;

use super::{
    Step, delegating, escalating,
    failing::Failures,
    roles::{self, Reached},
};
use crate::{
    conversation::Recipient,
    directory::{Lookup, SenderLookup, active_devices},
    error::Error,
    message::{AMEND, ANSWER, FailureCause, RECALL, content, lifecycle::Happening},
    store::StoreError,
};

/// Everybody a message goes to, out of the current directory.
pub(super) struct Audience {
    pub(super) devices: Vec<(DeviceId, UserId)>,
    pub(super) unreachable: Vec<(UserId, FailureCause)>,
    /// Of the team or role that it was read from.
    pub(super) team_entry: Option<Hash>,
    /// What those said of it who are away and for whom somebody else is given it too.
    pub(super) away: Vec<SignedAvailability>,
}

impl Audience {
    /// Nobody is left to write to. It stands under the author's name, and no copy goes anywhere: that one would look
    /// like a success.
    fn nobody(us: UserId, cause: FailureCause, team_entry: Option<Hash>) -> Self {
        Self {
            devices: Vec::new(),
            unreachable: vec![(us, cause)],
            team_entry,
            away: Vec::new(),
        }
    }

    /// The devices in the order in which they are signed.
    pub(super) fn sorted(&self) -> Vec<DeviceId> {
        let mut devices: Vec<DeviceId> = self.devices.iter().map(|(device, _)| *device).collect();
        devices.sort_unstable();
        devices
    }
}

/// `None` when entries have to be fetched first; they are asked for.
pub(super) fn of(
    step: &mut Step<'_>,
    recipient: &Recipient,
    content: &v1::Content,
) -> Result<Option<Audience>, Error> {
    let us = step.context.identity.user_id.clone();
    let mut team_entry = None;
    let mut people: Vec<UserId> = match recipient {
        Recipient::Person(person) => vec![person.clone()],
        Recipient::Team(_) => {
            let key = key_of(recipient);
            match step.memory.directory.entry(step.connection, &key)? {
                Lookup::Present(entry) if entry.care_team().is_some_and(|team| team.active) => {
                    team_entry = Some(entry.hash());
                    entry
                        .care_team()
                        .into_iter()
                        .flat_map(|team| team.members.iter().map(|member| member.user.clone()))
                        .collect()
                }
                Lookup::Present(_) | Lookup::Absent => Vec::new(),
                Lookup::Unproven(_) => {
                    step.memory.wanted_entries.insert(key);
                    return Ok(None);
                }
            }
        }
        Recipient::Role(_) | Recipient::Caller { .. } => {
            match roles::reached(step, recipient, content)? {
                Reached::People(people, entry) => {
                    team_entry = entry;
                    people
                }
                Reached::Nobody(cause) => return Ok(Some(Audience::nobody(us, cause, None))),
                Reached::Unknown => return Ok(None),
            }
        }
    };
    let Some(concerned) = concerned(step, content)? else {
        return Ok(None);
    };
    for user in concerned {
        if !people.contains(&user) {
            people.push(user);
        }
    }
    if people.iter().all(|user| *user == us) {
        let cause = match recipient {
            Recipient::Person(_) | Recipient::Team(_) => FailureCause::NoSuchTeam,
            Recipient::Role(_) | Recipient::Caller { .. } => FailureCause::NoHolder,
        };
        return Ok(Some(Audience::nobody(us, cause, team_entry)));
    }
    let Some(away) = delegating::stand_ins(step, recipient, &people, content)? else {
        return Ok(None);
    };
    for user in delegating::delegates(&away) {
        if !people.contains(&user) {
            people.push(user);
        }
    }
    let mut audience = Audience {
        devices: Vec::new(),
        unreachable: Vec::new(),
        team_entry,
        away,
    };
    let mut complete = true;
    // Our own other devices get a copy of everything.
    for user in people
        .into_iter()
        .filter(|user| *user != us)
        .chain([us.clone()])
    {
        let key = EntryKey::Person(user.clone());
        match step.memory.directory.entry(step.connection, &key)? {
            Lookup::Present(entry) => {
                let devices = entry.person().map(active_devices).unwrap_or_default();
                if devices.is_empty() && user != us {
                    audience
                        .unreachable
                        .push((user.clone(), FailureCause::NoDevice));
                }
                let own = step.context.identity.device_id;
                audience.devices.extend(
                    devices
                        .into_iter()
                        .filter(|device| *device != own)
                        .map(|device| (device, user.clone())),
                );
            }
            Lookup::Absent => audience
                .unreachable
                .push((user, FailureCause::NoSuchPerson)),
            Lookup::Unproven(_) => {
                step.memory.wanted_entries.insert(key);
                complete = false;
            }
        }
    }
    Ok(complete.then_some(audience))
}

/// Who is concerned by what a content says about another message, whether or not they are still, or ever were, in
/// the conversation: everybody a message went to hears that it is taken back or corrected, and its author that it is answered or what
/// was chosen. `None` when entries have to be fetched first.
fn concerned(step: &mut Step<'_>, content: &v1::Content) -> Result<Option<Vec<UserId>>, Error> {
    let Some((subject, _)) = content::subject_of(content) else {
        return Ok(Some(Vec::new()));
    };
    let author = "SELECT sender_user FROM message WHERE sender_device = ?1 AND message_id = ?2";
    let sql = match content.type_uri.as_str() {
        RECALL | AMEND => {
            "SELECT DISTINCT r.user_id FROM recipient r JOIN message m ON m.sequence = r.message
             WHERE m.sender_device = ?1 AND m.message_id = ?2 AND length(r.device_id) = 16"
        }
        ANSWER => author,
        _ if content.choice.is_some() => author,
        _ => return Ok(Some(Vec::new())),
    };
    let users: Vec<String> = step
        .connection
        .prepare_cached(sql)?
        .query_map(
            params![subject.device.as_bytes(), subject.id.as_bytes()],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    let damaged = |_| StoreError::Damaged { what: "recipient" };
    let users = users.into_iter();
    let mut users: Vec<UserId> = users
        .map(|user| UserId::new(user).map_err(damaged))
        .collect::<Result<_, _>>()?;
    let Some(others) = escalating::concerned(step, subject, content)? else {
        return Ok(None);
    };
    users.extend(others);
    if content.type_uri == ANSWER {
        users.extend(delegating::concerned(step, subject)?);
    }
    Ok(Some(users))
}

/// The recipients' devices whose software does not know a type of content; `None` when entries have to be fetched
/// first, which are asked for.
pub(crate) fn without_type(
    step: &mut Step<'_>,
    recipient: &Recipient,
    type_uri: &str,
) -> Result<Option<Vec<(UserId, DeviceId)>>, Error> {
    let Some(audience) = of(step, recipient, &v1::Content::default())? else {
        return Ok(None);
    };
    let mut without = Vec::new();
    for (device, user) in audience.devices {
        if user != step.context.identity.user_id && !knows(step, &user, device, type_uri)? {
            without.push((user, device));
        }
    }
    Ok(Some(without))
}

/// Whether a device knows a type of content, as far as the directory is at hand.
pub(super) fn knows(
    step: &mut Step<'_>,
    user: &UserId,
    device: DeviceId,
    type_uri: &str,
) -> Result<bool, Error> {
    let key = EntryKey::Person(user.clone());
    let Lookup::Present(entry) = step.memory.directory.entry(step.connection, &key)? else {
        return Ok(true);
    };
    let listed = entry.person().and_then(|person| person.device(device));
    Ok(listed.is_none_or(|device| device.credential.credential().supports(type_uri)))
}

/// The devices that nothing can be sealed for yet.
pub(super) fn without_session(
    step: &mut Step<'_>,
    devices: &[(DeviceId, UserId)],
) -> Result<Vec<DeviceId>, Error> {
    let mut missing = Vec::new();
    for (device, _) in devices {
        if !step.memory.ratchets.has_session(step.connection, *device)? {
            missing.push(*device);
        }
    }
    Ok(missing)
}

/// Devices of the frozen list that no envelope was made for yet.
pub(super) fn unsealed_devices(
    step: &Step<'_>,
    message: i64,
) -> Result<Vec<(DeviceId, UserId)>, Error> {
    let damaged = || StoreError::Damaged { what: "recipient" };
    let mut statement = step.connection.prepare_cached(
        "SELECT device_id, user_id FROM recipient r WHERE message = ?1 AND length(device_id) = 16
         AND NOT EXISTS (SELECT 1 FROM sent_envelope s JOIN envelope_device d USING (envelope_id)
                         WHERE s.message = r.message AND d.device_id = r.device_id)",
    )?;
    let mut rows = statement.query(params![message])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push((
            DeviceId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(|_| damaged())?,
            UserId::new(row.get::<_, String>(1)?).map_err(|_| damaged())?,
        ));
    }
    Ok(devices)
}

/// Leaves out devices that were revoked since the list was frozen; nothing is sealed for them.
pub(super) fn still_active(
    step: &mut Step<'_>,
    message: i64,
    devices: Vec<(DeviceId, UserId)>,
) -> Result<Vec<(DeviceId, UserId)>, Error> {
    let mut active = Vec::with_capacity(devices.len());
    let mut failures = Failures::of(message);
    for (device, user) in devices {
        match step
            .memory
            .directory
            .sender(step.connection, &user, device)?
        {
            SenderLookup::Proven(proven) if proven.active => active.push((device, user)),
            SenderLookup::Ask(key) => {
                step.memory.wanted_entries.insert(key);
            }
            SenderLookup::Proven(_) | SenderLookup::Refuted => {
                let (happening, cause) = (Happening::Refused, FailureCause::Revoked);
                failures.device(step, device, happening, cause, step.now())?;
            }
        }
    }
    failures.tell(step)?;
    Ok(active)
}

/// The directory entry of a recipient.
pub(super) fn key_of(recipient: &Recipient) -> EntryKey {
    match recipient {
        Recipient::Person(person) => EntryKey::Person(person.clone()),
        Recipient::Team(team) => EntryKey::Team(team.clone()),
        Recipient::Role(role) | Recipient::Caller { role, .. } => EntryKey::Role(role.clone()),
    }
}
