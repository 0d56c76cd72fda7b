// Errors by cause: each with its domain, its stable code, its parameters and what helps.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class ErrorTests: WardTestCase {
    // scenario: errors-by-cause
    func testRefusedMessagesSayWhy() async throws {
        let nurse = try await ward.enroll("NS-1")
        let client = nurse.client
        let empty = await refused("WL-SEND-EMPTY") { try await client.send("", to: .person("DR-1")) }
        XCTAssertEqual(empty?.recovery, .changeTheMessage)
        XCTAssertEqual(empty?.isRetryable, false)
        let alone = await refused("WL-SEND-ONLY-SELF") { try await client.send("me", to: .person("NS-1")) }
        XCTAssertEqual(alone?.recovery, .chooseAnotherRecipient)
        let long = await refused("WL-SEND-TOO-LONG") {
            try await client.send(String(repeating: "x", count: 2_000_000), to: .person("DR-1"))
        }
        guard case .send(length: 2_000_000, limit: .some) = long?.cause else {
            return XCTFail("\(String(describing: long?.cause))")
        }
        XCTAssertTrue(long?.description.hasPrefix("WL-SEND-TOO-LONG: ") ?? false)
    }

    func testIdentifiersAreCheckedAtTheEdge() async throws {
        let nurse = try await ward.enroll("NS-1")
        let error = await refused("WL-ARGUMENT") { _ = try await nurse.client.timeline("not a conversation") }
        XCTAssertEqual(error?.cause, .argument(name: "conversation"))
        await refused("WL-ARGUMENT") { _ = try nurse.client.conversation(with: .person("no spaces please")) }
        await refused("WL-ARGUMENT") { _ = try await nurse.client.deliveries(of: "01a20f97") }
        let answer = await refused("WL-ARGUMENT") {
            try await nurse.client.complete("x", with: RelayResponse(status: 99_999, body: Data()))
        }
        XCTAssertEqual(answer?.cause, .argument(name: "response"))
    }

    func testEnrollingAndOpeningTheWrongThing() async throws {
        let nurse = try await ward.enroll("NS-1")
        let empty = try ward.configuration("empty", transport: ward.relay.transport)
        let nobody = await refused("WL-NOT-ENROLLED") { _ = try await Client.open(empty) }
        XCTAssertEqual(nobody?.cause, .enrollment)
        XCTAssertEqual(nobody?.recovery, .enroll)
        await refused("WL-ALREADY-ENROLLED") {
            _ = try await Client.enroll(
                nurse.configuration, user: "NS-1", ticket: "x", passphrase: Passphrase(Ward.words))
        }
        let without = try ward.configuration("no-ticket", transport: ward.relay.transport)
        let ticket = await refused("WL-RELAY-TICKET-INVALID") {
            _ = try await Client.enroll(
                without, user: "NS-1", ticket: "not.a.ticket", passphrase: Passphrase(Ward.words))
        }
        XCTAssertEqual(ticket?.cause, .relay(retryAfter: nil, limit: nil))
        await refused("WL-VAULT-EMPTY-PASSPHRASE") { _ = try Passphrase("") }
    }

    func testEveryCodeIsThrownAsTheGlossarySays() {
        let (thrown, expected) = (Glossary.everyError(), Glossary.expected())
        XCTAssertEqual(thrown.count, expected.count)
        var recoveries: Set<WardlineError.Recovery> = []
        for (error, expected) in zip(thrown, expected) {
            guard let error = error as? WardlineError else {
                XCTAssertEqual(expected.cause, "\(type(of: error))", expected.code)
                continue
            }
            let cause = ".\(error.cause)".prefix { $0 != "(" }
            XCTAssertEqual(error.code, expected.code)
            XCTAssertEqual(String(cause), expected.cause, expected.code)
            XCTAssertEqual(error.isRetryable, expected.isRetryable, expected.code)
            XCTAssertEqual(String(describing: error.recovery), expected.recovery, expected.code)
            recoveries.insert(error.recovery)
        }
        XCTAssertEqual(recoveries, Set(WardlineError.Recovery.allCases))
    }

    // scenario: revoked-device
    func testARevokedDeviceIsToldToEnrollAgain() async throws {
        let nurse = try await ward.enroll("NS-1")
        try await ward.authority.revoke(device: nurse.client.device, of: "NS-1")
        try await ward.publish()
        let error = await refused("WL-RELAY-REVOKED") { try await nurse.client.syncOnce() }
        XCTAssertEqual(error?.recovery, .enroll)
        let events = try await nurse.client.events(after: 0)
        XCTAssertTrue(events.contains { $0.kind == .deviceRevoked })
        let info = try await ward.authority.person("NS-1")
        XCTAssertNotNil(info?.devices.first?.revokedAt)
    }

    // scenario: remote-wipe
    func testALostPhoneErasesItselfAndTheOrganizationKnows() async throws {
        let nurse = try await ward.enroll("NS-1")
        nurse.network?.cut()
        try await nurse.client.send("nobody has this", to: .person("DR-1"))
        nurse.network?.mend()
        let device = nurse.client.device
        try await ward.authority.orderWipe(
            of: device, of: "NS-1", because: "lost", at: Ward.relayName, over: ward.relay.transport)
        try await ward.publish()
        let error = await refused("WL-WIPED") { try await nurse.client.syncOnce() }
        XCTAssertEqual(error?.cause, .wiped)
        XCTAssertEqual(error?.recovery, .askTheAdministrator)
        XCTAssertTrue(nurse.client.isWiped && nurse.client.isLocked)
        await refused("WL-WIPED") { try await nurse.client.unlock(Passphrase(Ward.words)) }
        await refused("WL-WIPED") { _ = try await Client.open(nurse.configuration) }
        let wipes = try await ward.authority.wipes(at: Ward.relayName, over: ward.relay.transport)
        XCTAssertEqual(wipes.map(\.device), [device])
        XCTAssertEqual(wipes.first?.unsentMessages, 1)
        XCTAssertNotNil(wipes.first?.wipedAt)
    }

    func testTheAuthorityRefusesWithCodesOfItsOwn() async throws {
        let unknown = await refused("WL-AUTHORITY-UNKNOWN-PERSON") { try await ward.authority.endPerson("NOBODY") }
        XCTAssertEqual(unknown?.cause, .authority)
        let secrets = try AuthoritySecrets(rootKeys: 1)
        await refused("WL-AUTHORITY-SNAPSHOT") { _ = try Authority(restoring: Data("{}".utf8), secrets: secrets) }
        let snapshot = try await ward.authority.snapshot()
        await refused("WL-AUTHORITY-OTHER-KEY") { _ = try Authority(restoring: snapshot, secrets: secrets) }
        let founded = try Authority(founding: "other", secrets: AuthoritySecrets(stored: secrets.store()))
        let restored = try await Authority(restoring: founded.snapshot(), secrets: secrets)
        let (one, other) = (try await founded.pin(), try await restored.pin())
        XCTAssertEqual(one, other)
    }

    func testTheAuthorityKeepsPeopleAndTeams() async throws {
        let people = try await ward.authority.people()
        XCTAssertEqual(people, ["DR-1", "NS-1"])
        let teams = try await ward.authority.teams()
        XCTAssertEqual(teams.map(\.team), ["team-1"])
        let changed = try await ward.authority.upsert(teams[0])
        XCTAssertFalse(changed)
        try await ward.authority.endPerson("NS-1")
        let nurse = try await ward.authority.person("NS-1")
        XCTAssertEqual(nurse?.isActive, false)
    }

    func testASnapshotThatCannotBeSavedIsNotPublished() async throws {
        struct Full: Error {}
        try await ward.authority.upsert(PersonDetails(user: "NS-2", displayName: "Another nurse"))
        let before = try await ward.authority.version()
        await refused("WL-AUTHORITY-SAVE") {
            try await ward.authority.publish(to: Ward.relayName, over: ward.relay.transport) { _ in throw Full() }
        }
        let report = try await ward.authority.publish(to: Ward.relayName, over: ward.relay.transport) { _ in }
        XCTAssertEqual(report.published, before + 1)
    }

    func testASecretShowsItsBytesAndAWipedPassphraseIsEmpty() async throws {
        let secret = SecretBytes([1, 2, 3])
        XCTAssertEqual(secret.count, 3)
        XCTAssertEqual(secret.withBytes { Array($0) }, [1, 2, 3])
        let nurse = try await ward.enroll("NS-1")
        let passphrase = try Passphrase(utf8: Data(Ward.words.utf8))
        passphrase.wipe()
        await refused("WL-VAULT-EMPTY-PASSPHRASE") { try await nurse.client.unlock(passphrase) }
    }

    func testWhatWardlineLogsArrivesAndSaysNothing() async throws {
        let sink = Sink()
        try WardlineLog.send(to: sink, upTo: .debug)
        let nurse = try await ward.enroll("NS-1")
        nurse.network?.cut()
        try nurse.client.start()
        try await nurse.client.send("hello", to: .person("DR-1"))
        try await until { sink.texts.contains { $0.contains("a sending round failed") } }
        try WardlineLog.send(to: nil)
        XCTAssertFalse(sink.texts.contains { $0.contains("hello") })
    }
}

private final class Sink: LogSink, @unchecked Sendable {
    private let lock = NSLock()
    private var records: [LogRecord] = []

    var texts: [String] { lock.withLock { records.map(\.text) } }

    func log(_ records: [LogRecord], lost: Int) {
        lock.withLock { self.records += records }
    }
}
