//! Expiring: what is over is hidden and erased, and what was written here gets the lifetime that applies to it.
//!
//! Needs no key and no network, so it happens on a locked phone without a line. What is to be done with a message, the
//! clocks decide (`message::clocks`); erasing is the burial of a recall without one.
//!
//! Not its concern: which messages are over (`message::expiry`), and when to look (`client`).

use rusqlite::params;
use wardline_org::policy::Policy;
use wardline_proto::v1;

use super::{Step, audience, event::Event, failing::Failures};
use crate::{
    audit::Action,
    error::{Error, SendError},
    message::{
        Direction, FailureCause, Lifetime,
        clocks::Verdict,
        expiry::{self, Ending},
        hold::{self, Hold},
        lifecycle::Happening,
        notice,
        recall::{self, Gone, Subject},
        rows::Facts,
    },
};

/// Hides and erases what is over now, so many at once; answers whether that was all.
pub(crate) fn expire(step: &mut Step<'_>) -> Result<bool, Error> {
    let clocks = step.context.clocks;
    let hold = hold(step)?;
    let due = expiry::due(step.connection, clocks.latest(), clocks.agreed())?;
    let mut looked_at = due.len();
    for ending in &due {
        end(step, ending, &hold)?;
    }
    if clocks.fresh {
        let early = expiry::hidden_too_early(step.connection, clocks.latest())?;
        looked_at = looked_at.max(early.len());
        for ending in &early {
            end(step, ending, &hold)?;
        }
    }
    looked_at = looked_at.max(release(step, &hold)?);
    Ok(i64::try_from(looked_at).is_ok_and(|many| many < expiry::MOST_AT_ONCE))
}

/// What a locked device must know of a content that came, with the lifetime that the policy leaves it.
pub(super) fn facts(step: &mut Step<'_>, content: &v1::Content) -> Result<Facts, Error> {
    let rules = step.memory.directory.policy(step.connection)?;
    let lifetime = Lifetime::of(content).within(&rules);
    Ok(Facts::of(content).ending(content, lifetime, step.context.clocks.latest()))
}

/// Hides or erases a message that has just come, if it is over already; answers whether it was.
pub(super) fn arrived(
    step: &mut Step<'_>,
    message: i64,
    direction: Direction,
) -> Result<bool, Error> {
    if direction == Direction::OwnOtherDevice {
        // Whoever wrote it has read it.
        expiry::opened(step.connection, message, step.context.clocks.latest())?;
    }
    match expiry::ending(step.connection, message)? {
        Some(ending) => {
            let hold = hold(step)?;
            end(step, &ending, &hold)
        }
        None => Ok(false),
    }
}

/// What the policy holds on this device.
pub(super) fn hold(step: &mut Step<'_>) -> Result<Hold, Error> {
    let rules = step.memory.directory.policy(step.connection)?;
    let identity = &step.context.identity;
    Ok(Hold::of(&rules, &identity.organization, &identity.user_id))
}

/// Buries what was taken back while a hold kept it, and is kept no longer; answers how much was looked at.
fn release(step: &mut Step<'_>, hold: &Hold) -> Result<usize, Error> {
    let undecided = hold::undecided(step.connection, expiry::MOST_AT_ONCE)?;
    for (subject, recall) in &undecided {
        if hold.keeps(step.connection, &subject.author, subject.conversation)? {
            hold::keep(step.connection, subject.sequence)?;
            continue;
        }
        recall::release(step.connection, subject, *recall, step.now())?;
        step.audit(Action::MessageRecalled, subject.reference.id.as_bytes())?;
        step.conversation_changed(subject.conversation);
        step.outgoing_changed();
    }
    Ok(undecided.len())
}

/// Does with a message what the clocks say; answers whether nobody is shown it.
fn end(step: &mut Step<'_>, ending: &Ending, hold: &Hold) -> Result<bool, Error> {
    let verdict = step.context.clocks.verdict(ending.end, ending.hidden);
    match verdict {
        Verdict::Erase if hold.keeps(step.connection, &ending.author, ending.row)? => {
            keep(step, ending)?;
        }
        Verdict::Show => return Ok(false),
        Verdict::Hide if ending.hidden => return Ok(true),
        Verdict::Hide => hide(step, ending)?,
        Verdict::Erase => erase(step, ending)?,
        Verdict::ShowAgain => show_again(step, ending)?,
    }
    step.conversation_changed(ending.row);
    Ok(verdict != Verdict::ShowAgain)
}

fn hide(step: &mut Step<'_>, ending: &Ending) -> Result<(), Error> {
    expiry::hide(step.connection, ending, step.now())?;
    notice::opened(step.connection, ending.sequence)?;
    step.audit(Action::MessageHidden, ending.message.id.as_bytes())?;
    tell(step, ending)
}

/// A legal hold wins: it is over, and nothing of it is destroyed.
fn keep(step: &mut Step<'_>, ending: &Ending) -> Result<(), Error> {
    if !ending.hidden {
        hide(step, ending)?;
    }
    hold::keep(step.connection, ending.sequence)?;
    step.audit(Action::MessageHeld, ending.message.id.as_bytes())
}

fn erase(step: &mut Step<'_>, ending: &Ending) -> Result<(), Error> {
    let Some(subject) = Subject::load(step.connection, ending.message)? else {
        return Ok(());
    };
    recall::bury(step.connection, &subject, Gone::Expired, step.now())?;
    if ending.direction == Direction::Outgoing {
        stop(step, ending.sequence)?;
    }
    step.audit(Action::MessageExpired, ending.message.id.as_bytes())?;
    // Its words are to be taken out of the index.
    step.outgoing_changed();
    if ending.hidden {
        return Ok(());
    }
    tell(step, ending)
}

fn tell(step: &mut Step<'_>, ending: &Ending) -> Result<(), Error> {
    step.emit(&Event::MessageExpired {
        message: ending.message,
        conversation: ending.conversation,
    })
}

/// A clock was wrong: the message is as it was, and who has not read it is told of it again.
fn show_again(step: &mut Step<'_>, ending: &Ending) -> Result<(), Error> {
    expiry::show_again(step.connection, ending)?;
    step.audit(Action::MessageShownAgain, ending.message.id.as_bytes())?;
    // It may have waited to be sealed.
    step.outgoing_changed();
    if ending.unread {
        let cursor = step.announce(&Event::MessageArrived {
            message: ending.message,
            conversation: ending.conversation,
            tier: ending.priority.into(),
        })?;
        notice::arrived(step.connection, ending.sequence, cursor.0)?;
    }
    Ok(())
}

/// What has not left never leaves, and the relay is asked to give nobody what it still holds.
fn stop(step: &mut Step<'_>, message: i64) -> Result<(), Error> {
    let waited = step
        .connection
        .prepare_cached("DELETE FROM outbox WHERE message = ?1")?
        .execute(params![message])?;
    if waited > 0 {
        let mut failures = Failures::of(message);
        for (device, _) in audience::unsealed_devices(step, message)? {
            let (happening, cause) = (Happening::GivenUp, FailureCause::TimeUp);
            failures.device(step, device, happening, cause, step.now())?;
        }
        failures.tell(step)?;
    }
    step.connection
        .prepare_cached(
            "INSERT INTO withdrawal (envelope_id, message)
             SELECT s.envelope_id, s.message FROM sent_envelope s WHERE s.message = ?1 AND EXISTS (
                 SELECT 1 FROM envelope_device d
                 JOIN recipient r ON r.message = ?1 AND r.device_id = d.device_id
                 WHERE d.envelope_id = s.envelope_id AND r.delivered_at IS NULL)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![message])?;
    Ok(())
}

/// The lifetime of what is written here to a conversation: what it says itself, what the conversation is set to, or what
/// the policy wants, and never more than the policy allows.
pub(super) fn lifetime_of(
    step: &mut Step<'_>,
    conversation: i64,
    content: &v1::Content,
) -> Result<Option<v1::Lifetime>, Error> {
    // What only says something about a message goes with that.
    if !Facts::of(content).shown {
        return Ok(None);
    }
    let rules = step.memory.directory.policy(step.connection)?;
    let said = Lifetime::of(content);
    let chosen = if said.is_endless() {
        applies(step, conversation, &rules)?
    } else {
        said
    };
    Ok(chosen.within(&rules).to_wire(step.context.clocks.latest()))
}

/// What applies to a conversation when a draft says nothing.
pub(crate) fn applies(
    step: &Step<'_>,
    conversation: i64,
    rules: &Policy,
) -> Result<Lifetime, Error> {
    let set = expiry::set_for(step.connection, conversation)?;
    Ok(if set.is_endless() {
        Lifetime {
            after_sent: rules.default_lifetime(),
            after_read: None,
        }
    } else {
        set
    }
    .within(rules))
}

/// Sets what applies to a conversation from now on.
pub(crate) fn set_lifetime(
    step: &mut Step<'_>,
    conversation: i64,
    lifetime: Lifetime,
) -> Result<(), Error> {
    let rules = step.memory.directory.policy(step.connection)?;
    lifetime.check(&rules)?;
    expiry::set(step.connection, conversation, lifetime)?;
    step.conversation_changed(conversation);
    Ok(())
}

/// Refuses to say something of a message of which nobody is shown anything any more.
pub(super) fn refuse_over(
    step: &Step<'_>,
    message: crate::id::MessageRef,
    refusal: SendError,
) -> Result<(), Error> {
    let latest = step.context.clocks.latest();
    if expiry::is_over(step.connection, message, latest)? {
        return Err(refusal.into());
    }
    Ok(())
}
