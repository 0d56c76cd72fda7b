// A conversation that is followed: a snapshot, then what changed.

internal import WardlineFFI

/// The newest messages of a conversation and its unread count, kept up to date until the last reference goes.
public final class TimelineView: Sendable {
    private let inside: WardlineFFI.TimelineView

    init(_ inside: WardlineFFI.TimelineView) {
        self.inside = inside
    }

    /// What the view shows now.
    public var snapshot: Snapshot {
        let snapshot = inside.snapshot()
        return Snapshot(messages: snapshot.messages.map(Message.init), unread: Int(clamping: snapshot.unread))
    }

    /// Waits until something in the view has changed and says what. Cancelling the task ends the wait; no change is lost:
    /// the snapshot has everything, and the next change follows it.
    ///
    /// Throws the cause ``WardlineError/Cause/locked`` as soon as the client is locked: the view is empty then, and after
    /// the unlock the next change brings everything. Throws ``WardlineError/Cause/closed`` once the client is closed.
    public func nextChange() async throws -> Change {
        Change(try await wait { try await inside.changed(cancel: $0) })
    }

    /// Every change, until the client is closed. It throws once the client is locked, or the task is cancelled.
    public var changes: Changes { Changes(view: self) }

    /// What a view shows.
    public struct Snapshot: Hashable, Sendable {
        /// The messages, oldest first.
        public let messages: [Message]
        /// How many messages of the conversation nobody has opened.
        public let unread: Int
    }

    /// What changed since the last look, in the order to apply it.
    public struct Change: Hashable, Sendable {
        /// References of messages that are gone from the view.
        public let removed: [String]
        /// Messages that are shown already and changed (read, for example).
        public let updated: [Message]
        /// Messages that are new at the end.
        public let added: [Message]
        /// The unread count now.
        public let unread: Int
    }

    /// The changes of a view, as an asynchronous sequence.
    public struct Changes: AsyncSequence, AsyncIteratorProtocol, Sendable {
        public typealias Element = Change

        let view: TimelineView

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

extension TimelineView.Change {
    init(_ change: WardlineFFI.TimelineChange) {
        removed = change.removed
        updated = change.updated.map(Message.init)
        added = change.added.map(Message.init)
        unread = Int(clamping: change.unread)
    }
}
