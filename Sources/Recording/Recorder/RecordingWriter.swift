internal import Kernel
internal import Telemetry

/// The thread that writes: it takes steps from the packing thread and does them in order.
///
/// What waits for it is bounded; a chunk that finds no room is dropped and counted, and the next of
/// its kind tells.
final class RecordingWriter: Sendable {
    /// Signalled when the user's file was opened, or could not be.
    let opened: EventDescriptor
    private let queue: WorkQueue<RecordingStep?>
    private let files: RecordingFiles
    private let shared = Lock(Shared())
    private let thread = Lock<PThread?>(nil)
    /// Bytes of chunks that may wait.
    private static let capacity = 64 << 20
    /// How often clocks are looked at while nothing comes, ns.
    private static let tickInterval: Nanoseconds = 1_000_000_000

    /// What both threads see.
    private struct Shared {
        var status = RecordingStatus()
        var hasFailed = false
        /// Records of chunks that found no room, by kind, not told yet.
        var dropped: [ChunkKind: UInt32] = [:]
    }

    init(_ files: RecordingFiles) throws {
        self.files = files
        queue = try WorkQueue(capacity: Self.capacity)
        opened = try EventDescriptor()
        let thread = try PThread(name: "writer") { self.run() }
        self.thread.withLock { $0 = thread }
    }

    var status: RecordingStatus { shared.withLock { $0.status } }

    /// Whether a file failed since this was asked last.
    func takeFailure() -> Bool {
        shared.withLock { shared in
            defer { shared.hasFailed = false }
            return shared.hasFailed
        }
    }

    /// Has `step` done soon; returns at once.
    func perform(_ step: RecordingStep) {
        guard case .write(var chunk) = step else {
            queue.put(step)
            return
        }
        chunk.lost &+= shared.withLock { $0.dropped.removeValue(forKey: chunk.kind) ?? 0 }
        let cost = chunk.payload.count + MemoryLayout<Chunk>.stride
        guard !queue.put(.write(chunk), cost: cost) else { return }
        shared.withLock { shared in
            let count = chunk.count &+ chunk.lost
            shared.dropped[chunk.kind, default: 0] &+= count
            shared.status.lostRecords &+= UInt64(count)
        }
    }

    /// Nothing more can be recorded, for `reason`.
    func fail(_ reason: String) {
        shared.withLock { $0.status.file = .failed(reason: reason) }
    }

    /// Ends the thread once all is written.
    func finish() {
        queue.put(nil)
        thread.withLock { $0.take() }?.join()
    }

    // MARK: The writing thread

    private func run() {
        var output: RecordingOutput?
        var isFlight = false
        while true {
            // Without a file there is nothing that time could bring.
            for step in queue.takeAll(timeout: output == nil ? nil : Self.tickInterval) {
                guard let step else {
                    close(&output, isFlight)
                    return
                }
                perform(step, &output, &isFlight)
            }
            attempt(&output, isFlight) { output throws(RecordingError) in
                try output.tick(files.clocks())
            }
        }
    }

    private func perform(
        _ step: RecordingStep, _ output: inout RecordingOutput?, _ isFlight: inout Bool
    ) {
        switch step {
        case .open(let path):
            isFlight = false
            open(path, files.info, files.policy, &output, isFlight)
            opened.signal()
        case .openFlight(let reason):
            isFlight = true
            openFlight(reason, &output)
        case .write(let chunk):
            attempt(&output, isFlight) { output throws(RecordingError) in
                try output.append(chunk, at: files.clocks())
            }
            count(chunk, isFlight: isFlight, isWritten: output != nil)
        case .close: close(&output, isFlight)
        }
    }

    private func openFlight(_ reason: Mark, _ output: inout RecordingOutput?) {
        guard let directory = files.flightDirectory else { return }
        do {
            try createDirectories(directory)
        } catch {
            shared.withLock { $0.status.flightFailure = String(describing: error) }
            return
        }
        var info = files.info
        info.reason = reason.text
        let name = info.sources?.first?.name ?? "vm"
        let path =
            directory + "/"
            + RecordingFiles.name("flight", of: name, wallClock: files.clocks().wall)
        var policy = SegmentPolicy()
        policy.bytesLeftFree = files.policy.bytesLeftFree
        open(path, info, policy, &output, true)
        if output != nil {
            shared.withLock { $0.status.flight = (path, reason.text) }
        }
    }

    private func open(
        _ path: String, _ info: RecordingInfo, _ policy: SegmentPolicy,
        _ output: inout RecordingOutput?, _ isFlight: Bool
    ) {
        close(&output, isFlight)
        do throws(RecordingError) {
            output = try RecordingOutput(path, info, policy, files.clocks())
            if !isFlight {
                shared.withLock { shared in
                    shared.status = RecordingStatus()
                    shared.status.file = .on(path: path, byteCount: 0)
                }
            }
        } catch {
            tell(error, isFlight)
        }
    }

    private func close(_ output: inout RecordingOutput?, _ isFlight: Bool) {
        attempt(&output, isFlight) { output throws(RecordingError) in
            try output.close(files.clocks())
        }
        guard output != nil else { return }
        output = nil
        if !isFlight { shared.withLock { $0.status.file = .off } }
    }

    /// Does `work` on the file; one that fails is let go, with all that it holds until then.
    private func attempt(
        _ output: inout RecordingOutput?, _ isFlight: Bool,
        _ work: (inout RecordingOutput) throws(RecordingError) -> Void
    ) {
        guard var current = output else { return }
        do throws(RecordingError) {
            try work(&current)
            output = current
        } catch {
            output = nil
            let lost = current.unwritten
            shared.withLock { $0.status.lostRecords &+= lost }
            tell(error, isFlight)
        }
    }

    private func tell(_ error: RecordingError, _ isFlight: Bool) {
        let reason = String(describing: error)
        shared.withLock { shared in
            shared.hasFailed = true
            if isFlight {
                shared.status.flightFailure = reason
            } else {
                shared.status.file = .failed(reason: reason)
            }
        }
    }

    private func count(_ chunk: Chunk, isFlight: Bool, isWritten: Bool) {
        guard !isFlight, isWritten else { return }
        shared.withLock { shared in
            if chunk.kind == .snapshots { shared.status.samples &+= UInt64(chunk.count) }
            if chunk.kind == .requests { shared.status.requests &+= UInt64(chunk.count) }
            if chunk.kind == .events { shared.status.events &+= UInt64(chunk.count) }
            if case .on(let path, let bytes) = shared.status.file {
                let size = UInt64(ChunkHeader.byteCount + chunk.payload.count)
                shared.status.file = .on(path: path, byteCount: bytes &+ size)
            }
        }
    }
}
