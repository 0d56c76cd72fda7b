// The life of a process: killed, ended without closing, two on one folder; threads.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class ProcessTests: WardTestCase {
    // scenario: kill-and-reopen
    func testAProcessThatIsKilledHasLostNothingItAnswered() async throws {
        let doctor = try await ward.enroll("DR-1")
        let folder = ward.folder.appendingPathComponent("killed")
        let url = try await ward.relay.listen()
        let ticket = try await ward.authority.mintTicket(for: "NS-1")
        let child = try Child("send-and-wait", [folder.path, url.absoluteString, ward.pin, ticket, Ward.words])
        try await until(30) { child.lines.count == 1 || !child.isRunning }
        let sent = try XCTUnwrap(child.lines.first)
        child.kill()
        let status = try await child.ended()
        XCTAssertEqual(status, SIGKILL)

        try await ward.publish()
        let again = try ward.configuration(
            "killed", transport: ward.relay.transport, keyStore: ward.keys("killed.keys"))
        let nurse = try await Client.open(again)
        try await nurse.syncOnce()
        for _ in 0..<2 {
            try await doctor.client.syncOnce()
        }
        let there = try await doctor.messages(with: "NS-1")
        XCTAssertEqual(there.map(\.id), [sent])
        XCTAssertEqual(there.map(\.text), ["last words"])
        try await nurse.close()
    }

    // scenario: second-process
    func testASecondProcessOnOneFolderLosesAndDoublesNothing() async throws {
        let url = try await ward.relay.listen()
        let nurse = try await ward.enroll("NS-1", keyStore: ward.keys("device-1.keys"))
        let doctor = try await ward.enroll("DR-1")
        let mine = try await nurse.client.send("from this process", to: .person("DR-1"))
        let child = try Child(
            "share", [nurse.configuration.folder.path, url.absoluteString, ward.pin, "", Ward.words])
        let status = try await child.ended()
        XCTAssertEqual(status, 0)
        let theirs = try XCTUnwrap(child.lines.first)
        try await ward.settle(nurse, doctor)
        let there = try await doctor.messages(with: "NS-1")
        XCTAssertEqual(there.map(\.id).sorted(), [mine, theirs].sorted())
        let own = try await nurse.messages(with: "DR-1")
        XCTAssertEqual(own.map(\.id).sorted(), [mine, theirs].sorted())
    }

    func testASecondClientOnOneFolderLosesAndDoublesNothing() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let second = try await Client.open(nurse.configuration)
        try await doctor.client.send("to both", to: .person("NS-1"))
        try await doctor.client.syncOnce()
        let first = nurse.client
        async let one = first.syncOnce()
        async let other = second.syncOnce()
        _ = try await (one, other)
        try await second.unlock(Passphrase(Ward.words))
        let conversation = try second.conversation(with: .person("DR-1"))
        let seen = try await second.timeline(conversation).messages
        XCTAssertEqual(seen.map(\.text), ["to both"])
        let texts = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(texts, ["to both"])
        try await second.close()
    }

    func testAProcessThatEndsWithoutClosingEndsWell() async throws {
        try await endsWell("end-without-closing")
    }

    func testAProcessThatEndsInTheMiddleOfCallsEndsWell() async throws {
        try await endsWell("end-during-calls")
    }

    func testTheLastReferenceMayGoOnAnotherThread() async throws {
        weak var gone: Client?
        let holder = Holder(try await ward.enroll("NS-1").client)
        gone = holder.client
        try holder.client?.start()
        ward.forget()
        let thread = Thread { holder.client = nil }
        thread.start()
        try await until { thread.isFinished && gone == nil }
    }

    func testManyThreadsMayUseOneClient() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let client = nurse.client
        let sent = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<20 {
                group.addTask { try await client.send("number \(number)", to: .person("DR-1")) }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        XCTAssertEqual(sent.count, 20)
        try await ward.settle(nurse, doctor)
        let there = try await doctor.messages(with: "NS-1")
        XCTAssertEqual(Set(there.map(\.id)), sent)
    }

    private func endsWell(_ task: String) async throws {
        let folder = ward.folder.appendingPathComponent(task)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let child = try Child(task, [folder.path])
        let status = try await child.ended()
        XCTAssertEqual(status, 0)
        XCTAssertEqual(child.lines, ["ended"])

        // And nothing that was answered is lost.
        let keys = try ward.keys("\(task)/nurse.keys")
        var configuration = try ward.configuration("\(task)/nurse", transport: ward.relay.transport, keyStore: keys)
        configuration.folder = folder.appendingPathComponent("nurse")
        let client = try await Client.open(configuration)
        try await client.unlock(Passphrase("secret"))
        let conversation = try client.conversation(with: .person("DR-1"))
        let texts = try await client.timeline(conversation, size: 500).messages.map(\.text)
        XCTAssertTrue(texts.contains("goodbye"))
        try await client.close()
    }
}

private final class Holder: @unchecked Sendable {
    var client: Client?

    init(_ client: Client) {
        self.client = client
    }
}
