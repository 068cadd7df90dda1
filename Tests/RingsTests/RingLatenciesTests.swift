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
        #expect(histogram.sum == 14_000_000)
    }

    /// 98 quick ones beside two that took 14 ms: QEMU's mean of all of 152 µs leaves them 12 µs.
    @Test func briefOnesTookWhatTheMeanLeavesThem() {
        let latencies = latencies(brief: 98)
        #expect(latencies.count == 100)
        let histogram = latencies.histogram(mean: 151.76)
        #expect(histogram.count == 100)
        #expect(histogram.buckets.first?.index == UInt16(LatencyBuckets.index(of: 12_000)))
        #expect(histogram.buckets.first?.count == 98)
        #expect(abs(Double(histogram.sum) / 100_000 - 151.76) < 0.001)
        let summary = LatencySummary(of: histogram, within: 600)
        #expect(summary?.p50 == nil)
        #expect((4900...5200).contains(summary?.p99 ?? 0))
        #expect((8900...9200).contains(summary?.max ?? 0))
    }

    @Test func withoutAMeanTheyAreAGuess() {
        let histogram = latencies(brief: 98).histogram(mean: nil)
        #expect(histogram.buckets.first?.index == UInt16(LatencyBuckets.index(of: 300_000)))
    }

    /// QEMU's mean says less than what was seen in the ring: no time is negative.
    @Test func aMeanThatLeavesNothingIsTheirOwn() {
        let histogram = latencies(brief: 98).histogram(mean: 20)
        #expect(histogram.buckets.first?.index == UInt16(LatencyBuckets.index(of: 20_000)))
    }

    @Test(arguments: [0, -5, 1e30, .infinity, .nan] as [Double])
    func nonsenseIsNoHarm(_ mean: Double) {
        let histogram = latencies(brief: 98).histogram(mean: mean)
        #expect(histogram.count == 100)
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
