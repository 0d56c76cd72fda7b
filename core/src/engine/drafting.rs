//! From a draft to what it says: a content that the policy allows, for somebody there is.
//!
//! Not its concern: writing it down and sealing it ([`super::outbox`]).

use std::collections::BTreeSet;

use wardline_org::{EntryKey, Timestamp, person::PersonStatus, policy::Policy};
use wardline_proto::{Message, v1};

use super::{Step, audience, forwarding::Forward, holding};
use crate::{
    conversation::Recipient,
    directory::Lookup,
    error::{Error, SendError},
    escalation,
    message::{Draft, Priority, TEXT, content, offers},
    policy,
};

/// What a draft says, or hands on, held against the policy.
pub(super) fn checked(
    step: &mut Step<'_>,
    draft: &Draft,
    forward: Option<&Forward>,
) -> Result<v1::Content, Error> {
    let rules = step.memory.directory.policy(step.connection)?;
    if let Some(structured) = &draft.structured {
        structured.check()?;
    }
    offers::check(&draft.offers)?;
    let mut content = content_of(draft);
    holding::schedule(step, draft, &mut content);
    match forward {
        Some(forward) => forward.fill(&mut content),
        None => policy::check_text(&content::text_of(&content).0, &rules)?,
    }
    if draft.priority == Priority::Stat {
        check_stat(step, &content, &rules)?;
    }
    draft.lifetime.check(&rules)?;
    policy::check_size(size_of(&content), identifiers_of(&content))?;
    Ok(content)
}

/// Says at once what is certain: that the directory has no such recipient.
pub(super) fn refuse_hopeless(step: &mut Step<'_>, recipient: &Recipient) -> Result<(), Error> {
    if matches!(recipient, Recipient::Person(person) if *person == step.context.identity.user_id) {
        return Err(SendError::OnlySelf.into());
    }
    let known = step
        .memory
        .directory
        .entry(step.connection, &audience::key_of(recipient))?;
    let hopeless = match known {
        Lookup::Absent => true,
        Lookup::Present(entry) => match recipient {
            Recipient::Person(_) => entry
                .person()
                .is_none_or(|person| person.status != PersonStatus::Active),
            Recipient::Team(_) => entry.care_team().is_none_or(|team| !team.active),
            Recipient::Role(_) | Recipient::Caller { .. } => entry.role_line().is_none(),
        },
        Lookup::Unproven(_) => false,
    };
    if hopeless {
        Err(SendError::NoSuchRecipient.into())
    } else {
        Ok(())
    }
}

fn check_stat(step: &mut Step<'_>, content: &v1::Content, rules: &Policy) -> Result<(), Error> {
    let us = EntryKey::Person(step.context.identity.user_id.clone());
    let us = match step.memory.directory.entry(step.connection, &us)? {
        Lookup::Present(entry) => Some(entry),
        Lookup::Absent => None,
        // Roles of yesterday refuse nobody; the recipients' devices know today's.
        Lookup::Unproven(_) => {
            step.memory.wanted_entries.insert(us);
            None
        }
    };
    let roles = us.as_ref().and_then(|entry| entry.person());
    let roles = roles.map(|person| person.staff_roles.as_slice());
    let patient = content.patient.iter();
    let distinct: BTreeSet<_> = patient
        .flat_map(|patient| &patient.identifiers)
        .filter(|id| !id.value.trim().is_empty())
        .map(|id| (&id.system, &id.value))
        .collect();
    Ok(policy::check_stat(distinct.len(), roles, rules)?)
}

/// Bytes of what a sender decides about a content: what it says and whom it is about.
fn size_of(content: &v1::Content) -> usize {
    let patient = content.patient.as_ref().map_or(0, Message::encoded_len);
    let offers: usize = content.offers.iter().map(String::len).sum();
    content.body.len() + content.fallback_text.len() + offers + patient
}

fn identifiers_of(content: &v1::Content) -> usize {
    let patient = content.patient.as_ref();
    patient.map_or(0, |patient| patient.identifiers.len())
}

/// What a draft says.
fn content_of(draft: &Draft) -> v1::Content {
    // Who has no time left asks all the same; 0 says that nobody is asked. Whoever wants it escalated asks.
    let first = draft.escalation.first().map(|tier| tier.after);
    let within = draft
        .answer_within
        .or(first.filter(|_| draft.priority != Priority::Stat))
        .map_or(0, |time| time.as_millis().max(1));
    let said = match &draft.structured {
        None => v1::Content {
            type_uri: TEXT.to_owned(),
            body: v1::TextBody {
                text: draft.text.clone(),
            }
            .encode_to_vec(),
            ..Default::default()
        },
        Some(structured) => v1::Content {
            type_uri: structured.type_uri().to_owned(),
            body: structured.encode(),
            fallback_text: if draft.text.trim().is_empty() {
                structured.fallback()
            } else {
                draft.text.clone()
            },
            ..Default::default()
        },
    };
    v1::Content {
        priority: draft.priority as i32,
        patient: draft.patient.as_ref().map(|patient| v1::PatientContext {
            identifiers: patient
                .identifiers
                .iter()
                .map(|id| v1::PatientIdentifier {
                    system: id.system.clone(),
                    value: id.value.clone(),
                })
                .collect(),
            display_name: patient.name.clone(),
            encounter: patient.encounter.clone(),
        }),
        occurred_at_ms: draft.occurred_at.map_or(0, Timestamp::as_millis),
        answer_within_ms: u64::try_from(within).unwrap_or(u64::MAX),
        offers: draft.offers.clone(),
        // From when is written when it is addressed.
        lifetime: draft.lifetime.to_wire(Timestamp::default()),
        escalation: escalation::plan(&draft.escalation),
        ..said
    }
}
