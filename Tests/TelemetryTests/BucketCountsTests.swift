import Telemetry
import Testing

@Suite struct BucketCountsTests {
    @Test func onlyWhatWasCountedIsKept() {
        let counts = BucketCounts([0, 0, 3, 0, 5, 0], from: 10)
        #expect(counts.range == 12..<15)
        #expect(counts.total == 8)
        #expect((9..<18).map { counts[$0] } == [0, 0, 0, 3, 0, 5, 0, 0, 0])
        #expect(BucketCounts([0, 0]).range.isEmpty)
        #expect(BucketCounts([0, 7], from: 3) == BucketCounts([7, 0], from: 4))
    }

    @Test func countingGrowsBothWays() {
        var counts = BucketCounts()
        counts.add(0, to: 99)
        #expect(counts == BucketCounts())
        for bucket in [40, 42, 37, 40] { counts.add(to: bucket) }
        #expect(counts == BucketCounts([1, 0, 0, 2, 0, 1], from: 37))
        counts.add(BucketCounts([4, 0, 0, 9], from: 35))
        #expect(counts == BucketCounts([4, 0, 1, 9, 0, 2, 0, 1], from: 35))
    }

    /// Against counting one by one, whatever the two readings have in common.
    @Test(arguments: 0..<20) func theDifferenceOfTwoReadings(seed: UInt64) {
        var random = Random(seed: seed)
        var (before, after) = (BucketCounts(), BucketCounts())
        var expected = LatencyHistogram()
        for _ in 0..<random.next() % 40 {
            let bucket = Int(random.next() % 30) + 400
            before.add(to: bucket)
            after.add(to: bucket)
        }
        for _ in 0..<random.next() % 200 {
            let time = random.next() % 4000
            after.add(to: LatencyBuckets.index(of: time))
            expected.record(time)
        }
        #expect(after.histogram(since: before, sum: expected.sum) == expected)
    }

    @Test func aBucketThatWentDownCountsNothing() {
        let histogram = BucketCounts([4, 7, 5, 1]).histogram(
            since: BucketCounts([4, 9, 2, 0]), sum: 99)
        #expect(histogram.buckets == [.init(index: 2, count: 3), .init(index: 3, count: 1)])
        #expect(histogram.sum == 99)
    }

    @Test func countsTheLayoutHasNotAreLeftOut() {
        let counts = BucketCounts(Array(repeating: 1, count: LatencyBuckets.count + 9))
        let whole = counts.histogram(since: BucketCounts(), sum: 0)
        #expect(LatencyHistogram.sum([whole]).count == UInt64(LatencyBuckets.count))
    }
}
