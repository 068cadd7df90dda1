internal import Telemetry

/// What one LUN's requests came to in the second that is open.
struct LUNAccount {
    var name: String
    private var counters = LUNCounters(monotonic: 0)
    /// Buckets of the latencies, one entry for each request: a second of few requests takes little.
    private var readBuckets: [UInt16] = []
    private var writeBuckets: [UInt16] = []
    /// Requests with a latency, those of them that were over too soon to tell it, and by how much
    /// all may be off together, nanoseconds.
    private var (timed, untold, errorSum) = (UInt64(0), UInt64(0), UInt64(0))
    private var stageSums = [UInt64](repeating: 0, count: StageTimes.Stage.allCases.count)
    private var stageCounts = [UInt64](repeating: 0, count: StageTimes.Stage.allCases.count)
    /// Requests in flight, and since when they are that many.
    private var depth = 0
    private var depthSince: Nanoseconds
    /// Nanoseconds at each depth.
    private var depthTimes: [Int: UInt64] = [:]

    init(name: String, since: Nanoseconds) {
        self.name = name
        depthSince = since
    }

    /// A second begins; what is in flight stays so.
    mutating func start(at time: Nanoseconds) {
        depthSince = time
        if counters.requests > 0 || counters.errors > 0 {
            counters = LUNCounters(monotonic: 0)
            readBuckets.removeAll(keepingCapacity: readBuckets.count < 1024)
            writeBuckets.removeAll(keepingCapacity: writeBuckets.count < 1024)
            (timed, untold, errorSum) = (0, 0, 0)
            for index in stageSums.indices { (stageSums[index], stageCounts[index]) = (0, 0) }
        }
        if !depthTimes.isEmpty { depthTimes.removeAll(keepingCapacity: depthTimes.count < 64) }
    }

    mutating func begin(_ event: IOEvent, at time: Nanoseconds) {
        pass(to: time)
        depth += 1
    }

    mutating func end(_ event: IOEvent, at time: Nanoseconds) {
        pass(to: time)
        depth -= 1
        count(event)
    }

    /// Time goes on at the present depth.
    mutating func pass(to time: Nanoseconds) {
        guard time > depthSince else { return }
        depthTimes[depth, default: 0] &+= time - depthSince
        depthSince = time
    }

    private mutating func count(_ event: IOEvent) {
        let latency = event.end == 0 ? nil : event.latency
        switch event.type {
        case 0:
            counters.reads += 1
            counters.readBytes += UInt64(event.byteCount)
            if let latency {
                readBuckets.append(note(event, latency))
                Self.add(latency, to: &counters.readLatencySum)
            }
        case 1:
            counters.writes += 1
            counters.writeBytes += UInt64(event.byteCount)
            if let latency {
                writeBuckets.append(note(event, latency))
                Self.add(latency, to: &counters.writeLatencySum)
            }
        case 4: counters.flushes += 1
        case 11: counters.discards += 1
        case 13: counters.writeZeroes += 1
        default: counters.others += 1
        }
        if event.status != 0, event.status != IOEvent.unknownStatus { counters.errors += 1 }
        for stage in StageTimes.Stage.allCases {
            guard let time = event.time(in: stage) else { continue }
            Self.add(time, to: &stageSums[stage.rawValue])
            stageCounts[stage.rawValue] += 1
        }
    }

    /// Counts a request with a latency: the bucket it belongs to.
    private mutating func note(_ event: IOEvent, _ latency: Nanoseconds) -> UInt16 {
        let isUntold = event.isUntold(latency)
        timed += 1
        if isUntold { untold += 1 }
        Self.add(event.latencyError, to: &errorSum)
        return UInt16(isUntold ? LatencyBuckets.untold : LatencyBuckets.index(of: latency))
    }

    /// Sums of nonsense stop at the largest number.
    private static func add(_ value: UInt64, to sum: inout UInt64) {
        let (total, isOver) = sum.addingReportingOverflow(value)
        sum = isOver ? .max : total
    }

    // MARK: The LUN

    /// The LUN as a live source would show it at `end`. `oldest` is the age of the oldest request
    /// in flight.
    func lun(
        from begin: Nanoseconds, to end: Nanoseconds, oldest: Nanoseconds?, hasCompletions: Bool,
        hasStatus: Bool
    ) -> LUN {
        var before = LUNCounters(monotonic: begin)
        var now = counters
        now.monotonic = end
        if hasCompletions {
            before.readLatencyBuckets = BucketCounts()
            before.writeLatencyBuckets = BucketCounts()
            now.readLatencyBuckets = Self.buckets(readBuckets)
            now.writeLatencyBuckets = Self.buckets(writeBuckets)
            now.oldest = oldest
        }
        var lun = LUN(id: name, device: "trace")
        lun.derive(from: before, to: now)
        // A trace of requests does not tell of these.
        lun.rates.kicks = nil
        lun.rates.interrupts = nil
        lun.rates.exits = nil
        if !hasStatus { lun.rates.errors = nil }
        let isTold = hasCompletions && isNearlyAll(timed, without: untold)
        lun.rates.queueDepth = isTold ? queueDepth : nil
        lun.rates.stages = stages
        if errorSum > 0 { leaveOutUntold(&lun) }
        return lun
    }

    /// Its latencies come of looks, which do not tell all.
    private func leaveOutUntold(_ lun: inout LUN) {
        let uncertainty = Double(errorSum) / Double(timed) / 1000
        lun.rates.latencyUncertainty = uncertainty
        lun.rates.readLatency = LatencySummary(of: lun.readLatencies, within: uncertainty)
        lun.rates.writeLatency = LatencySummary(of: lun.writeLatencies, within: uncertainty)
    }

    private static func buckets(_ indexes: [UInt16]) -> BucketCounts {
        var buckets = BucketCounts()
        for index in indexes { buckets.add(to: Int(index)) }
        return buckets
    }

    private var queueDepth: QueueDepth? {
        let times = depthTimes.sorted { $0.key < $1.key }
        let whole = times.reduce(0.0) { $0 + Double($1.value) }
        guard whole > 0 else { return nil }
        let mean = times.reduce(0.0) { $0 + Double($1.key) * Double($1.value) } / whole
        func depth(at share: Double) -> Int? {
            var seen = 0.0
            return times.first {
                seen += Double($0.value)
                return seen >= share * whole
            }?.key
        }
        return QueueDepth(
            now: self.depth, mean: mean, p50: depth(at: 0.5), p99: depth(at: 0.99),
            max: times.last?.key)
    }

    private var stages: StageTimes? {
        var stages = StageTimes()
        var isKnown = false
        for stage in StageTimes.Stage.allCases where stageCounts[stage.rawValue] > 0 {
            let count = Double(stageCounts[stage.rawValue])
            stages[stage] = Double(stageSums[stage.rawValue]) / count / 1000
            isKnown = true
        }
        return isKnown ? stages : nil
    }
}
