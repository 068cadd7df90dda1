internal import Libraries
public import Telemetry

/// Reads chunks of requests. It keeps its buffers, so that a chunk allocates little.
public struct RequestDecoder: ~Copyable {
    /// The most requests that a chunk can have.
    public static let limit = 1 << 18

    private var zstd: ZstdDecompressor
    /// Column after column, each with room for a number of every request.
    private var numbers: [Int64] = []
    private var packer = PackedNumbers()

    /// Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try ZstdDecompressor() } catch { throw RecordingError(error) }
    }

    /// What `chunk` says of itself; its requests are not read. Throws `malformed`.
    public static func summary(of chunk: Chunk) throws(RecordingError) -> RequestSummary {
        guard chunk.kind == .requests else { throw malformed("a chunk holds no requests") }
        var reader = ByteReader(chunk.payload[...])
        return try summary(try Section.all(&reader))
    }

    private static func summary(_ sections: [Section]) throws(RecordingError) -> RequestSummary {
        var summary = RequestSummary(luns: [], latencies: nil)
        for section in sections where section.form == 1 {
            var reader = ByteReader(section.bytes)
            switch RequestPart(rawValue: section.id) {
            case .summary:
                guard reader.byte() == 1 else { break }
                let shortest = reader.number()
                let (longest, overflow) = shortest.addingReportingOverflow(reader.number())
                summary.latencies = shortest...(overflow ? .max : longest)
            case .luns:
                let count = reader.count()
                for _ in 0..<count where !reader.isBroken {
                    let index = UInt16(truncatingIfNeeded: reader.number())
                    summary.luns.append(RequestLUN(index: index, name: reader.text()))
                }
            default: break
            }
            guard !reader.isBroken else { throw malformed("a list of LUNs is cut short") }
        }
        return summary
    }

    /// Replaces `events` by the requests of `chunk`, in the order they were added, and returns what
    /// the chunk says of itself. What was not written is 0, a status `unknownStatus`. Throws
    /// `malformed`.
    public mutating func decode(
        _ chunk: Chunk, into events: inout [IOEvent]
    ) throws(RecordingError) -> RequestSummary {
        guard chunk.kind == .requests else { throw malformed("a chunk holds no requests") }
        let count = Int(chunk.count)
        guard count <= Self.limit else { throw malformed("a chunk has \(count) requests") }
        var reader = ByteReader(chunk.payload[...])
        let sections = try Section.all(&reader)
        let summary = try Self.summary(sections)
        var parts: [RequestPart: Section] = [:]
        for section in sections {
            if let part = RequestPart(rawValue: section.id) { parts[part] = section }
        }
        events.removeAll(keepingCapacity: true)
        guard count > 0 else { return summary }
        let known = try readColumns(parts, count, lunCount: summary.luns.count)
        events.append(contentsOf: repeatElement(.unknown, count: count))
        let luns = known.hasLUNs ? summary.luns.map(\.index) : [0]
        RequestRows.fill(&events, numbers, luns, known)
        return summary
    }

    // MARK: Columns

    /// Reads `count` numbers; where there are none they are `missing`, and it is `false`.
    private mutating func read(
        _ part: RequestPart, _ parts: [RequestPart: Section], count: Int, rows: Int,
        missing: Int64 = 0
    ) throws(RecordingError) -> Bool {
        let start = part.column * rows
        if let section = parts[part],
            try packer.read(section, count: count, &zstd, into: &numbers, from: start)
        {
            return true
        }
        for index in start..<(start + count) { numbers[index] = missing }
        return false
    }

    /// Reads all columns: what can be told of them.
    private mutating func readColumns(
        _ parts: [RequestPart: Section], _ rows: Int, lunCount: Int
    ) throws(RecordingError) -> RequestRows.Known {
        let needed = rows * RequestPart.columnCount
        if numbers.count < needed { numbers = Array(repeating: 0, count: needed) }
        var known = RequestRows.Known()
        for part in [RequestPart.type, .queue, .head] {
            _ = try read(part, parts, count: rows, rows: rows)
        }
        let status = Int64(IOEvent.unknownStatus)
        _ = try read(.status, parts, count: rows, rows: rows, missing: status)
        known.hasLUNs = try read(.lun, parts, count: rows, rows: rows)
        if known.hasLUNs {
            let start = RequestPart.lun.column * rows
            let places = numbers.span.extracting(start..<(start + rows))
            for index in places.indices where places[index] < 0 || places[index] >= lunCount {
                throw malformed("a request is of a LUN that its chunk does not name")
            }
        }
        let hasBytes = try read(.byteCount, parts, count: rows, rows: rows)
        let hasSectors = try read(.sector, parts, count: rows, rows: rows)
        known.hasSectors = hasSectors && hasBytes && known.hasLUNs
        let hasQueued = try read(.queuedError, parts, count: rows, rows: rows)
        let hasEnd = try read(.endError, parts, count: rows, rows: rows)
        known.hasErrors = hasQueued || hasEnd
        known.stamps = try readStamps(parts, rows, hasLUNs: known.hasLUNs)
        return known
    }

    /// Reads the columns of stamps: the bits of those that can be told. A stamp cannot that is
    /// written as a distance from one that cannot.
    private mutating func readStamps(
        _ parts: [RequestPart: Section], _ rows: Int, hasLUNs: Bool
    ) throws(RecordingError) -> UInt8 {
        guard try read(.presence, parts, count: rows, rows: rows),
            try read(.end, parts, count: rows, rows: rows)
        else { return 0 }
        let hasShared = try read(.shared, parts, count: rows, rows: rows)
        let counts = RequestRows.StampCounts(numbers, rows)
        var known = UInt8.max
        for (part, bit) in StampChain.bits {
            let count = counts.stamps(bit)
            if known & bit == 0 || count == 0 { continue }
            if try !read(part, parts, count: count, rows: rows) {
                // Those before it lead through it.
                known &= ~((bit << 1 &- 1) & StampChain.all | StampChain.kicked)
                if part == .published { known &= ~StampChain.notified }
            }
        }
        let signals = StampChain.kicked | StampChain.notified
        guard hasShared, hasLUNs else { return known & ~signals }
        if counts.kicks > 0, try !read(.kicked, parts, count: counts.kicks, rows: rows) {
            known &= ~StampChain.kicked
        }
        if counts.notifications > 0,
            try !read(.notified, parts, count: counts.notifications, rows: rows)
        {
            known &= ~StampChain.notified
        }
        return known
    }
}

extension IOEvent {
    /// A request of which nothing is known.
    static var unknown: IOEvent {
        IOEvent(
            type: 0, status: unknownStatus, lun: 0, head: 0, sector: 0, byteCount: 0, queued: 0,
            kicked: 0, popped: 0, submitted: 0, completed: 0, published: 0, notified: 0, reaped: 0)
    }
}
