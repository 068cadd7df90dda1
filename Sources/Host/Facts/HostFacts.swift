internal import Kernel
public import Telemetry

/// How much RAM a process was promised if these arguments started a VM, bytes; `nil` for any other
/// process. What a QEMU's command line means is not this room's to know.
public typealias MemoryPromise = @Sendable (_ arguments: [String]) -> UInt64?

extension Sequence<ThreadActivity> {
    /// The CPUs on which threads that bring requests on their way ran last, as far as is known:
    /// vCPUs, IOThreads, and threads of the engine's devices.
    public var servingCPUs: Set<Int> {
        Set(filter { [.vcpu, .iothread, .device].contains($0.role) }.compactMap(\.lastCPU))
    }
}

/// What the doctor goes by of a host and its disks: settings, limits and what moves slowly, read
/// from /proc and /sys.
///
/// Settings are read at the first call, when the disks differ, and every minute; what moves every
/// ten seconds. Long work goes by turns: of many disks, and of all processes, each call looks at
/// some. The cost is some 10 µs a file: 4 ms for a call in which all is due with 16 disks, 0.8 ms
/// for what moves on a small host, nothing in most calls.
public struct HostFacts: Sendable {
    /// The disks whose settings are read in one call.
    public static let disksPerTurn = 16
    /// The largest number of disks that facts are about, those of which others are made included.
    public static let diskLimit = 1024
    private static let settingsPeriod: Nanoseconds = 60_000_000_000
    private static let loadPeriod: Nanoseconds = 10_000_000_000

    private var reader: FactReader
    private var news = FactNews()
    private var settingsAt, loadAt: Nanoseconds?

    // What was read last.
    private var settings: [Fact] = []
    private var load: [Fact] = []
    private var diskLoad: [Fact] = []

    private let kernel = KernelFacts()
    private var processors = ProcessorFacts()
    private var memory = MemoryLoad()
    private var processorLoad = ProcessorLoad()
    private var interrupts = StorageInterrupts()
    private var flushes = DiskLoad()
    private var vms: MemoryOfVMs?

    /// The disks asked for.
    private var asked: [String]?
    /// The disks that facts are about: these, and those they are made of.
    private var names: [String] = []
    private var disks: [String: DiskFacts] = [:]
    /// The disks of the round under way, in the order they were found.
    private var found: [String] = []
    private var isFound: Set<String> = []
    /// How many of them have been read in this round.
    private var readCount = 0
    private var finder: BackingFinder
    private var adapters = Adapters()

    /// Nothing read yet. `files` is how to look at the host; `memoryPromise` tells which processes
    /// are VMs, and how large: without it nothing is said of the memory of all VMs.
    public init(files: HostFiles = .live, memoryPromise: MemoryPromise? = nil) {
        reader = FactReader(files: files)
        finder = BackingFinder(files: files)
        vms = memoryPromise.map { MemoryOfVMs(promise: $0) }
    }

    /// Facts about the host, about `disks`, which are whole disks by the kernel's names, and about
    /// the disks those are made of; `nil` if nothing is new since the last call. `now` is
    /// `CLOCK_MONOTONIC` nanoseconds.
    ///
    /// A rate is there after two readings. What a kernel or a machine does not have is a fact
    /// without value, with the reason. A number stays as it was told while it moves by no more than
    /// its noise, some percent. `servingCPUs` are those on which vCPUs and IOThreads of VMs ran
    /// last: only of their sleep anything is told.
    public mutating func update(
        disks: [String], servingCPUs: Set<Int> = [], now: Nanoseconds
    ) -> [Fact]? {
        let isOther = disks != asked
        let areSettingsDue = isOther || Self.isDue(settingsAt, every: Self.settingsPeriod, now)
        if areSettingsDue { readSettings(of: disks, now: now) }
        let hasDisks = readDisks()
        let isLoadDue = Self.isDue(loadAt, every: Self.loadPeriod, now)
        if isLoadDue { readLoad(servingCPUs: servingCPUs, now: now) }
        let hasRound = vms?.go(on: &reader) ?? false
        guard areSettingsDue || hasDisks || isLoadDue || hasRound else { return nil }
        return news.news(in: settings + load + (vms?.facts ?? []) + diskFacts())
    }

    private static func isDue(_ last: Nanoseconds?, every period: Nanoseconds, _ now: Nanoseconds)
        -> Bool
    {
        last.map { now < $0 || now - $0 >= period } ?? true
    }

    // MARK: Settings

    private mutating func readSettings(of disks: [String], now: Nanoseconds) {
        settingsAt = now
        asked = disks
        settings = kernel.read(&reader) + processors.read(&reader)
        vms?.start(reader)
        // Disks and adapters may have come and gone.
        finder = BackingFinder(files: reader.files)
        adapters = Adapters()
        (found, isFound, readCount) = ([], [], 0)
        enqueue(disks)
        if found.isEmpty { (names, self.disks) = ([], [:]) }
    }

    /// Puts disks not met before in this round behind all others.
    private mutating func enqueue(_ more: [String]) {
        for name in more where found.count < Self.diskLimit && isFound.insert(name).inserted {
            found.append(name)
        }
    }

    /// Reads the next disks of the round; returns whether there were any. Until the round's end
    /// what the last one found is told too.
    private mutating func readDisks() -> Bool {
        guard readCount < found.count else { return false }
        for _ in 0..<Self.disksPerTurn where readCount < found.count {
            let name = found[readCount]
            let disk = DiskFacts(name: name, finder: finder, adapters: &adapters, &reader)
            disks[name] = disk
            readCount += 1
            enqueue(disk.slaves)
        }
        if readCount == found.count {
            names = found
            disks = disks.filter { isFound.contains($0.key) }
        } else {
            names = found + names.filter { !isFound.contains($0) }
        }
        return true
    }

    // MARK: What moves

    private mutating func readLoad(servingCPUs: Set<Int>, now: Nanoseconds) {
        loadAt = now
        processorLoad.readTimes(&reader, now: now)
        let numbers = disks.values.reduce(into: Set()) { $0.formUnion($1.interrupts) }
        interrupts.read(&reader, adapters: numbers, now: now)
        load = memory.read(&reader, now: now)
        load += processorLoad.frequency(&reader)
        load.append(
            processorLoad.deepIdle(
                &reader, cpus: processors.sample, serving: servingCPUs,
                states: processors.deepStates, now: now))
        load += interrupts.facts(interruptShares: processorLoad.interruptShares)
        diskLoad = flushes.read(&reader, disks: names, now: now)
        diskLoad += names.compactMap { disks[$0] }.map(adapterInterrupts)
    }

    private func adapterInterrupts(of disk: DiskFacts) -> Fact {
        let subject = Subject(.disk(disk.name))
        let path = StorageInterrupts.path
        guard !disk.interrupts.isEmpty else {
            return Fact(subject, .adapterInterrupts, missing: disk.interruptsAbsence, from: path)
        }
        return interrupts.rate(of: disk.interrupts).map {
            Fact(subject, .adapterInterrupts, .number($0.roundedToTenths), from: path)
        } ?? Fact(subject, .adapterInterrupts, missing: interrupts.absence, from: path)
    }

    private func diskFacts() -> [Fact] {
        let settings = names.compactMap { disks[$0] }.flatMap(\.facts)
        let known = Set(names)
        return settings
            + diskLoad.filter { fact in fact.subject.scope.name.map(known.contains) ?? false }
    }
}
