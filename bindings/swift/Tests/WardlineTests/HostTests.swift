// What the app brings, written in Swift: well behaved, throwing, hanging, answering nonsense.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class HostTests: WardTestCase {
    // scenario: foreign-transport, foreign-key-store
    func testATransportAndAKeyStoreInSwiftCarryAMessage() async throws {
        let (carrier, memory) = (Carrier(ward.relay.transport), MemoryKeyStore())
        let nurse = try await ward.enroll("NS-1", transport: carrier, keyStore: memory)
        let doctor = try await ward.enroll("DR-1")
        try await nurse.client.send("carried by Swift", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["carried by Swift"])
        XCTAssertGreaterThan(carrier.calls, 3)
        try await nurse.reopen()
        let failed = try await nurse.client.unlock(Passphrase(Ward.words))
        XCTAssertEqual(failed, 0)
        let own = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(own, ["carried by Swift"])
    }

    // scenario: foreign-transport
    func testWhateverATransportDoesIsANetworkError() async throws {
        struct NoSuchCable: Error {}
        let carrier = Carrier(ward.relay.transport)
        let nurse = try await ward.enroll("NS-1", transport: carrier) { $0.transportTimeout = .milliseconds(400) }
        let doctor = try await ward.enroll("DR-1")
        let gaveUp = Flag()
        let cases: [(String, Carrier.Mischief)] = [
            ("WL-NET-INTERRUPTED", { throw NoSuchCable() }),
            ("WL-NET-INTERRUPTED", { throw CancellationError() }),
            ("WL-NET-UNREACHABLE", { throw TransportFailure.unreachable }),
            ("WL-NET-TOO-LARGE", { throw TransportFailure.tooLarge }),
            ("WL-NET-REFUSED", { throw TransportFailure.refused }),
            ("WL-NET-INTERRUPTED", { RelayResponse(status: 999_999, body: Data()) }),
            ("WL-NET-INTERRUPTED", { RelayResponse(status: -1, body: Data()) }),
            ("WL-NET-BAD-ANSWER", { RelayResponse(status: 200, body: Data(repeating: 0xff, count: 40)) }),
            (
                "WL-NET-INTERRUPTED",
                {
                    do {
                        try await Task.sleep(for: .seconds(3600))
                    } catch {
                        gaveUp.set()
                        throw error
                    }
                    return RelayResponse(status: 200, body: Data())
                }
            ),
        ]
        for (number, (code, mischief)) in cases.enumerated() {
            let text = "in spite of \(number)"
            try await nurse.client.send(text, to: .person("DR-1"))
            carrier.mischief = mischief
            let client = nurse.client
            let error = await refused(code) { try await within(20) { try await client.syncOnce() } }
            XCTAssertEqual(error?.cause, .network, code)
            carrier.mischief = nil
            try await ward.settle(nurse, doctor)
            let newest = try await doctor.newest(with: "NS-1")
            XCTAssertEqual(newest.text, text)
        }
        XCTAssertTrue(gaveUp.isSet, "the task of a call that nobody waits for is cancelled")
    }

    func testATransportThatIgnoresItsCancellationHoldsNobodyUp() async throws {
        let carrier = Carrier(ward.relay.transport)
        let nurse = try await ward.enroll("NS-1", transport: carrier) { $0.transportTimeout = .milliseconds(300) }
        let release = Flag()
        carrier.mischief = {
            while !release.isSet {
                // Deliberately deaf.
                try? await Task.sleep(for: .milliseconds(20))
                await Task.yield()
            }
            return RelayResponse(status: 200, body: Data())
        }
        let client = nurse.client
        await refused("WL-NET-INTERRUPTED") { try await within(20) { try await client.syncOnce() } }
        try await within(20) { try await client.close() }
        release.set()
    }

    // scenario: foreign-key-store
    func testAKeyStoreThatRefusesIsAnErrorWithItsCause() async throws {
        struct NoEnclave: Error {}
        let memory = MemoryKeyStore()
        let nurse = try await ward.enroll("NS-1", keyStore: memory) { $0.keyStoreTimeout = .milliseconds(400) }
        let cases: [(any Error, String, Int32?)] = [
            (KeyStoreFailure.refused, "WL-VAULT-HOST-REFUSED", nil),
            // Biometrics that the person dismissed.
            (KeyStoreFailure.dismissed, "WL-VAULT-HOST-CANCELLED", nil),
            (KeyStoreFailure.unavailable, "WL-VAULT-HOST-UNAVAILABLE", nil),
            (KeyStoreFailure.notMine, "WL-VAULT-HOST-NOT-MINE", nil),
            (KeyStoreFailure.failed(status: -25300), "WL-VAULT-HOST-FAILED", -25300),
            (NoEnclave(), "WL-VAULT-HOST-FAILED", 0),
        ]
        for (failure, code, status) in cases {
            memory.failure = failure
            let error = await refused(code) { try await nurse.reopen() }
            XCTAssertEqual(error?.cause, .keyStore(status: status))
        }
        memory.failure = nil
        memory.isHanging = true
        let configuration = nurse.configuration
        await refused("WL-VAULT-HOST-UNAVAILABLE") {
            _ = try await within(20) { try await Client.open(configuration) }
        }
        memory.isHanging = false
        try await nurse.reopen()
        XCTAssertTrue(nurse.client.isLocked)
        try await nurse.client.unlock(Passphrase(Ward.words))
    }

    func testAKeyStoreThatReturnsAnotherKeyOpensNothing() async throws {
        let memory = MemoryKeyStore()
        let nurse = try await ward.enroll("NS-1", keyStore: memory)
        try await nurse.client.send("kept", to: .person("DR-1"))
        let mine = memory.replaceKey(for: .inbox)
        try await nurse.client.close()
        do {
            try await nurse.reopen()
            XCTFail("another key opened the store")
        } catch let error as WardlineError {
            XCTAssertTrue(error.code.hasPrefix("WL-VAULT"), error.code)
        }
        memory.replaceKey(for: .inbox, by: mine)
        try await nurse.reopen()
        try await nurse.client.unlock(Passphrase(Ward.words))
        let texts = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(texts, ["kept"])
    }

    func testClosingLetsGoOfWhatTheAppBrought() async throws {
        weak var carrier: Carrier?
        weak var memory: MemoryKeyStore?
        let client = try await {
            let (mine, keys) = (Carrier(ward.relay.transport), MemoryKeyStore())
            (carrier, memory) = (mine, keys)
            return try await Client.enroll(
                ward.configuration("alone", transport: mine, keyStore: keys), user: "NS-1",
                ticket: ward.authority.mintTicket(for: "NS-1"), passphrase: Passphrase(Ward.words))
        }()
        try client.start()
        XCTAssertNotNil(carrier)
        XCTAssertNotNil(memory)
        try await Task.sleep(for: .milliseconds(100))
        try await client.close()
        try await until { carrier == nil && memory == nil }
    }

    func testAClientThatIsOnlyDroppedLetsGoAsWell() async throws {
        weak var carrier: Carrier?
        try await {
            let mine = Carrier(ward.relay.transport)
            carrier = mine
            let client = try await Client.enroll(
                ward.configuration("dropped", transport: mine), user: "NS-1",
                ticket: ward.authority.mintTicket(for: "NS-1"), passphrase: Passphrase(Ward.words))
            try client.start()
        }()
        try await until { carrier == nil }
    }

    func testAnAppMayCarryTheCallsItself() async throws {
        let (doctor, nurse) = (try await ward.enroll("DR-1"), try await ward.enroll("NS-1"))
        try await nurse.client.send("in the background", to: .person("DR-1"))
        let line = ward.relay.transport
        for _ in 0..<12 {
            for pending in try await nurse.client.pendingRequests() {
                XCTAssertFalse("\(pending)".contains("content-type"))
                let answer = try await line.call(pending.request)
                try await nurse.client.complete(pending.id, with: answer)
            }
        }
        try await ward.settle(doctor)
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["in the background"])
    }
}
