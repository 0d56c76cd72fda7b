//! Who is given a message in the place of somebody who is away, and where such a message belongs.
//!
//! The original stays with the person; whoever stands in is given the same content, with the person's signed word in
//! it. In a direct conversation the delegate is no member: on their devices it stands in their own conversation with
//! the author, and what they answer goes to everybody who has the message.
//!
//! Not its concern: what is believed of it when it is read, which is `message::delegation`'s.

use rusqlite::{OptionalExtension, params};
use wardline_org::{EntryKey, Timestamp, UserId, availability::SignedAvailability};
use wardline_proto::v1;

use super::Step;
use crate::{
    conversation::Recipient,
    directory::{Lookup, ProvenSender, reach},
    error::Error,
    id::{ConversationId, MessageRef},
    message::{
        AMEND, ANSWER, RECALL, content,
        delegation::{self, Claim},
    },
    session::open::OpenedContent,
};

/// What people said who are away and for whom somebody stands in, of those a content goes to; `None` while it has to be
/// asked, which is noted. Whoever stands in and is away too is given nothing: nobody knows of whom they would think.
pub(super) fn stand_ins(
    step: &mut Step<'_>,
    recipient: &Recipient,
    people: &[UserId],
    content: &v1::Content,
) -> Result<Option<Vec<SignedAvailability>>, Error> {
    // A role has its holders and its custodian, and passes on by the directory.
    if matches!(recipient, Recipient::Role(_) | Recipient::Caller { .. }) {
        return Ok(Some(Vec::new()));
    }
    // What only speaks of a message goes to those who have it, and so does what asks whom one could write to.
    if matches!(content.type_uri.as_str(), "" | ANSWER | RECALL | AMEND) {
        return Ok(Some(Vec::new()));
    }
    let us = step.context.identity.user_id.clone();
    let others: Vec<&UserId> = people.iter().filter(|user| **user != us).collect();
    let mut complete = true;
    for user in &others {
        complete &= is_fresh(step, user)?;
    }
    if !complete {
        return Ok(None);
    }
    let mut said = Vec::new();
    for user in others {
        let Some((statement, delegate)) = delegate_of(step, user)? else {
            continue;
        };
        if delegate == us {
            continue;
        }
        if !is_fresh(step, &delegate)? {
            complete = false;
            continue;
        }
        let now = step.now();
        let directory = &mut step.memory.directory;
        let theirs = directory.reachability(step.connection, &delegate, now)?;
        if theirs.away_until.is_none() {
            said.push(statement);
        }
    }
    Ok(complete.then_some(said))
}

/// The delegates that statements name.
pub(super) fn delegates(said: &[SignedAvailability]) -> impl Iterator<Item = UserId> {
    said.iter().filter_map(|said| {
        said.statement()
            .availability
            .away
            .as_ref()?
            .delegate
            .clone()
    })
}

/// As a content carries them.
pub(super) fn to_message(said: &[SignedAvailability]) -> Option<v1::Delegations> {
    (!said.is_empty()).then(|| v1::Delegations {
        statements: said.iter().map(SignedAvailability::to_message).collect(),
    })
}

/// Everybody who has a message because of a delegation: an answer concerns them.
pub(super) fn concerned(step: &mut Step<'_>, subject: MessageRef) -> Result<Vec<UserId>, Error> {
    let mut people = Vec::new();
    for claim in claims_of(step, subject)? {
        let at = step.now().min(Timestamp::from_millis(
            claim.until.as_millis().saturating_sub(1),
        ));
        let directory = &mut step.memory.directory;
        if delegation::is_proven(directory, step.connection, &claim, at)? {
            people.push(claim.user().clone());
            people.push(claim.delegate);
        }
    }
    Ok(people)
}

/// Writes into a content that speaks of a message who stands in there; what a delegate answers to stands in the
/// conversation of its author with the person who is away.
pub(super) fn speak_of(step: &Step<'_>, content: &mut v1::Content) -> Result<(), Error> {
    if !matches!(content.type_uri.as_str(), ANSWER | RECALL | AMEND) {
        return Ok(());
    }
    let Some((subject, _)) = content::subject_of(content) else {
        return Ok(());
    };
    content.delegations = delegation::of_message(step.connection, subject)?;
    if content.type_uri != ANSWER {
        return Ok(());
    }
    let identity = &step.context.identity;
    let us = &identity.user_id;
    let direct = content
        .conversation
        .as_ref()
        .and_then(|reference| Recipient::parse(reference, us));
    let Some(Recipient::Person(author)) = direct else {
        return Ok(());
    };
    let claims = delegation::claims(content.delegations.as_ref());
    let own = claims
        .iter()
        .find(|claim| claim.delegate == *us && *claim.user() != author);
    if let Some(claim) = own {
        let original = Recipient::Person(author);
        let id = original.conversation(&identity.organization, claim.user());
        content.conversation_id = id.as_bytes().to_vec();
        content.conversation = Some(original.reference(claim.user(), None));
    }
    Ok(())
}

/// Where a content stands here that was sealed for us in a conversation of two others.
pub(super) fn place(
    step: &Step<'_>,
    sender: &ProvenSender,
    opened: &OpenedContent,
) -> Option<(Recipient, ConversationId)> {
    let identity = &step.context.identity;
    let us = &identity.user_id;
    let content = &opened.content;
    let (first, second) = two(content)?;
    let bound = ConversationId::direct(&identity.organization, &first, &second);
    if bound != opened.binding.conversation_id {
        return None;
    }
    let claims = delegation::claims(content.delegations.as_ref());
    claims.iter().find_map(|claim| {
        let author = other_of(&first, &second, claim)?;
        // The author, ourselves on another device, or what the person who is away answers.
        let heard = sender.user == *author
            || sender.user == *us
            || (sender.user == *claim.user() && is_answer(content));
        let ours = claim.delegate == *us && author != us && claim.user() != us;
        let recipient = Recipient::Person(author.clone());
        let conversation = recipient.conversation(&identity.organization, us);
        (heard && ours).then_some((recipient, conversation))
    })
}

/// Asks for the entries by which a content's claims are proven: whoever reads it sees for whom somebody stands in.
pub(super) fn want_proof(step: &mut Step<'_>, content: &v1::Content) -> Result<(), Error> {
    for claim in delegation::claims(content.delegations.as_ref()) {
        let key = EntryKey::Person(claim.user().clone());
        let known = step.memory.directory.entry(step.connection, &key)?;
        if matches!(known, Lookup::Unproven(None)) {
            step.memory.wanted_entries.insert(key);
            step.outgoing_changed();
        }
    }
    Ok(())
}

/// Whether somebody who is none of the two of a direct conversation may say this in it: the answer of whoever was given the
/// message because one of the two is away.
pub(super) fn may_answer(
    step: &Step<'_>,
    sender: &ProvenSender,
    content: &v1::Content,
) -> Result<bool, Error> {
    if !is_answer(content) {
        return Ok(false);
    }
    let Some((first, second)) = two(content) else {
        return Ok(false);
    };
    let claims = delegation::claims(content.delegations.as_ref());
    let claimed = claims
        .iter()
        .any(|claim| claim.delegate == sender.user && other_of(&first, &second, claim).is_some());
    // An answer is only counted of a device that the message itself names; so it may overtake that.
    Ok(claimed || is_recipient(step, content)?)
}

/// Whether the sending device is named in the message that a content speaks of.
fn is_recipient(step: &Step<'_>, content: &v1::Content) -> Result<bool, Error> {
    let Some((subject, _)) = content::subject_of(content) else {
        return Ok(false);
    };
    let recipients: Option<Option<Vec<u8>>> = step
        .connection
        .prepare_cached(
            "SELECT recipients FROM message WHERE sender_device = ?1 AND message_id = ?2",
        )?
        .query_row(
            params![subject.device.as_bytes(), subject.id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    let recipients = recipients.flatten().unwrap_or_default();
    let device = content.sender_device.as_slice();
    Ok(device.len() == DEVICE && recipients.chunks_exact(DEVICE).any(|one| one == device))
}

fn is_answer(content: &v1::Content) -> bool {
    content.type_uri == ANSWER && content::answer_in(content).is_some()
}

/// The two people of a direct conversation.
fn two(content: &v1::Content) -> Option<(UserId, UserId)> {
    use v1::conversation_ref::Kind;
    let Kind::Direct(direct) = content.conversation.as_ref()?.kind.as_ref()? else {
        return None;
    };
    let first = UserId::new(direct.first_user_id.clone()).ok()?;
    let second = UserId::new(direct.second_user_id.clone()).ok()?;
    (first < second).then_some((first, second))
}

/// With whom the person who is away talks in this conversation.
fn other_of<'a>(first: &'a UserId, second: &'a UserId, claim: &Claim) -> Option<&'a UserId> {
    if claim.user() == first {
        Some(second)
    } else if claim.user() == second {
        Some(first)
    } else {
        None
    }
}

fn claims_of(step: &Step<'_>, subject: MessageRef) -> Result<Vec<Claim>, Error> {
    let delegations = delegation::of_message(step.connection, subject)?;
    Ok(delegation::claims(delegations.as_ref()))
}

/// Who stands in for somebody now, by their newest word that is known.
fn delegate_of(
    step: &mut Step<'_>,
    user: &UserId,
) -> Result<Option<(SignedAvailability, UserId)>, Error> {
    let now = step.now();
    let said = step.memory.directory.availability(step.connection, user)?;
    Ok(said.and_then(|said| {
        let delegate = said
            .statement()
            .availability
            .absence(now)?
            .delegate
            .clone()?;
        Some((said, delegate))
    }))
}

/// Whether the relay was asked about somebody a moment ago; otherwise it is asked. What a person says counts by their
/// entry, so that comes first.
fn is_fresh(step: &mut Step<'_>, user: &UserId) -> Result<bool, Error> {
    let key = EntryKey::Person(user.clone());
    let entry = step.memory.directory.entry(step.connection, &key)?;
    let proven = !matches!(entry, Lookup::Unproven(_));
    if !proven {
        step.memory.wanted_entries.insert(key);
    }
    let refresh = step
        .memory
        .directory
        .policy(step.connection)?
        .head_refresh();
    let asked_at = reach::known(step.connection, user)?.asked_at;
    let now = step.now();
    let fresh = proven && asked_at.is_some_and(|at| at <= now && now < at + refresh);
    if !fresh {
        step.memory.wanted_reach.insert(user.clone());
    }
    Ok(fresh)
}

const DEVICE: usize = 16;
