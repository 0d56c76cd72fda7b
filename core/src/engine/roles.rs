//! Roles: who is reached through one now, who may speak for one, and what has to be asked to know it.
//!
//! Everything is read from the role's proven entry. A content in a conversation with a role is judged by it: what a
//! person reads there was written by the caller, or by somebody who held the role or is its custodian. What only says
//! something about a message (an answer, a recall) is judged by that message instead.
//!
//! Not its concern: what a role line says ([`crate::conversation::role`]).

use std::{sync::Arc, time::Duration};

use wardline_org::{EntryKey, Hash, RoleId, Timestamp, UserId, entry::Entry, team::RoleLine};
use wardline_proto::v1;

use super::Step;
use crate::{
    conversation::{
        Recipient,
        role::{self, RoleHolder, RoleSpeaker, RoleStatus},
    },
    directory::{Lookup, active_devices},
    error::{Error, SendError},
    message::{FailureCause, Priority, rows::Facts},
};

/// Whom a content in a conversation with a role goes to.
pub(super) enum Reached {
    /// These people, by this entry of the role.
    People(Vec<UserId>, Option<Hash>),
    /// Nobody, and why: it stands under the author's name.
    Nobody(FailureCause),
    /// The entry has to be fetched first; it is asked for.
    Unknown,
}

/// Whom a content goes to that we write to a role, or for one.
pub(super) fn reached(
    step: &mut Step<'_>,
    recipient: &Recipient,
    content: &v1::Content,
) -> Result<Reached, Error> {
    let us = step.context.identity.user_id.clone();
    let Some((role, caller)) = recipient.of_role(&us) else {
        return Ok(Reached::Nobody(FailureCause::NoHolder));
    };
    let entry = match line_entry(step, role)? {
        Lookup::Present(entry) => Some(entry),
        Lookup::Absent => None,
        Lookup::Unproven(_) => return Ok(Reached::Unknown),
    };
    let line = entry.as_ref().and_then(|entry| entry.role_line());
    let now = time(step)?;
    let mut people = line.map_or(Vec::new(), |line| role::reached(line, now));
    if let Some(line) = line.filter(|_| content.next_holders) {
        for user in role::next_holders(line, now) {
            if !people.contains(&user) {
                people.push(user);
            }
        }
    }
    if *caller == us {
        if people.is_empty() {
            return Ok(Reached::Nobody(FailureCause::NoHolder));
        }
    } else {
        // It may have waited until long after our turn: nobody would believe it.
        let written = match content.created_at_ms {
            0 => now,
            at => Timestamp::from_millis(at),
        };
        if Facts::of(content).shown && speaker(step, line, &us, written, now)?.is_none() {
            return Ok(Reached::Nobody(FailureCause::NotHolder));
        }
        if !people.contains(caller) {
            people.push(caller.clone());
        }
    }
    Ok(Reached::People(people, entry.map(|entry| entry.hash())))
}

/// Says at once what is certain: that nobody is reached through a role, or that we may not speak for it.
pub(super) fn refuse_hopeless(
    step: &mut Step<'_>,
    recipient: &Recipient,
    priority: Priority,
) -> Result<(), Error> {
    let us = step.context.identity.user_id.clone();
    let Some((role, caller)) = recipient.of_role(&us) else {
        return Ok(());
    };
    let now = time(step)?;
    let entry = match line_entry(step, role)? {
        Lookup::Present(entry) => entry,
        Lookup::Absent => return Err(SendError::NoSuchRecipient.into()),
        Lookup::Unproven(_) => return Ok(()),
    };
    let line = entry.role_line().ok_or(SendError::NoSuchRecipient)?;
    if *caller != us {
        return match speaker(step, Some(line), &us, now, now)? {
            Some(_) => Ok(()),
            None => Err(SendError::NotYourRole.into()),
        };
    }
    let people = role::reached(line, now);
    if people.is_empty() {
        Err(SendError::NoHolder.into())
    } else if people.iter().all(|user| *user == us) {
        Err(SendError::OnlySelf.into())
    } else if priority == Priority::Stat && line.custodian.is_none() {
        Err(SendError::NoCustodian.into())
    } else {
        Ok(())
    }
}

/// As what the author of a content speaks in a conversation with a role: `Ok(None)` for the caller, and for what
/// only says something about a message; `Err` when nothing lets them.
pub(super) fn judge(
    step: &mut Step<'_>,
    recipient: &Recipient,
    author: &UserId,
    content: &v1::Content,
    came: Timestamp,
) -> Result<Result<Option<RoleSpeaker>, NotTheirs>, Error> {
    let us = step.context.identity.user_id.clone();
    let Some((role, caller)) = recipient.of_role(&us) else {
        return Ok(Ok(None));
    };
    // Whoever is written to wants to know, before they answer, whether they still hold it.
    let entry = line_entry(step, role)?;
    if author == caller {
        return Ok(Ok(None));
    }
    let entry = match entry {
        Lookup::Present(entry) => Some(entry),
        // Asked for before anything is applied.
        Lookup::Absent | Lookup::Unproven(_) => None,
    };
    let line = entry.as_ref().and_then(|entry| entry.role_line());
    let written = Timestamp::from_millis(content.created_at_ms);
    let speaks = speaker(step, line, author, written, came)?;
    Ok(if speaks.is_none() && Facts::of(content).shown {
        Err(NotTheirs)
    } else {
        Ok(speaks)
    })
}

/// As what we speak in a content of ours, as far as the role is known here.
pub(super) fn as_what(
    step: &mut Step<'_>,
    content: &v1::Content,
) -> Result<Option<RoleSpeaker>, Error> {
    let us = step.context.identity.user_id.clone();
    let reference = content.conversation.as_ref();
    let recipient = reference.and_then(|reference| Recipient::parse(reference, &us));
    let Some(Recipient::Caller { role, .. }) = recipient else {
        return Ok(None);
    };
    let entry = match line_entry(step, &role)? {
        Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => entry,
        Lookup::Absent | Lookup::Unproven(None) => return Ok(None),
    };
    let now = time(step)?;
    speaker(step, entry.role_line(), &us, now, now)
}

/// Somebody speaks in a conversation that is not theirs.
pub(super) struct NotTheirs;

/// The role in whose conversation a content is.
pub(super) fn role_of(content: &v1::Content) -> Option<RoleId> {
    match content.conversation.as_ref()?.kind.as_ref()? {
        v1::conversation_ref::Kind::Role(conversation) => {
            RoleId::new(conversation.role_id.clone()).ok()
        }
        _ => None,
    }
}

/// Whether the entry is at hand by which a content is judged, besides its sender's; if not, it is asked for.
pub(super) fn can_judge(step: &mut Step<'_>, content: &v1::Content) -> Result<bool, Error> {
    use v1::conversation_ref::Kind;
    let kind = content
        .conversation
        .as_ref()
        .and_then(|one| one.kind.as_ref());
    let Some(Kind::Role(conversation)) = kind else {
        return Ok(true);
    };
    match RoleId::new(conversation.role_id.clone()) {
        Ok(role) if conversation.caller_user_id != content.sender_user_id => {
            Ok(!matches!(line_entry(step, &role)?, Lookup::Unproven(_)))
        }
        _ => Ok(true),
    }
}

/// Who is reached through a role, as far as it is known here. What is missing or old is asked for by the next round.
pub(crate) fn status(step: &mut Step<'_>, role: &RoleId) -> Result<Option<RoleStatus>, Error> {
    let now = time(step)?;
    let (entry, mut current) = match line_entry(step, role)? {
        Lookup::Present(entry) => (entry, true),
        Lookup::Unproven(Some(entry)) => (entry, false),
        Lookup::Unproven(None) => return Ok(None),
        Lookup::Absent => return Err(SendError::NoSuchRecipient.into()),
    };
    let line = entry.role_line().ok_or(SendError::NoSuchRecipient)?;
    let mut holders = Vec::new();
    for (user, until) in role::holding(line, now) {
        let (person, fresh) = known(step, user.clone().into())?;
        current &= fresh;
        let person = person.as_ref().and_then(|entry| entry.person());
        holders.push(RoleHolder {
            display_name: person.map_or(String::new(), |person| person.display_name.clone()),
            reachable: person.is_some_and(|person| !active_devices(person).is_empty()),
            user,
            until,
        });
    }
    Ok(Some(RoleStatus {
        role: role.clone(),
        display_name: line.display_name.clone(),
        holders,
        next_change: role::next_change(line, now),
        custodian: line.custodian.clone(),
        current: current && step.context.head_confirmed,
    }))
}

/// What is known of an entry, and whether the current directory says so; what is not is asked for.
pub(super) fn known(
    step: &mut Step<'_>,
    key: EntryKey,
) -> Result<(Option<Arc<Entry>>, bool), Error> {
    Ok(match step.memory.directory.entry(step.connection, &key)? {
        Lookup::Present(entry) => (Some(entry), true),
        Lookup::Absent => (None, true),
        Lookup::Unproven(entry) => {
            step.memory.wanted_entries.insert(key);
            (entry, false)
        }
    })
}

pub(super) fn line_entry(step: &mut Step<'_>, role: &RoleId) -> Result<Lookup, Error> {
    let key = EntryKey::from(role.clone());
    let found = step.memory.directory.entry(step.connection, &key)?;
    if matches!(found, Lookup::Unproven(_)) {
        step.memory.wanted_entries.insert(key);
    }
    Ok(found)
}

pub(super) fn speaker(
    step: &mut Step<'_>,
    line: Option<&RoleLine>,
    user: &UserId,
    written: Timestamp,
    came: Timestamp,
) -> Result<Option<RoleSpeaker>, Error> {
    let latest: Duration = step
        .memory
        .directory
        .policy(step.connection)?
        .reseal_window();
    Ok(line.and_then(|line| role::speaker(line, user, written, came, latest)))
}

/// A device's own clock may have been turned back, but never behind the time at which the head was signed.
pub(super) fn time(step: &mut Step<'_>) -> Result<Timestamp, Error> {
    let now = step.now();
    let trust = step.memory.directory.trust(step.connection)?;
    Ok(trust
        .head()
        .map_or(now, |head| now.max(head.head().issued_at)))
}
