/// What QEMU has counted of one disk since it started (`query-blockstats`).
public struct QMPBlockStats: Sendable, Equatable {
    /// The name of a `-drive`; empty for a `-blockdev`.
    public var device: String?
    /// The same as in `query-block` (QEMU 2.12).
    public var qdev: String?
    public var nodeName: String?
    public var reads = Counts()
    public var writes = Counts()
    public var flushes = Counts()
    /// QEMU 4.2.
    public var discards = Counts()
    /// Since the last request ended, nanoseconds; `nil` before the first.
    public var idleTime: UInt64?
    /// Whether failed and invalid requests count as accesses (`account_failed`, `account_invalid`).
    public var countsFailed: Bool?
    public var countsInvalid: Bool?
    /// Discards that the file or device below took, and that it refused, since QEMU has it open
    /// (`driver-specific`, QEMU 4.2); `nil` for drivers that do not count them.
    public var passedDiscards: UInt64?
    public var failedDiscards: UInt64?
    /// One for each `stats-intervals` that was configured.
    public var intervals: [Interval] = []

    /// The requests of one type.
    public struct Counts: Sendable, Equatable {
        /// Completed.
        public var operations: UInt64?
        public var bytes: UInt64?
        /// Sum of their latencies, nanoseconds.
        public var totalTime: UInt64?
        /// Merged into others before they were submitted.
        public var merged: UInt64?
        public var failed: UInt64?
        public var invalid: UInt64?
        /// Only where `block-latency-histogram-set` was called.
        public var histogram: QMPHistogram?

        /// Nothing known.
        public init() {}
    }

    /// What happened in the last seconds (`timed_stats`).
    public struct Interval: Sendable, Equatable {
        /// Seconds.
        public var length: UInt64?
        /// Latencies, nanoseconds.
        public var maximumReadLatency: UInt64?
        public var meanReadLatency: UInt64?
        public var maximumWriteLatency: UInt64?
        public var meanWriteLatency: UInt64?
        /// Mean requests in flight.
        public var readDepth: Double?
        public var writeDepth: Double?

        /// Nothing known.
        public init() {}

        init(_ value: JSONValue) {
            length = value["interval_length"]?.uint64
            maximumReadLatency = value["max_rd_latency_ns"]?.uint64
            meanReadLatency = value["avg_rd_latency_ns"]?.uint64
            maximumWriteLatency = value["max_wr_latency_ns"]?.uint64
            meanWriteLatency = value["avg_wr_latency_ns"]?.uint64
            readDepth = value["avg_rd_queue_depth"]?.double
            writeDepth = value["avg_wr_queue_depth"]?.double
        }
    }

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        device = value["device"]?.text
        qdev = value["qdev"]?.text
        nodeName = value["node-name"]?.text
        takeDiscards(value)
        guard let stats = value["stats"] else { return }
        reads.operations = stats["rd_operations"]?.uint64
        reads.bytes = stats["rd_bytes"]?.uint64
        reads.totalTime = stats["rd_total_time_ns"]?.uint64
        reads.merged = stats["rd_merged"]?.uint64
        reads.failed = stats["failed_rd_operations"]?.uint64
        reads.invalid = stats["invalid_rd_operations"]?.uint64
        reads.histogram = stats["rd_latency_histogram"].flatMap { QMPHistogram($0) }
        writes.operations = stats["wr_operations"]?.uint64
        writes.bytes = stats["wr_bytes"]?.uint64
        writes.totalTime = stats["wr_total_time_ns"]?.uint64
        writes.merged = stats["wr_merged"]?.uint64
        writes.failed = stats["failed_wr_operations"]?.uint64
        writes.invalid = stats["invalid_wr_operations"]?.uint64
        writes.histogram = stats["wr_latency_histogram"].flatMap { QMPHistogram($0) }
        flushes.operations = stats["flush_operations"]?.uint64
        flushes.totalTime = stats["flush_total_time_ns"]?.uint64
        flushes.failed = stats["failed_flush_operations"]?.uint64
        flushes.invalid = stats["invalid_flush_operations"]?.uint64
        flushes.histogram = stats["flush_latency_histogram"].flatMap { QMPHistogram($0) }
        discards.operations = stats["unmap_operations"]?.uint64
        discards.bytes = stats["unmap_bytes"]?.uint64
        discards.totalTime = stats["unmap_total_time_ns"]?.uint64
        discards.merged = stats["unmap_merged"]?.uint64
        discards.failed = stats["failed_unmap_operations"]?.uint64
        discards.invalid = stats["invalid_unmap_operations"]?.uint64
        idleTime = stats["idle_time_ns"]?.uint64
        countsFailed = stats["account_failed"]?.bool
        countsInvalid = stats["account_invalid"]?.bool
        intervals = stats["timed_stats"]?.items.map { Interval($0) } ?? []
    }
}

extension QMPBlockStats {
    /// The node that is the file or device counts, the last of the parts inside each other.
    private mutating func takeDiscards(_ value: JSONValue) {
        var node = value
        while let below = node["parent"], below.isObject { node = below }
        passedDiscards = node["driver-specific"]?["discard-nb-ok"]?.uint64
        failedDiscards = node["driver-specific"]?["discard-nb-failed"]?.uint64
    }
}

/// A histogram kept by QEMU: `bins[i]` requests took from `boundaries[i-1]` to below
/// `boundaries[i]` nanoseconds, the first from 0, the last without end.
public struct QMPHistogram: Sendable, Equatable {
    public var boundaries: [UInt64]
    /// One more than `boundaries`.
    public var bins: [UInt64]

    /// `nil` unless all numbers are there and in ascending order.
    init?(_ value: JSONValue) {
        guard let boundaries = value["boundaries"], let bins = value["bins"] else { return nil }
        self.boundaries = boundaries.items.compactMap(\.uint64)
        self.bins = bins.items.compactMap(\.uint64)
        // A value that is no number is missing above, so that the counts do not fit.
        guard self.bins.count == self.boundaries.count + 1,
            boundaries.partCount == self.boundaries.count + 1,
            bins.partCount == self.bins.count + 1,
            zip(self.boundaries, self.boundaries.dropFirst()).allSatisfy({ $0 < $1 })
        else { return nil }
    }
}
