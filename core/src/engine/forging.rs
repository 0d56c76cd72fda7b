//! What a changed client of an enrolled person can do, for tests: seal whatever it likes for whom it likes.
//!
//! Not its concern: anything a shipped app does.

use wardline_org::{DeviceId, UserId};
use wardline_proto::v1;

use super::{
    Step,
    audience::Audience,
    outbox,
    sealing::{AtHand, Sealed, send_off},
};
use crate::{
    conversation,
    error::Error,
    id::{ConversationId, MessageId},
};

/// Seals a content in a conversation for some devices, all of which have a session; `change` makes it say anything.
pub(crate) fn seal(
    step: &mut Step<'_>,
    id: ConversationId,
    reference: v1::ConversationRef,
    to: Vec<(DeviceId, UserId)>,
    change: impl FnOnce(&mut v1::Content),
) -> Result<MessageId, Error> {
    let identity = step.context.identity.clone();
    let head = step.memory.directory.head(step.connection)?;
    let (head_version, head_hash) = head.ok_or(Error::NotEnrolled)?;
    let message_id = MessageId::generate(step.now());
    let row = conversation::ensure(step.connection, id, &reference)?;
    let audience = Audience {
        devices: to,
        unreachable: Vec::new(),
        team_entry: None,
        away: Vec::new(),
    };
    let mut content = v1::Content {
        version: 1,
        organization: identity.organization.to_string(),
        message_id: message_id.as_bytes().to_vec(),
        conversation_id: id.as_bytes().to_vec(),
        conversation: Some(reference),
        sender_user_id: identity.user_id.to_string(),
        sender_device: identity.device_id.to_vec(),
        created_at_ms: step.now().as_millis(),
        head_version,
        head_hash: head_hash.as_bytes().to_vec(),
        recipient_devices: audience.sorted().iter().map(|one| one.to_vec()).collect(),
        ..Default::default()
    };
    change(&mut content);
    let sealed = Sealed::new(step, &content)?;
    let message = outbox::insert(step, row, &content, Some(&sealed))?;
    let at_hand = AtHand::of(audience);
    send_off(step, message, &content, &sealed, &at_hand)?;
    Ok(message_id)
}
