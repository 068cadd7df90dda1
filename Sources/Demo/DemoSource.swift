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
    private var previous: [[LUNCounters]?]
    private var previousEffort: [Int: (at: Nanoseconds, busy: Nanoseconds, poll: Nanoseconds)] = [:]
    /// LUNs whose storage's fault was told.
    private var told: Set<Int> = []
    private var locks = LockWatch()
    private var events = PathEvents()
    private var previousTime: Nanoseconds?
    private var sequence: UInt64 = 0
    private var threads: ThreadSampler
    private var helpers: FileHelpers
    /// Kernel ids of the threads that are sampled.
    private var watched: [Int] = []
    private var cpu = HostCPU()
    private var cost: SelfCost
    private var hostFacts = HostFacts()
    private var facts = FactBook()

    /// Sets the engine up and starts it. `ownThreads` are the kernel ids of vblktop's own threads,
    /// whose cost is shown with each sample.
    public init(_ configuration: DemoConfiguration, ownThreads: [Int]) throws {
        if let fault = configuration.fault {
            throw BackingStore.Refusal(description: fault)
        }
        let backends = try BackingStore(configuration: configuration).backends()
        let engineConfiguration = configuration.engineConfiguration(on: backends)
        self.configuration = engineConfiguration
        let engine = try Engine(engineConfiguration)
        self.engine = engine
        luns = engineConfiguration.luns.enumerated().map { index, lun in
            LUN(lun, servedBy: engine.servers(ofLUN: index), costs: engineConfiguration.costs)
        }
        requests = DemoRequests(engine, lunNames: luns.map(\.id))
        previous = Array(repeating: nil, count: luns.count)
        threads = ThreadSampler(pid: Process.id)
        helpers = FileHelpers(engineConfiguration.luns)
        cost = SelfCost(tids: ownThreads)
        notice = try? MemoryNote(
            RingNotice.fileName, RingNotice(engine, luns.map(\.id)).text)
        writeFacts()
        try engine.start()
    }

    /// Ends the guest's load and the devices; backing files are gone afterwards.
    public func stop() { engine.stop() }

    /// What is set and stays so.
    private mutating func writeFacts() {
        let hasPVEOI = configuration.luns.allSatisfy(\.hasPVEOI)
        let machine = Fact(
            Subject(.vm), .cpuPVEOI, .flag(hasPVEOI), from: "the demo's options")
        let settings = zip(luns, configuration.luns).flatMap { lun, configuration in
            lun.facts(isReadOnly: configuration.backend.isReadOnly)
        }
        facts.write("engine", [machine] + settings)
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
                status: "running", vcpus: engine.vcpuCount,
                memoryBytes: engine.guestMemoryBytes)
        ]
        snapshot.luns = sampleLUNs()
        snapshot.total = BlockRates(summing: snapshot.luns)
        snapshot.eventCounts = sampleEvents()
        (snapshot.threads, snapshot.locks) = sampleThreads()
        snapshot.host = Telemetry.Host(cpuPercent: cpu.sample())
        let cpus = snapshot.threads.servingCPUs
        facts.write("host", hostFacts.update(disks: [], servingCPUs: cpus, now: begin))
        snapshot.facts = facts.sheet()
        let skew = Clock.monotonic() - begin
        snapshot.ownCost = cost.sample(clock: Clock.monotonic)
        snapshot.ownCost.skew = skew
        snapshot.ownCost.lostEvents = engine.lostTraceEvents
        snapshot.unavailable = unavailable
        snapshot.notices = faults(at: begin)
        return snapshot
    }

    /// What went wrong with the storage of LUNs since the last sample: a guest sees no more than an
    /// error.
    private mutating func faults(at now: Nanoseconds) -> [Notice] {
        luns.indices.compactMap { index in
            guard !told.contains(index), let fault = engine.storageFault(ofLUN: index) else {
                return nil
            }
            told.insert(index)
            return Notice(
                monotonic: now, severity: .critical,
                text: "requests of \(luns[index].id) fail: \(fault.harmless())")
        }
    }

    private mutating func sampleLUNs() -> [LUN] {
        luns.indices.map { index in
            var lun = luns[index]
            lun.virtqueues = engine.virtqueues(ofLUN: index)
            let counters = engine.queueCounters(ofLUN: index, after: previous[index])
            lun.derive(fromQueues: previous[index], to: counters)
            previous[index] = counters
            let path = configuration.luns[index].path
            for stage in StageTimes.Stage.allCases where !path.passes(stage) {
                lun.rates.stages?[stage] = nil
                lun.rates.stageQuality[stage] = .unknown
            }
            return lun
        }
    }

    private mutating func sampleEvents() -> [EventCount] {
        let efforts = configuration.luns.enumerated().map { index, lun in
            (path: lun.path, effort: engine.effort(ofLUN: index))
        }
        return events.update(efforts, now: Clock.monotonic())
    }

    /// The engine's threads, which all run before the second sample, and the lock that they share
    /// if their paths have one.
    private mutating func sampleThreads() -> ([ThreadActivity], [LockActivity]) {
        let infos = engine.threadInfos
        let lock = engine.lockWaitBuckets.map { buckets in
            locks.update(
                infos.compactMap { info in
                    info.lock.map { LockWatch.Taker(tid: info.tid, name: info.name, counts: $0) }
                }, buckets: buckets, now: Clock.monotonic())
        }
        let tasks = helpers.update()
        let all = infos.map(\.tid) + tasks.map(\.tid)
        if all != watched {
            watched = all
            threads.watch(
                infos.map { watch($0.tid, $0.role, $0.name, $0.luns) }
                    + tasks.map {
                        watch($0.tid, .worker, $0.name, helpers.luns(of: $0, among: infos))
                    })
        }
        let byTID = Dictionary(infos.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
        let activity = threads.sample(clock: Clock.monotonic).map { thread in
            var thread = thread
            if let info = byTID[thread.tid] { addEffort(of: info, to: &thread) }
            thread.lockWaits = locks.waits[thread.tid]?.perSecond
            thread.lockWaitPercent = locks.waits[thread.tid]?.percent
            return thread
        }
        return (activity, lock.map { [$0] } ?? [])
    }

    private func watch(
        _ tid: Int, _ role: ThreadActivity.Role, _ name: String, _ numbers: [Int]
    ) -> WatchedThread {
        WatchedThread(tid: tid, role: role, name: name, luns: numbers.map { luns[$0].id })
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
        if let reason = lockless {
            result.append(Unavailable(metric: "lock_waits_per_s", reason: reason))
            result.append(Unavailable(metric: "lock_wait_percent", reason: reason))
        }
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

    /// Why some threads have no waits for locks, or all; `nil` if all have.
    private var lockless: String? {
        let without = Set(configuration.luns.map(\.path)).filter { !$0.takesBigLock }
        guard !without.isEmpty else { return nil }
        if without.count == 1, without.contains(.dataPlane) {
            return "the data plane takes no locks"
        }
        let names = IOPath.allCases.filter(without.contains).map(\.rawValue)
        return "these paths take no locks: " + names.joined(separator: ", ")
    }
}
