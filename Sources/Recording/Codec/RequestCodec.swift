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
    /// Only where a request of the chunk has one.
    case queuedError = 27
    case endError = 28

    /// The columns, as they are written.
    static let columns: [RequestPart] = [
        .presence, .end, .published, .completed, .submitted, .popped, .queued, .shared, .kicked,
        .notified, .type, .status, .lun, .queue, .head, .sector, .byteCount,
        .queuedError, .endError,
    ]

    /// The place of a column among others.
    var column: Int { Int(rawValue &- RequestPart.presence.rawValue) }
    static let columnCount = 19
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

/// What one request leaves for the next on its LUN: both sides keep the same.
struct RequestHistory {
    /// The sector after the last one of its data.
    var sector: UInt64 = 0
    var kicked: UInt64 = 0
    var notified: UInt64 = 0
}

/// Bits of stamps, and the stamps that lead from one to the next, the last first: each is written
/// as its distance from the one after it that is known.
enum StampChain {
    static let bits: [(part: RequestPart, bit: UInt8)] = [
        (.published, published), (.completed, completed), (.submitted, submitted),
        (.popped, popped), (.queued, queued),
    ]
    /// The bits of these.
    static let all = queued | popped | submitted | completed | published
    static let queued: UInt8 = 1 << 0
    static let kicked: UInt8 = 1 << 1
    static let popped: UInt8 = 1 << 2
    static let submitted: UInt8 = 1 << 3
    static let completed: UInt8 = 1 << 4
    static let published: UInt8 = 1 << 5
    static let notified: UInt8 = 1 << 6
    static let reaped: UInt8 = 1 << 7
}

/// Packs the records of requests into chunks that can be read by themselves.
public struct RequestEncoder: ~Copyable {
    /// Requests in a chunk, at most.
    public static let capacity = 16_384

    private var zstd: ZstdCompressor
    private var events: [IOEvent] = []
    /// Whether a LUN occurs, by its index.
    private var occurs: [Bool] = []
    /// Whether the stamps of any may be off.
    private var hasErrors = false
    private var columns = RequestColumns()
    private var packer = PackedNumbers()

    /// Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try PackedNumbers.compressor() } catch { throw RecordingError(error) }
        events.reserveCapacity(Self.capacity)
    }

    /// Requests since the last chunk.
    public var count: Int { events.count }

    /// Whether the next chunk is due.
    public var isFull: Bool { events.count >= Self.capacity }

    /// Adds a request. When the chunk is full, `seal` it first: requests beyond are added all the
    /// same.
    public mutating func append(_ event: IOEvent) {
        events.append(event)
        if event.queuedError | event.endError != 0 { hasErrors = true }
        let lun = Int(event.lun)
        if lun >= occurs.count {
            occurs += Array(repeating: false, count: lun + 1 - occurs.count)
        }
        if !occurs[lun] { occurs[lun] = true }
    }

    /// The chunk of the requests since the last one, `nil` without any. `names` are the LUNs' by
    /// index; `lost` counts requests that were lost since the last chunk.
    public mutating func seal(
        names: [String], lost: UInt32 = 0
    ) throws(RecordingError) -> Chunk? {
        guard !events.isEmpty else { return nil }
        let (luns, places) = table(names)
        columns.take(events, places, lunCount: luns.count, hasErrors: hasErrors)
        let times = columns.times
        var writer = ByteWriter()
        writer.reserve(events.count * 16)
        Section.write(
            RequestPart.summary.rawValue, form: 1, times.summary, to: &writer)
        Section.write(
            RequestPart.luns.rawValue, form: 1, Self.packed(luns), to: &writer)
        do {
            let numbers = columns.numbers
            for part in RequestPart.columns {
                let range = columns.range(part)
                if range.isEmpty { continue }
                try packer.write(
                    numbers.span.extracting(range), part.rawValue, &zstd, to: &writer)
            }
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
        hasErrors = false
        for index in occurs.indices { occurs[index] = false }
        return chunk
    }

    /// The LUNs that occur, in order, and the place of each index among them.
    private func table(_ names: [String]) -> (luns: [RequestLUN], places: [Int]) {
        var places = [Int](repeating: 0, count: occurs.count)
        var luns: [RequestLUN] = []
        for index in occurs.indices where occurs[index] {
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
}
