// Accepting and declining what asks for it, and taking back.

internal import WardlineFFI

extension Client {
    /// Accepts or declines a message that asks for it, with what was understood or why not. Everybody in the conversation
    /// learns of it; answering is reading. A person may change their mind: the last answer stands.
    ///
    /// Durable when it returns; returns the id of the answer, which ``deliveries(of:)`` knows.
    @discardableResult
    public func answer(_ message: Message, _ verdict: Verdict, readBack: String = "") async throws -> String {
        try await answer(reference: message.reference, verdict, readBack: readBack)
    }

    /// Answers the same for a message that is named by reference.
    @discardableResult
    public func answer(reference: String, _ verdict: Verdict, readBack: String = "") async throws -> String {
        try await run {
            try await inside.answer(reference: reference, verdict: verdict.native, readBack: readBack)
        }
    }

    /// Every answer to a message that counts, oldest first; the last one of a person stands. `message` is a reference, or
    /// what sending it returned on this device.
    public func answers(to message: String) async throws -> [Answer] {
        try await run { try await inside.answers(message: message) }.map(Answer.init)
    }

    /// Messages that ask for an answer which nobody has given yet, the most urgent first, then by their deadlines.
    public func openItems(_ which: OpenItems, limit: Int = 50) async throws -> [Message] {
        try await run {
            try await inside.openItems(which: which.native, limit: UInt32(clamping: limit))
        }.map(Message.init)
    }

    /// Takes a message of this person back, with a reason that everybody in the conversation can read: its text is gone from
    /// here at once, from devices that are online in a moment, from others before they show it. What has become of it on
    /// each device is in ``deliveries(of:)``. `message` is a reference, or what sending it returned on this device.
    ///
    /// A device that was shown it may have been read, photographed or backed up; what a recall means is each device's own
    /// word.
    public func recall(_ message: String, reason: String = "") async throws {
        try await run { try await inside.recall(message: message, reason: reason) }
    }
}
