internal import Grid
internal import Telemetry

extension ThreadActivity: TableRow {
    static func rows(of snapshot: Snapshot) -> [ThreadActivity] { snapshot.threads }

    static var metrics: [String] { ["cpu_percent"] }

    var key: String { (vm.map { $0 + "/" } ?? "") + String(tid) }
    var lunIDs: [String]? { vm.map { vm in luns.map { vm + "/" + $0 } } ?? luns }
    var names: [String] { [name, role.rawValue] + (vm.map { [$0] } ?? []) + luns }
    func name(_ form: NameForm) -> String { name }
    var isIdle: Bool { cpuPercent == 0 }

    static let columns: [Column<ThreadActivity>] = activityColumns + switchColumns

    /// The probes' columns come last.
    static func columns(of snapshot: Snapshot) -> [Column<ThreadActivity>] {
        columns(columns, withVMOf: snapshot) + snapshot.probeColumns.map(probeColumn)
    }

    /// There may be a dozen of them: what says whose thread it is and what it does stays longer.
    private static func probeColumn(_ probe: ProbeColumn) -> Column<ThreadActivity> {
        let unit: Unit =
            switch probe.unit {
            case .perSecond: .perSecond
            case .percent: .percent
            case .microseconds: .latency
            case .bytes: .bytes
            case .count: .count
            }
        let key = probe.key
        return Column(
            key, heading: probe.title, width: min(12, max(6, probe.title.cellWidth)), weight: 60,
            .number(unit) { thread in
                thread.probes.first { $0.key == key }?.value
            }, meaning: probe.meaning, source: probe.source)
    }

    private static let activityColumns: [Column<ThreadActivity>] = [
        Column(
            "tid", width: 7, weight: 80, .number(.count) { $0.tid > 0 ? Double($0.tid) : nil },
            meaning: "the kernel's thread id", source: "/proc/PID/task"),
        Column(
            "THREAD", width: 15, weight: 100, .text { $0.name },
            meaning: "its name", source: "/proc/PID/task/TID/comm or the source"),
        Column(
            "role", width: 8, weight: 90, .text { $0.role.rawValue },
            meaning: "vcpu, iothread, main, worker, device or other", source: "the source"),
        Column(
            "CPU%", width: 5, weight: 99, .number(.percent) { $0.cpuPercent }, gauge: .cpu,
            meaning: "CPU time, % of one core", source: "schedstat column 1"),
        Column(
            "busy%", width: 5, weight: 94, .number(.percent) { $0.busyPercent },
            meaning: "time in which it moved requests", source: "the engine's own threads"),
        Column(
            "poll%", width: 5, weight: 93, .number(.percent) { $0.pollPercent },
            meaning: "time in which it looked for work and found none",
            source: "the engine's own threads"),
        Column(
            "delay%", width: 6, weight: 92, .number(.percent) { $0.runDelayPercent },
            gauge: .runDelay, meaning: "time runnable without getting a CPU",
            source: "schedstat column 2"),
    ]

    private static let switchColumns: [Column<ThreadActivity>] = [
        Column(
            "vol/s", width: 6, weight: 88, .number(.perSecond) { $0.voluntarySwitches },
            meaning: "context switches because it blocked", source: "/proc/PID/task/TID/status"),
        Column(
            "invol/s", width: 7, weight: 87, .number(.perSecond) { $0.involuntarySwitches },
            meaning: "context switches against its will", source: "/proc/PID/task/TID/status"),
        Column(
            "migr/s", width: 6, weight: 70, .number(.perSecond) { $0.migrations },
            meaning: "moves to another CPU", source: "/proc/PID/task/TID/sched"),
        Column(
            "cpu", width: 4, weight: 72, .number(.count) { $0.lastCPU.map(Double.init) },
            meaning: "the CPU it last ran on", source: "/proc/PID/task/TID/stat column 39"),
        Column(
            "lock/s", width: 6, weight: 68, .number(.perSecond) { $0.lockWaits },
            meaning: "waits for a lock", source: "locks of the source"),
        Column(
            "lock%", width: 5, weight: 69, .number(.percent) { $0.lockWaitPercent },
            gauge: .lockWait, meaning: "time waiting for locks", source: "locks of the source"),
        Column(
            "LUNs", width: 9, weight: 86, growth: 60, .text { $0.lunList },
            meaning: "the LUNs it serves", source: "the source"),
    ]

    private var lunList: String? {
        guard luns.count > 1 else { return luns.first }
        return "\(luns.count): " + luns.prefix(16).joined(separator: " ")
    }
}
