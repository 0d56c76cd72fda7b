// The closed loop on a ward whose time passes: reminders until somebody has it, and how long it took.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class ClosedLoopTests: TimedWardTestCase {
    private let minute = Duration.seconds(60)

    // scenario: reminder
    func testAStatMessageComesEveryMinuteUntilSomebodyHasIt() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let sent = try await nurse.client.send(
            "K 6.6 mmol/L", to: .person("DR-1"), priority: .stat, answerWithin: minute * 10)
        try await ward.settle(nurse, doctor)
        let message = try await doctor.newest(with: "NS-1")
        try doctor.client.lock()
        for round in 1...3 {
            clock.advance(by: minute)
            let asked = try await doctor.client.remind()
            let due = try XCTUnwrap(asked)
            XCTAssertTrue(due > clock.now && due <= clock.now.addingTimeInterval(60), "\(due)")
            // An unconfirmed reminder makes room for the next one.
            let told = try await reminders(doctor)
            let expected = Event.Kind.messageReminder(
                reference: message.reference, conversation: message.conversation, tier: .stat, round: round)
            XCTAssertEqual(told, [expected])
        }
        let authors = try await reminders(nurse)
        XCTAssertEqual(authors, [])

        try await doctor.client.unlock(Passphrase(Ward.words))
        try await doctor.client.answer(message, .accepted, readBack: "K 6.6, on my way")
        try await ward.settle(doctor, nurse)
        clock.advance(by: minute * 10)
        let due = try await doctor.client.remind()
        XCTAssertNil(due)
        let told = try await reminders(doctor)
        XCTAssertEqual(told.count, 1)
        try await nurse.client.syncOnce()
        let overdue = try await overdue(nurse)
        XCTAssertEqual(overdue, [], sent)
    }

    // scenario: reminder
    func testWhoAskedLearnsOnceThatNobodyHasItInTime() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await nurse.client.send("please sign", to: .person("DR-1"), answerWithin: minute * 5)
        try await ward.settle(nurse, doctor)
        let message = try await nurse.newest(with: "DR-1")
        clock.advance(by: minute * 6)
        for _ in 0..<2 {
            _ = try await nurse.client.remind()
        }
        let (told, others) = (try await overdue(nurse), try await overdue(doctor))
        XCTAssertEqual(
            told, [.answerOverdue(reference: message.reference, conversation: message.conversation)])
        XCTAssertEqual(others, [])
    }

    func testTheOrganizationSaysHowOftenAStatMessageComesAgain() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        var rules = try await ward.authority.policy()
        XCTAssertEqual([rules.statRepeat, rules.amendWindow], [minute, .seconds(7 * 86_400)])
        rules.statRepeat = .zero
        try await ward.authority.setPolicy(rules)
        try await ward.publish()
        clock.advance(by: minute * 2)
        try await ward.settle(nurse, doctor)
        try await nurse.client.send("K 6.6 mmol/L", to: .person("DR-1"), priority: .stat)
        try await ward.settle(nurse, doctor)
        clock.advance(by: minute * 10)
        let due = try await doctor.client.remind()
        XCTAssertNil(due)
        let told = try await reminders(doctor)
        XCTAssertEqual(told, [])
    }

    // scenario: closed-loop-times
    func testHowLongItTookIsKnownFromTheResultToTheAcknowledgement() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let taken = clock.now
        clock.advance(by: minute * 5)
        try await nurse.client.send("K 6.6 mmol/L", to: .person("DR-1"), priority: .stat, occurredAt: taken)
        try await nurse.client.send("K 6.8 mmol/L", to: .person("DR-1"), priority: .stat)
        try await ward.settle(nurse, doctor)
        clock.advance(by: minute * 3)
        let messages = try await doctor.messages(with: "NS-1")
        try await doctor.client.answer(messages[0], .accepted, readBack: "K 6.6")
        try await ward.settle(doctor, nurse)
        try nurse.client.lock()
        for (grouping, group, priority) in [
            (.person, "DR-1", nil), (.priority, nil, .stat), (.staffRole, nil, nil), (.department, nil, nil),
        ] as [(LoopTimes.Grouping, String?, Priority?)] {
            let groups = try await nurse.client.loopTimes(by: grouping)
            XCTAssertEqual(groups.count, 1)
            let times = try XCTUnwrap(groups.first)
            XCTAssertEqual(times.group, group)
            XCTAssertEqual(times.priority, priority)
            XCTAssertEqual([times.messages, times.sentToDelivered.count], [2, 2])
            XCTAssertEqual(times.sentToAcknowledged.count, 1)
            XCTAssertEqual(times.sentToAcknowledged.p50, minute * 3)
            XCTAssertEqual(times.eventToAcknowledged.p95, minute * 8)
            XCTAssertEqual([times.declined, times.unanswered, times.overdue], [0, 1, 0])
        }
        let none = try await nurse.client.loopTimes(by: .person, until: taken)
        XCTAssertEqual(none, [])
    }

    private func reminders(_ device: Device) async throws -> [Event.Kind] {
        try await device.told().filter { if case .messageReminder = $0 { true } else { false } }
    }

    private func overdue(_ device: Device) async throws -> [Event.Kind] {
        try await device.told().filter { if case .answerOverdue = $0 { true } else { false } }
    }
}
