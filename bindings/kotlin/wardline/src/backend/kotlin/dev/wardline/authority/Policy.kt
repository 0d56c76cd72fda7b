/*
 * What an organization allows and demands. Obeying the rules is the devices' concern.
 */
package dev.wardline.authority

import dev.wardline.internal.native
import dev.wardline.internal.number
import dev.wardline.internal.unfit
import java.time.Duration
import dev.wardline.ffi.LockScreen as NativeLockScreen

/** What a notification may say where anybody can see it. Never a text. */
public enum class LockScreen {
    /** That there is a message, and how urgent it is. */
    TIER,

    /** Also who wrote it. */
    SENDER,
}

/**
 * The rules of a policy. Times are whole seconds. Take what [policy] returns and `copy` it: rules that this version does not
 * know stay as they are.
 *
 * @property maxTextBytes longest text of one message, in bytes of UTF-8; 1 to 1,048,576.
 * @property headRefresh how often a device asks for a newer head while it is in use; 5 seconds to an hour.
 * @property offlineLimit how long after a head's expiry a device may still seal for what that head says; up to 30 days.
 * @property resealWindow for how long after sending an undelivered message may be sealed again; up to 30 days.
 * @property recallWindow for how long after sending a message may be taken back by its author; zero: never; up to 30 days.
 * @property amendWindow for how long after sending a message may be corrected by its author; zero: never; up to 30 days.
 * @property statRepeat how often a device gives notice again of a stat message that nobody has accepted; zero: never.
 *   Otherwise 10 seconds to an hour.
 * @property maxLifetime for how long any message may be read, from when it was written; zero: for as long as its author says.
 *   Otherwise a minute to ten years. Devices end every message by it that comes to them while it is in force.
 * @property defaultLifetime for how long a message may be read whose author says nothing; zero: for as long as it is kept.
 *   Otherwise a minute to ten years.
 * @property statPatientIdentifiers how many identifiers of a patient a stat message must carry; two tell patients apart. At
 *   most 8.
 * @property statRoles codes of the staff roles whose holders may send stat messages; none: everybody may. At most 64. From
 *   others they count as urgent.
 * @property lockScreen what a notification may say where anybody can see it.
 */
public data class PolicyRules(
    val maxTextBytes: Long,
    val headRefresh: Duration,
    val offlineLimit: Duration,
    val resealWindow: Duration,
    val recallWindow: Duration,
    val amendWindow: Duration,
    val statRepeat: Duration,
    val maxLifetime: Duration,
    val defaultLifetime: Duration,
    val statPatientIdentifiers: Int,
    val statRoles: List<String>,
    val lockScreen: LockScreen,
)

/** The rules that are, or with the next head come, in force. */
public suspend fun Authority.policy(): PolicyRules = native {
    val rules = inside.policy()
    PolicyRules(
        maxTextBytes = rules.maxTextBytes.toLong(),
        headRefresh = time(rules.headRefreshSeconds),
        offlineLimit = time(rules.offlineLimitSeconds),
        resealWindow = time(rules.resealWindowSeconds),
        recallWindow = time(rules.recallWindowSeconds),
        amendWindow = time(rules.amendWindowSeconds),
        statRepeat = time(rules.statRepeatSeconds),
        maxLifetime = time(rules.maxLifetimeSeconds),
        defaultLifetime = time(rules.defaultLifetimeSeconds),
        statPatientIdentifiers = rules.statPatientIdentifiers.toInt(),
        statRoles = rules.statRoles,
        lockScreen = when (rules.lockScreen) {
            NativeLockScreen.TIER -> LockScreen.TIER
            NativeLockScreen.SENDER -> LockScreen.SENDER
        },
    )
}

/** Puts other rules in force with the next head; answers the version of the policy that has them. */
public suspend fun Authority.setPolicy(rules: PolicyRules): Long = native {
    // What this version does not know stays as it is.
    inside.setPolicy(
        inside.policy().copy(
            maxTextBytes = small("maxTextBytes", rules.maxTextBytes),
            headRefreshSeconds = seconds("headRefresh", rules.headRefresh),
            offlineLimitSeconds = seconds("offlineLimit", rules.offlineLimit),
            resealWindowSeconds = seconds("resealWindow", rules.resealWindow),
            recallWindowSeconds = seconds("recallWindow", rules.recallWindow),
            amendWindowSeconds = seconds("amendWindow", rules.amendWindow),
            statRepeatSeconds = seconds("statRepeat", rules.statRepeat),
            maxLifetimeSeconds = seconds("maxLifetime", rules.maxLifetime),
            defaultLifetimeSeconds = seconds("defaultLifetime", rules.defaultLifetime),
            statPatientIdentifiers = number("statPatientIdentifiers", rules.statPatientIdentifiers),
            statRoles = rules.statRoles,
            lockScreen = when (rules.lockScreen) {
                LockScreen.TIER -> NativeLockScreen.TIER
                LockScreen.SENDER -> NativeLockScreen.SENDER
            },
        ),
    ).toLong()
}

private fun time(seconds: UInt): Duration = Duration.ofSeconds(seconds.toLong())

/** A part of a second would be a rule that nobody keeps. */
private fun seconds(name: String, time: Duration): UInt {
    if (time.nano != 0) throw unfit(name, "$name is not a number of whole seconds")
    return small(name, time.seconds)
}

private fun small(name: String, value: Long): UInt {
    if (value !in 0..UInt.MAX_VALUE.toLong()) throw unfit(name, "$name is out of range")
    return value.toUInt()
}
