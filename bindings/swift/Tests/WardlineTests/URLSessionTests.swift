// Calls over `URLSession`: to a real relay on a port, and to servers that do everything wrong.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class URLSessionTests: WardTestCase {
    func testAMessageArrivesOverTheLongPoll() async throws {
        let url = try await ward.relay.listen()
        let nurse = try await ward.enroll("NS-1", transport: URLSessionTransport(url))
        let doctor = try await ward.enroll("DR-1", transport: URLSessionTransport(url))
        try nurse.client.start()
        try doctor.client.start()
        // So that the doctor waits at the relay.
        try await Task.sleep(for: .milliseconds(500))
        let sent = try await nurse.client.send("over a socket", to: .person("DR-1"))
        let events = doctor.client.events()
        try await within(20) {
            for try await event in events {
                if case .messageArrived(let reference, _, _) = event.kind, reference.hasSuffix(sent) { return }
            }
        }
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["over a socket"])
        // Though calls are under way.
        let client = doctor.client
        try await within(10) { try await client.close() }
    }

    func testTheBuiltInTransportOfTheTestsReachesTheSameRelay() async throws {
        let url = try await ward.relay.listen()
        let nurse = try await ward.enroll("NS-1", transport: builtInHTTPTransport(to: url))
        try await nurse.client.syncOnce()
    }

    func testOnlyEncryptedAddressesAreTaken() async throws {
        for address in ["http://relay.mercy.example", "ftp://relay.mercy.example", "relay.mercy.example", "https://"] {
            let url = try XCTUnwrap(URL(string: address))
            let error = await refused("WL-ARGUMENT") { try URLSessionTransport(url) }
            XCTAssertEqual(error?.cause, .argument(name: "url"), address)
        }
        _ = try URLSessionTransport(XCTUnwrap(URL(string: "https://relay.mercy.example")))
        _ = try URLSessionTransport(XCTUnwrap(URL(string: "http://127.0.0.1:8080")))
        _ = try URLSessionTransport(
            XCTUnwrap(URL(string: "http://relay.mercy.example")), allowingPlaintext: true)
    }

    func testARequestGoesOutAsItIsAndAnyStatusIsAnAnswer() async throws {
        let server = try Server(.answer("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 3\r\n\r\nyes"))
        let answer = try await server.call(body: Data([0, 1, 2]))
        XCTAssertEqual(answer, RelayResponse(status: 429, body: Data("yes".utf8)))
        let seen = server.seen
        XCTAssertTrue(seen.hasPrefix("POST /wardline.v1.Relay/Send HTTP/1.1\r\n"), seen)
        XCTAssertTrue(seen.lowercased().contains("\r\nx-wardline-test: Value, as is\r\n".lowercased()), seen)
        XCTAssertTrue(seen.hasSuffix("\r\n\r\n\u{0}\u{1}\u{2}"), seen)
    }

    func testARedirectIsTheAnswerAndIsNotFollowed() async throws {
        let elsewhere = try Server(.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        let moved = "HTTP/1.1 307 Temporary Redirect\r\nLocation: \(elsewhere.url)/x\r\nContent-Length: 0\r\n\r\n"
        let answer = try await Server(.answer(moved)).call()
        XCTAssertEqual(answer.status, 307)
        XCTAssertEqual(elsewhere.seen, "")
    }

    func testAnAnswerThatIsTooLargeIsGivenUp() async throws {
        let body = String(repeating: "x", count: 5000)
        for length in ["Content-Length: 5000\r\n", ""] {
            let server = try Server(.answer("HTTP/1.1 200 OK\r\n\(length)Connection: close\r\n\r\n\(body)"))
            await fails(.tooLarge) { try await server.call(limit: 4999) }
            let answer = try await server.call(limit: 5000)
            XCTAssertEqual(answer.body.count, 5000)
        }
    }

    func testALineThatBreaksAndAServerThatIsGoneAreToldApart() async throws {
        let breaking = try Server(.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly"))
        await fails(.interrupted) { try await breaking.call() }
        let gone = try Server(.hang)
        gone.stop()
        await fails(.unreachable) { try await gone.call() }
    }

    func testACancelledTaskEndsItsCall() async throws {
        let server = try Server(.hang)
        let call = Task { try await server.call() }
        try await until { !server.seen.isEmpty }
        call.cancel()
        await fails(.interrupted) { try await within(5) { try await call.value } }
        let early = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await server.call()
        }
        early.cancel()
        await fails(.interrupted) { try await within(5) { try await early.value } }
    }

    private func fails(
        _ failure: TransportFailure, line: UInt = #line, _ call: () async throws -> RelayResponse
    ) async {
        do {
            let answer = try await call()
            XCTFail("answered \(answer.status)", line: line)
        } catch {
            XCTAssertEqual(error as? TransportFailure, failure, "\(error)", line: line)
        }
    }
}
