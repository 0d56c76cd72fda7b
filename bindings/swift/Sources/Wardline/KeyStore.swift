// Wrapping keys at rest: what an app implements over its platform's key store, and one of files.

import Foundation
package import WardlineFFI

/// Wraps small secrets under keys that the platform guards, and counts failed passphrases.
///
/// One for each device of each person. Calls come from several threads at once, never from the main thread; a prompt
/// for a fingerprint may take its time. When nobody waits for a call any more its task is cancelled. Whatever it throws
/// besides ``KeyStoreFailure`` counts as ``KeyStoreFailure/failed(status:)``.
public protocol KeyStore: Sendable {
    /// Wraps 32 random bytes under the key for `purpose`, creating that key when there is none. The result is at most
    /// 4096 bytes long.
    func wrap(_ secret: SecretBytes, for purpose: KeyPurpose) async throws -> Data

    /// The secret that ``wrap(_:for:)`` was given for the same purpose; ``KeyStoreFailure/notMine`` for anything else.
    func unwrap(_ wrapped: Data, for purpose: KeyPurpose) async throws -> SecretBytes

    /// Destroys the key for `purpose`, so that nothing wrapped under it opens ever again. Fine when there is none.
    func erase(_ purpose: KeyPurpose) async throws

    /// How many passphrases were tried since the last success.
    func attempts() async throws -> Int

    /// Adds one to the counter, durably and before returning, and tells the new count.
    func countAttempt() async throws -> Int

    /// Sets the counter to zero.
    func resetAttempts() async throws
}

/// When the platform lets a wrapped secret be opened.
public enum KeyPurpose: Hashable, Sendable, CaseIterable {
    /// From the first unlock of the device after it started, with nobody present. Never prompts.
    case inbox
    /// While the device is unlocked; opened together with a passphrase.
    case reading
    /// Only when the platform has recognized the person.
    case presence
}

/// Why a key store did not do what it was asked.
public enum KeyStoreFailure: Error, Hashable, Sendable {
    /// The platform said no: biometrics locked out, or forbidden by device management.
    case refused
    /// The person dismissed the prompt.
    case dismissed
    /// Not now: the device was not unlocked since it started, or is locked.
    case unavailable
    /// The platform's key does not open this.
    case notMine
    /// Anything else, with the platform's own number for support; 0 if it has none.
    case failed(status: Int32)
}

/// A key store in a folder that only this user can read, for servers and tests. It protects against whoever gets the
/// data folder without this one.
public struct FileKeyStore: KeyStore {
    fileprivate let inside: any WardlineFFI.KeyStore

    /// Opens the folder, and makes it when there is none.
    public init(folder: URL) throws {
        inside = try run { try WardlineFFI.fileKeyStore(folder: folder.path) }
    }

    public func wrap(_ secret: SecretBytes, for purpose: KeyPurpose) async throws -> Data {
        try await refusing { try await inside.wrap(purpose: purpose.native, secret: secret.inside) }
    }

    public func unwrap(_ wrapped: Data, for purpose: KeyPurpose) async throws -> SecretBytes {
        SecretBytes(try await refusing { try await inside.unwrap(purpose: purpose.native, wrapped: wrapped) })
    }

    public func erase(_ purpose: KeyPurpose) async throws {
        try await refusing { try await inside.erase(purpose: purpose.native) }
    }

    public func attempts() async throws -> Int {
        Int(try await refusing { try await inside.attempts() })
    }

    public func countAttempt() async throws -> Int {
        Int(try await refusing { try await inside.countAttempt() })
    }

    public func resetAttempts() async throws {
        try await refusing { try await inside.resetAttempts() }
    }

    private func refusing<T>(_ call: () async throws -> T) async throws -> T {
        do {
            return try await call()
        } catch let error as WardlineFFI.KeyStoreError {
            throw KeyStoreFailure(error)
        } catch {
            throw KeyStoreFailure.failed(status: 0)
        }
    }
}

extension KeyStore {
    /// What the native library calls: the built-in one never enters Swift.
    package var native: any WardlineFFI.KeyStore {
        (self as? FileKeyStore)?.inside ?? KeyStoreAdapter(self)
    }
}

private final class KeyStoreAdapter: WardlineFFI.KeyStore {
    private let store: any KeyStore

    init(_ store: any KeyStore) {
        self.store = store
    }

    func wrap(purpose: WardlineFFI.KeyPurpose, secret: WardlineFFI.SecretBytes) async throws -> Data {
        try await ask { try await store.wrap(SecretBytes(secret), for: KeyPurpose(purpose)) }
    }

    func unwrap(purpose: WardlineFFI.KeyPurpose, wrapped: Data) async throws -> WardlineFFI.SecretBytes {
        try await ask { try await store.unwrap(wrapped, for: KeyPurpose(purpose)) }.inside
    }

    func erase(purpose: WardlineFFI.KeyPurpose) async throws {
        try await ask { try await store.erase(KeyPurpose(purpose)) }
    }

    func attempts() async throws -> UInt32 {
        UInt32(clamping: try await ask { try await store.attempts() })
    }

    func countAttempt() async throws -> UInt32 {
        UInt32(clamping: try await ask { try await store.countAttempt() })
    }

    func resetAttempts() async throws {
        try await ask { try await store.resetAttempts() }
    }

    private func ask<T>(_ call: () async throws -> T) async throws -> T {
        do {
            return try await call()
        } catch {
            switch error as? KeyStoreFailure {
            case .refused: throw WardlineFFI.KeyStoreError.Refused
            case .dismissed: throw WardlineFFI.KeyStoreError.Dismissed
            case .unavailable: throw WardlineFFI.KeyStoreError.Unavailable
            case .notMine: throw WardlineFFI.KeyStoreError.NotMine
            case .failed(let status): throw WardlineFFI.KeyStoreError.Failed(status: status)
            case nil: throw WardlineFFI.KeyStoreError.Failed(status: 0)
            }
        }
    }
}

extension KeyStoreFailure {
    init(_ error: WardlineFFI.KeyStoreError) {
        self =
            switch error {
            case .Refused: .refused
            case .Dismissed: .dismissed
            case .Unavailable: .unavailable
            case .NotMine: .notMine
            case .Failed(let status): .failed(status: status)
            }
    }
}

extension KeyPurpose {
    init(_ purpose: WardlineFFI.KeyPurpose) {
        self =
            switch purpose {
            case .inbox: .inbox
            case .reading: .reading
            case .presence: .presence
            }
    }

    var native: WardlineFFI.KeyPurpose {
        switch self {
        case .inbox: .inbox
        case .reading: .reading
        case .presence: .presence
        }
    }
}
