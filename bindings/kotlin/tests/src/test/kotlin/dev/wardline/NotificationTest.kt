/*
 * A worker that shows notifications: it confirms what it takes, and says what the policy allows.
 */
package dev.wardline

import dev.wardline.future.FutureInbox
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.time.Duration

class NotificationTest {
    // scenario: notification
    @Test
    fun `an inbox confirms what waits and says only how urgent it is`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        doctor.client.lock()
        val sent = nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT)
        nurse.client.syncOnce()

        val notice = Inbox.open(doctor.config).use { inbox ->
            assertEquals("DR-1" to doctor.client.device, inbox.user to inbox.device)
            val collected = inbox.collect(LONG)
            assertTrue(collected.complete)
            assertNull(collected.failure)
            assertFalse("6.6" in collected.toString())
            collected.notices.single()
        }
        assertEquals(Priority.STAT, notice.tier)
        assertEquals(32, notice.tag.length)
        assertFalse(notice.tag in notice.reference)
        assertNull(notice.sender)
        assertNull(notice.conversation)
        nurse.client.syncOnce()
        assertEquals(DeliveryState.DELIVERED, nurse.client.deliveries(sent).single().state)

        // In a later process again, until it was shown; and the app knows nothing of that.
        Inbox.open(doctor.config).use { inbox ->
            assertEquals(listOf(notice), inbox.collect(LONG).notices)
            inbox.shown(listOf(notice.reference))
            assertEquals(emptyList<Notice>(), inbox.collect(LONG).notices)
        }
        val arrived = doctor.client.eventsFrom().filterIsInstance<MessageArrived>()
        assertEquals(listOf(notice.reference), arrived.map { it.reference })
        doctor.client.unlock(Passphrase(WORDS))
        assertEquals(listOf("K 6.6 mmol/L"), doctor.texts("NS-1"))
        assertEquals(1, doctor.client.unread(doctor.client.conversation(Person("NS-1"))))
    }

    @Test
    fun `an inbox without a network says what came before and why`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), "Good morning")
        nurse.client.syncOnce()
        val inbox = Inbox.open(doctor.config)
        val notices = inbox.collect(LONG).notices
        assertEquals(1, notices.size)
        doctor.net().cut()
        assertEquals(Collected(notices, false, "WL-NET-UNREACHABLE"), inbox.collect(LONG))
        doctor.net().mend()
        ward.authority.revokeDevice("DR-1", doctor.client.device)
        ward.publish()
        val refused = refused<RelayException> { inbox.collect(LONG) }
        assertEquals("WL-RELAY-REVOKED", refused.code)
        inbox.shutdown()
        refused<ClosedException> { inbox.collect(LONG) }
    }

    @Test
    fun `an inbox does not open with another key store`() = onWard { ward ->
        val doctor = ward.enroll("DR-1")
        val other = Wardline.fileKeyStore(File(ward.folder, "other.keys"))
        refused<KeyStoreException> { Inbox.open(doctor.config.copy(keyStore = other)) }
    }

    @Test
    fun `an inbox is there for Java`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), "Good morning")
        nurse.client.syncOnce()
        FutureInbox.open(doctor.config).get().use { inbox ->
            val notices = inbox.collect(LONG).get().notices
            inbox.shown(notices.map { it.reference }).get()
            assertEquals(1, notices.size)
            assertEquals(emptyList<Notice>(), inbox.collect(LONG).get().notices)
        }
    }

    private companion object {
        val LONG: Duration = Duration.ofSeconds(60)
    }
}
