// Short replies: one tap says exactly what was offered, and whoever asked sees who chose what.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class OfferTests: WardTestCase {
    private let offers = ["Yes, once", "No, I am on my way"]

    // scenario: quick-replies
    func testAShortReplySaysWhatWasOfferedAndWhoChoseIt() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let sent = try await nurse.client.send(
            "Repeat the dose?", to: .person("DR-1"), priority: .stat, offering: offers)
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        XCTAssertEqual(message.offers, offers)
        XCTAssertNil(message.chosen)
        XCTAssertFalse("\(message)".contains("once"))
        for index in offers.indices {
            try await doctor.client.reply(to: message, with: index)
        }
        try await ward.settle(doctor, nurse)
        let reply = try await nurse.newest(with: "DR-1")
        XCTAssertEqual([reply.text, reply.inReplyTo], [offers[1], message.reference])
        XCTAssertEqual(reply.chosen, 1)
        let choices = try await nurse.client.choices(of: sent)
        XCTAssertEqual(choices.map(\.user), ["DR-1", "DR-1"])
        XCTAssertEqual(choices.map(\.index), [0, 1])
        XCTAssertEqual(choices.map(\.stands), [false, true])
        XCTAssertEqual(choices.map(\.isOutdated), [false, false])
        XCTAssertEqual(choices.last?.reply, reply.reference)
        XCTAssertEqual(choices.last?.at, reply.createdAt)
        let asked = try await nurse.client.messages([message.reference]).first?.asked
        XCTAssertEqual(asked?.isOpen, true, "a choice is no verdict")

        for index in [2, -1, Int.max] {
            await refused("WL-SEND-NOT-OFFERED") { try await doctor.client.reply(to: message, with: index) }
        }
        await refused("WL-SEND-BAD-OFFER") {
            try await nurse.client.send("?", to: .person("DR-1"), offering: ["yes", "yes"])
        }
    }

    // scenario: quick-replies
    func testWhatOnlyLooksLikeAChoiceIsAText() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let sent = try await nurse.client.send("Repeat the dose?", to: .person("DR-1"), offering: offers)
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        try await doctor.client.send(offers[0], to: .person("NS-1"), replyTo: message.reference)
        try await ward.settle(doctor, nurse)
        let reply = try await nurse.newest(with: "DR-1")
        XCTAssertNil(reply.chosen)
        let choices = try await nurse.client.choices(of: sent)
        XCTAssertEqual(choices, [])
    }
}
