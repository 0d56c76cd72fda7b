/*
 * Handing a message on, as its author signed it.
 */
package dev.wardline

import dev.wardline.internal.lowered
import dev.wardline.internal.millis
import dev.wardline.internal.native
import java.time.Duration
import java.time.Instant
import dev.wardline.ffi.Draft as NativeDraft

/**
 * Somebody else's message inside the one that hands it on.
 *
 * @property isProven whether the author's signature and directory entry prove who wrote it. Until they do, what follows is the
 *   word of whoever forwards it, and author, device and times are missing: show no name.
 * @property author who wrote it.
 * @property authorDevice on which device.
 * @property writtenAt when, by the author's clock.
 * @property correctedAt when its author corrected it, if the text is that of a correction.
 * @property text what it says.
 * @property structured its typed fields, when it has any.
 * @property patient whom it is about.
 * @property comment what whoever forwards it says to it; may be empty.
 */
public data class Forwarded(
    val isProven: Boolean,
    val author: String?,
    val authorDevice: String?,
    val writtenAt: Instant?,
    val correctedAt: Instant?,
    val text: String,
    val structured: Structured?,
    val patient: Patient?,
    val comment: String,
) {
    /** Shows whether it is proven, nothing of what was written and by whom. */
    override fun toString(): String = "Forwarded(isProven=$isProven)"
}

/**
 * Forwards a message, named by its reference, as its author signed it: whoever gets it sees who wrote it and when, and need
 * not believe this person. The patient goes with the message. When that is taken back, this device takes its forwards back
 * too. Durable when it returns; returns the id of the forward. [answerWithin] and [idempotencyKey] as with [Client.send].
 *
 * @throws SendException when the message may not be forwarded, also because it was taken back.
 */
public suspend fun Client.forward(
    reference: String,
    recipient: Recipient,
    comment: String = "",
    priority: Priority = Priority.ROUTINE,
    answerWithin: Duration? = null,
    idempotencyKey: String? = null,
): String = native {
    val draft = NativeDraft(
        recipient = recipient.lowered(),
        text = comment,
        priority = priority.lowered(),
        answerWithinMs = answerWithin?.let { millis("answerWithin", it) },
        idempotencyKey = idempotencyKey,
    )
    inside.forward(reference, draft)
}
