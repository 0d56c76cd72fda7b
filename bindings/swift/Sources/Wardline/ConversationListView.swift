// The list of conversations, followed: a snapshot, then what changed.

internal import WardlineFFI

/// The conversations with the newest messages and the unread count of all, kept up to date until the last reference goes.
///
/// It goes on while locked, without previews: those come with the unlock and go with the lock.
public final class ConversationListView: Sendable {
    private let inside: WardlineFFI.ConversationListView

    init(_ inside: WardlineFFI.ConversationListView) {
        self.inside = inside
    }

    /// What the view shows now.
    public var snapshot: Snapshot {
        let snapshot = inside.snapshot()
        return Snapshot(
            conversations: snapshot.conversations.map(Conversation.init), unread: Int(clamping: snapshot.unread))
    }

    /// Waits until something in the view has changed and says what. Cancelling the task ends the wait; no change is lost:
    /// the snapshot has everything, and the next change follows it.
    ///
    /// Throws the cause ``WardlineError/Cause/closed`` once the client is closed.
    public func nextChange() async throws -> Change {
        Change(try await wait { try await inside.changed(cancel: $0) })
    }

    /// Every change, until the client is closed. It throws when the task is cancelled.
    public var changes: Changes { Changes(view: self) }

    /// What a view shows.
    public struct Snapshot: Hashable, Sendable {
        /// The conversations, the one with the newest message first.
        public let conversations: [Conversation]
        /// How many messages nobody has opened, in all conversations, shown here or not.
        public let unread: Int
    }

    /// What changed since the last look. Remove, replace, add, then sort by the newest message's cursor, the greatest
    /// first: that is what the snapshot shows.
    public struct Change: Hashable, Sendable {
        /// Ids of conversations that are gone from the view.
        public let removed: [String]
        /// Conversations that are shown already and changed; one with a newer message has moved.
        public let updated: [Conversation]
        /// Conversations that are new in the view.
        public let added: [Conversation]
        /// How many messages nobody has opened now, in all conversations.
        public let unread: Int
    }

    /// The changes of a view, as an asynchronous sequence.
    public struct Changes: AsyncSequence, AsyncIteratorProtocol, Sendable {
        public typealias Element = Change

        let view: ConversationListView

        public func makeAsyncIterator() -> Changes { self }

        public func next() async throws -> Change? {
            do {
                return try await view.nextChange()
            } catch let error as WardlineError where error.cause == .closed {
                return nil
            }
        }
    }
}

extension ConversationListView.Change {
    init(_ change: WardlineFFI.ConversationListChange) {
        removed = change.removed
        updated = change.updated.map(Conversation.init)
        added = change.added.map(Conversation.init)
        unread = Int(clamping: change.unread)
    }
}
