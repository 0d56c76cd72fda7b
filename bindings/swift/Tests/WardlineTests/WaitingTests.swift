// Events, views that follow, giving up, closing during a call.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class WaitingTests: WardTestCase {
    // scenario: events
    func testEventsComeInOrderAndAgainUntilTheyAreConfirmed() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let sent = try await nurse.client.send("one", to: .person("DR-1"), priority: .urgent)
        try await ward.settle(nurse, doctor)
        let found = try await doctor.client.events(after: 0)
        XCTAssertFalse(found.contains { $0.kind == .unknown })
        guard case .directoryChanged = found.first?.kind else { return XCTFail("\(found)") }
        let conversation = try doctor.client.conversation(with: .person("NS-1"))
        let reference = "\(nurse.client.device)/\(sent)"
        XCTAssertEqual(
            arrived(found).map(\.kind), [.messageArrived(reference: reference, conversation: conversation, tier: .urgent)])
        let messages = try await doctor.client.messages([reference])
        XCTAssertEqual(messages.map(\.reference), [reference])
        let own = try await nurse.client.events(after: 0)
        XCTAssertTrue(own.contains { $0.kind == .messageSent(message: sent, conversation: conversation) })
        XCTAssertTrue(own.contains { $0.kind == .deliveryChanged(message: sent, user: "DR-1") })

        var again = try await doctor.client.events(after: 0)
        XCTAssertEqual(again, found)
        try await doctor.client.confirm(try XCTUnwrap(found.last))
        again = try await doctor.client.events(after: 0)
        XCTAssertEqual(again, [])
    }

    func testTheStreamConfirmsWhatWasDealtWith() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try nurse.client.start()
        try doctor.client.start()
        let events = doctor.client.events(batch: 1)
        let listening = Task {
            var heard: [String] = []
            for try await event in events {
                if case .messageArrived(let reference, _, _) = event.kind {
                    heard.append(reference)
                    if heard.count == 3 { break }
                }
            }
            return heard
        }
        var sent: [String] = []
        for number in 0..<3 {
            let id = try await nurse.client.send("number \(number)", to: .person("DR-1"))
            sent.append("\(nurse.client.device)/\(id)")
        }
        let heard = try await within(20) { try await listening.value }
        XCTAssertEqual(heard, sent)
        // The last one was never followed by asking for another: it comes again.
        let again = arrived(try await doctor.client.events(after: 0))
        guard case .messageArrived(sent[2], _, _)? = again.first?.kind else { return XCTFail("\(again)") }
    }

    func testAStreamThatDoesNotConfirmLosesNothing() async throws {
        let nurse = try await ward.enroll("NS-1")
        let all = try await nurse.client.events(after: 0)
        var seen: [Event] = []
        for try await event in nurse.client.events(batch: 1, confirming: false) {
            seen.append(event)
            if seen.count == all.count { break }
        }
        XCTAssertEqual(seen, all)
        let again = try await nurse.client.events(after: 0)
        XCTAssertEqual(again, all)
    }

    func testAStreamEndsWhenTheClientIsClosedAndThrowsWhenItsTaskIsCancelled() async throws {
        let nurse = try await ward.enroll("NS-1")
        let events = nurse.client.events(confirming: false)
        let cancelled = Task { for try await _ in events {} }
        let closed = Task { for try await _ in events {} }
        try await Task.sleep(for: .milliseconds(100))
        cancelled.cancel()
        do {
            try await within(5) { try await cancelled.value }
            XCTFail("a cancelled stream came to an end")
        } catch is CancellationError {}
        try await nurse.client.close()
        try await within(5) { try await closed.value }
    }

    // scenario: live-queries
    func testAViewFollowsItsConversation() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let conversation = try doctor.client.conversation(with: .person("NS-1"))
        let view = try await doctor.client.follow(conversation, size: 10)
        XCTAssertEqual(view.snapshot.messages, [])
        XCTAssertEqual(view.snapshot.unread, 0)
        let sent = try await nurse.client.send("look here", to: .person("DR-1"))
        try await nurse.client.syncOnce()
        let waiting = Task { try await view.nextChange() }
        try await doctor.client.syncOnce()
        var change = try await within(5) { try await waiting.value }
        XCTAssertEqual(change.added.map(\.id), [sent])
        XCTAssertEqual(change.unread, 1)
        XCTAssertEqual(view.snapshot.messages.map(\.text), ["look here"])
        try await doctor.client.markRead(change.added)
        change = try await within(5) { try await view.nextChange() }
        XCTAssertEqual(change.updated.map(\.id), [sent])
        XCTAssertEqual(view.snapshot.unread, 0)
    }

    func testGivingUpAWaitLosesNoChange() async throws {
        let nurse = try await ward.enroll("NS-1")
        let view = try await nurse.client.follow(nurse.client.conversation(with: .person("DR-1")), size: 100)
        for number in 0..<30 {
            let waiting = Task { try await view.nextChange() }
            await Task.yield()
            try await nurse.client.send("number \(number)", to: .person("DR-1"))
            waiting.cancel()
            _ = await waiting.result
        }
        while view.snapshot.messages.count < 30 {
            _ = try await within(5) { try await view.nextChange() }
        }
    }

    // scenario: live-queries
    func testAViewEndsWithTheLockAndWithTheClient() async throws {
        let nurse = try await ward.enroll("NS-1")
        try await nurse.client.send("shown until the lock", to: .person("DR-1"))
        let view = try await nurse.client.follow(nurse.client.conversation(with: .person("DR-1")))
        XCTAssertEqual(view.snapshot.messages.map(\.text), ["shown until the lock"])
        let waiting = Task { try await view.nextChange() }
        try nurse.client.lock()
        let locked = await refused("WL-LOCKED") { try await within(5) { try await waiting.value } }
        XCTAssertEqual(locked?.cause, .locked)
        XCTAssertEqual(view.snapshot.messages, [])
        try await nurse.client.unlock(Passphrase(Ward.words))
        let change = try await within(5) { try await view.nextChange() }
        XCTAssertEqual(change.added.map(\.text), ["shown until the lock"])
        let all = Task { for try await _ in view.changes {} }
        let one = Task { try await view.nextChange() }
        try await Task.sleep(for: .milliseconds(50))
        try await nurse.client.close()
        try await within(5) { try await all.value }
        await refused("WL-CLOSED") { _ = try await within(5) { try await one.value } }
    }

    // scenario: cancellation
    func testACancelledTaskGivesUpItsWaitAndTheClientGoesOn() async throws {
        let nurse = try await ward.enroll("NS-1")
        let client = nurse.client
        let last = try await client.events(after: 0).last?.cursor ?? 0
        let waiting = Task { try await client.nextEvents(after: last) }
        try await Task.sleep(for: .milliseconds(50))
        waiting.cancel()
        do {
            _ = try await within(5) { try await waiting.value }
            XCTFail("nothing was thrown")
        } catch is CancellationError {}
        // A task that is cancelled before it asks does not wait at all.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await client.nextEvents(after: last)
        }
        late.cancel()
        do {
            _ = try await within(5) { try await late.value }
            XCTFail("nothing was thrown")
        } catch is CancellationError {}
        try await client.send("still alive", to: .person("DR-1"))
        let texts = try await nurse.texts(with: "DR-1")
        XCTAssertEqual(texts, ["still alive"])
    }

    // scenario: cancellation
    func testAnEnrollmentThatWasGivenUpIsTakenUpAgain() async throws {
        let (carrier, memory) = (Carrier(ward.relay.transport), MemoryKeyStore())
        let configuration = try ward.configuration("given-up", transport: carrier, keyStore: memory)
        let ticket = try await ward.authority.mintTicket(for: "NS-1")
        let enroll: @Sendable () async throws -> Client = {
            try await Client.enroll(
                configuration, user: "NS-1", ticket: ticket, passphrase: Passphrase(Ward.words))
        }

        // While the platform asks somebody for something, and while the relay does not answer.
        memory.isHanging = true
        try await giveUp(enroll) { memory.hanging > 0 }
        memory.isHanging = false
        carrier.mischief = {
            try await Task.sleep(for: .seconds(3600))
            return RelayResponse(status: 200, body: Data())
        }
        try await giveUp(enroll) { carrier.calls > 0 }
        carrier.mischief = nil
        var nurse = try await within(20, enroll)
        try await ward.publish()
        try await nurse.syncOnce()
        try await nurse.send("enrolled in the end", to: .person("DR-1"))
        try await nurse.close()

        memory.isHanging = true
        let before = memory.hanging
        try await giveUp({ try await Client.open(configuration) }) { memory.hanging > before }
        memory.isHanging = false
        nurse = try await Client.open(configuration)
        try await nurse.unlock(Passphrase(Ward.words))
        let page = try await nurse.timeline(nurse.conversation(with: .person("DR-1")))
        XCTAssertEqual(page.messages.map(\.text), ["enrolled in the end"])
        try await nurse.close()
    }

    func testARoundThatIsCancelledIsGivenUpAtOnce() async throws {
        let carrier = Carrier(ward.relay.transport)
        let nurse = try await ward.enroll("NS-1", transport: carrier)
        let doctor = try await ward.enroll("DR-1")
        try await nurse.client.send("in the next round", to: .person("DR-1"))
        carrier.mischief = {
            try await Task.sleep(for: .seconds(3600))
            return RelayResponse(status: 200, body: Data())
        }
        let client = nurse.client
        let round = Task { try await client.syncOnce() }
        try await Task.sleep(for: .milliseconds(100))
        round.cancel()
        do {
            _ = try await within(5) { try await round.value }
            XCTFail("nothing was thrown")
        } catch is CancellationError {}
        carrier.mischief = nil
        try await ward.settle(nurse, doctor)
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["in the next round"])
    }

    func testClosingDuringCallsEndsThemWithAnErrorOrSuccess() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let client = nurse.client
        try client.start()
        let sends = (0..<40).map { number in Task { try await client.send("number \(number)", to: .person("DR-1")) } }
        let round = Task { try await client.syncOnce() }
        try await Task.sleep(for: .milliseconds(5))
        try await within(10) { try await client.close() }
        var taken: Set<String> = []
        for send in sends {
            switch await send.result {
            case .success(let id): taken.insert(id)
            case .failure(let error): XCTAssertEqual((error as? WardlineError)?.code, "WL-CLOSED", "\(error)")
            }
        }
        if case .failure(let error) = await round.result {
            XCTAssertEqual((error as? WardlineError)?.code, "WL-CLOSED", "\(error)")
        }
        try await nurse.reopen()
        try await ward.settle(nurse, doctor)
        let there = Set(try await doctor.messages(with: "NS-1").map(\.id))
        XCTAssertTrue(taken.isSubset(of: there))
    }

    func testCallsAfterCloseAreRefused() async throws {
        let nurse = try await ward.enroll("NS-1")
        let client = nurse.client
        try await client.close()
        try await client.close()
        XCTAssertTrue(client.isClosed && client.isLocked)
        let error = await refused("WL-CLOSED") { try await client.send("too late", to: .person("DR-1")) }
        XCTAssertEqual(error?.cause, .closed)
        await refused("WL-CLOSED") { try client.start() }
        await refused("WL-CLOSED") { _ = try await client.nextEvents() }
    }

    func testTheMainActorGoesOnDuringACall() async throws {
        let client = try await ward.enroll("NS-1").client
        try client.lock()
        // Argon2id: were it computed on the main thread, nothing else would run there until it is done.
        let done = Flag()
        let unlocking = Task { @MainActor in
            try await client.unlock(Passphrase(Ward.words))
            done.set()
        }
        let watching = Task { @MainActor in
            var turns = 0
            while !done.isSet {
                turns += 1
                await Task.yield()
            }
            return turns
        }
        try await unlocking.value
        let turns = await watching.value
        XCTAssertGreaterThan(turns, 5)
    }

    /// Cancels a call once it hangs.
    private func giveUp(_ call: @escaping @Sendable () async throws -> Client, once hangs: () -> Bool) async throws {
        let waiting = Task { try await call() }
        try await until { hangs() }
        waiting.cancel()
        do {
            _ = try await within(20) { try await waiting.value }
            XCTFail("nothing was thrown")
        } catch is CancellationError {}
    }

    private func arrived(_ events: [Event]) -> [Event] {
        events.filter {
            if case .messageArrived = $0.kind { true } else { false }
        }
    }
}
