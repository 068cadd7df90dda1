internal import Kernel
internal import Telemetry

/// Where recordings go and what their headers say.
public struct RecordingFiles: Sendable {
    /// The session, as each file's header has it.
    public var info: RecordingInfo
    /// How the user's recording is spread over files.
    public var policy = SegmentPolicy()
    /// Where the flight recorder writes; `nil`: nowhere.
    public var flightDirectory: String?
    /// Clocks read now.
    public var clocks: @Sendable () -> ClockReading

    /// Files of the session `info`.
    public init(info: RecordingInfo, clocks: @escaping @Sendable () -> ClockReading) {
        self.info = info
        self.clocks = clocks
    }

    /// `PREFIX-NAME-20260102T030405678Z.vbt`: a file for what happens to the source called `name` at
    /// `wallClock`, nanoseconds since 1970.
    public static func name(
        _ prefix: String, of name: String, wallClock: Int64
    ) -> String {
        let safe = name.unicodeScalars.prefix(60).map { scalar in
            let isPlain =
                scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            return isPlain || scalar == "-" || scalar == "_" ? Character(scalar) : "-"
        }
        let time = iso8601(wallClock).filter { $0 != "-" && $0 != ":" && $0 != "." }
        return "\(prefix)-\(String(safe))-\(time).vbt"
    }
}

/// A file of a recording, or a pipe, being written.
enum RecordingOutput {
    case files(SegmentedRecording)
    case pipe(ChunkWriter)

    /// Opens `path`; `-` is standard output.
    init(
        _ path: String, _ info: RecordingInfo, _ policy: SegmentPolicy, _ clocks: ClockReading
    ) throws(RecordingError) {
        if path == "-" {
            self = .pipe(
                try ChunkWriter(
                    output: AppendFile(borrowing: 1, name: "standard output"), info: info,
                    clocks: clocks, options: policy.writer))
        } else {
            self = .files(
                try SegmentedRecording(path: path, info: info, clocks: clocks, policy: policy))
        }
    }

    mutating func append(_ chunk: Chunk, at clocks: ClockReading) throws(RecordingError) {
        switch self {
        case .files(var files):
            defer { self = .files(files) }
            try files.append(chunk, at: clocks)
        case .pipe(var writer):
            defer { self = .pipe(writer) }
            try writer.append(chunk, at: clocks)
        }
    }

    mutating func tick(_ clocks: ClockReading) throws(RecordingError) {
        switch self {
        case .files(var files):
            defer { self = .files(files) }
            try files.tick(clocks)
            for file in files.takeDurabilityDuties(at: clocks) {
                do { try file.makeDurable() } catch {
                    throw RecordingError(error, path: file.path)
                }
            }
        case .pipe(var writer):
            defer { self = .pipe(writer) }
            try writer.tick(clocks)
        }
    }

    mutating func close(_ clocks: ClockReading) throws(RecordingError) {
        switch self {
        case .files(var files):
            defer { self = .files(files) }
            try files.close(at: clocks)
        case .pipe(var writer):
            defer { self = .pipe(writer) }
            try writer.close(at: clocks.monotonic)
        }
    }

    var byteCount: UInt64 {
        switch self {
        case .files(let files): files.segments.reduce(0) { $0 + $1.byteCount }
        case .pipe(let writer): writer.byteCount
        }
    }

    /// Records handed in and not written.
    var unwritten: UInt64 {
        switch self {
        case .files(let files): files.unwritten.records
        case .pipe(let writer): writer.unwritten.records
        }
    }
}
