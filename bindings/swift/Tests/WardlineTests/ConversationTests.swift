// The first screen: the list of conversations, followed; messages by reference; unlock by presence.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class ConversationTests: WardTestCase {
    func testTheListShowsTheNewestFirstAndPagesLeadOn() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await nurse.client.send("for the team", to: .team("team-1"), priority: .stat)
        try await nurse.client.send("for you", to: .person("DR-1"))
        try await nurse.client.saveDraft("to be continued", to: .team("team-1"))
        try await ward.settle(nurse, doctor)

        let page = try await doctor.client.conversations()
        XCTAssertEqual(page.conversations.map(\.recipient), [.person("NS-1"), .team("team-1")])
        XCTAssertEqual(page.conversations.map(\.newest.preview), ["for you", "for the team"])
        XCTAssertEqual(page.conversations.map(\.unreadPriority), [.routine, .stat])
        XCTAssertEqual(page.conversations.map(\.newest.direction), [.incoming, .incoming])
        XCTAssertEqual(page.unread, 2)
        let total = try await doctor.client.unreadTotal()
        XCTAssertEqual(total, 2)
        XCTAssertFalse("\(page)".contains("for you"))

        let first = try await doctor.client.conversations(size: 1)
        let second = try await doctor.client.conversations(before: first.before, size: 1)
        XCTAssertEqual((first.conversations + second.conversations).map(\.id), page.conversations.map(\.id))
        let own = try await nurse.client.conversations()
        XCTAssertEqual(own.conversations.map(\.hasDraft), [false, true])
    }

    func testAListThatIsFollowedGoesOnWhileLockedWithoutPreviews() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let list = try await doctor.client.followConversations(size: 10)
        XCTAssertEqual(list.snapshot.conversations, [])
        try await nurse.client.send("look here", to: .person("DR-1"), priority: .urgent)
        try await ward.settle(nurse, doctor)
        var change = try await within(5) { try await list.nextChange() }
        XCTAssertEqual(change.added.map(\.newest.preview), ["look here"])
        XCTAssertEqual(change.unread, 1)

        try doctor.client.lock()
        while list.snapshot.conversations.first?.newest.preview != nil {
            change = try await within(5) { try await list.nextChange() }
        }
        XCTAssertEqual(list.snapshot.conversations.map(\.unread), [1])
        try await doctor.client.unlock(Passphrase(Ward.words))
        while list.snapshot.conversations.first?.newest.preview == nil {
            change = try await within(5) { try await list.nextChange() }
        }
        XCTAssertEqual(list.snapshot.conversations.map(\.newest.preview), ["look here"])

        let all = Task { for try await _ in list.changes {} }
        let cancelled = Task { for try await _ in list.changes {} }
        try await Task.sleep(for: .milliseconds(50))
        cancelled.cancel()
        do {
            try await within(5) { try await cancelled.value }
            XCTFail("nothing was thrown")
        } catch is CancellationError {}
        try await doctor.client.close()
        try await within(5) { try await all.value }
    }

    func testAMessageIsNamedByItsReference() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let one = try await nurse.client.send("one", to: .person("DR-1"))
        let two = try await nurse.client.send("two", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let references = [one, two].map { "\(nurse.client.device)/\($0)" }
        let missing = "\(doctor.client.device)/\(one)"
        let found = try await doctor.client.messages([references[1], missing, references[0]])
        XCTAssertEqual(found.map(\.text), ["two", "one"])
        XCTAssertEqual(found.map(\.reference), references.reversed())

        let error = await refused("WL-ARGUMENT") { try await doctor.client.markRead(references: [one]) }
        XCTAssertEqual(error?.cause, .argument(name: "references"))
        try await doctor.client.markRead(references: references)
        try await doctor.client.markRead([])
        let unread = try await doctor.client.unreadTotal()
        XCTAssertEqual(unread, 0)
        try doctor.client.lock()
        await refused("WL-LOCKED") { try await doctor.client.messages(references) }
    }

    func testPresenceUnlocksOnceItIsAllowedAndUntilItIsForbidden() async throws {
        let memory = MemoryKeyStore()
        let nurse = try await ward.enroll("NS-1", keyStore: memory)
        let client = nurse.client
        try await client.send("still here", to: .person("DR-1"))
        try client.lock()
        await refused("WL-VAULT-PRESENCE-OFF") { try await client.unlockByPresence() }
        XCTAssertTrue(client.isLocked)
        try await client.allowPresence(Passphrase(Ward.words))
        // The person dismisses the prompt.
        memory.failure = KeyStoreFailure.dismissed
        await refused("WL-VAULT-HOST-CANCELLED") { try await client.unlockByPresence() }
        XCTAssertTrue(client.isLocked)
        memory.failure = nil
        try await client.unlockByPresence()
        let texts = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(texts, ["still here"])
        try await client.forbidPresence()
        try client.lock()
        await refused("WL-VAULT-PRESENCE-OFF") { try await client.unlockByPresence() }
    }
}
