internal import Kernel
internal import Telemetry

/// The thread that writes: it takes steps from the packing thread and does them in order.
///
/// What waits for it is bounded; a chunk that finds no room is dropped and counted, and the next of
/// its kind tells. Samples and marks find room when requests no longer do.
final class RecordingWriter: Sendable {
    /// Signalled when the user's file was opened, or could not be.
    let opened: EventDescriptor
    private let ended: EventDescriptor
    private let queue: WorkQueue<RecordingStep?>
    private let files: RecordingFiles
    private let shared = Lock(Shared())
    private let thread = Lock<PThread?>(nil)
    /// Bytes of chunks that may wait.
    private static let capacity = 64 << 20
    /// Files of the flight recorder that are kept.
    private static let flightLimit = 50
    /// How often clocks are looked at while nothing comes, ns.
    private static let tickInterval: Nanoseconds = 1_000_000_000

    /// What both threads see.
    private struct Shared {
        var status = RecordingStatus()
        var failure: Failure?
        /// Records of chunks that found no room, by kind, not told yet.
        var dropped: [ChunkKind: UInt32] = [:]
        var droppedRequests: UInt64 = 0
        /// The flight recorder's files, the oldest first.
        var flights: [(path: String, identity: FileIdentity)] = []
    }

    /// Which file failed.
    enum Failure: Sendable { case own, flight }

    /// The file that is open.
    private struct Current {
        var output: RecordingOutput
        var isFlight: Bool
    }

    init(_ files: RecordingFiles) throws {
        self.files = files
        queue = try WorkQueue(capacity: Self.capacity)
        opened = try EventDescriptor()
        ended = try EventDescriptor()
        let thread = try PThread(name: "writer") { self.run() }
        self.thread.withLock { $0 = thread }
    }

    var status: RecordingStatus { shared.withLock { $0.status } }

    /// Requests that were packed and found no room, since the start.
    var droppedRequests: UInt64 { shared.withLock { $0.droppedRequests } }

    /// The file that failed since this was asked last.
    func takeFailure() -> Failure? {
        shared.withLock { shared in
            defer { shared.failure = nil }
            return shared.failure
        }
    }

    /// Has `step` done soon; returns at once.
    func perform(_ step: RecordingStep) {
        switch step {
        case .write(let chunk): put(chunk)
        case .close:
            // What no further chunk will tell of is told before the file is complete.
            let dropped = shared.withLock { shared in
                defer { shared.dropped = [:] }
                return shared.dropped
            }
            for (kind, count) in dropped where count > 0 { queue.put(.write(.loss(kind, count))) }
            queue.put(step)
        case .open, .openFlight: queue.put(step)
        }
    }

    private func put(_ chunk: Chunk) {
        var chunk = chunk
        chunk.lost &+= shared.withLock { $0.dropped.removeValue(forKey: chunk.kind) ?? 0 }
        let cost = chunk.payload.count + MemoryLayout<Chunk>.stride
        let isBulk = chunk.kind == .requests || chunk.kind == .events
        guard !queue.put(.write(chunk), cost: cost, reach: isBulk ? 1 : 2) else { return }
        shared.withLock { shared in
            shared.dropped[chunk.kind, default: 0] &+= chunk.count &+ chunk.lost
            shared.status.lostRecords &+= UInt64(chunk.count)
            if chunk.kind == .requests { shared.droppedRequests &+= UInt64(chunk.count) }
        }
    }

    /// Nothing more can be recorded, for `reason`.
    func fail(_ reason: String) {
        shared.withLock { $0.status.failure = reason }
    }

    /// Ends the thread once all is written; false if that takes longer than `patience` nanoseconds,
    /// as on a disk that hangs. The thread is then left to the end of the process.
    func finish(patience: Nanoseconds) -> Bool {
        queue.put(nil)
        guard ended.wait(timeout: patience) else { return false }
        thread.withLock { $0.take() }?.join()
        return true
    }

    // MARK: The writing thread

    private func run() {
        defer { ended.signal() }
        var current: Current?
        while true {
            // Without a file there is nothing that time could bring.
            for step in queue.takeAll(timeout: current == nil ? nil : Self.tickInterval) {
                guard let step else { return close(&current) }
                perform(step, &current)
            }
            attempt(&current) { output throws(RecordingError) in
                try output.tick(files.clocks())
            }
        }
    }

    private func perform(_ step: RecordingStep, _ current: inout Current?) {
        switch step {
        case .open(let path):
            close(&current)
            open(path, files.info, files.policy, isFlight: false, &current)
            if current != nil {
                shared.withLock { shared in
                    shared.status.failure = nil
                    shared.status.own = .init(path: path)
                }
            }
            opened.signal()
        case .openFlight(let reason):
            close(&current)
            openFlight(reason, &current)
        case .write(let chunk): write(chunk, &current)
        case .close: close(&current)
        }
    }

    private func write(_ chunk: Chunk, _ current: inout Current?) {
        let isFlight = current?.isFlight ?? false
        guard current != nil else {
            shared.withLock { $0.status.lostRecords &+= UInt64(chunk.count) }
            return
        }
        attempt(&current) { output throws(RecordingError) in
            try output.append(chunk, at: files.clocks())
        }
        guard current != nil else { return }
        let bytes = UInt64(ChunkHeader.byteCount + chunk.payload.count)
        shared.withLock {
            $0.status.count(
                chunk.kind, records: UInt64(chunk.count), bytes: bytes, isFlight: isFlight)
        }
    }

    private func openFlight(_ reason: Mark, _ current: inout Current?) {
        guard let directory = files.flightDirectory else {
            return tell("there is no home to write to; say where by --flight-dir", .flight)
        }
        do {
            try createDirectories(directory)
        } catch {
            return tell(String(describing: error), .flight)
        }
        var info = files.info
        info.reason = reason.text
        let name = info.sources?.first?.name ?? "vm"
        let path =
            directory + "/"
            + RecordingFiles.name("flight", of: name, wallClock: files.clocks().wall)
        var policy = SegmentPolicy()
        policy.bytesLeftFree = files.policy.bytesLeftFree
        open(path, info, policy, isFlight: true, &current)
        guard current != nil else { return }
        shared.withLock { shared in
            shared.status.flightFailure = nil
            shared.status.flight = .init(path: path, reason: reason.text)
        }
        keepNewest(path)
    }

    /// Deletes the oldest of the flight recorder's files of this session once there are many; a
    /// file that somebody has put in its place stays.
    private func keepNewest(_ path: String) {
        guard let identity = try? FileIdentity(of: path) else { return }
        let oldest = shared.withLock { shared -> (path: String, identity: FileIdentity)? in
            shared.flights.append((path, identity))
            return shared.flights.count > Self.flightLimit ? shared.flights.removeFirst() : nil
        }
        guard let oldest, (try? FileIdentity(of: oldest.path)) == oldest.identity else { return }
        try? removeFile(oldest.path)
    }

    private func open(
        _ path: String, _ info: RecordingInfo, _ policy: SegmentPolicy, isFlight: Bool,
        _ current: inout Current?
    ) {
        do throws(RecordingError) {
            let output = try RecordingOutput(path, info, policy, files.clocks())
            current = Current(output: output, isFlight: isFlight)
        } catch {
            tell(String(describing: error), isFlight ? .flight : .own)
        }
    }

    private func close(_ current: inout Current?) {
        attempt(&current) { output throws(RecordingError) in try output.close(files.clocks()) }
        guard let isFlight = current?.isFlight else { return }
        current = nil
        shared.withLock { $0.status.finish(isFlight: isFlight) }
    }

    /// Does `work` on the file; one that fails is let go, with all that it holds until then. A
    /// chunk that makes no sense is left out alone.
    private func attempt(
        _ current: inout Current?,
        _ work: (inout RecordingOutput) throws(RecordingError) -> Void
    ) {
        guard var file = current else { return }
        do throws(RecordingError) {
            try work(&file.output)
            current = file
        } catch {
            guard error.kind != .malformed else { return current = file }
            current = nil
            let lost = file.output.unwritten
            shared.withLock { $0.status.lostRecords &+= lost }
            tell(String(describing: error), file.isFlight ? .flight : .own)
            shared.withLock { $0.status.finish(isFlight: file.isFlight) }
        }
    }

    private func tell(_ reason: String, _ failure: Failure) {
        shared.withLock { shared in
            shared.failure = failure
            switch failure {
            case .own: shared.status.failure = reason
            case .flight: shared.status.flightFailure = reason
            }
        }
    }
}

extension Chunk {
    /// A chunk that only says that `count` records of `kind` were lost.
    fileprivate static func loss(_ kind: ChunkKind, _ count: UInt32) -> Chunk {
        let now = Clock.monotonic()
        var chunk = Chunk(
            kind: kind, codec: .plain, first: now, last: now, count: 0, plainByteCount: 0,
            payload: [])
        chunk.lost = count
        return chunk
    }
}
