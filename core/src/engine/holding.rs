//! The way out for what is held: who may be given a message later, and the deposit that is sealed for them.
//!
//! Whoever may hold a role when its tier's time comes is sealed for now, because nobody may be awake then: everybody
//! who is rostered until some time after it, and the role's custodian, who can seal anew for somebody else. The relay
//! chooses among them when the time has come.
//!
//! Not its concern: what comes of it afterwards ([`super::escalating`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rayon::prelude::*;
use wardline_org::{DeviceId, EntryKey, EnvelopeId, Hash, RoleId, Timestamp, UserId};
use wardline_proto::v1;

use super::{Step, event::Event, failing::Names, posting, sealing::Sealed};
use crate::{
    audit::Action,
    directory::{Lookup, active_devices},
    error::{Error, SendError},
    escalation::{
        self, EscalationTier,
        rows::{self, New, State},
    },
    id::MessageRef,
    message::{Draft, Priority},
    session::{
        content::SealedContent,
        hold::{HeldContentKey, HeldPlace},
    },
    store::StoreError,
};

/// Says at once what is certain about the tiers of a draft.
pub(super) fn check(step: &mut Step<'_>, draft: &Draft) -> Result<(), Error> {
    let scheduled_in = scheduled(draft, step.now()).map(|at| at.saturating_since(step.now()));
    let us = &step.context.identity.user_id;
    escalation::check(&draft.escalation, scheduled_in, us)?;
    for tier in &draft.escalation {
        check_names(step, tier, draft.priority == Priority::Stat)?;
    }
    Ok(())
}

/// When a draft is to be sent, unless that is now.
fn scheduled(draft: &Draft, now: Timestamp) -> Option<Timestamp> {
    draft.send_at.filter(|at| *at > now)
}

/// Lets a content wait for its time, if its author wants that: it counts as written then.
pub(super) fn schedule(step: &Step<'_>, draft: &Draft, content: &mut v1::Content) {
    if let Some(at) = scheduled(draft, step.now()) {
        content.created_at_ms = at.as_millis();
        content.escalation = Some(escalation::scheduled(at, &draft.escalation));
    }
}

/// A content whose time has come before it could be sealed is sent like any other.
pub(super) fn when_due(step: &Step<'_>, content: v1::Content) -> v1::Content {
    let plan = content.escalation.as_ref();
    let at = plan.and_then(escalation::scheduled_for);
    if at.is_none_or(|at| step.now() < at) {
        return content;
    }
    let mut plan = content.escalation.unwrap_or_default();
    plan.tiers.remove(0);
    plan.scheduled = false;
    v1::Content {
        escalation: Some(plan).filter(|plan| !plan.tiers.is_empty()),
        ..content
    }
}

fn check_names(step: &mut Step<'_>, tier: &EscalationTier, stat: bool) -> Result<(), Error> {
    for person in &tier.people {
        let key = EntryKey::Person(person.clone());
        if let Lookup::Absent = step.memory.directory.entry(step.connection, &key)? {
            return Err(SendError::NoSuchRecipient.into());
        }
    }
    for role in &tier.roles {
        let key = EntryKey::Role(role.clone());
        match step.memory.directory.entry(step.connection, &key)? {
            Lookup::Present(entry) => {
                let line = entry.role_line().ok_or(SendError::NoSuchRecipient)?;
                if stat && line.custodian.is_none() {
                    return Err(SendError::NoCustodian.into());
                }
            }
            Lookup::Absent => return Err(SendError::NoSuchRecipient.into()),
            Lookup::Unproven(_) => {
                step.memory.wanted_entries.insert(key);
            }
        }
    }
    Ok(())
}

/// A device that may be given a tier, and the key that is sealed to.
pub(super) struct Eligible {
    device: DeviceId,
    user: UserId,
    key: [u8; 32],
}

/// What is to be held, and for whom it can be sealed.
pub(super) struct Held {
    asked_for: v1::Escalation,
    tiers: Vec<Vec<Eligible>>,
}

/// For whom each tier of a plan is to be sealed; `None` while something has to be asked for first. Of a message that
/// is sent later, `recipients` are the first tier; it waits until everybody can be sealed for.
pub(super) fn at_hand(
    step: &mut Step<'_>,
    plan: &v1::Escalation,
    recipients: &[(DeviceId, UserId)],
) -> Result<Option<Held>, Error> {
    let now = step.now();
    let mut complete = true;
    let mut asked_for = plan.clone();
    let mut tiers = Vec::with_capacity(plan.tiers.len());
    let first = asked_for.tiers.first_mut().filter(|_| plan.scheduled);
    if let Some(first) = first {
        let people: BTreeSet<&UserId> = recipients.iter().map(|(_, user)| user).collect();
        first.user_ids = people.iter().map(ToString::to_string).collect();
        let devices = recipients.iter().cloned().collect();
        let (eligible, known) = with_keys(step, devices);
        let reached: BTreeSet<&UserId> = eligible.iter().map(|one| &one.user).collect();
        let us = &step.context.identity.user_id;
        complete = known
            && people
                .iter()
                .all(|user| *user == us || reached.contains(*user));
        tiers.push(eligible);
    }
    let held = tiers.len();
    let due = escalation::due(plan, now);
    for (tier, due) in plan.tiers.iter().zip(due).skip(held) {
        let Some(people) = people_of(step, tier, now, due + GRACE)? else {
            complete = false;
            continue;
        };
        let Some(devices) = devices_of(step, people)? else {
            complete = false;
            continue;
        };
        let (eligible, known) = with_keys(step, devices);
        complete &= known;
        tiers.push(eligible);
    }
    Ok(complete.then_some(Held { asked_for, tiers }))
}

/// Those of some devices that have a hold key, and whether that is known of all of them.
fn with_keys(step: &mut Step<'_>, devices: BTreeMap<DeviceId, UserId>) -> (Vec<Eligible>, bool) {
    let now = step.now();
    let mut eligible = Vec::with_capacity(devices.len());
    let mut known = true;
    for (device, user) in devices {
        match step.memory.hold_keys.of(device, now) {
            Ok(Some(key)) => eligible.push(Eligible { device, user, key }),
            Ok(None) => {}
            Err(_) => known = false,
        }
    }
    (eligible, known)
}

/// The people a tier is for who may come to be given it in a time: those it names, whoever is rostered for its roles,
/// and their custodians; `None` when entries have to be fetched first, which are asked for.
pub(super) fn people_of(
    step: &mut Step<'_>,
    tier: &v1::EscalationTier,
    from: Timestamp,
    until: Timestamp,
) -> Result<Option<BTreeSet<UserId>>, Error> {
    let damaged = |_| StoreError::Damaged { what: "escalation" };
    let mut people = BTreeSet::new();
    for user in &tier.user_ids {
        people.insert(UserId::new(user.clone()).map_err(damaged)?);
    }
    let mut complete = true;
    for role in &tier.role_ids {
        let key = EntryKey::Role(RoleId::new(role.clone()).map_err(damaged)?);
        match step.memory.directory.entry(step.connection, &key)? {
            Lookup::Present(entry) => {
                if let Some(line) = entry.role_line() {
                    let turns = line.assignments.iter();
                    let turns = turns.filter(|turn| turn.from < until && from < turn.until);
                    people.extend(turns.map(|turn| turn.user.clone()));
                    people.extend(line.custodian.clone());
                }
            }
            Lookup::Absent => {}
            Lookup::Unproven(_) => {
                step.memory.wanted_entries.insert(key);
                complete = false;
            }
        }
    }
    Ok(complete.then_some(people))
}

/// The devices of people that may be sealed for, without the author's: who wrote it knows it.
fn devices_of(
    step: &mut Step<'_>,
    people: BTreeSet<UserId>,
) -> Result<Option<BTreeMap<DeviceId, UserId>>, Error> {
    let us = step.context.identity.user_id.clone();
    let mut devices = BTreeMap::new();
    let mut complete = true;
    for user in people.into_iter().filter(|user| *user != us) {
        let key = EntryKey::Person(user.clone());
        match step.memory.directory.entry(step.connection, &key)? {
            Lookup::Present(entry) => {
                let active = entry.person().map(active_devices).unwrap_or_default();
                devices.extend(active.into_iter().map(|device| (device, user.clone())));
            }
            Lookup::Absent => {}
            Lookup::Unproven(_) => {
                step.memory.wanted_entries.insert(key);
                complete = false;
            }
        }
    }
    Ok(complete.then_some(devices))
}

/// Makes of a plan what is signed: for which devices each tier is sealed, and the secret that stops it. A tier that
/// can be sealed for nobody is left out, and its time is waited for with the next one.
pub(super) fn freeze(held: &Held) -> Result<Option<v1::Escalation>, Error> {
    let Held {
        asked_for: plan,
        tiers,
    } = held;
    let mut kept = Vec::with_capacity(plan.tiers.len());
    let mut waited = 0_u64;
    for (tier, eligible) in plan.tiers.iter().zip(tiers) {
        let wait_ms = tier.wait_ms.saturating_add(waited);
        if eligible.is_empty() {
            waited = wait_ms;
            continue;
        }
        waited = 0;
        kept.push(v1::EscalationTier {
            wait_ms,
            devices: eligible.iter().map(|one| one.device.to_vec()).collect(),
            ..tier.clone()
        });
    }
    if kept.is_empty() {
        return Ok(None);
    }
    let mut deposit_id = vec![0; 16];
    let mut stop_secret = vec![0; 32];
    getrandom::fill(&mut deposit_id)?;
    getrandom::fill(&mut stop_secret)?;
    Ok(Some(v1::Escalation {
        deposit_id,
        stop_secret,
        tiers: kept,
        ..plan.clone()
    }))
}

/// Writes down what a message was to be escalated to before it is sealed.
pub(super) fn note_waiting(
    step: &Step<'_>,
    message: i64,
    content: &v1::Content,
) -> Result<(), Error> {
    let Some(plan) = &content.escalation else {
        return Ok(());
    };
    let new = New {
        message,
        content,
        plan,
        left_out: 0,
        armed: State::Waiting,
        given: None,
    };
    Ok(rows::keep(step.connection, &new)?)
}

/// Seals what is held of a frozen message, and writes down for whom; `None` when nothing is.
pub(super) fn deposit(
    step: &mut Step<'_>,
    message: i64,
    content: &v1::Content,
    sealed: &Sealed,
    held: &Held,
) -> Result<Option<v1::Deposit>, Error> {
    let Held { asked_for, tiers } = held;
    let left_out = tiers.iter().filter(|eligible| eligible.is_empty()).count();
    let plan = content.escalation.as_ref();
    let new = New {
        message,
        content,
        plan: plan.unwrap_or(asked_for),
        left_out,
        armed: if plan.is_some() {
            State::Waiting
        } else {
            State::Refused
        },
        given: None,
    };
    rows::keep(step.connection, &new)?;
    if left_out > 0 {
        not_armed(step, message)?;
    }
    let Some(plan) = plan else {
        return Ok(None);
    };
    // A message that is sent later is what is held, and there is no other.
    let copy;
    let held = match plan.scheduled {
        true => &sealed.content,
        false => {
            copy = held_content(step, content, plan, sealed)?;
            &copy
        }
    };
    let deposit = <[u8; 16]>::try_from(plan.deposit_id.as_slice());
    let deposit = deposit.map_err(|_| StoreError::Damaged { what: "escalation" })?;
    let mut held_tiers = Vec::with_capacity(plan.tiers.len());
    let eligible = tiers.iter().filter(|eligible| !eligible.is_empty());
    for ((number, tier), eligible) in (0_u32..).zip(&plan.tiers).zip(eligible) {
        let envelope = EnvelopeId::generate(step.now())?;
        let key = HeldContentKey {
            key: held.key.clone(),
            content_hash: held.hash,
            deposit,
            tier: number,
        };
        held_tiers.push(v1::HeldTier {
            envelope_id: envelope.to_vec(),
            wait_ms: tier.wait_ms,
            not_before_ms: tier.not_before_ms,
            user_ids: tier.user_ids.clone(),
            role_ids: tier.role_ids.clone(),
            keys: wrap(&key, step.us(), envelope, eligible),
            wake: posting::wake_of(content).into(),
        });
        let devices: Vec<_> = eligible
            .iter()
            .map(|one| (one.device, one.user.clone()))
            .collect();
        rows::add_tier(step.connection, message, number, envelope, &devices)?;
    }
    Ok(Some(v1::Deposit {
        deposit_id: deposit.to_vec(),
        stop_hash: Hash::of(&plan.stop_secret).as_bytes().to_vec(),
        content: held.ciphertext.clone(),
        tiers: held_tiers,
    }))
}

/// The same content once more, with the ciphertext of the message that it is a copy of.
fn held_content(
    step: &Step<'_>,
    content: &v1::Content,
    plan: &v1::Escalation,
    sealed: &Sealed,
) -> Result<SealedContent, Error> {
    let held = v1::Content {
        escalation: Some(v1::Escalation {
            message_hash: sealed.content.hash.as_bytes().to_vec(),
            ..plan.clone()
        }),
        ..content.clone()
    };
    Ok(Sealed::new(step, &held)?.content)
}

/// One encapsulation for each device, on every core.
fn wrap(
    key: &HeldContentKey,
    sender: DeviceId,
    envelope: EnvelopeId,
    eligible: &[Eligible],
) -> Vec<v1::SealedKey> {
    eligible
        .par_iter()
        .filter_map(|one| {
            let place = HeldPlace {
                sender,
                recipient: one.device,
                envelope,
            };
            key.seal(&one.key, place)
        })
        .collect()
}

/// Tells the author that not everything is held that was to be.
pub(super) fn not_armed(step: &mut Step<'_>, message: i64) -> Result<(), Error> {
    let names = Names::of(step, message)?;
    step.audit(Action::EscalationNotArmed, names.message.as_bytes())?;
    step.conversation_changed(names.row);
    step.emit(&Event::EscalationNotArmed {
        message: MessageRef {
            device: step.us(),
            id: names.message,
        },
        conversation: names.conversation,
    })
}

/// The relay took an envelope of ours: with what is held, if that was in it.
pub(super) fn posted(
    step: &mut Step<'_>,
    envelope: &[u8],
    armed: bool,
    at: Timestamp,
) -> Result<(), Error> {
    let state = if armed { State::Armed } else { State::Refused };
    let Some(message) = rows::posted(step.connection, envelope, state, at)? else {
        return Ok(());
    };
    if !armed {
        return not_armed(step, message);
    }
    let names = Names::of(step, message)?;
    step.conversation_changed(names.row);
    step.audit(Action::EscalationArmed, names.message.as_bytes())
}

/// What was sealed from an old copy of the store is not posted: nothing is held of it, as far as this device knows.
pub(super) fn lost(step: &mut Step<'_>) -> Result<(), Error> {
    let waiting: Vec<Vec<u8>> = step
        .connection
        .prepare_cached(
            "SELECT e.envelope_id FROM escalation e JOIN submission s ON s.envelope_id = e.envelope_id
             WHERE e.armed = 0",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for envelope in waiting {
        posted(step, &envelope, false, step.now())?;
    }
    Ok(())
}

/// Whoever takes over so soon after a tier's time is sealed for too: relays are restarted, shifts change late.
const GRACE: Duration = Duration::from_secs(3600);
