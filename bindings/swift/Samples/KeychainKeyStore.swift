// A key store over the Secure Enclave and the Keychain: a sample to copy into an app.
//
// Nobody has run it: the machines that build this repository have no Apple platform; they only parse it. Before you ship
// it, run the conduct that `KeyStore` asks for against it on a device: another purpose's secret, a changed byte and a
// secret from before `erase` must all be `notMine`, and the counter must survive deleting the app's files.

import Foundation
import LocalAuthentication
import Security
import Wardline

/// Wraps secrets under keys that never leave the Secure Enclave. One for each device of each person: `account` tells
/// them apart.
final class KeychainKeyStore: KeyStore, @unchecked Sendable {
    private let account: String
    private let accessGroup: String?
    /// Of the counter alone; keys are made by the system, once.
    private let lock = NSLock()

    /// `accessGroup` is the Keychain group that the app shares with its notification extension, if it has one.
    init(account: String, accessGroup: String? = nil) {
        self.account = account
        self.accessGroup = accessGroup
    }

    func wrap(_ secret: SecretBytes, for purpose: KeyPurpose) async throws -> Data {
        let key = try existingKey(purpose) ?? newKey(purpose)
        guard let publicKey = SecKeyCopyPublicKey(key) else {
            throw KeyStoreFailure.failed(status: errSecInvalidKeyRef)
        }
        return try secret.withBytes { bytes in
            var error: Unmanaged<CFError>?
            guard let wrapped = SecKeyCreateEncryptedData(publicKey, Self.algorithm, bytes as CFData, &error) else {
                throw Self.failure(error)
            }
            return wrapped as Data
        }
    }

    func unwrap(_ wrapped: Data, for purpose: KeyPurpose) async throws -> SecretBytes {
        guard let key = try existingKey(purpose) else {
            throw KeyStoreFailure.notMine
        }
        // For `presence` this shows the prompt, and it blocks this thread: none of the main thread's.
        var error: Unmanaged<CFError>?
        guard let opened = SecKeyCreateDecryptedData(key, Self.algorithm, wrapped as CFData, &error) else {
            throw Self.failure(error)
        }
        var bytes = opened as Data
        defer { bytes.resetBytes(in: 0..<bytes.count) }
        return SecretBytes(bytes)
    }

    func erase(_ purpose: KeyPurpose) async throws {
        try Self.check(SecItemDelete(keyQuery(purpose) as CFDictionary), besides: [errSecItemNotFound])
    }

    func attempts() async throws -> Int {
        try lock.withLock { try count() }
    }

    func countAttempt() async throws -> Int {
        try lock.withLock {
            let next = try count() + 1
            try store(next)
            return next
        }
    }

    func resetAttempts() async throws {
        try lock.withLock { try store(0) }
    }

    // Keys.

    private func keyQuery(_ purpose: KeyPurpose) -> [CFString: Any] {
        var query: [CFString: Any] = [
            kSecClass: kSecClassKey,
            kSecAttrKeyType: kSecAttrKeyTypeECSECPrimeRandom,
            kSecAttrApplicationTag: Data("wardline/\(account)/\(purpose)".utf8),
            kSecUseDataProtectionKeychain: true,
        ]
        // Only the inbox key is the extension's business.
        if purpose == .inbox, let accessGroup {
            query[kSecAttrAccessGroup] = accessGroup
        }
        return query
    }

    private func existingKey(_ purpose: KeyPurpose) throws -> SecKey? {
        var query = keyQuery(purpose)
        query[kSecReturnRef] = true
        let context = LAContext()
        context.localizedReason = "Read your messages"
        query[kSecUseAuthenticationContext] = context
        var found: CFTypeRef?
        let status = SecItemCopyMatching(query as CFDictionary, &found)
        if status == errSecItemNotFound {
            return nil
        }
        try Self.check(status)
        return (found as! SecKey)
    }

    private func newKey(_ purpose: KeyPurpose) throws -> SecKey {
        let (accessible, flags): (CFString, SecAccessControlCreateFlags) =
            switch purpose {
            case .inbox: (kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly, [.privateKeyUsage])
            case .reading: (kSecAttrAccessibleWhenUnlockedThisDeviceOnly, [.privateKeyUsage])
            // Another finger or face destroys it, and the person is asked for the passphrase.
            case .presence:
                (kSecAttrAccessibleWhenPasscodeSetThisDeviceOnly, [.privateKeyUsage, .biometryCurrentSet])
            }
        var error: Unmanaged<CFError>?
        guard let access = SecAccessControlCreateWithFlags(nil, accessible, flags, &error) else {
            throw Self.failure(error)
        }
        let query = keyQuery(purpose)
        var permanent: [CFString: Any] = [
            kSecAttrIsPermanent: true,
            kSecAttrAccessControl: access,
        ]
        permanent[kSecAttrApplicationTag] = query[kSecAttrApplicationTag]
        permanent[kSecAttrAccessGroup] = query[kSecAttrAccessGroup]
        let attributes: [CFString: Any] = [
            kSecAttrKeyType: kSecAttrKeyTypeECSECPrimeRandom,
            kSecAttrKeySizeInBits: 256,
            // A simulator has no enclave: leave this line out there, and only there.
            kSecAttrTokenID: kSecAttrTokenIDSecureEnclave,
            kSecUseDataProtectionKeychain: true,
            kSecPrivateKeyAttrs: permanent,
        ]
        guard let key = SecKeyCreateRandomKey(attributes as CFDictionary, &error) else {
            throw Self.failure(error)
        }
        return key
    }

    // The counter: an item of its own, because files go with the app and the Keychain does not.

    private var counterQuery: [CFString: Any] {
        [
            kSecClass: kSecClassGenericPassword,
            kSecAttrService: "wardline/attempts",
            kSecAttrAccount: account,
            kSecUseDataProtectionKeychain: true,
        ]
    }

    private func count() throws -> Int {
        var query = counterQuery
        query[kSecReturnData] = true
        var found: CFTypeRef?
        let status = SecItemCopyMatching(query as CFDictionary, &found)
        if status == errSecItemNotFound {
            return 0
        }
        try Self.check(status)
        guard let data = found as? Data, let count = Int(String(decoding: data, as: UTF8.self)) else {
            // Never taken for zero.
            throw KeyStoreFailure.failed(status: errSecDecode)
        }
        return count
    }

    private func store(_ count: Int) throws {
        let value: [CFString: Any] = [kSecValueData: Data("\(count)".utf8)]
        let status = SecItemUpdate(counterQuery as CFDictionary, value as CFDictionary)
        guard status == errSecItemNotFound else {
            return try Self.check(status)
        }
        let item = counterQuery.merging(value) { $1 }
            .merging([kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly]) { $1 }
        try Self.check(SecItemAdd(item as CFDictionary, nil))
    }

    // What the platform says.

    private static func check(_ status: OSStatus, besides fine: Set<OSStatus> = []) throws {
        if status != errSecSuccess, !fine.contains(status) {
            throw failure(status)
        }
    }

    private static func failure(_ error: Unmanaged<CFError>?) -> KeyStoreFailure {
        guard let error = error?.takeRetainedValue() as (any Error)? else {
            return .failed(status: 0)
        }
        if let error = error as? LAError {
            switch error.code {
            case .userCancel, .appCancel, .systemCancel, .userFallback: return .dismissed
            case .biometryLockout, .biometryNotAvailable, .biometryNotEnrolled, .authenticationFailed: return .refused
            case .notInteractive: return .unavailable
            default: return .failed(status: Int32(truncatingIfNeeded: error.errorCode))
            }
        }
        return failure(OSStatus(truncatingIfNeeded: (error as NSError).code))
    }

    private static func failure(_ status: OSStatus) -> KeyStoreFailure {
        switch status {
        case errSecUserCanceled: .dismissed
        case errSecAuthFailed: .refused
        case errSecInteractionNotAllowed, errSecNotAvailable: .unavailable
        case errSecItemNotFound, errSecDecode, errSecParam: .notMine
        default: .failed(status: status)
        }
    }

    private static let algorithm = SecKeyAlgorithm.eciesEncryptionCofactorVariableIVX963SHA256AESGCM
}
