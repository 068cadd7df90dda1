internal import Telemetry

/// The packers of a recording's streams, used by one thread.
struct StreamEncoders: ~Copyable {
    private var snapshots: SnapshotEncoder
    private var requests: RequestEncoder
    /// Requests lost since the last chunk of them.
    private var lostRequests: UInt64 = 0
    private var names: [String] = []
    private var kernelEvents: EventEncoder
    /// Kernel events lost since the last chunk of them.
    private var lostEvents: UInt64 = 0

    init() throws(RecordingError) {
        // What cannot be copied is not set before all that may throw is done.
        let snapshots = try SnapshotEncoder()
        let requests = try RequestEncoder()
        let kernelEvents = try EventEncoder()
        self.snapshots = snapshots
        self.requests = requests
        self.kernelEvents = kernelEvents
    }

    /// What comes next can be read without what came before.
    mutating func begin() { snapshots.restart() }

    mutating func encode(_ snapshot: Snapshot) throws(RecordingError) -> [Chunk] {
        try snapshots.encode(snapshot)
    }

    /// What has to follow the last sample before a file is closed.
    mutating func flushSnapshots() -> [Chunk] { snapshots.flush() }

    mutating func encode(_ mark: Mark) throws(RecordingError) -> Chunk {
        guard let chunk = MarkCodec.encode([mark]) else {
            throw RecordingError(.malformed, reason: "a mark that cannot be written")
        }
        return chunk
    }

    /// The chunks that `events` fill; the rest waits for more, or for `sealRequests`.
    mutating func encode(
        _ events: [IOEvent], names: [String]
    ) throws(RecordingError) -> [Chunk] {
        var chunks: [Chunk] = []
        if names != self.names, let chunk = try sealRequests() { chunks.append(chunk) }
        self.names = names
        for event in events {
            requests.append(event)
            if requests.isFull, let chunk = try sealRequests() { chunks.append(chunk) }
        }
        return chunks
    }

    /// The requests since the last chunk, if there are any.
    mutating func sealRequests() throws(RecordingError) -> Chunk? {
        let told = UInt32(clamping: lostRequests)
        guard let chunk = try requests.seal(names: names, lost: told) else { return nil }
        lostRequests -= UInt64(told)
        return chunk
    }

    /// `count` requests were lost where the next chunk begins.
    mutating func lose(_ count: UInt64) { lostRequests &+= count }

    // MARK: Kernel events

    /// The chunks that `events` fill; the rest waits for more, or for `sealEvents`.
    mutating func encode(_ events: [KernelEvent]) throws(RecordingError) -> [Chunk] {
        var chunks: [Chunk] = []
        for event in events {
            kernelEvents.append(event)
            if kernelEvents.isFull, let chunk = try sealEvents() { chunks.append(chunk) }
        }
        return chunks
    }

    /// The kernel events since the last chunk, if there are any.
    mutating func sealEvents() throws(RecordingError) -> Chunk? {
        let told = UInt32(clamping: lostEvents)
        guard let chunk = try kernelEvents.seal(lost: told) else { return nil }
        lostEvents -= UInt64(told)
        return chunk
    }

    /// `count` kernel events were lost where the next chunk begins.
    mutating func loseEvents(_ count: UInt64) { lostEvents &+= count }

    /// The requests and kernel events since their last chunks.
    mutating func sealRecords() throws(RecordingError) -> [Chunk] {
        var chunks: [Chunk] = []
        if let chunk = try sealRequests() { chunks.append(chunk) }
        if let chunk = try sealEvents() { chunks.append(chunk) }
        return chunks
    }
}
