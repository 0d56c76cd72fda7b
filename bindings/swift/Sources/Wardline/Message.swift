// What is read: messages, and pages of them.

import Foundation
internal import WardlineFFI

/// A message as a person reads it.
///
/// Printing it shows ids and states, and nothing of what was written or about whom, so that a log line does not either.
public struct Message: Hashable, Sendable {
    /// Its id, the same on every device. Unique only among the messages of its author's device.
    public let id: String
    /// Names it among all messages on this device: its author's device, a slash and its id. What is done to a message takes
    /// this, and so does a list on a screen.
    public let reference: String
    /// The conversation it is in.
    public let conversation: String
    /// Its place in this device's timelines; grows.
    public let cursor: Int64
    /// Who wrote it, as the directory proves.
    public let sender: String
    /// On which device.
    public let senderDevice: String
    /// Whether it came in, or was written here or on another device of the same person.
    public let direction: Direction
    /// Whether the directory still stood behind the sender when it came.
    public let proof: Proof
    /// How urgent it is.
    public let priority: Priority
    /// What it says; for a type this version does not know, its fallback text.
    public let text: String
    /// The type of its content, such as `wardline.text/1`; empty when the stored body is damaged.
    public let contentType: String
    /// Whether this version understands the type.
    public let isSupported: Bool
    /// Whom it is about.
    public let patient: Patient?
    /// When it was written, by the sender's clock.
    public let createdAt: Date
    /// When it came here, by this device's clock.
    public let arrivedAt: Date
    /// When a person opened it here, if it came in.
    public let readAt: Date?
    /// When what it tells of happened, such as a laboratory result, if its author said so.
    public let occurredAt: Date?
    /// What is expected of its recipients; `nil` when nobody is asked to answer.
    public let asked: Asked?
    /// The reference of the message that this one is a reply to, as its author says; it need not be on this device.
    public let inReplyTo: String?
    /// When its author has taken it back; its text is gone then.
    public let recalled: Recalled?
    /// When its author has corrected it: the text is what it says now, and ``Client/history(of:)`` has what it said before.
    public let amended: Amended?
    /// What its typed fields say, when it has any that this version knows, or a vendor's. A message that was corrected
    /// has those of the correction that stands, or the text alone.
    public let structured: Structured?
    /// Texts that a recipient may answer with as they are, by their places (``Client/reply(to:with:)``). They are those of the
    /// message as it was first written.
    public let offers: [String]
    /// Of a reply with one of the texts that the message it replies to offers: its place among them, from 0. The reply says
    /// exactly that text.
    public let chosen: Int?
    /// When it hands another message on: that one, and whether its author is proven. The text is then the comment and what the
    /// other message says.
    public let forwarded: Forwarded?
    /// When it is over at the latest; `nil`: it stays, or nobody has opened it yet.
    public let expiresAt: Date?
    /// So long after somebody has opened it, it is over; `nil` once that has begun.
    public let expiresAfterRead: Duration?
    /// When it was over; its text is not shown any more then.
    public let expiredAt: Date?
    /// When it is in a conversation with a role: which, and as what its sender speaks for it.
    public let role: InRole?

    /// Which way a message went.
    public enum Direction: Hashable, Sendable, CaseIterable {
        /// Written on this device.
        case outgoing
        /// Written by somebody else.
        case incoming
        /// Written by the same person on another device.
        case ownOtherDevice
    }

    /// What stands behind a sender.
    public enum Proof: Hashable, Sendable, CaseIterable {
        /// The directory listed the sending device as active when the message was opened.
        case proven
        /// The device had been revoked, or its person had left: never an order, never an answer.
        case revoked
    }
}

/// Some messages of a conversation, oldest first.
public struct Page: Hashable, Sendable {
    /// The messages.
    public let messages: [Message]
    /// Ask for the page before with this; `nil` at the beginning.
    public let before: Int64?
}

extension Message: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows the id and the direction.
    public var description: String { "Message(\(id), \(direction))" }
    /// Shows the id and the direction.
    public var debugDescription: String { description }
    /// Shows the id and the direction.
    public var customMirror: Mirror { Mirror(self, children: ["id": id, "direction": direction]) }
}

extension Message {
    init(_ message: WardlineFFI.Message) {
        id = message.id
        reference = message.reference
        conversation = message.conversation
        cursor = message.cursor
        sender = message.sender
        senderDevice = message.senderDevice
        direction = Direction(message.direction)
        proof =
            switch message.proof {
            case .proven: .proven
            case .revoked: .revoked
            }
        priority = Priority(message.priority)
        text = message.text
        contentType = message.contentType
        isSupported = message.supported
        patient = message.patient.map(Patient.init)
        createdAt = Date(millis: message.createdAtMs)
        arrivedAt = Date(millis: message.arrivedAtMs)
        readAt = message.readAtMs.map(Date.init(millis:))
        occurredAt = message.occurredAtMs.map(Date.init(millis:))
        asked = message.asked.map(Asked.init)
        inReplyTo = message.inReplyTo
        recalled = message.recalled.map(Recalled.init)
        amended = message.amended.map(Amended.init)
        structured = message.structured.map(Structured.init)
        offers = message.offers
        chosen = message.chosen.map { Int($0) }
        forwarded = message.forwarded.map(Forwarded.init)
        expiresAt = message.expiresAtMs.map(Date.init(millis:))
        expiresAfterRead = message.expiresAfterReadMs.map { .milliseconds(Int64(clamping: $0)) }
        expiredAt = message.expiredAtMs.map(Date.init(millis:))
        role = message.role.map(InRole.init)
    }
}

extension Message.Direction {
    init(_ direction: WardlineFFI.Direction) {
        self =
            switch direction {
            case .outgoing: .outgoing
            case .incoming: .incoming
            case .ownOtherDevice: .ownOtherDevice
            }
    }
}

extension Page {
    init(_ page: WardlineFFI.MessagePage) {
        messages = page.messages.map(Message.init)
        before = page.before
    }
}
