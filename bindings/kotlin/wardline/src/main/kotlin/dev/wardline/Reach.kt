/*
 * What people say of whether they can be reached, and what is known of it before something is sent.
 */
package dev.wardline

import dev.wardline.internal.lowered
import dev.wardline.internal.native
import dev.wardline.internal.time
import java.time.Instant

/**
 * Somebody is away.
 *
 * @property until until then.
 * @property delegate who is given a copy of what is written to them meanwhile.
 */
public data class Away @JvmOverloads constructor(val until: Instant, val delegate: String? = null) {
    /** Shows no name. */
    override fun toString(): String = "Away(until=$until)"
}

/**
 * What a person says of themselves; nothing at all unless said otherwise.
 *
 * @property doNotDisturbUntil until then only stat messages interrupt.
 * @property away the person is away.
 */
public data class Availability @JvmOverloads constructor(val doNotDisturbUntil: Instant? = null, val away: Away? = null)

/**
 * Whether somebody can be reached, as far as is known: an answer, never a guess. What nobody knows is null.
 *
 * @property user the person.
 * @property hasDevice whether the directory lists them with a device that can be written to; null when it was not asked.
 * @property lastSeen when a device of theirs last called the relay, to the minute: the relay's word, by its clock. A phone
 *   that calls lies in a pocket perhaps; it is not the person who was seen.
 * @property doNotDisturbUntil until then only stat messages interrupt them: their own signed word, like what follows.
 * @property awayUntil until then they are away.
 * @property delegate who stands in for them while they are away.
 * @property asOf when the relay was last asked, by this device's clock; null when it never was. Without a network it is what
 *   was known then.
 */
public data class Reachability(
    val user: String,
    val hasDevice: Boolean?,
    val lastSeen: Instant?,
    val doNotDisturbUntil: Instant?,
    val awayUntil: Instant?,
    val delegate: String?,
    val asOf: Instant?,
) {
    /** Shows nobody's name. */
    override fun toString(): String = "Reachability(hasDevice=$hasDevice, asOf=$asOf)"
}

/**
 * Says whether this person can be reached, in the place of everything any of their devices said before; an empty one takes
 * all of it back. It holds here at once, and everywhere else as soon as the relay has it; 31 days at most.
 *
 * @throws ArgumentException when a time has passed or is too far away, or when who would stand in cannot.
 */
public suspend fun Client.setAvailability(availability: Availability): Unit = native {
    inside.setAvailability(availability.lowered())
}

/** What this person says of themselves, on whichever device, as far as it still holds. */
public suspend fun Client.availability(): Availability = native {
    val said = inside.availability()
    Availability(said.doNotDisturbUntilMs?.let(::time), said.awayUntilMs?.let { Away(time(it), said.delegate) })
}

/**
 * Whether these people can be reached, in the order of the question. Without a network it is what was known;
 * [Reachability.asOf] says since when.
 */
public suspend fun Client.reachability(people: List<String>): List<Reachability> = native {
    inside.reachability(people).map {
        Reachability(
            user = it.user,
            hasDevice = it.hasDevice,
            lastSeen = it.lastSeenMs?.let(::time),
            doNotDisturbUntil = it.doNotDisturbUntilMs?.let(::time),
            awayUntil = it.awayUntilMs?.let(::time),
            delegate = it.delegate,
            asOf = it.asOfMs?.let(::time),
        )
    }
}
