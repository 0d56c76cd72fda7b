// Calls to the relay over the platform's own HTTP stack, with its proxies, its VPN and its certificates.

import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Carries calls over `URLSession`.
///
/// A call may take longer than the relay holds a long poll (50 seconds), no redirect is followed, no cookie and no answer
/// is kept, and an answer that is too large is given up. Cancelling the task of a call ends it. To pin certificates, name
/// them in the app's `Info.plist` (`NSPinnedDomains`).
public final class URLSessionTransport: Transport {
    private let url: URL
    private let calls: Calls
    private let session: URLSession

    /// A transport to the relay at `url`, such as `https://relay.mercy.example`.
    ///
    /// `http://` is refused with the cause ``WardlineError/Cause/argument(name:)``, but to this machine, or where
    /// `allowingPlaintext` says that a proxy speaks TLS. A `configuration` of your own (for a hospital's proxy) is copied,
    /// and keeps everything that is not named here. An answer may have `limit` bytes.
    public init(
        _ url: URL, configuration: URLSessionConfiguration = .ephemeral, allowingPlaintext: Bool = false,
        limit: Int = 8 << 20
    ) throws {
        let scheme = url.scheme?.lowercased()
        guard let host = url.host, !host.isEmpty, scheme == "https" || scheme == "http" else {
            throw Self.unfit("not the address of a relay")
        }
        guard scheme == "https" || allowingPlaintext || Self.thisMachine.contains(host.lowercased()) else {
            throw Self.unfit("not encrypted: use https")
        }
        self.url = url
        let calls = Calls(limit: limit)
        self.calls = calls
        session = URLSession(configuration: Self.careful(configuration), delegate: calls, delegateQueue: nil)
    }

    deinit {
        session.finishTasksAndInvalidate()
    }

    public func call(_ request: RelayRequest) async throws -> RelayResponse {
        guard let url = address(of: request.path) else {
            throw TransportFailure.refused
        }
        var posted = URLRequest(url: url, timeoutInterval: Self.patience)
        posted.httpMethod = "POST"
        posted.httpBody = request.body
        for header in request.headers {
            posted.setValue(header.value, forHTTPHeaderField: header.name)
        }
        let task = session.dataTask(with: posted)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting in
                calls.begin(task, waiting)
            }
        } onCancel: {
            calls.cancel(task)
        }
    }

    /// The signature covers the path, so it is appended as it is.
    private func address(of path: String) -> URL? {
        guard path.hasPrefix("/") else {
            return nil
        }
        var base = url.absoluteString
        while base.hasSuffix("/") {
            base.removeLast()
        }
        return URL(string: base + path)
    }

    private static func careful(_ configuration: URLSessionConfiguration) -> URLSessionConfiguration {
        let copy = (configuration.copy() as? URLSessionConfiguration) ?? .ephemeral
        copy.timeoutIntervalForRequest = patience
        copy.timeoutIntervalForResource = patience
        copy.requestCachePolicy = .reloadIgnoringLocalCacheData
        copy.urlCache = nil
        copy.httpShouldSetCookies = false
        copy.httpCookieStorage = nil
        #if !canImport(FoundationNetworking)
        // Offline is an answer; the library tries again by itself.
        copy.waitsForConnectivity = false
        copy.tlsMinimumSupportedProtocolVersion = .TLSv12
        #endif
        return copy
    }

    private static func unfit(_ detail: String) -> WardlineError {
        WardlineError(
            code: "WL-ARGUMENT", detail: detail, isRetryable: false, recovery: .askTheDeveloper,
            cause: .argument(name: "url"))
    }

    /// Longer than the relay holds a long poll, shorter than the library waits.
    private static let patience: TimeInterval = 70
    private static let thisMachine = ["localhost", "127.0.0.1", "::1"]
}
