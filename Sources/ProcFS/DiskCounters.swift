/// What a block device did since it appeared (/sys/block/NAME/stat, a line of /proc/diskstats).
///
/// The kernel keeps times in nanoseconds and writes them as milliseconds of 32 bits: after 49.7
/// days, which `weightedTime` reaches within hours on a busy disk, they start again from 0.
public struct DiskCounters: Sendable, Equatable {
    /// Completed reads and writes (fields 1 and 5).
    public let reads, writes: UInt64
    /// Reads and writes merged into others before they were queued (fields 2 and 6).
    public let readMerges, writeMerges: UInt64
    /// Sectors of 512 bytes, whatever the device's own are (fields 3 and 7).
    public let readSectors, writeSectors: UInt64
    /// Milliseconds all completed reads and writes took together (fields 4 and 8), modulo 2³².
    public let readTime, writeTime: UInt64
    /// Requests in flight now (field 9).
    public let inFlight: UInt64
    /// Milliseconds with at least one request in flight (field 10), modulo 2³².
    public let busyTime: UInt64
    /// Milliseconds times requests in flight (field 11), modulo 2³².
    public let weightedTime: UInt64
    /// Completed discards (field 12); `nil` before Linux 4.18.
    public let discards: UInt64?
    /// Completed flushes (field 16); `nil` before Linux 5.5.
    public let flushes: UInt64?
    /// Milliseconds all completed flushes took together (field 17), modulo 2³²; `nil` before Linux
    /// 5.5.
    public let flushTime: UInt64?

    /// Parses the text of a disk's file `stat`. Throws for a field that is missing, cut short or no
    /// number; of fields that not every kernel has, all of a group are there or none.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "stat")
        try self.init(&fields, in: text)
    }

    /// Parses the rest of the line at which `fields` stands; what later kernels append is left.
    init(_ fields: inout FieldScanner, in text: Span<UInt8>) throws(ProcFSError) {
        reads = try fields.number("reads", in: text)
        readMerges = try fields.number("read merges", in: text)
        readSectors = try fields.number("read sectors", in: text)
        readTime = try fields.number("read time", in: text)
        writes = try fields.number("writes", in: text)
        writeMerges = try fields.number("write merges", in: text)
        writeSectors = try fields.number("write sectors", in: text)
        writeTime = try fields.number("write time", in: text)
        inFlight = try fields.number("in flight", in: text)
        busyTime = try fields.number("busy time", in: text)
        weightedTime = try fields.number("weighted time", in: text)
        discards = try Self.optional("discards", count: 4, &fields, in: text)?.first
        let flushFields = try Self.optional("flushes", count: 2, &fields, in: text)
        flushes = flushFields?.first
        flushTime = flushFields?.last
    }

    /// A group of `count` fields, `nil` where the line ends before it.
    private static func optional(
        _ field: String, count: Int, _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) -> [UInt64]? {
        guard !fields.isAtLineEnd(in: text) else { return nil }
        var numbers: [UInt64] = []
        for _ in 0..<count { numbers.append(try fields.number(field, in: text)) }
        return numbers
    }

    /// All requests completed: reads, writes, and where they are counted discards and flushes.
    public var requests: UInt64 { reads &+ writes &+ (discards ?? 0) &+ (flushes ?? 0) }
}

/// Walks over the lines of /proc/diskstats: every disk and partition of the host.
public struct DiskStatsLines: Sendable {
    private var fields = FieldScanner(file: "diskstats")

    /// Before the first line.
    public init() {}

    /// One line.
    public struct Line: Sendable, Equatable {
        /// The kernel's name: `nvme0n1`, `sda1`; fit for a screen.
        public let name: String
        public let counters: DiskCounters
    }

    /// The next line of `text`, which must be the same for every call; `nil` after the last.
    /// Throws for a field that is missing, cut short or no number.
    public mutating func next(in text: Span<UInt8>) throws(ProcFSError) -> Line? {
        guard fields.position < text.count else { return nil }
        _ = try fields.number("major", in: text)
        _ = try fields.number("minor", in: text)
        let name = try fields.word("name", in: text)
        let counters = try DiskCounters(&fields, in: text)
        fields.skipLine(in: text)
        return Line(name: name, counters: counters)
    }
}
