public import Telemetry

/// Writes a trace of the Common Trace Format 1.8, a folder of a stream and its `metadata`, for
/// babeltrace2 and Trace Compass.
///
/// Each request is an event `request` at its start, with everything that a request has. A start
/// that is not known, or lies before that of the event before, is shown as the time of that event,
/// and one that no 64-bit clock can show as the last that it can; the stamps in the event's fields
/// stay what they are. Requests lost are the packets'
/// `events_discarded`. Names of LUNs, operations and answers are enumerations.
public struct CTFExporter: TraceExporter {
    /// Requests of one packet.
    static let packetLimit = 4096
    /// What stands before the events: header and context of a packet, bytes.
    private static let headerBytes = 4 + 4 + 5 * 8
    private let origin: ExportOrigin
    private var names = ExportNames()
    private var time: Nanoseconds = 0
    /// The last time that, with the clock's offset, is a 64-bit number of nanoseconds.
    private let lastTime: Nanoseconds
    private var discarded: UInt64 = 0
    /// Losses that no packet has told of yet.
    private var hasNews = true
    public var omitted: UInt64 { 0 }

    /// The name of the stream in the trace's folder.
    public static let streamName = "requests"

    /// Ties the clocks together by `origin`.
    public init(origin: ExportOrigin) {
        self.origin = origin
        lastTime = UInt64(Int64.max - max(origin.wallClock(at: 0) ?? 0, 0))
    }

    public mutating func name(_ name: String, ofLUN index: UInt16) { names.name(name, index) }

    public mutating func lost(_ count: UInt64) {
        let (sum, overflow) = discarded.addingReportingOverflow(count)
        discarded = overflow ? .max : sum
        if count > 0 { hasNews = true }
    }

    public mutating func bytes(for events: [IOEvent]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(events.count &* 96 &+ 64)
        var rest = events[...]
        while !rest.isEmpty {
            packet(rest.prefix(Self.packetLimit), into: &bytes)
            rest = rest.dropFirst(Self.packetLimit)
        }
        return bytes
    }

    /// Losses after the last request, and a trace without any, are told by an empty packet.
    public mutating func finish() -> [UInt8] {
        var bytes: [UInt8] = []
        if hasNews { packet([], into: &bytes) }
        return bytes
    }

    public var companions: [CompanionFile] {
        [CompanionFile(name: "metadata", bytes: CTFMetadata.bytes(names: names, origin: origin))]
    }

    private mutating func packet(_ events: ArraySlice<IOEvent>, into bytes: inout [UInt8]) {
        hasNews = false
        if time == 0 {
            let start = events.first { $0.start != 0 }?.start ?? origin.monotonic
            time = min(start, lastTime)
        }
        var content: [UInt8] = []
        content.reserveCapacity(events.count &* 96)
        let first = max(time, min(events.first?.start ?? 0, lastTime))
        for event in events { add(event, to: &content) }
        let bits = UInt64(content.count + Self.headerBytes) &* 8
        bytes.appendLittleEndian(UInt32(0xC1FC_1FC1))
        bytes.appendLittleEndian(UInt32(0))
        bytes.appendLittleEndian(first)
        bytes.appendLittleEndian(time)
        bytes.appendLittleEndian(bits)
        bytes.appendLittleEndian(bits)
        bytes.appendLittleEndian(discarded)
        bytes += content
    }

    /// One event, field by field as the metadata has them.
    private mutating func add(_ event: IOEvent, to bytes: inout [UInt8]) {
        time = max(time, min(event.start, lastTime))
        bytes.appendLittleEndian(time)
        bytes.appendLittleEndian(event.lun)
        bytes.appendLittleEndian(event.type)
        bytes.append(event.status)
        bytes.appendLittleEndian(event.queue)
        bytes.appendLittleEndian(event.head)
        bytes.appendLittleEndian(event.sector)
        bytes.appendLittleEndian(event.byteCount)
        bytes.appendLittleEndian(event.queued)
        bytes.appendLittleEndian(event.kicked)
        bytes.appendLittleEndian(event.popped)
        bytes.appendLittleEndian(event.submitted)
        bytes.appendLittleEndian(event.completed)
        bytes.appendLittleEndian(event.published)
        bytes.appendLittleEndian(event.notified)
        bytes.appendLittleEndian(event.reaped)
    }
}
