/*
 * Finding messages, and thinking of what may be wrong with one before it leaves.
 */
package dev.wardline

import dev.wardline.internal.caution
import dev.wardline.internal.lowered
import dev.wardline.internal.messages
import dev.wardline.internal.native
import dev.wardline.internal.number
import java.time.Instant
import dev.wardline.ffi.Draft as NativeDraft

/**
 * Which messages to find; everything that is said must hold, and what is not said does not matter.
 *
 * @property patient those about a patient with all of these identifiers. One that only tells the patient apart together with
 *   another, such as a date of birth, finds others' messages when it stands alone.
 * @property person those this person has written, also those of oneself.
 * @property atLeast those at least so urgent, as they count on this device.
 * @property isOpen those that ask for an answer and that nobody has accepted.
 * @property conversation those of this conversation.
 * @property since those written at this time or later, by their authors' clocks.
 * @property until those written before this time, by their authors' clocks.
 * @property text those with these words, as [Client.search] finds them. A text without any word finds nothing.
 */
public data class Filter @JvmOverloads constructor(
    val patient: List<PatientIdentifier> = emptyList(),
    val person: String? = null,
    val atLeast: Priority? = null,
    val isOpen: Boolean = false,
    val conversation: String? = null,
    val since: Instant? = null,
    val until: Instant? = null,
    val text: String? = null,
) {
    /** Shows nobody's name, no words and no patient. */
    override fun toString(): String = "Filter(atLeast=$atLeast, isOpen=$isOpen)"
}

/** Something to think of before a message leaves: see [check]. */
public sealed interface Caution

/**
 * The message interrupts whoever gets it. Ask whether it has to.
 *
 * @property priority how much: urgent or stat.
 * @property open so many messages of this person to the same recipient still wait for an answer.
 */
public data class Interrupts(val priority: Priority, val open: Long) : Caution

/** The message interrupts, and does not say which patient it is about. */
public data object NoPatient : Caution

/**
 * The patient is named by fewer than two identifiers, which do not tell patients apart.
 *
 * @property given how many there are.
 */
public data class OneIdentifier(val given: Long) : Caution

/**
 * Another patient is known here by the same name or one that is easily confused with it. Show both.
 *
 * @property known the other one: identifiers in the order of their systems, no encounter.
 * @property sameName the names are the same but for case, accents and order.
 */
public data class SimilarPatient(val known: Patient, val sameName: Boolean) : Caution

/**
 * A patient with the same identifiers is known here by another name.
 *
 * @property known name and identifiers they are known by, in the order of their systems; no encounter.
 */
public data class OtherName(val known: Patient) : Caution

/** Something that this version of the package has no word for. Update it. */
public data object UnknownCaution : Caution

/**
 * Messages that a filter describes, newest first. The page after is found with the cursor of the last one.
 *
 * @throws LockedException when nobody may read.
 */
public suspend fun Client.find(filter: Filter, before: Long? = null, limit: Int = 50): List<Message> = native {
    messages(inside.find(filter.lowered(), before, number("limit", limit)))
}

/**
 * What a person should think of before a message like this leaves; nothing is sent, and nothing refused. No caution is no
 * proof that all is well: it knows what this device knows.
 *
 * @throws LockedException when nobody may read.
 */
public suspend fun Client.check(
    recipient: Recipient,
    priority: Priority = Priority.ROUTINE,
    patient: Patient? = null,
): List<Caution> = native {
    val draft = NativeDraft(recipient = recipient.lowered(), text = "", priority = priority.lowered(), patient = patient?.lowered())
    inside.check(draft).map(::caution)
}
