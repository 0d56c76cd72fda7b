//! Legal hold: which messages are not destroyed here, whatever is over or taken back.
//!
//! The policy says whose. What is held is hidden all the same, and its author is told that it is kept; when the hold is
//! lifted, what would have gone goes.
//!
//! Not its concern: hiding and erasing ([`super::expiry`], [`super::recall`]).

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use wardline_org::{OrgId, UserId, policy::Policy};

use super::recall::Subject;
use crate::{
    conversation::Recipient,
    id::{ConversationId, MessageRef},
    message::amend,
    store::StoreError,
};

/// What a policy holds on a person's device.
pub(crate) struct Hold {
    all: bool,
    people: BTreeSet<String>,
    conversations: BTreeSet<ConversationId>,
}

impl Hold {
    pub(crate) fn of(rules: &Policy, organization: &OrgId, us: &UserId) -> Self {
        let held = &rules.legal_hold;
        let people = held.people.iter().cloned().map(Recipient::Person);
        let teams = held.teams.iter().cloned().map(Recipient::Team);
        Self {
            all: held.everybody || held.people.contains(us),
            people: held.people.iter().map(ToString::to_string).collect(),
            conversations: people
                .chain(teams)
                .map(|with| with.conversation(organization, us))
                .collect(),
        }
    }

    /// Nothing is held.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self {
            all: false,
            people: BTreeSet::new(),
            conversations: BTreeSet::new(),
        }
    }

    /// Whether everything on this device is held.
    pub(crate) fn keeps_all(&self) -> bool {
        self.all
    }

    /// Whether a message of this author, in the conversation of this row, is held.
    pub(crate) fn keeps(
        &self,
        connection: &Connection,
        author: &str,
        conversation: i64,
    ) -> Result<bool, StoreError> {
        if self.all || self.people.contains(author) {
            return Ok(true);
        }
        if self.conversations.is_empty() {
            return Ok(false);
        }
        let id: Vec<u8> = connection
            .prepare_cached("SELECT conversation_id FROM conversation WHERE id = ?1")?
            .query_row(params![conversation], |row| row.get(0))?;
        let id = ConversationId::from_slice(&id);
        let id = id.map_err(|_| StoreError::Damaged {
            what: "conversation",
        })?;
        Ok(self.conversations.contains(&id))
    }
}

/// Notes that a message is not destroyed because of a hold.
pub(crate) fn keep(connection: &Connection, message: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET on_hold = 1 WHERE sequence = ?1")?
        .execute(params![message])?;
    Ok(())
}

/// The policy is another one: whether what is kept stays so is decided anew.
pub(crate) fn decide_anew(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE message SET on_hold = 0 WHERE on_hold = 1")?
        .execute([])?;
    Ok(())
}

/// Messages that were taken back and are kept, about which it is to be decided anew; each with the row that takes it back.
pub(crate) fn undecided(
    connection: &Connection,
    most: i64,
) -> Result<Vec<(Subject, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT sender_device, message_id, recall FROM message
         WHERE on_hold = 0 AND hidden_at IS NOT NULL AND recalled_at IS NULL AND recall IS NOT NULL LIMIT ?1",
    )?;
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = statement
        .query_map(params![most], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut undecided = Vec::new();
    for (device, id, recall) in rows {
        let message: MessageRef = amend::reference(&device, &id)?;
        if let Some(subject) = Subject::load(connection, message)? {
            undecided.push((subject, recall));
        }
    }
    Ok(undecided)
}
