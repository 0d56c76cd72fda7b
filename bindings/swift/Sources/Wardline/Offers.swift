// Short texts that a message offers, and who has answered with which.

import Foundation
internal import WardlineFFI

/// Somebody's reply with one of the texts that a message offers. Printing it shows which, and nothing of by whom.
public struct Choice: Hashable, Sendable {
    /// Who chose.
    public let user: String
    /// The place of the offer, from 0.
    public let index: Int
    /// When, by the clock of their device.
    public let at: Date
    /// The reply's reference.
    public let reply: String
    /// Whether it is the person's last one.
    public let stands: Bool
    /// Whether they had read another text than the one that stands: the message was corrected since.
    public let isOutdated: Bool
}

extension Client {
    /// Answers a message with the text that it offers at a place (``Message/offers``, from 0): a reply in the same
    /// conversation that says exactly that. Choosing is reading. Durable when it returns; returns the id of the reply.
    ///
    /// It is no verdict: a message that asks for an answer stays open until somebody accepts it with
    /// ``answer(_:_:readBack:)``.
    @discardableResult
    public func reply(to message: Message, with index: Int) async throws -> String {
        try await reply(toReference: message.reference, with: index)
    }

    /// Answers the same for a message that is named by reference.
    @discardableResult
    public func reply(toReference reference: String, with index: Int) async throws -> String {
        // No message offers so many.
        let index = UInt32(exactly: index) ?? .max
        return try await run { try await inside.replyWith(reference: reference, index: index) }
    }

    /// Everybody's replies with the texts that a message offers, oldest first; the last one of a person stands. `message` is a
    /// reference, or what sending it returned on this device.
    public func choices(of message: String) async throws -> [Choice] {
        try await run { try await inside.choices(message: message) }.map(Choice.init)
    }
}

extension Choice: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows which.
    public var description: String { "Choice(\(index))" }
    /// Shows which.
    public var debugDescription: String { description }
    /// Shows which.
    public var customMirror: Mirror { Mirror(self, children: ["index": index, "stands": stands]) }
}

extension Choice {
    init(_ choice: WardlineFFI.Choice) {
        user = choice.user
        index = Int(choice.index)
        at = Date(millis: choice.atMs)
        reply = choice.reply
        stands = choice.stands
        isOutdated = choice.outdated
    }
}
