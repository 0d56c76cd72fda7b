/*
 * A ward in a box, for tests of apps: a relay in the process.
 *
 * Its clock stands in TestClock.kt, its failing network in FaultyNetwork.kt. That this class is there is also how the
 * library knows that it may load the native library of this package.
 */
package dev.wardline.testing

import dev.wardline.Transport
import dev.wardline.internal.NativeTransport
import dev.wardline.internal.native
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.io.File
import dev.wardline.ffi.TestRelay as NativeRelay

/** A relay in this process, reachable without a socket, and on one when asked. */
public class TestRelay private constructor(private val inside: NativeRelay) : AutoCloseable {
    /** A transport to it, without a socket. */
    public fun transport(): Transport = native { NativeTransport(inside.transport()) }

    /**
     * Puts it on a port of this machine (0 takes a free one) and returns its address, so that apps in other processes can
     * join.
     */
    public suspend fun listen(port: Int = 0): String = native { inside.listen(port.toUShort()) }

    /** Deletes what is too old by its clock now; by itself it does so once a minute. */
    public suspend fun sweep(): Unit = native { inside.sweep() }

    /** Releases what is held and due by its clock now; by itself it does so within a second of the system's time. */
    public suspend fun releaseDue(): Unit = native { inside.releaseDue() }

    /**
     * Waits for the next wake-up that it hands to its push gateway, which keeps all of them. A device in a long poll is
     * woken only when it has not acknowledged what came after 3 s.
     */
    public suspend fun nextWakeUp(): WakeUp = native { inside.nextWakeUp().run { WakeUp(token, topic, wakeClass) } }

    /** Its metrics, as OpenMetrics text. */
    public fun metrics(): String = native { inside.metrics() }

    /** Answers every waiting poll, finishes what was begun and closes. */
    public suspend fun stop(): Unit = withContext(NonCancellable) { native { inside.stop() } }

    /** [stop] for `use`: blocks the thread. */
    override fun close(): Unit = runBlocking { stop() }

    /** How a relay comes to be. */
    public companion object {
        /** Opens a relay of this name on a folder, for the organizations of these root documents. */
        public suspend fun open(
            folder: File,
            name: String,
            rootDocuments: List<String>,
            clock: TestClock? = null,
        ): TestRelay = native {
            TestRelay(NativeRelay.open(folder.path, name, rootDocuments, clock?.inside))
        }
    }
}

/**
 * What a push gateway is told: which device to wake and how loudly, and nothing else.
 *
 * @property token the device, as the push service knows it.
 * @property topic which push service and which app the token is of.
 * @property wakeClass `silent`, `alert` or `critical`.
 */
public data class WakeUp(val token: String, val topic: String, val wakeClass: String)
