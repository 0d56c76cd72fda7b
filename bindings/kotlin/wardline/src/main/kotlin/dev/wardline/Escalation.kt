/*
 * Who is given a message when nobody accepts it in time, and how that stands.
 */
package dev.wardline

import dev.wardline.internal.escalation
import dev.wardline.internal.native
import java.time.Duration
import java.time.Instant

/**
 * Who is given a message next, and when.
 *
 * @property after so long after the tier before it, the first one after the message was sent.
 * @property people these people, on all devices they have when the message is sealed.
 * @property roles whoever holds these roles when the tier's time has come.
 */
public data class EscalationTier @JvmOverloads constructor(
    val after: Duration,
    val people: List<String> = emptyList(),
    val roles: List<String> = emptyList(),
)

/** Whether a message's escalation is at the relay. */
public enum class Armed {
    /** Not yet: message or escalation wait on this device. */
    WAITING,

    /** The relay has both, and needs nobody's phone. */
    YES,

    /** The relay has both; a tier for which nobody has a device that can be sealed for is left out. */
    PARTLY,

    /** It is not: nobody else will be given the message. */
    NO,
}

/**
 * How the escalation of a message stands, as far as this device knows: its author's own device is told everything, others
 * know what the author has signed and what they were given.
 *
 * @property armed whether the relay has it. On others' devices: what its author has signed.
 * @property tiers the tiers, in the order of their release.
 * @property givenHere by which tier, from 0, this device was given the message; null: it is among those it was sent to first.
 * @property stopped set when no further tier will be released.
 */
public data class EscalationStatus(
    val armed: Armed,
    val tiers: List<TierStatus>,
    val givenHere: Int?,
    val stopped: EscalationStopped?,
)

/**
 * How one tier stands.
 *
 * @property people the people it names.
 * @property roles the roles it names.
 * @property dueAt when it is due if nobody answers and nobody declines; counted from when the relay took the message, on
 *   others' devices from when it was written. After a release this counts from there.
 * @property releasedAt when it was released, by the relay's clock.
 * @property advanced it came before its time because somebody declined.
 * @property early it came before its time, and no decline is known to this device: the relay may be lying.
 * @property givenTo whose devices it was given to.
 */
public data class TierStatus(
    val people: List<String>,
    val roles: List<String>,
    val dueAt: Instant,
    val releasedAt: Instant?,
    val advanced: Boolean,
    val early: Boolean,
    val givenTo: List<String>,
)

/**
 * Who has stopped an escalation, as the relay says.
 *
 * @property user the person, if this device knows whose device it was.
 * @property device the device.
 * @property at when, by the relay's clock.
 */
public data class EscalationStopped(val user: String?, val device: String, val at: Instant)

/**
 * How the escalation of a message stands, with its history; null for a message that has none. [message] is a reference, or
 * what [Client.send] returned on this device. Works while locked.
 */
public suspend fun Client.escalation(message: String): EscalationStatus? = native {
    inside.escalation(message)?.let(::escalation)
}
