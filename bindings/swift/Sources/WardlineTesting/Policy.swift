// What an organization allows and demands. Obeying the rules is the devices' concern.

import Wardline
internal import WardlineFFI

/// The rules of a policy; times are whole seconds. Take ``Authority/policy()`` and change it: rules that this version does not
/// know stay as they are.
public struct PolicyRules: Hashable, Sendable {
    /// Longest text of one message, in bytes of UTF-8; 1 to 1,048,576.
    public var maxTextBytes: Int
    /// How often a device asks for a newer head while it is in use; 5 seconds to an hour.
    public var headRefresh: Duration
    /// How long after a head's expiry a device may still seal for what that head says; up to 30 days.
    public var offlineLimit: Duration
    /// For how long after sending an undelivered message may be sealed again; up to 30 days.
    public var resealWindow: Duration
    /// For how long after sending a message may be taken back by its author; zero: never; up to 30 days.
    public var recallWindow: Duration
    /// For how long after sending a message may be corrected by its author; zero: never; up to 30 days.
    public var amendWindow: Duration
    /// How often a device gives notice again of a stat message that nobody has accepted; zero: never. Otherwise 10 seconds
    /// to an hour.
    public var statRepeat: Duration
    /// For how long any message may be read, from when it was written; zero: for as long as its author says. Otherwise a
    /// minute to ten years. Devices end every message by it that comes to them while it is in force.
    public var maxLifetime: Duration
    /// For how long a message may be read whose author says nothing; zero: for as long as it is kept. Otherwise a minute to
    /// ten years.
    public var defaultLifetime: Duration
    /// How many identifiers of a patient a stat message must carry; two tell patients apart. At most 8.
    public var statPatientIdentifiers: Int
    /// Codes of the staff roles whose holders may send stat messages; none: everybody may. At most 64. From others they
    /// count as urgent.
    public var statRoles: [String]
    /// What a notification may say where anybody can see it.
    public var lockScreen: LockScreen

    /// What a notification may say where anybody can see it. Never a text.
    public enum LockScreen: Hashable, Sendable, CaseIterable {
        /// That there is a message, and how urgent it is.
        case tier
        /// Also who wrote it.
        case sender
    }
}

extension Authority {
    /// The rules that are, or with the next head come, in force.
    public func policy() async throws -> PolicyRules {
        PolicyRules(try await run { try await inside.policy() })
    }

    /// Puts other rules in force with the next head; answers the version of the policy that has them.
    @discardableResult
    public func setPolicy(_ rules: PolicyRules) async throws -> UInt64 {
        // What this version does not know stays as it is.
        let current = try await run { try await inside.policy() }
        return try await run { try await inside.setPolicy(rules: rules.native(over: current)) }
    }
}

extension PolicyRules {
    init(_ rules: WardlineFFI.PolicyRules) {
        maxTextBytes = Int(rules.maxTextBytes)
        headRefresh = .seconds(rules.headRefreshSeconds)
        offlineLimit = .seconds(rules.offlineLimitSeconds)
        resealWindow = .seconds(rules.resealWindowSeconds)
        recallWindow = .seconds(rules.recallWindowSeconds)
        amendWindow = .seconds(rules.amendWindowSeconds)
        statRepeat = .seconds(rules.statRepeatSeconds)
        maxLifetime = .seconds(rules.maxLifetimeSeconds)
        defaultLifetime = .seconds(rules.defaultLifetimeSeconds)
        statPatientIdentifiers = Int(rules.statPatientIdentifiers)
        statRoles = rules.statRoles
        lockScreen =
            switch rules.lockScreen {
            case .tier: .tier
            case .sender: .sender
            }
    }

    func native(over current: WardlineFFI.PolicyRules) -> WardlineFFI.PolicyRules {
        WardlineFFI.PolicyRules(
            maxTextBytes: UInt32(clamping: maxTextBytes), headRefreshSeconds: seconds(headRefresh),
            offlineLimitSeconds: seconds(offlineLimit), resealWindowSeconds: seconds(resealWindow),
            recallWindowSeconds: seconds(recallWindow), amendWindowSeconds: seconds(amendWindow),
            statRepeatSeconds: seconds(statRepeat), maxLifetimeSeconds: seconds(maxLifetime),
            defaultLifetimeSeconds: seconds(defaultLifetime), forwarding: current.forwarding,
            legalHold: current.legalHold, statPatientIdentifiers: UInt32(clamping: statPatientIdentifiers), statRoles: statRoles,
            lockScreen: {
                switch lockScreen {
                case .tier: .tier
                case .sender: .sender
                }
            }())
    }
}

private func seconds(_ time: Duration) -> UInt32 {
    UInt32(clamping: time.components.seconds)
}
