/*
 * What was said is found again, what may be wrong is said before it leaves, and open items follow what happens.
 */
package dev.wardline

import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.time.Duration
import java.time.Instant

private val MRN = PatientIdentifier("urn:mercy:mrn", "00712328")
private val BIRTH = PatientIdentifier("urn:birth-date", "1960-02-29")
private val GARCIA = Patient(listOf(MRN, BIRTH), "Maria Garcia")

class FindingTest {
    // scenario: find
    @Test
    fun `messages are found by patient person tier and words`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT, GARCIA)
        nurse.client.send(Team("team-1"), "she sleeps", patient = GARCIA)
        nurse.client.send(Person("DR-1"), "rounds at nine", Priority.URGENT)
        ward.settle(nurse, doctor)
        doctor.client.send(Person("NS-1"), "on my way")

        val everything = listOf("on my way", "rounds at nine", "she sleeps", "K 6.6 mmol/L")
        val tomorrow = Instant.now().plus(Duration.ofDays(1))
        val direct = doctor.client.conversation(Person("NS-1"))
        for ((wanted, expected) in listOf(
            Filter() to everything,
            Filter(patient = listOf(MRN, BIRTH)) to listOf("she sleeps", "K 6.6 mmol/L"),
            Filter(patient = listOf(MRN), conversation = direct) to listOf("K 6.6 mmol/L"),
            Filter(person = "DR-1") to listOf("on my way"),
            Filter(atLeast = Priority.URGENT) to listOf("rounds at nine", "K 6.6 mmol/L"),
            Filter(isOpen = true) to listOf("K 6.6 mmol/L"),
            Filter(text = "roun") to listOf("rounds at nine"),
            Filter(until = tomorrow) to everything,
            Filter(since = tomorrow) to emptyList(),
        )) {
            assertEquals(expected, doctor.client.find(wanted).map { it.text }, "$wanted")
        }
        assertFalse("roun" in Filter(text = "roun").toString() || "007" in Filter(listOf(MRN)).toString())

        val first = doctor.client.find(Filter(), limit = 3)
        val rest = doctor.client.find(Filter(), before = first.last().cursor, limit = 3)
        assertEquals(everything, (first + rest).map { it.text })
        val refused = refused<ArgumentException> { doctor.client.find(Filter(person = "no spaces please")) }
        assertEquals("person", refused.name)
        doctor.client.lock()
        refused<LockedException> { doctor.client.find(Filter()) }
    }

    @Test
    fun `what may be wrong is said before it leaves`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.client.send(Person("DR-1"), "K 6.6", Priority.STAT, GARCIA)
        suspend fun cautions(patient: Patient?, priority: Priority = Priority.ROUTINE) =
            nurse.client.check(Person("DR-1"), priority, patient)

        assertEquals(emptyList<Caution>(), cautions(GARCIA))
        assertEquals(listOf(Interrupts(Priority.STAT, 1), NoPatient), cautions(null, Priority.STAT))
        val other = Patient(listOf(PatientIdentifier(MRN.system, "00999999"), BIRTH), "GARCÍA MARIA")
        assertTrue((cautions(other).single() as SimilarPatient).sameName)
        val known = cautions(Patient(listOf(MRN, BIRTH), "Peter Smith")).single() as OtherName
        assertEquals("Maria Garcia", known.known.name)
        assertFalse("Garcia" in "$known")
        assertEquals(listOf(OneIdentifier(1)), cautions(Patient(listOf(MRN), "Maria Garcia")))
        assertEquals(listOf("K 6.6"), nurse.texts("DR-1"), "nothing was sent by asking")
    }

    @Test
    fun `open items follow what happens and the lock`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val view = doctor.client.followOpenItems(OpenItems.TO_ANSWER, size = 10)
        assertEquals(emptyList<Message>(), view.snapshot)
        val waiting = async { view.changed() }
        nurse.client.send(Person("DR-1"), "sign please", answerWithin = Duration.ofMinutes(5))
        ward.settle(nurse, doctor)
        assertEquals(listOf("sign please"), withTimeout(5000) { waiting.await() }.added.map { it.text })
        nurse.client.send(Person("DR-1"), "K 6.6", Priority.STAT)
        ward.settle(nurse, doctor)
        withTimeout(5000) { view.changed() }
        assertEquals(listOf("K 6.6", "sign please"), view.snapshot.map { it.text })

        doctor.client.lock()
        assertEquals(emptyList<Message>(), view.snapshot)
        withTimeout(5000) { refused<LockedException> { view.changed() } }
        doctor.client.unlock(Passphrase(WORDS))
        withTimeout(5000) { view.changed() }
        val stat = view.snapshot.first()
        val screen = async { doctor.client.observeOpenItems(OpenItems.TO_ANSWER).first { it.size == 1 } }
        doctor.client.answer(stat, Verdict.ACCEPTED, "going")
        val gone = withTimeout(5000) { view.changes().first { it.removed.isNotEmpty() } }
        assertEquals(listOf(stat.reference), gone.removed)
        assertEquals(listOf("sign please"), withTimeout(5000) { screen.await() }.map { it.text })

        val changes = launch { view.changes().collect { } }
        val ending = launch { doctor.client.observeOpenItems(OpenItems.TO_ANSWER).collect { } }
        delay(50)
        doctor.client.shutdown()
        withTimeout(5000) { listOf(changes, ending).forEach { it.join() } }
    }
}
