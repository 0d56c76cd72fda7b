// A process for tests: to be killed, to end without closing, to share a folder with another.
//
// What it did is on its standard output, a word a line. It is no example.

import Foundation
import Wardline
import WardlineTesting

@main
struct Child {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let task = arguments.first else {
            throw Usage()
        }
        let given = Array(arguments.dropFirst())
        switch task {
        case "send-and-wait": try await sendAndWait(given)
        case "share": try await share(given)
        case "end-without-closing": try await endWithoutClosing(given, duringCalls: false)
        case "end-during-calls": try await endWithoutClosing(given, duringCalls: true)
        default: throw Usage()
        }
    }

    /// Enrolls a nurse, sends, says so and waits to be killed.
    static func sendAndWait(_ given: [String]) async throws {
        let configuration = try configuration(given)
        let nurse = try await Client.enroll(
            configuration, user: "NS-1", ticket: given[3], passphrase: Passphrase(given[4]))
        say(try await nurse.send("last words", to: .person("DR-1")))
        try await Task.sleep(for: .seconds(3600))
    }

    /// Opens a folder that another process has open, sends, and closes.
    static func share(_ given: [String]) async throws {
        let nurse = try await Client.open(configuration(given))
        try await nurse.unlock(Passphrase(given[4]))
        let sent = try await nurse.send("from the other process", to: .person("DR-1"))
        try await nurse.syncOnce()
        try await nurse.close()
        say(sent)
    }

    /// Leaves with everything open: a relay, a loop, calls on their way into Swift.
    static func endWithoutClosing(_ given: [String], duringCalls: Bool) async throws {
        let folder = URL(fileURLWithPath: given[0])
        let authority = try Authority(founding: "mercy", secrets: AuthoritySecrets(rootKeys: 1))
        for user in ["NS-1", "DR-1"] {
            try await authority.upsert(PersonDetails(user: user, displayName: user))
        }
        let relay = try await TestRelay.open(
            folder: folder.appendingPathComponent("relay"), name: relayName,
            rootDocuments: [authority.rootDocument()])
        var configuration = Configuration(
            folder: folder.appendingPathComponent("nurse"), organization: "mercy", root: try await authority.pin(),
            relay: relayName, transport: Passing(behind: relay.transport),
            keyStore: try FileKeyStore(folder: folder.appendingPathComponent("nurse.keys")))
        configuration.passphraseCost = .init(memoryKiB: 19 * 1024, passes: 2, lanes: 1)
        try await authority.publish(to: relayName, over: relay.transport)
        let nurse = try await Client.enroll(
            configuration, user: "NS-1", ticket: authority.mintTicket(for: "NS-1"), passphrase: Passphrase("secret"))
        try await authority.publish(to: relayName, over: relay.transport)
        try nurse.start()
        if duringCalls {
            for _ in 0..<3 {
                Task { for try await _ in nurse.events() {} }
                Task { while true { try await nurse.send("again and again", to: .person("DR-1")) } }
            }
        }
        try await nurse.send("goodbye", to: .person("DR-1"))
        try await Task.sleep(for: .milliseconds(200))
        say("ended")
        if duringCalls {
            exit(0)
        }
    }

    /// Given are the folder of the ward, the address of the relay, the pin.
    static func configuration(_ given: [String]) throws -> Configuration {
        guard given.count > 4, let url = URL(string: given[1]) else {
            throw Usage()
        }
        let folder = URL(fileURLWithPath: given[0])
        var configuration = Configuration(
            folder: folder, organization: "mercy", root: given[2], relay: relayName,
            transport: try URLSessionTransport(url),
            keyStore: try FileKeyStore(folder: folder.appendingPathExtension("keys")))
        configuration.passphraseCost = .init(memoryKiB: 19 * 1024, passes: 2, lanes: 1)
        return configuration
    }

    static func say(_ word: String) {
        FileHandle.standardOutput.write(Data("\(word)\n".utf8))
    }

    static let relayName = "relay.mercy.example"
}

struct Usage: Error {}

/// Takes every call through Swift.
struct Passing: Transport {
    let behind: any Transport

    func call(_ request: RelayRequest) async throws -> RelayResponse {
        try await behind.call(request)
    }
}
