// One clock for relay, authority and clients, set by hand; and clients on it.

import Foundation
import Wardline
internal import WardlineFFI

/// A clock that stands still until it is moved.
///
/// It is what messages, tickets, heads and receipts are dated by. Pauses between retries and long polls follow the
/// system's.
public final class TestClock: Sendable {
    let inside: WardlineFFI.TestClock

    /// Shows this time; the system's when `nil`.
    public init(_ now: Date? = nil) {
        inside = WardlineFFI.TestClock(nowMs: now?.millis)
    }

    /// What it shows.
    public var now: Date { Date(millis: inside.nowMs()) }

    /// Lets time pass.
    public func advance(by duration: Duration) {
        inside.advance(byMs: duration.millis)
    }

    /// Turns the wall clock, in either direction; no time passes.
    public func set(_ now: Date) {
        inside.set(nowMs: now.millis)
    }
}

extension Wardline.Client {
    /// ``Wardline/Client/open(_:)`` with a clock that is set by hand.
    public static func open(_ configuration: Configuration, clock: TestClock) async throws -> Wardline.Client {
        let (transport, keyStore) = (configuration.transport.native, configuration.keyStore.native)
        return Wardline.Client(
            try await wait { token in
                try await WardlineFFI.Client.openAt(
                    config: configuration.native, transport: transport, keyStore: keyStore, clock: clock.inside,
                    cancel: token)
            })
    }

    /// ``Wardline/Client/enroll(_:user:label:ticket:passphrase:)`` with a clock that is set by hand.
    public static func enroll(
        _ configuration: Configuration, user: String, label: String = "device", ticket: String,
        passphrase: Wardline.Passphrase, clock: TestClock
    ) async throws -> Wardline.Client {
        let (transport, keyStore) = (configuration.transport.native, configuration.keyStore.native)
        return Wardline.Client(
            try await wait { token in
                try await WardlineFFI.Client.enrollAt(
                    config: configuration.native, transport: transport, keyStore: keyStore, user: user, label: label,
                    ticket: ticket, passphrase: passphrase.inside, clock: clock.inside, cancel: token)
            })
    }
}
