/*
 * What the host brings, kept at arm's length: whatever it throws becomes a typed error of the library.
 *
 * The generated code catches exceptions only, and starts callbacks on threads that must not block. So everything of the
 * host runs on `Dispatchers.IO`, and everything it throws, errors included, is caught here.
 */
package dev.wardline.internal

import dev.wardline.Interrupted
import dev.wardline.KeyPurpose
import dev.wardline.KeyStore
import dev.wardline.KeyStoreProblem
import dev.wardline.KeyStoreRefusal
import dev.wardline.LogLevel
import dev.wardline.LogRecord
import dev.wardline.LogSink
import dev.wardline.Refused
import dev.wardline.RelayRequest
import dev.wardline.RelayResponse
import dev.wardline.TooLarge
import dev.wardline.Transport
import dev.wardline.Unreachable
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withContext
import java.time.Instant
import dev.wardline.ffi.KeyPurpose as NativePurpose
import dev.wardline.ffi.KeyStore as NativeKeys
import dev.wardline.ffi.KeyStoreException as NativeRefusal
import dev.wardline.ffi.LogRecord as NativeRecord
import dev.wardline.ffi.LogSink as NativeSink
import dev.wardline.ffi.LogSinkException as NativeSinkFailure
import dev.wardline.ffi.RelayRequest as NativeRequest
import dev.wardline.ffi.RelayResponse as NativeResponse
import dev.wardline.ffi.SecretBytes as NativeSecret
import dev.wardline.ffi.Transport as NativeLine
import dev.wardline.ffi.TransportException as NativeFailure

/** What the library is given for a transport. A built-in one is not called through Kotlin. */
internal fun Transport.lowered(): NativeLine = if (this is NativeTransport) inside else TransportAdapter(this)

/** What the library is given for a key store. */
internal fun KeyStore.lowered(): NativeKeys = if (this is NativeKeyStore) inside else KeyStoreAdapter(this)

private class TransportAdapter(private val transport: Transport) : NativeLine {
    override suspend fun call(request: NativeRequest): NativeResponse = host(::failure) {
        val answer = transport.call(request(request))
        NativeResponse(status(answer.status), answer.body)
    }

    private fun failure(error: Throwable): Exception = when (error) {
        is Unreachable -> NativeFailure.Unreachable()
        is Interrupted -> NativeFailure.Interrupted()
        is TooLarge -> NativeFailure.TooLarge()
        is Refused -> NativeFailure.Refused()
        else -> {
            LogAdapter.fault("the transport", error)
            NativeFailure.Interrupted()
        }
    }
}

private class KeyStoreAdapter(private val keys: KeyStore) : NativeKeys {
    override suspend fun wrap(purpose: NativePurpose, secret: NativeSecret): ByteArray = host(::refusal) {
        val bytes = secret.use { it.copy() }
        try {
            keys.wrap(KeyPurpose.valueOf(purpose.name), bytes)
        } finally {
            bytes.fill(0)
        }
    }

    override suspend fun unwrap(purpose: NativePurpose, wrapped: ByteArray): NativeSecret = host(::refusal) {
        val bytes = keys.unwrap(KeyPurpose.valueOf(purpose.name), wrapped)
        try {
            lent(bytes) { NativeSecret(it) }
        } finally {
            bytes.fill(0)
        }
    }

    override suspend fun erase(purpose: NativePurpose) = host(::refusal) {
        keys.erase(KeyPurpose.valueOf(purpose.name))
    }

    override suspend fun attempts(): UInt = host(::refusal) { counted(keys.attempts()) }

    override suspend fun countAttempt(): UInt = host(::refusal) { counted(keys.countAttempt()) }

    override suspend fun resetAttempts() = host(::refusal) { keys.resetAttempts() }

    private fun counted(attempts: Int): UInt {
        require(attempts >= 0) { "a negative number of attempts" }
        return attempts.toUInt()
    }

    private fun refusal(error: Throwable): Exception {
        if (error !is KeyStoreRefusal) {
            LogAdapter.fault("the key store", error)
            return NativeRefusal.Failed(0)
        }
        return when (error.problem) {
            KeyStoreProblem.REFUSED -> NativeRefusal.Refused()
            KeyStoreProblem.DISMISSED -> NativeRefusal.Dismissed()
            KeyStoreProblem.UNAVAILABLE -> NativeRefusal.Unavailable()
            KeyStoreProblem.NOT_MINE -> NativeRefusal.NotMine()
            KeyStoreProblem.FAILED -> NativeRefusal.Failed(error.status)
        }
    }
}

/** Hands the log over, and tells it what goes wrong in the host's own code. */
internal class LogAdapter(private val sink: LogSink) : NativeSink {
    override fun log(records: List<NativeRecord>, lost: ULong) {
        try {
            val lines = records.map { LogRecord(time(it.atMs), LogLevel.valueOf(it.level.name), it.target, it.text) }
            sink.log(lines, lost.toLong())
        } catch (_: Throwable) {
            throw NativeSinkFailure.Failed()
        }
    }

    companion object {
        @Volatile
        var faults: LogSink? = null

        /** The class alone: what the message says may be a secret of the host. */
        fun fault(what: String, error: Throwable) {
            val text = "$what threw ${error.javaClass.name}"
            try {
                faults?.log(listOf(LogRecord(Instant.now(), LogLevel.WARN, "wardline::host", text)), 0)
            } catch (_: Throwable) {
                // Nobody is left to tell.
            }
        }
    }
}

/** Runs the host's code where it may block. */
internal suspend fun <T> host(failure: (Throwable) -> Exception, work: suspend () -> T): T = withContext(Dispatchers.IO) {
    try {
        work()
    } catch (error: Throwable) {
        // When the library gave it up, that is why; otherwise the host's code was cancelled by itself.
        if (error is CancellationException) currentCoroutineContext().ensureActive()
        throw failure(error)
    }
}

/** A transport that is built into the native library. */
internal class NativeTransport(val inside: NativeLine) : Transport {
    override suspend fun call(request: RelayRequest): RelayResponse = try {
        val answer = native { inside.call(request.lowered()) }
        RelayResponse(answer.status.toInt(), answer.body)
    } catch (failure: NativeFailure) {
        throw when (failure) {
            is NativeFailure.Unreachable -> Unreachable()
            is NativeFailure.Interrupted -> Interrupted()
            is NativeFailure.TooLarge -> TooLarge()
            is NativeFailure.Refused -> Refused()
        }
    }
}

/** A key store that is built into the native library. */
internal class NativeKeyStore(val inside: NativeKeys) : KeyStore {
    override suspend fun wrap(purpose: KeyPurpose, secret: ByteArray): ByteArray = refusing {
        lent(secret) { NativeSecret(it) }.use { inside.wrap(NativePurpose.valueOf(purpose.name), it) }
    }

    override suspend fun unwrap(purpose: KeyPurpose, wrapped: ByteArray): ByteArray = refusing {
        inside.unwrap(NativePurpose.valueOf(purpose.name), wrapped).use { it.copy() }
    }

    override suspend fun erase(purpose: KeyPurpose): Unit = refusing { inside.erase(NativePurpose.valueOf(purpose.name)) }

    override suspend fun attempts(): Int = refusing { inside.attempts().toInt() }

    override suspend fun countAttempt(): Int = refusing { inside.countAttempt().toInt() }

    override suspend fun resetAttempts(): Unit = refusing { inside.resetAttempts() }

    private inline fun <T> refusing(call: () -> T): T = try {
        native(call)
    } catch (refusal: NativeRefusal) {
        throw when (refusal) {
            is NativeRefusal.Refused -> KeyStoreRefusal(KeyStoreProblem.REFUSED)
            is NativeRefusal.Dismissed -> KeyStoreRefusal(KeyStoreProblem.DISMISSED)
            is NativeRefusal.Unavailable -> KeyStoreRefusal(KeyStoreProblem.UNAVAILABLE)
            is NativeRefusal.NotMine -> KeyStoreRefusal(KeyStoreProblem.NOT_MINE)
            is NativeRefusal.Failed -> KeyStoreRefusal(KeyStoreProblem.FAILED, refusal.status)
        }
    }
}
