import Kernel
import Telemetry
import Virtio

/// The ports of an IDE channel as the simulated guest reaches them: every access leaves the guest
/// and takes the Big QEMU Lock.
private struct TrappedPorts: IDEPort, ~Copyable {
    let controller: IDEController
    let counters: LUNCounterBlock
    var toll: ExitToll

    mutating func write(_ register: IDERegister, _ value: UInt32) {
        counters.add(1, to: .traps)
        toll.exit { [controller] in controller.write(register, value) }
    }

    mutating func read(_ register: IDERegister) -> UInt32 {
        counters.add(1, to: .traps)
        return toll.exit { [controller] in controller.read(register) }
    }
}

/// The driver end of an emulated IDE disk: one request at a time, whatever its jobs want. A vCPU
/// thread owns it.
struct IDEDisk: ~Copyable {
    private let shared: QueueShared
    private var jobs: JobBook
    private var driver = IDEDriver()
    private var ports: TrappedPorts
    private var slot = 0
    private var interruptsSeen: UInt64 = 0

    init(
        shared: QueueShared, controller: IDEController, rate: TickRate, origin: Nanoseconds,
        trace: TraceRing
    ) {
        self.shared = shared
        jobs = JobBook(shared: shared, rate: rate, origin: origin, trace: trace)
        ports = TrappedPorts(
            controller: controller, counters: shared.counters,
            toll: ExitToll(shared: shared, rate: rate))
    }

    var inFlight: Int { driver.current == nil ? 0 : 1 }
    var hasInterrupt: Bool { shared.counters[DeviceCounter.interrupts] != interruptsSeen }
    /// When the next request is due, if it is that what is waited for.
    var nextDue: Nanoseconds? { driver.current == nil ? jobs.nextDue : nil }

    /// Handles an interrupt and issues what is due: how many requests moved.
    mutating func turn(isStopping: Bool) -> Int {
        ports.toll.payForInterrupts()
        var moved = hasInterrupt ? handleInterrupt() : 0
        if !isStopping, driver.current == nil { moved += issue() }
        if moved > 0 { jobs.noteDepth(inFlight) }
        return moved
    }

    private mutating func handleInterrupt() -> Int {
        interruptsSeen = shared.counters[DeviceCounter.interrupts]
        switch driver.interrupted(through: &ports) {
        case .notOurs: return 0
        case .done: end(BlockStatus.ok)
        case .failed: end(BlockStatus.ioError)
        }
        return 1
    }

    private mutating func end(_ status: UInt8) {
        let now = Clock.ticks()
        jobs.followOrders()
        if jobs.traceMode != .off {
            jobs.note(slot, head: 0, status: status, shared.stamps.life(of: 0), reaped: now)
        }
        jobs.end(slot, status: status, now: now)
    }

    private mutating func issue() -> Int {
        let time = jobs.time
        guard jobs.wants(at: time) else { return 0 }
        slot = jobs.take(now: Clock.ticks())
        guard let request = request() else {
            jobs.putBack(slot)
            return 0
        }
        jobs.started(slot, at: time)
        driver.issue(request, through: &ports)
        return 1
    }

    /// The request in the slot, its table written; nil if the bus master cannot reach its data.
    private func request() -> IDERequest? {
        let wish = jobs.slots[slot]
        guard wish.byteCount > 0 else { return IDERequest(operation: .flush) }
        let memory = jobs.memory
        let place = memory.indirectTables
        var table = PRDTable.Writer(
            at: memory.host(place), capacity: PRDTable.mostEntries(byteCount: memory.bufferBytes))
        guard table.append(memory.buffer(slot), byteCount: UInt64(wish.byteCount)) else {
            return nil
        }
        table.finish()
        return IDERequest(
            operation: wish.type == BlockRequestType.read ? .read : .write, sector: wish.sector,
            sectorCount: wish.byteCount / 512, table: UInt32(truncatingIfNeeded: place.rawValue))
    }
}
