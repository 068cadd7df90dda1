import Kernel
import Telemetry

/// What a vCPU thread counts.
enum VCPUCounter: Int, CaseIterable { case busyTicks, pollTicks, sleeps }

/// One vCPU of the simulated guest: a thread that drives the queues given to it.
final class VCPU: Sendable {
    let index: Int
    let queues: [QueueShared]
    /// Interrupts arrive here.
    let doorbell: EventDescriptor
    let trace: TraceRing
    let counters: SharedWords

    init(
        index: Int, queues: [QueueShared], doorbell: EventDescriptor, trace: TraceRing
    ) throws(KernelError) {
        self.index = index
        self.queues = queues
        self.doorbell = doorbell
        self.trace = trace
        counters = try SharedWords(count: VCPUCounter.allCases.count)
    }

    /// Its queues on `path`.
    func queues(on path: IOPath) -> [QueueShared] {
        queues.filter { $0.configuration.path == path }
    }
}

/// What a vCPU reaches its LUNs through where that is no virtqueue of their own, in the order of
/// its queues.
struct VCPUWays {
    /// For pass-through.
    var backends: [BackendBox] = []
    /// For IDE.
    var controllers: [IDEController] = []
    /// For virtio-scsi: its ring, if it has any LUN there, and the LUNs' numbers as units.
    var rings: [SCSIRing] = []
    var units: [Int] = []
}

/// The loop of a vCPU thread: while awake it serves all its queues in turn and wants no interrupt;
/// it asks for one only where it would sleep.
struct VCPULoop: ~Copyable {
    private let vcpu: VCPU
    private let orders: Orders
    private let waitMode: WaitMode
    private var disks: OwnedArray<Disk>
    private var direct: OwnedArray<PassThroughDisk>
    private var drives: OwnedArray<IDEDisk>
    private var hosts: OwnedArray<SCSIHost>
    private var poll: AdaptivePoll

    /// The loop of `vcpu`, which reaches its LUNs through `ways`.
    init(
        vcpu: VCPU, ways: VCPUWays, orders: Orders, waitMode: WaitMode, pollTicks: UInt64,
        rate: TickRate, origin: Nanoseconds
    ) {
        self.vcpu = vcpu
        self.orders = orders
        self.waitMode = waitMode
        poll = AdaptivePoll(longest: pollTicks)
        let rings = vcpu.queues.filter(\.configuration.path.hasBlockQueue)
        disks = OwnedArray(count: rings.count) {
            Disk(shared: rings[$0], rate: rate, origin: origin, trace: vcpu.trace)
        }
        let given = vcpu.queues(on: .passThrough)
        direct = OwnedArray(count: given.count) {
            PassThroughDisk(
                shared: given[$0], backend: ways.backends[$0], rate: rate, origin: origin,
                trace: vcpu.trace)
        }
        let emulated = vcpu.queues(on: .ide)
        drives = OwnedArray(count: emulated.count) {
            IDEDisk(
                shared: emulated[$0], controller: ways.controllers[$0], rate: rate,
                origin: origin, trace: vcpu.trace)
        }
        let behind = vcpu.queues(on: .virtioSCSI)
        hosts = OwnedArray(count: ways.rings.count) {
            SCSIHost(
                ring: ways.rings[$0], queues: behind, units: ways.units, rate: rate,
                origin: origin, trace: vcpu.trace)
        }
    }

    /// Runs until ordered to stop and nothing is in flight, or until `patience` nanoseconds later.
    mutating func run(patience: Nanoseconds) {
        defer { for index in 0..<direct.count { direct[index].close() } }
        var deadline: Nanoseconds?
        while true {
            let isStopping = orders.guestStops
            if turn(isStopping: isStopping) > 0 { continue }
            if isStopping {
                let now = Clock.monotonic()
                let end = deadline ?? now + patience
                deadline = end
                if now >= end || isDrained { return }
            }
            wait(until: nextDue(before: deadline), isStopping: isStopping)
        }
    }

    private mutating func turn(isStopping: Bool) -> Int {
        let begin = Clock.ticks()
        var moved = 0
        for index in 0..<disks.count {
            moved &+= disks[index].turn(isStopping: isStopping)
        }
        for index in 0..<direct.count {
            moved &+= direct[index].turn(isStopping: isStopping)
        }
        for index in 0..<drives.count {
            moved &+= drives[index].turn(isStopping: isStopping)
        }
        for index in 0..<hosts.count {
            moved &+= hosts[index].turn(isStopping: isStopping)
        }
        if moved > 0 { count(Clock.ticks() &- begin, .busyTicks) }
        return moved
    }

    private func count(_ amount: UInt64, _ counter: VCPUCounter) {
        vcpu.counters.add(amount, at: counter.rawValue)
    }

    /// Waits for a completion, an order, or the time `due`, in the configured way.
    private mutating func wait(until due: Nanoseconds?, isStopping: Bool) {
        let since = Clock.ticks()
        switch waitMode {
        case .block: break
        case .spin:
            while !isReady(due: due, isStopping: isStopping) { pauseProcessor() }
            count(Clock.ticks() &- since, .pollTicks)
            return
        case .yield, .pause:
            if pollUntilReady(since: since, due: due, isStopping: isStopping) { return }
        }
        sleep(until: due, isStopping: isStopping)
        poll.workCame(after: Clock.ticks() &- since)
    }

    private mutating func pollUntilReady(
        since: UInt64, due: Nanoseconds?, isStopping: Bool
    ) -> Bool {
        var now = since
        var found = isReady(due: due, isStopping: isStopping)
        while !found, now &- since < poll.budget {
            if waitMode == .yield { yieldProcessor() } else { pauseProcessor() }
            found = isReady(due: due, isStopping: isStopping)
            now = Clock.ticks()
        }
        count(now &- since, .pollTicks)
        return found
    }

    private mutating func sleep(until due: Nanoseconds?, isStopping: Bool) {
        for index in 0..<disks.count where disks[index].arm() { return }
        for index in 0..<hosts.count where hosts[index].arm() { return }
        for index in 0..<direct.count where direct[index].hasCompletion { return }
        for index in 0..<drives.count where drives[index].hasInterrupt { return }
        if orders.guestStops != isStopping { return }
        count(1, .sleeps)
        if let due {
            let now = Clock.monotonic()
            if due > now { vcpu.doorbell.wait(timeout: due - now) }
        } else {
            vcpu.doorbell.wait()
        }
    }

    /// Whether there is something to do. The order to stop is news only once: a stopping guest
    /// waits for its completions like any other.
    private func isReady(due: Nanoseconds?, isStopping: Bool) -> Bool {
        for index in 0..<disks.count where disks[index].hasUsed { return true }
        for index in 0..<direct.count where direct[index].hasCompletion { return true }
        for index in 0..<drives.count where drives[index].hasInterrupt { return true }
        for index in 0..<hosts.count where hosts[index].hasUsed { return true }
        if orders.guestStops != isStopping { return true }
        return due.map { $0 <= Clock.monotonic() } ?? false
    }

    private var isDrained: Bool {
        for index in 0..<disks.count where disks[index].inFlight > 0 { return false }
        for index in 0..<direct.count where direct[index].inFlight > 0 { return false }
        for index in 0..<drives.count where drives[index].inFlight > 0 { return false }
        for index in 0..<hosts.count where hosts[index].inFlight > 0 { return false }
        return true
    }

    /// When there is something to do that nothing signals, at `deadline` at the latest. Where there
    /// is one the guest is stopping, and asks for nothing more.
    private func nextDue(before deadline: Nanoseconds?) -> Nanoseconds? {
        var earliest = deadline ?? .max
        for index in 0..<direct.count {
            earliest = min(earliest, direct[index].completionDue ?? .max)
        }
        if deadline != nil { return earliest }
        for index in 0..<disks.count { earliest = min(earliest, disks[index].nextDue ?? .max) }
        for index in 0..<direct.count { earliest = min(earliest, direct[index].nextDue ?? .max) }
        for index in 0..<drives.count { earliest = min(earliest, drives[index].nextDue ?? .max) }
        for index in 0..<hosts.count { earliest = min(earliest, hosts[index].nextDue ?? .max) }
        return earliest == .max ? nil : earliest
    }
}
