internal import Telemetry

/// The columns of a request in CSV and the keys in JSON Lines, and what stands in them.
enum RequestColumn: String, CaseIterable {
    case startUnix = "start_unix_ns"
    case start = "start_ns"
    case latency = "latency_ns"
    case lun
    case lunName = "lun_name"
    case queue
    case head
    case operation
    case type
    case sector
    case bytes
    case status
    case statusCode = "status_code"
    case queued = "queued_ns"
    case kicked = "kicked_ns"
    case popped = "popped_ns"
    case submitted = "submitted_ns"
    case completed = "completed_ns"
    case published = "published_ns"
    case notified = "notified_ns"
    case reaped = "reaped_ns"

    /// In their order.
    static let all = allCases

    enum Value {
        case unsigned(UInt64)
        case signed(Int64)
        case word(String)
        case lunName
        case unknown
    }

    func value(of event: IOEvent, origin: ExportOrigin) -> Value {
        switch self {
        case .startUnix:
            guard event.start != 0 else { return .unknown }
            return origin.wallClock(at: event.start).map { .signed($0) } ?? .unknown
        case .start: return stamp(event.start)
        case .latency: return event.latency.map { .unsigned($0) } ?? .unknown
        case .lun: return .unsigned(UInt64(event.lun))
        case .lunName: return .lunName
        case .queue: return .unsigned(UInt64(event.queue))
        case .head: return .unsigned(UInt64(event.head))
        case .operation: return .word(event.operationWord)
        case .type: return .unsigned(UInt64(event.type))
        case .sector: return .unsigned(event.sector)
        case .bytes: return .unsigned(UInt64(event.byteCount))
        case .status: return .word(event.statusWord)
        case .statusCode: return .unsigned(UInt64(event.status))
        case .queued: return stamp(event.queued)
        case .kicked: return stamp(event.kicked)
        case .popped: return stamp(event.popped)
        case .submitted: return stamp(event.submitted)
        case .completed: return stamp(event.completed)
        case .published: return stamp(event.published)
        case .notified: return stamp(event.notified)
        case .reaped: return stamp(event.reaped)
        }
    }

    /// 0 stands for a stamp that is not known.
    private func stamp(_ time: Nanoseconds) -> Value { time != 0 ? .unsigned(time) : .unknown }
}
