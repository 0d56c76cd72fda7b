// A notification extension: it confirms what it takes, and says what the policy allows.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class NotificationTests: WardTestCase {
    // scenario: notification
    func testAnInboxConfirmsWhatWaitsAndSaysOnlyHowUrgentItIs() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try doctor.client.lock()
        let sent = try await nurse.client.send("K 6.6 mmol/L", to: .person("DR-1"), priority: .stat)
        try await nurse.client.syncOnce()

        var inbox = try await Inbox.open(doctor.configuration)
        XCTAssertEqual(inbox.user, "DR-1")
        XCTAssertEqual(inbox.device, doctor.client.device)
        let collected = try await inbox.collect(within: long)
        XCTAssertTrue(collected.isComplete)
        XCTAssertNil(collected.failure)
        XCTAssertFalse("\(collected)".contains("6.6"))
        let notice = try XCTUnwrap(collected.notices.first)
        XCTAssertEqual(collected.notices.count, 1)
        XCTAssertEqual(notice.tier, .stat)
        XCTAssertEqual(notice.tag.count, 32)
        XCTAssertFalse(notice.reference.contains(notice.tag))
        XCTAssertNil(notice.sender)
        XCTAssertNil(notice.conversation)
        try await inbox.close()
        try await nurse.client.syncOnce()
        let deliveries = try await nurse.client.deliveries(of: sent)
        XCTAssertEqual(deliveries.map(\.state), [.delivered])

        // In a later process again, until it was shown; and the app knows nothing of that.
        inbox = try await Inbox.open(doctor.configuration)
        var notices = try await inbox.collect(within: long).notices
        XCTAssertEqual(notices, [notice])
        try await inbox.shown([notice.reference])
        notices = try await inbox.collect(within: long).notices
        XCTAssertEqual(notices, [])
        try await inbox.close()
        let events = try await doctor.client.events(after: 0)
        let arrived = events.compactMap { event -> String? in
            guard case .messageArrived(let reference, _, _) = event.kind else { return nil }
            return reference
        }
        XCTAssertEqual(arrived, [notice.reference])
        try await doctor.client.unlock(Passphrase(Ward.words))
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["K 6.6 mmol/L"])
    }

    func testAnInboxWithoutANetworkSaysWhatCameBeforeAndWhy() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await nurse.client.send("Good morning", to: .person("DR-1"))
        try await nurse.client.syncOnce()
        let inbox = try await Inbox.open(doctor.configuration)
        let notices = try await inbox.collect(within: long).notices
        XCTAssertEqual(notices.count, 1)
        let network = try XCTUnwrap(doctor.network)
        network.cut()
        let collected = try await inbox.collect(within: long)
        XCTAssertEqual(collected.notices, notices)
        XCTAssertFalse(collected.isComplete)
        XCTAssertEqual(collected.failure, "WL-NET-UNREACHABLE")
        network.mend()
        try await ward.authority.revoke(device: doctor.client.device, of: "DR-1")
        try await ward.publish()
        await refused("WL-RELAY-REVOKED") { try await inbox.collect(within: long) }
        try await inbox.close()
        await refused("WL-CLOSED") { try await inbox.collect(within: long) }
    }

    func testAnInboxDoesNotOpenWithAnotherKeyStore() async throws {
        let doctor = try await ward.enroll("DR-1")
        var configuration = doctor.configuration
        configuration.keyStore = try ward.keys("other.keys")
        await refused("WL-VAULT-HOST-NOT-MINE") { try await Inbox.open(configuration) }
    }
}

private let long = Duration.seconds(60)
