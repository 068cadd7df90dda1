public import Telemetry

/// Writes samples as CSV (RFC 4180, lines end with CR LF): a line of column names with their units,
/// then a line for each LUN of each sample. The columns have the names and units of the JSON form;
/// what is not known is an empty field.
///
/// Not carried: threads, locks, the host, findings, virtqueues; the JSON form has them.
public struct SampleCSVExporter: SampleExporter {
    private var isBegun = false

    public init() {}

    public mutating func bytes(for sample: Snapshot) -> [UInt8] {
        var bytes = begin()
        let time = iso8601(sample.wallClock)
        for lun in sample.luns {
            for (index, column) in Self.columns.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                let text = column.value(sample, lun, time)
                if let text { bytes.append(csv: text.harmless(replacement: nil)) }
            }
            bytes.append(text: "\r\n")
        }
        return bytes
    }

    public mutating func finish() -> [UInt8] { begin() }

    private mutating func begin() -> [UInt8] {
        defer { isBegun = true }
        if isBegun { return [] }
        return Array((Self.columns.map(\.name).joined(separator: ",") + "\r\n").utf8)
    }

    /// A column: its name, and what a LUN of a sample has there.
    private struct Column: Sendable {
        var name: String
        var value: @Sendable (Snapshot, LUN, _ time: String) -> String?

        init(
            _ name: String, _ value: @escaping @Sendable (Snapshot, LUN, String) -> String?
        ) {
            self.name = name
            self.value = value
        }

        /// A number of the LUN's rates.
        static func rate(
            _ name: String, _ value: @escaping @Sendable (BlockRates) -> Double?
        ) -> Column {
            Column(name) { _, lun, _ in exported(value(lun.rates)) }
        }

        static func count(
            _ name: String, _ value: @escaping @Sendable (QueueDepth) -> Int?
        ) -> Column {
            Column(name) { _, lun, _ in lun.rates.queueDepth.flatMap(value)?.description }
        }
    }

    /// Further columns come last, so that scripts find the others where they were.
    private static let columns: [Column] =
        identity + rates + depths + latencies + stages + paths

    private static let identity = [
        Column("time") { _, _, time in time },
        Column("monotonic_ns") { sample, _, _ in sample.monotonic.description },
        Column("interval_s") { sample, _, _ in exported(sample.interval) },
        Column("sequence") { sample, _, _ in sample.sequence.description },
        Column("vm") { _, lun, _ in lun.vm },
        Column("lun") { _, lun, _ in lun.id },
        Column("node") { _, lun, _ in lun.node },
        Column("io_thread") { _, lun, _ in lun.ioThread },
    ]

    private static let rates: [Column] = [
        .rate("iops") { $0.iops },
        .rate("reads_per_s") { $0.reads },
        .rate("writes_per_s") { $0.writes },
        .rate("flushes_per_s") { $0.flushes },
        .rate("discards_per_s") { $0.discards },
        .rate("write_zeroes_per_s") { $0.writeZeroes },
        .rate("read_bytes_per_s") { $0.readBytes },
        .rate("write_bytes_per_s") { $0.writeBytes },
        .rate("merges_per_s") { $0.merges },
        .rate("kicks_per_s") { $0.kicks },
        .rate("interrupts_per_s") { $0.interrupts },
        .rate("errors_per_s") { $0.errors },
        .rate("in_flight_oldest_us") { $0.oldestInFlight },
    ]

    private static let paths: [Column] = [
        Column("path") { _, lun, _ in lun.path },
        .rate("exits_per_s") { $0.exits },
    ]

    private static let depths: [Column] = [
        .count("queue_depth_now") { $0.now },
        .rate("queue_depth_mean") { $0.queueDepth?.mean },
        .count("queue_depth_p50") { $0.p50 },
        .count("queue_depth_p99") { $0.p99 },
        .count("queue_depth_max") { $0.max },
    ]

    private static let latencies: [Column] = [
        .rate("read_latency_mean_us") { $0.readLatency?.mean },
        .rate("read_latency_p50_us") { $0.readLatency?.p50 },
        .rate("read_latency_p99_us") { $0.readLatency?.p99 },
        .rate("read_latency_p999_us") { $0.readLatency?.p999 },
        .rate("read_latency_max_us") { $0.readLatency?.max },
        .rate("write_latency_mean_us") { $0.writeLatency?.mean },
        .rate("write_latency_p50_us") { $0.writeLatency?.p50 },
        .rate("write_latency_p99_us") { $0.writeLatency?.p99 },
        .rate("write_latency_p999_us") { $0.writeLatency?.p999 },
        .rate("write_latency_max_us") { $0.writeLatency?.max },
    ]

    private static let stages: [Column] = StageTimes.Stage.allCases.map { stage in
        .rate("stage_\(stage.key)_us") { $0.stages?[stage] }
    }
}
