//! Who has a message that was passed on, and what passed it on.
//!
//! Not its concern: what is passed on to whom (`engine::custody`), and who is believed (`engine::passed`).

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Hash, UserId};

use super::{Direction, lifecycle::DeliveryState};
use crate::{id::MessageRef, store::StoreError};

/// Notes that a row passes a message on.
pub(crate) fn note(
    connection: &Connection,
    row: i64,
    subject: MessageRef,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO pass (message, subject_device, subject_id) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            row,
            subject.device.as_bytes(),
            subject.id.as_bytes()
        ])?;
    Ok(())
}

/// The rows of this device that pass a message on.
pub(crate) fn written_by(
    connection: &Connection,
    subject: MessageRef,
    us: DeviceId,
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.message FROM pass p JOIN message m ON m.sequence = p.message
         WHERE p.subject_device = ?1 AND p.subject_id = ?2 AND m.sender_device = ?3",
    )?;
    let rows = statement.query_map(
        params![
            subject.device.as_bytes(),
            subject.id.as_bytes(),
            us.as_bytes()
        ],
        |row| row.get(0),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds devices to those that have a message, and whose answer counts; answers whether one of them has answered
/// already, and that has to be looked at again.
pub(crate) fn extend_recipients(
    connection: &Connection,
    message: MessageRef,
    devices: &[DeviceId],
) -> Result<bool, StoreError> {
    let known: Option<Option<Vec<u8>>> = connection
        .prepare_cached(
            "SELECT recipients FROM message
             WHERE sender_device = ?1 AND message_id = ?2 AND shown = 1",
        )?
        .query_row(
            params![message.device.as_bytes(), message.id.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    let Some(known) = known else {
        return Ok(false);
    };
    let mut recipients = known.unwrap_or_default();
    let before = recipients.len();
    add_devices(&mut recipients, devices);
    if recipients.len() == before {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "UPDATE message SET recipients = ?3 WHERE sender_device = ?1 AND message_id = ?2",
        )?
        .execute(params![
            message.device.as_bytes(),
            message.id.as_bytes(),
            recipients
        ])?;
    let mut again = false;
    for device in devices {
        let looked_at = connection
            .prepare_cached(
                "UPDATE answer SET counts = NULL
                 WHERE subject_device = ?1 AND subject_id = ?2 AND device_id = ?3 AND counts = 0",
            )?
            .execute(params![
                message.device.as_bytes(),
                message.id.as_bytes(),
                device.as_bytes()
            ])?;
        again |= looked_at > 0;
    }
    Ok(again)
}

/// A device has shown by its ciphertext's hash that it has a message.
pub(crate) fn has_it(
    connection: &Connection,
    message: MessageRef,
    hash: &[u8],
    device: DeviceId,
) -> Result<(), StoreError> {
    let known = connection
        .prepare_cached(
            "SELECT 1 FROM message WHERE sender_device = ?1 AND message_id = ?2 AND content_hash = ?3
             AND shown = 1 AND conversation IN (SELECT id FROM conversation WHERE role IS NOT NULL)",
        )?
        .exists(params![
            message.device.as_bytes(),
            message.id.as_bytes(),
            hash
        ])?;
    if known {
        extend_recipients(connection, message, &[device])?;
    }
    Ok(())
}

/// Adds devices to a list of them, each once.
pub(crate) fn add_devices(list: &mut Vec<u8>, devices: &[DeviceId]) {
    for device in devices {
        if !list.chunks_exact(16).any(|one| one == device.as_bytes()) {
            list.extend_from_slice(device.as_bytes());
        }
    }
}

/// A message of ours was passed on to a device; answers whether it is new there.
pub(crate) fn add_passed_to(
    connection: &Connection,
    message: i64,
    device: DeviceId,
    user: &UserId,
) -> Result<bool, StoreError> {
    let added = connection
        .prepare_cached(
            "INSERT INTO recipient (message, device_id, user_id, state) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            message,
            device.as_bytes(),
            user.as_str(),
            DeliveryState::Sent as i64
        ])?;
    Ok(added > 0)
}

/// A message that was passed on has come from its author after all: by that ciphertext it is known.
pub(crate) fn came_from_its_author(
    connection: &Connection,
    message: MessageRef,
    hash: Hash,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE message SET content_hash = ?3
             WHERE sender_device = ?1 AND message_id = ?2 AND passed_by IS NOT NULL AND direction = ?4",
        )?
        .execute(params![
            message.device.as_bytes(),
            message.id.as_bytes(),
            hash.as_bytes(),
            Direction::Incoming as i64
        ])?;
    Ok(())
}
