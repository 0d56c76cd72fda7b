// Verifying, offline and with public keys only, who wrote a message that was handed to an outsider.
//
// Making such a file is a device's: `Client.exportProof(of:)`.

import Foundation
import Wardline
internal import WardlineFFI

/// What a proof that holds says. Printing it shows which head, and nothing of what was written, and by whom.
public struct ProvenMessage: Hashable, Sendable {
    /// The organization that stands behind the author's device.
    public let organization: String
    /// Who wrote it.
    public let author: String
    /// What the organization calls them.
    public let displayName: String
    /// On which device.
    public let device: String
    /// What that calls itself.
    public let deviceLabel: String
    /// When, by the author's clock.
    public let writtenAt: Date
    /// What it said first; of a type other than a text, what anybody can read of it.
    public let text: String
    /// What it was corrected to, in the order in which the corrections stand.
    public let corrections: [Correction]
    /// The version of the directory head that it is proven under.
    public let headVersion: UInt64
    /// When that was made, by the authority's clock.
    public let headIssuedAt: Date

    /// A correction by the author of a message.
    public struct Correction: Hashable, Sendable {
        /// On which device of theirs.
        public let device: String
        /// When, by that device's clock.
        public let writtenAt: Date
        /// What the message said from then on.
        public let text: String
        /// Why; may be empty.
        public let reason: String
    }

    /// What a proof says, if it holds for whoever believes the root document with this hash: the one that apps pin, or any
    /// later one that the proof leads over. Otherwise throws the cause `proof`, with what does not hold.
    public init(verifying proof: Data, root: String) throws {
        let proven = try run { try WardlineFFI.verifyProof(proof: proof, root: root) }
        organization = proven.organization
        author = proven.author
        displayName = proven.displayName
        device = proven.device
        deviceLabel = proven.deviceLabel
        writtenAt = Date(millis: proven.writtenAtMs)
        text = proven.text
        corrections = proven.corrections.map {
            Correction(
                device: $0.device, writtenAt: Date(millis: $0.writtenAtMs), text: $0.text, reason: $0.reason)
        }
        headVersion = proven.headVersion
        headIssuedAt = Date(millis: proven.headIssuedAtMs)
    }
}

extension ProvenMessage: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows on which device.
    public var description: String { "ProvenMessage(\(device))" }
    /// Shows on which device.
    public var debugDescription: String { description }
    /// Shows on which device, and under which head.
    public var customMirror: Mirror { Mirror(self, children: ["device": device, "headVersion": headVersion]) }
}

extension ProvenMessage.Correction: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows when.
    public var description: String { "Correction(\(writtenAt))" }
    /// Shows when.
    public var debugDescription: String { description }
    /// Shows when.
    public var customMirror: Mirror { Mirror(self, children: ["writtenAt": writtenAt]) }
}
