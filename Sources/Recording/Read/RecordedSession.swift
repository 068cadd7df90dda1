public import Telemetry

/// A recording opened for reading: one file or several, on one axis of time. One thread at a time.
///
/// Samples are read where they are asked for, so that a recording may be larger than memory; a jump
/// reads two chunks. What is damaged is left out and counted.
public final class RecordedSession {
    /// A sample's place.
    struct Frame {
        /// On the common axis, nanoseconds.
        var time: Nanoseconds
        var entry: ChunkLibrary.Entry
    }

    public private(set) var library: ChunkLibrary
    /// All samples, by their time.
    private(set) var frames: [Frame] = []
    /// All chunks of samples of each file, keys' copies too, by their time in the file.
    private var snapshotPlaces: [[ChunkPlace]] = []
    private var decoder: SnapshotDecoder
    /// Chunks that were found damaged while reading, each counted once.
    public private(set) var unreadable: Set<ChunkLocation> = []

    /// A chunk of one of the files.
    public struct ChunkLocation: Sendable, Hashable {
        public var file: Int
        public var offset: UInt64
    }

    /// Opens `paths`, at least one; `-` is standard input, which is read to its end first. Throws
    /// what is wrong with the first that cannot be opened.
    public convenience init(paths: [String]) throws(RecordingError) {
        var readers: [ChunkReader] = []
        for path in paths {
            readers.append(
                path == "-"
                    ? try ChunkReader(source: try .standardInput())
                    : try ChunkReader(path: path))
        }
        try self.init(readers)
    }

    /// The recording in `readers`.
    public init(_ readers: [ChunkReader]) throws(RecordingError) {
        library = try ChunkLibrary(readers)
        decoder = try SnapshotDecoder()
        arrange()
    }

    private func arrange() {
        frames = library.entries.lazy.filter { $0.place.kind == .snapshots && $0.place.count > 0 }
            .map { Frame(time: $0.first, entry: $0) }
        // Within a file they are in order already, nearly always.
        if !zip(frames, frames.dropFirst()).allSatisfy({ $0.time <= $1.time }) {
            frames.sort { $0.time < $1.time }
        }
        snapshotPlaces = library.readers.map { reader in
            let places = reader.contents.filter { $0.kind == .snapshots }
            let isSorted = zip(places, places.dropFirst()).allSatisfy { $0.first <= $1.first }
            return isSorted ? places : places.sorted { $0.first < $1.first }
        }
    }

    // MARK: What it is

    /// What the first file's header says.
    public var info: RecordingInfo? { library.readers.lazy.compactMap(\.info).first }

    /// Number of samples.
    public var sampleCount: Int { frames.count }

    /// Number of requests.
    public var requestCount: UInt64 { count(of: .requests) }

    private func count(of kind: ChunkKind) -> UInt64 {
        library.entries.reduce(0) { $0 &+ ($1.place.kind == kind ? UInt64($1.place.count) : 0) }
    }

    /// Records that were lost while it was recorded, exact as far as the file is whole.
    public var lostCount: UInt64 {
        library.entries.reduce(0) { $0 &+ UInt64($1.place.lost) }
    }

    /// Time of the first and the last record, on the common axis; `nil` without any.
    public var range: ClosedRange<Nanoseconds>? {
        var range: ClosedRange<Nanoseconds>?
        for entry in library.entries where entry.place.kind.holdsRecords {
            let low = min(range?.lowerBound ?? entry.first, entry.first)
            range = low...max(range?.upperBound ?? entry.last, entry.last, low)
        }
        return range
    }

    /// Whether every file was closed by its writer.
    public var isClosed: Bool { library.readers.allSatisfy(\.isClosed) }

    /// A sentence for each kind of damage.
    public var damage: [String] {
        var sentences = library.readers.flatMap { reader in
            reader.damage.sentences.map { (reader.source.path.map { $0 + ": " } ?? "") + $0 }
        }
        if !unreadable.isEmpty {
            sentences.append("\(unreadable.count) chunks are damaged and were left out")
        }
        for (session, ranges) in library.missing.sorted(by: { $0.key < $1.key }) {
            let chunks = ranges.reduce(0) { $0 &+ UInt64($1.count) }
            sentences.append("session \(session): \(chunks) chunks are in none of the files")
        }
        return sentences
    }

    // MARK: Samples

    /// Time of sample `index` on the common axis.
    public func time(ofSample index: Int) -> Nanoseconds { frames[index].time }

    /// Index of the last sample at or before `time`; `nil` if all come later.
    public func sample(atOrBefore time: Nanoseconds) -> Int? {
        let index = frames.partitionPoint { $0.time > time }
        return index > 0 ? index - 1 : nil
    }

    /// Index of the first sample at or after `time`; `nil` if all come earlier.
    public func sample(atOrAfter time: Nanoseconds) -> Int? {
        let index = frames.partitionPoint { $0.time >= time }
        return index < frames.count ? index : nil
    }

    /// Sample `index`, with its times on the common axis; `nil` if it is damaged, which is counted.
    /// Throws `.system` where the kernel refuses.
    public func sample(_ index: Int) throws(RecordingError) -> Snapshot? {
        guard frames.indices.contains(index) else { return nil }
        let entry = frames[index].entry
        do throws(RecordingError) {
            let chunk = try library.chunk(of: entry)
            let sample = try decoder.decode(chunk) { key(named: $0, file: entry.file) }
            return sample.shifted(by: library.shifts[entry.file])
        } catch {
            guard error.kind != .system else { throw error }
            noteUnreadable(entry)
            return nil
        }
    }

    /// Counts the chunk of `entry` as damaged.
    func noteUnreadable(_ entry: ChunkLibrary.Entry) {
        unreadable.insert(ChunkLocation(file: entry.file, offset: entry.place.offset))
    }

    /// The samples of `range`, those that can be read.
    public func samples(_ range: Range<Int>) throws(RecordingError) -> [Snapshot] {
        var result: [Snapshot] = []
        for index in range.clamped(to: 0..<frames.count) {
            if let sample = try sample(index) { result.append(sample) }
        }
        return result
    }

    /// The chunk of the key called `name`, or its copy, whichever can be read.
    private func key(named name: SnapshotKey, file: Int) -> Chunk? {
        let places = snapshotPlaces[file]
        let start = places.partitionPoint { $0.first >= name.monotonic }
        for place in places[start...].prefix(while: { name.times.contains($0.first) }) {
            guard let chunk = try? library.readers[file].chunk(at: place),
                let role = try? chunk.snapshotRole()
            else { continue }
            switch role {
            case .key(name), .copy(name): return chunk
            default: continue
            }
        }
        return nil
    }

    // MARK: Following a file that grows

    /// Takes in what was appended since; true if there is more now, or a file was completed. Throws
    /// `.system`, also for a file that shrank or is another one now.
    public func refresh() throws(RecordingError) -> Bool {
        var readers = library.readers
        var isMore = false
        for index in readers.indices where !readers[index].isClosed {
            switch try readers[index].refresh() {
            // The end that a writer puts behind the last record is news too.
            case .none: isMore = isMore || readers[index].isClosed
            case .grown: isMore = true
            case .shrunk, .replaced:
                throw RecordingError(
                    .system, path: readers[index].source.path,
                    reason: "the file is another one now; open it again")
            }
        }
        guard isMore else { return false }
        library = try ChunkLibrary(readers)
        arrange()
        return true
    }
}

extension ChunkKind {
    /// Whether a user would ask for what is in it.
    var holdsRecords: Bool {
        switch self {
        case .snapshots, .requests, .events, .marks: true
        default: false
        }
    }
}

extension Snapshot {
    /// The same with its times moved by `shift` nanoseconds.
    func shifted(by shift: Int64) -> Snapshot {
        guard shift != 0 else { return self }
        var result = self
        result.monotonic = monotonic.moved(by: shift)
        for index in notices.indices {
            result.notices[index].monotonic = notices[index].monotonic.moved(by: shift)
        }
        return result
    }
}

extension Nanoseconds {
    /// Moved by `shift`, held within the range of times.
    func moved(by shift: Int64) -> Nanoseconds {
        let (sum, isOver) =
            shift >= 0
            ? addingReportingOverflow(shift.magnitude)
            : subtractingReportingOverflow(shift.magnitude)
        return isOver ? (shift >= 0 ? .max : 0) : sum
    }
}

extension RandomAccessCollection where Index == Int {
    /// Index of the first element that `isBehind`, where all after it are too.
    func partitionPoint(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
