/*
 * Correcting, and proving who wrote what: what it says now, what it said before, and what an outsider believes.
 */
package dev.wardline

import dev.wardline.authority.ProvenMessage
import dev.wardline.authority.Proofs
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class CorrectionsTest {
    // scenario: amend
    @Test
    fun `a correction shows the new text and keeps the old one readable`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "K 6.5 mmol/L", Priority.STAT)
        ward.settle(nurse, doctor)
        val message = doctor.page("NS-1").single()
        assertNull(message.amended)
        doctor.client.answer(message, Verdict.ACCEPTED, "K 6.5")
        val notYours = refused<SendException> { doctor.client.amend(message.reference, "K 2.5 mmol/L") }
        assertEquals("WL-SEND-NOT-YOURS", notYours.code)

        val correction = nurse.client.amend(sent, "K 5.6 mmol/L", "typing error")
        ward.settle(nurse, doctor)
        for ((device, other) in listOf(nurse to "DR-1", doctor to "NS-1")) {
            val shown = device.page(other).single()
            assertEquals(sent to "K 5.6 mmol/L", shown.id to shown.text)
            val amended = checkNotNull(shown.amended)
            assertEquals(Triple("NS-1", "typing error", 2L), Triple(amended.by, amended.reason, amended.versions))
            val (first, last) = device.client.history(shown.reference)
            assertEquals(Triple("K 6.5 mmol/L", false, shown.reference), Triple(first.text, first.stands, first.reference))
            assertEquals(Triple("K 5.6 mmol/L", true, "typing error"), Triple(last.text, last.stands, last.reason))
            assertEquals("${nurse.client.device}/$correction", last.reference)
            assertFalse(listOf(shown, amended, first, last).any { "typing" in "$it" || "mmol" in "$it" })
            assertEquals(emptyList<Message>(), device.client.search("6.5"))
        }
        val told = doctor.client.eventsFrom().filterIsInstance<MessageAmended>()
        assertEquals(listOf(message.reference), told.map { it.reference })

        // Whoever had accepted had accepted another text, and says so of the new one themselves.
        val before = nurse.client.answers(sent).single()
        assertEquals(null to true, before.version to before.outdated)
        doctor.client.answer(message, Verdict.ACCEPTED, "K 5.6")
        ward.settle(doctor, nurse)
        val after = nurse.client.answers(sent).last()
        assertEquals("${nurse.client.device}/$correction" to false, after.version to after.outdated)

        nurse.client.recall(sent)
        val late = refused<SendException> { nurse.client.amend(sent, "K 4.6 mmol/L") }
        assertEquals("WL-SEND-TOO-LATE-TO-AMEND", late.code)
        doctor.client.lock()
        refused<LockedException> { doctor.client.history(message.reference) }
    }

    @Test
    fun `an outsider verifies who wrote a message and believes no forgery`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "stop heparin")
        nurse.client.amend(sent, "stop enoxaparin", "wrong drug")
        ward.settle(nurse, doctor)
        val message = doctor.page("NS-1").single()
        val proof = doctor.client.exportProof(message.reference)

        val proven: ProvenMessage = Proofs.verify(proof, ward.pin)
        assertEquals(Triple("mercy", "NS-1", "Person NS-1"), Triple(proven.organization, proven.author, proven.displayName))
        assertEquals(nurse.client.device to "stop heparin", proven.device to proven.text)
        assertEquals(listOf("stop enoxaparin" to "wrong drug"), proven.corrections.map { it.text to it.reason })
        assertFalse(listOf(proven, proven.corrections.single()).any { "heparin" in "$it" || "enoxaparin" in "$it" })

        val at = String(proof, Charsets.ISO_8859_1).indexOf("stop heparin")
        assertTrue(at > 0)
        val forged = proof.clone().apply { "take".toByteArray().copyInto(this, at) }
        for ((wrong, root, reason) in listOf(
            Triple(forged, ward.pin, "altered"),
            Triple(proof, "00".repeat(32), "wrong-root"),
            Triple("no proof".toByteArray(), ward.pin, "malformed"),
        )) {
            val refused = refused<ProofException> { Proofs.verify(wrong, root) }
            assertEquals("WL-PROOF-REFUSED" to reason, refused.code to refused.reason)
        }

        ward.authority.revokeDevice("NS-1", nurse.client.device)
        ward.publish()
        doctor.client.syncOnce()
        assertEquals("revoked", refused<ProofException> { doctor.client.exportProof(message.reference) }.reason)
    }
}
