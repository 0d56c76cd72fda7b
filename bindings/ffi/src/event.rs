//! What the app is told, at least once, in batches.

use crate::{answer::Verdict, draft::Priority};

/// An event with its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeliveredEvent {
    /// Confirm up to here when the event has been dealt with.
    pub cursor: u64,
    /// When it happened, by this device's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub event: Event,
}

/// Something the app should know.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Event {
    /// A message is on this device's disk.
    MessageArrived {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
        /// How loudly to tell.
        tier: Priority,
    },
    /// The relay has a message of ours for every device it could be sealed for so far.
    MessageSent {
        /// The message's id.
        message: String,
        /// Its conversation.
        conversation: String,
    },
    /// A person's device signed for a message of ours, or the relay refused it for one.
    DeliveryChanged {
        /// The message's id.
        message: String,
        /// The person.
        user: String,
    },
    /// Somebody has accepted or declined a message, or this person has on another device.
    MessageAnswered {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
        /// Who answered.
        user: String,
        /// What they said.
        verdict: Verdict,
    },
    /// A message was taken back by its author; its text is gone from this device.
    MessageRecalled {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
    },
    /// The text of a message was corrected by its author; what it said before is in its history.
    MessageAmended {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
    },
    /// A stat message still waits: nobody has accepted it, and this person has not answered. Comes again and
    /// again, as often as the policy says; an unconfirmed one goes when the next one comes.
    MessageReminder {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
        /// How loudly to tell.
        tier: Priority,
        /// 1 for the first time.
        round: u32,
    },
    /// A message of this person's asked for an answer within a time, and nobody has accepted it by then. Comes
    /// once.
    AnswerOverdue {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
    },
    /// A message was read on another device of the same person.
    ReadElsewhere {
        /// The message's reference.
        reference: String,
    },
    /// An envelope did not open.
    EnvelopeRefused {
        /// The stable code of the cause, such as `WL-OPEN-UNDECRYPTABLE`.
        code: String,
        /// Whether its sender was asked for it again.
        healing: bool,
    },
    /// There is a newer directory head.
    DirectoryChanged {
        /// Its version.
        version: u64,
    },
    /// The relay showed a directory that is not believed; what was believed before stays.
    DirectoryRefused {
        /// The stable code of the cause; `WL-DIRECTORY-FORK` is evidence of a split view.
        code: String,
    },
    /// This store is older than what the relay has seen of it: a copy was restored.
    StoreRolledBack,
    /// The organization has revoked this device.
    DeviceRevoked,
    /// A message is over: nobody is shown it any more. One that was over when it came is not announced otherwise.
    MessageExpired {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
    },
    /// Another device of this person has said whether they can be reached.
    AvailabilityChanged,
    /// Nobody has accepted a message in time, and the next tier of its escalation was given it: on its author's device
    /// as the relay says; on the devices of the tier they have it, and are told so besides `MessageArrived`.
    Escalated {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
        /// Which tier, from 0.
        tier: u32,
    },
    /// The relay says that a message is due for a role whose holder it was not sealed for: this person holds the role,
    /// or is its custodian. What the message says is not here, unless the person was given it besides.
    EscalationDue {
        /// Who wrote it.
        sender: String,
        /// The role.
        role: String,
    },
    /// A message of this person's was to be escalated, and all of it or a tier is not armed: the relay took the message
    /// and holds nothing back, or nobody of the tier has a device that can be sealed for. See `escalation`.
    EscalationNotArmed {
        /// The message's reference.
        reference: String,
        /// Its conversation.
        conversation: String,
    },
    /// This person's answer (or recall) is on its way, and the relay did not let it stop the escalation: others may be
    /// given the message all the same.
    EscalationGoesOn {
        /// The reference of the message that was answered.
        reference: String,
        /// Why, as a stable code, such as `WL-RELAY-HELD-PROOF`.
        code: String,
    },
    /// Something that this version of the package has no word for. Update it.
    Unknown,
}

impl From<wardline::Delivered> for DeliveredEvent {
    fn from(delivered: wardline::Delivered) -> Self {
        Self {
            cursor: delivered.cursor.0,
            at_ms: delivered.at.as_millis(),
            event: delivered.event.into(),
        }
    }
}

impl From<wardline::Event> for Event {
    fn from(event: wardline::Event) -> Self {
        use wardline::Event as Core;
        match event {
            Core::MessageArrived {
                message,
                conversation,
                tier,
            } => Self::MessageArrived {
                reference: message.to_string(),
                conversation: conversation.to_string(),
                tier: tier.into(),
            },
            Core::MessageSent {
                message,
                conversation,
            } => Self::MessageSent {
                message: message.to_string(),
                conversation: conversation.to_string(),
            },
            Core::DeliveryChanged { message, user } => Self::DeliveryChanged {
                message: message.to_string(),
                user: user.to_string(),
            },
            Core::MessageAnswered {
                message,
                conversation,
                user,
                verdict,
            } => Self::MessageAnswered {
                reference: message.to_string(),
                conversation: conversation.to_string(),
                user: user.to_string(),
                verdict: verdict.into(),
            },
            Core::MessageRecalled {
                message,
                conversation,
            } => Self::MessageRecalled {
                reference: message.to_string(),
                conversation: conversation.to_string(),
            },
            Core::MessageAmended {
                message,
                conversation,
            } => Self::MessageAmended {
                reference: message.to_string(),
                conversation: conversation.to_string(),
            },
            Core::MessageReminder {
                message,
                conversation,
                tier,
                round,
            } => Self::MessageReminder {
                reference: message.to_string(),
                conversation: conversation.to_string(),
                tier: tier.into(),
                round,
            },
            Core::AnswerOverdue {
                message,
                conversation,
            } => Self::AnswerOverdue {
                reference: message.to_string(),
                conversation: conversation.to_string(),
            },
            Core::ReadElsewhere { message } => Self::ReadElsewhere {
                reference: message.to_string(),
            },
            Core::EnvelopeRefused { code, healing } => Self::EnvelopeRefused { code, healing },
            Core::DirectoryChanged { version } => Self::DirectoryChanged { version },
            Core::DirectoryRefused { code } => Self::DirectoryRefused { code },
            Core::StoreRolledBack => Self::StoreRolledBack,
            Core::DeviceRevoked => Self::DeviceRevoked,
            Core::MessageExpired {
                message,
                conversation,
            } => Self::MessageExpired {
                reference: message.to_string(),
                conversation: conversation.to_string(),
            },
            Core::AvailabilityChanged => Self::AvailabilityChanged,
            Core::Escalated {
                message,
                conversation,
                tier,
            } => Self::Escalated {
                reference: message.to_string(),
                conversation: conversation.to_string(),
                tier,
            },
            Core::EscalationDue { sender, role } => Self::EscalationDue {
                sender: sender.to_string(),
                role: role.to_string(),
            },
            Core::EscalationNotArmed {
                message,
                conversation,
            } => Self::EscalationNotArmed {
                reference: message.to_string(),
                conversation: conversation.to_string(),
            },
            Core::EscalationGoesOn { message, code } => Self::EscalationGoesOn {
                reference: message.to_string(),
                code,
            },
            _ => Self::Unknown,
        }
    }
}
