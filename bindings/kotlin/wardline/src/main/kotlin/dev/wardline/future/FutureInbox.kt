/*
 * An inbox for Java: what suspends in Kotlin is a CompletableFuture here. The contract of each method stands at Inbox.
 */
package dev.wardline.future

import dev.wardline.Collected
import dev.wardline.Config
import dev.wardline.Inbox
import java.time.Duration
import java.util.concurrent.CompletableFuture

/**
 * [Inbox] for Java callers. Futures complete on a thread of the default dispatcher.
 *
 * @property inbox the inbox that does the work.
 */
public class FutureInbox(public val inbox: Inbox) : AutoCloseable {
    /** The person this device belongs to. */
    public val user: String get() = inbox.user

    /** This device. */
    public val device: String get() = inbox.device

    /** Whether it was closed. */
    public val isClosed: Boolean get() = inbox.isClosed

    /** See [Inbox.collect]. */
    public fun collect(within: Duration): CompletableFuture<Collected> = later { inbox.collect(within) }

    /** See [Inbox.shown]. */
    public fun shown(references: List<String>): CompletableFuture<Void?> = done { inbox.shown(references) }

    /** See [Inbox.suspend]. */
    public fun suspend(): CompletableFuture<Void?> = done { inbox.suspend() }

    /** See [Inbox.resume]. */
    public fun resume(): CompletableFuture<Void?> = done { inbox.resume() }

    /** See [Inbox.shutdown]. */
    public fun shutdown(): CompletableFuture<Void?> = done { inbox.shutdown() }

    /** [shutdown] for try-with-resources: blocks the thread, usually for some milliseconds. */
    override fun close(): Unit = inbox.close()

    /** How an inbox comes to be. */
    public companion object {
        /** See [Inbox.open]. */
        @JvmStatic
        public fun open(config: Config): CompletableFuture<FutureInbox> = later { FutureInbox(Inbox.open(config)) }
    }
}
