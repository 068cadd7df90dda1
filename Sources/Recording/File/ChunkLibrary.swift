public import Telemetry

/// Several files read as one: the segments of a session, and sessions of one host or of several, on
/// a common axis of time.
///
/// The axis is the monotonic clock of the boot that the earliest file was recorded in. Files of
/// that boot stand on it as they are. Those of another boot or host are moved, all of a boot by the
/// same number of nanoseconds, so that their wall clocks agree; the axis is then as right as the
/// wall clocks were.
public struct ChunkLibrary: Sendable {
    /// A chunk of one of the files.
    public struct Entry: Sendable, Equatable {
        /// Which of `readers`.
        public var file: Int
        public var place: ChunkPlace
        /// Time of its first and last record on the common axis, nanoseconds.
        public var first: Nanoseconds
        /// See `first`.
        public var last: Nanoseconds
    }
    /// The files, in the order of their first chunks on the axis.
    public let readers: [ChunkReader]
    /// What to add to a time of each file to have it on the axis, nanoseconds.
    public let shifts: [Int64]
    /// Every chunk, file by file in the order of `readers`; one that several files have (by session
    /// and number) once.
    public let entries: [Entry]
    /// Chunks that several files have, counted each time but the first.
    public let repeatedCount: Int
    /// Ranges of numbers that none of a session's files has, between the first and the last they
    /// have, by the session's uuid.
    public let missing: [String: [ClosedRange<UInt64>]]
    /// Files of another boot that carry no reading of the clocks, so that nobody knows when they
    /// were: they stand behind the others. By their places in `readers`.
    public let undated: [Int]

    /// Joins `readers`, given in any order. Throws `.system` if the kernel refuses to read.
    public init(_ readers: [ChunkReader]) throws(RecordingError) {
        var files: [File] = []
        for (number, reader) in readers.enumerated() { files.append(try File(reader, number)) }
        let axis = Axis(files)
        let placed = files.map { (file: $0, shift: axis.shift(of: $0.boot)) }.sorted {
            let times = ($0.file.start($0.shift), $1.file.start($1.shift))
            return times.0 != times.1
                ? times.0 < times.1 : $0.file.firstSequence < $1.file.firstSequence
        }
        self.readers = placed.map(\.file.reader)
        shifts = placed.map(\.shift)
        undated = placed.indices.filter { axis.isUndated(placed[$0].file.boot) }
        var entries: [Entry] = []
        var sessions: [String: Set<UInt64>] = [:]
        var repeated = 0
        for (number, (file, shift)) in placed.enumerated() {
            for place in file.reader.contents {
                guard sessions[file.session, default: []].insert(place.sequence).inserted else {
                    repeated += 1
                    continue
                }
                entries.append(
                    Entry(
                        file: number, place: place, first: shifted(place.first, by: shift),
                        last: shifted(place.last, by: shift)))
            }
        }
        self.entries = entries
        repeatedCount = repeated
        missing = Self.missing(placed.map(\.file))
    }

    /// The chunk of `entry`. Throws as `ChunkReader.chunk(at:)` does.
    public func chunk(of entry: Entry) throws(RecordingError) -> Chunk {
        guard readers.indices.contains(entry.file) else {
            throw RecordingError(.empty, reason: "there is no such file in the library")
        }
        return try readers[entry.file].chunk(at: entry.place)
    }

    /// What is missing between the files of each session; gaps within a file are told in its
    /// damage.
    private static func missing(_ files: [File]) -> [String: [ClosedRange<UInt64>]] {
        var missing: [String: [ClosedRange<UInt64>]] = [:]
        for (session, files) in Dictionary(grouping: files, by: \.session) {
            var covered: UInt64?
            for range in files.compactMap(\.sequences).sorted(by: { $0.lowerBound < $1.lowerBound })
            {
                if let covered, range.lowerBound > covered, range.lowerBound - covered > 1 {
                    missing[session, default: []].append(covered + 1...range.lowerBound - 1)
                }
                covered = max(covered ?? 0, range.upperBound)
            }
        }
        return missing
    }
}

/// `time` moved by `shift`, held within the range of times.
private func shifted(_ time: Nanoseconds, by shift: Int64) -> Nanoseconds {
    let (sum, isOver) =
        shift >= 0
        ? time.addingReportingOverflow(shift.magnitude)
        : time.subtractingReportingOverflow(shift.magnitude)
    return isOver ? (shift >= 0 ? .max : 0) : sum
}

/// A file and what places it.
private struct File {
    var reader: ChunkReader
    /// Files of one session share it: its uuid, or the file itself.
    var session: String
    /// Times of one boot are on one clock.
    var boot: String
    var clocks: ClockReading?
    /// From its first chunk to its last, whatever their kind.
    var sequences: ClosedRange<UInt64>?

    init(_ reader: ChunkReader, _ number: Int) throws(RecordingError) {
        self.reader = reader
        session = reader.info?.uuid ?? "file \(number)"
        boot = reader.info?.bootID ?? session
        clocks = reader.info?.started
        if clocks == nil { clocks = try reader.clockReadings().first }
        sequences = reader.sequences
    }

    var firstSequence: UInt64 { sequences?.lowerBound ?? 0 }

    func start(_ shift: Int64) -> Nanoseconds {
        shifted(reader.contents.map(\.first).min() ?? .max, by: shift)
    }
}

/// How far the clock of each boot is from that of the earliest.
private struct Axis {
    private var shifts: [String: Int64] = [:]
    private var undated: Set<String> = []

    init(_ files: [File]) {
        var offsets: [String: Int64] = [:]
        var starts: [String: Int64] = [:]
        var ends: [String: Nanoseconds] = [:]
        for file in files {
            let times = file.reader.contents
            ends[file.boot] = max(ends[file.boot] ?? 0, times.map(\.last).max() ?? 0)
            guard let clocks = file.clocks else { continue }
            // Of several readings the earliest counts for all, whichever file is given first.
            if clocks.wall < starts[file.boot] ?? .max {
                starts[file.boot] = clocks.wall
                offsets[file.boot] = clocks.wallOffset
            }
        }
        let earliest = starts.min { ($0.value, $0.key) < ($1.value, $1.key) }?.key
        let reference = earliest ?? files.first?.boot
        guard let reference else { return }
        shifts[reference] = 0
        if let base = offsets[reference] {
            for (boot, offset) in offsets {
                let (shift, isOver) = offset.subtractingReportingOverflow(base)
                shifts[boot] = isOver ? (offset > base ? .max : .min) : shift
            }
        }
        let boots = Set(files.map(\.boot))
        let end = shifts.map { shifted(ends[$0.key] ?? 0, by: $0.value) }.max() ?? 0
        for boot in boots where shifts[boot] == nil {
            shifts[boot] = Int64(clamping: end)
            undated.insert(boot)
        }
    }

    func shift(of boot: String) -> Int64 { shifts[boot] ?? 0 }

    func isUndated(_ boot: String) -> Bool { undated.contains(boot) }
}
