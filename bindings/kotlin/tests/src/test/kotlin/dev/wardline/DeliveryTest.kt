/*
 * What a person gets: messages, receipts, drafts, search, and all of it again after a restart.
 */
package dev.wardline

import dev.wardline.testing.FaultPlan
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File

class DeliveryTest {
    // scenario: delivery
    @Test
    fun `a message arrives and its author gets signed receipts`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val patient = Patient(
            listOf(PatientIdentifier("urn:mrn", "4711"), PatientIdentifier("urn:dob", "1950-02-03")),
            name = "Maria Keller",
        )
        val sent = nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT, patient)
        ward.settle(nurse, doctor)

        val message = doctor.page("NS-1").single()
        assertEquals(sent, message.id)
        assertEquals("K 6.6 mmol/L", message.text)
        assertEquals("NS-1", message.sender)
        assertEquals(nurse.client.device, message.senderDevice)
        assertEquals(Direction.INCOMING, message.direction)
        assertEquals(Proof.PROVEN, message.proof)
        assertEquals(Priority.STAT, message.priority)
        assertEquals(patient, message.patient)
        assertNull(message.readAt)
        assertFalse("6.6" in message.toString() || "Keller" in message.toString() + message.patient)

        val delivered = nurse.client.deliveries(sent).single()
        assertEquals("DR-1" to DeliveryState.DELIVERED, delivered.user to delivered.state)
        val conversation = doctor.client.conversation(Person("NS-1"))
        assertEquals(1, doctor.client.unread(conversation))

        doctor.client.markRead(message)
        ward.settle(doctor, nurse)
        val read = nurse.client.deliveries(sent).single()
        assertEquals(DeliveryState.READ, read.state)
        assertNotNull(read.devices.single().readAt)
        assertEquals(0, doctor.client.unread(conversation))
    }

    @Test
    fun `a team is written to and everything is found again`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        repeat(2) {
            nurse.client.send(Team("team-1"), "Potassium is rising", idempotencyKey = "lab-1")
        }
        ward.settle(nurse, doctor)
        val team = doctor.client.conversation(Team("team-1"))
        val page = doctor.client.timeline(team, size = 10)
        assertEquals(listOf("Potassium is rising"), page.messages.map { it.text })
        assertEquals(team, doctor.client.search("potas").single().conversation)

        nurse.client.saveDraft(Team("team-1"), "I will")
        assertEquals("I will", nurse.client.draft(team))
        nurse.client.saveDraft(Team("team-1"), "")
        assertNull(nurse.client.draft(team))
    }

    @Test
    fun `a page leads to the page before`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        repeat(5) { nurse.client.send(Person("DR-1"), "number $it") }
        val conversation = nurse.client.conversation(Person("DR-1"))
        val newest = nurse.client.timeline(conversation, size = 3)
        assertEquals(listOf("number 2", "number 3", "number 4"), newest.messages.map { it.text })
        val before = nurse.client.timeline(conversation, newest.before, size = 3)
        assertEquals(listOf("number 0", "number 1"), before.messages.map { it.text })
        assertNull(before.before)
    }

    // scenario: offline-phone
    @Test
    fun `offline nothing is lost`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.net().cut()
        val sent = nurse.client.send(Person("DR-1"), "written in the basement")
        nurse.client.start()
        val queued = nurse.client.deliveries(sent).all { it.state == DeliveryState.QUEUED }
        assertTrue(queued)
        nurse.net().mend()
        doctor.client.start()
        until { doctor.texts("NS-1") == listOf("written in the basement") }
    }

    // scenario: locked-phone
    @Test
    fun `a locked device receives and shows nothing`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        doctor.client.lock()
        assertTrue(doctor.client.isLocked)
        val sent = nurse.client.send(Person("DR-1"), "for your eyes")
        ward.settle(nurse, doctor)
        assertEquals(DeliveryState.DELIVERED, nurse.client.deliveries(sent).single().state)
        val locked = refused<LockedException> { doctor.texts("NS-1") }
        assertEquals("WL-LOCKED" to Recovery.UNLOCK, locked.code to locked.recovery)
        val wrong = refused<PassphraseException> { doctor.client.unlock(Passphrase("something else")) }
        assertEquals(1, wrong.attempts)
        assertEquals(1, doctor.client.unlock(Passphrase(WORDS)))
        assertEquals(listOf("for your eyes"), doctor.texts("NS-1"))
    }

    @Test
    fun `a changed passphrase and a changed key open the same messages`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.client.send(Person("DR-1"), "still here")
        nurse.client.changePassphrase(Passphrase(WORDS), Passphrase("another one"))
        nurse.client.rekey()
        ward.reopen(nurse)
        refused<PassphraseException> { nurse.client.unlock(Passphrase(WORDS)) }
        nurse.client.unlock(Passphrase("another one"))
        assertEquals(listOf("still here"), nurse.texts("DR-1"))
        assertNull(nurse.client.checkAudit())
    }

    // scenario: wrong-key
    @Test
    fun `another key does not open the store`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.client.shutdown()
        assertTrue(Wardline.isEnrolled(nurse.config.folder))
        val other = Wardline.fileKeyStore(File(ward.folder, "other.keys"))
        val refused = refused<KeyStoreException> { ward.reopen(nurse) { it.copy(keyStore = other) } }
        assertEquals("WL-VAULT-HOST-NOT-MINE", refused.code)
    }

    @Test
    fun `a suspended device answers again after resume`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.client.suspend()
        val refused = refused<StoreException> { nurse.client.send(Person("DR-1"), "too early") }
        assertEquals("WL-STORE-SUSPENDED", refused.code)
        nurse.client.resume()
        nurse.client.send(Person("DR-1"), "in time")
        assertEquals(listOf("in time"), nurse.texts("DR-1"))
    }

    @Test
    fun `a second client on one folder shares its messages`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        Client.open(doctor.config).use { worker ->
            nurse.client.send(Person("DR-1"), "to whoever fetches it")
            nurse.client.syncOnce()
            worker.syncOnce()
            doctor.client.syncOnce()
            assertEquals(listOf("to whoever fetches it"), doctor.texts("NS-1"))
            assertTrue(worker.isLocked)
            worker.unlock(Passphrase(WORDS))
            val conversation = worker.conversation(Person("NS-1"))
            assertEquals(1, worker.timeline(conversation).messages.size)
        }
        nurse.client.send(Person("DR-1"), "and one more")
        ward.settle(nurse, doctor)
        assertEquals(listOf("to whoever fetches it", "and one more"), doctor.texts("NS-1"))
    }

    // scenario: corrupted-traffic
    @Test
    fun `every fault of a network is survived`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val plan = FaultPlan(loseRequests = 6, loseAnswers = 6, duplicate = 4, reorder = 4, truncate = 4, flipBits = 4)
        nurse.net().plan(plan, seed = 7)
        doctor.net().plan(plan, seed = 8)
        val written = List(8) { "number $it" }
        written.forEach { nurse.client.send(Person("DR-1"), it) }
        nurse.client.start()
        doctor.client.start()
        until(60) { doctor.texts("NS-1").size >= written.size }
        assertEquals(written, doctor.texts("NS-1").sorted())
        assertTrue(nurse.net().calls > 0)
    }
}
