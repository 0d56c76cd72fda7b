//! What devices tell each other without a person: receipts, and requests to seal again.
//!
//! A control message came through Olm from a proven device. What it says about our messages is still
//! held against our own rows: a receipt counts only for a message that was sealed for that device.

use rusqlite::params;
use wardline_org::{DeviceId, Timestamp, signer::verify_tagged};
use wardline_proto::{Message, v1};

use super::{Step, event::Event, reaching};
use crate::{
    directory::ProvenSender,
    error::Error,
    id::MessageId,
    message::{RecallOutcome, expiry, lifecycle::Happening, recall, receipts, rows},
};

/// Applies a control message; what is malformed or not ours to hear is ignored, and logged.
pub(crate) fn apply(
    step: &mut Step<'_>,
    device: DeviceId,
    sender: &ProvenSender,
    control: v1::Control,
) -> Result<(), Error> {
    match control.body {
        Some(v1::control::Body::Receipts(signed)) => apply_receipts(step, device, sender, &signed),
        Some(v1::control::Body::ResealRequest(request)) => note_requests(step, device, &request),
        Some(v1::control::Body::Availability(said)) => reaching::overhear(step, sender, &said),
        // Its pre-key message did the work; an unknown body is from a newer version.
        Some(v1::control::Body::SessionRefresh(_)) | None => Ok(()),
    }
}

fn apply_receipts(
    step: &mut Step<'_>,
    device: DeviceId,
    sender: &ProvenSender,
    signed: &v1::SignedReceipts,
) -> Result<(), Error> {
    let verified = verify_tagged(
        &sender.ed25519,
        RECEIPTS_PURPOSE,
        &signed.batch,
        &signed.signature,
    );
    let batch = v1::ReceiptBatch::decode(signed.batch.as_slice());
    let (Ok(()), Ok(batch)) = (verified, batch) else {
        tracing::warn!("a batch of receipts is not signed by its device");
        return Ok(());
    };
    // Content from a revoked device never counts as an answer.
    if batch.device_id != device.as_bytes()
        || batch.organization != step.context.identity.organization.as_str()
        || !sender.active
    {
        return Ok(());
    }
    let own = sender.user == step.context.identity.user_id;
    for receipt in &batch.receipts {
        if own {
            read_elsewhere(step, receipt)?;
        } else {
            apply_receipt(step, device, sender, receipt)?;
        }
    }
    Ok(())
}

fn apply_receipt(
    step: &mut Step<'_>,
    device: DeviceId,
    sender: &ProvenSender,
    receipt: &v1::Receipt,
) -> Result<(), Error> {
    let Some(message) = rows::own(step.connection, step.us(), &receipt.message_id)? else {
        return Ok(());
    };
    // A receipt speaks of one ciphertext: for another it proves nothing.
    if message.content_hash.as_deref() != Some(receipt.content_hash.as_slice()) {
        return Ok(());
    }
    let at = Timestamp::from_millis(receipt.at_ms);
    let (connection, row) = (step.connection, message.sequence);
    let changed = match receipt.kind() {
        v1::ReceiptKind::Delivered => {
            rows::advance(connection, row, device, Happening::Delivered, None, at)?
        }
        v1::ReceiptKind::Read => rows::advance(connection, row, device, Happening::Read, None, at)?,
        kind => match RecallOutcome::of(kind) {
            Some(outcome) => recall::note_outcome(connection, row, device, outcome)?,
            None => false,
        },
    };
    if receipt.kind() == v1::ReceiptKind::Read {
        let us = step.context.identity.user_id.as_str();
        expiry::opened_by_everybody(connection, row, us, step.context.clocks.latest())?;
    }
    if changed {
        step.conversation_changed(message.conversation);
        let id = MessageId::from_slice(&receipt.message_id).map_err(|_| Error::Unknown)?;
        step.emit(&Event::DeliveryChanged {
            message: id,
            user: sender.user.clone(),
        })?;
    }
    Ok(())
}

/// What was read on another device of ours is read here too, and owes no receipt of its own.
fn read_elsewhere(step: &mut Step<'_>, receipt: &v1::Receipt) -> Result<(), Error> {
    if receipt.kind() != v1::ReceiptKind::Read {
        return Ok(());
    }
    let read = receipts::mark_read_elsewhere(
        step.connection,
        receipt,
        step.now(),
        step.context.clocks.latest(),
    )?;
    if let Some((message, conversation)) = read {
        step.conversation_changed(conversation);
        step.emit(&Event::ReadElsewhere { message })?;
    }
    Ok(())
}

/// Notes which of our envelopes a device could not open. Whether it gets them again is decided in
/// [`super::reseal`]; here only devices the message was meant for are noted.
fn note_requests(
    step: &mut Step<'_>,
    device: DeviceId,
    request: &v1::ResealRequest,
) -> Result<(), Error> {
    for envelope in request.envelope_ids.iter().take(MOST_REQUESTS) {
        let noted = step
            .connection
            .prepare_cached(
                "UPDATE recipient SET reseal_wanted_at = ?3
                 WHERE device_id = ?2 AND resealed_at IS NULL
                   AND message = (SELECT message FROM sent_envelope WHERE envelope_id = ?1)",
            )?
            .execute(params![envelope, device.as_bytes(), step.now().as_millis()])?;
        if noted > 0 {
            step.outgoing_changed();
        }
    }
    Ok(())
}

/// What a batch of receipts is signed under.
pub(crate) const RECEIPTS_PURPOSE: &str = "receipts";
const MOST_REQUESTS: usize = 1000;
