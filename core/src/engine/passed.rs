//! Taking in what others pass on of what was written to a role.
//!
//! Whoever passes on must speak for the role. What is passed on is believed for its author's own signature, and only
//! from the caller of that very conversation; it is then kept like a message that came from its author, under its own
//! name. Its author learns who has it now, so that a recall finds them.
//!
//! Not its concern: what is passed on, and when ([`super::custody`]).

use wardline_org::{DeviceId, EntryKey, Hash, UserId, signer::verify_tagged};
use wardline_proto::{Message, v1};

use super::{
    Step, answering, custody,
    event::Event,
    keeping::{self, Believed},
    outbox,
    placing::Place,
    roles,
};
use crate::{
    audit::Action,
    conversation::role,
    directory::{Lookup, ProvenSender, SenderLookup, active_devices},
    error::Error,
    id::{ConversationId, MessageId, MessageRef},
    message::{
        AMEND, Direction, Priority, RECALL, content, passing, recall::Subject, rows, rows::Facts,
    },
    session::content::SIGNATURE_PURPOSE,
    store::StoreError,
    vault::BodySealer,
};

/// Whether the entries are at hand by which a pass is judged: its author's, and those of whom it may be for.
pub(super) fn can_judge(step: &mut Step<'_>, content: &v1::Content) -> Result<bool, Error> {
    if content::passed(content).is_none() {
        return Ok(true);
    }
    let mut complete = true;
    for user in concerned(step, content)? {
        let key = EntryKey::Person(user);
        let found = step.memory.directory.entry(step.connection, &key)?;
        if matches!(found, Lookup::Unproven(_)) {
            step.memory.wanted_entries.insert(key);
            complete = false;
        }
    }
    Ok(complete)
}

/// Takes in what somebody passes on, in row `row`.
pub(super) fn apply(
    step: &mut Step<'_>,
    sealer: &BodySealer<'_>,
    row: i64,
    passer: &UserId,
    place: &Place,
    content: &v1::Content,
) -> Result<(), Error> {
    let (Some(body), Some((subject, _))) = (content::passed(content), content::subject_of(content))
    else {
        return Ok(());
    };
    passing::note(step.connection, row, subject)?;
    let us = step.context.identity.user_id.clone();
    let Some((_, caller)) = place.recipient.of_role(&us) else {
        return refuse(step, subject);
    };
    if place.speaks.is_none() {
        return refuse(step, subject);
    }
    let devices = entitled(step, content)?;
    let ids: Vec<DeviceId> = devices.iter().map(|(device, _)| *device).collect();
    if *caller == us {
        let hash = body.contents.first().map(|one| one.content_hash.as_slice());
        has_it_now(step, subject, hash, &devices, place)?;
    } else {
        for (number, passed) in body.contents.iter().enumerate() {
            let Some(vouched) = vouched(step, caller, place, passed)? else {
                return refuse(step, subject);
            };
            let fits = match number {
                0 => vouched.facts.shown && vouched.reference == subject,
                _ => {
                    vouched.content.type_uri == AMEND
                        && !vouched.facts.shown
                        && content::subject_of(&vouched.content).is_some_and(|of| of.0 == subject)
                }
            };
            if !fits {
                return refuse(step, subject);
            }
            vouched.keep(step, sealer, place, passer, &ids)?;
        }
    }
    if passing::extend_recipients(step.connection, subject, &ids)? {
        let conversation = ConversationId::from_slice(&content.conversation_id)
            .map_err(|_| StoreError::Damaged { what: "content" })?;
        answering::settle(step, subject, conversation)?;
    }
    // Handed over on another device of ours.
    if place.direction == Direction::OwnOtherDevice && !keeps(step, place)? {
        custody::handed_over(step, subject)?;
    }
    step.audit(Action::MessagePassed, subject.id.as_bytes())
}

fn refuse(step: &Step<'_>, subject: MessageRef) -> Result<(), Error> {
    tracing::warn!("what was passed on is not believed");
    step.audit(Action::PassRefused, subject.id.as_bytes())
}

/// A content that its author's signature vouches for.
struct Vouched {
    reference: MessageRef,
    author: ProvenSender,
    signed: v1::SignedContent,
    content: v1::Content,
    hash: Hash,
    facts: Facts,
}

impl Vouched {
    fn keep(
        &self,
        step: &mut Step<'_>,
        sealer: &BodySealer<'_>,
        place: &Place,
        passer: &UserId,
        devices: &[DeviceId],
    ) -> Result<(), Error> {
        let believed = Believed {
            reference: self.reference,
            author: &self.author,
            signed: &self.signed,
            content: &self.content,
            hash: self.hash,
            tier: None,
            passed: Some((passer, devices)),
        };
        let place = Place {
            recipient: place.recipient.clone(),
            conversation_id: place.conversation_id,
            direction: Direction::Incoming,
            speaks: None,
        };
        keeping::keep(step, sealer, &believed, &place)
    }
}

/// What is passed on, if the caller has signed it for this very conversation.
fn vouched(
    step: &mut Step<'_>,
    caller: &UserId,
    place: &Place,
    passed: &v1::PassedContent,
) -> Result<Option<Vouched>, Error> {
    use crate::conversation::Recipient;
    let identity = step.context.identity.clone();
    let Some(signed) = &passed.signed else {
        return Ok(None);
    };
    let Ok(content) = v1::Content::decode(signed.content.as_slice()) else {
        return Ok(None);
    };
    let names = DeviceId::from_slice(&content.sender_device)
        .ok()
        .zip(MessageId::from_slice(&content.message_id).ok())
        .zip(Hash::from_slice(&passed.content_hash).ok());
    let Some(((device, id), hash)) = names else {
        return Ok(None);
    };
    let reference = content.conversation.as_ref();
    let conversation = place
        .recipient
        .conversation(&identity.organization, &identity.user_id);
    let belongs = content.organization == identity.organization.as_str()
        && content.sender_user_id == caller.as_str()
        && content.conversation_id == conversation.as_bytes()
        && reference
            .and_then(|one| Recipient::parse(one, &identity.user_id))
            .as_ref()
            == Some(&place.recipient);
    let sender = step
        .memory
        .directory
        .sender(step.connection, caller, device)?;
    let SenderLookup::Proven(author) = sender else {
        return Ok(None);
    };
    let verified = verify_tagged(
        &author.ed25519,
        SIGNATURE_PURPOSE,
        &signed.content,
        &signed.signature,
    );
    if !belongs || verified.is_err() {
        return Ok(None);
    }
    Ok(Some(Vouched {
        reference: MessageRef { device, id },
        author,
        signed: signed.clone(),
        facts: Facts::of(&content),
        content,
        hash,
    }))
}

/// A message of ours is with somebody else now; if it was taken back, they hear of that.
fn has_it_now(
    step: &mut Step<'_>,
    subject: MessageRef,
    hash: Option<&[u8]>,
    devices: &[(DeviceId, UserId)],
    place: &Place,
) -> Result<(), Error> {
    if subject.device != step.us() {
        return Ok(());
    }
    let Some(own) = rows::own(step.connection, step.us(), subject.id.as_bytes())? else {
        return Ok(());
    };
    if own.content_hash.as_deref() != hash {
        return refuse(step, subject);
    }
    let mut anybody = false;
    for (device, user) in devices {
        if *user == step.context.identity.user_id {
            continue;
        }
        if passing::add_passed_to(step.connection, own.sequence, *device, user)? {
            anybody = true;
            let user = user.clone();
            step.emit(&Event::DeliveryChanged {
                message: subject.id,
                user,
            })?;
        }
    }
    step.conversation_changed(own.conversation);
    let taken_back = Subject::load(step.connection, subject)?;
    if anybody && taken_back.is_some_and(|subject| subject.recalled) {
        let again = v1::Content {
            type_uri: RECALL.to_owned(),
            body: v1::RecallBody::default().encode_to_vec(),
            priority: Priority::Routine as i32,
            subject: Some(content::reference_to(
                subject,
                own.content_hash.unwrap_or_default(),
            )),
            ..Default::default()
        };
        outbox::write(step, &place.recipient, again)?;
    }
    Ok(())
}

/// The devices of a pass that belong to somebody whom the role's line names, now or soon.
fn entitled(step: &mut Step<'_>, content: &v1::Content) -> Result<Vec<(DeviceId, UserId)>, Error> {
    let mut entitled = Vec::new();
    for user in concerned(step, content)? {
        let (entry, _) = roles::known(step, EntryKey::Person(user.clone()))?;
        let person = entry.as_ref().and_then(|entry| entry.person());
        let devices = person.map(active_devices).unwrap_or_default();
        let named = |device: &DeviceId| {
            let mut recipients = content.recipient_devices.iter();
            recipients.any(|one| one == device.as_bytes())
        };
        let named = devices.into_iter().filter(named);
        entitled.extend(named.map(|device| (device, user.clone())));
    }
    // The caller's own devices have it from the caller.
    entitled.retain(|(_, user)| user.as_str() != caller_of(content).unwrap_or_default());
    Ok(entitled)
}

/// The caller, and whom the role's line names around the time at which something was passed on.
fn concerned(step: &mut Step<'_>, content: &v1::Content) -> Result<Vec<UserId>, Error> {
    let Some(entry) = line_of(step, content)? else {
        return Ok(Vec::new());
    };
    let at = wardline_org::Timestamp::from_millis(content.created_at_ms);
    let mut people = entry
        .role_line()
        .map_or(Vec::new(), |line| role::named_around(line, at));
    let caller = caller_of(content).and_then(|caller| UserId::new(caller.to_owned()).ok());
    people.extend(caller.filter(|caller| !people.contains(caller)));
    Ok(people)
}

fn line_of(
    step: &mut Step<'_>,
    content: &v1::Content,
) -> Result<Option<std::sync::Arc<wardline_org::entry::Entry>>, Error> {
    let Some(role) = roles::role_of(content) else {
        return Ok(None);
    };
    Ok(match roles::line_entry(step, &role)? {
        Lookup::Present(entry) => Some(entry),
        Lookup::Absent | Lookup::Unproven(_) => None,
    })
}

fn caller_of(content: &v1::Content) -> Option<&str> {
    match content.conversation.as_ref()?.kind.as_ref()? {
        v1::conversation_ref::Kind::Role(conversation) => Some(&conversation.caller_user_id),
        _ => None,
    }
}

/// Whether this person is the role's custodian, who keeps what is handed over.
fn keeps(step: &mut Step<'_>, place: &Place) -> Result<bool, Error> {
    let us = step.context.identity.user_id.clone();
    let Some((role, _)) = place.recipient.of_role(&us) else {
        return Ok(false);
    };
    let (entry, _) = roles::known(step, EntryKey::Role(role.clone()))?;
    let line = entry.as_ref().and_then(|entry| entry.role_line());
    Ok(line.is_some_and(|line| line.custodian.as_ref() == Some(&us)))
}
