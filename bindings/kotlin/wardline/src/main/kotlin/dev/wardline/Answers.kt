/*
 * What is said to a message that asks, and what is left of one that was taken back, as values. The calls stand in Client.kt.
 */
package dev.wardline

import java.time.Instant

/** What somebody says to a message that asks for an answer. */
public enum class Verdict {
    /** "I have it": the sender may stop looking for somebody. */
    ACCEPTED,

    /** "Not me": the sender should ask somebody else at once. */
    DECLINED,
}

/**
 * One answer to a message.
 *
 * @property user who answered, as the directory proves.
 * @property device on which device.
 * @property verdict what they said.
 * @property readBack what they understood, in their own words, or why they decline; may be empty.
 * @property at when, by the answering device's clock.
 * @property stands whether it is the last word of this person.
 * @property version which correction of the message they had read, as [history] names it; null: the message as it was
 *   first written.
 * @property outdated they answered another text than the one that stands here.
 */
public data class Answer(
    val user: String,
    val device: String,
    val verdict: Verdict,
    val readBack: String,
    val at: Instant,
    val stands: Boolean,
    val version: String?,
    val outdated: Boolean,
) {
    /** Shows who and what, nothing of what was written. */
    override fun toString(): String = "Answer(user=$user, verdict=$verdict, stands=$stands)"
}

/**
 * The last word of one person.
 *
 * @property verdict what they said.
 * @property at when, by the answering device's clock.
 */
public data class StandingAnswer(val verdict: Verdict, val at: Instant)

/**
 * An answer is wanted.
 *
 * @property answerBy until when, by the author's clock; null: as soon as possible.
 * @property isOpen nobody's standing answer accepts it yet, as far as this device knows.
 */
public data class Asked(val answerBy: Instant?, val isOpen: Boolean)

/** Which open messages to look for. */
public enum class OpenItems {
    /** Those of others, which wait for somebody here. */
    TO_ANSWER,

    /** Those of this person, for which an answer is awaited. */
    AWAITED,

    /** The awaited ones whose time is up. */
    OVERDUE,
}

/**
 * That a message was taken back: all that is left of it.
 *
 * @property by who took it back: its author, perhaps on another device.
 * @property at when, by the author's clock.
 * @property reason why; may be empty.
 */
public data class Recalled(val by: String, val at: Instant, val reason: String) {
    /** Shows who and when, nothing of what was written. */
    override fun toString(): String = "Recalled(by=$by, at=$at)"
}

/** What has become of a message that was taken back, on one device. */
public enum class RecallOutcome {
    /** The device has said nothing: it is off, out of reach or locked. */
    PENDING,

    /** The device's software is too old to know what a recall is. */
    TOO_OLD,

    /** It never left, or the relay says that it gave it to nobody. */
    WITHDRAWN,

    /** The device keeps it, by the policy, and has signed for that. */
    KEPT,

    /** It is gone from the device, where nobody had opened it; the device has signed for that. */
    PURGED_UNREAD,

    /** It is gone from the device, after somebody had opened it there; the device has signed for that. */
    PURGED_READ,
}
