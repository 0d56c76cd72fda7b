// What the Swift package adds to a call, and whether memory grows: against the same calls made in Rust.
//
// Both sides run in this process, call by call in turns, so that whatever else the machine does meets both. The
// differences of the medians are what counts; memory is that of the process, relay excepted (the relay runs in a process
// of its own). Run by `cargo xtask bench-bindings swift`, on a native library built for release.
//
// The same in Python and Kotlin: bindings/python/benches, bindings/kotlin/benches.

import Foundation
import Wardline
import WardlineFFI
import WardlineTesting

@main
struct Overhead {
    static func main() async throws {
        let arguments = CommandLine.arguments
        if arguments.count > 2, arguments[1] == "serve" {
            return try await serve(URL(fileURLWithPath: arguments[2]))
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("overhead-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let relay = try RelayProcess(folder)
        let held = try await measure(
            folder, relay, turns: number("--turns") ?? 500, messages: number("--messages") ?? 20_000)
        relay.end()
        if !held {
            throw Missed()
        }
    }

    private static func number(_ name: String) -> Int? {
        let arguments = CommandLine.arguments
        guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
        return Int(arguments[place + 1])
    }

    /// The relay and the organization, in a process of their own: says where it is, and publishes when it is told to.
    private static func serve(_ folder: URL) async throws {
        let authority = try WardlineTesting.Authority(founding: "mercy", secrets: WardlineTesting.AuthoritySecrets(rootKeys: 1))
        for user in people {
            try await authority.upsert(WardlineTesting.PersonDetails(user: user, displayName: "Person \(user)"))
        }
        let relay = try await WardlineTesting.TestRelay.open(
            folder: folder.appendingPathComponent("relay"), name: relayName,
            rootDocuments: [authority.rootDocument()])
        try await authority.publish(to: relayName, over: relay.transport)
        say(try await relay.listen().absoluteString)
        say(try await authority.pin())
        for user in people {
            say(try await authority.mintTicket(for: user))
        }
        while readLine() != nil {
            try await authority.publish(to: relayName, over: relay.transport)
            say("published")
        }
        try await relay.stop()
    }

    private static func measure(_ folder: URL, _ relay: RelayProcess, turns: Int, messages: Int) async throws -> Bool {
        guard let url = URL(string: relay.address) else { throw Missed() }
        func enroll(_ user: String, _ ticket: String) async throws -> Wardline.Client {
            let configuration = Configuration(
                folder: folder.appendingPathComponent(user), organization: "mercy", root: relay.pin, relay: relayName,
                transport: try builtInHTTPTransport(to: url, allowingPlaintext: true),
                keyStore: try FileKeyStore(folder: folder.appendingPathComponent("\(user).keys")))
            return try await Wardline.Client.enroll(
                configuration, user: user, ticket: ticket, passphrase: Wardline.Passphrase("bench"))
        }
        let nurse = try await enroll(people[0], relay.tickets[0])
        let doctor = try await enroll(people[1], relay.tickets[1])
        try relay.publish()
        for client in [doctor, nurse] {
            try await sync(client)
        }
        try await live(nurse, doctor, 200)

        var good = true
        print(row("call", "Swift", "Rust", "added", "at most") + "   (µs, medians)")
        for found in try await overhead(nurse, doctor, turns) {
            good = good && found.added <= found.limit
            print(row(found.call, micros(found.swift), micros(found.rust), micros(found.added), micros(found.limit)))
        }
        if messages > 0 {
            let grown = try await memory(nurse, doctor, messages)
            good = good && grown <= growth
            print("memory over \(messages) sends and receives: \(mebi(grown)) MiB, at most \(Int(growth))")
        }
        try await nurse.close()
        try await doctor.close()
        return good
    }

    private static func overhead(_ nurse: Wardline.Client, _ doctor: Wardline.Client, _ turns: Int) async throws -> [Found] {
        let watch = Stopwatch(client: nurse.inside)
        let doctors = WardlineFFI.Recipient.person(user: people[1])
        let sends = try await compare(turns) {
            try await nurse.send(text, to: .person(people[1]))
        } with: {
            try await watch.sends(recipient: doctors, text: text, times: 1)
        }
        let conversation = try nurse.conversation(with: .person(people[1]))
        let pages = try await compare(turns) {
            _ = try await nurse.timeline(conversation, size: 50)
        } with: {
            try await watch.pages(conversation: conversation, size: 50, times: 1)
        }
        for number in 0..<events {
            try await nurse.send("\(text) \(number)", to: .person(people[1]))
        }
        try await sync(nurse)
        try await sync(doctor)
        let other = Stopwatch(client: doctor.inside)
        let told = try await compare(turns) {
            guard try await doctor.events(after: 0, limit: UInt32(events)).count == events else { throw Missed() }
        } with: {
            try await other.events(max: UInt32(events), times: 1)
        }
        return [
            Found(call: "send", swift: sends.swift, rust: sends.rust, limit: 100),
            Found(call: "timeline page of 50", swift: pages.swift, rust: pages.rust, limit: 500),
            Found(
                call: "receive, per event", swift: told.swift / Double(events), rust: told.rust / Double(events),
                limit: 5),
        ]
    }

    /// The medians, in microseconds: from Swift, and in Rust. Best read on a quiet machine: a call from Swift changes
    /// threads twice more, and waits for a core each time when all are busy.
    private static func compare(
        _ turns: Int, _ ours: () async throws -> Void, with theirs: () async throws -> [UInt64]
    ) async throws -> (swift: Double, rust: Double) {
        var swift: [UInt64] = []
        var rust: [UInt64] = []
        for _ in 0..<turns {
            // One call each: in a row of them, threads that a single call has to wake are still awake.
            rust += try await theirs()
            let started = ContinuousClock.now
            try await ours()
            let (seconds, attoseconds) = (ContinuousClock.now - started).components
            swift.append(UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000))
        }
        return (median(swift), median(rust))
    }

    private static func median(_ nanos: [UInt64]) -> Double {
        Double(nanos.sorted()[nanos.count / 2]) / 1000
    }

    /// So many messages are sent, received, told as events and confirmed.
    private static func live(
        _ nurse: Wardline.Client, _ doctor: Wardline.Client, _ messages: Int, text: String = Overhead.text
    ) async throws {
        for start in stride(from: 0, to: messages, by: 200) {
            for number in start..<(start + 200) {
                try await nurse.send("\(text) \(number)", to: .person(people[1]))
            }
            for client in [nurse, doctor, nurse] {
                try await sync(client)
            }
            for client in [nurse, doctor] {
                while let last = try await client.events(after: 0, limit: 500).last {
                    try await client.confirm(last)
                }
            }
        }
    }

    /// One round. A relay lets a device ask as often as people need it, which is less often than this does.
    private static func sync(_ client: Wardline.Client) async throws {
        for _ in 0..<60 {
            do {
                try await client.syncOnce()
                return
            } catch let error as Wardline.WardlineError where error.code == "WL-RELAY-QUOTA" {
                try await Task.sleep(for: .milliseconds(500))
            }
        }
        throw Missed()
    }

    /// How much the process has grown after so many messages, in MiB, after a warm-up.
    private static func memory(
        _ nurse: Wardline.Client, _ doctor: Wardline.Client, _ messages: Int
    ) async throws -> Double {
        // Long ones: the page caches of SQLite grow with the store until they are full.
        try await live(nurse, doctor, 6000, text: String(repeating: text, count: 60))
        let before = try resident()
        var steps: [Double] = []
        for _ in 0..<5 {
            try await live(nurse, doctor, messages / 5)
            steps.append(try resident() - before)
        }
        print("  growth after each fifth:", steps.map(mebi).joined(separator: ", "), "MiB")
        return steps[4]
    }

    /// What this process has in memory, in MiB.
    private static func resident() throws -> Double {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let kibi = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Double($0) }) else {
            throw Missed()
        }
        return kibi / 1024
    }

    private static func row(_ call: String, _ cells: String...) -> String {
        call.padding(toLength: 22, withPad: " ", startingAt: 0)
            + cells.map { String(repeating: " ", count: max(0, 12 - $0.count)) + $0 }.joined()
    }

    private static func micros(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func mebi(_ value: Double) -> String { String(format: "%+.1f", value) }

    static let relayName = "relay.mercy.example"
    private static let people = ["NS-1", "DR-1"]
    private static let text = "K 6.6 mmol/L, please repeat and call back"
    private static let events = 500
    /// What 20,000 sends and receives may leave behind, in MiB: what an allocator keeps back.
    private static let growth = 4.0
}

/// The medians of one call, in microseconds, and what the package may add.
private struct Found {
    let call: String
    let swift: Double
    let rust: Double
    let limit: Double

    var added: Double { swift - rust }
}

/// A goal was missed, or there is nothing to measure.
struct Missed: Error {}

private func say(_ word: String) {
    FileHandle.standardOutput.write(Data("\(word)\n".utf8))
}

/// This program again, as the relay.
private final class RelayProcess {
    private let process = Process()
    private let tell = Pipe()
    private let says = Pipe()

    private(set) var address = ""
    private(set) var pin = ""
    private(set) var tickets: [String] = []

    init(_ folder: URL) throws {
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = ["serve", folder.path]
        process.standardInput = tell
        process.standardOutput = says
        try process.run()
        address = try line()
        pin = try line()
        tickets = [try line(), try line()]
    }

    func publish() throws {
        tell.fileHandleForWriting.write(Data("\n".utf8))
        _ = try line()
    }

    func end() {
        try? tell.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private func line() throws -> String {
        var bytes: [UInt8] = []
        while true {
            guard let byte = try says.fileHandleForReading.read(upToCount: 1)?.first else { throw Missed() }
            if byte == UInt8(ascii: "\n") {
                return String(decoding: bytes, as: UTF8.self)
            }
            bytes.append(byte)
        }
    }
}
