internal import Telemetry

/// Where a trace's own time begins in the time of its requests. Stamp 0 stands for an unknown time,
/// so that no trace begins there.
enum Epoch {
    /// For traces that count from their own begin: nanoseconds before the first.
    static let lead: Nanoseconds = 1_000_000_000
    /// For traces with wall-clock times: the first request comes an hour after time 0, since lines
    /// of several disks are only roughly in order of time.
    static let wallLead: Nanoseconds = 3_600_000_000_000
}

/// Maps wall-clock times of a trace to monotonic ones.
struct WallClock {
    /// Wall clock of monotonic time 0, nanoseconds since 1970-01-01 UTC.
    private(set) var origin: Int64?

    /// The monotonic time of `wall`, nanoseconds since 1970-01-01 UTC. `nil` for a time that does
    /// not fit: over an hour before the first one, or beyond the year 2262.
    mutating func monotonic(_ wall: UInt64) -> Nanoseconds? {
        guard let wall = Int64(exactly: wall) else { return nil }
        let origin = self.origin ?? wall - Int64(Epoch.wallLead)
        let (time, isOver) = wall.subtractingReportingOverflow(origin)
        guard !isOver, time > 0 else { return nil }
        self.origin = origin
        return Nanoseconds(time)
    }
}

extension IOEvent {
    /// A request as a trace of the host knows it.
    init(
        type: UInt32, lun: UInt16, sector: UInt64, bytes: UInt64, queued: Nanoseconds = 0,
        submitted: Nanoseconds, completed: Nanoseconds = 0, status: UInt8 = IOEvent.unknownStatus
    ) {
        self.init(
            type: type, status: status, lun: lun, head: 0, sector: sector,
            byteCount: UInt32(clamping: bytes), queued: queued, kicked: 0, popped: 0,
            submitted: submitted, completed: completed, published: 0, notified: 0, reaped: 0)
    }
}

extension ImportReport {
    /// Hands `event` over and counts it.
    mutating func hand(_ event: IOEvent, to sink: inout some TraceSink) throws {
        requests += 1
        try sink.take(event)
    }

    /// What is said of a device that got no number.
    static let tooManyDevices = "more than \(DeviceTable.limit) devices"
}
