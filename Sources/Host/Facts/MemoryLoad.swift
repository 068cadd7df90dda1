internal import Kernel
internal import ProcFS
internal import SystemPackage
internal import Telemetry

/// What moves of the host's memory, of its Linux AIO and of an NFS server: levels, and rates
/// between two readings.
struct MemoryLoad: Sendable {
    private static let host = Subject(.host)
    private let pageSize = Double(ReadableFile.pageByteCount)
    private var swapped: (at: Nanoseconds, pages: UInt64)?
    private var queued: (at: Nanoseconds, times: UInt64)?
    private var merger = PageMerger()

    /// Reads them all: some ten small files.
    mutating func read(_ reader: inout FactReader, now: Nanoseconds) -> [Fact] {
        var facts = memory(&reader)
        facts += hugePages(&reader)
        facts += virtualMemory(&reader, now: now)
        facts.append(pressure(.memoryPressure, "memory", &reader))
        facts.append(pressure(.ioPressure, "io", &reader))
        facts.append(
            reader.fact(
                Self.host,
                FactFile(
                    .aioReserved, "/proc/sys/fs/aio-nr", .number(),
                    absence: KernelFacts.Absence.aio)))
        facts += merger.read(&reader, now: now)
        facts.append(serverQueue(&reader, now: now))
        return facts
    }

    private func memory(_ reader: inout FactReader) -> [Fact] {
        let path = "/proc/meminfo"
        let names: [(FactName, String)] = [
            (.memoryTotal, "MemTotal"), (.memoryAvailable, "MemAvailable"),
            (.swapTotal, "SwapTotal"), (.swapFree, "SwapFree"), (.dirtyMemory, "Dirty"),
            (.writebackMemory, "Writeback"),
        ]
        do {
            let numbers = try reader.value(path) { text in
                try KeyedNumbers(text, file: "meminfo")
            }
            return names.map { name, key in
                Self.fact(name, numbers[key].map { Double($0) }, key, from: path)
            }
        } catch {
            let reason = reader.reason(for: error)
            return names.map { Fact(Self.host, $0.0, missing: reason, from: path) }
        }
    }

    /// Of all sizes: that of /proc/meminfo is but the default one's. A page that is promised to a
    /// mapping is free still, and for nobody else.
    private func hugePages(_ reader: inout FactReader) -> [Fact] {
        let path = "/sys/kernel/mm/hugepages"
        func missing(_ reason: String) -> [Fact] {
            [.hugePagePool, .hugePagesTaken].map {
                Fact(Self.host, $0, missing: reason, from: path)
            }
        }
        let names: [String]
        do { names = try reader.files.list(path) } catch {
            // A kernel without huge pages has no such directory, and no pool.
            guard error.errno == .noSuchFileOrDirectory else {
                return missing(reader.reason(for: error))
            }
            names = []
        }
        let sizes = names.compactMap { name -> (name: String, bytes: Double)? in
            guard name.hasPrefix("hugepages-"), name.hasSuffix("kB") else { return nil }
            return Double(name.dropFirst(10).dropLast(2)).map { (name, $0 * 1024) }
        }
        var (pool, taken) = (0.0, 0.0)
        for size in sizes {
            let directory = "\(path)/\(size.name)/"
            guard let all = reader.number(directory + "nr_hugepages"),
                let free = reader.number(directory + "free_hugepages"),
                let promised = reader.number(directory + "resv_hugepages")
            else { return missing("\(size.name) does not tell") }
            pool += Double(all) * size.bytes
            taken += max(0, Double(all) - Double(free) + Double(promised)) * size.bytes
        }
        return [
            Fact(Self.host, .hugePagePool, .number(pool), from: "\(path)/*/nr_hugepages"),
            Fact(
                Self.host, .hugePagesTaken, .number(taken),
                from: "\(path)/*/nr_hugepages, free_hugepages, resv_hugepages"),
        ]
    }

    private mutating func virtualMemory(_ reader: inout FactReader, now: Nanoseconds) -> [Fact] {
        let path = "/proc/vmstat"
        let before = swapped
        swapped = nil
        let numbers: KeyedNumbers
        do {
            numbers = try reader.value(path) { text in try KeyedNumbers(text, file: "vmstat") }
        } catch {
            let reason = reader.reason(for: error)
            return [.dirtyLimit, .swapRate].map {
                Fact(Self.host, $0, missing: reason, from: path)
            }
        }
        // The kernel's own result of its settings, and of the memory that may be dirty at all.
        let limit = numbers["nr_dirty_threshold"].map { Double($0) * pageSize }
        let limitFact = Self.fact(.dirtyLimit, limit, "nr_dirty_threshold", from: path)
        guard let pagesIn = numbers["pswpin"], let pagesOut = numbers["pswpout"] else {
            return [limitFact, Self.fact(.swapRate, nil, "pswpin, pswpout", from: path)]
        }
        let pages = pagesIn &+ pagesOut
        swapped = (now, pages)
        let rate = before.flatMap { before in
            RateInterval(from: before.at, to: now)?.rate(before.pages, pages)
        }
        let source = "\(path), pswpin, pswpout"
        return [limitFact, Self.rate(.swapRate, rate, from: source)]
    }

    private func pressure(
        _ name: FactName, _ resource: String, _ reader: inout FactReader
    ) -> Fact {
        let path = "/proc/pressure/\(resource)"
        do {
            let some = try reader.value(path) { text in
                try PressureStall(text, file: resource).some
            }
            return Fact(
                Self.host, name, .number(some.roundedToTenths), from: "\(path), some avg10")
        } catch {
            let reason = reader.reason(
                for: error,
                absence: "this kernel does not measure pressure: it needs CONFIG_PSI, and psi=1 on "
                    + "the boot line where that is off")
            return Fact(Self.host, name, missing: reason, from: path)
        }
    }

    private mutating func serverQueue(_ reader: inout FactReader, now: Nanoseconds) -> Fact {
        let path = "/proc/fs/nfsd/pool_stats"
        let before = queued
        queued = nil
        do {
            let times = try reader.value(path) { text in try NFSPoolStats(text).queued }
            queued = (now, times)
            let rate = before.flatMap { before in
                RateInterval(from: before.at, to: now)?.rate(before.times, times)
            }
            return Self.rate(.nfsServerQueued, rate, from: "\(path), sockets-enqueued")
        } catch {
            let reason = reader.reason(for: error, absence: KernelFacts.Absence.nfsServer)
            return Fact(Self.host, .nfsServerQueued, missing: reason, from: path)
        }
    }

    private static func fact(
        _ name: FactName, _ value: Double?, _ key: String, from path: String
    ) -> Fact {
        value.map { Fact(host, name, .number($0), from: "\(path), \(key)") }
            ?? Fact(host, name, missing: "this kernel does not tell", from: "\(path), \(key)")
    }

    private static func rate(_ name: FactName, _ rate: Double?, from source: String) -> Fact {
        rate.map { Fact(host, name, .number($0.roundedToTenths), from: source) }
            ?? Fact(host, name, missing: secondReading, from: source)
    }
}

/// The kernel's thread that merges equal pages.
private struct PageMerger: Sendable {
    private static let host = Subject(.host)
    private static let threadName = "ksmd"
    /// Kernel threads come first among processes; on hosts of hundreds of CPUs there are thousands.
    private static let searchLimit = 4096

    private var pid: Int?
    /// It was looked for in vain: it is there from boot, or never.
    private var isNotThere = false
    private var last: (at: Nanoseconds, runTime: Nanoseconds)?

    mutating func read(_ reader: inout FactReader, now: Nanoseconds) -> [Fact] {
        let pages = reader.fact(
            Self.host,
            FactFile(
                .ksmPagesSharing, "/sys/kernel/mm/ksm/pages_sharing", .number(),
                absence: KernelFacts.Absence.ksm))
        return [pages, cpu(&reader, isBuiltIn: pages.value != nil, now: now)]
    }

    private mutating func cpu(
        _ reader: inout FactReader, isBuiltIn: Bool, now: Nanoseconds
    ) -> Fact {
        let run = "/sys/kernel/mm/ksm/run"
        guard isBuiltIn else {
            return Fact(Self.host, .ksmCPU, missing: KernelFacts.Absence.ksm, from: run)
        }
        guard reader.number(run) == 1 else {
            last = nil
            return Fact(Self.host, .ksmCPU, 0, from: "\(run) is not 1")
        }
        if pid == nil, !isNotThere {
            pid = find(&reader)
            isNotThere = pid == nil
        }
        guard let pid else {
            return Fact(
                Self.host, .ksmCPU, missing: "no thread \(Self.threadName) is in sight",
                from: "/proc")
        }
        let path = "/proc/\(pid)/schedstat"
        let before = last
        last = nil
        do {
            let runTime = try reader.value(path) { text in try SchedStat(text).runTime }
            last = (now, runTime)
            let percent = before.flatMap { before in
                RateInterval(from: before.at, to: now)?.percent(before.runTime, runTime)
            }
            return percent.map {
                Fact(Self.host, .ksmCPU, .number($0.roundedToTenths), from: path)
            } ?? Fact(Self.host, .ksmCPU, missing: secondReading, from: path)
        } catch {
            self.pid = nil
            return Fact(Self.host, .ksmCPU, missing: reader.reason(for: error), from: path)
        }
    }

    private func find(_ reader: inout FactReader) -> Int? {
        for pid in reader.list("/proc").compactMap({ Int($0) }).sorted().prefix(Self.searchLimit)
        where (try? reader.text("/proc/\(pid)/comm")) == Self.threadName {
            return pid
        }
        return nil
    }
}
