// Handing a message on, as its author signed it.

import Foundation
internal import WardlineFFI

extension Message {
    /// Somebody else's message inside the one that hands it on. Printing it shows whether it is proven, and nothing of what
    /// was written and by whom.
    public struct Forwarded: Hashable, Sendable {
        /// Whether the author's signature and directory entry prove who wrote it. Until they do, what follows is the word of
        /// whoever forwards it, and author, device and times are missing: show no name.
        public let isProven: Bool
        /// Who wrote it.
        public let author: String?
        /// On which device.
        public let authorDevice: String?
        /// When, by the author's clock.
        public let writtenAt: Date?
        /// When its author corrected it, if the text is that of a correction.
        public let correctedAt: Date?
        /// What it says.
        public let text: String
        /// Its typed fields, when it has any.
        public let structured: Structured?
        /// Whom it is about.
        public let patient: Patient?
        /// What whoever forwards it says to it; may be empty.
        public let comment: String
    }
}

extension Client {
    /// Forwards a message, named by its reference, as its author signed it: whoever gets it sees who wrote it and when, and
    /// need not believe this person. The patient goes with the message. When that is taken back, this device takes its
    /// forwards back too.
    ///
    /// Durable when it returns; returns the id of the forward. `answerWithin` and `idempotencyKey` as when sending.
    @discardableResult
    public func forward(
        _ reference: String, to recipient: Recipient, comment: String = "", priority: Priority = .routine,
        answerWithin: Duration? = nil, idempotencyKey: String? = nil
    ) async throws -> String {
        let draft = WardlineFFI.Draft(
            recipient: recipient.native, text: comment, priority: priority.native,
            answerWithinMs: answerWithin?.millis, idempotencyKey: idempotencyKey)
        return try await run { try await inside.forward(reference: reference, draft: draft) }
    }
}

extension Message.Forwarded: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows whether it is proven.
    public var description: String { "Forwarded(isProven: \(isProven))" }
    /// Shows whether it is proven.
    public var debugDescription: String { description }
    /// Shows whether it is proven.
    public var customMirror: Mirror { Mirror(self, children: ["isProven": isProven]) }
}

extension Message.Forwarded {
    init(_ forwarded: WardlineFFI.Forwarded) {
        isProven = forwarded.proven
        author = forwarded.author
        authorDevice = forwarded.authorDevice
        writtenAt = forwarded.writtenAtMs.map(Date.init(millis:))
        correctedAt = forwarded.correctedAtMs.map(Date.init(millis:))
        text = forwarded.text
        structured = forwarded.structured.map(Structured.init)
        patient = forwarded.patient.map(Patient.init)
        comment = forwarded.comment
    }
}
