// Who is reached through a role, and in whose name a message was written.

import Foundation
internal import WardlineFFI

/// Who is reached through a role, and until when that is so. Printing it shows no name.
public struct RoleStatus: Hashable, Sendable {
    /// The role.
    public let role: String
    /// What the organization calls it.
    public let displayName: String
    /// Who holds it now, each once; nobody, one, or several when turns overlap.
    public let holders: [Holder]
    /// When somebody else holds it, as far as is planned.
    public let nextChange: Date?
    /// Who gets its messages as well, keeps them while nobody holds it, and hands open ones on.
    public let custodian: String?
    /// Whether the directory confirmed it within the policy's refresh time; otherwise it is what was last known.
    public let isCurrent: Bool

    /// Somebody who holds a role now.
    public struct Holder: Hashable, Sendable {
        /// The person.
        public let user: String
        /// Their name; empty when the directory does not know them.
        public let displayName: String
        /// Whether they have a device that could receive.
        public let isReachable: Bool
        /// When their turn ends.
        public let until: Date
    }
}

extension Message {
    /// A message in a conversation with a role.
    public struct InRole: Hashable, Sendable {
        /// The role it was sent to, or in whose name it was written.
        public let role: String
        /// As what its sender speaks for the role; `nil`: they are the caller, who writes to it.
        public let speaks: Speaker?

        /// What lets somebody speak for a role.
        public enum Speaker: Hashable, Sendable, CaseIterable {
            /// They held it.
            case holder
            /// They are its custodian.
            case custodian
            /// They say that they wrote when they held it; when it came, they held it no more.
            case formerHolder
        }
    }
}

extension Client {
    /// Who is reached through a role now, to be shown before something is sent to it: that nobody holds it is an answer. Asks
    /// the relay when the directory is not fresh; without a network it is what was known, and ``RoleStatus/isCurrent`` says so.
    public func role(_ role: String) async throws -> RoleStatus {
        RoleStatus(try await run { try await inside.role(role: role) })
    }
}

extension RoleStatus: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows which.
    public var description: String { "RoleStatus(\(role))" }
    /// Shows which.
    public var debugDescription: String { description }
    /// Shows which.
    public var customMirror: Mirror { Mirror(self, children: ["role": role, "isCurrent": isCurrent]) }
}

extension RoleStatus.Holder: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows until when.
    public var description: String { "Holder(\(until))" }
    /// Shows until when.
    public var debugDescription: String { description }
    /// Shows until when.
    public var customMirror: Mirror { Mirror(self, children: ["until": until]) }
}

extension RoleStatus {
    init(_ status: WardlineFFI.RoleStatus) {
        role = status.role
        displayName = status.displayName
        holders = status.holders.map {
            Holder(
                user: $0.user, displayName: $0.displayName, isReachable: $0.reachable, until: Date(millis: $0.untilMs))
        }
        nextChange = status.nextChangeMs.map(Date.init(millis:))
        custodian = status.custodian
        isCurrent = status.current
    }
}

extension Message.InRole {
    init(_ place: WardlineFFI.InRole) {
        role = place.role
        speaks = place.speaks.map { speaker -> Speaker in
            switch speaker {
            case .holder: .holder
            case .custodian: .custodian
            case .formerHolder: .formerHolder
            }
        }
    }
}
