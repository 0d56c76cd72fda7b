// Finding messages, thinking of what may be wrong with one before it leaves, and how long answers took.

import Foundation
internal import WardlineFFI

extension Client {
    /// Messages that a filter describes, newest first. The page after is found with the cursor of the last one.
    public func find(_ filter: Filter, before cursor: Int64? = nil, limit: Int = 50) async throws -> [Message] {
        try await run {
            try await inside.find(filter: filter.native, before: cursor, limit: UInt32(clamping: limit))
        }.map(Message.init)
    }

    /// What a person should think of before a message like this leaves; nothing is sent, and nothing refused. No caution is
    /// no proof that all is well: it knows what this device knows.
    public func check(
        _ recipient: Recipient, priority: Priority = .routine, about patient: Patient? = nil
    ) async throws -> [Caution] {
        let draft = WardlineFFI.Draft(
            recipient: recipient.native, text: "", priority: priority.native, patient: patient?.native)
        return try await run { try await inside.check(draft: draft) }.map(Caution.init)
    }

    /// The recipients' devices whose software does not know a type of content, such as `wardline.order/1`: they show the text
    /// alone. Vendors' types are known to apps, not to Wardline: every device is without them. `nil` when the directory has to
    /// be asked first: the next round does so.
    public func devices(of recipient: Recipient, without typeURI: String) async throws -> [PersonDevice]? {
        try await run { try await inside.devicesWithout(recipient: recipient.native, typeUri: typeURI) }?.map {
            PersonDevice(user: $0.user, device: $0.device)
        }
    }

    /// How long messages written on this device took to be delivered, read and acknowledged, and how many were not: over
    /// those written from `since` on and before `until`, for each group that has any. Works while locked.
    public func loopTimes(
        by grouping: LoopTimes.Grouping, since: Date? = nil, until: Date? = nil
    ) async throws -> [LoopTimes] {
        try await run {
            try await inside.loopTimes(grouping: grouping.native, sinceMs: since?.millis, untilMs: until?.millis)
        }.map(LoopTimes.init)
    }
}
