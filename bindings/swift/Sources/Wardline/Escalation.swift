// Who is given a message when nobody accepts it in time, and how that stands.

import Foundation
internal import WardlineFFI

/// How the escalation of a message stands, as far as this device knows: its author's own device is told everything, others know
/// what the author has signed and what they were given.
public struct Escalation: Hashable, Sendable {
    /// Whether the relay has it. On others' devices: what its author has signed.
    public let armed: Armed
    /// The tiers, in the order of their release.
    public let tiers: [TierStatus]
    /// By which tier, from 0, this device was given the message; `nil`: it is among those it was sent to first.
    public let givenHere: Int?
    /// Set when no further tier will be released.
    public let stopped: Stopped?

    /// Who is given a message next, and when.
    public struct Tier: Hashable, Sendable {
        /// So long after the tier before it, the first one after the message was sent.
        public var after: Duration
        /// These people, on all devices they have when the message is sealed.
        public var people: [String]
        /// Whoever holds these roles when the tier's time has come.
        public var roles: [String]

        /// A tier.
        public init(after: Duration, people: [String] = [], roles: [String] = []) {
            self.after = after
            self.people = people
            self.roles = roles
        }
    }

    /// Whether a message's escalation is at the relay.
    public enum Armed: Hashable, Sendable, CaseIterable {
        /// Not yet: message or escalation wait on this device.
        case waiting
        /// The relay has both, and needs nobody's phone.
        case yes
        /// The relay has both; a tier for which nobody has a device that can be sealed for is left out.
        case partly
        /// It is not: nobody else will be given the message.
        case no
    }

    /// How one tier stands.
    public struct TierStatus: Hashable, Sendable {
        /// The people it names.
        public let people: [String]
        /// The roles it names.
        public let roles: [String]
        /// When it is due if nobody answers and nobody declines; counted from when the relay took the message, on others'
        /// devices from when it was written. After a release this counts from there.
        public let dueAt: Date
        /// When it was released, by the relay's clock.
        public let releasedAt: Date?
        /// It came before its time because somebody declined.
        public let isAdvanced: Bool
        /// It came before its time, and no decline is known to this device: the relay may be lying.
        public let isEarly: Bool
        /// Whose devices it was given to.
        public let givenTo: [String]
    }

    /// Who has stopped an escalation, as the relay says.
    public struct Stopped: Hashable, Sendable {
        /// The person, if this device knows whose device it was.
        public let user: String?
        /// The device.
        public let device: String
        /// When, by the relay's clock.
        public let at: Date
    }
}

extension Client {
    /// How the escalation of a message stands, with its history; `nil` for a message that has none. `message` is a reference,
    /// or what sending it returned on this device. Works while locked.
    public func escalation(of message: String) async throws -> Escalation? {
        try await run { try await inside.escalation(message: message) }.map(Escalation.init)
    }
}

extension Escalation.Tier {
    var native: WardlineFFI.EscalationTier {
        WardlineFFI.EscalationTier(afterMs: after.millis, people: people, roles: roles)
    }
}

extension Escalation {
    init(_ status: WardlineFFI.EscalationStatus) {
        armed =
            switch status.armed {
            case .waiting: .waiting
            case .yes: .yes
            case .partly: .partly
            case .no: .no
            }
        tiers = status.tiers.map {
            TierStatus(
                people: $0.people, roles: $0.roles, dueAt: Date(millis: $0.dueAtMs),
                releasedAt: $0.releasedAtMs.map(Date.init(millis:)), isAdvanced: $0.advanced, isEarly: $0.early,
                givenTo: $0.givenTo)
        }
        givenHere = status.givenHere.map { Int($0) }
        stopped = status.stopped.map { Stopped(user: $0.user, device: $0.device, at: Date(millis: $0.atMs)) }
    }
}
