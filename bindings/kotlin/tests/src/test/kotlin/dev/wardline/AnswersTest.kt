/*
 * Closing the loop and taking back: what goes in comes out, and what is refused is named.
 */
package dev.wardline

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.time.Duration
import java.time.Instant

class AnswersTest {
    // scenario: answer
    @Test
    fun `a message that asks is answered with a read-back and everybody knows`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val resultAt = Instant.parse("2025-03-03T06:55:00Z")
        val sent = nurse.client.send(
            Person("DR-1"),
            "K 6.6 mmol/L",
            answerWithin = Duration.ofMinutes(5),
            occurredAt = resultAt,
        )
        ward.settle(nurse, doctor)
        val message = doctor.client.openItems(OpenItems.TO_ANSWER).single()
        assertEquals(sent to resultAt, message.id to message.occurredAt)
        assertEquals(Asked(message.createdAt.plus(Duration.ofMinutes(5)), isOpen = true), message.asked)
        assertEquals(sent, nurse.client.openItems(OpenItems.AWAITED).single().id)
        assertEquals(emptyList<Message>(), nurse.client.openItems(OpenItems.OVERDUE))

        doctor.client.answer(message, Verdict.DECLINED)
        doctor.client.answer(message.reference, Verdict.ACCEPTED, "K 6.6, going")
        ward.settle(doctor, nurse)
        val (first, last) = nurse.client.answers(sent)
        assertEquals(Verdict.DECLINED to false, first.verdict to first.stands)
        assertEquals(Verdict.ACCEPTED to true, last.verdict to last.stands)
        assertEquals(Triple("DR-1", doctor.client.device, "K 6.6, going"), Triple(last.user, last.device, last.readBack))
        assertFalse("going" in last.toString())
        assertEquals(StandingAnswer(Verdict.ACCEPTED, last.at), nurse.client.deliveries(sent).single().answer)
        val told = nurse.client.eventsFrom().filterIsInstance<MessageAnswered>().last()
        assertEquals(Triple(message.reference, "DR-1", Verdict.ACCEPTED), Triple(told.reference, told.user, told.verdict))
        for (which in OpenItems.entries) {
            assertEquals(emptyList<Message>(), nurse.client.openItems(which) + doctor.client.openItems(which))
        }

        val own = refused<SendException> { nurse.client.answer(message.reference, Verdict.ACCEPTED) }
        assertEquals("WL-SEND-OWN-MESSAGE", own.code)
        val plain = nurse.client.send(Person("DR-1"), "rounds at nine")
        ward.settle(nurse, doctor)
        val unasked = refused<SendException> {
            doctor.client.answer("${nurse.client.device}/$plain", Verdict.ACCEPTED)
        }
        assertEquals("WL-SEND-NOT-ASKED", unasked.code)
    }

    @Test
    fun `a time that no calendar has leaves the conversation readable`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.send(
            Person("DR-1"),
            "for ever",
            answerWithin = Duration.ofMillis(Long.MAX_VALUE),
            occurredAt = Instant.ofEpochMilli(Long.MAX_VALUE),
        )
        nurse.client.send(Person("DR-1"), "at once", answerWithin = Duration.ZERO)
        ward.settle(nurse, doctor)
        assertEquals(listOf("at once", "for ever"), doctor.client.openItems(OpenItems.TO_ANSWER).map { it.text })
        for (within in listOf(Duration.ofSeconds(-1), Duration.ofSeconds(Long.MAX_VALUE))) {
            val refused = refused<ArgumentException> {
                nurse.client.send(Person("DR-1"), "in no time", answerWithin = within)
            }
            assertEquals("answerWithin", refused.name)
        }
    }

    // scenario: recall
    @Test
    fun `what its author takes back is gone and a tombstone says why`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "for Mrs Keller")
        ward.settle(nurse, doctor)
        val message = doctor.page("NS-1").single()
        val notYours = refused<SendException> { doctor.client.recall(message.reference) }
        assertEquals("WL-SEND-NOT-YOURS", notYours.code)

        suspend fun outcome() = nurse.client.deliveries(sent).single().devices.single().recall

        assertNull(outcome())
        nurse.client.recall(sent, "wrong patient")
        assertEquals(RecallOutcome.PENDING, outcome())
        ward.settle(nurse, doctor)
        assertEquals(RecallOutcome.PURGED_UNREAD, outcome())
        for ((device, other) in listOf(nurse to "DR-1", doctor to "NS-1")) {
            val tombstone = device.page(other).single()
            assertEquals(sent to "", tombstone.id to tombstone.text)
            val recalled = checkNotNull(tombstone.recalled)
            assertEquals("NS-1" to "wrong patient", recalled.by to recalled.reason)
            assertFalse("wrong" in tombstone.toString() + recalled)
            assertEquals(emptyList<Message>(), device.client.search("Keller"))
        }
        val told = doctor.client.eventsFrom().filterIsInstance<MessageRecalled>()
        assertEquals(listOf(message.reference), told.map { it.reference })
        val again = refused<SendException> { nurse.client.recall(sent) }
        assertEquals("WL-SEND-TOO-LATE-TO-RECALL", again.code)
    }

    @Test
    fun `a reply names what it replies to`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), "how much?")
        ward.settle(nurse, doctor)
        val question = doctor.page("NS-1").single()
        doctor.client.send(Person("NS-1"), "50 mg", replyTo = question.reference)
        ward.settle(doctor, nurse)
        val reply = nurse.page("DR-1").last()
        assertEquals(question.reference, reply.inReplyTo)
        assertNull(question.inReplyTo)
        val nowhere = refused<NotFoundException> {
            doctor.client.send(Person("NS-1"), "50 mg", replyTo = "${doctor.client.device}/${question.id}")
        }
        assertEquals("WL-UNKNOWN", nowhere.code)
        assertTrue(refused<ArgumentException> { nurse.client.recall("what was that") }.name == "message")
    }
}
