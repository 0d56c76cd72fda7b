//! Saying whether this person can be reached, and hearing it of others.
//!
//! What is said holds here at once, with or without a network; the relay and the person's other devices are told
//! when there is one.
//!
//! Not its concern: what is believed, which is `directory::reach`'s.

use std::time::Duration;

use wardline_org::{
    Timestamp, UserId,
    availability::{Availability, SignedAvailability, Statement},
};
use wardline_proto::v1;

use super::{
    Step,
    event::{Event, Tier},
    upkeep,
};
use crate::{
    audit::Action,
    directory::{ProvenSender, reach},
    error::{Error, ReachError},
    message::Priority,
};

/// Says something of this person, in the place of what any of their devices said before.
pub(crate) fn say(step: &mut Step<'_>, availability: Availability) -> Result<(), Error> {
    if let Some(delegate) = availability
        .away
        .iter()
        .find_map(|away| away.delegate.as_ref())
    {
        check_delegate(step, delegate)?;
    }
    let identity = &step.context.identity;
    let before = reach::known(step.connection, &identity.user_id)?.said;
    // Later than everything that was seen, though this clock may be behind the other device's.
    let after = before.map(|before| before.statement().set_at + MOMENT);
    let statement = Statement {
        org: identity.organization.clone(),
        user: identity.user_id.clone(),
        device: identity.device_id,
        set_at: step.now().max(after.unwrap_or(step.now())),
        availability,
    };
    let said = SignedAvailability::sign(&statement, identity).map_err(ReachError::from)?;
    reach::say(step.connection, &said, true)?;
    step.audit(
        Action::AvailabilitySet,
        &statement.set_at.as_millis().to_be_bytes(),
    )?;
    step.outgoing_changed();
    Ok(())
}

/// Refuses who certainly cannot stand in, as far as is known here.
fn check_delegate(step: &mut Step<'_>, delegate: &UserId) -> Result<(), Error> {
    let us = step.context.identity.user_id.clone();
    let now = step.now();
    let directory = &mut step.memory.directory;
    let known = directory.reachability(step.connection, delegate, now)?;
    let refusal = match known {
        // Said by itself, whatever the directory has.
        _ if *delegate == us => ReachError::OwnDelegate,
        known if known.has_device == Some(false) => ReachError::NoSuchDelegate,
        known if known.delegate == Some(us) => ReachError::DelegationLoop,
        known if known.away_until.is_some() => ReachError::DelegateAway,
        _ => return Ok(()),
    };
    Err(refusal.into())
}

/// How loudly a message that arrives is told of: whoever does not want to be disturbed is interrupted by stat alone.
pub(super) fn tier(step: &mut Step<'_>, priority: Priority) -> Result<Tier, Error> {
    let us = &step.context.identity.user_id;
    let quiet = priority != Priority::Stat
        && step
            .memory
            .directory
            .is_undisturbed(step.connection, us, step.context.now)?;
    Ok(if quiet {
        Tier::Routine
    } else {
        priority.into()
    })
}

/// Tells this person's other devices what was said here, once it is known which these are.
pub(crate) fn tell_own_devices(step: &mut Step<'_>) -> Result<(), Error> {
    if !step.context.checkpoint_confirmed || !step.context.head_confirmed {
        return Ok(());
    }
    let us = step.context.identity.user_id.clone();
    let Some(said) = reach::untold(step.connection, &us)? else {
        return Ok(());
    };
    let body = v1::control::Body::Availability(said.to_message());
    if upkeep::tell_own_devices(step, &body)? {
        reach::told(step.connection, &us)?;
    }
    Ok(())
}

/// What the relay is to be told.
pub(crate) fn to_tell(step: &mut Step<'_>) -> Result<Option<v1::SetAvailabilityRequest>, Error> {
    let us = &step.context.identity.user_id;
    let known = reach::known(step.connection, us)?;
    let said = known.said.filter(|_| known.unsent);
    Ok(said.map(|said| v1::SetAvailabilityRequest {
        availability: Some(said.to_message()),
    }))
}

/// The relay has answered what it was told; `None` when it will never take that.
pub(crate) fn told(
    step: &mut Step<'_>,
    asked: &v1::SetAvailabilityRequest,
    answer: Option<&v1::SetAvailabilityResponse>,
) -> Result<(), Error> {
    let us = step.context.identity.user_id.clone();
    let known = reach::known(step.connection, &us)?;
    let current = known.said.map(|said| said.to_message());
    // Something else may have been said meanwhile, which is still to be told.
    if current == asked.availability {
        reach::settled(step.connection, &us)?;
    }
    match answer.and_then(|answer| answer.standing.as_ref()) {
        Some(standing) if Some(standing) != asked.availability.as_ref() => hear_own(step, standing),
        _ => Ok(()),
    }
}

/// Another device of this person, or the relay, says what that person said.
pub(super) fn hear_own(step: &mut Step<'_>, said: &v1::SignedAvailability) -> Result<(), Error> {
    let Ok(said) = SignedAvailability::read(said) else {
        return Ok(());
    };
    if said.statement().user == step.context.identity.user_id
        && step.memory.directory.hear(step.connection, &said)?
    {
        step.emit(&Event::AvailabilityChanged)?;
    }
    Ok(())
}

/// A control message with what somebody said: only of oneself.
pub(super) fn overhear(
    step: &mut Step<'_>,
    sender: &ProvenSender,
    said: &v1::SignedAvailability,
) -> Result<(), Error> {
    if sender.active && sender.user == step.context.identity.user_id {
        hear_own(step, said)
    } else {
        Ok(())
    }
}

/// Of whom the relay is to be asked: messages wait for it.
pub(crate) fn to_ask(step: &mut Step<'_>) -> Result<Option<v1::ReachabilityRequest>, Error> {
    let mut wanted = std::mem::take(&mut step.memory.wanted_reach);
    if wanted.is_empty() {
        return Ok(None);
    }
    if let Some(rest) = wanted.iter().nth(PEOPLE_AT_ONCE).cloned() {
        step.memory.wanted_reach = wanted.split_off(&rest);
    }
    let mut user_ids: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let us = &step.context.identity.user_id;
    if reach::known(step.connection, us)?.asked_at.is_none() {
        // What this person said before this device was there.
        user_ids.push(us.to_string());
    }
    Ok(Some(v1::ReachabilityRequest { user_ids }))
}

/// The relay has answered of whom it was asked. Everybody counts as asked, whatever it left out: no message waits for a
/// relay that says nothing.
pub(crate) fn answered(
    step: &mut Step<'_>,
    asked: &v1::ReachabilityRequest,
    answer: &v1::ReachabilityResponse,
) -> Result<(), Error> {
    let us = step.context.identity.user_id.clone();
    for (place, asked) in asked.user_ids.iter().enumerate() {
        let Ok(user) = UserId::new(asked.clone()) else {
            continue;
        };
        // Answers stand in the order of the question: what is said of somebody else is not taken in.
        let person = answer.people.get(place);
        let person = person.filter(|person| person.user_id == *asked);
        let seen = person.map_or(0, |person| person.last_seen_ms);
        let seen = (seen > 0).then(|| Timestamp::from_millis(seen));
        reach::asked(step.connection, &user, seen, step.now())?;
        let Some(said) = person.and_then(|person| person.availability.as_ref()) else {
            continue;
        };
        if user == us {
            hear_own(step, said)?;
        } else if let Ok(said) = SignedAvailability::read(said)
            && said.statement().user == user
        {
            step.memory.directory.hear(step.connection, &said)?;
        }
    }
    Ok(())
}

/// A relay answers so many.
pub(crate) const PEOPLE_AT_ONCE: usize = 500;
const MOMENT: Duration = Duration::from_millis(1);
