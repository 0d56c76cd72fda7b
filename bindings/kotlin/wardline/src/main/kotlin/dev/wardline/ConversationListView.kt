/*
 * A view that follows the list of conversations: a snapshot, then what changed.
 */
package dev.wardline

import dev.wardline.internal.conversationChange
import dev.wardline.internal.conversationSnapshot
import dev.wardline.internal.native
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import dev.wardline.ffi.CancelToken as NativeToken
import dev.wardline.ffi.ConversationListView as NativeView

/**
 * The conversations with the newest messages and the unread count of all, kept up to date, for lists that animate single
 * changes. ([Client.observeConversations] is simpler where they do not.) It goes on while locked, without previews.
 */
public class ConversationListView internal constructor(private val inside: NativeView) : AutoCloseable {
    private val closing = native { NativeToken() }

    /** What it shows now. */
    public val snapshot: ConversationListSnapshot get() = native { conversationSnapshot(inside.snapshot()) }

    /**
     * Waits until something has changed and says what. After a wait that was given up the [snapshot] has everything, and
     * the next change follows it.
     *
     * @throws ClosedException once the client is closed.
     * @throws WaitCancelledException once this view is closed.
     */
    public suspend fun changed(): ConversationListChange = native { conversationChange(inside.changed(closing)) }

    /** What changes, until the client or this view is closed; see [changed]. */
    public fun changes(): Flow<ConversationListChange> = flow { untilEnded(closing) { while (true) emit(changed()) } }

    /** Ends it. Closing twice is closing once. */
    override fun close(): Unit = native { closing.cancel() }
}
