//! What nobody was told of yet: messages that came, for whoever shows notifications.
//!
//! A notice is kept in the transaction that keeps its message, and comes again until a notification of it
//! was shown, the message was read here or elsewhere, or the app has confirmed the event that announced it; and
//! once more with every round of reminders.
//! What it may say of the sender is the policy's to decide. It has no text to say: those are sealed to a
//! key that is not at hand.
//!
//! Not its concern: when to fetch and how long to wait (`client`), and events (`engine`).

use rusqlite::{Connection, Row, params};
use wardline_org::{
    DeviceId, EntryKey, Timestamp, UserId, entry::Entry, person::Person, policy::LockScreen,
};

use super::{Priority, Proof};
use crate::{
    directory::{Directory, Lookup},
    error::Error,
    id::{ConversationId, MessageId, MessageRef},
    store::StoreError,
};

/// A message that came and that nobody was told of yet: what a notification is made from.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// The message: what [`Inbox::shown`](crate::Inbox::shown) takes, and what the app finds it by. Do not put
    /// it into a notification: half of it is the author's device, so it tells who writes how often.
    pub reference: MessageRef,
    /// Names the notification towards the platform, which replaces one by its name: random, 32 hex digits, the
    /// same whenever this notice comes again. Tells nothing to whoever sees it.
    pub tag: String,
    /// How urgent it is.
    pub priority: Priority,
    /// When it came here, by this device's clock.
    pub arrived_at: Timestamp,
    /// Its conversation, to group notifications by: only where the policy allows the sender, because who
    /// writes how often is told by the groups, too.
    pub conversation: Option<ConversationId>,
    /// Who wrote it: only where the policy allows it, and the directory proved the sender when it came.
    pub sender: Option<NoticeSender>,
    /// 0 when it has just come; then how often it was repeated, because nobody has accepted a stat message.
    pub round: u32,
}

/// The author of a message, as the directory has them.
#[derive(Clone, PartialEq, Eq)]
pub struct NoticeSender {
    /// The person.
    pub user: UserId,
    /// Their name.
    pub display_name: String,
}

/// Keeps a notice of a message that came, announced by the event at `event`.
pub(crate) fn arrived(connection: &Connection, message: i64, event: u64) -> Result<(), Error> {
    let mut tag = [0; TAG_BYTES];
    getrandom::fill(&mut tag)?;
    connection
        .prepare_cached("INSERT INTO notice (message, event, tag) VALUES (?1, ?2, ?3)")?
        .execute(params![message, event, tag])?;
    Ok(())
}

/// Gives notice again, under the same tag if there is one, announced by the event at `event`.
pub(crate) fn repeat(
    connection: &Connection,
    message: i64,
    event: u64,
    round: u32,
) -> Result<(), Error> {
    let mut tag = [0; TAG_BYTES];
    getrandom::fill(&mut tag)?;
    connection
        .prepare_cached(
            "INSERT INTO notice (message, event, tag, round) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (message) DO UPDATE SET event = ?2, round = ?4, shown = 0",
        )?
        .execute(params![message, event, tag, round])?;
    Ok(())
}

/// A person has opened the message, or it was taken back.
pub(crate) fn opened(connection: &Connection, message: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM notice WHERE message = ?1")?
        .execute(params![message])?;
    Ok(())
}

/// The app was told by every event up to and including this one.
pub(crate) fn announced(connection: &Connection, last_event: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM notice WHERE event <= ?1")?
        .execute(params![last_event])?;
    Ok(())
}

/// A notification was shown.
pub(crate) fn shown(connection: &Connection, message: MessageRef) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE notice SET shown = 1 WHERE message =
                 (SELECT sequence FROM message WHERE sender_device = ?1 AND message_id = ?2)",
        )?
        .execute(params![message.device.as_bytes(), message.id.as_bytes()])?;
    Ok(())
}

/// The most urgent notices, those that came first before others of their tier; none of what is over by `latest`.
/// Whoever does not want to be disturbed is told of stat messages alone, and of the others afterwards.
pub(crate) fn pending(
    connection: &Connection,
    us: &UserId,
    now: Timestamp,
    latest: Timestamp,
    most: u32,
) -> Result<Vec<Notice>, Error> {
    // A read transaction: the policy and the rows are of one moment.
    let moment = connection.unchecked_transaction()?;
    let mut directory = Directory::default();
    let rule = directory.policy(&moment)?.lock_screen;
    let quiet = directory.is_undisturbed(&moment, us, now)?;
    let least = if quiet {
        Priority::Stat
    } else {
        Priority::Routine
    };
    let mut notices = Vec::new();
    {
        let mut statement = moment.prepare_cached(PENDING)?;
        let mut rows = statement.query(params![most, latest.as_millis(), least as i32])?;
        while let Some(row) = rows.next()? {
            notices.push(read(row, &moment, &mut directory, rule)?);
        }
    }
    moment.commit()?;
    Ok(notices)
}

fn read(
    row: &Row<'_>,
    connection: &Connection,
    directory: &mut Directory,
    rule: LockScreen,
) -> Result<Notice, Error> {
    let damaged = || StoreError::Damaged { what: "message" };
    let device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(|_| damaged())?;
    let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?;
    let mut notice = Notice {
        reference: MessageRef { device, id },
        tag: hex::encode(row.get::<_, Vec<u8>>(7)?),
        priority: Priority::from_wire(row.get(2)?),
        arrived_at: Timestamp::from_millis(row.get(3)?),
        conversation: None,
        sender: None,
        round: row.get(8)?,
    };
    match rule {
        LockScreen::Tier => {}
        LockScreen::Sender => {
            let conversation = ConversationId::from_slice(&row.get::<_, Vec<u8>>(4)?);
            notice.conversation = Some(conversation.map_err(|_| damaged())?);
            let user = UserId::new(row.get::<_, String>(5)?).map_err(|_| damaged())?;
            if row.get::<_, i64>(6)? == Proof::Proven as i64 {
                notice.sender = sender(connection, directory, user)?;
            }
        }
    }
    Ok(notice)
}

/// A name that an older head proved is good enough to be shown; nobody is sealed for by it.
fn sender(
    connection: &Connection,
    directory: &mut Directory,
    user: UserId,
) -> Result<Option<NoticeSender>, StoreError> {
    let entry = match directory.entry(connection, &EntryKey::Person(user.clone()))? {
        Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => entry,
        Lookup::Absent | Lookup::Unproven(None) => return Ok(None),
    };
    let name = |person: &Person| person.display_name.clone();
    Ok(Entry::person(&entry).map(|person| NoticeSender {
        user,
        display_name: name(person),
    }))
}

/// Shows ids and the tier, and nobody's name.
impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notice")
            .field("reference", &self.reference)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// Shows nobody's name.
impl std::fmt::Debug for NoticeSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoticeSender").finish_non_exhaustive()
    }
}

const TAG_BYTES: usize = 16;
const PENDING: &str = "
    SELECT m.sender_device, m.message_id, m.priority, m.arrived_at, c.conversation_id, m.sender_user,
           m.proof, n.tag, n.round
    FROM notice n
    JOIN message m ON m.sequence = n.message
    JOIN conversation c ON c.id = m.conversation
    WHERE n.shown = 0 AND m.priority >= ?3 AND (n.round = 0 OR m.open = 1)
      AND m.hidden_at IS NULL AND coalesce(m.expires_at > ?2, 1)
    ORDER BY m.priority DESC, n.message LIMIT ?1";
