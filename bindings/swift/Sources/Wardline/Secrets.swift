// Secrets as objects that wipe themselves.

import Foundation
package import WardlineFFI

/// What a person types to read: a PIN, a password or a passphrase. May be used for several calls.
///
/// Swift does not wipe a `String`. Where that matters, take the bytes from the text field and pass them.
public final class Passphrase: Sendable {
    package let inside: WardlineFFI.Passphrase

    /// From text. An empty one is refused with `WL-VAULT-EMPTY-PASSPHRASE`.
    public convenience init(_ text: String) throws {
        try self.init(utf8: Data(text.utf8))
    }

    /// From UTF-8 bytes.
    public init(utf8: Data) throws {
        inside = try run { try WardlineFFI.Passphrase(utf8: utf8) }
    }

    /// Wipes it now. Calls that are given it afterwards refuse it as empty.
    public func wipe() {
        inside.wipe()
    }
}

/// A small secret on its way to or from a ``KeyStore``. Wiped when the last reference to it goes.
public final class SecretBytes: Sendable {
    package let inside: WardlineFFI.SecretBytes

    package init(_ inside: WardlineFFI.SecretBytes) {
        self.inside = inside
    }

    /// Copies the bytes; wipe your own.
    public init(_ bytes: some DataProtocol) {
        var copy = Data(bytes)
        inside = WardlineFFI.SecretBytes(bytes: copy)
        copy.resetBytes(in: copy.startIndex..<copy.endIndex)
    }

    /// How many bytes there are.
    public var count: Int { Int(clamping: inside.length()) }

    /// Shows the bytes to `body`, in a copy that is wiped afterwards.
    public func withBytes<T>(_ body: (Data) throws -> T) rethrows -> T {
        var copy = inside.copy()
        defer { copy.resetBytes(in: copy.startIndex..<copy.endIndex) }
        return try body(copy)
    }
}
