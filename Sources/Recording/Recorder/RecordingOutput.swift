internal import Kernel

/// A recording being written: into files, or a pipe.
struct RecordingOutput {
    private enum Target {
        case files(SegmentedRecording)
        case pipe(ChunkWriter)
    }
    private var target: Target
    /// The key that the samples being written are differences from.
    private var key: Chunk?

    /// Opens `path`; `-` is standard output.
    init(
        _ path: String, _ info: RecordingInfo, _ policy: SegmentPolicy, _ clocks: ClockReading
    ) throws(RecordingError) {
        guard path == "-" else {
            target = .files(
                try SegmentedRecording(path: path, info: info, clocks: clocks, policy: policy))
            return
        }
        target = .pipe(
            try ChunkWriter(
                output: AppendFile(borrowing: 1, name: "standard output"), info: info,
                clocks: clocks, options: policy.writer))
    }

    /// Writes `chunk`. A file that begins with a difference gets the key too, so that each file can
    /// be read alone.
    mutating func append(_ chunk: Chunk, at clocks: ClockReading) throws(RecordingError) {
        switch target {
        case .pipe(var writer):
            defer { target = .pipe(writer) }
            try writer.append(chunk, at: clocks)
        case .files(var files):
            defer { target = .files(files) }
            let before = files.segmentNumber
            try files.append(chunk, at: clocks)
            if let copy = chunk.keyCopy() {
                key = copy
            } else if files.segmentNumber != before, let key {
                try files.append(key, at: clocks)
            }
        }
    }

    /// Does what is due by the clocks, and makes safe what it is time for.
    mutating func tick(_ clocks: ClockReading) throws(RecordingError) {
        switch target {
        case .pipe(var writer):
            defer { target = .pipe(writer) }
            try writer.tick(clocks)
        case .files(var files):
            defer { target = .files(files) }
            let before = files.segmentNumber
            try files.tick(clocks)
            if files.segmentNumber != before, let key { try files.append(key, at: clocks) }
            for file in files.takeDurabilityDuties(at: clocks) {
                do { try file.makeDurable() } catch {
                    throw RecordingError(error, path: file.path)
                }
            }
        }
    }

    /// Completes it.
    mutating func close(_ clocks: ClockReading) throws(RecordingError) {
        switch target {
        case .pipe(var writer):
            defer { target = .pipe(writer) }
            try writer.close(at: clocks.monotonic)
        case .files(var files):
            defer { target = .files(files) }
            try files.close(at: clocks)
        }
    }

    /// Records handed in and not written.
    var unwritten: UInt64 {
        switch target {
        case .files(let files): files.unwritten.records
        case .pipe(let writer): writer.unwritten.records
        }
    }
}
