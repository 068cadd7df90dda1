import Telemetry
import Testing

@Suite struct LatencyBucketsTests {
    @Test func rangesAreContiguousAndStartAtZero() {
        var next: UInt64 = 0
        for index in 0..<LatencyBuckets.count {
            let range = LatencyBuckets.range(of: index)
            #expect(range.lowerBound == next)
            next = range.upperBound + 1
        }
        #expect(next == 1 << 37)
    }

    @Test func everyBucketHoldsItsOwnRange() {
        for index in 0..<LatencyBuckets.count {
            let range = LatencyBuckets.range(of: index)
            #expect(LatencyBuckets.index(of: range.lowerBound) == index)
            #expect(LatencyBuckets.index(of: range.upperBound) == index)
        }
    }

    @Test func aBucketIsAtMostA32ndWide() {
        for index in 64..<LatencyBuckets.count {
            let range = LatencyBuckets.range(of: index)
            let width = range.upperBound - range.lowerBound + 1
            #expect(width * 32 <= range.lowerBound)
        }
        for index in 0..<64 { #expect(LatencyBuckets.range(of: index).count == 1) }
    }

    @Test(
        arguments: [
            (0, 0), (1, 1), (63, 63), (64, 64), (65, 64), (66, 65), (127, 95), (128, 96),
            ((1 << 37) - 1, 1055), (1 << 37, 1055), (UInt64.max, 1055),
        ] as [(UInt64, Int)])
    func indices(nanoseconds: UInt64, index: Int) {
        #expect(LatencyBuckets.index(of: nanoseconds) == index)
    }

    @Test func anIndexOutOfRangeIsTheNearestBucket() {
        #expect(LatencyBuckets.range(of: -1) == 0...0)
        #expect(LatencyBuckets.range(of: 99_999) == LatencyBuckets.range(of: 1055))
    }
}
