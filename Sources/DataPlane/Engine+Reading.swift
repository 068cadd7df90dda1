public import Kernel
public import Telemetry
import Virtio

/// What can be read of a running engine, from any thread; it disturbs none.
extension Engine {
    /// A thread of the engine.
    public struct ThreadInfo: Sendable {
        public let tid: Int
        public let role: ThreadActivity.Role
        public let name: String
        /// Indices of the LUNs it serves.
        public let luns: [Int]
        /// What it had to do with the Big QEMU Lock; `nil` if it never takes it.
        public let lock: LockCounts?
        let counters: SharedWords
        let busy: Int
        let poll: Int
    }

    private var rate: TickRate { tickRate.withLock { $0 } }

    /// What tracing notes from now on.
    public var trace: TraceMode {
        get { orders.trace }
        set { orders.trace = newValue }
    }

    /// One request in 2^`recordShift` of each LUN leaves a record, 0…16, while requests are traced.
    public var recordShift: Int {
        get { orders.recordShift }
        set { orders.recordShift = newValue }
    }

    /// Holds the ticks to `CLOCK_MONOTONIC` again, which they drift from by some millionths. Call
    /// it before reading counters, once a sample.
    ///
    /// The rate stays: a new one would change all sums of the past a little, and times at depths
    /// that are long gone would seem to grow.
    public func calibrate() {
        tickRate.withLock { $0 = $0.anchored(at: .now()) }
    }

    /// vCPUs of the simulated guest: as many as it has queues for.
    public var vcpuCount: Int { vcpus.count }

    /// Memory of the simulated guest: rings, requests and their data, bytes.
    public var guestMemoryBytes: UInt64 {
        let own = queues.joined().filter { $0.configuration.path != .virtioSCSI }.map(\.memory)
        return (own + (controller?.rings.map(\.memory) ?? []))
            .reduce(0) { $0 + UInt64($1.mapping.byteCount) }
    }

    /// One reading of LUN `index`'s counters, those of its queues together.
    public func counters(ofLUN index: Int) -> LUNCounters {
        LUNCounters(summing: queueCounters(ofLUN: index))
            ?? LUNCounters(monotonic: Clock.monotonic())
    }

    /// One reading of the counters of each of LUN `index`'s queues; quicker if the reading before
    /// is given.
    public func queueCounters(
        ofLUN index: Int, after previous: [LUNCounters]? = nil
    ) -> [LUNCounters] {
        let rate = self.rate
        let known = previous?.count == queues[index].count ? previous : nil
        return queues[index].enumerated().map { number, queue in
            var counters = queue.counters.read(rate: rate, after: known?[number])
            counters.exits = queue.exits(
                kicks: counters.kicks, traps: queue.counters[DriverCounter.traps],
                interrupts: counters.interrupts)
            if queue.requestLock != nil {
                counters.merges = queue.counters[DriverCounter.merges]
            }
            return counters
        }
    }

    /// What guest and host had to do for LUN `index`'s requests, since the start.
    public func effort(ofLUN index: Int) -> PathEffort {
        queues[index].reduce(into: PathEffort()) { $0.add($1) }
    }

    /// Where LUN `index`'s virtqueues are, for who looks at them from another process; none on a
    /// path without.
    public func ringPlaces(ofLUN index: Int) -> [EngineRing] {
        queues[index].filter(\.configuration.path.hasBlockQueue).map { queue in
            let memory = queue.memory
            return EngineRing(
                number: queue.number, size: queue.configuration.queueSize,
                features: queue.configuration.features, descriptors: memory.descriptors,
                avail: memory.avail, used: memory.used, host: UInt64(memory.mapping.address),
                byteCount: UInt64(memory.mapping.byteCount))
        }
    }

    /// LUN `index`'s virtqueues as their observers see them, and what the device has not popped
    /// yet.
    public func virtqueues(ofLUN index: Int) -> [Virtqueue] {
        queues[index].filter(\.configuration.path.hasBlockQueue).map { shared in
            let popped = UInt16(truncatingIfNeeded: shared.counters[DeviceCounter.popped])
            var queue = shared.observer.observe()
            queue.index = shared.number
            queue.waiting = min(Int(queue.availIndex &- popped), queue.inFlight)
            return queue
        }
    }

    /// Requests of LUN `index` since the start by time in `stage`, in the layout of
    /// `LatencyBuckets`.
    public func stageBuckets(_ stage: StageTimes.Stage, ofLUN index: Int) -> [UInt64] {
        let parts = queues[index].map { $0.counters.stageBuckets(stage) }
        return parts.dropFirst().reduce(parts.first ?? []) { zip($0, $1).map { $0 &+ $1 } }
    }

    /// Reads that did not give what was last written; only LUNs whose jobs verify count any.
    public func mismatches(ofLUN index: Int) -> UInt64 {
        queues[index].reduce(0) { $0 + $1.counters[DriverCounter.mismatches] }
    }

    /// Chains of LUN `index` that were given back unserved.
    public func malformed(ofLUN index: Int) -> UInt64 {
        queues[index].reduce(0) { $0 + $1.counters[DeviceCounter.malformed] }
    }

    /// Requests of LUN `index` that its guest was told have failed, since the start.
    public func errors(ofLUN index: Int) -> UInt64 {
        queues[index].reduce(0) { $0 + $1.counters[DriverCounter.errors] }
    }

    /// Whether a queue of LUN `index` broke: its ring was incoherent and is no longer served.
    public func isBroken(_ index: Int) -> Bool {
        queues[index].contains {
            $0.counters[DeviceCounter.isBroken] != 0 || $0.counters[DriverCounter.isBroken] != 0
        }
    }

    /// Why requests of LUN number `index` began to fail, as far as its file knows.
    public func storageFault(ofLUN index: Int) -> String? {
        guard case .file(let file, _) = queues[index].first?.configuration.backend else {
            return nil
        }
        return file.fault.description
    }

    /// All threads that have begun to run.
    public var threadInfos: [ThreadInfo] {
        let guests = vcpus.map { vcpu in
            ThreadInfo(
                tid: Int(tids[vcpu.index]), role: .vcpu, name: "vcpu\(vcpu.index)",
                luns: distinct(vcpu.queues), lock: bigLock?.counts(of: vcpu.index),
                counters: vcpu.counters, busy: VCPUCounter.busyTicks.rawValue,
                poll: VCPUCounter.pollTicks.rawValue)
        }
        let hosts = services.enumerated().map { index, service in
            var lock: LockCounts?
            if case .mainLoop = service.kind { lock = bigLock?.counts(of: vcpus.count) }
            return ThreadInfo(
                tid: Int(tids[vcpus.count + index]), role: service.role, name: service.name,
                luns: distinct(service.queues), lock: lock, counters: service.counters,
                busy: service.busy, poll: service.poll)
        }
        return (guests + hosts).filter { $0.tid > 0 }
    }

    /// Names and roles of the threads that serve LUN `index` on the host's side; none where its
    /// vCPUs do all.
    public func servers(ofLUN index: Int) -> [(name: String, role: ThreadActivity.Role)] {
        services.filter { service in service.queues.contains { $0.index == index } }
            .map { ($0.name, $0.role) }
    }

    /// The LUNs that `queues` belong to, which come in their order.
    private func distinct(_ queues: [QueueShared]) -> [Int] {
        queues.reduce(into: []) { luns, queue in
            if luns.last != queue.index { luns.append(queue.index) }
        }
    }

    /// Waits for the Big QEMU Lock by all threads since the start by their length; `nil` if no
    /// LUN's path takes it.
    public var lockWaitBuckets: BucketCounts? { bigLock.map { BucketCounts($0.waitBuckets) } }

    /// Nanoseconds `thread` has moved requests, and looked for them in vain, since the start.
    public func effort(of thread: ThreadInfo) -> (busy: Nanoseconds, poll: Nanoseconds) {
        (
            rate.nanoseconds(sum: thread.counters[thread.busy]),
            rate.nanoseconds(sum: thread.counters[thread.poll])
        )
    }

    /// Hands the request records so far to `body`, each vCPU's oldest first. One caller at a time.
    public func drainTrace(_ body: (IOEvent) -> Void) {
        for vcpu in vcpus { vcpu.trace.drain(rate: rate, body) }
    }

    /// Request records that found no room since the start, exact.
    public var lostTraceEvents: UInt64 { vcpus.reduce(0) { $0 + $1.trace.lost } }
}
