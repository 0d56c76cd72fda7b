// The list of conversations: an app's first screen.

import Foundation
internal import WardlineFFI

/// A conversation as a list of conversations shows it.
public struct Conversation: Hashable, Sendable, Identifiable {
    /// Its id.
    public let id: String
    /// Whom it is with.
    public let recipient: Recipient
    /// How many of its messages nobody has opened.
    public let unread: Int
    /// How urgent the most urgent of those is; `nil` when all were opened.
    public let unreadPriority: Priority?
    /// Its newest message.
    public let newest: NewestMessage
    /// Whether somebody has begun to write here.
    public let hasDraft: Bool

    /// The newest message of a conversation, as a list shows it.
    public struct NewestMessage: Hashable, Sendable {
        /// Its id.
        public let id: String
        /// Its place in this device's timelines, and the conversation's place in the list.
        public let cursor: Int64
        /// Who wrote it, as the directory proves.
        public let sender: String
        /// Whether it came in, or was written here or on another device of the same person.
        public let direction: Message.Direction
        /// How urgent it is.
        public let priority: Priority
        /// When it was written, by the sender's clock.
        public let createdAt: Date
        /// When it came here, by this device's clock.
        public let arrivedAt: Date
        /// How its text begins, up to 200 characters; `nil` while locked, or when the stored text is damaged. Showing it is
        /// not an opening.
        public let preview: String?
    }
}

/// Some conversations, the one with the newest message first.
public struct ConversationPage: Hashable, Sendable {
    /// The conversations.
    public let conversations: [Conversation]
    /// Ask for the page after this one with it; `nil` at the end.
    public let before: Int64?
    /// How many messages nobody has opened, in all conversations.
    public let unread: Int
}

extension Conversation.NewestMessage: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows the id and the direction.
    public var description: String { "NewestMessage(\(id), \(direction))" }
    /// Shows the id and the direction.
    public var debugDescription: String { description }
    /// Shows the id and the direction.
    public var customMirror: Mirror { Mirror(self, children: ["id": id, "direction": direction]) }
}

extension Conversation {
    init(_ conversation: WardlineFFI.Conversation) {
        id = conversation.id
        recipient = Recipient(conversation.recipient)
        unread = Int(clamping: conversation.unread)
        unreadPriority = conversation.unreadPriority.map(Priority.init)
        newest = NewestMessage(conversation.newest)
        hasDraft = conversation.hasDraft
    }
}

extension Conversation.NewestMessage {
    init(_ message: WardlineFFI.NewestMessage) {
        id = message.id
        cursor = message.cursor
        sender = message.sender
        direction = Message.Direction(message.direction)
        priority = Priority(message.priority)
        createdAt = Date(millis: message.createdAtMs)
        arrivedAt = Date(millis: message.arrivedAtMs)
        preview = message.preview
    }
}

extension ConversationPage {
    init(_ page: WardlineFFI.ConversationPage) {
        conversations = page.conversations.map(Conversation.init)
        before = page.before
        unread = Int(clamping: page.unread)
    }
}
