internal import Telemetry

/// What differs between two recordings: figures with their spread, and settings.
///
/// A figure counts as changed where the 95 % interval of the difference of its per-sample means
/// leaves out 0. Of twenty figures that did not change one looks changed all the same.
public struct Comparison: Sendable, Equatable {
    /// What to make of a figure's difference, as the JSON names it.
    public enum Verdict: String, Sendable, Codable {
        case better, worse
        /// It changed, and neither way is better in itself.
        case changed
        /// The interval of the difference holds 0.
        case noChangeSeen = "no_change_seen"
        /// There are no two samples on each side to tell the spread from, or the latency is not
        /// told in all samples: those that have one are the slow ones.
        case unknown
    }

    /// One figure before and after.
    public struct Change: Sendable, Equatable {
        public var metric: Metric
        /// Means over the samples, or over the recording where there are none.
        public var before: Double
        public var after: Double
        /// 95 % interval of `after − before`; `nil` where the spread is not known.
        public var interval: ClosedRange<Double>?
        public var verdict: Verdict
        /// Samples behind each mean; 0 where it is that of the recording.
        public var samples: (before: Int, after: Int)

        /// The difference in percent of `before`; `nil` of 0.
        public var percent: Double? {
            before != 0 ? (after - before) / abs(before) * 100 : nil
        }

        /// Likeness in everything.
        public static func == (left: Change, right: Change) -> Bool {
            left.metric == right.metric && left.before == right.before
                && left.after == right.after && left.interval == right.interval
                && left.verdict == right.verdict && left.samples == right.samples
        }
    }

    /// All changes of one LUN, or of all together.
    public struct Changes: Sendable, Equatable {
        /// Qualified id; `total` for all together.
        public var id: String
        public var changes: [Change]
    }

    /// A setting that differs.
    public struct SettingChange: Sendable, Equatable {
        /// Qualified id of the LUN; `nil` for the machine.
        public var lun: String?
        public var key: String
        public var before: String?
        public var after: String?
    }

    /// The version of the JSON form.
    public static let schema = 1

    public var before: Report.Recording
    public var after: Report.Recording
    public var total: Changes
    /// LUNs that both have, by qualified id, in the order of the first recording.
    public var luns: [Changes]
    public var onlyBefore: [String]
    public var onlyAfter: [String]
    public var settings: [SettingChange]

    /// Compares two reports.
    public init(_ before: Report.Result, _ after: Report.Result) {
        self.before = before.recording
        self.after = after.recording
        total = Changes(id: "total", changes: changesOf(before.total, after.total))
        var later: [String: Report.LUNReport] = [:]
        for lun in after.luns { later[lun.id] = lun }
        var known: Set<String> = []
        luns = []
        onlyBefore = []
        settings = settingChanges(nil, before.settings, after.settings)
        for lun in before.luns where known.insert(lun.id).inserted {
            guard let other = later[lun.id] else {
                onlyBefore.append(lun.id)
                continue
            }
            luns.append(Changes(id: lun.id, changes: changesOf(lun, other)))
            settings += settingChanges(lun.id, lun.settings, other.settings)
        }
        onlyAfter = after.luns.map(\.id).filter { !known.contains($0) }
    }

    /// Everything that changed for the better, or for the worse: the id and the change, the largest
    /// in percent first.
    public func changes(_ verdict: Verdict) -> [(id: String, change: Change)] {
        let all = ([total] + luns).flatMap { row in row.changes.map { (row.id, $0) } }
        return all.filter { $0.1.verdict == verdict }.sorted { left, right in
            let (a, b) = (abs(left.1.percent ?? .infinity), abs(right.1.percent ?? .infinity))
            return a != b ? a > b : left.0 < right.0
        }
    }
}

/// The figures that both have.
private func changesOf(
    _ before: Report.LUNReport, _ after: Report.LUNReport
) -> [Comparison.Change] {
    Metric.allCases.compactMap { metric in
        let left = before.series.isEmpty ? SampleSeries() : before.series[metric.rawValue]
        let right = after.series.isEmpty ? SampleSeries() : after.series[metric.rawValue]
        guard let difference = MeanDifference(from: left, to: right) else {
            guard let a = before.overall(metric), let b = after.overall(metric) else { return nil }
            return Comparison.Change(
                metric: metric, before: a, after: b, interval: nil, verdict: .unknown,
                samples: (0, 0))
        }
        return Comparison.Change(
            metric: metric, before: left.mean, after: right.mean, interval: difference.interval,
            verdict: isPartial(before, metric) || isPartial(after, metric)
                ? .unknown : verdict(difference, metric),
            samples: (left.count, right.count))
    }
}

/// Whether a latency is told of fewer than nine in ten samples with such requests.
private func isPartial(_ lun: Report.LUNReport, _ metric: Metric) -> Bool {
    let requests: Metric
    switch metric {
    case .readLatency, .readP99: requests = .reads
    case .writeLatency, .writeP99: requests = .writes
    default: return false
    }
    let all = lun.series[requests.rawValue].positiveCount
    return lun.series[metric.rawValue].count * 10 < all * 9
}

private func verdict(_ difference: MeanDifference, _ metric: Metric) -> Comparison.Verdict {
    guard let isChange = difference.isChange else { return .unknown }
    guard isChange else { return .noChangeSeen }
    guard let higher = metric.betterIsHigher else { return .changed }
    return (difference.delta > 0) == higher ? .better : .worse
}

private func settingChanges(
    _ lun: String?, _ before: [Report.Setting], _ after: [Report.Setting]
) -> [Comparison.SettingChange] {
    // Without samples nothing is known of settings, so nothing differs.
    guard !before.isEmpty, !after.isEmpty else { return [] }
    var later: [String: String?] = [:]
    for setting in after { later[setting.key] = .some(setting.value) }
    var keys: Set<String> = []
    var changes = before.compactMap { setting -> Comparison.SettingChange? in
        keys.insert(setting.key)
        let value = later[setting.key] ?? nil
        guard value != setting.value else { return nil }
        return .init(lun: lun, key: setting.key, before: setting.value, after: value)
    }
    for setting in after where !keys.contains(setting.key) && setting.value != nil {
        changes.append(.init(lun: lun, key: setting.key, before: nil, after: setting.value))
    }
    return changes
}

extension Report.LUNReport {
    /// The figure over the whole recording.
    func overall(_ metric: Metric) -> Double? {
        switch metric {
        case .iops: perSecond(requests)
        case .reads: perSecond(self[.read])
        case .writes: perSecond(self[.write])
        case .readBytes: perSecond(readBytes)
        case .writeBytes: perSecond(writeBytes)
        case .readLatency: readLatency?.mean
        case .readP99: readLatency?.p99
        case .writeLatency: writeLatency?.mean
        case .writeP99: writeLatency?.p99
        case .depth: depth?.mean
        }
    }
}
