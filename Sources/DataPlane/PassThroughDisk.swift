import Kernel
import Telemetry
import Virtio

/// A device given to the guest: the vCPU thread submits to the backend and takes completions
/// itself. There is no ring, no other thread, no kick, and no exit.
struct PassThroughDisk: ~Copyable {
    private var jobs: JobBook
    private let backend: BackendBox
    private var segments = SegmentList(capacity: 1)
    /// Requests started and not yet handed over.
    private var started = 0
    /// Whether requests were complete when they had been handed over, the last time this could be
    /// told.
    private var isPrompt = false

    /// `backend` takes requests in the slots of the jobs and signals the vCPU's doorbell.
    init(shared: QueueShared, backend: BackendBox, rate: TickRate, origin: Nanoseconds) {
        self.backend = backend
        jobs = JobBook(shared: shared, rate: rate, origin: origin)
    }

    var inFlight: Int { backend.inFlight }
    var hasCompletion: Bool { backend.hasCompletion }
    /// When the next request is due, if it is that what is waited for.
    var nextDue: Nanoseconds? { jobs.nextDue }
    /// When there will be a completion that nothing signals.
    var completionDue: Nanoseconds? { backend.nextDue }

    /// Leaves the storage in good order, unless the guest has lost patience with it.
    func close() {
        if !backend.holdsMemory { backend.close() }
    }

    /// Takes what is done and asks for what is due: how many requests moved.
    mutating func turn(isStopping: Bool) -> Int {
        var moved = backend.inFlight > 0 ? reap() : 0
        if !isStopping, !jobs.isExhausted { moved += issue() }
        if moved > 0 { jobs.noteDepth(backend.inFlight) }
        return moved
    }

    private mutating func reap() -> Int {
        let count = backend.reap()
        guard count > 0 else { return 0 }
        let now = Clock.ticks()
        for index in 0..<count {
            let completion = backend.completion(index)
            end(Int(completion.head), completion.result, now: now)
        }
        return count
    }

    private mutating func end(_ index: Int, _ result: Int64, now: UInt64) {
        jobs.end(index, status: result < 0 ? BlockStatus.ioError : BlockStatus.ok, now: now)
    }

    private mutating func issue() -> Int {
        let now = Clock.ticks()
        let time = jobs.time
        var count = 0
        // A backend that completes on the spot frees each slot at once: a ring's worth is a turn.
        while count < jobs.slots.count, jobs.wants(at: time) {
            let index = jobs.take(now: now)
            jobs.started(index, at: time)
            start(index)
            count &+= 1
            if !isPrompt { hand() }
        }
        hand()
        return count
    }

    /// Hands over what was started. A disk is the busier the sooner each request is there; what is
    /// done within the call itself, as on a tmpfs, is cheaper in one call.
    private mutating func hand() {
        let wasIdle = started == backend.inFlight
        guard backend.submit() > 0 else { return }
        jobs.counters.add(1, to: DeviceCounter.submissions)
        // With others in flight, nobody knows whose completion it is.
        if wasIdle { isPrompt = backend.hasCompletion }
        started = 0
    }

    private mutating func start(_ index: Int) {
        let slot = jobs.slots[index]
        let isRead = slot.type == BlockRequestType.read
        let operation: BlockRequest.Operation =
            isRead ? .read : slot.type == BlockRequestType.write ? .write : .flush
        segments.hold(
            Segment(
                address: jobs.memory.host(jobs.memory.buffer(index)),
                byteCount: UInt(slot.byteCount)), isWritable: isRead)
        let request = BlockRequest(
            operation, sector: slot.sector, byteCount: UInt64(slot.byteCount),
            segmentCount: slot.byteCount > 0 ? 1 : 0)
        let head = UInt16(truncatingIfNeeded: index)
        switch backend.start(head: head, request, segments) {
        case .completed(let result): end(index, result, now: Clock.ticks())
        case .inFlight: started &+= 1
        }
    }
}
