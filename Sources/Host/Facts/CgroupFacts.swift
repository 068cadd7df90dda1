internal import ProcFS
internal import Telemetry

/// What control groups allow a VM, and how much of that it uses: those of its main loop, vCPUs and
/// IOThreads, and all above them, up to where this process sees no further.
struct CgroupFacts: Sendable {
    /// Directories of the groups that bind a thread, from its own upwards.
    private typealias Chain = [String]

    /// Where this process finds the hierarchies.
    private struct Hierarchies {
        /// Mount point and root of the unified one, and of those of version 1 by controller.
        var unified: (point: String, root: String)?
        var byController: [String: (point: String, root: String)] = [:]

        init(_ table: MountTable) {
            for mount in table.mounts {
                if mount.type == "cgroup2" {
                    unified = unified ?? (mount.point, mount.root)
                } else if mount.type == "cgroup" {
                    for option in mount.options.split(separator: ",") {
                        byController[String(option)] = (mount.point, mount.root)
                    }
                }
            }
        }

        /// The directories of a thread's group and those above for `controller`.
        func chain(_ controller: String, _ paths: CgroupPaths) -> Chain? {
            if let path = paths.byController[controller], let place = byController[controller] {
                return Self.chain(path, below: place)
            }
            guard let path = paths.unified, let unified else { return nil }
            return Self.chain(path, below: unified)
        }

        /// `nil` for a group that lies outside of what is mounted here.
        private static func chain(
            _ path: String, below place: (point: String, root: String)
        ) -> Chain? {
            var names = path.split(separator: "/")
            let root = place.root.split(separator: "/")
            if names.starts(with: root) { names.removeFirst(root.count) }
            guard !names.contains("..") else { return nil }
            return (0...names.count).reversed().map { count in
                ([place.point] + names.prefix(count).map(String.init)).joined(separator: "/")
            }
        }
    }

    /// What of one group was read.
    private struct CPUGroup: Sendable {
        var quota: CPUQuota
        var source: String
        var throttled: (at: Nanoseconds, total: Nanoseconds)?
        var percent: Double?
    }

    /// The most groups looked at: one a thread of a large VM, and some above.
    private static let groupLimit = 300

    /// By subject: the VM's are those of all its threads.
    private var cpuChains: [(subject: Subject, chain: Chain)] = []
    /// Those of the main loop.
    private var mainChain: Chain = []
    /// Why there are none.
    private var cpuProblem: Absence?
    private var ioChain: Result<Chain, Absence> = .failure(.turn)
    private var groups: [String: CPUGroup] = [:]
    private var counters: [String: (at: Nanoseconds, io: CgroupIO)] = [:]
    /// As they were read last.
    private(set) var facts: [Fact] = []

    // MARK: Finding the groups

    /// Finds the groups of `threads`.
    mutating func locate(_ threads: [WatchedThread], through reader: inout ProcessReader) {
        cpuChains = []
        mainChain = []
        cpuProblem = nil
        do throws(Absence) {
            let table = try reader.read("/proc/self/mountinfo") { try MountTable($0) }
            let hierarchies = Hierarchies(table)
            let own = try reader.read(reader.path("cgroup")) { CgroupPaths($0) }
            ioChain = hierarchies.chain("blkio", own).map { .success($0) } ?? .failure(Self.unseen)
            guard let chain = hierarchies.chain("cpu", own) else { throw Self.unseen }
            locateThreads(threads, of: chain, in: hierarchies, through: &reader)
        } catch {
            cpuProblem = error
            if case .failure = ioChain { ioChain = .failure(error) }
        }
    }

    private static let unseen = Absence(
        reason: "its control group lies outside of what is mounted here")

    /// `own` is the chain of the main loop.
    private mutating func locateThreads(
        _ threads: [WatchedThread], of own: Chain, in hierarchies: Hierarchies,
        through reader: inout ProcessReader
    ) {
        var all = own
        var known = Set(all)
        for thread in threads where thread.role == .vcpu || thread.role == .iothread {
            let path = reader.path("task/\(thread.tid)/cgroup")
            guard let paths = try? reader.read(path, parse: { CgroupPaths($0) }),
                let chain = hierarchies.chain("cpu", paths)
            else { continue }
            all += chain.filter { known.insert($0).inserted }
            if let id = thread.ioThreadID { cpuChains.append((Subject(.ioThread(id)), chain)) }
        }
        cpuChains.insert((Subject(.vm), Array(all.prefix(Self.groupLimit))), at: 0)
        mainChain = own
    }

    // MARK: Reading them

    /// Reads the limits and what was used of them since the call before.
    mutating func update(
        _ places: [DiskPlace], through reader: inout ProcessReader, now: Nanoseconds
    ) {
        let source = reader.path("cgroup")
        if let cpuProblem {
            facts = [.cpuThrottled, .cpuQuota, .mainLoopThrottled].map {
                Fact(Subject(.vm), $0, missing: cpuProblem.reason, from: source)
            }
        } else {
            facts = cpuFacts(from: source, through: &reader, now: now)
        }
        switch ioChain {
        case .success(let chain):
            facts += ioFacts(places, chain, through: &reader, now: now)
        case .failure(let absence):
            facts += places.flatMap { Self.missing($0, absence.reason, from: source) }
        }
    }

    private static func missing(
        _ place: DiskPlace, _ reason: String, from source: String
    ) -> [Fact] {
        [.ioLimit, .ioLimitUse].map {
            Fact(Subject(.lun(place.id)), $0, missing: reason, from: source)
        }
    }

    private mutating func cpuFacts(
        from source: String, through reader: inout ProcessReader, now: Nanoseconds
    ) -> [Fact] {
        var read: [String: CPUGroup] = [:]
        for chain in cpuChains {
            for directory in chain.chain where read[directory] == nil {
                read[directory] = cpuGroup(directory, through: &reader, now: now)
            }
        }
        groups = read
        let main = cpuFacts(Subject(.vm), mainChain, source).filter { $0.name == .cpuThrottled }
        return cpuChains.flatMap { cpuFacts($0.subject, $0.chain, source) }
            + main.map { fact in
                var fact = fact
                fact.name = .mainLoopThrottled
                return fact
            }
    }

    /// `nil` for a group that the controller is not switched on for.
    private func cpuGroup(
        _ directory: String, through reader: inout ProcessReader, now: Nanoseconds
    ) -> CPUGroup? {
        let isUnified = "\(directory)/cpu.max"
        let old = "\(directory)/cpu.cfs_quota_us"
        var group: CPUGroup
        if let quota = try? reader.read(isUnified, parse: { try CPUQuota($0) }) {
            group = CPUGroup(quota: quota, source: isUnified)
        } else if let period = try? reader.read(
            "\(directory)/cpu.cfs_period_us",
            parse: { try SysNumber($0, file: "cpu.cfs_period_us") }),
            let quota = try? reader.read(
                old, parse: { try CPUQuota(quota: $0, period: period.value) })
        {
            group = CPUGroup(quota: quota, source: old)
        } else {
            return nil
        }
        guard group.quota.quota != nil,
            let time = try? reader.read("\(directory)/cpu.stat", parse: { try ThrottledTime($0) })
        else { return group }
        group.throttled = (now, time.total)
        if let last = groups[directory]?.throttled,
            let interval = RateInterval(from: last.at, to: now)
        {
            // Several CPUs that wait at once count several times.
            group.percent = interval.percent(last.total, time.total).map { min($0, 100) }
        }
        return group
    }

    private func cpuFacts(_ subject: Subject, _ chain: Chain, _ source: String) -> [Fact] {
        let limited = chain.compactMap { groups[$0] }.filter { $0.quota.quota != nil }
        guard let first = limited.first else {
            let nearest = chain.lazy.compactMap { groups[$0] }.first
            return [
                Fact(subject, .cpuThrottled, 0, from: nearest?.source ?? source),
                Fact(subject, .cpuQuota, "max", from: nearest?.source ?? source),
            ]
        }
        // The one that was held up most, and of several alike the nearest.
        let worst = limited.reduce(first) { worst, group in
            (group.percent ?? -1) > (worst.percent ?? -1) ? group : worst
        }
        let throttled = Fact(subject, .cpuThrottled, from: worst.source) {
            () throws(Absence) in
            guard let percent = worst.percent else {
                throw worst.throttled == nil
                    ? Absence(reason: "its cpu.stat does not say") : .secondReading
            }
            return .number(Coarse.percent(percent))
        }
        return [
            throttled, Fact(subject, .cpuQuota, .text(worst.quota.text), from: worst.source),
        ]
    }

    // MARK: I/O

    private mutating func ioFacts(
        _ places: [DiskPlace], _ chain: Chain, through reader: inout ProcessReader,
        now: Nanoseconds
    ) -> [Fact] {
        var limits: [(directory: String, source: String, io: CgroupIO)] = []
        var read: [String: (at: Nanoseconds, io: CgroupIO)] = [:]
        var nearest: String?
        for directory in chain {
            guard let (io, source) = Self.limits(directory, through: &reader) else { continue }
            nearest = nearest ?? source
            guard !io.byDevice.isEmpty else { continue }
            limits.append((directory, source, io))
            read[directory] = (now, Self.counters(directory, through: &reader))
        }
        let unlimited = nearest ?? reader.path("cgroup")
        let before = counters
        counters = read
        return places.flatMap { place in
            guard !place.disks.isEmpty else {
                return Self.missing(
                    place, place.reason ?? "its disk is not known", from: reader.path("cgroup"))
            }
            let bounds = place.disks.flatMap { disk in
                limits.compactMap { limit in
                    limit.io.byDevice[disk.number].map { amounts in
                        let use = before[limit.directory].flatMap { old in
                            amounts.use(
                                from: old.io.byDevice[disk.number] ?? .init(),
                                to: read[limit.directory]?.io.byDevice[disk.number] ?? .init(),
                                over: RateInterval(from: old.at, to: now))
                        }
                        return Bound(
                            text: "\(disk.number) \(amounts.text)",
                            source: "\(limit.source) (\(disk.name))", percent: use)
                    }
                }
            }
            return Self.facts(Subject(.lun(place.id)), bounds, unlimited: unlimited)
        }
    }

    /// One limit on one disk.
    private struct Bound {
        var text: String
        var source: String
        var percent: Double?
    }

    /// `unlimited` is where a limit would have been.
    private static func facts(
        _ subject: Subject, _ bounds: [Bound], unlimited: String
    ) -> [Fact] {
        guard let first = bounds.first else {
            return [
                Fact(subject, .ioLimit, "none", from: unlimited),
                Fact(subject, .ioLimitUse, 0, from: unlimited),
            ]
        }
        let nearest = bounds.reduce(first) { nearest, bound in
            (bound.percent ?? -1) > (nearest.percent ?? -1) ? bound : nearest
        }
        return [
            Fact(subject, .ioLimit, .text(nearest.text), from: nearest.source),
            Fact(subject, .ioLimitUse, from: nearest.source) { () throws(Absence) in
                guard let percent = nearest.percent else { throw .secondReading }
                return .number(Coarse.percent(percent))
            },
        ]
    }

    /// `nil` for a group that the controller is not switched on for.
    private static func limits(
        _ directory: String, through reader: inout ProcessReader
    ) -> (CgroupIO, source: String)? {
        let unified = "\(directory)/io.max"
        if let io = try? reader.read(unified, parse: { CgroupIO($0) }) { return (io, unified) }
        var io = CgroupIO()
        var isThere = false
        let kinds: [(file: String, kind: CgroupIO.Kind, areReads: Bool)] = [
            ("read_bps_device", .bytes, true), ("write_bps_device", .bytes, false),
            ("read_iops_device", .requests, true), ("write_iops_device", .requests, false),
        ]
        for (file, kind, areReads) in kinds {
            let added: Void? = try? reader.read("\(directory)/blkio.throttle.\(file)") {
                io.addLimits(kind, areReads: areReads, $0)
            }
            isThere = isThere || added != nil
        }
        return isThere ? (io, "\(directory)/blkio.throttle.*_device") : nil
    }

    private static func counters(
        _ directory: String, through reader: inout ProcessReader
    ) -> CgroupIO {
        if let io = try? reader.read("\(directory)/io.stat", parse: { CgroupIO($0) }) { return io }
        var io = CgroupIO()
        for (file, kind) in [
            ("io_service_bytes", CgroupIO.Kind.bytes), ("io_serviced", .requests),
        ] {
            // Limits hold for the groups below too; kernels before 4.20 count a group's own only.
            for suffix in ["", "_recursive"] {
                _ = try? reader.read("\(directory)/blkio.throttle.\(file)\(suffix)") {
                    io.addCounters(kind, $0)
                }
            }
        }
        return io
    }
}

extension CgroupIO.Amounts {
    /// How much of the nearest of these limits was used, percent; `nil` if nothing is counted.
    fileprivate func use(
        from old: CgroupIO.Amounts, to new: CgroupIO.Amounts, over interval: RateInterval?
    ) -> Double? {
        guard let interval else { return nil }
        let paths: [KeyPath<CgroupIO.Amounts, UInt64?>] = [
            \.readBytes, \.writeBytes, \.reads, \.writes,
        ]
        let shares = paths.compactMap { path -> Double? in
            guard let limit = self[keyPath: path], limit > 0 else { return nil }
            // A disk that did nothing yet has no line.
            return interval.rate(old[keyPath: path] ?? 0, new[keyPath: path] ?? 0).map {
                $0 / Double(limit) * 100
            }
        }
        return shares.max()
    }
}
