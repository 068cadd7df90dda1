/// One reading of a LUN's counters: everything is cumulative since the source started, gauges
/// apart.
public struct LUNCounters: Sendable, Equatable {
    /// `CLOCK_MONOTONIC` nanoseconds of this reading.
    public var monotonic: Nanoseconds
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    public var flushes: UInt64 = 0
    public var discards: UInt64 = 0
    public var writeZeroes: UInt64 = 0
    /// Requests of any other type.
    public var others: UInt64 = 0
    public var readBytes: UInt64 = 0
    public var writeBytes: UInt64 = 0
    /// Requests merged into others; `nil` where not counted.
    public var merges: UInt64?
    public var errors: UInt64 = 0
    public var kicks: UInt64 = 0
    public var kicksSuppressed: UInt64 = 0
    public var interrupts: UInt64 = 0
    public var interruptsSuppressed: UInt64 = 0
    /// Times the guest was left; `nil` where not counted.
    public var exits: UInt64?
    /// Nanoseconds during which the driver had requests it could not place.
    public var fullTime: UInt64 = 0
    /// Turns of the device thread that moved requests.
    public var turns: UInt64 = 0
    /// Sums of latencies, nanoseconds.
    public var readLatencySum: UInt64 = 0
    public var writeLatencySum: UInt64 = 0
    /// Requests whose latencies are in the sums, where these are not just the completed ones.
    public var timedReads: UInt64?
    public var timedWrites: UInt64?
    /// Sum of the latencies of all requests, flushes among them, nanoseconds; `nil` where the depth
    /// is counted in `depthTimes` instead.
    public var latencySum: UInt64?
    /// Requests whose stages were stamped, and the nanoseconds they spent in each.
    public var staged: UInt64 = 0
    public var stageSums: [UInt64] = Array(repeating: 0, count: StageTimes.Stage.allCases.count)
    /// Requests by latency; `nil` where not known.
    public var readLatencyBuckets: BucketCounts?
    public var writeLatencyBuckets: BucketCounts?
    /// Nanoseconds spent at each queue depth, index = depth; empty where not known.
    public var depthTimes: [UInt64] = []
    /// Gauge: requests in flight now.
    public var depth: Int = 0
    /// Gauge: age of the oldest request in flight, nanoseconds.
    public var oldest: Nanoseconds?

    /// All counters 0, at `monotonic`.
    public init(monotonic: Nanoseconds) { self.monotonic = monotonic }

    /// Completed requests.
    public var requests: UInt64 { reads &+ writes &+ flushes &+ discards &+ writeZeroes &+ others }
}

/// Two readings of cumulative counters become rates; the guard against nonsense lives here.
///
/// There is no rate over less than a millisecond (a giant would come out), and none for a counter
/// that went down (it was reset): the cell stays blank for that interval.
public struct RateInterval: Sendable {
    /// The shortest interval a rate is made of, seconds.
    public static let shortest = 0.001
    /// Length in seconds, at least `shortest`.
    public let seconds: Double
    /// The same in nanoseconds.
    public let span: Nanoseconds

    /// The interval between two readings, or `nil` if it is too short or runs backwards.
    public init?(from previous: Nanoseconds, to current: Nanoseconds) {
        guard current > previous else { return nil }
        let seconds = Double(current - previous) / 1e9
        guard seconds >= Self.shortest else { return nil }
        self.seconds = seconds
        span = current - previous
    }

    /// Growth per second, or `nil` if the counter went down.
    public func rate(_ previous: UInt64, _ current: UInt64) -> Double? {
        current >= previous ? Double(current - previous) / seconds : nil
    }

    /// Growth of a nanosecond counter as percent of the interval to three decimals, or `nil` if it
    /// went down.
    public func percent(_ previous: UInt64, _ current: UInt64) -> Double? {
        rate(previous, current).map { ($0 / 1e7).roundedToThousandths }
    }
}

extension Double {
    /// To three decimals: what a mean, a share or a depth has beyond is noise, and takes room in
    /// every recording. Microseconds become whole nanoseconds.
    public var roundedToThousandths: Double { (self * 1000).rounded() / 1000 }
}

/// The share of `part` in `part + rest`, percent, of what two counters grew by; `nil` without
/// growth.
func sharePercent(_ part: (UInt64, UInt64), rest: (UInt64, UInt64)) -> Double? {
    guard part.1 >= part.0, rest.1 >= rest.0 else { return nil }
    let part = Double(part.1 - part.0)
    let whole = part + Double(rest.1 - rest.0)
    return whole > 0 ? (part / whole * 100).roundedToThousandths : nil
}

extension LUN {
    /// Fills rates, histograms and, for a LUN of one queue, the queue's rates from two readings of
    /// its counters; with no `previous` only the gauges are known.
    public mutating func derive(
        from previous: LUNCounters?, to current: LUNCounters
    ) {
        forgetRates()
        rates.oldestInFlight = current.oldest.map { Double($0) / 1000 }
        guard let previous,
            let interval = RateInterval(from: previous.monotonic, to: current.monotonic)
        else { return }
        span = interval.span
        rates.reads = interval.rate(previous.reads, current.reads)
        rates.writes = interval.rate(previous.writes, current.writes)
        rates.flushes = interval.rate(previous.flushes, current.flushes)
        rates.discards = interval.rate(previous.discards, current.discards)
        rates.writeZeroes = interval.rate(previous.writeZeroes, current.writeZeroes)
        rates.iops = interval.requestRate(previous, current)
        rates.readBytes = interval.rate(previous.readBytes, current.readBytes)
        rates.writeBytes = interval.rate(previous.writeBytes, current.writeBytes)
        if let before = previous.merges, let now = current.merges {
            rates.merges = interval.rate(before, now)
        }
        rates.kicks = interval.rate(previous.kicks, current.kicks)
        rates.interrupts = interval.rate(previous.interrupts, current.interrupts)
        if let before = previous.exits, let now = current.exits {
            rates.exits = interval.rate(before, now)
        }
        rates.errors = interval.rate(previous.errors, current.errors)
        rates.queueDepth =
            QueueDepth(from: previous, to: current)
            ?? QueueDepth(littleFrom: previous, to: current, over: interval)
        rates.stages = StageTimes(from: previous, to: current)
        for stage in StageTimes.Stage.allCases where rates.stages?[stage] != nil {
            rates.stageQuality[stage] = .measured
        }
        readLatencies = LatencyHistogram(
            from: previous.readLatencyBuckets, to: current.readLatencyBuckets,
            sums: (previous.readLatencySum, current.readLatencySum))
        writeLatencies = LatencyHistogram(
            from: previous.writeLatencyBuckets, to: current.writeLatencyBuckets,
            sums: (previous.writeLatencySum, current.writeLatencySum))
        rates.readLatency =
            LatencySummary(of: readLatencies)
            ?? LatencySummary(
                of: (previous.timedReads ?? previous.reads, current.timedReads ?? current.reads),
                sum: (previous.readLatencySum, current.readLatencySum))
        rates.writeLatency =
            LatencySummary(of: writeLatencies)
            ?? LatencySummary(
                of: (
                    previous.timedWrites ?? previous.writes, current.timedWrites ?? current.writes
                ),
                sum: (previous.writeLatencySum, current.writeLatencySum))
        if virtqueues.count == 1 {
            virtqueues[0].derive(from: previous, to: current, over: interval)
        }
    }

    /// Blanks what an earlier interval left, so that nothing stale outlives its interval.
    private mutating func forgetRates() {
        rates = BlockRates()
        readLatencies = nil
        writeLatencies = nil
        span = nil
        for index in virtqueues.indices { virtqueues[index].forgetRates() }
    }
}

extension RateInterval {
    /// Completed requests per second, or `nil` if the count of any type went down: the sum of the
    /// others would look like a rate.
    func requestRate(_ previous: LUNCounters, _ current: LUNCounters) -> Double? {
        // In words: looked at by key path they take as long as all other rates of a LUN.
        let isWhole =
            current.reads >= previous.reads && current.writes >= previous.writes
            && current.flushes >= previous.flushes && current.discards >= previous.discards
            && current.writeZeroes >= previous.writeZeroes && current.others >= previous.others
        return isWhole ? rate(previous.requests, current.requests) : nil
    }
}

extension LatencyHistogram {
    /// What was counted between two readings, or `nil` where there is no histogram or it was reset.
    public init?(
        from previous: BucketCounts?, to current: BucketCounts?, sums: (UInt64, UInt64)
    ) {
        guard let previous, let current, sums.1 >= sums.0 else { return nil }
        // No time was added, so nothing was counted: an idle LUN costs nothing here.
        if sums.0 == sums.1 {
            self.init()
            return
        }
        self = current.histogram(since: previous, sum: sums.1 - sums.0)
    }
}

extension LatencySummary {
    /// The mean of the requests counted between two readings, where only their number and the sum
    /// of their latencies are known; `nil` if there were none.
    init?(of requests: (UInt64, UInt64), sum: (UInt64, UInt64)) {
        guard requests.1 > requests.0, sum.1 > sum.0 else { return nil }
        self.init(
            mean: (Double(sum.1 - sum.0) / Double(requests.1 - requests.0) / 1000)
                .roundedToThousandths)
    }
}

extension QueueDepth {
    /// The mean depth by Little's law: the latencies of all requests completed between two
    /// readings, over the time between them.
    init?(littleFrom previous: LUNCounters, to current: LUNCounters, over interval: RateInterval) {
        guard let before = previous.latencySum, let now = current.latencySum, now >= before else {
            return nil
        }
        self.init(
            now: nil,
            mean: (Double(now - before) / 1e9 / interval.seconds).roundedToThousandths)
    }

    /// The time-weighted depth between two readings, or `nil` where it is not known.
    init?(from previous: LUNCounters, to current: LUNCounters) {
        guard !current.depthTimes.isEmpty, previous.depthTimes.count == current.depthTimes.count
        else { return nil }
        var times: [(depth: Int, time: UInt64)] = []
        for (depth, now) in current.depthTimes.enumerated() {
            let before = previous.depthTimes[depth]
            if now > before { times.append((depth, now - before)) }
        }
        let whole = times.reduce(0.0) { $0 + Double($1.time) }
        guard whole > 0 else { return nil }
        let mean = times.reduce(0.0) { $0 + Double($1.depth) * Double($1.time) } / whole
        func depth(at share: Double) -> Int? {
            var seen = 0.0
            return times.first {
                seen += Double($0.time); return seen >= share * whole
            }?.depth
        }
        self.init(
            now: current.depth, mean: mean.roundedToThousandths, p50: depth(at: 0.5),
            p99: depth(at: 0.99),
            max: times.last?.depth)
    }
}

extension StageTimes {
    /// Mean stage times of the requests stamped between two readings, or `nil` if there were none.
    init?(from previous: LUNCounters, to current: LUNCounters) {
        let stages = Stage.allCases.count
        guard current.staged > previous.staged, previous.stageSums.count == stages,
            current.stageSums.count == stages
        else { return nil }
        let count = Double(current.staged - previous.staged)
        self.init()
        for stage in Stage.allCases {
            let (before, now) = (
                previous.stageSums[stage.rawValue], current.stageSums[stage.rawValue]
            )
            self[stage] =
                now >= before
                ? (Double(now - before) / count / 1000).roundedToThousandths : nil
        }
    }
}

extension Virtqueue {
    /// Blanks the rates; identity and indices stay.
    mutating func forgetRates() {
        kicks = nil
        interrupts = nil
        kicksSuppressedPercent = nil
        interruptsSuppressedPercent = nil
        fullPercent = nil
        batch = nil
    }

    /// Fills the rates from the counters of this queue alone.
    mutating func derive(
        from previous: LUNCounters, to current: LUNCounters, over interval: RateInterval
    ) {
        kicks = interval.rate(previous.kicks, current.kicks)
        interrupts = interval.rate(previous.interrupts, current.interrupts)
        kicksSuppressedPercent = sharePercent(
            (previous.kicksSuppressed, current.kicksSuppressed),
            rest: (previous.kicks, current.kicks))
        interruptsSuppressedPercent = sharePercent(
            (previous.interruptsSuppressed, current.interruptsSuppressed),
            rest: (previous.interrupts, current.interrupts))
        fullPercent = interval.percent(previous.fullTime, current.fullTime).map { min($0, 100) }
        if current.turns > previous.turns, current.requests >= previous.requests {
            batch =
                (Double(current.requests - previous.requests)
                / Double(current.turns - previous.turns)).roundedToThousandths
        }
    }
}

extension BlockRates {
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

    /// Of all requests those of LUNs whose mean is known, at least: the mean of fewer would be that
    /// of the LUNs whose requests last long enough to be seen.
    private static let leastShare = 0.9

    /// The mean of the LUNs', weighted; `nil` if too few have any.
    private static func mean(of latencies: [LatencySummary?], by weights: [Double?]) -> Double? {
        var (all, weight, weighted) = (0.0, 0.0, 0.0)
        for (latency, requests) in zip(latencies, weights) {
            guard let requests else { continue }
            all += requests
            guard let mean = latency?.mean else { continue }
            weight += requests
            weighted += mean * requests
        }
        return weight > 0 && weight >= leastShare * all ? weighted / weight : nil
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
    /// Of all requests those of LUNs whose stages are known, at least: the mean of fewer would be
    /// that of the LUNs whose requests last long enough to be seen.
    private static let leastShare = 0.9

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
        guard weight > 0, weight >= Self.leastShare * all else { return nil }
        self.init()
        for stage in Stage.allCases {
            let parts = known.compactMap { stages, iops in stages[stage].map { $0 * iops } }
            self[stage] = parts.count == known.count ? parts.reduce(0, +) / weight : nil
        }
    }
}
