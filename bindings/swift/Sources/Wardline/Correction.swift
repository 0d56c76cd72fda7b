// What is known of a message that its author has corrected, and what it said before.

import Foundation
internal import WardlineFFI

extension Message {
    /// That the text of a message was corrected. What stands is the message's text. Printing it shows who and when.
    public struct Amended: Hashable, Sendable {
        /// Who corrected it: its author, perhaps on another device.
        public let by: String
        /// When, by the author's clock.
        public let at: Date
        /// Why; may be empty.
        public let reason: String
        /// How many texts it has had, the first one and the one that stands included.
        public let versions: Int
    }

    /// One of the texts that a message has had. Printing it shows which, and nothing of what was written.
    public struct Version: Hashable, Sendable {
        /// What names the correction; of the first text, the message itself.
        public let reference: String
        /// Who wrote it.
        public let by: String
        /// When, by the author's clock.
        public let at: Date
        /// What the message said then; empty when the stored body is damaged.
        public let text: String
        /// What its typed fields said then, if it had any.
        public let structured: Structured?
        /// Why it was corrected; empty for the first text.
        public let reason: String
        /// Whether it is what the message says now.
        public let stands: Bool
    }
}

extension Message.Amended: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows who and when.
    public var description: String { "Amended(\(by), \(at))" }
    /// Shows who and when.
    public var debugDescription: String { description }
    /// Shows who and when.
    public var customMirror: Mirror { Mirror(self, children: ["by": by, "at": at]) }
}

extension Message.Version: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows which.
    public var description: String { "Version(\(reference), \(at))" }
    /// Shows which.
    public var debugDescription: String { description }
    /// Shows which.
    public var customMirror: Mirror { Mirror(self, children: ["reference": reference, "at": at]) }
}

extension Message.Amended {
    init(_ amended: WardlineFFI.Amended) {
        by = amended.by
        at = Date(millis: amended.atMs)
        reason = amended.reason
        versions = Int(clamping: amended.versions)
    }
}

extension Message.Version {
    init(_ version: WardlineFFI.Version) {
        reference = version.reference
        by = version.by
        at = Date(millis: version.atMs)
        text = version.text
        structured = version.structured.map(Structured.init)
        reason = version.reason
        stands = version.stands
    }
}
