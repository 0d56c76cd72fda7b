/*
 * What is planned for a message on a ward whose time passes: who is next, how long it lives, who holds a role, who is away.
 */
package dev.wardline

import dev.wardline.authority.PersonDetails
import dev.wardline.authority.RoleAssignment
import dev.wardline.authority.RoleLine
import dev.wardline.authority.upsertRole
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.time.Duration

private val MINUTE: Duration = Duration.ofMinutes(1)
private const val ON_CALL = "cardiology-on-call"

class PlansTest {
    // scenario: escalation
    @Test
    fun `the next tier gets it though the senders phone is dead and an acceptance stops the rest`() = onTimedWard { ward, clock ->
        for (user in listOf("DR-2", "DR-3")) ward.authority.upsertPerson(PersonDetails(user, "Person $user"))
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val second = ward.enroll("DR-2")
        val third = ward.enroll("DR-3")
        ward.settle(nurse, doctor, second, third)
        val tiers = listOf("DR-2", "DR-3").map { EscalationTier(MINUTE.multipliedBy(5), people = listOf(it)) }
        val sent = nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT, escalate = tiers)
        ward.settle(nurse, doctor)
        val reference = "${nurse.client.device}/$sent"
        val armed = checkNotNull(nurse.client.escalation(sent))
        assertEquals(Armed.YES to null, armed.armed to armed.stopped)
        assertEquals(listOf(listOf("DR-2"), listOf("DR-3")), armed.tiers.map { it.people })
        nurse.client.shutdown()

        suspend fun passes(time: Duration) {
            clock.advance(time)
            ward.relay.releaseDue()
            ward.settle(doctor, second, third)
        }
        passes(MINUTE.multipliedBy(4))
        assertNull(second.client.message(reference))
        passes(MINUTE)
        assertEquals("K 6.6 mmol/L", second.client.message(reference)?.text)
        assertNull(third.client.message(reference))
        val told = second.client.eventsFrom().filterIsInstance<Escalated>().single()
        assertEquals(reference to 0, told.reference to told.tier)

        second.client.answer(reference, Verdict.ACCEPTED, "K 6.6, going")
        ward.settle(second, doctor)
        passes(MINUTE.multipliedBy(30))
        assertNull(third.client.message(reference), "the first acceptance stops all later tiers")
        ward.reopen(nurse)
        nurse.client.unlock(Passphrase(WORDS))
        ward.settle(nurse)
        assertEquals("DR-2", nurse.client.escalation(sent)?.stopped?.user)

        val nobody = refused<SendException> {
            nurse.client.send(Person("DR-1"), "to whom?", escalate = listOf(EscalationTier(MINUTE)))
        }
        assertEquals("WL-SEND-EMPTY-TIER", nobody.code)
        val many = refused<SendException> { nurse.client.send(Person("DR-1"), "all", escalate = List(9) { tiers[0] }) }
        assertEquals("WL-SEND-TOO-MANY-TIERS" to 8L, many.code to many.limit)
        assertNull(nurse.client.escalation(nurse.client.send(Person("DR-1"), "plain")))
    }

    // scenario: expiry
    @Test
    fun `a message is over on time and no clock brings it back`() = onTimedWard { ward, clock ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val lifetime = Lifetime(afterSent = MINUTE.multipliedBy(10))
        doctor.client.send(Person("NS-1"), "door code 4711", lifetime = lifetime)
        doctor.client.send(Person("NS-1"), "rounds at nine")
        ward.settle(doctor, nurse)
        val (code, kept) = nurse.page("DR-1")
        assertEquals(code.createdAt.plus(MINUTE.multipliedBy(10)), code.expiresAt)
        assertTrue(code.expiredAt == null && kept.expiresAt == null)
        clock.advance(MINUTE.multipliedBy(11))
        ward.settle(doctor, nurse)
        for ((device, other) in listOf(nurse to "DR-1", doctor to "NS-1")) {
            val (over, left) = device.page(other)
            assertEquals("" to "rounds at nine", over.text to left.text)
            assertNotNull(over.expiredAt)
            val told = device.client.eventsFrom().filterIsInstance<MessageExpired>()
            assertEquals(listOf(code.reference), told.map { it.reference })
            assertEquals(emptyList<Message>(), device.client.search("4711"))
        }
        clock.set(clock.now.minus(MINUTE.multipliedBy(30)))
        assertEquals("", nurse.page("DR-1").first().text)

        val conversation = doctor.client.conversation(Person("NS-1"))
        val wanted = Lifetime(afterRead = MINUTE.multipliedBy(5))
        assertEquals(Lifetime(), doctor.client.lifetime(conversation))
        doctor.client.setLifetime(Person("NS-1"), wanted)
        assertEquals(wanted, doctor.client.lifetime(conversation))
        val none = refused<SendException> { doctor.client.setLifetime(Person("NS-1"), Lifetime(Duration.ZERO)) }
        assertEquals("WL-SEND-LIFETIME", none.code)
    }

    // scenario: roles
    @Test
    fun `a message to a role goes to who holds it now and the answer says so`() = onTimedWard { ward, clock ->
        ward.authority.upsertPerson(PersonDetails("DR-2", "Person DR-2"))
        val nurse = ward.enroll("NS-1")
        val early = ward.enroll("DR-1")
        val late = ward.enroll("DR-2")
        val start = clock.now.minus(MINUTE)
        suspend fun turn(user: String) {
            val turns = listOf(RoleAssignment(user, clock.now.minus(MINUTE), clock.now.plus(Duration.ofHours(12))))
            ward.authority.upsertRole(RoleLine(ON_CALL, "Cardiology on call", turns))
            ward.authority.upsertRole(RoleLine("nobody-home", "Nobody", emptyList()))
            ward.publish()
            ward.settle(nurse, early, late)
        }
        turn("DR-1")
        val status = nurse.client.role(ON_CALL)
        val holder = status.holders.single()
        assertEquals(Triple("DR-1", "Person DR-1", true), Triple(holder.user, holder.displayName, holder.isReachable))
        assertTrue(status.isCurrent && start < holder.until)
        assertFalse("Person" in "$status$holder")
        assertEquals(emptyList<RoleHolder>(), nurse.client.role("nobody-home").holders)
        val nobody = refused<SendException> { nurse.client.send(Role("nobody-home"), "hello?") }
        assertEquals("WL-SEND-NO-HOLDER", nobody.code)

        nurse.client.send(Role(ON_CALL), "Troponin 85 ng/l")
        ward.settle(nurse, early, late)
        val place = early.client.conversations().conversations.single()
        assertEquals(Caller(ON_CALL, "NS-1"), place.recipient)
        val asked = early.client.timeline(place.id).messages.single()
        assertEquals("Troponin 85 ng/l" to InRole(ON_CALL, null), asked.text to asked.role)
        assertNull(late.client.message(asked.reference))
        early.client.send(place.recipient, "on my way")
        ward.settle(early, nurse)
        val reply = nurse.client.timeline(nurse.client.conversation(Role(ON_CALL))).messages.last()
        assertEquals("on my way" to InRole(ON_CALL, RoleSpeaker.HOLDER), reply.text to reply.role)

        clock.advance(Duration.ofHours(12))
        turn("DR-2")
        val second = nurse.client.send(Role(ON_CALL), "Troponin 210 ng/l")
        ward.settle(nurse, early, late)
        val reference = "${nurse.client.device}/$second"
        assertEquals("Troponin 210 ng/l", late.client.message(reference)?.text)
        assertNull(early.client.message(reference), "who left gets nothing new")
        val notMine = refused<SendException> { nurse.client.send(Caller(ON_CALL, "DR-1"), "as the cardiologist") }
        assertEquals("WL-SEND-NOT-YOUR-ROLE", notMine.code)
    }

    // scenario: reachability
    @Test
    fun `what a person says of themselves is known to others and what makes no sense is refused`() = onTimedWard { ward, clock ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val tablet = ward.enroll("DR-1")
        ward.settle(nurse, doctor, tablet)
        val until = clock.now.plus(Duration.ofHours(8))
        assertEquals(Availability(), doctor.client.availability())
        val said = Availability(doNotDisturbUntil = until, away = Away(until, "NS-1"))
        doctor.client.setAvailability(said)
        assertFalse("NS-1" in "$said")
        ward.settle(doctor, tablet)
        assertEquals(said, tablet.client.availability())
        assertTrue(tablet.client.eventsFrom().any { it is AvailabilityChanged })

        val (known, nobody) = nurse.client.reachability(listOf("DR-1", "DR-9"))
        assertEquals(Triple("DR-1", true, "NS-1"), Triple(known.user, known.hasDevice, known.delegate))
        assertEquals(until to until, known.doNotDisturbUntil to known.awayUntil)
        assertTrue(known.lastSeen != null && known.asOf != null)
        assertFalse("NS-1" in "$known")
        assertEquals(false to null, nobody.hasDevice to nobody.lastSeen)

        doctor.client.setAvailability(Availability())
        ward.settle(doctor)
        assertNull(nurse.client.reachability(listOf("DR-1")).single().awayUntil)
        for ((wrong, code) in listOf(
            Availability(doNotDisturbUntil = clock.now.minusSeconds(1)) to "WL-REACH-TIME",
            Availability(away = Away(until, "DR-1")) to "WL-REACH-OWN-DELEGATE",
        )) {
            assertEquals(code, refused<ArgumentException> { doctor.client.setAvailability(wrong) }.code)
        }
        assertEquals("people", refused<ArgumentException> { doctor.client.reachability(listOf("no spaces please")) }.name)
        assertEquals(Availability(), doctor.client.availability())
    }
}
