// Being woken: what an app registers reaches the relay, and nothing about a message its gateway.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class PushTests: WardTestCase {
    private let topic = "apns:example.app"

    func testASleepingDeviceIsWokenByTheTokenItRegistered() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        try await doctor.client.registerPush(token: "doctor-token", topic: topic)
        try await nurse.client.send("K 6.6 mmol/L", to: .person("DR-1"), priority: .stat)
        try await nurse.client.syncOnce()
        var woken = try await nextWakeUp()
        XCTAssertEqual([woken.token, woken.topic, woken.wakeClass], ["doctor-token", topic, "critical"])
        try await doctor.client.syncOnce()
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["K 6.6 mmol/L"])

        // Nobody is woken for the second message: the next wake-up is that of the third.
        try await doctor.client.unregisterPush()
        try await nurse.client.send("second", to: .person("DR-1"))
        try await nurse.client.syncOnce()
        try await doctor.client.syncOnce()
        try await doctor.client.registerPush(token: "new-token", topic: topic)
        try await nurse.client.send("third", to: .person("DR-1"))
        try await nurse.client.syncOnce()
        woken = try await nextWakeUp()
        XCTAssertEqual([woken.token, woken.topic, woken.wakeClass], ["new-token", topic, "alert"])
    }

    func testATokenThatCannotBeOneIsRefusedByItsName() async throws {
        let nurse = try await ward.enroll("NS-1")
        for (token, topic, name) in [
            ("", topic, "token"), ("a\nb", topic, "token"), ("a", String(repeating: "x", count: 257), "topic"),
        ] {
            let error = await refused("WL-ARGUMENT") {
                try await nurse.client.registerPush(token: token, topic: topic)
            }
            XCTAssertEqual(error?.cause, .argument(name: name))
        }
    }

    private func nextWakeUp() async throws -> WakeUp {
        let relay = ward.relay
        return try await within(20) { try await relay.nextWakeUp() }
    }
}
