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
    private var names = FirstSeen<String>()
    private var threads = FirstSeen<Int32>()
    /// The last `a` and `b` of each name.
    private var last: [(a: UInt64, b: UInt64)] = []
    private var rows: [EventRow] = []
    private var column: [Int64] = []
    private var time: Nanoseconds = 0
    private var first = Nanoseconds.max
    private var latest: Nanoseconds = 0

    /// Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try PackedNumbers.compressor() } catch { throw RecordingError(error) }
        rows.reserveCapacity(Self.capacity)
    }

    /// Events since the last chunk.
    public var count: Int { rows.count }

    /// Whether the next chunk is due.
    public var isFull: Bool { count >= Self.capacity }

    /// Adds an event. When the chunk is full, `seal` it first.
    public mutating func append(_ event: KernelEvent) {
        // The bytes of a name that tell most, cheaper than all: its length and its last ones.
        let name = names.place(of: event.name, Self.hint(event.name))
        if name == last.count { last.append((0, 0)) }
        let thread = threads.place(of: event.tid, UInt8(truncatingIfNeeded: event.tid))
        rows.append(
            EventRow(
                time: event.monotonic &- time, a: event.a &- last[name].a,
                b: event.b &- last[name].b, name: Int32(truncatingIfNeeded: name),
                thread: Int32(truncatingIfNeeded: thread), cpu: event.cpu))
        last[name] = (event.a, event.b)
        time = event.monotonic
        first = min(first, time)
        latest = max(latest, time)
    }

    /// Differs between most names: of their length, their last byte and the one in the middle.
    @inline(__always)
    private static func hint(_ name: String) -> UInt8 {
        let bytes = name.utf8
        guard let last = bytes.last else { return 0 }
        let middle = bytes[bytes.index(bytes.startIndex, offsetBy: bytes.count / 2)]
        return UInt8(truncatingIfNeeded: bytes.count) &* 31 ^ last &* 7 ^ middle
    }

    /// The chunk of the events since the last one, `nil` without any. `lost` counts events that
    /// were lost since the last chunk.
    public mutating func seal(lost: UInt32 = 0) throws(RecordingError) -> Chunk? {
        let count = count
        guard count > 0 else { return nil }
        var (writer, table) = (ByteWriter(), ByteWriter())
        writer.reserve(count * 4)
        table.number(names.values.count)
        for name in names.values { table.text(name) }
        Section.write(EventPart.names.rawValue, form: 1, table.bytes, to: &writer)
        table = ByteWriter()
        table.number(threads.values.count)
        for tid in threads.values { table.signed(Int64(tid)) }
        Section.write(EventPart.threads.rawValue, form: 1, table.bytes, to: &writer)
        do {
            try write(.time, &writer) { Int64(bitPattern: $0.time) }
            try write(.name, &writer) { Int64($0.name) }
            try write(.thread, &writer) { Int64($0.thread) }
            try write(.cpu, &writer) { Int64($0.cpu) }
            try write(.a, &writer) { Int64(bitPattern: $0.a) }
            try write(.b, &writer) { Int64(bitPattern: $0.b) }
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

    @inline(__always)
    private mutating func write(
        _ part: EventPart, _ writer: inout ByteWriter, _ number: (EventRow) -> Int64
    ) throws(LibraryError) {
        if column.count < rows.count { column = Array(repeating: 0, count: rows.count) }
        Self.take(rows, number, into: &column)
        let numbers = column
        try packer.write(
            numbers.span.extracting(first: rows.count), part.rawValue, &zstd, to: &writer)
    }

    @inline(__always)
    private static func take(
        _ rows: [EventRow], _ number: (EventRow) -> Int64, into column: inout [Int64]
    ) {
        let rows = rows.span
        var out = column.mutableSpan
        for index in rows.indices { out[index] = number(rows[index]) }
    }

    private mutating func restart() {
        names.removeAll()
        threads.removeAll()
        last.removeAll(keepingCapacity: true)
        rows.removeAll(keepingCapacity: true)
        (time, first, latest) = (0, .max, 0)
    }
}

/// An event before it is packed, with all but its CPU put in relation to those before it.
private struct EventRow {
    var time: UInt64
    var a: UInt64
    var b: UInt64
    var name: Int32
    var thread: Int32
    var cpu: UInt16
}

/// Reads chunks of kernel events.
public struct EventDecoder: ~Copyable {
    /// The most events that a chunk can have.
    public static let limit = 1 << 18

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
                try read(section, count)
            else { continue }
            try place(part, names.count, places, &events)
        }
    }

    /// Reads `count` numbers into `column`; `false` for a form that this version does not know.
    private mutating func read(_ section: Section, _ count: Int) throws(RecordingError) -> Bool {
        if column.count < count { column = Array(repeating: 0, count: count) }
        return try packer.read(section, count: count, &zstd, into: &column)
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
            try read(section, events.count)
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
            try read(section, events.count)
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
            guard places.count >= events.count else { return }
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
