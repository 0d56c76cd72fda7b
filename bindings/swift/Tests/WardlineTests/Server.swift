// A server that answers every connection with the same bytes, or never.

import Foundation
import Wardline

#if canImport(Glibc)
import Glibc
private let stream = Int32(SOCK_STREAM.rawValue)
#else
import Darwin
private let stream = SOCK_STREAM
#endif

final class Server: @unchecked Sendable {
    enum Conduct {
        case answer(String)
        case hang
    }

    struct NoSocket: Error {}

    let url: String
    private let socket: Int32
    private let lock = NSLock()
    private var heard = Data()

    init(_ conduct: Conduct) throws {
        let listening = Foundation.socket(AF_INET, stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { place in
            place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
                bind(listening, place, length) == 0 && listen(listening, 8) == 0
                    && getsockname(listening, place, &length) == 0
            }
        }
        guard bound else { throw NoSocket() }
        socket = listening
        url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        Thread { [weak self] in
            while true {
                let line = accept(listening, nil, nil)
                guard line >= 0 else { return }
                Thread { [weak self] in
                    self?.serve(line, conduct)
                }.start()
            }
        }.start()
    }

    deinit {
        stop()
    }

    func stop() {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
    }

    /// What came in on all connections.
    var seen: String { lock.withLock { String(decoding: heard, as: UTF8.self) } }

    /// A call to it.
    func call(body: Data = Data("body".utf8), limit: Int = 1 << 20) async throws -> RelayResponse {
        guard let url = URL(string: url) else { throw NoSocket() }
        let transport = try URLSessionTransport(url, limit: limit)
        let headers = [("content-type", "application/proto"), ("x-wardline-test", "Value, as is")]
        return try await transport.call(
            RelayRequest(path: "/wardline.v1.Relay/Send", headers: headers.map { .init(name: $0, value: $1) }, body: body))
    }

    private func serve(_ line: Int32, _ conduct: Conduct) {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var request = Data()
        // Header and body come in one or two pieces; every request here has a short body.
        while !isWhole(request) {
            let count = recv(line, &bytes, bytes.count, 0)
            guard count > 0 else { break }
            request.append(contentsOf: bytes[..<count])
        }
        lock.withLock { heard.append(request) }
        switch conduct {
        case .answer(let answer):
            _ = Array(answer.utf8).withUnsafeBytes { send(line, $0.baseAddress, $0.count, 0) }
            shutdown(line, Int32(SHUT_RDWR))
            close(line)
        case .hang:
            _ = recv(line, &bytes, bytes.count, 0)
            close(line)
        }
    }

    private func isWhole(_ request: Data) -> Bool {
        let text = String(decoding: request, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return false }
        let length = text.lowercased().range(of: "content-length: ").map { text.lowercased()[$0.upperBound...] }
        let digits = length.map { $0.prefix { $0.isNumber } } ?? "0"
        return text[end.upperBound...].utf8.count >= Int(digits) ?? 0
    }
}
