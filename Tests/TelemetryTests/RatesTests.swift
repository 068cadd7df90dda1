import Telemetry
import Testing

private let second: Nanoseconds = 1_000_000_000

@Suite struct RateIntervalTests {
    @Test(
        arguments: [
            (0, 1_000_000, 0.001), (5 * second, 7 * second, 2), (0, 999_999, nil), (7, 7, nil),
            (second, 0, nil), (.max, 0, nil),
        ] as [(Nanoseconds, Nanoseconds, Double?)])
    func lengths(from: Nanoseconds, to: Nanoseconds, seconds: Double?) {
        #expect(RateInterval(from: from, to: to)?.seconds == seconds)
    }

    @Test func growthAndReset() throws {
        let interval = try #require(RateInterval(from: 0, to: 2 * second))
        #expect(interval.rate(100, 146) == 23)
        #expect(interval.rate(100, 100) == 0)
        #expect(interval.rate(100, 99) == nil)
        #expect(interval.percent(0, second) == 50)
        #expect(interval.percent(second, 0) == nil)
    }
}

@Suite struct LUNRates {

    /// A second in which 23 requests of each type went through: every counter says 23.
    private func readings() -> (LUNCounters, LUNCounters) {
        let before = LUNCounters(monotonic: 5 * second)
        var after = LUNCounters(monotonic: 6 * second)
        for counter: WritableKeyPath<LUNCounters, UInt64> in [
            \.reads, \.writes, \.flushes, \.discards, \.writeZeroes, \.errors, \.kicks,
            \.interrupts, \.readBytes, \.writeBytes,
        ] {
            after[keyPath: counter] = 23
        }
        return (before, after)
    }

    private func lun() -> LUN {
        var lun = LUN(id: "vd00", device: "virtio-blk")
        lun.virtqueues = [
            Virtqueue(index: 0, size: 256, availIndex: 0, usedIndex: 0, inFlight: 0)
        ]
        return lun
    }

    @Test mutating func twentyThreeRequestsAreTwentyThree() {
        let (before, after) = readings()
        var lun = lun()
        lun.derive(from: before, to: after)
        let rates = lun.rates
        #expect(rates.reads == 23)
        #expect(rates.writes == 23)
        #expect(rates.flushes == 23)
        #expect(rates.discards == 23)
        #expect(rates.writeZeroes == 23)
        #expect(rates.iops == 115)
        #expect(rates.errors == 23)
        #expect(rates.kicks == 23)
        #expect(rates.interrupts == 23)
        #expect(rates.readBytes == 23)
        #expect(rates.bytes == 46)
        #expect(rates.meanRequestBytes == 1)
        #expect(rates.perRequest(rates.kicks) == 0.2)
        #expect(lun.virtqueues[0].kicks == 23)
        #expect(lun.virtqueues[0].interrupts == 23)
    }

    @Test mutating func theFirstIntervalIsBlank() {
        var (_, after) = readings()
        after.oldest = 1500
        var lun = lun()
        lun.derive(from: nil, to: after)
        var blank = BlockRates()
        blank.oldestInFlight = 1.5
        #expect(lun.rates == blank)
        #expect(lun.readLatencies == nil)
    }

    @Test(arguments: [5 * second, 5 * second + 999_999, 4 * second])
    mutating func anIntervalThatIsNoneIsBlank(end: Nanoseconds) {
        var (before, after) = readings()
        after.monotonic = end
        var lun = lun()
        lun.derive(from: before, to: after)
        #expect(lun.rates == BlockRates())
        before.monotonic = 0
        lun.derive(from: before, to: after)
        #expect(lun.rates.reads != nil)
    }

    @Test mutating func aResetCounterIsBlankAndSoIsTheSumItIsPartOf() {
        var (before, after) = readings()
        before.reads = 24
        after.writes = 1000
        var lun = lun()
        lun.derive(from: before, to: after)
        #expect(lun.rates.reads == nil)
        #expect(lun.rates.iops == nil)
        #expect(lun.rates.writes == 1000)
    }

    @Test mutating func nothingOutlivesItsInterval() {
        var (before, after) = readings()
        before.readLatencyBuckets = BucketCounts([0, 0])
        after.readLatencyBuckets = BucketCounts([0, 23])
        after.turns = 23
        var lun = lun()
        lun.derive(from: before, to: after)
        #expect(lun.readLatencies != nil)
        #expect(lun.virtqueues[0].batch == 5)
        lun.derive(from: nil, to: after)
        #expect(lun.readLatencies == nil)
        #expect(lun.virtqueues[0].batch == nil)
        #expect(lun.virtqueues[0].kicks == nil)
        #expect(lun.virtqueues[0].size == 256)
    }

    @Test mutating func latenciesOfTheInterval() throws {
        var (before, after) = readings()
        before.readLatencyBuckets = BucketCounts([7, 0, 0])
        after.readLatencyBuckets = BucketCounts([7, 20, 3])
        after.readLatencySum = 26
        var lun = lun()
        lun.derive(from: before, to: after)
        let latency = try #require(lun.rates.readLatency)
        #expect(abs((latency.mean ?? 0) - 26.0 / 23 / 1000) < 1e-12)
        #expect(latency.p50 == 0.001)
        #expect(latency.max == 0.002)
        #expect(lun.rates.writeLatency == nil)
        #expect(lun.rates.worstP99 == latency.p99)
    }

    /// Where nobody counts buckets or depths, as QEMU by default: means, and Little's law.
    @Test mutating func meansFromSums() throws {
        var (before, now) = (LUNCounters(monotonic: 1 * second), LUNCounters(monotonic: 3 * second))
        before.latencySum = 5_000
        now.reads = 4
        now.readLatencySum = 10_000
        now.writes = 0
        now.latencySum = 3_000_005_000
        now.merges = 6
        before.merges = 2
        var lun = lun()
        lun.derive(from: before, to: now)
        #expect(lun.rates.readLatency == LatencySummary(mean: 2.5))
        #expect(lun.rates.writeLatency == nil)
        #expect(lun.rates.queueDepth == QueueDepth(now: nil, mean: 1.5))
        #expect(lun.rates.merges == 2)
        now.latencySum = 0
        lun.derive(from: before, to: now)
        #expect(lun.rates.queueDepth == nil)
    }

    @Test mutating func theQueuesShares() {
        var (before, after) = readings()
        before.kicksSuppressed = 100
        after.kicksSuppressed = 100 + 69
        after.interruptsSuppressed = 23
        after.fullTime = second / 4
        var lun = lun()
        lun.derive(from: before, to: after)
        #expect(lun.virtqueues[0].kicksSuppressedPercent == 75)
        #expect(lun.virtqueues[0].interruptsSuppressedPercent == 50)
        #expect(lun.virtqueues[0].fullPercent == 25)
        #expect(lun.virtqueues[0].batch == nil)
    }
}

@Suite struct QueueDepthTests {
    /// Times at depths 0, 1, 2, … and what follows from them.
    @Test(
        arguments: [
            ([0, 10], 1, 1, 1, 1), ([5, 5], 0.5, 0, 1, 1), ([1, 0, 1], 1, 0, 2, 2),
            ([98, 1, 0, 1], 0.04, 0, 1, 3), ([99, 0, 0, 1], 0.03, 0, 0, 3),
            ([0, 0, 0, 0, 7], 4, 4, 4, 4), ([49, 51], 0.51, 1, 1, 1),
        ] as [([UInt64], Double, Int, Int, Int)])
    func weightsByTime(times: [UInt64], mean: Double, p50: Int, p99: Int, max: Int) throws {
        var before = LUNCounters(monotonic: 0)
        before.depthTimes = times.map { _ in 1000 }
        var after = LUNCounters(monotonic: second)
        after.depthTimes = times.map { 1000 + $0 }
        after.depth = 3
        var lun = LUN(id: "vd00", device: "virtio-blk")
        lun.derive(from: before, to: after)
        let depth = try #require(lun.rates.queueDepth)
        #expect(abs(depth.mean - mean) < 1e-12)
        #expect(depth.now == 3)
        #expect(depth.p50 == p50)
        #expect(depth.p99 == p99)
        #expect(depth.max == max)
    }

    @Test func withoutTimesTheDepthIsUnknown() {
        var lun = LUN(id: "vd00", device: "virtio-blk")
        var after = LUNCounters(monotonic: second)
        lun.derive(from: LUNCounters(monotonic: 0), to: after)
        #expect(lun.rates.queueDepth == nil)
        after.depthTimes = [1, 2]
        lun.derive(from: LUNCounters(monotonic: 0), to: after)
        #expect(lun.rates.queueDepth == nil)
    }
}

@Suite struct StageTimesTests {
    @Test func meansOfTheStampedRequests() throws {
        var before = LUNCounters(monotonic: 0)
        before.staged = 10
        before.stageSums = [100, 100, 100, 100, 100]
        var after = LUNCounters(monotonic: second)
        after.staged = 30
        after.stageSums = [20_100, 100, 50, 40_100, 60_100]
        var lun = LUN(id: "vd00", device: "virtio-blk")
        lun.derive(from: before, to: after)
        #expect(
            lun.rates.stages
                == StageTimes(ringWait: 1, submit: 0, storage: nil, complete: 2, notify: 3))
        after.stageSums = []
        lun.derive(from: before, to: after)
        #expect(lun.rates.stages == nil)
    }
}
