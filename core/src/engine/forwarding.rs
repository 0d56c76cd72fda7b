//! Forwarding: what may be handed on to whom, whose word an original is, and taking forwards back with their source.
//!
//! Not its concern: what is inside a forward and how it reads, which is `message::forward`'s.

use wardline_org::{
    EntryKey, TeamId, Timestamp, UserId,
    policy::{Forwarding, Policy},
    proof,
};
use wardline_proto::{Message, v1, v1::conversation_ref::Kind};

use super::{Step, expiring, recalling};
use crate::{
    audit::Action,
    conversation::Recipient,
    directory::Lookup,
    error::{Error, SendError},
    id::MessageRef,
    message::{
        Draft, FORWARD, Lifetime, amend, content, expiry,
        forward::{self, Parts},
        recall::Subject,
        rows,
    },
    policy,
    vault::BodyOpener,
};

/// A message about to be handed on.
pub(super) struct Forward {
    source: MessageRef,
    body: Vec<u8>,
    fallback: String,
    patient: Option<v1::PatientContext>,
    /// What is left of the source's: nobody reads it in a forward for longer.
    lifetime: Lifetime,
}

impl Forward {
    /// What a draft hands on, if it does, and may.
    pub(super) fn of(step: &mut Step<'_>, draft: &Draft) -> Result<Option<Self>, Error> {
        let Some(source) = draft.forward else {
            return Ok(None);
        };
        // Fields and patient are the original's: others beside them would be read as its own.
        if draft.structured.is_some() || draft.patient.is_some() {
            return Err(SendError::NotForwardable.into());
        }
        let subject = Subject::load(step.connection, source)?.ok_or(Error::Unknown)?;
        if subject.recalled {
            return Err(SendError::NotForwardable.into());
        }
        expiring::refuse_over(step, source, SendError::NotForwardable)?;
        if !subject.proven {
            return Err(SendError::SenderRevoked.into());
        }
        let rules = step.memory.directory.policy(step.connection)?;
        policy::check_length(&draft.text, &rules)?;
        let body = v1::ForwardBody {
            comment: draft.text.clone(),
            ..original(step, source, &subject)?
        };
        let content = v1::Content {
            type_uri: FORWARD.to_owned(),
            body: body.encode_to_vec(),
            ..Default::default()
        };
        let parts = Parts::of(&content).ok_or(SendError::NotForwardable)?;
        check_recipient(step, &rules, &parts.content, &draft.recipient)?;
        Ok(Some(Self {
            // What this device hands on once more came from elsewhere: it goes when that goes.
            source: forward::source_of(step.connection, subject.sequence)?.unwrap_or(source),
            body: content.body,
            fallback: parts.fallback(),
            patient: parts.content.patient,
            lifetime: expiry::left_of(
                step.connection,
                subject.sequence,
                step.context.clocks.latest(),
            )?,
        }))
    }

    /// Puts it into the content that hands it on.
    pub(super) fn fill(&self, content: &mut v1::Content) {
        FORWARD.clone_into(&mut content.type_uri);
        content.body.clone_from(&self.body);
        content.fallback_text.clone_from(&self.fallback);
        content.patient.clone_from(&self.patient);
        let lifetime = Lifetime::of(content).and(self.lifetime);
        content.lifetime = lifetime.to_wire(Timestamp::default());
    }

    /// It stands in row `row` now.
    pub(super) fn written(&self, step: &Step<'_>, row: i64) -> Result<(), Error> {
        // What this device accepted as its sender's is its author's.
        forward::note(step.connection, row, Some(self.source), Some(true))?;
        step.audit(Action::MessageForwarded, self.source.id.as_bytes())
    }
}

/// What the author has signed of a message, and which correction of it stands; of a forward, what is inside it.
fn original(
    step: &Step<'_>,
    message: MessageRef,
    subject: &Subject,
) -> Result<v1::ForwardBody, Error> {
    let refused = || Error::from(SendError::NotForwardable);
    let keys = step.context.reading.as_ref().ok_or(Error::Locked)?;
    let latest = step.context.clocks.latest();
    let signed = amend::signed(step.connection, keys, message, latest);
    let (signed, mut corrections) = match signed {
        // It waits to be sealed: nobody has signed it yet.
        Err(Error::Unknown) => return Err(refused()),
        signed => signed?,
    };
    let content = v1::Content::decode(signed.content.as_slice()).map_err(|_| refused())?;
    if content.type_uri != FORWARD {
        return Ok(v1::ForwardBody {
            original: Some(signed),
            correction: corrections.pop(),
            comment: String::new(),
        });
    }
    // What whoever forwarded it has made of it since is no longer its author's.
    if !corrections.is_empty() || !forward::is_proven(step.connection, subject.sequence)? {
        return Err(refused());
    }
    let parts = Parts::of(&content).ok_or_else(refused)?;
    Ok(v1::ForwardBody {
        original: Some(parts.original),
        correction: parts.correction,
        comment: String::new(),
    })
}

/// Whether the policy lets an original go to a recipient.
fn check_recipient(
    step: &mut Step<'_>,
    rules: &Policy,
    original: &v1::Content,
    recipient: &Recipient,
) -> Result<(), Error> {
    let refused = || Error::from(SendError::ForwardingNotAllowed);
    match rules.forwarding {
        Forwarding::Allowed => return Ok(()),
        Forwarding::SameTeam => {}
        Forwarding::Never => return Err(refused()),
    }
    let conversation = original.conversation.as_ref();
    let Some(Kind::Team(team)) = conversation.and_then(|reference| reference.kind.as_ref()) else {
        return Err(refused());
    };
    let team = TeamId::new(team.team_id.clone()).map_err(|_| refused())?;
    let person = match recipient {
        Recipient::Team(other) if *other == team => return Ok(()),
        Recipient::Person(person) => person,
        _ => return Err(refused()),
    };
    let key = EntryKey::Team(team);
    let entry = match step.memory.directory.entry(step.connection, &key)? {
        Lookup::Present(entry) => Some(entry),
        Lookup::Absent => None,
        // Better the members of yesterday than nobody; who has never seen them asks for them.
        Lookup::Unproven(entry) => {
            step.memory.wanted_entries.insert(key);
            entry
        }
    };
    let team = entry.as_ref().and_then(|entry| entry.care_team());
    let member = team.is_some_and(|team| team.members.iter().any(|member| member.user == *person));
    if member { Ok(()) } else { Err(refused()) }
}

/// Takes in a content that may be a forward, which stands in row `row`.
pub(super) fn arrived(step: &mut Step<'_>, row: i64, content: &v1::Content) -> Result<(), Error> {
    let Some(parts) = Parts::of(content) else {
        return Ok(());
    };
    let proven = is_authors(step, &parts)?;
    forward::note(step.connection, row, None, proven)?;
    if proven == Some(false) {
        step.audit(Action::ForwardNotProven, &content.message_id)?;
    }
    Ok(())
}

/// Decides about forwards whose author had to be looked up first, while a person reads.
pub(crate) fn settle(step: &mut Step<'_>) -> Result<(), Error> {
    let Some(keys) = step.context.reading.clone() else {
        return Ok(());
    };
    let mut opener = BodyOpener::new(&keys);
    for undecided in forward::undecided(step.connection)? {
        let place = rows::place_id(undecided.reference.device, undecided.reference.id);
        let body = opener.open(rows::body_place(&place), &undecided.body).ok();
        let content = body.and_then(|body| content::content_of(&body).ok());
        let proven = match content.as_ref().and_then(Parts::of) {
            Some(parts) => is_authors(step, &parts)?,
            // Damaged: it shows nothing that could be proven.
            None => Some(false),
        };
        let Some(proven) = proven else {
            continue;
        };
        forward::decide(step.connection, undecided.row, proven)?;
        step.conversation_changed(undecided.conversation);
        if !proven {
            let id = undecided.reference.id;
            step.audit(Action::ForwardNotProven, id.as_bytes())?;
        }
    }
    Ok(())
}

/// Whether the directory stands behind who is said to have signed it; `None` when it has to be asked first.
fn is_authors(step: &mut Step<'_>, parts: &Parts) -> Result<Option<bool>, Error> {
    let content = &parts.content;
    let author = UserId::new(content.sender_user_id.clone());
    let (Ok(author), true) = (
        author,
        content.organization == step.context.identity.organization.as_str(),
    ) else {
        return Ok(Some(false));
    };
    let key = EntryKey::Person(author);
    Ok(match step.memory.directory.entry(step.connection, &key)? {
        Lookup::Present(entry) => {
            let person = entry.person();
            let corrections = parts.correction.as_slice();
            let verified = person
                .map(|person| proof::verify_signed(person, &parts.original, corrections).is_ok());
            Some(verified.unwrap_or(false))
        }
        Lookup::Absent => Some(false),
        Lookup::Unproven(_) => {
            step.memory.wanted_entries.insert(key);
            None
        }
    })
}

/// Takes back what this device has written to hand on a message that was taken back.
pub(super) fn take_back(step: &mut Step<'_>, source: MessageRef) -> Result<(), Error> {
    for forward in forward::of_source(step.connection, source)? {
        match recalling::recall(step, forward, "") {
            // Whoever has it would keep it.
            Ok(()) | Err(Error::Send(SendError::TooLateToRecall)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
