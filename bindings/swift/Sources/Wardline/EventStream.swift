// Events one after the other, pulled in batches.

/// What happens, as an asynchronous sequence; see ``Client/events(batch:confirming:)``.
///
/// It ends when the client is closed, and throws `CancellationError` when its task is cancelled. Several streams of one
/// client see the same events, and confirm for one another: take one, and pass its events on.
public struct EventStream: AsyncSequence, Sendable {
    public typealias Element = Event

    let client: Client
    let batch: UInt32
    let confirming: Bool

    public func makeAsyncIterator() -> Iterator {
        Iterator(stream: self)
    }

    /// Goes through the events once.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let stream: EventStream
        private var waiting: ArraySlice<Event> = []
        private var last: Event?

        init(stream: EventStream) {
            self.stream = stream
        }

        public mutating func next() async throws -> Event? {
            do {
                if waiting.isEmpty {
                    try await fetch()
                }
            } catch let error as WardlineError where error.cause == .closed {
                return nil
            }
            last = waiting.popFirst()
            return last
        }

        private mutating func fetch() async throws {
            // Whoever asks for the next one has dealt with the last one.
            if let last, stream.confirming {
                try await stream.client.confirm(last)
            }
            let cursor = last?.cursor ?? 0
            waiting = try await stream.client.nextEvents(after: cursor, limit: stream.batch)[...]
        }
    }
}
