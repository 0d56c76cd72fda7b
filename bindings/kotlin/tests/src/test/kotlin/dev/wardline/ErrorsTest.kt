/*
 * Errors by cause: each with its class, its stable code and what helps.
 */
package dev.wardline

import dev.wardline.authority.Authority
import dev.wardline.authority.AuthoritySecrets
import dev.wardline.authority.StateStore
import dev.wardline.testing.Glossary
import dev.wardline.testing.TestClock
import dev.wardline.testing.TestRelay
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.time.Duration
import java.time.Instant
import java.util.concurrent.ConcurrentLinkedQueue

class ErrorsTest {
    // scenario: errors-by-cause
    @Test
    fun `refused messages say why`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val long = "x".repeat(2_000_000)
        val messages = listOf(
            Triple("DR-1", "", "WL-SEND-EMPTY" to Recovery.CHANGE_THE_MESSAGE),
            Triple("NS-1", "me", "WL-SEND-ONLY-SELF" to Recovery.CHOOSE_ANOTHER_RECIPIENT),
            Triple("DR-1", long, "WL-SEND-TOO-LONG" to Recovery.CHANGE_THE_MESSAGE),
        )
        for ((user, text, expected) in messages) {
            val refused = refused<SendException> { nurse.client.send(Person(user), text) }
            assertEquals(expected, refused.code to refused.recovery)
            assertFalse(refused.retryable)
            if (text == long) {
                assertEquals(2_000_000L, refused.length)
                assertNotNull(refused.limit)
            }
        }
    }

    @Test
    fun `arguments are checked at the edge`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val refused = refused<ArgumentException> { nurse.client.timeline("not a conversation") }
        assertEquals("WL-ARGUMENT" to "conversation", refused.code to refused.name)
        refused<ArgumentException> { nurse.client.conversation(Person("no spaces please")) }
        refused<ArgumentException> { nurse.client.deliveries("01a20f97") }
        refused<ArgumentException> { nurse.client.search("word", limit = -1) }
        val status = refused<ArgumentException> { nurse.client.complete("01", RelayResponse(70_000, ByteArray(0))) }
        assertEquals("status", status.name)
        // Half of an emoji, as a text field leaves it behind.
        val half = refused<ArgumentException> { nurse.client.send(Person("DR-1"), "pain \uD83D") }
        assertEquals("text", half.name)
    }

    @Test
    fun `enrolling and opening the wrong thing`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val nobody = refused<EnrollmentException> { Client.open(ward.config("empty")) }
        assertEquals("WL-NOT-ENROLLED" to Recovery.ENROLL, nobody.code to nobody.recovery)
        val twice = refused<EnrollmentException> {
            Client.enroll(nurse.config, "NS-1", "x", Passphrase(WORDS))
        }
        assertEquals("WL-ALREADY-ENROLLED", twice.code)
        val ticket = refused<RelayException> {
            Client.enroll(ward.config("no-ticket"), "NS-1", "not.a.ticket", Passphrase(WORDS))
        }
        assertEquals("WL-RELAY-TICKET-INVALID", ticket.code)
        val empty = refused<PassphraseException> { Passphrase("") }
        assertEquals("WL-VAULT-EMPTY-PASSPHRASE", empty.code)
    }

    // scenario: revoked-device
    @Test
    fun `a revoked device is told to enroll again`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        ward.authority.revokeDevice("NS-1", nurse.client.device)
        ward.publish()
        val refused = refused<RelayException> { nurse.client.syncOnce() }
        assertEquals("WL-RELAY-REVOKED" to Recovery.ENROLL, refused.code to refused.recovery)
        assertTrue(nurse.client.eventsFrom().any { it is DeviceRevoked })
    }

    // scenario: remote-wipe
    @Test
    fun `a lost phone erases itself and the organization knows`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.net().cut()
        nurse.client.send(Person("DR-1"), "nobody has this")
        nurse.net().mend()
        val device = nurse.client.device
        ward.authority.orderWipe("NS-1", device, "lost", RELAY, ward.relay.transport())
        ward.publish()
        val refused = refused<WipedException> { nurse.client.syncOnce() }
        assertEquals("WL-WIPED" to Recovery.ASK_THE_ADMINISTRATOR, refused.code to refused.recovery)
        assertTrue(nurse.client.isWiped && nurse.client.isLocked)
        refused<WipedException> { nurse.client.unlock(Passphrase(WORDS)) }
        refused<WipedException> { Client.open(nurse.config) }
        val wipe = ward.authority.wipes(RELAY, ward.relay.transport()).single()
        assertEquals(listOf(device, "lost", 1L), listOf(wipe.device, wipe.reason, wipe.unsentMessages))
        assertNotNull(wipe.wipedAt)
    }

    @Test
    fun `the authority refuses with codes of its own`() = onWard { ward ->
        val unknown = refused<AuthorityException> { ward.authority.endPerson("NOBODY") }
        assertEquals("WL-AUTHORITY-UNKNOWN-PERSON", unknown.code)
        val secrets = AuthoritySecrets.generate(1)
        val damaged = refused<AuthorityException> { Authority.restore("{}".toByteArray(), secrets) }
        assertEquals("WL-AUTHORITY-SNAPSHOT", damaged.code)
        val snapshot = ward.authority.snapshot()
        val other = refused<AuthorityException> { Authority.restore(snapshot, secrets) }
        assertEquals("WL-AUTHORITY-OTHER-KEY", other.code)
        val again = AuthoritySecrets.load(secrets.store())
        val founded = Authority.found("other", again)
        assertEquals(founded.pin(), Authority.restore(founded.snapshot(), secrets).pin())

        val unsaved = StateStore { throw IllegalStateException("the disk is full") }
        ward.authority.mintTicket("NS-1", Duration.ofMinutes(1))
        ward.authority.upsertPerson(dev.wardline.authority.PersonDetails("NS-2", "Nurse Two"))
        val refused = refused<AuthorityException> { ward.authority.publish(RELAY, ward.relay.transport(), unsaved) }
        assertEquals("WL-AUTHORITY-SAVE", refused.code)
        assertEquals(listOf("DR-1", "NS-1", "NS-2"), ward.authority.people())
        assertEquals("Nurse Two", ward.authority.person("NS-2")?.details?.displayName)
        assertEquals(2, ward.authority.teams().single().members.size)
    }

    @Test
    fun `every code is thrown as the glossary says`() {
        val listed = mutableMapOf<String, String>()
        var names = ""
        for (line in File("../../../docs/src/errors.md").readLines()) {
            val cells = line.split(" | ").map { it.trim('|', ' ', '`') }
            if (cells.size == 3 && cells[1].endsWith("Exception")) names = cells[1]
            if (cells.size == 4 && cells[0].startsWith("WL-")) listed[cells[0]] = listOf(names, cells[2], cells[3]).toString()
        }
        val thrown = Glossary.everyError().associate {
            val helps = it.recovery.name.lowercase().replace('_', ' ')
            it.code to listOf(it.javaClass.simpleName, if (it.retryable) "yes" else "no", helps).toString()
        }
        assertEquals(listed, thrown)
        assertEquals(Recovery.entries.toSet(), Glossary.everyError().map { it.recovery }.toSet())
        val domains = Glossary.everyError().map { it.javaClass }.toSet()
        assertEquals(WardlineException::class.java.permittedSubclasses.toSet(), domains)
    }

    @Test
    fun `one clock dates what devices and relay do`() = inFolder { folder ->
        runBlocking {
            val start = Instant.parse("2026-03-01T07:00:00Z")
            val clock = TestClock(start)
            val authority = clock.found("mercy", AuthoritySecrets.generate(1))
            authority.upsertPerson(dev.wardline.authority.PersonDetails("NS-1", "Nurse"))
            authority.upsertPerson(dev.wardline.authority.PersonDetails("DR-1", "Doctor"))
            val relay = TestRelay.open(File(folder, "relay"), RELAY, listOf(authority.rootDocument()), clock)
            authority.publish(RELAY, relay.transport())
            val config = Config(
                File(folder, "nurse"), "mercy", authority.pin(), RELAY, relay.transport(),
                Wardline.fileKeyStore(File(folder, "keys")), PassphraseCost(19 * 1024, 2, 1),
            )
            val ticket = authority.mintTicket("NS-1", Duration.ofMinutes(5))
            clock.advance(Duration.ofMinutes(6))
            val late = refused<RelayException> { clock.enroll(config, "NS-1", ticket, Passphrase(WORDS)) }
            assertEquals("WL-RELAY-TICKET-EXPIRED", late.code)
            clock.enroll(config, "NS-1", authority.mintTicket("NS-1"), Passphrase(WORDS)).shutdown()
            clock.open(config).use { nurse ->
                nurse.unlock(Passphrase(WORDS))
                nurse.send(Person("DR-1"), "at six past")
                val message = nurse.timeline(nurse.conversation(Person("DR-1"))).messages.single()
                assertEquals(start.plusSeconds(360), message.createdAt)
            }
            assertTrue(relay.metrics().isNotEmpty())
            relay.close()
        }
    }

    @Test
    fun `what Wardline logs arrives without what was written`() = onWard { ward ->
        val heard = ConcurrentLinkedQueue<LogRecord>()
        Wardline.logTo({ records, _ -> heard += records }, LogLevel.DEBUG)
        try {
            val carrier = Carrier(ward.relay.transport())
            val nurse = ward.enroll("NS-1", carrier)
            carrier.mischief = { throw IllegalStateException("hello from the host") }
            nurse.client.start()
            nurse.client.send(Person("DR-1"), "hello")
            until { heard.any { "a sending round failed" in it.text } }
            until { heard.any { it.target == "wardline::host" && "IllegalStateException" in it.text } }
        } finally {
            Wardline.logTo(null)
        }
        assertFalse(heard.any { "hello" in it.text })
    }

    @Test
    fun `a log sink that throws ends nothing`() = onWard { ward ->
        Wardline.logTo({ _, _ -> throw AssertionError("no disk") }, LogLevel.TRACE)
        try {
            val nurse = ward.enroll("NS-1")
            nurse.client.send(Person("DR-1"), "still here")
            assertEquals(listOf("still here"), nurse.texts("DR-1"))
        } finally {
            Wardline.logTo(null)
        }
    }

    @Test
    fun `a passphrase wipes what it was made from`() {
        val typed = "correct horse".toCharArray()
        Passphrase(typed).close()
        assertTrue(typed.all { it == '\u0000' })
    }

    @Test
    fun `the library says what it is`() {
        assertEquals("0.1.0", Wardline.version)
        assertTrue(Wardline.hasTesting)
    }
}
