/*
 * Correcting what was written, reading what it said before, and proving to an outsider who wrote it.
 *
 * Verifying such a proof is a backend's: dev.wardline.authority.
 */
package dev.wardline

import dev.wardline.internal.lowered
import dev.wardline.internal.native
import dev.wardline.internal.version
import java.time.Instant

/**
 * That the text of a message was corrected. What stands is the message's text.
 *
 * @property by who corrected it: its author, perhaps on another device.
 * @property at when, by the author's clock.
 * @property reason why; may be empty.
 * @property versions how many texts it has had, the first one and the one that stands included.
 */
public data class Amended(val by: String, val at: Instant, val reason: String, val versions: Long) {
    /** Shows who and when, nothing of what was written. */
    override fun toString(): String = "Amended(by=$by, at=$at, versions=$versions)"
}

/**
 * One of the texts that a message has had.
 *
 * @property reference what names the correction; of the first text, the message itself.
 * @property by who wrote it.
 * @property at when, by the author's clock.
 * @property text what the message said then; empty when the stored body is damaged.
 * @property structured what its typed fields said then, if it had any.
 * @property reason why it was corrected; empty for the first text.
 * @property stands whether it is what the message says now.
 */
public data class Version(
    val reference: String,
    val by: String,
    val at: Instant,
    val text: String,
    val structured: Structured?,
    val reason: String,
    val stands: Boolean,
) {
    /** Shows which, nothing of what was written. */
    override fun toString(): String = "Version(reference=$reference, at=$at, stands=$stands)"
}

/**
 * Corrects the text of a message of this person, with a reason. Everybody the message went to sees the new text in its
 * place, and in [history] what it said before: a clinical correction, never a silent edit. Durable when it returns; returns
 * the id of the correction, which [Client.deliveries] knows. [message] is a reference, or what [Client.send] returned on
 * this device.
 *
 * Who has accepted the message before has accepted another text: [Answer.outdated] says so. Nothing is asked again by
 * itself.
 *
 * @throws SendException when somebody else wrote it, after the policy's time, or when it was taken back.
 */
public suspend fun Client.amend(message: String, text: String, reason: String = ""): String = native {
    inside.amend(message, text, reason)
}

/**
 * [amend], of a structured message, with the fields that are right: all of them, of the type that the message has. [text] is
 * for devices that do not know the type; when it is empty, it is made of the fields.
 */
public suspend fun Client.amend(message: String, fields: Structured, reason: String = "", text: String = ""): String =
    native { inside.amendStructured(message, fields.lowered(), text, reason) }

/**
 * Every text that a message has had, oldest first; the last one is what it says now. [message] is a reference, or what
 * [Client.send] returned on this device.
 *
 * @throws LockedException when nobody may read.
 */
public suspend fun Client.history(message: String): List<Version> = native { inside.history(message).map(::version) }

/**
 * A message, named by its reference, and its corrections, with everything that proves who wrote them, as a file for an
 * outsider: whoever has a root document of the organization verifies it offline, with `wardline verify` or in a backend. It
 * holds the text and the patient in the clear: whoever gets it reads them. Asks the relay.
 *
 * A device that was revoked proves nothing more: export what must be proven later while its author's device is in use.
 *
 * @throws ProofException when nothing proves it.
 */
public suspend fun Client.exportProof(reference: String): ByteArray = native { inside.exportProof(reference) }
