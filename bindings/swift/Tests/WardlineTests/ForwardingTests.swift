// Handing on: whoever gets it sees who wrote it, and what was taken back goes with its forwards.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class ForwardingTests: WardTestCase {
    // scenario: forward
    func testAForwardIsItsFirstAuthorsWord() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let patient = Patient(identifiers: [.init(system: "urn:mrn", value: "0042")], name: "Keller")
        try await nurse.client.send("K 6.6 mmol/L", to: .person("DR-1"), about: patient)
        try await ward.settle(nurse, doctor)
        let result = try await doctor.newest(with: "NS-1")
        XCTAssertNil(result.forwarded)

        try await doctor.client.forward(
            result.reference, to: .person("NS-1"), comment: "is it yours?", priority: .urgent)
        try await ward.settle(doctor, nurse)
        let message = try await nurse.newest(with: "DR-1")
        XCTAssertEqual([message.sender, message.text], ["DR-1", "is it yours?\n\nK 6.6 mmol/L"])
        XCTAssertEqual(message.priority, .urgent)
        XCTAssertEqual(message.patient, patient)
        let inside = try XCTUnwrap(message.forwarded)
        XCTAssertTrue(inside.isProven)
        XCTAssertEqual([inside.author, inside.authorDevice], ["NS-1", nurse.client.device])
        XCTAssertEqual([inside.text, inside.comment], ["K 6.6 mmol/L", "is it yours?"])
        XCTAssertEqual([inside.writtenAt, inside.correctedAt], [result.createdAt, nil])
        XCTAssertEqual(inside.patient, patient)
        var dumped = ""
        dump((inside, message), to: &dumped)
        XCTAssertFalse(dumped.contains("NS-1") || dumped.contains("6.6"))

        try await nurse.client.recall(result.reference)
        try await ward.settle(nurse, doctor)
        let gone = try await nurse.newest(with: "DR-1")
        XCTAssertNotNil(gone.recalled)
        XCTAssertNil(gone.forwarded)
        await refused("WL-SEND-NOT-FORWARDABLE") {
            try await doctor.client.forward(result.reference, to: .person("NS-1"))
        }
    }

    func testACorrectionOfTypedFieldsIsTyped() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        var result = Structured.CriticalResult(testName: "Potassium", value: "6.5", unit: "mmol/L")
        let wrong = Structured.criticalResult(result)
        result.value = "5.6"
        let right = Structured.criticalResult(result)
        let sent = try await nurse.client.send(wrong, to: .person("DR-1"))
        try await nurse.client.amend(sent, to: right, reason: "typing error")
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        XCTAssertEqual(message.structured, right)
        XCTAssertTrue(message.text.contains("5.6 mmol/L"))
        let history = try await doctor.client.history(of: message.reference)
        XCTAssertEqual(history.map(\.structured), [wrong, right])
    }
}
