public import DataPlane
import Host
import Kernel
import Rings
public import Telemetry

/// The running demo, sampled. One thread owns it; taking a sample disturbs no thread of the engine.
public struct DemoSource {
    /// The engine that is watched; stop it with `stop`.
    public let engine: Engine
    /// The requests of the engine, one by one.
    public let requests: DemoRequests
    /// Tells other processes where the engine's virtqueues are; without it all else works.
    private let notice: MemoryNote?
    private let luns: [LUN]
    private let configuration: EngineConfiguration
    private var previous: [LUNCounters?]
    private var previousEffort: [Int: (at: Nanoseconds, busy: Nanoseconds, poll: Nanoseconds)] = [:]
    private var previousTime: Nanoseconds?
    private var sequence: UInt64 = 0
    private var threads: ThreadSampler
    private var watchedThreads = 0
    private var cpu = HostCPU()
    private var cost: SelfCost
    private var hostFacts = HostFacts()
    private var facts = FactBook()

    /// Sets the engine up and starts it. `ownThreads` are the kernel ids of vblktop's own threads,
    /// whose cost is shown with each sample.
    public init(_ configuration: DemoConfiguration, ownThreads: [Int]) throws {
        let backends = try BackingStore(configuration: configuration).backends()
        let engineConfiguration = configuration.engineConfiguration(on: backends)
        self.configuration = engineConfiguration
        engine = try Engine(engineConfiguration)
        luns = engineConfiguration.luns.map(Self.describe)
        requests = DemoRequests(engine, lunNames: luns.map(\.id))
        previous = Array(repeating: nil, count: luns.count)
        threads = ThreadSampler(pid: Process.id)
        cost = SelfCost(tids: ownThreads)
        notice = try? MemoryNote(
            RingNotice.fileName, RingNotice(engine, luns.map(\.id)).text)
        try engine.start()
    }

    /// Ends the guest's load and the devices; backing files are gone afterwards.
    public func stop() { engine.stop() }

    private static func describe(_ configuration: LUNConfiguration) -> LUN {
        var lun = LUN(id: configuration.id, device: "virtio-blk (embedded)")
        lun.queues = configuration.queues
        lun.queueSize = configuration.queueSize
        lun.ioThread = "io \(configuration.id)"
        lun.format = "raw"
        switch configuration.backend {
        case .null: lun.file = "null"
        case .memory: lun.file = "memory"
        case .file(let file, let access):
            lun.file = file.name
            if access.format != .raw { lun.format = "qcow2" }
            lun.cache = access.cache.rawValue
            lun.aio = access.model.nameInQEMU
        }
        if let service = configuration.serviceTime {
            let stall =
                service.stallFor > 0 ? ", stalls of \(service.stallFor / 1_000_000) ms" : ""
            lun.modelled = "service time \(service.mean / 1000) us added" + stall
        }
        return lun
    }

    /// One sample. The first has no rates.
    public mutating func sample() -> Snapshot {
        let begin = Clock.monotonic()
        sequence += 1
        engine.calibrate()
        var snapshot = Snapshot(
            source: Source(kind: .demo, name: "demo"), sequence: sequence, monotonic: begin,
            wallClock: Clock.wall(),
            interval: previousTime.flatMap { RateInterval(from: $0, to: begin)?.seconds })
        previousTime = begin
        snapshot.vms = [
            VirtualMachine(
                name: "demo", pid: Process.id, version: vblktopVersion, accelerator: .embedded,
                status: "running", vcpus: min(configuration.vcpus, luns.count),
                memoryBytes: engine.guestMemoryBytes)
        ]
        snapshot.luns = sampleLUNs()
        snapshot.total = BlockRates(summing: snapshot.luns)
        snapshot.threads = sampleThreads()
        snapshot.host = Telemetry.Host(cpuPercent: cpu.sample())
        let cpus = snapshot.threads.servingCPUs
        facts.write("host", hostFacts.update(disks: [], servingCPUs: cpus, now: begin))
        snapshot.facts = facts.sheet()
        let skew = Clock.monotonic() - begin
        snapshot.ownCost = cost.sample(clock: Clock.monotonic)
        snapshot.ownCost.skew = skew
        snapshot.ownCost.lostEvents = engine.lostTraceEvents
        snapshot.unavailable = unavailable
        return snapshot
    }

    private mutating func sampleLUNs() -> [LUN] {
        luns.indices.map { index in
            var lun = luns[index]
            lun.virtqueues = engine.virtqueues(ofLUN: index)
            let counters = engine.counters(ofLUN: index)
            lun.derive(from: previous[index], to: counters)
            previous[index] = counters
            return lun
        }
    }

    /// The engine's threads, which all run before the second sample.
    private mutating func sampleThreads() -> [ThreadActivity] {
        let infos = engine.threadInfos
        if infos.count != watchedThreads {
            watchedThreads = infos.count
            threads.watch(
                infos.map { info in
                    WatchedThread(
                        tid: info.tid, role: info.role, name: info.name,
                        luns: info.luns.map { luns[$0].id })
                })
        }
        let byTID = Dictionary(infos.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
        return threads.sample(clock: Clock.monotonic).map { thread in
            var thread = thread
            if let info = byTID[thread.tid] { addEffort(of: info, to: &thread) }
            return thread
        }
    }

    /// What the engine knows of its threads and the kernel does not: moving requests, or looking
    /// for them.
    private mutating func addEffort(of info: Engine.ThreadInfo, to thread: inout ThreadActivity) {
        let now = Clock.monotonic()
        let effort = engine.effort(of: info)
        if let before = previousEffort[info.tid],
            let interval = RateInterval(from: before.at, to: now)
        {
            thread.busyPercent = interval.percent(before.busy, effort.busy).map { min($0, 100) }
            thread.pollPercent = interval.percent(before.poll, effort.poll).map { min($0, 100) }
        }
        previousEffort[info.tid] = (now, effort.busy, effort.poll)
    }

    private var unavailable: [Unavailable] {
        var result = threads.unavailable
        if let reason = cpu.unavailable { result.append(reason) }
        if let reason = cost.unavailable { result.append(reason) }
        let noLocks = "the data plane takes no locks"
        result.append(Unavailable(metric: "lock_waits_per_s", reason: noLocks))
        result.append(Unavailable(metric: "lock_wait_percent", reason: noLocks))
        result.append(
            Unavailable(
                metric: "host.disks", reason: "the demo does not look at the host's disks",
                remedy: "see iostat -x"))
        if engine.trace == .off {
            result.append(
                Unavailable(
                    metric: "stage_us", reason: "tracing is off", remedy: "--trace stages"))
        }
        return result
    }
}
