// A network that fails, between any device and its relay.

import Wardline
internal import WardlineFFI

/// A network in front of a transport, which fails as it is told. It has no faults until then.
public final class FaultyNetwork: Sendable {
    private let inside: WardlineFFI.FaultyTransport

    /// A network in front of this transport.
    public init(to behind: any Wardline.Transport) {
        inside = WardlineFFI.faultyTransport(behind: behind.native)
    }

    /// What a client is given.
    public var transport: any Wardline.Transport { BuiltInTransport(inside.transport()) }

    /// No call comes through.
    public func cut() {
        inside.cut()
    }

    /// Calls come through again, and meet nothing.
    public func mend() {
        inside.mend()
    }

    /// From now on calls meet these faults; the same seed is the same run.
    public func set(_ plan: FaultPlan, seed: UInt64) {
        inside.setPlan(plan: plan.native, seed: seed)
    }

    /// How many calls were made.
    public var calls: Int { Int(clamping: inside.calls()) }
}

/// What the calls of one device meet: each fault in so many calls of a hundred.
public struct FaultPlan: Hashable, Sendable {
    /// They do not reach the relay.
    public var loseRequests: UInt8 = 0
    /// The relay carries them out; the answer is lost.
    public var loseAnswers: UInt8 = 0
    /// They reach the relay twice.
    public var duplicate: UInt8 = 0
    /// They are overtaken by the next call.
    public var reorder: UInt8 = 0
    /// The answer ends early.
    public var truncate: UInt8 = 0
    /// A bit of the answer is flipped.
    public var flipBits: UInt8 = 0
    /// The shortest and the longest time every call is held up.
    public var delay: ClosedRange<Duration> = .zero ... .zero

    /// No faults.
    public init() {}

    var native: WardlineFFI.FaultPlan {
        WardlineFFI.FaultPlan(
            loseRequests: loseRequests, loseAnswers: loseAnswers, duplicate: duplicate, reorder: reorder,
            truncate: truncate, flipBits: flipBits, minDelayMs: UInt32(clamping: delay.lowerBound.millis),
            maxDelayMs: UInt32(clamping: delay.upperBound.millis))
    }
}
