internal import Telemetry

/// A stretch of time with what was measured and what happened in it, laid over columns of cells.
struct Timeline {
    /// What a row of it shows.
    enum Metric: CaseIterable {
        case iops, p99, depth, bandwidth

        var title: String {
            switch self {
            case .iops: "IOPS"
            case .p99: "p99"
            case .depth: "depth"
            case .bandwidth: "B/s"
            }
        }

        func extent(in bucket: TimelineBucket) -> Extent? {
            switch self {
            case .iops: bucket.iops
            case .p99: bucket.p99
            case .depth: bucket.depth
            case .bandwidth: bucket.bytes
            }
        }
    }

    let first: Moment
    let last: Moment
    let buckets: [TimelineBucket]
    /// The earliest first.
    let events: [Mark]
    let gaps: [ClosedRange<Nanoseconds>]

    /// The column of `width` in which `time` lies, the outermost for times outside.
    func column(of time: Nanoseconds, width: Int) -> Int {
        guard width > 1, time > first.monotonic, last.monotonic > first.monotonic else { return 0 }
        let span = Double(last.monotonic - first.monotonic)
        let place = Double(min(time, last.monotonic) - first.monotonic) / span * Double(width)
        return min(width - 1, max(0, Int(place)))
    }

    /// The time at the end of a column, so that its cell holds what came up to then.
    func time(of column: Int, width: Int) -> Nanoseconds {
        guard width > 0, last.monotonic > first.monotonic else { return first.monotonic }
        guard column < width - 1 else { return last.monotonic }
        let span = last.monotonic - first.monotonic
        let column = max(0, column)
        let share = Double(column + 1) / Double(width)
        // A nanosecond short of the next column, whatever the rounding did.
        let offset = Nanoseconds(Double(span) * share)
        var time = first.monotonic + min(span, offset)
        while time > first.monotonic, self.column(of: time, width: width) > column {
            time -= min(time - first.monotonic, max(1, span >> 40))
        }
        return time
    }

    /// `metric` over `width` columns; `nil` where nothing is known.
    func values(_ metric: Metric, width: Int) -> [Extent?] {
        guard width > 0 else { return [] }
        var values = [Extent?](repeating: nil, count: width)
        for bucket in buckets where bucket.end >= first.monotonic {
            guard bucket.start <= last.monotonic, let extent = metric.extent(in: bucket) else {
                continue
            }
            let end = column(of: bucket.end, width: width)
            let isPoint = bucket.start >= bucket.end
            let start = isPoint ? end : column(of: bucket.start, width: width)
            // A bucket that only reaches into the next column does not count there.
            let isNarrow = end <= start + 1
            for column in (isNarrow ? end : start + 1)...end {
                values[column] = values[column].map { $0.union(extent) } ?? extent
            }
        }
        return values
    }

    /// What `metric` was at `time`: in the last bucket that had ended; `nil` in a gap.
    func value(_ metric: Metric, at time: Nanoseconds) -> Extent? {
        if gaps.contains(where: { $0.lowerBound < time && time < $0.upperBound }) { return nil }
        guard let bucket = buckets.last(where: { $0.end <= time }) ?? buckets.first else {
            return nil
        }
        return metric.extent(in: bucket)
    }
}

extension Mark {
    /// Whether the event keys stop at it.
    var isEvent: Bool { kind != .notice || severity >= .warning }
}

extension ViewState {
    /// The time there is to look at: of a replay the whole recording, else the samples in memory.
    func timeline(_ history: SnapshotHistory) -> Timeline? {
        guard let range = history.range else { return nil }
        guard let replay else {
            let (events, gaps) = Self.happenings(history)
            return Timeline(
                first: range.first, last: range.last, buckets: history.overview,
                events: events, gaps: gaps)
        }
        // A file may say of itself what its samples contradict.
        let isSane = replay.first.monotonic <= replay.last.monotonic
        return Timeline(
            first: isSane ? replay.first : range.first, last: isSane ? replay.last : range.last,
            buckets: replay.overview.isEmpty ? history.overview : replay.overview,
            events: replay.marks.sorted { $0.monotonic < $1.monotonic }, gaps: replay.gaps)
    }

    /// What happened in the samples in memory: notices, findings that came or went, and stretches
    /// without samples.
    private static func happenings(
        _ history: SnapshotHistory
    ) -> (events: [Mark], gaps: [ClosedRange<Nanoseconds>]) {
        var events: [Mark] = []
        var gaps: [ClosedRange<Nanoseconds>] = []
        var before: Happenings?
        history.eachHappening { happenings in
            let time = happenings.monotonic
            for notice in happenings.notices {
                let name = notice.vm.map { $0 + ": " } ?? ""
                events.append(
                    Mark(
                        monotonic: time, kind: .notice, severity: notice.severity,
                        text: name + notice.text))
            }
            if let before {
                events += changes(from: before, to: happenings)
                if let gap = gap(from: before, to: happenings) { gaps.append(gap) }
            }
            before = happenings
        }
        return (events, gaps)
    }

    private static func changes(from before: Happenings, to after: Happenings) -> [Mark] {
        func missing(_ these: [Finding], in others: [Finding]) -> [Finding] {
            guard !these.isEmpty else { return [] }
            let known = Set(others.map { $0.rule + "\0" + $0.scope })
            return these.filter { !known.contains($0.rule + "\0" + $0.scope) }
        }
        func mark(_ finding: Finding, _ severity: Finding.Severity, _ text: String) -> Mark {
            Mark(
                monotonic: after.monotonic, kind: .finding, severity: severity,
                scope: finding.scope, text: text)
        }
        return missing(after.findings, in: before.findings).map {
            mark($0, $0.severity, $0.scope + ": " + $0.title)
        }
            + missing(before.findings, in: after.findings).map {
                mark($0, .info, "cleared: " + $0.scope + ": " + $0.title)
            }
    }

    /// More than three usual distances between two samples are a gap.
    private static func gap(
        from before: Happenings, to after: Happenings
    ) -> ClosedRange<Nanoseconds>? {
        guard let usual = before.interval, after.monotonic > before.monotonic else { return nil }
        let distance = Double(after.monotonic - before.monotonic) / 1e9
        return distance > 3 * usual ? before.monotonic...after.monotonic : nil
    }
}
