/*
 * Short texts that a message offers, and who has answered with which.
 */
package dev.wardline

import dev.wardline.internal.native
import dev.wardline.internal.number
import dev.wardline.internal.time
import java.time.Instant

/**
 * Somebody's reply with one of the texts that a message offers.
 *
 * @property user who chose.
 * @property index the place of the offer, from 0.
 * @property at when, by the clock of their device.
 * @property reply the reply's reference.
 * @property stands whether it is the person's last one.
 * @property outdated whether they had read another text than the one that stands: the message was corrected since.
 */
public data class Choice(
    val user: String,
    val index: Int,
    val at: Instant,
    val reply: String,
    val stands: Boolean,
    val outdated: Boolean,
) {
    /** Shows which, nothing of by whom. */
    override fun toString(): String = "Choice(index=$index, stands=$stands)"
}

/**
 * Answers a message, named by its reference, with the text that it offers at a place ([Message.offers], from 0): a reply in
 * the same conversation that says exactly that. It is no verdict: a message that asks for an answer stays open until
 * somebody accepts it with [Client.answer]. Choosing is reading. Durable when it returns; returns the id of the reply.
 *
 * @throws SendException when nothing is offered there, also because the message was taken back, when this person wrote it,
 *   or when its sender was revoked.
 */
public suspend fun Client.replyWith(reference: String, index: Int): String = native {
    inside.replyWith(reference, number("index", index))
}

/** [replyWith], of a message that is at hand. */
public suspend fun Client.replyWith(message: Message, index: Int): String = replyWith(message.reference, index)

/**
 * Everybody's replies with the texts that a message offers, oldest first; the last one of a person stands. [message] is a
 * reference, or what [Client.send] returned on this device.
 *
 * @throws LockedException when nobody may read.
 */
public suspend fun Client.choices(message: String): List<Choice> = native {
    inside.choices(message).map {
        Choice(it.user, it.index.toInt(), time(it.atMs), it.reply, it.stands, it.outdated)
    }
}
