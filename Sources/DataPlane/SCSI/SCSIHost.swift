import Kernel
import Telemetry
import Virtio

/// A vCPU's end of the virtio-scsi controller: one ring, and all the disks it drives through it.
///
/// Kicks and interrupts belong to the ring: a kick is counted at the disk whose request came last,
/// so that the counts of all disks add up to what there was.
struct SCSIHost: ~Copyable {
    private let ring: SCSIRing
    private var queue: DriverQueue
    private var disks: OwnedArray<JobBook>
    private var tolls: OwnedArray<ExitToll>
    /// Requests of each disk in flight.
    private let inFlightOf: FixedArray<Int>
    /// Whether each of a disk's requests has a kick of its own.
    private let kicksEach: FixedArray<Bool>
    private let diskOfHead: FixedArray<UInt16>
    private let slotOfHead: FixedArray<UInt16>
    /// Heads placed since the last kick, for its stamp.
    private let placed: FixedArray<UInt16>
    private var placedCount = 0
    private var isArmed = false
    /// The disk that is asked first, in turn.
    private var firstDisk = 0
    private var tag: UInt64 = 0
    private let units: [Int]

    /// The disks of `queues`, which are on `ring`; `units` are their numbers behind the controller.
    init(
        ring: SCSIRing, queues: [QueueShared], units: [Int], rate: TickRate, origin: Nanoseconds,
        trace: TraceRing
    ) {
        self.ring = ring
        self.units = units
        let memory = ring.memory
        queue = DriverQueue(
            ring: memory.ring, memory: memory.memory, features: ring.features,
            indirectTables: memory.indirectTables,
            indirectCapacity: LUNMemory.descriptorsPerTable)
        disks = OwnedArray(count: queues.count) {
            JobBook(shared: queues[$0], rate: rate, origin: origin, trace: trace)
        }
        tolls = OwnedArray(count: queues.count) { ExitToll(shared: queues[$0], rate: rate) }
        inFlightOf = FixedArray(repeating: 0, count: queues.count)
        kicksEach = FixedArray(repeating: false, count: queues.count)
        for (index, queue) in queues.enumerated() {
            kicksEach[index] = queue.configuration.kicksEach
        }
        diskOfHead = FixedArray(repeating: 0, count: ring.queueSize)
        slotOfHead = FixedArray(repeating: 0, count: ring.queueSize)
        placed = FixedArray(repeating: 0, count: ring.queueSize)
        queue.suppressInterrupts()
    }

    var inFlight: Int { queue.inFlight }
    var hasUsed: Bool { queue.hasUsed }

    /// When the next request of any disk is due, if it is that what is waited for.
    var nextDue: Nanoseconds? {
        var earliest: Nanoseconds?
        for index in 0..<disks.count {
            if let due = disks[index].nextDue { earliest = min(earliest ?? due, due) }
        }
        return earliest
    }

    /// Takes back what is done and asks for what is due: how many requests moved.
    mutating func turn(isStopping: Bool) -> Int {
        for index in 0..<tolls.count { tolls[index].payForInterrupts() }
        var moved = queue.hasUsed ? reap() : 0
        if isStopping {
            let now = Clock.ticks()
            for index in 0..<disks.count { disks[index].noteFull(false, placed: 0, now: now) }
        } else {
            moved += issue()
        }
        return moved
    }

    /// Asks for an interrupt at the next completion; true if one is already there.
    mutating func arm() -> Bool {
        if isArmed { return queue.hasUsed }
        guard queue.inFlight > 0 else { return false }
        isArmed = true
        return queue.armInterrupts()
    }

    private mutating func reap() -> Int {
        if isArmed {
            isArmed = false
            queue.suppressInterrupts()
        }
        var now = Clock.ticks()
        var count = 0
        while let used = queue.reap() {
            let disk = Int(diskOfHead[Int(used.head)])
            finish(disk, head: used.head, now: &now)
            inFlightOf[disk] &-= 1
            disks[disk].noteDepth(inFlightOf[disk])
            count &+= 1
        }
        if queue.breakage != nil {
            for index in 0..<disks.count { disks[index].counters[DriverCounter.isBroken] = 1 }
        }
        return count
    }

    /// Takes note of a request's end. One that was published after `now` was read moves `now` on.
    private mutating func finish(_ disk: Int, head: UInt16, now: inout UInt64) {
        let slot = Int(slotOfHead[Int(head)])
        let memory = disks[disk].memory
        let response = SCSIDriver.loadResponse(at: memory.host(memory.response(slot)))
        let status = response.isGood ? BlockStatus.ok : BlockStatus.ioError
        disks[disk].followOrders()
        if disks[disk].traceMode != .off {
            let life = ring.stamps.life(of: head)
            if life.published > now { now = Clock.ticksAfterLoads() }
            disks[disk].note(slot, head: head, status: status, life, reaped: now)
        }
        disks[disk].end(slot, status: status, now: now)
    }

    private mutating func issue() -> Int {
        let now = Clock.ticks()
        var count = 0
        var last: Int?
        for offset in 0..<disks.count {
            let disk = (firstDisk &+ offset) % disks.count
            let placed = issue(disk, now: now)
            if placed > 0 { last = disk }
            count &+= placed
        }
        firstDisk = (firstDisk &+ 1) % max(1, disks.count)
        // What has a kick of its own has had it.
        if let last, !kicksEach[last] { publish(for: last) }
        return count
    }

    /// Places what disk number `disk` wants, as far as the ring has room.
    private mutating func issue(_ disk: Int, now: UInt64) -> Int {
        let time = disks[disk].time
        var count = 0
        var isFull = false
        while disks[disk].wants(at: time) {
            isFull = !hasRoom || !place(disk, now: now, time: time)
            if isFull { break }
            count &+= 1
            if kicksEach[disk] { publish(for: disk) }
        }
        disks[disk].noteFull(isFull, placed: count, now: now)
        if count > 0 {
            inFlightOf[disk] &+= count
            disks[disk].noteDepth(inFlightOf[disk])
        }
        return count
    }

    private var hasRoom: Bool {
        queue.inFlight < ring.queueSize && (queue.indirectCapacity > 0 || queue.freeCount >= 3)
    }

    private mutating func place(_ disk: Int, now: UInt64, time: Nanoseconds) -> Bool {
        let slot = disks[disk].take(now: now)
        guard let head = add(disk, slot) else {
            disks[disk].putBack(slot)
            return false
        }
        disks[disk].started(slot, at: time)
        diskOfHead[Int(head)] = UInt16(truncatingIfNeeded: disk)
        slotOfHead[Int(head)] = UInt16(truncatingIfNeeded: slot)
        placed[placedCount] = head
        placedCount &+= 1
        return true
    }

    /// Writes the command of the request in `slot` of `disk` and adds its chain.
    private mutating func add(_ disk: Int, _ index: Int) -> UInt16? {
        let slot = disks[disk].slots[index]
        let memory = disks[disk].memory
        let isWrite = slot.type == BlockRequestType.write
        let command =
            slot.byteCount == 0
            ? SCSICommandBlock.synchronizeCache()
            : SCSICommandBlock.transfer(
                isWrite: isWrite, lba: slot.sector, blockCount: slot.byteCount / 512)
        tag &+= 1
        let header = memory.header(index)
        SCSIDriver.storeHeader(unit: units[disk], tag: tag, command, at: memory.host(header))
        let first = DriverQueue.Buffer(
            address: header, byteCount: UInt32(SCSIDriver.headerBytes), isWritable: false)
        let response = DriverQueue.Buffer(
            address: memory.response(index), byteCount: UInt32(SCSIDriver.responseBytes),
            isWritable: true)
        if slot.byteCount == 0 {
            let parts: InlineArray<2, DriverQueue.Buffer> = [first, response]
            return queue.add(parts.span)
        }
        let data = DriverQueue.Buffer(
            address: memory.buffer(index), byteCount: slot.byteCount, isWritable: !isWrite)
        let parts: InlineArray<3, DriverQueue.Buffer> =
            isWrite ? [first, data, response] : [first, response, data]
        return queue.add(parts.span)
    }

    private mutating func publish(for disk: Int) {
        defer { placedCount = 0 }
        guard queue.publish() else {
            disks[disk].counters.add(1, to: .kicksSuppressed)
            return
        }
        disks[disk].counters.add(1, to: .kicks)
        if disks[disk].traceMode == .requests {
            let kicked = Clock.ticks()
            for index in 0..<placedCount {
                let head = Int(placed[index])
                disks[Int(diskOfHead[head])].slots[Int(slotOfHead[head])].kicked = kicked
            }
        }
        tolls[disk].exit { [ring] in ring.doorbell.signal() }
    }
}
