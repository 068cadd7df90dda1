import Kernel
import Telemetry
import Virtio

/// The driver end of one virtqueue of virtio-blk. A vCPU thread owns it.
struct Disk: ~Copyable {
    let shared: QueueShared
    private var jobs: JobBook
    private var queue: DriverQueue
    private let slotOfHead: FixedArray<UInt16>
    /// The guest's request queue, where its driver has one.
    private var requests: RequestQueue
    /// Slots placed since the last kick, for its stamp.
    private let placed: FixedArray<UInt16>
    private var placedCount = 0
    private var isArmed = false
    /// The chain of a merged request; empty room, kept to be used again.
    private var chain: [DriverQueue.Buffer] = []
    /// Whether each request has a kick, and an interrupt, of its own.
    private let kicksEach: Bool
    private let notifiesEach: Bool
    /// Segments of the largest request the request queue hands out.
    private let mostSegments: Int
    private var toll: ExitToll

    init(shared: QueueShared, rate: TickRate, origin: Nanoseconds, trace: TraceRing) {
        self.shared = shared
        jobs = JobBook(shared: shared, rate: rate, origin: origin, trace: trace)
        let memory = shared.memory
        let configuration = shared.configuration
        queue = DriverQueue(
            ring: memory.ring, memory: memory.memory, features: configuration.features,
            indirectTables: memory.indirectTables,
            indirectCapacity: configuration.tableEntries)
        requests = RequestQueue(shared: shared)
        slotOfHead = FixedArray(repeating: 0, count: configuration.queueSize)
        placed = FixedArray(repeating: 0, count: configuration.queueSize)
        kicksEach = configuration.kicksEach
        notifiesEach = configuration.notifiesEach
        mostSegments = RequestQueue.segmentLimit(of: configuration)
        toll = ExitToll(shared: shared, rate: rate)
        if !notifiesEach { queue.suppressInterrupts() }
    }

    /// Requests in flight, and those that wait in the guest.
    var inFlight: Int { queue.inFlight &+ requests.count }

    /// Whether the device has completed something.
    var hasUsed: Bool { queue.hasUsed }

    /// When the next request is due, if it is that what is waited for (`JobBook.nextDue`).
    var nextDue: Nanoseconds? { jobs.nextDue }

    /// Takes back what is done and asks for what is due: how many requests moved.
    mutating func turn(isStopping: Bool) -> Int {
        toll.payForInterrupts()
        let reaped = queue.hasUsed ? reap() : 0
        if isStopping { jobs.noteFull(false, placed: 0, now: Clock.ticks()) }
        var issued = 0
        if !isStopping, !jobs.isExhausted { issued = requests.isUsed ? enqueue() : issue() }
        if requests.isUsed { issued += dispatch() }
        if reaped + issued > 0 { jobs.noteDepth(queue.inFlight) }
        return reaped + issued
    }

    /// Asks for an interrupt at the next completion; true if one is already there. A queue that is
    /// armed and saw nothing since stays so at no cost.
    mutating func arm() -> Bool {
        if isArmed { return queue.hasUsed }
        guard queue.inFlight > 0 else { return false }
        isArmed = true
        return queue.armInterrupts()
    }

    // MARK: Completions

    private mutating func reap() -> Int {
        var now = Clock.ticks()
        jobs.followOrders()
        if isArmed {
            isArmed = false
            if !notifiesEach { queue.suppressInterrupts() }
        }
        var count = 0
        while let used = queue.reap() {
            finish(head: used.head, now: &now)
            count &+= 1
        }
        if queue.breakage != nil { jobs.counters[DriverCounter.isBroken] = 1 }
        return count
    }

    /// Takes note of a request's end. One that was published after `now` was read moves `now` on,
    /// so that no life ends before it was over.
    @inline(__always)
    private mutating func finish(head: UInt16, now: inout UInt64) {
        if jobs.traceMode != .off, shared.stamps.get(.published, of: head) > now {
            now = Clock.ticksAfterLoads()
        }
        let index = Int(slotOfHead[Int(head)])
        let status = HostMemory.loadStatus(at: jobs.memory.host(jobs.memory.status(index)))
        if requests.isUsed {
            endParts(index, head: head, status: status, now: now)
        } else {
            end(index, head: head, status: status, now: now)
        }
    }

    @inline(__always)
    private mutating func end(_ index: Int, head: UInt16, status: UInt8, now: UInt64) {
        if jobs.traceMode != .off {
            jobs.note(index, head: head, status: status, shared.stamps.life(of: head), reaped: now)
        }
        jobs.end(index, status: status, now: now)
    }

    /// Ends all requests that were merged into the one that began with slot `index`.
    private mutating func endParts(_ index: Int, head: UInt16, status: UInt8, now: UInt64) {
        requests.noteEnd()
        // A flush is never merged, and its slot's place among the parts is from another time.
        if jobs.slots[index].byteCount == 0 {
            end(index, head: head, status: status, now: now)
            return
        }
        var next: Int? = index
        while let part = next {
            // Its slot is anybody's once it has ended.
            next = requests.part(after: part)
            end(part, head: head, status: status, now: now)
        }
    }

    // MARK: Submission

    /// Places what is due, and publishes it: at once with one kick at most, or one by one with a
    /// kick each.
    private mutating func issue() -> Int {
        let now = Clock.ticks()
        let time = jobs.time
        var count = 0
        var isFull = false
        while jobs.wants(at: time) {
            isFull = !hasRoom(for: 1) || !place(now: now, time: time)
            if isFull { break }
            count &+= 1
            if kicksEach { publish() }
        }
        jobs.noteFull(isFull, placed: count, now: now)
        if placedCount > 0 { publish() }
        return count
    }

    /// Puts what is due into the request queue: how many requests.
    private mutating func enqueue() -> Int {
        let now = Clock.ticks()
        let time = jobs.time
        var count = 0
        while jobs.wants(at: time) {
            let index = jobs.take(now: now)
            jobs.started(index, at: time)
            requests.insert(index, jobs.slots[index], now: jobs.rate.nanoseconds(now))
            count &+= 1
        }
        return count
    }

    /// Puts what waits in the request queue into the ring, in the scheduler's order: how many
    /// requests, merged ones counted once.
    private mutating func dispatch() -> Int {
        let now = Clock.ticks()
        var count = 0
        // Room for the largest there may be: which is next is known when it is taken out.
        while requests.count > 0, hasRoom(for: mostSegments) {
            guard let next = requests.dispatch(now: jobs.rate.nanoseconds(now)) else { break }
            place(next)
            count &+= 1
            if kicksEach { publish() }
        }
        jobs.noteFull(requests.count > 0, placed: count, now: now)
        if placedCount > 0 { publish() }
        return count
    }

    /// Puts a request of the request queue, with all its parts, into the ring.
    private mutating func place(_ next: RequestScheduler.Dispatched) {
        let index = Int(next.first)
        let head = next.partCount == 1 ? add(index) : addMerged(next)
        guard let head else { return }
        slotOfHead[Int(head)] = next.first
        placed[placedCount] = next.first
        placedCount &+= 1
    }

    /// The chain of a merged request: the header and status of its first part, the data of all.
    private mutating func addMerged(_ next: RequestScheduler.Dispatched) -> UInt16? {
        let memory = jobs.memory
        let first = Int(next.first)
        let type = next.isWrite ? BlockRequestType.write : BlockRequestType.read
        HostMemory.storeHeader(
            type: type, sector: next.sector, at: memory.host(memory.header(first)))
        HostMemory.storeStatus(0xFF, at: memory.host(memory.status(first)))
        // Taken out and put back: the ring cannot be changed with a part of this value in hand.
        var chain = self.chain
        self.chain = []
        chain.removeAll(keepingCapacity: true)
        chain.append(
            .init(address: memory.header(first), byteCount: 16, isWritable: false))
        var part: Int? = first
        while let index = part {
            chain.append(
                .init(
                    address: memory.buffer(index), byteCount: jobs.slots[index].byteCount,
                    isWritable: !next.isWrite))
            part = requests.part(after: index)
        }
        chain.append(.init(address: memory.status(first), byteCount: 1, isWritable: true))
        let head = queue.add(chain.span)
        self.chain = chain
        return head
    }

    /// Whether the ring takes another request of `segments` segments of data: with header and
    /// status each takes a descriptor where chains are direct.
    private func hasRoom(for segments: Int) -> Bool {
        queue.inFlight < slotOfHead.count
            && (queue.indirectCapacity > 0 || queue.freeCount >= segments &+ 2)
    }

    /// Puts one request into the ring; false if the ring takes none.
    @inline(__always)
    private mutating func place(now: UInt64, time: Nanoseconds) -> Bool {
        let index = jobs.take(now: now)
        guard let head = add(index) else {
            jobs.putBack(index)
            return false
        }
        jobs.started(index, at: time)
        slotOfHead[Int(head)] = UInt16(truncatingIfNeeded: index)
        placed[placedCount] = UInt16(truncatingIfNeeded: index)
        placedCount &+= 1
        return true
    }

    /// Writes the header of the request in slot `index` and adds its chain.
    @inline(__always)
    private mutating func add(_ index: Int) -> UInt16? {
        let (slot, memory) = (jobs.slots[index], jobs.memory)
        let header = memory.header(index)
        HostMemory.storeHeader(type: slot.type, sector: slot.sector, at: memory.host(header))
        HostMemory.storeStatus(0xFF, at: memory.host(memory.status(index)))
        let first = DriverQueue.Buffer(address: header, byteCount: 16, isWritable: false)
        let status = DriverQueue.Buffer(
            address: memory.status(index), byteCount: 1, isWritable: true)
        if slot.byteCount == 0 {
            let parts: InlineArray<2, DriverQueue.Buffer> = [first, status]
            return queue.add(parts.span)
        }
        let data = DriverQueue.Buffer(
            address: memory.buffer(index), byteCount: slot.byteCount,
            isWritable: slot.type == BlockRequestType.read)
        let parts: InlineArray<3, DriverQueue.Buffer> = [first, data, status]
        return queue.add(parts.span)
    }

    private mutating func publish() {
        defer { placedCount = 0 }
        guard queue.publish() else {
            jobs.counters.add(1, to: .kicksSuppressed)
            return
        }
        jobs.counters.add(1, to: .kicks)
        if jobs.traceMode == .requests {
            let kicked = Clock.ticks()
            for index in 0..<placedCount { jobs.slots[Int(placed[index])].kicked = kicked }
        }
        toll.exit { [shared] in shared.doorbell.signal() }
    }
}
