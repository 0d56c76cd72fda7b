//! Amending: a person corrects the text of a message of theirs, here or as others learn of it.
//!
//! A signed content with the new text goes after the message to everybody it went to. Whoever has answered has
//! answered what they had read: nothing is opened again by itself.
//!
//! Not its concern: which correction counts and which one stands, which is `message::amend`'s.

use wardline_org::UserId;
use wardline_proto::{Message, v1};

use super::{Step, event::Event, expiring, outbox, recalling};
use crate::{
    audit::Action,
    error::{Error, SendError},
    id::{ConversationId, MessageId, MessageRef},
    message::{
        AMEND, Direction, Priority, Structured,
        amend::{self, NewAmendment},
        content::{self, subject_of},
        recall::{self, Subject},
    },
    policy,
    store::StoreError,
};

/// Corrects a message, with a reason that everybody it went to can read; answers the id of the correction. `fields` are
/// those of a structured message, of its own type.
pub(crate) fn amend(
    step: &mut Step<'_>,
    message: MessageRef,
    fields: Option<&Structured>,
    text: &str,
    reason: &str,
) -> Result<MessageId, Error> {
    let subject = Subject::load(step.connection, message)?.ok_or(Error::Unknown)?;
    let rules = step.memory.directory.policy(step.connection)?;
    let body = v1::AmendBody {
        text: said(fields, text),
        reason: reason.to_owned(),
        type_uri: fields.map_or_else(String::new, |fields| fields.type_uri().to_owned()),
        body: fields.map(Structured::encode).unwrap_or_default(),
        ..Default::default()
    };
    policy::check_text(&body.text, &rules)?;
    policy::check_length(reason, &rules)?;
    // The text goes twice.
    policy::check_size(body.encoded_len().saturating_add(body.text.len()), 0)?;
    if subject.direction == Direction::Incoming {
        return Err(SendError::NotYours.into());
    }
    let age = step.now().saturating_since(subject.created_at);
    if subject.recalled || age > rules.amend_window() {
        return Err(SendError::TooLateToAmend.into());
    }
    expiring::refuse_over(step, message, SendError::TooLateToAmend)?;
    if let Some(fields) = fields {
        fields.check()?;
        let keys = step.context.reading.as_ref().ok_or(Error::Locked)?;
        let type_uri =
            amend::type_of(step.connection, keys, message, step.context.clocks.latest())?;
        if type_uri != fields.type_uri() {
            return Err(SendError::OtherType.into());
        }
    }
    let content = v1::Content {
        type_uri: AMEND.to_owned(),
        body: body.encode_to_vec(),
        fallback_text: body.text,
        priority: Priority::Routine as i32,
        subject: Some(content::reference_to(message, subject.hash.clone())),
        ..Default::default()
    };
    let recipient = recalling::recipient_of(step, subject.conversation)?;
    let (row, id) = outbox::write(step, &recipient, content)?;
    let user = step.context.identity.user_id.clone();
    amend::note(
        step.connection,
        &NewAmendment {
            row,
            subject: message,
            subject_hash: &subject.hash,
            user: &user,
            version: MessageRef {
                device: step.us(),
                id,
            },
            at: step.now(),
        },
    )?;
    settle(step, message)?;
    Ok(id)
}

/// What anybody can read of a correction: the app's own words, or its fields.
fn said(fields: Option<&Structured>, text: &str) -> String {
    match fields {
        Some(fields) if text.trim().is_empty() => fields.fallback(),
        _ => text.to_owned(),
    }
}

/// Takes in somebody's correction, which stands in row `row`.
pub(super) fn apply(
    step: &mut Step<'_>,
    row: i64,
    user: &UserId,
    content: &v1::Content,
) -> Result<(), Error> {
    let said = subject_of(content).zip(content::correction_in(content));
    let Some(((subject, subject_hash), (version, at))) = said else {
        tracing::warn!("a correction does not say of what");
        return Ok(());
    };
    let new = NewAmendment {
        row,
        subject,
        subject_hash,
        user,
        version,
        at,
    };
    amend::note(step.connection, &new)?;
    if settle(step, subject)? {
        let conversation = ConversationId::from_slice(&content.conversation_id)
            .map_err(|_| StoreError::Damaged { what: "content" })?;
        step.emit(&Event::MessageAmended {
            message: subject,
            conversation,
        })?;
        if subject.device == step.us() {
            hand_on(step, &new, content)?;
        }
    }
    // What is said of a message that was taken back says what it said.
    recall::bury_words_of_recalled(step.connection, subject, step.now())?;
    recalling::bury_early(step, subject)
}

/// Corrected on another device of ours, which does not know everybody it went to: this one does.
fn hand_on(
    step: &mut Step<'_>,
    new: &NewAmendment<'_>,
    content: &v1::Content,
) -> Result<(), Error> {
    let said = content::correction(content).ok_or(StoreError::Damaged { what: "content" })?;
    let copy = v1::Content {
        body: v1::AmendBody {
            copy_of: Some(content::reference_to(new.version, Vec::new())),
            written_at_ms: new.at.as_millis(),
            ..said
        }
        .encode_to_vec(),
        ..content.clone()
    };
    let row = recalling::pass_on(step, new.row, &copy)?;
    amend::note(step.connection, &NewAmendment { row, ..*new })?;
    settle(step, new.subject)?;
    Ok(())
}

/// Decides about what was said of a message that is here now; answers whether another text stands.
pub(super) fn settle(step: &mut Step<'_>, message: MessageRef) -> Result<bool, Error> {
    // Asked for every message that comes: most are never corrected.
    if !amend::is_waiting(step.connection, message)? {
        return Ok(false);
    }
    let rules = step.memory.directory.policy(step.connection)?;
    let window = i64::try_from(rules.amend_window().as_millis()).unwrap_or(i64::MAX);
    let settled = amend::settle(step.connection, message, window)?;
    if settled.changed {
        step.audit(Action::MessageAmended, message.id.as_bytes())?;
    }
    for _ in 0..settled.refused {
        step.audit(Action::AmendmentRefused, message.id.as_bytes())?;
    }
    Ok(settled.changed)
}
