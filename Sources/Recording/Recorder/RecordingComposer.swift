public import Telemetry

/// Writes a recording of what happened at another time, as an import does: the clocks are those of
/// the records, and whoever calls waits for the disk.
public struct RecordingComposer: ~Copyable {
    private var encoders: StreamEncoders
    private var output: RecordingOutput
    /// Wall clock at monotonic time 0, nanoseconds since 1970.
    private let origin: Int64
    private var now: Nanoseconds

    /// Creates the recording `path`, `-` for standard output, which begins at `start`. `origin` is
    /// the wall clock at monotonic time 0, nanoseconds since 1970-01-01 UTC. Throws `.system` if
    /// the file is there already or cannot be created.
    public init(
        path: String, info: RecordingInfo, start: Nanoseconds, origin: Int64,
        policy: SegmentPolicy = SegmentPolicy()
    ) throws(RecordingError) {
        let clocks = ClockReading(
            monotonic: start, wall: origin &+ Int64(truncatingIfNeeded: start))
        var info = info
        info.started = clocks
        let output = try RecordingOutput(path, info, policy, clocks)
        let encoders = try StreamEncoders()
        self.output = output
        self.encoders = encoders
        self.origin = origin
        now = start
    }

    private var clocks: ClockReading {
        ClockReading(monotonic: now, wall: origin &+ Int64(truncatingIfNeeded: now))
    }

    /// Writes a sample.
    public mutating func take(_ snapshot: Snapshot) throws(RecordingError) {
        now = max(now, snapshot.monotonic)
        for chunk in try encoders.encode(snapshot) { try put(chunk) }
    }

    /// Writes requests; `names` are the LUNs', by `IOEvent.lun`.
    public mutating func take(
        _ events: [IOEvent], names: [String]
    ) throws(RecordingError) {
        for chunk in try encoders.encode(events, names: names) { try put(chunk) }
    }

    /// Writes a mark.
    public mutating func take(_ mark: Mark) throws(RecordingError) {
        try put(try encoders.encode(mark))
    }

    /// `count` requests were lost where the next begin.
    public mutating func lose(_ count: UInt64) { encoders.lose(count) }

    /// Writes what is left, and completes the file.
    public mutating func finish() throws(RecordingError) {
        if let chunk = try encoders.sealRequests() { try put(chunk) }
        for chunk in encoders.flushSnapshots() { try put(chunk) }
        try output.close(clocks)
    }

    private mutating func put(_ chunk: Chunk) throws(RecordingError) {
        now = max(now, chunk.last)
        try output.append(chunk, at: clocks)
    }
}
