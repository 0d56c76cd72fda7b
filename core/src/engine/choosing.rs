//! Choosing: a person answers a message with one of the texts that it offers.
//!
//! The reply is a text in the same conversation. Choosing is reading: the author gets a read receipt too. It is no
//! answer to a message that asks for one.
//!
//! Not its concern: which replies are believed to be an offer, which is `message::offers`'s.

use wardline_proto::{Message, v1};

use super::{Step, expiring, outbox, recalling};
use crate::{
    audit::Action,
    error::{Error, SendError},
    id::{MessageId, MessageRef},
    message::{
        Direction, Priority, TEXT, amend, content, offers::Offered, recall::Subject, receipts,
    },
    policy,
    vault::{BodyOpener, ReadingKeys},
};

/// Answers a message with the text that it offers at a place; answers the id of the reply.
pub(crate) fn reply_with(
    step: &mut Step<'_>,
    keys: &ReadingKeys,
    message: MessageRef,
    index: u32,
) -> Result<MessageId, Error> {
    let subject = Subject::load(step.connection, message)?.ok_or(Error::Unknown)?;
    if subject.direction != Direction::Incoming {
        return Err(SendError::OwnMessage.into());
    }
    if !subject.proven {
        return Err(SendError::SenderRevoked.into());
    }
    expiring::refuse_over(step, message, SendError::NotOffered)?;
    let offered = Offered::load(step.connection, &mut BodyOpener::new(keys), message)?;
    let text = offered.as_ref().and_then(|offered| offered.text(index));
    let text = text.ok_or(SendError::NotOffered)?;
    let rules = step.memory.directory.policy(step.connection)?;
    policy::check_text(text, &rules)?;
    let version = amend::standing(step.connection, message)?;
    let content = v1::Content {
        type_uri: TEXT.to_owned(),
        body: v1::TextBody {
            text: text.to_owned(),
        }
        .encode_to_vec(),
        priority: Priority::Routine as i32,
        subject: Some(content::reference_to(message, subject.hash)),
        subject_version: version.map(|(version, hash)| content::reference_to(version, hash)),
        choice: Some(v1::Choice { index }),
        ..Default::default()
    };
    let recipient = recalling::recipient_of(step, subject.conversation)?;
    let (_, id) = outbox::write(step, &recipient, content)?;
    let latest = step.context.clocks.latest();
    if receipts::mark_read(step.connection, message, step.now(), latest)?.is_some() {
        step.audit(Action::MessageRead, message.id.as_bytes())?;
    }
    Ok(id)
}
