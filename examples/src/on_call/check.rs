//! Holds what every device shows against the plan, and what the laboratory knows against both.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use wardline::{
    Answer, DeliveryState, LoopGrouping, Message, MessageId, PersonDelivery, RecallOutcome, Span,
    Verdict,
};

use super::{
    device::{Device, Habit},
    laboratory::Laboratory,
    plan::{Fate, Plan, Planned},
    report::Report,
};

/// Compares the timelines of every device with the plan. `sent` are the ids in the order of the plan.
pub(super) async fn timelines(
    plan: &Plan,
    devices: &[Device],
    sent: &[MessageId],
    report: &mut Report,
) -> Result<()> {
    let numbers: HashMap<MessageId, usize> = sent.iter().copied().zip(0..).collect();
    for device in devices {
        let mut seen = vec![0usize; sent.len()];
        for conversation in device.conversations().await? {
            for message in device.messages(conversation).await? {
                match numbers.get(&message.id).copied() {
                    Some(number) => {
                        seen[number] += 1;
                        compare(plan, device, number, &message, report);
                    }
                    // What was said at the change of shift is no result.
                    None => report.surplus += usize::from(!is_handoff(plan, &message)),
                }
            }
        }
        for (number, times) in seen.into_iter().enumerate() {
            let expected = plan.expects(device.user(), device.habit, number);
            let remains = expected && !plan.messages[number].fate.is_gone();
            report.expected += usize::from(remains);
            match (expected, times) {
                (true, 0) => report.missing += usize::from(remains),
                (true, _) => report.surplus += times - 1,
                (false, 0) => {}
                (false, 1) if plan.allows(device.user(), number) => {}
                (false, _) if device.habit == Habit::Revoked => report.after_revocation += times,
                (false, _) => report.surplus += times,
            }
        }
        report.still_found += found(plan, device).await?;
    }
    Ok(())
}

fn compare(plan: &Plan, device: &Device, number: usize, message: &Message, report: &mut Report) {
    if !plan.expects(device.user(), device.habit, number) {
        return;
    }
    let Planned { finding, fate, .. } = &plan.messages[number];
    if fate.is_gone() {
        let tombstone = match fate {
            Fate::Recalled => message.recalled.is_some(),
            _ => message.expired.is_some(),
        };
        let empty = message.text.is_empty() && message.patient.is_none();
        report.gone += usize::from(tombstone && empty);
        report.still_found += usize::from(!(tombstone && empty));
    } else if message.text == finding.text && message.patient.as_ref() == Some(&finding.patient) {
        report.delivered += 1;
        report.read += usize::from(message.read_at.is_some());
    } else {
        report.missing += 1;
    }
}

/// The note of somebody who has handed a line over.
fn is_handoff(plan: &Plan, message: &Message) -> bool {
    plan.rotas.iter().any(|rota| rota.first == message.sender)
}

/// How many messages a device's search still finds that are gone.
async fn found(plan: &Plan, device: &Device) -> Result<usize> {
    let mut found = 0;
    for message in plan
        .messages
        .iter()
        .filter(|message| message.fate.is_gone())
    {
        let words = &message.finding.id;
        found += device.client.search(words, None, None, 10).await?.len();
    }
    Ok(found)
}

/// Waits until the laboratory holds every receipt of these devices for the first messages, and counts the messages
/// for which it does.
pub(super) async fn receipts(
    plan: &Plan,
    laboratory: &Laboratory,
    devices: &[&Device],
    first: usize,
    mut progress: impl FnMut(usize),
) -> Result<usize> {
    let mut receipted = 0;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for (number, message) in laboratory.sent().iter().take(first).enumerate() {
        loop {
            let people = laboratory.client.deliveries(*message).await?;
            let complete = devices
                .iter()
                .filter(|device| plan.expects(device.user(), device.habit, number))
                .filter(|device| plan.tells(device.user(), number))
                .all(|device| is_receipted(&people, device, plan.messages[number].fate));
            if complete {
                receipted += 1;
                break;
            }
            if tokio::time::Instant::now() > deadline {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        progress(number + 1);
    }
    Ok(receipted)
}

/// The device has signed for it, and its person has read it on one of theirs; or it has signed that it is gone.
fn is_receipted(people: &[PersonDelivery], device: &Device, fate: Fate) -> bool {
    let mut people = people.iter().filter(|person| person.user == *device.user());
    people.any(|person| {
        let mut here = person.devices.iter();
        here.any(|to| {
            to.device == Some(device.id())
                && match fate {
                    Fate::Recalled => to.recall.is_some_and(is_gone),
                    Fate::Expired => to.state >= DeliveryState::Delivered,
                    _ => {
                        person.state == DeliveryState::Read && to.state >= DeliveryState::Delivered
                    }
                }
        })
    })
}

fn is_gone(outcome: RecallOutcome) -> bool {
    use RecallOutcome::{PurgedRead, PurgedUnread, Withdrawn};
    matches!(outcome, PurgedRead | PurgedUnread | Withdrawn)
}

/// What became of every message, as the laboratory knows, and how long that took.
pub(super) async fn outcomes(
    plan: &Plan,
    laboratory: &Laboratory,
    report: &mut Report,
) -> Result<()> {
    for (number, planned) in plan.messages.iter().enumerate() {
        let answers = laboratory
            .client
            .answers(laboratory.reference(number))
            .await?;
        let rota = plan.rota(number);
        let holder = rota.holder(plan.shift(number));
        let said = |user, verdict| {
            let mut answers = answers.iter();
            answers.any(|answer: &Answer| &answer.user == user && answer.verdict == verdict)
        };
        let (accepted, declined) = (Verdict::Accepted, Verdict::Declined);
        match planned.fate {
            Fate::Accepted => report.accepted += usize::from(said(holder, accepted)),
            Fate::Declined => {
                let both = said(holder, declined) && said(&rota.stands_in, accepted);
                report.declined += usize::from(both);
            }
            Fate::Unanswered => report.escalated += usize::from(said(&rota.stands_in, accepted)),
            Fate::HandedOver => report.handed_over += usize::from(said(&rota.second, accepted)),
            Fate::Recalled => report.recalled += 1,
            Fate::Expired => report.expired += 1,
        }
    }
    let groupings = [LoopGrouping::Priority, LoopGrouping::Department];
    for grouping in groupings {
        let times = laboratory
            .client
            .loop_times(Span::default(), grouping)
            .await?;
        report.loops.extend(times);
    }
    Ok(())
}

/// What the revoked device got all the same: sealed for it, or served to it.
pub(super) async fn revocation(
    plan: &Plan,
    laboratory: &Laboratory,
    revoked: &Device,
    report: &mut Report,
) -> Result<()> {
    for message in &laboratory.sent()[plan.middle()..] {
        let people = laboratory.client.deliveries(*message).await?;
        let sealed = people
            .iter()
            .flat_map(|person| &person.devices)
            .any(|to| to.device == Some(revoked.id()) && to.state >= DeliveryState::Queued);
        report.after_revocation += usize::from(sealed);
    }
    let answer = revoked.client.sync_once().await;
    report.relay_refuses_revoked =
        Some(answer.is_err_and(|error| error.code() == "WL-RELAY-REVOKED"));
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(75);
const PAUSE: Duration = Duration::from_millis(50);
