// One device of one person: opening it, its keys, its life.
//
// Writing and reading are in Client+Messages.swift, events and the line to the relay in Client+Relay.swift.

import Foundation
package import WardlineFFI

/// One device of one person: its store, its keys, its line to the relay.
///
/// Open it with ``open(_:)``, or with ``enroll(_:user:label:ticket:passphrase:)`` once for each device. What is sent is
/// durable when ``send(_:to:priority:about:answerWithin:occurredAt:replyTo:idempotencyKey:offering:escalating:lifetime:)`` returns; the loop (``start()``) or single rounds
/// (``syncOnce()``) carry it.
///
/// Every method may be called from any thread and any actor. Asynchronous ones run on threads of the library; the others
/// return at once. All of them throw ``WardlineError``; after ``close()`` with the cause
/// ``WardlineError/Cause/closed``.
public final class Client: Sendable {
    package let inside: WardlineFFI.Client

    package init(_ inside: WardlineFFI.Client) {
        self.inside = inside
        _ = Exit.isWatched
    }

    /// Opens a device that was enrolled in this folder. The client is locked: it receives, and nobody can read.
    ///
    /// Cancelling the task gives it up, also while the platform asks the person for something; so it does
    /// ``enroll(_:user:label:ticket:passphrase:)``.
    public static func open(_ configuration: Configuration) async throws -> Client {
        let (transport, keyStore) = (configuration.transport.native, configuration.keyStore.native)
        return Client(
            try await wait { token in
                try await WardlineFFI.Client.open(
                    config: configuration.native, transport: transport, keyStore: keyStore, cancel: token)
            })
    }

    /// Makes a new device of a person and asks the organization to list it. The client is unlocked.
    ///
    /// `ticket` is the one-use ticket that the organization's backend minted for this person. When the relay could not be
    /// asked, or the task was cancelled, call it again on the same folder with the same passphrase.
    public static func enroll(
        _ configuration: Configuration, user: String, label: String = "device", ticket: String, passphrase: Passphrase
    ) async throws -> Client {
        let (transport, keyStore) = (configuration.transport.native, configuration.keyStore.native)
        return Client(
            try await wait { token in
                try await WardlineFFI.Client.enroll(
                    config: configuration.native, transport: transport, keyStore: keyStore,
                    user: user, label: label, ticket: ticket, passphrase: passphrase.inside, cancel: token)
            })
    }

    /// Whether a folder holds an enrolled device.
    public static func isEnrolled(in folder: URL) throws -> Bool {
        try run { try WardlineFFI.isEnrolled(folder: folder.path) }
    }

    /// The version of the native library.
    public static var libraryVersion: String { WardlineFFI.libraryVersion() }

    /// The person this device belongs to.
    public var user: String { inside.user() }

    /// This device.
    public var device: String { inside.device() }

    // Keys.

    /// Whether nobody can read; a client that was closed is locked.
    public var isLocked: Bool { inside.isLocked() }

    /// Whether the organization had this device erased: every call throws `WL-WIPED` then.
    public var isWiped: Bool { inside.isWiped() }

    /// Opens what a person reads; returns how many wrong passphrases were tried since the last right one. Costs about a
    /// second on a phone.
    @discardableResult
    public func unlock(_ passphrase: Passphrase) async throws -> Int {
        Int(try await run { try await inside.unlock(passphrase: passphrase.inside) })
    }

    /// ``unlock(_:)`` for a person whom the platform recognizes, by a finger or a face, once ``allowPresence(_:)`` was
    /// called. The platform may prompt. When it refuses, also because somebody enrolled another finger since, ask for the
    /// passphrase.
    public func unlockByPresence() async throws {
        try await run { try await inside.unlockByPresence() }
    }

    /// Lets presence open what a person reads from now on, besides the passphrase.
    public func allowPresence(_ passphrase: Passphrase) async throws {
        try await run { try await inside.allowPresence(passphrase: passphrase.inside) }
    }

    /// Takes presence back: from now on only the passphrase opens what a person reads.
    public func forbidPresence() async throws {
        try await run { try await inside.forbidPresence() }
    }

    /// Drops the reading keys and closes the search index. Receiving goes on. Views that show texts are told at once.
    public func lock() throws {
        try run { try inside.lock() }
    }

    /// Replaces the passphrase; messages stay as they are.
    public func changePassphrase(from old: Passphrase, to new: Passphrase) async throws {
        try await run { try await inside.changePassphrase(old: old.inside, new: new.inside) }
    }

    /// Encrypts the store anew under a new inbox key.
    public func rekey() async throws {
        try await run { try await inside.rekey() }
    }

    // Its life.

    /// Finishes what is being written and lets go of every file, so that the system may suspend the process.
    ///
    /// On iOS call it, in a background task, before the app is suspended: an app that holds a lock on a file in a shared
    /// container is ended by the system.
    public func suspend() async throws {
        try await run { try await inside.suspend() }
    }

    /// Takes up the files again after ``suspend()``.
    public func resume() async throws {
        try await run { try await inside.resume() }
    }

    /// Checks the chain of audit records on this device; returns the first record that does not follow from the one
    /// before it.
    public func checkAudit() async throws -> Int64? {
        try await run { try await inside.checkAudit() }
    }

    /// Stops the loop, finishes what is being written, closes the store and lets go of transport and key store. Calls
    /// under way end with the cause ``WardlineError/Cause/closed``. Closing twice is closing once, and a task that is
    /// cancelled still closes.
    public func close() async throws {
        try await run { try await inside.shutdown() }
    }

    /// Whether it was closed.
    public var isClosed: Bool { inside.isShutDown() }
}
