import Histogram
import Telemetry
import Testing

@Suite struct LatencyHistogramTests {
    private func histogram(_ latencies: [UInt64]) -> LatencyHistogram {
        var histogram = LatencyHistogram()
        for latency in latencies { histogram.record(latency) }
        return histogram
    }

    @Test func recordCountsAndSums() {
        let histogram = histogram([5, 1000, 5, .max >> 1])
        #expect(histogram.count == 4)
        #expect(histogram.sum == 1010 + (UInt64.max >> 1))
        #expect(histogram.buckets.first == .init(index: 5, count: 2))
        #expect(histogram.buckets.map(\.index) == histogram.buckets.map(\.index).sorted())
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func addingIsRecordingBoth(seed: UInt64) {
        var random = Random(seed: seed)
        let left = (0..<100).map { _ in random.latency() }
        let right = (0..<70).map { _ in random.latency() }
        var sum = histogram(left)
        sum.add(histogram(right))
        #expect(sum == histogram(left + right))
        #expect(LatencyHistogram.sum([histogram(left), histogram(right)]) == sum)
    }

    @Test func addingNothingChangesNothing() {
        var one = histogram([3, 70])
        one.add(LatencyHistogram())
        #expect(one == histogram([3, 70]))
        #expect(LatencyHistogram.sum([]) == LatencyHistogram())
    }
}

@Suite struct LatencySummaryTests {
    @Test func nothingHasNoPercentiles() {
        #expect(LatencySummary(of: nil) == nil)
        #expect(LatencySummary(of: LatencyHistogram()) == nil)
    }

    /// Against exact percentiles of the same numbers, within the 3.2 % that the layout promises.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func percentilesAreNearTheExactOnes(seed: UInt64) throws {
        var random = Random(seed: seed)
        let latencies = (0..<5000).map { _ in random.latency() }
        var counts = BucketCounts()
        for latency in latencies { counts.add(to: LatencyBuckets.index(of: latency)) }
        let histogram = counts.histogram(since: BucketCounts(), sum: latencies.reduce(0, +))
        let found = LatencySummary(of: histogram)
        let summary = try #require(found)

        let sorted = latencies.sorted()
        func exact(_ percentile: Double) -> Double {
            let rank = Int((percentile / 100 * Double(sorted.count)).rounded(.up))
            return Double(sorted[max(rank, 1) - 1]) / 1000
        }
        let mean = latencies.reduce(0) { $0 + Double($1) } / Double(latencies.count) / 1000
        #expect(abs((summary.mean ?? 0) - mean) <= mean * 1e-9)
        for (found, percentile) in [
            (summary.p50, 50), (summary.p99, 99), (summary.p999, 99.9), (summary.max, 100),
        ] {
            let found = try #require(found)
            let exact = exact(percentile)
            #expect(abs(found - exact) <= exact * 0.032, "p\(percentile), seed \(seed)")
        }
    }

    /// The same buckets in the Swift library of HdrHistogram give the same percentiles: a value of
    /// ours is the upper end of the bucket in which the library's lies.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func percentilesAreThoseOfHdrHistogram(seed: UInt64) throws {
        var random = Random(seed: seed)
        var histogram = LatencyHistogram()
        var library = Histogram<UInt64>(
            lowestDiscernibleValue: 1, highestTrackableValue: 1 << 37,
            numberOfSignificantValueDigits: .three)
        for _ in 0..<(1 + Int(seed) * 97) {
            let latency = random.latency()
            histogram.record(latency)
            library.record(latency)
        }
        let summary = try #require(LatencySummary(of: histogram))
        for (found, percentile) in [
            (summary.p50, 50.0), (summary.p99, 99), (summary.p999, 99.9), (summary.max, 100),
        ] {
            // The library's own bucket of three digits may straddle the end of one of ours.
            let value = library.lowestEquivalentForValue(library.valueAtPercentile(percentile))
            let bucket = LatencyBuckets.range(of: LatencyBuckets.index(of: value))
            let next = LatencyBuckets.range(of: LatencyBuckets.index(of: bucket.upperBound + 1))
            let ends = [bucket, next].map { Double($0.upperBound) / 1000 }
            #expect(ends.contains(try #require(found)), "p\(percentile), seed \(seed)")
        }
    }

    @Test func oneRequestIsAllItsPercentiles() {
        var fast = LatencyHistogram()
        fast.record(50)
        #expect(
            LatencySummary(of: fast)
                == LatencySummary(mean: 0.05, p50: 0.05, p99: 0.05, p999: 0.05, max: 0.05))
    }
}
