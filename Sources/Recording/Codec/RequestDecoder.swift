internal import Libraries
public import Telemetry

/// Reads chunks of requests. It keeps its buffers, so that a chunk allocates little.
public struct RequestDecoder: ~Copyable {
    /// The most requests that a chunk can have.
    public static let limit = 1 << 20

    private var zstd: ZstdDecompressor
    private var column: [Int64] = []
    private var presence: [Int64] = []
    private var after: [UInt64] = []
    private var places: [Int64] = []
    private var shared: [Int64] = []
    private var kicks: [Int64] = []
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
        events.append(contentsOf: repeatElement(.unknown, count: count))
        try readRest(parts, summary.luns, into: &events)
        try readStamps(parts, into: &events)
        try readSignals(parts, summary.luns.count, into: &events)
        return summary
    }

    /// Reads a column of `count` numbers; `false` where there is none.
    private mutating func read(
        _ part: RequestPart, _ parts: [RequestPart: Section], count: Int
    ) throws(RecordingError) -> Bool {
        guard let section = parts[part] else { return false }
        return try packer.read(section, count: count, &zstd, into: &column)
    }

    private mutating func readStamps(
        _ parts: [RequestPart: Section], into events: inout [IOEvent]
    ) throws(RecordingError) {
        presence.removeAll(keepingCapacity: true)
        guard try read(.presence, parts, count: events.count) else { return }
        swap(&presence, &column)
        after.removeAll(keepingCapacity: true)
        guard try read(.end, parts, count: events.count) else { return }
        var last: UInt64 = 0
        for (index, delta) in column.enumerated() {
            last = last &+ UInt64(bitPattern: delta)
            after.append(last)
            if UInt8(truncatingIfNeeded: presence[index]) & StampChain.reaped != 0 {
                events[index].reaped = last
            }
        }
        for (part, bit) in StampChain.bits {
            let known = count(ofStamp: bit)
            guard known > 0 else { continue }
            guard try read(part, parts, count: known) else { return }
            var next = 0
            for index in events.indices where presence[index] >> Int64(bit) & 1 == 1 {
                let stamp = after[index] &- UInt64(bitPattern: column[next])
                next &+= 1
                after[index] = stamp
                events[index].setStamp(bit, stamp)
            }
        }
    }

    /// Requests of which stamp `bit` is known.
    private func count(ofStamp bit: UInt8) -> Int {
        var count = 0
        for known in presence { count &+= Int(truncatingIfNeeded: known >> Int64(bit) & 1) }
        return count
    }

    private mutating func readSignals(
        _ parts: [RequestPart: Section], _ lunCount: Int, into events: inout [IOEvent]
    ) throws(RecordingError) {
        guard presence.count == events.count, after.count == events.count,
            try read(.shared, parts, count: events.count)
        else { return }
        swap(&shared, &column)
        let needed = Self.needed(presence, shared)
        if needed.kicks > 0 {
            guard try read(.kicked, parts, count: needed.kicks) else { return }
            swap(&kicks, &column)
        }
        if needed.notifications > 0 {
            guard try read(.notified, parts, count: needed.notifications) else { return }
        }
        var history = [RequestHistory.LUN](repeating: RequestHistory.LUN(), count: lunCount)
        var (nextKick, nextNotification) = (0, 0)
        for index in events.indices {
            let known = UInt8(truncatingIfNeeded: presence[index])
            guard known & (StampChain.kicked | StampChain.notified) != 0 else { continue }
            let place = places.isEmpty ? 0 : Int(places[index])
            guard place < lunCount else { continue }
            if known & StampChain.kicked != 0 {
                if shared[index] & 1 == 0 {
                    let reference =
                        events[index].queued != 0
                        ? events[index].queued : ends(events[index], index)
                    history[place].kicked = reference &+ UInt64(bitPattern: kicks[nextKick])
                    nextKick &+= 1
                }
                events[index].kicked = history[place].kicked
            }
            if known & StampChain.notified != 0 {
                if shared[index] & 2 == 0 {
                    let reference =
                        events[index].published != 0
                        ? events[index].published : ends(events[index], index)
                    history[place].notified =
                        reference &+ UInt64(bitPattern: column[nextNotification])
                    nextNotification &+= 1
                }
                events[index].notified = history[place].notified
            }
        }
    }

    /// The end of a request's way: known of its other stamps, else that it was written with.
    private func ends(_ event: IOEvent, _ index: Int) -> Nanoseconds {
        let end = event.lastKnownStamp
        return end != 0 ? end : after[index]
    }

    /// Kicks and notifications that are written themselves.
    private static func needed(
        _ presence: [Int64], _ shared: [Int64]
    ) -> (kicks: Int, notifications: Int) {
        var (kicks, notifications) = (0, 0)
        for index in presence.indices {
            let known = UInt8(truncatingIfNeeded: presence[index])
            if known & StampChain.kicked != 0, shared[index] & 1 == 0 { kicks &+= 1 }
            if known & StampChain.notified != 0, shared[index] & 2 == 0 { notifications &+= 1 }
        }
        return (kicks, notifications)
    }

    private mutating func readRest(
        _ parts: [RequestPart: Section], _ luns: [RequestLUN], into events: inout [IOEvent]
    ) throws(RecordingError) {
        let count = events.count
        if try read(.type, parts, count: count) {
            for index in 0..<count {
                events[index].type = UInt32(truncatingIfNeeded: column[index])
            }
        }
        if try read(.status, parts, count: count) {
            for index in 0..<count {
                events[index].status = UInt8(truncatingIfNeeded: column[index])
            }
        }
        if try read(.queue, parts, count: count) {
            for index in 0..<count {
                events[index].queue = UInt16(truncatingIfNeeded: column[index])
            }
        }
        if try read(.head, parts, count: count) {
            for index in 0..<count {
                events[index].head = UInt16(truncatingIfNeeded: column[index])
            }
        }
        if try read(.byteCount, parts, count: count) {
            for index in 0..<count {
                events[index].byteCount = UInt32(truncatingIfNeeded: column[index])
            }
        }
        places.removeAll(keepingCapacity: true)
        guard try read(.lun, parts, count: count) else { return }
        swap(&places, &column)
        for index in 0..<count {
            guard places[index] >= 0, places[index] < luns.count else {
                throw malformed("a request is of a LUN that its chunk does not name")
            }
            events[index].lun = luns[Int(places[index])].index
        }
        guard try read(.sector, parts, count: count) else { return }
        var ends = [UInt64](repeating: 0, count: luns.count)
        for index in 0..<count {
            let place = Int(places[index])
            let sector = ends[place] &+ UInt64(bitPattern: column[index])
            events[index].sector = sector
            ends[place] = sector &+ UInt64(events[index].byteCount) / 512
        }
    }
}

extension IOEvent {
    /// A request of which nothing is known.
    static var unknown: IOEvent {
        IOEvent(
            type: 0, status: unknownStatus, lun: 0, head: 0, sector: 0, byteCount: 0, queued: 0,
            kicked: 0, popped: 0, submitted: 0, completed: 0, published: 0, notified: 0, reaped: 0)
    }

    @inline(__always)
    mutating func setStamp(_ bit: UInt8, _ stamp: Nanoseconds) {
        switch bit {
        case 0: queued = stamp
        case 2: popped = stamp
        case 3: submitted = stamp
        case 4: completed = stamp
        default: published = stamp
        }
    }
}
