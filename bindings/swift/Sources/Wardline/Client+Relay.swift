// What the app is told, and the line to the relay.

import Foundation
internal import WardlineFFI

extension Client {
    /// What happens, as an asynchronous sequence that ends when the client is closed.
    ///
    /// Events come at least once: an event counts as dealt with when the loop asks for one after its batch. Not
    /// `confirming`, nothing does, and ``confirm(_:)`` says so.
    public func events(batch: Int = 100, confirming: Bool = true) -> EventStream {
        EventStream(client: self, batch: UInt32(clamping: max(1, batch)), confirming: confirming)
    }

    /// Waits until there are events after a cursor (0 at first) and returns them, oldest first. Cancelling the task ends
    /// the wait.
    public func nextEvents(after cursor: UInt64 = 0, limit: UInt32 = 100) async throws -> [Event] {
        try await wait { try await inside.nextEvents(cursor: cursor, max: limit, cancel: $0) }.map(Event.init)
    }

    /// The events after a cursor that are there now, oldest first.
    public func events(after cursor: UInt64, limit: UInt32 = 100) async throws -> [Event] {
        try await run { try await inside.eventsFrom(cursor: cursor, max: limit) }.map(Event.init)
    }

    /// Confirms an event and all before it: they will not come again.
    public func confirm(_ event: Event) async throws {
        try await run { try await inside.confirmEvents(cursor: event.cursor) }
    }

    /// Starts the loop: messages arrive by long poll, what is sent leaves at once, failures are retried with growing
    /// pauses. Starting twice is starting once.
    public func start() throws {
        try run { try inside.start() }
    }

    /// Stops the loop.
    public func stop() throws {
        try run { try inside.stop() }
    }

    /// One full round: sends what can be sent, fetches everything that waits, sends what that made necessary.
    ///
    /// Cancelling the task gives the round up, which loses nothing: the next one goes on.
    @discardableResult
    public func syncOnce() async throws -> Round {
        let round = try await wait { try await inside.syncOnce(cancel: $0) }
        return Round(
            posted: Int(clamping: round.posted), received: Int(clamping: round.received),
            waiting: Int(clamping: round.waiting))
    }

    /// Asks the relay to have this device woken for what arrives while it is not connected. `token` is what the
    /// platform's push service handed out, as text; `topic` tells the relay's push gateway which service and app it is
    /// of, such as `apns:example.mercy.ward`. Call it whenever the platform hands out a token, which it does at every
    /// start. A wake-up is a hint: fetch with ``syncOnce()``.
    public func registerPush(token: String, topic: String) async throws {
        try await run { try await inside.registerPush(token: token, topic: topic) }
    }

    /// Asks the relay to wake this device no more, when somebody signs out, say.
    public func unregisterPush() async throws {
        try await run { try await inside.unregisterPush() }
    }

    /// Tells of everything that is due (the events ``Event/Kind/messageReminder(reference:conversation:tier:round:)`` and
    /// ``Event/Kind/answerOverdue(reference:conversation:)``, notices of an ``Inbox``), and answers when to call again, if
    /// anything waits. The loop and ``syncOnce()`` do it by themselves; an app that is about to be suspended asks, to set the
    /// system's alarm. Works while locked and without a line.
    public func remind() async throws -> Date? {
        try await run { try await inside.remind() }.map(Date.init(millis:))
    }

    /// What to ask the relay now, for a host that carries calls itself, such as a background upload that outlives the
    /// process.
    public func pendingRequests() async throws -> [PendingRequest] {
        try await run { try await inside.pendingRequests() }.map {
            PendingRequest(id: $0.id, request: RelayRequest($0.request))
        }
    }

    /// Takes in the answer to a pending request, in this process or in a later one.
    public func complete(_ id: String, with response: RelayResponse) async throws {
        guard let status = UInt16(exactly: response.status) else {
            throw WardlineError(
                code: "WL-ARGUMENT", detail: "no HTTP status", isRetryable: false, recovery: .askTheDeveloper,
                cause: .argument(name: "response"))
        }
        let answer = WardlineFFI.RelayResponse(status: status, body: response.body)
        try await run { try await inside.complete(id: id, response: answer) }
    }
}

/// What one round with the relay did.
public struct Round: Hashable, Sendable {
    /// Submissions the relay took.
    public let posted: Int
    /// Envelopes dealt with.
    public let received: Int
    /// Messages that still wait for a recipient's keys or for the directory.
    public let waiting: Int
}

/// A signed call to the relay. It is good for a few minutes.
public struct PendingRequest: Hashable, Sendable, Identifiable {
    /// Names the call when its answer comes.
    public let id: String
    /// What to post.
    public let request: RelayRequest
}
