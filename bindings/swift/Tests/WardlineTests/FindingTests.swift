// What was said is found again, what may be wrong is said before it leaves, and open items follow what happens.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class FindingTests: WardTestCase {
    private let mrn = Patient.Identifier(system: "urn:mercy:mrn", value: "00712328")
    private let birth = Patient.Identifier(system: "urn:birth-date", value: "1960-02-29")
    private var garcia: Patient { Patient(identifiers: [mrn, birth], name: "Maria Garcia") }

    // scenario: find
    func testMessagesAreFoundByPatientPersonTierAndWords() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await nurse.client.send("K 6.6 mmol/L", to: .person("DR-1"), priority: .stat, about: garcia)
        try await nurse.client.send("she sleeps", to: .team("team-1"), about: garcia)
        try await nurse.client.send("rounds at nine", to: .person("DR-1"), priority: .urgent)
        try await ward.settle(nurse, doctor)
        try await doctor.client.send("on my way", to: .person("NS-1"))

        let everything = ["on my way", "rounds at nine", "she sleeps", "K 6.6 mmol/L"]
        let tomorrow = Date().addingTimeInterval(86_400)
        let direct = try doctor.client.conversation(with: .person("NS-1"))
        for (wanted, expected) in [
            (Filter(), everything),
            (Filter(patient: [mrn, birth]), ["she sleeps", "K 6.6 mmol/L"]),
            (Filter(patient: [mrn], conversation: direct), ["K 6.6 mmol/L"]),
            (Filter(person: "DR-1"), ["on my way"]),
            (Filter(atLeast: .urgent), ["rounds at nine", "K 6.6 mmol/L"]),
            (Filter(isOpen: true), ["K 6.6 mmol/L"]),
            (Filter(text: "roun"), ["rounds at nine"]),
            (Filter(until: tomorrow), everything),
            (Filter(since: tomorrow), []),
        ] {
            let found = try await doctor.client.find(wanted)
            XCTAssertEqual(found.map(\.text), expected)
        }
        var dumped = ""
        dump(Filter(patient: [mrn], text: "roun"), to: &dumped)
        XCTAssertFalse(dumped.contains("roun") || dumped.contains("007"))

        let first = try await doctor.client.find(Filter(), limit: 3)
        let rest = try await doctor.client.find(Filter(), before: first.last?.cursor, limit: 3)
        XCTAssertEqual((first + rest).map(\.text), everything)
        let error = await refused("WL-ARGUMENT") { try await doctor.client.find(Filter(person: "no spaces please")) }
        XCTAssertEqual(error?.cause, .argument(name: "person"))
        try doctor.client.lock()
        await refused("WL-LOCKED") { try await doctor.client.find(Filter()) }
    }

    func testWhatMayBeWrongIsSaidBeforeItLeaves() async throws {
        let client = try await ward.enroll("NS-1").client
        try await client.send("K 6.6", to: .person("DR-1"), priority: .stat, about: garcia)
        var cautions = try await client.check(.person("DR-1"), about: garcia)
        XCTAssertEqual(cautions, [])
        cautions = try await client.check(.person("DR-1"), priority: .stat)
        XCTAssertEqual(cautions, [.interrupts(.stat, open: 1), .noPatient])
        let other = Patient(identifiers: [.init(system: mrn.system, value: "00999999"), birth], name: "GARCÍA MARIA")
        cautions = try await client.check(.person("DR-1"), about: other)
        guard case .similarPatient(known: _, sameName: true)? = cautions.first else {
            return XCTFail("\(cautions)")
        }
        cautions = try await client.check(
            .person("DR-1"), about: Patient(identifiers: [mrn, birth], name: "Peter Smith"))
        guard case .otherName(let known)? = cautions.first else {
            return XCTFail("\(cautions)")
        }
        XCTAssertEqual(known.name, "Maria Garcia")
        var dumped = ""
        dump(cautions, to: &dumped)
        XCTAssertFalse(dumped.contains("Garcia"))
        cautions = try await client.check(.person("DR-1"), about: Patient(identifiers: [mrn], name: "Maria Garcia"))
        XCTAssertEqual(cautions, [.oneIdentifier(given: 1)])
        let messages = try await client.timeline(client.conversation(with: .person("DR-1"))).messages
        XCTAssertEqual(messages.count, 1, "nothing was sent by asking")
    }

    func testOpenItemsFollowWhatHappensAndTheLock() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let view = try await doctor.client.followOpenItems(.toAnswer, size: 10)
        XCTAssertEqual(view.snapshot, [])
        try await nurse.client.send("sign please", to: .person("DR-1"), answerWithin: .seconds(300))
        try await ward.settle(nurse, doctor)
        let change = try await within(5) { try await view.nextChange() }
        XCTAssertEqual(change.added.map(\.text), ["sign please"])
        try await nurse.client.send("K 6.6", to: .person("DR-1"), priority: .stat)
        try await ward.settle(nurse, doctor)
        _ = try await within(5) { try await view.nextChange() }
        XCTAssertEqual(view.snapshot.map(\.text), ["K 6.6", "sign please"])

        try doctor.client.lock()
        XCTAssertEqual(view.snapshot, [])
        await refused("WL-LOCKED") { try await within(5) { try await view.nextChange() } }
        try await doctor.client.unlock(Passphrase(Ward.words))
        _ = try await within(5) { try await view.nextChange() }
        let stat = try XCTUnwrap(view.snapshot.first)
        try await doctor.client.answer(stat, .accepted, readBack: "going")
        let removed = try await within(5) {
            for try await change in view.changes where !change.removed.isEmpty {
                return change.removed
            }
            return []
        }
        XCTAssertEqual(removed, [stat.reference])

        let all = Task { for try await _ in view.changes {} }
        try await Task.sleep(for: .milliseconds(50))
        try await doctor.client.close()
        try await within(5) { try await all.value }
    }
}
