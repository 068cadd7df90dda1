internal import Telemetry

extension RequestTotals {
    /// From the first begin to the last end.
    var seconds: Double { axis.isEmpty ? 0 : Double(axis.high - axis.low) / 1e9 }

    /// Whether what took a request is told of nearly all.
    var isTold: Bool {
        isNearlyAll(
            tallies.reduce(0) { $0 &+ $1.timed }, without: tallies.reduce(0) { $0 &+ $1.untold })
    }

    /// The depth of `tallies` together at every border between cells during the recording.
    func depths(of tallies: [LUNTally]) -> (counts: [UInt64], mean: Double?) {
        guard !axis.isEmpty, axis.high > axis.low else { return ([], nil) }
        let sum = tallies.reduce(0.0) { $0 + Double($1.latencySum) }
        let mean = sum / Double(axis.high - axis.low)
        let first = axis.border(after: axis.low)
        let last = axis.cell(of: axis.high)
        guard first <= last, tallies.contains(where: { $0.timed > 0 }) else { return ([], mean) }
        var counts: [UInt64] = []
        var depth = 0
        for border in 0...min(last, TimeAxis.cells - 1) {
            for tally in tallies { depth += Int(tally.depthSteps[border]) }
            guard border >= first else { continue }
            let shown = min(max(0, depth), 65_535)
            while counts.count <= shown { counts.append(0) }
            counts[shown] += 1
        }
        return (counts, mean)
    }

    /// At most 60 stretches of equal length, the last perhaps cut short.
    var mix: [Report.MixRow] {
        guard !axis.isEmpty, axis.high > axis.low else { return [] }
        let (first, last) = (axis.cell(of: axis.low), axis.cell(of: axis.high))
        let width = (last - first + 60) / 60
        return stride(from: first, through: last, by: width).map { cell in
            let end = min(cell + width, last + 1)
            let sum = activity[cell..<end].reduce(.zero, +)
            let begin = max(axis.low, (axis.base &+ UInt64(cell)) &<< axis.shift)
            // The row's end, within the recording; beyond 64 bits only that of the last row lies.
            let (next, overflow) = (axis.base &+ UInt64(end)).multipliedReportingOverflow(
                by: axis.cellLength)
            let seconds = Double((overflow ? axis.high : min(next, axis.high)) - begin) / 1e9
            func rate(_ count: UInt64) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
            return Report.MixRow(
                start: begin, duration: seconds, reads: rate(sum.reads), writes: rate(sum.writes),
                others: rate(sum.others), readBytes: rate(sum.readBytes),
                writeBytes: rate(sum.writeBytes),
                meanLatency: sum.timed > 0 && isNearlyAll(sum.timed, without: sum.untold)
                    ? Double(sum.latencySum) / Double(sum.timed) / 1000 : nil)
        }
    }

    var idleTime: Report.Idle {
        let seconds = Double(idle.total) / 1e9
        return Report.Idle(
            count: idle.count, seconds: seconds,
            percent: self.seconds > 0 ? seconds / self.seconds * 100 : nil,
            longest: idle.longest.map {
                Report.Idle.Gap(start: $0.start, seconds: Double($0.length) / 1e9)
            })
    }
}

extension LUNTally {
    /// All of `tallies` together; depths and seeks, which do not add up so, apart.
    init(summing tallies: [LUNTally]) {
        self.init(name: "total")
        for tally in tallies { add(tally) }
    }

    private func latency(_ histogram: Histogram) -> Report.Latency? {
        let buckets = self.histogram(histogram)
        let hasUntold = untold > 0 && buckets[buckets.startIndex + LatencyBuckets.untold] > 0
        return Report.Latency(
            buckets: buckets, sum: sum(histogram), largest: largest(histogram),
            uncertainty: hasUntold ? 0 : nil)
    }

    func report(
        over seconds: Double, depths: (counts: [UInt64], mean: Double?)
    ) -> Report.LUNReport {
        var report = Report.LUNReport(id: name)
        report.seconds = seconds
        report.counts = counts.map { $0 }
        report.requests = counts.reduce(UInt64(0)) { $0.addingClamped($1) }
        report.readBytes = readBytes
        report.writeBytes = writeBytes
        report.errors = judged > 0 ? errors : nil
        report.readLatency = latency(.read)
        report.writeLatency = latency(.write)
        report.flushLatency = latency(.flush)
        if timed > 0, isTold, let mean = depths.mean {
            report.depth = Report.Depth(mean: mean, counts: depths.counts)
        }
        report.stages = stageShares
        report.pattern = Report.Pattern(of: [self], merged: self)
        return report
    }

    private var stageShares: [Report.StageShare] {
        let stages: [(StageTimes.Stage, Histogram)] = [
            (.ringWait, .ringWait), (.submit, .submit), (.storage, .storage),
            (.complete, .complete), (.notify, .notify),
        ]
        return shares(
            of: stages.compactMap { stage, histogram in
                guard let found = quantiles(of: self.histogram(histogram), [0.99]) else {
                    return nil
                }
                let mean = Double(sum(histogram)) / Double(found.count) / 1000
                return (stage, mean, Double(min(found.values[0], largest(histogram))) / 1000)
            })
    }
}

/// Stages with their part of the sum of the means.
func shares(
    of stages: [(StageTimes.Stage, mean: Double, p99: Double?)]
) -> [Report.StageShare] {
    let sum = stages.reduce(0) { $0 + $1.mean }
    return stages.map { stage, mean, p99 in
        Report.StageShare(
            stage: stage, mean: mean, p99: p99, sharePercent: sum > 0 ? mean / sum * 100 : 0)
    }
}

extension Report.Pattern {
    /// How the requests of `tallies` lie, with their distances in `merged`; `nil` if none has a
    /// predecessor.
    init?(of tallies: [LUNTally], merged: LUNTally) {
        let judged = tallies.reduce(0.0) { $0 + Double($1.seeks.judged) }
        guard judged > 0 else { return nil }
        let distances = tallies.reduce(0.0) { $0 + Double($1.seeks.distances) }
        let sum = tallies.reduce(0.0) { $0 + $1.seeks.distanceSum }
        let found = quantiles(of: merged.histogram(.seek), [0.5, 0.99])
        self.init(
            sequentialPercent: tallies.reduce(0) { $0 + Double($1.seeks.sequential) } / judged
                * 100,
            nearPercent: tallies.reduce(0) { $0 + Double($1.seeks.near) } / judged * 100,
            seekMean: distances > 0 ? sum / distances : nil, seekP50: found?.values[0],
            seekP99: found?.values[1])
    }
}

extension Report.Depth {
    /// A depth with its mean, and how often each was seen.
    init(mean: Double, counts: [UInt64]) {
        let all = counts.reduce(0, &+)
        func depth(at share: Double) -> Int? {
            var seen: UInt64 = 0
            return counts.firstIndex {
                seen += $0
                return all > 0 && Double(seen) >= share * Double(all)
            }
        }
        self.init(
            mean: mean, p50: depth(at: 0.5), p99: depth(at: 0.99),
            max: counts.lastIndex { $0 > 0 })
    }
}

extension SampleTally {
    /// What the samples say, as a value.
    var report: Report.LUNReport {
        var report = Report.LUNReport(id: name)
        func whole(_ value: Double?) -> UInt64? {
            value.flatMap { $0.isFinite && $0 >= 0 && $0 < 1.8e19 ? UInt64($0.rounded()) : nil }
        }
        report.seconds = seconds > 0 ? seconds : nil
        report.counts = counts.map(whole)
        report.requests = whole(requests)
        report.readBytes = whole(readBytes)
        report.writeBytes = whole(writeBytes)
        report.errors = whole(errors)
        report.readLatency = reads.latency
        report.writeLatency = writes.latency
        if depthSeconds > 0 {
            var depth = Report.Depth(mean: depthSum / depthSeconds, counts: depths)
            depth.max = deepest
            report.depth = depth
        }
        report.stages = shares(
            of: StageTimes.Stage.allCases.compactMap { stage in
                let (sum, weight) = stages[stage.rawValue]
                return weight > 0 ? (stage, sum / weight, nil) : nil
            })
        report.settings = lun.map(lunSettings) ?? []
        report.series = series
        return report
    }
}
