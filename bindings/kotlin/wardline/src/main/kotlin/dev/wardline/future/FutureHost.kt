/*
 * What the host brings, written in Java: a transport and a key store whose methods return futures.
 */
package dev.wardline.future

import dev.wardline.KeyPurpose
import dev.wardline.KeyStore
import dev.wardline.RelayRequest
import dev.wardline.RelayResponse
import dev.wardline.Transport
import kotlinx.coroutines.future.await
import java.util.concurrent.CompletionStage

/**
 * A [Transport] for Java. When the library gives a call up, the future is cancelled if it is a `CompletableFuture`. It
 * fails with a [dev.wardline.TransportFailure]; every other failure is a lost connection.
 */
public fun interface FutureTransport {
    /** See [Transport.call]. */
    public fun call(request: RelayRequest): CompletionStage<RelayResponse>

    /** What a [dev.wardline.Config] takes. */
    public fun asTransport(): Transport = Transport { request -> call(request).await() }
}

/** A [KeyStore] for Java. Its calls may block and return what they have; they throw [dev.wardline.KeyStoreRefusal]. */
public interface BlockingKeyStore {
    /** See [KeyStore.wrap]. */
    public fun wrap(purpose: KeyPurpose, secret: ByteArray): ByteArray

    /** See [KeyStore.unwrap]. */
    public fun unwrap(purpose: KeyPurpose, wrapped: ByteArray): ByteArray

    /** See [KeyStore.erase]. */
    public fun erase(purpose: KeyPurpose)

    /** See [KeyStore.attempts]. */
    public fun attempts(): Int

    /** See [KeyStore.countAttempt]. */
    public fun countAttempt(): Int

    /** See [KeyStore.resetAttempts]. */
    public fun resetAttempts()

    /** What a [dev.wardline.Config] takes. */
    public fun asKeyStore(): KeyStore = Blocking(this)
}

private class Blocking(private val keys: BlockingKeyStore) : KeyStore {
    override suspend fun wrap(purpose: KeyPurpose, secret: ByteArray): ByteArray = keys.wrap(purpose, secret)

    override suspend fun unwrap(purpose: KeyPurpose, wrapped: ByteArray): ByteArray = keys.unwrap(purpose, wrapped)

    override suspend fun erase(purpose: KeyPurpose): Unit = keys.erase(purpose)

    override suspend fun attempts(): Int = keys.attempts()

    override suspend fun countAttempt(): Int = keys.countAttempt()

    override suspend fun resetAttempts(): Unit = keys.resetAttempts()
}
