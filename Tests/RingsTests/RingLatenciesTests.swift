import Rings
import Telemetry
import Testing

/// What looks tell of latencies, and what they do not.
@Suite("Latencies of followed requests")
struct RingLatenciesTests {
    private let slow: [Nanoseconds] = [5_000_000, 9_000_000]

    private func latencies(brief: Int) -> RingLatencies {
        var latencies = RingLatencies()
        for latency in slow { latencies.add(latency, error: 1_000_000) }
        for _ in 0..<brief { latencies.add(300_000, error: 600_000) }
        return latencies
    }

    @Test func whatIsLongerThanItMayBeOffByIsTold() {
        let histogram = latencies(brief: 0).histogram(mean: 77)
        #expect(histogram.buckets.map { Int($0.index) } == slow.map(LatencyBuckets.index))
        #expect(histogram.sum == 14_000_000 && histogram.untoldCount == 0)
        #expect(latencies(brief: 0).mean == 7000)
    }

    /// 98 quick ones beside two that took 14 ms. Whatever QEMU's mean of all says, also one of
    /// another second with a request of 100 ms in it: how long each took is not told.
    @Test(arguments: [151.76, 20, 1200, 0, -5, 1e30, .infinity, .nan, nil] as [Double?])
    func whatIsBriefIsNoPercentile(_ mean: Double?) {
        let latencies = latencies(brief: 98)
        #expect(latencies.count == 100 && latencies.mean == nil)
        let histogram = latencies.histogram(mean: mean)
        #expect(histogram.count == 100 && histogram.untoldCount == 98)
        let summary = LatencySummary(of: histogram, within: 300)
        #expect(summary?.p50 == nil && summary?.mean == nil)
        #expect((4900...5200).contains(summary?.p99 ?? 0))
        #expect((8900...9200).contains(summary?.max ?? 0))
    }

    @Test func theMeanIsThatOfWhoCounts() {
        let histogram = latencies(brief: 98).histogram(mean: 151.76)
        #expect(abs(Double(histogram.sum) / 100_000 - 151.76) < 0.001)
        // It says less than what was seen in the ring: no time is negative.
        #expect(latencies(brief: 98).histogram(mean: 20).sum == 14_000_000)
    }

    /// Brief ones that together took next to nothing leave a mean.
    @Test func fewBriefOnesDoNotMatter() {
        var latencies = RingLatencies()
        for _ in 0..<99 { latencies.add(9_000_000, error: 100_000) }
        latencies.add(300_000, error: 600_000)
        #expect(abs((latencies.mean ?? 0) - (99 * 9000 + 450) / 100) < 1e-9)
        for _ in 0..<100 { latencies.add(300_000, error: 600_000) }
        #expect(latencies.mean == nil)
    }

    @Test(arguments: [0, 0.3, 0.6, 1, .nan])
    func partsAreTheWhole(_ share: Double) {
        var whole = latencies(brief: 40)
        // A bucket each, as of a quiet disk.
        for step in 1...40 as ClosedRange<Nanoseconds> {
            whole.add(step * 10_000_000, error: 1_000_000)
        }
        let parts = whole.divided(by: share)
        var sum = parts.0
        sum.add(parts.1)
        #expect(sum.histogram(mean: 50) == whole.histogram(mean: 50))
        let expected = (share.isNaN ? 0.5 : share) * 82
        #expect(abs(Double(parts.0.count) - expected) <= 1)
        // Both have their part of the slow ones and of the time.
        for (part, share) in [(parts.0, expected / 82), (parts.1, 1 - expected / 82)] {
            let told = part.histogram(mean: nil)
            #expect(abs(Double(told.count - told.untoldCount) - 42 * share) <= 1)
            #expect(abs(Double(told.sum) - 8.214e9 * share) <= 3e8)
        }
    }

    /// Where the requests of a bucket lie in it makes no difference to whom their time belongs.
    @Test(arguments: [4_194_304, 4_325_375] as [Nanoseconds])
    func aFewHaveTheirTime(_ latency: Nanoseconds) {
        var all = RingLatencies()
        for _ in 0..<200 { all.add(latency, error: 1000) }
        let (first, rest) = all.divided(by: 0.99)
        #expect(first.count == 198 && rest.count == 2)
        #expect(abs((rest.mean ?? 0) - Double(latency) / 1000) < 0.001)
    }

    /// A single request takes all of its time along.
    @Test func oneRequestIsNotDivided() {
        var one = RingLatencies()
        one.add(2_000_000_000, error: 1000)
        let (first, rest) = one.divided(by: 0.9)
        #expect(first == one && rest == RingLatencies())
    }

    @Test func aPercentileNotAboveItsErrorIsNone() {
        var histogram = LatencyHistogram()
        for latency in [10_000, 20_000, 4_000_000] as [Nanoseconds] { histogram.record(latency) }
        #expect(LatencySummary(of: histogram)?.p50 != nil)
        let within = LatencySummary(of: histogram, within: 500)
        #expect(within?.p50 == nil && within?.p99 != nil)
        #expect(within?.mean == LatencySummary(of: histogram)?.mean)
    }
}
