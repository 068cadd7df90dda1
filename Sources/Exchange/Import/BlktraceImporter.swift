internal import Telemetry

/// One file of blktrace, or the stream of `blktrace -o -`, in which runs of several CPUs' records
/// follow one another: records are brought in order within a window.
struct BlktraceImporter: TraceImporter {
    /// Records of the window.
    static let window = 65536
    private static let pieceBytes = 1 << 16

    private var reader = BlktraceReader()
    private var joiner = BlktraceJoiner()
    private var waiting = RecordHeap()

    var report: ImportReport {
        var report = joiner.report
        report.lost = reader.lost
        return report
    }

    mutating func take(_ bytes: ArraySlice<UInt8>, into sink: inout some TraceSink) throws {
        var rest = bytes
        while !rest.isEmpty {
            let piece = rest.prefix(Self.pieceBytes)
            rest = rest.dropFirst(piece.count)
            reader.append(piece)
            while let record = reader.next(faults: &joiner.report.faults) {
                waiting.push(record, file: 0)
                if waiting.count > Self.window { try handFirst(into: &sink) }
            }
        }
    }

    mutating func finish(into sink: inout some TraceSink) throws {
        reader.finish(faults: &joiner.report.faults)
        while waiting.count > 0 { try handFirst(into: &sink) }
        try joiner.finish(into: &sink)
    }

    private mutating func handFirst(into sink: inout some TraceSink) throws {
        if let first = waiting.pop() { try joiner.take(first.record, from: reader, into: &sink) }
    }
}

/// The files of one run of blktrace, `DEVICE.blktrace.N` for each CPU and device, as one trace.
///
/// It asks for the file it wants to go on with, so that it holds one piece of each at a time:
///
///     while let file = merger.wanted {
///         let piece = try read(file)
///         if piece.isEmpty { try merger.end(ofFile: file, into: &sink) }
///         else { try merger.take(piece, ofFile: file, into: &sink) }
///     }
public struct BlktraceMerger {
    private var readers: [BlktraceReader]
    private var hasEnded: [Bool]
    private var joiner = BlktraceJoiner()
    /// The next record of each file that has one.
    private var heads = RecordHeap()
    private var isFinished = false
    /// 0-based number of the file whose bytes are needed next; `nil` once all have ended.
    public private(set) var wanted: Int?

    /// A merger of this many files.
    public init(fileCount: Int) {
        let count = max(0, fileCount)
        readers = Array(repeating: BlktraceReader(), count: count)
        hasEnded = Array(repeating: false, count: count)
        wanted = count > 0 ? 0 : nil
    }

    /// What came of all files so far. Faults carry the number of the record in its own file.
    public var report: ImportReport {
        var report = joiner.report
        report.lost = readers.reduce(0) { $0 &+ $1.lost }
        return report
    }

    /// Takes the next `bytes` of the file that is `wanted`, and hands over what is complete with
    /// them, by the time of completion. Bytes of another file are not taken.
    public mutating func take(
        _ bytes: ArraySlice<UInt8>, ofFile file: Int, into sink: inout some TraceSink
    ) throws {
        guard file == wanted else { return }
        readers[file].append(bytes)
        try advance(file, into: &sink)
    }

    /// The file that is `wanted` is at its end.
    public mutating func end(ofFile file: Int, into sink: inout some TraceSink) throws {
        guard file == wanted else { return }
        hasEnded[file] = true
        readers[file].finish(faults: &joiner.report.faults)
        try advance(file, into: &sink)
    }

    /// Joins records until a file must be read on to know which is next.
    private mutating func advance(_ file: Int, into sink: inout some TraceSink) throws {
        wanted = nil
        fill(file)
        if wanted == nil { firstEmpty() }
        while wanted == nil, let first = heads.pop() {
            try joiner.take(first.record, from: readers[first.file], into: &sink)
            fill(first.file)
        }
        if wanted == nil, !isFinished {
            isFinished = true
            try joiner.finish(into: &sink)
        }
    }

    /// Brings the file's next record among the heads, or says that the file is wanted.
    private mutating func fill(_ file: Int) {
        if let record = readers[file].next(faults: &joiner.report.faults) {
            heads.push(record, file: file)
        } else if !hasEnded[file] {
            wanted = file
        }
    }

    /// Before the first join each file must have been read once.
    private mutating func firstEmpty() {
        while started < readers.count, wanted == nil {
            started += 1
            if started < readers.count { fill(started) }
        }
    }
    /// Files that have been asked for.
    private var started = 0
}
