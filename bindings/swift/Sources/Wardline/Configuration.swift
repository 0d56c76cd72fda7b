// What a device is opened with.

import Foundation
package import WardlineFFI

/// Where a device is, whom it believes, and what carries its calls and wraps its keys.
public struct Configuration: Sendable {
    /// The device's own folder, made when there is none; one for each person and device.
    public var folder: URL
    /// The organization's id.
    public var organization: String
    /// The hash of the organization's first root document, 64 hexadecimal digits, shipped with the app.
    public var root: String
    /// The relay's name, as its operator set it.
    public var relay: String
    /// Carries calls to the relay; usually a ``URLSessionTransport``.
    public var transport: any Transport
    /// Wraps the keys at rest; on Apple's platforms in the Keychain.
    public var keyStore: any KeyStore
    /// What a passphrase costs to try, for new devices; the recommended cost when `nil`.
    public var passphraseCost: PassphraseCost?
    /// How long the transport may take for one call; 75 seconds when `nil`.
    public var transportTimeout: Duration?
    /// How long the key store may take for one call, prompts included; two minutes when `nil`.
    public var keyStoreTimeout: Duration?

    /// Everything else stays as recommended.
    public init(
        folder: URL, organization: String, root: String, relay: String, transport: any Transport, keyStore: any KeyStore
    ) {
        self.folder = folder
        self.organization = organization
        self.root = root
        self.relay = relay
        self.transport = transport
        self.keyStore = keyStore
    }

    /// What one guess at a passphrase costs (Argon2id).
    public struct PassphraseCost: Hashable, Sendable {
        /// Memory in KiB; at least 19,456.
        public var memoryKiB: UInt32
        /// Passes over it; at least 2.
        public var passes: UInt32
        /// Lanes; at least 1.
        public var lanes: UInt32

        /// A cost.
        public init(memoryKiB: UInt32, passes: UInt32, lanes: UInt32) {
            self.memoryKiB = memoryKiB
            self.passes = passes
            self.lanes = lanes
        }
    }
}

extension Configuration {
    package var native: WardlineFFI.ClientConfig {
        WardlineFFI.ClientConfig(
            folder: folder.path,
            organization: organization,
            root: root,
            relay: relay,
            passphraseCost: passphraseCost.map {
                WardlineFFI.PassphraseCost(memoryKib: $0.memoryKiB, passes: $0.passes, lanes: $0.lanes)
            },
            transportTimeoutMs: transportTimeout?.millis,
            keyStoreTimeoutMs: keyStoreTimeout?.millis
        )
    }
}
