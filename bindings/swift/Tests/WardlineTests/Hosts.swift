// A transport and a key store in Swift that can be told to misbehave.

import Foundation
import Wardline

/// Carries calls to a relay.
final class Carrier: Transport, @unchecked Sendable {
    typealias Mischief = @Sendable () async throws -> RelayResponse

    private let behind: any Transport
    private let lock = NSLock()
    private var made = 0
    private var told: Mischief?

    init(_ behind: any Transport) {
        self.behind = behind
    }

    var calls: Int { lock.withLock { made } }

    /// What it does instead.
    var mischief: Mischief? {
        get { lock.withLock { told } }
        set { lock.withLock { told = newValue } }
    }

    func call(_ request: RelayRequest) async throws -> RelayResponse {
        let mischief = lock.withLock { () -> Mischief? in
            made += 1
            return told
        }
        if let mischief {
            return try await mischief()
        }
        return try await behind.call(request)
    }
}

/// A key store in memory. Its wrapping hides nothing: it is for tests.
final class MemoryKeyStore: KeyStore, @unchecked Sendable {
    private let lock = NSLock()
    private var keys: [KeyPurpose: [UInt8]] = [:]
    private var tried = 0
    private var refusal: (any Error)?
    private var hangs = false
    private var hung = 0

    /// What it throws instead.
    var failure: (any Error)? {
        get { lock.withLock { refusal } }
        set { lock.withLock { refusal = newValue } }
    }

    var isHanging: Bool {
        get { lock.withLock { hangs } }
        set { lock.withLock { hangs = newValue } }
    }

    /// How many calls it has let hang.
    var hanging: Int { lock.withLock { hung } }

    @discardableResult
    func replaceKey(for purpose: KeyPurpose, by key: [UInt8]? = nil) -> [UInt8]? {
        lock.withLock {
            defer { keys[purpose] = key ?? Self.fresh() }
            return keys[purpose]
        }
    }

    func wrap(_ secret: SecretBytes, for purpose: KeyPurpose) async throws -> Data {
        try await obey()
        return secret.withBytes { mix($0, purpose) }
    }

    func unwrap(_ wrapped: Data, for purpose: KeyPurpose) async throws -> SecretBytes {
        try await obey()
        return SecretBytes(mix(wrapped, purpose))
    }

    func erase(_ purpose: KeyPurpose) async throws {
        lock.withLock { keys[purpose] = nil }
    }

    func attempts() async throws -> Int {
        lock.withLock { tried }
    }

    func countAttempt() async throws -> Int {
        lock.withLock {
            tried += 1
            return tried
        }
    }

    func resetAttempts() async throws {
        lock.withLock { tried = 0 }
    }

    private func obey() async throws {
        if let failure {
            throw failure
        }
        if isHanging {
            lock.withLock { hung += 1 }
            try await Task.sleep(for: .seconds(3600))
        }
    }

    private func mix(_ data: Data, _ purpose: KeyPurpose) -> Data {
        lock.withLock {
            let key = keys[purpose] ?? Self.fresh()
            keys[purpose] = key
            return Data(zip(data, key).map { $0 ^ $1 })
        }
    }

    private static func fresh() -> [UInt8] {
        (0..<32).map { _ in UInt8.random(in: 0...255) }
    }
}

/// Something that happened, or not yet.
final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var happened = false

    var isSet: Bool { lock.withLock { happened } }

    func set() {
        lock.withLock { happened = true }
    }
}
