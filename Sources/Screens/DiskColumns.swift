internal import Telemetry

extension HostDisk: TableRow {
    static func rows(of snapshot: Snapshot) -> [HostDisk] { snapshot.host.disks }

    static var metrics: [String] { ["host.disks"] }

    var key: String { name }
    var vm: String? { nil }
    var lunIDs: [String]? { luns }
    var names: [String] { [name] + luns }
    var isIdle: Bool { iops == 0 && (inFlight ?? 0) == 0 }

    func severity(_ thresholds: Thresholds) -> Severity {
        max(
            thresholds.severity(readAwait, of: .latency),
            thresholds.severity(writeAwait, of: .latency))
    }

    /// Mean latency of reads and writes together, microseconds, weighted by their rates.
    var meanAwait: Double? {
        var (weight, weighted) = (0.0, 0.0)
        for (rate, wait) in [(reads, readAwait), (writes, writeAwait)] {
            guard let rate, let wait, rate > 0 else { continue }
            weight += rate
            weighted += wait * rate
        }
        return weight > 0 ? weighted / weight : nil
    }

    /// Mean size of a read or write, bytes.
    private var requestBytes: Double? {
        guard let reads, let writes, let readBytes, let writeBytes, reads + writes > 0 else {
            return nil
        }
        return (readBytes + writeBytes) / (reads + writes)
    }

    static let columns: [Column<HostDisk>] = rateColumns + queueColumns

    private static let rateColumns: [Column<HostDisk>] = [
        Column(
            "DISK", width: 8, weight: 100, .text { $0.name },
            meaning: "the host's block device", source: "/sys/block"),
        Column(
            "r/s", width: 6, weight: 98, .number(.perSecond) { $0.reads },
            meaning: "completed reads", source: "/sys/block/NAME/stat column 1"),
        Column(
            "w/s", width: 6, weight: 97, .number(.perSecond) { $0.writes },
            meaning: "completed writes", source: "/sys/block/NAME/stat column 5"),
        Column(
            "f/s", width: 5, weight: 62, .number(.perSecond) { $0.flushes },
            meaning: "completed flushes", source: "/sys/block/NAME/stat column 16"),
        Column(
            "d/s", width: 5, weight: 61, .number(.perSecond) { $0.discards },
            meaning: "completed discards", source: "/sys/block/NAME/stat column 12"),
        Column(
            "rMiB/s", width: 6, weight: 90, .number(.bandwidth) { $0.readBytes },
            meaning: "bytes read", source: "/sys/block/NAME/stat column 3"),
        Column(
            "wMiB/s", width: 6, weight: 89, .number(.bandwidth) { $0.writeBytes },
            meaning: "bytes written", source: "/sys/block/NAME/stat column 7"),
        Column(
            "mrg/s", width: 5, weight: 60, .number(.perSecond) { $0.merges },
            meaning: "requests merged into others before they were queued",
            source: "/sys/block/NAME/stat columns 2 and 6"),
        Column(
            "areq-sz", width: 7, weight: 70, .number(.kibibytes) { $0.requestBytes },
            meaning: "mean size of a read or write, KiB", source: "bytes and requests"),
        Column(
            "r_await", width: 7, weight: 96, .number(.latency) { $0.readAwait }, gauge: .latency,
            meaning: "mean of reads, queueing to completion",
            source: "/sys/block/NAME/stat column 4"),
        Column(
            "w_await", width: 7, weight: 95, .number(.latency) { $0.writeAwait }, gauge: .latency,
            meaning: "mean of writes, queueing to completion",
            source: "/sys/block/NAME/stat column 8"),
        Column(
            "r_p99", width: 6, weight: 78, .number(.latency) { $0.readP99 }, gauge: .latency,
            meaning: "99 % of the reads took at most this, issue to completion",
            source: "BPF block_rq_issue, block_rq_complete"),
        Column(
            "w_p99", width: 6, weight: 77, .number(.latency) { $0.writeP99 }, gauge: .latency,
            meaning: "99 % of the writes took at most this, issue to completion",
            source: "BPF block_rq_issue, block_rq_complete"),
    ]

    private static let queueColumns: [Column<HostDisk>] = [
        Column(
            "aqu-sz", width: 6, weight: 94, .number(.mean) { $0.queueDepth },
            meaning: "requests in flight, mean over time",
            source: "/sys/block/NAME/stat column 11"),
        Column(
            "inflt", width: 5, weight: 80, .number(.count) { $0.inFlight.map(Double.init) },
            meaning: "requests in flight now", source: "/sys/block/NAME/stat column 9"),
        Column(
            "%util", width: 5, weight: 79, .number(.percent) { $0.utilPercent },
            meaning: "time with a request in flight; at 100 a parallel device may have room",
            source: "/sys/block/NAME/stat column 10"),
        Column(
            "nr_req", width: 6, weight: 66, .number(.count) { $0.queueSize.map(Double.init) },
            meaning: "requests its queue takes", source: "queue/nr_requests"),
        Column(
            "sched", width: 8, weight: 68, growth: 4, .text { $0.scheduler },
            meaning: "the I/O scheduler", source: "queue/scheduler"),
        Column(
            "rot", width: 3, weight: 64, .text { $0.isRotational.map { $0 ? "yes" : "no" } },
            meaning: "whether the kernel takes it for a spinning disk",
            source: "queue/rotational"),
        Column(
            "LUNs", width: 10, weight: 88, growth: 60, .text { $0.lunList },
            meaning: "the LUNs whose data lie on it", source: "the files' places on the host"),
    ]

    private var merges: Double? {
        readMerges == nil && writeMerges == nil ? nil : (readMerges ?? 0) + (writeMerges ?? 0)
    }

    private var lunList: String? {
        guard luns.count > 1 else { return luns.first }
        return "\(luns.count): " + luns.prefix(16).joined(separator: " ")
    }
}
