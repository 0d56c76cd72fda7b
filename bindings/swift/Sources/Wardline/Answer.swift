// What is said to a message that asks, and what is left of one that was taken back.

import Foundation
internal import WardlineFFI

/// What somebody says to a message that asks for an answer.
public enum Verdict: Hashable, Sendable, CaseIterable {
    /// "I have it": the sender may stop looking for somebody.
    case accepted
    /// "Not me": the sender should ask somebody else at once.
    case declined
}

/// One answer to a message. Printing it shows who and what, and nothing of what was written.
public struct Answer: Hashable, Sendable {
    /// Who answered, as the directory proves.
    public let user: String
    /// On which device.
    public let device: String
    /// What they said.
    public let verdict: Verdict
    /// What they understood, in their own words, or why they decline; may be empty.
    public let readBack: String
    /// When, by the answering device's clock.
    public let at: Date
    /// Whether it is the last word of this person.
    public let stands: Bool
    /// Which correction of the message they had read, as ``Client/history(of:)`` names it; `nil`: the message as it was first
    /// written.
    public let version: String?
    /// They answered another text than the one that stands here.
    public let isOutdated: Bool
}

/// Which open messages to look for.
public enum OpenItems: Hashable, Sendable, CaseIterable {
    /// Those of others, which wait for somebody here.
    case toAnswer
    /// Those of this person, for which an answer is awaited.
    case awaited
    /// The awaited ones whose time is up.
    case overdue
}

extension Message {
    /// An answer is wanted.
    public struct Asked: Hashable, Sendable {
        /// Until when, by the author's clock; `nil`: as soon as possible.
        public let answerBy: Date?
        /// Nobody's standing answer accepts it yet, as far as this device knows.
        public let isOpen: Bool
    }

    /// That a message was taken back: all that is left of it. Printing it shows who and when.
    public struct Recalled: Hashable, Sendable {
        /// Who took it back: its author, perhaps on another device.
        public let by: String
        /// When, by the author's clock.
        public let at: Date
        /// Why; may be empty.
        public let reason: String
    }
}

extension Delivery {
    /// The last word of one person.
    public struct StandingAnswer: Hashable, Sendable {
        /// What they said.
        public let verdict: Verdict
        /// When, by the answering device's clock.
        public let at: Date
    }

    /// What has become of a message that was taken back, on one device.
    public enum Recall: Hashable, Sendable, CaseIterable {
        /// The device has said nothing: it is off, out of reach or locked.
        case pending
        /// The device's software is too old to know what a recall is.
        case tooOld
        /// It never left, or the relay says that it gave it to nobody.
        case withdrawn
        /// The device keeps it, by the policy, and has signed for that.
        case kept
        /// It is gone from the device, where nobody had opened it; the device has signed for that.
        case purgedUnread
        /// It is gone from the device, after somebody had opened it there; the device has signed for that.
        case purgedRead
    }
}

extension Answer: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows who and what.
    public var description: String { "Answer(\(user), \(verdict))" }
    /// Shows who and what.
    public var debugDescription: String { description }
    /// Shows who and what.
    public var customMirror: Mirror { Mirror(self, children: ["user": user, "verdict": verdict]) }
}

extension Message.Recalled: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows who and when.
    public var description: String { "Recalled(\(by), \(at))" }
    /// Shows who and when.
    public var debugDescription: String { description }
    /// Shows who and when.
    public var customMirror: Mirror { Mirror(self, children: ["by": by, "at": at]) }
}

extension Verdict {
    init(_ verdict: WardlineFFI.Verdict) {
        self =
            switch verdict {
            case .accepted: .accepted
            case .declined: .declined
            }
    }

    var native: WardlineFFI.Verdict {
        switch self {
        case .accepted: .accepted
        case .declined: .declined
        }
    }
}

extension OpenItems {
    var native: WardlineFFI.OpenItems {
        switch self {
        case .toAnswer: .toAnswer
        case .awaited: .awaited
        case .overdue: .overdue
        }
    }
}

extension Answer {
    init(_ answer: WardlineFFI.Answer) {
        user = answer.user
        device = answer.device
        verdict = Verdict(answer.verdict)
        readBack = answer.readBack
        at = Date(millis: answer.atMs)
        stands = answer.stands
        version = answer.version
        isOutdated = answer.outdated
    }
}

extension Message.Asked {
    init(_ asked: WardlineFFI.Asked) {
        answerBy = asked.answerByMs.map(Date.init(millis:))
        isOpen = asked.open
    }
}

extension Message.Recalled {
    init(_ recalled: WardlineFFI.Recalled) {
        by = recalled.by
        at = Date(millis: recalled.atMs)
        reason = recalled.reason
    }
}

extension Delivery.StandingAnswer {
    init(_ answer: WardlineFFI.StandingAnswer) {
        verdict = Verdict(answer.verdict)
        at = Date(millis: answer.atMs)
    }
}

extension Delivery.Recall {
    init(_ outcome: WardlineFFI.RecallOutcome) {
        self =
            switch outcome {
            case .pending: .pending
            case .tooOld: .tooOld
            case .withdrawn: .withdrawn
            case .kept: .kept
            case .purgedUnread: .purgedUnread
            case .purgedRead: .purgedRead
            }
    }
}
