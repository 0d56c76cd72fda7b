/*
 * Short replies: one tap says exactly what was offered, and whoever asked sees who chose what.
 */
package dev.wardline

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private val OFFERS = listOf("Yes, once", "No, I am on my way")

class OffersTest {
    // scenario: quick-replies
    @Test
    fun `a short reply says what was offered and who chose it`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "Repeat the dose?", Priority.STAT, offers = OFFERS)
        ward.settle(nurse, doctor)
        val message = doctor.page("NS-1").single()
        assertEquals(OFFERS to null, message.offers to message.chosen)
        assertFalse("once" in "$message")
        for (index in OFFERS.indices) doctor.client.replyWith(message, index)
        ward.settle(doctor, nurse)
        val reply = nurse.page("DR-1").last()
        assertEquals(Triple(OFFERS[1], 1, message.reference), Triple(reply.text, reply.chosen, reply.inReplyTo))
        val (first, last) = nurse.client.choices(sent)
        assertEquals(Triple("DR-1", 0, false), Triple(first.user, first.index, first.stands))
        assertEquals(Choice("DR-1", 1, reply.createdAt, reply.reference, stands = true, outdated = false), last)
        val asked = checkNotNull(nurse.client.message(message.reference)).asked
        assertTrue(checkNotNull(asked).isOpen, "a choice is no verdict")

        for (index in listOf(2, Int.MAX_VALUE)) {
            val missing = refused<SendException> { doctor.client.replyWith(message, index) }
            assertEquals("WL-SEND-NOT-OFFERED", missing.code)
        }
        assertEquals("index", refused<ArgumentException> { doctor.client.replyWith(message, -1) }.name)
        val twice = refused<SendException> { nurse.client.send(Person("DR-1"), "?", offers = listOf("yes", "yes")) }
        assertEquals("WL-SEND-BAD-OFFER", twice.code)
    }

    // scenario: quick-replies
    @Test
    fun `what only looks like a choice is a text`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "Repeat the dose?", offers = OFFERS)
        ward.settle(nurse, doctor)
        val message = doctor.page("NS-1").single()
        doctor.client.send(Person("NS-1"), OFFERS[0], replyTo = message.reference)
        ward.settle(doctor, nurse)
        assertNull(nurse.page("DR-1").last().chosen)
        assertEquals(emptyList<Choice>(), nurse.client.choices(sent))
    }
}
