// Everything that can go wrong. What the library says becomes ours in ErrorBridge.swift.

/// An error of Wardline.
///
/// Decide by ``code``, which never changes its meaning, by ``recovery``, or by ``cause``, which has the parameters.
/// Show none of its texts to users: ``detail`` is for logs, in English, and names nobody.
///
/// A call that waits throws `CancellationError` instead when its task is cancelled.
public struct WardlineError: Error, Hashable, Sendable {
    /// The stable code, such as `WL-SEND-TOO-LONG`.
    public let code: String
    /// For a developer's log, without names, texts or secrets.
    public let detail: String
    /// Whether the same call may succeed later without anybody doing anything.
    public let isRetryable: Bool
    /// What a person or the app can do about it.
    public let recovery: Recovery
    /// Which part of Wardline says so, with the error's parameters.
    public let cause: Cause

    /// What helps.
    public enum Recovery: Hashable, Sendable, CaseIterable {
        /// Try again; nobody needs to do anything.
        case retry
        /// Unlock the client.
        case unlock
        /// Write something else.
        case changeTheMessage
        /// Choose another recipient.
        case chooseAnotherRecipient
        /// Free some space on the device.
        case freeSpace
        /// Enroll this device (again).
        case enroll
        /// Update the app.
        case updateTheApp
        /// Ask whoever runs the organization's directory and relay.
        case askTheAdministrator
        /// A fault of the app or of Wardline.
        case askTheDeveloper
    }

    /// Which part of Wardline says so, and what only that part has to say. Later versions add cases.
    public enum Cause: Hashable, Sendable {
        /// A message was not taken; nothing was kept of it. Bytes of its text and what the policy allows, when it is
        /// too long.
        case send(length: Int?, limit: Int?)
        /// Nobody may read: unlock first.
        case locked
        /// There is no device in this folder, or there is one already.
        case enrollment
        /// The organization had this device erased: nothing is left of it.
        case wiped
        /// The passphrase is wrong or empty. Wrong ones since the last right one, as the key store counts them.
        case passphrase(attempts: Int?)
        /// The platform's key store did not do its part. The platform's own number, for support.
        case keyStore(status: Int32?)
        /// The keys at rest refused: the file is missing, damaged, or of the version `found`, which is newer.
        case vault(found: Int?)
        /// The database refused. Its schema and the newest that this version knows, when a newer version wrote it.
        case store(found: Int?, known: Int?)
        /// The relay did not answer, or not in a way that makes sense.
        case network
        /// The relay refused. When to try again, and the limit that was exceeded, when it says so.
        case relay(retryAfter: Duration?, limit: Int?)
        /// The relay showed a directory that is not believed. The version that is, and the older one offered.
        case directory(held: Int?, offered: Int?)
        /// A message proves nothing to whoever verifies it: what does not hold, in a stable word such as `revoked`.
        case proof(reason: String)
        /// There is no such message, conversation or device here.
        case notFound
        /// An argument does not have the form it must have.
        case argument(name: String)
        /// The client, or the whole library, was shut down.
        case closed
        /// The organization's signing side refused.
        case authority
        /// A fault of Wardline, or something the operating system should not do. Report it.
        case defect
    }
}

extension WardlineError: CustomStringConvertible {
    /// Code and detail: safe to log.
    public var description: String { "\(code): \(detail)" }
}
