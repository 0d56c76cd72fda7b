/*
 * A view that follows a conversation: a snapshot, then what changed.
 */
package dev.wardline

import dev.wardline.internal.change
import dev.wardline.internal.native
import dev.wardline.internal.snapshot
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import dev.wardline.ffi.CancelToken as NativeToken
import dev.wardline.ffi.TimelineView as NativeView

/**
 * The newest messages of a conversation and its unread count, kept up to date, for lists that animate single changes.
 * ([Client.observe] is simpler where they do not.)
 */
public class TimelineView internal constructor(private val inside: NativeView) : AutoCloseable {
    private val closing = native { NativeToken() }

    /** What it shows now. */
    public val snapshot: TimelineSnapshot get() = native { snapshot(inside.snapshot()) }

    /**
     * Waits until something has changed and says what. After a wait that was given up the [snapshot] has everything, and
     * the next change follows it.
     *
     * @throws LockedException as soon as the client is locked: the view is empty then, and after the unlock the next
     *   change brings everything.
     * @throws ClosedException once the client is closed.
     * @throws WaitCancelledException once this view is closed.
     */
    public suspend fun changed(): TimelineChange = native { change(inside.changed(closing)) }

    /** What changes, until the client or this view is closed; see [changed]. */
    public fun changes(): Flow<TimelineChange> = flow { untilEnded(closing) { while (true) emit(changed()) } }

    /** Ends it. Closing twice is closing once. */
    override fun close(): Unit = native { closing.cancel() }
}

/** Runs until the client or the view is closed. */
internal suspend inline fun untilEnded(closing: NativeToken, work: () -> Unit) {
    try {
        untilClosed(work)
    } catch (cancelled: WaitCancelledException) {
        if (!native { closing.isCancelled() }) throw cancelled
    }
}
