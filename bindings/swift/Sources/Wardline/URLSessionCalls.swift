// The calls under way of one `URLSessionTransport`: what came back of each so far.

import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Collects answers. A session calls its delegate on one queue, and calls begin on any thread: hence the lock.
final class Calls: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    typealias Waiting = CheckedContinuation<RelayResponse, any Error>

    private struct Call {
        let waiting: Waiting
        var body = Data()
    }

    private let limit: Int
    private let lock = NSLock()
    private var calls: [Int: Call] = [:]
    /// Calls that were cancelled before they began: their session says that they ended before anybody waits.
    private var cancelled: Set<Int> = []

    init(limit: Int) {
        self.limit = limit
    }

    func begin(_ task: URLSessionTask, _ waiting: Waiting) {
        let isCancelled = lock.withLock {
            if cancelled.remove(task.taskIdentifier) != nil {
                return true
            }
            calls[task.taskIdentifier] = Call(waiting: waiting)
            return false
        }
        if isCancelled {
            waiting.resume(throwing: TransportFailure.interrupted)
        } else {
            task.resume()
        }
    }

    /// May come before ``begin(_:_:)``, at any time during the call, and after it.
    func cancel(_ task: URLSessionTask) {
        lock.withLock {
            if calls[task.taskIdentifier] == nil {
                cancelled.insert(task.taskIdentifier)
            }
        }
        task.cancel()
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        // The redirect itself is the answer.
        completionHandler(nil)
    }

    func urlSession(_ session: URLSession, dataTask task: URLSessionDataTask, didReceive data: Data) {
        let tooLarge = lock.withLock { () -> Call? in
            guard var call = calls.removeValue(forKey: task.taskIdentifier) else {
                return nil
            }
            guard call.body.count + data.count <= limit else {
                return call
            }
            call.body.append(data)
            calls[task.taskIdentifier] = call
            return nil
        }
        if let tooLarge {
            task.cancel()
            tooLarge.waiting.resume(throwing: TransportFailure.tooLarge)
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        guard let call = lock.withLock({ calls.removeValue(forKey: task.taskIdentifier) }) else {
            return
        }
        if let error {
            call.waiting.resume(throwing: TransportFailure(error))
        } else if let response = task.response as? HTTPURLResponse {
            call.waiting.resume(returning: RelayResponse(status: response.statusCode, body: call.body))
        } else {
            call.waiting.resume(throwing: TransportFailure.interrupted)
        }
    }
}

extension TransportFailure {
    /// What Foundation says, as what it means for the relay: has it seen the call?
    init(_ error: any Error) {
        self =
            switch (error as? URLError)?.code {
            case .cannotFindHost, .dnsLookupFailed, .cannotConnectToHost, .notConnectedToInternet, .dataNotAllowed,
                .internationalRoamingOff, .callIsActive, .secureConnectionFailed:
                .unreachable
            case .serverCertificateUntrusted, .serverCertificateHasBadDate, .serverCertificateHasUnknownRoot,
                .serverCertificateNotYetValid, .clientCertificateRejected, .clientCertificateRequired,
                .appTransportSecurityRequiresSecureConnection, .unsupportedURL, .badURL:
                .refused
            case .dataLengthExceedsMaximum: .tooLarge
            default: .interrupted
            }
    }
}
