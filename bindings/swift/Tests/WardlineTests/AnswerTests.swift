// Closing the loop and taking back: what goes in comes out, and what is refused is named.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class AnswerTests: WardTestCase {
    // scenario: answer
    func testAMessageThatAsksIsAnsweredWithAReadBackAndEverybodyKnows() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let resultAt = Date(timeIntervalSince1970: 1_741_000_000)
        let sent = try await nurse.client.send(
            "K 6.6 mmol/L", to: .person("DR-1"), answerWithin: .seconds(300), occurredAt: resultAt)
        try await ward.settle(nurse, doctor)
        let waiting = try await doctor.client.openItems(.toAnswer)
        let message = try XCTUnwrap(waiting.first)
        XCTAssertEqual(message.id, sent)
        XCTAssertEqual(message.occurredAt, resultAt)
        let asked = try XCTUnwrap(message.asked)
        XCTAssertTrue(asked.isOpen)
        let answerBy = try XCTUnwrap(asked.answerBy)
        XCTAssertEqual(answerBy.timeIntervalSince(message.createdAt), 300, accuracy: 0.001)
        let awaited = try await nurse.client.openItems(.awaited)
        XCTAssertEqual(awaited.map(\.id), [sent])
        let overdue = try await nurse.client.openItems(.overdue)
        XCTAssertEqual(overdue, [])

        try await doctor.client.answer(message, .declined)
        try await doctor.client.answer(reference: message.reference, .accepted, readBack: "K 6.6, going")
        try await ward.settle(doctor, nurse)
        let answers = try await nurse.client.answers(to: sent)
        XCTAssertEqual(answers.map(\.verdict), [.declined, .accepted])
        XCTAssertEqual(answers.map(\.stands), [false, true])
        let last = try XCTUnwrap(answers.last)
        XCTAssertEqual([last.user, last.device, last.readBack], ["DR-1", doctor.client.device, "K 6.6, going"])
        var dumped = ""
        dump(last, to: &dumped)
        XCTAssertFalse((dumped + "\(last)").contains("going"))
        let deliveries = try await nurse.client.deliveries(of: sent)
        XCTAssertEqual(deliveries.first?.answer?.verdict, .accepted)
        XCTAssertEqual(deliveries.first?.answer?.at, last.at)
        let told = try await kinds(nurse)
        XCTAssertTrue(
            told.contains(
                .messageAnswered(
                    reference: message.reference, conversation: message.conversation, user: "DR-1", verdict: .accepted)))
        for which in OpenItems.allCases {
            for device in [nurse, doctor] {
                let open = try await device.client.openItems(which)
                XCTAssertEqual(open, [])
            }
        }

        await refused("WL-SEND-OWN-MESSAGE") {
            try await nurse.client.answer(reference: message.reference, .accepted)
        }
        let plain = try await nurse.client.send("rounds at nine", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        await refused("WL-SEND-NOT-ASKED") {
            try await doctor.client.answer(reference: "\(nurse.client.device)/\(plain)", .accepted)
        }
    }

    // scenario: recall
    func testWhatItsAuthorTakesBackIsGoneAndATombstoneSaysWhy() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let sent = try await nurse.client.send("for Mrs Keller", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        await refused("WL-SEND-NOT-YOURS") { try await doctor.client.recall(message.reference) }

        var shown = try await outcomes(of: sent, on: nurse)
        XCTAssertEqual(shown, [nil])
        try await nurse.client.recall(sent, reason: "wrong patient")
        shown = try await outcomes(of: sent, on: nurse)
        XCTAssertEqual(shown, [.pending])
        try await ward.settle(nurse, doctor)
        shown = try await outcomes(of: sent, on: nurse)
        XCTAssertEqual(shown, [.purgedUnread])
        for (device, other) in [(nurse, "DR-1"), (doctor, "NS-1")] {
            let tombstone = try await device.newest(with: other)
            XCTAssertEqual(tombstone.id, sent)
            XCTAssertEqual(tombstone.text, "")
            let recalled = try XCTUnwrap(tombstone.recalled)
            XCTAssertEqual([recalled.by, recalled.reason], ["NS-1", "wrong patient"])
            var dumped = ""
            dump((tombstone, recalled), to: &dumped)
            XCTAssertFalse((dumped + "\(recalled)").contains("wrong"))
            let found = try await device.client.search("Keller")
            XCTAssertEqual(found, [])
        }
        let told = try await kinds(doctor)
        XCTAssertTrue(
            told.contains(.messageRecalled(reference: message.reference, conversation: message.conversation)))
        await refused("WL-SEND-TOO-LATE-TO-RECALL") { try await nurse.client.recall(sent) }
    }

    func testATimeThatNoCalendarHasLeavesTheConversationReadable() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let never = Date(timeIntervalSince1970: .infinity)
        try await nurse.client.send(
            "for ever", to: .person("DR-1"), answerWithin: .seconds(Int64.max), occurredAt: never)
        try await nurse.client.send("at once", to: .person("DR-1"), answerWithin: .seconds(-1))
        try await ward.settle(nurse, doctor)
        let open = try await doctor.client.openItems(.toAnswer)
        XCTAssertEqual(open.map(\.text), ["at once", "for ever"])
    }

    func testAReplyNamesWhatItRepliesTo() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await nurse.client.send("how much?", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let question = try await doctor.newest(with: "NS-1")
        XCTAssertNil(question.inReplyTo)
        try await doctor.client.send("50 mg", to: .person("NS-1"), replyTo: question.reference)
        try await ward.settle(doctor, nurse)
        let reply = try await nurse.newest(with: "DR-1")
        XCTAssertEqual(reply.inReplyTo, question.reference)
        let nowhere = await refused("WL-UNKNOWN") {
            try await doctor.client.send(
                "50 mg", to: .person("NS-1"), replyTo: "\(doctor.client.device)/\(question.id)")
        }
        XCTAssertEqual(nowhere?.cause, .notFound)
    }

    private func kinds(_ device: Device) async throws -> [Event.Kind] {
        try await device.client.events(after: 0).map(\.kind)
    }

    private func outcomes(of message: String, on device: Device) async throws -> [Delivery.Recall?] {
        let deliveries = try await device.client.deliveries(of: message)
        return deliveries.flatMap(\.devices).map(\.recall)
    }
}
