/*
 * Handing on: whoever gets it sees who wrote it, and what was taken back goes with its forwards.
 */
package dev.wardline

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ForwardingTest {
    // scenario: forward
    @Test
    fun `a forward is its first authors word`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val patient = Patient(listOf(PatientIdentifier("urn:mrn", "0042")), "Keller")
        nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", patient = patient)
        ward.settle(nurse, doctor)
        val result = doctor.page("NS-1").single()
        assertNull(result.forwarded)

        doctor.client.forward(result.reference, Person("NS-1"), "is it yours?", Priority.URGENT)
        ward.settle(doctor, nurse)
        val message = nurse.page("DR-1").last()
        assertEquals(Triple("DR-1", Priority.URGENT, patient), Triple(message.sender, message.priority, message.patient))
        assertEquals("is it yours?\n\nK 6.6 mmol/L", message.text)
        val inside = checkNotNull(message.forwarded)
        assertTrue(inside.isProven)
        assertEquals("NS-1" to nurse.client.device, inside.author to inside.authorDevice)
        assertEquals("K 6.6 mmol/L" to "is it yours?", inside.text to inside.comment)
        assertEquals(result.createdAt to null, inside.writtenAt to inside.correctedAt)
        assertEquals(patient, inside.patient)
        assertFalse("NS-1" in "$inside" || "6.6" in "$inside$message")

        nurse.client.recall(result.reference)
        ward.settle(nurse, doctor)
        val gone = nurse.page("DR-1").last()
        assertTrue(gone.recalled != null && gone.forwarded == null)
        val refused = refused<SendException> { doctor.client.forward(result.reference, Person("NS-1")) }
        assertEquals("WL-SEND-NOT-FORWARDABLE", refused.code)
    }

    @Test
    fun `a correction of typed fields is typed`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val wrong = CriticalResult("Potassium", "6.5", "mmol/L")
        val right = wrong.copy(value = "5.6")
        val sent = nurse.client.send(Person("DR-1"), structured = wrong)
        nurse.client.amend(sent, right, "typing error")
        ward.settle(nurse, doctor)
        val message = doctor.page("NS-1").single()
        assertEquals(right, message.structured)
        assertTrue("5.6 mmol/L" in message.text)
        assertEquals(listOf(wrong, right), doctor.client.history(message.reference).map { it.structured })
    }
}
