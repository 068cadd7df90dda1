internal import Telemetry

/// Reads the histograms of a sample of form 1, which earlier versions wrote.
///
/// Where the key has a histogram of the same LUN, each count was written as what it adds to the
/// expectation: the requests not yet placed times the share that the key, smoothed, gives the
/// bucket. Small expectations go by what similar ones turned out to be, so that an empty bucket
/// costs next to nothing.
struct OldHistogramModels {
    private var isThere = NumberModels()
    private var total = NumberModels()
    private var gap = NumberModels()
    private var count = NumberModels()
    private var sum = NumberModels()
    private var outside = NumberModels()
    /// Whether there is one more, by expectation and how many there were.
    private var more = [BitModel](
        repeating: BitModel(), count: OldExpectation.classes * OldExpectation.steps)
    private var differences = [NumberModels](
        repeating: NumberModels(), count: OldExpectation.classes)

    /// Reads a histogram of at most `room` buckets, and takes them off it.
    mutating func take(
        base: OldHistogramBase, room: inout Int, from coder: inout RangeDecoder
    ) throws(RecordingError) -> LatencyHistogram? {
        guard isThere.take(context: base.isThere ? 1 : 0, from: &coder) != 0 else { return nil }
        var buckets: [LatencyHistogram.Bucket] = []
        if let shape = base.shape {
            let difference = total.take(context: 0, from: &coder)
            let requests = shape.requests &+ UInt64(bitPattern: difference)
            // A histogram counts fewer: 1056 buckets of 32 bits.
            guard requests < 1 << 43 else { throw malformed("a histogram counts too much") }
            if requests > 0 { buckets = try take(requests, shape, from: &coder) }
        } else {
            buckets = try takeSparse(from: &coder)
        }
        room -= buckets.count
        guard room >= 0 else { throw malformed("a sample has too many histogram buckets") }
        let sum = sum.take(context: 0, from: &coder) &+ Self.middle(buckets)
        return LatencyHistogram(buckets: buckets, sum: UInt64(bitPattern: sum))
    }

    private mutating func take(
        _ requests: UInt64, _ shape: OldHistogramShape, from coder: inout RangeDecoder
    ) throws(RecordingError) -> [LatencyHistogram.Bucket] {
        let below = try takeSparse(from: &coder)
        let above = try takeSparse(from: &coder)
        let outside = (below + above).reduce(UInt64(0)) { $0 + UInt64($1.count) }
        guard outside <= requests else { throw malformed("a histogram does not add up") }
        var (left, weight) = (requests - outside, shape.weight)
        var buckets = below
        let weights = shape.weights.span
        for place in weights.indices where left > 0 {
            let expected = OldExpectation(left, weights[place], of: weight)
            weight -= weights[place]
            let isLast = place == weights.count &- 1
            let count = isLast ? left : try take(expected, limit: left, from: &coder)
            guard count > 0 else { continue }
            left -= count
            buckets.append(
                LatencyHistogram.Bucket(
                    index: shape.first + UInt16(place), count: UInt32(clamping: count)))
        }
        return buckets + above
    }

    private mutating func take(
        _ expected: OldExpectation, limit: UInt64, from coder: inout RangeDecoder
    ) throws(RecordingError) -> UInt64 {
        guard expected.isSmall else {
            let count =
                differences[expected.index].take(context: 0, from: &coder)
                &+ expected.about
            guard count >= 0, count <= limit else { throw malformed("a count is too large") }
            return UInt64(count)
        }
        var step: UInt64 = 0
        while step < limit {
            if step == UInt64(OldExpectation.steps) {
                let more = differences[expected.index].takePositive(from: &coder) - 1
                guard more <= limit - step else { throw malformed("a count is too large") }
                return step + more
            }
            guard coder.bit(&more[expected.index * OldExpectation.steps + Int(step)]) else {
                return step
            }
            step += 1
        }
        return step
    }

    private mutating func takeSparse(
        from coder: inout RangeDecoder
    ) throws(RecordingError) -> [LatencyHistogram.Bucket] {
        let size = outside.take(context: 0, from: &coder)
        return try takeSparseBuckets(size, gap: &gap, count: &count, from: &coder)
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

/// How many requests a bucket is likely to count.
private struct OldExpectation {
    /// Half powers of two from 1/64 to 2^12.
    static let classes = 38
    /// Counts that are written one by one.
    static let steps = 16
    /// Below 8 counts are written one by one.
    let isSmall: Bool
    let index: Int
    private let expected: Double

    /// Of `left` requests the share of `weight` in `all`.
    @inline(__always)
    init(_ left: UInt64, _ weight: Double, of all: Double) {
        expected = Double(Int64(bitPattern: left)) * weight / max(all, weight)
        isSmall = expected < 8
        // The exponent and the first bit of the significand: the same on every machine.
        let bits = min(max(expected, 1.0 / 64), 4096).bitPattern >> 51
        let halves = Int(truncatingIfNeeded: bits) &- (1023 - 6) * 2
        index = min(max(halves, 0), Self.classes - 1)
    }

    /// The whole number next to it.
    var about: Int64 { Int64(min(expected, 1e15).rounded()) }
}

/// The key's histogram of a LUN, as far as others are compared with it.
struct OldHistogramBase: Sendable {
    var isThere = false
    /// `nil` for one that counts nothing.
    var shape: OldHistogramShape?

    init(_ histogram: LatencyHistogram?) {
        isThere = histogram != nil
        shape = histogram.flatMap { OldHistogramShape($0) }
    }

    static let none = OldHistogramBase(nil)
}

/// How the key's requests lay, smoothed, over the buckets it uses and some around them.
struct OldHistogramShape: Sendable {
    /// Buckets at either side that are taken to be possible.
    private static let margin = (below: 6, above: 16)
    private static let reach = 6

    /// Requests that it counts.
    let requests: UInt64
    let first: UInt16
    private(set) var weights: [Double]
    private(set) var weight = 0.0

    /// `nil` for a key that counts nothing.
    init?(_ base: LatencyHistogram) {
        guard let lowest = base.buckets.first, let highest = base.buckets.last else { return nil }
        let first = max(0, Int(lowest.index) - Self.margin.below)
        let last = min(LatencyBuckets.count - 1, Int(highest.index) + Self.margin.above)
        self.first = UInt16(first)
        requests = base.count
        let (count, reach) = (last - first + 1, Self.reach)
        var counts = [Double](repeating: 0, count: count + 2 * reach + 1)
        for bucket in base.buckets {
            counts[Int(bucket.index) - first + reach] = Double(bucket.count)
        }
        weights = []
        weights.reserveCapacity(count)
        // Whole numbers, so that nothing is lost by adding and taking away.
        var wide = counts[0..<(2 * reach)].reduce(0, +)
        for place in 0..<count {
            let middle = place + reach
            wide += counts[place + 2 * reach]
            let narrow = counts[middle - 1] + 2 * counts[middle] + counts[middle + 1]
            let weight = narrow + 2 * wide + 1
            wide -= counts[place]
            weights.append(weight)
            self.weight += weight
        }
    }

    var last: UInt16 { first + UInt16(weights.count - 1) }
}
