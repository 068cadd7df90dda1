import Kernel
public import Telemetry
import Virtio

/// How an engine runs.
public struct EngineConfiguration: Sendable {
    public var luns: [LUNConfiguration]
    /// vCPU threads of the simulated guest; LUNs are dealt out to them in turn.
    public var vcpus = 2
    public var deviceWait = WaitMode.yield
    public var guestWait = WaitMode.yield
    /// The longest time to poll before sleeping, nanoseconds; QEMU's default for poll-max-ns.
    public var pollLimit: Nanoseconds = 1_000_000
    public var trace = TraceMode.stages
    /// Request records a vCPU's trace ring holds.
    public var traceCapacity = 1 << 16

    /// An engine with these LUNs.
    public init(luns: [LUNConfiguration]) { self.luns = luns }
}

/// A running data plane: its devices, its guest, and what can be read of them from any thread.
public final class Engine: Sendable {
    /// A thread of the engine.
    public struct ThreadInfo: Sendable {
        public let tid: Int
        public let role: ThreadActivity.Role
        public let name: String
        /// Indices of the LUNs it serves.
        public let luns: [Int]
        let counters: SharedWords
        let busy: Int
        let poll: Int
    }

    /// Errors of an engine's configuration.
    public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    private let configuration: EngineConfiguration
    private let orders: Orders
    let luns: [LUNShared]
    private let vcpus: [VCPU]
    /// Kernel ids of the threads: the vCPUs', then the devices'; 0 until a thread runs.
    private let tids: SharedWords
    private let firstReading = TickRate.Reading.now()
    private let hasStarted = Lock(false)
    private let threads = Lock<(vcpus: [PThread], devices: [PThread])>(([], []))
    /// How ticks become time; measured when the engine started.
    private let tickRate = Lock<TickRate?>(nil)

    /// Sets up devices and guest; nothing runs yet.
    public init(_ configuration: EngineConfiguration) throws {
        try configuration.check()
        self.configuration = configuration
        orders = try Orders()
        orders.trace = configuration.trace
        let vcpuCount = max(1, min(configuration.vcpus, configuration.luns.count))
        let doorbells = try (0..<vcpuCount).map { _ in try EventDescriptor() }
        var luns: [LUNShared] = []
        for (index, lun) in configuration.luns.enumerated() {
            luns.append(
                try LUNShared(
                    index: index, configuration: lun, interrupt: doorbells[index % vcpuCount],
                    orders: orders))
        }
        self.luns = luns
        var vcpus: [VCPU] = []
        for index in 0..<vcpuCount {
            let mine = luns.filter { $0.index % vcpuCount == index }
            vcpus.append(
                try VCPU(
                    index: index, luns: mine, doorbell: doorbells[index],
                    trace: try TraceRing(capacity: configuration.traceCapacity)))
        }
        self.vcpus = vcpus
        tids = try SharedWords(count: vcpuCount + luns.count)
    }

    // MARK: Running

    /// Starts all threads, once in an engine's life. Where one cannot be started, those that were
    /// are stopped again before this throws.
    public func start() throws {
        let isFirst = hasStarted.withLock { hasStarted in
            defer { hasStarted = true }
            return !hasStarted
        }
        guard isFirst else {
            throw ConfigurationError(description: "an engine starts once; make a new one")
        }
        do { try startThreads() } catch {
            stop()
            throw error
        }
    }

    /// Devices first, so that no kick finds nobody.
    private func startThreads() throws {
        let rate = TickRate(since: firstReading)
        tickRate.withLock { $0 = rate }
        let pollTicks = rate.ticks(configuration.pollLimit)
        for lun in luns {
            let thread = try startDevice(lun, pollTicks: pollTicks)
            threads.withLock { $0.devices.append(thread) }
        }
        let origin = Clock.monotonic()
        for vcpu in vcpus {
            let (orders, tids, mode) = (self.orders, self.tids, configuration.guestWait)
            let thread = try PThread(name: "vcpu\(vcpu.index)") {
                tids[vcpu.index] = UInt64(PThread.currentID)
                var loop = VCPULoop(
                    vcpu: vcpu, orders: orders, waitMode: mode, pollTicks: pollTicks,
                    rate: rate, origin: origin)
                loop.run(patience: 1_000_000_000)
            }
            threads.withLock { $0.vcpus.append(thread) }
        }
    }

    private func startDevice(_ lun: LUNShared, pollTicks: UInt64) throws -> PThread {
        let (size, event) = (lun.configuration.queueSize, lun.doorbell)
        switch lun.configuration.backend {
        case .null: return try startDevice(lun, on: NullBackend(), pollTicks)
        case .memory(let byteCount):
            let disk = try SharedMapping(byteCount: Int(byteCount))
            return try startDevice(lun, on: MemoryBackend(disk: disk), pollTicks)
        case .file(let file, let access):
            switch access.model {
            case .aio:
                return try startDevice(
                    lun, file, access, try AIOContext(capacity: size, signalling: event), pollTicks)
            case .threads:
                return try startDevice(
                    lun, file, access, try WorkerPool(capacity: size, signalling: event), pollTicks)
            case .ioUring:
                return try startDevice(
                    lun, file, access, try UringContext(capacity: size, signalling: event),
                    pollTicks)
            }
        }
    }

    private func startDevice<Requests: FileRequests & ~Copyable>(
        _ lun: LUNShared, _ file: BackingFile, _ access: FileAccess,
        _ requests: consuming sending Requests, _ pollTicks: UInt64
    ) throws -> PThread {
        let (size, segments) = (lun.configuration.queueSize, lun.configuration.segmentLimit)
        switch access.format {
        case .raw:
            return try startDevice(
                lun,
                on: FileBackend(
                    file: file, cache: access.cache, requests: requests, queueSize: size,
                    segmentLimit: segments),
                pollTicks)
        case .qcow2:
            return try startDevice(
                lun,
                on: Qcow2Backend(
                    file: file, cache: access.cache, requests: requests, queueSize: size,
                    segmentLimit: segments),
                pollTicks)
        }
    }

    private func startDevice<B: Backend & ~Copyable>(
        _ lun: LUNShared, on backend: consuming sending B, _ pollTicks: UInt64
    ) throws -> PThread {
        let (tids, mode) = (self.tids, configuration.deviceWait)
        let slot = vcpus.count + lun.index
        let handover = Handover(backend)
        return try PThread(name: "io \(lun.configuration.id)") {
            tids[slot] = UInt64(PThread.currentID)
            guard let backend = handover.take() else { return }
            var device = Device(
                shared: lun, backend: backend, waitMode: mode, pollTicks: pollTicks)
            device.run()
        }
    }

    /// Stops the guest, waits up to a second for requests in flight, then stops the devices.
    /// Afterwards all backing files may be closed.
    public func stop() {
        let threads = self.threads.withLock { running in
            defer { running = ([], []) }
            return running
        }
        orders.guestStops = true
        for vcpu in vcpus { vcpu.doorbell.signal() }
        for thread in threads.vcpus { thread.join() }
        orders.devicesStop = true
        for lun in luns { lun.doorbell.signal() }
        for thread in threads.devices { thread.join() }
    }

    // MARK: Reading

    /// How ticks become time.
    private var rate: TickRate {
        tickRate.withLock { $0 } ?? TickRate(from: firstReading, to: .now())
    }

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
        tickRate.withLock { $0 = $0?.anchored(at: .now()) }
    }

    /// Memory of the simulated guest: rings, requests and their data, bytes.
    public var guestMemoryBytes: UInt64 {
        luns.reduce(0) { $0 + UInt64($1.memory.mapping.byteCount) }
    }

    /// One reading of LUN `index`'s counters; callable from any thread, disturbs none.
    public func counters(ofLUN index: Int) -> LUNCounters { luns[index].counters.read(rate: rate) }

    /// Where LUN `index`'s virtqueue is, for who looks at it from another process.
    public func ringPlace(ofLUN index: Int) -> EngineRing {
        let (lun, memory) = (luns[index], luns[index].memory)
        return EngineRing(
            size: lun.configuration.queueSize, features: lun.configuration.features,
            descriptors: memory.descriptors, avail: memory.avail, used: memory.used,
            host: UInt64(memory.mapping.address), byteCount: UInt64(memory.mapping.byteCount))
    }

    /// LUN `index`'s virtqueue as its observer sees it, and what the device has not popped yet.
    public func virtqueue(ofLUN index: Int) -> Virtqueue {
        let popped = UInt16(truncatingIfNeeded: luns[index].counters[DeviceCounter.popped])
        var queue = luns[index].observer.observe()
        queue.waiting = min(Int(queue.availIndex &- popped), queue.inFlight)
        return queue
    }

    /// Requests of LUN `index` since the start by time in `stage`, in the layout of
    /// `LatencyBuckets`.
    public func stageBuckets(_ stage: StageTimes.Stage, ofLUN index: Int) -> [UInt64] {
        luns[index].counters.stageBuckets(stage)
    }

    /// Reads that did not give what was last written; only LUNs whose jobs verify count any.
    public func mismatches(ofLUN index: Int) -> UInt64 {
        luns[index].counters[DriverCounter.mismatches]
    }

    /// Chains of LUN `index` that were given back unserved.
    public func malformed(ofLUN index: Int) -> UInt64 {
        luns[index].counters[DeviceCounter.malformed]
    }

    /// Whether LUN `index`'s queue broke: its ring was incoherent and is no longer served.
    public func isBroken(_ index: Int) -> Bool {
        luns[index].counters[DeviceCounter.isBroken] != 0
            || luns[index].counters[DriverCounter.isBroken] != 0
    }

    /// All threads that have begun to run.
    public var threadInfos: [ThreadInfo] {
        let guests = vcpus.map { vcpu in
            ThreadInfo(
                tid: Int(tids[vcpu.index]), role: .vcpu, name: "vcpu\(vcpu.index)",
                luns: vcpu.luns.map(\.index), counters: vcpu.counters,
                busy: VCPUCounter.busyTicks.rawValue, poll: VCPUCounter.pollTicks.rawValue)
        }
        let devices = luns.map { lun in
            ThreadInfo(
                tid: Int(tids[vcpus.count + lun.index]), role: .iothread,
                name: "io \(lun.configuration.id)", luns: [lun.index],
                counters: lun.counters.device, busy: DeviceCounter.busyTicks.rawValue,
                poll: DeviceCounter.pollTicks.rawValue)
        }
        return (guests + devices).filter { $0.tid > 0 }
    }

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

/// Carries a value that cannot be copied into a thread's closure; it is taken once.
private final class Handover<Value: ~Copyable>: Sendable {
    private let slot: Lock<Value?>
    init(_ value: consuming sending Value) { slot = Lock(Optional(value)) }
    func take() -> Value? { slot.withLock { $0.take() } }
}
