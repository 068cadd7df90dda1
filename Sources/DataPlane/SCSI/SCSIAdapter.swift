import Kernel
import Telemetry
import Virtio

/// The device end of one ring of the controller.
private struct SCSIEnd: ~Copyable {
    let ring: SCSIRing
    var queue: DeviceQueue
    let target: SCSITarget
    let requests: FixedArray<SCSIRequest>
    /// The unit that was answered last, where the ring's interrupt is counted.
    var lastAnswered: Int
    /// Whether the vCPU was told that the ring is served no more.
    var isBroken = false

    /// The end of `ring`, whose vCPU drives unit number `first`, and others.
    init(ring: SCSIRing, units: [SCSIUnit], first: Int) {
        lastAnswered = first
        self.ring = ring
        queue = DeviceQueue(
            ring: ring.memory.ring, memory: ring.memory.memory, features: ring.features)
        target = SCSITarget(units: units, queueSize: ring.queueSize)
        requests = FixedArray(repeating: .none, count: ring.queueSize)
    }
}

/// The device end of the virtio-scsi controller: takes commands from all its rings, finds the unit
/// each is addressed to, and answers with a response and sense data.
///
/// A unit is reached through every ring; its backend knows a request by ring and head together.
final class SCSIAdapter: LoopDevice {
    let doorbell: EventDescriptor
    private var ends: OwnedArray<SCSIEnd>
    /// The LUN behind each unit, for its counters, and its backend.
    private let units: [QueueShared]
    private let backends: [BackendBox]
    /// Requests of each unit with its backend, and whether some wait to be handed over.
    private let inFlightOf: FixedArray<Int>
    private let isTouched: FixedArray<Bool>
    private var segments: SegmentList
    private let queueSize: Int
    private var isTracing = false
    /// Slots of requests started in this turn, and of those finished in it, for their stamps. A
    /// driver may offer a head anew before it has it back: a turn finishes all slots twice at most.
    private let started: FixedArray<UInt16>
    private var startedCount = 0
    private let finished: FixedArray<UInt16>
    private var finishedCount = 0

    /// Slots of a unit's backend.
    static func slots(of controller: SCSIController) -> Int {
        controller.rings.count * (controller.rings.map(\.queueSize).max() ?? 0)
    }

    /// `units` are the LUNs behind `controller`, in its order, and `backends` theirs.
    init(controller: SCSIController, units: [QueueShared], backends: [BackendBox]) {
        self.units = units
        self.backends = backends
        let rings = controller.rings
        doorbell = controller.doorbell
        queueSize = rings.map(\.queueSize).max() ?? 0
        let disks = units.map { unit in
            let lun = unit.configuration
            return SCSIUnit(
                BlockLimits(
                    sectors: lun.backend.sectors, isReadOnly: lun.backend.isReadOnly,
                    serial: lun.id),
                hasVolatileCache: true)
        }
        ends = OwnedArray(count: rings.count) { index in
            let first = units.firstIndex { $0.vcpu == rings[index].vcpu } ?? 0
            return SCSIEnd(ring: rings[index], units: disks, first: first)
        }
        inFlightOf = FixedArray(repeating: 0, count: units.count)
        isTouched = FixedArray(repeating: false, count: units.count)
        let slots = Self.slots(of: controller)
        started = FixedArray(repeating: 0, count: slots)
        finished = FixedArray(repeating: 0, count: 2 * slots)
        segments = SegmentList(
            capacity: 2 + (units.map(\.configuration.segmentLimit).max() ?? 126))
    }

    var holdsMemory: Bool { backends.contains(where: \.holdsMemory) }
    var nextDue: Nanoseconds? { backends.lazy.compactMap(\.nextDue).min() }

    func close() { for backend in backends { backend.close() } }

    func turn() -> Int {
        var moved = 0
        isTracing = (units.first?.orders.trace ?? .off) != .off
        (startedCount, finishedCount) = (0, 0)
        for index in 0..<ends.count { moved &+= drain(index) }
        hand()
        if isTracing, startedCount > 0 {
            stamp(.submitted, started, 0..<startedCount)
            stamp(.completed, finished, 0..<finishedCount)
        }
        let before = finishedCount
        for unit in 0..<units.count where inFlightOf[unit] > 0 { reap(unit) }
        stamp(.completed, finished, before..<finishedCount)
        // The flush behind a forced write.
        hand()
        stamp(.published, finished, 0..<finishedCount)
        for index in 0..<ends.count { moved &+= publish(index) }
        return moved
    }

    /// The requests in `range` of `slots` are at `stage` now.
    private func stamp(
        _ stage: StampTable.Stamp, _ slots: borrowing FixedArray<UInt16>, _ range: Range<Int>
    ) {
        guard isTracing, !range.isEmpty else { return }
        let now = Clock.ticks()
        for index in range {
            let (ring, head) = Int(slots[index]).quotientAndRemainder(dividingBy: queueSize)
            ends[ring].ring.stamps.set(stage, of: UInt16(truncatingIfNeeded: head), to: now)
        }
    }

    /// Hands over what was started since the last time.
    private func hand() {
        for unit in 0..<units.count where isTouched[unit] {
            isTouched[unit] = false
            if backends[unit].submit() > 0 { units[unit].counters.add(1, to: .submissions) }
        }
    }

    var isReady: Bool {
        for index in 0..<ends.count where ends[index].queue.hasWork { return true }
        for unit in 0..<units.count where inFlightOf[unit] > 0 {
            if backends[unit].hasCompletion { return true }
        }
        return false
    }

    func arm() -> Bool {
        var hasWork = false
        for index in 0..<ends.count where ends[index].queue.armKicks() { hasWork = true }
        return hasWork || isReady
    }

    func disarm() {
        for index in 0..<ends.count { ends[index].queue.suppressKicks() }
    }

    /// Takes and starts everything in ring number `index`.
    private func drain(_ index: Int) -> Int {
        let available = ends[index].queue.refresh()
        // Later than the driver's stamp of whatever it has made available.
        let now = isTracing && available > 0 ? Clock.ticksAfterLoads() : 0
        var taken = 0
        while taken < available {
            switch ends[index].queue.pop(into: &segments) {
            case .empty: return taken
            case .chain(let head): start(index, head, now: now)
            case .malformed(let head, _): giveBackMalformed(index, head)
            case .broken:
                breakDown(index)
                return taken
            }
            taken &+= 1
        }
        if ends[index].queue.breakage != nil { breakDown(index) }
        return taken
    }

    private func start(_ index: Int, _ head: UInt16, now: UInt64) {
        switch ends[index].target.parse(segments, head: head) {
        case .execute(let request):
            ends[index].requests[Int(head)] = request
            units[request.unit].counters.add(1, to: .popped)
            if isTracing {
                ends[index].ring.stamps.set(.popped, of: head, to: now)
                started[startedCount] = slot(index, head)
                startedCount &+= 1
            }
            begin(index, head, request.block, unit: request.unit)
        case .answer(let answer):
            let written = ends[index].target.finish(answer, in: segments, head: head)
            ends[index].queue.push(head: head, written: written)
        case .malformed: giveBackMalformed(index, head)
        }
    }

    /// The number of `head` of ring number `index` among those of all rings.
    private func slot(_ index: Int, _ head: UInt16) -> UInt16 {
        UInt16(truncatingIfNeeded: index &* queueSize &+ Int(head))
    }

    private func begin(_ index: Int, _ head: UInt16, _ request: BlockRequest, unit: Int) {
        isTouched[unit] = true
        switch backends[unit].start(head: slot(index, head), request, segments) {
        case .completed(let result): finish(index, head, result)
        case .inFlight: inFlightOf[unit] &+= 1
        }
    }

    private func reap(_ unit: Int) {
        let backend = backends[unit]
        for index in 0..<backend.reap() {
            let completion = backend.completion(index)
            inFlightOf[unit] &-= 1
            finish(
                Int(completion.head) / queueSize,
                UInt16(truncatingIfNeeded: Int(completion.head) % queueSize), completion.result)
        }
    }

    /// Ends a command, or flushes first if it must be on the medium.
    private func finish(_ index: Int, _ head: UInt16, _ result: Int64) {
        var request = ends[index].requests[Int(head)]
        if request.isForced, result >= 0 {
            request.isForced = false
            ends[index].requests[Int(head)] = request
            begin(
                index, head, BlockRequest(.flush, sector: 0, byteCount: 0), unit: request.unit)
            return
        }
        let written = ends[index].target.finish(request, result: result, head: head)
        ends[index].queue.push(head: head, written: written)
        units[request.unit].counters.add(1, to: .requests)
        if isTracing {
            finished[finishedCount] = slot(index, head)
            finishedCount &+= 1
        }
        ends[index].lastAnswered = request.unit
    }

    private func giveBackMalformed(_ index: Int, _ head: UInt16) {
        units[ends[index].lastAnswered].counters.add(1, to: .malformed)
        ends[index].queue.push(head: head, written: 0)
    }

    /// Publishes what was finished on ring number `index`: how many.
    private func publish(_ index: Int) -> Int {
        let count = ends[index].queue.unpublished
        guard count > 0 else { return 0 }
        let counters = units[ends[index].lastAnswered].counters
        counters.add(1, to: .turns)
        if ends[index].queue.publish() {
            counters[.lastInterrupt] = Clock.ticks()
            counters.add(1, to: .interrupts)
            ends[index].ring.interrupt.signal()
        } else {
            counters.add(1, to: .interruptsSuppressed)
        }
        return count
    }

    /// A ring is incoherent: nothing more is taken from it, and every unit behind it is lost.
    private func breakDown(_ index: Int) {
        guard !ends[index].isBroken else { return }
        ends[index].isBroken = true
        for unit in units where unit.vcpu == ends[index].ring.vcpu {
            unit.counters[DeviceCounter.isBroken] = 1
        }
        ends[index].ring.interrupt.signal()
    }
}
