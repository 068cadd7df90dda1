extension BlockRates {
    /// Of all requests those of which a mean is known, at least: the mean of fewer would be that of
    /// those that last long enough to be seen.
    package static let leastShare = 0.9

    /// The sum of all LUNs. Latencies come from the added histograms; depth percentiles do not add
    /// up and stay `nil`; a rate is `nil` only if no LUN knows it.
    public init(summing luns: [LUN]) {
        self.init()
        for index in luns.indices { add(luns[index].rates) }
        oldestInFlight = luns.indices.compactMap { luns[$0].rates.oldestInFlight }.max()
        let depths = luns.indices.compactMap { luns[$0].rates.queueDepth }
        if !depths.isEmpty {
            queueDepth = QueueDepth(
                now: depths.allSatisfy { $0.now != nil }
                    ? depths.reduce(0) { $0 &+ ($1.now ?? 0) } : nil,
                mean: depths.reduce(0) { $0 + $1.mean })
        }
        latencyUncertainty = Self.uncertainty(of: luns)
        // By index, as above: to copy a LUN takes longer than to add what it has.
        readLatency = .total(
            luns.indices.map { luns[$0].rates.readLatency },
            of: luns.indices.map { luns[$0].readLatencies },
            by: luns.indices.map {
                luns[$0].rates.reads ?? luns[$0].rate(of: luns[$0].readLatencies)
            }, within: latencyUncertainty)
        writeLatency = .total(
            luns.indices.map { luns[$0].rates.writeLatency },
            of: luns.indices.map { luns[$0].writeLatencies },
            by: luns.indices.map {
                luns[$0].rates.writes ?? luns[$0].rate(of: luns[$0].writeLatencies)
            }, within: latencyUncertainty)
        stages = StageTimes(weighting: luns)
        stageQuality = StageQualities(weakestOf: luns)
    }

    /// The mean of the LUNs', weighted by their requests; one that is stamped is not off. The
    /// largest where nobody knows how many requests there were.
    private static func uncertainty(of luns: [LUN]) -> Double? {
        var (weight, weighted, largest) = (0.0, 0.0, Double?.none)
        for index in luns.indices {
            let error = luns[index].rates.latencyUncertainty
            guard
                error != nil || luns[index].rates.readLatency != nil
                    || luns[index].rates.writeLatency != nil
            else { continue }
            let requests = luns[index].rates.measuredRequests
            if let error { largest = max(largest ?? 0, error) }
            weight += requests
            weighted += (error ?? 0) * requests
        }
        guard let largest else { return nil }
        return weight > 0 ? weighted / weight : largest
    }

    /// Reads and writes a second, or all requests where those are not told apart.
    private var measuredRequests: Double {
        reads == nil && writes == nil ? iops ?? 0 : (reads ?? 0) + (writes ?? 0)
    }
}

extension BlockRates {
    /// Adds what simply adds up.
    private mutating func add(_ rates: BlockRates) {
        func add(_ rate: Double?, to sum: inout Double?) {
            if let rate { sum = (sum ?? 0) + rate }
        }
        add(rates.reads, to: &reads)
        add(rates.writes, to: &writes)
        add(rates.flushes, to: &flushes)
        add(rates.discards, to: &discards)
        add(rates.writeZeroes, to: &writeZeroes)
        add(rates.iops, to: &iops)
        add(rates.readBytes, to: &readBytes)
        add(rates.writeBytes, to: &writeBytes)
        add(rates.merges, to: &merges)
        add(rates.kicks, to: &kicks)
        add(rates.interrupts, to: &interrupts)
        add(rates.exits, to: &exits)
        add(rates.errors, to: &errors)
    }
}

extension LUN {
    /// Requests a second of which there is a latency.
    fileprivate func rate(of latencies: LatencyHistogram?) -> Double? {
        latencies.map { Double($0.count) * 1e9 / Double(max(1, span ?? 1_000_000_000)) }
    }
}

extension LatencySummary {
    /// All LUNs together, each at the same place in all three: from their histograms where every
    /// LUN with a latency has one, else only the mean, weighted by the rates. Where the histograms
    /// may be off by `uncertainty`, means of the LUNs are better than theirs.
    static func total(
        _ latencies: [LatencySummary?], of histograms: [LatencyHistogram?], by rates: [Double?],
        within uncertainty: Double?
    ) -> LatencySummary? {
        let known = latencies.indices.filter { latencies[$0] != nil }
        guard known.allSatisfy({ histograms[$0] != nil }) else {
            return mean(of: latencies, by: rates).map { LatencySummary(mean: $0) }
        }
        var total = LatencySummary(of: .sum(histograms), within: uncertainty)
        if uncertainty == nil { return total }
        let mean = mean(of: latencies, by: rates)
        total?.mean = mean
        return total ?? mean.map { LatencySummary(mean: $0) }
    }

    /// The mean of all, weighted by their requests; `nil` if it is known of too few.
    static func mean(of latencies: [LatencySummary?], by weights: [Double?]) -> Double? {
        var (all, weight, weighted) = (0.0, 0.0, 0.0)
        for (latency, requests) in zip(latencies, weights) {
            guard let requests, requests > 0 else { continue }
            all += requests
            guard let mean = latency?.mean else { continue }
            weight += requests
            weighted += mean * requests
        }
        return weight > 0 && weight >= BlockRates.leastShare * all ? weighted / weight : nil
    }
}

extension LatencyHistogram {
    /// All of `histograms` together.
    public static func sum(_ histograms: [LatencyHistogram?]) -> LatencyHistogram {
        var counts = [UInt64](repeating: 0, count: LatencyBuckets.count)
        var sum: UInt64 = 0
        for case let histogram? in histograms {
            sum &+= histogram.sum
            for bucket in histogram.buckets { counts[Int(bucket.index)] += UInt64(bucket.count) }
        }
        let buckets = counts.indices.lazy.filter { counts[$0] > 0 }.map {
            Bucket(index: UInt16($0), count: UInt32(clamping: counts[$0]))
        }
        return LatencyHistogram(buckets: Array(buckets), sum: sum)
    }
}

extension StageTimes {
    /// Stage means over all LUNs, weighted by their request rates; `nil` if too few have any.
    init?(weighting luns: [LUN]) {
        let known = luns.indices.compactMap { index in
            if let stages = luns[index].rates.stages, let iops = luns[index].rates.iops {
                (stages, iops)
            } else {
                nil
            }
        }
        let weight = known.reduce(0) { $0 + $1.1 }
        let all = luns.indices.reduce(0) { $0 + (luns[$1].rates.iops ?? 0) }
        guard weight > 0, weight >= BlockRates.leastShare * all else { return nil }
        self.init()
        for stage in Stage.allCases {
            let parts = known.compactMap { stages, iops in stages[stage].map { $0 * iops } }
            self[stage] = parts.count == known.count ? parts.reduce(0, +) / weight : nil
        }
    }
}
