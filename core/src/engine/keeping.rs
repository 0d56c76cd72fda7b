//! Keeping what is believed: a content becomes a message, or says something about one.
//!
//! Not its concern: opening and believing it ([`super::inbox`], [`super::placing`], [`super::passed`]).

use wardline_org::{DeviceId, EntryKey, Hash, Timestamp, UserId};
use wardline_proto::{Message, v1};

use super::{
    Step, amending, answering, delegating, escalating, event::Event, expiring, forwarding, passed,
    placing::Place, reaching, recalling,
};
use crate::{
    audit::Action,
    conversation,
    directory::{Lookup, ProvenSender},
    error::Error,
    id::MessageRef,
    message::{
        AMEND, ANSWER, Direction, PASS, Priority, Proof, RECALL, notice, passing, receipts,
        rows::{self, NewMessage},
    },
    vault::BodySealer,
};

/// A content that is proven to be its author's.
pub(super) struct Believed<'a> {
    pub(super) reference: MessageRef,
    pub(super) author: &'a ProvenSender,
    pub(super) signed: &'a v1::SignedContent,
    pub(super) content: &'a v1::Content,
    /// Of the ciphertext that it came in.
    pub(super) hash: Hash,
    /// By which tier of an escalation it was given to us.
    pub(super) tier: Option<u32>,
    /// Who passed it on, and for which devices, when it did not come from its author.
    pub(super) passed: Option<(&'a UserId, &'a [DeviceId])>,
}

/// Keeps a content, and does what it says.
pub(super) fn keep(
    step: &mut Step<'_>,
    sealer: &BodySealer<'_>,
    believed: &Believed<'_>,
    place: &Place,
) -> Result<(), Error> {
    let Believed {
        reference,
        author,
        content,
        hash,
        tier,
        ..
    } = *believed;
    let us = step.context.identity.user_id.clone();
    let conversation_id = place.conversation_id;
    let conversation = place.recipient.reference(&us, None);
    let row = conversation::ensure(step.connection, conversation_id, &conversation)?;
    let priority = allowed(step, author, Priority::from_wire(content.priority))?;
    let mut facts = expiring::facts(step, content)?;
    let passes = content.type_uri == PASS && !facts.shown;
    let body = if passes {
        // What it passes on is kept as the message that it is, and not a second time.
        v1::SignedContent::default().encode_to_vec()
    } else {
        believed.signed.encode_to_vec()
    };
    let place_id = rows::place_id(reference.device, reference.id);
    let body = sealer.seal(rows::body_place(&place_id), &body)?;
    if let Some((_, devices)) = believed.passed
        && let Some(recipients) = &mut facts.recipients
    {
        passing::add_devices(recipients, devices);
    }
    let inserted = rows::insert(
        step.connection,
        &NewMessage {
            message_id: reference.id,
            sender_device: reference.device,
            sender_user: &author.user,
            conversation: row,
            direction: place.direction,
            proof: if author.active {
                Proof::Proven
            } else {
                Proof::Revoked
            },
            priority,
            created_at: Timestamp::from_millis(content.created_at_ms),
            arrived_at: step.now(),
            content_hash: Some(hash),
            body: &body,
            content_key: None,
            facts: facts.clone(),
            speaks: place.speaks,
            passed_by: believed.passed.map(|(by, _)| by),
        },
    )?;
    let incoming = place.direction == Direction::Incoming;
    // Also for one that is here already: its author seems not to know.
    if incoming && (inserted.is_some() || believed.passed.is_none()) {
        let kind = v1::ReceiptKind::Delivered;
        let (author, hash) = (author.user.as_str(), hash.as_bytes());
        receipts::queue(
            step.connection,
            author,
            reference.id,
            hash,
            kind,
            step.now(),
        )?;
        step.outgoing_changed();
    }
    if let Some(tier) = tier {
        escalating::note_early(step, content, tier)?;
    }
    let Some(message) = inserted else {
        if believed.passed.is_none() {
            // By which ciphertext it is known was the word of whoever passed it on.
            passing::came_from_its_author(step.connection, reference, hash)?;
        }
        return tier.map_or(Ok(()), |tier| {
            escalating::given_again(step, reference, tier)
        });
    };
    step.audit(Action::MessageOpened, reference.id.as_bytes())?;
    delegating::want_proof(step, content)?;
    step.conversation_changed(row);
    escalating::note(step, message, content, tier)?;
    match content.type_uri.as_str() {
        _ if facts.shown => {}
        ANSWER => return answering::apply(step, message, &author.user, content, place.speaks),
        RECALL => return recalling::apply(step, message, &author.user, content),
        AMEND => {
            // What is told of it here is told of where it stands here.
            let content = &v1::Content {
                conversation_id: conversation_id.as_bytes().to_vec(),
                ..content.clone()
            };
            return amending::apply(step, message, &author.user, content);
        }
        PASS => return passed::apply(step, sealer, message, &author.user, place, content),
        _ => {}
    }
    forwarding::arrived(step, message, content)?;
    // It may have been taken back before it came; who had answered it stays known, as on every other device.
    if recalling::take_back(step, reference)? {
        return answering::settle(step, reference, conversation_id);
    }
    if expiring::arrived(step, message, place.direction)? {
        return Ok(());
    }
    // Corrected before it came, it is told of once.
    amending::settle(step, reference)?;
    if incoming {
        let loudness = reaching::tier(step, priority)?;
        let cursor = step.announce(&Event::MessageArrived {
            message: reference,
            conversation: conversation_id,
            tier: loudness,
        })?;
        notice::arrived(step.connection, message, cursor.0)?;
        escalating::tell_given(step, reference, conversation_id, content, tier)?;
    }
    // Answers may have overtaken it.
    answering::settle(step, reference, conversation_id)
}

/// How urgent a message may be that comes from this sender.
fn allowed(
    step: &mut Step<'_>,
    sender: &ProvenSender,
    priority: Priority,
) -> Result<Priority, Error> {
    if priority != Priority::Stat {
        return Ok(priority);
    }
    let rules = step.memory.directory.policy(step.connection)?;
    let key = EntryKey::Person(sender.user.clone());
    let entry = match step.memory.directory.entry(step.connection, &key)? {
        Lookup::Present(entry) => Some(entry),
        Lookup::Absent | Lookup::Unproven(_) => None,
    };
    let person = entry.as_ref().and_then(|entry| entry.person());
    let roles = person.map_or(&[][..], |person| &person.staff_roles);
    Ok(if rules.allows_stat(roles) {
        priority
    } else {
        Priority::Urgent
    })
}
