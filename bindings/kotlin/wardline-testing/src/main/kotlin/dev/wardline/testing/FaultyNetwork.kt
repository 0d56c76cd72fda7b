/*
 * A network that fails, between any device and its relay.
 */
package dev.wardline.testing

import dev.wardline.Transport
import dev.wardline.internal.NativeTransport
import dev.wardline.internal.lowered
import dev.wardline.internal.millis
import dev.wardline.internal.native
import java.time.Duration
import dev.wardline.ffi.FaultPlan as NativePlan
import dev.wardline.ffi.faultyTransport

/**
 * What the calls of one device meet: each fault in so many calls of a hundred.
 *
 * @property loseRequests they do not reach the relay.
 * @property loseAnswers the relay carries them out; the answer is lost.
 * @property duplicate they reach the relay twice.
 * @property reorder they are overtaken by the next call.
 * @property truncate the answer ends early.
 * @property flipBits a bit of the answer is flipped.
 * @property minDelay the shortest time every call is held up.
 * @property maxDelay the longest time every call is held up.
 */
public data class FaultPlan @JvmOverloads constructor(
    val loseRequests: Int = 0,
    val loseAnswers: Int = 0,
    val duplicate: Int = 0,
    val reorder: Int = 0,
    val truncate: Int = 0,
    val flipBits: Int = 0,
    val minDelay: Duration = Duration.ZERO,
    val maxDelay: Duration = Duration.ZERO,
)

/** A network in front of a transport, which fails as it is told. It has no faults until then. */
public class FaultyNetwork(behind: Transport) {
    private val switches = native { faultyTransport(behind.lowered()) }

    /** What a device is given. */
    public val transport: Transport = native { NativeTransport(switches.transport()) }

    /** How many calls were made. */
    public val calls: Long get() = native { switches.calls().toLong() }

    /** No call comes through. */
    public fun cut(): Unit = native { switches.cut() }

    /** Calls come through again, and meet nothing. */
    public fun mend(): Unit = native { switches.mend() }

    /** From now on calls meet these faults; the same seed is the same run. */
    public fun plan(plan: FaultPlan, seed: Long): Unit = native {
        switches.setPlan(
            NativePlan(
                loseRequests = rate(plan.loseRequests),
                loseAnswers = rate(plan.loseAnswers),
                duplicate = rate(plan.duplicate),
                reorder = rate(plan.reorder),
                truncate = rate(plan.truncate),
                flipBits = rate(plan.flipBits),
                minDelayMs = millis("minDelay", plan.minDelay).toUInt(),
                maxDelayMs = millis("maxDelay", plan.maxDelay).toUInt(),
            ),
            seed.toULong(),
        )
    }

    private fun rate(percent: Int): UByte {
        require(percent in 0..100) { "a rate is between 0 and 100" }
        return percent.toUByte()
    }
}
