internal import Telemetry

/// What LUNs say of the sample's total.
///
/// A file that says "as foretold" says what is computed here. So this is part of the format and
/// stays as it is, whatever screens make of LUNs (`BlockRates.init(summing:)`): where that differs,
/// the numbers are written.
enum ForetoldTotal {
    static func rates(of luns: [LUN]) -> BlockRates {
        var total = BlockRates()
        for index in luns.indices { add(luns[index].rates, to: &total) }
        total.oldestInFlight = luns.indices.compactMap { luns[$0].rates.oldestInFlight }.max()
        total.queueDepth = depth(of: luns)
        total.readLatency = latency(
            luns, { $0[$1].rates.readLatency }, { $0[$1].readLatencies }, { $0[$1].rates.reads })
        total.writeLatency = latency(
            luns, { $0[$1].rates.writeLatency }, { $0[$1].writeLatencies }, { $0[$1].rates.writes })
        total.stages = stages(of: luns)
        total.stageQuality = quality(of: luns)
        total.latencyUncertainty = uncertainty(of: luns)
        return total
    }

    private static func add(_ rates: BlockRates, to total: inout BlockRates) {
        func add(_ rate: Double?, to sum: inout Double?) {
            if let rate { sum = (sum ?? 0) + rate }
        }
        add(rates.reads, to: &total.reads)
        add(rates.writes, to: &total.writes)
        add(rates.flushes, to: &total.flushes)
        add(rates.discards, to: &total.discards)
        add(rates.writeZeroes, to: &total.writeZeroes)
        add(rates.iops, to: &total.iops)
        add(rates.readBytes, to: &total.readBytes)
        add(rates.writeBytes, to: &total.writeBytes)
        add(rates.merges, to: &total.merges)
        add(rates.kicks, to: &total.kicks)
        add(rates.interrupts, to: &total.interrupts)
        add(rates.exits, to: &total.exits)
        add(rates.errors, to: &total.errors)
    }

    private static func depth(of luns: [LUN]) -> QueueDepth? {
        let depths = luns.indices.compactMap { luns[$0].rates.queueDepth }
        guard !depths.isEmpty else { return nil }
        let isKnown = depths.allSatisfy { $0.now != nil }
        return QueueDepth(
            now: isKnown ? depths.reduce(0) { $0 &+ ($1.now ?? 0) } : nil,
            mean: depths.reduce(0) { $0 + $1.mean })
    }

    /// The summary of all histograms, where every LUN with a latency has one; else the mean.
    private static func latency(
        _ luns: [LUN], _ latency: ([LUN], Int) -> LatencySummary?,
        _ histogram: ([LUN], Int) -> LatencyHistogram?, _ rate: ([LUN], Int) -> Double?
    ) -> LatencySummary? {
        let known = luns.indices.filter { latency(luns, $0) != nil }
        if known.allSatisfy({ histogram(luns, $0) != nil }) {
            return LatencySummary(of: .sum(luns.indices.map { histogram(luns, $0) }))
        }
        var (weight, weighted) = (0.0, 0.0)
        for index in known {
            let requests = rate(luns, index) ?? 0
            weight += requests
            weighted += (latency(luns, index)?.mean ?? 0) * requests
        }
        return weight > 0 ? LatencySummary(mean: weighted / weight) : nil
    }

    /// Means weighted by requests, of the LUNs that have any.
    private static func stages(of luns: [LUN]) -> StageTimes? {
        let known = luns.indices.compactMap { index in
            luns[index].rates.stages.flatMap { stages in
                luns[index].rates.iops.map { (stages, $0) }
            }
        }
        let weight = known.reduce(0) { $0 + $1.1 }
        guard weight > 0 else { return nil }
        var total = StageTimes()
        for stage in StageTimes.Stage.allCases {
            let parts = known.compactMap { stages, iops in stages[stage].map { $0 * iops } }
            total[stage] = parts.count == known.count ? parts.reduce(0, +) / weight : nil
        }
        return total
    }

    /// The weakest of each stage.
    private static func quality(of luns: [LUN]) -> StageQualities {
        var total = StageQualities()
        for stage in StageTimes.Stage.allCases {
            let known = luns.indices.lazy.filter { luns[$0].rates.stages?[stage] != nil }
                .map { luns[$0].rates.stageQuality[stage] }
            total[stage] = known.min { $0.rawValue < $1.rawValue } ?? .unknown
        }
        return total
    }

    /// The mean weighted by reads and writes; 0 counts for LUNs of which no error is known.
    private static func uncertainty(of luns: [LUN]) -> Double? {
        var (weight, weighted, isKnown) = (0.0, 0.0, false)
        for index in luns.indices {
            guard luns[index].rates.readLatency != nil || luns[index].rates.writeLatency != nil
            else { continue }
            let requests = (luns[index].rates.reads ?? 0) + (luns[index].rates.writes ?? 0)
            let error = luns[index].rates.latencyUncertainty
            isKnown = isKnown || error != nil
            weight += requests
            weighted += (error ?? 0) * requests
        }
        return isKnown && weight > 0 ? weighted / weight : nil
    }
}
