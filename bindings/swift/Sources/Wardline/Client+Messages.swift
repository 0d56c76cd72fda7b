// Writing and reading.

import Foundation
internal import WardlineFFI

extension Client {
    /// Takes a message and returns its id: it is on disk then and will be sent, whatever happens to the process or the
    /// network.
    ///
    /// Sending twice with the same `idempotencyKey` (at most 128 bytes) sends once, also after a restart. A task that is
    /// cancelled sends all the same: the answer is never in doubt.
    ///
    /// `answerWithin` asks for an answer by then; a stat message asks for one by itself, without a time. `occurredAt` is when
    /// what it tells of happened, a laboratory result, say. `replyTo` is the reference of a message of the same conversation.
    /// `offering` are short texts that a recipient may answer with as they are, by ``reply(to:with:)``: at most 8, each one
    /// line of at most 160 bytes and none twice.
    ///
    /// `escalating` says who is given it when nobody has accepted it in time, tier after tier, at most 8. It needs no phone
    /// for that: the relay holds what they are given, sealed, from when it has the message. A decline brings the next tier at
    /// once, an acceptance stops all later ones. `lifetime` says for how long it may be read; the policy's limit holds.
    @discardableResult
    public func send(
        _ text: String, to recipient: Recipient, priority: Priority = .routine, about patient: Patient? = nil,
        answerWithin: Duration? = nil, occurredAt: Date? = nil, replyTo: String? = nil, idempotencyKey: String? = nil,
        offering offers: [String] = [], escalating tiers: [Escalation.Tier] = [], lifetime: Lifetime? = nil
    ) async throws -> String {
        let draft = WardlineFFI.Draft(
            recipient: recipient.native, text: text, priority: priority.native, patient: patient?.native,
            occurredAtMs: occurredAt?.millis, answerWithinMs: answerWithin?.millis, replyTo: replyTo,
            idempotencyKey: idempotencyKey, offers: offers, escalate: tiers.map(\.native), lifetime: lifetime?.native)
        return try await run { try await inside.send(draft: draft) }
    }

    /// Takes a message with typed fields, as ``send(_:to:priority:about:answerWithin:occurredAt:replyTo:idempotencyKey:offering:escalating:lifetime:)``
    /// does one without. `text` is what devices show that do not know its type; when it is empty, it is made of the fields.
    @discardableResult
    public func send(
        _ content: Structured, text: String = "", to recipient: Recipient, priority: Priority = .routine,
        about patient: Patient? = nil, answerWithin: Duration? = nil, occurredAt: Date? = nil, replyTo: String? = nil,
        idempotencyKey: String? = nil, escalating tiers: [Escalation.Tier] = [], lifetime: Lifetime? = nil
    ) async throws -> String {
        let draft = WardlineFFI.Draft(
            recipient: recipient.native, text: text, priority: priority.native, patient: patient?.native,
            occurredAtMs: occurredAt?.millis, answerWithinMs: answerWithin?.millis, replyTo: replyTo,
            idempotencyKey: idempotencyKey, structured: content.native, escalate: tiers.map(\.native),
            lifetime: lifetime?.native)
        return try await run { try await inside.send(draft: draft) }
    }

    /// The conversation that this person shares with a recipient.
    public func conversation(with recipient: Recipient) throws -> String {
        try run { try inside.conversation(recipient: recipient.native) }
    }

    /// A page of a conversation, ending before `cursor` or with the newest message.
    public func timeline(_ conversation: String, before cursor: Int64? = nil, size: Int = 50) async throws -> Page {
        Page(
            try await run {
                try await inside.timeline(conversation: conversation, before: cursor, size: UInt32(clamping: size))
            })
    }

    /// Messages by reference, in the order asked: what an event has announced, say. Those that are not on this device are
    /// left out.
    public func messages(_ references: [String]) async throws -> [Message] {
        try await run { try await inside.messages(references: references) }.map(Message.init)
    }

    /// How a message of this device stands with everybody it went to; `message` is what sending it returned.
    public func deliveries(of message: String) async throws -> [Delivery] {
        try await run { try await inside.deliveries(message: message) }.map(Delivery.init)
    }

    /// Notes that a person has opened messages, here; their authors get a signed receipt. A preview on a lock screen or in
    /// a list is not an opening.
    public func markRead(_ messages: [Message]) async throws {
        try await markRead(references: messages.map(\.reference))
    }

    /// Notes the same for messages that are named by reference.
    public func markRead(references: [String]) async throws {
        try await run { try await inside.markRead(references: references) }
    }

    /// How many messages of a conversation nobody has opened yet.
    public func unread(in conversation: String) async throws -> Int {
        Int(clamping: try await run { try await inside.unread(conversation: conversation) })
    }

    /// How many messages nobody has opened yet, in all conversations: what an app's badge shows.
    public func unreadTotal() async throws -> Int {
        Int(clamping: try await run { try await inside.unreadTotal() })
    }

    /// A page of the list of conversations: those whose newest message is older than `cursor`, or the first ones, the
    /// newest first. Works while locked; only the previews are missing then.
    ///
    /// A conversation in which somebody has only begun to write is not on the list. One that gets a message between two
    /// pages moves to the front: it is on the first page when that is asked for again.
    public func conversations(before cursor: Int64? = nil, size: Int = 50) async throws -> ConversationPage {
        ConversationPage(
            try await run { try await inside.conversations(before: cursor, size: UInt32(clamping: size)) })
    }

    /// Follows the `size` conversations with the newest messages: an app's first screen. Works while locked; previews come
    /// with the unlock and go with the lock.
    public func followConversations(size: Int = 50) async throws -> ConversationListView {
        ConversationListView(
            try await run { try await inside.followConversations(size: UInt32(clamping: size)) })
    }

    /// Looks for messages: all words must occur, the last one may be unfinished. Newest first.
    public func search(
        _ text: String, in conversation: String? = nil, before cursor: Int64? = nil, limit: Int = 50
    ) async throws -> [Message] {
        try await run {
            try await inside.search(
                text: text, conversation: conversation, before: cursor, limit: UInt32(clamping: limit))
        }.map(Message.init)
    }

    /// Keeps what somebody has begun to write; an empty text removes it.
    public func saveDraft(_ text: String, to recipient: Recipient) async throws {
        try await run { try await inside.saveDraft(recipient: recipient.native, text: text) }
    }

    /// What somebody has begun to write.
    public func draft(in conversation: String) async throws -> String? {
        try await run { try await inside.draft(conversation: conversation) }
    }

    /// Follows the newest `size` messages of a conversation.
    public func follow(_ conversation: String, size: Int = 50) async throws -> TimelineView {
        TimelineView(
            try await run {
                try await inside.follow(conversation: conversation, size: UInt32(clamping: size))
            })
    }
}
