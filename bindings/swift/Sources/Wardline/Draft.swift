// What is written: for whom, how urgent, about whom.

internal import WardlineFFI

/// Whom a message is for.
public enum Recipient: Hashable, Sendable {
    /// One person, on all of their devices.
    case person(String)
    /// Everybody on a care team, on all of their devices.
    case team(String)
    /// Whoever holds a role when the message is sealed, and the role's custodian.
    case role(String)
    /// As whoever holds a role, or its custodian: the person who has written to it.
    case caller(role: String, person: String)
}

/// How urgent a message is, and so how loudly it asks for attention.
public enum Priority: Int, Comparable, Hashable, Sendable, CaseIterable {
    /// Does not interrupt.
    case routine
    /// Interrupts once.
    case urgent
    /// Interrupts until somebody acknowledges.
    case stat

    public static func < (left: Priority, right: Priority) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The patient a message is about; two identifiers tell patients apart.
public struct Patient: Hashable, Sendable {
    /// For example a record number and a date of birth.
    public var identifiers: [Identifier]
    /// The patient's name as people say it.
    public var name: String
    /// The encounter, as the EHR names it; may be empty.
    public var encounter: String

    /// A patient.
    public init(identifiers: [Identifier], name: String = "", encounter: String = "") {
        self.identifiers = identifiers
        self.name = name
        self.encounter = encounter
    }

    /// One identifier of a patient.
    public struct Identifier: Hashable, Sendable {
        /// Whose identifier it is, as a URI.
        public var system: String
        /// The identifier.
        public var value: String

        /// An identifier.
        public init(system: String, value: String) {
            self.system = system
            self.value = value
        }
    }
}

extension Patient: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows nothing of the patient.
    public var description: String { "Patient(…)" }
    /// Shows nothing of the patient.
    public var debugDescription: String { description }
    /// Shows nothing of the patient.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Patient.Identifier: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows whose identifier it is, not which.
    public var description: String { "Patient.Identifier(\(system))" }
    /// Shows whose identifier it is, not which.
    public var debugDescription: String { description }
    /// Shows whose identifier it is, not which.
    public var customMirror: Mirror { Mirror(self, children: ["system": system]) }
}

extension Recipient {
    init(_ recipient: WardlineFFI.Recipient) {
        self =
            switch recipient {
            case .person(let user): .person(user)
            case .team(let team): .team(team)
            case .role(let role): .role(role)
            case .caller(let role, let person): .caller(role: role, person: person)
            }
    }

    var native: WardlineFFI.Recipient {
        switch self {
        case .person(let user): .person(user: user)
        case .team(let team): .team(team: team)
        case .role(let role): .role(role: role)
        case .caller(let role, let person): .caller(role: role, person: person)
        }
    }
}

extension Priority {
    init(_ priority: WardlineFFI.Priority) {
        self =
            switch priority {
            case .routine: .routine
            case .urgent: .urgent
            case .stat: .stat
            }
    }

    var native: WardlineFFI.Priority {
        switch self {
        case .routine: .routine
        case .urgent: .urgent
        case .stat: .stat
        }
    }
}

extension Patient {
    init(_ patient: WardlineFFI.Patient) {
        self.init(
            identifiers: patient.identifiers.map { Identifier(system: $0.system, value: $0.value) },
            name: patient.name,
            encounter: patient.encounter
        )
    }

    var native: WardlineFFI.Patient {
        WardlineFFI.Patient(
            identifiers: identifiers.map { WardlineFFI.PatientIdentifier(system: $0.system, value: $0.value) },
            name: name,
            encounter: encounter
        )
    }
}
