internal import Kernel
internal import ProcFS
internal import Telemetry

/// What the files of /proc/PID say of the process as a whole.
struct MachineFacts: Sendable {
    private static let vm = Subject(.vm)
    private var moving: [Fact] = []
    private var descriptors: [Fact] = []
    private var rollup: [Fact]
    private var nodes: [Fact]
    private var elfClass: Fact?
    private var lastFaults: (at: Nanoseconds, count: UInt64)?
    private var rollupBeat = Beat(seconds: 60)
    private var nodesBeat = Beat(seconds: 300)

    /// Of the process of `reader`, nothing read yet.
    init(_ reader: ProcessReader) {
        rollup = Self.unread(
            reader.path("smaps_rollup"), [.hugePageShare, .residentMemory])
        nodes = Self.unread(reader.path("numa_maps"), [.memoryNode, .memoryNodeShare])
    }

    /// As they were read last.
    var facts: [Fact] { moving + (elfClass.map { [$0] } ?? []) + descriptors + rollup + nodes }

    private static func unread(_ source: String, _ names: [FactName]) -> [Fact] {
        names.map { Fact(vm, $0, missing: Absence.turn.reason, from: source) }
    }

    // MARK: What costs next to nothing

    /// Reads stat, status and limits, and which program it is.
    mutating func update(through reader: inout ProcessReader, now: Nanoseconds) {
        moving =
            statFacts(through: &reader, now: now) + Self.memoryFacts(through: &reader)
            + Self.limitFacts(through: &reader)
        // A process may be of another program later, but QEMU is not.
        guard elfClass?.value == nil else { return }
        let path = reader.path("exe")
        elfClass = Fact(Self.vm, .elfClass, from: path) { () throws(Absence) in
            let count = ELFClass.byteCount
            return .count(try reader.readHead(path, count: count) { try ELFClass($0) }.bits)
        }
    }

    private mutating func statFacts(
        through reader: inout ProcessReader, now: Nanoseconds
    ) -> [Fact] {
        let path = reader.path("stat")
        let stat: ThreadStat
        do throws(Absence) {
            stat = try reader.read(path) { try ThreadStat($0) }
        } catch {
            lastFaults = nil
            return [.uptime, .majorFaults].map {
                Fact(Self.vm, $0, missing: error.reason, from: path)
            }
        }
        let uptime = Fact(Self.vm, .uptime, from: "\(path), /proc/uptime") {
            () throws(Absence) in
            let up = try reader.read("/proc/uptime") { try HostUptime($0) }
            let age = up.seconds - Double(stat.startTime) / Clock.processTicksPerSecond
            return .number(Coarse.seconds(max(0, age)))
        }
        let rate = lastFaults.flatMap { last in
            RateInterval(from: last.at, to: now)?.rate(last.count, stat.majorFaults)
        }
        lastFaults = (now, stat.majorFaults)
        let faults = Fact(Self.vm, .majorFaults, from: path) { () throws(Absence) in
            guard let rate else { throw .secondReading }
            return .number(Coarse.rate(rate))
        }
        return [uptime, faults]
    }

    private static func memoryFacts(through reader: inout ProcessReader) -> [Fact] {
        let path = reader.path("status")
        do throws(Absence) {
            let memory = try reader.read(path) { try ProcessMemory($0) }
            return [
                Fact(vm, .swappedMemory, .number(Coarse.size(memory.swapped)), from: path),
                Fact(vm, .lockedMemory, .number(Coarse.size(memory.locked)), from: path),
            ]
        } catch {
            return [.swappedMemory, .lockedMemory].map {
                Fact(vm, $0, missing: error.reason, from: path)
            }
        }
    }

    private static func limitFacts(through reader: inout ProcessReader) -> [Fact] {
        let path = reader.path("limits")
        do throws(Absence) {
            let limits = try reader.read(path) { try ProcessLimits($0) }
            let value = { (limit: UInt64?) in limit.map { FactValue.count($0) } ?? -1 }
            return [
                Fact(vm, .lockedMemoryLimit, value(limits.lockedMemory), from: path),
                Fact(vm, .openFileLimit, value(limits.openFiles), from: path),
            ]
        } catch {
            return [.lockedMemoryLimit, .openFileLimit].map {
                Fact(vm, $0, missing: error.reason, from: path)
            }
        }
    }

    // MARK: Descriptors

    /// Takes what a look at all descriptors found, and reads those of io_uring.
    mutating func takeDescriptors(
        _ found: Result<ProcessFiles, Absence>, through reader: inout ProcessReader
    ) {
        let directory = reader.path("fd")
        switch found {
        case .failure(let absence):
            let names: [FactName] = [
                .openFiles, .ioUrings, .aioContexts, .ioUringEntries, .ioUringOverflow,
            ]
            descriptors = names.map {
                Fact(Self.vm, $0, missing: absence.reason, from: directory)
            }
        case .success(let files):
            // Threads that come and go open and close eventfds all the time.
            let count = Double(files.descriptorCount)
            let contexts = Fact(Self.vm, .aioContexts, from: reader.path("maps")) {
                () throws(Absence) in
                guard let count = files.aioContexts else {
                    throw Absence(reason: "cannot be read")
                }
                return .count(count)
            }
            descriptors =
                [
                    Fact(Self.vm, .openFiles, .number(count), from: directory),
                    Fact(Self.vm, .ioUrings, .count(files.ioUrings), from: directory), contexts,
                ] + Self.ringFacts(files.ioUringDescriptors, through: &reader)
        }
    }

    /// Of several rings the largest counts, and whether any overflowed.
    private static func ringFacts(
        _ descriptors: [Int], through reader: inout ProcessReader
    ) -> [Fact] {
        let names: [FactName] = [.ioUringEntries, .ioUringOverflow]
        guard !descriptors.isEmpty else {
            return names.map {
                Fact(vm, $0, missing: "it has no io_uring", from: reader.path("fd"))
            }
        }
        var largest: (entries: UInt64, path: String)?
        var overflowed: String?
        var problem: (absence: Absence, path: String)?
        for fd in descriptors {
            let path = reader.path("fdinfo/\(fd)")
            do throws(Absence) {
                let ring = try reader.read(path) { try IOUringInfo($0) }
                if ring.entries > largest?.entries ?? 0 { largest = (ring.entries, path) }
                if ring.hasOverflowed { overflowed = path }
            } catch {
                problem = (error, path)
            }
        }
        guard let largest else {
            let path = problem?.path ?? reader.path("fdinfo")
            let reason = problem?.absence.reason ?? "it has no io_uring"
            return names.map { Fact(vm, $0, missing: reason, from: path) }
        }
        return [
            Fact(vm, .ioUringEntries, .count(largest.entries), from: largest.path),
            Fact(
                vm, .ioUringOverflow, .flag(overflowed != nil),
                from: overflowed ?? reader.path("fdinfo")),
        ]
    }

    // MARK: What may take long

    /// Reads one of the files that the kernel makes by walking all pages, if one is due; whether it
    /// did.
    mutating func takeTurn(through reader: inout ProcessReader, now: Nanoseconds) -> Bool {
        if rollupBeat.isDue(now) {
            rollup = Self.rollupFacts(through: &reader)
            return true
        }
        if nodesBeat.isDue(now) {
            nodes = Self.nodeFacts(through: &reader)
            return true
        }
        return false
    }

    private static func rollupFacts(through reader: inout ProcessReader) -> [Fact] {
        let path = reader.path("smaps_rollup")
        do throws(Absence) {
            let memory = try reader.read(path) { try MemoryRollup($0) }
            let share = memory.resident > 0 ? Double(memory.huge) / Double(memory.resident) : 0
            return [
                Fact(vm, .hugePageShare, .number(Coarse.percent(share * 100)), from: path),
                Fact(vm, .residentMemory, .number(Coarse.size(memory.resident)), from: path),
            ]
        } catch {
            return [.hugePageShare, .residentMemory].map {
                Fact(vm, $0, missing: error.reason, from: path)
            }
        }
    }

    private static func nodeFacts(through reader: inout ProcessReader) -> [Fact] {
        let directory = "/sys/devices/system/node"
        let nodes = ((try? reader.files.list(directory)) ?? []).compactMap { name in
            name.hasPrefix("node") ? Int(name.dropFirst(4)) : nil
        }
        // A kernel without NUMA has no such directory: its memory is one node, 0.
        if nodes.count < 2 {
            return [
                Fact(vm, .memoryNode, .count(nodes.first ?? 0), from: directory),
                Fact(vm, .memoryNodeShare, 100, from: directory),
            ]
        }
        let path = reader.path("numa_maps")
        do throws(Absence) {
            guard let largest = try reader.read(path, parse: { NodeMemory($0) }).largest else {
                throw Absence(reason: "names no node")
            }
            return [
                Fact(vm, .memoryNode, .count(largest.node), from: path),
                Fact(
                    vm, .memoryNodeShare, .number(Coarse.percent(largest.percent)), from: path),
            ]
        } catch {
            return [.memoryNode, .memoryNodeShare].map {
                Fact(vm, $0, missing: error.reason, from: path)
            }
        }
    }
}
