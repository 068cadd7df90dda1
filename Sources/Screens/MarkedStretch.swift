internal import Telemetry

/// What was measured from a mark on: the sample at it and those that follow, ten in all. One sample
/// alone would compare two moments of chance.
struct MarkedStretch: Sendable {
    /// What one LUN, or all together, did in the stretch.
    struct Sums: Sendable {
        private var iops = Mean()
        private var bytes = Mean()
        private var depth = Mean()
        private var latency = Mean()
        private var worstP99: Double?
        private var histograms = LatencyHistogram.sum([])
        private var isHistogramWhole = true
        /// What a latency may be off by, microseconds, where some may be.
        private var uncertainty = Mean()
        private var isUncertain = false

        /// A mean of what is known.
        private struct Mean: Sendable {
            var sum = 0.0
            var weight = 0.0
            var value: Double? { weight > 0 ? sum / weight : nil }

            mutating func add(_ value: Double?, weight: Double = 1) {
                guard let value, value.isFinite, weight.isFinite, weight > 0 else { return }
                sum += value * weight
                self.weight += weight
            }
        }

        mutating func add(_ rates: BlockRates, _ latencies: [LatencyHistogram]) {
            iops.add(rates.iops)
            bytes.add(rates.bytes)
            depth.add(rates.queueDepth?.mean)
            latency.add(rates.meanLatency, weight: (rates.reads ?? 0) + (rates.writes ?? 0))
            if let p99 = rates.worstP99 {
                worstP99 = max(worstP99 ?? 0, p99)
                if latencies.isEmpty { isHistogramWhole = false }
            }
            let count = latencies.reduce(0) { $0 + Double($1.count) }
            uncertainty.add(rates.latencyUncertainty ?? 0, weight: count)
            isUncertain = isUncertain || rates.latencyUncertainty != nil
            histograms = .sum([histograms] + latencies)
        }

        /// Whether the p99 is that of all requests, and not the worst of the samples'.
        var hasWholeHistogram: Bool { isHistogramWhole }

        func value(_ metric: ComparedMetric, exactP99: Bool) -> Double? {
            switch metric {
            case .iops: iops.value
            case .bandwidth: bytes.value
            case .latency: latency.value
            case .p99:
                exactP99
                    ? LatencySummary(
                        of: histograms, within: isUncertain ? uncertainty.value ?? 0 : nil)?.p99
                    : worstP99
            case .depth: depth.value
            }
        }
    }

    let start: Moment
    /// Samples taken in.
    private(set) var count = 0
    /// By LUN key.
    private(set) var luns: [String: Sums] = [:]
    private(set) var total = Sums()
    /// The LUNs as they were at the end, for their settings.
    private(set) var lastLUNs: [LUN] = []
    private var lastSequence: UInt64 = 0
    private var lastTime: Nanoseconds = 0

    /// Samples of a whole stretch.
    static let wanted = 10

    /// A stretch that begins with `snapshot`.
    init(_ snapshot: Snapshot) {
        start = Moment(snapshot)
        take(snapshot)
    }

    /// Takes in the samples of `history` that follow, none left out between.
    mutating func extend(from history: SnapshotHistory) {
        guard count < Self.wanted,
            var index = (0..<history.count).first(where: { index in
                history.moment(index).map { $0.monotonic > lastTime } ?? false
            })
        else { return }
        while count < Self.wanted, let next = history.sample(index),
            next.sequence == lastSequence &+ 1, next.monotonic > lastTime
        {
            take(next)
            index += 1
        }
    }

    private mutating func take(_ snapshot: Snapshot) {
        (lastSequence, lastTime) = (snapshot.sequence, snapshot.monotonic)
        count += 1
        lastLUNs = snapshot.luns
        // The lists of buckets are of no further use, and large.
        for index in lastLUNs.indices {
            lastLUNs[index].readLatencies = nil
            lastLUNs[index].writeLatencies = nil
        }
        var all: [LatencyHistogram] = []
        for lun in snapshot.luns {
            let latencies = [lun.readLatencies, lun.writeLatencies].compactMap(\.self)
            luns[lun.key, default: Sums()].add(lun.rates, latencies)
            all += latencies
        }
        total.add(snapshot.total, all)
    }
}

/// What two stretches are compared by.
enum ComparedMetric: CaseIterable {
    case iops, bandwidth, latency, p99, depth

    var unit: Unit {
        switch self {
        case .iops: .perSecond
        case .bandwidth: .bandwidth
        case .latency, .p99: .latency
        case .depth: .mean
        }
    }

    /// Which are shown where there is room for `count` only: the first of these.
    static let byImportance: [ComparedMetric] = [.p99, .iops, .latency, .bandwidth, .depth]

    /// How many times worse `b` is than `a`, below 1 better; `nil` where that is no matter of
    /// better or worse, or not known.
    func worsening(_ a: Double?, _ b: Double?) -> Double? {
        guard let a, let b, a >= 0, b >= 0, a > 0 || b > 0 else { return nil }
        switch self {
        case .latency, .p99: return a > 0 ? b / a : nil
        case .iops, .bandwidth: return a > 0 ? (b > 0 ? a / b : .infinity) : 0
        case .depth: return nil
        }
    }

    /// `b` against `a` in percent.
    static func change(_ a: Double?, _ b: Double?) -> Double? {
        guard let a, let b, a > 0 else { return nil }
        return (b - a) / a * 100
    }
}

/// Two stretches side by side, the LUN that got worse most first.
struct Comparison {
    struct Row {
        let name: String
        let values: [(a: Double?, b: Double?)]
        /// How many times worse in the worst respect; below 1 where all got better.
        let worsening: Double

        func value(_ metric: ComparedMetric) -> (a: Double?, b: Double?) {
            ComparedMetric.allCases.firstIndex(of: metric).map { values[$0] } ?? (nil, nil)
        }
    }
    let rows: [Row]
    let total: Row
    /// Settings that are not the same, a line each.
    let differences: [String]

    init(_ a: MarkedStretch, _ b: MarkedStretch, _ names: NameForm, arrow: String) {
        total = Self.row("total", a.total, b.total)
        let (old, new) = (a.lastLUNs, b.lastLUNs)
        let known = Set(old.map(\.key))
        let all = old + new.filter { !known.contains($0.key) }
        let rows = all.map { Self.row($0.name(names), a.luns[$0.key], b.luns[$0.key]) }
        let order = rows.indices.sorted {
            (rows[$0].worsening, $1) > (rows[$1].worsening, $0)
        }
        self.rows = order.map { rows[$0] }
        differences = Self.differences(old, new, names, arrow)
    }

    private static func row(
        _ name: String, _ a: MarkedStretch.Sums?, _ b: MarkedStretch.Sums?
    ) -> Row {
        let isExact = a?.hasWholeHistogram ?? true && b?.hasWholeHistogram ?? true
        let values = ComparedMetric.allCases.map { metric in
            (a?.value(metric, exactP99: isExact), b?.value(metric, exactP99: isExact))
        }
        let worsening = zip(ComparedMetric.allCases, values).compactMap { metric, pair in
            metric.worsening(pair.0, pair.1)
        }
        return Row(name: name, values: values, worsening: worsening.max() ?? 0)
    }

    private static let settings: [(name: String, value: @Sendable (LUN) -> String?)] = [
        ("path", { $0.path }), ("iothread", { $0.ioThread }),
        ("queues", { $0.queues.map(String.init) }),
        ("queue-size", { $0.queueSize.map(String.init) }), ("format", { $0.format }),
        ("cache", { $0.cache }), ("aio", { $0.aio }), ("file", { $0.file }),
        ("throttle", { $0.throttle }), ("host disk", { $0.hostDisk }),
        ("features", { $0.features.isEmpty ? nil : $0.features.sorted().joined(separator: " ") }),
    ]

    private static func differences(
        _ old: [LUN], _ new: [LUN], _ names: NameForm, _ arrow: String
    ) -> [String] {
        var lines: [String] = []
        var later: [String: LUN] = [:]
        for lun in new { later[lun.key] = lun }
        for lun in old {
            guard let other = later.removeValue(forKey: lun.key) else {
                lines.append(lun.name(names) + " is there at A only")
                continue
            }
            for setting in settings {
                let (mine, theirs) = (setting.value(lun), setting.value(other))
                guard mine != theirs else { continue }
                lines.append(
                    lun.name(names) + " " + setting.name + ": " + (mine ?? "-") + " " + arrow + " "
                        + (theirs ?? "-"))
            }
        }
        let added = new.filter { later[$0.key] != nil }
        return lines + added.map { $0.name(names) + " is there at B only" }
    }
}
