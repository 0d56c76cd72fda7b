//! What will not arrive: written down, and the app told, once for each person, message and step.
//!
//! Why something fails is decided where it happens; what a failure does to a state is the lifecycle's table.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};

use super::{Step, event::Event};
use crate::{
    error::Error,
    id::{ConversationId, MessageId},
    message::{FailureCause, lifecycle::Happening, rows},
    store::StoreError,
};

/// The people of one message whom a step has failed.
pub(super) struct Failures {
    message: i64,
    people: BTreeSet<UserId>,
}

impl Failures {
    /// Nobody of this message has failed yet.
    pub(super) fn of(message: i64) -> Self {
        Self {
            message,
            people: BTreeSet::new(),
        }
    }

    /// A device will not get it.
    pub(super) fn device(
        &mut self,
        step: &Step<'_>,
        device: DeviceId,
        happening: Happening,
        cause: FailureCause,
        at: Timestamp,
    ) -> Result<(), Error> {
        let cause = Some(cause);
        if rows::advance(step.connection, self.message, device, happening, cause, at)? {
            self.people.extend(person_of(step, self.message, device)?);
        }
        Ok(())
    }

    /// A person will not get it on any device.
    pub(super) fn person(
        &mut self,
        step: &Step<'_>,
        user: &UserId,
        cause: FailureCause,
    ) -> Result<(), Error> {
        rows::add_unreachable(step.connection, self.message, user, cause)?;
        self.people.insert(user.clone());
        Ok(())
    }

    /// Tells the app of everybody who has failed.
    pub(super) fn tell(self, step: &mut Step<'_>) -> Result<(), Error> {
        if self.people.is_empty() {
            return Ok(());
        }
        let names = Names::of(step, self.message)?;
        step.conversation_changed(names.row);
        for user in self.people {
            let message = names.message;
            step.emit(&Event::DeliveryChanged { message, user })?;
        }
        Ok(())
    }
}

/// Whose device of the frozen list it is.
pub(super) fn person_of(
    step: &Step<'_>,
    message: i64,
    device: DeviceId,
) -> Result<Option<UserId>, Error> {
    let user: Option<String> = step
        .connection
        .prepare_cached("SELECT user_id FROM recipient WHERE message = ?1 AND device_id = ?2")?
        .query_row(params![message, device.as_bytes()], |row| row.get(0))
        .optional()?;
    let damaged = |_| StoreError::Damaged { what: "recipient" };
    Ok(user.map(UserId::new).transpose().map_err(damaged)?)
}

/// What an event calls a message of ours.
pub(super) struct Names {
    pub(super) message: MessageId,
    pub(super) conversation: ConversationId,
    /// The conversation's row.
    pub(super) row: i64,
}

impl Names {
    pub(super) fn of(step: &Step<'_>, message: i64) -> Result<Self, Error> {
        let (id, row, conversation): (Vec<u8>, i64, Vec<u8>) = step
            .connection
            .prepare_cached(
                "SELECT m.message_id, m.conversation, c.conversation_id
                 FROM message m JOIN conversation c ON c.id = m.conversation WHERE m.sequence = ?1",
            )?
            .query_row(params![message], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let damaged = |_| StoreError::Damaged { what: "message" };
        Ok(Self {
            message: MessageId::from_slice(&id).map_err(damaged)?,
            conversation: ConversationId::from_slice(&conversation).map_err(damaged)?,
            row,
        })
    }
}
