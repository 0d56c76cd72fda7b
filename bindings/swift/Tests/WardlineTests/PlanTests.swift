// What is planned for a message on a ward whose time passes: who is next, how long it lives, who holds a role, who is away.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class PlanTests: TimedWardTestCase {
    private let minute = Duration.seconds(60)
    private let onCall = "cardiology-on-call"

    // scenario: escalation
    func testTheNextTierGetsItThoughTheSendersPhoneIsDeadAndAnAcceptanceStopsTheRest() async throws {
        for user in ["DR-2", "DR-3"] {
            try await ward.authority.upsert(PersonDetails(user: user, displayName: "Person \(user)"))
        }
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let (second, third) = (try await ward.enroll("DR-2"), try await ward.enroll("DR-3"))
        try await ward.settle(nurse, doctor, second, third)
        let tiers = ["DR-2", "DR-3"].map { Escalation.Tier(after: minute * 5, people: [$0]) }
        let sent = try await nurse.client.send(
            "K 6.6 mmol/L", to: .person("DR-1"), priority: .stat, escalating: tiers)
        try await ward.settle(nurse, doctor)
        let reference = "\(nurse.client.device)/\(sent)"
        let armed = try await nurse.client.escalation(of: sent)
        XCTAssertEqual(armed?.armed, .yes)
        XCTAssertNil(armed?.stopped)
        XCTAssertEqual(armed?.tiers.map(\.people), [["DR-2"], ["DR-3"]])
        try await nurse.client.close()

        for (time, given) in [(minute * 4, []), (minute, ["K 6.6 mmol/L"])] as [(Duration, [String])] {
            clock.advance(by: time)
            try await ward.relay.releaseDue()
            try await ward.settle(doctor, second, third)
            let texts = try await second.client.messages([reference]).map(\.text)
            XCTAssertEqual(texts, given)
        }
        let told = try await second.told().filter { if case .escalated = $0 { true } else { false } }
        let place = try await second.client.messages([reference]).first?.conversation ?? ""
        XCTAssertEqual(told, [.escalated(reference: reference, conversation: place, tier: 0)])

        try await second.client.answer(reference: reference, .accepted, readBack: "K 6.6, going")
        try await ward.settle(second, doctor)
        clock.advance(by: minute * 30)
        try await ward.relay.releaseDue()
        try await ward.settle(doctor, second, third)
        let none = try await third.client.messages([reference])
        XCTAssertEqual(none, [], "the first acceptance stops all later tiers")
        nurse.client = try await Client.open(nurse.configuration, clock: clock)
        try await nurse.client.unlock(Passphrase(Ward.words))
        try await ward.settle(nurse)
        let stopped = try await nurse.client.escalation(of: sent)?.stopped
        XCTAssertEqual(stopped?.user, "DR-2")

        await refused("WL-SEND-EMPTY-TIER") {
            try await nurse.client.send("to whom?", to: .person("DR-1"), escalating: [.init(after: minute)])
        }
        await refused("WL-SEND-TOO-MANY-TIERS") {
            try await nurse.client.send(
                "all", to: .person("DR-1"), escalating: Array(repeating: tiers[0], count: 9))
        }
        let plain = try await nurse.client.send("plain", to: .person("DR-1"))
        let without = try await nurse.client.escalation(of: plain)
        XCTAssertNil(without)
    }

    // scenario: expiry
    func testAMessageIsOverOnTimeAndNoClockBringsItBack() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await doctor.client.send(
            "door code 4711", to: .person("NS-1"), lifetime: Lifetime(afterSent: minute * 10))
        try await doctor.client.send("rounds at nine", to: .person("NS-1"))
        try await ward.settle(doctor, nurse)
        let before = try await nurse.messages(with: "DR-1")
        XCTAssertEqual(before[0].expiresAt, before[0].createdAt.addingTimeInterval(600))
        XCTAssertNil(before[0].expiredAt)
        XCTAssertNil(before[1].expiresAt)
        clock.advance(by: minute * 11)
        try await ward.settle(doctor, nurse)
        for (device, other) in [(nurse, "DR-1"), (doctor, "NS-1")] {
            let after = try await device.messages(with: other)
            XCTAssertEqual(after.map(\.text), ["", "rounds at nine"])
            XCTAssertNotNil(after[0].expiredAt)
            let told = try await device.told()
            XCTAssertTrue(
                told.contains(
                    .messageExpired(reference: before[0].reference, conversation: before[0].conversation)))
            let found = try await device.client.search("4711")
            XCTAssertEqual(found, [])
        }
        clock.set(clock.now.addingTimeInterval(-1800))
        let still = try await nurse.messages(with: "DR-1")
        XCTAssertEqual(still[0].text, "")

        let conversation = try doctor.client.conversation(with: .person("NS-1"))
        var lifetime = try await doctor.client.lifetime(of: conversation)
        XCTAssertEqual(lifetime, Lifetime())
        try await doctor.client.setLifetime(Lifetime(afterRead: minute * 5), for: .person("NS-1"))
        lifetime = try await doctor.client.lifetime(of: conversation)
        XCTAssertEqual(lifetime, Lifetime(afterRead: minute * 5))
        await refused("WL-SEND-LIFETIME") {
            try await doctor.client.setLifetime(Lifetime(afterSent: .zero), for: .person("NS-1"))
        }
    }

    // scenario: roles
    func testAMessageToARoleGoesToWhoHoldsItNowAndTheAnswerSaysSo() async throws {
        try await ward.authority.upsert(PersonDetails(user: "DR-2", displayName: "Person DR-2"))
        let (nurse, early) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let late = try await ward.enroll("DR-2")
        try await ward.authority.upsert(RoleLine(role: "nobody-home", displayName: "Nobody", assignments: []))
        try await turn(of: "DR-1", nurse, early, late)
        let status = try await nurse.client.role(onCall)
        XCTAssertEqual(status.holders.map(\.user), ["DR-1"])
        XCTAssertEqual(status.holders.map(\.displayName), ["Person DR-1"])
        XCTAssertEqual(status.holders.map(\.isReachable), [true])
        XCTAssertTrue(status.isCurrent)
        XCTAssertFalse("\(status)\(status.holders)".contains("Person"))
        let empty = try await nurse.client.role("nobody-home")
        XCTAssertEqual(empty.holders, [])
        await refused("WL-SEND-NO-HOLDER") { try await nurse.client.send("hello?", to: .role("nobody-home")) }

        try await nurse.client.send("Troponin 85 ng/l", to: .role(onCall))
        try await ward.settle(nurse, early, late)
        let places = try await early.client.conversations().conversations
        let place = try XCTUnwrap(places.first)
        XCTAssertEqual(place.recipient, .caller(role: onCall, person: "NS-1"))
        let asked = try await early.client.timeline(place.id).messages
        XCTAssertEqual(asked.map(\.text), ["Troponin 85 ng/l"])
        XCTAssertEqual(asked.first?.role?.role, onCall)
        XCTAssertNil(asked.first?.role?.speaks)
        try await early.client.send("on my way", to: place.recipient)
        try await ward.settle(early, nurse)
        let replies = try await nurse.client.timeline(nurse.client.conversation(with: .role(onCall))).messages
        XCTAssertEqual(replies.last?.text, "on my way")
        XCTAssertEqual(replies.last?.role?.speaks, .holder)

        clock.advance(by: minute * 720)
        try await turn(of: "DR-2", nurse, early, late)
        let second = try await nurse.client.send("Troponin 210 ng/l", to: .role(onCall))
        try await ward.settle(nurse, early, late)
        let reference = "\(nurse.client.device)/\(second)"
        let (given, left) = (
            try await late.client.messages([reference]), try await early.client.messages([reference])
        )
        XCTAssertEqual(given.map(\.text), ["Troponin 210 ng/l"])
        XCTAssertEqual(left, [], "who left gets nothing new")
        await refused("WL-SEND-NOT-YOUR-ROLE") {
            try await nurse.client.send("as the cardiologist", to: .caller(role: onCall, person: "DR-1"))
        }
    }

    // scenario: reachability
    func testWhatAPersonSaysIsKnownToOthersAndWhatMakesNoSenseIsRefused() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let tablet = try await ward.enroll("DR-1")
        try await ward.settle(nurse, doctor, tablet)
        let until = Date(timeIntervalSince1970: clock.now.timeIntervalSince1970.rounded() + 8 * 3600)
        var current = try await doctor.client.availability()
        XCTAssertEqual(current, Availability())
        let said = Availability(doNotDisturbUntil: until, away: .init(until: until, delegate: "NS-1"))
        try await doctor.client.setAvailability(said)
        XCTAssertFalse("\(said)".contains("NS-1"))
        try await ward.settle(doctor, tablet)
        current = try await tablet.client.availability()
        XCTAssertEqual(current, said)
        let told = try await tablet.told()
        XCTAssertTrue(told.contains(.availabilityChanged))

        let known = try await nurse.client.reachability(of: ["DR-1", "DR-9"])
        XCTAssertEqual(known.map(\.hasDevice), [true, false])
        XCTAssertEqual(known.map(\.delegate), ["NS-1", nil])
        XCTAssertEqual(known.map(\.doNotDisturbUntil), [until, nil])
        XCTAssertEqual(known.map(\.awayUntil), [until, nil])
        XCTAssertNotNil(known[0].lastSeen)
        XCTAssertNotNil(known[0].asOf)
        XCTAssertFalse("\(known)".contains("NS-1"))

        try await doctor.client.setAvailability(Availability())
        try await ward.settle(doctor)
        let after = try await nurse.client.reachability(of: ["DR-1"])
        XCTAssertEqual(after.map(\.awayUntil), [nil])
        let past = Availability(doNotDisturbUntil: clock.now.addingTimeInterval(-1))
        await refused("WL-REACH-TIME") { try await doctor.client.setAvailability(past) }
        let own = Availability(away: .init(until: until, delegate: "DR-1"))
        await refused("WL-REACH-OWN-DELEGATE") { try await doctor.client.setAvailability(own) }
        await refused("WL-ARGUMENT") { try await doctor.client.reachability(of: ["no spaces please"]) }
    }

    private func turn(of user: String, _ devices: Device...) async throws {
        let now = clock.now
        let turn = RoleLine.Assignment(
            user: user, from: now.addingTimeInterval(-60), until: now.addingTimeInterval(12 * 3600))
        try await ward.authority.upsert(
            RoleLine(role: onCall, displayName: "Cardiology on call", assignments: [turn]))
        try await ward.publish()
        for _ in 0..<2 {
            for device in devices { try await device.client.syncOnce() }
        }
    }
}
