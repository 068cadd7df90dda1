import Kernel
import Telemetry
import Virtio

/// The driver end of one LUN: its jobs, its requests in flight, and what the guest measures of
/// them. A vCPU thread owns it.
struct Disk: ~Copyable {
    /// A request's place in guest memory and what it asked for.
    struct Slot: BitwiseCopyable {
        var type: UInt32 = 0
        var sector: UInt64 = 0
        var byteCount: UInt32 = 0
        var kicked: UInt64 = 0
    }

    let shared: LUNShared
    private let memory: LUNMemory
    private let counters: LUNCounterBlock
    private let rate: TickRate
    private let origin: Nanoseconds
    private let trace: TraceRing
    private var queue: DriverQueue
    private var generator: JobGenerator
    private let verifier: Verifier?
    private let slots: FixedArray<Slot>
    private let freeSlots: FixedArray<UInt16>
    private var freeSlotCount: Int
    private let slotOfHead: FixedArray<UInt16>
    /// Heads placed in this turn, for the kick's stamp.
    private let placed: FixedArray<UInt16>
    private var placedCount = 0
    private var traceMode = TraceMode.off
    /// A request leaves a record if its number has none of these bits.
    private var recordMask: UInt64 = 0
    private var recordNumber: UInt64 = 0
    private var depth = 0
    private var depthSince: UInt64
    private var isArmed = false

    init(shared: LUNShared, rate: TickRate, origin: Nanoseconds, trace: TraceRing) {
        self.shared = shared
        self.rate = rate
        self.origin = origin
        self.trace = trace
        memory = shared.memory
        counters = shared.counters
        let configuration = shared.configuration
        queue = DriverQueue(
            ring: memory.ring, memory: memory.memory, features: configuration.features,
            indirectTables: memory.indirectTables,
            indirectCapacity: LUNMemory.descriptorsPerTable)
        let sectors = configuration.backend.sectors
        generator = JobGenerator(configuration.job, sectors: sectors)
        verifier =
            configuration.job.verifies
            ? Verifier(
                lun: shared.index, sectors: sectors, blockSize: configuration.job.blockSize,
                isBlank: configuration.backend.isBlank)
            : nil
        let count = memory.slotCount
        slots = FixedArray(repeating: Slot(), count: count)
        freeSlots = FixedArray(repeating: 0, count: count)
        for index in 0..<count { freeSlots[index] = UInt16(count - 1 - index) }
        freeSlotCount = count
        slotOfHead = FixedArray(repeating: 0, count: configuration.queueSize)
        placed = FixedArray(repeating: 0, count: configuration.queueSize)
        depthSince = Clock.ticks()
        counters[DriverCounter.depthSince] = depthSince
        queue.suppressInterrupts()
    }

    /// Requests in flight.
    var inFlight: Int { queue.inFlight }

    /// Whether the device has completed something.
    var hasUsed: Bool { queue.hasUsed }

    /// Takes back what is done and asks for what is due: how many requests moved.
    mutating func turn(isStopping: Bool) -> Int {
        let reaped = queue.hasUsed ? reap() : 0
        if isStopping { noteFull(false, now: Clock.ticks()) }
        let issued = isStopping || freeSlotCount == 0 ? 0 : issue()
        if reaped + issued > 0 { noteDepth() }
        return reaped + issued
    }

    /// Nanoseconds of `CLOCK_MONOTONIC` at which the next request is due, nil if it is not time
    /// that it waits for but a completion.
    var nextDue: Nanoseconds? {
        !isRated || freeSlotCount == 0 || counters[DriverCounter.fullSince] != 0
            ? nil : origin + generator.due
    }

    private var isRated: Bool { generator.configuration.rate != nil }

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
        traceMode = shared.orders.trace
        recordMask = (1 &<< UInt64(shared.orders.recordShift)) &- 1
        if isArmed {
            isArmed = false
            queue.suppressInterrupts()
        }
        var count = 0
        while let used = queue.reap() {
            finish(head: used.head, now: &now)
            count &+= 1
        }
        if queue.breakage != nil { counters[DriverCounter.isBroken] = 1 }
        return count
    }

    /// Takes note of a request's end. One that was published after `now` was read moves `now` on,
    /// so that no life ends before it was over.
    @inline(__always)
    private mutating func finish(head: UInt16, now: inout UInt64) {
        if traceMode != .off, shared.stamps.get(.published, of: head) > now {
            now = Clock.ticksAfterLoads()
        }
        let index = slotOfHead[Int(head)]
        let slot = slots[Int(index)]
        let queued = counters.queuedAt[Int(head)]
        counters.queuedAt[Int(head)] = 0
        let status = HostMemory.loadStatus(at: memory.host(memory.status(Int(index))))
        count(slot, status: status, nanoseconds: rate.nanoseconds(now &- queued))
        if traceMode != .off {
            note(slot, head: head, status: status, queued: queued, reaped: now)
        }
        if let verifier { verify(verifier, slot, index: Int(index), status: status) }
        freeSlots[freeSlotCount] = index
        freeSlotCount &+= 1
    }

    @inline(__always)
    private func count(_ slot: Slot, status: UInt8, nanoseconds: UInt64) {
        if status != BlockStatus.ok { counters.add(1, to: .errors) }
        switch slot.type {
        case BlockRequestType.read:
            counters.add(1, to: .reads)
            counters.add(UInt64(slot.byteCount), to: .readBytes)
            counters.countLatency(nanoseconds, isWrite: false)
        case BlockRequestType.write:
            counters.add(1, to: .writes)
            counters.add(UInt64(slot.byteCount), to: .writeBytes)
            counters.countLatency(nanoseconds, isWrite: true)
        case BlockRequestType.flush: counters.add(1, to: .flushes)
        case BlockRequestType.discard: counters.add(1, to: .discards)
        case BlockRequestType.writeZeroes: counters.add(1, to: .writeZeroes)
        default: counters.add(1, to: .others)
        }
    }

    /// Folds the request's stages and, if wanted, writes its record. Stamps of a time before
    /// tracing was switched on are not in order and are left out.
    ///
    /// Mutating in name only, like others here: a `self` of this size that is merely borrowed would
    /// be copied for every call.
    private mutating func note(
        _ slot: Slot, head: UInt16, status: UInt8, queued: UInt64, reaped: UInt64
    ) {
        let popped = shared.stamps.get(.popped, of: head)
        let submitted = shared.stamps.get(.submitted, of: head)
        let completed = shared.stamps.get(.completed, of: head)
        let published = shared.stamps.get(.published, of: head)
        guard queued <= popped, popped <= submitted, submitted <= completed,
            completed <= published, published <= reaped
        else { return }
        counters.add(1, to: .staged)
        fold(.ringWait, popped &- queued)
        fold(.submit, submitted &- popped)
        fold(.storage, completed &- submitted)
        fold(.complete, published &- completed)
        fold(.notify, reaped &- published)
        guard traceMode == .requests else { return }
        recordNumber &+= 1
        guard recordNumber & recordMask == 0 else { return }
        let interrupt = counters[DeviceCounter.lastInterrupt]
        trace.append(
            TraceRing.Record(
                type: slot.type, status: status, lun: UInt16(truncatingIfNeeded: shared.index),
                head: head, sector: slot.sector, byteCount: slot.byteCount, queued: queued,
                kicked: slot.kicked, popped: popped, submitted: submitted,
                completed: completed, published: published,
                notified: interrupt >= published && interrupt <= reaped ? interrupt : 0,
                reaped: reaped))
    }

    @inline(__always)
    private func fold(_ stage: StageTimes.Stage, _ ticks: UInt64) {
        counters.countStage(stage, ticks: ticks, nanoseconds: rate.nanoseconds(ticks))
    }

    private mutating func verify(_ verifier: Verifier, _ slot: Slot, index: Int, status: UInt8) {
        guard slot.byteCount > 0 else { return }
        if slot.type == BlockRequestType.read, status == BlockStatus.ok {
            let data = memory.host(memory.buffer(index))
            if !verifier.matches(data, sector: slot.sector) {
                counters.add(1, to: .mismatches)
            }
        }
        if slot.type == BlockRequestType.write, status != BlockStatus.ok {
            verifier.forget(slot.sector)
        }
        verifier.release(slot.sector)
    }

    // MARK: Submission

    /// Places what is due, publishes it at once and kicks at most once.
    private mutating func issue() -> Int {
        let now = Clock.ticks()
        // The clock the vCPU sleeps by: by ticks, a request could be due there and not yet here.
        let time = isRated ? Clock.monotonic() &- origin : 0
        placedCount = 0
        var isFull = false
        while freeSlotCount > 0 {
            if isRated, generator.due > time { break }
            isFull = queue.inFlight == slotOfHead.count || !place(now: now)
            if isFull { break }
            if isRated { generator.advance(now: time) }
        }
        noteFull(isFull, now: now)
        if placedCount > 0 { publish() }
        return placedCount
    }

    /// Ends the spell of a full ring if something found room or nothing wants it any more, and
    /// begins one if a request that is due did not.
    @inline(__always)
    private func noteFull(_ isFull: Bool, now: UInt64) {
        let since = counters[DriverCounter.fullSince]
        if since != 0, !isFull || placedCount > 0 {
            counters.add(now &- since, to: .fullTicks)
            counters[DriverCounter.fullSince] = 0
        }
        if isFull, since == 0 || placedCount > 0 { counters[DriverCounter.fullSince] = now }
    }

    /// Puts one request into the ring; false if the ring has no room.
    @inline(__always)
    private mutating func place(now: UInt64) -> Bool {
        // A flush has two parts, others three; each takes a descriptor where chains are direct.
        if queue.indirectCapacity == 0, queue.freeCount < 3 { return false }
        freeSlotCount &-= 1
        let index = Int(freeSlots[freeSlotCount])
        var wish = generator.next(job: index / max(1, generator.configuration.depth))
        if let verifier { prepare(verifier, &wish, index: index) }
        let header = memory.header(index)
        HostMemory.storeHeader(type: wish.type, sector: wish.sector, at: memory.host(header))
        HostMemory.storeStatus(0xFF, at: memory.host(memory.status(index)))
        let head = add(wish, index: index, header: header)
        guard let head else {
            freeSlotCount &+= 1
            return false
        }
        slots[index] = Slot(
            type: wish.type, sector: wish.sector,
            byteCount: UInt32(truncatingIfNeeded: wish.byteCount))
        slotOfHead[Int(head)] = UInt16(truncatingIfNeeded: index)
        counters.queuedAt[Int(head)] = now
        placed[placedCount] = head
        placedCount &+= 1
        return true
    }

    @inline(__always)
    private mutating func add(
        _ wish: JobGenerator.Wish, index: Int, header: GuestAddress
    ) -> UInt16? {
        let first = DriverQueue.Buffer(address: header, byteCount: 16, isWritable: false)
        let status = DriverQueue.Buffer(
            address: memory.status(index), byteCount: 1, isWritable: true)
        if wish.byteCount == 0 {
            let parts: InlineArray<2, DriverQueue.Buffer> = [first, status]
            return queue.add(parts.span)
        }
        let data = DriverQueue.Buffer(
            address: memory.buffer(index), byteCount: UInt32(truncatingIfNeeded: wish.byteCount),
            isWritable: wish.type == BlockRequestType.read)
        let parts: InlineArray<3, DriverQueue.Buffer> = [first, data, status]
        return queue.add(parts.span)
    }

    /// Finds a block that no other request has, and fills a write's data.
    private mutating func prepare(
        _ verifier: Verifier, _ wish: inout JobGenerator.Wish, index: Int
    ) {
        guard wish.byteCount > 0 else { return }
        while !verifier.reserve(wish.sector) { wish.sector = generator.anotherSector() }
        let data = memory.host(memory.buffer(index))
        if wish.type == BlockRequestType.write {
            verifier.fill(data, sector: wish.sector)
        } else {
            HostMemory.fill(data, with: 0xA5, byteCount: UInt(wish.byteCount))
        }
    }

    private mutating func publish() {
        guard queue.publish() else {
            counters.add(1, to: .kicksSuppressed)
            return
        }
        counters.add(1, to: .kicks)
        if traceMode == .requests {
            let kicked = Clock.ticks()
            for index in 0..<placedCount {
                slots[Int(slotOfHead[Int(placed[index])])].kicked = kicked
            }
        }
        shared.doorbell.signal()
    }

    /// Adds the time spent at the previous depth.
    @inline(__always)
    private mutating func noteDepth() {
        let now = Clock.ticks()
        counters.depthTicks.add(now &- depthSince, at: depth)
        depth = queue.inFlight
        depthSince = now
        counters[DriverCounter.depth] = UInt64(depth)
        counters[DriverCounter.depthSince] = now
    }
}
