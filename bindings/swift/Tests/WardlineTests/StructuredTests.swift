// Typed contents: they arrive as they were written, read as text anywhere, and are read back.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class StructuredTests: WardTestCase {
    private let potassium = Structured.criticalResult(
        .init(
            testName: "Potassium", testCode: "2823-3", value: "6.6", unit: "mmol/L", referenceRange: "3.5-5.0",
            abnormalFlag: "HH", specimenAt: Date(timeIntervalSince1970: 1_741_000_000)))

    // scenario: structured
    func testTypedFieldsArriveAndAreFoundByTheirText() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let handoff = Structured.Sbar(
            situation: "Bed 4, chest pain", background: "CABG 2019", assessment: "angina?", recommendation: "see now")
        let order = Structured.Order(
            what: "Calcium gluconate 10 %", dose: "10 ml", route: "i.v.", frequency: "once", orderedBy: "DR-1")
        for (content, words, type) in [
            (.sbar(handoff), "CABG 2019", "wardline.sbar/1"),
            (potassium, "6.6 mmol/L", "wardline.critical-result/1"),
            (.order(order), "10 ml", "wardline.order/1"),
        ] as [(Structured, String, String)] {
            try await nurse.client.send(content, to: .person("DR-1"))
            try await ward.settle(nurse, doctor)
            let message = try await doctor.newest(with: "NS-1")
            XCTAssertEqual(message.structured, content)
            XCTAssertEqual(message.contentType, type)
            XCTAssertTrue(message.isSupported && message.text.contains(words), type)
            var dumped = "\(handoff)\(order)"
            dump((message, content, handoff, order), to: &dumped)
            XCTAssertFalse(["Bed", "mmol", "ml"].contains { dumped.contains($0) })
            let found = try await doctor.client.search(words)
            XCTAssertEqual(found, [message])
            let without = try await nurse.client.devices(of: .person("DR-1"), without: type)
            XCTAssertEqual(without, [])
        }
    }

    // scenario: structured
    func testACriticalResultIsAcceptedByReadingItBackOnly() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await nurse.client.send(potassium, to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let waiting = try await doctor.client.openItems(.toAnswer)
        let message = try XCTUnwrap(waiting.first)
        await refused("WL-SEND-READ-BACK") { try await doctor.client.answer(message, .accepted) }
        try await doctor.client.answer(message, .accepted, readBack: "K 6.6, on my way")
        let open = try await doctor.client.openItems(.toAnswer)
        XCTAssertEqual(open, [])
    }

    func testAVendorsTypeArrivesAsItIsAndReadsAsItsText() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let form = Structured.Vendor(typeURI: "forms.vendor.example/fall/1", body: Data(0...255))
        try await nurse.client.send(.vendor(form), text: "Fall protocol, bed 4", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        XCTAssertEqual(message.structured, .vendor(form))
        XCTAssertEqual(message.text, "Fall protocol, bed 4")
        let without = try await nurse.client.devices(of: .person("DR-1"), without: form.typeURI)
        XCTAssertEqual(without?.map(\.user), ["DR-1"])
        XCTAssertEqual(without?.map(\.device), [doctor.client.device])

        for (content, code) in [
            (.sbar(.init(situation: " ")), "WL-SEND-INCOMPLETE"),
            (.vendor(.init(typeURI: "wardline.order/1", body: Data())), "WL-SEND-NOT-A-VENDOR-TYPE"),
            (.vendor(.init(typeURI: form.typeURI, body: Data(count: 65 * 1024))), "WL-SEND-TOO-LARGE"),
        ] as [(Structured, String)] {
            await refused(code) { try await nurse.client.send(content, text: "something", to: .person("DR-1")) }
        }
        let texts = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(texts, ["Fall protocol, bed 4"])
    }
}
