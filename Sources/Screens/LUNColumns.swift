internal import Telemetry

extension LUN: TableRow {
    static func rows(of snapshot: Snapshot) -> [LUN] { snapshot.luns }

    static var metrics: [String] { ["luns"] }
    static var isFromMonitor: Bool { true }

    var key: String { qualifiedID }
    var lunIDs: [String]? { [qualifiedID] }
    var names: [String] { [qualifiedID, node, file, ioThread, hostDisk].compactMap(\.self) }

    /// How it is called in the form chosen; its id where it has no such name.
    func name(_ form: NameForm) -> String {
        switch form {
        case .id: qualifiedID
        case .node: node ?? qualifiedID
        case .file: file?.split(separator: "/").last.map(String.init) ?? qualifiedID
        }
    }

    var isIdle: Bool { rates.iops == 0 && (rates.queueDepth?.nowOrMean ?? 0) == 0 }

    /// Descriptors of all its virtqueues.
    var ringCapacity: Double? {
        queueSize.map { Double($0) * Double(max(1, queues ?? 1)) }
    }

    /// Requests in flight as percent of what the virtqueues take.
    var depthPercent: Double? {
        guard let depth = rates.queueDepth, let ringCapacity, ringCapacity > 0 else { return nil }
        return depth.nowOrMean / ringCapacity * 100
    }

    /// How bad it is: the worst of its judged columns.
    func severity(_ thresholds: Thresholds) -> Severity {
        // One by one: a `max` of five would make an array for each LUN of each frame.
        var worst = thresholds.severity(rates.meanLatency, of: .latency)
        worst = max(worst, thresholds.severity(rates.worstP99, of: .p99))
        worst = max(worst, thresholds.severity(rates.oldestInFlight, of: .oldest))
        worst = max(worst, thresholds.severity(depthPercent, of: .depth))
        return max(worst, thresholds.severity(rates.errors, of: .errors))
    }

    static func columns(of snapshot: Snapshot) -> [Column<LUN>] {
        let flags = snapshot.findings.isEmpty ? [] : [flagColumn(snapshot.findings)]
        let path = pathColumns(snapshot)
        if path.isEmpty { return columns + flags }
        return rateColumns + latencyColumns + stageColumns + path + otherColumns + flags
    }

    /// The way of the requests and what it costs the guest, where somebody knows: columns of a
    /// sample, which no VM has.
    private static func pathColumns(_ snapshot: Snapshot) -> [Column<LUN>] {
        guard let first = snapshot.luns.first(where: { $0.path != nil })?.path else { return [] }
        // All on one path: the details say it as well.
        let isOne = snapshot.luns.allSatisfy { $0.path == first }
        let longest = snapshot.luns.reduce(0) { max($0, $1.path?.utf8.count ?? 0) }
        return [
            Column(
                "PATH", width: min(max(longest, 4), 12), weight: isOne ? 38 : 89, .text { $0.path },
                meaning: "the way that requests take to the storage", source: "the engine"),
            Column(
                "exit/io", width: 7, weight: isOne ? 67 : 87,
                .number(.ratio) { $0.rates.perRequest($0.rates.exits) },
                meaning: "times the guest was left for each completed request: kicks, interrupts "
                    + "and their ends, accesses to registers", source: "notification counters"),
        ]
    }

    /// The worst flag of each LUN: a column of a sample, as a LUN does not know what is said of it.
    private static func flagColumn(_ findings: [Finding]) -> Column<LUN> {
        var worst: [String: String] = [:]
        for finding in findings where finding.scope.hasPrefix("lun:") {
            let id = String(finding.scope.dropFirst(4))
            guard worst[id] == nil, finding.cause == nil else { continue }
            worst[id] = String(Severity(finding.severity).mark) + finding.rule
        }
        let flags = worst
        return Column(
            "FLG", width: 6, weight: 91, growth: 24, .text { flags[$0.qualifiedID] ?? "" },
            meaning: "its worst flag; a opens it, 9 shows all", source: "the doctor's rules")
    }

    static let columns: [Column<LUN>] = rateColumns + latencyColumns + stageColumns + otherColumns

    private static let rateColumns: [Column<LUN>] = [
        Column(
            "LUN", width: 6, weight: 100, .text { $0.qualifiedID },
            meaning: "the virtual disk; p shows its id, block node or file",
            source: "device list of the source"),
        Column(
            "IOPS", esxtop: "CMDS/s", width: 6, weight: 98, .number(.perSecond) { $0.rates.iops },
            meaning: "completed requests of every type", source: "request counters"),
        Column(
            "r/s", esxtop: "READS", width: 5, weight: 70, .number(.perSecond) { $0.rates.reads },
            meaning: "completed reads", source: "request counters"),
        Column(
            "w/s", esxtop: "WRITE", width: 5, weight: 69, .number(.perSecond) { $0.rates.writes },
            meaning: "completed writes", source: "request counters"),
        Column(
            "MiB/s", width: 5, weight: 94, .number(.bandwidth) { $0.rates.bytes },
            meaning: "bytes read and written", source: "byte counters"),
        Column(
            "sz_KiB", width: 6, weight: 68, .number(.kibibytes) { $0.rates.meanRequestBytes },
            meaning: "mean size of a read or write (iostat areq-sz)",
            source: "byte and request counters"),
    ]

    private static let latencyColumns: [Column<LUN>] = [
        Column(
            "lat", esxtop: "GAVG", width: 6, weight: 96,
            .number(.latency) { $0.rates.meanLatency }, gauge: .latency,
            meaning: "mean latency of reads and writes, submission to completion",
            source: "latency sums"),
        Column(
            "p50", width: 6, weight: 66, .number(.latency) { $0.rates.worstP50 },
            meaning: "half of the requests took at most this; the worse of reads and writes",
            source: "latency histogram, buckets of 3.1 %"),
        Column(
            "p99", width: 6, weight: 97, .number(.latency) { $0.rates.worstP99 }, gauge: .p99,
            meaning: "99 % of the requests took at most this; the worse of reads and writes",
            source: "latency histogram, buckets of 3.1 %"),
        Column(
            "p999", width: 7, weight: 65, .number(.latency) { $0.rates.worstP999 },
            meaning: "99.9 % of the requests took at most this; the worse of reads and writes",
            source: "latency histogram, buckets of 3.1 %"),
        Column(
            "ACTV/QD", width: 7, weight: 92,
            .drawn(.depth) { $0.rates.queueDepth?.nowOrMean }, gauge: .depth,
            meaning: "requests in flight now / what the virtqueues take",
            source: "avail and used index"),
        Column(
            "aqu-sz", width: 6, weight: 64, .number(.mean) { $0.rates.queueDepth?.mean },
            meaning: "requests in flight, mean over time", source: "time spent at each depth"),
    ]

    private static let stageColumns: [Column<LUN>] = [
        Column(
            "ring", width: 5, weight: 44, .number(.latency) { $0.rates.stages?.ringWait },
            meaning: "R: published by the driver until popped by the device",
            source: "trace stamps"),
        Column(
            "sub", width: 5, weight: 43, .number(.latency) { $0.rates.stages?.submit },
            meaning: "S: popped until handed to the backend", source: "trace stamps"),
        Column(
            "dev", esxtop: "DAVG", width: 6, weight: 46,
            .number(.latency) { $0.rates.stages?.storage },
            meaning: "D: handed to the backend until completed by it", source: "trace stamps"),
        Column(
            "cmpl", width: 5, weight: 42, .number(.latency) { $0.rates.stages?.complete },
            meaning: "C: completed until published to the driver", source: "trace stamps"),
        Column(
            "irq", width: 5, weight: 41, .number(.latency) { $0.rates.stages?.notify },
            meaning: "I: published until seen by the driver", source: "trace stamps"),
        Column(
            "RSDCI", width: 8, weight: 88, .drawn(.stages) { $0.rates.stages?.storage },
            meaning: "where the time goes: a letter per stage, as wide as its share",
            source: "trace stamps"),
    ]

    private static let otherColumns: [Column<LUN>] = [
        Column(
            "irq/io", width: 6, weight: 62,
            .number(.ratio) { $0.rates.perRequest($0.rates.interrupts) },
            meaning: "interrupts for each completed request", source: "notification counters"),
        Column(
            "kick/io", width: 7, weight: 61,
            .number(.ratio) { $0.rates.perRequest($0.rates.kicks) },
            meaning: "kicks for each completed request", source: "notification counters"),
        Column(
            "old", width: 6, weight: 63, .number(.latency) { $0.rates.oldestInFlight },
            gauge: .oldest, meaning: "age of the oldest request in flight (OLDEST)",
            source: "requests in flight"),
        Column(
            "err/s", width: 5, weight: 60, .number(.perSecond) { $0.rates.errors },
            gauge: .errors, meaning: "requests that ended with an error",
            source: "status bytes"),
        Column(
            "mrg/s", width: 5, weight: 40, .number(.perSecond) { $0.rates.merges },
            meaning: "requests merged into others before the backend got them",
            source: "merge counters"),
        Column(
            "disk", width: 8, weight: 39, .text { $0.hostDisk },
            meaning: "the host's disk its data lie on", source: "the file's place on the host"),
        Column(
            "IOT", width: 5, weight: 50, .text { $0.ioThread },
            meaning: "the IOThread that serves it", source: "device list of the source"),
        Column(
            "TREND", width: 8, weight: 90, .drawn(.trend) { _ in nil },
            meaning: "the sorted column over the last samples, on its own scale",
            source: "samples in memory"),
    ]
}

extension BlockRates {
    /// The larger median of reads and writes, microseconds.
    var worstP50: Double? { Self.larger(readLatency?.p50, writeLatency?.p50) }

    /// The larger p99.9 of reads and writes, microseconds.
    var worstP999: Double? { Self.larger(readLatency?.p999, writeLatency?.p999) }

    private static func larger(_ one: Double?, _ other: Double?) -> Double? {
        guard let one, let other else { return one ?? other }
        return max(one, other)
    }
}
