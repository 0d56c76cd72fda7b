/*
 * What the app is told, at least once. How it is asked for stands in Client.kt.
 */
package dev.wardline

import java.time.Instant

/** Something the app should know. */
public sealed interface Event {
    /** Its place in the stream: confirm up to here when it has been dealt with. */
    public val cursor: Long

    /** When it happened, by this device's clock. */
    public val at: Instant
}

/**
 * A message is on this device's disk.
 *
 * @property reference the message's reference: [Client.messages] and [Client.markRead] take it.
 * @property conversation its conversation.
 * @property tier how loudly to tell.
 */
public data class MessageArrived(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
    val tier: Priority,
) : Event

/**
 * The relay has a message of ours for every device it could be sealed for so far.
 *
 * @property message what [Client.send] returned.
 * @property conversation its conversation.
 */
public data class MessageSent(
    override val cursor: Long,
    override val at: Instant,
    val message: String,
    val conversation: String,
) : Event

/**
 * A person's device signed for a message of ours, or the relay refused it for one.
 *
 * @property message what [Client.send] returned.
 * @property user the person.
 */
public data class DeliveryChanged(
    override val cursor: Long,
    override val at: Instant,
    val message: String,
    val user: String,
) : Event

/**
 * Somebody has accepted or declined a message, or this person has on another device.
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 * @property user who answered.
 * @property verdict what they said.
 */
public data class MessageAnswered(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
    val user: String,
    val verdict: Verdict,
) : Event

/**
 * A message was taken back by its author; its text is gone from this device.
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 */
public data class MessageRecalled(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
) : Event

/**
 * The text of a message was corrected by its author; what it said before is in its [history].
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 */
public data class MessageAmended(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
) : Event

/**
 * A stat message still waits: nobody has accepted it, and this person has not answered. Comes again and again, as often as
 * the policy says; an unconfirmed one goes when the next one comes.
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 * @property tier how loudly to tell.
 * @property round 1 for the first time.
 */
public data class MessageReminder(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
    val tier: Priority,
    val round: Long,
) : Event

/**
 * A message of this person's asked for an answer within a time, and nobody has accepted it by then. Comes once.
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 */
public data class AnswerOverdue(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
) : Event

/**
 * A message is over: nobody is shown it any more. One that was over when it came is not announced otherwise.
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 */
public data class MessageExpired(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
) : Event

/** Another device of this person has said whether they can be reached. */
public data class AvailabilityChanged(override val cursor: Long, override val at: Instant) : Event

/**
 * Nobody has accepted a message in time, and the next tier of its escalation was given it: on its author's device as the relay
 * says; on the devices of the tier they have it, and are told so besides [MessageArrived].
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 * @property tier which tier, from 0.
 */
public data class Escalated(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
    val tier: Int,
) : Event

/**
 * The relay says that a message is due for a role whose holder it was not sealed for: this person holds the role, or is its
 * custodian. What the message says is not here, unless the person was given it besides.
 *
 * @property sender who wrote it.
 * @property role the role.
 */
public data class EscalationDue(
    override val cursor: Long,
    override val at: Instant,
    val sender: String,
    val role: String,
) : Event

/**
 * A message of this person's was to be escalated, and all of it or a tier is not armed: the relay took the message and holds
 * nothing back, or nobody of the tier has a device that can be sealed for. See [escalation].
 *
 * @property reference the message's reference.
 * @property conversation its conversation.
 */
public data class EscalationNotArmed(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val conversation: String,
) : Event

/**
 * This person's answer (or recall) is on its way, and the relay did not let it stop the escalation: others may be given the
 * message all the same.
 *
 * @property reference the reference of the message that was answered.
 * @property code why, as a stable code, such as `WL-RELAY-HELD-PROOF`.
 */
public data class EscalationGoesOn(
    override val cursor: Long,
    override val at: Instant,
    val reference: String,
    val code: String,
) : Event

/**
 * A message was read on another device of the same person.
 *
 * @property reference the message's reference.
 */
public data class ReadElsewhere(override val cursor: Long, override val at: Instant, val reference: String) : Event

/**
 * An envelope did not open.
 *
 * @property code the stable code of the cause, such as `WL-OPEN-UNDECRYPTABLE`.
 * @property healing whether its sender was asked for it again.
 */
public data class EnvelopeRefused(
    override val cursor: Long,
    override val at: Instant,
    val code: String,
    val healing: Boolean,
) : Event

/**
 * There is a newer directory head.
 *
 * @property version its version.
 */
public data class DirectoryChanged(override val cursor: Long, override val at: Instant, val version: Long) : Event

/**
 * The relay showed a directory that is not believed; what was believed before stays.
 *
 * @property code the stable code of the cause; `WL-DIRECTORY-FORK` is evidence of a split view.
 */
public data class DirectoryRefused(override val cursor: Long, override val at: Instant, val code: String) : Event

/** This store is older than what the relay has seen of it: a copy was restored. */
public data class StoreRolledBack(override val cursor: Long, override val at: Instant) : Event

/** The organization has revoked this device. */
public data class DeviceRevoked(override val cursor: Long, override val at: Instant) : Event

/** Something that this version of the package has no word for. Update it. */
public data class UnknownEvent(override val cursor: Long, override val at: Instant) : Event
