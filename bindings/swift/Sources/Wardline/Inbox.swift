// A device in a process that only shows notifications: it receives, and cannot read.

import Foundation
package import WardlineFFI

/// A device opened with the inbox key alone, for a notification extension.
///
/// It may run beside the app's ``Client`` on the same folder, in another process or in the same one, and is opened with the
/// same ``Configuration``. There is no way to unlock it. Every method may be called from any thread and any actor.
public final class Inbox: Sendable {
    package let inside: WardlineFFI.Inbox

    package init(_ inside: WardlineFFI.Inbox) {
        self.inside = inside
        _ = Exit.isWatched
    }

    /// Opens a device that was enrolled in this folder, with the inbox key alone.
    public static func open(_ configuration: Configuration) async throws -> Inbox {
        let (transport, keyStore) = (configuration.transport.native, configuration.keyStore.native)
        return Inbox(
            try await run {
                try await WardlineFFI.Inbox.open(
                    config: configuration.native, transport: transport, keyStore: keyStore)
            })
    }

    /// The person this device belongs to.
    public var user: String { inside.user() }

    /// This device.
    public var device: String { inside.device() }

    /// Takes what waits at the relay, tells the senders that it is on this device, and returns what nobody was told of yet.
    /// Ends within this time, whatever the network does; cancelling the task ends it, too.
    ///
    /// A notice comes again, in whatever process, until ``shown(_:)`` names it, a person reads the message, or the app
    /// confirms its event. Throws `WL-RELAY-REVOKED` when the organization has revoked this device; what goes wrong on the
    /// line is in the answer.
    public func collect(within limit: Duration) async throws -> Collected {
        Collected(try await wait { try await inside.collect(withinMs: limit.millis, cancel: $0) })
    }

    /// Notes that notifications of these messages, by their references, were shown: they do not come again. The messages
    /// stay unread, and nobody is told.
    public func shown(_ references: [String]) async throws {
        try await run { try await inside.shown(references: references) }
    }

    /// Finishes what is being written and lets go of every file, so that the system may suspend the process.
    public func suspend() async throws {
        try await run { try await inside.suspend() }
    }

    /// Takes up the files again after ``suspend()``.
    public func resume() async throws {
        try await run { try await inside.resume() }
    }

    /// Finishes what is being written, closes the store and lets go of transport and key store. Closing twice is closing
    /// once.
    public func close() async throws {
        try await run { try await inside.shutdown() }
    }

    /// Whether it was closed.
    public var isClosed: Bool { inside.isShutDown() }
}

/// What an inbox has to tell.
public struct Collected: Hashable, Sendable {
    /// The messages nobody was told of yet, also those of earlier calls and processes: the most urgent first.
    public let notices: [Notice]
    /// Everything that waited is here, and every sender was told.
    public let isComplete: Bool
    /// The stable code of why not, such as `WL-NET-UNREACHABLE`; `nil` when it was the deadline.
    public let failure: String?
}

/// A message that came and that nobody was told of yet: what a notification is made from. It never has a text.
public struct Notice: Hashable, Sendable, Identifiable {
    /// The message's reference; ``Client/messages(_:)`` takes it. Not for the notification: it tells who writes how
    /// often.
    public let reference: String
    /// Names the notification towards the system: random, the same whenever this notice comes again.
    public let tag: String
    /// How urgent it is.
    public let tier: Priority
    /// When it came here, by this device's clock.
    public let arrivedAt: Date
    /// Its conversation, to group by; only where the policy allows the sender.
    public let conversation: String?
    /// Who wrote it; only where the policy allows it and the directory proves it.
    public let sender: Sender?
    /// 0 when it has just come; then how often it was repeated, because nobody has accepted a stat message.
    public let round: Int

    /// The reference.
    public var id: String { reference }

    /// The author of a message, as the directory has them.
    public struct Sender: Hashable, Sendable {
        /// The person.
        public let user: String
        /// Their name.
        public let displayName: String
    }
}

/// Shows the reference and the tier, and nobody's name.
extension Notice: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Notice(\(reference), \(tier))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["reference": reference, "tier": tier]) }
}

/// Shows nobody's name.
extension Notice.Sender: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Sender" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Collected {
    init(_ collected: WardlineFFI.Collected) {
        notices = collected.notices.map(Notice.init)
        isComplete = collected.complete
        failure = collected.failure
    }
}

extension Notice {
    init(_ notice: WardlineFFI.Notice) {
        reference = notice.reference
        tag = notice.tag
        tier = Priority(notice.tier)
        arrivedAt = Date(millis: notice.arrivedAtMs)
        conversation = notice.conversation
        sender = notice.sender.map { Sender(user: $0.user, displayName: $0.displayName) }
        round = Int(clamping: notice.round)
    }
}
