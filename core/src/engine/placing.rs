//! Where a content that came in belongs: what it says of its conversation and its author is held against what it is
//! bound to, and against the directory.
//!
//! Not its concern: opening it, and what becomes of it ([`super::inbox`]).

use wardline_org::Timestamp;
use wardline_proto::v1;

use super::{Step, delegating, escalating, roles};
use crate::{
    conversation::{Recipient, role::RoleSpeaker},
    directory::ProvenSender,
    error::Error,
    id::ConversationId,
    message::Direction,
    session::open::OpenedContent,
};

/// Where a content belongs.
pub(super) struct Place {
    pub(super) recipient: Recipient,
    pub(super) conversation_id: ConversationId,
    pub(super) direction: Direction,
    pub(super) speaks: Option<RoleSpeaker>,
}

/// Where a content belongs; `None` when what it says of that is not true.
pub(super) fn place(
    step: &mut Step<'_>,
    envelope: &v1::Envelope,
    sender: &ProvenSender,
    opened: &OpenedContent,
) -> Result<Option<Place>, Error> {
    let Some(mut place) = bound(step, sender, opened)? else {
        return Ok(None);
    };
    let came = match envelope.accepted_at_ms {
        0 => step.now(),
        at => Timestamp::from_millis(at),
    };
    let (recipient, content) = (&place.recipient, &opened.content);
    Ok(roles::judge(step, recipient, &sender.user, content, came)?
        .ok()
        .map(|speaks| {
            place.speaks = speaks;
            place
        }))
}

/// The place of a content, as far as its binding tells.
fn bound(
    step: &Step<'_>,
    sender: &ProvenSender,
    opened: &OpenedContent,
) -> Result<Option<Place>, Error> {
    let identity = &step.context.identity;
    let content = &opened.content;
    if content.organization != identity.organization.as_str()
        || content.sender_user_id != sender.user.as_str()
    {
        return Ok(None);
    }
    let found = match ours(step, sender, opened)? {
        Some(recipient) => Some((recipient, opened.binding.conversation_id)),
        None => match delegating::place(step, sender, opened) {
            Some(found) => Some(found),
            None => escalating::place(step, sender, opened)?,
        },
    };
    let direction = if sender.user == identity.user_id {
        Direction::OwnOtherDevice
    } else {
        Direction::Incoming
    };
    Ok(found.map(|(recipient, conversation_id)| Place {
        recipient,
        conversation_id,
        direction,
        speaks: None,
    }))
}

/// With whom the conversation is that a content names, if it is one of ours and its author may write there.
fn ours(
    step: &Step<'_>,
    sender: &ProvenSender,
    opened: &OpenedContent,
) -> Result<Option<Recipient>, Error> {
    let identity = &step.context.identity;
    let content = &opened.content;
    let named = content.conversation.as_ref();
    let Some(recipient) = named.and_then(|named| Recipient::parse(named, &identity.user_id)) else {
        return Ok(None);
    };
    // In a direct conversation the author is one of the two, us on another device or the other; or somebody who
    // answers because one of the two is away.
    if let Recipient::Person(other) = &recipient
        && sender.user != *other
        && sender.user != identity.user_id
        && !delegating::may_answer(step, sender, content)?
    {
        return Ok(None);
    }
    let expected = recipient.conversation(&identity.organization, &identity.user_id);
    Ok((expected == opened.binding.conversation_id).then_some(recipient))
}
