/*
 * What goes in and what comes out, as values: compare them, keep them. Nothing here calls anything.
 *
 * Their `toString` shows nothing of what was written, or about whom, so that a log line does not either.
 */
package dev.wardline

import java.time.Duration
import java.time.Instant

/** How urgent a message is, and so how loudly it asks for attention. */
public enum class Priority {
    /** Does not interrupt. */
    ROUTINE,

    /** Interrupts once. */
    URGENT,

    /** Interrupts until somebody acknowledges. */
    STAT,
}

/** Which way a message went. */
public enum class Direction {
    /** Written on this device. */
    OUTGOING,

    /** Written by somebody else. */
    INCOMING,

    /** Written by the same person on another device. */
    OWN_OTHER_DEVICE,
}

/** What stands behind a sender. */
public enum class Proof {
    /** The directory listed the sending device as active when the message was opened. */
    PROVEN,

    /** The device had been revoked, or its person had left: never an order, never an answer. */
    REVOKED,
}

/** Whom a message is for. */
public sealed interface Recipient

/**
 * One person, on all of their devices.
 *
 * @property user the person's id.
 */
public data class Person(val user: String) : Recipient

/**
 * Everybody on a care team, on all of their devices.
 *
 * @property team the team's id.
 */
public data class Team(val team: String) : Recipient

/**
 * Whoever holds a role when the message is sealed, and the role's custodian.
 *
 * @property role the role's id.
 */
public data class Role(val role: String) : Recipient

/**
 * As whoever holds a role, or its custodian: the person who has written to it.
 *
 * @property role the role's id.
 * @property person who has written to it.
 */
public data class Caller(val role: String, val person: String) : Recipient

/**
 * One identifier of a patient.
 *
 * @property system whose identifier it is, as a URI.
 * @property value the identifier.
 */
public data class PatientIdentifier(val system: String, val value: String) {
    /** Shows nothing. */
    override fun toString(): String = "PatientIdentifier(...)"
}

/**
 * The patient a message is about.
 *
 * @property identifiers for example a record number and a date of birth; two tell patients apart.
 * @property name the patient's name as people say it.
 * @property encounter the encounter, as the EHR names it; may be empty.
 */
public data class Patient @JvmOverloads constructor(
    val identifiers: List<PatientIdentifier>,
    val name: String = "",
    val encounter: String = "",
) {
    /** Shows nothing. */
    override fun toString(): String = "Patient(...)"
}

/**
 * A message as a person reads it.
 *
 * @property id its id, the same on every device. Unique only among the messages of its author's device.
 * @property reference names it among all messages on this device: its author's device, a slash and its id. What is done to
 *   a message takes this.
 * @property conversation the conversation it is in.
 * @property cursor its place in this device's timelines; grows.
 * @property sender who wrote it, as the directory proves.
 * @property senderDevice on which device.
 * @property direction whether it came in, or was written here or on another device of the same person.
 * @property proof whether the directory still stood behind the sender when it came.
 * @property priority how urgent it is.
 * @property text what it says; for a type this version does not know, its fallback text.
 * @property contentType the type of its content, such as `wardline.text/1`; empty when the stored body is damaged.
 * @property supported whether this version understands the type.
 * @property patient whom it is about.
 * @property createdAt when it was written, by the sender's clock.
 * @property arrivedAt when it came here, by this device's clock.
 * @property readAt when a person opened it here, if it came in.
 * @property occurredAt when what it tells of happened, such as a laboratory result, if its author said so.
 * @property asked what is expected of its recipients; null when nobody is asked to answer.
 * @property inReplyTo the reference of the message that this one is a reply to, as its author says; it need not be on this
 *   device.
 * @property recalled when its author has taken it back; its text is gone then.
 * @property amended when its author has corrected it: the text is what it says now, and [history] has what it said before.
 * @property structured what its typed fields say, when it has any that this version knows, or a vendor's. A message that was
 *   corrected has those of the correction that stands, or the text alone.
 * @property offers texts that a recipient may answer with as they are, by their places ([replyWith]). They are those of the
 *   message as it was first written.
 * @property chosen of a reply with one of the texts that the message it replies to offers: its place among them, from 0.
 *   The reply says exactly that text.
 * @property expiresAt when it is over at the latest; null: it stays, or nobody has opened it yet.
 * @property expiresAfterRead so long after somebody has opened it, it is over; null once that has begun.
 * @property expiredAt when it was over; its text is not shown any more then.
 * @property role when it is in a conversation with a role: which, and as what its sender speaks for it.
 * @property forwarded when it hands another message on: that one, and whether its author is proven. [text] is then the comment
 *   and what the other message says.
 */
public data class Message(
    val id: String,
    val reference: String,
    val conversation: String,
    val cursor: Long,
    val sender: String,
    val senderDevice: String,
    val direction: Direction,
    val proof: Proof,
    val priority: Priority,
    val text: String,
    val contentType: String,
    val supported: Boolean,
    val patient: Patient?,
    val createdAt: Instant,
    val arrivedAt: Instant,
    val readAt: Instant?,
    val occurredAt: Instant?,
    val asked: Asked?,
    val inReplyTo: String?,
    val recalled: Recalled?,
    val amended: Amended?,
    val structured: Structured?,
    val offers: List<String>,
    val chosen: Int?,
    val expiresAt: Instant?,
    val expiresAfterRead: Duration?,
    val expiredAt: Instant?,
    val role: InRole?,
    val forwarded: Forwarded?,
) {
    /** Shows ids and states, nothing of what was written. */
    override fun toString(): String = "Message(id=$id, direction=$direction, priority=$priority)"
}

/**
 * Some messages of a conversation.
 *
 * @property messages the messages, oldest first.
 * @property before ask for the page before with this; null at the beginning.
 */
public data class Page(val messages: List<Message>, val before: Long?)

/** How far a message has come. */
public enum class DeliveryState {
    /** It will not arrive, unless the device proves otherwise. */
    FAILED,

    /** On this device's disk, not yet at the relay. */
    QUEUED,

    /** The relay has it on disk. */
    SENT,

    /** The device has it on disk and has signed for it. */
    DELIVERED,

    /** A person opened it; the device has signed for it. */
    READ,
}

/** Why a message will not arrive at a device. */
public enum class FailureCause {
    /** The directory does not know the person, or the person has left. */
    NO_SUCH_PERSON,

    /** The person has no device that may receive. */
    NO_DEVICE,

    /** The device was revoked. */
    REVOKED,

    /** The relay does not know the device. */
    UNKNOWN_DEVICE,

    /** The device's mailbox is full. */
    MAILBOX_FULL,

    /** The device never offered a key to seal for, until time was up. */
    NO_KEYS,

    /** The team has gone or has nobody but the author; it stands under the author's own name. */
    NO_SUCH_TEAM,

    /** The relay will not take it for anybody, however often it is posted. */
    REFUSED_BY_RELAY,

    /** The time in which it may be sealed was over before it left. */
    TIME_UP,

    /** Nobody holds the role and it has no custodian; it stands under the author's own name. */
    NO_HOLDER,

    /** The author had not held the role for a while when it could be sealed. */
    NOT_HOLDER,
}

/**
 * How a message of ours stands with one device.
 *
 * @property device the device; null when the person has none that could receive.
 * @property state how far it has come.
 * @property cause why it will not arrive, when it will not.
 * @property sentAt when the relay took it.
 * @property deliveredAt when the device had it on disk, by its own signed word.
 * @property readAt when a person opened it there, by the device's signed word.
 * @property recall what has become of it there, when it was taken back.
 */
public data class DeviceDelivery(
    val device: String?,
    val state: DeliveryState,
    val cause: FailureCause?,
    val sentAt: Instant?,
    val deliveredAt: Instant?,
    val readAt: Instant?,
    val recall: RecallOutcome?,
)

/**
 * How a message of ours stands with one person.
 *
 * @property user the person.
 * @property state the furthest any device of the person has come.
 * @property answer their last word, if they have answered.
 * @property devices every device it was sealed for.
 */
public data class PersonDelivery(
    val user: String,
    val state: DeliveryState,
    val answer: StandingAnswer?,
    val devices: List<DeviceDelivery>,
)

/**
 * What a followed conversation shows.
 *
 * @property messages the messages, oldest first.
 * @property unread how many messages of the conversation nobody has opened.
 */
public data class TimelineSnapshot(val messages: List<Message>, val unread: Long)

/**
 * What changed in a followed conversation, in the order to apply it.
 *
 * @property removed references of messages that are gone from the view.
 * @property updated messages that are shown already and changed (read, for example).
 * @property added messages that are new at the end.
 * @property unread the unread count now.
 */
public data class TimelineChange(
    val removed: List<String>,
    val updated: List<Message>,
    val added: List<Message>,
    val unread: Long,
)

/**
 * One of this person's devices, as the directory lists it.
 *
 * @property device its id.
 * @property label what it calls itself.
 * @property enrolledAt when the authority admitted it.
 * @property revokedAt when the authority revoked it, if it did.
 * @property isVouched whether it is the person's first one, or a chain of vouches leads to it from there.
 */
public data class OwnDevice(
    val device: String,
    val label: String,
    val enrolledAt: Instant,
    val revokedAt: Instant?,
    val isVouched: Boolean,
) {
    /** Shows no label. */
    override fun toString(): String = "OwnDevice($device, isVouched=$isVouched)"
}

/**
 * What one round with the relay did.
 *
 * @property posted envelopes that the relay took or finally refused.
 * @property received envelopes that were fetched.
 * @property waiting envelopes that the relay would not take yet.
 */
public data class Round(val posted: Long, val received: Long, val waiting: Long)
