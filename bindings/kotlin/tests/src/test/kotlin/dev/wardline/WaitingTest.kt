/*
 * Events, views that follow, giving up, closing during a call.
 */
package dev.wardline

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.atomic.AtomicInteger

class WaitingTest {
    // scenario: events
    @Test
    fun `events come in order and again until they are confirmed`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = nurse.client.send(Person("DR-1"), "one", Priority.URGENT)
        ward.settle(nurse, doctor)
        val found = doctor.client.eventsFrom()
        assertFalse(found.any { it is UnknownEvent })
        assertInstanceOf(DirectoryChanged::class.java, found.first())
        val arrived = found.filterIsInstance<MessageArrived>().single()
        assertEquals(Priority.URGENT, arrived.tier)
        val message = doctor.client.messages(listOf(arrived.reference)).single()
        assertEquals(sent to arrived.reference, message.id to message.reference)
        assertEquals("${nurse.client.device}/$sent", message.reference)
        val own = nurse.client.eventsFrom()
        assertTrue(own.any { it is MessageSent && it.message == sent })
        assertTrue(own.any { it is DeliveryChanged && it.user == "DR-1" })

        assertEquals(found, doctor.client.eventsFrom())
        doctor.client.confirm(found.last())
        assertEquals(emptyList<Event>(), doctor.client.eventsFrom())
    }

    @Test
    fun `the flow confirms what was dealt with`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.start()
        doctor.client.start()
        val listening = async {
            doctor.client.events(batch = 1).filterIsInstance<MessageArrived>().map { it.reference.substringAfter('/') }.take(3).toList()
        }
        val sent = List(3) { nurse.client.send(Person("DR-1"), "number $it") }
        assertEquals(sent, withTimeout(20_000) { listening.await() })
        // The collector ended in the middle of the last one: it comes again.
        val again = doctor.client.eventsFrom().filterIsInstance<MessageArrived>().map { it.reference.substringAfter('/') }
        assertEquals(sent.takeLast(1), again)
    }

    @Test
    fun `a flow ends when the client is closed`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val listening = launch { nurse.client.events().collect { } }
        val batches = launch { nurse.client.eventBatches(confirm = false).collect { } }
        val conversation = nurse.client.conversation(Person("DR-1"))
        val watching = launch { nurse.client.observe(conversation).collect { } }
        delay(100)
        nurse.client.shutdown()
        withTimeout(5000) { listOf(listening, batches, watching).forEach { it.join() } }
        assertFalse(listening.isCancelled || batches.isCancelled || watching.isCancelled)
    }

    // scenario: live-queries
    @Test
    fun `a view follows its conversation`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val conversation = doctor.client.conversation(Person("NS-1"))
        doctor.client.follow(conversation, size = 10).use { view ->
            assertEquals(TimelineSnapshot(emptyList(), 0), view.snapshot)
            val sent = nurse.client.send(Person("DR-1"), "look here")
            nurse.client.syncOnce()
            val waiting = async { view.changed() }
            doctor.client.syncOnce()
            val added = withTimeout(5000) { waiting.await() }
            assertEquals(listOf(sent), added.added.map { it.id })
            assertEquals(1, added.unread)
            assertEquals(listOf("look here"), view.snapshot.messages.map { it.text })
            doctor.client.markRead(added.added.single())
            val read = withTimeout(5000) { view.changed() }
            assertEquals(listOf(sent), read.updated.map { it.id })
            assertEquals(0, view.snapshot.unread)
        }
    }

    @Test
    fun `an observed conversation shows its newest state`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val conversation = nurse.client.conversation(Person("DR-1"))
        val first = CompletableDeferred<Unit>()
        val watching = async {
            nurse.client.observe(conversation).first { shown ->
                first.complete(Unit)
                shown.messages.size == 3
            }
        }
        first.await()
        repeat(3) { nurse.client.send(Person("DR-1"), "number $it") }
        assertEquals(3, withTimeout(5000) { watching.await() }.messages.size)
    }

    @Test
    fun `giving up a wait loses no change`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val view = nurse.client.follow(nurse.client.conversation(Person("DR-1")), size = 100)
        repeat(30) {
            val waiting = launch { view.changed() }
            yield()
            nurse.client.send(Person("DR-1"), "number $it")
            waiting.cancelAndJoin()
        }
        while (view.snapshot.messages.size < 30) withTimeout(5000) { view.changed() }
    }

    // scenario: live-queries
    @Test
    fun `a view ends with the lock and with the client and by itself`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val conversation = nurse.client.conversation(Person("DR-1"))
        nurse.client.send(Person("DR-1"), "shown until the lock")
        val view = nurse.client.follow(conversation)
        val other = nurse.client.follow(conversation)
        val watching = async { runCatching { nurse.client.observe(conversation).collect { } } }
        assertEquals(1, view.snapshot.messages.size)
        delay(50)
        nurse.client.lock()
        refused<LockedException> { withTimeout(5000) { view.changed() } }
        assertEquals(emptyList<Message>(), view.snapshot.messages)
        assertInstanceOf(LockedException::class.java, withTimeout(5000) { watching.await() }.exceptionOrNull())
        nurse.client.unlock(Passphrase(WORDS))
        val again = withTimeout(5000) { view.changed() }.added
        assertEquals(listOf("shown until the lock"), again.map { it.text })

        val changes = launch { other.changes().collect { } }
        val cancelled = async { runCatching { other.changed() } }
        delay(50)
        other.close()
        withTimeout(5000) { changes.join() }
        assertInstanceOf(WaitCancelledException::class.java, cancelled.await().exceptionOrNull())

        val closed = async { runCatching { view.changed() } }
        delay(50)
        nurse.client.shutdown()
        assertInstanceOf(ClosedException::class.java, withTimeout(5000) { closed.await() }.exceptionOrNull())
    }

    // scenario: cancellation
    @Test
    fun `a cancelled call is given up and the client goes on`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val last = nurse.client.eventsFrom().last().cursor
        val waiting = launch { nurse.client.nextEvents(last) }
        delay(50)
        waiting.cancelAndJoin()
        refused<TimeoutCancellationException> { withTimeout(50) { nurse.client.nextEvents(last) } }
        nurse.client.send(Person("DR-1"), "still alive")
        assertEquals(listOf("still alive"), nurse.texts("DR-1"))
    }

    // scenario: cancellation
    @Test
    fun `an enrollment that was given up is taken up again`() = onWard { ward ->
        val carrier = Carrier(ward.relay.transport())
        val memory = Memory()
        val config = ward.config("given-up", carrier, memory)
        val ticket = ward.authority.mintTicket("NS-1")
        val hung = AtomicInteger()

        suspend fun hangHere(): Nothing {
            hung.incrementAndGet()
            hang()
        }

        suspend fun giveUp(call: suspend () -> Client) {
            val before = hung.get()
            val waiting = launch { call() }
            until { hung.get() > before }
            waiting.cancelAndJoin()
        }

        suspend fun enroll() = Client.enroll(config, "NS-1", ticket, Passphrase(WORDS))

        // While the platform asks somebody for something, and while the relay does not answer.
        memory.mischief = { hangHere() }
        giveUp { enroll() }
        memory.mischief = null
        carrier.mischief = { hangHere() }
        giveUp { enroll() }
        carrier.mischief = null
        enroll().use { nurse ->
            ward.publish()
            nurse.syncOnce()
            nurse.send(Person("DR-1"), "enrolled in the end")
        }

        memory.mischief = { hangHere() }
        giveUp { Client.open(config) }
        memory.mischief = null
        Client.open(config).use { nurse ->
            nurse.unlock(Passphrase(WORDS))
            val texts = nurse.timeline(nurse.conversation(Person("DR-1"))).messages.map { it.text }
            assertEquals(listOf("enrolled in the end"), texts)
        }
    }

    @Test
    fun `cancelling reaches the transport`() = onWard { ward ->
        val carrier = Carrier(ward.relay.transport())
        val nurse = ward.enroll("NS-1", carrier)
        carrier.mischief = { hang() }
        val calls = carrier.calls.get()
        val round = launch { nurse.client.syncOnce() }
        until { carrier.calls.get() > calls }
        assertEquals(0, carrier.gaveUp.get())
        round.cancelAndJoin()
        until { carrier.gaveUp.get() == 1 }
    }

    @Test
    fun `the thread of the caller goes on during a call`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.client.lock()
        // Argon2id: were it computed on this thread, the only one here, nothing else would run until it is done.
        val unlocking = launch { nurse.client.unlock(Passphrase(WORDS)) }
        var turns = 0
        while (unlocking.isActive) {
            turns++
            yield()
        }
        assertTrue(turns > 5)
    }

    @Test
    fun `closing during calls ends them with an error or success`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.start()
        val calls = List(40) { number ->
            async(Dispatchers.Default) { runCatching { nurse.client.send(Person("DR-1"), "number $number") } }
        }
        val round = async { runCatching { nurse.client.syncOnce() } }
        delay(5)
        withTimeout(10_000) { nurse.client.shutdown() }
        val answers = withTimeout(10_000) { calls.awaitAll() + round.await() }
        for (error in answers.mapNotNull { it.exceptionOrNull() }) {
            assertInstanceOf(ClosedException::class.java, error)
        }
        val taken = answers.take(40).mapNotNull { it.getOrNull() as String? }.toSet()

        ward.reopen(nurse)
        ward.settle(nurse, doctor)
        val arrived = doctor.page("NS-1").map { it.id }
        assertTrue(arrived.containsAll(taken))
        assertEquals(arrived.size, arrived.toSet().size)
    }

    @Test
    fun `calls after close are refused`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.client.close()
        nurse.client.close()
        assertTrue(nurse.client.isClosed && nurse.client.isLocked)
        val refused = refused<ClosedException> { nurse.client.send(Person("DR-1"), "too late") }
        assertEquals("WL-CLOSED", refused.code)
        refused<ClosedException> { nurse.client.start() }
    }
}
