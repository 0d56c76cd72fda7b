//! What a content says, as far as this version understands it: its text, the message it speaks of, an answer.
//!
//! Not its concern: what follows from it.

use wardline_org::{DeviceId, Timestamp};
use wardline_proto::{Message as _, v1};

use super::{AMEND, ANSWER, PASS, TEXT, Verdict, forward::Parts, structured::Structured};
use crate::{
    id::{MessageId, MessageRef},
    store::StoreError,
};

/// A stored body read as a content: what was signed, or for a message not sealed yet what will be.
pub(crate) fn content_of(body: &[u8]) -> Result<v1::Content, StoreError> {
    let damaged = |_| StoreError::Damaged {
        what: "message body",
    };
    let signed = v1::SignedContent::decode(body).map_err(damaged)?;
    v1::Content::decode(signed.content.as_slice()).map_err(damaged)
}

/// The text of a content, and whether its type is understood.
pub(crate) fn text_of(content: &v1::Content) -> (String, bool) {
    if content.type_uri == TEXT
        && let Ok(body) = v1::TextBody::decode(content.body.as_slice())
    {
        return (body.text, true);
    }
    if let Some(parts) = Parts::of(content) {
        return (parts.text(), true);
    }
    let structured = Structured::of(content);
    let text = match &structured {
        // Whoever sends none must not hide what is ordered.
        Some(structured) if content.fallback_text.trim().is_empty() => structured.fallback(),
        _ => content.fallback_text.clone(),
    };
    let known = structured.is_some_and(|known| !matches!(known, Structured::Vendor(_)));
    (text, known)
}

/// Whom a content is about. A forward is about whom its original is about, whatever the forwarder says.
pub(crate) fn patient_of(content: &v1::Content) -> Option<v1::PatientContext> {
    match Parts::of(content) {
        Some(parts) => parts.content.patient,
        None => content.patient.clone(),
    }
}

/// The message that a content speaks of, and by which ciphertext.
pub(crate) fn subject_of(content: &v1::Content) -> Option<(MessageRef, &[u8])> {
    let subject = content.subject.as_ref()?;
    Some((named(subject)?, &subject.content_hash))
}

/// Which correction of its subject the author of a content had read.
pub(crate) fn version_of(content: &v1::Content) -> Option<MessageRef> {
    named(content.subject_version.as_ref()?)
}

fn named(reference: &v1::MessageReference) -> Option<MessageRef> {
    Some(MessageRef {
        device: DeviceId::from_slice(&reference.sender_device).ok()?,
        id: MessageId::from_slice(&reference.message_id).ok()?,
    })
}

/// How a content names a message, by which ciphertext.
pub(crate) fn reference_to(message: MessageRef, hash: Vec<u8>) -> v1::MessageReference {
    v1::MessageReference {
        sender_device: message.device.to_vec(),
        message_id: message.id.as_bytes().to_vec(),
        content_hash: hash,
    }
}

/// What an answer speaks of, by which ciphertext, and what it says; `None` when it is not one that this version
/// understands.
pub(crate) fn answer_in(content: &v1::Content) -> Option<(MessageRef, &[u8], Verdict)> {
    let (message, hash) = subject_of(content)?;
    let verdict = match said(content)?.verdict() {
        v1::Verdict::Accepted => Verdict::Accepted,
        v1::Verdict::Declined => Verdict::Declined,
        v1::Verdict::Unspecified => return None,
    };
    Some((message, hash, verdict))
}

/// The answer in a content, if it is one.
pub(crate) fn said(content: &v1::Content) -> Option<v1::AnswerBody> {
    (content.type_uri == ANSWER)
        .then(|| v1::AnswerBody::decode(content.body.as_slice()).ok())
        .flatten()
}

/// What a correction says, if a content is one.
pub(crate) fn correction(content: &v1::Content) -> Option<v1::AmendBody> {
    (content.type_uri == AMEND)
        .then(|| v1::AmendBody::decode(content.body.as_slice()).ok())
        .flatten()
}

/// What a content passes on, if it does.
pub(crate) fn passed(content: &v1::Content) -> Option<v1::PassBody> {
    subject_of(content)?;
    (content.type_uri == PASS)
        .then(|| v1::PassBody::decode(content.body.as_slice()).ok())
        .flatten()
}

/// The fields that a message of a type has by a correction; `None` when that has none, or those of another type.
pub(crate) fn corrected_fields(correction: &v1::AmendBody, type_uri: &str) -> Option<Structured> {
    if correction.type_uri.is_empty() || correction.type_uri != type_uri {
        return None;
    }
    Structured::of(&v1::Content {
        type_uri: correction.type_uri.clone(),
        body: correction.body.clone(),
        ..Default::default()
    })
}

/// What a message of a type says by a correction.
pub(crate) fn corrected_text(correction: &v1::AmendBody, type_uri: &str) -> String {
    match corrected_fields(correction, type_uri) {
        // Whoever sends no text must not hide what is ordered.
        Some(fields) if correction.text.trim().is_empty() => fields.fallback(),
        _ => correction.text.clone(),
    }
}

/// What names the correction in a content, and when it was written: a copy is the correction that it was made of.
pub(crate) fn correction_in(content: &v1::Content) -> Option<(MessageRef, Timestamp)> {
    let body = correction(content)?;
    Some(match &body.copy_of {
        Some(original) => (named(original)?, Timestamp::from_millis(body.written_at_ms)),
        None => {
            let own = MessageRef {
                device: DeviceId::from_slice(&content.sender_device).ok()?,
                id: MessageId::from_slice(&content.message_id).ok()?,
            };
            (own, Timestamp::from_millis(content.created_at_ms))
        }
    })
}
