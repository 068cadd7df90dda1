internal import Telemetry

/// One virtqueue with what its LUN knows of it.
struct QueueRow: TableRow {
    /// Its qualified id.
    let lun: String
    let vm: String?
    let queue: Virtqueue
    /// Completed requests per second: its own, or the LUN's where that has a single queue.
    let iops: Double?
    let key: String

    static func rows(of snapshot: Snapshot) -> [QueueRow] {
        snapshot.luns.flatMap { lun in
            lun.virtqueues.map { queue in
                QueueRow(
                    lun: lun.qualifiedID, vm: lun.vm, queue: queue,
                    iops: queue.completions
                        ?? (lun.virtqueues.count == 1 ? lun.rates.iops : nil),
                    key: lun.qualifiedID + "." + String(queue.index))
            }
        }
    }

    static var metrics: [String] { ["queue_depth"] }
    static var isFromMonitor: Bool { true }

    var lunIDs: [String]? { [lun] }
    var names: [String] { [key] }
    var isIdle: Bool {
        guard queue.inFlight == 0, (queue.unreaped ?? 0) == 0 else { return false }
        // Whoever reads rings counts steps, whoever is the device counts notifications.
        if let completions = queue.completions { return completions == 0 }
        return queue.kicks == 0 && queue.interrupts == 0
    }

    var depthPercent: Double? {
        queue.size > 0 ? Double(queue.inFlight) / Double(queue.size) * 100 : nil
    }

    func severity(_ thresholds: Thresholds) -> Severity {
        max(
            thresholds.severity(depthPercent, of: .depth),
            thresholds.severity(queue.fullPercent, of: .ringFull))
    }

    private func perRequest(_ rate: Double?) -> Double? {
        guard let rate, let iops, iops > 0 else { return nil }
        return rate / iops
    }

    static let columns: [Column<QueueRow>] = depthColumns + notificationColumns

    private static let depthColumns: [Column<QueueRow>] = [
        Column(
            "QUEUE", width: 8, weight: 100, .text { $0.key },
            meaning: "LUN and number of the virtqueue", source: "device list of the source"),
        Column(
            "size", width: 5, weight: 90, .number(.count) { Double($0.queue.size) },
            meaning: "descriptors in the table", source: "queue configuration"),
        Column(
            "avail", width: 5, weight: 74, .number(.count) { Double($0.queue.availIndex) },
            meaning: "index last published by the driver, modulo 65,536", source: "avail.idx"),
        Column(
            "used", width: 5, weight: 73, .number(.count) { Double($0.queue.usedIndex) },
            meaning: "index last published by the device, modulo 65,536", source: "used.idx"),
        Column(
            "inflt", esxtop: "ACTV", width: 5, weight: 98,
            .number(.count) { Double($0.queue.inFlight) },
            meaning: "published and not completed", source: "avail.idx - used.idx"),
        Column(
            "of size", width: 10, weight: 92, .drawn(.fill) { $0.depthPercent }, gauge: .depth,
            meaning: "in flight as a share of the size", source: "avail.idx - used.idx"),
        Column(
            "mean", width: 5, weight: 83, .number(.mean) { $0.queue.meanInFlight },
            meaning: "in flight, mean over time", source: "avail.idx - used.idx at each look"),
        Column(
            "wait", esxtop: "QUED", width: 5, weight: 88,
            .number(.count) { $0.queue.waiting.map(Double.init) },
            meaning: "published and not popped by the device", source: "the device end"),
        Column(
            "reap", width: 5, weight: 89,
            .number(.count) { $0.queue.unreaped.map(Double.init) },
            meaning: "completed by the device and not reaped by the driver",
            source: "the driver's free descriptors, or used_event"),
        Column(
            "sub/s", width: 6, weight: 82, .number(.perSecond) { $0.queue.submissions },
            meaning: "requests published by the driver", source: "steps of avail.idx"),
        Column(
            "cmp/s", width: 6, weight: 81, .number(.perSecond) { $0.queue.completions },
            meaning: "requests completed by the device", source: "steps of used.idx"),
    ]

    private static let notificationColumns: [Column<QueueRow>] = [
        Column(
            "kick/s", width: 6, weight: 86, .number(.perSecond) { $0.queue.kicks },
            meaning: "driver to device notifications", source: "notification counters"),
        Column(
            "irq/s", width: 6, weight: 85, .number(.perSecond) { $0.queue.interrupts },
            meaning: "device to driver notifications", source: "notification counters"),
        Column(
            "kick/io", width: 7, weight: 78, .number(.ratio) { $0.perRequest($0.queue.kicks) },
            meaning: "kicks for each completed request", source: "notification counters"),
        Column(
            "irq/io", width: 6, weight: 79,
            .number(.ratio) { $0.perRequest($0.queue.interrupts) },
            meaning: "interrupts for each completed request", source: "notification counters"),
        Column(
            "ksup%", width: 5, weight: 76, .number(.percent) { $0.queue.kicksSuppressedPercent },
            meaning: "batches for which the device wanted no kick", source: "EVENT_IDX"),
        Column(
            "isup%", width: 5, weight: 75,
            .number(.percent) { $0.queue.interruptsSuppressedPercent },
            meaning: "batches for which the driver wanted no interrupt", source: "EVENT_IDX"),
        Column(
            "full%", width: 5, weight: 84, .number(.percent) { $0.queue.fullPercent },
            gauge: .ringFull, meaning: "time in which the driver could not place a request",
            source: "the driver end"),
        Column(
            "batch", width: 5, weight: 72, .number(.mean) { $0.queue.batch },
            meaning: "requests for each turn of the device thread", source: "turn counter"),
    ]
}
