// What people say of whether they can be reached, and what is known of it before something is sent.

import Foundation
internal import WardlineFFI

/// What a person says of themselves; nothing at all unless said otherwise. Printing it shows no name.
public struct Availability: Hashable, Sendable {
    /// Until then only stat messages interrupt.
    public var doNotDisturbUntil: Date?
    /// The person is away.
    public var away: Away?

    /// What a person says.
    public init(doNotDisturbUntil: Date? = nil, away: Away? = nil) {
        self.doNotDisturbUntil = doNotDisturbUntil
        self.away = away
    }

    /// Somebody is away.
    public struct Away: Hashable, Sendable {
        /// Until then.
        public var until: Date
        /// Who is given a copy of what is written to them meanwhile.
        public var delegate: String?

        /// An absence.
        public init(until: Date, delegate: String? = nil) {
            self.until = until
            self.delegate = delegate
        }
    }
}

/// Whether somebody can be reached, as far as is known: an answer, never a guess. What nobody knows is `nil`. Printing it shows
/// nobody's name.
public struct Reachability: Hashable, Sendable {
    /// The person.
    public let user: String
    /// Whether the directory lists them with a device that can be written to; `nil` when it was not asked.
    public let hasDevice: Bool?
    /// When a device of theirs last called the relay, to the minute: the relay's word, by its clock. A phone that calls lies
    /// in a pocket perhaps; it is not the person who was seen.
    public let lastSeen: Date?
    /// Until then only stat messages interrupt them: their own signed word, like what follows.
    public let doNotDisturbUntil: Date?
    /// Until then they are away.
    public let awayUntil: Date?
    /// Who stands in for them while they are away.
    public let delegate: String?
    /// When the relay was last asked, by this device's clock; `nil` when it never was. Without a network it is what was known
    /// then.
    public let asOf: Date?
}

extension Client {
    /// Says whether this person can be reached, in the place of everything any of their devices said before; an empty one
    /// takes all of it back. It holds here at once, and everywhere else as soon as the relay has it; 31 days at most.
    public func setAvailability(_ availability: Availability) async throws {
        try await run { try await inside.setAvailability(availability: availability.native) }
    }

    /// What this person says of themselves, on whichever device, as far as it still holds.
    public func availability() async throws -> Availability {
        Availability(try await run { try await inside.availability() })
    }

    /// Whether these people can be reached, in the order of the question. Without a network it is what was known;
    /// ``Reachability/asOf`` says since when.
    public func reachability(of people: [String]) async throws -> [Reachability] {
        try await run { try await inside.reachability(people: people) }.map(Reachability.init)
    }
}

extension Availability.Away: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows until when.
    public var description: String { "Away(\(until))" }
    /// Shows until when.
    public var debugDescription: String { description }
    /// Shows until when.
    public var customMirror: Mirror { Mirror(self, children: ["until": until]) }
}

extension Reachability: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nobody's name.
    public var description: String { "Reachability(…)" }
    /// Shows nobody's name.
    public var debugDescription: String { description }
    /// Shows nobody's name.
    public var customMirror: Mirror { Mirror(self, children: ["hasDevice": hasDevice as Any, "asOf": asOf as Any]) }
}

extension Availability {
    init(_ said: WardlineFFI.Availability) {
        self.init(
            doNotDisturbUntil: said.doNotDisturbUntilMs.map(Date.init(millis:)),
            away: said.awayUntilMs.map { Away(until: Date(millis: $0), delegate: said.delegate) })
    }

    var native: WardlineFFI.Availability {
        WardlineFFI.Availability(
            doNotDisturbUntilMs: doNotDisturbUntil?.millis, awayUntilMs: away?.until.millis, delegate: away?.delegate)
    }
}

extension Reachability {
    init(_ known: WardlineFFI.Reachability) {
        user = known.user
        hasDevice = known.hasDevice
        lastSeen = known.lastSeenMs.map(Date.init(millis:))
        doNotDisturbUntil = known.doNotDisturbUntilMs.map(Date.init(millis:))
        awayUntil = known.awayUntilMs.map(Date.init(millis:))
        delegate = known.delegate
        asOf = known.asOfMs.map(Date.init(millis:))
    }
}
