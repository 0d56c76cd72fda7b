// The smallest whole: enroll two clinicians, send, receive, read, and get the receipt.
//
//     cargo xtask swift        # builds the native library, and runs this among other things
//
// `WardlineTesting` is here for the relay in the process and for the organization's side. An app has neither: its
// backend mints tickets and publishes, and its transport is `URLSessionTransport`.

import Foundation
import Wardline
import WardlineTesting

@main
struct FirstMessage {
    static let relayName = "relay.mercy.example"

    static func main() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)

        // The organization's backend: it knows its people. A relay serves whom this document names.
        let authority = try Authority(founding: "mercy", secrets: AuthoritySecrets(rootKeys: 1))
        try await authority.upsert(PersonDetails(user: "NS-1", displayName: "Nurse Okafor"))
        try await authority.upsert(PersonDetails(user: "DR-1", displayName: "Dr. Gupta"))
        let relay = try await TestRelay.open(
            folder: folder.appendingPathComponent("relay"), name: relayName,
            rootDocuments: [authority.rootDocument()])
        try await authority.publish(to: relayName, over: relay.transport)
        let pin = try await authority.pin()
        let url = try await relay.listen()

        func configuration(_ name: String) throws -> Configuration {
            Configuration(
                folder: folder.appendingPathComponent(name),
                organization: "mercy",
                root: pin,  // shipped with the app
                relay: relayName,
                transport: try URLSessionTransport(url),
                keyStore: try FileKeyStore(folder: folder.appendingPathComponent("\(name).keys"))
            )
        }

        // Once for each device, with a ticket from the backend.
        let passphrase = try Passphrase("correct horse battery staple")
        let nurse = try await Client.enroll(
            configuration("nurse"), user: "NS-1", ticket: authority.mintTicket(for: "NS-1"), passphrase: passphrase)
        let doctor = try await Client.enroll(
            configuration("doctor"), user: "DR-1", ticket: authority.mintTicket(for: "DR-1"), passphrase: passphrase)

        // From the next head on the directory lists both; now they offer the keys that others seal for.
        try await authority.publish(to: relayName, over: relay.transport)
        for device in [nurse, doctor] {
            try await device.syncOnce()
            try device.start()
        }

        // Durable when it answers; the loop sends it.
        let sent = try await nurse.send("K 6.6 mmol/L", to: .person("DR-1"), priority: .urgent)
        print("nurse  sent", sent)

        for try await event in doctor.events() {
            guard case .messageArrived(let reference, _, _) = event.kind else { continue }
            let messages = try await doctor.messages([reference])
            print("doctor reads:", messages.first?.text ?? "nothing")
            try await doctor.markRead(messages)
            break
        }

        for try await event in nurse.events() {
            guard case .deliveryChanged(let message, let user) = event.kind else { continue }
            if try await nurse.deliveries(of: message).contains(where: { $0.user == user && $0.state == .read }) {
                print("nurse  has the signed receipt: read by", user)
                break
            }
        }

        try await nurse.close()
        try await doctor.close()
        try await relay.stop()
    }
}
