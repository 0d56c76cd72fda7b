/*
 * What the host brings, written in Kotlin: well behaved, throwing, hanging, answering nonsense.
 */
package dev.wardline

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.delay
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource
import java.lang.ref.WeakReference

class HostTest {
    // scenario: foreign-transport, foreign-key-store
    @Test
    fun `a transport and a key store in Kotlin carry a message`() = onWard { ward ->
        val carrier = Carrier(ward.relay.transport())
        val nurse = ward.enroll("NS-1", carrier, Memory())
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), "carried by Kotlin")
        ward.settle(nurse, doctor)
        assertEquals(listOf("carried by Kotlin"), doctor.texts("NS-1"))
        assertTrue(carrier.calls.get() > 3)
        ward.reopen(nurse)
        assertEquals(0, nurse.client.unlock(Passphrase(WORDS)))
        assertEquals(listOf("carried by Kotlin"), nurse.texts("DR-1"))
    }

    enum class Mischief(val code: String, val does: suspend () -> RelayResponse) {
        THROWS("WL-NET-INTERRUPTED", { throw IllegalStateException("no such cable") }),
        RUNS_OUT_OF_STACK("WL-NET-INTERRUPTED", { throw StackOverflowError() }),
        IS_NOT_WRITTEN_YET("WL-NET-INTERRUPTED", { TODO() }),
        CANCELS_ITSELF("WL-NET-INTERRUPTED", { throw CancellationException("on a whim") }),
        IS_UNPLUGGED("WL-NET-UNREACHABLE", { throw Unreachable() }),
        LOSES_THE_ANSWER("WL-NET-INTERRUPTED", { throw Interrupted() }),
        ANSWERS_AN_IMPOSSIBLE_STATUS("WL-NET-INTERRUPTED", { RelayResponse(999_999, ByteArray(0)) }),
        ANSWERS_GARBAGE("WL-NET-BAD-ANSWER", { RelayResponse(200, ByteArray(40) { -1 }) }),
        HANGS("WL-NET-INTERRUPTED", { hang() }),
        BLOCKS("WL-NET-INTERRUPTED", { Thread.sleep(1500); throw Unreachable() }),
    }

    // scenario: foreign-transport
    @ParameterizedTest
    @EnumSource
    fun `whatever a transport does is a network error`(mischief: Mischief) = onWard { ward ->
        val carrier = Carrier(ward.relay.transport())
        val nurse = ward.enroll("NS-1", carrier) { it.copy(transportTimeout = SHORT) }
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), "in spite of it")
        carrier.mischief = mischief.does
        assertEquals(mischief.code, refused<NetworkException> { nurse.client.syncOnce() }.code)
        if (mischief == Mischief.HANGS) until { carrier.gaveUp.get() == 1 }
        carrier.mischief = null
        ward.settle(nurse, doctor)
        assertEquals(listOf("in spite of it"), doctor.texts("NS-1"))
    }

    // scenario: foreign-key-store
    @Test
    fun `a key store that refuses is an error with its cause`() = onWard { ward ->
        val memory = Memory()
        val nurse = ward.enroll("NS-1", keyStore = memory) { it.copy(keyStoreTimeout = SHORT) }
        val mischief = listOf<Pair<Throwable, String>>(
            KeyStoreRefusal(KeyStoreProblem.DISMISSED) to "WL-VAULT-HOST-CANCELLED",
            KeyStoreRefusal(KeyStoreProblem.REFUSED) to "WL-VAULT-HOST-REFUSED",
            KeyStoreRefusal(KeyStoreProblem.UNAVAILABLE) to "WL-VAULT-HOST-UNAVAILABLE",
            KeyStoreRefusal(KeyStoreProblem.NOT_MINE) to "WL-VAULT-HOST-NOT-MINE",
            KeyStoreRefusal(KeyStoreProblem.FAILED, -25300) to "WL-VAULT-HOST-FAILED",
            IllegalStateException("no enclave") to "WL-VAULT-HOST-FAILED",
            NoClassDefFoundError("android/security") to "WL-VAULT-HOST-FAILED",
        )
        for ((thrown, code) in mischief) {
            memory.mischief = { throw thrown }
            val refused = refused<KeyStoreException> { ward.reopen(nurse) }
            assertEquals(code, refused.code)
            if (thrown is KeyStoreRefusal && thrown.status != 0) assertEquals(-25300, refused.status)
        }
        memory.mischief = { hang() }
        assertEquals("WL-VAULT-HOST-UNAVAILABLE", refused<KeyStoreException> { ward.reopen(nurse) }.code)
        memory.mischief = null
        ward.reopen(nurse)
        assertTrue(nurse.client.isLocked)
    }

    @Test
    fun `a key store that returns another key opens nothing`() = onWard { ward ->
        val memory = Memory()
        val nurse = ward.enroll("NS-1", keyStore = memory)
        memory.keys[KeyPurpose.INBOX] = Memory.random()
        val refused = refused<WardlineException> { ward.reopen(nurse) }
        assertTrue(refused.code.startsWith("WL-VAULT") || refused.code.startsWith("WL-STORE")) { refused.code }
    }

    @Test
    fun `closing lets go of what the host brought`() = onWard { ward ->
        val gone = openAndClose(ward)
        until {
            System.gc()
            gone.all { it.get() == null }
        }
    }

    private suspend fun openAndClose(ward: Ward): List<WeakReference<*>> {
        val carrier = Carrier(ward.relay.transport())
        val memory = Memory()
        val config = ward.config("alone", carrier, memory)
        val client = Client.enroll(config, "NS-1", ward.authority.mintTicket("NS-1"), Passphrase(WORDS))
        client.start()
        delay(100)
        client.shutdown()
        return listOf(WeakReference(carrier), WeakReference(memory))
    }

    @Test
    fun `a client that is only dropped lets go as well`() = onWard { ward ->
        val gone = openAndDrop(ward)
        until {
            System.gc()
            gone.get() == null
        }
    }

    private suspend fun openAndDrop(ward: Ward): WeakReference<*> {
        val carrier = Carrier(ward.relay.transport())
        val config = ward.config("dropped", carrier)
        Client.enroll(config, "NS-1", ward.authority.mintTicket("NS-1"), Passphrase(WORDS)).start()
        return WeakReference(carrier)
    }

    @Test
    fun `a host may carry the calls itself`() = onWard { ward ->
        val doctor = ward.enroll("DR-1")
        val nurse = ward.enroll("NS-1")
        nurse.client.send(Person("DR-1"), "in the background")
        val line = ward.relay.transport()
        repeat(12) {
            for (pending in nurse.client.pendingRequests()) {
                nurse.client.complete(pending.id, line.call(pending.request))
            }
        }
        ward.settle(doctor)
        assertEquals(listOf("in the background"), doctor.texts("NS-1"))
    }
}
