//! What is read: messages, pages of them, and how those that were sent stand with everybody.

use wardline_org::Timestamp;

use crate::{
    amend::Amended,
    answer::{Asked, RecallOutcome, Recalled, StandingAnswer},
    draft::{Patient, Priority},
    forward::Forwarded,
    lifetime,
    reach::StandIn,
    roles::InRole,
    structured::Structured,
};

/// A message as a person reads it.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Message {
    /// Its id, the same on every device. Unique only among the messages of its author's device.
    pub id: String,
    /// Names it among all messages on this device: its author's device, a slash and its id. What is
    /// done to a message takes this.
    pub reference: String,
    /// The conversation it is in.
    pub conversation: String,
    /// Its place in this device's timelines; grows.
    pub cursor: i64,
    /// Who wrote it, as the directory proves.
    pub sender: String,
    /// On which device.
    pub sender_device: String,
    /// Whether it came in, or was written here or on another device of the same person.
    pub direction: Direction,
    /// Whether the directory still stood behind the sender when it came.
    pub proof: Proof,
    /// How urgent it is.
    pub priority: Priority,
    /// What it says; for a type this version does not know, its fallback text.
    pub text: String,
    /// The type of its content, such as `wardline.text/1`; empty when the stored body is damaged.
    pub content_type: String,
    /// Whether this version understands the type.
    pub supported: bool,
    /// Whom it is about.
    pub patient: Option<Patient>,
    /// When it was written, by the sender's clock: milliseconds since 1970, as every time here.
    pub created_at_ms: i64,
    /// When it came here, by this device's clock.
    pub arrived_at_ms: i64,
    /// When a person opened it here, if it came in.
    pub read_at_ms: Option<i64>,
    /// When what it tells of happened, such as a laboratory result, if its author said so.
    pub occurred_at_ms: Option<i64>,
    /// What is expected of its recipients; nothing when nobody is asked to answer.
    pub asked: Option<Asked>,
    /// The reference of the message that this one is a reply to, as its author says; it need not be on
    /// this device.
    pub in_reply_to: Option<String>,
    /// When its author has taken it back; its text is gone then.
    pub recalled: Option<Recalled>,
    /// When its author has corrected it: the text is what it says now, and `history` has what it said before.
    pub amended: Option<Amended>,
    /// When it will be sent, if it was written here to be sent later and has not been, as far as this device knows.
    pub scheduled_for_ms: Option<i64>,
    /// It is over or was taken back, and a legal hold keeps it from being erased: nobody is shown it.
    pub held: bool,
    /// For whom this person stands in, when they were given it because that person is away.
    pub on_behalf_of: Option<String>,
    /// To whom it was given besides, because somebody it is for is away: by that person's own word.
    pub stand_ins: Vec<StandIn>,
    /// When it is over at the latest; nothing: it stays, or nobody has opened it yet.
    pub expires_at_ms: Option<i64>,
    /// So many milliseconds after somebody has opened it, it is over. Nothing once that has begun.
    pub expires_after_read_ms: Option<u64>,
    /// When it was over; its text is not shown any more then.
    pub expired_at_ms: Option<i64>,
    /// What its typed fields say, when it has any that this version knows, or a vendor's. A message that was
    /// corrected has those of the correction that stands, or the text alone.
    pub structured: Option<Structured>,
    /// Texts that a recipient may answer with as they are, by their places (`reply_with`). They are those of the
    /// message as it was first written.
    pub offers: Vec<String>,
    /// Of a reply with one of the texts that the message it replies to offers: its place among them, from 0. The
    /// reply says exactly that text.
    pub chosen: Option<u32>,
    /// When it is in a conversation with a role: which, and as what its sender speaks for it.
    pub role: Option<InRole>,
    /// When it hands another message on: that one, and whether its author is proven. `text` is then the comment and what
    /// the other message says.
    pub forwarded: Option<Forwarded>,
}

/// Shows ids and states, nothing of what was written.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Direction {
    /// Written on this device.
    Outgoing,
    /// Written by somebody else.
    Incoming,
    /// Written by the same person on another device.
    OwnOtherDevice,
}

/// What stands behind a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Proof {
    /// The directory listed the sending device as active when the message was opened.
    Proven,
    /// The device had been revoked, or its person had left: never an order, never an answer.
    Revoked,
}

/// Some messages of a conversation, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Ask for the page before with this; nothing at the beginning.
    pub before: Option<i64>,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, uniffi::Enum)]
pub enum DeliveryState {
    /// It will not arrive, unless the device proves otherwise.
    Failed,
    /// On this device's disk, not yet at the relay.
    Queued,
    /// The relay has it on disk.
    Sent,
    /// The device has it on disk and has signed for it.
    Delivered,
    /// A person opened it; the device has signed for it.
    Read,
}

/// Why a message will not arrive at a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum FailureCause {
    /// The directory does not know the person, or the person has left.
    NoSuchPerson,
    /// The person has no device that may receive.
    NoDevice,
    /// The device was revoked.
    Revoked,
    /// The relay does not know the device.
    UnknownDevice,
    /// The device's mailbox is full.
    MailboxFull,
    /// The device never offered a key to seal for, until time was up.
    NoKeys,
    /// The team has gone or has nobody but the author; it stands under the author's own name.
    NoSuchTeam,
    /// The relay will not take it for anybody, however often it is posted.
    RefusedByRelay,
    /// The time in which it may be sealed was over before it left.
    TimeUp,
    /// Nobody holds the role and it has no custodian; it stands under the author's own name.
    NoHolder,
    /// The author had not held the role for a while when it could be sealed; it stands under their own name.
    NotHolder,
}

/// How a message of ours stands with one person.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PersonDelivery {
    /// The person.
    pub user: String,
    /// The furthest any device of the person has come.
    pub state: DeliveryState,
    /// Their last word, if they have answered.
    pub answer: Option<StandingAnswer>,
    /// Every device it was sealed for.
    pub devices: Vec<DeviceDelivery>,
}

/// How a message of ours stands with one device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceDelivery {
    /// The device; nothing when the person has none that could receive.
    pub device: Option<String>,
    /// How far it has come.
    pub state: DeliveryState,
    /// Why it will not arrive, when it will not.
    pub cause: Option<FailureCause>,
    /// When the relay took it.
    pub sent_at_ms: Option<i64>,
    /// When the device had it on disk, by its own signed word.
    pub delivered_at_ms: Option<i64>,
    /// When a person opened it there, by the device's signed word.
    pub read_at_ms: Option<i64>,
    /// What has become of it there, when it was taken back.
    pub recall: Option<RecallOutcome>,
}

impl From<wardline::Message> for Message {
    fn from(message: wardline::Message) -> Self {
        Self {
            id: message.id.to_string(),
            reference: message.reference().to_string(),
            conversation: message.conversation.to_string(),
            cursor: message.cursor.number(),
            sender: message.sender.to_string(),
            sender_device: message.sender_device.to_string(),
            direction: message.direction.into(),
            proof: match message.proof {
                wardline::Proof::Proven => Proof::Proven,
                wardline::Proof::Revoked => Proof::Revoked,
            },
            priority: message.priority.into(),
            text: message.text,
            content_type: message.content_type,
            supported: message.supported,
            patient: message.patient.map(Patient::from),
            created_at_ms: message.created_at.as_millis(),
            arrived_at_ms: message.arrived_at.as_millis(),
            read_at_ms: message.read_at.map(Timestamp::as_millis),
            occurred_at_ms: message.occurred_at.map(Timestamp::as_millis),
            asked: message.asked.map(Asked::from),
            in_reply_to: message.in_reply_to.map(|subject| subject.to_string()),
            recalled: message.recalled.map(Recalled::from),
            amended: message.amended.map(Amended::from),
            scheduled_for_ms: message.scheduled_for.map(Timestamp::as_millis),
            held: message.held,
            on_behalf_of: message.on_behalf_of.map(|user| user.to_string()),
            stand_ins: message.stand_ins.into_iter().map(StandIn::from).collect(),
            expires_at_ms: message.expires_at.map(Timestamp::as_millis),
            expires_after_read_ms: message.expires_after_read.map(lifetime::millis),
            expired_at_ms: message.expired.map(|expired| expired.at.as_millis()),
            structured: message.structured.and_then(Structured::of),
            offers: message.offers,
            chosen: message.chosen,
            role: message.role.map(InRole::from),
            forwarded: message.forwarded.map(Forwarded::from),
        }
    }
}

impl From<wardline::Page> for MessagePage {
    fn from(page: wardline::Page) -> Self {
        Self {
            messages: all(page.messages),
            before: page.before.map(wardline::Cursor::number),
        }
    }
}

impl From<wardline::PersonDelivery> for PersonDelivery {
    fn from(delivery: wardline::PersonDelivery) -> Self {
        Self {
            user: delivery.user.to_string(),
            state: delivery.state.into(),
            answer: delivery.answer.map(StandingAnswer::from),
            devices: delivery
                .devices
                .into_iter()
                .map(DeviceDelivery::from)
                .collect(),
        }
    }
}

impl From<wardline::DeviceDelivery> for DeviceDelivery {
    fn from(delivery: wardline::DeviceDelivery) -> Self {
        Self {
            device: delivery.device.map(|device| device.to_string()),
            state: delivery.state.into(),
            cause: delivery.cause.map(FailureCause::from),
            sent_at_ms: delivery.sent_at.map(Timestamp::as_millis),
            delivered_at_ms: delivery.delivered_at.map(Timestamp::as_millis),
            read_at_ms: delivery.read_at.map(Timestamp::as_millis),
            recall: delivery.recall.map(RecallOutcome::from),
        }
    }
}

impl From<wardline::Direction> for Direction {
    fn from(direction: wardline::Direction) -> Self {
        match direction {
            wardline::Direction::Outgoing => Self::Outgoing,
            wardline::Direction::Incoming => Self::Incoming,
            wardline::Direction::OwnOtherDevice => Self::OwnOtherDevice,
        }
    }
}

impl From<wardline::DeliveryState> for DeliveryState {
    fn from(state: wardline::DeliveryState) -> Self {
        use wardline::DeliveryState as Core;
        match state {
            Core::Failed => Self::Failed,
            Core::Queued => Self::Queued,
            Core::Sent => Self::Sent,
            Core::Delivered => Self::Delivered,
            Core::Read => Self::Read,
        }
    }
}

impl From<wardline::FailureCause> for FailureCause {
    fn from(cause: wardline::FailureCause) -> Self {
        use wardline::FailureCause as Core;
        match cause {
            Core::NoSuchPerson => Self::NoSuchPerson,
            Core::NoDevice => Self::NoDevice,
            Core::Revoked => Self::Revoked,
            Core::UnknownDevice => Self::UnknownDevice,
            Core::MailboxFull => Self::MailboxFull,
            Core::NoKeys => Self::NoKeys,
            Core::NoSuchTeam => Self::NoSuchTeam,
            Core::RefusedByRelay => Self::RefusedByRelay,
            Core::TimeUp => Self::TimeUp,
            Core::NoHolder => Self::NoHolder,
            Core::NotHolder => Self::NotHolder,
        }
    }
}

/// Messages of the core as messages of this surface.
pub(crate) fn all(messages: Vec<wardline::Message>) -> Vec<Message> {
    messages.into_iter().map(Message::from).collect()
}
