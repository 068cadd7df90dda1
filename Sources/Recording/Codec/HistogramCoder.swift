internal import Telemetry

/// Models for the histograms of a sample.
struct HistogramModels {
    private var isThere = NumberModels()
    private var size = NumberModels()
    private var gap = NumberModels()
    /// By how large the key's count is around there, in powers of two.
    private var count = [NumberModels](repeating: NumberModels(), count: 10)
    private var sum = NumberModels()

    /// The most buckets that all histograms of a sample may have.
    static let bucketLimit = 1 << 22

    /// Writes `histogram`; `base` is the key's of the same LUN.
    mutating func put(
        _ histogram: LatencyHistogram?, base: LatencyHistogram?, to coder: inout RangeEncoder
    ) {
        let context = base == nil ? 0 : 1
        isThere.put(histogram == nil ? 0 : 1, context: context, to: &coder)
        guard let histogram else { return }
        let expected = Int64(base?.buckets.count ?? 0)
        size.put(
            Int64(histogram.buckets.count) &- expected, context: expected == 0 ? 0 : 1, to: &coder)
        var counts = BaseCounts(base)
        var (next, context2): (Int, Int) = (0, 0)
        for bucket in histogram.buckets {
            let isFirst = next == 0
            let distance = Int(bucket.index) - (isFirst ? counts.first : next)
            gap.put(Int64(distance), context: isFirst ? 3 : context2, to: &coder)
            context2 = distance == 0 ? 0 : 1
            let about = counts.about(Int(bucket.index))
            count[about.model].put(
                Int64(bucket.count) &- about.count, context: 0, to: &coder)
            next = Int(bucket.index) + 1
        }
        sum.put(
            Int64(bitPattern: histogram.sum) &- Self.middle(histogram.buckets), context: 0,
            to: &coder)
    }

    /// Reads a histogram of at most `room` buckets, and takes them off it.
    mutating func take(
        base: LatencyHistogram?, room: inout Int, from coder: inout RangeDecoder
    ) throws(RecordingError) -> LatencyHistogram? {
        let context = base == nil ? 0 : 1
        guard isThere.take(context: context, from: &coder) != 0 else { return nil }
        let expected = Int64(base?.buckets.count ?? 0)
        let size = size.take(context: expected == 0 ? 0 : 1, from: &coder) &+ expected
        guard size >= 0, size <= LatencyBuckets.count, size <= room else {
            throw malformed("a histogram has too many buckets")
        }
        room -= Int(size)
        var buckets: [LatencyHistogram.Bucket] = []
        buckets.reserveCapacity(Int(size))
        var counts = BaseCounts(base)
        var (next, context2): (Int, Int) = (0, 0)
        for _ in 0..<size {
            let isFirst = next == 0
            let distance = gap.take(context: isFirst ? 3 : context2, from: &coder)
            context2 = distance == 0 ? 0 : 1
            let index = Int64(isFirst ? counts.first : next) &+ distance
            guard index >= 0, index < LatencyBuckets.count else {
                throw malformed("a histogram has a bucket that there is not")
            }
            let about = counts.about(Int(index))
            let number = count[about.model].take(context: 0, from: &coder) &+ about.count
            buckets.append(
                LatencyHistogram.Bucket(
                    index: UInt16(index), count: UInt32(truncatingIfNeeded: number)))
            next = Int(index) + 1
        }
        let total = sum.take(context: 0, from: &coder) &+ Self.middle(buckets)
        return LatencyHistogram(buckets: buckets, sum: UInt64(bitPattern: total))
    }

    /// The sum if every value lay in the middle of its bucket.
    private static func middle(_ buckets: [LatencyHistogram.Bucket]) -> Int64 {
        var sum: UInt64 = 0
        for bucket in buckets {
            let range = LatencyBuckets.range(of: Int(bucket.index))
            let middle = range.lowerBound &+ (range.upperBound &- range.lowerBound) / 2
            sum = sum &+ middle &* UInt64(bucket.count)
        }
        return Int64(bitPattern: sum)
    }
}

/// What the key counts around a bucket.
private struct BaseCounts {
    private let buckets: [LatencyHistogram.Bucket]
    private var at = 0

    init(_ base: LatencyHistogram?) { buckets = base?.buckets ?? [] }

    /// Where the key's first bucket is.
    var first: Int { buckets.first.map { Int($0.index) } ?? 0 }

    /// What to expect of bucket `index`, and which model knows how far it may be off. Indices must
    /// grow.
    mutating func about(_ index: Int) -> (count: Int64, model: Int) {
        while at < buckets.count, Int(buckets[at].index) < index - 1 { at += 1 }
        var weighted: UInt64 = 0
        var look = at
        while look < buckets.count, Int(buckets[look].index) <= index + 1 {
            let weight: UInt64 = Int(buckets[look].index) == index ? 2 : 1
            weighted &+= weight &* UInt64(buckets[look].count)
            look += 1
        }
        let mean = (weighted &+ 2) / 4
        guard !buckets.isEmpty else { return (1, 9) }
        return (max(1, Int64(mean)), min(8, 64 - mean.leadingZeroBitCount))
    }
}
