/*
 * What a host brings, written in Kotlin, and told to misbehave.
 */
package dev.wardline

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.awaitCancellation
import java.security.SecureRandom
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger
import kotlin.experimental.xor

/** Carries calls to a relay, and can be told to misbehave. */
class Carrier(private val behind: Transport) : Transport {
    val calls = AtomicInteger()
    val gaveUp = AtomicInteger()

    @Volatile
    var mischief: (suspend () -> RelayResponse)? = null

    override suspend fun call(request: RelayRequest): RelayResponse {
        calls.incrementAndGet()
        val mischief = mischief ?: return behind.call(request)
        try {
            return mischief()
        } catch (cancelled: CancellationException) {
            gaveUp.incrementAndGet()
            throw cancelled
        }
    }
}

/** A key store in memory. Its wrapping hides nothing: it is for tests. */
class Memory : KeyStore {
    val keys = ConcurrentHashMap<KeyPurpose, ByteArray>()
    private val count = AtomicInteger()

    @Volatile
    var mischief: (suspend () -> Unit)? = null

    override suspend fun wrap(purpose: KeyPurpose, secret: ByteArray): ByteArray = mix(purpose, secret)

    override suspend fun unwrap(purpose: KeyPurpose, wrapped: ByteArray): ByteArray = mix(purpose, wrapped)

    override suspend fun erase(purpose: KeyPurpose) {
        keys.remove(purpose)
    }

    override suspend fun attempts(): Int = count.get()

    override suspend fun countAttempt(): Int = count.incrementAndGet()

    override suspend fun resetAttempts() = count.set(0)

    private suspend fun mix(purpose: KeyPurpose, data: ByteArray): ByteArray {
        mischief?.invoke()
        val key = keys.getOrPut(purpose, ::random)
        return ByteArray(data.size) { data[it] xor key[it % key.size] }
    }

    companion object {
        fun random(): ByteArray = ByteArray(32).also(SecureRandom()::nextBytes)
    }
}

suspend fun hang(): Nothing = awaitCancellation()
