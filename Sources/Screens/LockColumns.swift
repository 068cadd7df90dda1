internal import Telemetry

extension LockActivity: TableRow {
    static func rows(of snapshot: Snapshot) -> [LockActivity] { snapshot.locks }

    static var metrics: [String] { ["locks", "lock_wait", "probes"] }

    var key: String { (vm.map { $0 + "/" } ?? "") + name }
    var names: [String] { [name] + (vm.map { [$0] } ?? []) + waiters }
    var isIdle: Bool { waits == 0 }

    func severity(_ thresholds: Thresholds) -> Severity {
        thresholds.severity(waitPercent, of: .lockWait)
    }

    static func columns(of snapshot: Snapshot) -> [Column<LockActivity>] {
        columns(columns, withVMOf: snapshot)
    }

    static let columns: [Column<LockActivity>] = [
        Column(
            "LOCK", width: 14, weight: 100, .text { $0.name },
            meaning: "the lock: BQL is QEMU's big lock, others by address and mapping",
            source: "waits that the source sees"),
        Column(
            "waits/s", width: 7, weight: 98, .number(.perSecond) { $0.waits },
            meaning: "acquisitions that had to wait", source: "waits that the source sees"),
        Column(
            "wait%", width: 6, weight: 99, .number(.percent) { $0.waitPercent }, gauge: .lockWait,
            meaning: "time waited by all threads together; over 100 when several wait",
            source: "waits that the source sees"),
        Column(
            "p99", width: 7, weight: 96, .number(.latency) { $0.p99 },
            meaning: "99 % of the waits took at most this", source: "waits that the source sees"),
        Column(
            "longest", width: 7, weight: 95, .number(.latency) { $0.longest },
            meaning: "the longest single wait", source: "waits that the source sees"),
        Column(
            "waiters", width: 16, weight: 90, growth: 80, .text { $0.waiterList },
            meaning: "the threads that waited", source: "waits that the source sees"),
    ]

    private var waiterList: String? {
        waiters.isEmpty ? nil : waiters.prefix(16).joined(separator: ", ")
    }
}
