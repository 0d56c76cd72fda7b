// What somebody looks for, what to think of before sending, and how long answers took.

import Foundation
internal import WardlineFFI

/// Which messages to find; everything that is said must hold, and what is not said does not matter. Printing it shows nobody's
/// name, no words and no patient.
public struct Filter: Hashable, Sendable {
    /// Those about a patient with all of these identifiers. One that only tells the patient apart together with another,
    /// such as a date of birth, finds others' messages when it stands alone.
    public var patient: [Patient.Identifier]
    /// Those this person has written, also those of oneself.
    public var person: String?
    /// Those at least so urgent, as they count on this device.
    public var atLeast: Priority?
    /// Those that ask for an answer and that nobody has accepted.
    public var isOpen: Bool
    /// Those of this conversation.
    public var conversation: String?
    /// Those written at this time or later, by their authors' clocks.
    public var since: Date?
    /// Those written before this time, by their authors' clocks.
    public var until: Date?
    /// Those with these words, as ``Client/search(_:in:before:limit:)`` finds them. A text without any word finds nothing.
    public var text: String?

    /// A filter.
    public init(
        patient: [Patient.Identifier] = [], person: String? = nil, atLeast: Priority? = nil, isOpen: Bool = false,
        conversation: String? = nil, since: Date? = nil, until: Date? = nil, text: String? = nil
    ) {
        self.patient = patient
        self.person = person
        self.atLeast = atLeast
        self.isOpen = isOpen
        self.conversation = conversation
        self.since = since
        self.until = until
        self.text = text
    }
}

/// Something to think of before a message leaves. Later versions add cases.
public enum Caution: Hashable, Sendable {
    /// The message interrupts whoever gets it, as urgent or stat. Ask whether it has to. So many messages of this person to
    /// the same recipient still wait for an answer (`open`).
    case interrupts(Priority, open: Int)
    /// The message interrupts, and does not say which patient it is about.
    case noPatient
    /// The patient is named by fewer than two identifiers, which do not tell patients apart: how many there are.
    case oneIdentifier(given: Int)
    /// Another patient is known here by the same name (but for case, accents and order) or one that is easily confused with
    /// it. Show both. The other one's identifiers are in the order of their systems, without an encounter.
    case similarPatient(known: Patient, sameName: Bool)
    /// A patient with the same identifiers is known here by another name, without an encounter.
    case otherName(known: Patient)
    /// Something that this version of the package has no word for. Update it.
    case unknown
}

/// How long it took in one group.
public struct LoopTimes: Hashable, Sendable {
    /// The person's id, the code of the staff role, or the department. `nil` when grouped by priority, and for whoever has no
    /// role or department or is not known on this device.
    public let group: String?
    /// When grouped by priority: which.
    public let priority: Priority?
    /// So many messages, counted for each person they went to.
    public let messages: Int
    /// From when the relay had it to when the first device of the person did.
    public let sentToDelivered: Quantiles
    /// From when the relay had it to when the person opened it.
    public let sentToRead: Quantiles
    /// From when the relay had it to the acceptance that stands.
    public let sentToAcknowledged: Quantiles
    /// From what the message tells of to the acceptance that stands, where its author gave that time.
    public let eventToAcknowledged: Quantiles
    /// So many declined.
    public let declined: Int
    /// So many asked for an answer, did not get one of this person, and were accepted by nobody else either.
    public let unanswered: Int
    /// So many asked for an answer within a time that is over, and nobody had accepted by then.
    public let overdue: Int

    /// What to count together.
    public enum Grouping: Hashable, Sendable, CaseIterable {
        /// Each person by themselves.
        case person
        /// The staff roles of the person; who has several counts in each.
        case staffRole
        /// The departments of the person's staff roles; who is in several counts in each.
        case department
        /// How urgent the message was.
        case priority
    }

    /// Exact quantiles by nearest rank.
    public struct Quantiles: Hashable, Sendable {
        /// Of so many values.
        public let count: Int
        /// The median; `nil` when there is no value.
        public let p50: Duration?
        /// At least 95 of 100 values are not longer; `nil` when there is no value.
        public let p95: Duration?
    }
}

/// A device of a person.
public struct PersonDevice: Hashable, Sendable {
    /// The person.
    public let user: String
    /// The device.
    public let device: String
}

extension Filter: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows how urgent.
    public var description: String { "Filter(…)" }
    /// Shows how urgent.
    public var debugDescription: String { description }
    /// Shows how urgent.
    public var customMirror: Mirror { Mirror(self, children: ["atLeast": atLeast as Any, "isOpen": isOpen]) }
}

extension Filter {
    var native: WardlineFFI.Filter {
        WardlineFFI.Filter(
            patient: patient.map { WardlineFFI.PatientIdentifier(system: $0.system, value: $0.value) }, person: person,
            atLeast: atLeast?.native, open: isOpen, conversation: conversation, sinceMs: since?.millis,
            untilMs: until?.millis, text: text)
    }
}

extension Caution {
    init(_ caution: WardlineFFI.Caution) {
        self =
            switch caution {
            case .interrupts(let priority, let open): .interrupts(Priority(priority), open: Int(clamping: open))
            case .noPatient: .noPatient
            case .oneIdentifier(let given): .oneIdentifier(given: Int(clamping: given))
            case .similarPatient(let known, let sameName): .similarPatient(known: Patient(known), sameName: sameName)
            case .otherName(let known): .otherName(known: Patient(known))
            case .unknown: .unknown
            }
    }
}

extension LoopTimes {
    init(_ times: WardlineFFI.LoopTimes) {
        group = times.group
        priority = times.priority.map(Priority.init)
        messages = Int(clamping: times.messages)
        sentToDelivered = Quantiles(times.sentToDelivered)
        sentToRead = Quantiles(times.sentToRead)
        sentToAcknowledged = Quantiles(times.sentToAcknowledged)
        eventToAcknowledged = Quantiles(times.eventToAcknowledged)
        declined = Int(clamping: times.declined)
        unanswered = Int(clamping: times.unanswered)
        overdue = Int(clamping: times.overdue)
    }
}

extension LoopTimes.Grouping {
    var native: WardlineFFI.LoopGrouping {
        switch self {
        case .person: .person
        case .staffRole: .staffRole
        case .department: .department
        case .priority: .priority
        }
    }
}

extension LoopTimes.Quantiles {
    init(_ quantiles: WardlineFFI.Quantiles) {
        count = Int(clamping: quantiles.count)
        p50 = quantiles.p50Ms.map { .milliseconds(Int64(clamping: $0)) }
        p95 = quantiles.p95Ms.map { .milliseconds(Int64(clamping: $0)) }
    }
}
