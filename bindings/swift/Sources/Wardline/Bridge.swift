// Between this package and the generated code: every call goes through here, so that only `WardlineError` and
// `CancellationError` come out. What a call means is not known here.

import Foundation
package import WardlineFFI

/// Makes an asynchronous call of the library.
package func run<T>(_ call: () async throws -> T) async throws -> T {
    do {
        return try await call()
    } catch {
        throw WardlineError.of(error)
    }
}

/// Makes a synchronous call of the library.
package func run<T>(_ call: () throws -> T) throws -> T {
    do {
        return try call()
    } catch {
        throw WardlineError.of(error)
    }
}

/// Makes a call that may wait for a long time; cancelling the task ends it.
///
/// Generated code does not pass a cancellation on, so the call takes a token.
package func wait<T>(_ call: (WardlineFFI.CancelToken) async throws -> T) async throws -> T {
    let token = WardlineFFI.CancelToken()
    return try await withTaskCancellationHandler {
        try await run { try await call(token) }
    } onCancel: {
        token.cancel()
    }
}

extension Date {
    package init(millis: Int64) {
        self.init(timeIntervalSince1970: Double(millis) / 1000)
    }

    package var millis: Int64 {
        let millis = (timeIntervalSince1970 * 1000).rounded()
        return Int64(exactly: millis) ?? (millis > 0 ? .max : .min)
    }
}

extension Duration {
    package var millis: UInt64 {
        let (seconds, attoseconds) = components
        let whole = min(UInt64(clamping: seconds), UInt64.max / 1000 - 1)
        return whole * 1000 + UInt64(clamping: attoseconds) / 1_000_000_000_000_000
    }
}
