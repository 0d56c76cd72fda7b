// The signing side: vouching for devices, and replacing keys.

import Foundation
import Wardline
import WardlineTesting
import XCTest

final class AuthorityTests: WardTestCase {
    func testASecondDeviceIsUnvouchedUntilTheFirstVouches() async throws {
        let phone = try await ward.enroll("NS-1").client
        let tablet = try await ward.enroll("NS-1").client
        var shown = try await vouched(phone)
        XCTAssertEqual(shown, [phone.device: true, tablet.device: false])
        let nobody = await refused("WL-NO-SUCH-DEVICE") { try await phone.vouch(for: phone.device) }
        XCTAssertEqual(nobody?.cause, .notFound)
        let statement = try await phone.vouch(for: tablet.device)
        var isNew = try await ward.authority.admitVouch(statement)
        XCTAssertTrue(isNew)
        isNew = try await ward.authority.admitVouch(statement)
        XCTAssertFalse(isNew)
        try await ward.publish()
        try await phone.syncOnce()
        shown = try await vouched(phone)
        XCTAssertEqual(shown, [phone.device: true, tablet.device: true])
        let person = try await ward.authority.person("NS-1")
        XCTAssertEqual(person?.devices.map(\.isVouched), [true, true])
        let own = try await phone.ownDevices()
        XCTAssertEqual(own.map(\.label), ["device", "device"])
        await refused("WL-AUTHORITY-ENTRY") { try await ward.authority.admitVouch(Data()) }
    }

    func testKeysAreReplacedAndDevicesFollow() async throws {
        let (nurse, doctor) = (try await ward.enroll("NS-1"), try await ward.enroll("DR-1"))
        let fresh = try AuthoritySecrets(rootKeys: 2)
        let pin = try await ward.authority.pin()
        try await ward.authority.upsert(PersonDetails(user: "NS-2", displayName: "Another nurse"))
        await refused("WL-AUTHORITY-SAVE") {
            try await ward.authority.publish(to: Ward.relayName, over: ward.relay.transport) { _ in
                throw CocoaError(.fileWriteOutOfSpace)
            }
        }
        await refused("WL-AUTHORITY-UNSETTLED") {
            try await ward.authority.rotate(from: ward.secrets, to: fresh, threshold: 2)
        }
        try await ward.publish()
        let alien = try AuthoritySecrets(rootKeys: 1)
        await refused("WL-AUTHORITY-ROOT") { try await ward.authority.rotate(from: alien, to: fresh, threshold: 2) }
        try await ward.authority.rotate(from: ward.secrets, to: fresh, threshold: 2)
        try await ward.publish()
        let after = try await ward.authority.pin()
        XCTAssertEqual(after, pin)
        let snapshot = try await ward.authority.snapshot()
        XCTAssertNoThrow(try Authority(restoring: snapshot, secrets: fresh.withoutRoot()))
        try await ward.settle(nurse, doctor)
        try await nurse.client.send("under the new keys", to: .person("DR-1"))
        try await ward.settle(nurse, doctor)
        let texts = try await doctor.texts(with: "NS-1")
        XCTAssertEqual(texts, ["under the new keys"])
    }

    /// Looks, lets the device ask, and looks again.
    private func vouched(_ client: Client) async throws -> [String: Bool] {
        _ = try await client.ownDevices()
        for _ in 0..<2 {
            try await client.syncOnce()
        }
        let own = try await client.ownDevices()
        return Dictionary(uniqueKeysWithValues: own.map { ($0.device, $0.isVouched) })
    }
}
