//! Holds what every device shows against the plan, and what the laboratory knows against both.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use wardline::{Client, DeliveryState, MessageId, PersonDelivery, Recipient};

use super::{
    device::{Device, Habit},
    plan::Plan,
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
        for team in plan.teams() {
            let conversation = device.client.conversation(&Recipient::Team(team));
            for message in device.messages(conversation).await? {
                let Some(number) = numbers.get(&message.id).copied() else {
                    report.surplus += 1;
                    continue;
                };
                seen[number] += 1;
                if !plan.expects(device.user(), device.habit, number) {
                    continue;
                }
                let result = &plan.messages[number].result;
                if message.text == result.text && message.patient.as_ref() == Some(&result.patient)
                {
                    report.delivered += 1;
                    report.read += usize::from(message.read_at.is_some());
                } else {
                    report.missing += 1;
                }
            }
        }
        for (number, times) in seen.into_iter().enumerate() {
            let expected = plan.expects(device.user(), device.habit, number);
            report.expected += usize::from(expected);
            match (expected, times) {
                (true, 0) => report.missing += 1,
                (true, _) => report.surplus += times - 1,
                (false, 0) => {}
                (false, _) if device.habit == Habit::Revoked => report.after_revocation += times,
                (false, _) => report.surplus += times,
            }
        }
    }
    Ok(())
}

/// Waits until the laboratory holds every receipt of these devices, and counts the messages for which it
/// does.
pub(super) async fn receipts(
    plan: &Plan,
    laboratory: &Client,
    devices: &[&Device],
    sent: &[MessageId],
    mut progress: impl FnMut(usize),
) -> Result<usize> {
    let mut receipted = 0;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for (number, message) in sent.iter().enumerate() {
        loop {
            let people = laboratory.deliveries(*message).await?;
            let complete = devices
                .iter()
                .filter(|device| plan.expects(device.user(), device.habit, number))
                .all(|device| is_receipted(&people, device));
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

/// What the revoked device got all the same: sealed for it, or served to it.
pub(super) async fn revocation(
    plan: &Plan,
    laboratory: &Client,
    revoked: &Device,
    sent: &[MessageId],
    report: &mut Report,
) -> Result<()> {
    for message in &sent[plan.middle()..] {
        let people = laboratory.deliveries(*message).await?;
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

/// The device has signed for it, and its person has read it on one of theirs.
fn is_receipted(people: &[PersonDelivery], device: &Device) -> bool {
    people
        .iter()
        .filter(|person| person.user == *device.user())
        .any(|person| {
            let here = person.devices.iter();
            person.state == DeliveryState::Read
                && here
                    .filter(|to| to.device == Some(device.id()))
                    .any(|to| to.state >= DeliveryState::Delivered)
        })
}

const PATIENCE: Duration = Duration::from_secs(75);
const PAUSE: Duration = Duration::from_millis(50);
