public import Telemetry

/// A call that was made; what comes of it carries it.
public struct QMPRequest: Sendable, Hashable {
    /// What was called.
    public enum Call: Sendable, Hashable {
        case query(QMPQuery)
        case change(QMPChange)
    }
    /// Unique within its session.
    public let id: UInt64
    public let call: Call
    /// `CLOCK_MONOTONIC` nanoseconds at which it was made.
    public let askedAt: Nanoseconds
    /// `CLOCK_MONOTONIC` nanoseconds from which on it is late.
    public let deadline: Nanoseconds
}

/// What came of bytes or of time.
public enum QMPOutcome: Sendable, Equatable {
    /// The server has greeted and takes calls.
    case ready(QMPVersion)
    case reply(QMPRequest, QMPReply)
    /// QEMU says no: the class of its error (`CommandNotFound`, `GenericError`, …) and its words.
    case refused(QMPRequest, class: String, description: String)
    /// An answer of another shape than was asked for.
    case unreadable(QMPRequest)
    case event(QMPEvent)
    /// The deadline has passed. Said once; an answer may still come.
    case late(QMPRequest)
    /// The session is over, and every call that waits is lost.
    case failed(QMPError)
}

/// Something QEMU tells without being asked: `STOP`, `RESUME`, `BLOCK_IO_ERROR`, …
public struct QMPEvent: Sendable, Equatable {
    public var name: String
    /// Nanoseconds since 1970-01-01 UTC by QEMU's clock; `nil` if it has none.
    public var wallClock: Int64?
    /// `.null` where the event has none.
    public var data: QMPValue

    init?(_ message: JSONValue) {
        guard let name = message["event"]?.text else { return nil }
        self.name = name
        if let stamp = message["timestamp"], let seconds = stamp["seconds"]?.int64,
            let microseconds = stamp["microseconds"]?.int64, seconds >= 0, microseconds >= 0
        {
            let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            let (part, overflowsToo) = microseconds.multipliedReportingOverflow(by: 1000)
            let (sum, carries) = whole.addingReportingOverflow(part)
            wallClock = overflows || overflowsToo || carries ? nil : sum
        }
        data = message["data"].flatMap { QMPValue($0) } ?? .null
    }
}
