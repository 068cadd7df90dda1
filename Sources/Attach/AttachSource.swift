import Host
import Kernel
import Probes
import Rings
public import Telemetry

/// One or more running VMs, sampled. One thread owns it; nothing it does waits for a VM longer than
/// a part of the interval.
public struct AttachSource {
    /// What a sample waits for answers: a quarter of the interval, and at most this, nanoseconds.
    private static let patience: Nanoseconds = 250_000_000
    /// Likewise for the first, which is to be whole, nanoseconds.
    private static let firstPatience: Nanoseconds = 60_000_000

    /// How long recorded events wait to be taken, and how long while each is kept, nanoseconds.
    private static let ringPatience: Nanoseconds = 100_000_000
    private static let tracePatience: Nanoseconds = 20_000_000

    var watches: [VMWatch]
    let configuration: AttachConfiguration
    private var interval: Nanoseconds
    private var cpu = HostCPU()
    private var disks = HostDisks()
    private var kernel = KernelWatch()
    /// LUNs whose requests may be found among those of the host's disks.
    private var joinTargets: [JoinTarget] = []
    private var interrupts = InterruptCounts()
    private var cost: SelfCost
    private var hostFacts = HostFacts(memoryPromise: promisedMemory)
    private var facts = FactBook()
    private var previousTime: Nanoseconds?
    private var sequence: UInt64 = 0
    /// Looks at the virtqueues; `nil` where that was not asked for, or cannot be.
    let rings: RingWatch?

    /// Attaches to the VMs of `configuration`. `ownThreads` are the kernel ids of vblktop's own
    /// threads, whose cost is shown.
    ///
    /// Throws `NoQEMU` if a process asked for is not there, or is no QEMU, and `UnreachableVM` if a
    /// socket cannot be connected to and no process on this host listens there. A VM that is there
    /// and does not answer is no error: the samples say so, and what else is known of it.
    public init(_ configuration: AttachConfiguration, ownThreads: [Int]) throws {
        self.configuration = configuration
        interval = configuration.sampleInterval
        for case .process(let pid) in configuration.targets { try checkQEMU(pid) }
        watches = configuration.targets.enumerated().map { index, target in
            let agents = configuration.agents
            return VMWatch(
                target, configuration, agent: index < agents.count ? agents[index] : nil)
        }
        rings = RingWatch(configuration)
        cost = SelfCost(tids: ownThreads + [rings?.sampler.threadID].compactMap(\.self))
        kernel.enable(configuration.keepsTracepoints)
        for index in watches.indices { try watches[index].open(now: Clock.monotonic()) }
    }

    /// One sample. The first has no rates.
    public mutating func sample() -> Snapshot {
        let begin = Clock.monotonic()
        sequence += 1
        for index in watches.indices { watches[index].begin(now: begin) }
        var snapshot = Snapshot(
            source: Source(kind: .qmp, name: name), sequence: sequence, monotonic: begin,
            wallClock: Clock.wall(),
            interval: previousTime.flatMap { RateInterval(from: $0, to: begin)?.seconds })
        previousTime = begin
        snapshot.host = Telemetry.Host(
            disks: disks.sample(clock: Clock.monotonic), cpuPercent: cpu.sample())
        snapshot.eventCounts = interrupts.sample(clock: Clock.monotonic)
        gather(
            until: begin
                + (sequence == 1 ? Self.firstPatience : min(interval / 4, Self.patience)))
        joinTargets = []
        for index in watches.indices { add(index, to: &snapshot) }
        snapshot.inFlight.sort { $0.age > $1.age }
        snapshot.slowest.sort { $0.request.latency ?? 0 > $1.request.latency ?? 0 }
        for index in snapshot.host.disks.indices {
            let name = snapshot.host.disks[index].name
            snapshot.host.disks[index].luns =
                snapshot.luns.filter { $0.hostDisk == name }.map(\.qualifiedID)
        }
        kernel.add(
            to: &snapshot, sampler: rings?.sampler, targets: joinTargets, clock: Clock.monotonic)
        snapshot.total = BlockRates(summing: snapshot.luns)
        snapshot.facts = gatherFacts(about: snapshot)
        let skew = Clock.monotonic() - begin
        let lost = snapshot.ownCost.lostEvents
        snapshot.ownCost = cost.sample(clock: Clock.monotonic)
        snapshot.ownCost.skew = skew
        snapshot.ownCost.lostEvents = lost
        snapshot.unavailable += disks.unavailable + interrupts.unavailable
        snapshot.unavailable += configuration.probeErrors.map {
            Unavailable(metric: "probe_columns", reason: clean($0.description))
        }
        if let reason = cpu.unavailable { snapshot.unavailable.append(reason) }
        if let reason = cost.unavailable { snapshot.unavailable.append(reason) }
        return snapshot
    }

    /// Rests until `deadline` (`CLOCK_MONOTONIC` nanoseconds) or until the descriptor `wake` is
    /// readable, and meanwhile takes what the VMs send.
    public mutating func rest(until deadline: Nanoseconds, wake: Int32) {
        while Clock.monotonic() < deadline {
            if wait(until: deadline, wake: wake) { return }
            step()
            for index in watches.indices { watches[index].drainRings(now: Clock.monotonic()) }
            kernel.drain()
        }
    }

    /// Whether a VM has not told yet all that it is made of.
    public var isLearning: Bool { watches.contains(where: \.isLearning) }

    /// Samples will be `interval` nanoseconds apart from now on.
    public mutating func change(interval: Nanoseconds) {
        self.interval = interval
        for index in watches.indices { watches[index].cadence.wanted = interval }
    }

    /// Opens or closes the tracepoints, and loads the BPF programs or takes them out.
    public mutating func enableTracepoints(_ isOn: Bool) {
        kernel.enable(isOn || configuration.keepsTracepoints)
        for index in watches.indices {
            watches[index].probes.enableTracepoints(isOn || configuration.keepsTracepoints)
        }
    }

    /// Takes back what was changed in the VMs, if anything was, and closes the connections. Returns
    /// what could not be taken back within two seconds, a line for each thing, and what to do
    /// about it.
    public mutating func finish() -> [String] {
        let limit = Clock.monotonic() + 2_000_000_000
        while watches.contains(where: \.isUndoing), Clock.monotonic() < limit {
            for index in watches.indices { watches[index].undo(now: Clock.monotonic()) }
            _ = wait(until: limit, wake: -1)
            step()
        }
        // Nobody will know more of requests that are held.
        rings?.sampler.hold(false)
        rings?.stop()
        for index in watches.indices {
            watches[index].link?.close()
            watches[index].guest?.close()
        }
        return watches.flatMap(\.leftovers)
    }

    private var name: String {
        watches.count == 1 ? watches[0].name : "\(watches.count) VMs"
    }

    /// VMs of the same name are told apart by a number.
    func name(ofWatch index: Int) -> String {
        let name = watches[index].name
        let before = watches[..<index].count { $0.name == name }
        return before == 0 ? name : "\(name)#\(before + 1)"
    }

    /// Takes what comes until every VM has said what the sample needs, or `deadline` is there.
    private mutating func gather(until deadline: Nanoseconds) {
        while watches.contains(where: \.isWaiting) {
            guard Clock.monotonic() < deadline else { return }
            _ = wait(until: deadline, wake: -1)
            step()
            for index in watches.indices { watches[index].trace?.drain(now: Clock.monotonic()) }
        }
    }

    /// Takes what has come from every VM.
    private mutating func step() {
        for index in watches.indices { watches[index].step(now: Clock.monotonic()) }
    }

    /// Waits for input of any VM, for a deadline of a connection, for `wake` or for `deadline`;
    /// returns whether it was `wake`.
    private func wait(until deadline: Nanoseconds, wake: Int32) -> Bool {
        let links = watches.compactMap(\.link)
        let agents = watches.compactMap(\.guest?.link)
        // What did not fit into a socket is tried again soon.
        let isFull = links.contains(where: \.wantsWrite) || agents.contains(where: \.wantsWrite)
        let retry = isFull ? Clock.monotonic() &+ 10_000_000 : deadline
        let next =
            (links.compactMap(\.nextDeadline) + agents.compactMap(\.nextDeadline)).min()
            ?? deadline
        let now = Clock.monotonic()
        // Rings of recorded events are soon full.
        let hasRings =
            kernel.joined.isRecording || watches.contains { $0.probes.tracepointsAreOn }
        let isTracing = watches.contains { $0.trace?.isOn ?? false }
        let drain =
            isTracing
            ? now &+ Self.tracePatience : hasRings ? now &+ Self.ringPatience : deadline
        let end = min(deadline, retry, drain, max(next, now &+ 1_000_000))
        guard end > now else { return false }
        let descriptors =
            [wake] + watches.map(\.descriptor) + agents.map { $0.descriptor ?? -1 }
        let ready = try? waitForInput(
            descriptors, timeout: .nanoseconds(Int64(clamping: end - now)))
        return ready?.first?.isReadable ?? false
    }

    /// What is known besides the numbers of this sample: a sheet that is shared with the sample
    /// before where nobody has news.
    private mutating func gatherFacts(about snapshot: Snapshot) -> FactSheet {
        let disks = Set(snapshot.luns.compactMap(\.hostDisk)).sorted()
        let news = hostFacts.update(
            disks: disks, servingCPUs: snapshot.threads.servingCPUs, now: Clock.monotonic())
        facts.write("host", news)
        for index in watches.indices {
            let name = watches.count > 1 ? name(ofWatch: index) : nil
            for (title, news) in watches[index].news(at: Clock.monotonic()) {
                facts.write("\(title) \(index)", news.map { $0.belonging(to: name) })
            }
        }
        return facts.sheet()
    }

    /// Adds what VM number `index` has to say. With several, everything says whose it is.
    private mutating func add(_ index: Int, to snapshot: inout Snapshot) {
        var reading = watches[index].reading(now: Clock.monotonic())
        addRings(index, to: &reading)
        if watches.count > 1 { reading.belong(to: name(ofWatch: index)) }
        if kernel.isOn {
            joinTargets += reading.luns.filter { $0.sectorProblem == nil }.compactMap { lun in
                JoinTarget(lun, watches[index].process?.opening(of: lun))
            }
        }
        snapshot.vms.append(reading.vm)
        snapshot.luns += reading.luns
        snapshot.threads += reading.threads
        snapshot.locks += reading.locks
        snapshot.inFlight += reading.inFlight
        snapshot.slowest += reading.slowest
        for column in reading.probeColumns where !snapshot.probeColumns.contains(column) {
            snapshot.probeColumns.append(column)
        }
        snapshot.ownCost.lostEvents &+= reading.lostEvents
        snapshot.eventCounts += reading.eventCounts
        snapshot.notices += reading.notices
        snapshot.sources += reading.sources
        for missing in reading.unavailable where !snapshot.unavailable.contains(missing) {
            snapshot.unavailable.append(missing)
        }
    }
}

/// Why a process cannot be attached to.
public struct NoQEMU: Error, CustomStringConvertible {
    public let pid: Int
    public let reason: String

    public var description: String {
        "process \(pid) \(reason); `vblktop list` shows the VMs that run here"
    }
}

/// Why there is nothing to attach to behind an address.
public struct UnreachableVM: Error, CustomStringConvertible {
    public let address: QMPAddress
    /// What was tried, why it failed, and what to do.
    public let reason: String

    /// `problem` is what connecting came to. The kernel says of a file that is no socket that
    /// nobody listens.
    init(_ address: QMPAddress, problem: String) {
        self.address = address
        if case .path(let path) = address, let status = try? FileStatus(of: path),
            status.kind != .socket
        {
            reason = "\(path) is no socket; name the one QEMU made, as by -qmp unix:PATH,server=on"
        } else {
            reason = problem
        }
    }

    public var description: String {
        "\(clean(reason)); `vblktop list` shows the VMs that run here"
    }
}

private func checkQEMU(_ pid: Int) throws {
    guard let arguments = commandLine(ofProcess: pid, open: openTextFile) else {
        throw NoQEMU(pid: pid, reason: "is not there")
    }
    guard isQEMU(arguments) || PublishedRings(ofProcess: pid) != nil else {
        throw NoQEMU(pid: pid, reason: "is no QEMU, and no demo of vblktop that may be looked at")
    }
}

extension VMReading {
    /// Marks everything as that of the VM called `name`.
    fileprivate mutating func belong(to name: String) {
        vm.name = name
        for index in luns.indices { luns[index].vm = name }
        for index in threads.indices { threads[index].vm = name }
        for index in locks.indices { locks[index].vm = name }
        for index in eventCounts.indices { eventCounts[index].vm = name }
        for index in notices.indices { notices[index].vm = name }
        for index in sources.indices { sources[index].vm = name }
    }
}

extension [Fact] {
    /// Facts of one VM as those of the VM called `name`.
    fileprivate func belonging(to name: String?) -> [Fact] {
        guard let name else { return self }
        return map { fact in
            var fact = fact
            fact.subject.vm = name
            return fact
        }
    }
}
