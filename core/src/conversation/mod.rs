//! Who talks with whom: two people, a care team, or one person and whoever holds a role, out of the directory.
//!
//! A conversation is not created: its id follows from who takes part, and its first message on a
//! device makes its row. Teams and roles carry the hash of the directory entry that the sender saw.
//!
//! Who holds a role, and who may speak for it, is [`role`]'s concern.

pub(crate) mod role;

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{Hash, OrgId, RoleId, TeamId, UserId};
use wardline_proto::{Message, v1};

use crate::{id::ConversationId, store::StoreError};

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// One person, on all of their devices.
    Person(UserId),
    /// Everybody on a care team, on all of their devices.
    Team(TeamId),
    /// Whoever holds a role when the message is sealed, and the role's custodian. Ask
    /// [`Client::role`](crate::Client::role) before who that is.
    Role(RoleId),
    /// As whoever holds a role, or its custodian: the person who has written to it, and everybody else who holds it.
    Caller {
        /// The role.
        role: RoleId,
        /// Who has written to it.
        person: UserId,
    },
}

impl Recipient {
    /// The conversation that `us` and this recipient share.
    pub(crate) fn conversation(&self, organization: &OrgId, us: &UserId) -> ConversationId {
        match self {
            Self::Person(person) => ConversationId::direct(organization, us, person),
            Self::Team(team) => ConversationId::team(organization, team),
            Self::Role(role) => ConversationId::role(organization, role, us),
            Self::Caller { role, person } => ConversationId::role(organization, role, person),
        }
    }

    /// The role, and who has written to it, of a conversation with a role.
    pub(crate) fn of_role<'a>(&'a self, us: &'a UserId) -> Option<(&'a RoleId, &'a UserId)> {
        match self {
            Self::Role(role) => Some((role, us)),
            Self::Caller { role, person } => Some((role, person)),
            Self::Person(_) | Self::Team(_) => None,
        }
    }

    /// How a content names its conversation; for a team or role with the entry that its sender saw.
    pub(crate) fn reference(&self, us: &UserId, entry: Option<Hash>) -> v1::ConversationRef {
        use v1::conversation_ref::Kind;
        let entry_hash = entry.map(|hash| hash.as_bytes().to_vec());
        let entry_hash = entry_hash.unwrap_or_default();
        let kind = match self {
            Self::Person(person) => {
                let (first, second) = if us <= person {
                    (us, person)
                } else {
                    (person, us)
                };
                Kind::Direct(v1::DirectConversation {
                    first_user_id: first.to_string(),
                    second_user_id: second.to_string(),
                })
            }
            Self::Team(team) => Kind::Team(v1::TeamConversation {
                team_id: team.to_string(),
                entry_hash,
            }),
            Self::Role(role) => Kind::Role(v1::RoleConversation {
                role_id: role.to_string(),
                caller_user_id: us.to_string(),
                entry_hash,
            }),
            Self::Caller { role, person } => Kind::Role(v1::RoleConversation {
                role_id: role.to_string(),
                caller_user_id: person.to_string(),
                entry_hash,
            }),
        };
        v1::ConversationRef { kind: Some(kind) }
    }

    /// Reads a reference as `us` sees it: a direct conversation must have us in it.
    pub(crate) fn parse(reference: &v1::ConversationRef, us: &UserId) -> Option<Self> {
        use v1::conversation_ref::Kind;
        match reference.kind.as_ref()? {
            Kind::Direct(direct) => {
                let first = UserId::new(direct.first_user_id.clone()).ok()?;
                let second = UserId::new(direct.second_user_id.clone()).ok()?;
                if first >= second {
                    None
                } else if first == *us {
                    Some(Self::Person(second))
                } else if second == *us {
                    Some(Self::Person(first))
                } else {
                    None
                }
            }
            Kind::Team(team) => TeamId::new(team.team_id.clone()).ok().map(Self::Team),
            Kind::Role(conversation) => {
                let role = RoleId::new(conversation.role_id.clone()).ok()?;
                let person = UserId::new(conversation.caller_user_id.clone()).ok()?;
                Some(if person == *us {
                    Self::Role(role)
                } else {
                    Self::Caller { role, person }
                })
            }
        }
    }
}

/// The row of a conversation, made when it is first met.
pub(crate) fn ensure(
    connection: &Connection,
    id: ConversationId,
    reference: &v1::ConversationRef,
) -> Result<i64, StoreError> {
    let known = row_of(connection, id)?;
    if let Some(row) = known {
        return Ok(row);
    }
    connection
        .prepare_cached(
            "INSERT INTO conversation (conversation_id, reference, role) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            id.as_bytes(),
            reference.encode_to_vec(),
            role_of(reference)
        ])?;
    Ok(connection.last_insert_rowid())
}

fn role_of(reference: &v1::ConversationRef) -> Option<&str> {
    match reference.kind.as_ref()? {
        v1::conversation_ref::Kind::Role(conversation) => Some(&conversation.role_id),
        _ => None,
    }
}

/// Whom a conversation is with, out of its row.
pub(crate) fn recipient(reference: &[u8], us: &UserId) -> Result<Recipient, StoreError> {
    v1::ConversationRef::decode(reference)
        .ok()
        .and_then(|reference| Recipient::parse(&reference, us))
        .ok_or(StoreError::Damaged {
            what: "conversation",
        })
}

/// The role, and who has written to it, of a conversation with a role, out of its row.
pub(crate) fn role_in(reference: &[u8]) -> Result<Option<(RoleId, UserId)>, StoreError> {
    let damaged = || StoreError::Damaged {
        what: "conversation",
    };
    let reference = v1::ConversationRef::decode(reference).map_err(|_| damaged())?;
    let Some(v1::conversation_ref::Kind::Role(conversation)) = reference.kind else {
        return Ok(None);
    };
    let role = RoleId::new(conversation.role_id).map_err(|_| damaged())?;
    let caller = UserId::new(conversation.caller_user_id).map_err(|_| damaged())?;
    Ok(Some((role, caller)))
}

/// The row of a conversation this device has met.
pub(crate) fn row_of(
    connection: &Connection,
    id: ConversationId,
) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id FROM conversation WHERE conversation_id = ?1")?
        .query_row(params![id.as_bytes()], |row| row.get(0))
        .optional()?)
}
