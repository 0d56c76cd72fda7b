/*
 * A view that follows what is open: what waits for this person, or what this person waits for.
 */
package dev.wardline

import dev.wardline.internal.lowered
import dev.wardline.internal.messages
import dev.wardline.internal.native
import dev.wardline.internal.number
import dev.wardline.internal.openItemsChange
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import dev.wardline.ffi.CancelToken as NativeToken
import dev.wardline.ffi.OpenItemsView as NativeView

/**
 * The most urgent open messages of a kind, kept up to date, for lists that animate single changes. ([observeOpenItems] is
 * simpler where they do not.)
 */
public class OpenItemsView internal constructor(private val inside: NativeView) : AutoCloseable {
    private val closing = native { NativeToken() }

    /** What it shows now, the most urgent first, then by deadlines. Nothing while the client is locked. */
    public val snapshot: List<Message> get() = native { messages(inside.snapshot()) }

    /**
     * Waits until something has changed and says what. After a wait that was given up the [snapshot] has everything, and
     * the next change follows it.
     *
     * @throws LockedException as soon as the client is locked: the view is empty then, and after the unlock the next
     *   change brings everything.
     * @throws ClosedException once the client is closed.
     * @throws WaitCancelledException once this view is closed.
     */
    public suspend fun changed(): OpenItemsChange = native { openItemsChange(inside.changed(closing)) }

    /** What changes, until the client or this view is closed; see [changed]. */
    public fun changes(): Flow<OpenItemsChange> = flow { untilEnded(closing) { while (true) emit(changed()) } }

    /** Ends it. Closing twice is closing once. */
    override fun close(): Unit = native { closing.cancel() }
}

/**
 * What changed in a followed list of open messages. The snapshot has them in their order.
 *
 * @property removed references of messages that are not open any more, or have made room for more urgent ones.
 * @property updated messages that are shown already and changed (read, for example).
 * @property added messages that are new in the view.
 */
public data class OpenItemsChange(
    val removed: List<String>,
    val updated: List<Message>,
    val added: List<Message>,
)

/**
 * Follows the first [size] of [Client.openItems]: a list of open stat messages, say. Those that are overdue come when the
 * event [AnswerOverdue] does. Close the view when it is no longer shown.
 */
public suspend fun Client.followOpenItems(which: OpenItems, size: Int = 50): OpenItemsView = native {
    OpenItemsView(inside.followOpenItems(which.lowered(), number("size", size)))
}

/**
 * The first [size] of [Client.openItems]: what they are now, and again whenever they change.
 *
 * A slow collector misses intermediate states, never the last one. The flow ends when the client is closed, and with
 * [LockedException] as soon as the client is locked: clear the screen, and collect again after [Client.unlock].
 */
public fun Client.observeOpenItems(which: OpenItems, size: Int = 50): Flow<List<Message>> = flow {
    untilClosed {
        followOpenItems(which, size).use { view ->
            while (true) {
                emit(view.snapshot)
                view.changed()
            }
        }
    }
}
