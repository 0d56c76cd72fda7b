// A relay in this process, reachable without a socket, and on one when asked.

import Foundation
import Wardline
internal import WardlineFFI

/// A relay in this process. Stop it before its folder goes away.
public final class TestRelay: Sendable {
    private let inside: WardlineFFI.TestRelay

    private init(_ inside: WardlineFFI.TestRelay) {
        self.inside = inside
    }

    /// Opens a relay of this name on a folder, for the organizations of these root documents.
    public static func open(
        folder: URL, name: String, rootDocuments: [String], clock: TestClock? = nil
    ) async throws -> TestRelay {
        TestRelay(
            try await run {
                try await WardlineFFI.TestRelay.open(
                    folder: folder.path, name: name, rootDocuments: rootDocuments, clock: clock?.inside)
            })
    }

    /// A transport to it, without a socket.
    public var transport: any Wardline.Transport { BuiltInTransport(inside.transport()) }

    /// Puts it on a port of this machine (0 takes a free one) and returns its address, so that apps in other processes
    /// and simulators can join.
    public func listen(port: UInt16 = 0) async throws -> URL {
        let address = try await run { try await inside.listen(port: port) }
        guard let url = URL(string: address) else {
            throw URLError(.badURL)
        }
        return url
    }

    /// Releases what is held and due by its clock now; by itself it does so within a second of the system's time.
    public func releaseDue() async throws {
        try await run { try await inside.releaseDue() }
    }

    /// Deletes what is too old by its clock now.
    public func sweep() async throws {
        try await run { try await inside.sweep() }
    }

    /// Waits for the next wake-up that it hands to its push gateway, which keeps all of them. A device in a long poll is
    /// woken only when it has not acknowledged what came after 3 s.
    public func nextWakeUp() async throws -> WakeUp {
        let told = try await run { try await inside.nextWakeUp() }
        return WakeUp(token: told.token, topic: told.topic, wakeClass: told.wakeClass)
    }

    /// Its metrics, as OpenMetrics text.
    public var metrics: String { inside.metrics() }

    /// Answers every waiting poll, finishes what was begun and closes.
    public func stop() async throws {
        try await run { try await inside.stop() }
    }
}

/// What a push gateway is told: which device to wake and how loudly, and nothing else.
public struct WakeUp: Hashable, Sendable {
    /// The device, as the push service knows it.
    public let token: String
    /// Which push service and which app the token is of.
    public let topic: String
    /// `silent`, `alert` or `critical`.
    public let wakeClass: String
}

/// The transport of services and desktops, built into the native library for tests. An app takes a
/// `URLSessionTransport`.
public func builtInHTTPTransport(to url: URL, allowingPlaintext: Bool = false) throws -> any Wardline.Transport {
    let options = WardlineFFI.HttpOptions(allowPlaintext: allowingPlaintext)
    return BuiltInTransport(try run { try WardlineFFI.httpTransport(url: url.absoluteString, options: options) })
}
