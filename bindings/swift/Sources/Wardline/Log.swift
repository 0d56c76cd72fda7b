// What Wardline logs, handed to the app.

import Foundation
internal import WardlineFFI

/// Takes what Wardline logs. It is safe to log: no names, no texts, ids as short hashes.
public protocol LogSink: Sendable {
    /// Some records, oldest first, on a thread of Wardline's. `lost` says how many before them did not fit into memory,
    /// because this was slower than they came. A sink that throws or takes longer than five seconds is let go of.
    func log(_ records: [LogRecord], lost: Int) throws
}

/// One thing that was logged.
public struct LogRecord: Hashable, Sendable {
    /// When.
    public let at: Date
    /// How important it is.
    public let level: Level
    /// Which part logged it, such as `wardline::client::sync`.
    public let target: String
    /// What it says, with its fields as `name=value`.
    public let text: String

    /// How important something is, most important first.
    public enum Level: Hashable, Sendable, CaseIterable {
        /// Something is wrong.
        case error
        /// Something is odd.
        case warning
        /// What happens.
        case info
        /// What happens, in detail.
        case debug
        /// Everything.
        case trace
    }
}

/// The log of Wardline in this process.
public enum WardlineLog {
    /// Hands what is logged, up to `level`, to `sink` from now on; to nobody when it is `nil`. A second call replaces the
    /// first.
    public static func send(to sink: (any LogSink)?, upTo level: LogRecord.Level = .info) throws {
        try run { try WardlineFFI.setLogSink(sink: sink.map(SinkAdapter.init), level: level.native) }
    }
}

private final class SinkAdapter: WardlineFFI.LogSink {
    private let sink: any LogSink

    init(_ sink: any LogSink) {
        self.sink = sink
    }

    func log(records: [WardlineFFI.LogRecord], lost: UInt64) throws {
        do {
            try sink.log(records.map(LogRecord.init), lost: Int(clamping: lost))
        } catch {
            throw WardlineFFI.LogSinkError.Failed
        }
    }
}

extension LogRecord {
    fileprivate init(_ record: WardlineFFI.LogRecord) {
        at = Date(millis: record.atMs)
        level =
            switch record.level {
            case .error: .error
            case .warn: .warning
            case .info: .info
            case .debug: .debug
            case .trace: .trace
            }
        target = record.target
        text = record.text
    }
}

extension LogRecord.Level {
    fileprivate var native: WardlineFFI.LogLevel {
        switch self {
        case .error: .error
        case .warning: .warn
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}
