/*
 * How long it took until somebody had a message.
 */
package dev.wardline

import dev.wardline.internal.loopTimes
import dev.wardline.internal.lowered
import dev.wardline.internal.millis
import dev.wardline.internal.native
import java.time.Duration
import java.time.Instant

/** What to count together. */
public enum class LoopGrouping {
    /** Each person by themselves. */
    PERSON,

    /** The staff roles of the person; who has several counts in each. */
    STAFF_ROLE,

    /** The departments of the person's staff roles; who is in several counts in each. */
    DEPARTMENT,

    /** How urgent the message was. */
    PRIORITY,
}

/**
 * How long it took in one group.
 *
 * @property group the person's id, the code of the staff role, or the department. Null when grouped by priority, and for
 *   whoever has no role or department or is not known on this device.
 * @property priority when grouped by priority: which.
 * @property messages so many messages, counted for each person they went to.
 * @property sentToDelivered from when the relay had it to when the first device of the person did.
 * @property sentToRead from when the relay had it to when the person opened it.
 * @property sentToAcknowledged from when the relay had it to the acceptance that stands.
 * @property eventToAcknowledged from what the message tells of to the acceptance that stands, where its author gave that
 *   time.
 * @property declined so many declined.
 * @property unanswered so many asked for an answer, did not get one of this person, and were accepted by nobody else either.
 * @property overdue so many asked for an answer within a time that is over, and nobody had accepted by then.
 */
public data class LoopTimes(
    val group: String?,
    val priority: Priority?,
    val messages: Long,
    val sentToDelivered: Quantiles,
    val sentToRead: Quantiles,
    val sentToAcknowledged: Quantiles,
    val eventToAcknowledged: Quantiles,
    val declined: Long,
    val unanswered: Long,
    val overdue: Long,
)

/**
 * Exact quantiles by nearest rank.
 *
 * @property count of so many values.
 * @property p50 the median; null when there is no value.
 * @property p95 at least 95 of 100 values are not longer; null when there is no value.
 */
public data class Quantiles(val count: Long, val p50: Duration?, val p95: Duration?)

/**
 * How long messages written on this device took to be delivered, read and acknowledged, and how many were not: over those
 * written from [since] on and before [until], for each group that has any. Works while locked.
 */
public suspend fun Client.loopTimes(
    grouping: LoopGrouping,
    since: Instant? = null,
    until: Instant? = null,
): List<LoopTimes> = native {
    val from = since?.let { millis("since", it) }
    val to = until?.let { millis("until", it) }
    inside.loopTimes(grouping.lowered(), from, to).map(::loopTimes)
}
