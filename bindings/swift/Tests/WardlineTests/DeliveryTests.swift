// What a person gets: messages, receipts, drafts, search, and all of it again after a restart.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class DeliveryTests: WardTestCase {
    // scenario: delivery
    func testAMessageArrivesAndItsAuthorGetsSignedReceipts() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let patient = Patient(
            identifiers: [.init(system: "urn:mrn", value: "4711"), .init(system: "urn:dob", value: "1950-02-03")],
            name: "Maria Keller")
        let sent = try await nurse.client.send(
            "K 6.6 mmol/L", to: .person("DR-1"), priority: .stat, about: patient)
        try await ward.settle(nurse, doctor)

        let message = try await doctor.newest(with: "NS-1")
        XCTAssertEqual(message.id, sent)
        XCTAssertEqual(message.text, "K 6.6 mmol/L")
        XCTAssertEqual(message.sender, "NS-1")
        XCTAssertEqual(message.senderDevice, nurse.client.device)
        XCTAssertEqual(message.direction, .incoming)
        XCTAssertEqual(message.proof, .proven)
        XCTAssertEqual(message.priority, .stat)
        XCTAssertEqual(message.patient, patient)
        XCTAssertNil(message.readAt)
        XCTAssertEqual(message.createdAt.timeIntervalSinceNow, 0, accuracy: 60)

        var deliveries = try await nurse.client.deliveries(of: sent)
        XCTAssertEqual(deliveries.map(\.user), ["DR-1"])
        XCTAssertEqual(deliveries.map(\.state), [.delivered])
        let conversation = try doctor.client.conversation(with: .person("NS-1"))
        var unread = try await doctor.client.unread(in: conversation)
        XCTAssertEqual(unread, 1)

        try await doctor.client.markRead([message])
        try await ward.settle(doctor, nurse)
        deliveries = try await nurse.client.deliveries(of: sent)
        XCTAssertEqual(deliveries.map(\.state), [.read])
        XCTAssertNotNil(deliveries.first?.devices.first?.readAt)
        unread = try await doctor.client.unread(in: conversation)
        XCTAssertEqual(unread, 0)
    }

    func testPrintingAMessageShowsNothingOfIt() async throws {
        let nurse = try await ward.enroll("NS-1")
        let patient = Patient(identifiers: [.init(system: "urn:mrn", value: "4711")], name: "Maria Keller")
        try await nurse.client.send("K 6.6 mmol/L", to: .person("DR-1"), about: patient)
        let message = try await nurse.newest(with: "DR-1")
        var dumped = ""
        dump((message, [patient]), to: &dumped)
        for shown in ["\(message)", "\([message])", String(reflecting: message), "\(patient)", dumped] {
            XCTAssertFalse(shown.contains("6.6") || shown.contains("Keller") || shown.contains("4711"), shown)
        }
    }

    func testATeamIsWrittenToAndEverythingIsFoundAgain() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        for _ in 0..<2 {
            try await nurse.client.send("Potassium is rising", to: .team("team-1"), idempotencyKey: "lab-1")
        }
        try await ward.settle(nurse, doctor)
        let team = try doctor.client.conversation(with: .team("team-1"))
        let page = try await doctor.client.timeline(team, size: 10)
        XCTAssertEqual(page.messages.map(\.text), ["Potassium is rising"])
        let found = try await doctor.client.search("potas")
        XCTAssertEqual(found.map(\.conversation), [team])

        try await nurse.client.saveDraft("I will", to: .team("team-1"))
        var draft = try await nurse.client.draft(in: team)
        XCTAssertEqual(draft, "I will")
        try await nurse.client.saveDraft("", to: .team("team-1"))
        draft = try await nurse.client.draft(in: team)
        XCTAssertNil(draft)
    }

    func testAPageLeadsToThePageBefore() async throws {
        let nurse = try await ward.enroll("NS-1")
        for number in 0..<5 {
            try await nurse.client.send("number \(number)", to: .person("DR-1"))
        }
        let conversation = try nurse.client.conversation(with: .person("DR-1"))
        let newest = try await nurse.client.timeline(conversation, size: 3)
        XCTAssertEqual(newest.messages.map(\.text), ["number 2", "number 3", "number 4"])
        let before = try await nurse.client.timeline(conversation, before: newest.before, size: 3)
        XCTAssertEqual(before.messages.map(\.text), ["number 0", "number 1"])
        XCTAssertNil(before.before)
    }

    // scenario: offline-phone
    func testOfflineNothingIsLost() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        nurse.network?.cut()
        let sent = try await nurse.client.send("written in the basement", to: .person("DR-1"))
        try nurse.client.start()
        let deliveries = try await nurse.client.deliveries(of: sent)
        XCTAssertTrue(deliveries.allSatisfy { $0.state == .queued })
        await refused("WL-NET-UNREACHABLE") { try await nurse.client.syncOnce() }
        nurse.network?.mend()
        try await ward.settle(nurse, doctor)
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["written in the basement"])
    }

    // scenario: locked-phone
    func testALockedDeviceReceivesAndShowsNothing() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try doctor.client.lock()
        XCTAssertTrue(doctor.client.isLocked)
        let sent = try await nurse.client.send("for your eyes", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let deliveries = try await nurse.client.deliveries(of: sent)
        XCTAssertEqual(deliveries.map(\.state), [.delivered])

        let locked = await refused("WL-LOCKED") { _ = try await doctor.texts(with: "NS-1") }
        XCTAssertEqual(locked?.cause, .locked)
        XCTAssertEqual(locked?.recovery, .unlock)
        let wrong = await refused("WL-VAULT-WRONG-PASSPHRASE") {
            try await doctor.client.unlock(Passphrase("something else"))
        }
        XCTAssertEqual(wrong?.cause, .passphrase(attempts: 1))
        let failed = try await doctor.client.unlock(Passphrase(Ward.words))
        XCTAssertEqual(failed, 1)
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["for your eyes"])
    }

    func testAChangedPassphraseAndAChangedKeyOpenTheSameMessages() async throws {
        let nurse = try await ward.enroll("NS-1")
        try await nurse.client.send("still here", to: .person("DR-1"))
        try await nurse.client.changePassphrase(from: Passphrase(Ward.words), to: Passphrase("another one"))
        try await nurse.client.rekey()
        try await nurse.reopen()
        await refused("WL-VAULT-WRONG-PASSPHRASE") { try await nurse.client.unlock(Passphrase(Ward.words)) }
        try await nurse.client.unlock(Passphrase("another one"))
        let texts = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(texts, ["still here"])
        let audit = try await nurse.client.checkAudit()
        XCTAssertNil(audit)
    }

    // scenario: wrong-key
    func testAnotherKeyDoesNotOpenTheStore() async throws {
        let nurse = try await ward.enroll("NS-1")
        try await nurse.client.close()
        XCTAssertTrue(try Client.isEnrolled(in: nurse.configuration.folder))
        nurse.configuration.keyStore = try ward.keys("other.keys")
        let error = await refused("WL-VAULT-HOST-NOT-MINE") { try await nurse.reopen() }
        XCTAssertEqual(error?.recovery, .enroll)
    }

    func testASuspendedDeviceAnswersAgainAfterResume() async throws {
        let nurse = try await ward.enroll("NS-1")
        try await nurse.client.suspend()
        let error = await refused("WL-STORE-SUSPENDED") {
            try await nurse.client.send("too early", to: .person("DR-1"))
        }
        XCTAssertEqual(error?.cause, .store(found: nil, known: nil))
        try await nurse.client.resume()
        try await nurse.client.send("in time", to: .person("DR-1"))
        let texts = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(texts, ["in time"])
    }

    // scenario: corrupted-traffic
    func testEveryFaultOfANetworkIsSurvived() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        var plan = FaultPlan()
        plan.loseRequests = 6
        plan.loseAnswers = 6
        plan.duplicate = 4
        plan.reorder = 4
        plan.truncate = 4
        plan.flipBits = 4
        nurse.network?.set(plan, seed: 7)
        doctor.network?.set(plan, seed: 8)
        let written = (0..<8).map { "number \($0)" }
        for text in written {
            try await nurse.client.send(text, to: .person("DR-1"))
        }
        try nurse.client.start()
        try doctor.client.start()
        try await until(60) { try await doctor.texts(with: "NS-1").count >= written.count }
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts.sorted(), written)
        XCTAssertGreaterThan(nurse.network?.calls ?? 0, 0)
    }

    func testOneClockMovesRelayAuthorityAndClients() async throws {
        let start = Date(timeIntervalSince1970: 1_800_000_000)
        let clock = TestClock(start)
        XCTAssertEqual(clock.now, start)
        let secrets = try AuthoritySecrets(rootKeys: 1)
        let authority = try Authority(founding: "mercy", secrets: secrets, clock: clock)
        try await authority.upsert(PersonDetails(user: "NS-1", displayName: "Nurse"))
        let relay = try await TestRelay.open(
            folder: ward.folder.appendingPathComponent("clocked"), name: Ward.relayName,
            rootDocuments: [authority.rootDocument()], clock: clock)
        try await authority.publish(to: Ward.relayName, over: relay.transport)
        var configuration = try ward.configuration("clocked-device", transport: relay.transport)
        configuration.root = try await authority.pin()
        let ticket = try await authority.mintTicket(for: "NS-1")
        clock.advance(by: .seconds(16 * 60))
        let late = configuration
        await refused("WL-RELAY-TICKET-EXPIRED") {
            _ = try await Client.enroll(
                late, user: "NS-1", ticket: ticket, passphrase: Passphrase(Ward.words), clock: clock)
        }
        let fresh = try await authority.mintTicket(for: "NS-1")
        let nurse = try await Client.enroll(
            configuration, user: "NS-1", ticket: fresh, passphrase: Passphrase(Ward.words), clock: clock)
        try await nurse.close()
        try await relay.stop()
    }
}
