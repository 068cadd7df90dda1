import Kernel
import Telemetry
import Virtio

/// The jobs on one queue: what they want next, what they have in flight, and what the guest
/// measures of it, whichever way the requests go. A vCPU thread owns it.
///
/// A request has a slot, with a place in guest memory for its header, status and data, from `take`
/// to `end`.
struct JobBook: ~Copyable {
    /// What a request in flight asked for.
    struct Slot: BitwiseCopyable {
        var type: UInt32 = 0
        var sector: UInt64 = 0
        var byteCount: UInt32 = 0
        /// When it was queued, in ticks.
        var queued: UInt64 = 0
        /// When its kick was sent, in ticks; 0 for none.
        var kicked: UInt64 = 0
    }

    let shared: QueueShared
    let memory: LUNMemory
    let counters: LUNCounterBlock
    let rate: TickRate
    private let origin: Nanoseconds
    private var generator: JobGenerator
    private let verifier: Verifier?
    let slots: FixedArray<Slot>
    private let freeSlots: FixedArray<UInt16>
    private var freeSlotCount: Int
    private var depth = 0
    private var depthSince: UInt64
    /// Where the records of requests go.
    let trace: TraceRing
    var traceMode = TraceMode.off
    /// A request leaves a record if its number has none of these bits.
    var recordMask: UInt64 = 0
    var recordNumber: UInt64 = 0

    init(shared: QueueShared, rate: TickRate, origin: Nanoseconds, trace: TraceRing) {
        self.shared = shared
        self.trace = trace
        self.rate = rate
        self.origin = origin
        memory = shared.memory
        counters = shared.counters
        let (job, part) = (shared.job, shared.part)
        generator = JobGenerator(job, part: part)
        verifier =
            job.verifies
            ? Verifier(
                lun: shared.index, part: part, blockSize: job.blockSize,
                isBlank: shared.configuration.backend.isBlank)
            : nil
        let count = memory.slotCount
        slots = FixedArray(repeating: Slot(), count: count)
        freeSlots = FixedArray(repeating: 0, count: count)
        for index in 0..<count { freeSlots[index] = UInt16(count - 1 - index) }
        freeSlotCount = count
        depthSince = Clock.ticks()
        counters[DriverCounter.depthSince] = depthSince
    }

    // MARK: What is wanted

    /// Whether all the jobs may have in flight is in flight.
    var isExhausted: Bool { freeSlotCount == 0 }

    /// Whether requests come at a rate, and not whenever there is room.
    var isRated: Bool { generator.configuration.rate != nil }

    /// Nanoseconds of `CLOCK_MONOTONIC` at which the next request is due, nil if it is not time
    /// that it waits for but a completion.
    var nextDue: Nanoseconds? {
        !isRated || isExhausted || counters[DriverCounter.fullSince] != 0
            ? nil : origin + generator.due
    }

    /// The clock the vCPU sleeps by: by ticks, a request could be due there and not yet here.
    var time: Nanoseconds { isRated ? Clock.monotonic() &- origin : 0 }

    /// Whether a request is due at `time` and has a free slot.
    @inline(__always)
    func wants(at time: Nanoseconds) -> Bool {
        freeSlotCount > 0 && !(isRated && generator.due > time)
    }

    /// Takes a slot for the next request and fills its data: its slot.
    @inline(__always)
    mutating func take(now: UInt64) -> Int {
        freeSlotCount &-= 1
        let index = Int(freeSlots[freeSlotCount])
        var wish = generator.next(slot: index)
        if let verifier { prepare(verifier, &wish, index: index) }
        slots[index] = Slot(
            type: wish.type, sector: wish.sector,
            byteCount: UInt32(truncatingIfNeeded: wish.byteCount), queued: now)
        return index
    }

    /// Takes note that the request in slot `index`, the last taken, went out at `time`.
    @inline(__always)
    mutating func started(_ index: Int, at time: Nanoseconds) {
        counters.queuedAt[index] = slots[index].queued
        if isRated { generator.advance(now: time) }
    }

    /// Gives slot `index`, the last taken, back: there was no room for its request.
    mutating func putBack(_ index: Int) {
        let slot = slots[index]
        if let verifier, slot.byteCount > 0 {
            if slot.type == BlockRequestType.write { verifier.forget(slot.sector) }
            verifier.release(slot.sector)
        }
        freeSlotCount &+= 1
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

    // MARK: What came of it

    /// Takes note that the request in slot `index` was over at `now`, and frees the slot.
    @inline(__always)
    mutating func end(_ index: Int, status: UInt8, now: UInt64) {
        let slot = slots[index]
        counters.queuedAt[index] = 0
        count(slot, status: status, nanoseconds: rate.nanoseconds(now &- slot.queued))
        if let verifier { verify(verifier, slot, index: index, status: status) }
        freeSlots[freeSlotCount] = UInt16(truncatingIfNeeded: index)
        freeSlotCount &+= 1
    }

    @inline(__always)
    private func count(_ slot: Slot, status: UInt8, nanoseconds: UInt64) {
        if status != BlockStatus.ok { counters.add(1, to: .errors) }
        if slot.type <= BlockRequestType.write {
            counters.countTransfer(
                isWrite: slot.type == BlockRequestType.write,
                byteCount: UInt64(slot.byteCount), nanoseconds: nanoseconds)
            return
        }
        switch slot.type {
        case BlockRequestType.flush: counters.add(1, to: .flushes)
        case BlockRequestType.discard: counters.add(1, to: .discards)
        case BlockRequestType.writeZeroes: counters.add(1, to: .writeZeroes)
        default: counters.add(1, to: .others)
        }
    }

    private func verify(_ verifier: Verifier, _ slot: Slot, index: Int, status: UInt8) {
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

    // MARK: Depth

    /// Ends the spell of a full ring if something found room or nothing wants it any more, and
    /// begins one if a request that is due did not. `placed` requests found room in this turn.
    @inline(__always)
    func noteFull(_ isFull: Bool, placed: Int, now: UInt64) {
        let since = counters[DriverCounter.fullSince]
        if since != 0, !isFull || placed > 0 {
            counters.add(now &- since, to: .fullTicks)
            counters[DriverCounter.fullSince] = 0
        }
        if isFull, since == 0 || placed > 0 { counters[DriverCounter.fullSince] = now }
    }

    /// Adds the time spent at the previous depth; from now on `inFlight` requests are in flight.
    @inline(__always)
    mutating func noteDepth(_ inFlight: Int) {
        let now = Clock.ticks()
        counters.depthTicks.add(now &- depthSince, at: depth)
        depth = inFlight
        depthSince = now
        counters[DriverCounter.depth] = UInt64(depth)
        counters[DriverCounter.depthSince] = now
    }
}
