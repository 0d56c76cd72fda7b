//! Reading messages back, page by page, newest last.
//!
//! A page is found by its key (the sequence after or before which it starts), never by an offset, so
//! that a page costs the same wherever it is. Bodies are opened with the reading keys.

use std::{collections::BTreeMap, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::{Message as _, v1};

use super::{
    Amended, Direction, Expired, Forwarded, Patient, Priority, Proof, RecallOutcome, Recalled,
    StandIn, Structured, amend,
    answer::{self, StandingAnswer},
    content, delegation, forward,
    lifecycle::{DeliveryState, FailureCause},
    offers, rows,
};
use crate::{
    conversation::{
        self,
        role::{InRole, RoleSpeaker},
    },
    error::Error,
    id::{ConversationId, MessageId, MessageRef},
    store::StoreError,
    vault::{BodyOpener, ReadingKeys},
};

/// A message as a person reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, the same on every device.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation: ConversationId,
    /// Its place in this device's timelines; grows.
    pub cursor: Cursor,
    /// Who wrote it, as the directory proves.
    pub sender: UserId,
    /// On which device.
    pub sender_device: DeviceId,
    /// Whether it came in, or was written here or on another device of the same person.
    pub direction: Direction,
    /// Whether the directory still stood behind the sender when it came.
    pub proof: Proof,
    /// How urgent it is.
    pub priority: Priority,
    /// What it says. For a type this version does not know, its fallback text; empty when the stored
    /// body is damaged (then the content type is empty too).
    pub text: String,
    /// The type of its content, such as `wardline.text/1`.
    pub content_type: String,
    /// Whether this version understands the type; otherwise `text` is the fallback.
    pub supported: bool,
    /// Whom it is about.
    pub patient: Option<Patient>,
    /// When it was written, by the sender's clock.
    pub created_at: Timestamp,
    /// When it came here, by this device's clock.
    pub arrived_at: Timestamp,
    /// When a person opened it here, if it came in.
    pub read_at: Option<Timestamp>,
    /// When what it tells of happened, such as a laboratory result, if its author said so.
    pub occurred_at: Option<Timestamp>,
    /// What is expected of its recipients; `None` when nobody is asked to answer.
    pub asked: Option<Asked>,
    /// The message that this one is a reply to, as its author says; it need not be on this device.
    pub in_reply_to: Option<MessageRef>,
    /// When its author has taken it back; its text is gone then.
    pub recalled: Option<Recalled>,
    /// When its author has corrected it: `text` is what it says now, and
    /// [`Client::history`](crate::Client::history) what it said before.
    pub amended: Option<Amended>,
    /// The role in whose conversation it is, and whether its sender speaks for it.
    pub role: Option<InRole>,
    /// When it will be sent, if it was written here to be sent later and has not been, as far as this device knows.
    pub scheduled_for: Option<Timestamp>,
    /// What its typed fields say, when it has any that this version knows, or a vendor's. A message that was corrected
    /// has those of the correction that stands, or the text alone.
    pub structured: Option<Structured>,
    /// Texts that a recipient may answer with as they are, by their places ([`Client::reply_with`](crate::Client::reply_with)).
    /// They are those of the message as it was first written.
    pub offers: Vec<String>,
    /// Of a reply with one of the texts that [`Message::in_reply_to`] offers: its place among them. The reply says
    /// exactly that text.
    pub chosen: Option<u32>,
    /// When it is over at the latest; `None`: it stays, or nobody has opened it yet.
    pub expires_at: Option<Timestamp>,
    /// So long after somebody has opened it, it is over. `None` once that has begun.
    pub expires_after_read: Option<Duration>,
    /// When it is over; its text is not shown any more then.
    pub expired: Option<Expired>,
    /// When it hands another message on: that one, and whether its author is proven. `text` is then the comment and what
    /// the other message says. Of a forward that was corrected there is the text alone.
    pub forwarded: Option<Forwarded>,
    /// It is over or was taken back, and a legal hold keeps it from being erased: nobody is shown it.
    pub held: bool,
    /// For whom this person stands in, when they were given it because that person is away.
    pub on_behalf_of: Option<UserId>,
    /// To whom it was given besides, because somebody it is for is away: by that person's own word.
    pub stand_ins: Vec<StandIn>,
}

/// An answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Until when, by the author's clock; `None`: as soon as possible.
    pub answer_by: Option<Timestamp>,
    /// Nobody's standing answer accepts it yet, as far as this device knows.
    pub open: bool,
}

impl Message {
    /// What names it on this device.
    pub fn reference(&self) -> MessageRef {
        MessageRef {
            device: self.sender_device,
            id: self.id,
        }
    }

    /// The same with nothing of what was written; over, if it is when the clocks show `latest`.
    pub(crate) fn without_words(&self, latest: Timestamp) -> Self {
        let end = self.expires_at.filter(|end| *end <= latest);
        Self {
            text: String::new(),
            content_type: String::new(),
            supported: false,
            patient: None,
            in_reply_to: None,
            structured: None,
            amended: None,
            offers: Vec::new(),
            chosen: None,
            expired: end.map(|at| Expired { at }),
            ..self.clone()
        }
    }
}

/// Shows ids and states, nothing of what was written.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("direction", &self.direction)
            .field("proof", &self.proof)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// A place in this device's timelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub(crate) i64);

impl Cursor {
    /// The cursor as a number, for a host that keeps it or hands it on.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// A cursor from its number. One that was never given names a place all the same: pages end
    /// before it.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }
}

/// Some messages of a conversation, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Ask for the page before with this; `None` at the beginning.
    pub before: Option<Cursor>,
}

/// How a message of ours stands with one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonDelivery {
    /// The person.
    pub user: UserId,
    /// The furthest any device of the person has come.
    pub state: DeliveryState,
    /// Their last word, if they have answered.
    pub answer: Option<StandingAnswer>,
    /// Every device it was sealed for.
    pub devices: Vec<DeviceDelivery>,
}

/// How a message of ours stands with one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceDelivery {
    /// The device; `None` when the person has none that could receive.
    pub device: Option<DeviceId>,
    /// How far it has come.
    pub state: DeliveryState,
    /// Why it will not arrive, when it will not.
    pub cause: Option<FailureCause>,
    /// When the relay took it.
    pub sent_at: Option<Timestamp>,
    /// When the device had it on disk, by its own signed word.
    pub delivered_at: Option<Timestamp>,
    /// When a person opened it there, by the device's signed word.
    pub read_at: Option<Timestamp>,
    /// What has become of it there, when it was taken back.
    pub recall: Option<RecallOutcome>,
}

/// The page of a conversation that ends before `before` (or with the newest message). Nothing is shown of what is over
/// by `latest`.
pub(crate) fn page(
    connection: &Connection,
    keys: &ReadingKeys,
    conversation: ConversationId,
    before: Option<Cursor>,
    size: u32,
    latest: Timestamp,
) -> Result<Page, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "{SHOWN} AND c.conversation_id = ?1 AND m.sequence < ?2 ORDER BY m.sequence DESC LIMIT ?3"
    ))?;
    let before = before.map_or(i64::MAX, |cursor| cursor.0);
    let mut rows = statement.query(params![conversation.as_bytes(), before, size])?;
    let mut messages = Vec::new();
    let mut opener = BodyOpener::new(keys);
    while let Some(row) = rows.next()? {
        messages.push(read(connection, row, &mut opener, latest)?);
    }
    messages.reverse();
    let full = u32::try_from(messages.len()).unwrap_or(u32::MAX) == size;
    let before = messages
        .first()
        .filter(|_| full)
        .map(|message| message.cursor);
    Ok(Page { messages, before })
}

/// Some messages by their places, in the order asked; places that hold none are left out.
pub(crate) fn by_sequence(
    connection: &Connection,
    keys: &ReadingKeys,
    sequences: &[i64],
    latest: Timestamp,
) -> Result<Vec<Message>, Error> {
    let mut statement = connection.prepare_cached(&format!("{SHOWN} AND m.sequence = ?1"))?;
    let mut opener = BodyOpener::new(keys);
    let mut messages = Vec::new();
    for sequence in sequences {
        let mut rows = statement.query(params![sequence])?;
        if let Some(row) = rows.next()? {
            messages.push(read(connection, row, &mut opener, latest)?);
        }
    }
    Ok(messages)
}

/// Some messages by name, in the order asked; names of none are left out.
pub(crate) fn by_name(
    connection: &Connection,
    keys: &ReadingKeys,
    messages: &[MessageRef],
    latest: Timestamp,
) -> Result<Vec<Message>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM message WHERE sender_device = ?1 AND message_id = ?2",
    )?;
    let mut sequences = Vec::with_capacity(messages.len());
    for message in messages {
        let place = params![message.device.as_bytes(), message.id.as_bytes()];
        sequences.extend(
            statement
                .query_row(place, |row| row.get::<_, i64>(0))
                .optional()?,
        );
    }
    by_sequence(connection, keys, &sequences, latest)
}

/// Those of some messages that are found: nobody finds what is over.
pub(crate) fn found(
    connection: &Connection,
    keys: &ReadingKeys,
    sequences: &[i64],
    latest: Timestamp,
) -> Result<Vec<Message>, Error> {
    let mut messages = by_sequence(connection, keys, sequences, latest)?;
    messages.retain(|message| message.expired.is_none() && message.recalled.is_none());
    Ok(messages)
}

/// How a message of ours stands with everybody it went to.
pub(crate) fn deliveries(
    connection: &Connection,
    us: DeviceId,
    message: MessageId,
) -> Result<Vec<PersonDelivery>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT r.user_id, r.device_id, r.state, r.cause, r.sent_at, r.delivered_at, r.read_at,
                CASE WHEN m.recall IS NOT NULL THEN coalesce(r.recall, 0) END
         FROM recipient r JOIN message m ON m.sequence = r.message
         WHERE m.sender_device = ?1 AND m.message_id = ?2",
    )?;
    let mut rows = statement.query(params![us.as_bytes(), message.as_bytes()])?;
    let mut people: BTreeMap<UserId, Vec<DeviceDelivery>> = BTreeMap::new();
    let damaged = StoreError::Damaged { what: "recipient" };
    while let Some(row) = rows.next()? {
        let user = UserId::new(row.get::<_, String>(0)?).map_err(|_| damaged.clone())?;
        let time = |at: Option<i64>| at.map(Timestamp::from_millis);
        people.entry(user).or_default().push(DeviceDelivery {
            device: DeviceId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok(),
            state: DeliveryState::from_stored(row.get(2)?).ok_or(damaged.clone())?,
            cause: row
                .get::<_, Option<i64>>(3)?
                .and_then(FailureCause::from_stored),
            sent_at: time(row.get(4)?),
            delivered_at: time(row.get(5)?),
            read_at: time(row.get(6)?),
            recall: row
                .get::<_, Option<i64>>(7)?
                .and_then(RecallOutcome::from_stored),
        });
    }
    let subject = MessageRef {
        device: us,
        id: message,
    };
    let answers = answer::standing(connection, subject)?;
    Ok(people
        .into_iter()
        .map(|(user, devices)| PersonDelivery {
            answer: answers.get(&user).copied(),
            state: devices
                .iter()
                .map(|device| device.state)
                .max()
                .unwrap_or(DeliveryState::Failed),
            user,
            devices,
        })
        .collect())
}

fn read(
    connection: &Connection,
    row: &rusqlite::Row<'_>,
    opener: &mut BodyOpener<'_>,
    latest: Timestamp,
) -> Result<Message, Error> {
    let damaged = || StoreError::Damaged { what: "message" };
    let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?;
    let sender_device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(|_| damaged())?;
    let place = rows::place_id(sender_device, id);
    let recalled = recalled(row, opener)?;
    let expired = expired(row, latest)?;
    let body = opener.open(rows::body_place(&place), &row.get::<_, Vec<u8>>(10)?);
    let content = match body {
        _ if recalled.is_some() || expired.is_some() => v1::Content::default(),
        Ok(body) => content::content_of(&body)?,
        Err(error) => {
            // One damaged body must not make a whole conversation unreadable.
            tracing::error!(code = error.code(), "a message body does not open");
            v1::Content::default()
        }
    };
    let (mut text, supported) = content::text_of(&content);
    let mut structured = Structured::of(&content);
    let amended = match (&recalled, expired) {
        (None, None) => amended(row, opener)?,
        _ => None,
    };
    let amended = amended.map(|(amended, said)| {
        text = content::corrected_text(&said, &content.type_uri);
        structured = content::corrected_fields(&said, &content.type_uri);
        amended
    });
    let scheduled_for: Option<i64> = row.get(34)?;
    let offers = offers::of(&content).to_vec();
    let (stand_ins, on_behalf_of) = delegation::read(connection, &content)?;
    let in_reply_to = content::subject_of(&content).map(|(message, _)| message);
    let chosen = match &amended {
        // It says something else now.
        Some(_) => None,
        None => offers::chosen(connection, opener, &content, row.get(5)?)?,
    };
    let forwarded = match &amended {
        // What whoever forwards it says now, and no longer what its author said.
        Some(_) => None,
        None => forward::forwarded(connection, row.get(0)?, &content)?,
    };
    let patient = content::patient_of(&content);
    Ok(Message {
        id,
        conversation: ConversationId::from_slice(&row.get::<_, Vec<u8>>(11)?)
            .map_err(|_| damaged())?,
        cursor: Cursor(row.get(0)?),
        sender: UserId::new(row.get::<_, String>(3)?).map_err(|_| damaged())?,
        sender_device,
        direction: Direction::from_stored(row.get(4)?).ok_or_else(damaged)?,
        proof: if row.get::<_, i64>(5)? == Proof::Proven as i64 {
            Proof::Proven
        } else {
            Proof::Revoked
        },
        priority: Priority::from_wire(row.get(6)?),
        text,
        content_type: content.type_uri,
        scheduled_for: scheduled_for.map(Timestamp::from_millis),
        supported,
        patient: patient.map(Patient::from),
        created_at: Timestamp::from_millis(row.get(7)?),
        arrived_at: Timestamp::from_millis(row.get(8)?),
        read_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
        occurred_at: row.get::<_, Option<i64>>(12)?.map(Timestamp::from_millis),
        asked: if row.get(13)? {
            Some(Asked {
                answer_by: row.get::<_, Option<i64>>(14)?.map(Timestamp::from_millis),
                open: row.get(15)?,
            })
        } else {
            None
        },
        in_reply_to,
        recalled,
        role: in_role(row)?,
        structured,
        on_behalf_of,
        stand_ins,
        amended,
        offers,
        chosen,
        forwarded,
        expires_at: row.get::<_, Option<i64>>(29)?.map(Timestamp::from_millis),
        expires_after_read: row.get::<_, Option<u64>>(30)?.map(Duration::from_millis),
        expired,
        held: row.get(35)?,
    })
}

/// The role in whose conversation a message is.
fn in_role(row: &rusqlite::Row<'_>) -> Result<Option<InRole>, Error> {
    let sender: String = row.get(3)?;
    let stored: Option<i64> = row.get(28)?;
    let reference: Vec<u8> = row.get(27)?;
    let passed_by = row.get::<_, Option<String>>(32)?.map(UserId::new);
    let damaged = |_| StoreError::Damaged { what: "message" };
    let passed_by = passed_by.transpose().map_err(damaged)?;
    let Some((role, caller)) = conversation::role_in(&reference)? else {
        return Ok(None);
    };
    Ok(Some(InRole {
        role,
        // Whatever was written here for a role was written by somebody who holds it.
        speaks: (caller.as_str() != sender).then(|| {
            stored
                .and_then(RoleSpeaker::from_stored)
                .unwrap_or(RoleSpeaker::Holder)
        }),
        passed_by,
        handed_over: row.get(33)?,
    }))
}

/// When a message was over, if it is: by what was decided, or by `latest`.
fn expired(row: &rusqlite::Row<'_>, latest: Timestamp) -> Result<Option<Expired>, Error> {
    let end = row.get::<_, Option<i64>>(29)?.map(Timestamp::from_millis);
    let over: bool = row.get(31)?;
    // What was taken back while a legal hold keeps it is hidden for another reason.
    let over = over && row.get::<_, Option<String>>(16)?.is_none();
    Ok(end
        .filter(|end| over || *end <= latest)
        .map(|at| Expired { at }))
}

/// The correction of a message that stands, and what that says.
fn amended(
    row: &rusqlite::Row<'_>,
    opener: &mut BodyOpener<'_>,
) -> Result<Option<(Amended, v1::AmendBody)>, Error> {
    let Some(by) = row.get::<_, Option<String>>(21)? else {
        return Ok(None);
    };
    let (device, id): (Vec<u8>, Vec<u8>) = (row.get(22)?, row.get(23)?);
    let correction = amend::reference(&device, &id)?;
    // The text of before would be read as what is right: nothing is shown of a damaged correction.
    let said = amend::said(opener, correction, &row.get::<_, Vec<u8>>(24)?).unwrap_or_default();
    let amended = Amended {
        by: UserId::new(by).map_err(|_| StoreError::Damaged { what: "amendment" })?,
        at: Timestamp::from_millis(row.get(25)?),
        reason: said.reason.clone(),
        versions: row.get(26)?,
    };
    Ok(Some((amended, said)))
}

/// What is left of a message that was taken back.
fn recalled(
    row: &rusqlite::Row<'_>,
    opener: &mut BodyOpener<'_>,
) -> Result<Option<Recalled>, Error> {
    let damaged = || StoreError::Damaged { what: "recall" };
    let Some(by) = row.get::<_, Option<String>>(16)? else {
        return Ok(None);
    };
    let device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(17)?).map_err(|_| damaged())?;
    let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(18)?).map_err(|_| damaged())?;
    let place = rows::place_id(device, id);
    let body = opener.open(rows::body_place(&place), &row.get::<_, Vec<u8>>(19)?);
    let said = body.ok().and_then(|body| content::content_of(&body).ok());
    let said = said.and_then(|content| v1::RecallBody::decode(content.body.as_slice()).ok());
    Ok(Some(Recalled {
        by: UserId::new(by).map_err(|_| damaged())?,
        at: Timestamp::from_millis(row.get(20)?),
        // A damaged body takes the reason with it, not the fact.
        reason: said.unwrap_or_default().reason,
    }))
}

/// Messages as a person reads them; the columns are those of [`read`].
const SHOWN: &str = "
    SELECT m.sequence, m.message_id, m.sender_device, m.sender_user, m.direction, m.proof,
           m.priority, m.created_at, m.arrived_at, m.read_at, m.body, c.conversation_id,
           m.occurred_at, m.asks, m.answer_by, m.open,
           r.sender_user, r.sender_device, r.message_id, r.body, r.created_at,
           a.sender_user, a.sender_device, a.message_id, a.body,
           (SELECT at FROM amendment WHERE message = m.amendment),
           1 + (SELECT count(DISTINCT version_id) FROM amendment
                WHERE subject_device = m.sender_device AND subject_id = m.message_id
                  AND counts = 1 AND m.amendment IS NOT NULL),
           c.reference, m.speaks,
           m.expires_at, m.read_for, m.hidden_at IS NOT NULL OR m.expired_at IS NOT NULL,
           m.passed_by, m.handed_over,
           (SELECT e.scheduled_for FROM escalation e
            WHERE e.message = m.sequence AND m.direction = 1 AND m.recalled_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM escalation_tier t WHERE t.message = e.message
                              AND t.tier = 0 AND t.released_at IS NOT NULL)) AS scheduled_for,
           m.on_hold
    FROM message m JOIN conversation c ON c.id = m.conversation
    LEFT JOIN message r ON r.sequence = m.recall
    LEFT JOIN message a ON a.sequence = m.amendment WHERE m.shown = 1";
