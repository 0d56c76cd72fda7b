// Every error an app can get: for a test that asks whether the app has words for each.

import Wardline
internal import WardlineFFI

/// What can go wrong, as a list.
public enum Glossary {
    /// One error for each code, as a call throws it: a `CancellationError` for a wait that was given up, a
    /// `WardlineError` for everything else. Lengths and limits in them are examples.
    public static func everyError() -> [any Error] {
        WardlineFFI.errorCodes().compactMap { thrown($0.code) }
    }

    /// What each of them has to be, in the same order: its code, and the case of its cause.
    package static func expected() -> [(code: String, cause: String, isRetryable: Bool, recovery: String)] {
        WardlineFFI.errorCodes().map { ($0.code, $0.swift, $0.retryable, String(describing: $0.recovery)) }
    }

    private static func thrown(_ code: String) -> (any Error)? {
        do {
            try run { try WardlineFFI.raiseError(code: code) }
            return nil
        } catch {
            return error
        }
    }
}
