internal import Telemetry

extension EventCount: TableRow {
    static func rows(of snapshot: Snapshot) -> [EventCount] { snapshot.eventCounts }

    static var metrics: [String] { ["event_counts"] }

    var key: String {
        kind.rawValue + "/" + (vm.map { $0 + "/" } ?? "") + name + (detail.map { "/" + $0 } ?? "")
    }
    var names: [String] { [name, kind.rawValue, detail, vm].compactMap(\.self) }
    var isIdle: Bool { rate == 0 }
    func name(_ form: NameForm) -> String { name }
    func severity(_ thresholds: Thresholds) -> Severity { .none }

    /// A column for each CPU: the last ones leave first.
    static func columns(of snapshot: Snapshot) -> [Column<EventCount>] {
        let cpus = snapshot.eventCounts.reduce(0) { max($0, $1.perCPU.count) }
        return columns(columns, withVMOf: snapshot) + cpuColumns(cpus)
    }

    /// One CPU's column explains those of all.
    static func helpColumns(of snapshot: Snapshot) -> [Column<EventCount>] {
        columns(columns, withVMOf: snapshot) + cpuColumns(1)
    }

    private static func cpuColumns(_ cpus: Int) -> [Column<EventCount>] {
        (0..<min(cpus, mostCPUs)).map { cpu in
            Column<EventCount>(
                "cpu\(cpu)", width: 6, weight: 40 - cpu,
                .number(.perSecond) { $0.perCPU.indices.contains(cpu) ? $0.perCPU[cpu] : nil },
                meaning: "on CPU \(cpu)", source: "the counts of each CPU")
        }
    }

    /// No screen is wide enough for more.
    private static let mostCPUs = 64

    static let columns: [Column<EventCount>] = [
        Column(
            "EVENT", width: 10, weight: 100, .text { $0.name },
            meaning: "the interrupt line, the exit's reason, the vector",
            source: "as the source names it"),
        Column(
            "kind", width: 9, weight: 92, .text { $0.kind.rawValue },
            meaning: "interrupt and softirq of the host; exit and injection of the guest",
            source: "the source"),
        Column(
            "detail", width: 18, weight: 90, growth: 24, .text { $0.detail },
            meaning: "what is behind it, for example the device", source: "the source"),
        Column(
            "from", width: 16, weight: 20, growth: 14, .text { $0.source },
            meaning: "the file, event or command that counted", source: "the source"),
        Column(
            "rate/s", width: 7, weight: 99, .number(.perSecond) { $0.rate },
            meaning: "all CPUs together", source: "the source in `from`"),
        Column(
            "top", width: 4, weight: 86, .number(.count) { $0.busiest.map { Double($0.cpu) } },
            meaning: "the CPU that had most of them", source: "the counts of each CPU"),
        Column(
            "top%", width: 5, weight: 87, .number(.percent) { $0.busiest?.percent },
            meaning: "that CPU's share; 100 means that one CPU does it all",
            source: "the counts of each CPU"),
    ]

    /// The CPU with most of them, and its share.
    private var busiest: (cpu: Int, percent: Double)? {
        let sum = perCPU.reduce(0, +)
        guard sum > 0, let cpu = perCPU.indices.max(by: { perCPU[$0] < perCPU[$1] }) else {
            return nil
        }
        return (cpu, perCPU[cpu] / sum * 100)
    }
}
