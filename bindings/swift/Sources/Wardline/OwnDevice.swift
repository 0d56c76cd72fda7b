// The devices of this person, and vouching for one.

import Foundation
internal import WardlineFFI

/// One of this person's devices, as the directory lists it.
public struct OwnDevice: Hashable, Sendable, CustomStringConvertible {
    /// Its id.
    public let device: String
    /// What it calls itself.
    public let label: String
    /// When the authority admitted it.
    public let enrolledAt: Date
    /// When the authority revoked it, if it did.
    public let revokedAt: Date?
    /// Whether it is the person's first one, or a chain of vouches leads to it from there.
    public let isVouched: Bool

    /// Shows no label: people name their devices after themselves.
    public var description: String { "OwnDevice(\(device), isVouched: \(isVouched))" }
}

extension Client {
    /// The devices of this person that this device knows of, revoked ones included, in the order in which they were
    /// admitted. An active one that is not vouched is a reason to ask the person. What changed since the last round is
    /// asked for by the next one.
    public func ownDevices() async throws -> [OwnDevice] {
        try await run { try await inside.ownDevices() }.map {
            OwnDevice(
                device: $0.device, label: $0.label, enrolledAt: Date(millis: $0.enrolledAtMs),
                revokedAt: $0.revokedAtMs.map(Date.init(millis:)), isVouched: $0.vouched)
        }
    }

    /// Says that another device of this person is theirs: call it once the person has compared both. Hand the statement to
    /// the organization's backend, for its `Authority`; it is no secret.
    public func vouch(for device: String) async throws -> Data {
        try await run { try await inside.vouch(device: device) }
    }
}
