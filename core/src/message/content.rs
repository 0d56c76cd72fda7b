//! What a content says, as far as this version understands it: its text, the message it speaks of, an answer.
//!
//! Not its concern: what follows from it.

use wardline_org::DeviceId;
use wardline_proto::{Message as _, v1};

use super::{ANSWER, TEXT, Verdict};
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
    (content.fallback_text.clone(), false)
}

/// The message that a content speaks of, and by which ciphertext.
pub(crate) fn subject_of(content: &v1::Content) -> Option<(MessageRef, &[u8])> {
    let subject = content.subject.as_ref()?;
    let message = MessageRef {
        device: DeviceId::from_slice(&subject.sender_device).ok()?,
        id: MessageId::from_slice(&subject.message_id).ok()?,
    };
    Some((message, &subject.content_hash))
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
