// Role lines: what people hold in turn, such as being on call for cardiology.

import Foundation
import Wardline
internal import WardlineFFI

/// A line that people hold in turn, such as `cardiology-on-call`.
public struct RoleLine: Hashable, Sendable {
    /// The role's id.
    public var role: String
    /// What others see.
    public var displayName: String
    /// Who holds it when.
    public var assignments: [Assignment]
    /// Who is reached when nobody holds it, and hands open items over.
    public var custodian: String?

    /// A line.
    public init(role: String, displayName: String, assignments: [Assignment], custodian: String? = nil) {
        self.role = role
        self.displayName = displayName
        self.assignments = assignments
        self.custodian = custodian
    }

    /// One turn of one person.
    public struct Assignment: Hashable, Sendable {
        /// The person.
        public var user: String
        /// From when.
        public var from: Date
        /// Until when.
        public var until: Date

        /// A turn.
        public init(user: String, from: Date, until: Date) {
            self.user = user
            self.from = from
            self.until = until
        }
    }
}

extension Authority {
    /// Adds or replaces a role line. `false` when nothing changed.
    @discardableResult
    public func upsert(_ role: RoleLine) async throws -> Bool {
        try await run { try await inside.upsertRole(role: role.native) }
    }

    /// Removes a role line. `false` when there was none.
    @discardableResult
    public func removeRole(_ role: String) async throws -> Bool {
        try await run { try await inside.removeRole(role: role) }
    }

    /// The role lines, sorted by id.
    public func roles() async throws -> [RoleLine] {
        try await run { try await inside.roles() }.map(RoleLine.init)
    }
}

extension RoleLine {
    init(_ role: WardlineFFI.RoleLine) {
        self.init(
            role: role.role, displayName: role.displayName,
            assignments: role.assignments.map {
                Assignment(user: $0.user, from: Date(millis: $0.fromMs), until: Date(millis: $0.untilMs))
            },
            custodian: role.custodian)
    }

    var native: WardlineFFI.RoleLine {
        WardlineFFI.RoleLine(
            role: role, displayName: displayName,
            assignments: assignments.map {
                WardlineFFI.RoleAssignment(user: $0.user, fromMs: $0.from.millis, untilMs: $0.until.millis)
            },
            custodian: custodian)
    }
}
