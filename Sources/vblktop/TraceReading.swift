import Analysis
import Exchange
import Kernel
import Libraries
import Recording
import SystemPackage
import Telemetry

/// Another tool's trace on its way into a recording: files are read piece by piece, whatever their
/// size.
struct TraceReading {
    /// What came of it.
    struct Outcome {
        var report: ImportReport
        var samples: UInt64
        var requests: UInt64
    }

    private var sources: [PieceReader]
    private let format: TraceFormat
    private let name: String
    private static let pieceSize = 256 << 10

    /// A reading of `files`, of the format that is given or that their bytes tell of. All are
    /// opened before anything is written.
    init(files: [String], format: TraceFormat?, name: String) throws {
        self.name = name
        sources = []
        for file in files { sources.append(try PieceReader(file)) }
        if let format {
            self.format = format
            return
        }
        let begin = try sources[0].peek() ?? []
        guard let guess = TraceFormat.guess(begin[...], fileName: Self.plainName(files[0])) else {
            let known = TraceFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure("\(files[0]): of no known format; say which by --format: \(known)")
        }
        self.format = guess
    }

    private static func plainName(_ path: String) -> String {
        let last = path.split(separator: "/").last.map(String.init) ?? path
        return last.hasSuffix(".gz") ? String(last.dropLast(3)) : last
    }

    /// Reads everything into the recording `path`.
    mutating func run(into path: String) throws -> Outcome {
        var writer = TraceWriting(path: path, name: name, format: format)
        var sink = TraceBuffer()
        let report =
            sources.count > 1 && format == .blktrace
            ? try merge(into: &sink, &writer) : try readOne(into: &sink, &writer)
        try writer.finish(origin: report.origin)
        return Outcome(report: report, samples: writer.samples, requests: writer.requests)
    }

    private mutating func readOne(
        into sink: inout TraceBuffer, _ writer: inout TraceWriting
    ) throws -> ImportReport {
        var importer = format.importer(name: name)
        for index in sources.indices {
            while let piece = try sources[index].next() {
                try importer.take(piece[...], into: &sink)
                try writer.take(&sink, origin: importer.report.origin)
            }
        }
        try importer.finish(into: &sink)
        try writer.take(&sink, origin: importer.report.origin)
        return importer.report
    }

    private mutating func merge(
        into sink: inout TraceBuffer, _ writer: inout TraceWriting
    ) throws -> ImportReport {
        var merger = BlktraceMerger(fileCount: sources.count)
        while let file = merger.wanted {
            if let piece = try sources[file].next() {
                try merger.take(piece[...], ofFile: file, into: &sink)
            } else {
                try merger.end(ofFile: file, into: &sink)
            }
            try writer.take(&sink, origin: merger.report.origin)
        }
        return merger.report
    }

    /// The bytes of a file, unpacked if it is a gzip stream.
    private struct PieceReader {
        private let path: String
        private let file: FileDescriptor
        private var gzip: GzipReader?
        private var isFirst = true
        /// What was looked at and is not taken yet.
        private var waiting: [UInt8]?

        init(_ path: String) throws {
            self.path = path
            do {
                file =
                    path == "-"
                    ? .standardInput : try FileDescriptor.open(FilePath(path), .readOnly)
            } catch {
                throw Failure("cannot open \(path): \(error)")
            }
        }

        /// The next bytes, which are not taken yet; `nil` at the end.
        mutating func peek() throws -> [UInt8]? {
            if waiting == nil { waiting = try next() }
            return waiting
        }

        /// The next bytes; `nil` at the end.
        mutating func next() throws -> [UInt8]? {
            if let waiting {
                self.waiting = nil
                return waiting
            }
            while true {
                let piece: [UInt8]
                do {
                    piece = try readStream(file.rawValue, count: TraceReading.pieceSize)
                } catch {
                    throw Failure("cannot read \(path): \(error)")
                }
                guard !piece.isEmpty else {
                    finish()
                    return nil
                }
                if isFirst, GzipReader.isGzip(piece[...]) { gzip = try GzipReader() }
                isFirst = false
                guard let gzip else { return piece }
                var plain: [UInt8] = []
                do {
                    try gzip.take(piece[...]) { plain += $0 }
                } catch { throw Failure("\(path): \(error)") }
                if !plain.isEmpty { return plain }
            }
        }

        /// A stream that was cut off is told, after all that was in it.
        private func finish() {
            if path != "-" { try? file.close() }
            do { try gzip?.finish() } catch { printError("\(path): \(error)") }
        }
    }
}

/// Requests that an importer handed over and that are not written yet.
struct TraceBuffer: TraceSink {
    var events: [IOEvent] = []
    var names: [String] = []

    mutating func take(_ event: IOEvent) { events.append(event) }

    mutating func name(_ name: String, ofLUN index: UInt16) {
        while names.count <= Int(index) { names.append("lun \(names.count)") }
        names[Int(index)] = name
    }
}

/// Writes what comes of a trace: its requests, and the samples they add up to.
struct TraceWriting: ~Copyable {
    private let path: String
    private let name: String
    private let format: TraceFormat
    private var composer: RecordingComposer?
    private var fold: RequestFold?
    /// LUNs whose names the fold knows.
    private var named = 0
    /// What has been written.
    private(set) var samples: UInt64 = 0
    private(set) var requests: UInt64 = 0

    init(path: String, name: String, format: TraceFormat) {
        self.path = path
        self.name = name
        self.format = format
    }

    /// Writes what is in `buffer`, and empties it. `origin` is the wall clock at time 0.
    mutating func take(_ buffer: inout TraceBuffer, origin: Int64?) throws {
        guard let first = buffer.events.first else { return }
        if composer == nil { try begin(at: max(1, first.start), origin) }
        for index in named..<buffer.names.count {
            fold?.name(buffer.names[index], ofLUN: UInt16(clamping: index))
        }
        named = buffer.names.count
        var folded: [Folded] = []
        for event in buffer.events { fold?.take(event) { folded.append($0) } }
        try write(folded)
        try composer?.take(buffer.events, names: buffer.names)
        requests += UInt64(buffer.events.count)
        buffer.events.removeAll(keepingCapacity: true)
    }

    /// Writes the rest, and completes the file.
    mutating func finish(origin: Int64?) throws {
        if composer == nil { try begin(at: 1, origin) }
        var folded: [Folded] = []
        fold?.finish { folded.append($0) }
        try write(folded)
        try composer?.finish()
    }

    private mutating func begin(at start: Nanoseconds, _ origin: Int64?) throws {
        var info = RecordingInfo(
            uuid: firstLine("/proc/sys/kernel/random/uuid"),
            started: ClockReading(monotonic: start, wall: 0))
        info.toolVersion = vblktopVersion
        info.sources = [.init(kind: Source.Kind.replay.rawValue, name: name)]
        info.comment = "imported: " + format.summary
        info.hasWallClock = origin != nil
        info.sampleInterval = RequestFold.interval
        var policy = SegmentPolicy()
        policy.segmentByteCount = .max
        policy.segmentDuration = nil
        policy.writer.durability = .never
        composer = try RecordingComposer(
            path: path, info: info, start: start, origin: origin ?? 0, policy: policy)
        fold = RequestFold(name: name, origin: origin, hasCompletions: format.hasCompletions)
    }

    private mutating func write(_ folded: [Folded]) throws {
        for item in folded {
            switch item {
            case .sample(let sample):
                try composer?.take(sample)
                samples += 1
            case .mark(let mark): try composer?.take(mark)
            }
        }
    }
}
