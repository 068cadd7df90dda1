import Kernel
public import Telemetry
import Virtio

/// How an engine runs.
public struct EngineConfiguration: Sendable {
    public var luns: [LUNConfiguration]
    /// vCPU threads of the simulated guest; queues are dealt out to them in turn.
    public var vcpus = 2
    /// IOThreads that the data-plane's queues are dealt out to; `nil` gives each its own.
    public var ioThreads: Int?
    public var deviceWait = WaitMode.yield
    public var guestWait = WaitMode.yield
    /// The longest time to poll before sleeping, nanoseconds; QEMU's default for poll-max-ns.
    public var pollLimit: Nanoseconds = 1_000_000
    public var costs = ModelledCosts()
    public var trace = TraceMode.stages
    /// Request records a vCPU's trace ring holds.
    public var traceCapacity = 1 << 16
    /// Whether the memory of virtqueues and their requests is a sealed file that others may map, as
    /// that of a VM with memory-backend-memfd is. Who looks at the virtqueues from another process
    /// has them cheaper then; as the process's own, the memory may be of huge pages. Where the
    /// kernel gives no such file it is the process's own.
    public var sharesMemory = false

    /// An engine with these LUNs.
    public init(luns: [LUNConfiguration]) { self.luns = luns }

    /// vCPUs that have something to do.
    var vcpuCount: Int { max(1, min(vcpus, luns.reduce(0) { $0 + $1.queues })) }
}

/// A running data plane: its devices, its guest, and what can be read of them from any thread.
public final class Engine: Sendable {
    /// Errors of an engine's configuration.
    public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    let configuration: EngineConfiguration
    let orders: Orders
    /// The queues of each LUN.
    let queues: [[QueueShared]]
    let vcpus: [VCPU]
    let services: [Service]
    let bigLock: CountedLock?
    let controller: SCSIController?
    /// Kernel ids of the threads: the vCPUs', then the services'; 0 until a thread runs.
    let tids: SharedWords
    private let hasStarted = Lock(false)
    private let threads = Lock<(vcpus: [PThread], services: [PThread])>(([], []))
    /// How ticks become time.
    let tickRate: Lock<TickRate>

    /// Sets up devices and guest; nothing runs yet.
    public init(_ configuration: EngineConfiguration) throws {
        let firstReading = TickRate.Reading.now()
        try configuration.check()
        self.configuration = configuration
        let orders = try Orders()
        orders.trace = configuration.trace
        self.orders = orders
        let vcpuCount = configuration.vcpuCount
        let doorbells = try (0..<vcpuCount).map { _ in try EventDescriptor() }
        let rate = TickRate(since: firstReading)
        tickRate = Lock(rate)
        // One thread more than vCPUs: the main loop.
        let lock =
            configuration.luns.contains { $0.path.takesBigLock }
            ? try CountedLock(threads: vcpuCount + 1, rate: rate) : nil
        bigLock = lock
        let shares = try ServiceShares(configuration)
        let controller = try SCSIController(configuration, doorbells: doorbells)
        self.controller = controller
        let file = configuration.sharesMemory ? try? MemoryFile("vblktop-guest") : nil
        queues = try configuration.luns.enumerated().map { index, lun in
            try (0..<lun.queues).map { number in
                let vcpu = (index + number) % vcpuCount
                // Who serves the queue listens there; nil for a doorbell of its own.
                let doorbell =
                    switch lun.path {
                    case .passThrough: doorbells[vcpu]
                    case .virtioSCSI: controller?.doorbell
                    default: shares.doorbell(ofLUN: index, queue: number)
                    }
                return try QueueShared(
                    index: index, number: number, vcpu: vcpu, configuration: lun,
                    memory: controller?.memory(ofLUN: index), doorbell: doorbell,
                    interrupt: doorbells[vcpu], orders: orders, costs: configuration.costs,
                    bigLock: lun.path.takesBigLock ? lock : nil,
                    requestLock: lun.driver == .request
                        ? try CountedLock(threads: 1, rate: rate) : nil, file: file)
            }
        }
        file?.sealSize()
        let all = queues.joined()
        vcpus = try (0..<vcpuCount).map { index in
            try VCPU(
                index: index, queues: all.filter { $0.vcpu == index }, doorbell: doorbells[index],
                trace: try TraceRing(capacity: configuration.traceCapacity))
        }
        services = try shares.services(of: queues, controller)
        tids = try SharedWords(count: vcpuCount + services.count)
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
        let rate = tickRate.withLock { $0 }
        let pollTicks = rate.ticks(configuration.pollLimit)
        var disks = MemoryDisks()
        let channels = try ideControllers(&disks)
        for (index, service) in services.enumerated() {
            let body = try work(of: service, pollTicks: pollTicks, &disks, channels)
            let (tids, tid) = (self.tids, vcpus.count + index)
            let thread = try PThread(name: service.name) {
                tids[tid] = UInt64(PThread.currentID)
                body()
            }
            threads.withLock { $0.services.append(thread) }
        }
        let origin = Clock.monotonic()
        for vcpu in vcpus {
            let (orders, tids, mode) = (self.orders, self.tids, configuration.guestWait)
            let ways = Handover(try self.ways(of: vcpu, &disks, channels))
            let thread = try PThread(name: "vcpu\(vcpu.index)") {
                tids[vcpu.index] = UInt64(PThread.currentID)
                guard let ways = ways.take() else { return }
                var loop = VCPULoop(
                    vcpu: vcpu, ways: ways, orders: orders, waitMode: mode,
                    pollTicks: pollTicks, rate: rate, origin: origin)
                loop.run(patience: 1_000_000_000)
            }
            threads.withLock { $0.vcpus.append(thread) }
        }
    }

    /// What the thread of `service` does, with devices made for it alone.
    private func work(
        of service: Service, pollTicks: UInt64, _ disks: inout MemoryDisks,
        _ channels: [Int: IDEController]
    ) throws -> @Sendable () -> Void {
        let mode = service.waitMode ?? configuration.deviceWait
        let (orders, counters) = (self.orders, service.counters)
        switch service.kind {
        case .device:
            let devices = Handover(try blockDevices(of: service, mode, pollTicks, &disks))
            return { for device in devices.take() ?? [] { device.run() } }
        case .ioThread(let doorbell):
            let devices = Handover(try blockDevices(of: service, mode, pollTicks, &disks))
            return {
                var loop = IOThreadLoop(
                    devices: devices.take() ?? [], doorbell: doorbell, orders: orders,
                    waitMode: mode, pollTicks: pollTicks, counters: counters)
                loop.run()
            }
        case .controller(let controller):
            let adapter = Handover(try self.adapter(of: controller, service, &disks))
            return {
                guard let adapter = adapter.take() else { return }
                var loop = IOThreadLoop(
                    devices: [adapter], doorbell: adapter.doorbell, orders: orders,
                    waitMode: mode, pollTicks: pollTicks, counters: counters)
                loop.run()
            }
        case .mainLoop:
            guard let bigLock else { return {} }
            let thread = vcpus.count
            let devices = Handover(try blockDevices(of: service, mode, pollTicks, &disks))
            let drives = service.queues.compactMap { channels[$0.index] }
            return {
                let devices: [any LockedDevice] = devices.take() ?? []
                var loop = MainLoop(
                    devices: devices + drives, lock: bigLock, thread: thread, orders: orders,
                    counters: counters)
                loop.run()
            }
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
        for queue in queues.joined() { queue.doorbell.signal() }
        for thread in threads.services { thread.join() }
    }
}

/// Carries a value that cannot be copied into a thread's closure; it is taken once.
private final class Handover<Value: ~Copyable>: Sendable {
    private let slot: Lock<Value?>
    init(_ value: consuming sending Value) { slot = Lock(Optional(value)) }
    func take() -> sending Value? { slot.withLock { $0.take() } }
}
