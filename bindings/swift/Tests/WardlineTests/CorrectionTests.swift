// Correcting, and proving who wrote what: what it says now, what it said before, and what an outsider believes.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class CorrectionTests: WardTestCase {
    // scenario: amend
    func testACorrectionShowsTheNewTextAndKeepsTheOldOneReadable() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let sent = try await nurse.client.send("K 6.5 mmol/L", to: .person("DR-1"), priority: .stat)
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        XCTAssertNil(message.amended)
        try await doctor.client.answer(message, .accepted, readBack: "K 6.5")
        await refused("WL-SEND-NOT-YOURS") { try await doctor.client.amend(message.reference, to: "K 2.5 mmol/L") }

        let correction = try await nurse.client.amend(sent, to: "K 5.6 mmol/L", reason: "typing error")
        try await ward.settle(nurse, doctor)
        for (device, other) in [(nurse, "DR-1"), (doctor, "NS-1")] {
            let shown = try await device.newest(with: other)
            XCTAssertEqual([shown.id, shown.text], [sent, "K 5.6 mmol/L"])
            let amended = try XCTUnwrap(shown.amended)
            XCTAssertEqual([amended.by, amended.reason], ["NS-1", "typing error"])
            XCTAssertEqual(amended.versions, 2)
            let history = try await device.client.history(of: shown.reference)
            XCTAssertEqual(history.map(\.text), ["K 6.5 mmol/L", "K 5.6 mmol/L"])
            XCTAssertEqual(history.map(\.stands), [false, true])
            XCTAssertEqual(history.map(\.reason), ["", "typing error"])
            XCTAssertEqual(history.map(\.reference), [shown.reference, "\(nurse.client.device)/\(correction)"])
            var dumped = ""
            dump((shown, amended, history), to: &dumped)
            XCTAssertFalse(dumped.contains("typing") || dumped.contains("mmol"))
            let found = try await device.client.search("6.5")
            XCTAssertEqual(found, [])
        }
        let told = try await doctor.told()
        let amended = told.filter { if case .messageAmended = $0 { true } else { false } }
        let one = Event.Kind.messageAmended(reference: message.reference, conversation: message.conversation)
        XCTAssertEqual(amended, [one])

        // Whoever had accepted had accepted another text, and says so of the new one themselves.
        let before = try await nurse.client.answers(to: sent)
        XCTAssertEqual(before.map(\.version), [nil])
        XCTAssertEqual(before.map(\.isOutdated), [true])
        try await doctor.client.answer(message, .accepted, readBack: "K 5.6")
        try await ward.settle(doctor, nurse)
        let after = try await nurse.client.answers(to: sent)
        XCTAssertEqual(after.last?.version, "\(nurse.client.device)/\(correction)")
        XCTAssertEqual(after.last?.isOutdated, false)

        try await nurse.client.recall(sent)
        await refused("WL-SEND-TOO-LATE-TO-AMEND") { try await nurse.client.amend(sent, to: "K 4.6 mmol/L") }
        try doctor.client.lock()
        await refused("WL-LOCKED") { try await doctor.client.history(of: message.reference) }
    }

    func testAnOutsiderVerifiesWhoWroteAMessageAndBelievesNoForgery() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let sent = try await nurse.client.send("stop heparin", to: .person("DR-1"))
        try await nurse.client.amend(sent, to: "stop enoxaparin", reason: "wrong drug")
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        let proof = try await doctor.client.exportProof(of: message.reference)

        let proven = try ProvenMessage(verifying: proof, root: ward.pin)
        XCTAssertEqual([proven.organization, proven.author, proven.displayName], ["mercy", "NS-1", "Person NS-1"])
        XCTAssertEqual([proven.device, proven.text], [nurse.client.device, "stop heparin"])
        XCTAssertEqual(proven.corrections.map(\.text), ["stop enoxaparin"])
        XCTAssertEqual(proven.corrections.map(\.reason), ["wrong drug"])
        var dumped = ""
        dump((proven, proven.corrections), to: &dumped)
        XCTAssertFalse(dumped.contains("heparin") || dumped.contains("enoxaparin"))

        var forged = proof
        let place = try XCTUnwrap(forged.range(of: Data("stop heparin".utf8)))
        forged.replaceSubrange(place, with: Data("take heparin".utf8))
        for (wrong, root, reason) in [
            (forged, ward.pin, "altered"),
            (proof, String(repeating: "00", count: 32), "wrong-root"),
            (Data("no proof".utf8), ward.pin, "malformed"),
        ] {
            let error = await refused("WL-PROOF-REFUSED") { try ProvenMessage(verifying: wrong, root: root) }
            XCTAssertEqual(error?.cause, .proof(reason: reason))
        }

        try await ward.authority.revoke(device: nurse.client.device, of: "NS-1")
        try await ward.publish()
        try await doctor.client.syncOnce()
        let revoked = await refused("WL-PROOF-REFUSED") { try await doctor.client.exportProof(of: message.reference) }
        XCTAssertEqual(revoked?.cause, .proof(reason: "revoked"))
    }
}
