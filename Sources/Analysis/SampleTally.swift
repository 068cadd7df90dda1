internal import Telemetry

/// What samples say of one LUN, or of all together, added up over time.
struct SampleTally: Sendable {
    let name: String
    /// The LUN as it was last seen: what it is.
    var lun: LUN?
    /// Time the rates cover, seconds.
    var seconds = 0.0
    /// Requests by `RequestKind`, rates times seconds; `nil` where never known.
    var counts = [Double?](repeating: nil, count: RequestKind.allCases.count)
    var requests: Double?
    var readBytes: Double?
    var writeBytes: Double?
    var errors: Double?
    var reads = LatencyTally()
    var writes = LatencyTally()
    /// Time-weighted depth: sum of mean × seconds, and the seconds.
    var depthSum = 0.0
    var depthSeconds = 0.0
    var deepest: Int?
    /// Samples by depth: the depth at the sample, or the mean of its interval, rounded.
    var depths: [UInt64] = []
    /// Sums of stage mean × requests, and these requests, by `StageTimes.Stage`.
    var stages = [(sum: Double, weight: Double)](
        repeating: (0, 0), count: StageTimes.Stage.allCases.count)
    var series: [SampleSeries] = Array(repeating: SampleSeries(), count: Metric.allCases.count)
    /// Since when a request has been in flight without a completion; the latest time seen so.
    var stall: (start: Nanoseconds, end: Nanoseconds)?

    init(name: String) { self.name = name }

    /// Adds `rates` that cover `seconds`.
    mutating func add(_ rates: BlockRates, seconds: Double) {
        self.seconds += seconds
        add(rates.reads, seconds, to: &counts[RequestKind.read.rawValue])
        add(rates.writes, seconds, to: &counts[RequestKind.write.rawValue])
        add(rates.flushes, seconds, to: &counts[RequestKind.flush.rawValue])
        add(rates.discards, seconds, to: &counts[RequestKind.discard.rawValue])
        add(rates.writeZeroes, seconds, to: &counts[RequestKind.writeZeroes.rawValue])
        add(rates.iops, seconds, to: &requests)
        add(rates.readBytes, seconds, to: &readBytes)
        add(rates.writeBytes, seconds, to: &writeBytes)
        add(rates.errors, seconds, to: &errors)
        addDepth(rates.queueDepth, seconds)
        addStages(rates, seconds)
        for metric in Metric.allCases {
            if let value = known(metric.value(of: rates)) { series[metric.rawValue].add(value) }
        }
    }

    private func add(_ rate: Double?, _ seconds: Double, to sum: inout Double?) {
        if let rate = known(rate) { sum = (sum ?? 0) + rate * seconds }
    }

    private mutating func addDepth(_ depth: QueueDepth?, _ seconds: Double) {
        guard let depth, let mean = known(depth.mean) else { return }
        depthSum += mean * seconds
        depthSeconds += seconds
        if let most = depth.max ?? depth.now { deepest = max(deepest ?? 0, most) }
        let shown = Int(min(known(depth.nowOrMean) ?? 0, 65_535).rounded())
        while depths.count <= shown { depths.append(0) }
        depths[shown] &+= 1
    }

    private mutating func addStages(_ rates: BlockRates, _ seconds: Double) {
        guard let stages = rates.stages, let iops = known(rates.iops), iops > 0 else { return }
        for stage in StageTimes.Stage.allCases {
            guard let mean = known(stages[stage]) else { continue }
            self.stages[stage.rawValue].sum += mean * iops * seconds
            self.stages[stage.rawValue].weight += iops * seconds
        }
    }
}

/// A number of a sample that can be reckoned with: finite, not negative, not absurd.
func known(_ value: Double?) -> Double? {
    guard let value, value.isFinite, value >= 0, value < 1e18 else { return nil }
    return value
}

/// Latencies of samples: a histogram as long as every sample with a latency has one, else a mean.
struct LatencyTally: Sendable {
    /// In the layout of `LatencyBuckets`; empty before the first.
    private(set) var buckets: [UInt64] = []
    private var sum: UInt64 = 0
    private var weighted = 0.0
    private var weight = 0.0
    private var isWhole = true
    /// Requests whose latency may be off, times the microseconds by which; `nil` where none may.
    private var error: Double?

    /// Adds an interval's latencies, of `requests` requests, which may be off by `uncertainty`.
    mutating func add(
        _ histogram: LatencyHistogram?, _ summary: LatencySummary?, requests: Double?,
        uncertainty: Double?, mayHaveBuckets: Bool
    ) {
        if let uncertainty = known(uncertainty), let histogram {
            error = (error ?? 0) + uncertainty * Double(histogram.count)
        }
        if let mean = known(summary?.mean), let requests = known(requests), requests > 0 {
            weighted += mean * requests
            weight += requests
        }
        guard let histogram, mayHaveBuckets else {
            if summary != nil { isWhole = false }
            return
        }
        if buckets.isEmpty { buckets = Array(repeating: 0, count: LatencyBuckets.count) }
        for bucket in histogram.buckets { buckets[Int(bucket.index)] &+= UInt64(bucket.count) }
        sum = sum.addingClamped(histogram.sum)
    }

    /// What is known of the latencies; `nil` if nothing is.
    var latency: Report.Latency? {
        if isWhole, !buckets.isEmpty {
            let count = buckets.reduce(UInt64(0)) { $0.addingClamped($1) }
            let uncertainty = error.map { $0 / max(1, Double(count)) }
            var latency = Report.Latency(
                buckets: buckets[...], sum: sum, largest: nil, uncertainty: uncertainty)
            // Means that were counted are better than those of looks, if they are of nearly all.
            if uncertainty != nil {
                latency?.mean = weight >= BlockRates.leastShare * Double(count) ? counted : nil
            }
            return latency
        }
        return counted.map { Report.Latency(count: nil, mean: $0) }
    }

    /// Whether some of them may be off.
    var isOfLooks: Bool { error != nil }

    private var counted: Double? { weight > 0 ? weighted / weight : nil }

    var histogram: [UInt64] { isWhole ? buckets : [] }
}

/// What of a LUN is followed from sample to sample.
public enum Metric: Int, Sendable, CaseIterable {
    case iops, reads, writes, readBytes, writeBytes
    case readLatency, readP99, writeLatency, writeP99
    case depth

    /// The JSON key, as a sample has it.
    public var key: String {
        switch self {
        case .iops: "iops"
        case .reads: "reads_per_s"
        case .writes: "writes_per_s"
        case .readBytes: "read_bytes_per_s"
        case .writeBytes: "write_bytes_per_s"
        case .readLatency: "read_latency_us"
        case .readP99: "read_latency_p99_us"
        case .writeLatency: "write_latency_us"
        case .writeP99: "write_latency_p99_us"
        case .depth: "queue_depth"
        }
    }

    /// Which way is better; `nil` where neither is in itself.
    public var betterIsHigher: Bool? {
        switch self {
        case .iops, .reads, .writes, .readBytes, .writeBytes: true
        case .readLatency, .readP99, .writeLatency, .writeP99: false
        case .depth: nil
        }
    }

    func value(of rates: BlockRates) -> Double? {
        switch self {
        case .iops: rates.iops
        case .reads: rates.reads
        case .writes: rates.writes
        case .readBytes: rates.readBytes
        case .writeBytes: rates.writeBytes
        case .readLatency: rates.readLatency?.mean
        case .readP99: rates.readLatency?.p99
        case .writeLatency: rates.writeLatency?.mean
        case .writeP99: rates.writeLatency?.p99
        case .depth: rates.queueDepth?.mean
        }
    }
}
