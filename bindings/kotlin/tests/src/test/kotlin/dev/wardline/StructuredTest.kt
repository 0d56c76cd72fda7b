/*
 * Typed contents: they arrive as they were written, read as text anywhere, and are read back.
 */
package dev.wardline

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.time.Instant

private val POTASSIUM = CriticalResult(
    "Potassium", "6.6", "mmol/L", "2823-3", "3.5-5.0", "HH", specimenAt = Instant.parse("2025-03-03T06:40:00Z"),
)

class StructuredTest {
    // scenario: structured
    @Test
    fun `typed fields arrive and are found by their text`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        for ((content, words, type) in listOf(
            Triple(Sbar("Bed 4, chest pain", "CABG 2019", "angina?", "see now"), "CABG 2019", "wardline.sbar/1"),
            Triple(POTASSIUM, "6.6 mmol/L", "wardline.critical-result/1"),
            Triple(Order("Calcium gluconate 10 %", "DR-1", "10 ml", "i.v.", "once"), "10 ml", "wardline.order/1"),
        )) {
            nurse.client.send(Person("DR-1"), structured = content)
            ward.settle(nurse, doctor)
            val message = doctor.page("NS-1").last()
            assertEquals(content to type, message.structured to message.contentType)
            assertTrue(message.isReadable(words), type)
            assertFalse(listOf("Bed", "mmol", "ml").any { it in "$message$content" })
            assertEquals(listOf(message), doctor.client.search(words))
            assertEquals(emptyList<PersonDevice>(), nurse.client.devicesWithout(Person("DR-1"), type))
        }
    }

    // scenario: structured
    @Test
    fun `a critical result is accepted by reading it back only`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), structured = POTASSIUM)
        ward.settle(nurse, doctor)
        val message = doctor.client.openItems(OpenItems.TO_ANSWER).single()
        val unread = refused<SendException> { doctor.client.answer(message, Verdict.ACCEPTED) }
        assertEquals("WL-SEND-READ-BACK", unread.code)
        doctor.client.answer(message, Verdict.ACCEPTED, "K 6.6, on my way")
        assertEquals(emptyList<Message>(), doctor.client.openItems(OpenItems.TO_ANSWER))
    }

    @Test
    fun `a vendors type arrives as it is and reads as its text`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val form = VendorContent("forms.vendor.example/fall/1", ByteArray(256) { it.toByte() })
        assertNotEquals(form, VendorContent(form.typeUri, ByteArray(256)))
        nurse.client.send(Person("DR-1"), "Fall protocol, bed 4", structured = form)
        ward.settle(nurse, doctor)
        val message = doctor.page("NS-1").single()
        assertEquals(form to "Fall protocol, bed 4", message.structured to message.text)
        assertEquals(form.hashCode(), message.structured.hashCode())
        val without = nurse.client.devicesWithout(Person("DR-1"), form.typeUri)
        assertEquals(listOf(PersonDevice("DR-1", doctor.client.device)), without)

        for ((content, code) in listOf(
            Sbar(" ") to "WL-SEND-INCOMPLETE",
            VendorContent("wardline.order/1", ByteArray(0)) to "WL-SEND-NOT-A-VENDOR-TYPE",
            VendorContent(form.typeUri, ByteArray(65 * 1024)) to "WL-SEND-TOO-LARGE",
        )) {
            val refused = refused<SendException> { nurse.client.send(Person("DR-1"), "something", structured = content) }
            assertEquals(code, refused.code)
        }
        assertEquals(listOf("Fall protocol, bed 4"), nurse.texts("DR-1"))
    }

    private fun Message.isReadable(words: String) = supported && words in text
}
