// A process that was started by a test.

import Foundation

final class Child: @unchecked Sendable {
    private let process = Process()
    private let lock = NSLock()
    private var output = Data()

    init(_ task: String, _ arguments: [String]) throws {
        process.executableURL = Self.folder.appendingPathComponent("wardline-test-child")
        process.arguments = [task] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
            }
            self?.append(data)
        }
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// What it said so far.
    var lines: [String] {
        let text = lock.withLock { String(decoding: output, as: UTF8.self) }
        return text.split(separator: "\n").map(String.init)
    }

    /// Kills it as the system does: without a word.
    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
    }

    /// Waits for its end; answers its exit code, or the signal that ended it.
    func ended() async throws -> Int32 {
        try await until(60) { !isRunning }
        // What it said last may still be on its way.
        try await Task.sleep(for: .milliseconds(50))
        return process.terminationStatus
    }

    private func append(_ data: Data) {
        lock.withLock { output.append(data) }
    }

    /// Where SwiftPM builds: beside the tests.
    private static var folder: URL {
        #if os(Linux)
        return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        #else
        return Bundle(for: Child.self).bundleURL.deletingLastPathComponent()
        #endif
    }
}
