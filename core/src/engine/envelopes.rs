//! What is remembered of envelopes: which were opened, and which would not open.
//!
//! Not its concern: opening them ([`super::inbox`]), and asking for them again ([`super::reseal`]).

use rusqlite::params;
use wardline_org::{DeviceId, EnvelopeId};
use wardline_proto::v1;

use super::{Step, event::Event};
use crate::{audit::Action, error::Error, session::OpenFailure};

/// Remembers an opened envelope, so that the relay's repetitions are known as such.
pub(super) fn note_envelope(step: &Step<'_>, envelope: &v1::Envelope) -> Result<(), Error> {
    step.connection
        .prepare_cached(
            "INSERT INTO opened_envelope (sender_device, envelope_id, at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            envelope.sender_device,
            envelope.envelope_id,
            step.now().as_millis()
        ])?;
    Ok(())
}

pub(super) fn known_envelope(step: &Step<'_>, envelope: &v1::Envelope) -> Result<bool, Error> {
    Ok(step
        .connection
        .prepare_cached(
            "SELECT 1 FROM opened_envelope WHERE sender_device = ?1 AND envelope_id = ?2",
        )?
        .exists(params![envelope.sender_device, envelope.envelope_id])?)
}

/// Keeps the fact that an envelope did not open; what its sender can cure is asked for later.
pub(super) fn refuse(
    step: &mut Step<'_>,
    envelope: &v1::Envelope,
    failure: OpenFailure,
) -> Result<(), Error> {
    tracing::warn!(
        cause = failure.code(),
        sequence = envelope.sequence,
        "an envelope did not open"
    );
    // Ids that are not ids are not worth a row: nobody could be asked.
    let curable = failure.healable()
        && EnvelopeId::from_slice(&envelope.envelope_id).is_ok()
        && DeviceId::from_slice(&envelope.sender_device).is_ok();
    step.connection
        .prepare_cached(
            "INSERT INTO refused_envelope (envelope_id, sender_device, sender_user, at, cause, curable)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            envelope.envelope_id,
            envelope.sender_device,
            envelope.sender_user_id,
            step.now().as_millis(),
            failure as i64,
            curable
        ])?;
    step.audit(Action::EnvelopeRefused, &envelope.envelope_id)?;
    step.outgoing_changed();
    step.emit(&Event::EnvelopeRefused {
        code: failure.code().to_owned(),
        healing: curable,
    })
}
