/*
 * A device in a process that only shows notifications: it receives, and cannot read.
 */
package dev.wardline

import dev.wardline.internal.collected
import dev.wardline.internal.lowered
import dev.wardline.internal.millis
import dev.wardline.internal.native
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.time.Duration
import java.time.Instant
import dev.wardline.ffi.Inbox as NativeInbox

/**
 * A device opened with the inbox key alone, for a worker that shows notifications.
 *
 * It may run beside the app's [Client] on the same folder, in another process or in the same one, and is opened with the
 * same [Config]. There is no way to unlock it. Every method may be called from any thread and any coroutine.
 *
 * Java callers: [dev.wardline.future.FutureInbox].
 */
public class Inbox internal constructor(private val inside: NativeInbox) : AutoCloseable {
    /** The person this device belongs to. */
    public val user: String get() = native { inside.user() }

    /** This device. */
    public val device: String get() = native { inside.device() }

    /**
     * Takes what waits at the relay, tells the senders that it is on this device, and returns what nobody was told of
     * yet. Ends [within] this time, whatever the network does.
     *
     * A notice comes again, in whatever process, until [shown] names it, a person reads the message, or the app confirms
     * its event. What goes wrong on the line is in the answer.
     *
     * @throws RelayException when the organization has revoked this device.
     */
    public suspend fun collect(within: Duration): Collected = native {
        collected(inside.collect(millis("within", within), null))
    }

    /**
     * Notes that notifications of these messages, by their references, were shown: they do not come again. The messages
     * stay unread, and nobody is told.
     */
    public suspend fun shown(references: List<String>): Unit = native { inside.shown(references) }

    /** Finishes what is being written and lets go of every file, so that the system may suspend the process. */
    public suspend fun suspend(): Unit = native { inside.suspend() }

    /** Takes up the files again after [suspend]. */
    public suspend fun resume(): Unit = native { inside.resume() }

    /**
     * Finishes what is being written, closes the store and lets go of the transport and the key store. It is carried to
     * its end also when the coroutine is cancelled. Closing twice is closing once.
     */
    public suspend fun shutdown(): Unit = withContext(NonCancellable) {
        try {
            native { inside.shutdown() }
        } catch (_: ClosedException) {
            // The library was stopped before, because the process ends: nothing is open any more.
        }
    }

    /** [shutdown] for `use` and try-with-resources: blocks the thread, usually for some milliseconds. */
    override fun close(): Unit = runBlocking { shutdown() }

    /** Whether it was closed. */
    public val isClosed: Boolean get() = native { inside.isShutDown() }

    /** Shows whether it is open, and not whose it is. */
    override fun toString(): String = if (isClosed) "Inbox(closed)" else "Inbox(open)"

    /** How an inbox comes to be. */
    public companion object {
        /**
         * Opens a device that was enrolled in this folder, with the inbox key alone.
         *
         * @throws EnrollmentException when there is no device in the folder.
         */
        @JvmSynthetic
        public suspend fun open(config: Config): Inbox = native {
            Inbox(NativeInbox.open(config.lowered(), config.transport.lowered(), config.keyStore.lowered()))
        }
    }
}

/**
 * What an inbox has to tell.
 *
 * @property notices the messages nobody was told of yet, also those of earlier calls and processes: the most urgent
 *   first.
 * @property complete everything that waited is here, and every sender was told.
 * @property failure the stable code of why not, such as `WL-NET-UNREACHABLE`; null when it was the deadline.
 */
public data class Collected(val notices: List<Notice>, val complete: Boolean, val failure: String?)

/**
 * A message that came and that nobody was told of yet: what a notification is made from. It never has a text.
 *
 * @property reference the message's reference; [Client.message] takes it. Not for the notification: it tells who writes
 *   how often.
 * @property tag names the notification towards the platform: random, the same whenever this notice comes again.
 * @property tier how urgent it is.
 * @property arrivedAt when it came here, by this device's clock.
 * @property conversation its conversation, to group by; only where the policy allows the sender.
 * @property sender who wrote it; only where the policy allows it and the directory proves it.
 * @property round 0 when it has just come; then how often it was repeated, because nobody has accepted a stat message.
 */
public data class Notice(
    val reference: String,
    val tag: String,
    val tier: Priority,
    val arrivedAt: Instant,
    val conversation: String?,
    val sender: NoticeSender?,
    val round: Long,
) {
    /** Shows the reference and the tier, and nobody's name. */
    override fun toString(): String = "Notice(reference=$reference, tier=$tier)"
}

/**
 * The author of a message, as the directory has them.
 *
 * @property user the person.
 * @property displayName their name.
 */
public data class NoticeSender(val user: String, val displayName: String) {
    /** Shows nobody's name. */
    override fun toString(): String = "NoticeSender"
}
