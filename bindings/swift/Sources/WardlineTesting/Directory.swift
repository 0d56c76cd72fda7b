// People and teams in the directory of an `Authority`, and what it reports.

import Foundation
import Wardline
internal import WardlineFFI

/// What is known of a person besides their devices.
public struct PersonDetails: Hashable, Sendable {
    /// The person's id.
    public var user: String
    /// What others see.
    public var displayName: String
    /// For example `Practitioner/DR-CA-001`.
    public var fhirReferences: [String]
    /// Their standing functions.
    public var staffRoles: [StaffRole]

    /// A person.
    public init(user: String, displayName: String, fhirReferences: [String] = [], staffRoles: [StaffRole] = []) {
        self.user = user
        self.displayName = displayName
        self.fhirReferences = fhirReferences
        self.staffRoles = staffRoles
    }
}

/// A person's standing function, as the EHR names it.
public struct StaffRole: Hashable, Sendable {
    /// A code, such as `doctor`.
    public var code: String
    /// What others see.
    public var display: String
    /// The department; empty when there is none.
    public var department: String

    /// A function.
    public init(code: String, display: String, department: String = "") {
        self.code = code
        self.display = display
        self.department = department
    }
}

/// A person in the directory, with changes that are not published yet.
public struct PersonInfo: Hashable, Sendable {
    /// What is known of them.
    public let details: PersonDetails
    /// Whether they belong to the organization.
    public let isActive: Bool
    /// Their devices, revoked ones included.
    public let devices: [DeviceInfo]
}

/// A device in the directory.
public struct DeviceInfo: Hashable, Sendable {
    /// Its id.
    public let device: String
    /// When it was admitted.
    public let enrolledAt: Date
    /// When it was revoked, if it was.
    public let revokedAt: Date?
    /// Whether it is the person's first one, or a chain of vouches leads to it from there.
    public let isVouched: Bool
}

/// An order to a device to erase itself, and whether it has obeyed.
public struct WipeStatus: Hashable, Sendable {
    /// The device.
    public let device: String
    /// Why it was ordered.
    public let reason: String
    /// When it was ordered.
    public let orderedAt: Date
    /// When the device erased itself, by its own clock; `nil` while it was not heard from.
    public let wipedAt: Date?
    /// Messages that were lost with it: written there, and not taken by the relay.
    public let unsentMessages: Int?
}

/// A care team. Its name must not tell which patient it is about.
public struct CareTeam: Hashable, Sendable {
    /// The team's id.
    public var team: String
    /// What its members see.
    public var displayName: String
    /// Its members, each once.
    public var members: [Member]
    /// For example `CareTeam/careteam-00712328386f`.
    public var fhirReferences: [String]
    /// Whether it works together now.
    public var isActive: Bool

    /// A team.
    public init(
        team: String, displayName: String, members: [Member], fhirReferences: [String] = [], isActive: Bool = true
    ) {
        self.team = team
        self.displayName = displayName
        self.members = members
        self.fhirReferences = fhirReferences
        self.isActive = isActive
    }

    /// One person in a care team.
    public struct Member: Hashable, Sendable {
        /// The person.
        public var user: String
        /// Their function in the team; empty when unknown.
        public var role: String

        /// A member.
        public init(user: String, role: String = "") {
            self.user = user
            self.role = role
        }
    }
}

/// What one round of publishing did.
public struct PublishReport: Hashable, Sendable {
    /// Devices that were admitted and published.
    public let admitted: [String]
    /// How many requests of devices were refused; they will not come again.
    public let refused: Int
    /// The version of the newest head that this round published or found confirmed.
    public let published: UInt64?
}

/// What an import did.
public struct ImportReport: Hashable, Sendable {
    /// People who are new in the directory.
    public let peopleAdded: Int
    /// People who were there before, and are different now.
    public let peopleChanged: Int
    /// People who were off-boarded, because the export calls them inactive.
    public let peopleEnded: Int
    /// Care teams that are new in the directory.
    public let teamsAdded: Int
    /// Care teams that were there before, and are different now.
    public let teamsChanged: Int
    /// Members of care teams who are no staff of the directory.
    public let skippedMembers: Int
    /// Lines that were passed over.
    public let problems: [Problem]

    /// A line that was passed over. It quotes nothing of the line.
    public struct Problem: Hashable, Sendable {
        /// The file's name.
        public let file: String
        /// The line, counted from 1.
        public let line: Int
        /// What is wrong.
        public let problem: String
    }
}

extension PersonDetails {
    init(_ details: WardlineFFI.PersonDetails) {
        self.init(
            user: details.user, displayName: details.displayName, fhirReferences: details.fhirReferences,
            staffRoles: details.staffRoles.map {
                StaffRole(code: $0.code, display: $0.display, department: $0.department)
            })
    }

    var native: WardlineFFI.PersonDetails {
        WardlineFFI.PersonDetails(
            user: user, displayName: displayName, fhirReferences: fhirReferences,
            staffRoles: staffRoles.map {
                WardlineFFI.StaffRole(code: $0.code, display: $0.display, department: $0.department)
            })
    }
}

extension PersonInfo {
    init(_ info: WardlineFFI.PersonInfo) {
        details = PersonDetails(info.details)
        isActive = info.active
        devices = info.devices.map {
            DeviceInfo(
                device: $0.device, enrolledAt: Date(millis: $0.enrolledAtMs),
                revokedAt: $0.revokedAtMs.map(Date.init(millis:)), isVouched: $0.vouched)
        }
    }
}

extension WipeStatus {
    init(_ status: WardlineFFI.WipeStatus) {
        device = status.device
        reason = status.reason
        orderedAt = Date(millis: status.orderedAtMs)
        wipedAt = status.wipedAtMs.map(Date.init(millis:))
        unsentMessages = status.unsentMessages.map { Int(clamping: $0) }
    }
}

extension CareTeam {
    init(_ team: WardlineFFI.Team) {
        self.init(
            team: team.team, displayName: team.displayName,
            members: team.members.map { Member(user: $0.user, role: $0.role) },
            fhirReferences: team.fhirReferences, isActive: team.active)
    }

    var native: WardlineFFI.Team {
        WardlineFFI.Team(
            team: team, displayName: displayName,
            members: members.map { WardlineFFI.TeamMember(user: $0.user, role: $0.role) },
            fhirReferences: fhirReferences, active: isActive)
    }
}

extension ImportReport {
    init(_ report: WardlineFFI.ImportReport) {
        peopleAdded = Int(clamping: report.peopleAdded)
        peopleChanged = Int(clamping: report.peopleChanged)
        peopleEnded = Int(clamping: report.peopleEnded)
        teamsAdded = Int(clamping: report.teamsAdded)
        teamsChanged = Int(clamping: report.teamsChanged)
        skippedMembers = Int(clamping: report.skippedMembers)
        problems = report.problems.map {
            Problem(file: $0.file, line: Int(clamping: $0.line), problem: $0.problem)
        }
    }
}
