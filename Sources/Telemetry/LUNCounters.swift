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
