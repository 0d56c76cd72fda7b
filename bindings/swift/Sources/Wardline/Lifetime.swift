// For how long messages may be read.

internal import WardlineFFI

/// For how long a message may be read; what is not said has no end. It is erased then, on every device, offline and locked too.
public struct Lifetime: Hashable, Sendable {
    /// So long after it was written, whoever has opened it.
    public var afterSent: Duration?
    /// So long after a person has opened it, on any of their devices; on the author's, after everybody it went to has.
    public var afterRead: Duration?

    /// A lifetime; without an end when nothing is said.
    public init(afterSent: Duration? = nil, afterRead: Duration? = nil) {
        self.afterSent = afterSent
        self.afterRead = afterRead
    }
}

extension Client {
    /// Sets for how long what this person sends to a recipient from now on may be read, unless a message says otherwise; an
    /// empty lifetime takes it back. The policy's limits hold.
    public func setLifetime(_ lifetime: Lifetime, for recipient: Recipient) async throws {
        try await run { try await inside.setLifetime(recipient: recipient.native, lifetime: lifetime.native) }
    }

    /// For how long what is sent to a conversation may be read, when a message says nothing: what was set, or what the policy
    /// wants. To be shown before somebody writes.
    public func lifetime(of conversation: String) async throws -> Lifetime {
        Lifetime(try await run { try await inside.lifetime(conversation: conversation) })
    }
}

extension Lifetime {
    init(_ lifetime: WardlineFFI.Lifetime) {
        self.init(
            afterSent: lifetime.afterSentMs.map { .milliseconds(Int64(clamping: $0)) },
            afterRead: lifetime.afterReadMs.map { .milliseconds(Int64(clamping: $0)) })
    }

    var native: WardlineFFI.Lifetime {
        WardlineFFI.Lifetime(afterSentMs: afterSent?.millis, afterReadMs: afterRead?.millis)
    }
}
