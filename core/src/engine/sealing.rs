//! Sealing one message: whom it is for right now, its content frozen, signed and encrypted, its envelopes.
//!
//! Everything here happens inside the transaction that makes it true. When a message is sealed, and where it
//! waits until then, is [`super::outbox`]'s concern.

use wardline_org::{DeviceId, trust::Freshness};
use wardline_proto::{Message, v1};

use super::{
    Step,
    audience::{self, Audience},
    delegating,
    failing::Failures,
    holding::{self, Held},
    posting,
};
use crate::{
    audit::Action,
    conversation::Recipient,
    error::Error,
    escalation::rows as rows_of_escalations,
    id::MessageId,
    message::rows,
    session::content::{self, ContentKey, SealedContent},
    store::StoreError,
};

/// Everything there is to seal a message with.
pub(super) struct AtHand {
    pub(super) audience: Audience,
    /// Devices that have no session, and had no key to start one with.
    pub(super) missing: Vec<DeviceId>,
    /// What is to be held for others, and for whom it can be sealed.
    held: Option<Held>,
}

impl AtHand {
    /// An audience that has sessions, and nothing is held for anybody else.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn of(audience: Audience) -> Self {
        Self {
            audience,
            missing: Vec::new(),
            held: None,
        }
    }
}

/// `None` while something has to be asked for first; it is noted for the next round.
pub(super) fn at_hand(
    step: &mut Step<'_>,
    recipient: &Recipient,
    content: &v1::Content,
) -> Result<Option<AtHand>, Error> {
    if !may_seal(step)? || speaks_of_what_waits(step, content)? {
        return Ok(None);
    }
    let Some(mut audience) = audience::of(step, recipient, content)? else {
        return Ok(None);
    };
    let us = &step.context.identity.user_id;
    let nobody = audience.devices.iter().all(|(_, user)| user == us);
    let held = match &content.escalation {
        // Nobody is there to send it to later.
        Some(plan) if plan.scheduled && nobody => None,
        Some(plan) => {
            let Some(held) = holding::at_hand(step, plan, &audience.devices)? else {
                return Ok(None);
            };
            if plan.scheduled {
                audience.devices.clear();
            }
            Some(held)
        }
        None => None,
    };
    let missing = audience::without_session(step, &audience.devices)?;
    if missing
        .iter()
        .any(|device| !step.memory.keyless.knows(device))
    {
        for device in missing {
            step.want_session(device);
        }
        return Ok(None);
    }
    Ok(Some(AtHand {
        audience,
        missing,
        held,
    }))
}

/// Whether a content speaks of a message that is not sealed itself: by which ciphertext that is known is not certain yet.
fn speaks_of_what_waits(step: &Step<'_>, content: &v1::Content) -> Result<bool, Error> {
    match &content.subject {
        Some(subject) if subject.content_hash.is_empty() => {
            Ok(rows::content_hash(step.connection, subject)?.is_empty())
        }
        _ => Ok(false),
    }
}

/// Nothing is sealed from an old copy of the store, nor under a directory that may be outdated.
pub(super) fn may_seal(step: &mut Step<'_>) -> Result<bool, Error> {
    if !step.context.checkpoint_confirmed || !step.context.head_confirmed {
        return Ok(false);
    }
    let now = step.now();
    let freshness = step.memory.directory.freshness(step.connection, now)?;
    Ok(freshness != Freshness::BeyondOfflineLimit)
}

/// Writes into a content whom it is for, and by which directory.
pub(super) fn freeze(
    step: &mut Step<'_>,
    mut content: v1::Content,
    recipient: &Recipient,
    at_hand: &AtHand,
) -> Result<v1::Content, Error> {
    let (head_version, head_hash) = step
        .memory
        .directory
        .head(step.connection)?
        .ok_or(Error::NotEnrolled)?;
    if let Some(subject) = &mut content.subject
        && subject.content_hash.is_empty()
    {
        // Written when what it speaks of waited to be sealed too; that went first.
        subject.content_hash = rows::content_hash(step.connection, subject)?;
    }
    let identity = &step.context.identity;
    let us = &identity.user_id;
    let ours = recipient.conversation(&identity.organization, us);
    // What is said of a message that was escalated to us is said where its author wrote it.
    if content.conversation_id == ours.as_bytes() {
        content.conversation = Some(recipient.reference(us, at_hand.audience.team_entry));
    }
    content.escalation = match &at_hand.held {
        Some(held) => holding::freeze(held)?,
        None => None,
    };
    content.delegations = delegating::to_message(&at_hand.audience.away);
    delegating::speak_of(step, &mut content)?;
    content.head_version = head_version;
    content.head_hash = head_hash.as_bytes().to_vec();
    content.recipient_devices = at_hand
        .audience
        .sorted()
        .iter()
        .map(|device| device.to_vec())
        .collect();
    Ok(content)
}

/// A frozen content, signed and encrypted.
pub(super) struct Sealed {
    pub(super) signed: v1::SignedContent,
    pub(super) content: SealedContent,
}

impl Sealed {
    pub(super) fn new(step: &Step<'_>, content: &v1::Content) -> Result<Self, Error> {
        let signed = content::sign(&step.context.identity, content);
        let content = ContentKey::generate()?
            .seal(&signed)
            .ok_or(StoreError::Damaged { what: "content" })?;
        Ok(Self { signed, content })
    }
}

/// Writes down the frozen recipients and queues the envelopes for those that can be sealed for.
pub(super) fn send_off(
    step: &mut Step<'_>,
    message: i64,
    content: &v1::Content,
    sealed: &Sealed,
    at_hand: &AtHand,
) -> Result<(), Error> {
    let Audience {
        devices,
        unreachable,
        ..
    } = &at_hand.audience;
    for (device, user) in devices {
        rows::add_recipient(step.connection, message, *device, user)?;
    }
    let mut failures = Failures::of(message);
    for (user, cause) in unreachable {
        failures.person(step, user, *cause)?;
    }
    failures.tell(step)?;
    let devices = at_hand.audience.sorted();
    let deposit = match &at_hand.held {
        Some(held) => holding::deposit(step, message, content, sealed, held)?,
        None => {
            rows_of_escalations::forget(step.connection, message)?;
            None
        }
    };
    posting::submit(step, message, content, &sealed.content, &devices, deposit)?;
    step.audit(Action::MessageSealed, &content.message_id)
}

/// What is kept to show a message, to prove it and to seal it again; sealed for the person.
pub(super) struct Bodies {
    pub(super) body: Vec<u8>,
    pub(super) content_key: Option<Vec<u8>>,
}

impl Bodies {
    pub(super) fn seal(
        step: &Step<'_>,
        message_id: MessageId,
        signed: &v1::SignedContent,
        sealed: Option<&Sealed>,
    ) -> Result<Self, Error> {
        let place = rows::place_id(step.us(), message_id);
        let sealer = step.context.body_sealer()?;
        let key_place = rows::content_key_place(&place);
        Ok(Self {
            body: sealer.seal(rows::body_place(&place), &signed.encode_to_vec())?,
            content_key: sealed
                .map(|sealed| sealer.seal(key_place, sealed.content.key.as_bytes()))
                .transpose()?,
        })
    }
}

pub(super) fn message_id_of(content: &v1::Content) -> Result<MessageId, StoreError> {
    MessageId::from_slice(&content.message_id).map_err(|_| StoreError::Damaged { what: "content" })
}
