internal import Libraries
public import Telemetry

/// The parts of a payload of requests.
enum RequestPart: UInt64 {
    case summary = 1
    case luns = 2
    /// A byte a request: bit n says that stamp n is known.
    case presence = 10
    /// A byte a request: bit 0 the kick, bit 1 the notification, is that of the request before on
    /// the same LUN.
    case shared = 11
    case end = 12
    case published = 13
    case completed = 14
    case submitted = 15
    case popped = 16
    case queued = 17
    case kicked = 18
    case notified = 19
    case type = 20
    case status = 21
    case lun = 22
    case queue = 23
    case head = 24
    case sector = 25
    case byteCount = 26
}

/// A LUN of a chunk of requests.
public struct RequestLUN: Sendable, Equatable {
    /// `IOEvent.lun` of its requests.
    public var index: UInt16
    /// Its qualified id; empty where the writer did not know.
    public var name: String

    /// LUN `index`, called `name`.
    public init(index: UInt16, name: String) {
        self.index = index
        self.name = name
    }
}

/// What a chunk of requests says of itself: for leaving it out without reading it.
public struct RequestSummary: Sendable, Equatable {
    /// The LUNs its requests are of.
    public var luns: [RequestLUN]
    /// Shortest and longest latency, nanoseconds; `nil` where none is known.
    public var latencies: ClosedRange<Nanoseconds>?
}

/// What one request leaves for the next: both sides keep the same.
struct RequestHistory {
    /// Of one LUN.
    struct LUN {
        var end: UInt64 = 0
        var kicked: UInt64 = 0
        var notified: UInt64 = 0
    }
    var luns: [LUN]
    var end: UInt64 = 0
}

/// The stamps that lead from one to the next, the last first; each is written as its distance from
/// the one after it that is known.
enum StampChain {
    static let bits: [(part: RequestPart, bit: UInt8)] = [
        (.published, 5), (.completed, 4), (.submitted, 3), (.popped, 2), (.queued, 0),
    ]
    static let kicked: UInt8 = 1 << 1
    static let notified: UInt8 = 1 << 6
    static let reaped: UInt8 = 1 << 7
}

/// Packs the records of requests into chunks that can be read by themselves.
public struct RequestEncoder: ~Copyable {
    /// Requests in a chunk, at most.
    public static let capacity = 16_384

    private var zstd: ZstdCompressor
    private var events: [IOEvent] = []
    private var column: [Int64] = []
    private var kicks: [Int64] = []
    private var notifications: [Int64] = []
    private var after: [UInt64] = []
    private var packer = PackedNumbers()

    /// Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try ZstdCompressor(level: 1) } catch { throw RecordingError(error) }
        events.reserveCapacity(Self.capacity)
        column.reserveCapacity(Self.capacity)
    }

    /// Requests since the last chunk.
    public var count: Int { events.count }

    /// Whether the next chunk is due.
    public var isFull: Bool { events.count >= Self.capacity }

    /// Adds a request. When the chunk is full, `seal` it first: requests beyond are added all the
    /// same.
    public mutating func append(_ event: IOEvent) { events.append(event) }

    /// The chunk of the requests since the last one, `nil` without any. `names` are the LUNs' by
    /// index; `lost` counts requests that were lost since the last chunk.
    public mutating func seal(
        names: [String], lost: UInt32 = 0
    ) throws(RecordingError) -> Chunk? {
        guard !events.isEmpty else { return nil }
        let times = RequestTimes(events)
        let (luns, places) = Self.table(events, names)
        var writer = ByteWriter()
        writer.reserve(events.count * 16)
        Section.write(
            RequestPart.summary.rawValue, form: 1, times.summary, to: &writer)
        Section.write(
            RequestPart.luns.rawValue, form: 1, Self.packed(luns), to: &writer)
        do {
            try writeStamps(places, luns.count, to: &writer)
            try writeRest(places, luns.count, to: &writer)
        } catch {
            throw RecordingError(error)
        }
        var chunk = Chunk(
            kind: .requests, codec: .columns, first: times.first, last: times.last,
            count: UInt32(clamping: events.count),
            plainByteCount: UInt32(clamping: writer.bytes.count),
            payload: writer.bytes)
        chunk.lost = lost
        events.removeAll(keepingCapacity: true)
        return chunk
    }

    /// The LUNs that occur, in order, and the place of each index among them.
    private static func table(
        _ events: [IOEvent], _ names: [String]
    ) -> (luns: [RequestLUN], places: [Int]) {
        var places = [Int](repeating: -1, count: Int(events.reduce(0) { max($0, $1.lun) }) + 1)
        var luns: [RequestLUN] = []
        for event in events { places[Int(event.lun)] = 0 }
        for index in places.indices where places[index] == 0 {
            places[index] = luns.count
            luns.append(
                RequestLUN(
                    index: UInt16(index), name: names.indices.contains(index) ? names[index] : ""))
        }
        return (luns, places)
    }

    private static func packed(_ luns: [RequestLUN]) -> [UInt8] {
        var writer = ByteWriter()
        writer.number(luns.count)
        for lun in luns {
            writer.number(UInt64(lun.index))
            writer.text(lun.name)
        }
        return writer.bytes
    }

    // MARK: Columns

    private mutating func put(
        _ part: RequestPart, _ writer: inout ByteWriter, _ number: (IOEvent) -> Int64
    ) throws(LibraryError) {
        column.removeAll(keepingCapacity: true)
        for event in events { column.append(number(event)) }
        try packer.write(column, part.rawValue, &zstd, to: &writer)
    }

    private mutating func writeStamps(
        _ places: [Int], _ lunCount: Int, to writer: inout ByteWriter
    ) throws(LibraryError) {
        try put(.presence, &writer) { Int64($0.knownStamps) }
        var last: UInt64 = 0
        try put(.end, &writer) { event in
            let end = event.lastKnownStamp
            defer { last = end }
            return Int64(bitPattern: end &- last)
        }
        // The stamp after the one that is written, of each request.
        after.removeAll(keepingCapacity: true)
        for event in events { after.append(event.lastKnownStamp) }
        for (part, bit) in StampChain.bits {
            column.removeAll(keepingCapacity: true)
            for index in events.indices {
                let stamp = events[index].stamp(bit)
                if stamp == 0 { continue }
                column.append(Int64(bitPattern: after[index] &- stamp))
                after[index] = stamp
            }
            if !column.isEmpty {
                try packer.write(column, part.rawValue, &zstd, to: &writer)
            }
        }
        try writeSignals(places, lunCount, to: &writer)
    }

    /// Kicks and notifications, which several requests often share.
    private mutating func writeSignals(
        _ places: [Int], _ lunCount: Int, to writer: inout ByteWriter
    ) throws(LibraryError) {
        var history = RequestHistory(
            luns: Array(repeating: RequestHistory.LUN(), count: lunCount))
        kicks.removeAll(keepingCapacity: true)
        notifications.removeAll(keepingCapacity: true)
        column.removeAll(keepingCapacity: true)
        for event in events {
            let place = places[Int(event.lun)]
            var shared: Int64 = 0
            if event.kicked != 0 {
                if event.kicked == history.luns[place].kicked {
                    shared |= 1
                } else {
                    kicks.append(Int64(bitPattern: event.kicked &- event.kickReference))
                    history.luns[place].kicked = event.kicked
                }
            }
            if event.notified != 0 {
                if event.notified == history.luns[place].notified {
                    shared |= 2
                } else {
                    notifications.append(
                        Int64(bitPattern: event.notified &- event.notificationReference))
                    history.luns[place].notified = event.notified
                }
            }
            column.append(shared)
        }
        try packer.write(column, RequestPart.shared.rawValue, &zstd, to: &writer)
        if !kicks.isEmpty {
            try packer.write(kicks, RequestPart.kicked.rawValue, &zstd, to: &writer)
        }
        if !notifications.isEmpty {
            try packer.write(
                notifications, RequestPart.notified.rawValue, &zstd, to: &writer)
        }
    }

    private mutating func writeRest(
        _ places: [Int], _ lunCount: Int, to writer: inout ByteWriter
    ) throws(LibraryError) {
        try put(.type, &writer) { Int64($0.type) }
        try put(.status, &writer) { Int64($0.status) }
        try put(.lun, &writer) { Int64(places[Int($0.lun)]) }
        try put(.queue, &writer) { Int64($0.queue) }
        try put(.head, &writer) { Int64($0.head) }
        var ends = [UInt64](repeating: 0, count: lunCount)
        try put(.sector, &writer) { event in
            let place = places[Int(event.lun)]
            defer { ends[place] = event.sector &+ UInt64(event.byteCount) / 512 }
            return Int64(bitPattern: event.sector &- ends[place])
        }
        try put(.byteCount, &writer) { Int64($0.byteCount) }
    }
}

/// The times of a chunk's requests.
private struct RequestTimes {
    var first = Nanoseconds.max
    var last: Nanoseconds = 0
    var shortest = Nanoseconds.max
    var longest: Nanoseconds = 0

    init(_ events: [IOEvent]) {
        for event in events {
            let end = event.lastKnownStamp
            let start = event.start
            first = min(first, start == 0 ? end : start)
            last = max(last, end)
            if let latency = event.latency {
                shortest = min(shortest, latency)
                longest = max(longest, latency)
            }
        }
        first = min(first, last)
    }

    /// Whether there is a latency, the shortest, and how much longer the longest is.
    var summary: [UInt8] {
        var writer = ByteWriter()
        writer.byte(shortest <= longest ? 1 : 0)
        if shortest <= longest {
            writer.number(shortest)
            writer.number(longest - shortest)
        }
        return writer.bytes
    }
}

extension IOEvent {
    /// Bit n for stamp n in the order of a request's way.
    @inline(__always)
    var knownStamps: UInt8 {
        var known: UInt8 = queued != 0 ? 1 : 0
        if kicked != 0 { known |= 2 }
        if popped != 0 { known |= 4 }
        if submitted != 0 { known |= 8 }
        if completed != 0 { known |= 16 }
        if published != 0 { known |= 32 }
        if notified != 0 { known |= 64 }
        if reaped != 0 { known |= 128 }
        return known
    }

    /// The last stamp of the way that is known, kick and notification only where no other is.
    @inline(__always)
    var lastKnownStamp: Nanoseconds {
        if reaped != 0 { return reaped }
        if published != 0 { return published }
        if completed != 0 { return completed }
        if submitted != 0 { return submitted }
        if popped != 0 { return popped }
        return queued != 0 ? queued : kicked != 0 ? kicked : notified
    }

    /// What a kick is compared with.
    @inline(__always)
    var kickReference: Nanoseconds { queued != 0 ? queued : lastKnownStamp }

    /// What a notification is compared with.
    @inline(__always)
    var notificationReference: Nanoseconds { published != 0 ? published : lastKnownStamp }

    /// Stamp `bit` of those that lead from one to the next.
    @inline(__always)
    func stamp(_ bit: UInt8) -> Nanoseconds {
        switch bit {
        case 0: queued
        case 2: popped
        case 3: submitted
        case 4: completed
        default: published
        }
    }
}
