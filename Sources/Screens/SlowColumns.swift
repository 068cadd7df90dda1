internal import Grid
internal import Telemetry

/// A slow request, and when it ended by the wall clock.
struct SlowRow: TableRow {
    let slow: SlowRequest
    let vm: String?
    /// Nanoseconds since 1970-01-01 UTC; `nil` for a request without an end.
    let ended: Int64?
    let key: String

    static func rows(of snapshot: Snapshot) -> [SlowRow] {
        guard !snapshot.slowest.isEmpty else { return [] }
        let vms = snapshot.vmsOfLUNs
        let moment = Moment(snapshot)
        return snapshot.slowest.map { slow in
            let request = slow.request
            return SlowRow(
                slow: slow, vm: vms[slow.lun],
                ended: request.end == 0 ? nil : moment.wallClock(at: request.end),
                key: slow.lun + ".\(request.queue).\(request.head).\(request.start)")
        }
    }

    static var metrics: [String] { ["slowest"] }

    var lunIDs: [String]? { [slow.lun] }
    var names: [String] { [slow.lun, operation, status].compactMap(\.self) }
    var isIdle: Bool { false }

    func severity(_ thresholds: Thresholds) -> Severity {
        max(
            thresholds.severity(latency, of: .oldest),
            slow.request.status == 1 ? .warning : .none)
    }

    /// Microseconds.
    var latency: Double? { slow.request.latency.map { Double($0) / 1000 } }

    private var hasType: Bool { slow.request.type != IOEvent.unknownType }

    var operation: String { operationText(hasType ? slow.request.type : nil) }

    /// A flush has no sector, and of a request whose chain was gone nobody knows one.
    private var sector: Double? {
        hasType && slow.request.type != RequestType.flush.rawValue
            ? Double(slow.request.sector) : nil
    }

    private var status: String? {
        switch slow.request.status {
        case 0: "ok"
        case 1: "ioerr"
        case 2: "unsupp"
        case IOEvent.unknownStatus: nil
        default: "\(slow.request.status)"
        }
    }

    private func microseconds(_ stage: StageTimes.Stage) -> Double? {
        slow.request.time(in: stage).map { Double($0) / 1000 }
    }

    static let columns: [Column<SlowRow>] = requestColumns + stageColumns

    private static let requestColumns: [Column<SlowRow>] = [
        Column(
            "time", width: 12, weight: 80, .drawn(.clock) { $0.ended.map(Double.init) },
            meaning: "when it ended, UTC", source: "the last stamp of the request"),
        Column(
            "LUN", width: 6, weight: 100, .text { $0.slow.lun },
            meaning: "the virtual disk", source: "device list of the source"),
        Column(
            "q", width: 3, weight: 70, .number(.count) { Double($0.slow.request.queue) },
            meaning: "number of the virtqueue", source: "the ring it was published in"),
        Column(
            "op", width: 7, weight: 94, growth: 5, .text { $0.operation },
            meaning: "read, write, flush, ...; ? where the chain was gone before it was read",
            source: "the request's header"),
        Column(
            "sector", width: 10, weight: 78, .number(.count) { $0.sector },
            meaning: "first sector of 512 bytes", source: "the request's header"),
        Column(
            "KiB", width: 6, weight: 76,
            .number(.kibibytes) { $0.hasType ? Double($0.slow.request.byteCount) : nil },
            meaning: "data", source: "the request's descriptors"),
        Column(
            "lat", width: 8, weight: 99, .number(.latency) { $0.latency }, gauge: .oldest,
            meaning: "from its first stamp to its last", source: "trace stamps, or looks at rings"),
        Column(
            "+-", width: 6, weight: 90,
            .number(.latency) { Double($0.slow.request.latencyError) / 1000 },
            meaning: "the latency may be off by this in either direction; 0 where it was stamped",
            source: "the time between two looks at the ring"),
    ]

    private static let stageColumns: [Column<SlowRow>] = [
        Column(
            "ring", width: 6, weight: 58, .number(.latency) { $0.microseconds(.ringWait) },
            meaning: "R: published by the driver until popped by the device",
            source: "trace stamps"),
        Column(
            "sub", width: 6, weight: 57, .number(.latency) { $0.microseconds(.submit) },
            meaning: "S: popped until handed to the backend", source: "trace stamps"),
        Column(
            "dev", width: 7, weight: 60, .number(.latency) { $0.microseconds(.storage) },
            meaning: "D: handed to the backend until completed by it", source: "trace stamps"),
        Column(
            "cmpl", width: 6, weight: 56, .number(.latency) { $0.microseconds(.complete) },
            meaning: "C: completed until published to the driver", source: "trace stamps"),
        Column(
            "irq", width: 6, weight: 59, .number(.latency) { $0.microseconds(.notify) },
            meaning: "I: published until seen by the driver", source: "trace stamps"),
        Column(
            "status", width: 6, weight: 75, .text { $0.status },
            meaning: "the device's answer: ok, ioerr, unsupp", source: "the request's status byte"),
    ]
}

/// What a request asks of the device; `?` where nobody can tell any more.
func operationText(_ type: UInt32?) -> String {
    guard let type else { return "?" }
    return RequestType(rawValue: type)?.word ?? "type \(type)"
}

extension Snapshot {
    /// The VMs of the LUNs by their qualified ids, where several are watched.
    var vmsOfLUNs: [String: String] {
        var result: [String: String] = [:]
        for lun in luns { if let vm = lun.vm { result[lun.qualifiedID] = vm } }
        return result
    }
}

extension Painter {
    /// The slowest requests of the samples in memory, up to the one shown.
    mutating func drawSlowest() {
        guard snapshot.slowest.isEmpty, !lacks(SlowRow.metrics) else {
            return drawTable(of: SlowRow.self)
        }
        drawNote("no request was followed in the samples in memory")
    }

    /// Whether the source says why it has none of `metrics`.
    func lacks(_ metrics: [String]) -> Bool {
        snapshot.unavailable.contains { missing in
            metrics.contains { missing.metric.hasPrefix($0) }
        }
    }

    /// In place of a table that is empty because there is nothing.
    mutating func drawNote(_ text: String) {
        guard let line = layout.table.first else { return }
        putCut(text, row: line, column: 1, width: columns - 1, style: Style(.muted))
    }
}
