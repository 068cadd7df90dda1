import Kernel
import Telemetry
import Virtio

/// A device given to the guest: the vCPU thread submits to the backend and takes completions
/// itself. There is no ring, no other thread, no kick, and no exit.
struct PassThroughDisk: ~Copyable {
    private var jobs: JobBook
    private let backend: BackendBox
    private var segments = SegmentList(capacity: 1)
    /// Slots of requests started and not yet handed over.
    private let started: FixedArray<UInt16>
    private var startedCount = 0
    /// When the request in each slot was handed over, in ticks.
    private let submitted: FixedArray<UInt64>
    /// Whether requests were complete when they had been handed over, the last time this could be
    /// told.
    private var isPrompt = false

    /// `backend` takes requests in the slots of the jobs and signals the vCPU's doorbell.
    init(
        shared: QueueShared, backend: BackendBox, rate: TickRate, origin: Nanoseconds,
        trace: TraceRing
    ) {
        self.backend = backend
        jobs = JobBook(shared: shared, rate: rate, origin: origin, trace: trace)
        started = FixedArray(repeating: 0, count: jobs.slots.count)
        submitted = FixedArray(repeating: 0, count: jobs.slots.count)
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
        jobs.followOrders()
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
        let status = result < 0 ? BlockStatus.ioError : BlockStatus.ok
        if jobs.traceMode != .off { note(index, status: status, now: now) }
        jobs.end(index, status: status, now: now)
    }

    /// There is no ring to wait in and nobody who would tell: all is the guest's own submission,
    /// and the storage until the guest looks.
    private mutating func note(_ index: Int, status: UInt8, now: UInt64) {
        jobs.note(
            index, head: UInt16(truncatingIfNeeded: index), status: status,
            RequestLife(
                popped: jobs.slots[index].queued, submitted: submitted[index], completed: now,
                published: now),
            reaped: now)
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
        let wasIdle = startedCount == backend.inFlight
        guard backend.submit() > 0 else { return }
        stampStarted()
        jobs.counters.add(1, to: DeviceCounter.submissions)
        // With others in flight, nobody knows whose completion it is.
        if wasIdle { isPrompt = backend.hasCompletion }
        startedCount = 0
    }

    private mutating func stampStarted() {
        guard jobs.traceMode != .off else { return }
        let now = Clock.ticks()
        for index in 0..<startedCount { submitted[Int(started[index])] = now }
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
        case .completed(let result):
            let now = Clock.ticks()
            submitted[index] = now
            end(index, result, now: now)
        case .inFlight:
            // What the backend hands over later by itself is not stamped, and left out.
            if startedCount == started.count { startedCount = 0 }
            started[startedCount] = head
            startedCount &+= 1
        }
    }
}
