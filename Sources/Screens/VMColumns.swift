internal import Telemetry

/// One VM with the sums of its LUNs.
struct VMRow: TableRow {
    let machine: VirtualMachine
    let vm: String?
    let rates: BlockRates
    let lunCount: Int
    /// The LUN with the highest p99, or mean where no percentile is known.
    let worst: LUN?

    static func rows(of snapshot: Snapshot) -> [VMRow] {
        let isOnly = snapshot.vms.count == 1
        let luns = isOnly ? [:] : Dictionary(grouping: snapshot.luns) { $0.vm ?? "" }
        return snapshot.vms.map { machine in
            let own = isOnly ? snapshot.luns : luns[machine.name] ?? []
            return VMRow(
                machine: machine, vm: isOnly ? nil : machine.name,
                rates: isOnly ? snapshot.total : BlockRates(summing: own), lunCount: own.count,
                worst: own.max { $0.slowness < $1.slowness })
        }
    }

    static var metrics: [String] { ["vms", "vm"] }
    static var isFromMonitor: Bool { true }

    var key: String { machine.name + (machine.pid.map { "#" + String($0) } ?? "") }
    var names: [String] {
        [machine.name, machine.pid.map { String($0) }, machine.status, machine.qmp]
            .compactMap(\.self)
    }
    var isIdle: Bool { rates.iops == 0 }

    func severity(_ thresholds: Thresholds) -> Severity {
        max(machine.severity, worst?.severity(thresholds) ?? .none)
    }

    static let columns: [Column<VMRow>] = loadColumns + machineColumns

    private static let loadColumns: [Column<VMRow>] = [
        Column(
            "VM", width: 12, weight: 100, .text { $0.machine.name },
            meaning: "its name; Enter shows its LUNs", source: "QMP query-name or the process"),
        Column(
            "status", width: 9, weight: 97, growth: 6, .text { $0.machine.status },
            meaning: "running, paused, ...", source: "QMP query-status"),
        Column(
            "LUNs", width: 4, weight: 90, .number(.count) { Double($0.lunCount) },
            meaning: "how many it has", source: "device list of the source"),
        Column(
            "IOPS", esxtop: "CMDS/s", width: 7, weight: 99, .number(.perSecond) { $0.rates.iops },
            meaning: "completed requests of all its LUNs", source: "request counters"),
        Column(
            "MiB/s", width: 6, weight: 95, .number(.bandwidth) { $0.rates.bytes },
            meaning: "bytes read and written", source: "byte counters"),
        Column(
            "lat", esxtop: "GAVG", width: 6, weight: 98,
            .number(.latency) { $0.rates.meanLatency }, gauge: .latency,
            meaning: "mean latency of reads and writes", source: "latency sums"),
        Column(
            "aqu-sz", width: 6, weight: 72, .number(.mean) { $0.rates.queueDepth?.mean },
            meaning: "requests in flight of all its LUNs, mean over time",
            source: "queue depths"),
        Column(
            "worst", width: 10, weight: 92, growth: 14, .text { $0.worst?.id },
            meaning: "its LUN with the highest p99, or mean where no percentile is known",
            source: "latencies"),
        Column(
            "worst_lat", width: 9, weight: 84, .number(.latency) { $0.worst?.rates.meanLatency },
            gauge: .latency, meaning: "that LUN's mean latency", source: "latency sums"),
    ]

    private static let machineColumns: [Column<VMRow>] = [
        Column(
            "pid", width: 7, weight: 80, .number(.count) { $0.machine.pid.map { Double($0) } },
            meaning: "its process", source: "the source"),
        Column(
            "vcpus", width: 5, weight: 76, .number(.count) { $0.machine.vcpus.map(Double.init) },
            meaning: "virtual CPUs", source: "QMP query-cpus-fast or the command line"),
        Column(
            "memory", width: 7, weight: 74,
            .number(.bytes) { $0.machine.memoryBytes.map { Double($0) } },
            meaning: "the guest's memory", source: "QMP or the command line"),
        Column(
            "accel", width: 8, weight: 66, .text { $0.machine.accelerator?.rawValue },
            meaning: "kvm, tcg or embedded", source: "QMP query-kvm"),
        Column(
            "version", width: 8, weight: 64, growth: 8, .text { $0.machine.version },
            meaning: "QEMU's version", source: "QMP greeting"),
        Column(
            "QMP", width: 10, weight: 60, growth: 40, .text { $0.machine.qmp },
            meaning: "the socket it is watched through", source: "the command line"),
    ]
}

extension LUN {
    /// What LUNs are compared by to find the worst; lowest where nothing is known.
    fileprivate var slowness: (Double, Double) {
        (rates.worstP99 ?? -1, rates.meanLatency ?? -1)
    }
}

extension VirtualMachine {
    /// A VM that stands still explains most of what one sees; one that stopped by itself is worse.
    var severity: Severity {
        switch status {
        case "running", "": .none
        case "internal-error", "io-error", "guest-panicked", "watchdog": .critical
        default: .warning
        }
    }
}
