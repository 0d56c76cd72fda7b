// Carrying calls to the relay: what an app implements when it does not take `URLSessionTransport`.

import Foundation
package import WardlineFFI

/// Carries calls to one relay: one HTTP `POST` each.
///
/// It interprets nothing: a status other than 200 is an answer, not an error. It lets a call take at least a minute
/// (the relay holds a long poll for up to 50 seconds), follows no redirects (the signature covers the path), and sends
/// path, headers and body exactly as they are.
///
/// Calls come from several threads at once, and never from the main thread. When nobody waits for a call any more its
/// task is cancelled. Whatever it throws besides ``TransportFailure`` counts as ``TransportFailure/interrupted``.
public protocol Transport: Sendable {
    /// Posts one request and returns the whole response.
    func call(_ request: RelayRequest) async throws -> RelayResponse
}

/// Why nothing came back.
public enum TransportFailure: Error, Hashable, Sendable {
    /// The relay could not be reached; it has not seen the call.
    case unreachable
    /// The connection broke, or the answer took too long; the relay may have carried the call out.
    case interrupted
    /// The answer is larger than the transport takes.
    case tooLarge
    /// The transport refuses to send this, or the other side's certificate is not trusted.
    case refused
}

/// One HTTP `POST`: send path, headers and body exactly as they are.
public struct RelayRequest: Hashable, Sendable {
    /// Absolute path, such as `/wardline.v1.Relay/Send`.
    public let path: String
    /// Names are in lower case; every one must be sent unchanged.
    public let headers: [Header]
    /// The body.
    public let body: Data

    /// A request.
    public init(path: String, headers: [Header], body: Data) {
        self.path = path
        self.headers = headers
        self.body = body
    }

    /// One header.
    public struct Header: Hashable, Sendable {
        /// The name, in lower case.
        public let name: String
        /// The value.
        public let value: String

        /// A header.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }
}

extension RelayRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shows no header and no body.
    public var description: String { "RelayRequest(\(path))" }
    /// Shows no header and no body.
    public var debugDescription: String { description }
    /// Shows no header and no body.
    public var customMirror: Mirror { Mirror(self, children: ["path": path]) }
}

/// The answer: a status other than 200 is an answer too.
public struct RelayResponse: Hashable, Sendable {
    /// The HTTP status.
    public let status: Int
    /// The body.
    public let body: Data

    /// An answer.
    public init(status: Int, body: Data) {
        self.status = status
        self.body = body
    }
}

/// A transport of the native library. When the library calls it, the call never enters Swift.
package struct BuiltInTransport: Transport {
    package let inside: any WardlineFFI.Transport

    package init(_ inside: any WardlineFFI.Transport) {
        self.inside = inside
    }

    package func call(_ request: RelayRequest) async throws -> RelayResponse {
        do {
            return RelayResponse(try await inside.call(request: request.native))
        } catch let error as WardlineFFI.TransportError {
            throw TransportFailure(error)
        } catch {
            throw TransportFailure.interrupted
        }
    }
}

extension Transport {
    /// What the native library calls.
    package var native: any WardlineFFI.Transport {
        (self as? BuiltInTransport)?.inside ?? TransportAdapter(self)
    }
}

private final class TransportAdapter: WardlineFFI.Transport {
    private let transport: any Transport

    init(_ transport: any Transport) {
        self.transport = transport
    }

    func call(request: WardlineFFI.RelayRequest) async throws -> WardlineFFI.RelayResponse {
        do {
            let answer = try await transport.call(RelayRequest(request))
            guard let status = UInt16(exactly: answer.status) else {
                throw TransportFailure.interrupted
            }
            return WardlineFFI.RelayResponse(status: status, body: answer.body)
        } catch {
            switch error as? TransportFailure {
            case .unreachable: throw WardlineFFI.TransportError.Unreachable
            case .tooLarge: throw WardlineFFI.TransportError.TooLarge
            case .refused: throw WardlineFFI.TransportError.Refused
            case .interrupted, nil: throw WardlineFFI.TransportError.Interrupted
            }
        }
    }
}

extension TransportFailure {
    init(_ error: WardlineFFI.TransportError) {
        self =
            switch error {
            case .Unreachable: .unreachable
            case .Interrupted: .interrupted
            case .TooLarge: .tooLarge
            case .Refused: .refused
            }
    }
}

extension RelayRequest {
    init(_ request: WardlineFFI.RelayRequest) {
        self.init(
            path: request.path, headers: request.headers.map { Header(name: $0.name, value: $0.value) },
            body: request.body)
    }

    var native: WardlineFFI.RelayRequest {
        WardlineFFI.RelayRequest(
            path: path, headers: headers.map { WardlineFFI.HttpHeader(name: $0.name, value: $0.value) }, body: body)
    }
}

extension RelayResponse {
    init(_ response: WardlineFFI.RelayResponse) {
        self.init(status: Int(response.status), body: response.body)
    }
}
