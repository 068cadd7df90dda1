internal import Libraries
public import Telemetry

/// The parts of a payload of kernel events.
private enum EventPart: UInt64 {
    case names = 1
    case threads = 2
    case time = 10
    case name = 11
    case thread = 12
    case cpu = 13
    case a = 14
    case b = 15
}

/// Packs kernel events into chunks that can be read by themselves.
public struct EventEncoder: ~Copyable {
    /// Events in a chunk, at most.
    public static let capacity = 16_384

    private var zstd: ZstdCompressor
    private var packer = PackedNumbers()
    private var names: [String] = []
    private var nameIndex: [String: Int] = [:]
    private var threads: [Int32] = []
    private var threadIndex: [Int32: Int] = [:]
    /// The last `a` and `b` of each name.
    private var last: [(a: UInt64, b: UInt64)] = []
    private var columns: [[Int64]] = Array(repeating: [], count: 6)
    private var time: Nanoseconds = 0
    private var first = Nanoseconds.max
    private var latest: Nanoseconds = 0

    /// Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try ZstdCompressor(level: 1) } catch { throw RecordingError(error) }
        for column in columns.indices { columns[column].reserveCapacity(Self.capacity) }
    }

    /// Events since the last chunk.
    public var count: Int { columns[0].count }

    /// Whether the next chunk is due.
    public var isFull: Bool { count >= Self.capacity }

    /// Adds an event. When the chunk is full, `seal` it first.
    public mutating func append(_ event: KernelEvent) {
        let name = place(of: event.name)
        columns[0].append(Int64(bitPattern: event.monotonic &- time))
        columns[1].append(Int64(name))
        columns[2].append(Int64(place(of: event.tid)))
        columns[3].append(Int64(event.cpu))
        columns[4].append(Int64(bitPattern: event.a &- last[name].a))
        columns[5].append(Int64(bitPattern: event.b &- last[name].b))
        last[name] = (event.a, event.b)
        time = event.monotonic
        first = min(first, time)
        latest = max(latest, time)
    }

    private mutating func place(of name: String) -> Int {
        // Events of a kind often follow each other.
        if let previous = columns[1].last, names[Int(previous)] == name { return Int(previous) }
        if let known = nameIndex[name] { return known }
        nameIndex[name] = names.count
        names.append(name)
        last.append((0, 0))
        return names.count - 1
    }

    private mutating func place(of tid: Int32) -> Int {
        if let previous = columns[2].last, threads[Int(previous)] == tid { return Int(previous) }
        if let known = threadIndex[tid] { return known }
        threadIndex[tid] = threads.count
        threads.append(tid)
        return threads.count - 1
    }

    /// The chunk of the events since the last one, `nil` without any. `lost` counts events that
    /// were lost since the last chunk.
    public mutating func seal(lost: UInt32 = 0) throws(RecordingError) -> Chunk? {
        let count = count
        guard count > 0 else { return nil }
        var (writer, table) = (ByteWriter(), ByteWriter())
        writer.reserve(count * 4)
        table.number(names.count)
        for name in names { table.text(name) }
        Section.write(EventPart.names.rawValue, form: 1, table.bytes, to: &writer)
        table = ByteWriter()
        table.number(threads.count)
        for tid in threads { table.signed(Int64(tid)) }
        Section.write(EventPart.threads.rawValue, form: 1, table.bytes, to: &writer)
        do {
            for (index, column) in columns.enumerated() {
                try packer.write(
                    column, EventPart.time.rawValue + UInt64(index), &zstd, to: &writer)
            }
        } catch {
            throw RecordingError(error)
        }
        var chunk = Chunk(
            kind: .events, codec: .columns, first: first, last: latest,
            count: UInt32(clamping: count), plainByteCount: UInt32(clamping: writer.bytes.count),
            payload: writer.bytes)
        chunk.lost = lost
        restart()
        return chunk
    }

    private mutating func restart() {
        names.removeAll(keepingCapacity: true)
        nameIndex.removeAll(keepingCapacity: true)
        threads.removeAll(keepingCapacity: true)
        threadIndex.removeAll(keepingCapacity: true)
        last.removeAll(keepingCapacity: true)
        for index in columns.indices { columns[index].removeAll(keepingCapacity: true) }
        (time, first, latest) = (0, .max, 0)
    }
}

/// Reads chunks of kernel events.
public struct EventDecoder: ~Copyable {
    /// The most events that a chunk can have.
    public static let limit = 1 << 20

    private var zstd: ZstdDecompressor
    private var packer = PackedNumbers()
    private var column: [Int64] = []

    /// Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try ZstdDecompressor() } catch { throw RecordingError(error) }
    }

    /// Replaces `events` by those of `chunk`, in the order they were added. Throws `malformed`.
    public mutating func decode(
        _ chunk: Chunk, into events: inout [KernelEvent]
    ) throws(RecordingError) {
        guard chunk.kind == .events else { throw malformed("a chunk holds no events") }
        let count = Int(chunk.count)
        guard count <= Self.limit else { throw malformed("a chunk has \(count) events") }
        var reader = ByteReader(chunk.payload[...])
        let sections = try Section.all(&reader)
        events.removeAll(keepingCapacity: true)
        events.append(
            contentsOf: repeatElement(
                KernelEvent(monotonic: 0, name: "", tid: 0, cpu: 0), count: count))
        let names = try Self.names(sections)
        let places = try names.isEmpty ? [] : placeNames(names, sections, &events)
        try placeThreads(sections, &events)
        for section in sections {
            guard let part = EventPart(rawValue: section.id), part.rawValue >= 10,
                part != .name, part != .thread,
                try packer.read(section, count: count, &zstd, into: &column)
            else { continue }
            try place(part, names.count, places, &events)
        }
    }

    private static func names(_ sections: [Section]) throws(RecordingError) -> [String] {
        var names: [String] = []
        for section in sections where section.id == EventPart.names.rawValue && section.form == 1 {
            var reader = ByteReader(section.bytes)
            let count = reader.count()
            for _ in 0..<count where !reader.isBroken { names.append(reader.text()) }
            guard !reader.isBroken else { throw malformed("the events' names are cut short") }
        }
        return names
    }

    /// The place of each event's name among `names`.
    private mutating func placeNames(
        _ names: [String], _ sections: [Section], _ events: inout [KernelEvent]
    ) throws(RecordingError) -> [Int64] {
        guard let section = sections.first(where: { $0.id == EventPart.name.rawValue }),
            try packer.read(section, count: events.count, &zstd, into: &column)
        else { return [] }
        for index in events.indices {
            guard column[index] >= 0, column[index] < names.count else {
                throw malformed("an event has a name that its chunk has not")
            }
            events[index].name = names[Int(column[index])]
        }
        return column
    }

    private mutating func placeThreads(
        _ sections: [Section], _ events: inout [KernelEvent]
    ) throws(RecordingError) {
        guard
            let table = sections.first(where: {
                $0.id == EventPart.threads.rawValue && $0.form == 1
            }),
            let section = sections.first(where: { $0.id == EventPart.thread.rawValue }),
            try packer.read(section, count: events.count, &zstd, into: &column)
        else { return }
        var (reader, threads): (ByteReader, [Int32]) = (ByteReader(table.bytes), [])
        let count = reader.count()
        for _ in 0..<count { threads.append(Int32(truncatingIfNeeded: reader.signed())) }
        for index in events.indices {
            guard column[index] >= 0, column[index] < threads.count else {
                throw malformed("an event is of a thread that its chunk does not name")
            }
            events[index].tid = threads[Int(column[index])]
        }
    }

    private func place(
        _ part: EventPart, _ nameCount: Int, _ places: [Int64], _ events: inout [KernelEvent]
    ) throws(RecordingError) {
        switch part {
        case .time:
            var time: UInt64 = 0
            for index in events.indices {
                time = time &+ UInt64(bitPattern: column[index])
                events[index].monotonic = time
            }
        case .cpu:
            for index in events.indices {
                events[index].cpu = UInt16(truncatingIfNeeded: column[index])
            }
        case .a, .b:
            guard places.count == events.count else { return }
            var last = [UInt64](repeating: 0, count: nameCount)
            for index in events.indices {
                let name = Int(places[index])
                last[name] = last[name] &+ UInt64(bitPattern: column[index])
                if part == .a { events[index].a = last[name] } else { events[index].b = last[name] }
            }
        default: break
        }
    }
}
