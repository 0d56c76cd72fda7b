/*
 * The closed loop on a ward whose time passes: reminders until somebody has it, and how long it took.
 */
package dev.wardline

import dev.wardline.authority.policy
import dev.wardline.authority.setPolicy
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.time.Duration

private val MINUTE: Duration = Duration.ofMinutes(1)

class ClosedLoopTest {
    // scenario: reminder
    @Test
    fun `a stat message comes every minute until somebody has it`() = onTimedWard { ward, clock ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT, answerWithin = MINUTE.multipliedBy(10))
        ward.settle(nurse, doctor)
        val reference = "${nurse.client.device}/$sent"
        doctor.client.lock()
        for (round in 1L..3L) {
            clock.advance(MINUTE)
            val due = checkNotNull(doctor.client.remind())
            assertTrue(due > clock.now && due <= clock.now.plus(MINUTE), "$due")
            // An unconfirmed reminder makes room for the next one.
            val told = doctor.reminders().single()
            assertEquals(Triple(round, reference, Priority.STAT), Triple(told.round, told.reference, told.tier))
        }
        assertEquals(emptyList<MessageReminder>(), nurse.reminders())

        doctor.client.unlock(Passphrase(WORDS))
        doctor.client.answer(reference, Verdict.ACCEPTED, "K 6.6, on my way")
        ward.settle(doctor, nurse)
        clock.advance(MINUTE.multipliedBy(10))
        assertNull(doctor.client.remind())
        assertEquals(listOf(3L), doctor.reminders().map { it.round })
        nurse.client.syncOnce()
        assertTrue(nurse.client.eventsFrom().none { it is AnswerOverdue })
    }

    // scenario: reminder
    @Test
    fun `who asked learns once that nobody has it in time`() = onTimedWard { ward, clock ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "please sign", answerWithin = MINUTE.multipliedBy(5))
        ward.settle(nurse, doctor)
        clock.advance(MINUTE.multipliedBy(6))
        repeat(2) { nurse.client.remind() }
        val told = nurse.client.eventsFrom().filterIsInstance<AnswerOverdue>()
        assertEquals(listOf("${nurse.client.device}/$sent"), told.map { it.reference })
        assertTrue(doctor.client.eventsFrom().none { it is AnswerOverdue })
    }

    @Test
    fun `the organization says how often a stat message comes again`() = onTimedWard { ward, clock ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val rules = ward.authority.policy()
        assertEquals(MINUTE to Duration.ofDays(7), rules.statRepeat to rules.amendWindow)
        val half = refused<ArgumentException> { ward.authority.setPolicy(rules.copy(statRepeat = Duration.ofMillis(1500))) }
        assertEquals("statRepeat", half.name)
        ward.authority.setPolicy(rules.copy(statRepeat = Duration.ZERO))
        ward.publish()
        clock.advance(MINUTE.multipliedBy(2))
        ward.settle(nurse, doctor)
        nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT)
        ward.settle(nurse, doctor)
        clock.advance(MINUTE.multipliedBy(10))
        assertNull(doctor.client.remind())
        assertEquals(emptyList<MessageReminder>(), doctor.reminders())
    }

    // scenario: closed-loop-times
    @Test
    fun `how long it took is known from the result to the acknowledgement`() = onTimedWard { ward, clock ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val taken = clock.now
        clock.advance(MINUTE.multipliedBy(5))
        nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT, occurredAt = taken)
        nurse.client.send(Person("DR-1"), "K 6.8 mmol/L", Priority.STAT)
        ward.settle(nurse, doctor)
        clock.advance(MINUTE.multipliedBy(3))
        doctor.client.answer(doctor.page("NS-1").first(), Verdict.ACCEPTED, "K 6.6")
        ward.settle(doctor, nurse)
        nurse.client.lock()
        for ((grouping, group) in listOf(
            LoopGrouping.PERSON to ("DR-1" to null),
            LoopGrouping.PRIORITY to (null to Priority.STAT),
            LoopGrouping.STAFF_ROLE to (null to null),
            LoopGrouping.DEPARTMENT to (null to null),
        )) {
            val times = nurse.client.loopTimes(grouping).single()
            assertEquals(group, times.group to times.priority)
            assertEquals(2L to 2L, times.messages to times.sentToDelivered.count)
            val acknowledged = MINUTE.multipliedBy(3)
            assertEquals(Quantiles(1, acknowledged, acknowledged), times.sentToAcknowledged)
            val whole = MINUTE.multipliedBy(8)
            assertEquals(Quantiles(1, whole, whole), times.eventToAcknowledged)
            assertEquals(Triple(0L, 1L, 0L), Triple(times.declined, times.unanswered, times.overdue))
        }
        assertEquals(emptyList<LoopTimes>(), nurse.client.loopTimes(LoopGrouping.PERSON, until = taken))
    }

    private suspend fun Device.reminders(): List<MessageReminder> =
        client.eventsFrom(limit = 500).filterIsInstance<MessageReminder>()
}
