//! Reminding: telling the app, and whoever shows notifications, again of what nobody has answered.
//!
//! Needs no key and no network, so it works on a locked phone without a line. However long a device has slept, each
//! message is told of once when it wakes.
//!
//! Not its concern: what is due, which is `message::reminders`'s.

use super::{Step, event, event::Event};
use crate::{
    audit::Action,
    error::Error,
    message::{Priority, notice, reminders},
};

/// Tells of everything that is due now.
pub(crate) fn remind(step: &mut Step<'_>) -> Result<(), Error> {
    let rules = step.memory.directory.policy(step.connection)?;
    if let Some(every) = rules.stat_repeat() {
        let us = step.context.identity.user_id.clone();
        for one in reminders::due(step.connection, &us, every, step.now())? {
            let round = one.round.saturating_add(1);
            if round == 1 {
                step.audit(Action::MessageReminded, one.message.id.as_bytes())?;
            }
            // An app that was away for a night is told the last round, not a thousand of them.
            if let Some(earlier) = one.event {
                event::replace(step.connection, earlier)?;
            }
            let cursor = step.announce(&Event::MessageReminder {
                message: one.message,
                conversation: one.conversation,
                tier: Priority::Stat.into(),
                round,
            })?;
            notice::repeat(step.connection, one.sequence, cursor.0, round)?;
            let next = one.next(every, step.now());
            reminders::told(step.connection, &one, cursor.0, Some(next))?;
        }
    }
    for one in reminders::overdue(step.connection, step.now())? {
        step.audit(Action::AnswerOverdue, one.message.id.as_bytes())?;
        let cursor = step.announce(&Event::AnswerOverdue {
            message: one.message,
            conversation: one.conversation,
        })?;
        reminders::told(step.connection, &one, cursor.0, None)?;
        step.conversation_changed(one.row);
    }
    Ok(())
}
