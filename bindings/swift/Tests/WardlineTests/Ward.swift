// A small ward for the tests of this package: one organization, one relay, devices on disk.

import Foundation
import Wardline
import WardlineTesting
import XCTest

/// One device, and everything needed to open it again.
final class Device {
    var client: Client
    var configuration: Configuration
    let network: FaultyNetwork?

    init(client: Client, configuration: Configuration, network: FaultyNetwork?) {
        self.client = client
        self.configuration = configuration
        self.network = network
    }

    func messages(with other: String) async throws -> [Message] {
        try await client.timeline(client.conversation(with: .person(other)), size: 200).messages
    }

    func texts(with other: String) async throws -> [String] {
        try await messages(with: other).map(\.text)
    }

    func newest(with other: String) async throws -> Message {
        let newest = try await messages(with: other).last
        return try XCTUnwrap(newest)
    }

    /// The events of its client that are there.
    func told() async throws -> [Event.Kind] {
        try await client.events(after: 0, limit: 500).map(\.kind)
    }

    /// Closes it if it is open, and opens it again, locked.
    func reopen() async throws {
        try await client.close()
        client = try await Client.open(configuration)
    }
}

final class Ward {
    static let relayName = "relay.mercy.example"
    static let words = "correct horse battery staple"

    let folder: URL
    let authority: Authority
    let secrets: AuthoritySecrets
    let relay: TestRelay
    let pin: String
    private let clock: TestClock?
    private var devices: [Device] = []

    /// Its time is the system's, or that of a clock.
    static func open(clock: TestClock? = nil) async throws -> Ward {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ward-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try await Ward(folder: folder, clock: clock)
    }

    init(folder: URL, clock: TestClock?) async throws {
        self.folder = folder
        self.clock = clock
        secrets = try AuthoritySecrets(rootKeys: 1)
        authority = try Authority(founding: "mercy", secrets: secrets, clock: clock)
        for user in ["NS-1", "DR-1"] {
            try await authority.upsert(PersonDetails(user: user, displayName: "Person \(user)"))
        }
        try await authority.upsert(
            CareTeam(team: "team-1", displayName: "Care team", members: [.init(user: "NS-1"), .init(user: "DR-1")]))
        relay = try await TestRelay.open(
            folder: folder.appendingPathComponent("relay"), name: Self.relayName,
            rootDocuments: [authority.rootDocument()], clock: clock)
        pin = try await authority.pin()
        try await publish()
    }

    func configuration(_ name: String, transport: any Transport, keyStore: (any KeyStore)? = nil) throws
        -> Configuration
    {
        var configuration = Configuration(
            folder: folder.appendingPathComponent(name), organization: "mercy", root: pin, relay: Self.relayName,
            transport: transport, keyStore: try keyStore ?? keys("\(name).keys"))
        configuration.passphraseCost = .init(memoryKiB: 19 * 1024, passes: 2, lanes: 1)
        return configuration
    }

    func keys(_ name: String) throws -> FileKeyStore {
        try FileKeyStore(folder: folder.appendingPathComponent(name))
    }

    /// Enrolls a device, publishes it and lets it offer its keys.
    func enroll(
        _ user: String, transport: (any Transport)? = nil, keyStore: (any KeyStore)? = nil,
        _ change: (inout Configuration) -> Void = { _ in }
    ) async throws -> Device {
        let network = transport == nil ? FaultyNetwork(to: relay.transport) : nil
        var configuration = try configuration(
            "device-\(devices.count + 1)", transport: transport ?? network?.transport ?? relay.transport,
            keyStore: keyStore)
        change(&configuration)
        let (ticket, words) = (try await authority.mintTicket(for: user), try Passphrase(Self.words))
        let client =
            if let clock {
                try await Client.enroll(configuration, user: user, ticket: ticket, passphrase: words, clock: clock)
            } else {
                try await Client.enroll(configuration, user: user, ticket: ticket, passphrase: words)
            }
        let device = Device(client: client, configuration: configuration, network: network)
        devices.append(device)
        try await publish()
        try await client.syncOnce()
        return device
    }

    func publish() async throws {
        try await authority.publish(to: Self.relayName, over: relay.transport)
    }

    func settle(_ devices: Device...) async throws {
        for _ in 0..<2 {
            for device in devices {
                try await device.client.syncOnce()
            }
        }
    }

    /// Lets go of the devices without closing them.
    func forget() {
        devices = []
    }

    func close() async throws {
        for device in devices {
            try await device.client.close()
        }
        try await relay.stop()
        try? FileManager.default.removeItem(at: folder)
    }
}

/// A test with a ward.
class WardTestCase: XCTestCase {
    private var opened: Ward?
    var ward: Ward { opened! }

    /// What the ward's time is; the system's when there is none.
    var time: TestClock? { nil }

    override func setUp() async throws {
        opened = try await Ward.open(clock: time)
    }

    override func tearDown() async throws {
        try await opened?.close()
        opened = nil
    }
}

/// A test with a ward whose time passes by hand.
class TimedWardTestCase: WardTestCase {
    let clock = TestClock()
    override var time: TestClock? { clock }
}

/// The error of Wardline that a call throws.
@discardableResult
func refused<T>(
    _ code: String, file: StaticString = #filePath, line: UInt = #line, _ call: () async throws -> T
) async -> WardlineError? {
    do {
        _ = try await call()
        XCTFail("nothing was thrown instead of \(code)", file: file, line: line)
    } catch let error as WardlineError {
        XCTAssertEqual(error.code, code, file: file, line: line)
        return error
    } catch {
        XCTFail("\(error) instead of \(code)", file: file, line: line)
    }
    return nil
}

struct TookTooLong: Error {}

/// What a call answers within a time; hanging is a failure of the test, not of the run.
func within<T: Sendable>(_ seconds: Double, _ call: @escaping @Sendable () async throws -> T) async throws -> T {
    try await withThrowingTaskGroup(of: T.self) { group in
        group.addTask(operation: call)
        group.addTask {
            try await Task.sleep(for: .seconds(seconds))
            throw TookTooLong()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw TookTooLong() }
        return first
    }
}

/// Waits until something holds.
func until(_ seconds: Double = 20, _ holds: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !holds() {
        guard ContinuousClock.now < deadline else { throw TookTooLong() }
        try await Task.sleep(for: .milliseconds(20))
    }
}
