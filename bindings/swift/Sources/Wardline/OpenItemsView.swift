// What is open, followed: a snapshot, then what changed.

internal import WardlineFFI

/// The most urgent open messages of a kind, kept up to date until the last reference goes.
public final class OpenItemsView: Sendable {
    private let inside: WardlineFFI.OpenItemsView

    init(_ inside: WardlineFFI.OpenItemsView) {
        self.inside = inside
    }

    /// What the view shows now, the most urgent first, then by deadlines. Nothing while the client is locked.
    public var snapshot: [Message] { inside.snapshot().map(Message.init) }

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

    /// What changed since the last look. The snapshot has the messages in their order.
    public struct Change: Hashable, Sendable {
        /// References of messages that are not open any more, or have made room for more urgent ones.
        public let removed: [String]
        /// Messages that are shown already and changed (read, for example).
        public let updated: [Message]
        /// Messages that are new in the view.
        public let added: [Message]
    }

    /// The changes of a view, as an asynchronous sequence.
    public struct Changes: AsyncSequence, AsyncIteratorProtocol, Sendable {
        public typealias Element = Change

        let view: OpenItemsView

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

extension Client {
    /// Follows the first `size` of ``openItems(_:limit:)``: a list of open stat messages, say. Those that are overdue come
    /// when the event ``Event/Kind/answerOverdue(reference:conversation:)`` does.
    public func followOpenItems(_ which: OpenItems, size: Int = 50) async throws -> OpenItemsView {
        OpenItemsView(
            try await run {
                try await inside.followOpenItems(which: which.native, size: UInt32(clamping: size))
            })
    }
}

extension OpenItemsView.Change {
    init(_ change: WardlineFFI.OpenItemsChange) {
        removed = change.removed
        updated = change.updated.map(Message.init)
        added = change.added.map(Message.init)
    }
}
