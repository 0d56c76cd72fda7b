//! What comes of an escalation: whoever is given a message by it keeps it like any other, and the author hears from the
//! relay how it goes.
//!
//! What the relay says (a tier was released, is due, will not be released) is its word. It is held against what the
//! author's device has sealed and against the answers it knows; what does not agree is audited and shown as doubtful.
//! A release before its time is kept all the same: a decline brings one, of which only the author is told, and a
//! device with a slow clock must not throw an alarm away.
//!
//! Not its concern: sealing what is held ([`super::holding`]), and the answers that stop it ([`super::stopping`]).

use std::time::Duration;

use rusqlite::params;
use wardline_org::{DeviceId, EnvelopeId, Hash, RoleId, Timestamp, UserId};
use wardline_proto::{
    Message, v1,
    v1::{conversation_ref::Kind, envelope::Notice},
};

use super::{Step, event::Event, failing::Names, holding, recalling};
use crate::{
    audit::Action,
    conversation::Recipient,
    directory::ProvenSender,
    error::Error,
    escalation::{
        self,
        rows::{self, Kept, New, State},
    },
    id::{ConversationId, MessageRef},
    message::{
        AMEND, ANSWER, Direction, RECALL, Verdict, content, lifecycle::Happening, rows as messages,
    },
    session::open::OpenedContent,
    store::StoreError,
};

// What arrives ------------------------------------------------------------------------------------------

/// Where a content belongs that is not of a conversation of ours: one that was escalated to us is in our conversation
/// with its author, and so is what the author says of it later; what others answer to it stands beside it.
pub(super) fn place(
    step: &Step<'_>,
    sender: &ProvenSender,
    opened: &OpenedContent,
) -> Result<Option<(Recipient, ConversationId)>, Error> {
    let identity = &step.context.identity;
    let content = &opened.content;
    let subject = content::subject_of(content).map(|(subject, _)| subject);
    if let Some(subject) = subject.filter(|_| content.type_uri == ANSWER)
        && let Some(kept) = rows::of(step.connection, subject)?
        && kept.conversation_id == opened.binding.conversation_id.as_bytes()
    {
        let names = Names::of(step, kept.message)?;
        let recipient = recalling::recipient_of(step, names.row)?;
        return Ok(Some((recipient, names.conversation)));
    }
    let Some(Kind::Direct(pair)) = content.conversation.as_ref().and_then(|c| c.kind.as_ref())
    else {
        return Ok(None);
    };
    let pair = (
        UserId::new(pair.first_user_id.clone()),
        UserId::new(pair.second_user_id.clone()),
    );
    let (Ok(first), Ok(second)) = pair else {
        return Ok(None);
    };
    let named = ConversationId::direct(&identity.organization, &first, &second);
    let of_sender = first == sender.user || second == sender.user;
    let ours = first == identity.user_id || second == identity.user_id;
    let concerns_us = tier_for(content, step.us()).is_some()
        || matches!(content.type_uri.as_str(), ANSWER | RECALL | AMEND);
    if named != opened.binding.conversation_id || !of_sender || ours || !concerns_us {
        return Ok(None);
    }
    let recipient = Recipient::Person(sender.user.clone());
    let conversation = recipient.conversation(&identity.organization, &identity.user_id);
    Ok(Some((recipient, conversation)))
}

/// The first tier of a content that is sealed for a device.
fn tier_for(content: &v1::Content, device: DeviceId) -> Option<usize> {
    let plan = content.escalation.as_ref()?;
    let names = |tier: &v1::EscalationTier| tier.devices.iter().any(|one| one == device.as_bytes());
    plan.tiers.iter().position(names)
}

/// Keeps what a message that came says of its escalation, and by which tier it came.
pub(super) fn note(
    step: &Step<'_>,
    message: i64,
    content: &v1::Content,
    given: Option<u32>,
) -> Result<(), Error> {
    let Some(plan) = &content.escalation else {
        return Ok(());
    };
    let new = New {
        message,
        content,
        plan,
        left_out: 0,
        armed: State::Armed,
        given,
    };
    Ok(rows::keep(step.connection, &new)?)
}

/// Tells that a message has come by a tier, here or to somebody else.
pub(super) fn tell(
    step: &mut Step<'_>,
    message: MessageRef,
    conversation: ConversationId,
    tier: u32,
) -> Result<(), Error> {
    step.audit(Action::Escalated, message.id.as_bytes())?;
    step.emit(&Event::Escalated {
        message,
        conversation,
        tier,
    })
}

/// Tells that a message was given to this device by a tier, unless that is how its author sends it.
pub(super) fn tell_given(
    step: &mut Step<'_>,
    message: MessageRef,
    conversation: ConversationId,
    content: &v1::Content,
    tier: Option<u32>,
) -> Result<(), Error> {
    let scheduled = content
        .escalation
        .as_ref()
        .is_some_and(|plan| plan.scheduled);
    match tier.filter(|tier| *tier > 0 || !scheduled) {
        Some(tier) => tell(step, message, conversation, tier),
        None => Ok(()),
    }
}

/// A message that was here already was given to this device by a tier.
pub(super) fn given_again(
    step: &mut Step<'_>,
    message: MessageRef,
    tier: u32,
) -> Result<(), Error> {
    let Some(kept) = rows::of(step.connection, message)? else {
        return Ok(());
    };
    rows::given(step.connection, kept.message, tier)?;
    let waits: bool = step
        .connection
        .prepare_cached(
            "SELECT recalled_at IS NULL AND direction = ?2 FROM message WHERE sequence = ?1",
        )?
        .query_row(params![kept.message, Direction::Incoming as i64], |row| {
            row.get(0)
        })?;
    if waits {
        let names = Names::of(step, kept.message)?;
        step.conversation_changed(names.row);
        tell(step, message, names.conversation, tier)?;
    }
    Ok(())
}

/// Whether a message is released before the time that its author has signed, by this device's clock.
pub(super) fn note_early(step: &Step<'_>, content: &v1::Content, tier: u32) -> Result<(), Error> {
    let Some(plan) = &content.escalation else {
        return Ok(());
    };
    let written = Timestamp::from_millis(content.created_at_ms);
    let place = usize::try_from(tier).unwrap_or(usize::MAX);
    let due = escalation::due(plan, written).get(place).copied();
    if due.is_some_and(|due| step.now() + CLOCKS_DIFFER < due) {
        step.audit(Action::EscalationDoubtful, &content.message_id)?;
    }
    Ok(())
}

// What the relay says ------------------------------------------------------------------------------------

/// Takes in what the relay says of a deposit. It comes under names that envelopes have too.
pub(super) fn notice(
    step: &mut Step<'_>,
    envelope: &v1::Envelope,
    sender: &ProvenSender,
    notice: &Notice,
) -> Result<(), Error> {
    let own = envelope.sender_device == step.us().as_bytes();
    match notice {
        Notice::Due(due) => is_due(step, envelope, sender, due),
        Notice::Released(released) if own => is_released(step, envelope, released),
        Notice::Stopped(stopped) if own => is_stopped(step, stopped),
        Notice::Released(_) | Notice::Stopped(_) => Ok(()),
    }
}

fn is_due(
    step: &mut Step<'_>,
    envelope: &v1::Envelope,
    sender: &ProvenSender,
    due: &v1::Due,
) -> Result<(), Error> {
    let Ok(role) = RoleId::new(due.role_id.clone()) else {
        return Ok(());
    };
    let name = Hash::tagged("due", &[&envelope.envelope_id, role.as_str().as_bytes()]);
    let fresh = step
        .connection
        .prepare_cached(
            "INSERT INTO opened_envelope (sender_device, envelope_id, at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            envelope.sender_device,
            name.as_bytes(),
            step.now().as_millis()
        ])?;
    if fresh == 0 {
        return Ok(());
    }
    step.emit(&Event::EscalationDue {
        sender: sender.user.clone(),
        role,
    })
}

fn is_released(
    step: &mut Step<'_>,
    envelope: &v1::Envelope,
    released: &v1::Released,
) -> Result<(), Error> {
    let us = step.us();
    let Some(kept) = rows::by_deposit(step.connection, us, &released.deposit_id)? else {
        return Ok(());
    };
    let at = Timestamp::from_millis(released.at_ms);
    let due = rows::next_due(step.connection, &kept, released.tier)?;
    let early = due.is_some_and(|due| at < due) && !somebody_declined(step, kept.message)?;
    if !rows::released(step.connection, kept.message, released, early)? {
        return Ok(());
    }
    let names = Names::of(step, kept.message)?;
    if early {
        step.audit(Action::EscalationDoubtful, names.message.as_bytes())?;
    }
    let reached = released.device_ids.iter();
    for device in reached.filter_map(|device| DeviceId::from_slice(device).ok()) {
        match rows::given_to(step.connection, kept.message, released.tier, device)? {
            Some(user) => reaches(step, kept.message, envelope, device, &user, at)?,
            None => step.audit(Action::EscalationDoubtful, names.message.as_bytes())?,
        }
    }
    step.conversation_changed(names.row);
    let message = MessageRef {
        device: us,
        id: names.message,
    };
    if kept.plan.scheduled && released.tier == 0 {
        return step.emit(&Event::MessageSent {
            message: names.message,
            conversation: names.conversation,
        });
    }
    tell(step, message, names.conversation, released.tier)
}

/// Whoever was given it is a recipient from now on: hears of a recall and of corrections, and signs receipts.
fn reaches(
    step: &Step<'_>,
    message: i64,
    envelope: &v1::Envelope,
    device: DeviceId,
    user: &UserId,
    at: Timestamp,
) -> Result<(), Error> {
    if EnvelopeId::from_slice(&envelope.envelope_id).is_err() {
        return Ok(());
    }
    step.connection
        .prepare_cached(
            "INSERT INTO sent_envelope (envelope_id, message, posted_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![envelope.envelope_id, message, at.as_millis()])?;
    step.connection
        .prepare_cached(
            "INSERT INTO envelope_device (envelope_id, device_id) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![envelope.envelope_id, device.as_bytes()])?;
    let known = step
        .connection
        .prepare_cached("SELECT 1 FROM recipient WHERE message = ?1 AND device_id = ?2")?
        .exists(params![message, device.as_bytes()])?;
    if !known {
        messages::add_recipient(step.connection, message, device, user)?;
    }
    messages::advance(
        step.connection,
        message,
        device,
        Happening::Posted,
        None,
        at,
    )?;
    Ok(())
}

fn somebody_declined(step: &Step<'_>, message: i64) -> Result<bool, Error> {
    Ok(step
        .connection
        .prepare_cached(
            "SELECT 1 FROM answer a JOIN message m
                 ON m.sender_device = a.subject_device AND m.message_id = a.subject_id
             WHERE m.sequence = ?1 AND a.verdict = ?2",
        )?
        .exists(params![message, Verdict::Declined as i64])?)
}

fn is_stopped(step: &mut Step<'_>, stopped: &v1::Stopped) -> Result<(), Error> {
    let Some(kept) = rows::by_deposit(step.connection, step.us(), &stopped.deposit_id)? else {
        return Ok(());
    };
    let at = Timestamp::from_millis(stopped.at_ms);
    let known_device = DeviceId::from_slice(&stopped.by_device).is_ok();
    if known_device && rows::stopped(step.connection, kept.message, &stopped.by_device, at)? {
        let names = Names::of(step, kept.message)?;
        step.audit(Action::EscalationStopped, names.message.as_bytes())?;
        step.conversation_changed(names.row);
    }
    Ok(())
}

// What is answered ---------------------------------------------------------------------------------------

/// Lets what is said of a message be said in the conversation that its author wrote it in.
pub(super) fn speak_where_written(
    step: &Step<'_>,
    message: MessageRef,
    content: &mut v1::Content,
) -> Result<(), Error> {
    let Some(kept) = rows::of(step.connection, message)? else {
        return Ok(());
    };
    let names = Names::of(step, kept.message)?;
    if names.conversation.as_bytes().as_slice() != kept.conversation_id {
        let damaged = |_| StoreError::Damaged { what: "escalation" };
        let reference = v1::ConversationRef::decode(kept.reference.as_slice()).map_err(damaged)?;
        content.conversation = Some(reference);
        content.conversation_id = kept.conversation_id;
    }
    Ok(())
}

/// Who else is concerned by what is said of a message that is escalated: by a recall everybody who may be given it,
/// by an answer whoever was given it and who it was written to first; `None` when entries have to be fetched first.
pub(super) fn concerned(
    step: &mut Step<'_>,
    subject: MessageRef,
    content: &v1::Content,
) -> Result<Option<Vec<UserId>>, Error> {
    match content.type_uri.as_str() {
        RECALL => return Ok(Some(rows::everybody(step.connection, subject)?)),
        ANSWER => {}
        _ => return Ok(Some(Vec::new())),
    }
    let Some(kept) = rows::of(step.connection, subject)? else {
        return Ok(Some(Vec::new()));
    };
    let now = step.now();
    let mut people = Vec::new();
    let mut complete = true;
    for tier in given_tiers(step, &kept, now)? {
        match holding::people_of(step, &tier, now, now + Duration::from_millis(1))? {
            Some(of_tier) => people.extend(of_tier),
            None => complete = false,
        }
    }
    let reference = v1::ConversationRef::decode(kept.reference.as_slice()).ok();
    if let Some(Kind::Direct(pair)) = reference.and_then(|reference| reference.kind) {
        let pair = [pair.first_user_id, pair.second_user_id].into_iter();
        people.extend(pair.filter_map(|user| UserId::new(user).ok()));
    }
    Ok(complete.then_some(people))
}

/// The tiers that were released, as far as this device knows: up to the one it was given, and those whose time has
/// come.
pub(super) fn given_tiers(
    step: &Step<'_>,
    kept: &Kept,
    at: Timestamp,
) -> Result<Vec<v1::EscalationTier>, Error> {
    let written: i64 = step
        .connection
        .prepare_cached("SELECT created_at FROM message WHERE sequence = ?1")?
        .query_row(params![kept.message], |row| row.get(0))?;
    let due = escalation::due(&kept.plan, Timestamp::from_millis(written));
    let by_time = due.iter().filter(|due| **due <= at).count();
    let given = kept.given.map_or(0, |tier| tier.saturating_add(1));
    let most = by_time.max(usize::try_from(given).unwrap_or(usize::MAX));
    Ok(kept.plan.tiers.iter().take(most).cloned().collect())
}

/// So much two clocks may differ without anybody lying.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
