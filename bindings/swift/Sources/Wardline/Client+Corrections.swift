// Correcting what was written, reading what it said before, and proving to an outsider who wrote it.

import Foundation
internal import WardlineFFI

extension Client {
    /// Corrects the text of a message of this person, with a reason. Everybody the message went to sees the new text in its
    /// place, and in ``history(of:)`` what it said before: a clinical correction, never a silent edit. `message` is a
    /// reference, or what sending it returned on this device.
    ///
    /// Durable when it returns; returns the id of the correction, which ``deliveries(of:)`` knows. Who has accepted the
    /// message before has accepted another text: ``Answer/isOutdated`` says so. Nothing is asked again by itself.
    @discardableResult
    public func amend(_ message: String, to text: String, reason: String = "") async throws -> String {
        try await run { try await inside.amend(message: message, text: text, reason: reason) }
    }

    /// Corrects a structured message, with the fields that are right: all of them, of the type that the message has. `text` is
    /// for devices that do not know the type; when it is empty, it is made of the fields.
    @discardableResult
    public func amend(
        _ message: String, to fields: Structured, text: String = "", reason: String = ""
    ) async throws -> String {
        try await run {
            try await inside.amendStructured(message: message, fields: fields.native, text: text, reason: reason)
        }
    }

    /// Every text that a message has had, oldest first; the last one is what it says now. `message` is a reference, or what
    /// sending it returned on this device.
    public func history(of message: String) async throws -> [Message.Version] {
        try await run { try await inside.history(message: message) }.map(Message.Version.init)
    }

    /// A message and its corrections with everything that proves who wrote them, as a file for an outsider: whoever has a
    /// root document of the organization verifies it offline, with `wardline verify`. It holds the text and the patient in
    /// the clear: whoever gets it reads them. Asks the relay.
    ///
    /// A device that was revoked proves nothing more: export what must be proven later while its author's device is in use.
    public func exportProof(of reference: String) async throws -> Data {
        try await run { try await inside.exportProof(reference: reference) }
    }
}
