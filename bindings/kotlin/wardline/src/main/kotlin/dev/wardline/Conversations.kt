/*
 * The list of conversations, as values: an app's first screen. How it is asked for and followed stands in Client.kt and
 * ConversationListView.kt; what is in a conversation, in Model.kt.
 */
package dev.wardline

import java.time.Instant

/**
 * A conversation as a list of conversations shows it.
 *
 * @property id its id.
 * @property recipient whom it is with.
 * @property unread how many of its messages nobody has opened.
 * @property unreadPriority how urgent the most urgent of those is; null when all were opened.
 * @property newest its newest message.
 * @property hasDraft whether somebody has begun to write here.
 */
public data class Conversation(
    val id: String,
    val recipient: Recipient,
    val unread: Long,
    val unreadPriority: Priority?,
    val newest: NewestMessage,
    val hasDraft: Boolean,
)

/**
 * The newest message of a conversation, as a list shows it.
 *
 * @property id its id.
 * @property cursor its place in this device's timelines, and the conversation's place in the list.
 * @property sender who wrote it, as the directory proves.
 * @property direction whether it came in, or was written here or on another device of the same person.
 * @property priority how urgent it is.
 * @property createdAt when it was written, by the sender's clock.
 * @property arrivedAt when it came here, by this device's clock.
 * @property preview how its text begins, up to 200 characters; null while locked, or when the stored text is damaged.
 *   Showing it is not an opening.
 */
public data class NewestMessage(
    val id: String,
    val cursor: Long,
    val sender: String,
    val direction: Direction,
    val priority: Priority,
    val createdAt: Instant,
    val arrivedAt: Instant,
    val preview: String?,
) {
    /** Shows ids and states, nothing of what was written. */
    override fun toString(): String = "NewestMessage(id=$id, direction=$direction, priority=$priority)"
}

/**
 * Some conversations.
 *
 * @property conversations the conversations, the one with the newest message first.
 * @property before ask for the page after this one with it; null at the end.
 * @property unread how many messages nobody has opened, in all conversations.
 */
public data class ConversationPage(val conversations: List<Conversation>, val before: Long?, val unread: Long)

/**
 * What a followed list shows.
 *
 * @property conversations the conversations, the one with the newest message first.
 * @property unread how many messages nobody has opened, in all conversations, shown here or not.
 */
public data class ConversationListSnapshot(val conversations: List<Conversation>, val unread: Long)

/**
 * What changed in a followed list. Remove, replace, add, then sort by the newest message's cursor, the greatest first:
 * that is what the snapshot shows.
 *
 * @property removed ids of conversations that are gone from the view.
 * @property updated conversations that are shown already and changed; one with a newer message has moved.
 * @property added conversations that are new in the view.
 * @property unread how many messages nobody has opened now, in all conversations.
 */
public data class ConversationListChange(
    val removed: List<String>,
    val updated: List<Conversation>,
    val added: List<Conversation>,
    val unread: Long,
)
